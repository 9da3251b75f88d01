//! Everything recorded about one finding, as a pack that proves itself.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use jiff::Timestamp;

use crate::domain::evidence::pack::{Chain, FORMAT, Pack, Row, chains_of, tell};
use crate::domain::evidence::{GENERAL, SEALED, START, chain_name};
use crate::domain::ids::{FindingId, ProjectKey, Sha256Digest};
use crate::domain::job::Job;
use crate::store::audit::{AuditSubject, Record};
use crate::store::rows::from_hex;
use crate::store::{Connection, Error, PhotoRow, Store};

/// A pack with its pictures by file name.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The story and its proof.
    pub pack: Pack,
    /// The files that it names.
    pub pictures: BTreeMap<String, Vec<u8>>,
}

/// Rows, each by its chain and number.
type Rows = BTreeSet<(String, i64)>;

impl Store {
    /// Everything recorded about `finding`, its photos and the deliveries that told of them, with the pictures that
    /// are still kept, and the chains from there to their present ends. The chains are sealed first, so that the
    /// general one stands for all of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such finding.
    pub async fn evidence(&self, finding: FindingId, now: Timestamp) -> Result<Evidence, Error> {
        let card = self.card(finding).await?.ok_or_else(|| Error::NotFound(format!("finding {finding}")))?;
        let mut photos = Vec::new();
        for photo in self.photos_of(finding).await? {
            photos.extend(self.photo(photo).await?);
        }
        self.seal_audit(now).await?;
        let mut snapshot = self.snapshot().await?;
        let mut ours = rows_about(&mut snapshot, finding, &photos).await?;
        ours.extend(last_seal(&mut snapshot, card.project).await?);
        let mut chains = Vec::new();
        for name in chains_of(card.project) {
            chains.extend(chain_from(&mut snapshot, name, &ours).await?);
        }
        drop(snapshot);
        let mut pack = Pack {
            format: FORMAT.to_owned(),
            made_by: concat!("punchlens ", env!("CARGO_PKG_VERSION")).to_owned(),
            made_at: now.to_string(),
            finding,
            project: card.project,
            pictures: BTreeMap::new(),
            story: Vec::new(),
            chains,
            chain: None,
        };
        pack.story = pack.facts().filter_map(|(chain, fact)| tell(chain, fact)).collect();
        let mut pictures = BTreeMap::new();
        for photo in &photos {
            let Some(picture) = self.picture(photo.id).await? else { continue };
            let name = format!("photo-{}.jpg", photo.id);
            pack.pictures.insert(name.clone(), photo.id.to_string());
            pictures.insert(name, picture.bytes);
        }
        Ok(Evidence { pack, pictures })
    }

    /// Whether a chain contains `hash`, e.g. a head that was noted down on another day; the chain and the row's number.
    pub async fn audit_row_with(&self, hash: &Sha256Digest) -> Result<Option<(String, i64)>, Error> {
        Ok(sqlx::query_as("SELECT chain, seq FROM audit WHERE hash = $1")
            .bind(hash.to_string())
            .fetch_optional(&self.0.readers)
            .await?)
    }
}

/// The rows about the finding.
async fn rows_about(
    connection: &mut Connection,
    finding: FindingId,
    photos: &[PhotoRow],
) -> Result<Rows, Error> {
    let mut ours = Rows::new();
    let subjects =
        photos.iter().map(|photo| AuditSubject::Photo(photo.id)).chain([AuditSubject::Finding(finding)]);
    for subject in subjects {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT chain, seq FROM audit WHERE subject = $1")
            .bind(subject.to_string())
            .fetch_all(&mut *connection)
            .await?;
        ours.extend(rows);
    }
    for photo in photos {
        let job = Job::AnalyzePhoto { project: photo.project, image: photo.image };
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT chain, seq FROM audit WHERE kind = 'event.routed' AND detail LIKE $1")
                .bind(format!("%\"{}\"%", job.dedupe_key()))
                .fetch_all(&mut *connection)
                .await?;
        ours.extend(rows);
    }
    Ok(ours)
}

/// The fact of the general chain that names the latest row of the project's chain.
async fn last_seal(connection: &mut Connection, project: ProjectKey) -> Result<Option<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT chain, seq FROM audit WHERE chain = $1 AND subject = $2 AND kind = $3 ORDER BY seq DESC LIMIT 1",
    )
    .bind(GENERAL)
    .bind(format!("project:{}", chain_name(project)))
    .bind(SEALED)
    .fetch_optional(connection)
    .await?)
}

/// The chain `name` from the first of `ours` to its end; nothing when none of them is in it.
async fn chain_from(connection: &mut Connection, name: String, ours: &Rows) -> Result<Option<Chain>, Error> {
    let Some(first) = ours.iter().find(|(chain, _)| *chain == name).map(|(_, seq)| *seq) else {
        return Ok(None);
    };
    let mut chain = Chain { name, first, before: START, rows: Vec::new(), head: START };
    let mut records =
        sqlx::query_as::<_, Record>("SELECT * FROM audit WHERE chain = $1 AND seq >= $2 ORDER BY seq")
            .bind(chain.name.clone())
            .bind(first)
            .fetch(connection);
    while let Some(record) = records.try_next().await? {
        if chain.rows.is_empty() {
            chain.before = from_hex("audit.previous", &record.previous)?;
        }
        chain.head = from_hex("audit.hash", &record.hash)?;
        let fact = record.fact();
        let own = ours.contains(&(record.chain, record.seq));
        chain.rows.push(if own { Row::Ours(fact) } else { Row::Other(fact.digest()) });
    }
    drop(records);
    Ok(Some(chain))
}
