//! A walk along every chain of evidence.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use serde::Serialize;

use crate::domain::evidence::{GENERAL, START, STARTED};
use crate::domain::ids::Sha256Digest;
use crate::store::audit::Record;
use crate::store::rows::from_hex;
use crate::store::{Connection, Error, Store};

/// What a walk along all chains found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub rows: u64,
    /// The last hash of the general chain, to be noted down elsewhere: later ones must contain it.
    pub head: Sha256Digest,
    /// Each chain, the general one first.
    pub chains: Vec<ChainHead>,
    /// The first place where a chain does not hold, if there is one.
    pub broken: Option<AuditBreak>,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainHead {
    /// The general chain, or the project.
    pub chain: String,
    /// Rows read of it.
    pub rows: u64,
    pub head: String,
}

/// Where and how a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditBreak {
    pub chain: String,
    pub seq: i64,
    /// What is wrong with it.
    pub what: String,
}

/// What the general chain says of the projects' chains.
#[derive(Default)]
struct Ties {
    /// The hash from which each follows.
    starts: BTreeMap<String, String>,
    /// Rows that were named, by chain, with their hashes.
    seals: BTreeMap<String, BTreeMap<i64, String>>,
}

/// One chain on the way.
struct Walk<'a> {
    chain: &'a str,
    seq: i64,
    hash: String,
    rows: u64,
    broken: Option<AuditBreak>,
}

impl Record {
    /// What is wrong with this row as the successor of row `seq` with `hash`.
    fn fault(&self, seq: i64, hash: &str) -> Option<String> {
        if self.seq != seq + 1 {
            Some(format!("rows {} to {} are missing", seq + 1, self.seq - 1))
        } else if self.previous != hash {
            Some("it does not follow from the row before".into())
        } else if self.computed_hash().map(|hash| hash.to_string()).ok().as_ref() != Some(&self.hash) {
            Some("its content was changed".into())
        } else {
            None
        }
    }
}

impl Ties {
    fn note(&mut self, record: &Record) {
        let fact = record.fact();
        if let Some(chain) = fact.chain_of(STARTED) {
            self.starts.insert(chain.to_owned(), record.hash.clone());
        }
        if let Some((chain, seal)) = fact.seal() {
            self.seals.entry(chain.to_owned()).or_default().insert(seal.seq, seal.hash.to_string());
        }
    }
}

impl Walk<'_> {
    fn note(&mut self, seq: i64, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(AuditBreak { chain: self.chain.to_owned(), seq, what: what.into() });
        }
    }

    fn step(&mut self, record: Record, seals: &BTreeMap<i64, String>) {
        self.rows += 1;
        if let Some(what) = record.fault(self.seq, &self.hash) {
            self.note(record.seq, what);
        }
        if seals.get(&record.seq).is_some_and(|hash| *hash != record.hash) {
            self.note(record.seq, "the general chain names it with another hash");
        }
        (self.seq, self.hash) = (record.seq, record.hash);
    }
}

impl Store {
    /// Walks every chain and tells where the first does not hold.
    pub async fn verify_audit(&self) -> Result<AuditReport, Error> {
        // One transaction, so that heads and rows are of the same moment.
        let mut snapshot = self.snapshot().await?;
        let heads: Vec<(String, i64, String)> =
            sqlx::query_as("SELECT chain, seq, hash FROM audit_chains").fetch_all(&mut *snapshot).await?;
        let mut heads: BTreeMap<String, (i64, String)> =
            heads.into_iter().map(|(chain, seq, hash)| (chain, (seq, hash))).collect();
        let mut ties = Ties::default();
        let mut report = AuditReport { rows: 0, head: START, chains: Vec::new(), broken: None };
        let general = heads.remove(GENERAL);
        if let Some((_, hash)) = &general {
            report.head = from_hex("audit_chains.hash", hash)?;
        }
        report.walk(&mut snapshot, GENERAL, general, &mut ties).await?;
        let in_rows: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT chain FROM audit").fetch_all(&mut *snapshot).await?;
        let known = heads.keys().cloned().chain(in_rows).chain(ties.starts.keys().cloned());
        let projects: BTreeSet<String> = known.filter(|chain| chain != GENERAL).collect();
        for chain in projects {
            report.walk(&mut snapshot, &chain, heads.remove(&chain), &mut ties).await?;
        }
        Ok(report)
    }
}

impl AuditReport {
    async fn walk(
        &mut self,
        snapshot: &mut Connection,
        chain: &str,
        head: Option<(i64, String)>,
        ties: &mut Ties,
    ) -> Result<(), Error> {
        let start = if chain == GENERAL { Some(START.to_string()) } else { ties.starts.get(chain).cloned() };
        let mut walk = Walk { chain, seq: 0, hash: start.clone().unwrap_or_default(), rows: 0, broken: None };
        if start.is_none() {
            walk.note(0, "the general chain does not know this chain");
        }
        let seals = ties.seals.get(chain).cloned().unwrap_or_default();
        {
            let mut records =
                sqlx::query_as::<_, Record>("SELECT * FROM audit WHERE chain = $1 ORDER BY seq")
                    .bind(chain)
                    .fetch(&mut *snapshot);
            while let Some(record) = records.try_next().await? {
                if chain == GENERAL {
                    ties.note(&record);
                }
                walk.step(record, &seals);
            }
        }
        let end = walk.seq;
        match &head {
            Some((seq, hash)) if *seq == end && *hash == walk.hash => {}
            Some((seq, _)) => {
                walk.note(end, format!("the chain should end at row {seq}, but ends at row {end}"));
            }
            None => walk.note(end, "the chain has no head"),
        }
        if let Some((sealed, _)) = seals.last_key_value().filter(|(sealed, _)| **sealed > end) {
            walk.note(end, format!("the general chain names row {sealed}, but the chain ends at row {end}"));
        }
        self.rows += walk.rows;
        self.chains.push(ChainHead { chain: chain.to_owned(), rows: walk.rows, head: walk.hash });
        if self.broken.is_none() {
            self.broken = walk.broken;
        }
        Ok(())
    }
}
