//! Writing JSON: strings with as few escapes as JSON allows, values compactly, fractions as Java doubles.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use super::java_double;

/// Appends `text` as a JSON string; only quotes, backslashes and control characters are escaped.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04X}", character as u32);
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Appends a number: whole ones keep their digits (`-0` is `0`), others are printed as Java doubles. One that no
/// double holds is infinite and stands in quotes, as JSON has no other way to say it.
pub(crate) fn number(number: &Number, out: &mut String) {
    let digits = number.as_str();
    if !digits.contains(['.', 'e', 'E']) {
        return out.push_str(if digits == "-0" { "0" } else { digits });
    }
    double(digits.parse().expect("JSON numbers are a subset of what Rust reads as a float"), out);
}

/// Appends a double; what is no number stands in quotes.
pub(crate) fn double(value: f64, out: &mut String) {
    let quoted = !value.is_finite();
    out.extend(quoted.then_some('"'));
    java_double(value, out);
    out.extend(quoted.then_some('"'));
}

/// Appends a whole value compactly; with `sorted`, the members of its objects in order of their names.
pub fn value(json: &Value, sorted: bool, out: &mut String) {
    match json {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(digits) => number(digits, out),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                out.extend((position > 0).then_some(','));
                value(item, sorted, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            if sorted {
                members.sort_by_key(|(name, _)| *name);
            }
            out.push('{');
            for (position, (name, member)) in members.into_iter().enumerate() {
                out.extend((position > 0).then_some(','));
                quote(name, out);
                out.push(':');
                value(member, sorted, out);
            }
            out.push('}');
        }
    }
}
