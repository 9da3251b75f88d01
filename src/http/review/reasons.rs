//! The buttons that reject, one for each reason.

use maud::{Markup, html};

use crate::domain::review::RejectReason;

/// The one-tap reasons; in a card's form they lead to `action` instead of the form's own.
pub(super) fn reasons(action: Option<&str>) -> Markup {
    html! {
        div.reasons role="group" aria-label="Why not?" {
            p { "Why not?" }
            @for (index, reason) in RejectReason::ALL.into_iter().enumerate() {
                button.reason type="submit" formaction=[action] formnovalidate name="reason" value=(reason.name()) {
                    span { (reason.label()) } kbd { (index + 1) }
                }
            }
        }
    }
}
