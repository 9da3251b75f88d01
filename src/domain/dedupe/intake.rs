//! What becomes of the findings of one photo: a card of their own, a further photo of a known card, or a card
//! that something keeps back. One pure decision, taken while nobody else can add findings.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::card::Card;
use crate::domain::dedupe::{Match, Mute, Reason, Sighting, cap, muted};
use crate::domain::delivery::ProjectMode;
use crate::domain::ids::{FindingId, PunchItemId};
use crate::domain::review::{FindingState, Hold, HoldReason, MuteId};
use crate::domain::score::Score;
use crate::domain::tagging::{CapRules, OnceRules};

/// A finding of a photo, with what it takes to tell whether it is known.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The card as it would be if nothing were known.
    pub card: Card,
    /// How it is recognised.
    pub sighting: Sighting,
    /// The open punch item that says the same, and why that is believed.
    pub on_the_list: Option<(PunchItemId, String)>,
}

/// The findings of one photo and by what they are decided.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The findings.
    pub candidates: Vec<Candidate>,
    /// Which sightings are of one defect.
    pub once: OnceRules,
    /// How many drafts are made.
    pub caps: CapRules,
    /// How far the service may go in the project.
    pub mode: ProjectMode,
    /// Today, where the project is.
    pub today: Date,
}

/// A card that a candidate could join, as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCard {
    /// Which.
    pub finding: FindingId,
    /// Where it stands.
    pub state: FindingState,
    /// When it was found.
    pub found_at: Timestamp,
    /// What silenced it has run out or was lifted: what looks like it is to be shown again.
    pub over: bool,
}

/// What is known that looks like a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// What likeness says.
    pub by_likeness: Match,
    /// The cards behind that, and the candidate's own if there is one already.
    pub cards: Vec<KnownCard>,
    /// The card that could be the same, for a person to decide.
    pub similar: Option<FindingId>,
}

/// What becomes of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeDecision {
    /// It gets a card, and a draft where the mode is so.
    New,
    /// It gets a card that waits, whatever the mode.
    Kept(Hold),
    /// The photo is one more of a known card.
    Joins {
        /// Which card.
        finding: FindingId,
        /// Why.
        because: Reason,
        /// Undecided cards that turn out to be of the same defect.
        folds: Vec<FindingId>,
        /// What keeps the defect back where the photo says it is.
        kept: Option<Hold>,
    },
}

impl Intake {
    /// Decides, for each candidate in turn. `recognised` belongs to the candidates one by one, `made_today` counts
    /// the drafts that were made by themselves for the project. The order of candidates does not matter.
    pub fn decide(
        &self,
        recognised: &[Recognised],
        mutes: &[(MuteId, Mute)],
        made_today: u32,
    ) -> Vec<IntakeDecision> {
        let pairs = self.candidates.iter().zip(recognised);
        let mut fates: Vec<IntakeDecision> =
            pairs.map(|(candidate, known)| fate(candidate, known, mutes, self.today)).collect();
        if self.mode == ProjectMode::Draft {
            self.hold_beyond_caps(&mut fates, made_today);
        }
        fates
    }

    fn hold_beyond_caps(&self, fates: &mut [IntakeDecision], made_today: u32) {
        let new = self.candidates.iter().zip(fates.iter()).filter(|(_, fate)| **fate == IntakeDecision::New);
        let new: Vec<(FindingId, Score)> =
            new.map(|(candidate, _)| (candidate.card.finding.id, candidate.card.finding.score)).collect();
        let waiting = cap(&new, made_today, &self.caps).waiting;
        let CapRules { per_photo, per_project_day } = self.caps;
        let because = if per_project_day.saturating_sub(made_today) < per_photo {
            format!("Held: daily limit of {per_project_day} drafts reached for this project.")
        } else {
            format!("Held: limit of {per_photo} drafts a photo reached.")
        };
        for (candidate, fate) in self.candidates.iter().zip(fates) {
            if *fate == IntakeDecision::New && waiting.contains(&candidate.card.finding.id) {
                *fate = IntakeDecision::Kept(Hold { by: HoldReason::Cap, because: because.clone() });
            }
        }
    }
}

fn fate(candidate: &Candidate, known: &Recognised, mutes: &[(MuteId, Mute)], today: Date) -> IntakeDecision {
    let kept = kept(candidate, mutes, today);
    let own = candidate.card.finding.id;
    let Some((finding, folds)) = keeper(&known.cards, own) else {
        return kept.map_or(IntakeDecision::New, IntakeDecision::Kept);
    };
    let because = match &known.by_likeness {
        Match::Same { because, .. } => *because,
        Match::New | Match::MaybeSame { .. } => Reason::Itself,
    };
    IntakeDecision::Joins { finding, because, folds, kept }
}

/// What keeps the candidate back: a mute before the list, as a reviewer who muted wants to hear nothing of it.
fn kept(candidate: &Candidate, mutes: &[(MuteId, Mute)], today: Date) -> Option<Hold> {
    if let Some((id, mute)) = muted(&candidate.card.finding, &candidate.card.place, mutes, today) {
        return Some(Hold { by: HoldReason::Mute(*id), because: mute.words() });
    }
    let (item, because) = candidate.on_the_list.clone()?;
    Some(Hold { by: HoldReason::OpenItem(item), because })
}

/// The card that goes on, and the undecided ones that it takes in. What a person decided stays as it is.
fn keeper(cards: &[KnownCard], own: FindingId) -> Option<(FindingId, Vec<FindingId>)> {
    let rank = |card: &&KnownCard| {
        let decided = match card.state {
            FindingState::Accepted => 0,
            FindingState::Proposed => 1,
            FindingState::TakenOver => 2,
            FindingState::Rejected => 3,
        };
        (decided, card.found_at, card.finding)
    };
    let usable = || cards.iter().filter(|card| !card.over || card.finding == own);
    let first = usable().min_by_key(rank)?;
    let takes_in = matches!(first.state, FindingState::Accepted | FindingState::Proposed);
    let others = usable().filter(|card| card.finding != first.finding);
    let undecided = others.filter(|card| takes_in && card.state == FindingState::Proposed);
    let mut folds: Vec<FindingId> = undecided.map(|card| card.finding).collect();
    folds.sort_unstable();
    folds.dedup();
    Some((first.finding, folds))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::detection::DefectClass;
    use crate::domain::geometry::{PixelBox, Size};
    use crate::domain::ids::{CompanyId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, Sha256Digest};
    use crate::domain::image_hash::ImageHash;
    use crate::domain::place::{Location, Place};
    use crate::domain::review::{Delivery, RejectReason};
    use crate::domain::{
        card::CardPhoto, finding::Finding, punch_item::Priority, punch_item::PunchItemDraft,
    };

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(1), project: ProjectId::new(1) };
    const TODAY: Date = date(2026, 6, 4);

    fn id(n: u8) -> FindingId {
        FindingId::of(PROJECT, &Sha256Digest::of(&[n]), "crack")
    }

    fn candidate(n: u8, score: f32) -> Candidate {
        let hull = PixelBox::new(0.0, 0.0, 1.0, 1.0).expect("a box");
        let (image, score) = (ImageId::new(i64::from(n)), Score::new(score).expect("a score"));
        let class = DefectClass::new("crack");
        let location = Location::from_name(LocationId::new(204), "Building A>Unit 204");
        let print = ImageHash::from_parts(0, 0, [0x88; 64]);
        let photo = PhotoId::of(PROJECT, image);
        let finding =
            Finding { id: id(n), class: class.clone(), score, regions: vec![], hull, area_share: 0.1 };
        let card = Card {
            project: PROJECT,
            finding,
            photo: CardPhoto {
                id: photo,
                image,
                filename: String::new(),
                size: Size::new(1, 1),
                taken_at: None,
                uploader: None,
                content: Sha256Digest::of(&[n]),
                cut_off: None,
            },
            place: Place::of_photo(location.clone()),
            draft: PunchItemDraft {
                title: String::new(),
                description: String::new(),
                reference: id(n).reference(),
                location: None,
                trade: None,
                item_type: None,
                priority: Priority::Low,
                due: None,
                manager: None,
                approver: None,
                images: vec![image],
                fields: crate::domain::fields::FieldValues::new(),
            },
            earlier: vec![],
            trade_name: None,
            rules: vec![],
            model: String::new(),
            state: FindingState::Proposed,
            decision: None,
            delivery: Delivery::Waiting,
            held: None,
            similar: None,
            punch_item: None,
            position: None,
            problem: None,
            in_procore: None,
            left_out: vec![],
            notice: None,
            found_at: Timestamp::UNIX_EPOCH,
        };
        let sighting = Sighting {
            finding: id(n),
            seen_in: photo,
            class,
            location: Some(location),
            taken_at: None,
            photo: print,
            region: print,
        };
        Candidate { card, sighting, on_the_list: None }
    }

    fn intake(mode: ProjectMode, candidates: Vec<Candidate>) -> Intake {
        let once = crate::domain::tagging::Tagging::default_rules().rules().once;
        Intake { candidates, once, caps: CapRules { per_photo: 2, per_project_day: 10 }, mode, today: TODAY }
    }

    fn unknown() -> Recognised {
        Recognised { by_likeness: Match::New, cards: vec![], similar: None }
    }

    fn standing(n: u8, state: FindingState, second: i64) -> KnownCard {
        let found_at = Timestamp::from_second(second).expect("in range");
        KnownCard { finding: id(n), state, found_at, over: false }
    }

    fn joins(n: u8, cards: Vec<KnownCard>) -> Option<(FindingId, Vec<FindingId>)> {
        let same = Match::Same { finding: id(90), because: Reason::Burst, also: vec![] };
        let known = Recognised { by_likeness: same, cards, similar: None };
        match fate(&candidate(n, 0.9), &known, &[], TODAY) {
            IntakeDecision::Joins { finding, because: Reason::Burst, folds, kept: None } => {
                Some((finding, folds))
            }
            IntakeDecision::New => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_standing_card_goes_on_and_takes_in_the_undecided() {
        use FindingState::{Accepted, Proposed, Rejected, TakenOver};
        let (early, late) = (standing(1, Proposed, 10), standing(2, Proposed, 20));
        assert_eq!(joins(9, vec![late, early]), Some((id(1), vec![id(2)])));
        assert_eq!(joins(2, vec![late, early]), Some((id(1), vec![id(2)])), "its own card is taken in too");
        let accepted = standing(3, Accepted, 30);
        let (mut first, mut second) = (id(1), id(2));
        if second < first {
            std::mem::swap(&mut first, &mut second);
        }
        assert_eq!(joins(9, vec![early, accepted, late]), Some((id(3), vec![first, second])));
        assert_eq!(joins(9, vec![standing(4, Rejected, 0), early]), Some((id(1), vec![])));
        assert_eq!(joins(9, vec![standing(4, Rejected, 0)]), Some((id(4), vec![])));
        assert_eq!(
            joins(9, vec![standing(5, TakenOver, 9), standing(4, Rejected, 0)]),
            Some((id(5), vec![]))
        );
        let over = KnownCard { over: true, ..standing(4, Rejected, 0) };
        assert_eq!(joins(9, vec![over]), None, "what silenced it has run out");
        assert_eq!(joins(4, vec![over]), Some((id(4), vec![])), "the very same bytes tell nothing new");
    }

    #[test]
    fn mutes_come_before_the_list_and_both_before_caps() {
        let mute = Mute {
            class: DefectClass::new("crack"),
            location: Some(LocationId::new(204)),
            until: None,
            reason: RejectReason::NotOurs,
            reviewer: "Sam".into(),
        };
        let listed = || Candidate {
            on_the_list: Some((PunchItemId::new(7), "It is there.".into())),
            ..candidate(1, 0.5)
        };
        let keeper = |candidates, mutes: &[(MuteId, Mute)]| {
            let fates = intake(ProjectMode::Draft, candidates).decide(&[unknown()], mutes, 0);
            match &fates[..] {
                [IntakeDecision::Kept(held)] => Some(held.by),
                [IntakeDecision::New] => None,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(keeper(vec![listed()], &[(MuteId(3), mute)]), Some(HoldReason::Mute(MuteId(3))));
        assert_eq!(keeper(vec![listed()], &[]), Some(HoldReason::OpenItem(PunchItemId::new(7))));
        assert_eq!(keeper(vec![candidate(1, 0.5)], &[]), None);
    }

    #[test]
    fn caps_hold_the_least_sure_where_drafts_are_made() {
        let three = || vec![candidate(1, 0.6), candidate(2, 0.9), candidate(3, 0.7)];
        let held = |mode, made_today| -> Vec<u8> {
            let known = [unknown(), unknown(), unknown()];
            let fates = intake(mode, three()).decide(&known, &[], made_today);
            (1..).zip(&fates).filter(|(_, fate)| **fate != IntakeDecision::New).map(|(n, _)| n).collect()
        };
        assert_eq!(held(ProjectMode::Draft, 0), [1]);
        assert_eq!(held(ProjectMode::Draft, 9), [1, 3]);
        assert_eq!(held(ProjectMode::Draft, 10), [1, 2, 3]);
        assert_eq!(held(ProjectMode::ReviewFirst, 10), [0_u8; 0], "nothing becomes a draft by itself there");
    }
}
