//! `POST /topics/{topic}`, `POST /topics/{topic}/partitions/{partition}` — produce records (docs/reference/rest-v2.md §5).

mod request;

use hyper::StatusCode;
use postern_access::Right;
use postern_proxy::{
    AppendError, Error, ErrorKind, Fate, Format, ProduceRequest, Produced, Proxy, SchemaId, SchemaKind, SchemaRef,
    TopicName, run_large,
};

use self::request::Envelope;
use super::bodies::{ProduceRequest as ProduceBody, ProduceResponse};
use super::{AVRO, BINARY, JSON_RECORDS, JSON_SCHEMA, PROTOBUF, problem};
use crate::access::{topic_template, without_hidden_names};
use crate::body::BodyKind;
use crate::operation::{Operation, operation};
use crate::problem::{Problem, record_problem};
use crate::reply::{Reply, to_json};
use crate::request_context::{Params, RequestContext};

pub(super) const TO_TOPIC: Operation =
    operation("produce", "Writes records to a topic; the answer says where each is, or why it was not written")
        .takes::<ProduceBody>(EXAMPLES)
        .returns::<ProduceResponse>();
pub(super) const TO_PARTITION: Operation = operation("produceToPartition", "Writes records to a partition")
    .takes::<ProduceBody>(EXAMPLES)
    .returns::<ProduceResponse>();

/// One for each media type.
const EXAMPLES: &[&str] = &[
    r#"{"records":[{"key":"a2V5","value":"dmFsdWU="}]}"#,
    r#"{"records":[{"key":"a","value":{"lumens":4}}]}"#,
    r#"{"value_schema":"{\"type\":\"record\",\"name\":\"Lamp\",\"fields\":[{\"name\":\"lumens\",\"type\":\"int\"}]}","records":[{"value":{"lumens":4}}]}"#,
    r#"{"value_schema":"{\"type\":\"object\",\"properties\":{\"lumens\":{\"type\":\"integer\"}}}","records":[{"value":{"lumens":4}}]}"#,
    r#"{"value_schema":"syntax = \"proto3\"; message Lamp { int32 lumens = 1; }","records":[{"value":{"lumens":4}}]}"#,
];

pub(super) async fn to_topic(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    produce(proxy, request, |_| Ok(None)).await.map_err(Problem::nothing_written)
}

/// A record's own partition takes precedence over the one of the path.
pub(super) async fn to_partition(proxy: Proxy, request: RequestContext) -> Result<Reply, Problem> {
    produce(proxy, request, |params| params.number("partition").map(Some)).await.map_err(Problem::nothing_written)
}

/// A request that is refused has written nothing; records that failed have their errors in the response.
async fn produce(
    proxy: Proxy,
    request: RequestContext,
    partition: impl Fn(&Params) -> Result<Option<i32>, Problem>,
) -> Result<Reply, Problem> {
    let content_type = request.content_type;
    let format = format_of(content_type);
    let partition = partition(&request.params)?;
    let (params, body) = request.read(BodyKind::Records).await?;
    let mut envelope = run_large(body.len(), || Envelope::read(&body, proxy.records_max())).await?;
    let has_schema = envelope.has_schema();
    let request = envelope.take_request(format, partition)?;
    check_schemas(&params, format, &request)?;
    let refused = |error: Error| {
        with_format_hint(problem(without_hidden_names(params.permissions(), error)), content_type, has_schema)
    };
    let topic = match TopicName::parse(params.get("topic")) {
        Ok(topic) => topic,
        Err(error) => {
            // An illegal name fails the records, not the request (§5.2).
            let failed = Box::pin(proxy.fail_all(params.get("topic"), &error, &request)).await.map_err(refused)?;
            return Ok(render(&failed));
        }
    };
    let appended = proxy
        .append(&topic, request, || topic_template(params.permissions(), topic.as_str()))
        .await
        .map_err(refused)?;
    // Where Kafka is slow, many requests wait for its answer: the memory of their bodies is for others.
    drop(envelope);
    drop(body);
    let produced = appended.delivered().await;
    match no_broker(&produced) {
        Some(problem) => Err(problem),
        None => Ok(render(&produced)),
    }
}

/// The refusal of a request of which nothing was written because no broker could be reached: it may be sent again as it is. Clients that look
/// at the status only would take a 200 for success.
fn no_broker(produced: &Produced) -> Option<Problem> {
    let is_not_sent = |outcome: &Result<_, AppendError>| {
        let failed = outcome.as_ref().err();
        failed.is_some_and(|AppendError { error, fate }| {
            *fate == Fate::NotWritten && error.kind == ErrorKind::BrokerUnavailable
        })
    };
    let first = produced.outcomes.first()?.as_ref().err()?;
    let is_none_sent = produced.outcomes.iter().all(is_not_sent);
    is_none_sent.then(|| {
        let mut problem = problem(Error::Cluster(first.error.clone()));
        problem.message += " No record was written.";
        problem
    })
}

/// 403 unless the caller may register the schemas of the request under the subjects of its topic. An id is always one of theirs.
fn check_schemas(params: &Params, format: Format, request: &ProduceRequest<'_>) -> Result<(), Problem> {
    let Format::Schema(_) = format else { return Ok(()) };
    for (schema, side) in [(&request.key_schema, "key"), (&request.value_schema, "value")] {
        if let Some(SchemaRef::Inline { .. }) = schema {
            let topic = params.get("topic");
            params.check_schema_of(topic, &format!("{topic}-{side}"), Right::Register)?;
        }
    }
    Ok(())
}

/// Parses a body as a request in each format; returns the number of its records.
#[cfg(feature = "fuzzing")]
pub fn envelope(body: &[u8]) -> usize {
    const RECORDS_MAX: usize = 10_000;
    let formats = [None, Some(JSON_RECORDS), Some(AVRO), Some(JSON_SCHEMA), Some(PROTOBUF)];
    let records = formats.map(|format| {
        let Ok(mut envelope) = Envelope::read(body, RECORDS_MAX) else { return 0 };
        envelope.take_request(format_of(format), Some(3)).map_or(0, |request| request.records.len())
    });
    records.into_iter().max().unwrap_or_default()
}

/// A value that is no base64 was probably not meant to be binary: says which format was used, and which to name instead.
fn with_format_hint(mut problem: Problem, content_type: Option<&'static str>, has_schema: bool) -> Problem {
    if format_of(content_type) == Format::Binary && problem.status == StatusCode::BAD_REQUEST {
        problem.message += match content_type {
            None => " There is no Content-Type, so the records were read as binary.",
            Some(_) => " The Content-Type says that the records are binary.",
        };
        problem.message += &match has_schema {
            true => format!(" For records with a schema send {AVRO}, {JSON_SCHEMA} or {PROTOBUF}."),
            false => {
                format!(" For records of plain JSON send {JSON_RECORDS}; for Avro send {AVRO} and a value_schema.")
            }
        };
    }
    problem
}

/// No `Content-Type` means binary.
fn format_of(content_type: Option<&'static str>) -> Format {
    match content_type {
        Some(JSON_RECORDS) => Format::Json,
        Some(AVRO) => Format::Schema(SchemaKind::Avro),
        Some(JSON_SCHEMA) => Format::Schema(SchemaKind::Json),
        Some(PROTOBUF) => Format::Schema(SchemaKind::Protobuf),
        Some(BINARY | _) | None => Format::Binary,
    }
}

/// The status is 200 even if every record failed, unless one failed for lack of authorization: then its status is used (§5.2).
fn render(produced: &Produced) -> Reply {
    let mut status = StatusCode::OK;
    let mut out = Vec::with_capacity(80 + 64 * produced.outcomes.len());
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"{\"offsets\":[");
    for (n, outcome) in produced.outcomes.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        match outcome {
            Ok(receipt) => {
                out.extend_from_slice(b"{\"partition\":");
                out.extend_from_slice(digits.format(receipt.partition.0).as_bytes());
                out.extend_from_slice(b",\"offset\":");
                out.extend_from_slice(digits.format(receipt.offset.0).as_bytes());
                out.extend_from_slice(b",\"error_code\":null,\"error\":null}");
            }
            Err(failed) => {
                let (code, message) = record_problem(failed);
                status = match (status, code) {
                    (StatusCode::OK, 40101) => StatusCode::UNAUTHORIZED,
                    (StatusCode::OK, 40301) => StatusCode::FORBIDDEN,
                    (status, _) => status,
                };
                out.extend_from_slice(b"{\"partition\":null,\"offset\":null,\"error_code\":");
                out.extend_from_slice(digits.format(code).as_bytes());
                out.extend_from_slice(b",\"error\":");
                out.extend_from_slice(&to_json(&message));
                out.push(b'}');
            }
        }
    }
    out.extend_from_slice(b"],\"key_schema_id\":");
    push_id(&mut out, produced.key_schema);
    out.extend_from_slice(b",\"value_schema_id\":");
    push_id(&mut out, produced.value_schema);
    out.push(b'}');
    Reply::bytes(status, out)
}

fn push_id(out: &mut Vec<u8>, id: Option<SchemaId>) {
    match id {
        Some(id) => out.extend_from_slice(itoa::Buffer::new().format(id.0).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use postern_proxy::ClusterError;

    use super::*;

    fn failed(kind: ErrorKind, fate: Fate) -> AppendError {
        let error =
            ClusterError { kind, name: "BROKER_NOT_AVAILABLE".to_owned(), message: "nobody answers".to_owned() };
        AppendError { error, fate }
    }

    fn produced(failures: &[(ErrorKind, Fate)]) -> Produced {
        let outcomes = failures.iter().map(|(kind, fate)| Err(failed(*kind, *fate))).collect();
        Produced { key_schema: None, value_schema: None, outcomes }
    }

    #[test]
    fn a_request_of_which_nothing_was_sent_is_a_503() {
        let away = (ErrorKind::BrokerUnavailable, Fate::NotWritten);
        let problem = no_broker(&produced(&[away, away])).expect("none was sent");
        assert_eq!((problem.status.as_u16(), problem.code), (503, 50302));
        assert!(problem.message.ends_with(" No record was written."), "{}", problem.message);
        for other in [(ErrorKind::BrokerUnavailable, Fate::Unknown), (ErrorKind::Retriable, Fate::NotWritten)] {
            assert!(no_broker(&produced(&[away, other])).is_none());
        }
        assert!(no_broker(&produced(&[])).is_none());
    }
}
