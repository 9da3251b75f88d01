//! What an error body says, in one line, whatever its shape.
//!
//! Procore has at least six JSON shapes for errors, and what stands in front of it answers with
//! HTML or plain text.

use serde_json::{Map, Value};

/// The longest message kept, characters.
const LONGEST: usize = 400;

/// The keys under which messages are found, the most telling first.
const KEYS: [&str; 7] = ["message", "error_description", "error", "errors", "reason", "details", "fields"];

/// One line from the body of an error; says so when there is nothing to say.
pub(crate) fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_str::<Value>(&text) {
        Ok(value) => said(&value),
        Err(_) if looks_like_html(&text) => html(&text),
        Err(_) => text.into_owned(),
    };
    match one_line(&said) {
        line if line.is_empty() => "no reason given".to_owned(),
        line => line,
    }
}

/// `message` with every one of `secrets` blotted out.
pub(crate) fn scrub(message: String, secrets: &[&str]) -> String {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets.fold(message, |message, secret| message.replace(secret, "[redacted]"))
}

fn said(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => join(items.iter().map(said)),
        Value::Object(fields) => object(fields),
        other => other.to_string(),
    }
}

fn object(fields: &Map<String, Value>) -> String {
    let known = KEYS.iter().filter_map(|key| fields.get(*key)).map(said);
    let parts = join(known);
    if !parts.is_empty() {
        return parts;
    }
    // Rails style, the names of the fields that are wrong; or nothing but a code.
    join(fields.iter().map(|(field, value)| format!("{field} {}", said(value))))
}

/// The parts that say something new, in order.
fn join(parts: impl Iterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for part in parts.filter(|part| !part.trim().is_empty()) {
        if !kept.contains(&part) {
            kept.push(part);
        }
    }
    kept.join("; ")
}

fn looks_like_html(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// The title of a page, or its text without tags.
fn html(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title =
        lower.find("<title>").zip(lower.find("</title>")).and_then(|(start, end)| text.get(start + 7..end));
    title.map_or_else(|| without_tags(text), |title| format!("a page titled '{}'", title.trim()))
}

fn without_tags(text: &str) -> String {
    let mut inside = false;
    let kept = text.chars().filter(|c| match c {
        '<' => {
            inside = true;
            false
        }
        '>' => !std::mem::replace(&mut inside, false),
        _ => !inside,
    });
    kept.collect()
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_told_in_one_line() {
        let check = |body: &str, expected: &str| assert_eq!(message(body.as_bytes()), expected, "{body}");
        check(include_str!("../../fixtures/procore/errors/generic.json"), "You are not allowed; punch_items");
        check(
            include_str!("../../fixtures/procore/errors/rails.json"),
            "location_id is not in this project; name can't be blank",
        );
        check(r#"{"errors": "The access token is invalid"}"#, "The access token is invalid");
        check(r#"{"error": {"code": "X1", "message": "No", "details": ["why"]}}"#, "No; why");
        check(
            r#"{"error": "invalid_client", "error_description": "Unknown client"}"#,
            "Unknown client; invalid_client",
        );
        check(r#"{"message": "A", "error": "A"}"#, "A");
        check(r#"{"code": 422}"#, "code 422");
        check(
            include_str!("../../fixtures/procore/errors/v2.json"),
            "Hook is not valid; namespace has bad characters",
        );
        check(
            include_str!("../../fixtures/procore/errors/edge.html"),
            "a page titled '503 Service Unavailable'",
        );
        check("<html><body>\n<h1>Bad\nGateway</h1></body></html>", "Bad Gateway");
        check(
            "You have surpassed the max\nnumber of requests",
            "You have surpassed the max number of requests",
        );
        check("", "no reason given");
        check("{}", "no reason given");
        check("<title>é</", "é");
    }

    #[test]
    fn messages_are_bounded_and_scrubbed() {
        let long = message("é".repeat(5000).as_bytes());
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert_eq!(scrub("token abc is bad".into(), &["abc", ""]), "token [redacted] is bad");
        assert!(!message(&[0xff, 0xfe, 0x00]).is_empty());
    }
}
