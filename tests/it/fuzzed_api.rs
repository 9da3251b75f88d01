//! The API, asked at random from its own `OpenAPI` document by schemathesis, as `.ci/run` installs it.

use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use punchlens::domain::people::{Login, Role};
use punchlens::http::{Secret, TOKEN_PREFIX};
use punchlens::store::{AuditSubject, NewAccount, NewToken};
use serde_json::{Value, json};

use crate::support::detector::{photo, sees};
use crate::support::{Setup, TestApp};

/// Names the program; without it there is nothing to run.
const PROGRAM: &str = "PUNCHLENS_SCHEMATHESIS";

/// Seconds that the whole run may take.
const BUDGET_S: &str = "60";

/// What a script with an account's token sends.
async fn token(app: &TestApp) -> String {
    let now = Timestamp::now();
    let login: Login = "robot".parse().expect("a login");
    let new = NewAccount {
        name: "Robot".into(),
        login: login.clone(),
        role: Role::Admin,
        projects: None,
        password: "signs in with tokens alone".into(),
    };
    app.store.add_account(&new, "test", now).await.expect("adds");
    let secret = Secret::generate();
    let expires_at = now + SignedDuration::from_hours(1);
    let new = NewToken { digest: secret.digest(), label: "fuzzing".into(), expires_at };
    app.store.add_token(&login, &new, "test", now).await.expect("adds");
    format!("{TOKEN_PREFIX}{}", secret.reveal())
}

/// The served document with findings and photos that exist as examples: made-up ids alone would only meet 404.
async fn document(app: &TestApp) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("{}/api/v1/openapi.json", app.url)).send().await.expect("answers");
    let mut document: Value = answer.json().await.expect("JSON");
    let cards = app.cards().await;
    let examples = |ids: Vec<String>| -> Value {
        ids.into_iter()
            .enumerate()
            .map(|(number, id)| (format!("e{number}"), json!({ "value": id })))
            .collect()
    };
    let findings = examples(cards.iter().map(|card| card.finding.id.to_string()).collect());
    let photos = examples(cards.iter().map(|card| card.photo.id.to_string()).collect());
    for operations in document["paths"].as_object_mut().expect("paths").values_mut() {
        for operation in operations.as_object_mut().expect("operations").values_mut() {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                match parameter["name"].as_str() {
                    Some("finding") => parameter["examples"] = findings.clone(),
                    Some("photo") => parameter["examples"] = photos.clone(),
                    Some("project") => parameter["examples"] = json!({ "e": { "value": "8-6778" } }),
                    _ => {}
                }
            }
            operation.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        }
    }
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_withstands_its_own_document() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        println!("skipped: {PROGRAM} does not name the schemathesis program; .ci/run installs it");
        return;
    };
    let app = TestApp::start(sees(&["crack", "spalling"]), Setup::default()).await;
    for number in 0..10 {
        app.upload(&format!("IMG_{number}.jpg"), photo(true, number), &["Building A", "Floor 2", "Unit 204"])
            .await;
    }
    app.until_settled(10).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document(&app).await.to_string()).expect("writes");
    let (url, token) = (app.url.clone(), token(&app).await);
    let run = tokio::task::spawn_blocking(move || fuzz(Path::new(&program), &file, &url, &token));
    let (passed, said) = run.await.expect("no panic");
    println!("{said}");
    assert!(passed, "{said}");
    app.until_idle().await;
    // What was asked reached real findings with a token that may decide, or the run proved nothing.
    let mut decided = 0;
    for card in app.cards().await {
        let rows = app.store.audit_of(AuditSubject::Finding(card.finding.id)).await.expect("reads");
        decided += rows.iter().filter(|row| row.kind == "finding.decided").count();
    }
    assert!(decided > 0, "no finding was ever decided");
    println!("{decided} decisions were taken");
    app.finish().await;
}

/// All checks but one: that whatever fits the schema is taken. A location that Procore does not list fits the
/// schema and is refused with good reason.
fn fuzz(program: &Path, document: &Path, url: &str, token: &str) -> (bool, String) {
    let output = Command::new(program)
        .arg("run")
        .arg(document)
        .args(["--url", url, "--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args([
            "--max-time",
            BUDGET_S,
            "--seed",
            "1",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ])
        .current_dir(document.parent().expect("in a folder"))
        .output()
        .expect("the program runs");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}
