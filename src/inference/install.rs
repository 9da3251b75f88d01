//! Fetching the pinned ONNX Runtime from the Python package index, through `pip`.
//!
//! Nothing links against it, so the build needs no network. `pip` honours the machine's own index,
//! proxy and certificates, checks the hash, and with `--platform` its own Python version does not
//! matter. Of the wheels only the libraries are needed; they are unpacked and renamed into place, the
//! runtime itself last: where it is, everything is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Error;

mod pins;

use self::pins::WheelSet;

/// A library that lies beside the runtime where CUDA's were fetched with it.
pub(super) const CUDA_MARK: &str = "libcudart.so.13";

/// Which build of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// For the processor, 24 MB to fetch.
    Cpu,
    /// For NVIDIA GPUs, with CUDA and cuDNN, about 1.5 GB to fetch.
    Gpu,
}

/// The folder for what is fetched or built once on this machine.
///
/// # Errors
/// [`Error::Runtime`] when there is no cache folder for this user.
pub(super) fn cache_folder() -> Result<PathBuf, Error> {
    let cache = dirs::cache_dir().ok_or_else(|| Error::Runtime {
        what: "this user has no cache folder".into(),
        remedy: "Set HOME or XDG_CACHE_HOME, or name a library in ORT_DYLIB_PATH".into(),
    })?;
    Ok(cache.join("punchlens"))
}

/// Where the fetched library lies, whether it is there or not.
///
/// # Errors
/// As [`cache_folder`].
pub(super) fn cached(build: Build) -> Result<PathBuf, Error> {
    Ok(cache_folder()?.join(pins::folder(build)).join(pins::LIBRARY))
}

/// Fetches the pinned library into the cache folder, or finds it there. Safe to run side by side:
/// whoever comes second waits for the first. `notice` is told what is being done.
///
/// # Errors
/// [`Error::Runtime`] that says which file to put where by hand.
pub fn install(build: Build, timeout: Duration, notice: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let target = cached(build)?;
    let parcel = pins::parcel(build).map_err(|what| by_hand(&target, what))?;
    fetch(&target, &parcel, timeout, notice).map_err(|what| by_hand(&target, what))
}

fn by_hand(target: &Path, what: String) -> Error {
    let (version, inside) = (pins::VERSION, pins::LIBRARY_IN_WHEEL);
    Error::Runtime {
        what,
        remedy: format!(
            "By hand: take {inside} out of the wheel onnxruntime {version} for this machine (a ZIP archive, `pip download onnxruntime=={version}` where there is a network) and put it at {}; or name any libonnxruntime 1.24 or later in ORT_DYLIB_PATH",
            target.display()
        ),
    }
}

fn fetch(
    target: &Path,
    parcel: &WheelSet,
    timeout: Duration,
    notice: &dyn Fn(&str),
) -> Result<PathBuf, String> {
    let folder = target.parent().ok_or("the cache folder has no name")?;
    let said = |what: &str, error: io::Error| format!("{what} {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(|error| said("cannot make", error))?;
    let lock = File::create(folder.join("lock")).map_err(|error| said("cannot write to", error))?;
    lock.lock().map_err(|error| said("cannot lock", error))?;
    if target.is_file() {
        return Ok(target.to_owned());
    }
    notice(&format!("fetching ONNX Runtime {} ({}) with pip", pins::VERSION, parcel.size));
    let started = Instant::now();
    // Left behind by a process that was killed; the lock says that nobody uses it now.
    let download = folder.join("download");
    let _ = fs::remove_dir_all(&download);
    fs::create_dir_all(&download).map_err(|error| said("cannot write to", error))?;
    let outcome = pip(&download, parcel, timeout).and_then(|()| unpack(&download, target));
    let _ = fs::remove_dir_all(&download);
    outcome?;
    tracing::info!(library = %target.display(), seconds = started.elapsed().as_secs_f32(), "ONNX Runtime fetched");
    notice(&format!("ONNX Runtime {} is at {}", pins::VERSION, target.display()));
    Ok(target.to_owned())
}

/// Lets `pip` download the wheels of `parcel` into `download`.
fn pip(download: &Path, parcel: &WheelSet, timeout: Duration) -> Result<(), String> {
    let (requirements, log) = (download.join("requirements.txt"), download.join("pip.log"));
    fs::write(&requirements, parcel.requirements())
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
    command.args(["--implementation", "cp", "--abi", "cp312"]);
    command.args(parcel.platforms.iter().flat_map(|platform| ["--platform", platform]));
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

/// Unpacks the libraries from the wheels in `download` and renames them beside `target`, which comes
/// last, once all are whole.
fn unpack(download: &Path, target: &Path) -> Result<(), String> {
    let entries = fs::read_dir(download).map_err(|error| error.to_string())?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut wheels: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl")).collect();
    wheels.sort();
    let partial = download.join("libraries");
    fs::create_dir_all(&partial).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    for wheel in &wheels {
        names.extend(unpack_one(wheel, &partial)?);
    }
    if !names.iter().any(|name| name == pins::LIBRARY) {
        return Err(format!("pip left no wheel with {}", pins::LIBRARY));
    }
    let folder = target.parent().ok_or("the cache folder has no name")?;
    names.sort_by_key(|name| name == pins::LIBRARY);
    for name in names {
        let place = if name == pins::LIBRARY { target.to_owned() } else { folder.join(&name) };
        fs::rename(partial.join(&name), &place)
            .map_err(|error| format!("cannot write {}: {error}", place.display()))?;
    }
    Ok(())
}

/// Writes the libraries of one wheel into `folder`; their names.
fn unpack_one(wheel: &Path, folder: &Path) -> Result<Vec<String>, String> {
    let damaged =
        |error: &dyn std::fmt::Display| format!("the wheel {} is damaged: {error}", wheel.display());
    let file = File::open(wheel).map_err(|error| error.to_string())?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
    let mut names = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(|error| damaged(&error))?;
        let path = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let Some(name) = pins::library(&path) else { continue };
        let place = folder.join(name);
        let written = File::create(&place)
            .and_then(|mut file| io::copy(&mut entry, &mut file).and_then(|_| file.sync_all()));
        written.map_err(|error| format!("cannot write {}: {error}", place.display()))?;
        names.push(name.to_owned());
    }
    Ok(names)
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
        let pack = |wheel: &str, files: &[(&str, &str)]| {
            let mut archive = zip::ZipWriter::new(File::create(download.join(wheel)).expect("made"));
            for (name, words) in files {
                archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("started");
                archive.write_all(words.as_bytes()).expect("written");
            }
            archive.finish().expect("finished");
        };
        pack(
            "cuda.whl",
            &[("nvidia/cu13/lib/libcudart.so.13", "cuda"), ("nvidia/cu13/include/cuda.h", "text")],
        );
        assert!(unpack(&download, &target).expect_err("no runtime").contains("no wheel"));
        assert!(!folder.path().join(CUDA_MARK).exists(), "nothing is in place before the runtime is");
        pack(
            "onnxruntime.whl",
            &[(pins::LIBRARY_IN_WHEEL, "the library"), ("onnxruntime/__init__.py", "text")],
        );
        unpack(&download, &target).expect("unpacked");
        assert_eq!(fs::read(&target).expect("there"), b"the library");
        assert_eq!(fs::read(folder.path().join(CUDA_MARK)).expect("there"), b"cuda");
        assert!(!folder.path().join("cuda.h").exists());
    }
}
