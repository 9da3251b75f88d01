//! What reviewers don't want to see again: a class at a location, until a date or until lifted.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::detection::DefectClass;
use crate::domain::finding::Finding;
use crate::domain::ids::LocationId;
use crate::domain::people::Role;
use crate::domain::place::Place;
use crate::domain::review::{MuteId, RejectReason};
use crate::domain::tagging::MuteRules;

/// A class that is muted at a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// The class.
    pub class: DefectClass,
    /// The location itself; what lies in it is not muted. `None`: everywhere in the project.
    pub location: Option<LocationId>,
    /// The last muted day; `None` until somebody lifts it.
    pub until: Option<Date>,
    /// The reviewer's reason.
    pub reason: RejectReason,
    /// Who gave it.
    pub reviewer: String,
}

impl Mute {
    /// Whether it still holds on `today`.
    pub fn holds(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until)
    }

    /// Whose word it takes to make or lift it: one location follows from a rejection, a whole project is for more
    /// than one person to bear.
    pub const fn takes(&self) -> Role {
        if self.location.is_some() { Role::Reviewer } else { Role::Admin }
    }

    /// Why a finding was muted, as a sentence.
    pub fn words(&self) -> String {
        let until = self.until.map_or_else(|| "until lifted".to_owned(), |day| format!("until {day}"));
        let reason = self.reason.words();
        let here = if self.location.is_some() { "at this location" } else { "in this project" };
        format!("Muted {here} {until}: {} said “{reason}”.", self.reviewer)
    }
}

/// What a rejection needs to become a mute: the project's rules and its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Muting {
    /// The project's rules.
    pub rules: MuteRules,
    /// Today, where the project is.
    pub today: Date,
}

/// The mute that follows from rejecting `finding` at `place` on `today`. Wrong and double findings
/// mute nothing; nor does anything without a location, as that would mute the whole project.
pub fn mute_from(
    reason: RejectReason,
    finding: &Finding,
    place: &Place,
    reviewer: &str,
    Muting { rules, today }: Muting,
) -> Option<Mute> {
    let until = match reason {
        RejectReason::NotADefect | RejectReason::Duplicate => return None,
        RejectReason::TooEarly => Some(today.saturating_add(i32::from(rules.too_early_days).days())),
        RejectReason::NotOurs | RejectReason::CosmeticOk => None,
    };
    Some(Mute {
        class: finding.class.clone(),
        location: Some(place.id()?),
        until,
        reason,
        reviewer: reviewer.to_owned(),
    })
}

/// The mute that silences `finding` at `place` on `today`, the longest-lasting of several; the
/// finding is still recorded and counted.
pub fn muted<'a>(
    finding: &Finding,
    place: &Place,
    mutes: &'a [(MuteId, Mute)],
    today: Date,
) -> Option<&'a (MuteId, Mute)> {
    let location = place.id();
    let mutes = mutes.iter().filter(|(_, mute)| {
        mute.class == finding.class
            && (mute.location.is_none() || mute.location == location)
            && mute.holds(today)
    });
    mutes.max_by_key(|(id, mute)| (mute.until.unwrap_or(Date::MAX), *id))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::detection::{Detection, Predictions};
    use crate::domain::finding::findings;
    use crate::domain::ids::{CompanyId, ProjectId, ProjectKey, Sha256Digest};
    use crate::domain::place::Location;
    use crate::domain::score::Score;

    const TODAY: Date = date(2026, 6, 4);
    const MUTING: Muting = Muting { rules: MuteRules { too_early_days: 14 }, today: TODAY };

    fn finding(class: &str) -> Finding {
        let detection = Detection {
            class: DefectClass::new(class),
            score: Score::from_logit(1.0),
            area: [0.0, 0.0, 1.0, 1.0].try_into().expect("a box"),
            area_share: 0.1,
        };
        let project = ProjectKey { company: CompanyId::new(1), project: ProjectId::new(1) };
        let seen = Predictions { detections: vec![detection], class_scores: vec![] };
        findings(project, &Sha256Digest::of(b"photo"), &seen).remove(0)
    }

    fn at(id: i64) -> Place {
        Place::of_photo(Location::from_name(LocationId::new(id), "Building A>Unit 1"))
    }

    #[test]
    fn reasons_become_mutes() {
        let until =
            |reason| mute_from(reason, &finding("crack"), &at(1), "Sam", MUTING).map(|mute| mute.until);
        assert_eq!(until(RejectReason::TooEarly), Some(Some(date(2026, 6, 18))));
        assert_eq!(until(RejectReason::NotOurs), Some(None));
        assert_eq!(until(RejectReason::CosmeticOk), Some(None));
        assert_eq!(until(RejectReason::NotADefect), None);
        assert_eq!(until(RejectReason::Duplicate), None);
        let nowhere = Place::unknown("no GPS");
        assert_eq!(mute_from(RejectReason::NotOurs, &finding("crack"), &nowhere, "Sam", MUTING), None);
    }

    #[test]
    fn a_mute_silences_its_class_at_its_location_while_it_holds() {
        let early = mute_from(RejectReason::TooEarly, &finding("crack"), &at(1), "Sam", MUTING);
        let mutes: Vec<(MuteId, Mute)> = early.into_iter().map(|mute| (MuteId(1), mute)).collect();
        let cases = [
            ("crack", 1, TODAY, true),
            ("crack", 1, date(2026, 6, 18), true),
            ("crack", 1, date(2026, 6, 19), false),
            ("crack", 2, TODAY, false),
            ("spalling", 1, TODAY, false),
        ];
        for (class, location, today, silenced) in cases {
            let found = muted(&finding(class), &at(location), &mutes, today);
            assert_eq!(found.is_some(), silenced, "{class} at {location} on {today}");
        }
        assert_eq!(muted(&finding("crack"), &Place::unknown("no GPS"), &mutes, TODAY), None);
        assert_eq!(mutes[0].1.words(), "Muted at this location until 2026-06-18: Sam said “too early”.");
    }

    #[test]
    fn a_mute_without_a_location_silences_the_whole_project() {
        let early = mute_from(RejectReason::TooEarly, &finding("crack"), &at(1), "Sam", MUTING);
        let everywhere = [(MuteId(1), Mute { location: None, ..early.expect("a mute") })];
        for place in [at(2), Place::unknown("no GPS")] {
            assert!(muted(&finding("crack"), &place, &everywhere, TODAY).is_some());
            assert!(muted(&finding("spalling"), &place, &everywhere, TODAY).is_none());
        }
        let words = everywhere[0].1.words();
        assert!(words.starts_with("Muted in this project until"), "{words}");
    }

    #[test]
    fn of_several_the_longest_counts() {
        let by = |reason| mute_from(reason, &finding("crack"), &at(1), "Sam", MUTING).expect("mutes");
        let mut mutes = vec![(MuteId(1), by(RejectReason::TooEarly)), (MuteId(2), by(RejectReason::NotOurs))];
        for _ in 0..2 {
            let found = muted(&finding("crack"), &at(1), &mutes, TODAY);
            assert_eq!(found.map(|(id, _)| *id), Some(MuteId(2)));
            mutes.reverse();
        }
    }
}
