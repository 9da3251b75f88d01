//! Evidence packs: everything about one finding, proven without the database and without our code.
#![expect(clippy::print_stdout, reason = "a check that cannot be made says so")]

use std::path::Path;
use std::process::{Command, Output};

use punchlens::domain::punch_item::{Edits, Priority};
use punchlens::domain::review::Verdict;

use crate::support::detector::{photo, sees};
use crate::support::{Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

fn punchlens(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punchlens"));
    command.arg("--config").arg(&app.config_file).args(arguments).output().expect("runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn decided() -> TestApp {
    let app = TestApp::start(sees(&["crack"]), Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.upload("IMG_2.jpg", photo(false, 2), &UNIT).await;
    app.until_settled(2).await;
    let edits = Edits { priority: Some(Priority::High), ..Edits::NONE };
    app.decide(app.card().await.finding.id, Verdict::Accept { edits }).await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_tells_the_whole_story() {
    let app = decided().await;
    let card = app.card().await;
    let evidence = app.store.evidence(card.finding.id, jiff::Timestamp::now()).await.expect("there");
    evidence.pack.verify(&evidence.pictures).expect("holds");
    assert_eq!(evidence.pictures.len(), 1);
    let detail = |kind: &str| {
        let told = evidence.pack.story.iter().find(|told| told.kind == kind);
        told.unwrap_or_else(|| panic!("{kind} is not in {:#?}", evidence.pack.story)).clone()
    };
    let event = detail("event.routed").detail;
    assert!(event["body"].as_str().is_some_and(|body| body.contains("\"Images\"")), "{event}");
    let seen = detail("photo.recorded").detail;
    assert_eq!(seen["content_sha256"], card.photo.content.to_string());
    assert!(seen["capture"].is_object(), "EXIF as read: {seen}");
    assert!(seen["evidence"]["model"]["sha256"].is_string(), "{seen}");
    assert!(seen["evidence"]["model"]["classes"][0]["threshold"].is_number(), "{seen}");
    assert!(detail("finding.proposed").detail["rules"].as_array().is_some_and(|rules| !rules.is_empty()));
    assert_eq!(detail("write.begun").detail["request"]["title"], card.draft.title);
    assert!(detail("write.delivered").detail["answer"]["id"].is_number());
    assert_eq!(detail("finding.decided").actor, "Sam Super");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_are_exported_and_prove_themselves() {
    let app = decided().await;
    let out = tempfile::tempdir().expect("a folder");
    let folder = out.path().display().to_string();
    let exported = punchlens(&app, &["audit", "export", "--out", &folder]);
    assert!(exported.status.success(), "{}", text(&exported));
    let pack = out.path().join(format!("finding-{}.zip", app.card().await.finding.id));
    let verified = punchlens(&app, &["audit", "verify", &pack.display().to_string()]);
    assert!(verified.status.success() && text(&verified).contains("holds"), "{}", text(&verified));

    let chain = punchlens(&app, &["audit", "verify"]);
    assert!(chain.status.success(), "{}", text(&chain));
    let head = text(&chain).split("head: ").nth(1).expect("a head").trim().to_owned();
    let noted = punchlens(&app, &["audit", "verify", "--head", &head]);
    assert!(noted.status.success(), "{}", text(&noted));
    let other = punchlens(&app, &["audit", "verify", "--head", &"ab".repeat(32)]);
    assert_eq!(other.status.code(), Some(1), "{}", text(&other));

    without_our_code(&pack);
    app.finish().await;
}

/// The program within the pack needs nothing but Python, and notices what was changed.
fn without_our_code(pack: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let python =
        |arguments: &[&str]| Command::new("python3").args(arguments).current_dir(folder.path()).output().ok();
    let path = pack.display().to_string();
    let Some(unpacked) = python(&["-m", "zipfile", "-e", &path, "."]) else {
        println!("skipped: there is no python3 to check the pack with");
        return;
    };
    assert!(unpacked.status.success(), "{}", text(&unpacked));
    let checked = python(&["verify.py"]).expect("python3 was there");
    assert!(checked.status.success() && text(&checked).contains("holds"), "{}", text(&checked));
    let file = folder.path().join("evidence.json");
    let story = std::fs::read_to_string(&file).expect("unpacked");
    std::fs::write(&file, story.replace("Sam Super", "Sam Soper")).expect("written");
    let checked = python(&["verify.py"]).expect("python3 was there");
    assert!(!checked.status.success() && text(&checked).contains("WRONG"), "{}", text(&checked));
}
