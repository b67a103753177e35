//! The envelope of a produce request, read in one pass over the body.
//!
//! Keys and values stay what they are, slices of JSON text, until their schema is known (`value_schema` may come after `records`). Members
//! come in any order, the last of a repeated one counts, unknown ones are refused (docs/reference/rest-v2.md §3.2, §5.1).

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use hyper::StatusCode;
use postern_proxy::{Format, ProduceRequest, RecordSpec, SchemaId, SchemaKind, SchemaRef};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use sonic_rs::LazyValue;

use crate::problem::{Problem, SCHEMA_MAX};

/// A produce request as it stands in the body.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    key: Schema<'a>,
    value: Schema<'a>,
    records: Option<Vec<RecordSpec<'a>>>,
}

/// How one side's schema is named; a null counts as absent.
#[derive(Debug, Default)]
struct Schema<'a> {
    text: Option<Cow<'a, str>>,
    id: Option<i32>,
}

impl<'a> Envelope<'a> {
    /// Reads `body`, which must be one JSON object and nothing else, with `records_max` records at most.
    pub(super) fn read(body: &'a [u8], records_max: usize) -> Result<Envelope<'a>, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Problem::bad_request(format!("The request body is not valid UTF-8: {error}.")))?;
        if matches!(text.trim_ascii(), "" | "null") {
            return Err(Problem::unprocessable("The request body must not be null: expected an object with records."));
        }
        if nests_too_deep(text) {
            return Err(Problem::bad_request(format!(
                "The request body nests deeper than the {MAX_NESTING} levels that are taken."
            )));
        }
        let reading = Reading { refusal: RefCell::new(None), records_max };
        let mut json = sonic_rs::Deserializer::from_str(text);
        let read = EnvelopeSeed(&reading).deserialize(&mut json).and_then(|envelope| json.end().map(|()| envelope));
        read.map_err(|error| reading.refusal.into_inner().unwrap_or_else(|| not_json(text, &error)))
    }

    /// Whether the request names a schema, which only some formats use.
    pub(super) fn has_schema(&self) -> bool {
        [&self.key, &self.value].into_iter().any(|side| side.text.is_some() || side.id.is_some())
    }

    /// What is to be done; takes the records out. `partition` is where records go that name none.
    pub(super) fn take_request(
        &mut self,
        format: Format,
        partition: Option<i32>,
    ) -> Result<ProduceRequest<'_>, Problem> {
        let mut records = self.records.take().unwrap_or_default();
        if records.is_empty() {
            return Err(Problem::unprocessable(
                "records must not be empty (was []): expected a list of at least one record.",
            ));
        }
        for spec in &mut records {
            spec.partition = spec.partition.or(partition);
        }
        let (key_schema, value_schema) = match format {
            Format::Schema(kind) => (self.key.choice("key", kind)?, self.value.choice("value", kind)?),
            Format::Binary | Format::Json | Format::Text => (None, None),
        };
        Ok(ProduceRequest { format, key_schema, value_schema, records })
    }
}

/// How deep arrays and objects may nest (docs/reference/rest-v2.md §3.2). The JSON reader skips over values by recursion and knows no bound itself.
const MAX_NESTING: usize = 1000;

fn nests_too_deep(text: &str) -> bool {
    let opens = |byte: &u8| matches!(byte, b'[' | b'{');
    // Without so many brackets, wherever they stand, there is nothing to look at: the one pass that every body pays for.
    if text.as_bytes().iter().filter(|byte| opens(byte)).count() <= MAX_NESTING {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    text.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_NESTING
    })
}

impl<'a> Schema<'a> {
    fn choice(&self, side: &str, kind: SchemaKind) -> Result<Option<SchemaRef<'_>>, Problem> {
        match (&self.text, self.id) {
            (None, None) => Ok(None),
            // What the registry cannot store is not parsed.
            (Some(text), None) if text.len() > SCHEMA_MAX => Err(Problem::invalid_schema(format!(
                "{side}_schema: expected a schema of at most {SCHEMA_MAX} bytes, which is what a registry can store, found {} bytes. Nothing was written.",
                text.len()
            ))),
            (Some(text), None) => Ok(Some(SchemaRef::Inline { kind, text })),
            (None, Some(id)) => Ok(Some(SchemaRef::Id(SchemaId(id)))),
            (Some(_), Some(_)) => Err(Problem::unprocessable(format!(
                "{side}_schema and {side}_schema_id exclude each other: give one of them."
            ))),
        }
    }
}

/// What is known all the way down.
struct Reading {
    /// Where a refusal waits that the JSON reader's own error cannot carry.
    refusal: RefCell<Option<Problem>>,
    records_max: usize,
}

impl Reading {
    fn refuse<E: serde::de::Error>(&self, problem: Problem) -> E {
        self.refusal.replace(Some(problem));
        E::custom("refused")
    }

    fn unknown<E: serde::de::Error>(&self, member: &str, place: &str, known: &str) -> E {
        let message = format!("Unrecognized field: {member}. {place} may have {known}.");
        self.refuse(Problem::unprocessable(message))
    }

    /// An int32, given as a number (a fraction is cut off) or as its text; `None`: null, or an empty text.
    fn int<E: serde::de::Error>(&self, member: &str, json: &LazyValue<'_>) -> Result<Option<i32>, E> {
        let raw = json.as_raw_cow();
        let text = if raw.starts_with('"') { unquoted(&raw) } else { None };
        let number = text.as_deref().map_or(&*raw, str::trim);
        if number.is_empty() || raw == "null" {
            return Ok(None);
        }
        if let Ok(int) = number.parse() {
            return Ok(Some(int));
        }
        let fraction = if text.is_some() { None } else { number.parse::<f64>().ok() };
        match fraction.map(f64::trunc).filter(|whole| (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(whole)) {
            Some(whole) => Ok(Some(whole as i32)),
            None => Err(self
                .refuse(Problem::bad_request(format!("{member}: expected a 32 bit integer, found {}.", shown(&raw))))),
        }
    }

    /// A text; numbers and booleans count as what they are written as. `None`: null.
    fn text<'a, E: serde::de::Error>(&self, member: &str, json: &LazyValue<'a>) -> Result<Option<Cow<'a, str>>, E> {
        let raw = json.as_raw_cow();
        match raw.as_bytes().first() {
            Some(b'"') => match unquoted(&raw) {
                Some(text) => Ok(Some(text)),
                None => {
                    Err(self.refuse(Problem::bad_request(format!("{member}: expected a text, found {}.", shown(&raw)))))
                }
            },
            Some(b'{' | b'[') | None => {
                let message = format!(
                    "{member}: expected the schema as a text (JSON inside of a JSON string), found {}.",
                    shown(&raw)
                );
                Err(self.refuse(Problem::bad_request(message)))
            }
            Some(b'n') => Ok(None),
            Some(_) => Ok(Some(raw)),
        }
    }
}

/// The text of a JSON string that the reader has found to be well formed; borrowed where it has no escapes.
fn unquoted<'a>(raw: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    match raw {
        Cow::Borrowed(raw) if !raw.contains('\\') => Some(Cow::Borrowed(raw.get(1..raw.len().checked_sub(1)?)?)),
        _ => sonic_rs::from_str::<String>(raw).ok().map(Cow::Owned),
    }
}

/// The beginning of a value, for messages.
fn shown(raw: &str) -> String {
    let mut shown: String = raw.chars().take(40).collect();
    if shown.len() < raw.len() {
        shown.push('…');
    }
    shown
}

fn not_json(text: &str, error: &sonic_rs::Error) -> Problem {
    let at = error.offset().min(text.len());
    let from = text.as_bytes()[..at]
        .iter()
        .rposition(|byte| !byte.is_ascii_alphabetic() && *byte != b'-')
        .map_or(0, |before| before + 1);
    let word = text.get(from..).unwrap_or_default();
    let no_number = ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| word.starts_with(name));
    let sentence = error.to_string();
    let sentence = sentence.lines().next().unwrap_or_default().trim_end_matches(':');
    Problem::bad_request(match no_number {
        Some(name) => format!(
            "The request body is not JSON: {name} at line {} column {}. JSON has no {name}; send null, and give the field a union with null in its schema.",
            error.line(),
            error.column()
        ),
        None => format!("The request body is not the JSON that is expected: {sentence}."),
    })
}

/// Members of the request.
#[derive(Clone, Copy)]
enum Member {
    KeySchema,
    KeySchemaId,
    ValueSchema,
    ValueSchemaId,
    Records,
}

/// Members of a record.
#[derive(Clone, Copy)]
enum RecordMember {
    Partition,
    Key,
    Value,
}

/// Reads a member's name by comparing it with those that are known; nothing is copied.
struct Name<'r, T: 'static> {
    reading: &'r Reading,
    /// Which of the records; `None`: it is a member of the request.
    record: Option<usize>,
    known: &'static [(&'static str, T)],
}

impl<'de, T: Copy> DeserializeSeed<'de> for Name<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        json.deserialize_str(self)
    }
}

impl<T: Copy> Visitor<'_> for Name<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<T, E> {
        match self.known.iter().find(|(known, _)| *known == name) {
            Some((_, member)) => Ok(*member),
            None => {
                let known: Vec<&str> = self.known.iter().map(|(known, _)| *known).collect();
                let place = self.record.map_or("The request".to_owned(), |position| format!("records[{position}]"));
                Err(self.reading.unknown(name, &place, &known.join(", ")))
            }
        }
    }
}

struct EnvelopeSeed<'r>(&'r Reading);

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_> {
    type Value = Envelope<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Envelope<'de>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_> {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request to be an object with records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let reading = self.0;
        let mut envelope = Envelope::default();
        let name = || Name { reading, record: None, known: MEMBERS };
        while let Some(member) = map.next_key_seed(name())? {
            match member {
                Member::KeySchema => envelope.key.text = reading.text("key_schema", &map.next_value()?)?,
                Member::KeySchemaId => envelope.key.id = reading.int("key_schema_id", &map.next_value()?)?,
                Member::ValueSchema => envelope.value.text = reading.text("value_schema", &map.next_value()?)?,
                Member::ValueSchemaId => envelope.value.id = reading.int("value_schema_id", &map.next_value()?)?,
                Member::Records => envelope.records = map.next_value_seed(RecordsSeed(reading))?,
            }
        }
        Ok(envelope)
    }
}

const MEMBERS: &[(&str, Member)] = &[
    ("records", Member::Records),
    ("value_schema", Member::ValueSchema),
    ("value_schema_id", Member::ValueSchemaId),
    ("key_schema", Member::KeySchema),
    ("key_schema_id", Member::KeySchemaId),
];

const RECORD_MEMBERS: &[(&str, RecordMember)] =
    &[("value", RecordMember::Value), ("key", RecordMember::Key), ("partition", RecordMember::Partition)];

struct RecordsSeed<'r>(&'r Reading);

impl<'de> DeserializeSeed<'de> for RecordsSeed<'_> {
    type Value = Option<Vec<RecordSpec<'de>>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed<'_> {
    type Value = Option<Vec<RecordSpec<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records to be a list of objects")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(spec) = seq.next_element_seed(RecordSeed { reading: self.0, position: records.len() })? {
            if records.len() == self.0.records_max {
                let message =
                    format!("records has more than the {} entries that are taken. Split the request.", records.len());
                return Err(self.0.refuse(Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, message)));
            }
            records.push(spec);
        }
        Ok(Some(records))
    }
}

struct RecordSeed<'r> {
    reading: &'r Reading,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = RecordSpec<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<RecordSpec<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = RecordSpec<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "records[{}] to be an object with key, value, partition", self.position)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordSpec<'de>, A::Error> {
        let reading = self.reading;
        let mut spec = RecordSpec::default();
        let name = || Name { reading, record: Some(self.position), known: RECORD_MEMBERS };
        while let Some(member) = map.next_key_seed(name())? {
            let json: LazyValue<'de> = map.next_value()?;
            match member {
                RecordMember::Key => spec.key = Some(json.as_raw_cow()),
                RecordMember::Value => spec.value = Some(json.as_raw_cow()),
                RecordMember::Partition => {
                    let place = format!("records[{}].partition", self.position);
                    spec.partition = reading.int(&place, &json)?;
                }
            }
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_and_brackets_in_texts_do_not() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!nests_too_deep(&nested(1000)));
        assert!(nests_too_deep(&nested(1001)));
        assert!(!nests_too_deep(&format!("[{}]", vec!["[]"; 5000].join(","))));
        assert!(!nests_too_deep(&format!(r#"["{}\"{}"]"#, "[".repeat(2000), "{".repeat(2000))));
        assert!(nests_too_deep(&"[".repeat(1_000_000)));
    }
}
