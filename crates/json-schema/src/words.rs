//! How values are spoken of in errors, and how the way to them is written.

use std::fmt::Write as _;

use serde_json::Value;

/// So many characters of a text are shown.
const SHOWN: usize = 60;

/// A value in a few words.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => shown(number.as_str()),
        Value::String(text) => {
            let mut out = "string ".to_owned();
            postern_json_text::quote(&shown(text), &mut out);
            out
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The beginning of a text.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One step to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'v> {
    Member(&'v str),
    Item(usize),
}

/// The way to a value: `orbit[2].angle`, `tags["a b"]`.
pub(super) fn path(steps: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in steps {
        match step {
            Step::Item(position) => {
                let _ = write!(out, "[{position}]");
            }
            Step::Member(name) if is_word(name) => {
                out.push_str(if out.is_empty() { "" } else { "." });
                out.push_str(name);
            }
            Step::Member(name) => {
                out.push('[');
                postern_json_text::quote(name, &mut out);
                out.push(']');
            }
        }
    }
    out
}

fn is_word(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && characters.all(|character| character == '_' || character.is_ascii_alphanumeric())
}
