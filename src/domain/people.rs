//! Who looks and decides: people, how they signed in, and what they may see and do where.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ids::{BadId, ProjectKey, UserId};

/// The longest login.
const LOGIN_MAX: usize = 64;

/// The longest login at Procore: an e-mail address has at most 254 characters (RFC 5321).
const PROCORE_LOGIN_MAX: usize = 254;

/// What somebody may do, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees findings, photos and reports; decides nothing.
    Viewer,
    /// Decides too.
    Reviewer,
    /// Also changes what holds for everybody, such as muted classes.
    Admin,
}

impl Role {
    /// All of them, least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Reviewer, Self::Admin];

    /// The stable name on the wire and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| BadId { kind: "role (viewer, reviewer or admin)", text: text.to_owned() })
    }
}

/// The number of an account of this box; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// The number of an API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub i64);

/// What somebody types to sign in: lower case, so that `Ana` and `ana` are one person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl Login {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Login {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let login = text.trim().to_lowercase();
        let plain = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@' | '+')
        };
        if (1..=LOGIN_MAX).contains(&login.len()) && login.chars().all(plain) {
            return Ok(Self(login));
        }
        Err(BadId { kind: "login (letters a-z, digits and . - _ @ +, at most 64)", text: text.to_owned() })
    }
}

impl TryFrom<String> for Login {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom the box knows somebody as: `account:3`, `procore:160586` or `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PersonId {
    /// An account of this box.
    Account(AccountId),
    /// A person in Procore's directory.
    Procore(UserId),
    /// Whoever can read this machine's key file.
    Key,
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{}", id.0),
            Self::Procore(id) => write!(f, "procore:{id}"),
            Self::Key => f.write_str("key"),
        }
    }
}

impl FromStr for PersonId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { kind: "person (account:N, procore:N or key)", text: text.to_owned() };
        match text.split_once(':') {
            None if text == "key" => Ok(Self::Key),
            Some(("account", id)) => id.parse().map(|id| Self::Account(AccountId(id))).map_err(|_| bad()),
            Some(("procore", id)) => id.parse().map(Self::Procore).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for PersonId {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<PersonId> for String {
    fn from(who: PersonId) -> Self {
        who.to_string()
    }
}

/// Who somebody is in Procore's directory: by id, or by the login there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcoreUser {
    /// By Procore's id.
    Id(UserId),
    /// By the login, usually an e-mail address.
    Login(String),
}

impl fmt::Display for ProcoreUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Login(login) => f.write_str(login),
        }
    }
}

impl FromStr for ProcoreUser {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let text = text.trim();
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        if (3..=PROCORE_LOGIN_MAX).contains(&text.len()) && !text.contains(char::is_whitespace) {
            return Ok(Self::Login(text.to_owned()));
        }
        Err(BadId {
            kind: "Procore user (a number or a login, usually an e-mail address)",
            text: text.to_owned(),
        })
    }
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedInBy {
    /// By an account's password.
    Password,
    /// By signing in at Procore.
    Procore,
    /// By this machine's key.
    Key,
    /// A script, by an API token.
    Token(TokenId),
}

/// A person as decisions and the audit name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name that others read.
    pub name: String,
    /// Whom the box knows them as.
    pub who: PersonId,
    /// What they type to sign in, or Procore's login.
    pub login: Option<String>,
    /// How they proved it.
    pub by: SignedInBy,
}

/// A role in one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The project.
    #[serde(flatten)]
    pub project: ProjectKey,
    /// What the person may do there.
    pub role: Role,
}

/// What somebody may do, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessRights {
    /// The same in every project of the box.
    Everywhere(Role),
    /// In these projects alone.
    In(Vec<Grant>),
}

impl AccessRights {
    /// `role` in `projects`, or everywhere where none are named.
    pub fn of(role: Role, projects: Option<&[ProjectKey]>) -> Self {
        match projects {
            None => Self::Everywhere(role),
            Some(projects) => Self::In(projects.iter().map(|&project| Grant { project, role }).collect()),
        }
    }

    /// The role in `project`, if the person may see it at all.
    pub fn role_in(&self, project: ProjectKey) -> Option<Role> {
        match self {
            Self::Everywhere(role) => Some(*role),
            Self::In(grants) => {
                grants.iter().filter(|grant| grant.project == project).map(|grant| grant.role).max()
            }
        }
    }
}

/// Somebody who is signed in, with what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who it is.
    pub person: Person,
    /// What they may do, and where.
    pub rights: AccessRights,
}

impl Viewer {
    /// Whether anything of `project` may be shown.
    pub fn may_see(&self, project: ProjectKey) -> bool {
        self.rights.role_in(project).is_some()
    }

    /// Whether findings of `project` may be decided.
    pub fn may_decide(&self, project: ProjectKey) -> bool {
        self.has(Role::Reviewer, project)
    }

    /// Whether this is somebody with `role`, or more, in `project`.
    pub fn has(&self, role: Role, project: ProjectKey) -> bool {
        self.rights.role_in(project) >= Some(role)
    }

    /// The projects to which lists are narrowed: `wanted` where it may be seen, else all that may be.
    /// `None` means that there is nothing to narrow to.
    pub fn narrowed(&self, wanted: Option<ProjectKey>) -> Option<Vec<ProjectKey>> {
        match (wanted, &self.rights) {
            (Some(project), _) => Some(if self.may_see(project) { vec![project] } else { Vec::new() }),
            (None, AccessRights::Everywhere(_)) => None,
            (None, AccessRights::In(grants)) => Some(grants.iter().map(|grant| grant.project).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId};

    const fn project(id: i64) -> ProjectKey {
        ProjectKey { company: CompanyId::new(8), project: ProjectId::new(id) }
    }

    fn viewer(rights: AccessRights) -> Viewer {
        let person = Person {
            name: "Ana Ruiz".into(),
            who: PersonId::Account(AccountId(3)),
            login: Some("ana".into()),
            by: SignedInBy::Password,
        };
        Viewer { person, rights }
    }

    #[test]
    fn a_role_holds_where_it_was_given() {
        let grants = vec![
            Grant { project: project(1), role: Role::Reviewer },
            Grant { project: project(2), role: Role::Viewer },
        ];
        let ana = viewer(AccessRights::In(grants));
        assert!(ana.may_see(project(1)) && ana.may_decide(project(1)) && !ana.has(Role::Admin, project(1)));
        assert!(ana.may_see(project(2)) && !ana.may_decide(project(2)));
        assert!(!ana.may_see(project(3)) && !ana.may_decide(project(3)));
        assert_eq!(ana.narrowed(None), Some(vec![project(1), project(2)]));
        assert_eq!(ana.narrowed(Some(project(2))), Some(vec![project(2)]));
        assert_eq!(ana.narrowed(Some(project(3))), Some(vec![]), "asking for it shows nothing of it");
    }

    #[test]
    fn everywhere_is_everywhere() {
        let root = viewer(AccessRights::of(Role::Admin, None));
        assert!(root.has(Role::Admin, project(9)));
        assert_eq!(root.narrowed(None), None);
        assert!(
            !viewer(AccessRights::of(Role::Admin, Some(&[]))).may_see(project(9)),
            "no project is no project"
        );
    }

    #[test]
    fn logins_are_one_person_whatever_the_case() {
        let login = |text: &str| text.parse::<Login>().map(String::from).ok();
        assert_eq!(login(" Ana.Ruiz@Example.com "), Some("ana.ruiz@example.com".into()));
        for bad in ["", "a b", "Änna", "<script>", &"x".repeat(65)] {
            assert_eq!(login(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn procore_users_are_numbers_or_logins() {
        let read = |text: &str| text.parse::<ProcoreUser>().ok();
        assert_eq!(read(" 160586 "), Some(ProcoreUser::Id(UserId::new(160_586))));
        assert_eq!(read("sam@example.com"), Some(ProcoreUser::Login("sam@example.com".into())));
        for bad in ["", "Sam Okafor", "a", &"x".repeat(255)] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn people_survive_the_database() {
        for who in [PersonId::Account(AccountId(3)), PersonId::Procore(UserId::new(160_586)), PersonId::Key] {
            assert_eq!(who.to_string().parse(), Ok(who));
        }
        assert!("account:x".parse::<PersonId>().is_err() && "ana".parse::<PersonId>().is_err());
        for rights in
            [AccessRights::of(Role::Viewer, Some(&[project(1)])), AccessRights::of(Role::Admin, None)]
        {
            let ana = viewer(rights);
            let text = serde_json::to_string(&ana).expect("JSON");
            assert_eq!(serde_json::from_str::<Viewer>(&text).expect("the same"), ana, "{text}");
        }
    }
}
