//! Holds answers against the served `OpenAPI` document, more strictly than it demands of others: a field that it
//! does not tell of is a fault.

use std::sync::LazyLock;

use serde_json::Value;

use crate::http::api::DOCUMENT;

pub(super) static OPENAPI: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(DOCUMENT).expect("JSON"));

/// What is wrong with an answer to `method` `path` (as the document writes it), if anything.
pub(super) fn faults(method: &str, path: &str, status: u16, content_type: &str, body: &str) -> Vec<String> {
    let operation = &OPENAPI["paths"][path][method];
    let mut response = &operation["responses"][status.to_string()];
    if let Some(name) = response["$ref"].as_str() {
        response = resolve(name);
    }
    if response.is_null() {
        return vec![format!("{method} {path}: status {status} is not told of")];
    }
    let Some(content) = response["content"].as_object() else {
        return (!body.is_empty())
            .then(|| format!("{method} {path}: there may be no body"))
            .into_iter()
            .collect();
    };
    let Some(media) = content.get(content_type) else {
        return vec![format!("{method} {path}: {content_type} is not told of for {status}")];
    };
    if !content_type.ends_with("json") {
        return Vec::new();
    }
    let value = serde_json::from_str(body).expect("a JSON body");
    let mut found = Vec::new();
    check(&media["schema"], &value, "", &mut found);
    found.into_iter().map(|fault| format!("{method} {path} {status}: {fault}")).collect()
}

fn resolve(reference: &str) -> &'static Value {
    let pointer = reference.strip_prefix('#').expect("a local reference");
    OPENAPI.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap_or_else(|| panic!("{at}: no schema: {schema}")) {
        match keyword.as_str() {
            "$ref" => check(resolve(rule.as_str().expect("a reference")), value, at, found),
            "type" => check_type(rule, value, at, found),
            "enum" if !rule.as_array().is_some_and(|names| names.contains(value)) => {
                found.push(format!("{at}: {value} is none of {rule}"));
            }
            "const" if rule != value => found.push(format!("{at}: {value} is not {rule}")),
            "properties" => check_properties(schema, value, at, found),
            "required" => {
                for name in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        found.push(format!("{at}: {name} is missing"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{at}[{index}]"), found);
                }
            }
            "prefixItems" => {
                let rules = rule.as_array().into_iter().flatten();
                for (index, (rule, item)) in rules.zip(value.as_array().into_iter().flatten()).enumerate() {
                    check(rule, item, &format!("{at}[{index}]"), found);
                }
            }
            "oneOf" | "anyOf" => check_choice(rule, value, at, found),
            "pattern" => check_pattern(rule, value, at, found),
            "minItems" => bound(
                value.as_array().map(|items| items.len() as f64),
                rule,
                at,
                |have, want| have >= want,
                found,
            ),
            "maxItems" => bound(
                value.as_array().map(|items| items.len() as f64),
                rule,
                at,
                |have, want| have <= want,
                found,
            ),
            "minimum" => bound(value.as_f64(), rule, at, |have, want| have >= want, found),
            "maximum" => bound(value.as_f64(), rule, at, |have, want| have <= want, found),
            "format" => check_format(rule, value, at, found),
            "enum"
            | "const"
            | "description"
            | "additionalProperties"
            | "contentMediaType"
            | "minLength"
            | "maxLength" => {}
            other => panic!("{at}: this check does not know '{other}'"),
        }
    }
}

fn check_type(rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |name: &str| name == own || name == "number" && own == "integer";
    let allowed = match rule {
        Value::String(name) => fits(name),
        names => names.as_array().into_iter().flatten().filter_map(Value::as_str).any(fits),
    };
    if !allowed {
        found.push(format!("{at}: {value} is no {rule}"));
    }
}

fn check_properties(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (name, item) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(rule) => check(rule, item, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}: the document does not tell of {name}")),
        }
    }
}

fn check_choice(rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let tried = rule.as_array().into_iter().flatten().map(|schema| {
        let mut faults = Vec::new();
        check(schema, value, at, &mut faults);
        faults
    });
    let tried: Vec<Vec<String>> = tried.collect();
    if tried.iter().all(|faults| !faults.is_empty()) {
        found.push(format!("{at}: fits none of the choices: {tried:?}"));
    }
}

/// The few patterns of the document are runs of a class of letters; the fuzzer checks them in full.
fn check_pattern(rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(text) = value.as_str() else { return };
    let digits = |length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let fits = match rule.as_str().expect("a pattern") {
        "^[0-9a-f]{32}$" => digits(32),
        "^[0-9a-f]{64}$" => digits(64),
        "^(account:[0-9]+|procore:-?[0-9]+|key)$" => text.parse::<crate::domain::people::PersonId>().is_ok(),
        other => panic!("this check does not know the pattern {other}"),
    };
    if !fits {
        found.push(format!("{at}: '{text}' is not {rule}"));
    }
}

fn check_format(rule: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(text) = value.as_str() else { return };
    let fits = match rule.as_str().expect("a format") {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        // Numbers alone have this one, and their type is checked elsewhere.
        "int64" => true,
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        other => panic!("this check does not know the format {other}"),
    };
    if !fits {
        found.push(format!("{at}: '{text}' is no {rule}"));
    }
}

fn bound(have: Option<f64>, rule: &Value, at: &str, holds: fn(f64, f64) -> bool, found: &mut Vec<String>) {
    let want = rule.as_f64().expect("a number");
    if have.is_some_and(|have| !holds(have, want)) {
        found.push(format!("{at}: beyond {want}"));
    }
}

#[test]
fn the_check_itself_can_fail() {
    let faults = |schema: &str, value: Value| {
        let mut found = Vec::new();
        check(resolve(&format!("#/components/schemas/{schema}")), &value, "", &mut found);
        found
    };
    let good = serde_json::json!({ "company": 8, "project": 6778 });
    assert_eq!(faults("ProjectKey", good), [""; 0]);
    for bad in [
        serde_json::json!({ "company": 8 }),
        serde_json::json!({ "company": "8", "project": 6778 }),
        serde_json::json!({ "company": 8, "project": 6778, "surprise": 1 }),
        serde_json::json!({ "company": 0, "project": 6778 }),
        serde_json::json!(7),
    ] {
        assert_ne!(faults("ProjectKey", bad.clone()), [""; 0], "{bad}");
    }
    assert_ne!(faults("Role", serde_json::json!("owner")), [""; 0]);
    assert_ne!(faults("Rights", serde_json::json!({ "everywhere": "owner" })), [""; 0]);
    assert_ne!(super::schema::faults("get", "/api/v1/me", 418, "application/json", "{}"), [""; 0]);
    assert_ne!(super::schema::faults("get", "/api/v1/me", 200, "text/plain", ""), [""; 0]);
}
