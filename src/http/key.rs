//! The key of this machine: who can read its file may sign in here, as they could read the database too.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key shorter than this can be guessed.
const LETTERS_MIN: usize = 16;

/// The review key.
#[derive(Clone)]
pub struct ReviewKey(SecretString);

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading or writing it failed.
    #[error("the review key file {path} cannot be used: {source}; check the folder and its owner")]
    File {
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds too little.
    #[error(
        "the review key in {0} is shorter than {LETTERS_MIN} characters: delete the file to get a new one"
    )]
    Short(PathBuf),
}

impl ReviewKey {
    /// A new random key: 26 letters and digits, 130 bits.
    pub fn generate() -> Self {
        let bytes: [u8; 17] = rand::random();
        let text = BASE32_NOPAD.encode(&bytes).to_lowercase();
        Self(SecretString::from(text.get(..26).unwrap_or(&text).to_owned()))
    }

    /// A key that somebody chose.
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text.trim().to_owned()))
    }

    /// The key in `path`; a new one is written there if there is no such file.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().chars().count() >= LETTERS_MIN => Ok(Self::new(&text)),
            Ok(_) => Err(KeyError::Short(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let key = Self::generate();
                create(path, key.reveal())
                    .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
                Ok(key)
            }
            Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
        }
    }

    /// The key itself, for the link that is printed at start.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether `offered` is the key; takes the same time whatever the difference.
    pub fn matches(&self, offered: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.trim().as_bytes());
        digest(self.reveal()).ct_eq(&digest(offered)).into()
    }
}

impl fmt::Debug for ReviewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReviewKey(…)")
    }
}

fn create(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_random_and_not_shown() {
        let (one, other) = (ReviewKey::generate(), ReviewKey::generate());
        assert_eq!(one.reveal().len(), 26);
        assert!(one.matches(one.reveal()) && !one.matches(other.reveal()) && !one.matches(""));
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn the_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/review.key");
        let made = ReviewKey::load_or_create(&path).expect("is made");
        let read = ReviewKey::load_or_create(&path).expect("is read");
        assert!(made.matches(read.reveal()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_short_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("review.key");
        std::fs::write(&path, "1234\n").expect("writes");
        assert!(matches!(ReviewKey::load_or_create(&path), Err(KeyError::Short(_))));
    }
}
