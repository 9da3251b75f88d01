//! The chain of evidence: how one recorded fact is tied to all before it, and how a pack of facts about one finding
//! is checked without the database that it comes from.
//!
//! A fact's digest covers its columns; its hash covers the hash before it and its digest. A pack can therefore show
//! the facts about one finding in full, and of the facts in between, which are about other findings, only digests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ids::{FindingId, ProjectKey, Sha256Digest};

/// The form of packs that this version writes and reads.
pub const FORMAT: &str = "punchlens-evidence-1";

/// The hash before the first fact of a chain.
pub const START: Sha256Digest = Sha256Digest::from_bytes([0; 32]);

/// A recorded fact as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Its number; the first is 1 and none is left out.
    pub seq: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What happened, e.g. `finding.decided`.
    pub kind: String,
    /// To what, e.g. `finding:3f…`.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// The particulars, JSON as text: every byte counts.
    pub detail: String,
}

impl Fact {
    /// SHA-256 over the columns in their order, each with its length in front as eight bytes, the highest first.
    /// Numbers are eight bytes, too.
    pub fn digest(&self) -> Sha256Digest {
        let mut hasher = Sha256::new();
        for part in [
            self.seq.to_be_bytes().as_slice(),
            &self.at.to_be_bytes(),
            self.kind.as_bytes(),
            self.subject.as_bytes(),
            self.actor.as_bytes(),
            self.detail.as_bytes(),
        ] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Sha256Digest::from_bytes(hasher.finalize().into())
    }
}

/// The hash of a fact with `digest` that follows the one whose hash is `previous`.
pub fn chained(previous: &Sha256Digest, digest: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Sha256::new();
    hasher.update(previous.as_bytes());
    hasher.update(digest.as_bytes());
    Sha256Digest::from_bytes(hasher.finalize().into())
}

/// A fact of the pack's finding, or the digest of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// About this finding, its photos or the deliveries that told of them.
    Ours(Fact),
    /// About something else.
    Other(Sha256Digest),
}

/// A part of the chain, from the first fact that belongs to the finding to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The number of the first row.
    pub first: i64,
    /// The hash before it.
    pub before: Sha256Digest,
    /// Every row from there to the end.
    pub rows: Vec<Row>,
    /// The hash of the last row: what is to be compared with a head that was noted down elsewhere.
    pub head: Sha256Digest,
}

/// A fact as a person reads it; it says nothing that the chain does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The row's number.
    pub seq: i64,
    /// When, ISO 8601.
    pub at: String,
    /// What happened.
    pub kind: String,
    /// To what.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// The particulars.
    pub detail: Value,
}

/// Everything recorded about one finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pack {
    /// [`FORMAT`].
    pub format: String,
    /// Name and version of what wrote it.
    pub made_by: String,
    /// When it was written, ISO 8601.
    pub made_at: String,
    /// The finding.
    pub finding: FindingId,
    /// Whose it is.
    pub project: ProjectKey,
    /// The pictures in the pack: file name to the photo whose recording names their digest.
    pub pictures: BTreeMap<String, String>,
    /// The story for people, oldest first.
    pub story: Vec<Told>,
    /// The proof.
    pub chain: Chain,
}

/// Why a pack does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is of another form.
    #[error("it has the form '{0}'; this version reads {FORMAT}")]
    Format(String),
    /// A row is out of place.
    #[error("row {0} does not stand where its number says")]
    Order(i64),
    /// The chain does not end where it says.
    #[error("the chain does not lead to its head: a row was changed, left out or put in")]
    Broken,
    /// The story says something else than the chain.
    #[error("the story of row {0} is not what the chain says")]
    Story(i64),
    /// Nothing is about the finding.
    #[error("no row is about the finding")]
    Empty,
    /// A picture is not what was recorded.
    #[error("{0} is not the picture that was recorded")]
    Picture(String),
    /// A picture is missing.
    #[error("{0} is missing")]
    Missing(String),
}

impl Pack {
    /// The facts of the finding.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.chain.rows.iter().filter_map(|row| match row {
            Row::Ours(fact) => Some(fact),
            Row::Other(_) => None,
        })
    }

    /// Checks everything that can be checked without the database. `pictures` are the files of the pack by name.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, pictures: &BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
        if self.format != FORMAT {
            return Err(Fault::Format(self.format.clone()));
        }
        self.verify_chain()?;
        self.verify_story()?;
        for (name, photo) in &self.pictures {
            let bytes = pictures.get(name).ok_or_else(|| Fault::Missing(name.clone()))?;
            let digest = Sha256Digest::of(bytes).to_string();
            let recorded = self.facts().filter(|fact| fact.subject == format!("photo:{photo}"));
            let mut details = recorded.filter_map(|fact| serde_json::from_str::<Value>(&fact.detail).ok());
            if !details.any(|detail| detail["picture_sha256"] == digest.as_str()) {
                return Err(Fault::Picture(name.clone()));
            }
        }
        Ok(())
    }

    fn verify_chain(&self) -> Result<(), Fault> {
        let mut hash = self.chain.before;
        for (seq, row) in (self.chain.first..).zip(&self.chain.rows) {
            let digest = match row {
                Row::Ours(fact) if fact.seq == seq => fact.digest(),
                Row::Ours(fact) => return Err(Fault::Order(fact.seq)),
                Row::Other(digest) => *digest,
            };
            hash = chained(&hash, &digest);
        }
        if hash == self.chain.head { Ok(()) } else { Err(Fault::Broken) }
    }

    fn verify_story(&self) -> Result<(), Fault> {
        let subject = format!("finding:{}", self.finding);
        if !self.facts().any(|fact| fact.subject == subject) {
            return Err(Fault::Empty);
        }
        let mut facts = self.facts();
        for told in &self.story {
            let same = facts.next().is_some_and(|fact| tell(fact).as_ref() == Some(told));
            if !same {
                return Err(Fault::Story(told.seq));
            }
        }
        facts.next().map_or(Ok(()), |fact| Err(Fault::Story(fact.seq)))
    }
}

/// A fact as a person reads it; `None` when its time or its particulars cannot be read.
pub fn tell(fact: &Fact) -> Option<Told> {
    Some(Told {
        seq: fact.seq,
        at: jiff::Timestamp::from_millisecond(fact.at).ok()?.to_string(),
        kind: fact.kind.clone(),
        subject: fact.subject.clone(),
        actor: fact.actor.clone(),
        detail: serde_json::from_str(&fact.detail).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId};

    fn fact(seq: i64, subject: &str, detail: &Value) -> Fact {
        Fact {
            seq,
            at: 1_800_000_000_000 + seq,
            kind: "something.happened".into(),
            subject: subject.into(),
            actor: "dana".into(),
            detail: detail.to_string(),
        }
    }

    fn pack() -> (Pack, BTreeMap<String, Vec<u8>>) {
        let project = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
        let finding = FindingId::of(project, &Sha256Digest::of(b"photo"), "crack");
        let picture = b"a picture".to_vec();
        let recorded = serde_json::json!({ "picture_sha256": Sha256Digest::of(&picture) });
        let ours = [
            fact(5, "photo:77", &recorded),
            fact(6, &format!("finding:{finding}"), &serde_json::json!({ "score": 0.9 })),
            fact(8, &format!("finding:{finding}"), &serde_json::json!({ "verdict": "accept" })),
        ];
        let other = fact(7, "photo:78", &Value::Null).digest();
        let story = ours.iter().filter_map(tell).collect();
        let [a, b, c] = ours;
        let rows = vec![Row::Ours(a), Row::Ours(b), Row::Other(other), Row::Ours(c)];
        let before = Sha256Digest::of(b"what was before");
        let head = rows.iter().fold(before, |hash, row| match row {
            Row::Ours(fact) => chained(&hash, &fact.digest()),
            Row::Other(digest) => chained(&hash, digest),
        });
        let pack = Pack {
            format: FORMAT.into(),
            made_by: "punchlens".into(),
            made_at: "2027-01-15T08:00:00Z".into(),
            finding,
            project,
            pictures: BTreeMap::from([("photo-77.jpg".into(), "77".into())]),
            story,
            chain: Chain { first: 5, before, rows, head },
        };
        (pack, BTreeMap::from([("photo-77.jpg".into(), picture)]))
    }

    #[test]
    fn an_honest_pack_holds_also_after_a_round_through_json() {
        let (pack, pictures) = pack();
        assert_eq!(pack.verify(&pictures), Ok(()));
        let text = serde_json::to_string(&pack).expect("JSON");
        let again: Pack = serde_json::from_str(&text).expect("the same");
        assert_eq!((again.verify(&pictures), &again), (Ok(()), &pack));
    }

    #[test]
    fn every_change_shows() {
        let check = |change: fn(&mut Pack, &mut BTreeMap<String, Vec<u8>>), expected: Fault| {
            let (mut pack, mut pictures) = pack();
            change(&mut pack, &mut pictures);
            assert_eq!(pack.verify(&pictures), Err(expected));
        };
        check(|pack, _| pack.format = "other".into(), Fault::Format("other".into()));
        check(|_, pictures| pictures.clear(), Fault::Missing("photo-77.jpg".into()));
        check(
            |_, pictures| pictures.values_mut().for_each(|bytes| bytes[0] ^= 1),
            Fault::Picture("photo-77.jpg".into()),
        );
        check(|pack, _| pack.chain.rows.truncate(3), Fault::Broken);
        check(|pack, _| pack.chain.rows.swap(0, 1), Fault::Order(6));
        check(|pack, _| pack.story.truncate(2), Fault::Story(8));
        check(|pack, _| pack.story[1].detail["score"] = 0.1.into(), Fault::Story(6));
        check(
            |pack, _| pack.finding = FindingId::of(pack.project, &Sha256Digest::of(b"x"), "crack"),
            Fault::Empty,
        );
    }

    proptest! {
        /// Whatever column of whatever fact is changed, the chain does not lead to its head any more.
        #[test]
        fn no_column_can_be_changed(row in 0_usize..4, column in 0_usize..5, text in "[a-z]{1,8}") {
            let (mut pack, _) = pack();
            match &mut pack.chain.rows[row] {
                Row::Other(digest) => *digest = Sha256Digest::of(text.as_bytes()),
                Row::Ours(fact) => match column {
                    0 => fact.at += 1,
                    1 => fact.kind = text,
                    2 => fact.subject = text,
                    3 => fact.actor = text,
                    _ => fact.detail = text,
                },
            }
            prop_assert_eq!(pack.verify_chain(), Err(Fault::Broken));
        }
    }
}
