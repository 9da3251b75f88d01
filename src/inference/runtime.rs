//! Finding the ONNX Runtime library, and loading it once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use ort::environment::Environment;
use ort::logging::LogLevel;

use super::install::{self, Build};
use super::{Config, Error};

/// The environment variable that names a library, the same one that the `ort` crate reads.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// Official builds of ONNX Runtime since 1.29 report models and sessions to their maker unless this
/// variable is `1` before the library starts (microsoft/onnxruntime, pull request 27379). Switching
/// the events off through its interface comes too late: by then there is a device id on disk and a
/// first event on its way.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// The library in use. An ONNX Runtime environment exists once in a process and lives as long.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) environment: Environment,
    pub(super) library: PathBuf,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// Finds the library without fetching anything: the configured path, else `ORT_DYLIB_PATH`, else
/// the cache folder.
///
/// # Errors
/// [`Error::Runtime`] with what to do. A path that was asked for and is not there is an error too:
/// another library is never taken in its place.
pub fn locate(config: &Config) -> Result<PathBuf, Error> {
    let asked = match std::env::var(VARIABLE) {
        _ if !config.runtime_library.is_empty() => {
            Some((config.runtime_library.clone(), "inference.runtime_library"))
        }
        Ok(path) if !path.is_empty() => Some((path, VARIABLE)),
        _ => None,
    };
    match asked {
        Some((path, _)) if Path::new(&path).is_file() => Ok(PathBuf::from(path)),
        Some((path, source)) => Err(Error::Runtime {
            what: format!("{path}, named by {source}, is not there"),
            remedy: format!("Put libonnxruntime 1.24 or later there, or unset {source}"),
        }),
        None => {
            let build = build(config);
            let cached = install::cached(build)?;
            if cached.is_file() { Ok(cached) } else { Err(missing(&cached, build)) }
        }
    }
}

/// Finds the library, fetching the pinned one into the cache folder where none is configured and
/// none is there. `notice` is told what is being done.
///
/// # Errors
/// As [`locate`] and [`install::install`].
pub fn ensure_runtime(config: &Config, notice: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    match locate(config) {
        Err(_)
            if config.runtime_library.is_empty()
                && std::env::var_os(VARIABLE).is_none_or(|path| path.is_empty()) =>
        {
            install::install(build(config), Duration::from_secs(config.install_timeout_s), notice)
        }
        found => found,
    }
}

/// The build that the configured provider needs.
fn build(config: &Config) -> Build {
    if config.provider.is_gpu() { Build::Gpu } else { Build::Cpu }
}

fn missing(cached: &Path, build: Build) -> Error {
    let flag = if build == Build::Gpu { " --gpu" } else { "" };
    Error::Runtime {
        what: format!("there is no library at {}", cached.display()),
        remedy: format!(
            "Run `punchlens runtime install{flag}`, or name a libonnxruntime 1.24 or later in {VARIABLE} or inference.runtime_library"
        ),
    }
}

/// Keeps ONNX Runtime from reporting to its maker, for this process and those that it starts. To be
/// called at the very start of `main`, while there is one thread; loading the library does it too,
/// for tests and for programs that use this crate as a library.
#[expect(unsafe_code, reason = "an environment variable is the only switch, and setting one is unsafe")]
pub fn opt_out_of_telemetry() {
    if std::env::var_os(NO_TELEMETRY).is_none_or(|value| value != "1") {
        // SAFETY: changing the environment races with foreign code that reads it in another thread;
        // Rust's own readers take a lock. `main` calls this before any other thread exists, and then
        // later calls find it done. Elsewhere it happens once, before the library's first call.
        unsafe { std::env::set_var(NO_TELEMETRY, "1") };
    }
}

/// Loads the library at `path`, or gives the one back that this process has loaded already.
pub(super) fn load(path: &Path) -> Result<Loaded, Error> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = loaded.as_ref() {
        if loaded.library != path {
            tracing::warn!(asked = %path.display(), loaded = %loaded.library.display(), "a process keeps the first ONNX Runtime library that it loads");
        }
        return Ok(loaded.clone());
    }
    let unusable = |what: String| Error::Runtime {
        what,
        remedy: format!(
            "Name a libonnxruntime 1.24 or later for this machine in {VARIABLE} or inference.runtime_library"
        ),
    };
    opt_out_of_telemetry();
    let environment = ort::init_from(path)
        .map_err(|error| unusable(error.to_string()))?
        .with_name("punchlens")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    environment.set_log_level(LogLevel::Warning);
    tracing::info!(library = %path.display(), version = version(path), "ONNX Runtime loaded");
    Ok(loaded.insert(Loaded { environment, library: path.to_owned() }).clone())
}

/// The version of the loaded library, from its own build information where that tells it, else from
/// the name of its file.
pub(super) fn version(library: &Path) -> String {
    // "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=6af1a93, build type=Release", but wheels
    // are built without a branch.
    let info = ort::info();
    let told = info.split(['=', ',']).map(str::trim).find_map(|part| part.strip_prefix("rel-"));
    let file = std::fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
    let named = file
        .file_name()
        .and_then(|name| name.to_str()?.split_once(".so.").map(|(_, version)| version.to_owned()));
    told.map(str::to_owned).or(named).unwrap_or_else(|| info.to_owned())
}

fn log(level: LogLevel, category: &str, _id: &str, _place: &str, message: &str) {
    match level {
        LogLevel::Fatal | LogLevel::Error => tracing::error!(category, "{message}"),
        LogLevel::Warning => tracing::warn!(category, "{message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::debug!(category, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_that_is_not_there_is_not_replaced() {
        let config = Config { runtime_library: "nowhere/libonnxruntime.so".into(), ..Config::shipped() };
        for found in [locate(&config), ensure_runtime(&config, &|_| {})] {
            let message = found.expect_err("not there").to_string();
            assert!(
                message.contains("nowhere/") && message.contains("inference.runtime_library"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_no_library_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"no library").expect("written");
        if LOADED.lock().is_ok_and(|loaded| loaded.is_none()) {
            let message = load(file.path()).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains("1.24 or later"), "{message}");
        }
    }
}
