//! Findings, read as cards.

mod query;

use std::collections::HashMap;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::domain::card::Card;
use crate::domain::ids::{CompanyId, FindingId, PhotoId, ProjectId, ProjectKey, PunchItemId, TradeId};
use crate::domain::review::{Decision, Delivery, FindingState, Hold, HoldReason};
use crate::store::record::record;
use crate::store::rows::{
    NAME_BYTES, bounded, from_hex, from_json, from_json_option, from_name, millis, to_json,
};
use crate::store::sql::QueryBuilder;
use crate::store::{Connection, Error, Store};

pub use crate::store::findings::query::{CardOrder, CardQuery, PLACE_JOINT, Shelf};
pub(crate) use crate::store::findings::query::{push_conditions, push_projects};

/// The numbers on the tabs of the review page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Proposed and not decided, kept back by nothing or by a cap.
    pub to_review: u64,
    /// Of those, kept back by a cap: no draft was made of them.
    pub capped: u64,
    /// Proposed, and silenced by a mute.
    pub muted: u64,
    /// Proposed, and on Procore's list already.
    pub known: u64,
    /// Decided since the start of the day.
    pub decided_today: u64,
    /// Decided, and not yet carried over to Procore.
    pub waiting: u64,
    /// Refused by Procore, or stuck.
    pub problems: u64,
}

record! {
    /// A finding's row: the card as it was suggested, and what has changed since.
    pub(crate) struct Record {
        card: String,
        state: String,
        delivery: String,
        decision: Option<String>,
        punch_item: Option<i64>,
        position: Option<i64>,
        problem: Option<String>,
        in_procore: Option<String>,
        left_out: Option<String>,
        notice: Option<String>,
        held: Option<String>,
        held_by: Option<i64>,
        held_because: Option<String>,
    }
}

impl Record {
    pub(crate) fn into_card(self) -> Result<Card, Error> {
        let held = match &self.held {
            None => None,
            Some(name) => Some(Hold {
                by: HoldReason::of(name, self.held_by)
                    .ok_or_else(|| Error::row("column", "findings.held", format!("{name} by nobody")))?,
                because: self.held_because.unwrap_or_default(),
            }),
        };
        Ok(Card {
            held,
            state: from_name("findings.state", &self.state)?,
            delivery: from_name("findings.delivery", &self.delivery)?,
            decision: from_json_option::<Decision>("findings.decision", self.decision.as_deref())?,
            punch_item: self.punch_item.map(PunchItemId::new),
            position: self.position,
            problem: self.problem,
            in_procore: from_json_option("findings.in_procore", self.in_procore.as_deref())?,
            left_out: from_json_option("findings.left_out", self.left_out.as_deref())?.unwrap_or_default(),
            notice: self.notice,
            ..from_json("findings.card", &self.card)?
        })
    }
}

impl Store {
    /// A finding's card.
    pub async fn card(&self, id: FindingId) -> Result<Option<Card>, Error> {
        let mut reader = self.0.readers.acquire().await?;
        get(&mut reader, id).await
    }

    /// The cards that `query` asks for.
    pub async fn cards(&self, query: &CardQuery) -> Result<Vec<Card>, Error> {
        let limit = query.limit.unwrap_or(u32::MAX).min(self.0.config.list_rows);
        // The ids first: sorting whole cards costs ten times as much.
        let mut sql = QueryBuilder::new("SELECT * FROM findings WHERE id IN (SELECT id FROM findings");
        push_conditions(&mut sql, query);
        sql.push(query.order.sql()).push(" LIMIT ").push_bind(i64::from(limit));
        sql.push(" OFFSET ").push_bind(i64::from(query.offset)).push(")").push(query.order.sql());
        let records: Vec<Record> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        records.into_iter().map(Record::into_card).collect()
    }

    /// The findings that `query` asks for, without reading their cards.
    pub async fn ids(&self, query: &CardQuery) -> Result<Vec<FindingId>, Error> {
        let limit = query.limit.unwrap_or(u32::MAX).min(self.0.config.list_rows);
        let mut sql = QueryBuilder::new("SELECT id FROM findings");
        push_conditions(&mut sql, query);
        sql.push(query.order.sql()).push(" LIMIT ").push_bind(i64::from(limit));
        sql.push(" OFFSET ").push_bind(i64::from(query.offset));
        let ids: Vec<String> = sql.build_query_scalar().fetch_all(&self.0.readers).await?;
        ids.iter().map(|hex| from_hex("findings.id", hex)).collect()
    }

    /// The project of each of `ids` that there is.
    pub async fn projects_of(&self, ids: &[FindingId]) -> Result<HashMap<FindingId, ProjectKey>, Error> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut sql = QueryBuilder::new("SELECT id, company, project FROM findings WHERE id IN (");
        let mut list = sql.separated(", ");
        for id in ids {
            list.push_bind(id.to_string());
        }
        sql.push(")");
        let rows: Vec<(String, i64, i64)> = sql.build_query_as().fetch_all(&self.0.readers).await?;
        let key = |company, project| ProjectKey {
            company: CompanyId::new(company),
            project: ProjectId::new(project),
        };
        let pair = |(hex, company, project): (String, i64, i64)| {
            Ok((from_hex("findings.id", &hex)?, key(company, project)))
        };
        rows.into_iter().map(pair).collect()
    }

    /// The numbers on the tabs, of some projects or all.
    pub async fn counts(
        &self,
        projects: Option<&[ProjectKey]>,
        today_since: Timestamp,
    ) -> Result<Counts, Error> {
        let proposed =
            |shelf| CardQuery { states: vec![FindingState::Proposed], shelf, ..CardQuery::default() };
        let asked = [
            proposed(Shelf::Open),
            proposed(Shelf::Capped),
            proposed(Shelf::Muted),
            proposed(Shelf::Known),
            CardQuery { decided_since: Some(today_since), ..CardQuery::default() },
            CardQuery {
                states: vec![FindingState::Accepted, FindingState::Rejected],
                deliveries: vec![Delivery::Waiting],
                ..CardQuery::default()
            },
            CardQuery { problems: true, ..CardQuery::default() },
        ];
        // One count each, because each has an index of its own; one statement, so that they agree.
        let mut sql = QueryBuilder::new("SELECT ");
        for (number, query) in asked.into_iter().enumerate() {
            sql.push(if number == 0 { "(" } else { ", (" }).push("SELECT COUNT(*) FROM findings");
            push_conditions(&mut sql, &CardQuery { projects: projects.map(<[_]>::to_vec), ..query });
            sql.push(")");
        }
        let (to_review, capped, muted, known, decided_today, waiting, problems): (
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
        ) = sql.build_query_as().fetch_one(&self.0.readers).await?;
        Ok(Counts {
            to_review: to_review as u64,
            capped: capped as u64,
            muted: muted as u64,
            known: known as u64,
            decided_today: decided_today as u64,
            waiting: waiting as u64,
            problems: problems as u64,
        })
    }

    /// The finding behind a punch item, if it is one of ours.
    pub async fn finding_of_punch_item(
        &self,
        project: ProjectKey,
        id: PunchItemId,
    ) -> Result<Option<FindingId>, Error> {
        let finding: Option<String> = sqlx::query_scalar(
            "SELECT id FROM findings WHERE company = $1 AND project = $2 AND punch_item = $3 ORDER BY id",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(id.value())
        .fetch_optional(&self.0.readers)
        .await?;
        finding.map(|hex| from_hex("findings.id", &hex)).transpose()
    }

    /// Every photo in which a finding shows, the first one first.
    pub async fn photos_of(&self, id: FindingId) -> Result<Vec<PhotoId>, Error> {
        let photos: Vec<String> = sqlx::query_scalar(
            "SELECT finding_photos.photo FROM finding_photos JOIN findings ON findings.id = finding_photos.finding
             WHERE finding_photos.finding = $1
             ORDER BY finding_photos.photo <> findings.photo, finding_photos.photo",
        )
        .bind(id.to_string())
        .fetch_all(&self.0.readers)
        .await?;
        photos.iter().map(|hex| from_hex("finding_photos.photo", hex)).collect()
    }
}

/// A finding's card as of the connection's transaction.
pub(crate) async fn get(connection: &mut Connection, id: FindingId) -> Result<Option<Card>, Error> {
    let record: Option<Record> = sqlx::query_as("SELECT * FROM findings WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    record.map(Record::into_card).transpose()
}

/// Every card by the photo in which it was found first, best first.
pub(crate) async fn by_photo(connection: &mut Connection) -> Result<HashMap<PhotoId, Vec<Card>>, Error> {
    let mut records =
        sqlx::query_as::<_, Record>("SELECT * FROM findings ORDER BY score DESC, id").fetch(connection);
    let mut cards: HashMap<PhotoId, Vec<Card>> = HashMap::new();
    while let Some(record) = records.try_next().await? {
        let card = record.into_card()?;
        cards.entry(card.photo.id).or_default().push(card);
    }
    Ok(cards)
}

/// Adds a finding that is not there yet.
pub(crate) async fn insert(
    connection: &mut Connection,
    photo: PhotoId,
    card: &Card,
    drafted_on: Option<Date>,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO findings (id, company, project, photo, class, score, found_at, state, delivery, search, card,
                               punch_item, held, held_by, held_because, drafted_on, place, trade, uploader)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(card.finding.id.to_string())
    .bind(card.project.company.value())
    .bind(card.project.project.value())
    .bind(photo.to_string())
    .bind(card.finding.class.name())
    .bind(f64::from(card.finding.score.value()))
    .bind(millis(card.found_at))
    .bind(card.state.name())
    .bind(card.delivery.name())
    .bind(search_text(card))
    .bind(to_json(card)?)
    .bind(card.punch_item.map(PunchItemId::value))
    .bind(card.held.as_ref().map(|held| held.by.name()))
    .bind(card.held.as_ref().and_then(|held| held.by.id()))
    .bind(held_because(card))
    .bind(drafted_on.map(|day| day.to_string()))
    .bind(place_text(card))
    .bind(card.draft.trade.map(TradeId::value))
    .bind(card.photo.uploader.as_deref().map(|name| bounded(name, NAME_BYTES)))
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes another suggestion over an undecided finding's.
pub(crate) async fn refile(connection: &mut Connection, card: &Card) -> Result<(), Error> {
    sqlx::query(
        "UPDATE findings SET search = $2, card = $3, held = $4, held_by = $5, held_because = $6, place = $7,
             trade = $8 WHERE id = $1",
    )
    .bind(card.finding.id.to_string())
    .bind(search_text(card))
    .bind(to_json(card)?)
    .bind(card.held.as_ref().map(|held| held.by.name()))
    .bind(card.held.as_ref().and_then(|held| held.by.id()))
    .bind(held_because(card))
    .bind(place_text(card))
    .bind(card.draft.trade.map(TradeId::value))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a photo in which a finding shows. Returns whether it is a further one.
pub(crate) async fn link(
    connection: &mut Connection,
    finding: FindingId,
    photo: PhotoId,
) -> Result<bool, Error> {
    let linked = sqlx::query(
        "INSERT INTO finding_photos (finding, photo) VALUES ($1, $2) ON CONFLICT (finding, photo) DO NOTHING",
    )
    .bind(finding.to_string())
    .bind(photo.to_string())
    .execute(connection)
    .await?;
    Ok(linked.rows_affected() > 0)
}

/// How many findings of a project became drafts by themselves on `day`.
pub(crate) async fn drafted_on(
    connection: &mut Connection,
    project: ProjectKey,
    day: Date,
) -> Result<u32, Error> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM findings WHERE company = $1 AND project = $2 AND drafted_on = $3",
    )
    .bind(project.company.value())
    .bind(project.project.value())
    .bind(day.to_string())
    .fetch_one(connection)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The names of the card's place, joined.
fn place_text(card: &Card) -> Option<String> {
    let path = card.place.location.as_ref().map(|location| location.path.join(PLACE_JOINT));
    path.map(|path| bounded(&path, NAME_BYTES).to_owned())
}

/// Why it is held; may tell titles of Procore's list.
fn held_because(card: &Card) -> Option<String> {
    card.held.as_ref().map(|held| held.because.replace('\0', " "))
}

/// What the search looks through.
fn search_text(card: &Card) -> String {
    let mut texts = vec![
        card.draft.title.as_str(),
        card.draft.description.as_str(),
        card.draft.reference.as_str(),
        card.finding.class.name(),
        card.photo.filename.as_str(),
    ];
    texts.extend(card.photo.uploader.as_deref());
    texts.extend(card.trade_name.as_deref());
    texts.extend(card.place.location.iter().flat_map(|location| &location.path).map(String::as_str));
    texts.join("\n").to_lowercase().replace('\0', " ")
}
