//! The review page in a real Chromium, at the sizes of a phone and of a desktop.

mod deciding;
mod going_wrong;
mod screenshots;
mod views;

use punchlens::domain::people::Role;
use punchlens::domain::review::FindingState;
use punchlens::http::password::PasswordConfig;
use punchlens::store::NewAccount;
use secrecy::SecretString;

use crate::support::browser::Browser;
use crate::support::detector::{photo, sees};
use crate::support::{Setup, TestApp};

const PASSWORD: &str = "a sentence to remember";

/// Keys as `WebDriver` names them.
const RIGHT: &str = "\u{E014}";
const DOWN: &str = "\u{E015}";
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";

/// A box with so many findings to review, each in a room of its own. A decision can be taken back for
/// `hold_s` seconds before it is carried over.
async fn with_findings(number: usize, hold_s: u32) -> TestApp {
    let settings = vec![("PUNCHLENS_STORE__DECISION_HOLD_S", hold_s.to_string())];
    let app = TestApp::start(sees(&["crack"]), Setup { settings, ..Setup::default() }).await;
    for (index, room) in rooms(&app).into_iter().take(number).enumerate() {
        find(&app, index, &room).await;
    }
    app.until_settled(number).await;
    assert_eq!(app.cards().await.len(), number);
    app
}

/// The rooms of the simulator's tree.
fn rooms(app: &TestApp) -> Vec<Vec<String>> {
    app.simulator.locations().into_iter().map(|(_, path)| path).filter(|path| path.len() == 3).collect()
}

/// Uploads a photo that shows something, unlike any other.
async fn find(app: &TestApp, index: usize, room: &[String]) {
    let mut bytes = photo(true, (index % 17) as u8);
    // What stands behind a photo's end is no part of the picture, but of the file.
    bytes.extend(index.to_be_bytes());
    let room: Vec<&str> = room.iter().map(String::as_str).collect();
    app.upload(&format!("IMG_{index:04}.jpg"), bytes, &room).await;
}

/// Makes an account with [`PASSWORD`].
async fn account(app: &TestApp, login: &str, name: &str) {
    let cheap = PasswordConfig { letters_min: 12, memory_kib: 64, passes: 1, at_once: 1 };
    let new = NewAccount {
        login: login.parse().expect("a login"),
        name: name.into(),
        role: Role::Reviewer,
        projects: None,
        password: cheap.hash(&SecretString::from(PASSWORD), &[login]).expect("a good password"),
    };
    app.store.add_account(&new, "tests", jiff::Timestamp::now()).await.expect("adds");
}

/// Signs in by the form that is shown.
async fn fill_sign_in(browser: &Browser, login: &str) {
    browser.fill("#login", login).await;
    browser.fill("#password", PASSWORD).await;
    browser.click(".sign-in button[type=submit]").await;
}

/// Signs in by the printed link.
async fn by_link(browser: &Browser, app: &TestApp) {
    browser.go(&format!("{}/review?key={}&name=Ana", app.url, app.key)).await;
    browser.until("the list", "document.querySelector('#view')?.dataset.page === 'list'").await;
}

/// An open card that is done with loading and takes decisions.
const CARD: &str = "document.querySelector('#accept') && !document.body.classList.contains('busy') && !document.body.classList.contains('fresh')";

/// Returns once the address is another one than `before` and the page stands still.
async fn moved_on(browser: &Browser, before: &str) {
    let script = format!("location.href !== '{before}' && !document.body.classList.contains('busy')");
    browser.until("the next page", &script).await;
}

/// How many findings are in `state`.
async fn count(app: &TestApp, state: FindingState) -> usize {
    app.cards().await.iter().filter(|card| card.state == state).count()
}

/// Waits until so many findings are in `state`.
async fn until_count(app: &TestApp, state: FindingState, number: usize) {
    app.until(&format!("{number} {state:?}"), async |app: &TestApp| count(app, state).await == number).await;
}
