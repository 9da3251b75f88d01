//! The receiver's secrets while the service runs: read again when their files change, so that a rotation needs
//! no restart.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::WebhookSecrets;
use crate::procore::config::WebhookConfig;

/// Strangers with wrong secrets shall not make the disk busy: so often at most for them.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Holds the secrets that deliveries are checked against.
#[derive(Debug)]
pub struct SecretKeeper {
    config: WebhookConfig,
    credentials: Option<PathBuf>,
    held: RwLock<CachedSecrets>,
}

#[derive(Debug)]
struct CachedSecrets {
    secrets: WebhookSecrets,
    read_at: Instant,
}

impl SecretKeeper {
    /// Reads the secrets from where `config` says. `credentials` is what `$CREDENTIALS_DIRECTORY` names. Where a file
    /// cannot be read, every delivery is refused until it can; Procore repeats them for 12 hours.
    pub fn read(config: &WebhookConfig, credentials: Option<PathBuf>) -> Self {
        let secrets = WebhookSecrets::read(config, credentials.as_deref()).unwrap_or_else(|error| {
            tracing::error!(%error, "deliveries are refused until the webhook's secrets can be read");
            WebhookSecrets::default()
        });
        let held = RwLock::new(CachedSecrets { secrets, read_at: Instant::now() });
        Self { config: config.clone(), credentials, held }
    }

    /// The secrets as they were read last.
    pub fn secrets(&self) -> WebhookSecrets {
        self.held.read().unwrap_or_else(PoisonError::into_inner).secrets.clone()
    }

    /// See [`WebhookSecrets::authorized`]. A value that is not known yet may be the one of a rotation that has
    /// just begun, so the files are looked at before it is refused.
    pub fn authorized(&self, authorization: Option<&[u8]>) -> bool {
        self.with_second_look(|secrets| secrets.authorized(authorization))
    }

    /// See [`WebhookSecrets::signed`].
    pub fn signed(&self, signature: Option<&[u8]>, body: &[u8]) -> bool {
        self.with_second_look(|secrets| secrets.signed(signature, body))
    }

    fn with_second_look(&self, holds: impl Fn(&WebhookSecrets) -> bool) -> bool {
        let (held, age) = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            (holds(&held.secrets), held.read_at.elapsed())
        };
        if held || age < AT_MOST_EVERY {
            return held;
        }
        self.refresh();
        holds(&self.held.read().unwrap_or_else(PoisonError::into_inner).secrets)
    }

    /// Reads the files again: a value that was retired is refused from here on. Files that cannot be read
    /// change nothing.
    pub fn refresh(&self) {
        let read = WebhookSecrets::read(&self.config, self.credentials.as_deref());
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.read_at = Instant::now();
        match read {
            Ok(secrets) => held.secrets = secrets,
            Err(error) => tracing::warn!(%error, "the webhook's secrets stay as they were read last"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_needs_no_restart_and_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("authorization");
        let previous = folder.path().join("authorization.previous");
        std::fs::write(&file, "Bearer old").expect("written");
        let config = WebhookConfig {
            authorization_file: file.display().to_string(),
            ..crate::procore::config::tests::defaults().1
        };
        std::fs::remove_file(&file).expect("removed");
        let keeper = SecretKeeper::read(&config, None);
        assert!(!keeper.secrets().authorized(Some(b"Bearer old")), "nothing is accepted without a secret");
        std::fs::write(&file, "Bearer old").expect("written");
        keeper.refresh();
        let knows = |value: &str| keeper.secrets().authorized(Some(value.as_bytes()));
        assert!(keeper.authorized(Some(b"Bearer old")) && !knows("Bearer new"));

        std::fs::write(&previous, "Bearer old").expect("written");
        std::fs::write(&file, "Bearer new").expect("written");
        keeper.refresh();
        assert!(knows("Bearer old") && knows("Bearer new"), "both, while hooks are being changed");

        std::fs::remove_file(&previous).expect("removed");
        keeper.refresh();
        assert!(!knows("Bearer old") && knows("Bearer new"));

        std::fs::remove_file(&file).expect("removed");
        keeper.refresh();
        assert!(knows("Bearer new"), "a file that is gone for a moment locks nobody out");
    }
}
