use super::*;
use crate::domain::fields::FieldValues;
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
        fields: FieldValues::new(),
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
        creator: None,
        ball_in_court: vec![],
        revised: true,
        commented: false,
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
        carried_over: false,
        verdict,
        held: None,
        suggested,
        earlier: &[],
        manager: None,
        send_on_accept: true,
        remote,
        history: &History::default(),
    })
}

fn undecided(held: Option<HoldReason>, earlier: &[PunchItemDraft], remote: Option<&RemoteItem>) -> Plan {
    plan(&Situation {
        mode: ProjectMode::Draft,
        state: FindingState::Proposed,
        carried_over: false,
        verdict: None,
        held,
        suggested: &draft(),
        earlier,
        manager: None,
        send_on_accept: true,
        remote,
        history: &History::default(),
    })
}

#[test]
fn what_is_held_waits_for_a_person() {
    let item = remote();
    let gone = RemoteItem { deleted: true, ..remote() };
    let moved = RemoteItem { workflow_status: "work_required".into(), ..remote() };
    let (cap, open_item) = (Some(HoldReason::Cap), Some(HoldReason::OpenItem(PunchItemId::new(9))));
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
    for (verdict, remote) in [(&REJECT, &moved), (&accepted, &gone)] {
        assert!(matches!(planned(ProjectMode::Draft, Some(verdict), Some(remote)), Plan::Yield(_)));
    }
    assert!(matches!(planned(ProjectMode::Draft, None, Some(&gone)), Plan::Yield(_)));
    assert_eq!(
        planned(ProjectMode::Draft, Some(&accepted), Some(&moved)),
        Plan::Settled,
        "it is on the list"
    );
    let retitled = RemoteItem { title: "Hairline crack".into(), ..remote() };
    let verdict = accept(Edits { title: Some("Crack by the door".into()), ..Edits::default() });
    for verdict in [&verdict, &accepted] {
        let Plan::Conflict(reason) = planned(ProjectMode::Draft, Some(verdict), Some(&retitled)) else {
            panic!("a title edited in Procore is kept, and not sent on as something else")
        };
        assert!(reason.contains("changed the title") && reason.contains("Hairline crack"), "{reason}");
    }
    let same = accept(Edits { title: Some("Hairline crack".into()), ..Edits::default() });
    let Plan::Change(_, change) = planned(ProjectMode::Draft, Some(&same), Some(&retitled)) else {
        panic!("what Procore has was accepted")
    };
    assert_eq!((change.edits, change.workflow_status.as_deref()), (Edits::NONE, Some(INITIATED)));
    assert!(matches!(planned(ProjectMode::Draft, Some(&REJECT), Some(&retitled)), Plan::Yield(_)));
    let reprioritised = RemoteItem { priority: Some(Priority::Low), ..remote() };
    assert!(matches!(planned(ProjectMode::Draft, Some(&accepted), Some(&reprioritised)), Plan::Change(..)));
    let urgent = accept(Edits { priority: Some(Priority::High), ..Edits::default() });
    let planned = planned(ProjectMode::Draft, Some(&urgent), Some(&reprioritised));
    assert!(matches!(planned, Plan::Conflict(_)), "the reviewer's own edit is not left out without a word");
}

/// As planned for `state` and `verdict` after `history`.
fn planned_after(
    history: &History,
    state: FindingState,
    verdict: Option<&Verdict>,
    remote: &RemoteItem,
) -> Plan {
    plan(&Situation {
        mode: ProjectMode::Draft,
        state,
        carried_over: false,
        verdict,
        held: None,
        suggested: &draft(),
        earlier: &[],
        manager: None,
        send_on_accept: true,
        remote: Some(remote),
        history,
    })
}

fn titled(title: &str) -> Edits {
    Edits { title: Some(title.into()), ..Edits::default() }
}

/// Accepted with the title "By the door", and sent on.
fn sent_on() -> (History, RemoteItem) {
    let change = ItemChange { edits: titled("By the door"), workflow_status: Some(INITIATED.into()) };
    let item = RemoteItem { workflow_status: INITIATED.into(), title: "By the door".into(), ..remote() };
    (History { sent: Some(change), ..History::default() }, item)
}

#[test]
fn an_acceptance_taken_back_makes_the_item_a_draft_again() {
    let (history, item) = sent_on();
    let Plan::Change(_, back) = planned_after(&history, FindingState::Proposed, None, &item) else {
        panic!("a change")
    };
    let expected = ItemChange { edits: titled(&draft().title), workflow_status: Some(DRAFT.into()) };
    assert_eq!(*back, expected);
    let after = History { sent: Some(*back), ..History::default() };
    assert_eq!(planned_after(&after, FindingState::Proposed, None, &remote()), Plan::Settled, "once");

    let retitled = RemoteItem { title: "Hairline".into(), ..item.clone() };
    let Plan::Change(_, back) = planned_after(&history, FindingState::Proposed, None, &retitled) else {
        panic!("a change")
    };
    assert!(back.edits.is_empty(), "a title edited in Procore is kept");
    let begun = RemoteItem { workflow_status: "work_required".into(), ..item };
    assert!(matches!(planned_after(&history, FindingState::Proposed, None, &begun), Plan::Yield(_)));
}

#[test]
fn accepted_anew_before_it_was_taken_back_it_gets_the_new_edits() {
    let (history, item) = sent_on();
    let anew = accept(titled("By the window"));
    let Plan::Change(_, change) = planned_after(&history, FindingState::Accepted, Some(&anew), &item) else {
        panic!("a change")
    };
    assert_eq!(change.edits, titled("By the window"));
    let again = accept(titled("By the door"));
    assert_eq!(planned_after(&history, FindingState::Accepted, Some(&again), &item), Plan::Settled);
}

#[test]
fn what_somebody_took_out_of_the_bin_stays_out() {
    let history = History { binned: true, ..History::default() };
    let planned = planned_after(&history, FindingState::Rejected, Some(&REJECT), &remote());
    assert!(matches!(planned, Plan::Yield(_)), "{planned:?}");
}

#[test]
fn what_was_carried_over_stays_as_decided_whatever_procore_makes_of_it() {
    let accepted = accept(titled("By the door"));
    for remote in [
        RemoteItem { workflow_status: "work_required".into(), ..remote() },
        RemoteItem { workflow_status: "closed".into(), ..remote() },
        RemoteItem { deleted: true, ..remote() },
        remote(),
    ] {
        let planned = plan(&Situation {
            mode: ProjectMode::Draft,
            state: FindingState::Accepted,
            carried_over: true,
            verdict: Some(&accepted),
            held: None,
            suggested: &draft(),
            earlier: &[],
            manager: None,
            send_on_accept: true,
            remote: Some(&remote),
            history: &History::default(),
        });
        assert_eq!(planned, Plan::Settled, "{remote:?}");
    }
}

#[test]
fn an_accepted_item_gets_a_manager_unless_somebody_chose_one() {
    let user = |id| Some(UserId::new(id));
    let (robot, chosen, default) = (user(777), user(5), user(9));
    let managed = |remote_manager: Option<UserId>, edits: Edits| {
        let remote = RemoteItem { manager: remote_manager, creator: robot, ..remote() };
        let verdict = accept(edits);
        let planned = plan(&Situation {
            mode: ProjectMode::Draft,
            state: FindingState::Accepted,
            carried_over: false,
            verdict: Some(&verdict),
            held: None,
            suggested: &draft(),
            earlier: &[],
            manager: default,
            send_on_accept: true,
            remote: Some(&remote),
            history: &History::default(),
        });
        let Plan::Change(_, change) = planned else { panic!("a change: {planned:?}") };
        assert_eq!(change.workflow_status.as_deref(), Some(INITIATED), "in the write that sends it on");
        change.edits.manager
    };
    assert_eq!(managed(None, Edits::NONE), default);
    assert_eq!(managed(robot, Edits::NONE), default, "the creator is nobody's choice");
    assert_eq!(managed(chosen, Edits::NONE), None, "chosen in Procore");
    assert_eq!(managed(robot, Edits { manager: chosen, ..Edits::NONE }), chosen, "chosen by the reviewer");
}

#[test]
fn what_procore_makes_of_our_words_is_nobodys_edit() {
    let draft = PunchItemDraft { description: "A crack & dust.\n\nUnit 204".into(), ..draft() };
    let shown = RemoteItem { description: "A crack &amp; dust.\r\n\r\nUnit 204".into(), ..remote() };
    let answer = RemoteItem { title: "CRACK".into(), ..remote() };
    let echo = Echo::of_create(draft.clone(), answer.clone());
    let accepted = accept(Edits { description: Some("A hairline.".into()), ..Edits::default() });
    let accept_with = |history: &History, remote: &RemoteItem, verdict: &Verdict| {
        plan(&Situation {
            mode: ProjectMode::Draft,
            state: FindingState::Accepted,
            carried_over: false,
            verdict: Some(verdict),
            held: None,
            suggested: &draft,
            earlier: &[],
            manager: None,
            send_on_accept: true,
            remote: Some(remote),
            history,
        })
    };
    let Plan::Change(_, change) = accept_with(&History::default(), &shown, &accepted) else {
        panic!("a change")
    };
    assert_eq!(change.edits.description.as_deref(), Some("A hairline."));
    let unedited = accept(Edits::default());
    let Plan::Change(_, change) = accept_with(&History::default(), &shown, &unedited) else {
        panic!("a change")
    };
    assert_eq!(change.edits, Edits::NONE, "the words are the same");
    // Whatever Procore answered to our own write is ours, too.
    let history = History { echoes: vec![echo], ..History::default() };
    let answered = RemoteItem { description: draft.description.clone(), ..answer };
    let Plan::Change(_, change) = accept_with(&history, &answered, &unedited) else { panic!("a change") };
    assert_eq!(change.edits, Edits::NONE, "it is what was made of the title that we sent");
}

#[test]
fn of_two_items_the_younger_that_nobody_touched_goes() {
    let (history, draft) = (History::default(), draft());
    let situation = Situation {
        mode: ProjectMode::Draft,
        state: FindingState::Proposed,
        carried_over: false,
        verdict: None,
        held: None,
        suggested: &draft,
        earlier: &[],
        manager: None,
        send_on_accept: true,
        remote: None,
        history: &history,
    };
    let item = |id, change: fn(&mut RemoteItem)| {
        let mut item = RemoteItem { id: PunchItemId::new(id), ..remote() };
        change(&mut item);
        item
    };
    let id = PunchItemId::new;
    let bin = |goes, stays| DuplicateItems::Bin { goes: id(goes), stays: id(stays) };
    let check =
        |own: &RemoteItem, other: &RemoteItem, expected| match (twins(&situation, own, other), expected) {
            (got, Some(expected)) => assert_eq!(got, expected),
            (got, None) => assert!(matches!(got, DuplicateItems::Leave(_)), "{got:?}"),
        };
    let plain: fn(&mut RemoteItem) = |_| {};
    let retitled: fn(&mut RemoteItem) = |item| item.title = "By the door".into();
    let moved: fn(&mut RemoteItem) = |item| item.workflow_status = INITIATED.into();
    let commented: fn(&mut RemoteItem) = |item| item.commented = true;
    let binned: fn(&mut RemoteItem) = |item| item.deleted = true;
    check(&item(7, plain), &item(8, plain), Some(bin(8, 7)));
    check(&item(8, plain), &item(7, plain), Some(bin(8, 7)));
    for theirs in [retitled, moved, commented] {
        check(&item(7, plain), &item(8, theirs), Some(bin(7, 8)));
        check(&item(7, theirs), &item(8, plain), Some(bin(8, 7)));
        check(&item(8, theirs), &item(7, plain), Some(bin(7, 8)));
        check(&item(7, theirs), &item(8, moved), None);
    }
    check(&item(7, plain), &item(8, binned), Some(DuplicateItems::Gone));
    check(&item(7, binned), &item(8, plain), Some(bin(8, 7)));
    let begun = History { binning: true, ..History::default() };
    let situation = Situation { history: &begun, ..situation };
    assert_eq!(twins(&situation, &item(8, binned), &item(7, plain)), DuplicateItems::Binned);
}
