//! Signing in with Procore, over real HTTP: to the simulator's login and back.

use punchlens::domain::ids::{CompanyId, ProjectId, ProjectKey, UserId};
use punchlens::domain::people::PersonId;
use punchlens::simulator::{Fault, FaultKind, Level, seed};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode, Url};

use crate::support::detector::{photo, sees};
use crate::support::{PROJECT, Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

/// The cookies that an answer sets, as a browser sends them back; those that it takes away are left out.
fn cookies(response: &Response) -> String {
    let set = response.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().expect("text"));
    let kept =
        set.filter(|cookie| !cookie.contains("Max-Age=0")).filter_map(|cookie| cookie.split(';').next());
    kept.collect::<Vec<_>>().join("; ")
}

/// A browser that has been sent to Procore: the cookie that it left with, and where it was sent.
async fn left(app: &TestApp, client: &Client, next: &str) -> (String, Url) {
    let start = format!("{}/review/procore/start?next={next}", app.url);
    let response = client.get(start).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let cookie = response.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    (cookies(&response), header(&response, LOCATION).parse().expect("a URL"))
}

/// Chooses `user` on the simulator's sign-in page, or nobody; gives the way back to the app.
async fn choose(app: &TestApp, client: &Client, asked: &Url, user: Option<UserId>) -> String {
    let page = client.get(asked.clone()).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    let mut form: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
    form.extend(user.map(|user| ("as".to_owned(), user.to_string())));
    let post = client.post(app.simulator.url().join("simulator/sign-in").expect("a URL")).form(&form);
    let back = header(&post.send().await.expect("an answer"), LOCATION);
    // The service listens on 127.0.0.1; Procore allows http on localhost only.
    back.replace("localhost", "127.0.0.1")
}

async fn get(client: &Client, url: &str, cookie: &str) -> Response {
    client.get(url).header(COOKIE, cookie).send().await.expect("an answer")
}

/// Signs `user` in and gives the session's cookie.
async fn signed_in(app: &TestApp, client: &Client, user: UserId) -> String {
    let (cookie, asked) = left(app, client, "/review").await;
    let back = choose(app, client, &asked, Some(user)).await;
    let response = get(client, &back, &cookie).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{:?}", response.text().await);
    cookies(&response)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_with_procore_and_decide_what_they_may() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let finding = app.card().await.finding.id;
    let (client, card) = (client(), format!("{}/review/findings/{finding}", app.url));

    // The card leads to the sign-in, Procore, and back to the card.
    let form = client.get(&card).send().await.expect("an answer");
    assert_eq!(form.status(), StatusCode::UNAUTHORIZED);
    let next = format!("%2Freview%2Ffindings%2F{finding}");
    assert!(form.text().await.expect("text").contains(&format!("/review/procore/start?next={next}")));
    let (cookie, asked) = left(&app, &client, &next).await;
    let back = choose(&app, &client, &asked, Some(seed::SUPERINTENDENT)).await;
    let response = client.get(&back).header(COOKIE, &cookie).header("sec-fetch-site", "cross-site");
    let response = response.send().await.expect("an answer");
    // Strict cookies don't survive a redirect that began elsewhere: a page of our own goes on.
    assert_eq!(
        header(&response, "refresh".parse().expect("a name")),
        format!("0; url=/review/findings/{finding}")
    );
    let session = cookies(&response);
    assert!(session.starts_with("punchlens_session=") && !session.contains("punchlens_procore"));

    let page = get(&client, &card, &session).await.text().await.expect("text");
    assert!(page.contains("Sam Okafor") && page.contains("/accept"));
    let csrf =
        page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let reject = client.post(format!("{card}/reject")).header(COOKIE, &session);
    let reject = reject.form(&[("csrf", csrf), ("reason", "not_a_defect")]).send().await.expect("an answer");
    assert_eq!(reject.status(), StatusCode::SEE_OTHER);
    app.until_idle().await;
    let person = app.card().await.decision.expect("decided").person.expect("known");
    assert_eq!(
        (person.who, person.login.as_deref()),
        (PersonId::Procore(seed::SUPERINTENDENT), Some("sam@northgate.example"))
    );

    // Who may only read the punch list only looks.
    let observer = signed_in(&app, &client, seed::OBSERVER).await;
    let page = get(&client, &card, &observer).await.text().await.expect("text");
    assert!(page.contains("Ana Reyes") && !page.contains("/undo"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_of_a_person_is_left() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let client = client();
    signed_in(&app, &client, seed::MANAGER).await;
    let requests = app.simulator.requests();
    let revoked =
        requests.iter().filter(|request| request.is("POST", "/oauth/revoke") && request.status == 200);
    assert_eq!(revoked.count(), 2, "access and refresh token");
    let sessions = app.store.sessions(jiff::Timestamp::now()).await.expect("sessions");
    assert_eq!(sessions[0].who, PersonId::Procore(seed::MANAGER));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_should_not_come_in_stays_out() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let client = client();
    let refused = async |url: &str, cookie: &str, why: &str| {
        let response = get(&client, url, cookie).await;
        assert!(response.status().is_client_error() && cookies(&response).is_empty(), "{why}");
        assert!(response.text().await.expect("text").contains(why), "{why}");
    };
    // In no permitted project.
    let (cookie, asked) = left(&app, &client, "").await;
    let back = choose(&app, &client, &asked, Some(seed::STRANGER)).await;
    refused(&back, &cookie, "no access to the Punch List").await;
    // Declined.
    let (cookie, asked) = left(&app, &client, "").await;
    let back = choose(&app, &client, &asked, None).await;
    refused(&back, &cookie, "not signed in at Procore").await;
    // Somebody else's way back, slipped to this browser; or no way there at all.
    let (_, others) = left(&app, &client, "").await;
    let back = choose(&app, &client, &others, Some(seed::MANAGER)).await;
    let (own, _) = left(&app, &client, "").await;
    refused(&back, &own, "begun elsewhere").await;
    refused(&back, "", "begun elsewhere").await;
    // A code works once, and made-up ones don't.
    let (cookie, asked) = left(&app, &client, "").await;
    let back = choose(&app, &client, &asked, Some(seed::MANAGER)).await;
    assert_eq!(get(&client, &back, &cookie).await.status(), StatusCode::SEE_OTHER);
    refused(&back, &cookie, "did not accept").await;
    let made_up = back.replace("code=", "code=x");
    refused(&made_up, &cookie, "did not accept").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_procore_nobody_is_signed_in_and_everybody_is_told() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    let client = client();
    let (cookie, asked) = left(&app, &client, "").await;
    let back = choose(&app, &client, &asked, Some(seed::MANAGER)).await;
    app.simulator.script(Fault {
        method: Some("POST".into()),
        path: "/oauth/token".into(),
        after: 0,
        times: 1,
        kind: FaultKind::ResetBefore,
    });
    let response = get(&client, &back, &cookie).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(cookies(&response).is_empty());
    assert!(response.text().await.expect("text").contains("reached now"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_the_second_company_gets_in_by_name() {
    let second = ProjectKey { company: CompanyId::new(9), project: ProjectId::new(7001) };
    let setup = Setup { hooked: false, projects: vec![second], ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    app.simulator.add_project(second.company, second.project, "Second company's project");
    app.simulator.add_member(seed::STRANGER, second.project, Level::Standard);
    let session = signed_in(&app, &client(), seed::STRANGER).await;
    assert!(session.starts_with("punchlens_session="));
    let sessions = app.store.sessions(jiff::Timestamp::now()).await.expect("sessions");
    assert_eq!(sessions[0].name, "Lee Marsh", "a name, and no e-mail address");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_projects_are_asked_about_after_the_sign_in() {
    let projects: Vec<ProjectKey> =
        (7101..7161).map(|id| ProjectKey { project: ProjectId::new(id), ..PROJECT }).collect();
    let setup = Setup { hooked: false, projects: projects.clone(), ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    for project in &projects {
        app.simulator.add_project(project.company, project.project, "One of sixty");
        app.simulator.add_member(seed::OBSERVER, project.project, Level::Standard);
    }
    let client = client();
    signed_in(&app, &client, seed::OBSERVER).await;
    let asked = |path: &str| app.simulator.requests().iter().filter(|call| call.is("GET", path)).count();
    assert_eq!((asked("/rest/v1.0/me"), asked("/rest/v1.1/projects")), (1, 1));
    // The rest is asked by itself; then the person's tokens are taken back.
    let revoked = || app.simulator.requests().iter().filter(|call| call.is("POST", "/oauth/revoke")).count();
    app.patiently("all to be asked", async || revoked() == 2).await;
    assert_eq!(asked("/rest/v1.0/settings/permissions"), 61);
    app.finish().await;
}
