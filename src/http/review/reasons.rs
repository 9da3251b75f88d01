//! The buttons that reject, one for each reason.

use maud::{Markup, html};

use crate::domain::review::RejectReason;

/// The one-tap reasons; in a card's form they lead to `action` instead of the form's own. `consequence` says what else
/// a reason does.
pub(super) fn reasons(action: Option<&str>, consequence: impl Fn(RejectReason) -> Option<String>) -> Markup {
    html! {
        div.reasons role="group" aria-label="Reason" {
            p { "Reason" }
            @for (index, reason) in RejectReason::ALL.into_iter().enumerate() {
                button.reason type="submit" formaction=[action] formnovalidate name="reason" value=(reason.name()) {
                    span { (reason.label()) @if let Some(more) = consequence(reason) { small { (more) } } } kbd { (index + 1) }
                }
            }
        }
    }
}
