//! The cluster that the suite runs on.

use std::{env, path::Path, time::Duration};

use bytes::Bytes;
use postern_broker::Broker;
use postern_kafka::{
    AppendError, ByteCount, Cluster, Inflight, KeyStore, NewTopic, OffsetRange, PartitionId, Receipt, Record, Sasl,
    ScramHash, Security, Settings, Source, StoredRecord, Tls, TopicName, TrustStore,
};

/// Names a cluster to run on instead of the embedded broker.
const FOREIGN: &str = "POSTERN_TEST_BOOTSTRAP";

/// How that cluster is secured: `scram` is SASL_SSL with SCRAM-SHA-512, `mtls` is SSL with a client certificate, both with the stores
/// in `tests/stores` and the user that `xtask/src/cluster.rs` adds; not set: not at all.
const SECURITY: &str = "POSTERN_TEST_SECURITY";

/// How many replicas topics have by default on that cluster; 1 if not set.
const REPLICATION: &str = "POSTERN_TEST_REPLICATION";

/// A cluster, and our way to it.
pub(crate) struct Target {
    pub(crate) cluster: Cluster,
    pub(crate) address: String,
    /// Ours; kept alive here.
    _embedded: Option<Embedded>,
}

impl Target {
    /// The foreign cluster, or a broker of our own that creates no topics by itself.
    pub(crate) async fn start() -> Target {
        match env::var(FOREIGN) {
            Ok(address) => {
                let settings = Settings { security: security(), ..Settings::for_test(&address) };
                Target {
                    cluster: Cluster::connect(settings).expect("the settings are sound"),
                    address,
                    _embedded: None,
                }
            }
            Err(_) => Target::embedded(Embedded::start().await),
        }
    }

    /// A cluster that creates topics by itself; a foreign one may not be such.
    pub(crate) async fn creating_topics() -> Option<Target> {
        if env::var(FOREIGN).is_ok() {
            eprintln!("SKIPPED: whether the cluster of {FOREIGN} creates topics by itself is not known");
            return None;
        }
        Some(Target::embedded(Embedded::with(|settings| settings.auto_create_topics = true).await))
    }

    /// Another client of it.
    pub(crate) fn another(&self) -> Cluster {
        Cluster::connect(self.settings()).expect("the settings are sound")
    }

    /// Whether its listeners want TLS or credentials, so that nobody in between can read the frames.
    pub(crate) fn is_secured(&self) -> bool {
        self._embedded.is_none() && env::var(SECURITY).is_ok()
    }

    /// How its clients reach it.
    pub(crate) fn settings(&self) -> Settings {
        let security = if self._embedded.is_some() { Security::default() } else { security() };
        Settings { security, ..Settings::for_test(&self.address) }
    }

    fn embedded(embedded: Embedded) -> Target {
        let address = embedded.broker.address().to_string();
        Target { cluster: connect(&address), address, _embedded: Some(embedded) }
    }

    /// A new topic.
    pub(crate) async fn topic(&self, partitions: i32) -> TopicName {
        topic(&self.cluster, partitions).await
    }

    /// Appends with room enough, and waits.
    pub(crate) async fn append(&self, topic: &TopicName, records: Vec<Record>) -> Vec<Result<Receipt, AppendError>> {
        append(&self.cluster, topic, records).await
    }

    /// The first `count` records of partition 0.
    pub(crate) async fn read(&self, topic: &TopicName, count: usize) -> Vec<StoredRecord> {
        read(&self.cluster, topic, count).await
    }

    /// Where a partition begins and ends.
    pub(crate) async fn range(&self, topic: &TopicName, partition: i32) -> (i64, i64) {
        let range = self.cluster.offsets(topic, PartitionId(partition)).await;
        let OffsetRange { earliest, latest } = range.expect("the partition is there");
        (earliest.0, latest.0)
    }
}

/// A broker of our own, with a folder that goes when it does.
pub(crate) struct Embedded {
    pub(crate) broker: Broker,
    settings: postern_broker::Settings,
    data: tempfile::TempDir,
}

impl Embedded {
    pub(crate) async fn start() -> Embedded {
        Embedded::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut postern_broker::Settings)) -> Embedded {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut settings = postern_broker::Settings::for_test(data.path());
        change(&mut settings);
        let broker = Broker::start(settings.clone()).await.expect("the broker starts");
        settings.listen = broker.address(); // it comes back where it was
        Embedded { broker, settings, data }
    }

    /// Stops it; [`Stopped::restart`] brings it back under the same address, with its data.
    pub(crate) async fn stop(self) -> Stopped {
        let Embedded { broker, settings, data } = self;
        broker.shutdown().await;
        Stopped { settings, data }
    }
}

/// A broker that is away.
pub(crate) struct Stopped {
    settings: postern_broker::Settings,
    data: tempfile::TempDir,
}

impl Stopped {
    pub(crate) async fn restart(self) -> Embedded {
        let Stopped { settings, data } = self;
        let broker = Broker::start(settings.clone()).await.expect("the broker starts again");
        Embedded { broker, settings, data }
    }
}

/// What `POSTERN_TEST_SECURITY` says.
fn security() -> Security {
    let stored = |name: &str| Source::File(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores").join(name));
    let password = || Some(Source::inline("changeit"));
    let trust = || Some(TrustStore { store: stored("trust.p12"), password: password() });
    match env::var(SECURITY).as_deref() {
        Err(_) => Security::default(),
        Ok("scram") => Security {
            tls: Some(Tls { trust: trust(), ..Tls::default() }),
            sasl: Some(Sasl::Scram {
                hash: ScramHash::Sha512,
                user: "postern".to_owned(),
                password: Source::inline("postern-secret"),
            }),
        },
        Ok("mtls") => {
            let key = KeyStore { store: stored("client.p12"), key: None, password: password(), key_password: None };
            Security { tls: Some(Tls { trust: trust(), key: Some(key), ..Tls::default() }), sasl: None }
        }
        Ok(other) => panic!("{SECURITY}: expected scram or mtls, found {other}"),
    }
}

/// A connection with a test's patience.
pub(crate) fn connect(address: &str) -> Cluster {
    Cluster::connect(Settings::for_test(address)).expect("the settings are sound")
}

/// A name that no other test has.
pub(crate) fn fresh_name() -> TopicName {
    TopicName::parse(&format!("kafka-suite-{}", uuid::Uuid::new_v4())).expect("legal")
}

/// How many replicas topics have on the cluster under test.
pub(crate) fn replication_factor() -> i32 {
    env::var(REPLICATION).map_or(1, |count| count.parse().expect("a number of replicas"))
}

/// A topic to be created, with as many replicas as the cluster gives by default.
pub(crate) fn new_topic(name: &TopicName, partitions: i32) -> NewTopic {
    NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        replication_factor: None,
        assignments: None,
        configs: Vec::new(),
        validate_only: false,
    }
}

pub(crate) async fn topic(cluster: &Cluster, partitions: i32) -> TopicName {
    let name = fresh_name();
    let created = cluster.create_topic(&new_topic(&name, partitions)).await.expect("created");
    assert_eq!(created.partitions, partitions);
    name
}

pub(crate) async fn append(
    cluster: &Cluster,
    topic: &TopicName,
    records: Vec<Record>,
) -> Vec<Result<Receipt, AppendError>> {
    cluster.partitions_for_produce(topic).await.expect("the topic is there");
    let inflight = Inflight::new(ByteCount(64 << 20));
    cluster.append(topic, inflight.admit(records).await.expect("fits")).await
}

pub(crate) async fn read(cluster: &Cluster, topic: &TopicName, count: usize) -> Vec<StoredRecord> {
    let mut reader = cluster.reader(topic, PartitionId(0)).expect("starts");
    let mut read = Vec::new();
    while read.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(10), reader.next()).await;
        read.extend(next.expect("in time").expect("read"));
    }
    assert_eq!(read.len(), count);
    read
}

/// A record of this value.
pub(crate) fn value(text: &str) -> Record {
    Record { value: Some(Bytes::copy_from_slice(text.as_bytes())), ..Record::default() }
}

/// A record of this size.
pub(crate) fn sized(bytes: usize) -> Record {
    Record { value: Some(Bytes::from(vec![b'x'; bytes])), ..Record::default() }
}
