//! What did not go to Procore as it was suggested or decided, and why: shown on the card, and not tried again.

use serde::{Deserialize, Serialize};

use super::ids::{LocationId, PunchItemTypeId, TradeId, UserId};
use super::punch_item::{Edits, PunchItemDraft};

/// A field of a punch item that it can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Where.
    Location,
    /// Whose work.
    Trade,
    /// What type of item.
    ItemType,
    /// Who manages it.
    Manager,
    /// Who approves it.
    Approver,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Location, Self::Trade, Self::ItemType, Self::Manager, Self::Approver];

    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Location => "location",
            Self::Trade => "trade",
            Self::ItemType => "punch item type",
            Self::Manager => "manager",
            Self::Approver => "final approver",
        }
    }

    /// What `draft` has in it, as Procore's id.
    pub fn of(self, draft: &PunchItemDraft) -> Option<i64> {
        match self {
            Self::Location => draft.location.map(LocationId::value),
            Self::Trade => draft.trade.map(TradeId::value),
            Self::ItemType => draft.item_type.map(PunchItemTypeId::value),
            Self::Manager => draft.manager.map(UserId::value),
            Self::Approver => draft.approver.map(UserId::value),
        }
    }

    /// What `edits` set it to, as Procore's id.
    pub fn of_edits(self, edits: &Edits) -> Option<i64> {
        match self {
            Self::Location => edits.location.map(LocationId::value),
            Self::Trade => edits.trade.map(TradeId::value),
            Self::Manager => edits.manager.map(UserId::value),
            Self::ItemType | Self::Approver => None,
        }
    }
}

/// One field that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OmittedField {
    /// Which.
    pub field: Field,
    /// What it would have been; absent where there was nothing to send.
    pub id: Option<i64>,
    /// Why, as a whole sentence.
    pub because: String,
}

/// `draft` without what was left out of it before.
pub fn without(draft: &PunchItemDraft, left_out: &[OmittedField]) -> PunchItemDraft {
    let mut sent = draft.clone();
    for left in left_out.iter().filter(|left| left.id.is_some() && left.id == left.field.of(draft)) {
        match left.field {
            Field::Location => sent.location = None,
            Field::Trade => sent.trade = None,
            Field::ItemType => sent.item_type = None,
            Field::Manager => sent.manager = None,
            Field::Approver => sent.approver = None,
        }
    }
    sent
}

/// `edits` without what was left out of them before.
pub fn edits_without(edits: &Edits, left_out: &[OmittedField]) -> Edits {
    let mut sent = edits.clone();
    for left in left_out.iter().filter(|left| left.id.is_some() && left.id == left.field.of_edits(edits)) {
        match left.field {
            Field::Location => sent.location = None,
            Field::Trade => sent.trade = None,
            Field::Manager => sent.manager = None,
            Field::ItemType | Field::Approver => {}
        }
    }
    sent
}

/// `known` with `news`: what is said anew about a field takes the place of what was said before.
pub fn with_news(known: &[OmittedField], news: Vec<OmittedField>) -> Vec<OmittedField> {
    let told_anew =
        |left: &&OmittedField| !news.iter().any(|new| new.field == left.field && new.id == left.id);
    let kept: Vec<OmittedField> = known.iter().filter(told_anew).cloned().collect();
    kept.into_iter().chain(news).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fields::FieldValues;
    use crate::domain::punch_item::Priority;

    fn left(field: Field, id: Option<i64>) -> OmittedField {
        OmittedField { field, id, because: format!("There is no such {}.", field.name()) }
    }

    #[test]
    fn only_what_was_left_out_is_missing() {
        let draft = PunchItemDraft {
            title: "Crack".into(),
            description: String::new(),
            reference: "PL-1".into(),
            location: Some(LocationId::new(1)),
            trade: Some(TradeId::new(2)),
            item_type: Some(PunchItemTypeId::new(3)),
            priority: Priority::Low,
            due: None,
            manager: Some(UserId::new(4)),
            approver: Some(UserId::new(5)),
            images: vec![],
            fields: FieldValues::new(),
        };
        for field in Field::ALL {
            let id = field.of(&draft);
            assert!(id.is_some());
            let sent = without(&draft, &[left(field, id), left(field, Some(99))]);
            let missing = Field::ALL.into_iter().filter(|field| field.of(&sent).is_none());
            assert_eq!(missing.collect::<Vec<_>>(), [field]);
        }
        let edits = Edits { location: Some(LocationId::new(1)), trade: Some(TradeId::new(2)), ..Edits::NONE };
        let sent = edits_without(&edits, &[left(Field::Location, Some(1)), left(Field::Trade, Some(7))]);
        assert_eq!((sent.location, sent.trade), (None, edits.trade), "another trade was chosen since");
    }

    #[test]
    fn news_replace_what_was_said() {
        let known = [left(Field::Location, Some(1)), left(Field::Manager, None)];
        let news = OmittedField { because: "Nobody.".into(), ..left(Field::Manager, None) };
        let all = with_news(&known, vec![news.clone()]);
        assert_eq!(all, [known[0].clone(), news]);
    }
}
