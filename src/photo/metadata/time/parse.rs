//! One text to the time that a clock on the wall showed.

use jiff::Span;
use jiff::civil::DateTime;

use super::offset::east;

/// Cameras whose clock was never set write years before this one.
const FIRST_YEAR: i16 = 1995;

/// No camera of ours writes years after this one.
const LAST_YEAR: i16 = 2099;

/// Years by which the Thai calendar is ahead.
const BUDDHIST_YEARS: i16 = 543;

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::photo::metadata) struct Clock {
    /// Wall-clock time.
    pub(in crate::photo::metadata) local: DateTime,
    /// Seconds east of UTC, where the text says so.
    pub(in crate::photo::metadata) offset: Option<i32>,
    /// Why it is only likely.
    pub(in crate::photo::metadata) likely: Option<&'static str>,
}

/// Reads `text`: `2026:08:22 10:08:19`, and the ways in which programs write it otherwise: ISO 8601, without seconds,
/// padded with spaces, with a fraction, an offset, am or pm. `fraction` is decimal digits of a second.
///
/// # Errors
/// Why it is no time.
pub(in crate::photo::metadata) fn clock(text: &str, fraction: Option<&str>) -> Result<Clock, String> {
    let text = western_digits(text);
    let text = text.trim();
    let is_blank = |c: char| c == '0' || !c.is_alphanumeric() || matches!(c, 'T' | 'Z');
    if text.chars().all(is_blank) {
        return Err("the camera left the time of capture blank".into());
    }
    let no_date = || format!("its time of capture is no date: '{}'", excerpt(text));
    let mut clock = read(text, fraction).ok_or_else(no_date)?;
    let year = clock.local.year();
    if (FIRST_YEAR..=LAST_YEAR).contains(&(year - BUDDHIST_YEARS)) && year > LAST_YEAR {
        let back = Span::new().years(-i64::from(BUDDHIST_YEARS));
        clock.local = clock.local.checked_add(back).map_err(|_| no_date())?;
        clock.likely = clock.likely.or(Some("its year is taken for one of the Buddhist calendar"));
    } else if year < FIRST_YEAR {
        return Err(format!("the camera's clock was not set: it says {}", clock.local.date()));
    } else if year > LAST_YEAR {
        return Err(format!("the camera's clock was set wrongly: it says {}", clock.local.date()));
    }
    Ok(clock)
}

fn read(text: &str, fraction: Option<&str>) -> Option<Clock> {
    let mut rest = Cursor(text);
    let (year, month, day) = rest.date()?;
    rest.skip(&[' ', 'T', 't', ':', '_', '-']);
    let (hour, minute, second) = rest.time()?;
    let own = rest.fraction();
    let (half, offset) = suffix(rest.0)?;
    let (hour, likely) = match (half, hour) {
        // Some phones count the first hour of the day as its 24th.
        (None, 24) => (0, Some("its hour 24 is taken for the first of the day")),
        (None, hour) => (hour, None),
        (Some(Half::Morning), 1..=12) => (hour % 12, None),
        (Some(Half::Afternoon), 1..=12) => (hour % 12 + 12, None),
        // Already counted to 24.
        (Some(Half::Afternoon), 13..=23) => (hour, None),
        _ => return None,
    };
    let nanoseconds = nanoseconds(own.or(fraction));
    let part = |number: u16| i8::try_from(number).ok();
    let local = DateTime::new(
        i16::try_from(year).ok()?,
        part(month)?,
        part(day)?,
        part(hour)?,
        part(minute)?,
        part(second)?,
        nanoseconds,
    );
    Some(Clock { local: local.ok()?, offset, likely })
}

/// What is left of a text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self, letters: &[char]) {
        self.0 = self.0.trim_start_matches(letters);
    }

    fn digits(&mut self) -> &'a str {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }

    /// One or two digits, padded with spaces or not.
    fn part(&mut self) -> Option<u16> {
        self.skip(&[' ']);
        let digits = self.digits();
        matches!(digits.len(), 1 | 2).then(|| digits.parse().ok()).flatten()
    }

    /// A separator, padded with spaces or not.
    fn separator(&mut self, letters: &[char]) -> Option<()> {
        self.skip(&[' ']);
        self.0 = self.0.strip_prefix(letters)?;
        Some(())
    }

    /// Year, month and day, in this order alone: others are read in several ways.
    fn date(&mut self) -> Option<(u16, u16, u16)> {
        let digits = self.digits();
        match digits.len() {
            4 => {
                let separators = [':', '-', '/', '.'];
                self.separator(&separators)?;
                let month = self.part()?;
                self.separator(&separators)?;
                Some((digits.parse().ok()?, month, self.part()?))
            }
            8 => Some((digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?)),
            _ => None,
        }
    }

    /// Hour, minute and, where there is one, second.
    fn time(&mut self) -> Option<(u16, u16, u16)> {
        let before = self.0;
        let digits = self.digits();
        if matches!(digits.len(), 4 | 6) {
            let second = if digits.len() == 6 { digits[4..].parse().ok()? } else { 0 };
            return Some((digits[..2].parse().ok()?, digits[2..4].parse().ok()?, second));
        }
        self.0 = before;
        let hour = self.part()?;
        self.separator(&[':', '.'])?;
        let minute = self.part()?;
        let minutes_end = self.0;
        let second = self.separator(&[':', '.']).and_then(|()| self.part());
        if second.is_none() {
            self.0 = minutes_end;
        }
        Some((hour, minute, second.unwrap_or(0)))
    }

    /// Decimal digits of a second.
    fn fraction(&mut self) -> Option<&'a str> {
        let after = self.0.strip_prefix(['.', ',', ':'])?;
        let mut rest = Cursor(after);
        let digits = rest.digits();
        if digits.is_empty() {
            return None;
        }
        self.0 = rest.0;
        Some(digits)
    }
}

#[derive(Debug, Clone, Copy)]
enum Half {
    Morning,
    Afternoon,
}

/// What may stand behind a time: am or pm, an offset, a zone's name, which tells no offset. None for anything else.
fn suffix(text: &str) -> Option<(Option<Half>, Option<i32>)> {
    let text = text.trim();
    let plain: String = text.chars().filter(|c| *c != '.').collect::<String>().to_ascii_lowercase();
    let halves = [("am", Half::Morning), ("pm", Half::Afternoon)];
    for (word, half) in halves {
        if let Some(rest) = plain.strip_prefix(word).filter(|rest| !rest.starts_with(char::is_alphabetic)) {
            return Some((Some(half), east(rest)));
        }
    }
    let offset = east(text);
    let is_name = text.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '(' | ')' | '/' | '_' | ':'));
    (offset.is_some() || is_name).then_some((None, offset))
}

fn nanoseconds(fraction: Option<&str>) -> i32 {
    let digits: String = fraction.unwrap_or_default().trim().chars().take(9).collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    format!("{digits:0<9}").parse().unwrap_or(0)
}

/// Digits of Arabic, Persian and Indian phones as those of ASCII; other spaces as spaces.
fn western_digits(text: &str) -> String {
    let western = |c: char| {
        let zeros = ['\u{660}', '\u{6F0}', '\u{966}', '\u{9E6}', '\u{FF10}'];
        let digit = zeros.iter().find_map(|&zero| {
            u32::from(c).checked_sub(u32::from(zero)).and_then(|digit| char::from_digit(digit, 10))
        });
        match digit {
            Some(digit) => digit,
            None if c == '\u{FF1A}' => ':',
            None if c.is_whitespace() => ' ',
            None => c,
        }
    };
    // Marks for the direction of writing say nothing of the time.
    text.chars().filter(|c| !matches!(c, '\u{200E}' | '\u{200F}' | '\u{61C}')).map(western).collect()
}

fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_write_them() {
        const PLAIN: &str = "2026-08-22T10:08:19";
        let table: [(&str, Option<&str>, &str, Option<i32>); 32] = [
            ("2026:08:22 10:08:19", None, PLAIN, None),
            ("2026:08:22 10:08:19", Some("25 "), "2026-08-22T10:08:19.25", None),
            ("2026:08:22 10:08:19", Some("x"), PLAIN, None),
            ("2026:08:22 10:08:19.250", Some("9"), "2026-08-22T10:08:19.25", None),
            ("2026:08:22 10:08:19,250", None, "2026-08-22T10:08:19.25", None),
            ("2026:08:22 10:08:19.1234567891", None, "2026-08-22T10:08:19.123456789", None),
            ("2026:08:22 10:08:19Z", None, PLAIN, Some(0)),
            ("2026:08:22 10:08:19 UTC", None, PLAIN, Some(0)),
            ("2026:08:22 10:08:19+02:00", None, PLAIN, Some(7200)),
            ("2026:08:22 10:08:19.250+02:00", None, "2026-08-22T10:08:19.25", Some(7200)),
            ("2026:08:22 10:08:19 -0530", None, PLAIN, Some(-19_800)),
            ("2026:08:22 10:08:19 CEST", None, PLAIN, None),
            ("2026:08:22 10:08", None, "2026-08-22T10:08:00", None),
            ("2026:08:22 10:08+02:00", None, "2026-08-22T10:08:00", Some(7200)),
            ("2026: 8: 2  9: 8: 9", None, "2026-08-02T09:08:09", None),
            ("  2026:08:22  10:08:19  ", None, PLAIN, None),
            ("2026:8:22 10:8:19", None, PLAIN, None),
            ("2026-08-22 10:08:19", None, PLAIN, None),
            ("2026-08-22T10:08:19", None, PLAIN, None),
            ("2026-08-22T10:08:19.5Z", None, "2026-08-22T10:08:19.5", Some(0)),
            ("2026/08/22 10:08:19", None, PLAIN, None),
            ("2026.08.22 10.08.19", None, PLAIN, None),
            ("2026:08:22:10:08:19", None, PLAIN, None),
            ("20260822 100819+0200", None, PLAIN, Some(7200)),
            ("20260822T1008", None, "2026-08-22T10:08:00", None),
            ("2026:08:22 24:08:19", None, "2026-08-22T00:08:19", None),
            ("2026:08:22 12:08:19 AM", None, "2026-08-22T00:08:19", None),
            ("2026:08:22 10:08:19 p.m.", None, "2026-08-22T22:08:19", None),
            ("2026:08:22 10:08:19 AM+02:00", None, PLAIN, Some(7200)),
            ("\u{662}\u{660}\u{662}\u{666}:\u{660}\u{668}:\u{662}\u{662} 10:08:19", None, PLAIN, None),
            ("2026:08:22\u{A0}10:08:19", None, PLAIN, None),
            ("2569:08:22 10:08:19", None, PLAIN, None),
        ];
        for (text, fraction, local, offset) in table {
            let read = clock(text, fraction).unwrap_or_else(|because| panic!("{text}: {because}"));
            assert_eq!((read.local.to_string().as_str(), read.offset), (local, offset), "{text}");
            let guessed = text.contains("24:") || text.starts_with("2569");
            assert_eq!(read.likely.is_some(), guessed, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_says_why() {
        let table = [
            ("    :  :     :  :  ", "blank"),
            ("0000:00:00 00:00:00", "blank"),
            ("0000-00-00T00:00:00", "blank"),
            ("----:--:-- --:--:--", "blank"),
            ("", "blank"),
            ("2026:13:01 10:00:00", "no date"),
            ("2026:02:30 10:00:00", "no date"),
            ("2026:02:28 25:00:00", "no date"),
            ("2026:02:28 10:60:00", "no date"),
            ("2026:00:00 10:00:00", "no date"),
            ("2026:02:28", "no date"),
            ("2026:02:28 10", "no date"),
            ("2026:02:28 13:00:00 AM", "no date"),
            ("yesterday", "no date"),
            ("26:02:28 10:00:00", "no date"),
            ("28/02/2026 10:00:00", "no date"),
            ("02-28-2026 10:00:00", "no date"),
            ("1771840000", "no date"),
            ("2026:02:28 10:00:00 7", "no date"),
            ("1970:01:01 00:00:00", "clock was not set"),
            ("2150:01:01 00:00:00", "clock was set wrongly"),
        ];
        for (text, words) in table {
            let because = clock(text, None).expect_err(text);
            assert!(because.contains(words), "{text}: {because}");
        }
    }
}
