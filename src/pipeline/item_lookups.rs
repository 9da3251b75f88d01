//! The punch items at a place: asked for together with the places of other photos that wait, as a call for many places
//! costs as much of the hourly limit as a call for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Context;
use crate::domain::ids::{LocationId, ProjectKey};
use crate::procore::Error;
use crate::procore::punch_items::PunchItem;

type Answer = Result<Vec<PunchItem>, Error>;

/// How long the first who asks waits for others to ask with it. Photos come in bursts, and each call counts
/// against the hourly limit; nobody sees this wait beside the download of a photo.
const GATHER: Duration = Duration::from_millis(400);

/// A place, and where the answer about its items goes.
type PlaceRequest = (LocationId, oneshot::Sender<Answer>);

/// Who waits for the items at which place, by project.
#[derive(Debug, Default)]
pub struct ItemLookups(Mutex<HashMap<ProjectKey, Arc<PlaceQueue>>>);

#[derive(Debug, Default)]
struct PlaceQueue {
    turn: tokio::sync::Mutex<()>,
    waiting: Mutex<Vec<PlaceRequest>>,
}

impl ItemLookups {
    fn line(&self, project: ProjectKey) -> Arc<PlaceQueue> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(project).or_default())
    }
}

impl PlaceQueue {
    fn waiting(&self) -> MutexGuard<'_, Vec<PlaceRequest>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody who waits, as far as their places fit into one call with `own`.
    fn take(&self, own: LocationId, most: usize) -> (Vec<LocationId>, Vec<PlaceRequest>) {
        let mut places = vec![own];
        let mut waiting = self.waiting();
        let mut served = Vec::new();
        for wish in std::mem::take(&mut *waiting) {
            if !places.contains(&wish.0) && places.len() < most {
                places.push(wish.0);
            }
            if places.contains(&wish.0) { served.push(wish) } else { waiting.push(wish) }
        }
        (places, served)
    }
}

/// The items at `location` that are neither closed nor deleted, as Procore has them from now on.
///
/// # Errors
/// When Procore does not answer.
pub(super) async fn open_items(context: &Context, project: ProjectKey, location: LocationId) -> Answer {
    let line = context.at_places.line(project);
    let (tell, mut told) = oneshot::channel();
    line.waiting().push((location, tell));
    let _turn = line.turn.lock().await;
    // Whoever had the turn asked for this place too, after it was wanted; or gave up on the way.
    if let Ok(answer) = told.try_recv() {
        return answer;
    }
    tokio::time::sleep(GATHER).await;
    let most = context.procore.config().ids_per_call.max(1);
    let (places, served) = line.take(location, most);
    let answer = context.procore.open_punch_items(project, &places).await;
    let at = |place: LocationId| -> Answer {
        let mut items = answer.clone()?;
        // Where one place was asked for, all items are there, whatever the rows say.
        items.retain(|item| places.len() == 1 || item.location() == Some(place));
        Ok(items)
    };
    for (place, tell) in served {
        // Whoever gave up meanwhile is told nothing.
        let _ = tell.send(at(place));
    }
    at(location)
}
