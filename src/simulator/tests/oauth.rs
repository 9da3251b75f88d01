use std::time::Duration;

use serde_json::json;

use super::*;

#[tokio::test]
async fn tokens_are_given_expire_and_are_revoked() {
    let mut site = Site::start(options()).await;
    assert_eq!(site.get("rest/v1.0/me").await.0, 200);
    let (status, info) = site.get("oauth/token/info").await;
    assert_eq!((status, &info["expires_in_seconds"]), (200, &json!(5400)));

    site.simulator.advance(Duration::from_mins(90));
    let (status, body) = site.get("rest/v1.0/me").await;
    assert_eq!((status, body), (401, json!({ "errors": "The access token is invalid" })));

    site.login().await;
    let (id, secret) = site.simulator.credentials();
    let body = json!({ "client_id": id, "client_secret": secret, "token": site.token });
    assert_eq!(site.post("oauth/revoke", body).await.0, 200);
    assert_eq!(site.get("rest/v1.0/me").await.0, 401);
    site.keeps_the_contract();
}

#[tokio::test]
async fn strangers_and_other_grants_are_refused() {
    let site = Site::start(options()).await;
    let (id, secret) = site.simulator.credentials();
    let ask = |grant: &str, secret: &str| {
        site.post("oauth/token", json!({ "grant_type": grant, "client_id": id, "client_secret": secret }))
    };
    let (status, body) = ask("client_credentials", "wrong").await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    assert_eq!(ask("password", &secret).await.0, 400);
    assert_eq!(ask("client_credentials", &secret).await.0, 200);
}

#[tokio::test]
async fn every_call_names_the_company() {
    let site = Site::start(options()).await;
    let bare = site.client.get(site.url("rest/v1.0/companies")).bearer_auth(&site.token);
    let (status, body) = site.send(bare).await;
    assert_eq!(status, 400);
    assert!(
        body["errors"].as_str().is_some_and(|text| text.starts_with("Missing Procore-Company-Id header!"))
    );
    let other = site.client.get(site.url("rest/v1.0/companies")).bearer_auth(&site.token);
    assert_eq!(site.send(other.header("procore-company-id", 9)).await.0, 403);
}

#[tokio::test]
async fn the_directory_tells_who_and_what_there_is() {
    let site = Site::start(options()).await;
    let (_, me) = site.get("rest/v1.0/me").await;
    assert_eq!(me["id"], json!(crate::simulator::seed::SERVICE_USER));
    let (_, companies) = site.get("rest/v1.0/companies").await;
    assert_eq!(companies[0]["id"], json!(COMPANY));
    let (_, projects) = site.get("rest/v1.1/projects?company_id=8").await;
    assert_eq!(projects.as_array().map(Vec::len), Some(1), "the other project is not permitted");
    let (_, trades) = site.get("rest/v1.0/companies/8/trades?filters[active]=true").await;
    let names: Vec<&str> =
        trades.as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    assert!(names.contains(&"09 - Drywall") && !names.contains(&"09 - Plaster (old)"));
    for path in [
        "rest/v1.0/settings/permissions?project_id=6778",
        "rest/v1.0/punch_item_types?project_id=6778",
        "rest/v1.0/projects/6778/available_punch_item_managers",
        "rest/v1.0/image_categories?project_id=6778",
        "rest/v1.0/image_categories/ids_with_images?project_id=6778",
    ] {
        assert_eq!(site.get(path).await.0, 200, "{path}");
    }
    assert_eq!(site.get("rest/v1.0/punch_item_types?project_id=6779").await.0, 403);
    assert_eq!(site.get("rest/v1.0/punch_item_types?project_id=1").await.0, 404);
    assert_eq!(site.get("rest/v1.0/nothing").await.0, 404);
    let known = |status| status == 200;
    assert!(site.simulator.requests().iter().filter(|request| known(request.status)).count() > 8);
}

#[tokio::test]
async fn locations_are_found_paged_and_made() {
    let site = Site::start(options()).await;
    let mut next = Some(site.url("rest/v1.0/projects/6778/locations?per_page=70"));
    let mut rows = Vec::new();
    while let Some(url) = next {
        let request = site.client.get(url).bearer_auth(&site.token).header("procore-company-id", 8);
        let response = request.send().await.expect("answers");
        assert_eq!(response.headers()["total"], "150");
        let link = response.headers()["link"].to_str().expect("text").to_owned();
        let link = link.split(", ").find(|link| link.ends_with("rel=\"next\"")).map(str::to_owned);
        next = link.and_then(|link| Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned()));
        rows.extend(response.json::<Vec<Value>>().await.expect("rows"));
    }
    assert_eq!(rows.len(), 150);
    let unit = rows.iter().find(|row| row["name"] == "Building A>Floor 2>Unit 204").expect("there");
    assert_eq!(unit["node_name"], "Unit 204");

    let find = "rest/v1.0/projects/6778/locations/find_or_create_by_path";
    let path = |path: &[&str]| json!({ "location": { "path": path } });
    let (status, found) = site.post(find, path(&["Building A", "Floor 2", "Unit 204"])).await;
    assert_eq!((status, &found["id"]), (200, &unit["id"]));
    let (status, made) = site.post(find, path(&["Building D", "Floor 1"])).await;
    assert_eq!((status, &made["name"]), (201, &json!("Building D>Floor 1")));
    let below = format!("rest/v1.0/projects/6778/locations?filters[sublocations_for]={}", made["parent_id"]);
    assert_eq!(site.get(&below).await.1.as_array().map(Vec::len), Some(1));
    site.keeps_the_contract();
}
