//! One record as it stands in a stream or in a batch, read in one pass over its text (docs/reference/rest-v3.md §11.2, §11.3).
//!
//! The data of key and value stay slices of the text. Members come in any order, the last of a repeated one counts, unknown ones are refused.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postern_json_text::{JsonError, Reader, Token, find_syntax_error};
use postern_proxy::{DataFormat, RecordData, SchemaKind, SchemaSource, SingleRecord, SubjectNameStrategy, SubjectRef};

use super::timestamp;
use crate::json_member::{self, kind_of, shown, wrong};
use crate::problem::SCHEMA_MAX;

/// Arrays and objects within one another; Confluent has the same bound.
pub(super) const MAX_DEPTH: usize = 1000;

/// Why a document is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not JSON, so that what follows it cannot be read either.
    Syntax(String),
    /// It has a member that no record has.
    Unknown(String),
    /// The text of a schema is too large for any registry.
    LargeSchema(String),
    /// Anything else.
    Invalid(String),
}

impl Refusal {
    /// What to tell the client.
    pub(super) fn message(&self) -> &str {
        let (Refusal::Syntax(message)
        | Refusal::Unknown(message)
        | Refusal::LargeSchema(message)
        | Refusal::Invalid(message)) = self;
        message
    }
}

/// Why reading ended early: [`check`] tells the two apart.
pub(super) enum Failure {
    Json(JsonError),
    Refused(Refusal),
}

impl From<JsonError> for Failure {
    fn from(error: JsonError) -> Failure {
        Failure::Json(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Refused(Refusal::Invalid(message))
    }
}

/// Reads the only document of `text`.
pub(super) fn read(text: &[u8]) -> Result<SingleRecord<'_>, Refusal> {
    let text = utf8(text)?;
    let mut json = Reader::over(text, MAX_DEPTH);
    let read = (|| {
        match json.next_token()? {
            Token::Object => {}
            other => return Err(format!("A record is expected, which is an object, found {}.", kind_of(other)).into()),
        }
        let mut record = RecordMembers::default();
        while let Some(name) = json.next_member()? {
            let name = name.unescaped()?;
            if !record.read(&name, "", &mut json)? {
                return Err(unknown(&name, "A record", RECORD_MEMBERS));
            }
        }
        json.end()?;
        Ok(record.record)
    })();
    read.map_err(|failure| check(text, failure))
}

/// The text as UTF-8.
pub(super) fn utf8(text: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(text)
        .map_err(|error| Refusal::Syntax(format!("This is not UTF-8: {error}. The record was not written.")))
}

/// What a failure means: a document that is refused may be broken behind the place where reading it ended.
pub(super) fn check(text: &str, failure: Failure) -> Refusal {
    let is_nested_too_deep = |error: &JsonError| error.found() == "a deeper value";
    match failure {
        Failure::Refused(refusal) => match find_syntax_error(text, MAX_DEPTH) {
            Some(error) => not_json(&error),
            None => refusal,
        },
        Failure::Json(error) if find_syntax_error(text, MAX_DEPTH).is_some() || is_nested_too_deep(&error) => {
            not_json(&error)
        }
        // It is JSON, but has half of a surrogate pair where characters are needed.
        Failure::Json(error) => Refusal::Invalid(format!("A name in the record: {error}.")),
    }
}

fn not_json(error: &JsonError) -> Refusal {
    Refusal::Syntax(format!("This is not the JSON of a record: {error}. The record was not written."))
}

const RECORD_MEMBERS: &[&str] = &["partition_id", "headers", "key", "value", "timestamp"];
const DATA_MEMBERS: &[&str] =
    &["type", "subject", "subject_name_strategy", "schema_id", "schema_version", "schema", "data"];
const HEADER_MEMBERS: &[&str] = &["name", "value"];

/// The refusal of a member that is not among `known`.
pub(super) fn unknown(name: &str, place: &str, known: &[&str]) -> Failure {
    let name = shown(name);
    Failure::Refused(Refusal::Unknown(format!("Unrecognized field: {name}. {place} may have {}.", known.join(", "))))
}

/// The members of a record that have been read.
#[derive(Default)]
pub(super) struct RecordMembers<'d> {
    pub(super) record: SingleRecord<'d>,
}

impl<'d> RecordMembers<'d> {
    /// Reads the value of the member `name`; false: no record has such a member, and nothing was read. `place` is the prefix of names in
    /// messages, such as `entries[2].`
    pub(super) fn read(&mut self, name: &str, place: &str, json: &mut Reader<'d>) -> Result<bool, Failure> {
        let record = &mut self.record;
        let path = || format!("{place}{name}");
        match name {
            "partition_id" => record.partition = json_member::int(&path(), json.skip_value()?)?,
            "headers" => record.headers = headers(&path(), json)?,
            "key" => record.key = data(&path(), json)?,
            "value" => record.value = data(&path(), json)?,
            "timestamp" => record.timestamp_ms = timestamp::read(&path(), json.skip_value()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Headers of the same name stand together, in the order of the first of each.
fn headers(path: &str, json: &mut Reader<'_>) -> Result<Vec<(String, Option<Bytes>)>, Failure> {
    match json.next_token()? {
        Token::Null => return Ok(Vec::new()),
        Token::Array => {}
        other => {
            return Err(
                format!("{path}: expected an array of objects with name and value, found {}.", kind_of(other)).into()
            );
        }
    }
    let mut headers: Vec<(String, Option<Bytes>)> = Vec::new();
    while json.next_element()? {
        let path = format!("{path}[{}]", headers.len());
        match json.next_token()? {
            Token::Object => {}
            other => {
                return Err(format!("{path}: expected an object with name and value, found {}.", kind_of(other)).into());
            }
        }
        let (mut name, mut value) = (None, None);
        while let Some(member) = json.next_member()? {
            match &*member.unescaped()? {
                "name" => {
                    name =
                        json_member::text(&format!("{path}.name"), "a text", json.skip_value()?)?.map(Cow::into_owned)
                }
                "value" => value = header_value(&format!("{path}.value"), json.skip_value()?)?,
                other => return Err(unknown(other, &path, HEADER_MEMBERS)),
            }
        }
        let name = name.ok_or_else(|| format!("{path}.name is missing: a header has a name."))?;
        headers.push((name, value));
    }
    Ok(grouped(headers))
}

fn header_value(path: &str, raw: &str) -> Result<Option<Bytes>, Failure> {
    if raw == "null" {
        return Ok(None);
    }
    let decoded = json_member::string(raw).and_then(|text| STANDARD.decode(text.as_bytes()).ok());
    match decoded {
        Some(bytes) => Ok(Some(bytes.into())),
        None => Err(wrong(path, "a string of standard base64 (A-Z a-z 0-9 + /) with padding, or null", raw).into()),
    }
}

fn grouped(headers: Vec<(String, Option<Bytes>)>) -> Vec<(String, Option<Bytes>)> {
    let mut order: Vec<usize> = (0..headers.len()).collect();
    let mut first = std::collections::HashMap::with_capacity(headers.len());
    for (position, (name, _)) in headers.iter().enumerate() {
        first.entry(name.as_str()).or_insert(position);
    }
    if first.len() == headers.len() {
        drop(first);
        return headers;
    }
    order.sort_by_key(|position| first[headers[*position].0.as_str()]);
    drop(first);
    let mut headers: Vec<_> = headers.into_iter().map(Some).collect();
    order.into_iter().filter_map(|position| headers[position].take()).collect()
}

/// The types of data, by their names.
#[derive(Clone, Copy, Debug)]
enum DataType {
    Binary,
    Json,
    Text,
    Schema(SchemaKind),
}

const TYPES: &[(&str, DataType)] = &[
    ("BINARY", DataType::Binary),
    ("JSON", DataType::Json),
    ("STRING", DataType::Text),
    ("AVRO", DataType::Schema(SchemaKind::Avro)),
    ("JSONSCHEMA", DataType::Schema(SchemaKind::Json)),
    ("PROTOBUF", DataType::Schema(SchemaKind::Protobuf)),
];

const STRATEGIES: &[(&str, SubjectNameStrategy)] = &[
    ("TOPIC_NAME", SubjectNameStrategy::TopicName),
    ("RECORD_NAME", SubjectNameStrategy::RecordName),
    ("TOPIC_RECORD_NAME", SubjectNameStrategy::TopicRecordName),
];

/// The members of a key or value.
#[derive(Default)]
struct DataMembers<'d> {
    data_type: Option<DataType>,
    subject: Option<Cow<'d, str>>,
    strategy: Option<SubjectNameStrategy>,
    schema_id: Option<i32>,
    schema_version: Option<i32>,
    schema: Option<Cow<'d, str>>,
    data: Option<&'d str>,
}

/// A key or value; `None`: null.
fn data<'d>(path: &str, json: &mut Reader<'d>) -> Result<Option<RecordData<'d>>, Failure> {
    match json.next_token()? {
        Token::Null => return Ok(None),
        Token::Object => {}
        other => return Err(format!("{path}: expected an object with type and data, found {}.", kind_of(other)).into()),
    }
    let mut members = DataMembers::default();
    while let Some(name) = json.next_member()? {
        let name = name.unescaped()?;
        let member = || format!("{path}.{name}");
        match &*name {
            "data" => members.data = Some(json.skip_value()?),
            "type" => members.data_type = json_member::name(&member(), TYPES, json.skip_value()?)?,
            "subject" => members.subject = json_member::text(&member(), "a text", json.skip_value()?)?,
            "subject_name_strategy" => {
                members.strategy = json_member::name(&member(), STRATEGIES, json.skip_value()?)?;
            }
            "schema_id" => members.schema_id = json_member::int(&member(), json.skip_value()?)?,
            "schema_version" => members.schema_version = json_member::int(&member(), json.skip_value()?)?,
            "schema" => {
                let expected = "the schema as a text (JSON inside of a JSON string)";
                members.schema = json_member::text(&member(), expected, json.skip_value()?)?;
            }
            other => return Err(unknown(other, path, DATA_MEMBERS)),
        }
    }
    let (format, json) = members.combine(path)?;
    Ok(Some(RecordData { format, json }))
}

impl<'d> DataMembers<'d> {
    /// What the members mean together (docs/reference/rest-v3.md §11.3).
    fn combine(self, path: &str) -> Result<(DataFormat<'d>, &'d str), Failure> {
        let json = self.data.ok_or_else(|| format!("{path}.data is missing: it is required, and may be null."))?;
        if self.subject.is_some() && self.strategy.is_some() {
            return Err(
                format!("{path}: subject and subject_name_strategy exclude each other: give one of them.").into()
            );
        }
        let schemas = [
            ("schema_id", self.schema_id.is_some()),
            ("schema_version", self.schema_version.is_some()),
            ("schema", self.schema.is_some()),
        ];
        let given: Vec<&str> = schemas.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
        if given.len() > 1 {
            return Err(format!("{path}: {} exclude each other: give one of them.", given.join(" and ")).into());
        }
        let format = match self.data_type {
            Some(DataType::Binary) => DataFormat::Binary,
            Some(DataType::Json) => DataFormat::Json,
            Some(DataType::Text) => DataFormat::Text,
            Some(DataType::Schema(_)) | None => return self.by_schema(path, json),
        };
        let strategy = self.strategy.map(|_| "subject_name_strategy");
        let subject = self.subject.map(|_| "subject");
        match strategy.or(subject).or(given.first().copied()) {
            None => Ok((format, json)),
            Some(member) => {
                let with_schema = "AVRO, JSONSCHEMA, PROTOBUF or none";
                Err(format!(
                    "{path}: {member} is for data with a schema: leave it out, or give another type ({with_schema})."
                )
                .into())
            }
        }
    }

    fn by_schema(self, path: &str, json: &'d str) -> Result<(DataFormat<'d>, &'d str), Failure> {
        let source = match (self.data_type, self.schema, self.schema_id, self.schema_version) {
            (Some(DataType::Schema(kind)), Some(text), ..) if text.len() <= SCHEMA_MAX => {
                SchemaSource::Text { kind, text }
            }
            (Some(_), Some(text), ..) => {
                let found = text.len();
                let message = format!(
                    "{path}.schema: expected a schema of at most {SCHEMA_MAX} bytes, which is what a registry can store, found {found} bytes."
                );
                return Err(Failure::Refused(Refusal::LargeSchema(message)));
            }
            (None, None, Some(id), _) => SchemaSource::Id(id),
            (None, None, None, Some(version)) => SchemaSource::Version(version),
            (None, None, None, None) => SchemaSource::Latest,
            (Some(_), None, Some(_), _) => {
                return Err(format!(
                    "{path}: type and schema_id exclude each other: leave out type, which the id tells."
                )
                .into());
            }
            (Some(_), None, None, Some(_)) => {
                return Err(format!(
                    "{path}: type and schema_version exclude each other: leave out type, which the version tells."
                )
                .into());
            }
            (Some(_), None, None, None) => {
                return Err(format!("{path}: with this type the text of the schema is needed as schema; leave out type for the latest schema of the subject.").into());
            }
            (None, Some(_), ..) => {
                return Err(format!("{path}: schema needs a type beside it: AVRO, JSONSCHEMA or PROTOBUF.").into());
            }
        };
        let subject = match (self.subject, self.strategy) {
            (Some(subject), _) => SubjectRef::Named(subject),
            (None, strategy) => SubjectRef::By(strategy.unwrap_or(SubjectNameStrategy::TopicName)),
        };
        Ok((DataFormat::Schema { source, subject }, json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_name_stand_together_in_the_order_of_the_first() {
        let text = r#"{"headers":[{"name":"a","value":"MQ=="},{"name":"b"},{"value":"Mg==","name":"a"},{"name":"c","value":null}]}"#;
        let record = read(text.as_bytes()).expect("a record");
        let names: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(names, [("a", Some(&b"1"[..])), ("a", Some(b"2")), ("b", None), ("c", None)]);
    }

    #[test]
    fn the_last_of_a_repeated_member_counts_and_null_is_as_absent() {
        let text = r#"{"partition_id":1,"key":null,"value":{"type":"JSON","data":1,"data":[2],"subject":null},"partition_id":"2"}"#;
        let record = read(text.as_bytes()).expect("a record");
        assert_eq!(record.partition, Some(2));
        assert!(record.key.is_none());
        assert_eq!(record.value.expect("a value").json, "[2]");
    }

    #[test]
    fn what_ends_a_stream_is_told_apart_from_what_does_not() {
        for text in ["{", "nonsense", r#"{"x":1,}"#, r#"{"value":5,"key":}"#, "\"\\x\"", "NaN"] {
            assert!(matches!(read(text.as_bytes()), Err(Refusal::Syntax(_))), "{text}");
        }
        let deep = format!(r#"{{"value":{{"type":"JSON","data":{}1{}}}}}"#, "[".repeat(1000), "]".repeat(1000));
        assert!(matches!(read(deep.as_bytes()), Err(Refusal::Syntax(_))));
        for text in
            ["1", "[]", "null", r#"{"value":5}"#, r#"{"timestamp":-1}"#, r#"{"key":{"type":"\ud800","data":1}}"#]
        {
            assert!(matches!(read(text.as_bytes()), Err(Refusal::Invalid(_))), "{text}");
        }
        assert!(matches!(read(br#"{"x":1}"#), Err(Refusal::Unknown(_))));
    }

    #[test]
    fn each_rule_for_schemas_and_subjects_names_what_to_change() {
        for (value, message) in [
            (r#"{"type":"STRING"}"#, "value.data is missing"),
            (
                r#"{"subject":"s","subject_name_strategy":"TOPIC_NAME","data":1}"#,
                "subject and subject_name_strategy exclude",
            ),
            (r#"{"schema_id":1,"schema_version":1,"data":1}"#, "schema_id and schema_version exclude"),
            (r#"{"type":"AVRO","schema_id":1,"data":1}"#, "type and schema_id exclude"),
            (r#"{"type":"AVRO","schema_version":1,"data":1}"#, "type and schema_version exclude"),
            (r#"{"type":"PROTOBUF","data":1}"#, "text of the schema is needed"),
            (r#"{"type":"BINARY","subject":"s","data":""}"#, "subject is for data with a schema"),
            (r#"{"type":"JSON","schema_id":1,"data":""}"#, "schema_id is for data with a schema"),
            (r#"{"schema":"\"int\"","data":1}"#, "schema needs a type"),
            (r#"{"type":"string","data":"a"}"#, "value.type: expected one of BINARY, JSON"),
            (r#"{"schema_id":true,"data":1}"#, "value.schema_id: expected a 32 bit integer, found true"),
            (r#"{"type":"AVRO","schema":{"type":"int"},"data":1}"#, "value.schema: expected the schema as a text"),
        ] {
            let refusal = read(format!(r#"{{"value":{value}}}"#).as_bytes()).expect_err(value);
            assert!(refusal.message().contains(message), "{value}: {}", refusal.message());
        }
    }
}
