//! Reference data of companies and projects: places, trades, types, people, permissions.

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::ids::{CompanyId, LocationId, ProjectKey, PunchItemTypeId, TradeId};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::images::Person;
use crate::procore::lenient;
use crate::procore::lists::LocationNode;
use crate::procore::paging::V1_ROWS;

/// A trade of a company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    #[serde(deserialize_with = "lenient::id")]
    pub id: TradeId,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// Whether it may be given to new items.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub active: bool,
}

/// A type of punch item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PunchItemType {
    #[serde(deserialize_with = "lenient::id")]
    pub id: PunchItemTypeId,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
}

/// A company that has installed the app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Company {
    #[serde(deserialize_with = "lenient::id")]
    pub id: CompanyId,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// Whether it is a customer now.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub is_active: bool,
}

/// What the service account may do with one tool of a project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToolPermission {
    /// The tool's stable name, e.g. `punch_list`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// The name that people see.
    #[serde(default, deserialize_with = "lenient::text")]
    pub friendly_name: String,
    /// Whether the tool is open to this account at all.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub available_for_user: bool,
    /// Whether it may make new records.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub can_create: bool,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub user_access_level: Option<AccessLevel>,
}

/// A level of access to a tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccessLevel {
    /// `none`, `read_only`, `standard` or `admin`, in Procore's spelling.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
}

#[derive(Deserialize)]
pub(crate) struct Permissions {
    pub(crate) tools: Vec<ToolPermission>,
}

impl Client {
    /// The node at `path`, made with all above it where there is none.
    ///
    /// # Errors
    /// When it cannot be had, e.g. because the service may not make locations ([`Error::Forbidden`]).
    pub async fn find_or_create_location(
        &self,
        project: ProjectKey,
        path: &[String],
    ) -> Result<LocationId, Error> {
        self.permit(project)?;
        let address = format!("/rest/v1.0/projects/{}/locations/find_or_create_by_path", project.project);
        let call =
            Call::new(Method::POST, project.company, address).body(json!({ "location": { "path": path } }));
        let node: LocationNode = self.one("the location", &call).await?;
        Ok(node.id)
    }

    /// Who this service is in the company: what it did itself must not start new work.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn me(&self, company: CompanyId) -> Result<Person, Error> {
        self.permit_company(company)?;
        self.one("the service account", &Call::get(company, "/rest/v1.0/me").query("company_id", company))
            .await
    }

    /// What Procore's clock shows, if it tells, and the service account.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn clock(&self, company: CompanyId) -> Result<(Option<Timestamp>, Person), Error> {
        self.permit_company(company)?;
        let call = Call::get(company, "/rest/v1.0/me").query("company_id", company);
        let answer = self.send(&call).await?;
        Ok((answer.date, answer.read("the service account")?))
    }

    /// The companies that have installed the app, asked for through one that is permitted.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn companies(&self, through: CompanyId) -> Result<Vec<Company>, Error> {
        self.permit_company(through)?;
        self.list("companies", Call::get(through, "/rest/v1.0/companies"), V1_ROWS).await
    }

    /// What the service account may do in the project.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn permissions(&self, project: ProjectKey) -> Result<Vec<ToolPermission>, Error> {
        self.permit(project)?;
        let call = Call::get(project.company, "/rest/v1.0/settings/permissions");
        let all: Permissions = self.one("permissions", &call.query("project_id", project.project)).await?;
        Ok(all.tools)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, Stub};

    #[tokio::test]
    async fn reference_data_is_read_from_where_it_is() {
        let stub = Stub::api(|seen| match seen.path.as_str() {
            "/rest/v1.0/projects/6778/locations" => {
                Reply::ok(include_str!("../../fixtures/procore/locations.json"))
            }
            "/rest/v1.0/companies/8/trades" => Reply::ok(include_str!("../../fixtures/procore/trades.json")),
            "/rest/v1.0/punch_item_types" => {
                Reply::ok(include_str!("../../fixtures/procore/punch_item_types.json"))
            }
            "/rest/v1.0/projects/6778/available_punch_item_managers" => {
                Reply::ok(include_str!("../../fixtures/procore/managers.json"))
            }
            "/rest/v1.0/me" => Reply::ok(include_str!("../../fixtures/procore/me.json")),
            "/rest/v1.0/companies" => Reply::ok(include_str!("../../fixtures/procore/companies.json")),
            "/rest/v1.0/settings/permissions" => {
                Reply::ok(include_str!("../../fixtures/procore/permissions.json"))
            }
            _ => Reply::json(404, "{}"),
        })
        .await;
        let (client, company) = (stub.client(), PROJECT.company);
        assert_eq!(client.locations(PROJECT).await.expect("locations").len(), 3);
        let trades = client.trades(company).await.expect("trades");
        assert_eq!(trades.iter().map(|trade| trade.active).collect::<Vec<_>>(), [true, false]);
        assert_eq!(client.punch_item_types(PROJECT).await.expect("types")[0].name, "Finish");
        assert_eq!(client.managers(PROJECT).await.expect("managers")[0].id.value(), 88_120);
        assert_eq!(client.me(company).await.expect("me").id.value(), 90_017);
        assert_eq!(client.companies(company).await.expect("companies")[0].id, company);
        let tools = client.permissions(PROJECT).await.expect("permissions");
        let level = |tool: &ToolPermission| tool.user_access_level.as_ref().map(|level| level.name.clone());
        assert_eq!(tools.iter().filter_map(level).collect::<Vec<_>>(), ["read_only", "standard"]);
    }
}
