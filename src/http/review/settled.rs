//! A card that is not to be decided any more, or not by this person: what was decided, and the way back.

use maud::{Markup, html};

use super::card::CardPage;
use super::form::Fields;
use super::icons::{Icon, icon};
use super::{labels, photo};
use crate::domain::item_status::ItemStatus;
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::review::{Delivery, FindingState};

impl CardPage<'_> {
    pub(super) fn settled(&self) -> Markup {
        let draft = self.card.decided_draft();
        html! {
            (self.headline())
            @if let Some(decided) = labels::decided(self.card, self.zone, self.now) { p.decided { (icon(Icon::Person)) (decided) } }
            h2.title { (draft.title) }
            (self.facts(&draft))
            @if !draft.description.is_empty() { p.text { (draft.description) } }
            (photo::others(self.others))
            (self.beside.render(self.card, self.filter, self.zone, self.now))
            (self.background())
            div.actions.two #actions {
                @if self.can_be_undone() {
                    form method="post" action=(self.action("undo")) data-swap {
                        input type="hidden" name="csrf" value=(self.viewer.csrf);
                        button.button #undo-here type="submit" { (icon(Icon::Undo)) span { "Undo" } kbd { "U" } }
                    }
                }
                @if self.card.delivery == Delivery::Refused && self.viewer.may_decide(self.card.project) {
                    form method="post" action=(self.action("send-again")) data-swap {
                        input type="hidden" name="csrf" value=(self.viewer.csrf);
                        button.button type="submit" { (icon(Icon::Again)) span { "Send again" } }
                    }
                }
                a.button.primary #skip href=(self.skip_url()) data-swap {
                    span { @if self.neighbours.after.is_some() { "Next card" } @else { "Back to the list" } } (icon(Icon::Forward))
                }
            }
        }
    }

    /// Any decision that has not left the box, and an acceptance after that too; a rejected draft is in Procore's
    /// recycle bin.
    fn can_be_undone(&self) -> bool {
        let in_procore = self.card.delivery == Delivery::Delivered && self.card.punch_item.is_some();
        let decided = match self.card.state {
            FindingState::Accepted => {
                !in_procore || !self.card.in_procore.as_ref().is_some_and(ItemStatus::has_moved_on)
            }
            FindingState::Rejected => !in_procore,
            FindingState::Proposed | FindingState::TakenOver => false,
        };
        decided && self.viewer.may_decide(self.card.project)
    }

    fn facts(&self, draft: &PunchItemDraft) -> Markup {
        let fields = Fields::of(draft, self.card, self.choices);
        let rows = [
            ("Location", fields.location),
            ("Trade", fields.trade),
            ("Priority", labels::priority(draft.priority).to_owned()),
            ("Due", fields.due),
            ("Manager", fields.manager),
        ];
        html! {
            dl.facts {
                @for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                    dt { (name) } dd { (value) }
                }
            }
        }
    }
}
