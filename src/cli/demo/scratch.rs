//! A folder for one run, gone afterwards.

use std::io;
use std::path::{Path, PathBuf};

/// Removed with everything in it when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder with a name that nothing else has.
    pub(super) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("punchlens-demo-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's folder could not be removed");
        }
    }
}
