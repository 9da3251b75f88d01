//! Two punch items under one reference: which one goes to the recycle bin.

use super::compare::compare;
use super::{DRAFT, Edits, PunchItemId, RemoteItem, Situation};

/// What becomes of two items of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DuplicateItems {
    /// One goes to the recycle bin, and the other is the finding's.
    Bin {
        /// Goes.
        goes: PunchItemId,
        /// Stays.
        stays: PunchItemId,
    },
    /// The finding's own was the one to go, and is gone: the other is the finding's.
    Binned,
    /// The other lies in the recycle bin already.
    Gone,
    /// A person worked with both; both stay.
    Leave(String),
}

/// Decides about `own`, the finding's item, and `other`, which carries the same reference. The younger of two drafts
/// that nobody touched goes; an item that a person touched, or that is no draft any more, never does.
pub fn twins(situation: &Situation<'_>, own: &RemoteItem, other: &RemoteItem) -> DuplicateItems {
    if other.deleted {
        return DuplicateItems::Gone;
    }
    if own.deleted && situation.history.binning {
        return DuplicateItems::Binned;
    }
    let (own_may_go, other_may_go) = (may_go(situation, own), may_go(situation, other));
    let younger_goes = other.id > own.id || own.deleted;
    match (own_may_go, other_may_go) {
        (_, true) if younger_goes || !own_may_go => DuplicateItems::Bin { goes: other.id, stays: own.id },
        (true, _) => DuplicateItems::Bin { goes: own.id, stays: other.id },
        (false, _) => DuplicateItems::Leave(format!(
            "punch items {} and {} carry the same reference, and people worked with them: keep the right one in Procore",
            own.id, other.id
        )),
    }
}

fn may_go(situation: &Situation<'_>, item: &RemoteItem) -> bool {
    !item.deleted && item.workflow_status == DRAFT && !item.commented && !touched(situation, item)
}

/// Whether a person changed the item in Procore since we last wrote it.
pub(super) fn touched(situation: &Situation<'_>, item: &RemoteItem) -> bool {
    item.revised && !compare(&Edits::NONE, situation, item).kept.is_empty()
}
