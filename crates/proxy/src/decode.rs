//! From the bytes of a record to the JSON text of its key or value.
//!
//! The formats of the REST proxy (docs/reference/rest-v2.md §6): base64 text, plain text, plain JSON, or the framing of a schema. The schemas that records name are looked up first, those of a batch together ([`Decoder::prepare`]); decoding is then without awaits. Decoding by a
//! schema is `schema`'s work, taking frames apart is `registry`'s; topic, partition and offset are the caller's to add to an error.

use std::collections::HashSet;
use std::str::Utf8Error;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use postern_kafka::TopicName;
use postern_registry::{
    Error as RegistryError, ResolveError, SchemaIdentifier, Side, Subject, header_name, kind_name, unframe,
};
use postern_schema::{Schema, SchemaKind, json};
use tokio::time::Instant;

use crate::Proxy;
use crate::encode::Format;
use crate::schemas::Schemas;

/// The most schemas that one decoder keeps.
const SCHEMAS_MAX: usize = 1024;

/// One side, key or value, of a record as Kafka has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncodedValue<'r> {
    /// The bytes. `None` is Kafka's null.
    pub bytes: Option<&'r [u8]>,
    /// The value of the last header that names the schema of this side ([`header_name`]), if the record has one. It counts before a
    /// frame around the bytes.
    pub schema_header: Option<&'r [u8]>,
}

/// Writes the keys, or the values, of records of one topic as JSON text. Cheap to make: one per topic and side of a read.
#[derive(Clone)]
pub struct Decoder {
    schemas: Schemas,
    subject: Subject,
    side: Side,
    format: Format,
    /// In order of the names. What could not be looked up is here with the reason.
    known: Vec<(SchemaIdentifier, Result<Schema, DecodeError>)>,
}

/// Why the bytes of one key or value are not written as JSON.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Neither the bytes nor a header name a schema.
    #[error(
        "expected {} bytes: a byte 0 and the id of a schema, or a byte 1 and its guid, before the value, or the header {}; found {found}. The format binary reads any bytes.",
        kind_name(*.expected), header_name(*.side)
    )]
    NotFramed {
        /// The format that was asked for.
        expected: SchemaKind,
        /// The side that was read.
        side: Side,
        /// What stands there.
        found: String,
    },
    /// The registry does not have the schema, or does not answer.
    #[error("the schema with {name} cannot be had: {error}")]
    NoSchema {
        /// What the record names.
        name: SchemaIdentifier,
        /// Why.
        error: ResolveError,
    },
    /// The records that were read together name too many schemas.
    #[error(
        "the schema with {name} is not looked up: the records read before name {SCHEMAS_MAX} others. Read fewer records at a time."
    )]
    TooManySchemas {
        /// What the record names.
        name: SchemaIdentifier,
    },
    /// The schema is of another type than the format that was asked for.
    #[error("expected a schema of type {}, found {name}, which is of type {}", kind_name(*.expected), kind_name(*.found))]
    WrongKind {
        /// What the record names.
        name: SchemaIdentifier,
        /// Its type.
        found: SchemaKind,
        /// The format that was asked for.
        expected: SchemaKind,
    },
    /// The bytes are no value of the schema.
    #[error("the bytes do not fit the schema with {name}: {error}")]
    DoesNotFit {
        /// What the record names.
        name: SchemaIdentifier,
        /// What does not fit.
        error: postern_schema::DecodeError,
    },
    /// The bytes are not JSON.
    #[error("{0}. The format binary reads any bytes.")]
    NotJson(postern_schema::DecodeError),
    /// The bytes are no text.
    #[error("expected UTF-8 text: {0}. The format binary reads any bytes.")]
    NotText(Utf8Error),
}

impl DecodeError {
    /// Whether the same bytes may be read when they are asked for again: the schema registry did not answer, or the reads are too large.
    pub fn is_transient(&self) -> bool {
        match self {
            DecodeError::NoSchema { error: ResolveError::Refused { error, .. }, .. } => {
                matches!(
                    error,
                    RegistryError::NotReady(_) | RegistryError::Store { .. } | RegistryError::Unreachable(_)
                )
            }
            DecodeError::TooManySchemas { .. } => true,
            DecodeError::NoSchema { .. }
            | DecodeError::NotFramed { .. }
            | DecodeError::WrongKind { .. }
            | DecodeError::DoesNotFit { .. }
            | DecodeError::NotJson(_)
            | DecodeError::NotText(_) => false,
        }
    }
}

impl Proxy {
    /// A decoder for one side of records of `topic`.
    pub fn decoder(&self, topic: &TopicName, side: Side, format: Format) -> Decoder {
        let subject = Subject::of_topic(topic.as_str(), side);
        Decoder { schemas: self.schemas().clone(), subject, side, format, known: Vec::new() }
    }
}

impl Decoder {
    /// Whether [`Decoder::prepare`] would look up nothing for a value: nearly always. It is cheap.
    pub fn knows(&self, value: EncodedValue<'_>) -> bool {
        let is_known = |name| {
            let known = self.position(name).ok().map(|position| &self.known[position].1);
            known.is_some_and(|known| known.as_ref().err().is_none_or(|error| !error.is_transient()))
        };
        self.name_of(value).is_none_or(is_known)
    }

    /// Looks up the schemas that `values` name and that this decoder does not know yet: nearly always in memory. A schema that is not
    /// there is an error of the values that name it, and so is one that the registry has not sent until `deadline`; the latter is
    /// looked up again by the next call.
    ///
    /// Dropping the future does nothing.
    pub async fn prepare<'r>(&mut self, values: impl IntoIterator<Item = EncodedValue<'r>>, deadline: Instant) {
        let Format::Schema(_) = self.format else { return };
        self.known.retain(|(_, known)| known.as_ref().err().is_none_or(|error| !error.is_transient()));
        if self.known.len() == SCHEMAS_MAX {
            self.known.clear();
        }
        let max = SCHEMAS_MAX - self.known.len();
        let (mut unknown, mut seen) = (Vec::new(), HashSet::new());
        for name in values.into_iter().filter_map(|value| self.name_of(value)) {
            // Mostly all records have one schema.
            if unknown.last() != Some(&name) && self.position(name).is_err() && seen.insert(name) {
                unknown.push(name);
                if unknown.len() == max {
                    break;
                }
            }
        }
        if unknown.is_empty() {
            return;
        }
        let found = self.schemas.of_records(&self.subject, &unknown, deadline).await;
        let found = unknown.into_iter().zip(found);
        let found = found.map(|(name, found)| (name, found.map_err(|error| DecodeError::NoSchema { name, error })));
        self.known.extend(found);
        self.known.sort_by_key(|(name, _)| *name);
    }

    /// Appends the JSON text of one key or value to `out`; `null` for Kafka's null. It computes: a read of more than some hundred
    /// kilobytes belongs into [`run_large`](crate::run_large).
    ///
    /// # Errors
    /// What was found in place of a value; `out` is then as it was before. A schema that [`Decoder::prepare`] was not told of is
    /// [`DecodeError::TooManySchemas`].
    pub fn decode(&self, value: EncodedValue<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let Some(bytes) = value.bytes else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        match self.format {
            Format::Binary => {
                write_base64(bytes, out);
                Ok(())
            }
            Format::Text => {
                json::write_string(str::from_utf8(bytes).map_err(DecodeError::NotText)?, out);
                Ok(())
            }
            Format::Json => json::rewrite_first(bytes, out).map_err(|error| DecodeError::NotJson(error.into())),
            Format::Schema(kind) => self.decode_framed(kind, bytes, value.schema_header, out),
        }
    }

    /// What the schema of a value is called, if it is framed and the format has schemas.
    pub fn name_of(&self, value: EncodedValue<'_>) -> Option<SchemaIdentifier> {
        match self.format {
            Format::Schema(_) => split(value.bytes?, value.schema_header).map(|framed| framed.name),
            Format::Binary | Format::Text | Format::Json => None,
        }
    }

    fn decode_framed(
        &self,
        kind: SchemaKind,
        bytes: &[u8],
        header: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let Some(Framed { name, indexes, payload }) = split(bytes, header) else {
            return Err(self.not_framed(kind, bytes, header));
        };
        let schema = match self.position(name) {
            Ok(position) => self.known[position].1.as_ref().map_err(DecodeError::clone)?,
            Err(_) => return Err(DecodeError::TooManySchemas { name }),
        };
        if schema.kind() != kind {
            return Err(DecodeError::WrongKind { name, found: schema.kind(), expected: kind });
        }
        let decoded = match (indexes, kind) {
            // In Protobuf the header says which message it is.
            (Some(indexes), SchemaKind::Protobuf) => schema.decode(&[indexes, payload].concat(), out),
            (_, SchemaKind::Avro | SchemaKind::Json | SchemaKind::Protobuf) => schema.decode(payload, out),
        };
        decoded.map_err(|error| DecodeError::DoesNotFit { name, error })
    }

    #[cold]
    fn not_framed(&self, expected: SchemaKind, bytes: &[u8], header: Option<&[u8]>) -> DecodeError {
        const SHOWN: usize = 16;
        let hex = |bytes: &[u8]| match bytes {
            [] => "no bytes".to_owned(),
            bytes => {
                let shown = bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
                format!("{} bytes {shown}{}", bytes.len(), if bytes.len() > SHOWN { " …" } else { "" })
            }
        };
        let found = header.map_or_else(|| hex(bytes), |header| format!("a header of {}", hex(header)));
        DecodeError::NotFramed { expected, side: self.side, found }
    }

    fn position(&self, name: SchemaIdentifier) -> Result<usize, usize> {
        self.known.binary_search_by_key(&name, |(known, _)| *known)
    }
}

/// A value taken apart.
struct Framed<'r> {
    name: SchemaIdentifier,
    /// The message indexes, if they stand in a header.
    indexes: Option<&'r [u8]>,
    payload: &'r [u8],
}

/// `None`: nothing names a schema.
fn split<'r>(bytes: &'r [u8], header: Option<&'r [u8]>) -> Option<Framed<'r>> {
    match header {
        Some(header) => unframe(header).map(|(name, indexes)| Framed { name, indexes: Some(indexes), payload: bytes }),
        None => unframe(bytes).map(|(name, payload)| Framed { name, indexes: None, payload }),
    }
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let length = bytes.len().div_ceil(3) * 4;
    out.push(b'"');
    let start = out.len();
    out.resize(start + length, 0);
    let written = BASE64_STANDARD.encode_slice(bytes, &mut out[start..]).expect("room for all of it was made");
    out.truncate(start + written);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use postern_registry::{Guid, SchemaId};
    use postern_registry_client::{RegistryUrl, Remote, RemoteSettings};
    use postern_schema::Strictness;

    use super::*;

    const GUID: [u8; 16] = [7; 16];

    /// A decoder that knows two schemas, and a registry at which nobody answers.
    fn decoder(format: Format) -> Decoder {
        let url = RegistryUrl::parse("http://127.0.0.1:1").expect("a URL");
        let compile = |kind, text| Schema::compile(kind, text, &[], Strictness::New).expect("a schema");
        let protobuf = "syntax = 'proto3'; message A { int32 a = 1; } message B { int32 b = 1; }";
        let known = vec![
            (SchemaIdentifier::Id(SchemaId(1)), Ok(compile(SchemaKind::Avro, "\"int\""))),
            (SchemaIdentifier::Id(SchemaId(2)), Ok(compile(SchemaKind::Json, "{\"type\":\"object\"}"))),
            (SchemaIdentifier::Guid(Guid(GUID)), Ok(compile(SchemaKind::Protobuf, protobuf))),
        ];
        Decoder {
            schemas: Schemas::from(Remote::new(RemoteSettings::new(vec![url]))),
            subject: Subject::parse("t-value"),
            side: Side::Value,
            format,
            known,
        }
    }

    fn decoded(format: Format, value: EncodedValue<'_>) -> Result<String, String> {
        let mut out = b"before".to_vec();
        let result = decoder(format).decode(value, &mut out);
        let text = String::from_utf8(out).expect("JSON is UTF-8").split_off("before".len());
        match result {
            Ok(()) => Ok(text),
            Err(error) => {
                assert_eq!(text, "", "nothing is left behind");
                Err(error.to_string())
            }
        }
    }

    fn bytes(bytes: &[u8]) -> EncodedValue<'_> {
        EncodedValue { bytes: Some(bytes), schema_header: None }
    }

    #[test]
    fn every_format_writes_json() {
        let header = |header| EncodedValue { bytes: Some(&[8, 5]), schema_header: Some(header) };
        let guid = [&[1][..], &GUID].concat();
        let second = [&guid[..], &[2, 2]].concat();
        let prefixed = [&guid[..], &[0, 8, 5]].concat();
        let (avro, json, protobuf) =
            (Format::Schema(SchemaKind::Avro), Format::Schema(SchemaKind::Json), Format::Schema(SchemaKind::Protobuf));
        for (format, value, text) in [
            (Format::Binary, bytes(&[0, 255]), r#""AP8=""#),
            (Format::Binary, bytes(b"\0\0\0\0\x07\x02a"), r#""AAAAAAcCYQ==""#),
            (Format::Binary, bytes(b""), r#""""#),
            (Format::Json, bytes(br#" {"a": [1, 2.50, null]} x"#), r#"{"a":[1,2.5,null]}"#),
            (Format::Json, bytes(b"null"), "null"),
            (Format::Text, bytes("a\"\u{e9}".as_bytes()), "\"a\\\"\u{e9}\""),
            (avro, bytes(&[0, 0, 0, 0, 1, 9]), "-5"),
            (avro, EncodedValue { bytes: Some(&[9]), schema_header: Some(&[0, 0, 0, 0, 1]) }, "-5"),
            (json, bytes(b"\0\0\0\0\x02{\"a\": 1.0}"), r#"{"a":1.0}"#),
            (protobuf, bytes(&prefixed), r#"{"a":5}"#),
            (protobuf, header(&second), r#"{"b":5}"#),
        ] {
            assert_eq!(decoded(format, value).as_deref(), Ok(text), "{value:?}");
        }
        for format in [Format::Binary, Format::Text, Format::Json, avro, json, protobuf] {
            assert_eq!(decoded(format, EncodedValue::default()).as_deref(), Ok("null"));
        }
    }

    #[test]
    fn what_is_found_is_named() {
        let avro = Format::Schema(SchemaKind::Avro);
        for (format, value, part) in [
            (Format::Json, &b""[..], "expected JSON, found a text that ends too early"),
            (Format::Text, b"a\xff", "expected UTF-8 text: invalid utf-8 sequence of 1 bytes from index 1."),
            (Format::Json, b"plain", "expected JSON, found 'p' at byte 0"),
            (avro, b"", "expected AVRO bytes: a byte 0 and the id of a schema"),
            (avro, b"{\"a\":1}", "the header __value_schema_id; found 7 bytes 7b 22 61 22 3a 31 7d."),
            (avro, &[0, 0, 0, 0, 2, b'1'], "expected a schema of type AVRO, found id 2, which is of type JSON"),
            (
                avro,
                &[0, 0, 0, 0, 1],
                "the bytes do not fit the schema with id 1: expected int, found the end of the payload",
            ),
        ] {
            let error = decoded(format, bytes(value)).expect_err("an error");
            assert!(error.contains(part), "{error}");
        }
        let bad_header = EncodedValue { bytes: Some(&[0, 0, 0, 0, 1, 9]), schema_header: Some(b"x") };
        let error = decoded(avro, bad_header).expect_err("an error");
        assert!(error.contains("found a header of 1 bytes 78."), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_looked_up_is_an_error_of_the_values_that_name_it() {
        let mut decoder = decoder(Format::Schema(SchemaKind::Avro));
        let (known, unknown) = ([0, 0, 0, 0, 1, 9], [0, 0, 0, 0, 3, 9]);
        let values = [bytes(&known), EncodedValue::default(), bytes(&unknown), bytes(b"x")];
        decoder.prepare(values, Instant::now() + std::time::Duration::from_secs(60)).await;
        let mut out = Vec::new();
        assert!(decoder.decode(values[0], &mut out).is_ok());
        let error = decoder.decode(values[2], &mut out).expect_err("nobody answers");
        assert!(error.is_transient());
        assert!(error.to_string().starts_with("the schema with id 3 cannot be had: "), "{error}");
        assert!(!decoder.decode(values[3], &mut out).expect_err("not framed").is_transient());

        // Of very many names some are not looked up; those of another read are.
        let refused = |name| (name, Err(DecodeError::NotJson(postern_schema::DecodeError::new("a", "b"))));
        decoder.known = (0..1024).map(|id| refused(SchemaIdentifier::Id(SchemaId(id)))).collect();
        let values = (5000..6200_i32).map(|id| [&[0][..], &id.to_be_bytes()].concat()).collect::<Vec<_>>();
        let values = values.iter().map(|value| bytes(value)).collect::<Vec<_>>();
        decoder.prepare(values.iter().copied(), Instant::now()).await;
        let state = |at: usize| decoder.decode(values[at], &mut Vec::new()).expect_err("it is not known");
        assert!(matches!(state(0), DecodeError::NoSchema { .. }), "{}", state(0));
        assert!(matches!(state(1023), DecodeError::NoSchema { .. }), "{}", state(1023));
        assert!(matches!(state(1024), DecodeError::TooManySchemas { .. }), "{}", state(1024));
        assert!(state(1024).is_transient());
    }
}
