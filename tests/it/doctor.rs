//! `doctor` against the simulator, with each thing broken in turn.

use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use punchlens::app::doctor::{self, CheckLine, CheckStatus, DoctorContext};
use punchlens::config::Config;
use punchlens::simulator::{Access, Level, Limits, Options, Policies, SetField, Time};
use punchlens::store::{AccountChange, NewAccount};

use crate::support::detector::sees;
use crate::support::{Setup, TestApp};

/// Rules that name a manager.
const PEOPLE: &str = concat!("[\"", env!("CARGO_MANIFEST_DIR"), "/fixtures/building/people.toml\"]");

const RULES: &str = "PUNCHLENS_TAGGING__RULES_FILES";

async fn started(options: Options) -> TestApp {
    let settings = vec![(RULES, PEOPLE.to_owned())];
    TestApp::start(sees(&["crack"]), Setup { options, settings, ..Setup::default() }).await
}

fn kind() -> Options {
    Options { limits: Limits::generous(), ..Options::default() }
}

fn with_access(access: Access) -> Options {
    Options { access, ..kind() }
}

async fn examine(config: &Config) -> Vec<CheckLine> {
    let opened = DoctorContext::open(config, None).await;
    let lines = doctor::examine(config, None, &opened).await;
    opened.close().await;
    lines
}

/// What is wrong, as (name, words, how to mend it).
async fn wrong(config: &Config) -> Vec<(&'static str, String, String)> {
    let lines = examine(config).await;
    let wrong = lines.into_iter().filter(|line| line.verdict == CheckStatus::Wrong);
    wrong.map(|CheckLine { name, detail, mend, .. }| (name, detail, mend)).collect()
}

/// Exactly one thing is wrong: this, with these words and this way to mend it.
async fn only(config: &Config, name: &str, words: &str, mend: &str) {
    let found = wrong(config).await;
    let [(found_name, found_words, found_mend)] = &found[..] else { panic!("one thing: {found:#?}") };
    assert_eq!(*found_name, name, "{found:?}");
    assert!(found_words.contains(words), "'{words}' is not in '{found_words}'");
    assert!(found_mend.contains(mend), "'{mend}' is not in '{found_mend}'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_box_gets_a_clean_bill() {
    let app = started(kind()).await;
    assert_eq!(wrong(&app.config).await, []);
    let names: Vec<_> = examine(&app.config).await.into_iter().map(|line| line.name).collect();
    for name in [
        "disk",
        "database",
        "projects",
        "webhook secret",
        "network",
        "credentials",
        "clock",
        "permissions",
        "hooks",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_setting_is_named_with_its_cure() {
    let app = started(kind()).await;
    let broken = |change: fn(&mut Config)| {
        let mut config = app.config.clone();
        change(&mut config);
        config
    };
    let config = broken(|config| config.procore.client_secret = "wrong".into());
    only(&config, "credentials", "does not accept", "developer portal").await;
    let config = broken(|config| config.procore.client_id.clear());
    only(&config, "credentials", "procore.client_id", "service account").await;
    let config = broken(|config| config.procore.client_secret = "".into());
    only(&config, "credentials", "no client secret", "developer portal").await;
    // Port 1 of loopback is nobody's.
    let config = broken(|config| config.procore.login_url = "http://127.0.0.1:1".into());
    only(&config, "network", "no answer from 127.0.0.1", "uplink").await;
    let config = broken(|config| config.procore.projects.clear());
    only(&config, "projects", "none is permitted", "[[procore.projects]]").await;
    let config = broken(|config| config.webhook.authorization = "".into());
    only(&config, "webhook secret", "not set", "webhook.authorization_file").await;
    let config = broken(|config| config.webhook.authorization = "Bearer other-0123456789".into());
    only(&config, "hooks", "another authorization value", "hooks sync").await;
    let config = broken(|config| config.webhook.public_url = "https://elsewhere.example/events".into());
    only(&config, "hooks", "no hook leads to", "hooks sync").await;
    let config = broken(|config| config.store.free_bytes_min = u64::MAX);
    only(&config, "disk", "are free", "make some room").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forward_proxy_leads_out_and_is_named() {
    let app = started(kind()).await;
    let mut config = app.config.clone();
    // A proxy takes a request with its whole URL, as the simulator's server does too. Port 1 of loopback is nobody's: only
    // the proxy leads to the simulator.
    config.procore.proxy_url = config.procore.api_url.clone();
    config.procore.api_url = "http://127.0.0.1:1".into();
    config.procore.login_url = "http://127.0.0.1:1".into();
    let lines = examine(&config).await;
    assert!(lines.iter().all(|line| line.verdict != CheckStatus::Wrong), "{lines:#?}");
    let network = lines.iter().find(|line| line.name == "network").expect("a line");
    assert!(network.detail.contains("through the proxy"), "{network:?}");

    config.procore.proxy_url = "http://127.0.0.1:1".into();
    only(&config, "network", "through the proxy http://127.0.0.1:1", "procore.proxy_url").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_are_named_tool_by_tool() {
    let app = started(with_access(Access { photos: Level::None, ..Access::default() })).await;
    only(&app.config, "permissions", "not do enough in Photos", "Photos Read Only").await;
    app.stop().await;
    let app = started(with_access(Access { punch_list: Level::ReadOnly, ..Access::default() })).await;
    only(&app.config, "permissions", "not do enough in Punch List", "Punch List Standard").await;
    app.stop().await;
    let access = Access { webhooks: Level::None, ..Access::default() };
    let settings = vec![(RULES, PEOPLE.to_owned())];
    let setup = Setup { options: with_access(access), hooked: false, settings, ..Setup::default() };
    let app = TestApp::start(sees(&["crack"]), setup).await;
    only(&app.config, "hooks", "forbids", "Webhooks API Standard").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_item_without_a_manager_is_wrong_until_the_rules_or_the_account_name_one() {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    only(&app.config, "managers", "the key of this machine would have no manager", "[people] manager").await;
    let mut config = app.config.clone();
    config.sign_in.key_on_this_machine = false;
    assert_eq!(wrong(&config).await, [], "whoever signs in with Procore manages");
    let login: punchlens::domain::people::Login = "ana".parse().expect("a login");
    let new = NewAccount {
        login: login.clone(),
        name: "Ana".into(),
        role: punchlens::domain::people::Role::Reviewer,
        projects: None,
        password: "x".into(),
    };
    app.store.add_account(&new, "tests", Timestamp::now()).await.expect("added");
    only(&config, "managers", "the account ana", "users procore-user").await;
    let user = Some("pat@northgate.example".parse().expect("a login"));
    let change = AccountChange::ProcoreUser(user);
    app.store.change_account(&login, &change, "tests", Timestamp::now()).await.expect("changed");
    assert_eq!(wrong(&config).await, []);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_fields_are_checked_by_name() {
    let app = started(kind()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fields.toml");
    std::fs::write(&file, "[fields]\nSeverity = \"Huge\"\n").expect("written");
    let mut config = app.config.clone();
    config.tagging.rules_files.push(file.display().to_string());
    let severity = SetField {
        definition: Some(4711),
        label: "Severity".into(),
        data_type: "lov_entry".into(),
        required: true,
        entries: vec![(81, "Minor".into()), (82, "Major".into())],
    };
    app.simulator.set_policies(Policies { fieldset: vec![severity], ..Policies::default() });
    only(&config, "fields", "it is one of: Minor, Major", "[fields]").await;
    std::fs::write(&file, "[fields]\nSeverity = \"major\"\n").expect("written");
    assert_eq!(wrong(&config).await, []);
    let lines = examine(&app.config).await;
    let note = lines.iter().find(|line| line.name == "fields").expect("a note");
    assert!(note.verdict == CheckStatus::Note && note.detail.contains("requires Severity"), "{note:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_and_a_damaged_database_show() {
    let time = Time::Manual(Timestamp::now() - Duration::from_hours(3));
    let app = started(Options { time, ..kind() }).await;
    only(&app.config, "clock", "ahead of Procore's", "set-ntp").await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = app.config.clone();
    config.procore.projects.clear();
    config.store.path = folder.path().join("damaged.db");
    std::fs::write(&config.store.path, b"this is no database".repeat(300)).expect("written");
    let found = wrong(&config).await;
    assert!(
        found.iter().any(|(name, words, _)| *name == "database" && words.contains("damaged")),
        "{found:#?}"
    );
    let reason = "Procore made punch item 5 as 'initiated' instead of a draft";
    app.store.stop_project(crate::support::PROJECT, reason, Timestamp::now()).await.expect("store");
    let found = wrong(&app.config).await;
    assert!(
        found.iter().any(|(name, _, mend)| *name == "projects" && mend.contains("projects resume")),
        "{found:#?}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_there_is_said_so() {
    let app = started(kind()).await;
    let doctor = |model: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_punchlens"))
            .arg("--config")
            .arg(&app.config_file)
            .arg("doctor")
            .env("PUNCHLENS_INFERENCE__MODEL", model)
            .env(RULES, PEOPLE)
            .output()
            .expect("runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = doctor("/nowhere/at/all");
    assert!(code == Some(1) && told.contains("WRONG  model:") && told.contains("/nowhere/at/all"), "{told}");
    let (code, told) = doctor("");
    assert!(code == Some(0) && told.contains("ok     provider: cpu, as asked for"), "{told}");
    app.stop().await;
}
