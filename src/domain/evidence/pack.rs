//! A pack: everything recorded about one finding, which proves itself.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fact, GENERAL, SEALED, chain_name, chained};
use crate::domain::ids::{FindingId, ProjectKey, Sha256Digest};

/// The form of packs that this version writes.
pub const FORMAT: &str = "punchlens-evidence-2";

/// The form from before projects had chains of their own, which is read too.
pub const FORMER_FORMAT: &str = "punchlens-evidence-1";

/// By how much of itself a number in the story of a former pack may differ from the one in the chain: two parsings
/// that were each off by one in the last of a double's 53 bits.
const LAST_DIGIT: f64 = 4.0 * f64::EPSILON;

/// A fact of the pack's finding, or the digest of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Row {
    /// About this finding, its photos or the deliveries that told of them; or what ties the chains together.
    Ours(Fact),
    /// About something else.
    Other(Sha256Digest),
}

/// A part of a chain, from the first fact that belongs to the finding to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// Which: [`GENERAL`], or the project.
    #[serde(default = "general")]
    pub name: String,
    /// The number of the first row.
    pub first: i64,
    /// The hash before it.
    pub before: Sha256Digest,
    /// Every row from there to the end.
    pub rows: Vec<Row>,
    /// The hash of the last row.
    pub head: Sha256Digest,
}

/// A fact as a person reads it; it says nothing that the chain does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadableFact {
    /// The row's chain.
    #[serde(default = "general")]
    pub chain: String,
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

fn general() -> String {
    GENERAL.to_owned()
}

/// Everything recorded about one finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pack {
    /// [`FORMAT`], or [`FORMER_FORMAT`].
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
    pub story: Vec<ReadableFact>,
    /// The proof: the general chain, then the project's.
    #[serde(default)]
    pub chains: Vec<Chain>,
    /// The proof of a former pack: there was one chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

/// Why a pack does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is of another form.
    #[error("it has the form '{0}'; this version reads {FORMAT} and {FORMER_FORMAT}")]
    Format(String),
    /// A row is out of place.
    #[error("row {0} does not stand where its number says")]
    Order(i64),
    /// A chain does not end where it says.
    #[error("the {0} chain does not lead to its head: a row was changed, left out or put in")]
    Broken(String),
    /// A chain is there that nothing ties to the general one.
    #[error("nothing in the general chain ties the {0} chain to it")]
    Loose(String),
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
    fn all_chains(&self) -> impl Iterator<Item = &Chain> {
        self.chain.iter().chain(&self.chains)
    }

    /// The facts of the finding, each with its chain.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.all_chains().flat_map(Chain::facts).filter(|(_, fact)| fact.kind != SEALED)
    }

    /// The general chain's last hash: what is to be compared with a head that was noted down elsewhere.
    pub fn head(&self) -> Option<Sha256Digest> {
        self.all_chains().find(|chain| chain.name == GENERAL).map(|chain| chain.head)
    }

    /// Checks everything that can be checked without the database. `pictures` are the files of the pack by name.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, pictures: &BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
        match (self.format.as_str(), &self.chain, self.chains.is_empty()) {
            (FORMAT, None, false) | (FORMER_FORMAT, Some(_), true) => {}
            _ => return Err(Fault::Format(self.format.clone())),
        }
        self.verify_chains()?;
        self.verify_story()?;
        for (name, photo) in &self.pictures {
            let bytes = pictures.get(name).ok_or_else(|| Fault::Missing(name.clone()))?;
            let digest = Sha256Digest::of(bytes).to_string();
            let recorded = self.facts().filter(|(_, fact)| fact.subject == format!("photo:{photo}"));
            let mut details =
                recorded.filter_map(|(_, fact)| serde_json::from_str::<Value>(&fact.detail).ok());
            if !details.any(|detail| detail["picture_sha256"] == digest.as_str()) {
                return Err(Fault::Picture(name.clone()));
            }
        }
        Ok(())
    }

    fn verify_chains(&self) -> Result<(), Fault> {
        let mut seals = Vec::new();
        for chain in self.all_chains() {
            let sealed = |seq, hash: &Sha256Digest| {
                let by = |(name, seal): &(&str, super::Seal)| {
                    *name == chain.name && seal.seq == seq && seal.hash == *hash
                };
                seals.iter().any(by)
            };
            let mut tied = chain.name == GENERAL;
            let mut hash = chain.before;
            for (seq, row) in (chain.first..).zip(&chain.rows) {
                let digest = match row {
                    Row::Ours(fact) if fact.seq == seq => fact.digest(),
                    Row::Ours(fact) => return Err(Fault::Order(fact.seq)),
                    Row::Other(digest) => *digest,
                };
                hash = chained(&hash, &digest);
                tied |= sealed(seq, &hash);
            }
            if hash != chain.head {
                return Err(Fault::Broken(chain.name.clone()));
            }
            if !tied {
                return Err(Fault::Loose(chain.name.clone()));
            }
            if chain.name == GENERAL {
                seals.extend(chain.facts().filter_map(|(_, fact)| fact.seal()));
            }
        }
        Ok(())
    }

    fn verify_story(&self) -> Result<(), Fault> {
        let subject = format!("finding:{}", self.finding);
        if !self.facts().any(|(_, fact)| fact.subject == subject) {
            return Err(Fault::Empty);
        }
        let former = self.format == FORMER_FORMAT;
        let mut facts = self.facts();
        for told in &self.story {
            let same = |said: ReadableFact| {
                let detail =
                    if former { alike(&said.detail, &told.detail) } else { said.detail == told.detail };
                detail && ReadableFact { detail: told.detail.clone(), ..said } == *told
            };
            let said = facts.next().and_then(|(chain, fact)| tell(chain, fact));
            if !said.is_some_and(same) {
                return Err(Fault::Story(told.seq));
            }
        }
        facts.next().map_or(Ok(()), |(_, fact)| Err(Fault::Story(fact.seq)))
    }
}

impl Chain {
    fn facts(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.rows.iter().filter_map(|row| match row {
            Row::Ours(fact) => Some((self.name.as_str(), fact)),
            Row::Other(_) => None,
        })
    }
}

/// The chains of a pack about a finding of `project`, in their order.
pub fn chains_of(project: ProjectKey) -> [String; 2] {
    [GENERAL.to_owned(), chain_name(project)]
}

/// A fact as a person reads it; `None` when its time or its particulars cannot be read.
pub fn tell(chain: &str, fact: &Fact) -> Option<ReadableFact> {
    Some(ReadableFact {
        chain: chain.to_owned(),
        seq: fact.seq,
        at: jiff::Timestamp::from_millisecond(fact.at).ok()?.to_string(),
        kind: fact.kind.clone(),
        subject: fact.subject.clone(),
        actor: fact.actor.clone(),
        detail: serde_json::from_str(&fact.detail).ok()?,
    })
}

/// Whether `told` says what the chain says, but for the last digit of numbers.
fn alike(said: &Value, told: &Value) -> bool {
    match (said, told) {
        (Value::Array(said), Value::Array(told)) => {
            said.len() == told.len() && said.iter().zip(told).all(|(said, told)| alike(said, told))
        }
        (Value::Object(said), Value::Object(told)) => {
            let same = |(key, value): (&String, &Value)| told.get(key).is_some_and(|told| alike(value, told));
            said.len() == told.len() && said.iter().all(same)
        }
        (Value::Number(said), Value::Number(told)) if said.is_f64() && told.is_f64() => {
            let (said, told) = (said.as_f64().unwrap_or(f64::NAN), told.as_f64().unwrap_or(f64::NAN));
            (said - told).abs() <= LAST_DIGIT * said.abs()
        }
        _ => said == told,
    }
}
