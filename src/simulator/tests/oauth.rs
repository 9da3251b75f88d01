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

#[tokio::test]
async fn a_person_signs_in_with_a_code_that_works_once() {
    let site = Site::start(options()).await;
    let (id, secret) = site.simulator.credentials();
    let back = "https://box.example.com/review/procore";
    let choose = async |redirect: &str, user: Option<i64>| {
        let mut form = vec![
            ("client_id", id.clone()),
            ("redirect_uri", redirect.to_owned()),
            ("response_type", "code".to_owned()),
            ("state", "s/1".to_owned()),
        ];
        form.extend(user.map(|user| ("as", user.to_string())));
        let response =
            site.client.post(site.url("simulator/sign-in")).form(&form).send().await.expect("answers");
        let location =
            response.headers().get("location").map(|value| value.to_str().expect("text").to_owned());
        location.ok_or(response.status().as_u16())
    };
    let sam = crate::simulator::seed::SUPERINTENDENT.value();
    let to = choose(back, Some(sam)).await.expect("leads back");
    assert!(to.starts_with(&format!("{back}?code=")) && to.ends_with("&state=s%2F1"), "{to}");
    assert!(choose(back, None).await.expect("leads back").contains("error=access_denied"));
    for bad in ["http://box.example.com/x", "http://127.0.0.1/x", "nonsense"] {
        assert_eq!(choose(bad, Some(sam)).await, Err(400), "{bad}");
    }
    let code = to.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    let exchange = async |code: &str, redirect: &str| {
        let body = json!({ "grant_type": "authorization_code", "client_id": id, "client_secret": secret,
            "code": code, "redirect_uri": redirect });
        site.post("oauth/token", body).await
    };
    let (status, granted) = exchange(code, back).await;
    assert_eq!(status, 200);
    assert_eq!(exchange(code, back).await.0, 400, "a code works once");
    let refresh = async || {
        let body = json!({ "grant_type": "refresh_token", "client_id": id, "client_secret": secret,
            "refresh_token": granted["refresh_token"], "redirect_uri": back });
        site.post("oauth/token", body).await.0
    };
    assert_eq!((refresh().await, refresh().await), (200, 400), "so does a refresh token");
    let hers = async |path: &str| {
        let request =
            site.client.get(site.url(path)).bearer_auth(granted["access_token"].as_str().expect("text"));
        site.send(request.header("procore-company-id", 8)).await
    };
    assert_eq!(hers("rest/v1.0/me").await.1["id"], json!(sam));
    assert_eq!(hers("rest/v1.1/projects?company_id=8").await.1.as_array().map(Vec::len), Some(1));
    assert_eq!(hers("rest/v1.0/settings/permissions?project_id=6778").await.0, 200);
    assert_eq!(hers("rest/v1.0/settings/permissions?project_id=6779").await.0, 403);
    site.keeps_the_contract();
}
