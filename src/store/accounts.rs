//! Accounts of this box: made and changed on the command line, every change audited.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::ids::ProjectKey;
use crate::domain::people::{AccessRights, AccountId, Login, PersonId, ProcoreUser, Role};
use crate::store::audit::{self, AuditSubject, Entry};
use crate::store::record::record;
use crate::store::rows::{from_json_option, from_name, instant, millis, to_json};
use crate::store::{Connection, Error, Store};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// What is typed to sign in.
    pub login: Login,
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where; absent means in every project of the box.
    pub projects: Option<Vec<ProjectKey>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nobody can sign in with it.
    pub disabled_at: Option<Timestamp>,
    /// Who the person is in Procore's directory.
    pub procore_user: Option<ProcoreUser>,
}

impl Account {
    /// What its person may do, and where.
    pub fn rights(&self) -> AccessRights {
        AccessRights::of(self.role, self.projects.as_deref())
    }
}

/// An account to be made. The password is hashed already.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// What is typed to sign in.
    pub login: Login,
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where; absent means everywhere.
    pub projects: Option<Vec<ProjectKey>>,
    /// The password's hash, with salt and parameters.
    pub password: String,
}

/// What is to become different in an account.
#[derive(Debug, Clone)]
pub enum AccountChange {
    /// Another password, as its hash. Ends the account's sessions.
    Password(String),
    Role(Role),
    /// Other projects; absent means everywhere.
    Projects(Option<Vec<ProjectKey>>),
    /// Nobody signs in with it any more. Ends the account's sessions; its tokens stop working.
    Disabled,
    Enabled,
    /// Who the person is in Procore's directory.
    ProcoreUser(Option<ProcoreUser>),
}

impl AccountChange {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Password(_) => "account.password_changed",
            Self::Role(_) => "account.role_changed",
            Self::Projects(_) => "account.projects_changed",
            Self::Disabled => "account.disabled",
            Self::Enabled => "account.enabled",
            Self::ProcoreUser(_) => "account.procore_user_changed",
        }
    }

    fn detail(&self, account: &Account) -> Value {
        match self {
            Self::Role(role) => json!({ "login": account.login, "from": account.role, "to": role }),
            Self::Projects(to) => json!({ "login": account.login, "from": account.projects, "to": to }),
            Self::ProcoreUser(to) => {
                let text = |user: &Option<ProcoreUser>| user.as_ref().map(ToString::to_string);
                json!({ "login": account.login, "from": text(&account.procore_user), "to": text(to) })
            }
            _ => json!({ "login": account.login }),
        }
    }

    const fn ends_sessions(&self) -> bool {
        matches!(self, Self::Password(_) | Self::Disabled)
    }
}

record! {
    pub(crate) struct Record {
        id: i64,
        login: String,
        name: String,
        role: String,
        projects: Option<String>,
        password: String,
        created_at: i64,
        disabled_at: Option<i64>,
        procore_user: Option<String>,
    }
}

impl Record {
    pub(crate) fn into_account(self) -> Result<Account, Error> {
        Ok(Account {
            id: AccountId(self.id),
            login: self.login.parse().map_err(|error| Error::row("account", self.id, error))?,
            name: self.name,
            role: from_name("accounts.role", &self.role)?,
            projects: from_json_option("accounts.projects", self.projects.as_deref())?,
            created_at: instant(self.created_at)?,
            disabled_at: self.disabled_at.map(instant).transpose()?,
            procore_user: self.procore_user.as_deref().map(procore_user).transpose()?,
        })
    }
}

impl Store {
    /// Makes an account; `actor` stands beside it in the audit.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the login is taken.
    pub async fn add_account(&self, new: &NewAccount, actor: &str, now: Timestamp) -> Result<Account, Error> {
        let mut transaction = self.begin().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO accounts (login, name, role, projects, password, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (login) DO NOTHING RETURNING id",
        )
        .bind(new.login.as_str())
        .bind(&new.name)
        .bind(new.role.name())
        .bind(new.projects.as_ref().map(to_json).transpose()?)
        .bind(&new.password)
        .bind(millis(now))
        .fetch_optional(&mut *transaction)
        .await?;
        let id = id.ok_or_else(|| Error::Conflict(format!("there is an account {} already", new.login)))?;
        let detail =
            json!({ "login": new.login, "name": new.name, "role": new.role, "projects": new.projects });
        let subject = AuditSubject::Person(PersonId::Account(AccountId(id)));
        audit::append(&mut transaction, Entry::by(actor, "account.added", subject, detail), now).await?;
        let (account, _) = existing(&mut transaction, &new.login).await?;
        self.commit(transaction).await?;
        Ok(account)
    }

    /// Every account, by login.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let records: Vec<Record> =
            sqlx::query_as("SELECT * FROM accounts ORDER BY login").fetch_all(&self.0.readers).await?;
        records.into_iter().map(Record::into_account).collect()
    }

    /// Whether anybody can sign in with an account.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM accounts WHERE disabled_at IS NULL")
            .fetch_one(&self.0.readers)
            .await?;
        Ok(count > 0)
    }

    /// Who the person of an account is in Procore's directory, where that is known.
    pub async fn procore_user_of(&self, account: AccountId) -> Result<Option<ProcoreUser>, Error> {
        let user: Option<Option<String>> =
            sqlx::query_scalar("SELECT procore_user FROM accounts WHERE id = $1")
                .bind(account.0)
                .fetch_optional(&self.0.readers)
                .await?;
        user.flatten().as_deref().map(procore_user).transpose()
    }

    /// The account of `login` with its password's hash, if it can be signed in with.
    pub async fn account_to_sign_in(&self, login: &Login) -> Result<Option<(Account, String)>, Error> {
        let mut reader = self.0.readers.acquire().await?;
        let found = find(&mut reader, login).await?;
        Ok(found.filter(|(account, _)| account.disabled_at.is_none()))
    }

    /// Changes an account; `actor` stands beside it in the audit.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn change_account(
        &self,
        login: &Login,
        change: &AccountChange,
        actor: &str,
        now: Timestamp,
    ) -> Result<Account, Error> {
        let mut transaction = self.begin().await?;
        let (account, _) = existing(&mut transaction, login).await?;
        let set = match change {
            AccountChange::Password(hash) => sqlx::query("UPDATE accounts SET password = $2 WHERE id = $1")
                .bind(account.id.0)
                .bind(hash.clone()),
            AccountChange::Role(role) => sqlx::query("UPDATE accounts SET role = $2 WHERE id = $1")
                .bind(account.id.0)
                .bind(role.name()),
            AccountChange::Projects(projects) => {
                sqlx::query("UPDATE accounts SET projects = $2 WHERE id = $1")
                    .bind(account.id.0)
                    .bind(projects.as_ref().map(to_json).transpose()?)
            }
            AccountChange::Disabled => sqlx::query("UPDATE accounts SET disabled_at = $2 WHERE id = $1")
                .bind(account.id.0)
                .bind(millis(now)),
            AccountChange::ProcoreUser(user) => {
                sqlx::query("UPDATE accounts SET procore_user = $2 WHERE id = $1")
                    .bind(account.id.0)
                    .bind(user.as_ref().map(ToString::to_string))
            }
            AccountChange::Enabled => {
                sqlx::query("UPDATE accounts SET disabled_at = NULL WHERE id = $1").bind(account.id.0)
            }
        };
        set.execute(&mut *transaction).await?;
        if change.ends_sessions() {
            sqlx::query("DELETE FROM sessions WHERE account = $1")
                .bind(account.id.0)
                .execute(&mut *transaction)
                .await?;
        }
        let subject = AuditSubject::Person(PersonId::Account(account.id));
        let entry = Entry::by(actor, change.kind(), subject, change.detail(&account));
        audit::append(&mut transaction, entry, now).await?;
        let (account, _) = existing(&mut transaction, login).await?;
        self.commit(transaction).await?;
        Ok(account)
    }
}

fn procore_user(text: &str) -> Result<ProcoreUser, Error> {
    text.parse().map_err(|error| Error::row("column", "accounts.procore_user", error))
}

async fn find(connection: &mut Connection, login: &Login) -> Result<Option<(Account, String)>, Error> {
    let record: Option<Record> = sqlx::query_as("SELECT * FROM accounts WHERE login = $1")
        .bind(login.as_str())
        .fetch_optional(connection)
        .await?;
    record
        .map(|record| {
            let password = record.password.clone();
            Ok((record.into_account()?, password))
        })
        .transpose()
}

pub(crate) async fn existing(connection: &mut Connection, login: &Login) -> Result<(Account, String), Error> {
    find(connection, login).await?.ok_or_else(|| Error::NotFound(format!("account {login}")))
}
