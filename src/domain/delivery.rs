//! What is to be done in Procore about one finding: one pure plan for every situation.
//!
//! A single job brings Procore in line with what was found and decided, however often it runs.
//! Somebody else's change in Procore always wins.

mod compare;
mod doubt;
mod duplicates;
mod history;
mod words;

use serde::{Deserialize, Serialize};

pub use self::doubt::Doubt;
pub use self::duplicates::{DuplicateItems, twins};
pub use self::history::{Echo, History};
pub use self::words::same_words;

use self::compare::{compare, conflict};
use self::duplicates::touched;
use super::ids::{LocationId, PunchItemId, TradeId, UserId};
use super::punch_item::{Edits, Priority, PunchItemDraft};
use super::review::{FindingState, HoldReason, Verdict};

/// How far the service may go in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectMode {
    /// Findings are recorded; nothing is ever written to Procore.
    Shadow,
    /// Nothing is written until a person accepts.
    ReviewFirst,
    /// Findings become drafts at once.
    Draft,
}

/// The workflow status in which a punch item is ours to change.
pub const DRAFT: &str = "draft";

/// The workflow status of an item that has been sent on.
pub const INITIATED: &str = "initiated";

/// What people read when somebody else deleted the item.
const DELETED: &str = "the item was deleted in Procore";

/// A punch item as Procore has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteItem {
    /// Its id.
    pub id: PunchItemId,
    /// The number that people see.
    pub position: Option<i64>,
    /// Procore's `workflow_status`.
    pub workflow_status: String,
    /// Whether it lies in the recycle bin.
    pub deleted: bool,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// The priority.
    pub priority: Option<Priority>,
    /// The location.
    pub location: Option<LocationId>,
    /// The trade.
    pub trade: Option<TradeId>,
    /// The manager.
    pub manager: Option<UserId>,
    /// Who made it.
    #[serde(default)]
    pub creator: Option<UserId>,
    /// Who has to act next, by name.
    #[serde(default)]
    pub ball_in_court: Vec<String>,
    /// Whether it was changed after it was made, by whomever.
    #[serde(default)]
    pub revised: bool,
    /// Whether somebody else than this service commented on it.
    #[serde(default)]
    pub commented: bool,
}

impl RemoteItem {
    /// An item that is not there any more.
    pub fn gone(id: PunchItemId) -> Self {
        Self {
            id,
            position: None,
            workflow_status: DRAFT.to_owned(),
            deleted: true,
            title: String::new(),
            description: String::new(),
            priority: None,
            location: None,
            trade: None,
            manager: None,
            creator: None,
            ball_in_court: Vec::new(),
            revised: false,
            commented: false,
        }
    }
}

/// What is known before acting.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// How far the service may go here.
    pub mode: ProjectMode,
    /// Where the finding stands.
    pub state: FindingState,
    /// Whether what was decided has been carried over to Procore once.
    pub carried_over: bool,
    /// What the reviewer said, if anything yet.
    pub verdict: Option<&'a Verdict>,
    /// What keeps it back until a person decides.
    pub held: Option<HoldReason>,
    /// What is suggested.
    pub suggested: &'a PunchItemDraft,
    /// What was suggested before: if an item exists, this or that was sent.
    pub earlier: &'a [PunchItemDraft],
    /// Who manages an accepted item unless the reviewer or somebody in Procore chose.
    pub manager: Option<UserId>,
    /// Whether an accepted item leaves the draft state.
    pub send_on_accept: bool,
    /// The item in Procore: `None` when there never was one.
    pub remote: Option<&'a RemoteItem>,
    /// What this service did to it.
    pub history: &'a History,
}

/// Fields of a punch item that change; absent ones stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemChange {
    /// The edits to send.
    pub edits: Edits,
    /// The workflow status to move to.
    pub workflow_status: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing is to be written, now or yet.
    Withhold,
    /// Procore is as decided.
    Settled,
    /// Make this draft, then look again.
    Create(Box<PunchItemDraft>),
    /// Change the item.
    Change(PunchItemId, Box<ItemChange>),
    /// Move the item to the recycle bin.
    Delete(PunchItemId),
    /// A person acted in Procore first; their word stands, and this says what they did.
    Yield(String),
    /// The reviewer meant other words than a person gave the item in Procore: nothing is sent, and this says why.
    Conflict(String),
}

/// Decides what brings Procore in line.
pub fn plan(situation: &Situation<'_>) -> Plan {
    if situation.mode == ProjectMode::Shadow {
        return Plan::Withhold;
    }
    match (situation.state, situation.verdict) {
        (FindingState::Accepted, Some(Verdict::Accept { edits })) => accept(situation, edits),
        (FindingState::Rejected, _) => reject(situation),
        (FindingState::Proposed, _) => propose(situation),
        (FindingState::TakenOver | FindingState::Accepted, _) => Plan::Settled,
    }
}

fn propose(situation: &Situation<'_>) -> Plan {
    let silenced = matches!(situation.held, Some(HoldReason::Mute(_) | HoldReason::OpenItem(_)));
    match (situation.mode, situation.remote) {
        // It came to light later that there should be none.
        (_, Some(remote)) if silenced && remote.deleted => Plan::Withhold,
        (_, Some(remote)) if silenced => moved_on(remote).map_or(Plan::Delete(remote.id), Plan::Yield),
        (_, Some(remote)) if taken_back(situation, remote) => refile(situation, remote),
        (_, Some(remote)) => moved_on(remote).map_or_else(|| refile(situation, remote), Plan::Yield),
        (ProjectMode::Draft, None) if situation.held.is_none() => {
            Plan::Create(Box::new(situation.suggested.clone()))
        }
        (_, None) => Plan::Withhold,
    }
}

/// Whether an acceptance that sent the item on was taken back, and nobody went on with it in Procore.
fn taken_back(situation: &Situation<'_>, remote: &RemoteItem) -> bool {
    !remote.deleted && remote.workflow_status == INITIATED && situation.history.sent_on()
}

/// Brings a draft that nobody has touched in line with a later suggestion, or with the suggestion as it was
/// before an acceptance that was taken back.
fn refile(situation: &Situation<'_>, remote: &RemoteItem) -> Plan {
    let mut edits = compare(&Edits::NONE, situation, remote).open;
    if let Some(written) = situation.history.written(situation.suggested) {
        // What due date the item has is not heard back: it is written again only with something else.
        edits.due = situation.suggested.due.filter(|due| written.due != Some(*due));
        edits.manager = situation
            .suggested
            .manager
            .filter(|manager| remote.manager == written.manager && remote.manager != Some(*manager));
    }
    let workflow_status = taken_back(situation, remote).then(|| DRAFT.to_owned());
    if edits.is_empty() && workflow_status.is_none() {
        return Plan::Settled;
    }
    Plan::Change(remote.id, Box::new(ItemChange { edits, workflow_status }))
}

fn accept(situation: &Situation<'_>, edits: &Edits) -> Plan {
    if situation.carried_over {
        // What people make of the item after that is theirs, and changes nothing that was decided here.
        return Plan::Settled;
    }
    let edits = &managed(situation, edits);
    let Some(remote) = situation.remote else {
        return Plan::Create(Box::new(edits.apply(situation.suggested)));
    };
    let wanted = situation.send_on_accept.then(|| INITIATED.to_owned());
    if remote.deleted {
        return accepted_and_deleted(situation);
    }
    if wanted.as_deref() == Some(remote.workflow_status.as_str()) {
        return accept_anew(situation, edits, remote);
    }
    if remote.workflow_status != DRAFT {
        // It is on the list, as was decided, and people go on with it there.
        return Plan::Settled;
    }
    let compared = compare(edits, situation, remote);
    if let Some(reason) = conflict(edits, remote, &compared.kept) {
        return Plan::Conflict(reason);
    }
    let change = ItemChange { edits: compared.open, workflow_status: wanted };
    if change == ItemChange::default() { Plan::Settled } else { Plan::Change(remote.id, Box::new(change)) }
}

/// `edits` with a manager where nobody chose one: without, Procore makes the creator it.
fn managed(situation: &Situation<'_>, edits: &Edits) -> Edits {
    let free = nobody_chose_a_manager(situation);
    Edits { manager: edits.manager.or(situation.manager.filter(|_| free)), ..edits.clone() }
}

/// Whether the item has no manager, the creator by default, or one that this service set.
pub fn nobody_chose_a_manager(situation: &Situation<'_>) -> bool {
    let written = situation.history.written(situation.suggested);
    let mut sent = situation.earlier.iter().chain([situation.suggested]).chain(written.as_ref());
    situation.remote.is_none_or(|remote| {
        remote.manager.is_none()
            || remote.manager == remote.creator
            || sent.any(|sent| sent.manager == remote.manager)
    })
}

/// Deleted before it could be sent on, somebody decided instead of the reviewer; after that, it is the item's further fate.
fn accepted_and_deleted(situation: &Situation<'_>) -> Plan {
    if situation.history.sent_on() { Plan::Settled } else { Plan::Yield(DELETED.to_owned()) }
}

/// The item was sent on already. Accepted once more with other edits, before it could be taken back, it gets those.
fn accept_anew(situation: &Situation<'_>, edits: &Edits, remote: &RemoteItem) -> Plan {
    let sent = situation.history.sent.as_ref().map(|sent| &sent.edits);
    let change = ItemChange {
        edits: compare(edits, situation, remote).open,
        workflow_status: Some(INITIATED.to_owned()),
    };
    let anew = situation.history.sent_on() && sent != Some(edits) && !change.edits.is_empty();
    // Sent before with what is open now: it is settled, whatever Procore tells of it.
    if anew && sent != Some(&change.edits) {
        Plan::Change(remote.id, Box::new(change))
    } else {
        Plan::Settled
    }
}

fn reject(situation: &Situation<'_>) -> Plan {
    match situation.remote {
        None => Plan::Settled,
        Some(remote) if remote.deleted => Plan::Settled,
        Some(_) if situation.history.binned => {
            Plan::Yield("the item was taken out of the recycle bin in Procore".to_owned())
        }
        Some(remote) if moved_on(remote).is_none() && touched(situation, remote) => Plan::Yield(
            "someone changed the draft in Procore, so it was not deleted: delete it there".to_owned(),
        ),
        Some(remote) => moved_on(remote).map_or(Plan::Delete(remote.id), Plan::Yield),
    }
}

/// How somebody else disposed of the item, if they did.
fn moved_on(remote: &RemoteItem) -> Option<String> {
    if remote.deleted {
        Some(DELETED.to_owned())
    } else if remote.workflow_status == DRAFT {
        None
    } else {
        Some(format!("the item was moved to '{}' in Procore", remote.workflow_status))
    }
}

#[cfg(test)]
mod tests;
