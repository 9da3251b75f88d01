//! Who is signed in: browsers and API tokens, kept as digests, so that a copy of the database signs nobody in.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::ids::Sha256Digest;
use crate::domain::people::{
    AccessRights, AccountId, Grant, Login, Person, PersonId, SignedInBy, TokenId, Viewer,
};
use crate::store::accounts::{self, Account};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::clock::CLOCKS_APART_MS;
use crate::store::record::record;
use crate::store::rows::{from_json, instant, millis, to_json};
use crate::store::{Connection, Error, Store};

/// How old the note of a token's last use may grow before it is written again.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub who: PersonId,
    /// Their name when they signed in.
    pub name: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An API token, without what a script sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: TokenId,
    /// The account for which it speaks.
    pub login: Login,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// Since when it does not work any more.
    pub revoked_at: Option<Timestamp>,
}

/// An API token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The digest of what the script sends.
    pub digest: Sha256Digest,
    /// What it is for.
    pub label: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

record! {
    struct SessionRecord {
        who: String,
        name: String,
        account: Option<i64>,
        viewer: Option<String>,
        created_at: i64,
        expires_at: i64,
    }
}

record! {
    struct TokenRecord {
        id: i64,
        login: String,
        label: String,
        created_at: i64,
        expires_at: i64,
        last_used_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

impl TokenRecord {
    fn into_row(self) -> Result<TokenRow, Error> {
        Ok(TokenRow {
            id: TokenId(self.id),
            login: self.login.parse().map_err(|error| Error::row("token", self.id, error))?,
            label: self.label,
            created_at: instant(self.created_at)?,
            expires_at: instant(self.expires_at)?,
            last_used_at: self.last_used_at.map(instant).transpose()?,
            revoked_at: self.revoked_at.map(instant).transpose()?,
        })
    }
}

/// An account's person, who proved it `by`.
pub fn viewer_of(account: &Account, by: SignedInBy) -> Viewer {
    let person = Person {
        name: account.name.clone(),
        who: PersonId::Account(account.id),
        login: Some(account.login.to_string()),
        by,
    };
    Viewer { person, rights: account.rights() }
}

impl Store {
    /// Signs `viewer` in until `expires_at`; `digest` is that of what their browser holds.
    pub async fn open_session(
        &self,
        digest: &Sha256Digest,
        viewer: &Viewer,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let person = &viewer.person;
        let account = match person.who {
            PersonId::Account(AccountId(id)) => Some(id),
            PersonId::Procore(_) | PersonId::Key => None,
        };
        let own_rights = account.is_none().then(|| to_json(viewer)).transpose()?;
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (digest, who, name, account, viewer, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(digest.to_string())
        .bind(person.who.to_string())
        .bind(&person.name)
        .bind(account)
        .bind(own_rights)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&mut *transaction)
        .await?;
        let entry = Entry::by(
            person.name.as_str(),
            "person.signed_in",
            AuditSubject::Person(person.who),
            json!(viewer),
        );
        audit::append(&mut transaction, entry, now).await?;
        // Nothing that a page shows has changed: nobody is woken.
        Ok(transaction.commit().await?)
    }

    /// Who holds the session, with the rights that they have now.
    pub async fn session(&self, digest: &Sha256Digest, now: Timestamp) -> Result<Option<Viewer>, Error> {
        let mut reader = self.0.readers.acquire().await?;
        let record: Option<SessionRecord> = sqlx::query_as(
            "SELECT * FROM sessions WHERE digest = $1 AND expires_at > $2 AND created_at <= $3",
        )
        .bind(digest.to_string())
        .bind(millis(now))
        // One of the future was opened by a clock that ran ahead, and would live too long.
        .bind(millis(now).saturating_add(CLOCKS_APART_MS))
        .fetch_optional(&mut *reader)
        .await?;
        match record {
            Some(SessionRecord { account: Some(id), .. }) => {
                let account = active(&mut reader, id).await?;
                Ok(account.map(|account| viewer_of(&account, SignedInBy::Password)))
            }
            Some(SessionRecord { viewer: Some(viewer), .. }) => {
                from_json("sessions.viewer", &viewer).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Adds `grants` to the rights of everybody who is signed in as `who` by a Procore account.
    pub async fn add_grants(&self, who: PersonId, grants: &[Grant]) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT digest, viewer FROM sessions WHERE who = $1 AND viewer IS NOT NULL")
                .bind(who.to_string())
                .fetch_all(&mut *transaction)
                .await?;
        for (digest, viewer) in rows {
            let mut viewer: Viewer = from_json("sessions.viewer", &viewer)?;
            if let AccessRights::In(own) = &mut viewer.rights {
                own.retain(|grant| grants.iter().all(|new| new.project != grant.project));
                own.extend_from_slice(grants);
            }
            sqlx::query("UPDATE sessions SET viewer = $1 WHERE digest = $2")
                .bind(to_json(&viewer)?)
                .bind(digest)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Signs a browser out.
    pub async fn end_session(&self, digest: &Sha256Digest) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE digest = $1")
            .bind(digest.to_string())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Signs `who`, or everybody, out of every browser, and tells of how many.
    pub async fn end_sessions(
        &self,
        who: Option<PersonId>,
        actor: &str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let mut transaction = self.begin().await?;
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT who FROM sessions WHERE who = $1 OR $2 = 1")
                .bind(who.map(|who| who.to_string()))
                .bind(i64::from(who.is_none()))
                .fetch_all(&mut *transaction)
                .await?;
        let mut ended = 0;
        for row in rows {
            let deleted = sqlx::query("DELETE FROM sessions WHERE who = $1")
                .bind(&row)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            let whose = row.parse().map_err(|error| Error::row("session", &row, error))?;
            let entry = Entry::by(
                actor,
                "person.signed_out",
                AuditSubject::Person(whose),
                json!({ "sessions": deleted }),
            );
            audit::append(&mut transaction, entry, now).await?;
            ended += deleted;
        }
        self.commit(transaction).await?;
        Ok(ended)
    }

    /// Every browser that is signed in now, the last one first.
    pub async fn sessions(&self, now: Timestamp) -> Result<Vec<SessionRow>, Error> {
        let records: Vec<SessionRecord> =
            sqlx::query_as("SELECT * FROM sessions WHERE expires_at > $1 ORDER BY created_at DESC, digest")
                .bind(millis(now))
                .fetch_all(&self.0.readers)
                .await?;
        let row = |record: SessionRecord| {
            Ok(SessionRow {
                who: record.who.parse().map_err(|error| Error::row("session", &record.who, error))?,
                name: record.name,
                created_at: instant(record.created_at)?,
                expires_at: instant(record.expires_at)?,
            })
        };
        records.into_iter().map(row).collect()
    }

    /// Makes an API token for an account.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such account.
    pub async fn add_token(
        &self,
        login: &Login,
        token: &NewToken,
        actor: &str,
        now: Timestamp,
    ) -> Result<TokenId, Error> {
        let mut transaction = self.begin().await?;
        let (account, _) = accounts::existing(&mut transaction, login).await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO api_tokens (digest, account, label, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(token.digest.to_string())
        .bind(account.id.0)
        .bind(&token.label)
        .bind(millis(now))
        .bind(millis(token.expires_at))
        .fetch_one(&mut *transaction)
        .await?;
        let detail = json!({ "token": id, "label": token.label, "expires_at": token.expires_at });
        let entry =
            Entry::by(actor, "token.added", AuditSubject::Person(PersonId::Account(account.id)), detail);
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await?;
        Ok(TokenId(id))
    }

    /// Every API token, the last one first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, Error> {
        let records: Vec<TokenRecord> = sqlx::query_as(
            "SELECT api_tokens.id, accounts.login, api_tokens.label, api_tokens.created_at, api_tokens.expires_at,
                    api_tokens.last_used_at, api_tokens.revoked_at
             FROM api_tokens JOIN accounts ON accounts.id = api_tokens.account ORDER BY api_tokens.id DESC",
        )
        .fetch_all(&self.0.readers)
        .await?;
        records.into_iter().map(TokenRecord::into_row).collect()
    }

    /// Makes a token useless.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none that works.
    pub async fn revoke_token(&self, id: TokenId, actor: &str, now: Timestamp) -> Result<(), Error> {
        let mut transaction = self.begin().await?;
        let account: Option<i64> = sqlx::query_scalar(
            "UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING account",
        )
        .bind(id.0)
        .bind(millis(now))
        .fetch_optional(&mut *transaction)
        .await?;
        let account = account.ok_or_else(|| Error::NotFound(format!("token {} that still works", id.0)))?;
        let subject = AuditSubject::Person(PersonId::Account(AccountId(account)));
        let entry = Entry::by(actor, "token.revoked", subject, json!({ "token": id }));
        audit::append(&mut transaction, entry, now).await?;
        self.commit(transaction).await
    }

    /// For whom the token with `digest` speaks, if it works.
    pub async fn token_viewer(&self, digest: &Sha256Digest, now: Timestamp) -> Result<Option<Viewer>, Error> {
        let mut reader = self.0.readers.acquire().await?;
        let found: Option<(i64, i64, Option<i64>)> = sqlx::query_as(
            "SELECT id, account, last_used_at FROM api_tokens
             WHERE digest = $1 AND expires_at > $2 AND revoked_at IS NULL",
        )
        .bind(digest.to_string())
        .bind(millis(now))
        .fetch_optional(&mut *reader)
        .await?;
        let Some((id, account, last_used)) = found else { return Ok(None) };
        let account = active(&mut reader, account).await?;
        drop(reader);
        let stale = millis(now.saturating_sub(USE_NOTED_EVERY).unwrap_or(now));
        if account.is_some() && last_used.is_none_or(|used| used < stale) {
            let mut transaction = self.begin().await?;
            sqlx::query("UPDATE api_tokens SET last_used_at = $2 WHERE id = $1")
                .bind(id)
                .bind(millis(now))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
        }
        Ok(account.map(|account| viewer_of(&account, SignedInBy::Token(TokenId(id)))))
    }
}

async fn active(connection: &mut Connection, id: i64) -> Result<Option<Account>, Error> {
    let record: Option<accounts::Record> =
        sqlx::query_as("SELECT * FROM accounts WHERE id = $1 AND disabled_at IS NULL")
            .bind(id)
            .fetch_optional(connection)
            .await?;
    record.map(accounts::Record::into_account).transpose()
}

/// Deletes sessions that ran out.
pub(crate) async fn delete_expired(connection: &mut Connection, now: Timestamp) -> Result<u64, Error> {
    let deleted = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
        .bind(millis(now))
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}
