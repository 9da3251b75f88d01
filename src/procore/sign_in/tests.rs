use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey};
use crate::procore::config::PermittedProject;
use crate::procore::stub::{PROJECT, Reply, SECRET, Seen, Stub};

const BACK: &str = "https://box.example.com/review/procore";

fn sign_in(stub: &Stub) -> SignIn {
    let mut config = stub.config();
    config.sign_in.redirect_url = BACK.into();
    let client = Client::new(&config, None).expect("complete");
    SignIn::new(&client, None).expect("complete").expect("wanted")
}

fn procore(seen: &Seen, level: &str) -> Reply {
    match seen.path.as_str() {
        "/oauth/token" => {
            Reply::ok(r#"{"access_token": "hers", "refresh_token": "again", "expires_in": 5400}"#)
        }
        "/oauth/revoke" => Reply::ok("{}"),
        "/rest/v1.0/me" => Reply::ok(r#"{"id": "160586", "login": "sam@example.com", "name": "Sam"}"#),
        _ => Reply::ok(&format!(
            r#"{{"tools": [{{"name": "punch_list", "available_for_user": true, "user_access_level": {{"id": 3, "name": "{level}"}}}}]}}"#
        )),
    }
}

#[tokio::test]
async fn a_code_becomes_a_person_with_rights_and_no_token_is_left() {
    let stub = Stub::bare(|seen| procore(seen, "Standard")).await;
    let member = sign_in(&stub).who("the-code").await.expect("signs in");
    assert_eq!((member.id, member.name.as_str()), (UserId::new(160_586), "Sam"));
    assert_eq!(member.grants, [Grant { project: PROJECT, role: Role::Reviewer }]);
    let asked: Vec<_> =
        stub.calls().iter().filter_map(|call| call.header("authorization").map(str::to_owned)).collect();
    assert_eq!(asked, ["Bearer hers", "Bearer hers"]);
}

#[tokio::test]
async fn levels_become_roles() {
    for (level, role) in [
        ("none", None),
        ("read_only", Some(Role::Viewer)),
        ("Read Only", Some(Role::Viewer)),
        ("standard", Some(Role::Reviewer)),
        ("admin", Some(Role::Admin)),
        ("something new", None),
    ] {
        let stub = Stub::bare(move |seen| procore(seen, level)).await;
        let grants = sign_in(&stub).who("code").await.expect("signs in").grants;
        assert_eq!(grants.first().map(|grant| grant.role), role, "{level}");
    }
}

#[tokio::test]
async fn names_are_asked_for_in_a_company() {
    let stub = Stub::bare(|seen| procore(seen, "admin")).await;
    sign_in(&stub).who("code").await.expect("signs in");
    let asked = stub.calls().into_iter().find(|call| call.path == "/rest/v1.0/me").expect("asked");
    assert_eq!((asked.asked("company_id"), asked.header("procore-company-id")), (vec!["8"], Some("8")));
}

/// A stub that answers so many questions about permissions, and says 429 to the rest; and a sign-in for `projects`.
async fn limited(projects: &[ProjectKey], allowed: usize, listed: bool) -> (Stub, SignIn) {
    let asked = AtomicUsize::new(0);
    let rows: Vec<String> =
        projects.iter().map(|key| format!(r#"{{"id": {}}}"#, key.project.value())).collect();
    let stub = Stub::bare(move |seen| match seen.path.as_str() {
        "/rest/v1.1/projects" if listed => Reply::ok(&format!("[{}]", rows.join(","))),
        "/rest/v1.1/projects" => Reply::json(404, "{}"),
        "/rest/v1.0/settings/permissions" if asked.fetch_add(1, Ordering::SeqCst) >= allowed => {
            Reply::json(429, "slow down").with("Retry-After", 3600)
        }
        _ => procore(seen, "standard"),
    })
    .await;
    let mut config = stub.config();
    config.sign_in.redirect_url = BACK.into();
    // It is about what is refused, and not about what is slow.
    (config.first_byte_ms, config.total_ms) = (20_000, 20_000);
    let mode = config.projects[0].mode;
    let permitted = |key: &ProjectKey| PermittedProject { company: key.company, project: key.project, mode };
    config.projects = projects.iter().map(permitted).collect();
    let client = Client::new(&config, None).expect("complete");
    let sign_in = SignIn::new(&client, None).expect("complete").expect("wanted");
    (stub, sign_in)
}

#[tokio::test]
async fn sixty_projects_do_not_keep_a_person_out() {
    let projects: Vec<ProjectKey> =
        (1..=60).map(|id| ProjectKey { project: ProjectId::new(id), ..PROJECT }).collect();
    for listed in [true, false] {
        let (stub, sign_in) = limited(&projects, 12, listed).await;
        let member = sign_in.who("code").await.expect("signs in with what is known");
        assert_eq!(member.grants.len(), 12);
        assert!(member.later.is_some(), "the rest is asked later");
        let asked = |path| stub.calls().iter().filter(|call| call.path == path).count();
        assert_eq!((asked("/rest/v1.0/me"), asked("/rest/v1.0/settings/permissions")), (1, 12));
        // Sixty ids are two calls; a refused list is not asked for twice.
        assert_eq!(asked("/rest/v1.1/projects"), if listed { 2 } else { 1 });
    }
    let (_stub, sign_in) = limited(&projects, 0, true).await;
    assert!(sign_in.who("code").await.is_err(), "nothing is known, and that is no refusal");
    let (stub, sign_in) = limited(&projects, 60, true).await;
    let member = sign_in.who("code").await.expect("signs in");
    let rest = member.later.expect("more to ask").grants().await;
    assert_eq!((member.grants.len(), rest.len()), (12, 48));
    assert_eq!(stub.calls().iter().filter(|call| call.path == "/oauth/revoke").count(), 2);
}

#[tokio::test]
async fn a_company_that_refuses_is_one_that_the_person_is_not_in() {
    let second = ProjectKey { company: CompanyId::new(9), project: ProjectId::new(1) };
    let stub = Stub::bare(|seen| match seen.header("procore-company-id") {
        Some("8") => Reply::json(403, "{}"),
        _ => procore(seen, "standard"),
    })
    .await;
    let mut config = stub.config();
    config.sign_in.redirect_url = BACK.into();
    let first = config.projects[0];
    config.projects.push(PermittedProject { company: second.company, project: second.project, ..first });
    let client = Client::new(&config, None).expect("complete");
    let sign_in = SignIn::new(&client, None).expect("complete").expect("wanted");
    let member = sign_in.who("code").await.expect("signs in");
    assert_eq!(member.grants, [Grant { project: second, role: Role::Reviewer }]);
    assert_eq!(member.name, "Sam");
}

#[tokio::test]
async fn who_is_not_in_a_project_gets_none() {
    let stub = Stub::bare(|seen| match seen.path.as_str() {
        "/rest/v1.0/settings/permissions" => Reply::json(403, "{}"),
        _ => procore(seen, "admin"),
    })
    .await;
    assert_eq!(sign_in(&stub).who("code").await.expect("is known").grants, []);
}

#[tokio::test]
async fn a_refused_code_shows_nothing_secret() {
    let stub =
        Stub::bare(|_| Reply::json(400, &format!(r#"{{"error": "invalid_grant {SECRET} my-code"}}"#))).await;
    let error = sign_in(&stub).who("my-code").await.expect_err("refused");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("my-code"), "{shown}");
}

#[tokio::test]
async fn the_way_there_names_app_state_and_way_back() {
    let stub = Stub::bare(|_| Reply::ok("{}")).await;
    let url = sign_in(&stub).authorize_url("st/ate");
    assert_eq!(url.path(), "/oauth/authorize");
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    assert!(
        pairs.contains(&("redirect_uri".into(), BACK.into()))
            && pairs.contains(&("state".into(), "st/ate".into()))
    );
    assert!(!url.as_str().contains(SECRET));
}

#[test]
fn the_way_back_is_ours_and_safe() {
    let check = |url: &str| {
        let secret = SecretString::default();
        let config = SignInConfig {
            redirect_url: url.into(),
            client_id: String::new(),
            client_secret: secret,
            client_secret_file: String::new(),
        };
        config.redirect().map(|url| url.is_some()).ok()
    };
    assert_eq!(check(""), Some(false));
    assert_eq!(check(BACK), Some(true));
    assert_eq!(check("http://localhost:8787/review/procore"), Some(true));
    for bad in ["box", "http://box.example.com/review/procore", "https://box.example.com/elsewhere"] {
        assert_eq!(check(bad), None, "{bad}");
    }
}
