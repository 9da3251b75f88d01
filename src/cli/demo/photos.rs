//! The photos of the demo, and their way into the simulator's Photos tool.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::simulator::{PhotoUpload, Simulator, seed};

/// Where the fixture photos lie in a clone.
const FIXTURES: &str = "fixtures/photos";

/// The file beside the fixtures that says where each was taken.
const TRUTH: &str = "truth.json";

/// Endings of files that are photos.
const ENDINGS: [&str; 7] = ["jpg", "jpeg", "png", "webp", "heic", "heif", "jfif"];

/// A photo on disk and the path of its location, if one is to be given.
pub(super) struct DemoPhoto {
    file: PathBuf,
    location: Option<Vec<String>>,
}

/// The photos in `folder`, or the fixtures.
pub(super) fn find(folder: Option<&Path>) -> anyhow::Result<Vec<DemoPhoto>> {
    let folder = folder.unwrap_or_else(|| Path::new(FIXTURES));
    let entries = std::fs::read_dir(folder).with_context(|| {
        format!("cannot read {}; run in the clone, or name photos with --photos DIR", folder.display())
    })?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_photo(path)).collect();
    files.sort();
    ensure!(!files.is_empty(), "there are no photos ({}) in {}", ENDINGS.join(", "), folder.display());
    let truth = std::fs::read_to_string(folder.join(TRUTH)).unwrap_or_default();
    let truth: serde_json::Value = serde_json::from_str(&truth).unwrap_or_default();
    Ok(files.into_iter().map(|file| DemoPhoto { location: place_of(&truth, &file), file }).collect())
}

fn is_photo(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// The place that the fixtures' truth gives for `file`; your own photos have none.
fn place_of(truth: &serde_json::Value, file: &Path) -> Option<Vec<String>> {
    let name = file.file_name()?.to_str()?;
    let fixtures = truth.as_array().or_else(|| truth.get("photos")?.as_array())?;
    let fixture =
        fixtures.iter().find(|fixture| fixture.get("file").and_then(|file| file.as_str()) == Some(name))?;
    serde_json::from_value(fixture.get("place")?.clone()).ok()
}

/// Uploads the photos one after the other, as a phone would.
pub(super) async fn upload(simulator: &Simulator, photos: Vec<DemoPhoto>) -> anyhow::Result<()> {
    for photo in photos {
        let names: Vec<&str> = photo.location.iter().flatten().map(String::as_str).collect();
        let upload = PhotoUpload {
            filename: photo.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: std::fs::read(&photo.file)
                .with_context(|| format!("cannot read {}", photo.file.display()))?,
            location: simulator.location(&names),
            ..PhotoUpload::default()
        };
        simulator.upload_photo(seed::PROJECT, upload).await?;
    }
    Ok(())
}
