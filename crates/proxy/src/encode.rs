//! From the JSON text of a key or value to the bytes of a record.
//!
//! The formats of the REST proxy (docs/reference/rest-v2.md §6): base64 text, plain JSON, or a schema's framing. Encoding by a schema is `schema`'s work;
//! the header before the payload is `registry`'s.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use postern_registry::{RecordSerializer, Side};
use postern_schema::json::{self, JsonError, Reader, Token};
use postern_schema::{EncodeError, Encoded, SchemaKind};

use crate::Error;
use crate::limits::JSON_SCHEMA_VALUES_MAX;

/// How keys and values stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Base64 text; the bytes go into the record as they are.
    Binary,
    /// Any JSON; its compact text goes into the record.
    Json,
    /// A JSON string; its characters go into the record as UTF-8.
    Text,
    /// JSON in the encoding of a schema of this kind; framed bytes go into the record.
    Schema(SchemaKind),
}

impl Format {
    /// The format of this name, in any case.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Its name in requests to read.
    pub fn name(self) -> &'static str {
        match self {
            Format::Binary => "binary",
            Format::Json => "json",
            Format::Text => "string",
            Format::Schema(SchemaKind::Avro) => "avro",
            Format::Schema(SchemaKind::Json) => "jsonschema",
            Format::Schema(SchemaKind::Protobuf) => "protobuf",
        }
    }
}

/// How one side, key or value, of all records of a request is encoded: decided once per request.
pub(crate) enum Encoder<'a> {
    Binary,
    Json,
    Text,
    Schema(&'a RecordSerializer),
    /// A schema format without a schema for this side: only nulls can be written.
    OnlyNull(Side),
}

impl Encoder<'_> {
    /// Appends the bytes of one key or value to `out`; false: it is Kafka's null, nothing was appended.
    /// `json` is `None` where the member is absent. `place` names the value in an error.
    pub(crate) fn encode(
        &self,
        json: Option<&str>,
        out: &mut Vec<u8>,
        place: impl Fn() -> String,
    ) -> Result<bool, Error> {
        let json = json.unwrap_or("null");
        let is_null = json == "null";
        match self {
            Encoder::Binary | Encoder::Json | Encoder::Text | Encoder::OnlyNull(_) if is_null => Ok(false),
            Encoder::Binary => {
                decode_base64(json, out).map(|()| true).map_err(|message| Error::NotBase64 { path: place(), message })
            }
            Encoder::Json => json::rewrite(json.as_bytes(), out)
                .map(|()| true)
                .map_err(|error| Error::DoesNotFit(EncodeError::from(error).within(&place()))),
            Encoder::Text => match string_of(json) {
                Some(Ok(text)) => {
                    out.extend_from_slice(text.as_bytes());
                    Ok(true)
                }
                Some(Err(error)) => Err(Error::DoesNotFit(EncodeError::from(error).within(&place()))),
                None => Err(Error::NotText { path: place(), found: excerpt(json) }),
            },
            Encoder::Schema(writer) if writer.kind == SchemaKind::Json && has_too_many_values(json) => {
                Err(Error::TooManyValues(place()))
            }
            Encoder::Schema(writer) => match writer.frame(json.as_bytes(), out) {
                Ok(Encoded::Payload) => Ok(true),
                Ok(Encoded::Null) => Ok(false),
                Err(error) => Err(Error::DoesNotFit(error.within(&place()))),
            },
            Encoder::OnlyNull(side) => Err(Error::MissingSchema(*side)),
        }
    }
}

/// Whether the text of a value has more than [`JSON_SCHEMA_VALUES_MAX`] values. It need not be valid.
fn has_too_many_values(json: &str) -> bool {
    // Each value takes up two bytes with what separates it from the next one.
    if json.len() <= 2 * JSON_SCHEMA_VALUES_MAX {
        return false;
    }
    let (mut values, mut in_string, mut is_escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values > JSON_SCHEMA_VALUES_MAX
}

/// Standard alphabet, padding optional: as Confluent accepts it (docs/reference/rest-v2.md §6.2).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The characters of a JSON string; `None`: the text is another value.
fn string_of(json: &str) -> Option<Result<Cow<'_, str>, JsonError>> {
    match Reader::over(json, 0).next_token() {
        Ok(Token::String(text)) => Some(text.unescaped()),
        Ok(_) | Err(_) => None,
    }
}

/// The beginning of a value, for messages.
fn excerpt(json: &str) -> String {
    let mut shown: String = json.chars().take(40).collect();
    if shown.len() < json.len() {
        shown.push('…');
    }
    shown
}

fn decode_base64(json: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let found = || excerpt(json);
    let text =
        string_of(json).and_then(Result::ok).ok_or_else(|| format!("expected a base64 string, found {}", found()))?;
    // More padding than needed is accepted; nothing may follow it.
    BASE64.decode_vec(text.trim_end_matches('='), out).map_err(|error| {
        format!(
            "expected standard base64 (A-Z a-z 0-9 + /), found {}: {}",
            found(),
            error.to_string().trim_end_matches('.')
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{JSON_SCHEMA_VALUES_MAX as MAX, has_too_many_values};

    #[test]
    fn values_are_counted_and_not_what_strings_contain() {
        assert!(!has_too_many_values(&format!("[{}0]", "0,".repeat(MAX - 3))));
        assert!(has_too_many_values(&format!("[{}0]", "0,".repeat(MAX))));
        assert!(has_too_many_values(&"[],".repeat(MAX)));
        assert!(!has_too_many_values(&format!(r#"["\"{}"]"#, "[,{".repeat(MAX))));
    }
}
