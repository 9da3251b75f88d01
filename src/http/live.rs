//! Live updates: a page hears that something changed and fetches what it shows again.

use std::convert::Infallible;

use axum::extract;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::http::State;
use crate::http::guard::Reviewer;

/// A stream of `changed` events, not more often than configured. It ends after a while, so that
/// sessions that ran out end too; browsers ask again by themselves.
pub(super) async fn events(extract::State(state): extract::State<State>, _: Reviewer) -> Response {
    Sse::new(changes(state)).keep_alive(KeepAlive::default()).into_response()
}

fn changes(state: State) -> impl Stream<Item = Result<Event, Infallible>> {
    let end = Instant::now() + state.review().live_max();
    let changed = state.store().changed();
    let hello = stream::once(async {
        Ok(Event::default().retry(std::time::Duration::from_secs(3)).comment("hello"))
    });
    let rest = stream::unfold((state, changed), move |(state, mut changed)| async move {
        next(&state, &mut changed, end).await?;
        // Browsers take an event without data for none.
        Some((Ok(Event::default().event("changed").data("look again")), (state, changed)))
    });
    futures_util::StreamExt::chain(hello, rest)
}

/// Waits for a change and then for the gap, in which further changes join it. `None`: the stream is over.
async fn next(state: &State, changed: &mut watch::Receiver<u64>, end: Instant) -> Option<()> {
    let waited = async {
        changed.changed().await.ok()?;
        tokio::time::sleep(state.review().live_gap()).await;
        changed.mark_unchanged();
        Some(())
    };
    tokio::select! {
        waited = waited => waited,
        () = tokio::time::sleep_until(end) => None,
        () = state.stopping().cancelled() => None,
    }
}
