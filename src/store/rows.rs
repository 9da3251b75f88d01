//! From columns to values and back: times, JSON, hex ids, bounded texts.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::error::Error;

/// The most bytes of a name that comes from outside: a file, a person, a place.
pub(crate) const NAME_BYTES: usize = 500;

/// Milliseconds since 1970.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The instant of a time column.
pub(crate) fn instant(millis: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(millis).map_err(|error| Error::Corrupt(format!("time {millis}: {error}")))
}

/// A JSON column's text.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Error> {
    Ok(serde_json::to_string(value)?)
}

/// The value of a JSON column.
pub(crate) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::row("column", column, error))
}

/// The value of a JSON column that may be empty.
pub(crate) fn from_json_option<T: DeserializeOwned>(
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, Error> {
    text.map(|text| from_json(column, text)).transpose()
}

/// An id or digest kept as hex.
pub(crate) fn from_hex<T: FromStr<Err: std::fmt::Display>>(column: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::row("column", column, error))
}

/// A name such as a state, read with the same serde spelling that the domain gives it.
pub(crate) fn from_name<T: DeserializeOwned>(column: &str, name: &str) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(name.to_owned()))
        .map_err(|error| Error::row("column", column, error))
}

/// At most `max` bytes of `text`, cut between characters, and before a NUL: PostgreSQL has no place for one in a
/// text, and none for a long text in an index.
pub(crate) fn bounded(text: &str, max: usize) -> &str {
    let text = text.split('\0').next().unwrap_or_default();
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::{Delivery, FindingState};

    #[test]
    fn names_in_the_database_are_those_of_the_domain() {
        for state in
            [FindingState::Proposed, FindingState::Accepted, FindingState::Rejected, FindingState::TakenOver]
        {
            assert_eq!(from_name::<FindingState>("state", state.name()).expect("a name"), state);
        }
        for delivery in [Delivery::Withheld, Delivery::Waiting, Delivery::Delivered, Delivery::Refused] {
            assert_eq!(from_name::<Delivery>("delivery", delivery.name()).expect("a name"), delivery);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(bounded("naïve", 3), "na");
        assert_eq!(bounded("naïve", 4), "naï");
        assert_eq!(bounded("naïve", 400), "naïve");
        assert_eq!(bounded("IMG\0.jpg", 400), "IMG");
    }
}
