//! EXIF's three time texts to one time of capture (Exif 2.32, 4.6.5.F).

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::domain::capture::{Known, TakenAt};

/// Cameras whose clock was never set write years before this one.
const FIRST_YEAR: i16 = 1995;

/// Reads `date_time` (`YYYY:MM:DD HH:MM:SS`), `subsec` (decimal digits) and `offset` (`±HH:MM`).
/// An odd offset or fraction is left out alone.
pub(super) fn read(date_time: &str, subsec: Option<&str>, offset: Option<&str>) -> Known<TakenAt> {
    let text = date_time.trim();
    if text.chars().all(|c| matches!(c, ' ' | ':' | '0' | '-')) {
        return Known::unknown("the camera left the time of capture blank");
    }
    let Some(local) = civil(text, nanoseconds(subsec)) else {
        return Known::unknown(format!("its time of capture is no date: '{}'", excerpt(text)));
    };
    if local.year() < FIRST_YEAR {
        return Known::unknown(format!("the camera's clock was not set: it says {}", local.date()));
    }
    let instant = offset
        .and_then(seconds_east)
        .and_then(|seconds| Offset::from_seconds(seconds).and_then(|offset| offset.to_timestamp(local)).ok());
    Known::Known(TakenAt { local, instant })
}

fn civil(text: &str, nanoseconds: i32) -> Option<DateTime> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let mut date = date.split([':', '-', '/']);
    let mut time = time.trim().split(':');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    if date.next().is_some() || time.next().is_some() || year.len() != 4 {
        return None;
    }
    let part = |text: &str| text.parse::<i8>().ok();
    DateTime::new(
        year.parse().ok()?,
        part(month)?,
        part(day)?,
        part(hour)?,
        part(minute)?,
        part(second)?,
        nanoseconds,
    )
    .ok()
}

fn nanoseconds(subsec: Option<&str>) -> i32 {
    let digits: String = subsec.unwrap_or_default().trim().chars().take(9).collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    format!("{digits:0<9}").parse().unwrap_or(0)
}

fn seconds_east(offset: &str) -> Option<i32> {
    let offset = offset.trim();
    if offset == "Z" {
        return Some(0);
    }
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    // Clocks on Earth run from -12:00 to +14:00.
    ((0..=14).contains(&hours) && (0..60).contains(&minutes)).then_some(sign * (hours * 3600 + minutes * 60))
}

fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_offset() {
        let table = [
            ("2026:11:24 09:15:30", None, None, "2026-11-24T09:15:30", None),
            (
                "2026:11:24 09:15:30",
                Some("25"),
                Some("+02:00"),
                "2026-11-24T09:15:30.25",
                Some("2026-11-24T07:15:30.25Z"),
            ),
            (
                "2026:11:24 09:15:30",
                Some("x"),
                Some("-05:30"),
                "2026-11-24T09:15:30",
                Some("2026-11-24T14:45:30Z"),
            ),
            ("2026-11-24T09:15:30", None, Some("Z"), "2026-11-24T09:15:30", Some("2026-11-24T09:15:30Z")),
            ("2026:11:24 09:15:30", None, Some("+25:00"), "2026-11-24T09:15:30", None),
            ("2026:11:24 09:15:30", None, Some("   :  "), "2026-11-24T09:15:30", None),
        ];
        for (text, subsec, offset, local, instant) in table {
            let Known::Known(taken) = read(text, subsec, offset) else { panic!("{text}: unknown") };
            assert_eq!(taken.local.to_string(), local);
            assert_eq!(taken.instant.map(|instant| instant.to_string()).as_deref(), instant);
        }
    }

    #[test]
    fn odd_times_are_unknown_and_say_why() {
        let table = [
            ("    :  :     :  :  ", "blank"),
            ("0000:00:00 00:00:00", "blank"),
            ("", "blank"),
            ("2026:13:01 10:00:00", "no date"),
            ("2026:02:30 10:00:00", "no date"),
            ("2026:02:28 25:00:00", "no date"),
            ("yesterday", "no date"),
            ("26:02:28 10:00:00", "no date"),
            ("1970:01:01 00:00:00", "clock was not set"),
        ];
        for (text, words) in table {
            let Known::Unknown(because) = read(text, None, None) else { panic!("{text}: known") };
            assert!(because.contains(words), "{because}");
        }
    }
}
