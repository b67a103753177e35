//! API v3: `/v3/clusters/…`, in `application/json`.
//!
//! Source: docs/reference/rest-v3.md. There is one cluster, and its id stands in every path. Operations that are not built yet are in the
//! table with their methods and media types; they return 404 for an unknown cluster and 501 for the known one.

mod brokers;
mod clusters;
mod configs;
mod links;
mod not_built;
mod partitions;
mod reassignments;
mod replicas;
mod resource;
mod topics;

use postern_proxy::{Error, Proxy, TopicDescription, TopicName};

use self::not_built::{not_built, not_built_for_any_cluster};
use crate::negotiate::{JSON, MediaType};
use crate::problem::{self, Dialect, Problem};
use crate::request_context::Params;
use crate::router::{Media, Route, Table};

const ANSWER: &[MediaType] = &[MediaType { name: JSON, weight: 1000 }];

/// Operations without a body ignore `Content-Type`.
const READ: Media = Media { consumes: None, produces: ANSWER };
const WRITE: Media = Media { consumes: Some(&[JSON]), produces: ANSWER };

/// All operations of the API (docs/reference/rest-v3.md §1).
#[rustfmt::skip]
pub(crate) fn routes(proxy: Proxy) -> Vec<Route> {
    Table::new(proxy)
        .get("/v3/clusters", READ, clusters::list)
        .get("/v3/clusters/{cluster}", READ, clusters::show)
        .get("/v3/clusters/{cluster}/acls", READ, not_built("Listing ACLs"))
        .post("/v3/clusters/{cluster}/acls", WRITE, not_built("Creating ACLs"))
        .delete("/v3/clusters/{cluster}/acls", READ, not_built("Deleting ACLs"))
        .post("/v3/clusters/{cluster}/acls:batch", WRITE, not_built("Creating ACLs"))
        .get("/v3/clusters/{cluster}/broker-configs", READ, not_built("Reading settings of all brokers"))
        .get("/v3/clusters/{cluster}/broker-configs/{config}", READ, not_built("Reading settings of all brokers"))
        .put("/v3/clusters/{cluster}/broker-configs/{config}", WRITE, not_built("Changing settings of all brokers"))
        .delete("/v3/clusters/{cluster}/broker-configs/{config}", READ, not_built("Changing settings of all brokers"))
        .post("/v3/clusters/{cluster}/broker-configs:alter", WRITE, not_built("Changing settings of all brokers"))
        .get("/v3/clusters/{cluster}/brokers", READ, brokers::list)
        .get("/v3/clusters/{cluster}/brokers/{broker}", READ, brokers::show)
        .get("/v3/clusters/{cluster}/brokers/-/configs", READ, not_built("Reading settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs", READ, not_built("Reading settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, not_built("Reading settings of brokers"))
        .put("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", WRITE, not_built("Changing settings of brokers"))
        .delete("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, not_built("Changing settings of brokers"))
        .post("/v3/clusters/{cluster}/brokers/{broker}/configs:alter", WRITE, not_built("Changing settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/partition-replicas", READ, replicas::of_broker)
        .get("/v3/clusters/{cluster}/consumer-groups", READ, not_built("Listing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}", READ, not_built("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers", READ, not_built("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}", READ, not_built("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments", READ, not_built("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}", READ, not_built("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags", READ, not_built("Reading the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags/{topic}/partitions/{partition}", READ, not_built("Reading the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lag-summary", READ, not_built("Reading the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/topics", READ, topics::list)
        .post("/v3/clusters/{cluster}/topics", WRITE, topics::create)
        .get("/v3/clusters/{cluster}/topics/{topic}", READ, topics::show)
        .patch("/v3/clusters/{cluster}/topics/{topic}", WRITE, topics::add_partitions)
        .delete("/v3/clusters/{cluster}/topics/{topic}", READ, topics::delete)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs", READ, configs::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, configs::one_of_topic)
        .put("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", WRITE, not_built("Changing settings of topics"))
        .delete("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, not_built("Changing settings of topics"))
        .post("/v3/clusters/{cluster}/topics/{topic}/configs:alter", WRITE, not_built("Changing settings of topics"))
        .get("/v3/clusters/{cluster}/topics/-/configs", READ, configs::of_all_topics)
        .post("/v3/clusters/{cluster}/topics/-/configs:alter", WRITE, not_built("Changing settings of topics"))
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions", READ, partitions::list)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}", READ, partitions::show)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/offset", READ, partitions::offsets)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas", READ, replicas::list)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas/{broker}", READ, replicas::show)
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignment", READ, reassignments::of_all_topics)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignment", READ, reassignments::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignment", READ, reassignments::of_partition)
        // The links in the responses of these three use the plural.
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignments", READ, reassignments::of_all_topics)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignments", READ, reassignments::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignments", READ, reassignments::of_partition)
        .post("/v3/clusters/{cluster}/topics/{topic}/records", WRITE, not_built_for_any_cluster("Producing through API v3"))
        .post("/v3/clusters/{cluster}/topics/{topic}/records:batch", WRITE, not_built_for_any_cluster("Producing through API v3"))
        .routes
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
