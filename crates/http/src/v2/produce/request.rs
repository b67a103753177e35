//! The envelope of a produce request, read in one pass over the body.
//!
//! Keys and values stay what they are, slices of JSON text, until their schema is known (`value_schema` may come after `records`). Members
//! come in any order, the last of a repeated one counts, unknown ones are refused (docs/reference/rest-v2.md §3.2, §5.1).

use std::borrow::Cow;

use hyper::StatusCode;
use postern_json_text::{JsonError, Reader, Token};
use postern_proxy::{Format, ProduceRequest, RecordSpec, SchemaId, SchemaKind, SchemaRef};

use crate::json_member::{self, kind_of};
use crate::problem::{Problem, SCHEMA_MAX, sentence};
use crate::v2::{AVRO, JSON_SCHEMA, PROTOBUF};

/// A produce request as it stands in the body.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    key: Schema<'a>,
    value: Schema<'a>,
    records: Vec<RecordSpec<'a>>,
}

/// How one side's schema is named; a null counts as absent.
#[derive(Debug, Default)]
struct Schema<'a> {
    text: Option<Cow<'a, str>>,
    id: Option<i32>,
}

/// Why reading ended early.
enum Failure {
    Json(JsonError),
    Refused(Problem),
}

impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Failure {
        Failure::Json(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Refused(Problem::bad_request(message))
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Json(error) => {
                Problem::bad_request(sentence(format!("The request body is not the JSON that is expected: {error}")))
            }
            Failure::Refused(problem) => problem,
        }
    }
}

/// How deep arrays and objects may nest (docs/reference/rest-v2.md §3.2).
const MAX_DEPTH: usize = 1000;

const MEMBERS: &str = "records, value_schema, value_schema_id, key_schema, key_schema_id";
const RECORD_MEMBERS: &str = "value, key, partition";
const SCHEMA: &str = "the schema as a text (JSON inside of a JSON string)";

impl<'a> Envelope<'a> {
    /// Reads `body`, which must be one JSON object and nothing else, with `records_max` records at most.
    pub(super) fn read(body: &'a [u8], records_max: usize) -> Result<Envelope<'a>, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|error| Problem::bad_request(format!("The request body is not valid UTF-8: {error}.")))?;
        if matches!(text.trim_ascii(), "" | "null") {
            return Err(Problem::unprocessable("The request body must not be null: expected an object with records."));
        }
        Ok(Envelope::read_text(text, records_max)?)
    }

    fn read_text(text: &'a str, records_max: usize) -> Result<Envelope<'a>, Failure> {
        let mut json = Reader::over(text, MAX_DEPTH);
        match json.next_token()? {
            Token::Object => {}
            other => {
                let found = kind_of(other);
                return Err(format!("expected the request to be an object with records, found {found}.").into());
            }
        }
        let mut envelope = Envelope::default();
        while let Some(name) = json.next_member()? {
            match &*name.unescaped()? {
                "records" => envelope.records = records(&mut json, records_max)?,
                "key_schema" => envelope.key.text = json_member::text("key_schema", SCHEMA, json.skip_value()?)?,
                "key_schema_id" => envelope.key.id = json_member::int("key_schema_id", json.skip_value()?)?,
                "value_schema" => envelope.value.text = json_member::text("value_schema", SCHEMA, json.skip_value()?)?,
                "value_schema_id" => envelope.value.id = json_member::int("value_schema_id", json.skip_value()?)?,
                other => return Err(unknown(other, "The request", MEMBERS)),
            }
        }
        json.end()?;
        Ok(envelope)
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
        let mut records = std::mem::take(&mut self.records);
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
            // It would be written without the schema, among records that have one.
            Format::Json if self.has_schema() => return Err(schema_without_use()),
            Format::Binary | Format::Json | Format::Text => (None, None),
        };
        Ok(ProduceRequest { format, key_schema, value_schema, records })
    }
}

#[cold]
fn schema_without_use() -> Problem {
    Problem::unprocessable(format!(
        "The Content-Type says that the records are plain JSON, which has no schema, but the request names one. Send {AVRO}, {JSON_SCHEMA} or {PROTOBUF}, or leave out key_schema, key_schema_id, value_schema and value_schema_id. Nothing was written."
    ))
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

fn records<'a>(json: &mut Reader<'a>, records_max: usize) -> Result<Vec<RecordSpec<'a>>, Failure> {
    match json.next_token()? {
        Token::Null => return Ok(Vec::new()),
        Token::Array => {}
        other => return Err(format!("expected records to be a list of objects, found {}.", kind_of(other)).into()),
    }
    let mut records = Vec::new();
    while json.next_element()? {
        if records.len() == records_max {
            let message = format!("records has more than the {records_max} entries that are taken. Split the request.");
            return Err(Failure::Refused(Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, message)));
        }
        records.push(record(json, records.len())?);
    }
    Ok(records)
}

/// The record at `position`.
fn record<'a>(json: &mut Reader<'a>, position: usize) -> Result<RecordSpec<'a>, Failure> {
    match json.next_token()? {
        Token::Object => {}
        other => {
            let found = kind_of(other);
            return Err(format!(
                "expected records[{position}] to be an object with key, value, partition, found {found}."
            )
            .into());
        }
    }
    let mut spec = RecordSpec::default();
    while let Some(name) = json.next_member()? {
        match &*name.unescaped()? {
            "value" => spec.value = Some(json.skip_value()?),
            "key" => spec.key = Some(json.skip_value()?),
            "partition" => {
                let raw = json.skip_value()?;
                spec.partition =
                    json_member::int("partition", raw).map_err(|error| format!("records[{position}].{error}"))?;
            }
            other => return Err(unknown(other, &format!("records[{position}]"), RECORD_MEMBERS)),
        }
    }
    Ok(spec)
}

fn unknown(name: &str, place: &str, known: &str) -> Failure {
    let name = json_member::shown(name);
    Failure::Refused(Problem::unprocessable(format!("Unrecognized field: {name}. {place} may have {known}.")))
}
