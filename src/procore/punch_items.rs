//! Punch items: made as drafts, looked up by reference, changed, deleted.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::delivery::{DRAFT, ItemChange, RemoteItem};
use crate::domain::fields::FieldValues;
use crate::domain::ids::{
    ImageId, LocationId, ProjectId, ProjectKey, PunchItemId, PunchItemTypeId, REFERENCE_MARK, TradeId, UserId,
};
use crate::domain::punch_item::{Priority, PunchItemDraft};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::images::{Person, time_range};
use crate::procore::lenient;
use crate::procore::paging::HEAVY_ROWS;

pub(crate) const PATH: &str = "/rest/v1.1/punch_items";

/// How comments of this service begin.
pub const COMMENT_START: &str = "Seen again in ";

/// What making an item takes at most: a change within that time is part of it.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(5);

/// By what a comment about a photo is known.
pub fn comment_mark(image: ImageId) -> String {
    format!("photo {image}")
}

/// A punch item as Procore answers. Almost everything may be missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PunchItem {
    #[serde(deserialize_with = "lenient::id")]
    pub id: PunchItemId,
    /// The number that people see; not unique.
    #[serde(default, deserialize_with = "lenient::opt_integer")]
    pub position: Option<i64>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub description: String,
    /// `draft`, `initiated`, …; empty when Procore does not say, which is no draft.
    #[serde(default, deserialize_with = "lenient::text")]
    pub workflow_status: String,
    /// `low`, `medium` or `high`, as text because companies have more.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub priority: Option<String>,
    /// What ties it to a finding.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub reference: Option<String>,
    /// When it should be mended; sent as `due`.
    #[serde(default, deserialize_with = "lenient::opt_date")]
    pub due_date: Option<Date>,
    /// When it was made.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub created_at: Option<Timestamp>,
    /// When it changed last.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub updated_at: Option<Timestamp>,
    /// When it was closed, if it is.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub closed_at: Option<Timestamp>,
    /// When it was moved to the recycle bin, if it was.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub deleted_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub created_by: Option<Person>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub punch_item_manager: Option<Person>,
    /// Who has to act next.
    #[serde(default, deserialize_with = "lenient::side_list")]
    pub ball_in_court: Vec<Person>,
    // Lists tell neither photos nor files nor comments. The photos are deprecated: they may be missing, or have the
    // ids of files.
    #[serde(default, deserialize_with = "lenient::side_list")]
    images: Vec<Named<ImageId>>,
    #[serde(default, deserialize_with = "lenient::side_list")]
    attachments: Vec<Named<i64>>,
    #[serde(default, deserialize_with = "lenient::side_list")]
    comments: Vec<Comment>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    location: Option<Named<LocationId>>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    trade: Option<Named<TradeId>>,
}

/// An object of which only the id matters here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound(deserialize = "T: serde::de::DeserializeOwned"))]
struct Named<T> {
    #[serde(deserialize_with = "lenient::id")]
    id: T,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Comment {
    #[serde(default, deserialize_with = "lenient::text")]
    body: String,
}

impl PunchItem {
    /// Whether Procore shows the photo as attached. That it does not is no proof that it is not.
    pub fn shows(&self, image: ImageId) -> bool {
        self.images.iter().any(|shown| shown.id == image)
    }

    /// Whether the item has no other pictures and files than `known`, as far as Procore shows them.
    pub fn has_only(&self, known: &[ImageId]) -> bool {
        let ours = self.images.iter().all(|image| known.contains(&image.id));
        (ours && self.attachments.is_empty()) || self.images.len().max(self.attachments.len()) < known.len()
    }

    /// Whether a comment tells of the photo.
    pub fn comment_tells_of(&self, image: ImageId) -> bool {
        let mark = comment_mark(image);
        let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_ascii_digit());
        let tells = |body: &str| body.match_indices(&mark).any(|(at, found)| ends(&body[at + found.len()..]));
        self.comments.iter().any(|comment| tells(&comment.body))
    }

    /// Whether somebody else than this service commented on it.
    fn is_commented(&self) -> bool {
        let ours = |body: &str| body.contains(COMMENT_START) && body.contains(REFERENCE_MARK);
        self.comments.iter().any(|comment| !ours(&comment.body))
    }

    /// Where it is.
    pub fn location(&self) -> Option<LocationId> {
        self.location.as_ref().map(|location| location.id)
    }

    /// Whose work it is.
    pub fn trade(&self) -> Option<TradeId> {
        self.trade.as_ref().map(|trade| trade.id)
    }

    /// What a plan needs to know of it.
    pub fn to_remote(&self) -> RemoteItem {
        RemoteItem {
            id: self.id,
            position: self.position,
            workflow_status: self.workflow_status.clone(),
            deleted: self.deleted_at.is_some(),
            title: self.name.clone(),
            description: self.description.clone(),
            priority: self.priority.as_deref().and_then(|name| name.to_lowercase().parse().ok()),
            location: self.location(),
            trade: self.trade(),
            manager: self.punch_item_manager.as_ref().map(|manager| manager.id),
            creator: self.created_by.as_ref().map(|creator| creator.id),
            ball_in_court: self.ball_in_court.iter().filter_map(|person| person.name.clone()).collect(),
            revised: self
                .created_at
                .zip(self.updated_at)
                .is_none_or(|(made, changed)| changed - made > AT_ONCE),
            commented: self.is_commented(),
        }
    }
}

/// The `punch_item` object of a request, in Procore's own names; absent fields stay as they are.
#[derive(Debug, Default, Serialize)]
#[serde(default)]
struct Fields<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_id: Option<LocationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade_id: Option<TradeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    punch_item_type_id: Option<PunchItemTypeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    punch_item_manager_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_approver_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<bool>,
    #[serde(skip_serializing_if = "<[ImageId]>::is_empty")]
    image_ids: &'a [ImageId],
    #[serde(flatten)]
    further: Option<&'a FieldValues>,
}

impl<'a> Fields<'a> {
    fn of_draft(draft: &'a PunchItemDraft) -> Self {
        Self {
            name: &draft.title,
            description: Some(&draft.description),
            workflow_status: Some(DRAFT),
            reference: Some(&draft.reference),
            location_id: draft.location,
            trade_id: draft.trade,
            punch_item_type_id: draft.item_type,
            punch_item_manager_id: draft.manager,
            final_approver_id: draft.approver,
            priority: Some(draft.priority),
            due: draft.due,
            private: Some(false),
            image_ids: &draft.images,
            further: Some(&draft.fields),
        }
    }

    fn of_change(change: &'a ItemChange, current_title: &'a str) -> Self {
        let edits = &change.edits;
        Self {
            name: edits.title.as_deref().unwrap_or(current_title),
            description: edits.description.as_deref(),
            workflow_status: change.workflow_status.as_deref(),
            location_id: edits.location,
            trade_id: edits.trade,
            punch_item_manager_id: edits.manager,
            priority: edits.priority,
            due: edits.due,
            ..Self::default()
        }
    }

    fn body(&self, project: ProjectId) -> serde_json::Value {
        json!({ "project_id": project, "punch_item": self })
    }
}

impl Client {
    /// Makes `draft` a punch item in the draft state. The caller checks that the answer says so.
    ///
    /// # Errors
    /// When [`Error::outcome_in_doubt`], look it up by reference before trying again.
    pub async fn create_punch_item(
        &self,
        project: ProjectKey,
        draft: &PunchItemDraft,
    ) -> Result<PunchItem, Error> {
        self.permit(project)?;
        let call = Call::new(Method::POST, project.company, PATH)
            .body(Fields::of_draft(draft).body(project.project))
            .idempotency(&draft.reference);
        self.one("the new punch item", &call).await
    }

    /// One punch item, also when it lies in the recycle bin.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn punch_item(&self, project: ProjectKey, id: PunchItemId) -> Result<PunchItem, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, format!("{PATH}/{id}"))
            .query("project_id", project.project)
            .query("include_deleted", true);
        self.one("a punch item", &call).await
    }

    /// Changes a punch item. Procore wants its title with every change, so `current_title` is sent
    /// where the change has none.
    ///
    /// # Errors
    /// When it cannot be changed, e.g. because somebody sent it on meanwhile ([`Error::Forbidden`]).
    pub async fn update_punch_item(
        &self,
        project: ProjectKey,
        id: PunchItemId,
        current_title: &str,
        change: &ItemChange,
    ) -> Result<PunchItem, Error> {
        self.permit(project)?;
        let call = Call::new(Method::PATCH, project.company, format!("{PATH}/{id}"))
            .body(Fields::of_change(change, current_title).body(project.project));
        self.one("the changed punch item", &call).await
    }

    /// Moves a punch item to the recycle bin.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete_punch_item(&self, project: ProjectKey, id: PunchItemId) -> Result<(), Error> {
        self.permit(project)?;
        let call = Call::new(Method::DELETE, project.company, format!("{PATH}/{id}"))
            .query("project_id", project.project);
        self.send(&call).await.map(drop)
    }

    /// The items that carry `reference` and changed between two instants by Procore's clock, the oldest first. Procore
    /// cannot search for references, so all items of that time are read and compared here.
    ///
    /// # Errors
    /// When any page cannot be had: not having found it is then no proof that it is not there.
    pub async fn punch_items_with(
        &self,
        project: ProjectKey,
        reference: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PunchItem>, Error> {
        let skew = Duration::from_secs(self.config().clock_skew_s.into());
        let from = from.checked_sub(skew).unwrap_or(Timestamp::MIN);
        let to = to.checked_add(skew).unwrap_or(Timestamp::MAX);
        let mut items = self.punch_items_changed(project, from, to).await?;
        items.retain(|item| item.reference.as_deref() == Some(reference));
        items.sort_by_key(|item| item.id);
        Ok(items)
    }

    /// The items that changed between two instants, drafts included; those in the recycle bin are not listed.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn punch_items_changed(
        &self,
        project: ProjectKey,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<PunchItem>, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, PATH)
            .query("project_id", project.project)
            .query("filters[updated_at]", time_range(from, to));
        self.list("punch items", call, HEAVY_ROWS).await
    }

    /// Every item of the project, drafts included; those in the recycle bin are not listed.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn all_punch_items(&self, project: ProjectKey) -> Result<Vec<PunchItem>, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, PATH).query("project_id", project.project);
        self.list("punch items", call, HEAVY_ROWS).await
    }

    /// The items in the recycle bin.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn binned_punch_items(&self, project: ProjectKey) -> Result<Vec<PunchItem>, Error> {
        self.permit(project)?;
        let call =
            Call::get(project.company, format!("{PATH}/recycle_bin")).query("project_id", project.project);
        let (what, mut items) = ("the recycle bin", Vec::<PunchItem>::new());
        // Of pages this operation says nothing; where there are some all the same, they are asked for.
        for page in 1..=self.config().max_pages {
            let asked = if page == 1 { call.clone() } else { call.clone().query("page", page) };
            let answer = self.send(&asked).await?;
            items.extend(answer.read::<Vec<PunchItem>>(what)?);
            if answer.next.is_none() {
                break;
            }
        }
        // That it lies there says that it is deleted, whether or not its row does.
        for item in &mut items {
            item.deleted_at = item.deleted_at.or(Some(Timestamp::UNIX_EPOCH));
        }
        Ok(items)
    }

    /// Those of `ids` that are there; ids that are gone are left out by Procore.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn punch_items(
        &self,
        project: ProjectKey,
        ids: &[PunchItemId],
    ) -> Result<Vec<PunchItem>, Error> {
        self.permit(project)?;
        let mut items = Vec::new();
        for ids in ids.chunks(self.config().ids_per_call.max(1)) {
            let call = Call::get(project.company, PATH).query("project_id", project.project);
            let call = ids.iter().fold(call, |call, id| call.query("filters[id][]", id));
            items.extend(self.list::<PunchItem>("punch items", call, HEAVY_ROWS).await?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests;
