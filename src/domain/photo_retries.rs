//! Photos that cannot be looked at: what is tried again, for how long, and what is final.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::Sha256Digest;

/// Why a photo could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadProblem {
    /// Procore does not show it: it is private or deleted, or not visible yet.
    NotShown,
    /// What came is not the photo: a page of the network, or a part of the file.
    NotThePhoto,
    /// A readable picture of another length than Procore tells.
    OtherLength,
    /// A damaged picture, and Procore does not tell how long it is: it may have been cut on the way.
    PerhapsCut,
    /// It came as long as Procore says it is, and cannot be read.
    Unreadable,
}

impl DownloadProblem {
    /// The stable name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotShown => "not_shown",
            Self::NotThePhoto => "not_the_photo",
            Self::OtherLength => "other_length",
            Self::PerhapsCut => "perhaps_cut",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What the bytes that came turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileCheck {
    /// A whole picture.
    Picture,
    /// A picture of which the end is missing.
    Part,
    /// A file that cannot be read as a picture.
    Unreadable,
    /// Text, or nothing.
    Text,
}

/// What is wrong with `got` bytes of a photo of which Procore tells the length `told`; nothing where the photo can be
/// looked at.
pub fn judge(told: Option<u64>, got: u64, reading: FileCheck) -> Option<DownloadProblem> {
    // Procore's size is a field of its database; 0 there means that nobody filled it in, or an empty file.
    let whole = told.filter(|told| *told > 0 || got == 0).map(|told| told == got);
    match (whole, reading) {
        // Of the right length, what is missing of it is missing in Procore too.
        (Some(true) | None, FileCheck::Picture) | (Some(true), FileCheck::Part) => None,
        (Some(false), FileCheck::Picture) => Some(DownloadProblem::OtherLength),
        (Some(true), FileCheck::Unreadable | FileCheck::Text) => Some(DownloadProblem::Unreadable),
        (None, FileCheck::Unreadable | FileCheck::Part) => Some(DownloadProblem::PerhapsCut),
        (Some(false), FileCheck::Unreadable | FileCheck::Part | FileCheck::Text)
        | (None, FileCheck::Text) => Some(DownloadProblem::NotThePhoto),
    }
}

/// The attempts in a row that came to trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadTries {
    /// The last one's.
    pub trouble: DownloadProblem,
    /// How many.
    pub tries: u32,
    /// How many of them, the last ones, brought the same bytes.
    pub same: u32,
    /// The digest of those.
    pub content: Option<Sha256Digest>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Another attempt after this wait.
    Again(Duration),
    /// It stays so: what is there is taken for what Procore has.
    Settled,
}

impl DownloadTries {
    /// One more attempt came to `trouble` with these bytes.
    #[must_use]
    pub fn one_more(before: Option<Self>, trouble: DownloadProblem, content: Option<Sha256Digest>) -> Self {
        // Being hidden and being garbled have nothing to do with each other.
        let before = before.filter(|before| before.content.is_some() == content.is_some());
        let same = before.filter(|before| before.content == content).map_or(0, |before| before.same);
        let tries = before.map_or(0, |before| before.tries);
        Self { trouble, tries: tries.saturating_add(1), same: same.saturating_add(1), content }
    }

    /// Whether another attempt is due, with the waits between attempts in order.
    pub fn next(&self, waits: &[Duration]) -> NextStep {
        let made = usize::try_from(self.tries).unwrap_or(usize::MAX);
        let spent = made > waits.len();
        let twice_the_same = self.same >= 2;
        let settled = match self.trouble {
            DownloadProblem::NotShown => spent,
            DownloadProblem::Unreadable => twice_the_same,
            DownloadProblem::OtherLength | DownloadProblem::PerhapsCut => spent && twice_the_same,
            // The network's doing, however long it lasts.
            DownloadProblem::NotThePhoto => false,
        };
        if settled {
            return NextStep::Settled;
        }
        let wait = waits.get(made.saturating_sub(1)).or(waits.last());
        NextStep::Again(wait.copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [Duration; 3] = [Duration::from_secs(15), Duration::from_mins(10), Duration::from_hours(3)];

    #[expect(clippy::unnecessary_wraps, reason = "as attempts have it")]
    fn bytes(of: &[u8]) -> Option<Sha256Digest> {
        Some(Sha256Digest::of(of))
    }

    fn after(attempts: &[(DownloadProblem, Option<Sha256Digest>)]) -> NextStep {
        let tries = attempts.iter().fold(None, |before, (trouble, content)| {
            Some(DownloadTries::one_more(before, *trouble, *content))
        });
        tries.expect("an attempt").next(&WAITS)
    }

    #[test]
    fn only_bytes_of_the_right_length_are_the_photo() {
        let check = |told: Option<u64>, reading, expected: Option<DownloadProblem>| {
            assert_eq!(judge(told, 100, reading), expected, "{told:?} {reading:?}");
        };
        check(Some(100), FileCheck::Picture, None);
        check(None, FileCheck::Picture, None);
        check(Some(0), FileCheck::Picture, None);
        check(Some(200), FileCheck::Picture, Some(DownloadProblem::OtherLength));
        check(Some(100), FileCheck::Unreadable, Some(DownloadProblem::Unreadable));
        check(Some(100), FileCheck::Text, Some(DownloadProblem::Unreadable));
        check(Some(200), FileCheck::Unreadable, Some(DownloadProblem::NotThePhoto));
        check(Some(200), FileCheck::Text, Some(DownloadProblem::NotThePhoto));
        check(None, FileCheck::Text, Some(DownloadProblem::NotThePhoto));
        check(None, FileCheck::Unreadable, Some(DownloadProblem::PerhapsCut));
        check(None, FileCheck::Part, Some(DownloadProblem::PerhapsCut));
        check(Some(100), FileCheck::Part, None);
        assert_eq!(
            judge(Some(0), 0, FileCheck::Text),
            Some(DownloadProblem::Unreadable),
            "an empty file is what Procore has"
        );
        assert_eq!(judge(Some(100), 0, FileCheck::Text), Some(DownloadProblem::NotThePhoto));
        check(Some(200), FileCheck::Part, Some(DownloadProblem::NotThePhoto));
    }

    #[test]
    fn what_is_not_shown_is_asked_for_over_hours() {
        let hidden = (DownloadProblem::NotShown, None);
        for (made, wait) in (1..).zip(WAITS) {
            assert_eq!(after(&vec![hidden; made]), NextStep::Again(wait));
        }
        assert_eq!(after(&[hidden; 4]), NextStep::Settled);
    }

    #[test]
    fn a_damaged_photo_is_fetched_twice() {
        let damaged = |content: &[u8]| (DownloadProblem::Unreadable, bytes(content));
        assert_eq!(after(&[damaged(b"a")]), NextStep::Again(WAITS[0]));
        assert_eq!(after(&[damaged(b"a"), damaged(b"b")]), NextStep::Again(WAITS[1]));
        assert_eq!(after(&[damaged(b"a"), damaged(b"b"), damaged(b"b")]), NextStep::Settled);
    }

    #[test]
    fn what_the_network_says_is_never_final() {
        let page = (DownloadProblem::NotThePhoto, bytes(b"<html>"));
        assert_eq!(after(&[page; 40]), NextStep::Again(WAITS[2]));
        let picture = (DownloadProblem::OtherLength, bytes(b"jpeg"));
        assert_eq!(after(&[picture; 3]), NextStep::Again(WAITS[2]));
        assert_eq!(after(&[picture; 4]), NextStep::Settled, "Procore's size is wrong");
        let other = (DownloadProblem::OtherLength, bytes(b"other"));
        assert_eq!(after(&[picture, picture, picture, other]), NextStep::Again(WAITS[2]));
    }

    #[test]
    fn hidden_and_garbled_are_counted_apart() {
        let hidden = (DownloadProblem::NotShown, None);
        assert_eq!(
            after(&[hidden, hidden, (DownloadProblem::NotThePhoto, bytes(b""))]),
            NextStep::Again(WAITS[0])
        );
    }
}
