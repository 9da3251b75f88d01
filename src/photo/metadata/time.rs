//! Texts of dates, times and offsets to one time of capture (Exif 2.32 4.6.5.F, XMP part 1 8.2.1.2, IIM 2:55 and 2:60).

mod offset;
mod parse;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

pub(super) use offset::east;
pub(super) use parse::{Clock, clock};

use crate::domain::capture::{Known, Origin, Source, TakenAt};

/// A moment by GPS may be as much older than the photo as the receiver's last fix.
const GPS_LAG_MAX_S: i64 = 120;

/// Every offset in use on Earth is a multiple of a quarter of an hour.
const QUARTER_S: i64 = 900;

/// One text that tells a time, and what stands beside it.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// Where it stands.
    pub(super) from: Source,
    /// Why it may not be the time of capture, where it is of something else.
    pub(super) likely: Option<&'static str>,
    /// The text.
    pub(super) text: Option<String>,
    /// Decimal digits of a second.
    pub(super) fraction: Option<String>,
    /// Offset from UTC, of this text alone.
    pub(super) offset: Option<String>,
}

/// What else tells the offset from UTC.
#[derive(Debug, Clone, Default)]
pub(super) struct OffsetHints {
    /// Hours east of UTC (TIFF/EP `TimeZoneOffset`).
    pub(super) zone_hours: Option<f64>,
    /// The moment by GPS.
    pub(super) gps: Option<Timestamp>,
}

/// The time of the first of `stamps` that is one, and its offset by whatever tells it.
pub(super) fn taken_at(stamps: &[Stamp], beside: &OffsetHints) -> (Known<TakenAt>, Option<Origin>) {
    let mut reason = None;
    for stamp in stamps {
        let Some(text) = &stamp.text else { continue };
        let read = match clock(text, stamp.fraction.as_deref()) {
            Ok(read) => read,
            Err(because) => {
                reason = reason.or(Some(because));
                continue;
            }
        };
        let (offset, doubt) = offset_of(&read, stamp, stamps, beside);
        let instant = offset.and_then(|seconds| at(read.local, seconds));
        let likely: Vec<&str> = [stamp.likely, read.likely, doubt].into_iter().flatten().collect();
        let likely = (!likely.is_empty()).then(|| likely.join("; "));
        let taken_at = TakenAt { local: read.local, instant };
        return (Known::Known(taken_at), Some(Origin { from: stamp.from, likely }));
    }
    let because = reason.unwrap_or_else(|| "the camera wrote no time of capture".into());
    (Known::Unknown(because), None)
}

/// Seconds east of UTC, and why that is only likely.
fn offset_of(
    read: &Clock,
    stamp: &Stamp,
    stamps: &[Stamp],
    beside: &OffsetHints,
) -> (Option<i32>, Option<&'static str>) {
    let own = [read.offset, stamp.offset.as_deref().and_then(east)];
    match own {
        [Some(one), Some(other)] if one != other => return (None, Some("two offsets from UTC are given")),
        [Some(seconds), _] | [None, Some(seconds)] => return (Some(seconds), None),
        [None, None] => {}
    }
    // Of another tag: it holds here where that tag tells the same time, or no time at all.
    let mut others = Vec::new();
    for other in stamps {
        let clock = other.text.as_deref().and_then(|text| clock(text, None).ok());
        let same = clock.as_ref().is_none_or(|clock| seconds_of(clock.local) == seconds_of(read.local));
        let told = clock.and_then(|clock| clock.offset).or_else(|| other.offset.as_deref().and_then(east));
        others.extend(told.filter(|_| same));
    }
    others.sort_unstable();
    others.dedup();
    match others.as_slice() {
        [] => {}
        [seconds] => return (Some(*seconds), Some("its offset from UTC is given with another of its times")),
        _ => return (None, Some("two offsets from UTC are given")),
    }
    if let Some(hours) = beside.zone_hours.filter(|hours| (-12.0..=14.0).contains(hours)) {
        return (Some((hours * 3600.0) as i32), None);
    }
    match beside.gps.and_then(|gps| offset_by_gps(read.local, gps)) {
        Some(seconds) => (Some(seconds), Some("its offset from UTC follows from the time of its GPS fix")),
        None => (None, None),
    }
}

fn offset_by_gps(local: DateTime, gps: Timestamp) -> Option<i32> {
    let apart = Offset::UTC.to_timestamp(local).ok()?.as_second() - gps.as_second();
    let offset = (apart + QUARTER_S / 2).div_euclid(QUARTER_S) * QUARTER_S;
    let near = (apart - offset).abs() <= GPS_LAG_MAX_S;
    i32::try_from(offset).ok().filter(|seconds| near && offset::is_in_use(*seconds))
}

fn seconds_of(time: DateTime) -> Option<DateTime> {
    time.with().subsec_nanosecond(0).build().ok()
}

/// The instant at which clocks `seconds` east of UTC show `local`.
pub(super) fn at(local: DateTime, seconds: i32) -> Option<Timestamp> {
    Offset::from_seconds(seconds).and_then(|offset| offset.to_timestamp(local)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: Option<&str>, offset: Option<&str>) -> Stamp {
        Stamp {
            from: Source::Exif,
            likely: None,
            text: text.map(Into::into),
            fraction: None,
            offset: offset.map(Into::into),
        }
    }

    const NOON: &str = "2026:08:22 10:08:19";

    fn instant(stamps: &[Stamp], beside: &OffsetHints) -> (Option<String>, Option<String>) {
        let (taken, origin) = taken_at(stamps, beside);
        let taken = taken.as_option().copied().expect("known");
        assert_eq!(taken.local.to_string(), "2026-08-22T10:08:19");
        (taken.instant.map(|instant| instant.to_string()), origin.expect("told").likely)
    }

    #[test]
    fn offsets_are_taken_from_wherever_they_hold() {
        const EIGHT: Option<&str> = Some("2026-08-22T08:08:19Z");
        let other = |time: Option<&str>| vec![stamp(Some(NOON), None), stamp(time, Some("+02:00"))];
        let table: [(Vec<Stamp>, Option<&str>, bool); 8] = [
            (vec![stamp(Some(NOON), Some("+0200"))], EIGHT, false),
            (vec![stamp(Some("2026:08:22 10:08:19+02:00"), None)], EIGHT, false),
            (vec![stamp(Some("2026:08:22 10:08:19+02:00"), Some("+01:00"))], None, true),
            (other(Some(NOON)), EIGHT, true),
            (other(Some("2026:08:22 10:08:19.5")), EIGHT, true),
            (other(None), EIGHT, true),
            (other(Some("2026:09:01 08:00:00")), None, false),
            ([other(Some(NOON)), vec![stamp(Some(NOON), Some("+01:00"))]].concat(), None, true),
        ];
        for (stamps, expected, likely) in table {
            let (instant, doubt) = instant(&stamps, &OffsetHints::default());
            assert_eq!((instant.as_deref(), doubt.is_some()), (expected, likely), "{stamps:?}");
        }
    }

    #[test]
    fn gps_time_gives_a_likely_offset() {
        let table = [
            ("2026-08-22T08:08:19Z", Some("2026-08-22T08:08:19Z")),
            ("2026-08-22T08:07:01Z", Some("2026-08-22T08:08:19Z")),
            ("2026-08-22T04:23:19Z", Some("2026-08-22T04:23:19Z")),
            // The fix was older than can be told from another offset, or of another day.
            ("2026-08-22T08:01:00Z", None),
            ("2026-08-20T08:08:19Z", None),
        ];
        for (gps, expected) in table {
            let beside = OffsetHints { gps: Some(gps.parse().expect("a time")), zone_hours: None };
            let (instant, likely) = instant(&[stamp(Some(NOON), None)], &beside);
            assert_eq!((instant.as_deref(), likely.is_some()), (expected, expected.is_some()), "{gps}");
        }
        let zone = OffsetHints { zone_hours: Some(2.0), gps: None };
        assert_eq!(instant(&[stamp(Some(NOON), None)], &zone).0.as_deref(), Some("2026-08-22T08:08:19Z"));
    }

    #[test]
    fn the_first_time_that_is_one_counts() {
        let digitised = Stamp { likely: Some("of another event"), ..stamp(Some(NOON), None) };
        let (taken, origin) =
            taken_at(&[stamp(Some("0000:00:00 00:00:00"), None), digitised], &OffsetHints::default());
        assert!(taken.as_option().is_some());
        assert_eq!(origin.and_then(|origin| origin.likely).as_deref(), Some("of another event"));
        let (unknown, origin) =
            taken_at(&[stamp(None, None), stamp(Some("yesterday"), None)], &OffsetHints::default());
        assert!(matches!(&unknown, Known::Unknown(because) if because.contains("no date")), "{unknown:?}");
        assert_eq!(origin, None);
    }
}
