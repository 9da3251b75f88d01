use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::json;

use super::*;
use crate::simulator::{Delivery, DeliveryState, Faults, WebhookFaults};

/// What a receiver got, and what it is to answer.
#[derive(Debug, Default)]
struct Got {
    events: Vec<(String, Value)>,
    answers: Vec<u16>,
}

#[derive(Debug, Clone)]
struct Receiver {
    url: String,
    got: Arc<Mutex<Got>>,
}

impl Receiver {
    /// Answers with `answers` in turn, then with 204.
    async fn start(answers: &[u16]) -> Self {
        let got = Arc::new(Mutex::new(Got { events: Vec::new(), answers: answers.to_vec() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let app = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&got));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, got }
    }

    fn events(&self) -> Vec<Value> {
        self.got.lock().expect("whole").events.iter().map(|(_, event)| event.clone()).collect()
    }
}

async fn receive(State(got): State<Arc<Mutex<Got>>>, headers: HeaderMap, body: String) -> StatusCode {
    let mut got = got.lock().expect("whole");
    let secret = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    got.events.push((secret.to_owned(), serde_json::from_str(&body).expect("JSON")));
    let answer = if got.answers.is_empty() { 204 } else { got.answers.remove(0) };
    StatusCode::from_u16(answer).expect("a status")
}

const SECRET: &str = "Bearer 0123456789abcdef0123456789abcdef";
const V2: &str = "rest/v2.0/companies/8/projects/6778/webhooks/hooks";

async fn hook_v2(site: &Site, url: &str, version: &str, resources: &[&str]) -> String {
    let body = json!({ "payload_version": version, "namespace": "punchlens", "destination_url": url,
        "destination_headers": { "Authorization": SECRET } });
    let (status, hook) = site.post(V2, body).await;
    assert_eq!(status, 201, "{hook}");
    let id = hook["data"]["id"].as_str().expect("an id").to_owned();
    for resource in resources {
        for event in ["create", "update", "delete"] {
            let trigger = json!({ "resource_name": resource, "event_type": event });
            assert_eq!(site.post(&format!("{V2}/{id}/triggers"), trigger).await.0, 201);
        }
    }
    id
}

fn states(site: &Site) -> Vec<DeliveryState> {
    site.simulator.deliveries().iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn hooks_are_made_listed_changed_and_removed_in_both_forms() {
    let site = Site::start(options()).await;
    let id = hook_v2(&site, "https://edge.example.com/hook", "v4.0", &[]).await;
    let (_, list) = site.get(&format!("{V2}?namespace=punchlens")).await;
    assert_eq!(list["data"][0]["destination_headers"]["Authorization"], "*****bcdef");
    let triggers = json!([{ "resource_name": "Images", "event_type": "create" }, { "resource_name": "Trades", "event_type": "create" }]);
    assert_eq!(
        site.post(&format!("{V2}/{id}/triggers/bulk"), triggers).await.0,
        207,
        "trades are the company's"
    );
    let (_, triggers) = site.get(&format!("{V2}/{id}/triggers")).await;
    assert_eq!(triggers["data"][0]["resource_name"], "Images");
    let (status, changed) =
        site.patch(&format!("{V2}/{id}"), json!({ "destination_url": "https://two.example.com/" })).await;
    assert_eq!((status, &changed["data"]["destination_url"]), (200, &json!("https://two.example.com/")));
    let trigger = format!("{V2}/{id}/triggers/{}", triggers["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(site.delete(&trigger).await.0, 204);
    assert_eq!(site.get(&format!("{V2}/{id}")).await.0, 200);
    assert_eq!(site.delete(&format!("{V2}/{id}")).await.0, 204);
    assert_eq!(site.get(&format!("{V2}/{id}")).await.0, 404);

    let v1 = "rest/v1.0/webhooks/hooks";
    let hook = json!({ "api_version": "v2", "namespace": "punchlens", "destination_url": "https://edge.example.com/",
        "destination_headers": { "Authorization": SECRET } });
    let (status, hook) = site.post(v1, json!({ "project_id": PROJECT, "hook": hook })).await;
    assert_eq!((status, &hook["destination_headers"]["Authorization"]), (201, &json!("...bcdef")));
    let trigger = json!({ "project_id": PROJECT, "api_version": "v2", "trigger": { "resource_name": "Images", "event_type": "create" } });
    let (status, trigger) = site.post(&format!("{v1}/{}/triggers", hook["id"]), trigger).await;
    assert_eq!((status, &trigger["event_type"]), (201, &json!("CREATE")));
    assert_eq!(site.get(&format!("{v1}?project_id=6778")).await.1[0]["id"], hook["id"]);
    assert_eq!(
        site.get(&format!("{v1}/{}/triggers?project_id=6778", hook["id"])).await.1[0]["id"],
        trigger["id"]
    );
    assert_eq!(site.get("rest/v1.0/webhooks/resources?project_id=6778").await.0, 200);
    assert_eq!(site.get("rest/v1.0/webhooks/resources/api_versions?project_id=6778").await.0, 200);
    assert_eq!(site.delete(&format!("{v1}/{}?project_id=6778", hook["id"])).await.0, 200);
    let resources = "webhooks/resources?payload_version=v4.0&per_page=100";
    let (_, project) = site.get(&format!("rest/v2.0/companies/8/projects/6778/{resources}")).await;
    let (_, company) = site.get(&format!("rest/v2.0/companies/8/{resources}")).await;
    assert!(project.to_string().contains("\"Images\"") && !company.to_string().contains("\"Images\""));
    site.keeps_the_contract();
}

#[tokio::test]
async fn each_family_tells_a_photo_its_own_way() {
    let site = Site::start(options()).await;
    let mut receivers = Vec::new();
    for version in ["v2.0", "v3.0", "v4.0"] {
        let receiver = Receiver::start(&[]).await;
        hook_v2(&site, &receiver.url, version, &["Images"]).await;
        receivers.push(receiver);
    }
    let id = site.photo("1.jpg").await;
    site.simulator.quiet().await;
    let [v2, v3, v4] = receivers.try_into().expect("three");
    let event = v2.events().remove(0);
    assert_eq!((&event["resource_name"], &event["event_type"]), (&json!("Images"), &json!("create")));
    assert_eq!((&event["resource_id"], &event["api_version"]), (&json!(id), &json!("v2.0")));
    assert!(event["id"].as_i64().is_some_and(|id| id > 1 << 53));
    assert_eq!(v3.events()[0]["related_resources"], json!([]));
    let event = v4.events().remove(0);
    let mut keys: Vec<&String> = event.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        ["company_id", "id", "project_id", "reason", "resource_id", "resource_type", "timestamp", "user_id"]
    );
    assert_eq!((&event["reason"], &event["resource_id"]), (&json!("create"), &json!(id.to_string())));
    assert!(v4.got.lock().expect("whole").events.iter().all(|(secret, _)| secret == SECRET));
}

#[tokio::test]
async fn company_hooks_hear_of_the_company_and_both_forms_take_bulk() {
    let site = Site::start(options()).await;
    let receiver = Receiver::start(&[]).await;
    let hooks = "rest/v2.0/companies/8/webhooks/hooks";
    let body =
        json!({ "payload_version": "v2.0", "namespace": "punchlens", "destination_url": receiver.url });
    let (status, hook) = site.post(hooks, body).await;
    assert_eq!(status, 201);
    let one = format!("{hooks}/{}", hook["data"]["id"].as_str().expect("an id"));
    let bulk = json!([{ "resource_name": "Trades", "event_type": "create" }, { "resource_name": "Projects", "event_type": "update" }]);
    let (status, made) = site.post(&format!("{one}/triggers/bulk"), bulk).await;
    assert_eq!(status, 201);
    let ids = json!([made["data"][1]["id"]]);
    let bulk = site.request(Method::DELETE, &format!("{one}/triggers/bulk")).json(&ids);
    assert_eq!(site.send(bulk).await, (200, json!({ "data": { "succeeded": ids } })));
    let trade = site.simulator.add_trade("09 - Plaster");
    site.photo("1.jpg").await;
    site.simulator.quiet().await;
    let events = receiver.events();
    let [event] = events.as_slice() else { panic!("one event, not {events:?}") };
    assert_eq!((&event["resource_id"], &event["project_id"]), (&json!(trade), &Value::Null));
    assert_eq!(site.patch(&one, json!({ "status": "disabled" })).await.1["data"]["status"], "disabled");

    let hook = json!({ "api_version": "v2", "destination_url": receiver.url });
    let (_, hook) =
        site.post("rest/v1.0/webhooks/hooks", json!({ "project_id": PROJECT, "hook": hook })).await;
    let one = format!("rest/v1.0/webhooks/hooks/{}", hook["id"]);
    let trigger = |name: &str| json!({ "resource_name": name, "event_type": "update" });
    let bulk = json!({ "project_id": PROJECT, "api_version": "v2", "triggers": [trigger("Images"), trigger("Trades")] });
    let (status, made) = site.post(&format!("{one}/triggers/bulk"), bulk).await;
    assert_eq!((status, made["failed"].as_array().map(Vec::len)), (207, Some(1)));
    let change = json!({ "project_id": PROJECT, "hook": { "namespace": "punchlens-2" } });
    assert_eq!(site.patch(&one, change).await.1["namespace"], "punchlens-2");
    site.keeps_the_contract();
}

#[tokio::test]
async fn one_failure_holds_everything_up_and_backs_off() {
    let site = Site::start(options()).await;
    let receiver = Receiver::start(&[500, 400]).await;
    let hook = hook_v2(&site, &receiver.url, "v4.0", &["Images"]).await;
    for name in ["1.jpg", "2.jpg"] {
        site.photo(name).await;
    }
    let attempts = |deliveries: &[Delivery]| deliveries[0].attempts.len();
    site.simulator.until(|simulator| attempts(&simulator.deliveries()) == 1).await;
    assert_eq!(states(&site), [DeliveryState::Retrying, DeliveryState::Enqueued]);
    site.simulator.advance(Duration::from_secs(1));
    site.simulator.until(|simulator| attempts(&simulator.deliveries()) == 2).await;
    site.simulator.advance(Duration::from_secs(1));
    assert_eq!(receiver.events().len(), 2, "the second wait is two seconds");
    site.simulator.advance(Duration::from_secs(1));
    site.simulator.quiet().await;
    assert_eq!(states(&site), [DeliveryState::Delivered; 2]);
    let ids: Vec<Value> = receiver.events().iter().map(|event| event["id"].clone()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3]);
    let (_, history) = site.get(&format!("{V2}/{hook}/deliveries?filter[status]=succeeded")).await;
    assert_eq!(history["data"][0]["delivery_attempts"].as_array().map(Vec::len), Some(3));
    let (_, old) = site.get(&format!("rest/v1.0/webhooks/hooks/{hook}/deliveries?project_id=6778")).await;
    assert_eq!((&old[0]["outcome"], &old[1]["outcome"]), (&json!("retried"), &json!("ok")));
    site.keeps_the_contract();
}

#[tokio::test]
async fn after_twelve_hours_the_queue_is_flushed() {
    let site = Site::start(options()).await;
    let receiver = Receiver::start(&[503]).await;
    let hook = hook_v2(&site, &receiver.url, "v2.0", &["Images"]).await;
    for name in ["1.jpg", "2.jpg", "3.jpg"] {
        site.photo(name).await;
    }
    site.simulator
        .until(|simulator| simulator.deliveries().iter().any(|delivery| !delivery.attempts.is_empty()))
        .await;
    site.simulator.advance(Duration::from_hours(12));
    site.simulator.quiet().await;
    assert_eq!(states(&site), [DeliveryState::Discarded; 3]);
    let mut site = site;
    site.login().await;
    let (_, lost) = site.get(&format!("{V2}/{hook}/deliveries?filter[status]=discarded")).await;
    assert_eq!(lost["data"].as_array().map(Vec::len), Some(3));
    site.photo("4.jpg").await;
    site.simulator.quiet().await;
    assert_eq!(receiver.events().len(), 2, "the next event starts afresh");
    site.keeps_the_contract();
}

#[tokio::test]
async fn a_slow_receiver_is_a_failing_one() {
    let options = Options { delivery_timeout: Duration::from_millis(50), ..options() };
    let site = Site::start(options).await;
    // Accepts connections and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    hook_v2(&site, &format!("http://{}/", listener.local_addr().expect("an address")), "v4.0", &["Images"])
        .await;
    site.simulator.sim.add_image(crate::simulator::images::NewImage::of(
        PROJECT,
        "1.jpg",
        bytes::Bytes::from_static(JPEG),
        crate::simulator::events::Cause::person(crate::simulator::seed::SUPERINTENDENT),
    ));
    site.simulator.until(|simulator| states_of(simulator) == [DeliveryState::Retrying]).await;
    let attempt = site.simulator.deliveries()[0].attempts[0].clone();
    assert!(attempt.status.is_none() && attempt.error.is_some());
}

fn states_of(simulator: &Simulator) -> Vec<DeliveryState> {
    simulator.deliveries().iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn webhooks_get_lost_doubled_and_overtaken() {
    let run = async |webhooks: WebhookFaults, photos: usize| {
        let faults = Faults { webhooks, ..Faults::default() };
        let site = Site::start(Options { faults, ..options() }).await;
        let receiver = Receiver::start(&[]).await;
        hook_v2(&site, &receiver.url, "v4.0", &["Images"]).await;
        for photo in 0..photos {
            site.photo(&format!("{photo}.jpg")).await;
        }
        site.simulator.quiet().await;
        receiver.events()
    };
    let none = WebhookFaults::default;
    assert!(run(WebhookFaults { lose: 1.0, ..none() }, 3).await.is_empty());

    let doubled = run(WebhookFaults { duplicate: 1.0, ..none() }, 1).await;
    assert_eq!((doubled.len(), &doubled[0]), (2, &doubled[1]));

    let twins = run(WebhookFaults { twin: 1.0, ..none() }, 1).await;
    assert_eq!((twins.len(), &twins[0]["timestamp"]), (2, &twins[1]["timestamp"]));
    assert_ne!(twins[0]["id"], twins[1]["id"]);

    let overtaken = run(WebhookFaults { reorder: 0.5, ..none() }, 20).await;
    let mut photos: Vec<&str> = overtaken.iter().filter_map(|event| event["resource_id"].as_str()).collect();
    assert_eq!(photos.len(), 20);
    assert!(!photos.is_sorted());
    photos.sort_unstable();
    photos.dedup();
    assert_eq!(photos.len(), 20);
}

#[tokio::test]
async fn an_uploaded_attachment_comes_back_as_a_photo_of_our_own() {
    let site = Site::start(options()).await;
    let receiver = Receiver::start(&[]).await;
    hook_v2(&site, &receiver.url, "v4.0", &["Images", "Punch Items"]).await;
    let (_, ticket) =
        site.post("rest/v1.1/projects/6778/uploads", json!({ "response_filename": "crop.jpg" })).await;
    let uuid = ticket["uuid"].as_str().expect("a uuid");
    let form = format!(
        "--b\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n{uuid}\r\n--b\r\ncontent-disposition: form-data; \
         name=\"file\"; filename=\"crop.jpg\"\r\n\r\nbytes\r\n--b--\r\n"
    );
    let upload = site.client.post(ticket["url"].as_str().expect("a link"));
    let upload = upload.header("content-type", "multipart/form-data; boundary=b").body(form);
    assert_eq!(site.send(upload).await.0, 204);
    let (status, item) = site.draft(json!({ "upload_ids": [uuid] })).await;
    assert_eq!((status, &item["attachments"][0]["filename"]), (201, &json!("crop.jpg")));
    site.simulator.quiet().await;
    let events = receiver.events();
    let [item_event, image_event] = events.as_slice() else { panic!("two events, not {events:?}") };
    assert_eq!(item_event["resource_type"], "Punch Items");
    let own = crate::simulator::seed::SERVICE_USER.to_string();
    assert_eq!((&image_event["resource_type"], &image_event["user_id"]), (&json!("Images"), &json!(own)));
    let copy = &site.simulator.images()[0];
    assert!(copy.private, "the album is private");
    assert_eq!(site.get(&format!("rest/v1.0/images/{}?project_id=6778", copy.id)).await.0, 404);
    site.keeps_the_contract();
}
