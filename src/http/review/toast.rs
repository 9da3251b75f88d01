//! Names the last decision and offers to undo it.

use maud::{Markup, html};

use super::batch::batch_name;
use super::card::card_path;
use super::filter::Filter;
use super::icons::{Icon, icon};
use super::labels;
use super::list_context::Done;
use super::page::Viewer;
use crate::domain::card::Card;
use crate::domain::review::FindingState;
use crate::store::MuteRow;

/// The bar above the content, if there is anything to say; `here` is the page to return to.
pub(super) fn toast(done: &Done, filter: &Filter, viewer: &Viewer, here: &str) -> Markup {
    match done {
        Done::Undone { number, left, before } => {
            let undone =
                format!("Undone: {}{}", labels::count(*number, "finding", "findings"), unchanged(*left));
            if let Some(last) = undoable(before, filter) {
                return last.render(viewer, Some(&format!("{undone}. Before that:")));
            }
            html! { div.toast #toast { (icon(Icon::Undo)) p data-announce { (undone) } } }
        }
        done => html! {
            @if let Some(last) = undoable(done, filter) { (last.render(viewer, None)) }
            @if let Done::Card(card, Some(mute)) = done { (unmute(card, mute, viewer, here)) }
        },
    }
}

/// A decision that can be undone.
struct Undoable {
    action: String,
    word: &'static str,
    sign: Icon,
    text: String,
    /// The instant of a group's decision.
    at: Option<String>,
}

fn undoable(done: &Done, filter: &Filter) -> Option<Undoable> {
    match done {
        Done::Card(card, _) => {
            let (word, sign) = decided(card.state)?;
            let action = filter.url(&format!("{}/undo", card_path(card)), &[]);
            Some(Undoable { action, word, sign, text: card.decided_draft().title, at: None })
        }
        Done::Batch { at, state, number, left } => {
            let (word, sign) = decided(*state)?;
            let text = format!("{}{}", labels::count(*number, "finding", "findings"), unchanged(*left));
            let action = filter.url("/review/batch/undo", &[]);
            Some(Undoable { action, word, sign, text, at: Some(batch_name(*at)) })
        }
        Done::Nothing | Done::Undone { .. } => None,
    }
}

impl Undoable {
    fn render(&self, viewer: &Viewer, before: Option<&str>) -> Markup {
        html! {
            form.toast #toast aria-label="Last decision" method="post" action=(self.action) data-swap {
                input type="hidden" name="csrf" value=(viewer.csrf);
                @if let Some(at) = &self.at { input type="hidden" name="at" value=(at); }
                (icon(self.sign))
                p data-announce { @if let Some(before) = before { (before) " " } strong { (self.word) } " " span { (self.text) } }
                button #undo type="submit" { (icon(Icon::Undo)) "Undo" kbd { "U" } }
            }
        }
    }
}

/// What a rejection muted, and the way to end that alone.
fn unmute(card: &Card, mute: &MuteRow, viewer: &Viewer, here: &str) -> Markup {
    let room = card.place.location.as_ref().and_then(|location| location.path.last());
    html! {
        form.toast.muted #muted aria-label="Muted" method="post" action=(format!("/review/mutes/{}/lift", mute.id.0)) data-swap {
            input type="hidden" name="csrf" value=(viewer.csrf);
            input type="hidden" name="next" value=(here);
            (icon(Icon::Muted))
            p data-announce {
                strong { "Muted" } " " span { (labels::class(&card.finding.class)) @if let Some(room) = room { " in " (room) } " " (labels::until(mute.mute.until)) }
            }
            button type="submit" { "Undo the mute" }
        }
    }
}

fn unchanged(left: u64) -> String {
    if left == 0 { String::new() } else { format!("; {left} unchanged (already decided)") }
}

const fn decided(state: FindingState) -> Option<(&'static str, Icon)> {
    match state {
        FindingState::Accepted => Some(("Accepted", Icon::Accept)),
        FindingState::Rejected => Some(("Rejected", Icon::Reject)),
        FindingState::Proposed | FindingState::TakenOver => None,
    }
}
