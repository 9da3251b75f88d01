//! What the driver tells of the GPU, and the name under which its engines are kept.

use std::path::{Path, PathBuf};

use super::Error;
use super::provider::Provider;
use crate::domain::ids::Sha256Digest;

/// Where NVIDIA's driver tells about itself.
const DRIVER: &str = "/proc/driver/nvidia";

/// A GPU and its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    /// What the maker calls it.
    pub(super) name: String,
    /// Version of its driver.
    pub(super) driver: String,
}

impl Device {
    /// The GPU with `number`, or why there is none.
    ///
    /// ONNX Runtime says that CUDA is available as soon as its library holds the code for it, with or
    /// without a GPU; this asks the driver.
    ///
    /// # Errors
    /// [`Error::Provider`] in words for a person.
    pub(super) fn find(provider: Provider, number: u32) -> Result<Self, Error> {
        Self::find_below(Path::new(DRIVER), number).map_err(|why| Error::Provider { asked: provider, why })
    }

    fn find_below(driver: &Path, number: u32) -> Result<Self, String> {
        let version = std::fs::read_to_string(driver.join("version"))
            .map_err(|_| format!("there is no NVIDIA driver ({}/version is not there)", driver.display()))?;
        let mut folders: Vec<PathBuf> = std::fs::read_dir(driver.join("gpus"))
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
        folders.sort();
        let count = folders.len();
        let folder = usize::try_from(number).ok().and_then(|number| folders.into_iter().nth(number));
        let folder = folder.ok_or_else(|| {
            format!("the driver knows {count} GPUs; there is none with the number {number}")
        })?;
        let told = std::fs::read_to_string(folder.join("information")).unwrap_or_default();
        let model = told.lines().find_map(|line| line.strip_prefix("Model:")).map(str::trim);
        Ok(Self { name: model.unwrap_or("unknown").to_owned(), driver: driver_version(&version) })
    }
}

/// `580.65.06` of `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul…`.
fn driver_version(text: &str) -> String {
    let is_version = |word: &&str| {
        word.contains('.')
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    text.split_whitespace().find(is_version).unwrap_or("unknown").to_owned()
}

/// The folder for engines of one model on one device: an engine that was built for another model,
/// runtime, driver or GPU is never taken.
pub(super) fn engine_folder(cache: &Path, model: &Sha256Digest, runtime: &str, device: &Device) -> PathBuf {
    let key = format!("{model}\n{runtime}\n{}\n{}", device.driver, device.name);
    cache.join(&Sha256Digest::of(key.as_bytes()).to_string()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_asked_for_the_gpu() {
        let folder = tempfile::tempdir().expect("a folder");
        let find = |number| Device::find_below(folder.path(), number);
        assert!(find(0).expect_err("nothing").contains("no NVIDIA driver"));
        let version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 2025\nGCC version: 12.2.0\n";
        std::fs::write(folder.path().join("version"), version).expect("written");
        assert!(find(0).expect_err("no GPU").contains("0 GPUs"));
        let gpu = folder.path().join("gpus/0000:01:00.0");
        std::fs::create_dir_all(&gpu).expect("made");
        std::fs::write(gpu.join("information"), "Model: \t NVIDIA L4\nIRQ: 77\n").expect("written");
        assert_eq!(find(0), Ok(Device { name: "NVIDIA L4".into(), driver: "580.65.06".into() }));
        assert!(find(1).expect_err("one only").contains("1 GPUs"));
        let error = Device::find(Provider::Cuda, 4096).expect_err("no such GPU");
        assert!(error.to_string().contains("cuda"), "{error}");
    }

    #[test]
    fn engines_are_kept_by_all_that_they_depend_on() {
        let device = |name: &str, driver: &str| Device { name: name.into(), driver: driver.into() };
        let (cache, model) = (Path::new("cache"), Sha256Digest::of(b"model"));
        let own = engine_folder(cache, &model, "1.31.1", &device("L4", "580.1"));
        assert_eq!(own, engine_folder(cache, &model, "1.31.1", &device("L4", "580.1")));
        let others = [
            engine_folder(cache, &Sha256Digest::of(b"other"), "1.31.1", &device("L4", "580.1")),
            engine_folder(cache, &model, "1.32.0", &device("L4", "580.1")),
            engine_folder(cache, &model, "1.31.1", &device("L4", "580.2")),
            engine_folder(cache, &model, "1.31.1", &device("T4", "580.1")),
        ];
        assert!(others.iter().all(|other| *other != own && other.starts_with("cache")));
    }
}
