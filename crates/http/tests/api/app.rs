//! A whole Postern for one test: embedded broker, registry, proxy and REST API, on free ports, in a folder of its own.
//!
//! ```ignore
//! let app = TestApp::start().await;
//! let reply = app.post("/v3/clusters/…/topics", json!({"topic_name": "lab"})).await;
//! assert_eq!((reply.status, reply.error_code()), (400, Some(40002)));
//! assert_eq!(app.partitions("lab").await, None);
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use postern_broker::Broker;
use postern_http::front::FrontSettings;
use postern_http::{AccessControl, Api, Authentication, Bounds};
use postern_kafka::{Cluster, ErrorKind, PartitionId, TopicName};
use postern_proxy::{ConsumerLimits, Limits, Proxy, Schemas};
use postern_registry::Registry;
use postern_registry_client::{RegistryUrl, Remote, RemoteSettings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running Postern. Dropped, it ends.
pub(crate) struct TestApp {
    rest: SocketAddr,
    /// Where the registry's API listens.
    registry: SocketAddr,
    /// The schemas, past the API.
    pub(crate) schemas: Registry,
    /// The cluster, to look at what really happened.
    pub(crate) cluster: Cluster,
    /// What is behind the REST API.
    pub(crate) proxy: Proxy,
    /// Its id, as it stands in the paths of API v3.
    pub(crate) cluster_id: String,
    access: AccessControl,
    serving: [JoinHandle<bool>; 2],
    /// The embedded broker, to arrange faults.
    pub(crate) broker: Broker,
    _dir: TempDir,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

impl TestApp {
    /// With everything at its default.
    pub(crate) async fn start() -> TestApp {
        TestApp::start_with(|_| {}).await
    }

    /// With callers who are recognized so, at both APIs.
    pub(crate) async fn with_access(access: AccessControl) -> TestApp {
        TestApp::assemble_with(|_| {}, None, Bounds::default(), Limits::default(), access).await
    }

    /// As Apache Kafka would be: a topic that wants more replicas than there are brokers is refused.
    pub(crate) async fn strict() -> TestApp {
        TestApp::start_with(|settings| settings.strict_replication = true).await
    }

    /// With settings of the broker changed by `change`.
    pub(crate) async fn start_with(change: impl FnOnce(&mut postern_broker::Settings)) -> TestApp {
        TestApp::assemble(change, None, Bounds::default(), Limits::default()).await
    }

    /// With less room or patience for its clients.
    pub(crate) async fn bounded(bounds: Bounds) -> TestApp {
        TestApp::assemble(|_| {}, None, bounds, Limits::default()).await
    }

    /// With other bounds of consumer instances.
    pub(crate) async fn with_consumers(change: impl FnOnce(&mut ConsumerLimits)) -> TestApp {
        let mut limits = Limits::default();
        change(&mut limits.consumers);
        TestApp::assemble(|_| {}, None, Bounds::default(), limits).await
    }

    /// With other bounds of both kinds.
    pub(crate) async fn limited(bounds: Bounds, limits: Limits) -> TestApp {
        TestApp::assemble(|_| {}, None, bounds, limits).await
    }

    /// Its producers use the schemas of another registry; its own stays empty.
    pub(crate) async fn with_schemas_of(urls: &str) -> TestApp {
        let urls = urls.split(',').map(|url| RegistryUrl::parse(url).expect("a URL")).collect();
        TestApp::assemble(|_| {}, Some(Remote::new(RemoteSettings::new(urls))), Bounds::default(), Limits::default())
            .await
    }

    /// The same behind another front.
    pub(crate) async fn behind(mut self, settings: FrontSettings) -> TestApp {
        let bounds = Bounds::default();
        let restricted = |api: Api| api.with_front(settings.clone()).with_access(self.access.clone());
        let rest = restricted(postern_http::rest(self.proxy.clone(), &bounds));
        let registry = restricted(postern_http::registry(self.schemas.clone(), &bounds));
        self.serving.iter().for_each(JoinHandle::abort);
        let ((rest, rest_serving), (registry, registry_serving)) =
            (serve(rest, &bounds).await, serve(registry, &bounds).await);
        (self.rest, self.registry, self.serving) = (rest, registry, [rest_serving, registry_serving]);
        self
    }

    async fn assemble(
        change: impl FnOnce(&mut postern_broker::Settings),
        remote: Option<Remote>,
        bounds: Bounds,
        limits: Limits,
    ) -> TestApp {
        TestApp::assemble_with(change, remote, bounds, limits, AccessControl::new(Authentication::Nobody, None)).await
    }

    async fn assemble_with(
        change: impl FnOnce(&mut postern_broker::Settings),
        remote: Option<Remote>,
        bounds: Bounds,
        limits: Limits,
        access: AccessControl,
    ) -> TestApp {
        let dir = TempDir::new().expect("a folder can be made");
        let mut settings = postern_broker::Settings::for_test(dir.path());
        change(&mut settings);
        let broker = Broker::start(settings).await.expect("the broker starts");
        let settings = postern_kafka::Settings::for_test(broker.address().to_string());
        let cluster = Cluster::connect(settings).expect("the clients start");
        let schemas = Registry::start(cluster.clone(), postern_registry::Settings::default());
        schemas.ready().await;
        let used = remote.map_or_else(|| Schemas::from(schemas.clone()), Schemas::from);
        let proxy = Proxy::new(cluster.clone(), used, limits);

        let rest_api = postern_http::rest(proxy.clone(), &bounds).with_access(access.clone());
        let (rest, rest_serving) = serve(rest_api, &bounds).await;
        let registry_api = postern_http::registry(schemas.clone(), &bounds).with_access(access.clone());
        let (registry, registry_serving) = serve(registry_api, &bounds).await;
        let cluster_id = broker.cluster_id().to_owned();
        let serving = [rest_serving, registry_serving];
        TestApp { rest, registry, schemas, cluster, proxy, cluster_id, access, serving, broker, _dir: dir }
    }

    /// A connection to the REST proxy, to say on it what no client library would.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.rest).await.expect("it listens")
    }

    /// Scheme and authority, as links begin.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.rest)
    }

    /// The same of the registry.
    pub(crate) fn registry_url(&self) -> String {
        format!("http://{}", self.registry)
    }

    /// A path of API v3 below the cluster.
    pub(crate) fn v3(&self, path: &str) -> String {
        format!("/v3/clusters/{}/{path}", self.cluster_id)
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path).json(&body).send().await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path).json(&body).send().await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }

    /// Any other request.
    pub(crate) fn request(&self, method: Method, path: &str) -> Call {
        Call::new(self.rest, method, path)
    }

    /// A request to the registry.
    pub(crate) fn registry(&self, method: Method, path: &str) -> Call {
        Call::new(self.registry, method, path)
    }

    /// Makes a topic, past the API.
    pub(crate) async fn topic(&self, name: &str, partitions: i32) {
        let new = postern_kafka::NewTopic {
            name: topic_name(name),
            partitions: Some(partitions),
            replication_factor: Some(1),
            assignments: None,
            configs: Vec::new(),
            validate_only: false,
        };
        self.cluster.create_topic(&new).await.expect("the topic can be made");
    }

    /// How many partitions a topic has; `None`: there is none of this name.
    pub(crate) async fn partitions(&self, name: &str) -> Option<usize> {
        match self.cluster.topic(&topic_name(name), false).await {
            Ok(topic) => Some(topic.partitions.len()),
            Err(error) if error.kind == ErrorKind::UnknownTopic => None,
            Err(error) => panic!("the topic cannot be looked up: {error}"),
        }
    }

    /// All records of partition 0, key and value.
    pub(crate) async fn records(&self, name: &str) -> Vec<(Option<Bytes>, Option<Bytes>)> {
        let end = self.end_offset(name, 0).await;
        let mut reader = self.cluster.reader(&topic_name(name), PartitionId(0)).expect("the partition can be read");
        let mut records = Vec::new();
        let mut next = 0;
        while next < end {
            for record in reader.next().await.expect("the partition can be read") {
                next = record.offset.0 + 1;
                records.push((record.key, record.value));
            }
        }
        records
    }

    /// The offset that the next record of a partition will get.
    pub(crate) async fn end_offset(&self, name: &str, partition: i32) -> i64 {
        let range = self.cluster.offsets(&topic_name(name), PartitionId(partition)).await;
        range.expect("the partition is there").latest.0
    }
}

/// A request that is being put together.
pub(crate) struct Call {
    to: SocketAddr,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    fn new(to: SocketAddr, method: Method, path: &str) -> Call {
        let call = Call { to, method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() };
        call.header(HOST.as_str(), &to.to_string())
    }

    /// Sets a header; the last of one name counts.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Call {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body as it stands, without a `Content-Type`.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Call {
        self.body = body.into();
        self
    }

    /// A JSON body, as `application/json` where no other type is set afterwards.
    pub(crate) fn json(self, body: &Value) -> Call {
        self.body(body.to_string()).header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// Sends it over a connection of its own, and reads the whole answer.
    pub(crate) async fn send(self) -> Reply {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).expect("tests send good requests");
        let stream = TcpStream::connect(self.to).await.expect("it listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.expect("it answers").into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("answers are UTF-8")
    }

    /// The body as JSON; null where there is none.
    pub(crate) fn json(&self) -> Value {
        match self.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&self.body).expect("answers are JSON"),
        }
    }

    /// The number of an error.
    pub(crate) fn error_code(&self) -> Option<i64> {
        self.json()["error_code"].as_i64()
    }

    /// Status and number of an error, which most tests want to see.
    pub(crate) fn refusal(&self) -> (u16, i64) {
        (self.status, self.error_code().unwrap_or_default())
    }

    /// The sentence of an error.
    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

/// Serves an API on a free port.
async fn serve(api: Api, bounds: &Bounds) -> (SocketAddr, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let stop = std::future::pending();
    (address, tokio::spawn(postern_http::serve::serve(listener, api, bounds.clone(), stop, Duration::ZERO)))
}

fn topic_name(name: &str) -> TopicName {
    TopicName::parse(name).expect("tests use legal names")
}
