//! A PostgreSQL server for the tests: the one that `$PUNCHLENS_TEST_POSTGRES` names, else one of our own, started
//! from the programs that are installed (`apt-get install postgresql`) and ended with the test process.
//!
//! Without either, tests that need one say so and pass; with `CI=true` they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use url::Url;

/// Names a server that is there already: `postgres://…`, with a user who may create schemas.
const ADDRESS: &str = "PUNCHLENS_TEST_POSTGRES";

/// Who runs the server where the tests run as root, which PostgreSQL refuses: nobody.
const UNPRIVILEGED: u32 = 65534;

/// Folders of servers start with this, then the number of the test process.
const FOLDER: &str = "punchlens-pg-";

/// The address of an empty schema of its own, or nothing where there is no server, which is told.
pub(crate) async fn fresh_schema() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = match SERVER.get_or_init(server) {
        Ok(server) => server,
        Err(reason) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no PostgreSQL server: {reason}");
            println!("SKIPPED: no PostgreSQL server: {reason}");
            return None;
        }
    };
    let schema = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = connected(server).await;
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).await.expect("creates a schema");
    connection.close().await.expect("closes");
    let mut url = Url::parse(server).expect("an address");
    url.query_pairs_mut().append_pair("options", &format!("-csearch_path={schema}"));
    Some(url.into())
}

static SERVER: OnceLock<Result<String, String>> = OnceLock::new();

/// A connection, once the server has started.
async fn connected(url: &str) -> PgConnection {
    let mut tries = 0;
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) => assert!(tries < 200, "the server does not start: {error}"),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn server() -> Result<String, String> {
    if let Ok(url) = std::env::var(ADDRESS) {
        return Ok(url);
    }
    let programs = programs().ok_or("neither $PUNCHLENS_TEST_POSTGRES is set nor is one installed")?;
    remove_stale();
    let folder = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let root = is_root(&folder);
    if root {
        std::os::unix::fs::chown(&folder, Some(UNPRIVILEGED), Some(UNPRIVILEGED))
            .map_err(|error| error.to_string())?;
    }
    let data = folder.join("data");
    let made = as_unprivileged(root, &programs.join("initdb"))
        .arg("-D")
        .arg(&data)
        // A collation that sorts like no machine does: nothing may depend on the server's.
        .args(["-U", "punchlens", "-A", "trust", "-E", "UTF8", "--no-sync"])
        .args(["--locale-provider=icu", "--icu-locale=en", "--locale=C"])
        .output()
        .map_err(|error| format!("initdb: {error}"))?;
    if !made.status.success() {
        return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
    }
    start(root, &programs, &folder, &data)?;
    let socket = for_address(&folder);
    Ok(format!("postgres://punchlens@localhost/postgres?host={socket}"))
}

/// The path as part of an address.
fn for_address(folder: &Path) -> String {
    folder.display().to_string().replace('%', "%25").replace('/', "%2F")
}

/// Starts the server on a thread that lives as long as the process: the kernel ends the server with it.
fn start(root: bool, programs: &Path, folder: &Path, data: &Path) -> Result<(), String> {
    let mut command = as_unprivileged(root, &programs.join("postgres"));
    command.arg("-D").arg(data).arg("-k").arg(folder);
    for setting in ["listen_addresses=", "fsync=off", "max_connections=600", "shared_buffers=64MB"] {
        command.args(["-c", setting]);
    }
    let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let (told, tells) = mpsc::channel();
    std::thread::spawn(move || {
        let started = command.spawn();
        let alive = started.is_ok();
        told.send(started.map(drop).map_err(|error| format!("postgres: {error}"))).expect("is waited for");
        if alive {
            loop {
                std::thread::park();
            }
        }
    });
    tells.recv().map_err(|error| error.to_string())?
}

fn as_unprivileged(root: bool, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if root {
        let id = UNPRIVILEGED.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

fn is_root(own: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(own).is_ok_and(|folder| folder.uid() == 0)
}

/// The folder with `initdb` and `postgres`, the newest where there are several.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut debian: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    debian.sort();
    let both = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    debian.into_iter().rev().chain(std::env::split_paths(&path)).find(both)
}

/// Removes what servers of processes that are gone have left.
fn remove_stale() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(FOLDER) else { continue };
        if !Path::new("/proc").join(process).exists() {
            // Another test process may be faster.
            let _gone = fs::remove_dir_all(entry.path());
        }
    }
}
