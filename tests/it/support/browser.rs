//! A real Chromium, driven by `WebDriver` over plain HTTP.
#![expect(clippy::print_stdout, reason = "a check that cannot be made says so")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Browsers at once: each takes a core.
static ROOM: Semaphore = Semaphore::const_new(1);

/// How long an element or a state is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The screens that journeys are made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A phone: 390 by 844, touch.
    Phone,
    /// A tablet: 820 by 1180, touch.
    Tablet,
    /// A desktop: 1440 by 900, mouse and keyboard.
    Desktop,
}

/// How a phone is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Light,
    Dark,
}

/// One window of one Chromium.
pub(crate) struct Browser {
    client: reqwest::Client,
    session: String,
    driver: Child,
    _room: SemaphorePermit<'static>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its Chromium when it is asked to stop; a killed one leaves it behind.
        let _gone = Command::new("kill").arg(self.driver.id().to_string()).status();
        let _ended = self.driver.wait();
    }
}

/// Why there is no browser here, if there is none.
fn missing() -> Option<String> {
    let found =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    let lacks: Vec<&str> =
        ["chromedriver", "chromium"].into_iter().filter(|program| !found(program)).collect();
    (!lacks.is_empty()).then(|| {
        format!("{} not installed (Debian: apt-get install chromium chromium-driver)", lacks.join(" and "))
    })
}

impl Browser {
    /// Opens a window, or tells why the test is skipped. With `CI=true` a missing browser fails the test.
    pub(crate) async fn open(screen: Screen) -> Option<Self> {
        Self::open_with(screen, true).await
    }

    /// The same, with the page's scripts switched off if `scripts` is false.
    pub(crate) async fn open_with(screen: Screen, scripts: bool) -> Option<Self> {
        if let Some(why) = missing() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
            println!("skipped: {why}");
            return None;
        }
        // The service installs one too; whoever comes second is refused, which is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let room = ROOM.acquire().await.expect("never closed");
        let (driver, port) = driver();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE * 3).build().expect("a client");
        let url = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { client, session: url, driver, _room: room };
        let made = browser.post("", &capabilities(screen, scripts)).await;
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().expect("a session"));
        browser
            .post("/timeouts", &json!({ "implicit": PATIENCE.as_millis() as u64, "script": 60_000 }))
            .await;
        Some(browser)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.try_post(path, body).await.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    async fn try_post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.client.post(format!("{}{path}", self.session)).json(body).send().await;
        let value: Value = answer.expect("the driver lives").json().await.expect("JSON");
        let value = value["value"].clone();
        if value["error"].is_string() {
            let text = value["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
            return Err(format!("{}: {text}", value["error"]));
        }
        Ok(value)
    }

    async fn get(&self, path: &str) -> Value {
        let answer =
            self.client.get(format!("{}{path}", self.session)).send().await.expect("the driver lives");
        let value: Value = answer.json().await.expect("JSON");
        value["value"].clone()
    }

    /// Goes to an address. Chromium drops what is pressed before a page is painted first.
    pub(crate) async fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
        self.until("the first paint", "performance.getEntriesByType('paint').length").await;
    }

    /// The back button.
    pub(crate) async fn back(&self) {
        self.post("/back", &json!({})).await;
    }

    /// The reload button.
    pub(crate) async fn reload(&self) {
        self.post("/refresh", &json!({})).await;
    }

    /// Where the window is.
    pub(crate) async fn url(&self) -> String {
        self.get("/url").await.as_str().expect("an address").to_owned()
    }

    /// Forgets every cookie, as when a session ends.
    pub(crate) async fn forget_cookies(&self) {
        let answer = self.client.delete(format!("{}/cookie", self.session)).send().await;
        assert!(answer.expect("the driver lives").status().is_success());
    }

    async fn find(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css })).await;
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// The text of the first element that fits.
    pub(crate) async fn text(&self, css: &str) -> String {
        let id = self.find(css).await;
        self.get(&format!("/element/{id}/text")).await.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks as a person with a mouse or a finger would: refused where something lies above it.
    pub(crate) async fn click(&self, css: &str) {
        let id = self.find(css).await;
        self.post(&format!("/element/{id}/click"), &json!({})).await;
    }

    /// Types into a field, after what is there or instead of it.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let id = self.find(css).await;
        self.post(&format!("/element/{id}/clear"), &json!({})).await;
        self.post(&format!("/element/{id}/value"), &json!({ "text": text })).await;
    }

    /// Presses and lets go of keys, one after the other, wherever the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
            })
            .collect();
        self.post(
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }),
        )
        .await;
    }

    /// Puts a finger on the middle of an element, moves it by (`dx`, `dy`) and lifts it.
    pub(crate) async fn swipe(&self, css: &str, dx: i32, dy: i32) {
        let step = |x: i32, y: i32| json!({ "type": "pointerMove", "duration": 40, "origin": "pointer", "x": x, "y": y });
        let moves = [step(dx / 4, dy / 4), step(dx / 4, dy / 4), step(dx / 4, dy / 4), step(dx / 4, dy / 4)];
        self.touch(css, &moves).await;
    }

    /// A tap with a finger.
    pub(crate) async fn tap(&self, css: &str) {
        self.touch(css, &[]).await;
    }

    /// Two taps with a finger on one spot, `gap_ms` apart, as a glove bounces.
    pub(crate) async fn tap_twice(&self, css: &str, gap_ms: u32) {
        let bounce = [
            json!({ "type": "pointerUp", "button": 0 }),
            json!({ "type": "pause", "duration": gap_ms }),
            json!({ "type": "pointerDown", "button": 0 }),
        ];
        self.touch(css, &bounce).await;
    }

    /// Gives the page another size, as another phone has or this one held sideways.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true });
        self.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
        self.until("the new size", &format!("innerWidth === {width} && innerHeight === {height}")).await;
    }

    /// Brings an element under a finger, puts it down, moves it and lifts it.
    async fn touch(&self, css: &str, moves: &[Value]) {
        for _ in 0..5 {
            match self.try_touch(css, moves).await {
                Ok(()) => return,
                // A page that moves by itself has replaced what was just found.
                Err(error) if error.contains("stale element") => {}
                Err(error) => panic!("{css}: {error}"),
            }
        }
        panic!("{css} is replaced again and again");
    }

    async fn try_touch(&self, css: &str, moves: &[Value]) -> Result<(), String> {
        let element = json!({ ELEMENT: self.find(css).await });
        let script = "arguments[0].scrollIntoView({ block: 'center' })";
        self.try_post("/execute/sync", &json!({ "script": script, "args": [element] })).await?;
        let mut touch = vec![
            json!({ "type": "pointerMove", "duration": 0, "origin": element, "x": 0, "y": 0 }),
            json!({ "type": "pointerDown", "button": 0 }),
        ];
        touch.extend_from_slice(moves);
        touch.push(json!({ "type": "pointerUp", "button": 0 }));
        let finger = json!({ "type": "pointer", "id": "finger", "parameters": { "pointerType": "touch" }, "actions": touch });
        self.try_post("/actions", &json!({ "actions": [finger] })).await.map(drop)
    }

    /// What a script in the page gives.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Returns once `script` gives something true.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        let wait = async {
            loop {
                // A page that is just being replaced cannot be asked.
                let asked = json!({ "script": format!("return !!({script})"), "args": [] });
                if self.try_post("/execute/sync", &asked).await == Ok(Value::Bool(true)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let page = self.eval("return location.href + '\\n' + document.body.innerText").await;
            panic!("waited {PATIENCE:?} for: {what}\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// A command of Chromium's own protocol.
    pub(crate) async fn cdp(&self, command: &str, parameters: Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await;
    }

    /// Cuts the window off the network, or connects it again.
    pub(crate) async fn offline(&self, offline: bool) {
        let conditions =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.cdp("Network.enable", json!({})).await;
        self.cdp("Network.emulateNetworkConditions", conditions).await;
    }

    /// Light or dark, as the phone is set.
    pub(crate) async fn colours(&self, colours: Colours) {
        let scheme = match colours {
            Colours::Light => "light",
            Colours::Dark => "dark",
        };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.cdp("Emulation.setEmulatedMedia", features).await;
    }

    /// What the window shows, as PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let text = self.get("/screenshot").await;
        data_encoding::BASE64.decode(text.as_str().expect("a picture").as_bytes()).expect("base64")
    }

    /// What axe-core finds against WCAG 2.2 AA and its own good practice in the page, a line each.
    pub(crate) async fn violations(&self, axe: &str) -> Vec<String> {
        if self.eval("return !window.axe").await == true {
            self.eval(axe).await;
        }
        let levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        let rules = json!({ "type": "tag", "values": levels });
        let script = "const [runOnly, done] = arguments;
            axe.run(document, { runOnly, resultTypes: ['violations'] }).then((found) => done(found.violations.map((v) =>
                `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html + ' ' + n.failureSummary).slice(0, 4).join(' | ')}`)),
                (error) => done([String(error)]));";
        let found = self.post("/execute/async", &json!({ "script": script, "args": [rules] })).await;
        serde_json::from_value(found).expect("a list")
    }
}

/// A driver and the port that it listens on. It takes a free one of IPv4 and ends where IPv6 has that one in use
/// already: then another is asked.
fn driver() -> (Child, u16) {
    let start = || {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port(&mut driver);
        if port.is_none() {
            driver.wait().expect("it has ended");
        }
        port.map(|port| (driver, port))
    };
    (0..5).find_map(|_| start()).expect("chromedriver tells where it listens")
}

/// The port that the driver says it listens on; nothing if it ends without a word of it.
fn port(driver: &mut Child) -> Option<u16> {
    let lines = BufReader::new(driver.stdout.take()?).lines();
    let told = lines.map_while(Result::ok).find(|line| line.contains("started successfully on port"))?;
    let (_, port) = told.rsplit_once(' ')?;
    port.trim_end_matches('.').parse().ok()
}

fn capabilities(screen: Screen, scripts: bool) -> Value {
    let mut options = json!({
        "binary": binary(),
        "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
                 "--window-size=1440,900", "--hide-scrollbars", "--lang=en-GB"],
    });
    let touched = match screen {
        Screen::Phone => Some((390, 844)),
        Screen::Tablet => Some((820, 1180)),
        Screen::Desktop => None,
    };
    if let Some((width, height)) = touched {
        options["mobileEmulation"] = json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0, "touch": true, "mobile": true } });
    }
    if !scripts {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } })
}

fn binary() -> String {
    let found = Command::new("sh").args(["-c", "command -v chromium"]).output().expect("a shell");
    String::from_utf8_lossy(&found.stdout).trim().to_owned()
}

/// The source of axe-core, as `.ci/axe` fetches it, or tells why the test is skipped. With `CI=true` a missing one
/// fails the test.
pub(crate) fn axe() -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/axe.min.js");
    let read = std::fs::read_to_string(&file);
    if read.is_err() {
        let why = format!("no axe-core at {}; .ci/axe fetches it", file.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        println!("skipped: {why}");
    }
    read.ok()
}
