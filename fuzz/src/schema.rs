//! Texts of schemas, values under them, and bytes of records, as anybody may send them.
//!
//! The inputs to begin with are those of the corpus of `postern-schema`: texts, pairs of versions, values with their schemas. Two parts of an
//! input are parted by a zero byte, so both are changed.

use postern_schema::{Policy, Schema, SchemaKind, Strictness, json};
use serde_json::Value;

/// What an input consists of: texts, or a text and a value.
const SEPARATOR: u8 = 0;

/// A part that is not UTF-8 is none: HTTP and the topic refuse it before.
fn parts(input: &[u8]) -> Option<(&str, Option<&str>)> {
    let mut parts = input.splitn(2, |byte| *byte == SEPARATOR).map(|part| std::str::from_utf8(part).ok());
    let first = parts.next()??;
    match parts.next() {
        None => Some((first, None)),
        Some(second) => Some((first, Some(second?))),
    }
}

// === Texts ===

pub(crate) fn read_avro(input: &[u8]) -> usize {
    read_texts(SchemaKind::Avro, input)
}

pub(crate) fn read_json(input: &[u8]) -> usize {
    read_texts(SchemaKind::Json, input)
}

pub(crate) fn read_protobuf(input: &[u8]) -> usize {
    read_texts(SchemaKind::Protobuf, input)
}

/// Compiles one or two texts, and compares them.
fn read_texts(kind: SchemaKind, input: &[u8]) -> usize {
    let Some((first, second)) = parts(input) else { return 0 };
    let Some(first) = read_text(kind, first) else { return 0 };
    let Some(second) = second.and_then(|second| read_text(kind, second)) else { return 1 };
    let _ = first.equivalent(&second);
    for policy in [Policy::Strict, Policy::Lenient] {
        let _ = (first.cannot_read_with(&second, policy), second.cannot_read_with(&first, policy));
    }
    2
}

/// Everything that is made of a text. The canonical form is a text of the same schema, which is printed as it stands; what is taken as new
/// can also be made into every other form, and be read again.
fn read_text(kind: SchemaKind, text: &str) -> Option<Schema> {
    let again = |text: &str| Schema::compile(kind, text, &[], Strictness::Stored);
    let strict = Schema::compile(kind, text, &[], Strictness::New);
    let schema = match again(text) {
        Ok(schema) => schema,
        Err(error) => {
            assert!(strict.is_err(), "what is refused when stored ({error}) is taken when it is new");
            return None;
        }
    };
    let canonical = again(schema.canonical());
    let canonical = canonical.unwrap_or_else(|error| panic!("{error}, in the canonical text {}", schema.canonical()));
    assert_eq!(canonical.canonical(), schema.canonical(), "a canonical text is printed as it stands");
    assert!(schema.equivalent(&canonical), "a schema is the one of its canonical text");
    let found = schema.cannot_read(&canonical);
    let normalized = schema.normalized();
    let others = [schema.resolved(), schema.serialized(), schema.without_extensions()];
    let _ = (schema.full_name(), schema.marked_top_field(), schema.has_top_field("x"), schema.fingerprint());
    let _ = schema.retagged(&mut |_, _, tags| tags.push("tag".to_owned()));
    if strict.is_err() {
        return Some(schema);
    }
    // One may be too large to be compared.
    assert!(
        found.iter().all(|found| found.kind() == "SCHEMA_TOO_COMPLEX"),
        "a schema can read its own values: {found:?}"
    );
    let normal = again(&normalized).unwrap_or_else(|error| panic!("{error}, in the normalized text {normalized}"));
    assert_eq!(normal.normalized(), normalized, "a normalized text is normal");
    for other in others.iter().flatten() {
        again(other).unwrap_or_else(|error| panic!("{error}, in {other}, made of {}", schema.canonical()));
    }
    Some(schema)
}

/// A `FileDescriptorProto` as bytes: what comes in base64 where a text is expected.
pub(crate) fn read_descriptor(input: &[u8]) -> usize {
    usize::from(read_text(SchemaKind::Protobuf, &base64(input)).is_some())
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn good_avro() -> Vec<Vec<u8>> {
    good(
        read_avro,
        &[
            "avro/texts.json",
            "avro/compat/named.json",
            "avro/compat/records.json",
            "avro/compat/types.json",
            "avro/compat/unions.json",
        ],
    )
}

pub(crate) fn good_json() -> Vec<Vec<u8>> {
    let files = [
        "json/texts.json",
        "json/compat/2020.json",
        "json/compat/combined.json",
        "json/compat/objects.json",
        "json/compat/values.json",
    ];
    good(read_json, &files)
}

pub(crate) fn good_protobuf() -> Vec<Vec<u8>> {
    good(read_protobuf, &["protobuf/texts.json", "protobuf/compat.json", "protobuf/layout.json"])
}

pub(crate) fn good_descriptors() -> Vec<Vec<u8>> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let texts = good_protobuf().into_iter().filter_map(|input| Some(parts(&input)?.0.to_owned()));
    let schemas = texts.filter_map(|text| Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::Stored).ok());
    let descriptors = schemas.filter_map(|schema| BASE64_STANDARD.decode(schema.serialized()?).ok());
    descriptors.filter(|descriptor| read_descriptor(descriptor) > 0).collect()
}

// === Values ===

pub(crate) fn read_avro_values(input: &[u8]) -> usize {
    read_value(SchemaKind::Avro, input)
}

pub(crate) fn read_json_values(input: &[u8]) -> usize {
    read_value(SchemaKind::Json, input)
}

pub(crate) fn read_protobuf_values(input: &[u8]) -> usize {
    read_value(SchemaKind::Protobuf, input)
}

/// Encodes a value under a schema. One that does not fit leaves nothing behind.
fn read_value(kind: SchemaKind, input: &[u8]) -> usize {
    let Some((text, value)) = parts(input) else { return 0 };
    let Ok(schema) = Schema::compile(kind, text, &[], Strictness::Stored) else { return 0 };
    let mut out = b"before".to_vec();
    let encoded = schema.encode(value.unwrap_or_default().as_bytes(), &mut out);
    assert!(out.starts_with(b"before"), "what was there before stays");
    if let Err(error) = &encoded {
        assert_eq!(out, b"before", "a refused value leaves nothing behind");
        assert!(!error.to_string().is_empty());
    }
    1 + usize::from(encoded.is_ok())
}

pub(crate) fn good_avro_values() -> Vec<Vec<u8>> {
    good(read_avro_values, &["avro/values.json", "avro/records.json", "avro/better.json"])
}

pub(crate) fn good_json_values() -> Vec<Vec<u8>> {
    good(read_json_values, &["json/values.json"])
}

pub(crate) fn good_protobuf_values() -> Vec<Vec<u8>> {
    good(read_protobuf_values, &["protobuf/values.json", "protobuf/better.json"])
}

// === Bytes of records ===

const KINDS: [(u8, SchemaKind); 3] = [(b'a', SchemaKind::Avro), (b'j', SchemaKind::Json), (b'p', SchemaKind::Protobuf)];

/// Bytes that no encoder wrote, under a schema: a letter for its language, its text, a separator, and the bytes. They are JSON then, or
/// leave nothing behind.
pub(crate) fn read_record_bytes(input: &[u8]) -> usize {
    let Some((letter, rest)) = input.split_first() else { return 0 };
    let Some((_, kind)) = KINDS.iter().find(|(known, _)| known == letter) else { return 0 };
    let mut parts = rest.splitn(2, |byte| *byte == SEPARATOR);
    let (text, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return 0 };
    let Ok(schema) = Schema::compile(*kind, text, &[], Strictness::Stored) else { return 0 };
    let mut out = b"before".to_vec();
    match schema.decode(payload, &mut out) {
        Ok(()) => {
            let decoded = out.strip_prefix(b"before").expect("what was there before stays");
            let mut reader =
                json::Reader::new(decoded, 2000).unwrap_or_else(|error| panic!("{error}, in what was decoded"));
            let read = reader.skip_value().and_then(|_| reader.end());
            read.unwrap_or_else(|error| panic!("{error}, in {}", String::from_utf8_lossy(decoded)));
            2
        }
        Err(error) => {
            assert_eq!(out, b"before", "refused bytes leave nothing behind");
            assert!(!error.to_string().is_empty());
            1
        }
    }
}

/// What the values of the corpus are encoded as.
pub(crate) fn good_record_bytes() -> Vec<Vec<u8>> {
    let values = [good_avro_values(), good_json_values(), good_protobuf_values()];
    let mut inputs = Vec::new();
    for ((letter, kind), values) in KINDS.iter().zip(values) {
        for value in values {
            let Some((text, Some(value))) = parts(&value) else { continue };
            let Ok(schema) = Schema::compile(*kind, text, &[], Strictness::Stored) else { continue };
            let mut input = [&[*letter], text.as_bytes(), &[SEPARATOR]].concat();
            if schema.encode(value.as_bytes(), &mut input).is_ok() {
                inputs.push(input);
            }
        }
    }
    inputs
}

/// JSON without a schema: what is written once is written the same again.
pub(crate) fn read_plain_json(input: &[u8]) -> usize {
    let mut once = Vec::new();
    if json::rewrite(input, &mut once).is_err() {
        assert!(once.is_empty(), "a refused value leaves nothing behind");
        return 0;
    }
    let mut twice = Vec::new();
    json::rewrite(&once, &mut twice).unwrap_or_else(|error| panic!("{error}, in what was rewritten"));
    assert_eq!(once, twice, "what is rewritten stays as it is");
    1
}

pub(crate) fn good_plain_json() -> Vec<Vec<u8>> {
    good(read_plain_json, &["json/rewrite.json", "avro/values.json"])
}

// === The corpus ===

/// The inputs that files of the corpus hold, as far as they are taken.
fn good(read: fn(&[u8]) -> usize, files: &[&str]) -> Vec<Vec<u8>> {
    let inputs = files.iter().flat_map(|file| cases(file)).filter_map(|case| input(&case));
    inputs.filter(|input| read(input) > 0).collect()
}

fn cases(file: &str) -> Vec<Value> {
    let path = format!("{}/../crates/schema/tests/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `text`, `old` and `new`, `schema` and `value`, or `in`.
fn input(case: &Value) -> Option<Vec<u8>> {
    let member = |name: &str| case.get(name).and_then(Value::as_str).map(|text| text.as_bytes().to_vec());
    let both = |one: &str, other: &str| Some([member(one)?, member(other)?].join(&SEPARATOR));
    member("text").or_else(|| member("in")).or_else(|| both("old", "new")).or_else(|| both("schema", "value"))
}
