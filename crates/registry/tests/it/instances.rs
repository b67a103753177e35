//! Several instances on one topic, on the cluster that `POSTERN_TEST_BOOTSTRAP` names, or else on the embedded broker: writers race, one
//! instance dies, the topic is compacted, and all that was acknowledged is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use postern_broker::Broker;
use postern_kafka::{ByteCount, Cluster, Inflight, NewTopic, PartitionId, Record, StoredRecord, TopicName};
use postern_registry::{
    CompatibilityLevel, ConfigChange, Error, Page, RegisterOptions, Registry, SchemaSubmission, Settings, StoredSchema,
    Subject, VersionRef,
};
use postern_schema::SchemaKind;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Names a cluster to run on instead of the embedded broker.
const FOREIGN: &str = "POSTERN_TEST_BOOTSTRAP";

/// A cluster, and a topic of this test on it.
struct Bench {
    address: String,
    topic: TopicName,
    _embedded: Option<(Broker, tempfile::TempDir)>,
}

impl Bench {
    async fn start() -> Bench {
        let topic = fresh_topic();
        if let Ok(address) = std::env::var(FOREIGN) {
            return Bench { address, topic, _embedded: None };
        }
        let dir = tempfile::tempdir().expect("a directory");
        let broker = Broker::start(postern_broker::Settings::for_test(dir.path())).await.expect("a broker");
        Bench { address: broker.address().to_string(), topic, _embedded: Some((broker, dir)) }
    }

    fn cluster(&self) -> Cluster {
        Cluster::connect(postern_kafka::Settings::for_test(self.address.as_str())).expect("a client")
    }

    async fn registry(&self) -> Registry {
        self.registry_on(&self.topic).await
    }

    async fn registry_on(&self, topic: &TopicName) -> Registry {
        let settings =
            Settings { topic: topic.clone(), orphan_grace: Duration::from_millis(500), ..Settings::default() };
        let registry = Registry::start(self.cluster(), settings);
        registry.ready().await;
        registry
    }

    /// All records of the topic.
    async fn records(&self) -> Vec<StoredRecord> {
        let cluster = self.cluster();
        let end = cluster.offsets(&self.topic, PartitionId(0)).await.expect("the topic is there").latest.0;
        let mut reader = cluster.reader(&self.topic, PartitionId(0)).expect("a reader");
        let mut all: Vec<StoredRecord> = Vec::new();
        while all.last().is_none_or(|last| last.offset.0 + 1 < end) {
            all.extend(reader.next().await.expect("records"));
        }
        all
    }

    async fn append(&self, topic: &TopicName, records: Vec<Record>) {
        let admitted = Inflight::new(ByteCount(16 << 20)).admit(records).await.expect("room");
        let outcomes = self.cluster().append(topic, admitted).await;
        outcomes.into_iter().for_each(|outcome| assert!(outcome.is_ok(), "{outcome:?}"));
    }

    /// What compaction makes of the topic in the long run, as a topic of its own: of each key the last record, if that is no tombstone.
    async fn compacted(&self) -> TopicName {
        let records = self.records().await;
        let last: HashMap<_, _> = records.iter().map(|record| (record.key.clone(), record.offset)).collect();
        let left = records.into_iter().filter(|record| last[&record.key] == record.offset && record.value.is_some());
        let left = left.map(|StoredRecord { key, value, timestamp_ms, .. }| Record {
            partition: Some(PartitionId(0)),
            key,
            value,
            timestamp_ms,
            ..Record::default()
        });
        let topic = fresh_topic();
        let new = NewTopic {
            name: topic.clone(),
            partitions: Some(1),
            replication_factor: Some(1),
            assignments: None,
            configs: vec![("cleanup.policy".to_owned(), Some("compact".to_owned()))],
            validate_only: false,
        };
        self.cluster().create_topic(&new).await.expect("created");
        self.append(&topic, left.collect()).await;
        topic
    }
}

/// A name that no other test has.
fn fresh_topic() -> TopicName {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    TopicName::parse(&format!("registry-suite-{now}-{}-{count}", std::process::id())).expect("legal")
}

fn subject(name: &str) -> Subject {
    Subject::parse(name)
}

/// Registers; the answer is (id, version).
async fn register(registry: &Registry, name: &str, text: &str) -> Result<(i32, u32), Error> {
    let submission = SchemaSubmission::new(SchemaKind::Avro, text);
    let registered = registry.register(&subject(name), submission, RegisterOptions::default()).await?;
    Ok((registered.stored.id.0, registered.stored.version))
}

/// Everything that a registry answers.
fn all(registry: &Registry) -> Vec<StoredSchema> {
    registry.schemas(&subject(":*:"), true, false, None, Page::ALL).expect("all")
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// Sixteen writers on two instances of one topic; one instance dies in the middle of its writes, and is started anew. What was
/// acknowledged is there, all answer the same, and every id names one schema; so it is after compaction and a restart.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_under_sixteen_writers_loses_nothing() {
    const EACH: u32 = 12;
    let bench = Bench::start().await;
    let steady = bench.registry().await;
    let none = ConfigChange { compatibility_level: Some(Some(CompatibilityLevel::None)), ..ConfigChange::default() };
    steady.change_config(None, none).await.expect("none");
    // `None` while the other instance is dead; its calls under way are dropped then, wherever they wait.
    let (instance, alive) = watch::channel(Some(bench.registry().await));
    let done = Arc::new(AtomicU32::new(0));
    let mut writers = JoinSet::new();
    for serializer in 0..16_u32 {
        let (steady, mut alive, done) = (steady.clone(), alive.clone(), done.clone());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..EACH {
                let (name, size) = (format!("s{}", (serializer + number) % 5), 1 + (serializer * 7 + number * 3) % 60);
                let text = format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#);
                let answer = loop {
                    let registry = match serializer % 2 == 0 {
                        true => Some(steady.clone()),
                        false => alive.borrow_and_update().clone(),
                    };
                    let Some(registry) = registry else {
                        alive.changed().await.expect("the test still runs");
                        continue;
                    };
                    let answer = tokio::select! {
                        answer = register(&registry, &name, &text) => answer,
                        _ = alive.changed(), if serializer % 2 == 1 => continue,
                    };
                    match answer {
                        Ok(answer) => break answer,
                        Err(Error::NotReady(_) | Error::Store { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                };
                done.fetch_add(1, Ordering::Relaxed);
                acknowledged.push((name, text, answer));
            }
            acknowledged
        });
    }
    while done.load(Ordering::Relaxed) < 16 * EACH / 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    instance.send_replace(None);
    assert!(done.load(Ordering::Relaxed) < 16 * EACH, "it died while there was work");
    let again = bench.registry().await;
    instance.send_replace(Some(again.clone()));
    let acknowledged: Vec<_> = writers.join_all().await.into_iter().flatten().collect();

    let fresh = bench.registry().await;
    eventually("all answer the same", || all(&steady) == all(&fresh) && all(&again) == all(&fresh)).await;
    let check = |registry: &Registry| {
        for (name, text, (id, version)) in &acknowledged {
            let stored = registry.version(&subject(name), VersionRef::Number(*version), false);
            let stored = stored.expect("acknowledged, so there");
            assert_eq!((stored.id.0, stored.content.text()), (*id, text.as_str()), "{name} {version}");
        }
        let mut names: Vec<_> = all(registry).iter().map(|stored| (stored.id, stored.content.guid())).collect();
        names.sort();
        names.dedup();
        let mut ids: Vec<_> = names.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        assert_eq!(ids.len(), names.len(), "every id names one schema");
    };
    check(&fresh);

    // Winners are rewritten, and orphans of the dead one get tombstones. Then the topic is compacted, and both are started anew.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let compacted = bench.compacted().await;
    let (one, two) = (bench.registry_on(&compacted).await, bench.registry_on(&compacted).await);
    check(&one);
    let contents = |registry: &Registry| {
        let show = |stored: &StoredSchema| (stored.subject.clone(), stored.version, stored.id, stored.content.clone());
        all(registry).iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(contents(&one), contents(&fresh));
    assert_eq!(contents(&two), contents(&fresh));
}

/// A writer died after its record had lost its id, and nobody wrote under that key again. The winner is written again, by a soft delete:
/// after compaction the rejected record would come first, and what was acknowledged would be rejected.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_gets_a_tombstone_before_compaction_makes_it_a_winner() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "a", "\"int\"").await, Ok((1, 1)));
    let key = r#"{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}"#;
    let value = r#"{"subject":"b","version":1,"id":1,"schemaType":"AVRO","schema":"\"long\"","deleted":false}"#;
    let rejected = Record {
        partition: Some(PartitionId(0)),
        key: Some(key.into()),
        value: Some(value.into()),
        ..Record::default()
    };
    bench.append(&bench.topic, vec![rejected]).await;
    assert_eq!(registry.delete_version(&subject("a"), VersionRef::Latest, false).await, Ok(1));
    assert_eq!(register(&registry, "c", "\"int\"").await, Ok((1, 1)));
    assert_eq!(registry.delete_version(&subject("c"), VersionRef::Latest, false).await, Ok(1));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let is_tombstone = |record: &StoredRecord| record.key.as_deref() == Some(key.as_bytes()) && record.value.is_none();
    while !bench.records().await.iter().any(is_tombstone) {
        assert!(tokio::time::Instant::now() < deadline, "no tombstone");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = bench.registry_on(&bench.compacted().await).await;
    let found = |name: &str| after.version(&subject(name), VersionRef::Number(1), true).map(|stored| stored.id.0);
    assert_eq!((found("a"), found("c"), found("b")), (Ok(1), Ok(1), Err(Error::SubjectNotFound(subject("b")))));
    // Who registers there afterwards is not disturbed.
    assert_eq!(register(&registry, "b", "\"long\"").await, Ok((2, 1)));
}
