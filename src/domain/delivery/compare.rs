//! What of an item is as wanted, what is ours to change, and what a person changed in Procore.

use super::words::same_words;
use super::{Edits, RemoteItem, Situation};

/// The fields of an item against what is wanted.
pub(super) struct Compared {
    /// What is to change: fields that differ from what is wanted and that nobody touched in Procore.
    pub(super) open: Edits,
    /// The fields that differ from what is wanted because a person changed them in Procore.
    pub(super) kept: Vec<Field>,
}

/// A field that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Description,
    Location,
    Trade,
    Priority,
}

impl Field {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::Location => "location",
            Self::Trade => "trade",
            Self::Priority => "priority",
        }
    }
}

/// How one field stands.
enum FieldState {
    AsWanted,
    Ours,
    Theirs,
}

/// Compares one field. `sent` is all that we may have sent, `echoes` what was sent with what came back of it.
fn standing<T: PartialEq>(
    wanted: &T,
    now: &T,
    sent: &[T],
    echoes: &[(T, T)],
    same: impl Fn(&T, &T) -> bool,
) -> FieldState {
    let as_written = echoes.last().is_some_and(|(sent, came_back)| sent == wanted && came_back == now);
    if as_written || same(wanted, now) {
        FieldState::AsWanted
    } else if sent.iter().any(|sent| same(sent, now)) || echoes.iter().any(|(_, came_back)| came_back == now)
    {
        FieldState::Ours
    } else {
        FieldState::Theirs
    }
}

/// Compares `remote` with what is suggested under `edits`.
pub(super) fn compare(edits: &Edits, situation: &Situation<'_>, remote: &RemoteItem) -> Compared {
    let wanted = edits.apply(situation.suggested);
    let written = situation.history.written(situation.suggested);
    let drafts = &situation.history.drafts;
    let sent = situation.earlier.iter().chain([situation.suggested]).chain(written.as_ref()).chain(drafts);
    let sent: Vec<_> = sent.collect();
    let echoes = &situation.history.echoes;
    let mut kept = Vec::new();
    let mut ours = |field, standing| match standing {
        FieldState::AsWanted => false,
        FieldState::Ours => true,
        FieldState::Theirs => {
            kept.push(field);
            false
        }
    };
    macro_rules! open {
        ($field:expr, $wanted:expr, $now:expr, $of_sent:expr, $of_echo:expr, $same:expr) => {{
            let sent: Vec<_> = sent.iter().map($of_sent).collect();
            let echoes: Vec<_> = echoes.iter().filter_map($of_echo).collect();
            ours($field, standing($wanted, $now, &sent, &echoes, $same))
        }};
    }
    let words = |one: &String, other: &String| same_words(one, other);
    let title = open!(
        Field::Title,
        &wanted.title,
        &remote.title,
        |sent| sent.title.clone(),
        |echo| Some((echo.sent.title.clone()?, echo.answer.title.clone())),
        words
    );
    let description = open!(
        Field::Description,
        &wanted.description,
        &remote.description,
        |sent| sent.description.clone(),
        |echo| Some((echo.sent.description.clone()?, echo.answer.description.clone())),
        words
    );
    let location = open!(
        Field::Location,
        &wanted.location,
        &remote.location,
        |sent| sent.location,
        |echo| Some((Some(echo.sent.location?), echo.answer.location)),
        PartialEq::eq
    );
    let trade = open!(
        Field::Trade,
        &wanted.trade,
        &remote.trade,
        |sent| sent.trade,
        |echo| Some((Some(echo.sent.trade?), echo.answer.trade)),
        PartialEq::eq
    );
    let priority = open!(
        Field::Priority,
        &Some(wanted.priority),
        &remote.priority,
        |sent| Some(sent.priority),
        |echo| Some((Some(echo.sent.priority?), echo.answer.priority)),
        PartialEq::eq
    );
    let open = Edits {
        title: title.then_some(wanted.title),
        description: description.then_some(wanted.description),
        location: wanted.location.filter(|_| location),
        trade: wanted.trade.filter(|_| trade),
        priority: priority.then_some(wanted.priority),
        due: edits.due,
        manager: edits.manager.filter(|manager| remote.manager != Some(*manager)),
    };
    Compared { open, kept }
}

/// Why an acceptance is not carried over as it was meant, if a person changed in Procore what it is about: the title
/// and the description, and whatever the reviewer changed.
pub(super) fn conflict(edits: &Edits, remote: &RemoteItem, kept: &[Field]) -> Option<String> {
    let meant = |field: &Field| match field {
        Field::Title | Field::Description => true,
        Field::Location => edits.location.is_some(),
        Field::Trade => edits.trade.is_some(),
        Field::Priority => edits.priority.is_some(),
    };
    let names: Vec<&str> = kept.iter().copied().filter(meant).map(Field::name).collect();
    let (last, rest) = names.split_last()?;
    let names = if rest.is_empty() { (*last).to_owned() } else { format!("{} and {last}", rest.join(", ")) };
    let shown = if kept.contains(&Field::Title) {
        format!(" It is called \u{201c}{}\u{201d} there.", remote.title)
    } else {
        String::new()
    };
    Some(format!(
        "Someone changed the {names} of this draft in Procore, so it was not changed or sent on with other words than you \
         accepted.{shown} Take the decision back and accept what Procore has, or change the draft in Procore and send again."
    ))
}
