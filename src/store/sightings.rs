//! What is needed to recognise a defect in another photo, in the database and at hand.
//!
//! Every handle keeps the sightings of a project in an index. Before it is asked, inside the transaction that
//! records a photo, the handle takes the project's head, which it alone then holds until it commits, and reads what
//! others have added since. So two boxes on one database answer as one would.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::dedupe::{Candidate, Index, KnownCard, Match, Recognised, Sighting};
use crate::domain::ids::{FindingId, ImageId, ProjectKey};
use crate::domain::review::HoldReason;
use crate::domain::tagging::OnceRules;
use crate::store::mutes::ActiveMutes;
use crate::store::record::record;
use crate::store::rows::{from_hex, from_json, from_name, instant, to_json};
use crate::store::sql::QueryBuilder;
use crate::store::{Connection, Error, Store};

/// Rows that are read at a time while an index is filled.
const BATCH: i64 = 5_000;

/// The indices of a handle, by project.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<HashMap<ProjectKey, ProjectSightings>>);

/// One project's sightings up to a number.
#[derive(Debug)]
struct ProjectSightings {
    index: Index,
    upto: i64,
}

record! {
    struct Record {
        seq: i64,
        sighting: String,
    }
}

impl Store {
    /// The photos in which a finding shows, by Procore's ids and the first one first, without those that are gone.
    pub async fn images_of(&self, finding: FindingId) -> Result<Vec<ImageId>, Error> {
        let mut reader = self.0.readers.acquire().await?;
        images(&mut reader, finding).await
    }

    /// Reads a project's sightings ahead of the first photo, outside any transaction. Returns how many there are.
    pub async fn load_sightings(&self, project: ProjectKey, rules: &OnceRules) -> Result<usize, Error> {
        let mut reader = self.0.readers.acquire().await?;
        self.0.sightings.catch_up(&mut reader, project, rules).await?;
        Ok(self.0.sightings.with(project, rules, |known| known.index.len()))
    }

    /// What is known that looks like each of `candidates`, all of one project. The caller has [`take_head`]n.
    pub(crate) async fn recognise(
        &self,
        connection: &mut Connection,
        project: ProjectKey,
        rules: &OnceRules,
        candidates: &[Candidate],
        mutes: &ActiveMutes,
    ) -> Result<Vec<Recognised>, Error> {
        self.0.sightings.catch_up(connection, project, rules).await?;
        let alike: Vec<Match> = self.0.sightings.with(project, rules, |known| {
            candidates.iter().map(|candidate| known.index.find(&candidate.sighting)).collect()
        });
        let mut recognised = Vec::with_capacity(candidates.len());
        for (candidate, by_likeness) in candidates.iter().zip(alike) {
            let mut seen = vec![candidate.card.finding.id];
            if let Match::Same { finding, also, .. } = &by_likeness {
                seen.push(*finding);
                seen.extend(also);
            }
            let similar = match by_likeness {
                Match::MaybeSame { finding, .. } => card_of(connection, finding).await?,
                Match::Same { .. } | Match::New => None,
            };
            let cards = standings(connection, &seen, mutes).await?;
            recognised.push(Recognised { by_likeness, cards, similar });
        }
        Ok(recognised)
    }
}

impl Sightings {
    fn with<T>(
        &self,
        project: ProjectKey,
        rules: &OnceRules,
        use_it: impl FnOnce(&mut ProjectSightings) -> T,
    ) -> T {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = || ProjectSightings { index: Index::new(rules), upto: 0 };
        let known = all.entry(project).or_insert_with(fresh);
        if known.index.rules() != rules {
            *known = fresh();
        }
        use_it(known)
    }

    /// Reads what was committed since the last time.
    async fn catch_up(
        &self,
        connection: &mut Connection,
        project: ProjectKey,
        rules: &OnceRules,
    ) -> Result<(), Error> {
        loop {
            let upto = self.with(project, rules, |known| known.upto);
            let rows: Vec<Record> = sqlx::query_as(
                "SELECT seq, sighting FROM sightings WHERE company = $1 AND project = $2 AND seq > $3
                 ORDER BY seq LIMIT $4",
            )
            .bind(project.company.value())
            .bind(project.project.value())
            .bind(upto)
            .bind(BATCH)
            .fetch_all(&mut *connection)
            .await?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            let read =
                |row: &Record| from_json("sightings.sighting", &row.sighting).map(|read| (row.seq, read));
            let read: Vec<(i64, Sighting)> = rows.iter().map(read).collect::<Result<_, _>>()?;
            self.with(project, rules, |known| {
                // Another of this handle's connections may have read some of them meanwhile.
                let upto = known.upto;
                for (_, sighting) in read.into_iter().filter(|(seq, _)| *seq > upto) {
                    known.index.insert(sighting);
                }
                known.upto = upto.max(last);
            });
        }
    }
}

/// Makes this transaction the only one that adds sightings to `project` until it ends, and takes `count` numbers.
/// Returns the first of them.
pub(crate) async fn take_head(
    connection: &mut Connection,
    project: ProjectKey,
    count: usize,
) -> Result<i64, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last: i64 = sqlx::query_scalar(
        "INSERT INTO sighting_heads (company, project, seq) VALUES ($1, $2, $3)
         ON CONFLICT (company, project) DO UPDATE SET seq = sighting_heads.seq + excluded.seq RETURNING seq",
    )
    .bind(project.company.value())
    .bind(project.project.value())
    .bind(count)
    .fetch_one(connection)
    .await?;
    Ok(last - count + 1)
}

/// Adds a sighting that is part of `card`, in place of an earlier one of the same class in the same photo.
pub(crate) async fn put(
    connection: &mut Connection,
    project: ProjectKey,
    seq: i64,
    sighting: &Sighting,
    card: FindingId,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sightings (company, project, seq, seen, card, photo, sighting)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (seen, photo) DO UPDATE SET
             seq = excluded.seq, card = excluded.card, sighting = excluded.sighting",
    )
    .bind(project.company.value())
    .bind(project.project.value())
    .bind(seq)
    .bind(sighting.finding.to_string())
    .bind(card.to_string())
    .bind(sighting.seen_in.to_string())
    .bind(to_json(sighting)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// All that was part of `from` is part of `into` now: sightings and photos.
pub(crate) async fn pass_on(
    connection: &mut Connection,
    from: FindingId,
    into: FindingId,
) -> Result<(), Error> {
    for sql in [
        "UPDATE sightings SET card = $2 WHERE card = $1",
        "INSERT INTO finding_photos (finding, photo) SELECT $2, photo FROM finding_photos WHERE finding = $1
         ON CONFLICT (finding, photo) DO NOTHING",
    ] {
        sqlx::query(sql).bind(from.to_string()).bind(into.to_string()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The photos in which a finding shows, by Procore's ids and the first one first, without those that are gone.
pub(crate) async fn images(connection: &mut Connection, finding: FindingId) -> Result<Vec<ImageId>, Error> {
    let images: Vec<i64> = sqlx::query_scalar(
        "SELECT photos.image FROM finding_photos JOIN photos ON photos.id = finding_photos.photo
             JOIN findings ON findings.id = finding_photos.finding
         WHERE finding_photos.finding = $1 AND photos.forgotten_at IS NULL
         ORDER BY CASE WHEN photos.id = findings.photo THEN 0 ELSE 1 END, photos.image",
    )
    .bind(finding.to_string())
    .fetch_all(connection)
    .await?;
    Ok(images.into_iter().map(ImageId::new).collect())
}

/// The card that `seen` is part of.
async fn card_of(connection: &mut Connection, seen: FindingId) -> Result<Option<FindingId>, Error> {
    let card: Option<String> = sqlx::query_scalar("SELECT card FROM sightings WHERE seen = $1 ORDER BY seq")
        .bind(seen.to_string())
        .fetch_optional(connection)
        .await?;
    card.map(|hex| from_hex("sightings.card", &hex)).transpose()
}

record! {
    struct Card {
        id: String,
        state: String,
        found_at: i64,
        held: Option<String>,
        held_by: Option<i64>,
        mutes: i64,
    }
}

/// The cards of which findings `seen` are part, or that are those findings.
async fn standings(
    connection: &mut Connection,
    seen: &[FindingId],
    mutes: &ActiveMutes,
) -> Result<Vec<KnownCard>, Error> {
    let mut sql = QueryBuilder::new(
        "SELECT id, state, found_at, held, held_by,
             (SELECT COUNT(*) FROM mutes WHERE mutes.finding = findings.id) AS mutes
         FROM findings WHERE id IN (SELECT card FROM sightings WHERE seen IN (",
    );
    push_ids(&mut sql, seen);
    // A finding from before there were sightings has none.
    sql.push(")) OR id = ").push_bind(seen.first().map(ToString::to_string)).push(" ORDER BY id");
    let cards: Vec<Card> = sql.build_query_as().fetch_all(connection).await?;
    cards.into_iter().map(|card| standing(&card, mutes)).collect()
}

fn push_ids(sql: &mut QueryBuilder, ids: &[FindingId]) {
    let mut list = sql.separated(", ");
    for id in ids {
        list.push_bind(id.to_string());
    }
}

fn standing(card: &Card, mutes: &ActiveMutes) -> Result<KnownCard, Error> {
    let finding = from_hex("findings.id", &card.id)?;
    let silenced = match card.held.as_deref().and_then(|name| HoldReason::of(name, card.held_by)) {
        Some(HoldReason::Mute(id)) => Some(mutes.holds(id)),
        _ if card.mutes > 0 => Some(mutes.holds_from(finding)),
        _ => None,
    };
    Ok(KnownCard {
        finding,
        state: from_name("findings.state", &card.state)?,
        found_at: instant(card.found_at)?,
        over: silenced == Some(false),
    })
}
