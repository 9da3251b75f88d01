//! The chains of evidence: how one recorded fact is tied to all before it, and how a pack of facts about one finding
//! is checked without the database that it comes from.
//!
//! A fact's digest covers its columns; its hash covers the hash before it and its digest. A pack can therefore show
//! the facts about one finding in full, and of the facts in between, which are about other findings, only digests.
//!
//! Each project has a chain of its own, so that nobody waits for another project's writers. What belongs to no project
//! is in the [`GENERAL`] chain. A fact of that chain starts each project's chain: its hash is what the project's first
//! row follows from. Further facts of it ([`SEALED`]) name the projects' latest rows now and then, so that the
//! general chain's head stands for all chains.

pub mod pack;
pub mod rows;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::{ProjectKey, Sha256Digest};

/// The chain of what belongs to no project, and of everything from before projects had their own.
pub const GENERAL: &str = "general";

/// The kind of the general chain's facts that start a project's chain.
pub const STARTED: &str = "chain.started";

/// The kind of the general chain's facts that name the latest row of a project's chain: see [`Seal`].
pub const SEALED: &str = "chain.sealed";

/// The hash before the first fact of the general chain.
pub const START: Sha256Digest = Sha256Digest::from_bytes([0; 32]);

/// The particulars of a [`SEALED`] fact, whose subject is the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The number of the row.
    pub seq: i64,
    /// Its hash.
    pub hash: Sha256Digest,
}

/// A recorded fact as it is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Its number in its chain; the first is 1 and none is left out.
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

    /// The project's chain that this fact of the general chain is about, if it is of `kind`.
    pub fn chain_of(&self, kind: &str) -> Option<&str> {
        (self.kind == kind).then(|| self.subject.strip_prefix("project:")).flatten()
    }

    /// Which row of which project's chain this fact of the general chain names.
    pub fn seal(&self) -> Option<(&str, Seal)> {
        Some((self.chain_of(SEALED)?, serde_json::from_str(&self.detail).ok()?))
    }
}

/// The name of a project's chain.
pub fn chain_name(project: ProjectKey) -> String {
    project.to_string()
}

/// The hash of a fact with `digest` that follows the one whose hash is `previous`.
pub fn chained(previous: &Sha256Digest, digest: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Sha256::new();
    hasher.update(previous.as_bytes());
    hasher.update(digest.as_bytes());
    Sha256Digest::from_bytes(hasher.finalize().into())
}
