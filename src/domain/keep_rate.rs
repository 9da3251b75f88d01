//! How far reviewers agree with the model: keep-rates, reliability of scores, time to review.
//!
//! Kept is what was accepted. A defect that was rejected as too early, double, not ours or cosmetic was
//! still seen rightly, so reliability counts only "not a defect" against the score.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::detection::DefectClass;
use super::ids::{FindingId, ProjectKey};
use super::measure::{self, ScoredLabel};
use super::review::RejectReason;
use super::score::Score;

/// A decision as far as it tells about the model.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedFinding {
    /// About which finding.
    pub finding: FindingId,
    /// Whose it is.
    pub project: ProjectKey,
    /// Of which class.
    pub class: DefectClass,
    /// The model's calibrated score.
    pub score: Score,
    /// Why it was thrown out; `None` when it was accepted.
    pub rejected: Option<RejectReason>,
    /// Who decided.
    pub reviewer: String,
    /// When the model saw it.
    pub found_at: Timestamp,
    /// When the person decided.
    pub decided_at: Timestamp,
}

impl JudgedFinding {
    /// Whether it went on the list.
    pub const fn kept(&self) -> bool {
        self.rejected.is_none()
    }

    /// Whether there was a defect at all.
    pub fn real(&self) -> bool {
        self.rejected != Some(RejectReason::NotADefect)
    }
}

/// So many kept of so many decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct KeepRate {
    /// Accepted.
    pub kept: u32,
    /// Decided.
    pub of: u32,
}

impl KeepRate {
    /// Counts `rulings`.
    pub fn count<'a>(rulings: impl IntoIterator<Item = &'a JudgedFinding>) -> Self {
        rulings.into_iter().fold(Self::default(), |sum, ruling| Self {
            kept: sum.kept + u32::from(ruling.kept()),
            of: sum.of + 1,
        })
    }

    /// The share, 0..=1; nothing decided has none.
    pub fn rate(self) -> Option<f64> {
        (self.of > 0).then(|| f64::from(self.kept) / f64::from(self.of))
    }

    /// Whether enough was decided to say that less than `rate` is kept.
    pub fn is_below(self, rate: f64, least: u32) -> bool {
        self.of >= least && self.rate().is_some_and(|own| own < rate)
    }
}

/// The record of one class in one project.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassRecord {
    /// Whose it is.
    pub project: ProjectKey,
    /// The class.
    pub class: DefectClass,
    /// The latest decisions, as many as asked for.
    pub latest: KeepRate,
    /// All of them.
    pub all: KeepRate,
    /// By week, oldest first; weeks without decisions are left out.
    pub weeks: Vec<(Date, KeepRate)>,
    /// Why the latest were thrown out, most frequent first.
    pub reasons: Vec<(RejectReason, u32)>,
}

/// One record for each class of each project, by project and class. `rulings` come latest first;
/// `window` of them count as the latest.
pub fn class_records(rulings: &[JudgedFinding], window: usize, zone: &TimeZone) -> Vec<ClassRecord> {
    let mut grouped: BTreeMap<(ProjectKey, &DefectClass), Vec<&JudgedFinding>> = BTreeMap::new();
    for ruling in rulings {
        grouped.entry((ruling.project, &ruling.class)).or_default().push(ruling);
    }
    let record = |((project, class), own): ((ProjectKey, &DefectClass), Vec<&JudgedFinding>)| {
        let latest = &own[..own.len().min(window)];
        ClassRecord {
            project,
            class: class.clone(),
            latest: KeepRate::count(latest.iter().copied()),
            all: KeepRate::count(own.iter().copied()),
            weeks: weeks(&own, zone),
            reasons: reasons(latest),
        }
    };
    grouped.into_iter().map(record).collect()
}

/// Keep-rates by week, oldest first, each week by its Monday.
pub fn weeks(rulings: &[&JudgedFinding], zone: &TimeZone) -> Vec<(Date, KeepRate)> {
    let mut weeks: Vec<(Date, KeepRate)> = Vec::new();
    let mut dated: Vec<(Date, &JudgedFinding)> = rulings
        .iter()
        .map(|ruling| (monday(ruling.decided_at.to_zoned_datetime(zone.clone()).date()), *ruling))
        .collect();
    dated.sort_by_key(|(week, _)| *week);
    for (week, ruling) in dated {
        let one = KeepRate::count([ruling]);
        match weeks.last_mut() {
            Some((last, kept)) if *last == week => {
                *kept = KeepRate { kept: kept.kept + one.kept, of: kept.of + one.of };
            }
            _ => weeks.push((week, one)),
        }
    }
    weeks
}

fn monday(day: Date) -> Date {
    let back = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(SignedDuration::from_hours(24 * back)).unwrap_or(day)
}

fn reasons(rulings: &[&JudgedFinding]) -> Vec<(RejectReason, u32)> {
    let count = |reason| rulings.iter().filter(|ruling| ruling.rejected == Some(reason)).count() as u32;
    let mut reasons: Vec<(RejectReason, u32)> =
        RejectReason::ALL.into_iter().map(|reason| (reason, count(reason))).collect();
    reasons.retain(|(_, count)| *count > 0);
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons
}

/// The findings with scores in one range: what the model said, and what people found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The mean of the scores.
    pub said: f64,
    /// The share that was a defect.
    pub was: f64,
    /// How many.
    pub of: u32,
}

/// Into how many ranges scores are put.
const TENTHS: usize = 10;

/// Scores against outcomes in ranges of a tenth; empty ranges are left out. The second value is the
/// expected calibration error, the mean distance weighted by numbers; `None` when nothing was decided.
pub fn reliability(rulings: &[JudgedFinding]) -> (Vec<ReliabilityBin>, Option<f64>) {
    let judged: Vec<ScoredLabel> = rulings
        .iter()
        .map(|ruling| ScoredLabel { score: ruling.score.value(), holds: ruling.real() })
        .collect();
    let bin = |bin: measure::Bin| ReliabilityBin {
        said: bin.mean_score,
        was: bin.share_that_holds,
        of: bin.count as u32,
    };
    let bins = measure::reliability(&judged, TENTHS).into_iter().map(bin).collect();
    (bins, measure::calibration_error(&judged, TENTHS))
}

/// How long reviewing takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReviewTime {
    /// The median from being found to being decided.
    pub waited: Option<SignedDuration>,
    /// The median between two decisions of one person in one sitting.
    pub a_card: Option<SignedDuration>,
}

/// A longer pause than this ends a sitting.
const SITTING_PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// Measures `rulings`, in any order. Decisions at the same instant are one gesture.
pub fn review_time(rulings: &[JudgedFinding]) -> ReviewTime {
    let waited = rulings.iter().map(|ruling| ruling.decided_at.duration_since(ruling.found_at)).collect();
    let mut order: Vec<&JudgedFinding> = rulings.iter().collect();
    order.sort_by(|a, b| a.reviewer.cmp(&b.reviewer).then(a.decided_at.cmp(&b.decided_at)));
    let pauses = order.windows(2).filter(|pair| pair[0].reviewer == pair[1].reviewer);
    let pauses = pauses.map(|pair| pair[1].decided_at.duration_since(pair[0].decided_at));
    let pauses = pauses.filter(|pause| !pause.is_zero() && *pause <= SITTING_PAUSE).collect();
    ReviewTime { waited: median(waited), a_card: median(pauses) }
}

fn median(mut durations: Vec<SignedDuration>) -> Option<SignedDuration> {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId, Sha256Digest};

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

    fn ruling(class: &str, score: f32, rejected: Option<RejectReason>, minute: i64) -> JudgedFinding {
        let at = Timestamp::from_second(1_773_000_000 + minute * 60).expect("a time");
        JudgedFinding {
            finding: FindingId::of(PROJECT, &Sha256Digest::of(&minute.to_be_bytes()), class),
            project: PROJECT,
            class: DefectClass::new(class),
            score: Score::new(score).expect("a score"),
            rejected,
            reviewer: "Ana".into(),
            found_at: at - SignedDuration::from_hours(1),
            decided_at: at,
        }
    }

    #[test]
    fn of_the_latest_so_many_were_kept() {
        let mut rulings: Vec<JudgedFinding> = (0..50)
            .map(|n| ruling("crack", 0.9, (n % 5 == 0).then_some(RejectReason::TooEarly), 100 - n))
            .collect();
        rulings.push(ruling("mark", 0.6, Some(RejectReason::NotADefect), 1));
        let records = class_records(&rulings, 40, &TimeZone::UTC);
        let found: Vec<(&str, KeepRate, KeepRate)> =
            records.iter().map(|record| (record.class.name(), record.latest, record.all)).collect();
        assert_eq!(
            found,
            [
                ("crack", KeepRate { kept: 32, of: 40 }, KeepRate { kept: 40, of: 50 }),
                ("mark", KeepRate { kept: 0, of: 1 }, KeepRate { kept: 0, of: 1 })
            ]
        );
        assert_eq!(records[0].reasons, [(RejectReason::TooEarly, 8)]);
        assert!(!records[1].latest.is_below(0.3, 20), "one decision proves nothing");
        assert!(
            KeepRate { kept: 5, of: 20 }.is_below(0.3, 20) && !KeepRate { kept: 6, of: 20 }.is_below(0.3, 20)
        );
    }

    #[test]
    fn weeks_begin_on_monday_where_the_site_is() {
        // Sunday 8 March 2026, 19:40 UTC; Monday already in Auckland.
        let rulings = [ruling("crack", 0.9, None, -40), ruling("crack", 0.9, None, 60 * 24)];
        let refs: Vec<&JudgedFinding> = rulings.iter().collect();
        let one = KeepRate { kept: 1, of: 1 };
        let (second, ninth) = (jiff::civil::date(2026, 3, 2), jiff::civil::date(2026, 3, 9));
        assert_eq!(weeks(&refs, &TimeZone::UTC), [(second, one), (ninth, one)]);
        let auckland = TimeZone::fixed(jiff::tz::offset(13));
        assert_eq!(weeks(&refs, &auckland), [(ninth, KeepRate { kept: 2, of: 2 })]);
    }

    #[test]
    fn only_what_was_no_defect_speaks_against_a_score() {
        let rulings = [
            ruling("crack", 0.92, None, 4),
            ruling("crack", 0.98, Some(RejectReason::Duplicate), 3),
            ruling("crack", 0.55, Some(RejectReason::NotADefect), 2),
            ruling("crack", 1.0, None, 1),
        ];
        let (bins, error) = reliability(&rulings);
        assert_eq!(bins.iter().map(|bin| bin.of).collect::<Vec<_>>(), [1, 3]);
        assert!((bins[1].was - 1.0).abs() < 1e-9 && bins[0].was.abs() < 1e-9);
        let expected = (0.55 + 3.0 * (1.0 - (0.92 + 0.98 + 1.0) / 3.0)) / 4.0;
        assert!((error.expect("decided") - expected).abs() < 1e-6);
        assert_eq!(reliability(&[]), (vec![], None));
    }

    #[test]
    fn time_to_review_is_told_from_one_sitting() {
        let mut rulings = [9, 8, 7, 1].map(|minute| ruling("crack", 0.9, None, minute)).to_vec();
        rulings.push(rulings[0].clone());
        let time = review_time(&rulings);
        assert_eq!(time.waited, Some(SignedDuration::from_hours(1)));
        assert_eq!(time.a_card, Some(SignedDuration::from_mins(1)), "neither the pause nor the batch counts");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_weeks_and_bins(
            given in proptest::collection::vec((0.0..=1.0_f32, 0..6_usize, 0..200_000_i64), 0..60),
        ) {
            let rulings: Vec<JudgedFinding> = given
                .iter()
                .map(|(score, reason, minute)| {
                    ruling("crack", *score, RejectReason::ALL.get(*reason).copied(), *minute)
                })
                .collect();
            let refs: Vec<&JudgedFinding> = rulings.iter().collect();
            let by_week: u32 = weeks(&refs, &TimeZone::UTC).iter().map(|(_, kept)| kept.of).sum();
            let (bins, error) = reliability(&rulings);
            prop_assert_eq!(by_week as usize, rulings.len());
            prop_assert_eq!(bins.iter().map(|bin| bin.of as usize).sum::<usize>(), rulings.len());
            prop_assert!(error.is_none_or(|error| (0.0..=1.0).contains(&error)));
        }
    }
}
