//! Where secrets come from: the environment, a file of their own, or a systemd credential.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret that was named and cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Longest secret that is read from a file, bytes; anything longer is the wrong file.
const LONGEST: u64 = 8192;

/// One secret's possible homes; the first that is set counts.
#[derive(Debug, Clone, Copy)]
pub struct Homes<'a> {
    /// The value itself, meant for the environment.
    pub value: &'a SecretString,
    /// A file with nothing else in it; empty when unset.
    pub file: &'a str,
    /// The name of the systemd credential.
    pub credential: &'a str,
}

impl Homes<'_> {
    /// Reads the secret. `credentials` is what `$CREDENTIALS_DIRECTORY` names.
    ///
    /// # Errors
    /// When a file that was named cannot be read or is empty.
    pub fn read(&self, credentials: Option<&Path>) -> Result<Option<SecretString>, Error> {
        if !self.value.expose_secret().is_empty() {
            return Ok(Some(self.value.clone()));
        }
        if !self.file.is_empty() {
            return from_file(Path::new(self.file)).map(Some);
        }
        match credentials.map(|folder| folder.join(self.credential)) {
            Some(path) if path.exists() => from_file(&path).map(Some),
            _ => Ok(None),
        }
    }
}

fn from_file(path: &Path) -> Result<SecretString, Error> {
    let problem = |what: String| {
        Error(format!("the secret file {}: {what}; put the secret alone into it", path.display()))
    };
    let size = fs::metadata(path).map_err(|error| problem(error.to_string()))?.len();
    if size > LONGEST {
        return Err(problem(format!("has {size} bytes, which is no secret")));
    }
    let text = fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    match text.trim() {
        "" => Err(problem("is empty".to_owned())),
        secret => Ok(secret.into()),
    }
}

/// The folder with the credentials that systemd hands to the service, if there is one.
pub fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

/// Reads a secret from the config without ever keeping it as plain text beside it.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, file: &str, credentials: Option<&Path>) -> Result<Option<String>, Error> {
        let homes = Homes { value: &value.into(), file, credential: "procore_client_secret" };
        Ok(homes.read(credentials)?.map(|secret| secret.expose_secret().to_owned()))
    }

    #[test]
    fn the_first_home_that_is_set_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "from-file\n").expect("written");
        fs::write(folder.path().join("procore_client_secret"), "from-systemd").expect("written");
        let file = file.to_str().expect("plain path");
        let credentials = Some(folder.path());
        assert_eq!(read("from-env", file, credentials).expect("read").as_deref(), Some("from-env"));
        assert_eq!(read("", file, credentials).expect("read").as_deref(), Some("from-file"));
        assert_eq!(read("", "", credentials).expect("read").as_deref(), Some("from-systemd"));
        assert_eq!(read("", "", None).expect("read"), None);
    }

    #[test]
    fn a_named_file_must_hold_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = folder.path().join("empty");
        fs::write(&empty, " \n").expect("written");
        assert!(read("", empty.to_str().expect("plain path"), None).is_err());
        assert!(read("", "/nowhere/to/be/found", None).is_err());
    }
}
