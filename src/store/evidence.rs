//! Everything recorded about one finding, as a pack that proves itself.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use jiff::Timestamp;

use crate::domain::evidence::{Chain, FORMAT, Pack, Row, START, tell};
use crate::domain::ids::{FindingId, Sha256Digest};
use crate::domain::job::Job;
use crate::store::audit::{Record, Subject};
use crate::store::rows::from_hex;
use crate::store::{Error, PhotoRow, Store};

/// A pack with its pictures by file name.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The story and its proof.
    pub pack: Pack,
    /// The files that it names.
    pub pictures: BTreeMap<String, Vec<u8>>,
}

impl Store {
    /// Everything recorded about `finding`, its photos and the deliveries that told of them, with the pictures that
    /// are still kept, and the chain from there to its present end.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such finding.
    pub async fn evidence(&self, finding: FindingId, now: Timestamp) -> Result<Evidence, Error> {
        let card = self.card(finding).await?.ok_or_else(|| Error::NotFound(format!("finding {finding}")))?;
        let mut photos = Vec::new();
        for photo in self.photos_of(finding).await? {
            photos.extend(self.photo(photo).await?);
        }
        let ours = self.rows_about(finding, &photos).await?;
        let chain = self.chain_from(&ours).await?;
        let mut pack = Pack {
            format: FORMAT.to_owned(),
            made_by: concat!("punchlens ", env!("CARGO_PKG_VERSION")).to_owned(),
            made_at: now.to_string(),
            finding,
            project: card.project,
            pictures: BTreeMap::new(),
            story: Vec::new(),
            chain,
        };
        pack.story = pack.facts().filter_map(tell).collect();
        let mut pictures = BTreeMap::new();
        for photo in &photos {
            let Some(picture) = self.picture(photo.id).await? else { continue };
            let name = format!("photo-{}.jpg", photo.id);
            pack.pictures.insert(name.clone(), photo.id.to_string());
            pictures.insert(name, picture.bytes);
        }
        Ok(Evidence { pack, pictures })
    }

    /// The numbers of the rows about the finding.
    async fn rows_about(&self, finding: FindingId, photos: &[PhotoRow]) -> Result<BTreeSet<i64>, Error> {
        let mut ours = BTreeSet::new();
        let subjects = photos.iter().map(|photo| Subject::Photo(photo.id)).chain([Subject::Finding(finding)]);
        for subject in subjects {
            let rows: Vec<i64> = sqlx::query_scalar("SELECT seq FROM audit WHERE subject = $1")
                .bind(subject.to_string())
                .fetch_all(&self.0.readers)
                .await?;
            ours.extend(rows);
        }
        for photo in photos {
            let job = Job::AnalyzePhoto { project: photo.project, image: photo.image };
            let rows: Vec<i64> =
                sqlx::query_scalar("SELECT seq FROM audit WHERE kind = 'event.routed' AND detail LIKE $1")
                    .bind(format!("%\"{}\"%", job.dedupe_key()))
                    .fetch_all(&self.0.readers)
                    .await?;
            ours.extend(rows);
        }
        Ok(ours)
    }

    /// The chain from the first of `ours` to its end.
    async fn chain_from(&self, ours: &BTreeSet<i64>) -> Result<Chain, Error> {
        let first = ours.first().copied().unwrap_or(1);
        let mut records = sqlx::query_as::<_, Record>("SELECT * FROM audit WHERE seq >= $1 ORDER BY seq")
            .bind(first)
            .fetch(&self.0.readers);
        let mut chain = Chain { first, before: START, rows: Vec::new(), head: START };
        while let Some(record) = records.try_next().await? {
            if chain.rows.is_empty() {
                chain.before = from_hex("audit.previous", &record.previous)?;
            }
            let fact = record.fact();
            let row = if ours.contains(&record.seq) { Row::Ours(fact) } else { Row::Other(fact.digest()) };
            chain.rows.push(row);
            chain.head = from_hex("audit.hash", &record.hash)?;
        }
        Ok(chain)
    }

    /// Whether the chain contains `hash`, e.g. a head that was noted down on another day; the row's number.
    pub async fn audit_row_with(&self, hash: &Sha256Digest) -> Result<Option<i64>, Error> {
        Ok(sqlx::query_scalar("SELECT seq FROM audit WHERE hash = $1")
            .bind(hash.to_string())
            .fetch_optional(&self.0.readers)
            .await?)
    }
}
