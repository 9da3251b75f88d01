//! Who manages an accepted item: without a manager, Procore makes the item's creator it, and that is this service.

use super::ids::UserId;
use super::people::ProcoreUser;
use super::tagging::Person;

/// The person who accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptor {
    /// The name that others read.
    pub name: String,
    /// Who that is in Procore, where it is known.
    pub user: Option<ProcoreUser>,
}

/// The manager that an item gets unless the reviewer chose one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManagerChoice {
    /// Who.
    pub manager: Option<UserId>,
    /// What the reviewer should know, as a whole sentence.
    pub note: Option<String>,
}

/// Chooses between the person who accepted and the one whom the rules name, `configured`. `available` are the people
/// whom Procore offers as managers in the project; an empty list is one that cannot be read, and then nothing is checked.
pub fn default_manager(
    acceptor: &Acceptor,
    configured: Option<UserId>,
    available: &[Person],
) -> ManagerChoice {
    let own = acceptor.user.as_ref().and_then(|user| found(user, available));
    if own.is_some() {
        return ManagerChoice { manager: own, note: None };
    }
    let name = &acceptor.name;
    let why = if acceptor.user.is_some() {
        format!("{name} is not among the people whom Procore offers as punch item managers of this project")
    } else {
        format!("it is not known who {name} is in Procore")
    };
    match configured {
        // Nothing was expected of somebody without a Procore user.
        Some(_) if acceptor.user.is_none() => ManagerChoice { manager: configured, note: None },
        Some(id) => {
            let person = available.iter().find(|person| person.id == id);
            let manager = person.map_or_else(|| id.to_string(), |person| person.name.clone());
            let note = format!("{why}: {manager} manages this item, as the project's rules say.");
            ManagerChoice { manager: configured, note: Some(sentence(&note)) }
        }
        None => {
            let note = format!(
                "{why}, and the project's rules name no manager: only this service manages the item. Choose a \
                 manager in Procore; people.manager in the rules file names one for the next."
            );
            ManagerChoice { manager: None, note: Some(sentence(&note)) }
        }
    }
}

fn found(user: &ProcoreUser, available: &[Person]) -> Option<UserId> {
    match user {
        ProcoreUser::Id(id) if available.is_empty() => Some(*id),
        ProcoreUser::Id(id) => available.iter().find(|person| person.id == *id).map(|person| person.id),
        ProcoreUser::Login(login) => {
            let same = |person: &&Person| {
                person.login.as_ref().is_some_and(|own| own.trim().eq_ignore_ascii_case(login))
            };
            available.iter().find(same).map(|person| person.id)
        }
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Person> {
        let person = |id, name: &str, login: &str| Person {
            id: UserId::new(id),
            name: name.into(),
            login: Some(login.into()),
        };
        vec![person(1, "Pat Manager", "pat@example.com"), person(2, "Sam Super", "sam@example.com")]
    }

    fn chosen(user: Option<ProcoreUser>, configured: Option<i64>) -> (Option<i64>, Option<String>) {
        let acceptor = Acceptor { name: "Sam".into(), user };
        let chosen = default_manager(&acceptor, configured.map(UserId::new), &people());
        (chosen.manager.map(UserId::value), chosen.note)
    }

    #[test]
    fn whoever_accepts_manages() {
        assert_eq!(chosen(Some(ProcoreUser::Id(UserId::new(2))), Some(1)), (Some(2), None));
        assert_eq!(chosen(Some(ProcoreUser::Login("SAM@example.com".into())), None), (Some(2), None));
    }

    #[test]
    fn others_leave_it_to_the_rules_and_are_told_why() {
        let stranger = Some(ProcoreUser::Id(UserId::new(9)));
        let (manager, note) = chosen(stranger.clone(), Some(1));
        let note = note.expect("a note");
        assert!(manager == Some(1) && note.starts_with("Sam is not among") && note.contains("Pat Manager"));
        assert_eq!(chosen(None, Some(1)), (Some(1), None));
        let (manager, note) = chosen(stranger, None);
        assert!(manager.is_none() && note.expect("a note").contains("people.manager"));
        let (manager, note) = chosen(None, None);
        assert!(manager.is_none() && note.expect("a note").starts_with("It is not known who Sam is"));
    }

    #[test]
    fn a_list_that_cannot_be_read_checks_nothing() {
        let acceptor = Acceptor { name: "Sam".into(), user: Some(ProcoreUser::Id(UserId::new(9))) };
        assert_eq!(default_manager(&acceptor, None, &[]).manager, Some(UserId::new(9)));
    }
}
