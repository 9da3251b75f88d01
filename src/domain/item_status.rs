//! How a punch item stands in Procore, as last seen: shown on its card, and no reason to change what was decided here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::delivery::{DRAFT, INITIATED, RemoteItem};

/// The workflow status of an item that needs nothing more.
const CLOSED: &str = "closed";

/// The most people whose names are kept: more are not read on a card.
const NAMES: usize = 5;

/// A punch item as Procore showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemStatus {
    /// Procore's `workflow_status`.
    pub workflow_status: String,
    /// Whether it is in the recycle bin, or gone.
    pub deleted: bool,
    /// Who has to act next, by name.
    pub ball_in_court: Vec<String>,
    /// When it was seen so.
    pub seen_at: Timestamp,
}

impl ItemStatus {
    /// Of `item`, read at `seen_at`.
    pub fn of(item: &RemoteItem, seen_at: Timestamp) -> Self {
        Self {
            workflow_status: item.workflow_status.clone(),
            deleted: item.deleted,
            ball_in_court: item.ball_in_court.iter().take(NAMES).cloned().collect(),
            seen_at,
        }
    }

    /// Whether both say the same, whenever they were seen.
    pub fn agrees_with(&self, other: &Self) -> bool {
        Self { seen_at: other.seen_at, ..self.clone() } == *other
    }

    /// Whether nothing more is expected of it: closed or deleted.
    pub fn is_over(&self) -> bool {
        self.deleted || self.workflow_status == CLOSED
    }

    /// Whether people in Procore went on with it after it was sent on, or deleted it.
    pub fn has_moved_on(&self) -> bool {
        self.deleted || ![DRAFT, INITIATED].contains(&self.workflow_status.as_str())
    }

    /// The status as people read it: `work required`.
    pub fn status(&self) -> String {
        match self.workflow_status.as_str() {
            _ if self.deleted => "deleted".to_owned(),
            "" => "status unknown".to_owned(),
            name => name.replace('_', " "),
        }
    }

    /// In a sentence without a full stop: `In Procore: work required, with Pat Manager`.
    pub fn words(&self) -> String {
        let status = self.status();
        if self.deleted {
            return format!("In Procore: {status}; the recycle bin of the Punch List may still hold it");
        }
        match self.ball_in_court.as_slice() {
            [] => format!("In Procore: {status}"),
            names => format!("In Procore: {status}, with {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(workflow_status: &str, names: &[&str]) -> ItemStatus {
        ItemStatus {
            workflow_status: workflow_status.into(),
            deleted: false,
            ball_in_court: names.iter().map(|name| (*name).to_owned()).collect(),
            seen_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_status_reads_as_words() {
        let cases = [
            (standing("work_required", &["Pat Manager"]), "In Procore: work required, with Pat Manager"),
            (standing("ready_for_review", &["Pat", "Kim"]), "In Procore: ready for review, with Pat, Kim"),
            (standing("closed", &[]), "In Procore: closed"),
            (standing("", &[]), "In Procore: status unknown"),
        ];
        for (standing, words) in cases {
            assert_eq!(standing.words(), words);
        }
        let deleted = ItemStatus { deleted: true, ..standing("initiated", &["Pat"]) };
        assert!(deleted.words().starts_with("In Procore: deleted;"), "{}", deleted.words());
    }

    #[test]
    fn what_is_over_and_what_moved_on() {
        let cases = [
            ("draft", false, false),
            ("initiated", false, false),
            ("work_required", false, true),
            ("closed", true, true),
        ];
        for (status, over, moved) in cases {
            let seen = standing(status, &[]);
            assert_eq!((seen.is_over(), seen.has_moved_on()), (over, moved), "{status}");
        }
        let deleted = ItemStatus { deleted: true, ..standing("initiated", &[]) };
        assert!(deleted.is_over() && deleted.has_moved_on());
    }
}
