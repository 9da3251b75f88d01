//! `punchlens users`: accounts of this box, their API tokens, and who is signed in.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use comfy_table::{ContentArrangement, Table};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::{OPERATOR, Settings};
use crate::config::Config;
use crate::domain::ids::ProjectKey;
use crate::domain::people::{Login, PersonId, ProcoreUser, Role, TokenId};
use crate::http::{Secret, TOKEN_PREFIX, tidy_name};
use crate::store::{Account, AccountChange, NewAccount, NewToken, Store};

/// Arguments of `users`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the accounts.
    List,
    /// Make an account. The password is asked for, or read from standard input.
    Add {
        /// What is typed to sign in.
        login: Login,
        /// The name that stands beside decisions; the login, if not given.
        #[arg(long)]
        name: Option<String>,
        /// viewer, reviewer or admin.
        #[arg(long, default_value = "reviewer")]
        role: Role,
        /// A project that the person may see, as COMPANY/PROJECT; more than once for more; without it, all.
        #[arg(long = "project", value_name = "COMPANY/PROJECT")]
        projects: Vec<ProjectKey>,
        /// Who the person is in Procore, by id or login there: the manager of the items that they accept.
        #[arg(long, value_name = "ID or LOGIN")]
        procore_user: Option<ProcoreUser>,
    },
    /// Say who the person is in Procore: the manager of the items that they accept. Without an id or login, nobody.
    ProcoreUser {
        /// Whose.
        login: Login,
        /// The user's id or login in Procore.
        #[arg(value_name = "ID or LOGIN")]
        user: Option<ProcoreUser>,
    },
    /// Set another password, asked for or read from standard input; signs the person out everywhere.
    Password {
        /// Whose.
        login: Login,
    },
    /// Give another role.
    Role {
        /// Whose.
        login: Login,
        /// viewer, reviewer or admin.
        role: Role,
    },
    /// Set the projects that the person may see; none means all.
    Projects {
        /// Whose.
        login: Login,
        /// The projects.
        #[arg(value_name = "COMPANY/PROJECT")]
        projects: Vec<ProjectKey>,
    },
    /// Let nobody sign in with an account any more; its decisions stay.
    Disable {
        /// Whose.
        login: Login,
    },
    /// Let an account work again.
    Enable {
        /// Whose.
        login: Login,
    },
    /// Make an API token that may do what the account may; it is printed once.
    Token {
        /// For whom scripts speak that have it.
        login: Login,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it stops working.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..))]
        days: u16,
    },
    /// List the API tokens.
    Tokens,
    /// Make an API token useless.
    Revoke {
        /// Its number, as `tokens` lists it.
        token: i64,
    },
    /// Print the link that signs in on this machine with its key.
    Link,
    /// List who is signed in.
    Sessions,
    /// Sign a person out everywhere, or everybody.
    SignOut {
        /// Whom, as `sessions` lists them: `account:3`, `procore:160586`, `key` or `all`.
        who: String,
    },
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    let store = Store::open(&config.store, Timestamp::now()).await?;
    let outcome = act(args.action.unwrap_or(Action::List), config, &store).await;
    store.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn act(action: Action, config: &Config, store: &Store) -> anyhow::Result<()> {
    let change = async |login: &Login, change: AccountChange| -> anyhow::Result<()> {
        let account = store.change_account(login, &change, OPERATOR, Timestamp::now()).await?;
        println!("{}", line(&account));
        Ok(())
    };
    match action {
        Action::List => list(store).await,
        Action::Link => {
            println!("{}", crate::app::sign_in_link(config)?);
            Ok(())
        }
        Action::Add { login, name, role, projects, procore_user } => {
            let name = tidy_name(name.as_deref().unwrap_or(login.as_str()));
            ensure!(!name.is_empty(), "--name is empty: it is shown beside the person's decisions");
            let password = new_password(config, &[login.as_str(), &name])?;
            let projects = some_of(config, projects);
            let new = NewAccount { login, name, role, projects, password };
            let account = store.add_account(&new, OPERATOR, Timestamp::now()).await?;
            if procore_user.is_some() {
                return change(&account.login, AccountChange::ProcoreUser(procore_user)).await;
            }
            println!("{}", line(&account));
            Ok(())
        }
        Action::ProcoreUser { login, user } => change(&login, AccountChange::ProcoreUser(user)).await,
        Action::Password { login } => {
            let password = new_password(config, &[login.as_str()])?;
            change(&login, AccountChange::Password(password)).await
        }
        Action::Role { login, role } => change(&login, AccountChange::Role(role)).await,
        Action::Projects { login, projects } => {
            change(&login, AccountChange::Projects(some_of(config, projects))).await
        }
        Action::Disable { login } => change(&login, AccountChange::Disabled).await,
        Action::Enable { login } => change(&login, AccountChange::Enabled).await,
        Action::Token { login, label, days } => token(store, &login, label, days).await,
        Action::Tokens => tokens(store).await,
        Action::Revoke { token } => {
            store.revoke_token(TokenId(token), OPERATOR, Timestamp::now()).await?;
            println!("token {token} is useless now");
            Ok(())
        }
        Action::Sessions => sessions(store).await,
        Action::SignOut { who } => {
            let who = if who == "all" { None } else { Some(who.parse::<PersonId>()?) };
            let ended = store.end_sessions(who, OPERATOR, Timestamp::now()).await?;
            println!("{ended} sessions ended");
            Ok(())
        }
    }
}

fn some_of(config: &Config, projects: Vec<ProjectKey>) -> Option<Vec<ProjectKey>> {
    let permitted = config.procore.permitted();
    for stranger in projects.iter().filter(|project| !permitted.contains(project)) {
        eprintln!("note: project {stranger} is not in procore.projects of this config");
    }
    (!projects.is_empty()).then_some(projects)
}

/// Asks twice at a terminal; takes the first line of anything else. Never an argument, which others could see.
fn new_password(config: &Config, names: &[&str]) -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let password = SecretString::from(rpassword::prompt_password("Password: ")?);
        let again = SecretString::from(rpassword::prompt_password("Once more: ")?);
        if password.expose_secret() != again.expose_secret() {
            bail!("these were two different passwords; nothing was changed");
        }
        password
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("standard input holds no password")?;
        SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    Ok(config.sign_in.password.hash(&password, names)?)
}

fn line(account: &Account) -> String {
    let state = if account.disabled_at.is_some() { ", disabled" } else { "" };
    let user = account.procore_user.as_ref().map_or_else(String::new, |user| format!(", in Procore {user}"));
    format!("{} ({}): {} in {}{user}{state}", account.login, account.name, account.role, places(account))
}

fn places(account: &Account) -> String {
    match &account.projects {
        None => "all projects".to_owned(),
        Some(projects) => projects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

async fn list(store: &Store) -> anyhow::Result<()> {
    let accounts = store.accounts().await?;
    if accounts.is_empty() {
        println!("No accounts yet: punchlens users add LOGIN makes one.");
        return Ok(());
    }
    let mut table = table(&["login", "name", "role", "projects", "in Procore", "since", "disabled"]);
    for account in accounts {
        let places = places(&account);
        table.add_row([
            account.login.to_string(),
            account.name,
            account.role.to_string(),
            places,
            account.procore_user.as_ref().map(ToString::to_string).unwrap_or_default(),
            day(account.created_at),
            account.disabled_at.map(day).unwrap_or_default(),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn token(store: &Store, login: &Login, label: String, days: u16) -> anyhow::Result<()> {
    let (secret, now) = (Secret::generate(), Timestamp::now());
    let expires_at = now.checked_add(SignedDuration::from_hours(i64::from(days) * 24))?;
    let new = NewToken { digest: secret.digest(), label: tidy_name(&label), expires_at };
    let id = store.add_token(login, &new, OPERATOR, now).await?;
    eprintln!("token {} speaks for {login} until {}; it is shown this once:", id.0, day(expires_at));
    println!("{TOKEN_PREFIX}{}", secret.reveal());
    Ok(())
}

async fn tokens(store: &Store) -> anyhow::Result<()> {
    let mut table = table(&["token", "account", "for", "made", "until", "last used", "revoked"]);
    for token in store.tokens().await? {
        table.add_row([
            token.id.0.to_string(),
            token.login.to_string(),
            token.label,
            day(token.created_at),
            day(token.expires_at),
            token.last_used_at.map(|at| format!("{at:.0}")).unwrap_or_default(),
            token.revoked_at.map(day).unwrap_or_default(),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn sessions(store: &Store) -> anyhow::Result<()> {
    let mut table = table(&["who", "name", "since", "until"]);
    for session in store.sessions(Timestamp::now()).await? {
        let row = [
            session.who.to_string(),
            session.name,
            format!("{:.0}", session.created_at),
            format!("{:.0}", session.expires_at),
        ];
        table.add_row(row);
    }
    println!("{table}");
    Ok(())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
