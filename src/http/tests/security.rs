//! What must not be possible.

use super::*;
use crate::domain::dedupe::listed_kind;
use crate::domain::ids::{LocationId, PhotoId, Sha256Digest};
use crate::domain::place::{Evidence, Location};
use crate::domain::review::FindingState;

#[tokio::test]
async fn without_a_session_there_is_only_the_sign_in_form() {
    let site = Site::new().await;
    let id = site.found(1, |_| ()).await;
    let photo = site.card(id).await.photo.id;
    let paths = [
        "/review".to_owned(),
        "/review/events".to_owned(),
        "/review/choices/8-6778/trade".to_owned(),
        format!("/review/findings/{id}"),
        format!("/review/photos/{photo}/picture"),
    ];
    for path in paths {
        let answer = site.get(&path).send().await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(!answer.body.contains("Plastering") && answer.body.contains("name=\"password\""), "{path}");
    }
    let answer = site.post(format!("/review/findings/{id}/accept")).form(&[("csrf", "x")]).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains("Nothing was decided"), "{}", answer.body);
    assert!(answer.body.contains(&format!("value=\"/review/findings/{id}\"")), "signing in leads back");
    assert_eq!(site.card(id).await.state, FindingState::Proposed);
}

#[tokio::test]
async fn forged_forms_decide_nothing() {
    let site = Site::new().await;
    let (cookie, other) = (site.sign_in("Ana").await, site.sign_in("Eve").await);
    let id = site.found(1, |_| ()).await;
    let path = format!("/review/findings/{id}/reject");
    let page = |cookie: String| site.get(format!("/review/findings/{id}")).with("cookie", cookie).send();
    let good = token(&page(cookie.clone()).await.body);
    let foreign = token(&page(other).await.body);
    let reason = ("reason", "duplicate");
    let forged = [
        site.post(&path).form(&[reason]),
        site.post(&path).form(&[reason, ("csrf", &foreign)]),
        site.post(&path).form(&[reason, ("csrf", &good)]).with("origin", "http://evil.example"),
        site.post(&path).form(&[reason, ("csrf", &good)]).with("sec-fetch-site", "cross-site"),
    ];
    for ask in forged {
        assert_eq!(ask.with("cookie", &cookie).send().await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(site.card(id).await.state, FindingState::Proposed);
    let ask = site.post(&path).form(&[reason, ("csrf", &good)]).with("origin", "http://box");
    assert_eq!(ask.with("cookie", &cookie).send().await.status, StatusCode::SEE_OTHER);
}

/// Every form there is, sent by another site's page with the right token, and by our own with a wrong one.
#[tokio::test]
async fn no_form_is_taken_from_elsewhere() {
    let site = Site::new().await;
    let admin = Viewer { rights: AccessRights::Everywhere(Role::Admin), ..sample::viewer("Ana") };
    let cookie = site.sign_in_as(&admin).await;
    let id = site.found(1, |_| ()).await.to_string();
    let good = token(&site.get("/review").with("cookie", &cookie).send().await.body);
    let of_a_finding = ["accept", "reject", "undo", "send-again"].map(|verb| format!("findings/{id}/{verb}"));
    let others = ["batch", "batch/undo", "mutes", "mutes/1/lift", "photos/1/look-again", "sign-out"]
        .map(str::to_owned);
    for path in of_a_finding.into_iter().chain(others) {
        let send = async |token: &str, site_of: &str| {
            let pairs = [
                ("csrf", token),
                ("id", &id),
                ("verdict", "accept"),
                ("project", "8-6778"),
                ("class", "crack"),
                ("reason", "not_ours"),
            ];
            let ask = site.post(format!("/review/{path}")).with("cookie", &cookie).form(&pairs);
            ask.with("sec-fetch-site", site_of).send().await.status
        };
        assert_eq!(send(&good, "cross-site").await, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(send("forged", "same-origin").await, StatusCode::FORBIDDEN, "{path}");
    }
    let sign_in = site.post("/review/sign-in").form(&[("login", "ana"), ("password", "x")]);
    let answer = sign_in.with("sec-fetch-site", "cross-site").send().await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "nobody is signed in as somebody else");
    assert!(site.store.mutes(None).await.expect("reads").is_empty());
    assert_eq!(site.card(id.parse().expect("an id")).await.state, FindingState::Proposed);
    assert_eq!(site.get("/review").with("cookie", &cookie).send().await.status, StatusCode::OK);
}

const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'";

/// What Procore and the photos' own texts say beside the fields of a finding, on every view.
#[tokio::test]
async fn script_in_what_procore_tells_is_only_text_on_every_view() {
    let site = Site::new().await;
    let cookie = site.sign_in(EVIL).await;
    let place = LocationId::new(204);
    let evil = |card: &mut Card| {
        card.draft.title = EVIL.into();
        card.photo.filename = EVIL.into();
        card.photo.uploader = Some(EVIL.into());
        card.trade_name = Some(EVIL.into());
        card.place.location = Some(Location { id: place, path: vec![EVIL.into(), EVIL.into()] });
        card.place.evidence = Evidence::Unknown { because: EVIL.into() };
        card.place.runner_ups = vec![Location { id: LocationId::new(205), path: vec![EVIL.into()] }];
        card.place.notes = vec![EVIL.into()];
        card.problem = Some(EVIL.into());
    };
    let ids = [site.found(1, evil).await, site.found(2, evil).await];
    let kept = [
        ("project", serde_json::json!({ "name": EVIL })),
        ("locations", serde_json::json!([{ "id": 204, "path": [EVIL, EVIL] }])),
        ("trades", serde_json::json!([{ "id": 9, "name": EVIL }])),
        ("managers", serde_json::json!([{ "id": 1, "name": EVIL }])),
        (&listed_kind(place), serde_json::json!([{ "id": 1, "position": 7, "title": EVIL, "status": EVIL }])),
    ];
    for (kind, value) in kept {
        site.store.cache(PROJECT, kind, &value, now()).await.expect("keeps");
    }
    let card = |id: FindingId| format!("/review/findings/{id}");
    let form = token(&site.get(card(ids[0])).with("cookie", &cookie).send().await.body);
    let pairs = [("csrf", form.as_str()), ("reason", "not_ours")];
    let ask = site.post(format!("{}/reject", card(ids[0]))).with("cookie", &cookie).form(&pairs);
    assert_eq!(ask.send().await.status, StatusCode::SEE_OTHER);
    let views = [
        "?group=location",
        "?group=class",
        "?group=photo",
        "?tab=today",
        "?tab=muted",
        "/plan",
        "/record",
        "/report?day=2026-03-05",
        "/report?day=2026-03-05&file=1",
    ];
    let views = views.map(|view| format!("/review{view}"));
    let cards = ids.map(card);
    for path in views.into_iter().chain(cards) {
        let answer = site.get(&path).with("cookie", &cookie).send().await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert!(answer.body.contains("&lt;script&gt;alert"), "{path} shows none of it: {}", answer.body);
        assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img src=x"), "{path}");
    }
}

#[tokio::test]
async fn script_in_any_field_is_only_text() {
    let site = Site::new().await;
    let cookie = site.sign_in("<script>alert(1)</script>").await;
    let evil = EVIL;
    let id = site
        .found(1, |card| {
            card.draft.title = evil.into();
            card.draft.description = format!("</textarea>{evil}");
            card.draft.reference = evil.into();
            card.photo.filename = evil.into();
            card.photo.uploader = Some(evil.into());
            card.trade_name = Some(evil.into());
            card.model = evil.into();
            card.rules = vec![evil.into()];
            if let Some(location) = &mut card.place.location {
                location.path = vec![evil.into()];
            }
            card.finding.class = crate::domain::detection::DefectClass::new(evil);
        })
        .await;
    let trades = serde_json::json!([{ "id": 1, "name": evil }]);
    site.store.cache(PROJECT, "trades", &trades, now()).await.expect("keeps");
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    for path in [
        format!("/review/findings/{id}"),
        "/review".to_owned(),
        format!("/review?q={encoded}&class={encoded}"),
    ] {
        let page = site.get(&path).with("cookie", &cookie).send().await.body;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        assert!(!page.contains("style=\"") && !page.contains(" onclick="), "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_policy() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    for path in ["/review", "/review/sign-in", "/nowhere", "/livez", "/api/v1/findings"] {
        let answer = site.get(path).with("cookie", &cookie).send().await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
    }
}

#[tokio::test]
async fn pictures_are_private_and_only_of_photos() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await;
    let photo = site.card(id).await.photo.id;
    let answer = site.get(format!("/review/photos/{photo}/picture")).with("cookie", &cookie).send().await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "a picture"));
    assert_eq!(answer.header(header::CONTENT_TYPE), "image/jpeg");
    assert!(answer.header(header::CACHE_CONTROL).starts_with("private"));
    let other = PhotoId::of(PROJECT, ImageId::new(99));
    let tricks = [other.to_string(), "..%2f..%2fetc%2fpasswd".into(), "%00".into(), "x".repeat(5000)];
    for trick in tricks {
        let answer = site.get(format!("/review/photos/{trick}/picture")).with("cookie", &cookie).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{trick}");
    }
    for path in ["/review/assets/..%2fmod.rs", "/review/assets/%2e%2e/mod.rs", "/review/findings/../../x"] {
        assert_eq!(
            site.get(path).with("cookie", &cookie).send().await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_lies_over_a_photo_is_as_private_and_goes_with_it() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found_under(1, |_| (), &[Layer::Crop, Layer::ScoreMap]).await;
    let overlays = [("crop", "image/jpeg", "a crop"), ("score-map", "image/png", "a map")];
    for (name, media_type, body) in overlays {
        let path = format!("/review/findings/{id}/{name}");
        assert_eq!(site.get(&path).send().await.status, StatusCode::UNAUTHORIZED, "{name} for nobody");
        let answer = site.get(&path).with("cookie", &cookie).send().await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, body));
        assert_eq!(answer.header(header::CONTENT_TYPE), media_type);
        assert!(answer.header(header::CACHE_CONTROL).starts_with("private"));
    }
    let photo = site.card(id).await.photo.id;
    site.store.forget_photo(None, photo, now()).await.expect("forgets");
    for (name, ..) in overlays {
        let path = format!("/review/findings/{id}/{name}");
        let answer = site.get(&path).with("cookie", &cookie).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn oversized_forms_are_refused() {
    let site = Site::with(|sections| sections.http.form_max_bytes = 1000).await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await;
    let long = "x".repeat(2000);
    for path in ["/review/batch", "/review/mutes", &format!("/review/findings/{id}/accept")] {
        let ask = site.post(path).form(&[("title", &long)]);
        assert_eq!(ask.with("cookie", &cookie).send().await.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    let ask = site.post("/review/sign-in").form(&[("login", &long)]);
    assert_eq!(ask.send().await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn assets_are_addressed_by_their_content() {
    let site = Site::new().await;
    let page = site.get("/review/sign-in").send().await.body;
    let (_, rest) = page.split_once("href=\"/review/assets/style.css?v=").expect("a style");
    let version = rest.split('"').next().expect("a version");
    let style = site.get(format!("/review/assets/style.css?v={version}")).send().await;
    assert!(Sha256Digest::of(style.body.as_bytes()).to_string().starts_with(version));
    assert!(style.header(header::CACHE_CONTROL).contains("immutable"));
    assert!(!style.body.contains("http://") && !style.body.contains("https://"), "nothing from elsewhere");
}
