//! A model folder, or the model built into this executable: manifest and file, hashes checked.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::manifest::{DataStatus, Manifest, ModelFile, Precision};
use super::{Config, Error, PrecisionChoice};
use crate::domain::ids::Sha256Digest;

/// Where models lie in a checkout and beside an installed executable.
const FOLDER: &str = "models";

/// The default model.
const DEFAULT_NAME: &str = "finish-defects";

/// What the built-in model is called where a folder would be named.
const BUILT_IN: &str = "built in";

const BUILT_IN_MANIFEST: &str = include_str!("../../models/finish-defects/manifest.toml");
const BUILT_IN_FILE: (Precision, &[u8]) =
    (Precision::Int8, include_bytes!("../../models/finish-defects/model.int8.onnx"));

/// A model that may run: its manifest holds, and its file is the one that the manifest names.
#[derive(Debug, Clone)]
pub struct Package {
    /// The folder, or that it is built in.
    pub origin: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Which of its files this is.
    pub precision: Precision,
    /// The file's digest.
    pub sha256: Sha256Digest,
    /// The ONNX graph.
    pub graph: Cow<'static, [u8]>,
}

/// Finds and reads the configured model.
///
/// # Errors
/// [`Error::Model`] with the exact reason, [`Error::Licence`] where the configuration refuses it.
pub fn open(config: &Config) -> Result<Package, Error> {
    let package = match folder(config) {
        Some(folder) => {
            let manifest = read_manifest(&folder)?;
            let choice = wanted(&manifest, config);
            of_folder(&folder, manifest, choice)?
        }
        None => built_in(config.precision)?,
    };
    let status = package.manifest.licence.training_data;
    if status == DataStatus::Unclear && !config.accept_unclear_licence {
        return Err(Error::Licence { origin: package.origin, training_data: status.name() });
    }
    Ok(package)
}

/// What is recommended holds for the CPU: the 8-bit files are made for its instructions, and a GPU is
/// given the 32-bit file where the manifest names one. If that is missing or damaged, opening it says so.
fn wanted(manifest: &Manifest, config: &Config) -> PrecisionChoice {
    let names_fp32 = manifest.files.contains_key(&Precision::Fp32);
    match config.precision {
        PrecisionChoice::Recommended if config.provider.is_gpu() && names_fp32 => PrecisionChoice::Fp32,
        choice => choice,
    }
}

/// The folder to read, or none for the built-in model.
fn folder(config: &Config) -> Option<PathBuf> {
    if config.model.is_empty() {
        return shipped(DEFAULT_NAME);
    }
    let named = PathBuf::from(&config.model);
    let is_folder = named.join("manifest.toml").is_file();
    Some(if is_folder { named } else { shipped(&config.model).unwrap_or(named) })
}

/// The model called `name` in the working directory, else beside the executable.
fn shipped(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(FOLDER)));
    let folders = [Some(PathBuf::from(FOLDER)), beside];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join(name))
        .find(|folder| folder.join("manifest.toml").is_file())
}

/// Reads the model folder `folder`.
///
/// # Errors
/// [`Error::Model`] with the exact reason.
pub fn open_folder(folder: &Path, choice: PrecisionChoice) -> Result<Package, Error> {
    of_folder(folder, read_manifest(folder)?, choice)
}

fn of_folder(folder: &Path, manifest: Manifest, choice: PrecisionChoice) -> Result<Package, Error> {
    let origin = folder.display().to_string();
    let (precision, file) = choose(&manifest, choice).map_err(|what| model(&origin, what))?;
    let graph = read(folder, &file.path)?;
    let sha256 = verify(file, &graph).map_err(|what| model(&origin, what))?;
    Ok(Package { origin, precision, sha256, graph: graph.into(), manifest })
}

fn read_manifest(folder: &Path) -> Result<Manifest, Error> {
    let origin = folder.display().to_string();
    let text = String::from_utf8(read(folder, "manifest.toml")?)
        .map_err(|_| model(&origin, "manifest.toml is not UTF-8".into()))?;
    Manifest::parse(&text).map_err(|what| model(&origin, what))
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(folder.join(name))
        .map_err(|error| model(&folder.display().to_string(), format!("{name} cannot be read: {error}")))
}

/// The model inside this executable.
///
/// # Errors
/// [`Error::Model`] when another precision than the built-in one is asked for.
pub fn built_in(choice: PrecisionChoice) -> Result<Package, Error> {
    let manifest = Manifest::parse(BUILT_IN_MANIFEST).map_err(|what| model(BUILT_IN, what))?;
    let (precision, file) = match choice {
        PrecisionChoice::Recommended => choose(&manifest, PrecisionChoice::Int8),
        choice => choose(&manifest, choice),
    }
    .map_err(|what| model(BUILT_IN, what))?;
    let (held, graph) = BUILT_IN_FILE;
    if precision != held {
        let what = format!(
            "only its {} file is; set inference.model to a folder for {}",
            held.name(),
            precision.name()
        );
        return Err(model(BUILT_IN, what));
    }
    let sha256 = verify(file, graph).map_err(|what| model(BUILT_IN, what))?;
    Ok(Package { origin: BUILT_IN.into(), precision, sha256, graph: graph.into(), manifest })
}

fn choose(manifest: &Manifest, choice: PrecisionChoice) -> Result<(Precision, &ModelFile), String> {
    let precision = match choice {
        PrecisionChoice::Recommended => manifest.default_precision,
        PrecisionChoice::Fp32 => Precision::Fp32,
        PrecisionChoice::Int8 => Precision::Int8,
    };
    let file = manifest.files.get(&precision);
    file.map(|file| (precision, file)).ok_or_else(|| format!("there is no {} file", precision.name()))
}

fn verify(file: &ModelFile, graph: &[u8]) -> Result<Sha256Digest, String> {
    let found = Sha256Digest::of(graph);
    if found == file.sha256 {
        Ok(found)
    } else {
        let (path, named) = (&file.path, file.sha256);
        Err(format!("{path} is not the file that the manifest names: its SHA-256 is {found}, not {named}"))
    }
}

fn model(origin: &str, what: String) -> Error {
    Error::Model { origin: origin.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Provider;

    #[test]
    fn the_built_in_model_is_whole_and_only_one_precision() {
        let package = built_in(PrecisionChoice::Recommended).expect("whole");
        assert_eq!((package.origin.as_str(), package.precision), ("built in", Precision::Int8));
        let error = built_in(PrecisionChoice::Fp32).expect_err("not held").to_string();
        assert!(error.contains("inference.model"), "{error}");
    }

    #[test]
    fn a_folder_that_lies_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
        let message =
            || open_folder(folder.path(), PrecisionChoice::Recommended).expect_err("refused").to_string();
        assert!(message().contains("manifest.toml cannot be read"), "{}", message());
        write("manifest.toml", BUILT_IN_MANIFEST.as_bytes());
        assert!(message().contains("model.int8.onnx cannot be read"), "{}", message());
        write("model.int8.onnx", b"something else");
        assert!(message().contains("its SHA-256 is"), "{}", message());
        write("model.int8.onnx", BUILT_IN_FILE.1);
        assert!(open_folder(folder.path(), PrecisionChoice::Int8).is_ok());
    }

    #[test]
    fn a_gpu_is_given_the_32_bit_file() {
        let model = format!("{}/models/finish-defects", env!("CARGO_MANIFEST_DIR"));
        let config = Config { model, ..Config::shipped() };
        assert_eq!(open(&config).expect("whole").precision, Precision::Int8);
        let gpu = Config { provider: Provider::Cuda, ..config.clone() };
        assert_eq!(open(&gpu).expect("whole").precision, Precision::Fp32);
        let asked = Config { precision: PrecisionChoice::Int8, ..gpu };
        assert_eq!(open(&asked).expect("whole").precision, Precision::Int8);
    }

    #[test]
    fn a_damaged_32_bit_file_is_no_reason_to_take_the_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
        write("manifest.toml", BUILT_IN_MANIFEST.as_bytes());
        write("model.int8.onnx", BUILT_IN_FILE.1);
        let model = folder.path().display().to_string();
        let gpu = Config { model, provider: Provider::Cuda, ..Config::shipped() };
        let message = || open(&gpu).expect_err("refused").to_string();
        assert!(message().contains("model.onnx cannot be read"), "{}", message());
        write("model.onnx", b"half of it");
        assert!(message().contains("model.onnx is not the file that the manifest names"), "{}", message());
    }

    #[test]
    fn unclear_licences_can_be_refused() {
        let shipped = Config::shipped();
        assert!(open(&shipped).is_ok());
        let error = open(&Config { accept_unclear_licence: false, ..shipped }).expect_err("refused");
        assert_eq!(error.code(), "licence");
    }
}
