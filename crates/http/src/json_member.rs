//! Members of records, converted from their JSON text: leniently where Confluent is lenient (docs/reference/rest-v2.md §3.2).
//!
//! A number may be a string, a fraction is cut off, null counts as absent. Errors name the member, what was expected and what was found.

use std::borrow::Cow;

use postern_json_text::{Reader, Token};

/// A sentence about a member that cannot be used.
pub(crate) type Unusable = String;

/// A 32 bit integer; `None`: null, or an empty text.
pub(crate) fn int(member: &str, raw: &str) -> Result<Option<i32>, Unusable> {
    let text = string(raw);
    let number = text.as_deref().map_or(raw, str::trim);
    if number.is_empty() || raw == "null" {
        return Ok(None);
    }
    if let Ok(int) = number.parse() {
        return Ok(Some(int));
    }
    let is_number = text.is_none() && raw.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let fraction = if is_number { number.parse::<f64>().ok() } else { None };
    match fraction.map(f64::trunc).filter(|whole| (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(whole)) {
        Some(whole) => Ok(Some(whole as i32)),
        None => Err(wrong(member, "a 32 bit integer", raw)),
    }
}

/// A text; numbers and booleans count as what they are written as. `None`: null.
pub(crate) fn text<'a>(member: &str, expected: &str, raw: &'a str) -> Result<Option<Cow<'a, str>>, Unusable> {
    match raw.as_bytes().first() {
        Some(b'"') => string(raw).map(Some).ok_or_else(|| wrong(member, expected, raw)),
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') | None => Err(wrong(member, expected, raw)),
        Some(_) => Ok(Some(Cow::Borrowed(raw))),
    }
}

/// One of the names in `known`, written exactly so. `None`: null.
pub(crate) fn name<T: Copy>(member: &str, known: &[(&str, T)], raw: &str) -> Result<Option<T>, Unusable> {
    if raw == "null" {
        return Ok(None);
    }
    let found = string(raw).and_then(|text| known.iter().find(|(name, _)| *name == text));
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        wrong(member, &format!("one of {}", names.join(", ")), raw)
    })
}

/// The characters of a JSON string; `None`: it is another value, or half of a surrogate pair is among them.
pub(crate) fn string(raw: &str) -> Option<Cow<'_, str>> {
    match Reader::over(raw, 0).next_token() {
        Ok(Token::String(text)) => text.unescaped().ok(),
        Ok(_) | Err(_) => None,
    }
}

/// The sentence about a member that is not what was expected.
pub(crate) fn wrong(member: &str, expected: &str, raw: &str) -> Unusable {
    format!("{member}: expected {expected}, found {}.", shown(raw))
}

/// What a value is, for messages.
pub(crate) fn kind_of(token: Token<'_>) -> &'static str {
    match token {
        Token::Null => "null",
        Token::Bool(_) => "a boolean",
        Token::Number(_) => "a number",
        Token::String(_) => "a string",
        Token::Array => "an array",
        Token::Object => "an object",
    }
}

/// The beginning of a value, for messages.
pub(crate) fn shown(raw: &str) -> String {
    let mut shown: String = raw.chars().take(40).collect();
    if shown.len() < raw.len() {
        shown.push('…');
    }
    shown
}
