//! API v3: `/v3/clusters/…`, in `application/json`.
//!
//! Source: docs/reference/rest-v3.md. There is one cluster, and its id stands in every path. Whatever an operation asks of the cluster, one call
//! after the other, ends within the time for one call. Operations that are not built yet are in the table and return 501.

mod acls;
pub(crate) mod bodies;
mod brokers;
mod clusters;
mod configs;
mod groups;
mod lags;
mod links;
mod page;
mod partitions;
mod reassignments;
mod records;
mod replicas;
mod resource;
mod topic_list;
mod topic_records;
pub(crate) mod topics;

use postern_proxy::{Error, Proxy, TopicDescription, TopicName};

use crate::negotiate::{EVENT_STREAM, JSON, MediaType, NDJSON};
use crate::problem::{self, Dialect, Problem};
use crate::produce_bounds::{ProduceBounds, RecordLimiter};
use crate::reading::RecordStreams;
use crate::request_context::{Params, RequestContext};
use crate::router::{Media, Route, Table};

const ANSWER: &[MediaType] = &[MediaType { name: JSON, weight: 1000 }];

const RECORDS_ANSWER: &[MediaType] = &[
    MediaType { name: JSON, weight: 1000 },
    MediaType { name: EVENT_STREAM, weight: 50 },
    MediaType { name: NDJSON, weight: 50 },
];

/// Operations without a body ignore `Content-Type`.
const READ: Media = Media { consumes: None, produces: ANSWER };
const RECORDS: Media = Media { consumes: None, produces: RECORDS_ANSWER };
const WRITE: Media = Media { consumes: Some(&[JSON]), produces: ANSWER };

/// All operations of the API (docs/reference/rest-v3.md §1).
#[rustfmt::skip]
pub(crate) fn routes(proxy: Proxy, bounds: &ProduceBounds, streams: &RecordStreams) -> Vec<Route> {
    let limiter = RecordLimiter::new(bounds);
    // A stream may last for hours, a read as long as it waits for records: as a whole they have no deadline.
    let records = Table::new(proxy.clone())
        .post("/v3/clusters/{cluster}/topics/{topic}/records", WRITE, records::stream(bounds, &limiter), records::STREAM)
        .post("/v3/clusters/{cluster}/topics/{topic}/records:batch", WRITE, records::batch(bounds, &limiter), records::BATCH)
        .get("/v3/clusters/{cluster}/topics/{topic}/records", RECORDS, topic_records::of_topic(streams), topic_records::OF_TOPIC)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/records", RECORDS, topic_records::of_partition(streams), topic_records::OF_PARTITION)
        .routes;
    let mut routes = Table::with(proxy, Proxy::with_one_deadline)
        .get("/v3/clusters", READ, clusters::list, clusters::LIST)
        .get("/v3/clusters/{cluster}", READ, clusters::show, clusters::SHOW)
        .get("/v3/clusters/{cluster}/acls", READ, acls::search, acls::SEARCH)
        .post("/v3/clusters/{cluster}/acls", WRITE, acls::create, acls::CREATE)
        .delete("/v3/clusters/{cluster}/acls", READ, acls::delete, acls::DELETE)
        .post("/v3/clusters/{cluster}/acls:batch", WRITE, acls::create_batch, acls::CREATE_BATCH)
        .get("/v3/clusters/{cluster}/broker-configs", READ, configs_of(configs::all_brokers, configs::list), configs::ALL_BROKERS.list)
        .get("/v3/clusters/{cluster}/broker-configs/{config}", READ, configs_of(configs::all_brokers, configs::show), configs::ALL_BROKERS.show)
        .put("/v3/clusters/{cluster}/broker-configs/{config}", WRITE, configs_of(configs::all_brokers, configs::set), configs::ALL_BROKERS.set)
        .delete("/v3/clusters/{cluster}/broker-configs/{config}", READ, configs_of(configs::all_brokers, configs::reset), configs::ALL_BROKERS.reset)
        .post("/v3/clusters/{cluster}/broker-configs:alter", WRITE, configs_of(configs::all_brokers, configs::alter), configs::ALL_BROKERS.alter)
        .get("/v3/clusters/{cluster}/brokers", READ, brokers::list, brokers::LIST)
        .get("/v3/clusters/{cluster}/brokers/{broker}", READ, brokers::show, brokers::SHOW)
        .get("/v3/clusters/{cluster}/brokers/-/configs", READ, configs::of_brokers, configs::OF_BROKERS)
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs", READ, configs_of(configs::broker, configs::list), configs::BROKER.list)
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, configs_of(configs::broker, configs::show), configs::BROKER.show)
        .put("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", WRITE, configs_of(configs::broker, configs::set), configs::BROKER.set)
        .delete("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, configs_of(configs::broker, configs::reset), configs::BROKER.reset)
        .post("/v3/clusters/{cluster}/brokers/{broker}/configs:alter", WRITE, configs_of(configs::broker, configs::alter), configs::BROKER.alter)
        .get("/v3/clusters/{cluster}/brokers/{broker}/partition-replicas", READ, replicas::of_broker, replicas::OF_BROKER)
        .get("/v3/clusters/{cluster}/consumer-groups", READ, groups::list, groups::LIST)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}", READ, groups::show, groups::SHOW)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers", READ, groups::consumers, groups::CONSUMERS)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}", READ, groups::consumer, groups::CONSUMER)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments", READ, groups::assignments, groups::ASSIGNMENTS)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}", READ, groups::assignment, groups::ASSIGNMENT)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags", READ, lags::list, lags::LIST)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags/{topic}/partitions/{partition}", READ, lags::show, lags::SHOW)
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lag-summary", READ, lags::summary, lags::SUMMARY)
        .get("/v3/clusters/{cluster}/topics", READ, topics::list, topics::LIST)
        .post("/v3/clusters/{cluster}/topics", WRITE, topics::create, topics::CREATE)
        .get("/v3/clusters/{cluster}/topics/{topic}", READ, topics::show, topics::SHOW)
        .patch("/v3/clusters/{cluster}/topics/{topic}", WRITE, topics::add_partitions, topics::ADD_PARTITIONS)
        .delete("/v3/clusters/{cluster}/topics/{topic}", READ, topics::delete, topics::DELETE)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs", READ, configs_of(configs::topic, configs::list), configs::TOPIC.list)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, configs_of(configs::topic, configs::show), configs::TOPIC.show)
        .put("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", WRITE, configs_of(configs::topic, configs::set), configs::TOPIC.set)
        .delete("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, configs_of(configs::topic, configs::reset), configs::TOPIC.reset)
        .post("/v3/clusters/{cluster}/topics/{topic}/configs:alter", WRITE, configs_of(configs::topic, configs::alter), configs::TOPIC.alter)
        .get("/v3/clusters/{cluster}/topics/-/configs", READ, configs::of_all_topics, configs::OF_ALL_TOPICS)
        .post("/v3/clusters/{cluster}/topics/-/configs:alter", WRITE, configs::alter_topics, configs::ALTER_TOPICS)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions", READ, partitions::list, partitions::LIST)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}", READ, partitions::show, partitions::SHOW)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/offset", READ, partitions::offsets, partitions::OFFSETS)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas", READ, replicas::list, replicas::LIST)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas/{broker}", READ, replicas::show, replicas::SHOW)
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignment", READ, reassignments::of_all_topics, reassignments::OF_ALL_TOPICS)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignment", READ, reassignments::of_topic, reassignments::OF_TOPIC)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignment", READ, reassignments::of_partition, reassignments::OF_PARTITION)
        // The links in the responses of these three use the plural.
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignments", READ, reassignments::of_all_topics, reassignments::OF_ALL_TOPICS.again("InPlural"))
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignments", READ, reassignments::of_topic, reassignments::OF_TOPIC.again("InPlural"))
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignments", READ, reassignments::of_partition, reassignments::OF_PARTITION.again("InPlural"))
        .routes;
    routes.extend(records);
    routes
}

/// A handler that serves configs of several kinds of resource, for one of them.
fn configs_of<F, A>(
    resource: configs::ResourceOf,
    handler: F,
) -> impl Fn(Proxy, RequestContext) -> A + Send + Sync + 'static
where
    F: Fn(Proxy, RequestContext, configs::ResourceOf) -> A + Send + Sync + 'static,
{
    move |proxy, request| handler(proxy, request, resource)
}

fn problem(error: Error) -> Problem {
    problem::problem(Dialect::V3, &error)
}

/// The topic of the path, for reading: an illegal name is a 400, not a 404 (docs/reference/rest-v3.md §6.1).
fn topic_name(params: &Params) -> Result<TopicName, Problem> {
    let name = params.get("topic");
    TopicName::parse(name)
        .map_err(|error| Problem::invalid_request(format!("'{name}' is no legal name of a topic: {error}.")))
}

async fn described(proxy: &Proxy, name: &TopicName) -> Result<TopicDescription, Problem> {
    proxy.topic(name, false).await.map_err(problem)
}
