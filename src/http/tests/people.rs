//! Signing in and out, and who may see and do what.

use super::*;
use crate::domain::ids::{CompanyId, ProjectId, UserId};
use crate::domain::people::{Grant, Person, PersonId, SignedInBy, TokenId};
use crate::domain::review::FindingState;
use crate::http::TOKEN_PREFIX;
use crate::store::{AccountChange, AuditSubject, NewToken};

const OTHER: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6779) };

const ELSEWHERE: [u8; 4] = [192, 0, 2, 7];

fn pair(cookie: &str) -> String {
    cookie.split(';').next().expect("a pair").to_owned()
}

async fn enter(site: &Site, login: &str, password: &str) -> Answer {
    site.post("/review/sign-in")
        .from(ELSEWHERE)
        .form(&[("login", login), ("password", password)])
        .send()
        .await
}

pub(super) async fn token(site: &Site, login: &str, hours: i64) -> (TokenId, String) {
    let secret = Secret::generate();
    let expires_at = now() + jiff::SignedDuration::from_hours(hours);
    let new = NewToken { digest: secret.digest(), label: "test".into(), expires_at };
    let login: Login = login.parse().expect("a login");
    let id = site.store.add_token(&login, &new, "test", now()).await.expect("adds");
    (id, format!("Bearer {TOKEN_PREFIX}{}", secret.reveal()))
}

#[tokio::test]
async fn an_account_signs_in_from_anywhere_and_out_for_good() {
    let site = Site::new().await;
    site.account("ana", Role::Reviewer, None).await;
    let answer = enter(&site, " Ana ", PASSWORD).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/review"), "{}", answer.body);
    let cookie = answer.header(header::SET_COOKIE);
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let cookie = pair(cookie);
    let page = site.get("/review").with("cookie", &cookie).from(ELSEWHERE).send().await;
    assert!(page.status == StatusCode::OK && page.body.contains("ana of the site"));
    let form = super::token(&page.body);
    let out = site.post("/review/sign-out").with("cookie", &cookie).form(&[("csrf", &form)]).send().await;
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
    let page = site.get("/review").with("cookie", &cookie).send().await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "a copy of the cookie is worth nothing");
}

#[tokio::test]
async fn nobody_learns_which_logins_exist() {
    let site = Site::new().await;
    site.account("ana", Role::Reviewer, None).await;
    site.account("ben", Role::Reviewer, None).await;
    let ben: Login = "ben".parse().expect("a login");
    site.store.change_account(&ben, &AccountChange::Disabled, "test", now()).await.expect("disables");
    let answers = [
        enter(&site, "ana", "wrong password").await,
        enter(&site, "nobody", PASSWORD).await,
        enter(&site, "ben", PASSWORD).await,
        enter(&site, "not a login <script>", PASSWORD).await,
    ];
    let told = |answer: &Answer| {
        let (_, rest) = answer.body.split_once("role=\"alert\"").expect("a notice");
        (answer.status, rest.split("</p>").next().expect("its end").to_owned())
    };
    for answer in &answers {
        assert_eq!(told(answer), told(&answers[0]));
        assert!(!answer.headers.contains_key(header::SET_COOKIE) && !answer.body.contains("<script>alert"));
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_for_account_and_address() {
    let site = Site::with(|sections| {
        sections.sign_in.account_failures_max = 2;
        sections.sign_in.address_failures_max = 4;
    })
    .await;
    site.account("ana", Role::Reviewer, None).await;
    for _ in 0..2 {
        assert_eq!(enter(&site, "ana", "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    let late = enter(&site, "ana", PASSWORD).await;
    assert_eq!((late.status, late.header(header::RETRY_AFTER)), (StatusCode::TOO_MANY_REQUESTS, "300"));
    assert_eq!(enter(&site, "ben", "wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&site, "cy", "wrong").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(enter(&site, "dee", "wrong").await.status, StatusCode::TOO_MANY_REQUESTS, "the address waits");
}

#[tokio::test]
async fn the_key_works_on_this_machine_alone() {
    let site = Site::new().await;
    let link = format!("/review?key={}", site.key.reveal());
    let answer = site.get(&link).send().await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/review"));
    assert!(!answer.header(header::SET_COOKIE).contains(site.key.reveal()));
    // From another site's page a strict cookie would not survive the redirect.
    let answer = site.get(&link).with("sec-fetch-site", "cross-site").send().await;
    assert_eq!((answer.status, answer.header(header::REFRESH)), (StatusCode::OK, "0; url=/review"));
    assert!(!answer.body.contains(site.key.reveal()));
    let bearer = format!("Bearer {}", site.key.reveal());
    let here = site.get("/api/v1/counts").with("authorization", &bearer).send().await;
    assert_eq!(here.status, StatusCode::OK);
    let refused = [
        site.get(&link).from(ELSEWHERE),
        site.get(&link).with("x-forwarded-for", "127.0.0.1"),
        site.get("/review?key=wrong"),
        site.get("/api/v1/counts").with("authorization", &bearer).from(ELSEWHERE),
    ];
    for ask in refused {
        assert_eq!(ask.send().await.status, StatusCode::UNAUTHORIZED);
    }
    let closed = Site::with(|sections| sections.sign_in.key_on_this_machine = false).await;
    let answer = closed.get(format!("/review?key={}", closed.key.reveal())).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn cookies_are_for_https_alone_where_there_is_https() {
    let secure = async |site: &Site, proto: &str| {
        site.account("ana", Role::Viewer, None).await;
        let form = [("login", "ana"), ("password", PASSWORD)];
        let ask = site.post("/review/sign-in").from(ELSEWHERE).form(&form);
        let ask = ask.with("x-forwarded-proto", proto).with("x-forwarded-for", "198.51.100.1");
        ask.send().await.header(header::SET_COOKIE).contains("; Secure")
    };
    let trusting = |sections: &mut Sections| sections.http.trusted_proxies = vec![ELSEWHERE.into()];
    assert!(secure(&Site::with(trusting).await, "https").await);
    assert!(!secure(&Site::with(trusting).await, "http").await);
    assert!(!secure(&Site::new().await, "https").await, "a stranger's word");
    assert!(secure(&Site::with(|sections| sections.sign_in.secure_cookies = true).await, "http").await);
}

#[tokio::test]
async fn forged_and_expired_sessions_open_nothing() {
    let site = Site::new().await;
    let account = site.account("ana", Role::Reviewer, None).await;
    let viewer = crate::store::viewer_of(&account, SignedInBy::Password);
    let (old, good) = (Secret::generate(), Secret::generate());
    site.store.open_session(&old.digest(), &viewer, now(), now()).await.expect("opens");
    let later = now() + jiff::SignedDuration::from_hours(1);
    site.store.open_session(&good.digest(), &viewer, later, now()).await.expect("opens");
    let status = async |value: &str| {
        let ask = site.get("/review").with("cookie", format!("punchlens_session={value}"));
        ask.send().await.status
    };
    assert_eq!(status(&good.reveal()).await, StatusCode::OK);
    let digest = good.digest().to_string();
    for bad in
        [old.reveal(), Secret::generate().reveal(), digest, String::new(), "%00".into(), "x".repeat(4000)]
    {
        assert_eq!(status(&bad).await, StatusCode::UNAUTHORIZED, "{bad}");
    }
    site.store.prune(now()).await.expect("prunes");
    assert_eq!(site.store.sessions(now()).await.expect("lists").len(), 1);
    // Another password ends what a thief may hold.
    let change = AccountChange::Password("$argon2id$".into());
    site.store.change_account(&account.login, &change, "test", now()).await.expect("changes");
    assert_eq!(status(&good.reveal()).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nothing_of_another_project_is_shown_or_decided() {
    let site = Site::new().await;
    site.account("eve", Role::Admin, Some(vec![OTHER])).await;
    let cookie = pair(enter(&site, "eve", PASSWORD).await.header(header::SET_COOKIE));
    let (_, bearer) = token(&site, "eve", 1).await;
    let id = site.found_under(1, |_| (), &[Layer::Crop, Layer::ScoreMap]).await;
    let photo = site.card(id).await.photo.id;
    for path in [
        format!("/review/findings/{id}"),
        format!("/review/photos/{photo}/picture"),
        format!("/review/findings/{id}/crop"),
        format!("/review/findings/{id}/score-map"),
        "/review/choices/8-6778/location".to_owned(),
        format!("/api/v1/findings/{id}"),
        format!("/api/v1/photos/{photo}/picture"),
    ] {
        let answer = site.get(&path).with("cookie", &cookie).with("authorization", &bearer).send().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
    }
    let views = ["", "?project=8-6778", "?q=crack", "?tab=today", "?group=location&project=8-6778"];
    let others = ["/plan?project=8-6778", "/record?project=8-6778", "/report?project=8-6778&day=2026-03-05"];
    for view in views.into_iter().chain(others) {
        let page = site.get(format!("/review{view}")).with("cookie", &cookie).send().await;
        assert_eq!(page.status, StatusCode::OK, "{view}");
        for told in [id.to_string(), photo.to_string(), "Unit 204".to_owned(), "Plastering".to_owned()] {
            assert!(!page.body.contains(&told), "{view} tells {told}");
        }
    }
    let listed = site.get("/api/v1/findings?project=8-6778").with("authorization", &bearer).send().await;
    assert_eq!(listed.json()["findings"], serde_json::json!([]));
    let counts = site.get("/api/v1/counts").with("authorization", &bearer).send().await.json();
    assert_eq!(counts["to_review"], 0);
    let form = super::token(&site.get("/review").with("cookie", &cookie).send().await.body);
    for verb in ["accept", "reject", "undo"] {
        let pairs = [("csrf", form.as_str()), ("reason", "duplicate"), ("title", "x")];
        let ask = site.post(format!("/review/findings/{id}/{verb}")).with("cookie", &cookie).form(&pairs);
        assert_eq!(ask.send().await.status, StatusCode::NOT_FOUND, "{verb}");
    }
    let wish = [
        ("csrf", form.as_str()),
        ("id", &id.to_string()),
        ("project", "8-6778"),
        ("class", "crack"),
        ("verdict", "accept"),
    ];
    for path in ["/review/batch", "/review/mutes"] {
        let ask = site.post(path).with("cookie", &cookie).form(&wish);
        assert_eq!(ask.send().await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let wish = serde_json::json!({ "verdict": "reject", "reason": "duplicate" });
    let ask = site.post(format!("/api/v1/findings/{id}/decision")).with("authorization", &bearer).json(&wish);
    assert_eq!(ask.send().await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.card(id).await.state, FindingState::Proposed);
}

#[tokio::test]
async fn viewers_look_and_decide_nothing() {
    let site = Site::new().await;
    site.account("vic", Role::Viewer, Some(vec![PROJECT])).await;
    let cookie = pair(enter(&site, "vic", PASSWORD).await.header(header::SET_COOKIE));
    let (_, bearer) = token(&site, "vic", 1).await;
    let id = site.found(1, |_| ()).await;
    let page = site.get(format!("/review/findings/{id}")).with("cookie", &cookie).send().await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.body.contains(&format!("{id}/accept")) && !page.body.contains(&format!("{id}/reject")));
    let form = super::token(&page.body);
    let ask = site.post(format!("/review/findings/{id}/reject")).with("cookie", &cookie);
    let answer = ask.form(&[("csrf", &form), ("reason", "duplicate")]).send().await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let wish = serde_json::json!({ "verdict": "reject", "reason": "duplicate" });
    let ask = site.post(format!("/api/v1/findings/{id}/decision")).with("authorization", &bearer).json(&wish);
    let answer = ask.send().await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (StatusCode::FORBIDDEN, Some("forbidden")));
    let vic: Login = "vic".parse().expect("a login");
    site.store
        .change_account(&vic, &AccountChange::Role(Role::Reviewer), "test", now())
        .await
        .expect("changes");
    let page = site.get(format!("/review/findings/{id}")).with("cookie", &cookie).send().await;
    assert!(page.body.contains(&format!("{id}/accept")), "a new role holds at once");
}

#[tokio::test]
async fn tokens_work_until_they_end() {
    let site = Site::new().await;
    site.account("robot", Role::Reviewer, None).await;
    let status = async |bearer: &str| {
        site.get("/api/v1/counts").with("authorization", bearer).from(ELSEWHERE).send().await.status
    };
    let (id, good) = token(&site, "robot", 1).await;
    let (_, expired) = token(&site, "robot", 0).await;
    let (_, other) = token(&site, "robot", 1).await;
    assert_eq!(status(&good).await, StatusCode::OK);
    let forged = format!("Bearer {TOKEN_PREFIX}{}", Secret::generate().reveal());
    for bad in
        [expired.as_str(), &forged, "Bearer ", "Bearer punchlens_", "Basic YTpi", &good[..good.len() - 1]]
    {
        assert_eq!(status(bad).await, StatusCode::UNAUTHORIZED, "{bad}");
    }
    site.store.revoke_token(id, "test", now()).await.expect("revokes");
    assert_eq!(status(&good).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&other).await, StatusCode::OK);
    let robot: Login = "robot".parse().expect("a login");
    site.store.change_account(&robot, &AccountChange::Disabled, "test", now()).await.expect("disables");
    assert_eq!(status(&other).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_that_ends_in_mid_decision_comes_back_to_the_same_card() {
    let site = Site::new().await;
    site.account("ana", Role::Reviewer, None).await;
    let id = site.found(1, |_| ()).await;
    let path = format!("/review/findings/{id}/reject?class=crack&page=2");
    let answer = site.post(&path).form(&[("csrf", "old"), ("reason", "duplicate")]).send().await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body.contains("Nothing was decided"), "{}", answer.body);
    let card = format!("/review/findings/{id}?class=crack&page=2");
    assert!(answer.body.contains(&format!("value=\"{}\"", card.replace('&', "&amp;"))), "{}", answer.body);
    let form = [("login", "ana"), ("password", PASSWORD), ("next", card.as_str())];
    assert_eq!(site.post("/review/sign-in").form(&form).send().await.location(), card);
    assert_eq!(site.card(id).await.state, FindingState::Proposed);
}

#[tokio::test]
async fn signing_in_never_leads_to_another_site() {
    let site = Site::new().await;
    site.account("ana", Role::Reviewer, None).await;
    for next in ["//evil.example", "https://evil.example/", "/review\\..\\", "javascript:alert(1)"] {
        let form = [("login", "ana"), ("password", PASSWORD), ("next", next)];
        assert_eq!(site.post("/review/sign-in").form(&form).send().await.location(), "/review", "{next}");
    }
    let form = [("login", "ana"), ("password", PASSWORD)];
    let ask = site.post("/review/sign-in").form(&form).with("origin", "http://evil.example");
    assert_eq!(ask.send().await.status, StatusCode::FORBIDDEN, "nobody is signed in from elsewhere");
}

#[tokio::test]
async fn the_audit_names_who_decided_and_how_they_signed_in() {
    let site = Site::new().await;
    let account = site.account("ana", Role::Reviewer, None).await;
    let cookie = pair(enter(&site, "ana", PASSWORD).await.header(header::SET_COOKIE));
    let id = site.found(1, |_| ()).await;
    let form =
        super::token(&site.get(format!("/review/findings/{id}")).with("cookie", &cookie).send().await.body);
    let post = async |verb: &str| {
        let pairs = [("csrf", form.as_str()), ("reason", "duplicate")];
        let ask = site.post(format!("/review/findings/{id}/{verb}")).with("cookie", &cookie).form(&pairs);
        assert_eq!(ask.send().await.status, StatusCode::SEE_OTHER);
    };
    post("reject").await;
    post("undo").await;
    let person = Person {
        name: "ana of the site".into(),
        who: PersonId::Account(account.id),
        login: Some("ana".into()),
        by: SignedInBy::Password,
    };
    let expected = serde_json::to_value(&person).expect("JSON");
    let rows = site.store.audit_of(AuditSubject::Finding(id)).await.expect("reads");
    for kind in ["finding.decided", "finding.undone"] {
        let row = rows.iter().find(|row| row.kind == kind).expect(kind);
        assert_eq!((&row.detail["person"], row.actor.as_str()), (&expected, "ana of the site"), "{kind}");
    }
    let rows = site.store.audit_of(AuditSubject::Person(person.who)).await.expect("reads");
    let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["account.added", "person.signed_in"]);
    let text = serde_json::to_string(&rows).expect("JSON");
    assert!(!text.contains("argon2") && !text.contains(PASSWORD), "{text}");
}

#[tokio::test]
async fn rights_that_are_known_later_are_added_to_the_session() {
    let site = Site::new().await;
    let mut viewer = crate::http::sample::viewer("Ana");
    viewer.person.who = PersonId::Procore(UserId::new(5));
    viewer.rights = AccessRights::In(Vec::new());
    let secret = Secret::generate();
    let ends = now() + jiff::SignedDuration::from_hours(1);
    site.store.open_session(&secret.digest(), &viewer, ends, now()).await.expect("opens");
    let held = async || site.store.session(&secret.digest(), now()).await.expect("store").expect("signed in");
    assert!(!held().await.may_see(PROJECT));
    let grant = Grant { project: PROJECT, role: Role::Reviewer };
    site.store.add_grants(PersonId::Procore(UserId::new(6)), &[grant]).await.expect("adds");
    assert!(!held().await.may_see(PROJECT), "another person");
    site.store.add_grants(viewer.person.who, &[grant]).await.expect("adds");
    assert!(held().await.may_decide(PROJECT) && !held().await.has(Role::Admin, PROJECT));
}
