//! API v3: the dialect of `/v3/clusters/…`, in `application/json`.
//!
//! Source: docs/reference/rest-v3.md. There is one cluster, and its id stands in every path. Operations that are not built yet are in the
//! table with their methods and media types; they answer 404 for a cluster that is not there, and 501 for the one that is.

mod brokers;
mod clusters;
mod configs;
mod later;
mod links;
mod partitions;
mod reassignments;
mod replicas;
mod resource;
mod topics;

use postern_proxy::{Caller, Describe, Error, Proxy, TopicDescription, TopicName};

use self::later::{later, later_for_any_cluster};
use crate::api::JSON;
use crate::call::Params;
use crate::negotiate::Offer;
use crate::problem::{self, Dialect, Problem};
use crate::router::{Media, Route, Table};

const ANSWER: &[Offer] = &[Offer { media_type: JSON, weight: 1000 }];

/// Operations without a body do not look at `Content-Type`.
const READ: Media = Media { consumes: None, produces: ANSWER };
const WRITE: Media = Media { consumes: Some(&[JSON]), produces: ANSWER };

/// All operations of the dialect (docs/reference/rest-v3.md §1).
#[rustfmt::skip]
pub(crate) fn routes(proxy: Proxy) -> Vec<Route> {
    Table::new(proxy)
        .get("/v3/clusters", READ, clusters::list)
        .get("/v3/clusters/{cluster}", READ, clusters::show)
        .get("/v3/clusters/{cluster}/acls", READ, later("Listing ACLs"))
        .post("/v3/clusters/{cluster}/acls", WRITE, later("Creating ACLs"))
        .delete("/v3/clusters/{cluster}/acls", READ, later("Deleting ACLs"))
        .post("/v3/clusters/{cluster}/acls:batch", WRITE, later("Creating ACLs"))
        .get("/v3/clusters/{cluster}/broker-configs", READ, later("Reading settings of all brokers"))
        .get("/v3/clusters/{cluster}/broker-configs/{config}", READ, later("Reading settings of all brokers"))
        .put("/v3/clusters/{cluster}/broker-configs/{config}", WRITE, later("Changing settings of all brokers"))
        .delete("/v3/clusters/{cluster}/broker-configs/{config}", READ, later("Changing settings of all brokers"))
        .post("/v3/clusters/{cluster}/broker-configs:alter", WRITE, later("Changing settings of all brokers"))
        .get("/v3/clusters/{cluster}/brokers", READ, brokers::list)
        .get("/v3/clusters/{cluster}/brokers/{broker}", READ, brokers::show)
        .get("/v3/clusters/{cluster}/brokers/-/configs", READ, later("Reading settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs", READ, later("Reading settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, later("Reading settings of brokers"))
        .put("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", WRITE, later("Changing settings of brokers"))
        .delete("/v3/clusters/{cluster}/brokers/{broker}/configs/{config}", READ, later("Changing settings of brokers"))
        .post("/v3/clusters/{cluster}/brokers/{broker}/configs:alter", WRITE, later("Changing settings of brokers"))
        .get("/v3/clusters/{cluster}/brokers/{broker}/partition-replicas", READ, replicas::of_broker)
        .get("/v3/clusters/{cluster}/consumer-groups", READ, later("Listing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}", READ, later("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers", READ, later("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}", READ, later("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments", READ, later("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/consumers/{consumer}/assignments/{topic}/partitions/{partition}", READ, later("Describing consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags", READ, later("Telling the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lags/{topic}/partitions/{partition}", READ, later("Telling the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/consumer-groups/{group}/lag-summary", READ, later("Telling the lag of consumer groups"))
        .get("/v3/clusters/{cluster}/topics", READ, topics::list)
        .post("/v3/clusters/{cluster}/topics", WRITE, topics::create)
        .get("/v3/clusters/{cluster}/topics/{topic}", READ, topics::show)
        .patch("/v3/clusters/{cluster}/topics/{topic}", WRITE, topics::widen)
        .delete("/v3/clusters/{cluster}/topics/{topic}", READ, topics::delete)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs", READ, configs::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, configs::one_of_topic)
        .put("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", WRITE, later("Changing settings of topics"))
        .delete("/v3/clusters/{cluster}/topics/{topic}/configs/{config}", READ, later("Changing settings of topics"))
        .post("/v3/clusters/{cluster}/topics/{topic}/configs:alter", WRITE, later("Changing settings of topics"))
        .get("/v3/clusters/{cluster}/topics/-/configs", READ, configs::of_all_topics)
        .post("/v3/clusters/{cluster}/topics/-/configs:alter", WRITE, later("Changing settings of topics"))
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions", READ, partitions::list)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}", READ, partitions::show)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/offset", READ, partitions::offsets)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas", READ, replicas::list)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/replicas/{broker}", READ, replicas::show)
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignment", READ, reassignments::of_all_topics)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignment", READ, reassignments::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignment", READ, reassignments::of_partition)
        // Where the links in the answers of these three lead to.
        .get("/v3/clusters/{cluster}/topics/-/partitions/-/reassignments", READ, reassignments::of_all_topics)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/-/reassignments", READ, reassignments::of_topic)
        .get("/v3/clusters/{cluster}/topics/{topic}/partitions/{partition}/reassignments", READ, reassignments::of_partition)
        .post("/v3/clusters/{cluster}/topics/{topic}/records", WRITE, later_for_any_cluster("Producing through API v3"))
        .post("/v3/clusters/{cluster}/topics/{topic}/records:batch", WRITE, later_for_any_cluster("Producing through API v3"))
        .routes
}

fn problem(error: Error) -> Problem {
    problem::problem(Dialect::V3, &error)
}

fn may_describe() -> Result<Describe, Problem> {
    Caller::anonymous().may_describe().map_err(problem)
}

/// The topic that a path names, where one only looks: an illegal name is no unknown topic (docs/reference/rest-v3.md §6.1).
fn topic_name(params: &Params) -> Result<TopicName, Problem> {
    let name = params.get("topic");
    TopicName::parse(name)
        .map_err(|error| Problem::invalid_request(format!("'{name}' is no legal name of a topic: {error}.")))
}

async fn described(proxy: &Proxy, name: &TopicName) -> Result<TopicDescription, Problem> {
    proxy.topic(may_describe()?, name, false).await.map_err(problem)
}
