//! Fetching the pinned ONNX Runtime from the Python package index, through `pip`.
//!
//! Nothing links against it, so the build needs no network. `pip` honours the machine's own index,
//! proxy and certificates, checks the hash, and with `--platform` its own Python version does not
//! matter. The wheel holds one library that is needed; it is unpacked and renamed into place.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Error;

/// The pinned version.
pub(super) const VERSION: &str = "1.31.1";

/// The library inside the wheel, and its name in the cache.
const LIBRARY: &str = "libonnxruntime.so.1.31.1";
const LIBRARY_IN_WHEEL: &str = "onnxruntime/capi/libonnxruntime.so.1.31.1";

/// A wheel for one kind of machine.
struct Wheel {
    /// `pip`'s name for the platform.
    platform: &'static str,
    /// SHA-256 of the file, as the package index lists it.
    sha256: &'static str,
}

const X86_64: Wheel = Wheel {
    platform: "manylinux_2_28_x86_64",
    sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
};
const AARCH64: Wheel = Wheel {
    platform: "manylinux_2_28_aarch64",
    sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
};

/// Where the fetched library lies, whether it is there or not.
///
/// # Errors
/// [`Error::Runtime`] when there is no cache folder for this user.
pub(super) fn cached() -> Result<PathBuf, Error> {
    let cache = dirs::cache_dir().ok_or_else(|| Error::Runtime {
        what: "this user has no cache folder".into(),
        remedy: "Set HOME or XDG_CACHE_HOME, or name a library in ORT_DYLIB_PATH".into(),
    })?;
    Ok(cache.join("punchlens").join(format!("onnxruntime-{VERSION}")).join(LIBRARY))
}

/// Fetches the pinned library into the cache folder, or finds it there. Safe to run side by side:
/// whoever comes second waits for the first. `notice` is told what is being done.
///
/// # Errors
/// [`Error::Runtime`] that says which file to put where by hand.
pub fn install(timeout: Duration, notice: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let target = cached()?;
    let wheel = wheel().map_err(|what| by_hand(&target, what))?;
    fetch(&target, &wheel, timeout, notice).map_err(|what| by_hand(&target, what))
}

fn wheel() -> Result<Wheel, String> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok(X86_64),
        ("linux", "aarch64") => Ok(AARCH64),
        (system, machine) => Err(format!("no library is pinned for {system} on {machine}")),
    }
}

fn by_hand(target: &Path, what: String) -> Error {
    Error::Runtime {
        what,
        remedy: format!(
            "By hand: take {LIBRARY_IN_WHEEL} out of the wheel onnxruntime {VERSION} for this machine (a ZIP archive, `pip download onnxruntime=={VERSION}` where there is a network) and put it at {}; or name any libonnxruntime 1.24 or later in ORT_DYLIB_PATH",
            target.display()
        ),
    }
}

fn fetch(target: &Path, wheel: &Wheel, timeout: Duration, notice: &dyn Fn(&str)) -> Result<PathBuf, String> {
    let folder = target.parent().ok_or("the cache folder has no name")?;
    let said = |what: &str, error: io::Error| format!("{what} {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(|error| said("cannot make", error))?;
    let lock = File::create(folder.join("lock")).map_err(|error| said("cannot write to", error))?;
    lock.lock().map_err(|error| said("cannot lock", error))?;
    if target.is_file() {
        return Ok(target.to_owned());
    }
    notice(&format!("fetching ONNX Runtime {VERSION} (24 MB) with pip"));
    let started = Instant::now();
    // Left behind by a process that was killed; the lock says that nobody uses it now.
    let download = folder.join("download");
    let _ = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).map_err(|error| said("cannot write to", error))?;
    let outcome = pip(&download, wheel, timeout).and_then(|()| unpack(&download, target));
    let _ = fs::remove_dir_all(&download);
    outcome?;
    tracing::info!(library = %target.display(), seconds = started.elapsed().as_secs_f32(), "ONNX Runtime fetched");
    notice(&format!("ONNX Runtime {VERSION} is at {}", target.display()));
    Ok(target.to_owned())
}

/// Lets `pip` download the one wheel into `download`.
fn pip(download: &Path, wheel: &Wheel, timeout: Duration) -> Result<(), String> {
    let (requirements, log) = (download.join("requirements.txt"), download.join("pip.log"));
    fs::write(&requirements, format!("onnxruntime=={VERSION} --hash=sha256:{}\n", wheel.sha256))
        .map_err(|error| format!("cannot write {}: {error}", requirements.display()))?;
    let output = File::create(&log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "download",
        "--quiet",
        "--no-deps",
    ]);
    command.args(["--require-hashes", "--only-binary", ":all:", "--python-version", "3.12"]);
    command.args(["--implementation", "cp", "--abi", "cp312", "--platform", wheel.platform]);
    command.arg("-d").arg(download).arg("-r").arg(&requirements);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let status = run(&mut command, timeout)?;
    if status.success() {
        return Ok(());
    }
    let log = fs::read_to_string(&log).unwrap_or_default();
    let words: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(format!(
        "pip ended with {status}: {}",
        words.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join(" / ")
    ))
}

/// Runs `command` to its end, or kills it after `timeout`.
fn run(command: &mut Command, timeout: Duration) -> Result<ExitStatus, String> {
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "python3 is not installed, and the library is fetched with its pip".into(),
        _ => format!("python3 could not be started: {error}"),
    })?;
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!(
                    "pip took longer than {} s (inference.install_timeout_s)",
                    timeout.as_secs()
                ));
            }
            Err(error) => return Err(format!("pip could not be waited for: {error}")),
        }
    }
}

/// Unpacks the library from the wheel in `download` and renames it to `target` once it is whole.
fn unpack(download: &Path, target: &Path) -> Result<(), String> {
    let is_wheel = |path: &PathBuf| path.extension() == Some(OsStr::new("whl"));
    let entries = fs::read_dir(download).map_err(|error| error.to_string())?;
    let wheel =
        entries.filter_map(|entry| Some(entry.ok()?.path())).find(is_wheel).ok_or("pip left no wheel")?;
    let file = File::open(&wheel).map_err(|error| error.to_string())?;
    let damaged = |error: zip::result::ZipError| format!("the wheel is damaged: {error}");
    let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
    let mut library = archive.by_name(LIBRARY_IN_WHEEL).map_err(damaged)?;
    let partial = download.join(LIBRARY);
    let written = File::create(&partial)
        .and_then(|mut file| io::copy(&mut library, &mut file).and_then(|_| file.sync_all()))
        .and_then(|()| fs::rename(&partial, target));
    written.map_err(|error| format!("cannot write {}: {error}", target.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let error = run(Command::new("sleep").arg("60"), Duration::ZERO).expect_err("killed");
        assert!(error.contains("install_timeout_s"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-python"), Duration::from_secs(1)).expect_err("not there");
        assert!(error.contains("python3"), "{error}");
        let advice = by_hand(Path::new("cache/libonnxruntime.so.1.31.1"), error).to_string();
        assert!(advice.contains("put it at cache/libonnxruntime.so.1.31.1"), "{advice}");
    }

    #[test]
    fn the_library_is_taken_out_of_the_wheel() {
        let folder = tempfile::tempdir().expect("a folder");
        let download = folder.path().join("download");
        fs::create_dir(&download).expect("made");
        let target = folder.path().join("library.so");
        assert!(unpack(&download, &target).expect_err("nothing there").contains("no wheel"));
        let wheel = File::create(download.join("onnxruntime.whl")).expect("made");
        let mut archive = zip::ZipWriter::new(wheel);
        archive.start_file(LIBRARY_IN_WHEEL, zip::write::SimpleFileOptions::default()).expect("started");
        archive.write_all(b"the library").expect("written");
        archive.finish().expect("finished");
        unpack(&download, &target).expect("unpacked");
        assert_eq!(fs::read(&target).expect("there"), b"the library");
    }
}
