//! Offsets from UTC, as they are written.

/// Seconds east of UTC: `+02:00`, `+0200`, `+2`, `UTC+2`, `Z`. None for anything else, and for offsets that no clock
/// on Earth has.
pub(in crate::photo::metadata) fn east(text: &str) -> Option<i32> {
    let text = text.trim().replace(['\u{2212}', '\u{2013}'], "-").to_ascii_uppercase();
    if matches!(text.as_str(), "Z" | "UTC" | "GMT") {
        return Some(0);
    }
    let text = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT")).unwrap_or(&text).trim();
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].trim();
    let (hours, minutes) = match digits.split_once(':') {
        // Seconds, where they are written, are zero.
        Some((hours, minutes)) => (hours, minutes.strip_suffix(":00").unwrap_or(minutes)),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |text: &str| {
        let fine = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        fine.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = sign * (hours * 3600 + minutes * 60);
    (minutes < 60 && is_in_use(seconds)).then_some(seconds)
}

/// Clocks on Earth run from -12:00 to +14:00, in quarters of an hour.
pub(super) fn is_in_use(seconds: i32) -> bool {
    (-12 * 3600..=14 * 3600).contains(&seconds) && seconds % 900 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_they_are_written() {
        let table = [
            ("+02:00", Some(7200)),
            ("+0200", Some(7200)),
            ("+02", Some(7200)),
            ("+2", Some(7200)),
            ("+2:00", Some(7200)),
            ("+02:00:00", Some(7200)),
            ("UTC+2", Some(7200)),
            ("GMT+02:00", Some(7200)),
            ("UTC +2", Some(7200)),
            (" +02:00 ", Some(7200)),
            ("-05:30", Some(-19_800)),
            ("\u{2212}05:00", Some(-18_000)),
            ("+05:45", Some(20_700)),
            ("-00:00", Some(0)),
            ("Z", Some(0)),
            ("z", Some(0)),
            ("UTC", Some(0)),
            ("GMT", Some(0)),
            ("+14:00", Some(50_400)),
            ("+15:00", None),
            ("-13:00", None),
            ("+02:07", None),
            ("+02:75", None),
            ("02:00", None),
            ("+", None),
            ("   :  ", None),
            ("", None),
            ("CEST", None),
            ("+200", None),
            ("+é0", None),
        ];
        for (text, expected) in table {
            assert_eq!(east(text), expected, "'{text}'");
        }
    }
}
