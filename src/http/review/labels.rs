//! What the page says about a finding: pure text, so that every state has its sentence.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::icons::Icon;
use crate::domain::card::Card;
use crate::domain::dedupe::{Muting, mute_from};
use crate::domain::detection::DefectClass;
use crate::domain::place::{Evidence, Place};
use crate::domain::punch_item::Priority;
use crate::domain::review::{Delivery, FindingState, RejectReason, Verdict};
use crate::http::choices;

/// How a status looks; always together with an icon and words, never colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Waits for a person.
    Open,
    Waiting,
    Done,
    Out,
    Problem,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Out => "out",
            Self::Problem => "problem",
        }
    }
}

/// Where a finding stands, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) tone: Tone,
    /// A few words for a chip.
    pub(super) short: String,
    /// A sentence, where there is more to say.
    pub(super) more: Option<String>,
}

/// Says where `card` stands.
pub(super) fn status(card: &Card) -> Status {
    let item = item_name(card);
    let refused = card.delivery == Delivery::Refused;
    let (tone, short) = match (card.state, card.delivery) {
        (FindingState::TakenOver, _) => (Tone::Out, "Decided in Procore".to_owned()),
        (_, Delivery::Refused) => (Tone::Problem, "Problem in Procore".to_owned()),
        (FindingState::Proposed, Delivery::Withheld) => (Tone::Open, "Suggestion".to_owned()),
        (FindingState::Proposed, Delivery::Waiting) => (Tone::Open, "Draft waiting for Procore".to_owned()),
        (FindingState::Proposed, Delivery::Delivered) => (Tone::Open, format!("Draft {item}")),
        (FindingState::Accepted, Delivery::Withheld) => (Tone::Done, "Accepted, kept here".to_owned()),
        (FindingState::Accepted, Delivery::Waiting) => {
            (Tone::Waiting, "Accepted, waiting for Procore".to_owned())
        }
        (FindingState::Accepted, Delivery::Delivered) => accepted_and_delivered(card, &item),
        (FindingState::Rejected, Delivery::Waiting) => {
            (Tone::Waiting, "Rejected, waiting for Procore".to_owned())
        }
        (FindingState::Rejected, _) => (Tone::Out, "Rejected".to_owned()),
    };
    let more = if refused || card.state == FindingState::TakenOver { card.problem.clone() } else { None };
    let more = more.or_else(|| card.notice.clone().filter(|_| card.delivery == Delivery::Waiting));
    let mut sentences: Vec<String> = more.or_else(|| explanation(card)).into_iter().collect();
    sentences.extend(standing(card));
    sentences.extend(card.left_out.iter().map(|left| left.because.clone()));
    let more = Some(sentences.join(" ")).filter(|words| !words.is_empty());
    Status { tone, short: short.trim_end().to_owned(), more }
}

/// What became of an accepted item, as Procore showed it last.
fn accepted_and_delivered(card: &Card, item: &str) -> (Tone, String) {
    match &card.in_procore {
        Some(standing) if standing.deleted => (Tone::Out, format!("Deleted in Procore {item}")),
        Some(standing) => (Tone::Done, format!("In Procore {item}: {}", standing.status())),
        None => (Tone::Done, format!("In Procore {item}")),
    }
}

/// How the item stands in Procore, unless it is only our own draft.
fn standing(card: &Card) -> Option<String> {
    let shown = match card.state {
        FindingState::TakenOver => true,
        FindingState::Accepted => card.delivery == Delivery::Delivered,
        FindingState::Proposed | FindingState::Rejected => false,
    };
    card.in_procore.as_ref().filter(|_| shown).map(|standing| format!("{}.", standing.words()))
}

fn explanation(card: &Card) -> Option<String> {
    let text = match (card.state, card.delivery) {
        (FindingState::TakenOver, _) => {
            "Someone changed or deleted the item in Procore first. Their change stays."
        }
        (_, Delivery::Refused) => {
            "Procore refused it without saying why. Ask the person who runs Punchlens to check the log."
        }
        (FindingState::Accepted, Delivery::Waiting) => {
            "It will be sent as soon as Procore can be reached. Nothing is lost if the connection is down."
        }
        (FindingState::Rejected, Delivery::Waiting) => {
            "Its draft is removed from Procore as soon as Procore can be reached."
        }
        (FindingState::Accepted, Delivery::Withheld) => {
            "This project only records; nothing is sent to Procore."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// `#412`, or nothing while there is no number.
pub(super) fn item_name(card: &Card) -> String {
    match (card.position, card.punch_item) {
        (Some(position), _) => format!("#{position}"),
        (None, Some(id)) => format!("(id {id})"),
        (None, None) => String::new(),
    }
}

/// Who decided what, as a sentence: `Ana rejected this (Too early) today, 14:02`.
pub(super) fn decided(card: &Card, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let decision = card.decision.as_ref()?;
    let what = match &decision.verdict {
        Verdict::Accept { edits } if edits.is_empty() => "accepted this".to_owned(),
        Verdict::Accept { .. } => "accepted this with changes".to_owned(),
        Verdict::Reject { reason } => format!("rejected this ({})", reason.label()),
    };
    Some(format!("{} {what} {}", decision.reviewer, moment(decision.at, zone, now)))
}

/// `peeling_paint` as `Peeling paint`.
pub(super) fn class(class: &DefectClass) -> String {
    let text = class.name().replace(['_', '-'], " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The place as a path, or what is known instead of one.
pub(super) fn place(place: &Place) -> String {
    match (&place.location, &place.evidence) {
        (Some(location), _) => path(&location.path),
        (None, Evidence::GpsOnly { fix }) => format!("{:.5}, {:.5}", fix.latitude, fix.longitude),
        (None, _) => "Place unknown".to_owned(),
    }
}

/// Names of a location from the root down.
pub(super) fn path(names: &[String]) -> String {
    names.join(choices::PATH_SEPARATOR)
}

/// The last two names of a location: enough among its neighbours.
fn path_end(names: &[String]) -> String {
    path(names.get(names.len().saturating_sub(2)..).unwrap_or_default())
}

/// The last names of a place: enough among its neighbours.
pub(super) fn place_end(place: &Place) -> String {
    place.location.as_ref().map_or_else(|| self::place(place), |location| path_end(&location.path))
}

/// A stretch of time to the precision that matters: `3.4 s`, `12 min`, `2 h 10 min`, `3 days`.
pub(super) fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs_f64();
    let minutes = span.as_mins();
    match minutes {
        ..1 if seconds < 10.0 => format!("{seconds:.1} s"),
        ..2 => format!("{seconds:.0} s"),
        2..60 => format!("{minutes} min"),
        60..1440 if minutes % 60 == 0 => format!("{} h", minutes / 60),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => count((minutes / 1440) as u64, "day", "days"),
    }
}

/// Why the place is believed.
pub(super) fn evidence(place: &Place) -> String {
    match &place.evidence {
        Evidence::PhotoLocation => "from the photo’s location in Procore".to_owned(),
        Evidence::GpsOnly { fix } => match fix.accuracy_m {
            Some(accuracy) => format!("GPS ±{accuracy:.0} m; choose a location"),
            None => "GPS only; choose a location".to_owned(),
        },
        Evidence::Unknown { because } => because.clone(),
        chosen => chosen.words(),
    }
}

/// A share of the photo, 0..=1, so that small ones don't read as nothing.
pub(super) fn share(share: f32) -> String {
    let percent = share * 100.0;
    if percent < 1.0 { "under 1 % of the photo".to_owned() } else { format!("{percent:.0} % of the photo") }
}

/// A moment as people on site say it: the time for today, else day and time.
pub(super) fn moment(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let today = now.to_zoned_datetime(zone.clone()).date();
    let local = at.to_zoned_datetime(zone.clone());
    if local.date() == today {
        local.strftime("today, %H:%M").to_string()
    } else {
        local.strftime("%-d %b, %H:%M").to_string()
    }
}

/// The same on paper, which is read on another day.
pub(super) fn moment_on_paper(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string()
}

/// The same where space is dear: only the time for today, only the day before that.
pub(super) fn short_moment(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let today = now.to_zoned_datetime(zone.clone()).date();
    let local = at.to_zoned_datetime(zone.clone());
    local.strftime(if local.date() == today { "%H:%M" } else { "%-d %b" }).to_string()
}

/// The camera's wall-clock time.
pub(super) fn taken(at: DateTime) -> String {
    at.strftime("%-d %b %Y, %H:%M").to_string()
}

/// `1 suggestion`, `2 suggestions`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// What rejecting a card for `reason` mutes, if anything.
pub(super) fn mutes(card: &Card, reason: RejectReason, muting: Muting) -> Option<String> {
    let mute = mute_from(reason, &card.finding, &card.place, "", muting)?;
    let room = card.place.location.as_ref()?.path.last().cloned().unwrap_or_default();
    Some(format!("Mutes {} in {room} {}", class(&card.finding.class), until(mute.until)))
}

/// The same for a group, whose cards differ.
pub(super) fn mutes_group(reason: RejectReason) -> Option<String> {
    match reason {
        RejectReason::NotADefect | RejectReason::Duplicate => None,
        RejectReason::TooEarly => Some("Mutes each class at its location for a while".to_owned()),
        RejectReason::NotOurs | RejectReason::CosmeticOk => {
            Some("Mutes each class at its location until unmuted".to_owned())
        }
    }
}

/// How long a mute lasts.
pub(super) fn until(day: Option<Date>) -> String {
    day.map_or_else(|| "until unmuted".to_owned(), |day| format!("until {}", day.strftime("%-d %b %Y")))
}

/// A priority on the page.
pub(super) const fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "Low",
        Priority::Medium => "Medium",
        Priority::High => "High",
    }
}

/// The sign that stands with a status.
pub(super) const fn sign(tone: Tone) -> Icon {
    match tone {
        Tone::Open => Icon::Tag,
        Tone::Waiting => Icon::Clock,
        Tone::Done => Icon::Accept,
        Tone::Out => Icon::Reject,
        Tone::Problem => Icon::Alert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::item_status::ItemStatus;
    use crate::domain::omitted_field::{Field, OmittedField};
    use crate::http::sample;

    #[test]
    fn every_state_has_its_words() {
        use Delivery::{Delivered, Refused, Waiting, Withheld};
        use FindingState::{Accepted, Proposed, Rejected, TakenOver};
        let cases = [
            (Proposed, Withheld, "Suggestion", Tone::Open),
            (Proposed, Waiting, "Draft waiting for Procore", Tone::Open),
            (Proposed, Delivered, "Draft #412", Tone::Open),
            (Proposed, Refused, "Problem in Procore", Tone::Problem),
            (Accepted, Withheld, "Accepted, kept here", Tone::Done),
            (Accepted, Waiting, "Accepted, waiting for Procore", Tone::Waiting),
            (Accepted, Delivered, "In Procore #412", Tone::Done),
            (Accepted, Refused, "Problem in Procore", Tone::Problem),
            (Rejected, Withheld, "Rejected", Tone::Out),
            (Rejected, Waiting, "Rejected, waiting for Procore", Tone::Waiting),
            (Rejected, Delivered, "Rejected", Tone::Out),
            (Rejected, Refused, "Problem in Procore", Tone::Problem),
            (TakenOver, Delivered, "Decided in Procore", Tone::Out),
        ];
        for (state, delivery, short, tone) in cases {
            let card = Card { state, delivery, position: Some(412), ..sample::card(1) };
            let status = status(&card);
            assert_eq!((status.short.as_str(), status.tone), (short, tone), "{state:?} {delivery:?}");
        }
    }

    #[test]
    fn a_refusal_tells_its_reason() {
        let problem = Some("Procore says: trade 9 is not in this project. Choose another.".to_owned());
        let card = Card { delivery: Delivery::Refused, problem: problem.clone(), ..sample::card(1) };
        assert_eq!(status(&card).more, problem);
        assert!(status(&Card { problem: None, ..card }).more.is_some());
    }

    #[test]
    fn what_procore_makes_of_an_accepted_item_is_told() {
        let seen = |workflow_status: &str, deleted| {
            let ball_in_court = vec!["Pat Manager".to_owned()];
            let seen_at = Timestamp::UNIX_EPOCH;
            let standing =
                ItemStatus { workflow_status: workflow_status.into(), deleted, ball_in_court, seen_at };
            let (state, delivery) = (FindingState::Accepted, Delivery::Delivered);
            Card { state, delivery, position: Some(412), in_procore: Some(standing), ..sample::card(1) }
        };
        let worked_on = status(&seen("work_required", false));
        assert_eq!(
            (worked_on.short.as_str(), worked_on.tone),
            ("In Procore #412: work required", Tone::Done)
        );
        assert_eq!(worked_on.more.as_deref(), Some("In Procore: work required, with Pat Manager."));
        let deleted = status(&seen("initiated", true));
        assert_eq!((deleted.short.as_str(), deleted.tone), ("Deleted in Procore #412", Tone::Out));
        let because = "Procore has no such location any more.".to_owned();
        let left = OmittedField { field: Field::Location, id: Some(3), because: because.clone() };
        let told = status(&Card { left_out: vec![left], ..seen("closed", false) }).more.unwrap_or_default();
        assert!(told.ends_with(&because), "{told}");
    }

    #[test]
    fn places_say_what_is_known() {
        let known = sample::card(1).place;
        assert_eq!(place(&known), "Building A › Floor 2 › Unit 204");
        let unknown = Place::unknown("the photo has no GPS");
        assert_eq!(
            (place(&unknown).as_str(), evidence(&unknown).as_str()),
            ("Place unknown", "the photo has no GPS")
        );
    }

    #[test]
    fn small_words() {
        assert_eq!(class(&DefectClass::new("peeling_paint")), "Peeling paint");
        assert_eq!(class(&DefectClass::new("")), "");
        assert_eq!(share(0.004), "under 1 % of the photo");
        assert_eq!(count(1, "card", "cards"), "1 card");
    }

    #[test]
    fn spans_are_as_precise_as_it_matters() {
        let cases = [
            (3, "3.0 s"),
            (75, "75 s"),
            (720, "12 min"),
            (7800, "2 h 10 min"),
            (7200, "2 h"),
            (90_000, "1 day"),
            (300_000, "3 days"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(SignedDuration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn moments_are_told_from_today() {
        let now: Timestamp = "2026-03-05T15:00:00Z".parse().expect("a time");
        let earlier: Timestamp = "2026-03-04T23:30:00Z".parse().expect("a time");
        assert_eq!(moment(now, &TimeZone::UTC, now), "today, 15:00");
        assert_eq!(moment(earlier, &TimeZone::UTC, now), "4 Mar, 23:30");
        assert_eq!(moment_on_paper(earlier, &TimeZone::UTC), "4 Mar 2026, 23:30");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(moment(earlier, &east, now), "today, 01:30");
    }
}
