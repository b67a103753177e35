//! What to say when the text of a value is not JSON at all, and a check that it does not nest too deep.

use super::MAX_DEPTH;
use super::path::{Failure, Reason};

/// What was expected and found where the reader stopped.
pub(super) fn words(error: &sonic_rs::Error, json: &[u8]) -> (String, String) {
    let offset = error.offset().min(json.len());
    if let Some(word) = no_number(json, offset) {
        return ("JSON".to_owned(), format!("{word}, which JSON does not have; send null where the schema allows it"));
    }
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default();
    if error.is_eof() {
        return ("JSON".to_owned(), "a text that ends too early".to_owned());
    }
    if message.starts_with("Float number must be finite") {
        return ("a number that a 64-bit float can hold".to_owned(), "one that is too large".to_owned());
    }
    ("JSON".to_owned(), format!("a mistake at byte {offset} ({})", lower(message)))
}

/// The reader's words about its own position count lines; only what it says before that is of use.
fn lower(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    let mut characters = message.chars();
    characters.next().map(|first| first.to_ascii_lowercase().to_string() + characters.as_str()).unwrap_or_default()
}

/// The bare word that some programs write for what is no number, if the reader stopped in one.
pub(crate) fn no_number(json: &[u8], offset: usize) -> Option<&'static str> {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
    let start = json[..offset].iter().rposition(|byte| !letter(byte)).map_or(0, |before| before + 1);
    let word = json[start..].iter().take_while(|byte| letter(byte)).count();
    match &json[start..start + word] {
        b"NaN" | b"-NaN" => Some("NaN"),
        b"Infinity" => Some("Infinity"),
        b"-Infinity" => Some("-Infinity"),
        _ => None,
    }
}

/// Refuses text that nests deeper than the walk goes. Only for the second walk, where parts of it are read raw by
/// code that recurses without a limit.
pub(super) fn shallow(json: &[u8]) -> Result<(), Failure> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
    }
    Ok(())
}

pub(super) fn too_deep() -> Failure {
    Failure::new(Reason::Misfit {
        expected: format!("at most {MAX_DEPTH} levels of nesting"),
        found: "a deeper value".to_owned(),
    })
}
