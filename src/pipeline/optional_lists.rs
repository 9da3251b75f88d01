//! What findings are better with and are recorded without: lists that Procore refuses, or does not answer for now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Context, Failure};
use crate::domain::ids::ProjectKey;
use crate::domain::retry::Disposition;

/// How long a refused list is not asked for again.
const REFUSED_FOR: Duration = Duration::from_mins(10);

/// How long a list that is not answered is waited for before findings are recorded without it.
const WAITED_FOR: Duration = Duration::from_secs(20);

/// How long it is not asked for again then, so that not every photo waits.
const UNANSWERED_FOR: Duration = Duration::from_secs(30);

/// The longest wait for a list that has failed before.
const LONGEST: Duration = Duration::from_secs(30);

/// The lists that cannot be had, by project and name.
#[derive(Debug, Default)]
pub struct MissingLists(Mutex<HashMap<(ProjectKey, &'static str), FailingSince>>);

/// Since when a list cannot be had.
#[derive(Debug, Clone, Copy)]
struct FailingSince {
    first: Instant,
    last: Instant,
    refused: bool,
}

impl FailingSince {
    /// Whether what has just failed is gone without.
    fn is_over(&self) -> bool {
        self.refused || self.last.duration_since(self.first) >= WAITED_FOR
    }

    /// Whether it is too early to ask again.
    fn is_closed(&self, now: Instant) -> bool {
        let rest = if self.refused { REFUSED_FOR } else { UNANSWERED_FOR };
        self.is_over() && now.duration_since(self.last) < rest
    }
}

impl MissingLists {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<(ProjectKey, &'static str), FailingSince>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn spell(&self, of: (ProjectKey, &'static str)) -> Option<FailingSince> {
        self.with(|spells| spells.get(&of).copied())
    }

    fn failed(&self, of: (ProjectKey, &'static str), now: Instant, refused: bool) -> FailingSince {
        self.with(|spells| {
            let first = spells.get(&of).map_or(now, |spell| spell.first);
            let spell = FailingSince { first, last: now, refused };
            spells.insert(of, spell);
            spell
        })
    }

    fn had(&self, of: (ProjectKey, &'static str)) {
        self.with(|spells| spells.remove(&of));
    }
}

/// What `read` gives, or nothing where Procore refuses it or has not answered for a while.
///
/// # Errors
/// While it is worth waiting for the answer.
pub(super) async fn optional<T>(
    context: &Context,
    project: ProjectKey,
    name: &'static str,
    read: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    let (lacking, of) = (&context.lacking, (project, name));
    let before = lacking.spell(of);
    if before.is_some_and(|spell| spell.is_closed(Instant::now())) {
        return Ok(None);
    }
    let longest =
        if before.is_some() { LONGEST } else { Duration::from_secs(context.config.photo_timeout_s) };
    let outcome = tokio::time::timeout(longest, Box::pin(read)).await;
    let failure = match outcome {
        Ok(Ok(value)) => {
            lacking.had(of);
            return Ok(Some(value));
        }
        Ok(Err(Failure::LeaseLost)) => return Err(Failure::LeaseLost),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::retry(format!("{name} did not come within {longest:?}")),
    };
    let passes = matches!(
        failure,
        Failure::Step { disposition: Disposition::RetryLater { .. } | Disposition::Reauthorise, .. }
    );
    if !lacking.failed(of, Instant::now(), !passes).is_over() {
        return Err(failure);
    }
    tracing::warn!(%project, list = name, reason = %failure, "findings are recorded without this list");
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId};

    const TRADES: (ProjectKey, &str) =
        (ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) }, "trades");

    #[test]
    fn a_refused_list_is_gone_without_at_once_and_asked_for_again_later() {
        let (lacking, now) = (MissingLists::default(), Instant::now());
        let spell = lacking.failed(TRADES, now, true);
        assert!(spell.is_over() && spell.is_closed(now + Duration::from_mins(9)));
        assert!(!spell.is_closed(now + REFUSED_FOR));
    }

    #[test]
    fn an_unanswered_list_is_waited_for_a_little() {
        let (lacking, now) = (MissingLists::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!lacking.failed(TRADES, now, false).is_over());
        assert!(!lacking.failed(TRADES, after(19), false).is_over());
        let spell = lacking.failed(TRADES, after(20), false);
        assert!(spell.is_over() && spell.is_closed(after(49)) && !spell.is_closed(after(50)));
        lacking.had(TRADES);
        assert!(lacking.spell(TRADES).is_none());
    }
}
