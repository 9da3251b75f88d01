//! Tells of the decision just made and offers the way back.

use maud::{Markup, html};

use super::batch::batch_name;
use super::card::card_path;
use super::desk::Done;
use super::filter::Filter;
use super::icons::{Icon, icon};
use super::page::Viewer;
use super::words;
use crate::domain::review::FindingState;

/// The bar at the page's foot, if there is anything to tell.
pub(super) fn toast(done: &Done, filter: &Filter, viewer: &Viewer) -> Markup {
    match done {
        Done::Nothing => html! {},
        Done::Card(card) => {
            let Some((word, sign)) = decided(card.state) else { return html! {} };
            let action = filter.url(&format!("{}/undo", card_path(card)), &[]);
            undoable(&action, viewer, sign, word, &card.decided_draft().title, &html! {})
        }
        Done::Batch { at, state, number, left } => {
            let Some((word, sign)) = decided(*state) else { return html! {} };
            let action = filter.url("/review/batch/undo", &[]);
            let at = html! { input type="hidden" name="at" value=(batch_name(*at)); };
            let text = format!("{}{}", words::count(*number, "finding", "findings"), left_words(*left));
            undoable(&action, viewer, sign, word, &text, &at)
        }
        Done::Undone { number, left } => html! {
            div.toast #toast {
                (icon(Icon::Undo))
                p data-announce { strong { "Taken back" } " " span { (words::count(*number, "finding", "findings")) (left_words(*left)) } }
            }
        },
    }
}

fn undoable(action: &str, viewer: &Viewer, sign: Icon, word: &str, text: &str, more: &Markup) -> Markup {
    html! {
        form.toast #toast aria-label="Last decision" method="post" action=(action) data-swap {
            input type="hidden" name="csrf" value=(viewer.csrf);
            (more)
            (icon(sign))
            p data-announce { strong { (word) } " " span { (text) } }
            button #undo type="submit" { (icon(Icon::Undo)) "Undo" kbd { "U" } }
        }
    }
}

fn left_words(left: u64) -> String {
    if left == 0 {
        return String::new();
    }
    format!("; {} as others left them", words::count(left, "stays", "stay"))
}

const fn decided(state: FindingState) -> Option<(&'static str, Icon)> {
    match state {
        FindingState::Accepted => Some(("Accepted", Icon::Accept)),
        FindingState::Rejected => Some(("Rejected", Icon::Reject)),
        FindingState::Proposed | FindingState::TakenOver => None,
    }
}
