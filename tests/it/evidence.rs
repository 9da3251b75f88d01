//! Evidence packs: everything about one finding, proven without the database and without our code.
#![expect(clippy::print_stdout, reason = "a skipped check is named")]

use std::path::Path;
use std::process::{Command, Output};

use punchlens::config::load_from;
use punchlens::domain::punch_item::{Edits, Priority};
use punchlens::domain::review::Verdict;
use punchlens::inference;

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

/// Photos in which the shipped model finds something of every kind.
const WALLS: [&str; 4] = ["crack-plaster.jpg", "growth-marks.jpg", "peel-crack.jpg", "spall-concrete.jpg"];

#[tokio::test(flavor = "multi_thread")]
async fn packs_of_the_shipped_model_prove_themselves() {
    let config = load_from(None, std::iter::empty()).expect("the defaults are sound").config.inference;
    if let Err(reason) = inference::ensure_runtime(&config, &|_| {}) {
        return println!("SKIPPED: no ONNX Runtime here: {reason}");
    }
    let app = TestApp::start(inference::load(&config).expect("loads"), Setup::default()).await;
    for name in WALLS {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos").join(name);
        app.upload(name, std::fs::read(file).expect("a fixture"), &UNIT).await;
    }
    app.until_settled(WALLS.len()).await;
    let cards = app.cards().await;
    assert!(cards.len() >= WALLS.len(), "{cards:#?}");
    let edits = Edits { title: Some("Riß “am” Fenster – 裂缝 \u{1f9f1}".into()), ..Edits::NONE };
    app.decide(cards[0].finding.id, Verdict::Accept { edits }).await;
    let out = tempfile::tempdir().expect("a folder");
    let exported = punchlens(&app, &["audit", "export", "--out", &out.path().display().to_string()]);
    assert!(exported.status.success(), "{}", text(&exported));
    for card in &cards {
        let pack = out.path().join(format!("finding-{}.zip", card.finding.id));
        let verified = punchlens(&app, &["audit", "verify", &pack.display().to_string()]);
        assert!(verified.status.success() && text(&verified).contains("holds"), "{}", text(&verified));
        let Some(unpacked) = unpack(&pack) else { break };
        let checked = verify_py(unpacked.path());
        assert!(checked.status.success() && text(&checked).contains("holds"), "{}", text(&checked));
    }
    app.finish().await;
}

/// The program within the pack needs nothing but Python, and notices what was changed.
fn without_our_code(pack: &Path) {
    let Some(folder) = unpack(pack) else { return };
    let checked = verify_py(folder.path());
    assert!(checked.status.success() && text(&checked).contains("holds"), "{}", text(&checked));
    let file = folder.path().join("evidence.json");
    let story = std::fs::read_to_string(&file).expect("unpacked");
    for (honest, changed) in [("Sam Super", "Sam Soper"), ("\"medium\"", "\"low\"")] {
        assert!(story.contains(honest), "{honest} is not in the pack");
        std::fs::write(&file, story.replacen(honest, changed, 1)).expect("written");
        let checked = verify_py(folder.path());
        assert!(!checked.status.success() && text(&checked).contains("WRONG"), "{}", text(&checked));
    }
}

/// Unpacks a pack with Python; `None` where there is none, which is said.
fn unpack(pack: &Path) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let Ok(unpacked) =
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(pack).arg(folder.path()).output()
    else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no python3 to check packs with");
        println!("SKIPPED: no python3 to check {} with", pack.display());
        return None;
    };
    assert!(unpacked.status.success(), "{}", text(&unpacked));
    Some(folder)
}

/// Runs the pack's own program in its folder.
fn verify_py(folder: &Path) -> Output {
    Command::new("python3").arg("verify.py").current_dir(folder).output().expect("python3 was there")
}
