//! What Procore tried to deliver: the gaps that healing closes.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Hook, HookApi, HookScope, scoped};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::paging::SMALLEST_CAP;

/// Rows of a page of deliveries in v1.0, as in Procore's guide.
const OLD_ROWS: usize = 100;

/// Which deliveries to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Given up after 12 hours.
    Discarded,
    /// Not accepted, perhaps tried again.
    Failed,
}

impl DeliveryStatus {
    const fn name(self, api: HookApi) -> &'static str {
        match (self, api) {
            (Self::Discarded, _) => "discarded",
            (Self::Failed, HookApi::V2) => "failed",
            (Self::Failed, HookApi::V1) => "failing",
        }
    }

    /// Whether a row in this state was asked for. The filter goes by two spellings, and one that is not
    /// known is passed over without a word: so the rows themselves are believed.
    fn fits(self, told: Option<&str>) -> bool {
        match (self, told) {
            (_, None) => true,
            (Self::Discarded, Some(told)) => told == "discarded",
            (Self::Failed, Some(told)) => matches!(told, "failed" | "failing" | "retrying"),
        }
    }
}

/// A delivery that Procore made or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id within its hook; of v1.0, the event's.
    pub id: String,
    /// The body as JSON, to be read like one that arrived.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct WireDelivery {
    #[serde(alias = "event_id", deserialize_with = "lenient::text")]
    id: String,
    #[serde(default, alias = "outcome", deserialize_with = "lenient::opt_text")]
    status: Option<String>,
    #[serde(alias = "event")]
    payload: Value,
}

impl Client {
    /// The hook's deliveries in `status`, as far back as Procore keeps them.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn deliveries(
        &self,
        scope: impl Into<HookScope>,
        hook: &Hook,
        status: DeliveryStatus,
    ) -> Result<Vec<Delivery>, Error> {
        let scope = scope.into();
        self.permit_scope(scope)?;
        let call = Call::get(scope.company(), format!("{}/deliveries", hook.path(scope)));
        // The guide writes `filter`, the reference of v1.0 `filters`: where one is refused, the other is tried.
        let spellings = match hook.api {
            HookApi::V2 => ["filter[status]", "filters[status]"],
            HookApi::V1 => ["filters[status]", "filter[status]"],
        };
        let asked = |spelling| scoped(call.clone(), hook.api, scope).query(spelling, status.name(hook.api));
        let rows = match self.delivery_rows(hook.api, asked(spellings[0])).await {
            Err(Error::Rejected { status: 400 | 406 | 422, .. }) => {
                self.delivery_rows(hook.api, asked(spellings[1])).await?
            }
            outcome => outcome?,
        };
        let delivery =
            |row: WireDelivery| Delivery { id: row.id, body: row.payload.to_string().into_bytes() };
        Ok(rows.into_iter().filter(|row| status.fits(row.status.as_deref())).map(delivery).collect())
    }

    async fn delivery_rows(&self, api: HookApi, call: Call) -> Result<Vec<WireDelivery>, Error> {
        match api {
            HookApi::V2 => self.list_v2("deliveries", call).await,
            HookApi::V1 => self.old_deliveries(&call).await,
        }
    }

    /// v1.0 pages by the last id instead of by number, and says nothing of how many there are: a page without a new
    /// delivery is the last one. The server may cut pages shorter than asked.
    async fn old_deliveries(&self, call: &Call) -> Result<Vec<WireDelivery>, Error> {
        let call = call.clone().query("page_size", self.config().per_page.min(OLD_ROWS));
        let (mut all, mut ids, mut asked) = (Vec::<WireDelivery>::new(), HashSet::new(), call.clone());
        for _ in 0..self.config().max_pages {
            let rows: Vec<WireDelivery> = self.one("deliveries", &asked).await?;
            let new = rows.iter().filter(|row| ids.insert(row.id.clone())).count();
            let may_be_full = rows.len() >= self.config().per_page.min(SMALLEST_CAP);
            all.extend(rows);
            match all.last().filter(|_| may_be_full && new > 0) {
                Some(last) => asked = call.clone().query("page_start", &last.id),
                None => return Ok(all),
            }
        }
        let limit = format!("{} pages", self.config().max_pages);
        Err(Error::TooLarge { what: "deliveries", limit, key: "procore.max_pages" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, Stub};
    use crate::procore::webhook;

    const NEW: &str = include_str!("../../../fixtures/procore/hooks/v2_deliveries.json");
    const OLD: &str = include_str!("../../../fixtures/procore/hooks/v1_deliveries.json");

    fn hook(api: HookApi) -> Hook {
        Hook {
            id: "3301".into(),
            api,
            namespace: "punchlens".into(),
            destination_url: "https://x".into(),
            payload_version: None,
            disabled: false,
            authorization: None,
        }
    }

    #[tokio::test]
    async fn lost_events_can_be_read_like_delivered_ones() {
        let stub =
            Stub::api(|seen| Reply::ok(if seen.path.starts_with("/rest/v2.0") { NEW } else { OLD })).await;
        for (api, key) in [
            (HookApi::V2, "event:01JZ0C9HF3A7S5K2M8P4R6T1VW"),
            (HookApi::V1, "event:01JZ0C7M4Q8W2D5T9V1B3N6XKR"),
        ] {
            let lost = stub.client().deliveries(PROJECT, &hook(api), DeliveryStatus::Discarded).await;
            let [lost] = &lost.expect("listed")[..] else { panic!("one delivery") };
            let parsed = webhook::parse(&lost.body);
            assert_eq!(parsed.dedupe_key, key);
            assert_eq!(parsed.event.map(|event| event.resource_id), Some(562_950_311_224_001));
        }
        let calls = stub.calls();
        assert_eq!(calls[0].asked("filter[status]"), ["discarded"]);
        assert_eq!(calls[1].asked("filters[status]"), ["discarded"]);
        assert_eq!(calls[1].asked("project_id"), ["6778"]);
    }

    #[tokio::test]
    async fn both_spellings_of_the_filter_are_survived() {
        let refuses = |spelling: &'static str| {
            Stub::api(move |seen: &crate::procore::stub::Seen| {
                if !seen.asked(spelling).is_empty() {
                    return Reply::json(400, "{}");
                }
                Reply::ok(if seen.path.starts_with("/rest/v2.0") { NEW } else { OLD })
            })
        };
        for (api, spelling) in [(HookApi::V2, "filter[status]"), (HookApi::V1, "filters[status]")] {
            let stub = refuses(spelling).await;
            let lost = stub.client().deliveries(PROJECT, &hook(api), DeliveryStatus::Discarded).await;
            assert_eq!((lost.expect("listed").len(), stub.calls().len()), (1, 2), "{api:?}");
        }
    }

    #[tokio::test]
    async fn a_filter_that_is_passed_over_heals_nothing_twice() {
        let rows = r#"[{"event_id": 1, "outcome": "ok", "event": {}},
                       {"event_id": 2, "outcome": "discarded", "event": {}},
                       {"event_id": 3, "outcome": "failed", "event": {}}]"#;
        let stub = Stub::api(move |_| Reply::ok(rows)).await;
        let listed = async |status| {
            let rows = stub.client().deliveries(PROJECT, &hook(HookApi::V1), status).await.expect("listed");
            rows.into_iter().map(|delivery| delivery.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(DeliveryStatus::Discarded).await, ["2"]);
        assert_eq!(listed(DeliveryStatus::Failed).await, ["3"]);
    }

    #[tokio::test]
    async fn the_old_api_pages_by_the_last_id() {
        let stub = Stub::api(|seen| match seen.asked("page_start")[..] {
            [] => Reply::ok(r#"[{"event_id": 1, "event": {}}, {"event_id": 2, "event": {}}]"#),
            ["2"] => Reply::ok(r#"[{"event_id": 3, "event": {}}]"#),
            _ => Reply::json(400, "{}"),
        })
        .await;
        let config = crate::procore::Config { per_page: 2, ..stub.config() };
        let client = Client::new(&config, None).expect("complete");
        let all =
            client.deliveries(PROJECT, &hook(HookApi::V1), DeliveryStatus::Failed).await.expect("listed");
        assert_eq!(all.iter().map(|delivery| delivery.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    }
}
