//! Punch items that are there already: which are open at a place, and photos brought to them.

use reqwest::Method;
use serde_json::json;

use crate::domain::ids::{ImageId, LocationId, ProjectKey, PunchItemId};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::paging::HEAVY_ROWS;
use crate::procore::punch_items::{PATH, PunchItem};

impl Client {
    /// The items at any of `locations` that are neither closed nor deleted, drafts included.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn open_punch_items(
        &self,
        project: ProjectKey,
        locations: &[LocationId],
    ) -> Result<Vec<PunchItem>, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, PATH).query("project_id", project.project);
        let call = locations.iter().fold(call, |call, id| call.query("filters[location_id][]", id));
        let items: Vec<PunchItem> = self.list("punch items", call, HEAVY_ROWS).await?;
        let open = |item: &PunchItem| item.deleted_at.is_none() && item.workflow_status != "closed";
        Ok(items.into_iter().filter(open).collect())
    }

    /// Attaches photos of the Photos tool to a punch item. `images` are all that it is to have; Procore wants the
    /// title with every change.
    ///
    /// # Errors
    /// When it cannot be changed, e.g. because it is somebody else's ([`Error::Forbidden`]).
    pub async fn attach_images(
        &self,
        project: ProjectKey,
        id: PunchItemId,
        current_title: &str,
        images: &[ImageId],
    ) -> Result<PunchItem, Error> {
        self.permit(project)?;
        let fields = json!({ "name": current_title, "image_ids": images });
        let call = Call::new(Method::PATCH, project.company, format!("{PATH}/{id}"))
            .body(json!({ "project_id": project.project, "punch_item": fields }));
        self.one("the changed punch item", &call).await
    }

    /// Says something about a punch item.
    ///
    /// # Errors
    /// When it cannot be said; when [`Error::outcome_in_doubt`], look at the item's comments before saying it again.
    pub async fn comment_on_punch_item(
        &self,
        project: ProjectKey,
        id: PunchItemId,
        body: &str,
    ) -> Result<(), Error> {
        self.permit(project)?;
        let call = Call::new(Method::POST, project.company, format!("/rest/v1.0/punch_items/{id}/comments"))
            .query("project_id", project.project)
            .body(json!({ "comment": { "body": body } }));
        self.send(&call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, Stub};

    #[tokio::test]
    async fn photos_are_attached_and_told_of() {
        const ITEM: &str = include_str!("../../fixtures/procore/punch_item.json");
        let stub =
            Stub::api(|seen| if seen.method == "POST" { Reply::json(201, "{}") } else { Reply::ok(ITEM) })
                .await;
        let (client, id) = (stub.client(), PunchItemId::new(7));
        client
            .attach_images(PROJECT, id, "Crack", &[ImageId::new(5), ImageId::new(6)])
            .await
            .expect("attached");
        client.comment_on_punch_item(PROJECT, id, "Seen again.").await.expect("said");
        let [attach, comment] = &stub.calls()[..] else { panic!("two calls") };
        assert_eq!(attach.call(), "PATCH /rest/v1.1/punch_items/7");
        assert_eq!(
            attach.body,
            json!({ "project_id": 6778, "punch_item": { "name": "Crack", "image_ids": [5, 6] } })
        );
        assert_eq!(comment.call(), "POST /rest/v1.0/punch_items/7/comments");
        assert_eq!(comment.body, json!({ "comment": { "body": "Seen again." } }));
        assert_eq!(comment.asked("project_id"), ["6778"]);
    }
}
