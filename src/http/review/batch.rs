//! Decisions about a group: exactly the findings that the person saw and left ticked.

use axum::extract::{self, Query};
use axum::response::{IntoResponse, Redirect};
use jiff::Timestamp;

use super::filter::Tab;
use super::submitted::{Form, Submitted};
use super::{Address, ListContext, Page, list_context};
use crate::domain::ids::FindingId;
use crate::domain::punch_item::Edits;
use crate::domain::review::{Decision, Verdict};
use crate::http::State;
use crate::http::error::HttpError;

/// The findings that are ticked.
fn ticked(form: &Form) -> Result<Vec<FindingId>, HttpError> {
    form.all("id").map(list_context::parse_id).collect()
}

fn verdict(form: &Form) -> Result<Verdict, HttpError> {
    if form.text("verdict") == "accept" {
        return Ok(Verdict::Accept { edits: Edits::default() });
    }
    Ok(Verdict::Reject { reason: form.reason()? })
}

/// Decides about all that is ticked, in one transaction, and leads back to the list.
pub(in crate::http) async fn decide(
    extract::State(state): extract::State<State>,
    Query(address): Query<Address>,
    Submitted { session, form }: Submitted,
) -> Page {
    let desk = ListContext::new(&state, &session, address.filter.into());
    let ids = ticked(&form)?;
    if ids.is_empty() {
        return Err(HttpError::Invalid("Nothing selected. No decision was saved.".into()).into());
    }
    desk.check_decisions(&ids).await?;
    let person = &session.viewer.person;
    let (reviewer, at) = (person.name.clone(), state.now());
    let decision = Decision { verdict: verdict(&form)?, reviewer, person: Some(person.clone()), at };
    let batch = state.store().decide_batch(&ids, &decision, &state.muting()).await?;
    tracing::info!(findings.done = batch.done.len(), findings.left = batch.left.len(), "a group was decided");
    let left = batch.left.len().to_string();
    let mut extra = vec![];
    let done = batch_name(at);
    if !batch.done.is_empty() {
        extra.push(("done", done.as_str()));
    }
    if !batch.left.is_empty() {
        extra.push(("left", left.as_str()));
    }
    Ok(Redirect::to(&desk.filter.url("/review", &extra)).into_response())
}

/// Takes one gesture of this person back, as far as that can still be done.
pub(in crate::http) async fn undo(
    extract::State(state): extract::State<State>,
    Query(address): Query<Address>,
    Submitted { session, form }: Submitted,
) -> Page {
    let desk = ListContext::new(&state, &session, address.filter.into());
    let person = &session.viewer.person;
    let at = batch_instant(form.text("at")).ok_or(HttpError::NotFound("decision"))?;
    let ids = state.store().decided_at(&person.name, at).await?;
    desk.check_decisions(&ids).await?;
    let batch = state.store().undo_batch(&ids, person, state.now()).await?;
    let (undone, left) = (batch.done.len().to_string(), batch.left.len().to_string());
    let before = desk.last_held().await?.unwrap_or_default();
    let mut extra = vec![("undone", undone.as_str()), ("done", before.as_str())];
    if !batch.left.is_empty() {
        extra.push(("left", left.as_str()));
    }
    Ok(Redirect::to(&desk.filter.with_tab(Tab::ToReview).url("/review", &extra)).into_response())
}

/// A gesture in an address: `@` and its instant in milliseconds.
pub(super) fn batch_name(at: Timestamp) -> String {
    format!("@{}", at.as_millisecond())
}

/// The instant that an address names.
pub(super) fn batch_instant(name: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(name.strip_prefix('@')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::RejectReason;
    use crate::http::sample;

    #[test]
    fn a_gesture_is_named_by_its_instant() {
        let at: Timestamp = "2026-03-05T15:00:00.123Z".parse().expect("a time");
        assert_eq!(batch_instant(&batch_name(at)), Some(at));
        for nonsense in ["", "@", "@x", "@99999999999999999", "1772722800123"] {
            assert_eq!(batch_instant(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn forms_carry_every_tick() {
        let ids = [1, 2].map(|number| sample::card(number).finding.id);
        let body = format!("csrf=x&id={}&id={}&reason=too_early", ids[0], ids[1]);
        let form = Form::read(body.as_bytes());
        assert_eq!((ticked(&form), form.text("csrf")), (Ok(ids.to_vec()), "x"));
        assert_eq!(verdict(&form), Ok(Verdict::Reject { reason: RejectReason::TooEarly }));
        assert!(ticked(&Form::read(b"id=../etc")).is_err());
        assert!(verdict(&Form::default()).is_err(), "neither accepted nor a reason");
    }
}
