//! Form fields as JSON.

use serde_json::{Map, Value, json};

/// Puts a form field where its brackets say: `punch_item[image_ids][]` is a list in an object.
pub(super) fn nest(body: &mut Value, name: &str, value: String) {
    let mut spot = body;
    for key in name.split('[').map(|key| key.trim_end_matches(']')) {
        spot = if key.is_empty() {
            if !spot.is_array() {
                *spot = json!([]);
            }
            let Value::Array(items) = spot else { return };
            items.push(Value::Null);
            let Some(last) = items.last_mut() else { return };
            last
        } else {
            if !spot.is_object() {
                *spot = Value::Object(Map::new());
            }
            let Value::Object(fields) = spot else { return };
            fields.entry(key).or_insert(Value::Null)
        };
    }
    *spot = Value::String(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_nest() {
        let mut body = json!({});
        for (name, value) in [
            ("project_id", "6778"),
            ("punch_item[name]", "Crack"),
            ("punch_item[image_ids][]", "1"),
            ("punch_item[image_ids][]", "2"),
        ] {
            nest(&mut body, name, value.to_owned());
        }
        let expected =
            json!({ "project_id": "6778", "punch_item": { "name": "Crack", "image_ids": ["1", "2"] } });
        assert_eq!(body, expected);
    }
}
