//! What is to be done in Procore about one finding: one pure plan for every situation.
//!
//! A single job brings Procore in line with what was found and decided, however often it runs.
//! Somebody else's change in Procore always wins.

use serde::{Deserialize, Serialize};

use super::ids::{LocationId, PunchItemId, TradeId, UserId};
use super::punch_item::{Edits, Priority, PunchItemDraft};
use super::review::{FindingState, Keeper, Verdict};

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
    /// What the reviewer said, if anything yet.
    pub verdict: Option<&'a Verdict>,
    /// What keeps it back until a person decides.
    pub held: Option<Keeper>,
    /// What is suggested.
    pub suggested: &'a PunchItemDraft,
    /// What was suggested before: if an item exists, this or that was sent.
    pub earlier: &'a [PunchItemDraft],
    /// Whether an accepted item leaves the draft state.
    pub send_on_accept: bool,
    /// The item in Procore: `None` when there never was one.
    pub remote: Option<&'a RemoteItem>,
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
}

/// Decides what brings Procore in line.
pub fn plan(situation: &Situation<'_>) -> Plan {
    if situation.mode == ProjectMode::Shadow {
        return Plan::Withhold;
    }
    match (situation.state, situation.verdict) {
        (FindingState::Accepted, Some(Verdict::Accept { edits })) => accept(situation, edits),
        (FindingState::Rejected, _) => reject(situation.remote),
        (FindingState::Proposed, _) => propose(situation),
        (FindingState::TakenOver | FindingState::Accepted, _) => Plan::Settled,
    }
}

fn propose(situation: &Situation<'_>) -> Plan {
    let silenced = matches!(situation.held, Some(Keeper::Mute(_) | Keeper::OpenItem(_)));
    match (situation.mode, situation.remote) {
        // It came to light later that there should be none.
        (_, Some(remote)) if silenced && remote.deleted => Plan::Withhold,
        (_, Some(remote)) if silenced => moved_on(remote).map_or(Plan::Delete(remote.id), Plan::Yield),
        (_, Some(remote)) => moved_on(remote).map_or_else(|| refile(situation, remote), Plan::Yield),
        (ProjectMode::Draft, None) if situation.held.is_none() => {
            Plan::Create(Box::new(situation.suggested.clone()))
        }
        (_, None) => Plan::Withhold,
    }
}

/// Brings a draft that nobody has touched in line with a later suggestion.
fn refile(situation: &Situation<'_>, remote: &RemoteItem) -> Plan {
    let edits = open_edits(&Edits::NONE, situation, remote);
    if edits.is_empty() {
        return Plan::Settled;
    }
    Plan::Change(remote.id, Box::new(ItemChange { edits, workflow_status: None }))
}

fn accept(situation: &Situation<'_>, edits: &Edits) -> Plan {
    let Some(remote) = situation.remote else {
        return Plan::Create(Box::new(edits.apply(situation.suggested)));
    };
    let wanted = situation.send_on_accept.then(|| INITIATED.to_owned());
    if !remote.deleted && wanted.as_deref() == Some(remote.workflow_status.as_str()) {
        return Plan::Settled;
    }
    if let Some(how) = moved_on(remote) {
        return Plan::Yield(how);
    }
    let change = ItemChange { edits: open_edits(edits, situation, remote), workflow_status: wanted };
    if change == ItemChange::default() { Plan::Settled } else { Plan::Change(remote.id, Box::new(change)) }
}

fn reject(remote: Option<&RemoteItem>) -> Plan {
    match remote {
        None => Plan::Settled,
        Some(remote) if remote.deleted => Plan::Settled,
        Some(remote) => moved_on(remote).map_or(Plan::Delete(remote.id), Plan::Yield),
    }
}

/// How somebody else disposed of the item, if they did.
fn moved_on(remote: &RemoteItem) -> Option<String> {
    if remote.deleted {
        Some("the item was deleted in Procore".to_owned())
    } else if remote.workflow_status == DRAFT {
        None
    } else {
        Some(format!("the item was moved to '{}' in Procore", remote.workflow_status))
    }
}

/// What still is to change: fields that differ from what is wanted, and that nobody touched in Procore since
/// they were sent.
fn open_edits(edits: &Edits, situation: &Situation<'_>, remote: &RemoteItem) -> Edits {
    let wanted = edits.apply(situation.suggested);
    let sent = || situation.earlier.iter().chain([situation.suggested]);
    let title = sent().any(|sent| sent.title == remote.title) && wanted.title != remote.title;
    let description =
        sent().any(|sent| sent.description == remote.description) && wanted.description != remote.description;
    let location = sent().any(|sent| sent.location == remote.location) && wanted.location != remote.location;
    let trade = sent().any(|sent| sent.trade == remote.trade) && wanted.trade != remote.trade;
    let priority =
        sent().any(|sent| Some(sent.priority) == remote.priority) && Some(wanted.priority) != remote.priority;
    Edits {
        title: title.then_some(wanted.title),
        description: description.then_some(wanted.description),
        location: wanted.location.filter(|_| location),
        trade: wanted.trade.filter(|_| trade),
        priority: priority.then_some(wanted.priority),
        due: edits.due,
        manager: edits.manager.filter(|manager| remote.manager != Some(*manager)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::RejectReason;

    fn draft() -> PunchItemDraft {
        PunchItemDraft {
            title: "Crack – Unit 204".into(),
            description: "A crack.".into(),
            reference: "PL-ABC".into(),
            location: Some(LocationId::new(15504)),
            trade: Some(TradeId::new(999)),
            item_type: None,
            priority: Priority::Medium,
            due: None,
            manager: None,
            approver: None,
            images: vec![],
        }
    }

    fn remote() -> RemoteItem {
        let draft = draft();
        RemoteItem {
            id: PunchItemId::new(7),
            position: Some(412),
            workflow_status: DRAFT.into(),
            deleted: false,
            title: draft.title,
            description: draft.description,
            priority: Some(draft.priority),
            location: draft.location,
            trade: draft.trade,
            manager: None,
        }
    }

    fn planned(mode: ProjectMode, verdict: Option<&Verdict>, remote: Option<&RemoteItem>) -> Plan {
        let state = match verdict {
            None => FindingState::Proposed,
            Some(Verdict::Accept { .. }) => FindingState::Accepted,
            Some(Verdict::Reject { .. }) => FindingState::Rejected,
        };
        let suggested = &draft();
        plan(&Situation {
            mode,
            state,
            verdict,
            held: None,
            suggested,
            earlier: &[],
            send_on_accept: true,
            remote,
        })
    }

    fn undecided(held: Option<Keeper>, earlier: &[PunchItemDraft], remote: Option<&RemoteItem>) -> Plan {
        plan(&Situation {
            mode: ProjectMode::Draft,
            state: FindingState::Proposed,
            verdict: None,
            held,
            suggested: &draft(),
            earlier,
            send_on_accept: true,
            remote,
        })
    }

    #[test]
    fn what_is_held_waits_for_a_person() {
        let item = remote();
        let gone = RemoteItem { deleted: true, ..remote() };
        let moved = RemoteItem { workflow_status: "work_required".into(), ..remote() };
        let (cap, open_item) = (Some(Keeper::Cap), Some(Keeper::OpenItem(PunchItemId::new(9))));
        assert_eq!(undecided(cap, &[], None), Plan::Withhold);
        assert_eq!(undecided(cap, &[], Some(&item)), Plan::Settled, "it was made before");
        assert_eq!(undecided(open_item, &[], None), Plan::Withhold);
        assert_eq!(undecided(open_item, &[], Some(&item)), Plan::Delete(item.id), "it was made too early");
        assert_eq!(undecided(open_item, &[], Some(&gone)), Plan::Withhold);
        assert!(matches!(undecided(open_item, &[], Some(&moved)), Plan::Yield(_)));
    }

    #[test]
    fn a_place_that_comes_later_changes_what_nobody_touched() {
        let before = [PunchItemDraft { title: "Crack".into(), location: None, ..draft() }];
        let untouched = RemoteItem { title: "Crack".into(), location: None, ..remote() };
        let Plan::Change(_, change) = undecided(None, &before, Some(&untouched)) else { panic!("a change") };
        let (title, location) = (Some(draft().title), draft().location);
        assert_eq!(change.edits, Edits { title, location, ..Edits::NONE });
        assert_eq!(change.workflow_status, None, "it stays a draft");
        let retitled = RemoteItem { title: "Crack by the door".into(), ..untouched };
        let Plan::Change(_, change) = undecided(None, &before, Some(&retitled)) else { panic!("a change") };
        assert_eq!(change.edits, Edits { location, ..Edits::NONE });
        assert_eq!(undecided(None, &before, Some(&remote())), Plan::Settled, "it was done before");
    }

    fn accept(edits: Edits) -> Verdict {
        Verdict::Accept { edits }
    }

    const REJECT: Verdict = Verdict::Reject { reason: RejectReason::TooEarly };

    #[test]
    fn each_mode_goes_as_far_as_it_may() {
        let accepted = accept(Edits::default());
        let create = Plan::Create(Box::new(draft()));
        let cases = [
            (ProjectMode::Shadow, None, Plan::Withhold),
            (ProjectMode::Shadow, Some(&accepted), Plan::Withhold),
            (ProjectMode::ReviewFirst, None, Plan::Withhold),
            (ProjectMode::ReviewFirst, Some(&accepted), create.clone()),
            (ProjectMode::ReviewFirst, Some(&REJECT), Plan::Settled),
            (ProjectMode::Draft, None, create),
            (ProjectMode::Draft, Some(&REJECT), Plan::Settled),
        ];
        for (mode, verdict, expected) in cases {
            assert_eq!(planned(mode, verdict, None), expected, "{mode:?} {verdict:?}");
        }
    }

    #[test]
    fn accepting_sends_edits_and_moves_the_draft_on() {
        let verdict = accept(Edits { priority: Some(Priority::High), ..Edits::default() });
        let Plan::Change(id, change) = planned(ProjectMode::Draft, Some(&verdict), Some(&remote())) else {
            panic!("a change")
        };
        assert_eq!(id, PunchItemId::new(7));
        assert_eq!(change.edits, Edits { priority: Some(Priority::High), ..Edits::default() });
        assert_eq!(change.workflow_status.as_deref(), Some(INITIATED));
    }

    #[test]
    fn running_again_after_success_changes_nothing() {
        let sent = RemoteItem { workflow_status: INITIATED.into(), ..remote() };
        let gone = RemoteItem { deleted: true, ..remote() };
        assert_eq!(planned(ProjectMode::Draft, Some(&accept(Edits::default())), Some(&sent)), Plan::Settled);
        assert_eq!(planned(ProjectMode::Draft, Some(&REJECT), Some(&gone)), Plan::Settled);
        assert_eq!(planned(ProjectMode::Draft, None, Some(&remote())), Plan::Settled);
    }

    #[test]
    fn somebody_elses_change_wins() {
        let moved = RemoteItem { workflow_status: "work_required".into(), ..remote() };
        let gone = RemoteItem { deleted: true, ..remote() };
        let accepted = accept(Edits::default());
        for (verdict, remote) in [(&accepted, &moved), (&REJECT, &moved), (&accepted, &gone)] {
            assert!(matches!(planned(ProjectMode::Draft, Some(verdict), Some(remote)), Plan::Yield(_)));
        }
        assert!(matches!(planned(ProjectMode::Draft, None, Some(&gone)), Plan::Yield(_)));
        let retitled = RemoteItem { title: "Hairline crack".into(), ..remote() };
        let verdict = accept(Edits { title: Some("Crack by the door".into()), ..Edits::default() });
        let Plan::Change(_, change) = planned(ProjectMode::Draft, Some(&verdict), Some(&retitled)) else {
            panic!("a change")
        };
        assert!(change.edits.is_empty(), "a title edited in Procore is kept");
    }
}
