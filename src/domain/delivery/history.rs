//! What this service did to a punch item, and what Procore answered.

use super::{Edits, INITIATED, ItemChange, PunchItemDraft, RemoteItem};

/// What this service did to an item before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The last change that was sent; it may be in doubt.
    pub sent: Option<ItemChange>,
    /// Whether it was moved to the recycle bin.
    pub binned: bool,
    /// Whether a move to the recycle bin was begun whose outcome is not known.
    pub binning: bool,
    /// The drafts that creates were begun with; whether they arrived or not.
    pub drafts: Vec<PunchItemDraft>,
    /// What was written and how Procore gave it back, the oldest first.
    pub echoes: Vec<Echo>,
}

/// A write of ours with Procore's answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// The fields that were sent.
    pub sent: Edits,
    /// The item as Procore answered.
    pub answer: RemoteItem,
}

impl Echo {
    /// Of a create.
    pub fn of_create(draft: PunchItemDraft, answer: RemoteItem) -> Self {
        let sent = Edits {
            title: Some(draft.title),
            description: Some(draft.description),
            location: draft.location,
            trade: draft.trade,
            priority: Some(draft.priority),
            due: draft.due,
            manager: draft.manager,
        };
        Self { sent, answer }
    }
}

impl History {
    /// What the item held when we last changed it, if we did.
    pub(super) fn written(&self, suggested: &PunchItemDraft) -> Option<PunchItemDraft> {
        self.sent.as_ref().map(|sent| sent.edits.apply(suggested))
    }

    /// Whether it was this service that sent the item on.
    pub(super) fn sent_on(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.workflow_status.as_deref() == Some(INITIATED))
    }
}
