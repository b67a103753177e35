//! API v3: the cluster, its brokers, and what holds for every path below it.

use std::time::{Duration, Instant};

use hyper::Method;
use postern_broker::{ApiKey, Fault};
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn the_list_holds_the_one_cluster_in_the_order_of_its_members() {
    let app = TestApp::start().await;
    let (url, id) = (app.url(), &app.cluster_id);
    assert_eq!(id.len(), 22);
    let cluster = format!(
        r#"{{"kind":"KafkaCluster","metadata":{{"self":"{url}/v3/clusters/{id}","resource_name":"crn:///kafka={id}"}},"cluster_id":"{id}","controller":{{"related":"{url}/v3/clusters/{id}/brokers/1"}},"acls":{{"related":"{url}/v3/clusters/{id}/acls"}},"brokers":{{"related":"{url}/v3/clusters/{id}/brokers"}},"broker_configs":{{"related":"{url}/v3/clusters/{id}/broker-configs"}},"consumer_groups":{{"related":"{url}/v3/clusters/{id}/consumer-groups"}},"topics":{{"related":"{url}/v3/clusters/{id}/topics"}},"partition_reassignments":{{"related":"{url}/v3/clusters/{id}/topics/-/partitions/-/reassignment"}}}}"#
    );
    let list = format!(
        r#"{{"kind":"KafkaClusterList","metadata":{{"self":"{url}/v3/clusters","next":null}},"data":[{cluster}]}}"#
    );
    // Clients join URLs carelessly.
    for path in ["/v3/clusters", "//v3/clusters", "/v3//clusters/"] {
        let reply = app.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{path}");
        assert_eq!(reply.text(), list, "{path}");
    }
    assert_eq!(app.get(&format!("/v3/clusters/{id}")).await.text(), cluster);
}

#[tokio::test]
async fn brokers_are_listed_and_shown() {
    let app = TestApp::start().await;
    let (url, id) = (app.url(), &app.cluster_id);
    let list = app.get(&app.v3("brokers")).await.json();
    let broker = &list["data"][0];
    let port = broker["port"].as_u64().expect("a number");
    assert_eq!(
        app.get(&app.v3("brokers/1")).await.text(),
        format!(
            r#"{{"kind":"KafkaBroker","metadata":{{"self":"{url}/v3/clusters/{id}/brokers/1","resource_name":"crn:///kafka={id}/broker=1"}},"cluster_id":"{id}","broker_id":1,"host":"127.0.0.1","port":{port},"rack":null,"configs":{{"related":"{url}/v3/clusters/{id}/brokers/1/configs"}},"partition_replicas":{{"related":"{url}/v3/clusters/{id}/brokers/1/partition-replicas"}}}}"#
        )
    );
    assert_eq!(&app.get(&app.v3("brokers/+01")).await.json(), broker);
    for missing in ["brokers/99", "brokers/-1", "brokers/abc", "brokers/1.0", "brokers/2147483648"] {
        assert_eq!(app.get(&app.v3(missing)).await.refusal(), (404, 404), "{missing}");
    }
}

#[tokio::test]
async fn links_follow_the_host_header() {
    let app = TestApp::start().await;
    let reply = app.request(Method::GET, "/v3/clusters").header("host", "proxy.example:1234").send().await;
    assert_eq!(reply.json()["metadata"]["self"], "http://proxy.example:1234/v3/clusters");
    assert_eq!(
        reply.json()["data"][0]["topics"]["related"],
        format!("http://proxy.example:1234/v3/clusters/{}/topics", app.cluster_id)
    );
}

/// They share one request for the id of the cluster, and do not ask one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn with_kafka_away_no_request_waits_for_the_failure_of_another() {
    let app = TestApp::start().await;
    for request in [ApiKey::Metadata, ApiKey::DescribeCluster] {
        app.broker.faults().add(request, None, Fault::NeverAnswer, 1_000_000);
    }
    let (started, path) = (Instant::now(), app.v3("topics"));
    let (a, b, c, d) = tokio::join!(app.get(&path), app.get(&path), app.get(&path), app.get(&path));
    for reply in [a, b, c, d] {
        assert!(reply.status >= 500, "{}", reply.text());
    }
    // One request takes 8 s to fail, four in a row 32 s.
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // The failure is not kept: as soon as the client has a new connection, the id is known.
    app.broker.faults().clear();
    while app.get(&path).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
    }
}

/// Every operation below a cluster, and whether it is there already.
const OPERATIONS: &[(&str, &str, Built)] = &[
    ("GET", "", Built::Yes),
    ("GET", "acls", Built::Yes),
    ("POST", "acls", Built::Yes),
    ("DELETE", "acls?resource_type=any&pattern_type=any&operation=any&permission=any", Built::Yes),
    ("POST", "acls:batch", Built::Yes),
    ("GET", "broker-configs", Built::Yes),
    ("GET", "broker-configs/n", Built::Yes),
    ("PUT", "broker-configs/n", Built::Yes),
    ("DELETE", "broker-configs/n", Built::Yes),
    ("POST", "broker-configs:alter", Built::Yes),
    ("GET", "brokers", Built::Yes),
    ("GET", "brokers/1", Built::Yes),
    ("GET", "brokers/-/configs", Built::Yes),
    ("GET", "brokers/1/configs", Built::Yes),
    ("GET", "brokers/1/configs/n", Built::Yes),
    ("PUT", "brokers/1/configs/n", Built::Yes),
    ("DELETE", "brokers/1/configs/n", Built::Yes),
    ("POST", "brokers/1/configs:alter", Built::Yes),
    ("GET", "brokers/1/partition-replicas", Built::Yes),
    ("GET", "consumer-groups", Built::Yes),
    ("GET", "consumer-groups/g", Built::Yes),
    ("GET", "consumer-groups/g/consumers", Built::Yes),
    ("GET", "consumer-groups/g/consumers/m", Built::Yes),
    ("GET", "consumer-groups/g/consumers/m/assignments", Built::Yes),
    ("GET", "consumer-groups/g/consumers/m/assignments/t/partitions/0", Built::Yes),
    ("GET", "consumer-groups/g/lags", Built::Yes),
    ("GET", "consumer-groups/g/lags/t/partitions/0", Built::Yes),
    ("GET", "consumer-groups/g/lag-summary", Built::Yes),
    ("GET", "topics", Built::Yes),
    ("POST", "topics", Built::Yes),
    ("GET", "topics/t", Built::Yes),
    ("PATCH", "topics/t", Built::Yes),
    ("DELETE", "topics/t", Built::Yes),
    ("GET", "topics/t/configs", Built::Yes),
    ("GET", "topics/t/configs/n", Built::Yes),
    ("PUT", "topics/t/configs/n", Built::Yes),
    ("DELETE", "topics/t/configs/n", Built::Yes),
    ("POST", "topics/t/configs:alter", Built::Yes),
    ("GET", "topics/-/configs", Built::Yes),
    ("POST", "topics/-/configs:alter", Built::Yes),
    ("GET", "topics/t/partitions", Built::Yes),
    ("GET", "topics/t/partitions/0", Built::Yes),
    ("GET", "topics/t/partitions/0/offset", Built::Yes),
    ("GET", "topics/t/partitions/0/replicas", Built::Yes),
    ("GET", "topics/t/partitions/0/replicas/1", Built::Yes),
    ("GET", "topics/-/partitions/-/reassignment", Built::Yes),
    ("GET", "topics/t/partitions/-/reassignment", Built::Yes),
    ("GET", "topics/t/partitions/0/reassignment", Built::Yes),
    ("POST", "topics/t/records", Built::YesForAnyCluster),
    ("POST", "topics/t/records:batch", Built::YesForAnyCluster),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Built {
    Yes,
    YesForAnyCluster,
}

#[tokio::test]
async fn every_operation_is_there_and_knows_its_cluster() {
    let app = TestApp::start().await;
    app.topic("t", 1).await;
    assert_eq!(OPERATIONS.len(), 50, "all but the list of clusters");
    for (method, path, built) in OPERATIONS {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        // Good for the operations that want one, ignored by those that do not look at it.
        let body = match *path {
            "topics/t" => json!({"partitions_count": 2}),
            "acls" => {
                json!({"resource_type": "TOPIC", "resource_name": "t", "pattern_type": "LITERAL", "principal": "User:a", "host": "*", "operation": "READ", "permission": "ALLOW"})
            }
            path if path.ends_with("/n") => json!({"value": "1"}),
            path if path.ends_with(":alter") || path.ends_with(":batch") => json!({"data": []}),
            _ => json!({"topic_name": "t2", "partitions_count": 2}),
        };
        let elsewhere = app.request(method.clone(), &format!("/v3/clusters/nope/{path}")).json(&body).send().await;
        // Producing does not look at the cluster of the path.
        let is_known = *built == Built::YesForAnyCluster;
        assert_eq!(elsewhere.refusal() != (404, 404), is_known, "{method} {path}: {}", elsewhere.text());
    }
    assert_eq!((app.partitions("t").await, app.partitions("t2").await), (Some(1), None), "nothing was changed");
}
