//! What happens to accepted items in Procore: who manages them, and how they stand there later.

use punchlens::domain::card::Card;
use punchlens::domain::ids::{LocationId, UserId};
use punchlens::domain::job::Job;
use punchlens::domain::people::{Person, PersonId, ProcoreUser, SignedInBy};
use punchlens::domain::punch_item::Edits;
use punchlens::domain::review::{Decision, FindingState, Verdict};
use punchlens::simulator::{Conditions, Refused, seed};
use punchlens::store::{AccountChange, CardQuery, NewAccount};
use serde_json::json;

use crate::support::detector::{photo, sees};
use crate::support::{PROJECT, Setup, TestApp, muting};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

const ACCEPT: Verdict = Verdict::Accept { edits: Edits::NONE };

async fn started(setup: Setup) -> TestApp {
    TestApp::start(sees(&["crack"]), setup).await
}

/// A setup with `rules` laid over the defaults. The folder holds them.
fn with_rules(rules: &str) -> (Setup, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, rules).expect("written");
    let files = format!("[{:?}]", file.display().to_string());
    let settings = vec![("PUNCHLENS_TAGGING__RULES_FILES", files)];
    (Setup { settings, ..Setup::default() }, folder)
}

fn reads_of_items(app: &TestApp) -> usize {
    let of_items = |path: &str| path.starts_with("/rest/v1.1/punch_items/");
    app.simulator.requests().iter().filter(|asked| asked.method == "GET" && of_items(&asked.path)).count()
}

impl TestApp {
    /// The only card, once it shows `words` of Procore.
    async fn card_with(&self, words: &str) -> Card {
        self.until(words, async |app: &TestApp| {
            let cards = app.cards().await;
            cards.iter().any(|card| card.in_procore.as_ref().is_some_and(|seen| seen.words().contains(words)))
        })
        .await;
        self.card().await
    }

    async fn accepted_by(&self, person: Option<Person>) -> Card {
        let finding = self.card().await.finding.id;
        let reviewer = person.as_ref().map_or_else(|| "Ana".to_owned(), |person| person.name.clone());
        let at = jiff::Timestamp::now();
        let decision = Decision { verdict: ACCEPT, reviewer, person, at };
        self.store.decide(finding, &decision, &muting).await.expect("decides");
        self.until_idle().await;
        self.card().await
    }

    async fn page_of(&self, card: &Card) -> String {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client");
        let signed_in = client.get(format!("{}/review?key={}", self.url, self.key)).send().await;
        let signed_in = signed_in.expect("an answer");
        let cookie = signed_in.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let page = format!("{}/review/findings/{}", self.url, card.finding.id);
        let page = client.get(page).header("cookie", cookie).send().await;
        page.expect("an answer").text().await.expect("text")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_item_stays_accepted_whatever_people_make_of_it() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    app.accepted_by(None).await;
    let item = app.item().id;
    let steps = ["work_required", "ready_for_review", "ready_to_close", "closed"];
    for (number, status) in steps.into_iter().enumerate() {
        let reads = reads_of_items(&app);
        let fields = json!({ "workflow_status": status, "punch_item_manager_id": seed::MANAGER });
        assert!(app.simulator.edit_punch_item(item, &fields), "{status}");
        let card = app.card_with(&status.replace('_', " ")).await;
        app.until_idle().await;
        assert_eq!(card.state, FindingState::Accepted, "{status}: {card:#?}");
        assert_eq!(card.problem, None);
        assert!(reads_of_items(&app) <= reads + 1, "one event is one call at the most");
        let states = vec![FindingState::Accepted];
        let query = CardQuery { states, ..CardQuery::default() };
        assert_eq!(app.store.cards(&query).await.expect("lists").len(), 1, "it is on the accepted list");
        if number == 0 {
            let manager = card.in_procore.as_ref().expect("seen").ball_in_court.join("");
            assert!(!manager.is_empty());
            let words = format!("In Procore: work required, with {manager}");
            let page = app.page_of(&card).await;
            assert!(page.contains(&words) && !page.contains("Decided in Procore"), "{words}: {page}");
        }
    }
    app.simulator.delete_punch_item(item);
    let card = app.card_with("deleted").await;
    assert_eq!(card.state, FindingState::Accepted);
    assert!(app.page_of(&card).await.contains("Deleted in Procore"));
    let undone = app.store.undo(card.finding.id, "Ana", jiff::Timestamp::now()).await;
    assert!(undone.expect_err("it is in Procore's hands").to_string().contains("people went on with it"));
    app.finish().await;
}

/// Procore, or a proxy before it, says for a moment that the item, or the whole list, does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_not_found_for_a_moment_is_not_deleted() {
    for paths in [&["/rest/v1.1/punch_items/*"][..], &["/rest/v1.1/punch_items/*", "/rest/v1.1/punch_items"]]
    {
        let app = started(Setup::default()).await;
        app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
        app.until_settled(1).await;
        let finding = app.accepted_by(None).await.finding.id;
        let refused = |path: &&str| Refused { method: Some("GET".into()), path: (*path).into(), status: 404 };
        let refusals = paths.iter().map(refused).collect();
        app.simulator.set_conditions(Conditions { refusals, ..Conditions::default() });
        let now = jiff::Timestamp::now();
        app.store.enqueue(&[Job::SyncPunchItem { finding }], now, now).await.expect("queued");
        app.until("a later look", async |app: &TestApp| {
            let stats = app.store.queue_stats(jiff::Timestamp::now()).await.expect("stats");
            stats.delayed == 1 && stats.ready + stats.running == 0
        })
        .await;
        let card = app.card().await;
        assert_eq!(card.state, FindingState::Accepted);
        assert!(card.in_procore.as_ref().is_none_or(|seen| !seen.deleted), "{card:#?}");
        app.simulator.set_conditions(Conditions::default());
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_and_roll_calls_show_what_no_webhook_told() {
    let settings = vec![("PUNCHLENS_PIPELINE__ROLL_CALL_EVERY_S", "1".to_owned())];
    let app = started(Setup { hooked: false, sweep_every_s: 0, settings, ..Setup::default() }).await;
    let sweep = async || {
        let now = jiff::Timestamp::now();
        app.store.enqueue(&[Job::Sweep { project: PROJECT }], now, now).await.expect("queued");
        app.until_idle().await;
    };
    // The first sweep sets the mark from which the next ones look.
    sweep().await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    sweep().await;
    app.until_settled(1).await;
    app.accepted_by(None).await;
    let (item, reads) = (app.item().id, reads_of_items(&app));
    assert!(app.simulator.edit_punch_item(item, &json!({ "workflow_status": "work_required" })));
    sweep().await;
    let card = app.card_with("work required").await;
    assert_eq!((card.state, reads_of_items(&app)), (FindingState::Accepted, reads), "the list is enough");
    app.simulator.delete_punch_item(item);
    // A list leaves out what was deleted: the roll call notices.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    sweep().await;
    let card = app.card_with("deleted").await;
    assert_eq!((card.state, reads_of_items(&app)), (FindingState::Accepted, reads + 1));
    app.finish().await;
}

fn in_procore(id: UserId, name: &str) -> Person {
    Person { name: name.into(), who: PersonId::Procore(id), login: None, by: SignedInBy::Procore }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_accepts_manages_in_the_write_that_sends_it_on() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    assert_eq!(app.item().manager, Some(seed::SERVICE_USER), "Procore's own choice for a draft");
    let card = app.accepted_by(Some(in_procore(seed::MANAGER, "Pat"))).await;
    let item = app.item();
    assert_eq!((item.workflow_status.as_str(), item.manager), ("initiated", Some(seed::MANAGER)));
    assert!(card.left_out.is_empty(), "{:?}", card.left_out);
    let requests = app.simulator.requests();
    let writes: Vec<_> = requests.iter().filter(|asked| asked.method == "PATCH").collect();
    let [write] = &writes[..] else { panic!("one write: {writes:#?}") };
    let sent = &write.body["punch_item"];
    assert_eq!(
        (sent["workflow_status"].as_str(), sent["punch_item_manager_id"].as_i64()),
        (Some("initiated"), Some(seed::MANAGER.value()))
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_names_its_procore_user() {
    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let login: punchlens::domain::people::Login = "pat".parse().expect("a login");
    let new = NewAccount {
        login: login.clone(),
        name: "Pat".into(),
        role: punchlens::domain::people::Role::Reviewer,
        projects: None,
        password: "x".into(),
    };
    let now = jiff::Timestamp::now();
    app.store.add_account(&new, "tests", now).await.expect("added");
    let manager: ProcoreUser = seed::MANAGER.to_string().parse().expect("an id");
    let change = AccountChange::ProcoreUser(Some(manager.clone()));
    let account = app.store.change_account(&login, &change, "tests", now).await.expect("changed");
    assert_eq!(account.procore_user, Some(manager));
    let person = Person {
        name: "Pat".into(),
        who: PersonId::Account(account.id),
        login: Some("pat".into()),
        by: SignedInBy::Password,
    };
    app.accepted_by(Some(person)).await;
    assert_eq!(app.item().manager, Some(seed::MANAGER));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_manage_leaves_it_to_the_rules_and_is_told() {
    let manager = seed::MANAGER;
    let (setup, _folder) = with_rules(&format!("[people.manager_by_location]\n\"Building A\" = {manager}\n"));
    let app = started(setup).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let card = app.accepted_by(Some(in_procore(seed::SUPERINTENDENT, "Sam Okafor"))).await;
    assert_eq!(app.item().manager, Some(manager));
    let [left] = &card.left_out[..] else { panic!("one note: {:?}", card.left_out) };
    assert!(left.because.starts_with("Sam Okafor is not among"), "{}", left.because);
    app.finish().await;

    let app = started(Setup::default()).await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let card = app.accepted_by(None).await;
    let [left] = &card.left_out[..] else { panic!("one note: {:?}", card.left_out) };
    assert!(left.because.contains("only this service manages"), "{}", left.because);
    assert!(app.page_of(&card).await.contains("people.manager"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_somebody_chose_stays() {
    let app =
        started(Setup { mode: punchlens::domain::delivery::ProjectMode::ReviewFirst, ..Setup::default() })
            .await;
    app.upload("IMG_1.jpg", photo(true, 1), &UNIT).await;
    app.until_settled(1).await;
    let manager = Some(seed::MANAGER);
    let edits = Edits { manager, location: app.simulator.location(&UNIT[..2]), ..Edits::NONE };
    let place: Option<LocationId> = edits.location;
    app.decide(app.card().await.finding.id, Verdict::Accept { edits }).await;
    let item = app.item();
    assert_eq!((item.manager, item.location, item.workflow_status.as_str()), (manager, place, "initiated"));
    app.finish().await;
}
