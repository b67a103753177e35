//! API v2, in `application/vnd.kafka.*.v2+json`.
//!
//! Source: docs/reference/rest-v2.md.

mod bodies;
mod brokers;
mod consumers;
mod produce;
mod record_object;
mod root;
mod topic_records;
mod topics;

#[cfg(feature = "fuzzing")]
pub use self::produce::envelope;

use hyper::Method;
use postern_proxy::{Error, Proxy};

use self::consumers::instance_name;
use crate::negotiate::{EVENT_STREAM, JSON, MediaType, NDJSON};
use crate::problem::{self, Dialect, Problem};
use crate::reading::RecordStreams;
use crate::replicas::{Forwarder, anywhere};
use crate::router::{Media, Route, Table};

const V2: &str = "application/vnd.kafka.v2+json";
const BINARY: &str = "application/vnd.kafka.binary.v2+json";
const JSON_RECORDS: &str = "application/vnd.kafka.json.v2+json";
const AVRO: &str = "application/vnd.kafka.avro.v2+json";
const JSON_SCHEMA: &str = "application/vnd.kafka.jsonschema.v2+json";
const PROTOBUF: &str = "application/vnd.kafka.protobuf.v2+json";

const fn offer(name: &'static str, weight: u16) -> MediaType {
    MediaType { name, weight }
}

/// Media types of the body of a 415, whatever the operation.
pub(crate) const ERRORS: &[MediaType] = &[offer(JSON, 1000), offer(V2, 1000)];

const ANSWER: &[MediaType] = &[offer(V2, 900)];
const CONSUMER_ANSWER: &[MediaType] = &[
    offer(V2, 900),
    offer(BINARY, 100),
    offer(JSON_RECORDS, 100),
    offer(AVRO, 100),
    offer(JSON_SCHEMA, 100),
    offer(PROTOBUF, 100),
];
const RECORDS_ANSWER: &[MediaType] = &[
    offer(BINARY, 1000),
    offer(V2, 900),
    offer(JSON_RECORDS, 100),
    offer(AVRO, 100),
    offer(JSON_SCHEMA, 100),
    offer(PROTOBUF, 100),
    offer(EVENT_STREAM, 50),
    offer(NDJSON, 50),
];

/// Everything but `/brokers`, produce and consumers.
const PLAIN: Media = Media { consumes: Some(&[V2]), produces: ANSWER };
const ANY: Media = Media { consumes: None, produces: ANSWER };
/// The embedded formats of records, to which plain v2 does not belong.
const PRODUCE: Media = Media { consumes: Some(&[BINARY, JSON_RECORDS, AVRO, JSON_SCHEMA, PROTOBUF]), produces: ANSWER };
const CONSUMER: Media =
    Media { consumes: Some(&[V2, BINARY, JSON_RECORDS, AVRO, JSON_SCHEMA, PROTOBUF]), produces: CONSUMER_ANSWER };
const RECORDS: Media = Media { produces: RECORDS_ANSWER, ..CONSUMER };
const TOPIC_RECORDS: Media = Media { produces: RECORDS_ANSWER, ..PLAIN };

/// What to use instead of methods that a path does not have.
pub(crate) const INSTEAD: &[(&str, Method, &str)] = &[
    ("/topics", Method::POST, " Topics are created with POST /v3/clusters/{cluster_id}/topics."),
    ("/topics/{topic}", Method::PUT, " Topics are created with POST /v3/clusters/{cluster_id}/topics."),
    (
        "/topics/{topic}",
        Method::DELETE,
        " Topics are deleted with DELETE /v3/clusters/{cluster_id}/topics/{topic_name}.",
    ),
];

/// All operations of the API (docs/reference/rest-v2.md §1).
#[rustfmt::skip]
pub(crate) fn routes(proxy: Proxy, streams: &RecordStreams, forwarder: Option<&Forwarder>) -> Vec<Route> {
    Table::new(proxy)
        .get("/", PLAIN, root::show, root::SHOW)
        .post("/", PLAIN, root::accept, root::ACCEPT)
        .get("/brokers", ANY, brokers::list, brokers::LIST)
        .get("/topics", PLAIN, topics::list, topics::LIST)
        .get("/topics/{topic}", PLAIN, topics::show, topics::SHOW)
        .post("/topics/{topic}", PRODUCE, produce::to_topic, produce::TO_TOPIC)
        .get("/topics/{topic}/partitions", PLAIN, topics::partitions, topics::PARTITIONS)
        .get("/topics/{topic}/partitions/{partition}", PLAIN, topics::partition, topics::PARTITION)
        .post("/topics/{topic}/partitions/{partition}", PRODUCE, produce::to_partition, produce::TO_PARTITION)
        .get("/topics/{topic}/partitions/{partition}/offsets", PLAIN, topics::offsets, topics::OFFSETS)
        .get("/topics/{topic}/partitions/{partition}/records", TOPIC_RECORDS, topic_records::of_partition(streams), topic_records::OF_PARTITION)
        .get("/topics/{topic}/records", TOPIC_RECORDS, topic_records::of_topic(streams), topic_records::OF_TOPIC)
        .post("/consumers/{group}", CONSUMER, consumers::create, consumers::CREATE)
        .delete("/consumers/{group}/instances/{instance}", CONSUMER, anywhere(forwarder, instance_name, consumers::delete), consumers::DELETE)
        .post("/consumers/{group}/instances/{instance}/subscription", CONSUMER, anywhere(forwarder, instance_name, consumers::subscription::set), consumers::subscription::SET)
        .get("/consumers/{group}/instances/{instance}/subscription", CONSUMER, anywhere(forwarder, instance_name, consumers::subscription::show), consumers::subscription::SHOW)
        .delete("/consumers/{group}/instances/{instance}/subscription", CONSUMER, anywhere(forwarder, instance_name, consumers::subscription::delete), consumers::subscription::DELETE)
        .post("/consumers/{group}/instances/{instance}/assignments", CONSUMER, anywhere(forwarder, instance_name, consumers::assignments::set), consumers::assignments::SET)
        .get("/consumers/{group}/instances/{instance}/assignments", CONSUMER, anywhere(forwarder, instance_name, consumers::assignments::show), consumers::assignments::SHOW)
        .get("/consumers/{group}/instances/{instance}/records", RECORDS, anywhere(forwarder, instance_name, consumers::records::read(streams)), consumers::records::READ)
        .post("/consumers/{group}/instances/{instance}/offsets", CONSUMER, anywhere(forwarder, instance_name, consumers::offsets::commit), consumers::offsets::COMMIT)
        .get("/consumers/{group}/instances/{instance}/offsets", CONSUMER, anywhere(forwarder, instance_name, consumers::offsets::committed), consumers::offsets::COMMITTED)
        .post("/consumers/{group}/instances/{instance}/positions", CONSUMER, anywhere(forwarder, instance_name, consumers::positions::seek), consumers::positions::SEEK)
        .post("/consumers/{group}/instances/{instance}/positions/beginning", CONSUMER, anywhere(forwarder, instance_name, consumers::positions::beginning), consumers::positions::BEGINNING)
        .post("/consumers/{group}/instances/{instance}/positions/end", CONSUMER, anywhere(forwarder, instance_name, consumers::positions::end), consumers::positions::END)
        .routes
}

fn problem(error: Error) -> Problem {
    problem::problem(Dialect::V2, &error)
}
