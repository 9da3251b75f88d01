//! The review page: lists, cards and decisions as pages and plain forms.

mod batch;
mod card;
mod chart;
mod filter;
mod form;
mod groups;
mod icons;
mod labels;
mod list;
mod list_context;
mod nearby_items;
mod page;
mod photo;
mod pictures;
mod plan;
mod reasons;
mod recent_choices;
mod record;
mod report;
mod settled;
mod sign_in_page;
mod skipped_photos;
mod submitted;
mod toast;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{self, FromRequest, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Json, RequestExt as _};
use maud::Markup;
use serde::Deserialize;

use crate::domain::card::Card;
use crate::domain::ids::FindingId;
use crate::domain::people::Person;
use crate::domain::review::{Decision, Verdict};
use crate::http::State;
use crate::http::choices;
use crate::http::error::HttpError;
use crate::http::guard::{self, Peer, Reviewer};
use crate::store;

use filter::{Filter, FilterQuery, Tab};
use form::{FieldError, Fields};
use list_context::{Done, ListContext};
use nearby_items::NearbyItems;
use recent_choices::Remembered;
use submitted::{Form, Submitted};

pub(super) use batch::{decide as decide_batch, undo as undo_batch};
pub(super) use filter::parse_project;
pub(super) use form::check_texts;
pub(super) use pictures::{crop, picture, score_map, stored_picture};
pub(super) use plan::plan;
pub(super) use record::{lift as lift_mute, mute, record};
pub(super) use report::report;
pub(super) use sign_in_page::{
    arrive, refuse_sign_in, sign_in, sign_in_first, sign_in_page, sign_out, welcome, with_header,
};
pub(super) use skipped_photos::{look_again, photos};

/// Entries sent for what somebody typed into a long list.
const MATCHES_MAX: usize = 50;

/// An error as a page.
#[derive(Debug)]
pub(super) struct PageError(HttpError);

impl<E: Into<HttpError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let title = match &self.0 {
            HttpError::NotFound(_) => "Not found",
            HttpError::Conflict(_) => "Decided already",
            HttpError::Forbidden(_) => "Not for you to decide",
            HttpError::Unavailable | HttpError::Internal => "That did not work",
            _ => "Not accepted",
        };
        let page = page::message(title, &self.0.to_string(), Some(("To the list", "/review")));
        self.0.with_retry_after(html(self.0.status(), &page))
    }
}

type Page = Result<Response, PageError>;

fn html(status: StatusCode, page: &Markup) -> Response {
    (status, Html(page.0.clone())).into_response()
}

/// What an address says beside the filter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Address {
    #[serde(flatten)]
    filter: FilterQuery,
    /// What was decided just before: a finding, or a group by its instant.
    done: String,
    /// How many decisions were taken back just before.
    undone: String,
    /// How many of a group stayed as they were.
    left: String,
    /// Whether a report is wanted as one file.
    file: String,
    /// Whether the score map lies over the photo.
    map: String,
    /// The key, in the link that is printed at start.
    key: String,
    /// The reviewer's name, in such a link.
    name: String,
}

pub(super) async fn home() -> Redirect {
    Redirect::to("/review")
}

/// Anything that is no route.
pub(super) async fn nowhere() -> PageError {
    PageError(HttpError::NotFound("page"))
}

pub(super) async fn list(
    extract::State(state): extract::State<State>,
    peer: Peer,
    Query(address): Query<Address>,
    headers: HeaderMap,
    reviewer: Result<Reviewer, Response>,
) -> Page {
    if !address.key.is_empty() {
        return Ok(sign_in_page::by_link(&state, peer, &headers, &address.key, &address.name).await);
    }
    let session = match reviewer {
        Ok(Reviewer(session)) => session,
        Err(response) => return Ok(response),
    };
    let desk = ListContext::new(&state, &session, address.filter.clone().into());
    let done = desk.done(&address).await?;
    let (cards, more) = desk.cards().await?;
    let counts = desk.counts().await?;
    let options = desk.options().await?;
    let mutes = if desk.filter.tab == Tab::Muted { desk.mutes().await? } else { Vec::new() };
    let page = list::ListPage {
        cards: &cards,
        more,
        filter: &desk.filter,
        counts,
        viewer: &desk.viewer,
        options: &options,
        mutes: &mutes,
        done: &done,
        zone: state.zone(),
        now: state.now(),
    };
    Ok(html(StatusCode::OK, &page.render()))
}

pub(super) async fn card(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Path(id): Path<String>,
    Query(address): Query<Address>,
) -> Page {
    let desk = ListContext::new(&state, &session, address.filter.clone().into());
    let card = desk.card(&id).await?;
    let done = desk.done(&address).await?;
    let map = !address.map.is_empty();
    CardView { done, map, ..CardView::new(&card) }.render(&desk, StatusCode::OK).await
}

/// A card as it is to be shown now.
struct CardView<'a> {
    card: &'a Card,
    fields: Option<&'a Fields>,
    complaints: &'a [FieldError],
    done: Done,
    notice: Option<&'a str>,
    map: bool,
}

impl<'a> CardView<'a> {
    fn new(card: &'a Card) -> Self {
        Self { card, fields: None, complaints: &[], done: Done::Nothing, notice: None, map: false }
    }

    async fn render(self, desk: &ListContext<'_>, status: StatusCode) -> Page {
        let choices = desk.choices(self.card.project).await?;
        let remembered = Remembered::of(&desk.last_decided(self.card.project).await?, self.card, &choices);
        let mut suggested = Fields::of(&self.card.draft, self.card, &choices);
        let own_name = desk.own_name(&choices).await?;
        let filled = self.fields.is_none() && remembered.fill(&mut suggested);
        let page = card::CardPage {
            card: self.card,
            fields: self.fields.unwrap_or(&suggested),
            complaints: self.complaints,
            choices: &choices,
            filter: &desk.filter,
            counts: desk.counts().await?,
            viewer: &desk.viewer,
            neighbours: &desk.neighbours(self.card.finding.id).await?,
            remembered: &remembered,
            muting: desk.state.muting()(self.card.project),
            filled,
            own_name: own_name.as_deref(),
            overlaid: desk.state.store().overlaid(self.card.finding.id).await?,
            map: self.map,
            others: &desk.other_photos(self.card).await?,
            beside: &NearbyItems {
                listed: desk.listed(self.card).await?,
                around: desk.around(self.card).await?,
            },
            done: &self.done,
            notice: self.notice,
            zone: desk.state.zone(),
            now: desk.state.now(),
        };
        Ok(html(status, &page.render()))
    }
}

/// A form about one finding, as it was sent.
#[derive(Debug)]
pub(super) struct SubmittedForm {
    state: State,
    id: String,
    filter: FilterQuery,
    submitted: Submitted,
}

impl FromRequest<State> for SubmittedForm {
    type Rejection = Response;

    async fn from_request(mut request: Request, state: &State) -> Result<Self, Response> {
        let Path(id) = request.extract_parts().await.map_err(PathRejection::into_response)?;
        let Query(Address { filter, .. }) =
            request.extract_parts().await.map_err(QueryRejection::into_response)?;
        let submitted = Submitted::from_request(request, state).await?;
        Ok(Self { state: state.clone(), id, filter, submitted })
    }
}

impl SubmittedForm {
    async fn check(&self) -> Result<AuthorizedForm<'_>, PageError> {
        let Submitted { session, form } = &self.submitted;
        let desk = ListContext::new(&self.state, session, self.filter.clone().into());
        let card = desk.card_to_decide(&self.id).await?;
        Ok(AuthorizedForm { desk, card, person: &session.viewer.person, form })
    }
}

/// A form about one finding, by somebody who may decide about it.
struct AuthorizedForm<'a> {
    desk: ListContext<'a>,
    card: Card,
    person: &'a Person,
    form: &'a Form,
}

impl AuthorizedForm<'_> {
    const fn id(&self) -> FindingId {
        self.card.finding.id
    }

    /// Records the verdict and leads to the next card; a conflict shows the card as it is now.
    async fn decide(self, verdict: Verdict) -> Page {
        let (id, state) = (self.id(), self.desk.state);
        let neighbours = self.desk.neighbours(id).await?;
        let (reviewer, person) = (self.person.name.clone(), Some(self.person.clone()));
        let decision = Decision { verdict, reviewer, person, at: state.now() };
        match state.store().decide(id, &decision, &state.muting()).await {
            Ok(_) => {
                tracing::info!(finding.id = %id, "a finding was decided");
                Ok(Redirect::to(&self.desk.after_decision(id, &neighbours)).into_response())
            }
            Err(store::Error::Conflict(_)) => {
                let faster = HttpError::Conflict(
                    "Someone else already decided this. Your decision was not saved.".into(),
                );
                self.desk.conflict(id, faster).await
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl ListContext<'_> {
    /// The card as it is now with why the decision was not taken; other errors stay errors.
    async fn conflict(&self, id: FindingId, error: HttpError) -> Page {
        let HttpError::Conflict(why) = &error else { return Err(PageError(error)) };
        let card = self.card(&id.to_string()).await?;
        CardView { notice: Some(why), ..CardView::new(&card) }.render(self, StatusCode::CONFLICT).await
    }
}

pub(super) async fn accept(sent: SubmittedForm) -> Page {
    let posted = sent.check().await?;
    let choices = posted.desk.choices(posted.card.project).await?;
    let fields = Fields::sent(posted.form);
    match fields.edits(&posted.card, &choices) {
        Ok(edits) => posted.decide(Verdict::Accept { edits }).await,
        Err(complaints) => {
            let shown =
                CardView { fields: Some(&fields), complaints: &complaints, ..CardView::new(&posted.card) };
            shown.render(&posted.desk, StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}

pub(super) async fn reject(sent: SubmittedForm) -> Page {
    let posted = sent.check().await?;
    let reason = posted.form.reason()?;
    posted.decide(Verdict::Reject { reason }).await
}

pub(super) async fn undo(sent: SubmittedForm) -> Page {
    let posted = sent.check().await?;
    let person = posted.person;
    match posted.desk.state.store().undo(posted.id(), person, posted.desk.state.now()).await {
        Ok(card) => {
            let back = posted.desk.filter.with_tab(Tab::ToReview);
            let before = posted.desk.last_held().await?.unwrap_or_default();
            let extra = [("undone", "1"), ("done", before.as_str())];
            Ok(Redirect::to(&back.url(&card::card_path(&card), &extra)).into_response())
        }
        Err(error) => posted.desk.conflict(posted.id(), error.into()).await,
    }
}

/// Sends what Procore refused once more.
pub(super) async fn send_again(sent: SubmittedForm) -> Page {
    let posted = sent.check().await?;
    match posted.desk.state.store().send_again(posted.id(), posted.person, posted.desk.state.now()).await {
        Ok(card) => Ok(Redirect::to(&posted.desk.filter.url(&card::card_path(&card), &[])).into_response()),
        Err(error) => posted.desk.conflict(posted.id(), error.into()).await,
    }
}

/// The entries of a long list that hold what somebody typed.
pub(super) async fn choices(
    extract::State(state): extract::State<State>,
    Reviewer(session): Reviewer,
    Path((project, list)): Path<(String, String)>,
    Query(typed): Query<Address>,
) -> Page {
    let desk = ListContext::new(&state, &session, Filter::default());
    let project = filter::parse_project(&project).ok_or(HttpError::NotFound("project"))?;
    guard::check_sight(&session.viewer, project, "project")?;
    let lists = desk.choices(project).await?;
    let list = lists.named(&list).ok_or(HttpError::NotFound("list"))?;
    let typed = Filter::from(typed.filter).search;
    let labels: Vec<&str> =
        choices::holding(list, &typed).take(MATCHES_MAX).map(|choice| choice.label.as_str()).collect();
    Ok(Json(labels).into_response())
}
