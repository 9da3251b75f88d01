//! Findings as cards, how many there are, and their pictures.

use axum::Json;
use axum::extract;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ask::{self, ProjectParam, QueryParams, Segments};
use crate::domain::card::Card;
use crate::domain::ids::TradeId;
use crate::domain::people::Viewer;
use crate::domain::review::{Delivery, FindingState};
use crate::http::State;
use crate::http::error::{HttpError, Problem};
use crate::http::guard::{self, Script};
use crate::http::review;
use crate::store::{CardOrder, CardQuery, Counts, Shelf};

/// Which findings to list. Everything is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<FindingState>,
    delivery: Option<Delivery>,
    shelf: Option<ShelfParam>,
    project: Option<String>,
    class: Option<String>,
    place: Option<String>,
    trade: Option<i64>,
    uploader: Option<String>,
    q: Option<String>,
    problems: bool,
    found_since: Option<Timestamp>,
    found_before: Option<Timestamp>,
    decided_since: Option<Timestamp>,
    decided_before: Option<Timestamp>,
    order: Option<SortParam>,
    limit: Option<u32>,
    offset: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShelfParam {
    Open,
    Capped,
    Muted,
    Known,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SortParam {
    NewestFirst,
    ByScore,
    LastDecided,
    ByPlace,
    ByClass,
    ByPhoto,
}

impl ListQuery {
    fn read(self, viewer: &Viewer, limit: u32) -> Result<CardQuery, HttpError> {
        Ok(CardQuery {
            projects: viewer.narrowed(ask::project(self.project.as_deref())?),
            states: self.state.into_iter().collect(),
            deliveries: self.delivery.into_iter().collect(),
            shelf: self.shelf.map_or(Shelf::Any, |shelf| match shelf {
                ShelfParam::Open => Shelf::Open,
                ShelfParam::Capped => Shelf::Capped,
                ShelfParam::Muted => Shelf::Muted,
                ShelfParam::Known => Shelf::Known,
            }),
            class: self.class,
            place: self.place,
            trade: self.trade.map(TradeId::new),
            uploader: self.uploader,
            text: self.q,
            problems: self.problems,
            found_since: self.found_since,
            found_before: self.found_before,
            decided_since: self.decided_since,
            decided_before: self.decided_before,
            order: self.order.map_or(CardOrder::NewestFirst, |order| match order {
                SortParam::NewestFirst => CardOrder::NewestFirst,
                SortParam::ByScore => CardOrder::ByScore,
                SortParam::LastDecided => CardOrder::LastDecided,
                SortParam::ByPlace => CardOrder::ByPlace,
                SortParam::ByClass => CardOrder::ByClass,
                SortParam::ByPhoto => CardOrder::ByPhoto,
            }),
            limit: Some(limit),
            offset: self.offset,
            ..CardQuery::default()
        })
    }
}

/// Some findings, and where the rest begins.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    findings: Vec<Card>,
    next_offset: Option<u32>,
}

pub(super) async fn counts(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    QueryParams(of): QueryParams<ProjectParam>,
) -> Result<Json<Counts>, Problem> {
    let now = state.now();
    let midnight = now.to_zoned_datetime(state.zone().clone()).start_of_day();
    let midnight = midnight.map_or(now, |midnight| midnight.timestamp());
    let projects = viewer.narrowed(of.read()?);
    Ok(Json(state.store().counts(projects.as_deref(), midnight).await?))
}

pub(super) async fn list(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    QueryParams(query): QueryParams<ListQuery>,
) -> Result<Json<Listing>, Problem> {
    if query.limit == Some(0) {
        return Err(HttpError::Invalid("limit must be at least 1.".into()).into());
    }
    let limit = query.limit.unwrap_or(state.review().page_size).clamp(1, state.store().config().list_rows);
    let offset = query.offset;
    let findings = state.store().cards(&query.read(&viewer, limit)?).await?;
    let full = findings.len() == limit as usize;
    Ok(Json(Listing { findings, next_offset: full.then(|| offset.saturating_add(limit)) }))
}

pub(super) async fn one(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(id): Segments<String>,
) -> Result<Json<Card>, Problem> {
    Ok(Json(seen(&state, &viewer, &id).await?))
}

pub(super) async fn picture(
    Script(viewer): Script,
    extract::State(state): extract::State<State>,
    Segments(photo): Segments<String>,
) -> Result<Response, Problem> {
    Ok(review::stored_picture(&state, &viewer, &photo).await?)
}

/// The card of a finding that `viewer` may see.
pub(super) async fn seen(state: &State, viewer: &Viewer, id: &str) -> Result<Card, HttpError> {
    let card = state.store().card(ask::finding(id)?).await?.ok_or(HttpError::NotFound("finding"))?;
    guard::check_sight(viewer, card.project, "finding")?;
    Ok(card)
}
