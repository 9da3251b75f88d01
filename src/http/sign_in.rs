//! Signing in: by password, by this machine's key, by a script's token.

use secrecy::SecretString;

use crate::domain::people::{AccessRights, Login, Person, PersonId, Role, SignedInBy, Viewer};
use crate::http::State;
use crate::http::error::HttpError;
use crate::http::guard::Peer;
use crate::http::password;
use crate::http::session::{Secret, tidy_name};
use crate::store;

/// What API tokens begin with, so that people and secret scanners recognise them.
pub const TOKEN_PREFIX: &str = "punchlens_";

/// The longest login that is remembered for counting wrong passwords.
const COUNTED_MAX: usize = 64;

/// Who signs in with this login and password. An unknown login takes the same work as a wrong password.
pub(super) async fn by_password(
    state: &State,
    peer: Peer,
    login: &str,
    password: SecretString,
) -> Result<Viewer, HttpError> {
    let counted: String = login.trim().to_lowercase().chars().take(COUNTED_MAX).collect();
    let attempt = state.throttle().admit(peer.address, &counted, state.now()).map_err(HttpError::TooMany)?;
    let found = match login.parse::<Login>() {
        Ok(login) => state.store().account_to_sign_in(&login).await?,
        Err(_) => None,
    };
    let (account, hash) = found
        .map_or_else(|| (None, state.sign_in().password.nobody()), |(account, hash)| (Some(account), hash));
    let _turn = state.password_checks().acquire().await.map_err(|_| HttpError::Unavailable)?;
    let right = tokio::task::spawn_blocking(move || password::is_right(&hash, &password))
        .await
        .map_err(|_| HttpError::Internal)?;
    let Some(account) = account.filter(|_| right) else {
        tracing::warn!(address = %peer.address, "a wrong login or password");
        return Err(HttpError::WrongPassword);
    };
    attempt.was_right();
    Ok(store::viewer_of(&account, SignedInBy::Password))
}

/// Whoever has this machine's key, on this machine: the person who runs the box.
pub(super) fn by_key(state: &State, peer: Peer, key: &str, name: &str) -> Result<Viewer, HttpError> {
    if !state.key_works(peer) || !state.key().matches(key) {
        return Err(HttpError::Unauthorized);
    }
    let name = tidy_name(name);
    let name = if name.is_empty() { state.sign_in().key_name.clone() } else { name };
    let person = Person { name, who: PersonId::Key, login: None, by: SignedInBy::Key };
    Ok(Viewer { person, rights: AccessRights::Everywhere(Role::Admin) })
}

/// For whom a script speaks that sends `token`.
pub(super) async fn by_token(state: &State, peer: Peer, token: &str) -> Result<Viewer, HttpError> {
    let Some(secret) = token.strip_prefix(TOKEN_PREFIX).and_then(Secret::parse) else {
        return by_key(state, peer, token, "");
    };
    let viewer = state.store().token_viewer(&secret.digest(), state.now()).await?;
    viewer.ok_or(HttpError::Unauthorized)
}
