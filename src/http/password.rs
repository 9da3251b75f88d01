//! Passwords of accounts, kept as Argon2id hashes (RFC 9106) with salt and parameters beside them.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Longer passwords are refused rather than cut.
const LETTERS_MAX: usize = 200;

/// How hard a password is to guess, and how short it may be.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordConfig {
    /// The fewest letters of a new password.
    pub letters_min: usize,
    /// KiB of memory that one guess costs.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Passwords checked at once; each takes its memory and a core.
    pub at_once: usize,
}

/// A password that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too short to withstand guessing.
    #[error("a password needs at least {0} letters; a sentence is easy to remember")]
    Short(usize),
    /// Too long to be typed by anybody.
    #[error("a password may have at most {LETTERS_MAX} letters")]
    Long,
    /// The first guess of anybody.
    #[error("a password must not be the login or the name")]
    Guessable,
    /// The parameters make no sense.
    #[error("sign_in.password: {0}; set memory_kib and passes to values that Argon2 allows")]
    Parameters(String),
}

impl PasswordConfig {
    /// The hasher that these parameters make.
    ///
    /// # Errors
    /// When Argon2 does not allow them.
    pub fn hasher(&self) -> Result<Argon2<'static>, BadPassword> {
        let params = Params::new(self.memory_kib, self.passes, 1, None)
            .map_err(|error| BadPassword::Parameters(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }

    /// The hash of a new password of the person with these names.
    ///
    /// # Errors
    /// When the password is too easy to guess.
    pub fn hash(&self, password: &SecretString, names: &[&str]) -> Result<String, BadPassword> {
        let text = password.expose_secret();
        let letters = text.chars().count();
        if letters < self.letters_min {
            return Err(BadPassword::Short(self.letters_min));
        }
        if letters > LETTERS_MAX {
            return Err(BadPassword::Long);
        }
        if names.iter().any(|name| name.trim().eq_ignore_ascii_case(text.trim())) {
            return Err(BadPassword::Guessable);
        }
        let bad = |error: argon2::password_hash::Error| BadPassword::Parameters(error.to_string());
        let salt: [u8; 16] = rand::random();
        let salt = SaltString::encode_b64(&salt).map_err(bad)?;
        Ok(self.hasher()?.hash_password(text.as_bytes(), &salt).map_err(bad)?.to_string())
    }

    /// A hash that no password has, and that takes as long to check as a real one.
    pub(crate) fn nobody(&self) -> String {
        format!(
            "$argon2id$v=19$m={},t={},p=1$bm9ib2R5IGhhcyB0aGlz${}",
            self.memory_kib,
            self.passes,
            "A".repeat(43)
        )
    }
}

/// Whether `password` is the one of `hash`. Takes the memory and time that the hash says.
pub(crate) fn is_right(hash: &str, password: &SecretString) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        tracing::error!("an account's password hash is unreadable: set the password again");
        return false;
    };
    // The parameters are those in the hash.
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As little work as Argon2 allows: tests don't defend anything.
    pub(crate) const CHEAP: PasswordConfig =
        PasswordConfig { letters_min: 12, memory_kib: 8, passes: 1, at_once: 2 };

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let password = secret("correct horse battery");
        let (one, other) =
            (CHEAP.hash(&password, &["ana"]).expect("good"), CHEAP.hash(&password, &["ana"]).expect("good"));
        assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{one}");
        assert_ne!(one, other, "salted");
        assert!(is_right(&one, &password) && !is_right(&one, &secret("correct horse")));
        assert!(!is_right(&one, &secret("")) && !is_right("nonsense", &password));
    }

    #[test]
    fn easy_passwords_are_refused() {
        let hash = |text: &str| CHEAP.hash(&secret(text), &["ana.ruiz.site", "Ana Ruiz"]);
        assert_eq!(hash("eleven lett"), Err(BadPassword::Short(12)));
        assert_eq!(hash("Ana.Ruiz.Site"), Err(BadPassword::Guessable));
        assert_eq!(hash(&"x".repeat(201)), Err(BadPassword::Long));
        assert!(hash("zwölf Zeichen").is_ok());
    }

    #[test]
    fn nobodys_hash_is_checked_like_a_real_one() {
        let hash = CHEAP.nobody();
        let parsed = PasswordHash::new(&hash).expect("well formed");
        assert_eq!(parsed.params.get_decimal("m"), Some(8));
        assert!(!is_right(&hash, &secret("anything at all")));
    }

    #[test]
    fn impossible_parameters_are_named() {
        let config = PasswordConfig { memory_kib: 1, ..CHEAP };
        assert!(config.hasher().is_err_and(|error| error.to_string().contains("memory_kib")));
    }
}
