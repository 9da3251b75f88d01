//! Deserialisers for answers that are not quite what the reference says.
//!
//! Ids come as numbers or text, numbers as text, anything as null. An id that is needed must be
//! readable; everything else becomes `None` rather than a failure.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::value::I64Deserializer;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A whole number from a number or from text; never through `f64`, which loses ids beyond 2^53.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Text from text or from a number; empty text is none.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn id_of<T: DeserializeOwned>(value: &Value) -> Option<T> {
    let deserializer: I64Deserializer<serde::de::value::Error> = integer(value)?.into_deserializer();
    T::deserialize(deserializer).ok()
}

/// An id that must be there.
pub(crate) fn id<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    id_of(&value).ok_or_else(|| D::Error::custom(format!("{value} is no id")))
}

/// An id that may be missing.
pub(crate) fn opt_id<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| id_of(&value))
}

/// Text that may be missing.
pub(crate) fn opt_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(deserializer).map(|value| text_of(&value))
}

/// Text that is empty when missing.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    opt_text(deserializer).map(Option::unwrap_or_default)
}

/// A count that may be missing.
pub(crate) fn opt_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Value::deserialize(deserializer).map(|value| integer(&value).and_then(|n| u64::try_from(n).ok()))
}

/// A whole number that may be missing.
pub(crate) fn opt_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Value::deserialize(deserializer).map(|value| integer(&value))
}

/// A flag; missing is no.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Value::deserialize(deserializer).map(|value| match value {
        Value::Bool(flag) => flag,
        Value::String(text) => text == "true",
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    })
}

/// An instant that may be missing.
pub(crate) fn opt_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    opt_text(deserializer).map(|text| text.and_then(|text| text.parse().ok()))
}

/// A day that may be missing.
pub(crate) fn opt_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    opt_text(deserializer).map(|text| text.and_then(|text| text.parse().ok()))
}

/// An object that may be missing, null or empty.
pub(crate) fn opt_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).ok())
}

/// A list of which unreadable rows are left out; for side information, never for what was asked for.
pub(crate) fn side_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let Value::Array(rows) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(rows.into_iter().filter_map(|row| serde_json::from_value(row).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ImageId;

    #[derive(Debug, Deserialize)]
    struct Row {
        #[serde(deserialize_with = "id")]
        id: ImageId,
        #[serde(default, deserialize_with = "opt_text")]
        name: Option<String>,
        #[serde(default, deserialize_with = "flag")]
        private: bool,
        #[serde(default, deserialize_with = "opt_time")]
        at: Option<Timestamp>,
    }

    #[test]
    fn ids_come_as_numbers_or_text() {
        let id = |text: &str| serde_json::from_str::<Row>(text).map(|row| row.id.value());
        assert_eq!(id(r#"{"id": 562950208716653}"#).expect("a number"), 562_950_208_716_653);
        assert_eq!(id(r#"{"id": "9007199254740993"}"#).expect("text"), 9_007_199_254_740_993);
        for bad in [r#"{"id": null}"#, r#"{"id": "x"}"#, r"{}", r#"{"id": 1.5}"#] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn side_information_never_fails() {
        let odd = r#"{"id": 1, "name": 7, "private": "true", "at": "soon", "new_field": {}}"#;
        let row: Row = serde_json::from_str(odd).expect("lenient");
        assert_eq!((row.name.as_deref(), row.private, row.at), (Some("7"), true, None));
        let null = r#"{"id": 1, "name": null, "private": null, "at": null}"#;
        let row: Row = serde_json::from_str(null).expect("lenient");
        assert_eq!((row.name, row.private, row.at), (None, false, None));
        let dated: Row = serde_json::from_str(r#"{"id": 1, "at": "2026-06-02T16:05:01Z"}"#).expect("valid");
        assert_eq!(dated.at.map(|at| at.to_string()).as_deref(), Some("2026-06-02T16:05:01Z"));
    }
}
