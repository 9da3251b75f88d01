//! The service as a process of its own, which can be killed, frozen and woken.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SIGKILL: i32 = 9;

/// How long anything may take that comes by itself, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// One box: it keeps its port, and so its name, from one start to the next.
pub(crate) struct Machine {
    pub(crate) url: String,
    config_file: PathBuf,
    settings: Vec<(String, String)>,
    log: PathBuf,
    process: Option<Child>,
}

impl Machine {
    /// Not running yet.
    pub(crate) fn new(number: usize, folder: &Path, config_file: &Path, settings: &[(&str, String)]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let own = [
            ("PUNCHLENS_HTTP__LISTEN", address.to_string()),
            ("PUNCHLENS_SIGN_IN__KEY_FILE", folder.join(format!("key-{number}")).display().to_string()),
        ];
        let settings = settings.iter().chain(&own).map(|(name, value)| ((*name).to_owned(), value.clone()));
        Self {
            url: format!("http://{address}"),
            config_file: config_file.to_owned(),
            settings: settings.collect(),
            log: folder.join(format!("log-{number}")),
            process: None,
        }
    }

    /// Starts it, with an order for itself if there is one: see `src/failpoint.rs`.
    pub(crate) fn start(&mut self, order: Option<&str>) {
        let log = File::options().create(true).append(true).open(&self.log).expect("writable");
        let mut command = Command::new(env!("CARGO_BIN_EXE_punchlens"));
        command.arg("--config").arg(&self.config_file).arg("serve").envs(self.settings.clone());
        command.envs(order.map(|order| ("PUNCHLENS_FAIL_POINT", order)));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().expect("the binary starts"));
    }

    /// Returns once it answers, or has ended before.
    pub(crate) async fn ready(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        self.until("an answer", |machine| TcpStream::connect(&address).is_ok() || machine.ended()).await;
    }

    /// Returns once it was ended by a SIGKILL.
    pub(crate) async fn killed(&mut self) {
        self.until("its end", Self::ended).await;
        let status = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
        assert_eq!(status.and_then(|status| status.signal()), Some(SIGKILL), "{status:?}\n{}", self.log());
    }

    /// Returns once it was stopped by a SIGSTOP.
    pub(crate) async fn frozen(&mut self) {
        self.until("it to freeze", |machine| machine.state() == Some('T')).await;
    }

    /// SIGKILL, whatever it is at.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may be dead already.
            let _dead = process.kill();
            process.wait().expect("it was ours");
        }
    }

    /// SIGSTOP.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }

    /// The end of what it has logged.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }

    fn ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None)))
    }

    /// As the kernel tells it in a letter.
    fn state(&self) -> Option<char> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        text.rsplit(") ").next()?.chars().next()
    }

    async fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let mut waited = Duration::ZERO;
        while !holds(self) {
            assert!(waited < PATIENCE, "waited {PATIENCE:?} for {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
            waited += Duration::from_millis(20);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}
