//! The registry on a real broker: what is registered can be found, survives a restart, and several instances agree.

use std::sync::Arc;
use std::time::Duration;

use postern_broker::Broker;
use postern_kafka::{ByteCount, Cluster, Inflight, PartitionId, Record};
use postern_registry::{
    CompatibilityLevel, ConfigChange, Error, Guid, Mode, NotPermitted, Page, RegisterOptions, Registry, ResolveError,
    SchemaId, SchemaIdentifier, SchemaRef, SchemaReference, SchemaSubmission, Settings, Subject, VersionRef, Visible,
};
use postern_schema::{Encoded, SchemaKind};

/// A broker of its own, and registries on it.
struct Bench {
    broker: Broker,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = postern_broker::Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            ..postern_broker::Settings::for_test(dir.path())
        };
        Bench { broker: Broker::start(settings).await.expect("a broker"), _dir: dir }
    }

    fn cluster(&self) -> Cluster {
        Cluster::connect(postern_kafka::Settings::for_test(self.broker.address().to_string())).expect("a client")
    }

    async fn registry(&self) -> Registry {
        let registry = Registry::start(self.cluster(), Settings::default());
        registry.ready().await;
        registry
    }
}

const V1: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"}]}"#;
const V2: &str = r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"unit","type":"string","default":""}]}"#;
const V1_MUST: &str =
    r#"{"type":"record","name":"Reading","fields":[{"name":"t","type":"long"},{"name":"must","type":"string"}]}"#;

fn avro(text: &str) -> SchemaSubmission {
    SchemaSubmission::new(SchemaKind::Avro, text)
}

fn subject(name: &str) -> Subject {
    Subject::parse(name)
}

/// Registers; the answer is (id, version).
async fn register(registry: &Registry, name: &str, text: &str) -> Result<(i32, u32), Error> {
    let registered = registry.register(&subject(name), avro(text), RegisterOptions::default()).await?;
    Ok((registered.stored.id.0, registered.stored.version))
}

fn numbers(registry: &Registry, name: &str, visible: Visible) -> Vec<u32> {
    let versions = registry.versions(&subject(name), visible, Page::ALL).unwrap_or_default();
    versions.iter().map(|stored| stored.version).collect()
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_registered_found_checked_and_survive_a_restart() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "s", V1).await, Ok((1, 1)));
    assert_eq!(register(&registry, "s", V1).await, Ok((1, 1)));
    let spaced = V1.replace(':', " : ");
    assert_eq!(register(&registry, "s", &spaced).await, Ok((1, 1)));
    assert_eq!(register(&registry, "s", V2).await, Ok((2, 2)));
    assert_eq!(register(&registry, "other", V2).await, Ok((2, 1)));
    match register(&registry, "s", V1_MUST).await {
        Err(Error::Incompatible { messages, .. }) => {
            assert!(messages[0].contains("READER_FIELD_MISSING_DEFAULT_VALUE"), "{messages:?}");
            assert_eq!(messages[1], "{oldSchemaVersion: 2}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(register(&registry, "s", "{").await, Err(Error::InvalidSchema { .. })));
    let found = registry.lookup(&subject("s"), &avro(&spaced), false, false).expect("found");
    assert_eq!((found.stored.version, found.is_identical), (1, true));
    assert_eq!(
        registry.lookup(&subject("none"), &avro(V1), false, false),
        Err(Error::SubjectNotFound(subject("none")))
    );
    assert_eq!(registry.lookup(&subject("s"), &avro("\"int\""), false, false), Err(Error::SchemaNotFound));

    let again = bench.registry().await;
    assert_eq!(numbers(&again, "s", Visible::Live), [1, 2]);
    assert_eq!(
        again.version(&subject("s"), VersionRef::Latest, false),
        registry.version(&subject("s"), VersionRef::Latest, false)
    );
    assert_eq!(register(&again, "new", "\"int\"").await, Ok((3, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_decides_what_is_compatible() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    register(&registry, "s", V1).await.expect("registered");
    let level = |level| ConfigChange { compatibility_level: Some(Some(level)), ..ConfigChange::default() };
    let answer =
        registry.change_config(Some(&subject("s")), level(CompatibilityLevel::Forward)).await.expect("changed");
    assert_eq!(answer.level(), CompatibilityLevel::Forward);
    assert_eq!(register(&registry, "s", V1_MUST).await, Ok((2, 2)));
    registry.change_config(None, level(CompatibilityLevel::None)).await.expect("changed");
    assert_eq!(registry.global_config(false).map(|config| config.level()), Ok(CompatibilityLevel::None));
    let check = |name: &str| {
        registry.check_compatibility(&subject(name), None, &avro("\"int\""), false).map(|answer| answer.is_compatible)
    };
    assert_eq!(check("s"), Ok(false));
    assert_eq!(
        registry.delete_config(Some(&subject("s"))).await.map(|config| config.level()),
        Ok(CompatibilityLevel::Forward)
    );
    assert_eq!(check("s"), Ok(true));
    assert_eq!(registry.config(&subject("s"), false), Err(Error::NoSubjectConfig(subject("s"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_soft_first() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let s = subject("s");
    register(&registry, "s", V1).await.expect("registered");
    register(&registry, "s", V2).await.expect("registered");
    assert_eq!(
        registry.delete_version(&s, VersionRef::Number(1), true).await,
        Err(Error::VersionNotSoftDeleted(s.clone(), 1))
    );
    assert_eq!(registry.delete_version(&s, VersionRef::Number(1), false).await, Ok(1));
    assert_eq!(
        registry.delete_version(&s, VersionRef::Number(1), false).await,
        Err(Error::VersionSoftDeleted(s.clone(), 1))
    );
    assert_eq!(registry.delete_subject(&s, true).await, Err(Error::SubjectNotSoftDeleted(s.clone())));
    assert_eq!(registry.delete_subject(&s, false).await, Ok(vec![2]));
    assert_eq!(registry.delete_subject(&s, false).await, Err(Error::SubjectSoftDeleted(s.clone())));
    assert_eq!(numbers(&registry, "s", Visible::Deleted), [1, 2]);
    // Registered again: the next number, the same id; the old version with that id is gone.
    assert_eq!(register(&registry, "s", V1).await, Ok((1, 3)));
    assert_eq!(numbers(&registry, "s", Visible::All), [2, 3]);
    registry.delete_subject(&s, false).await.expect("deleted");
    assert_eq!(registry.delete_subject(&s, true).await, Ok(vec![2, 3]));
    assert_eq!(registry.delete_subject(&s, true).await, Err(Error::SubjectNotFound(s.clone())));
    assert_eq!(register(&registry, "s", V1).await, Ok((3, 1)));
    assert_eq!(numbers(&bench.registry().await, "s", Visible::All), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referenced_version_stays() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    register(&registry, "inner", V1).await.expect("registered");
    let mut outer = avro(r#"{"type":"record","name":"Outer","fields":[{"name":"r","type":"Reading"}]}"#);
    outer.references = vec![SchemaReference { name: "Reading".to_owned(), subject: "inner".to_owned(), version: -1 }];
    let registered =
        registry.register(&subject("outer"), outer, RegisterOptions::default()).await.expect("registered").stored;
    assert_eq!(registered.content.references()[0].version, 1);
    let refused = Err(Error::Referenced { subject: subject("inner"), version: 1 });
    assert_eq!(registry.delete_subject(&subject("inner"), false).await, refused);
    let referrers = registry.referrers(&subject("inner"), VersionRef::Latest, false).expect("referrers");
    assert_eq!(referrers.iter().map(|stored| stored.id).collect::<Vec<_>>(), [registered.id]);
    // A schema with references works by its id, on an instance that never compiled it.
    let again = bench.registry().await;
    let serializer = again.resolve(&subject("outer"), &SchemaRef::Id(registered.id)).await.expect("a serializer");
    let mut out = Vec::new();
    assert_eq!(serializer.frame(br#"{"r":{"t":3}}"#, &mut out), Ok(Encoded::Payload));
    assert_eq!(out, [0, 0, 0, 0, 2, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_are_answered_from_the_cache_until_the_subject_changes() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let s = subject("t-value");
    let inline = SchemaRef::Inline { kind: SchemaKind::Avro, text: V1 };
    assert!(registry.resolved(&s, &inline).is_none());
    let serializer = registry.resolve(&s, &inline).await.expect("registered");
    assert!(registry.resolved(&s, &inline).is_some_and(|known| Arc::ptr_eq(&known, &serializer)));
    assert!(registry.resolved(&subject("u-value"), &inline).is_none());
    let by_id = SchemaRef::Id(serializer.id);
    registry.resolve(&s, &by_id).await.expect("known");
    match registry.resolve(&subject("u-value"), &by_id).await {
        Err(error @ ResolveError::Refused { error: Error::IdNotUnderSubject { .. }, .. }) => {
            assert!(error.to_string().contains("It is registered under 't-value'."), "{error}");
        }
        other => panic!("{other:?}"),
    }
    // Deleted by another instance: noticed here, and the next produce registers it anew.
    bench.registry().await.delete_subject(&s, false).await.expect("deleted");
    eventually("the cache forgets", || registry.resolved(&s, &inline).is_none()).await;
    assert!(registry.resolved(&s, &by_id).is_none());
    assert!(registry.resolve(&s, &by_id).await.is_err());
    let anew = registry.resolve(&s, &inline).await.expect("registered anew");
    assert_eq!((anew.id, numbers(&registry, "t-value", Visible::Live)), (serializer.id, vec![2]));
    assert!(matches!(
        registry.resolve(&s, &SchemaRef::Inline { kind: SchemaKind::Avro, text: "{" }).await,
        Err(ResolveError::InvalidSchema { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_instances_agree_and_lose_nothing() {
    let bench = Bench::start().await;
    let (one, two) = (bench.registry().await, bench.registry().await);
    one.change_config(
        None,
        ConfigChange { compatibility_level: Some(Some(CompatibilityLevel::None)), ..ConfigChange::default() },
    )
    .await
    .expect("none");
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..40 {
        for registry in [&one, &two] {
            let registry = registry.clone();
            calls.spawn(async move {
                // The same subjects and some of the same texts from both sides.
                let text = format!(r#"{{"type":"fixed","name":"F","size":{}}}"#, 1 + number % 20);
                let name = format!("s{}", number % 4);
                let (id, version) = register(&registry, &name, &text).await.expect("registered");
                (name, text, id, version)
            });
        }
    }
    let answers = calls.join_all().await;
    let third = bench.registry().await;
    for registry in [&one, &two] {
        eventually("both have read all", || {
            (0..4).all(|at| {
                numbers(registry, &format!("s{at}"), Visible::All) == numbers(&third, &format!("s{at}"), Visible::All)
            })
        })
        .await;
    }
    for (name, text, id, version) in answers {
        for registry in [&one, &two, &third] {
            let stored =
                registry.version(&subject(&name), VersionRef::Number(version), false).expect("acknowledged, so there");
            assert_eq!((stored.id.0, stored.content.text()), (id, text.as_str()));
        }
    }
    let mut ids: Vec<_> = third
        .schemas(&subject(":*:"), true, false, None, Page::ALL)
        .expect("all")
        .iter()
        .map(|stored| (stored.id, stored.content.guid()))
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 20, "every id names one schema, and every schema has one id");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_other_writers_are_applied_and_winners_rewritten() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    register(&registry, "s", V1).await.expect("registered");
    let foreign = |name: &str, version: u32, id: i32, text: &str| Record {
        partition: Some(PartitionId(0)),
        key: Some(format!(r#"{{"keytype":"SCHEMA","subject":"{name}","version":{version},"magic":1}}"#).into()),
        value: Some(
            format!(r#"{{"subject":"{name}","version":{version},"id":{id},"schema":{text:?},"deleted":false}}"#).into(),
        ),
        ..Record::default()
    };
    let records = vec![foreign("f", 1, 9, "\"int\""), foreign("s", 1, 10, "\"long\"")];
    let cluster = bench.cluster();
    let topic = Settings::default().topic;
    let admitted = Inflight::new(ByteCount(1 << 20)).admit(records).await.expect("room");
    cluster.append(&topic, admitted).await.into_iter().for_each(|outcome| assert!(outcome.is_ok(), "{outcome:?}"));
    eventually("the foreign schema is there", || numbers(&registry, "f", Visible::Live) == [1]).await;
    assert_eq!(register(&registry, "s", V2).await, Ok((10, 2)));
    // The foreign record for (s, 1) lost; the winner stands last under its key again.
    let mut reader = cluster.reader(&topic, PartitionId(0)).expect("a reader");
    let mut last = None;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while !last.as_ref().is_some_and(|value: &String| value.contains("\"id\":1,")) {
        let records = tokio::time::timeout_at(deadline, reader.next())
            .await
            .expect("the winner is written back")
            .expect("records");
        for record in records.into_iter().filter(|record| record.offset.0 > 1) {
            if record.key.as_deref() == foreign("s", 1, 0, "").key.as_deref() {
                last = record.value.map(|value| String::from_utf8_lossy(&value).into_owned());
            }
        }
    }
    assert_eq!(
        bench.registry().await.version(&subject("s"), VersionRef::Number(1), false).map(|stored| stored.id.0),
        Ok(1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_bring_their_ids() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let s = subject(":.c:s");
    let import = |id: i32, version: i32, text: &str| SchemaSubmission {
        id: Some(postern_registry::SchemaId(id)),
        version,
        ..avro(text)
    };
    let refused = registry.register(&s, import(7, 3, V1), RegisterOptions::default()).await;
    assert!(matches!(refused, Err(Error::NotPermitted(_))), "{refused:?}");
    registry.set_mode(Some(&subject(":.c:")), Some(Mode::Import), false).await.expect("set");
    let stored = registry.register(&s, import(7, 3, V1), RegisterOptions::default()).await.expect("imported").stored;
    assert_eq!((stored.id.0, stored.version), (7, 3));
    assert!(registry.register(&s, import(7, 4, V2), RegisterOptions::default()).await.is_err(), "the id is taken");
    assert!(registry.register(&s, import(8, 3, V2), RegisterOptions::default()).await.is_err(), "the version is taken");
    registry.register(&s, import(5, 1, V2), RegisterOptions::default()).await.expect("in any order");
    assert_eq!(registry.contexts("", Page::ALL), Ok(vec![".".to_owned(), ".c".to_owned()]));
    registry.set_mode(Some(&subject(":.c:")), None, false).await.expect("cleared");
    assert_eq!(register(&registry, ":.c:t", "\"int\"").await, Ok((8, 1)));
    assert_eq!(register(&registry, "t", "\"int\"").await, Ok((1, 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_it_says_so_and_serves_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let cluster = Cluster::connect(postern_kafka::Settings::for_test(free.to_string())).expect("a client");
    let registry = Registry::start(cluster, Settings::default());
    assert!(matches!(register(&registry, "s", V1).await, Err(Error::NotReady(_))));
    // A producer waits, within bounds.
    let inline = SchemaRef::Inline { kind: SchemaKind::Avro, text: "\"int\"" };
    let settings = Settings { write_timeout: Duration::from_millis(50), ..Settings::default() };
    let cluster = Cluster::connect(postern_kafka::Settings::for_test(free.to_string())).expect("a client");
    let impatient = Registry::start(cluster, settings);
    match impatient.resolve(&subject("t-value"), &inline).await {
        Err(ResolveError::Refused { error: Error::NotReady(_), .. }) => {}
        other => panic!("{other:?}"),
    }
    let waiting = tokio::spawn({
        let registry = registry.clone();
        async move { registry.resolve(&subject("t-value"), &SchemaRef::Inline { kind: SchemaKind::Avro, text: V1 }).await }
    });
    let settings = postern_broker::Settings { listen: free, ..postern_broker::Settings::for_test(dir.path()) };
    let broker = Broker::start(settings).await.expect("a broker");
    tokio::time::timeout(Duration::from_secs(30), registry.ready()).await.expect("ready");
    let waited = waiting.await.expect("no panic").expect("registered once the broker is there");
    assert_eq!(waited.id.0, 1);
    assert_eq!(register(&registry, "s", V1).await, Ok((1, 1)));
    // Gone again: reads go on, writes fail within their time and say so.
    broker.shutdown().await;
    assert_eq!(numbers(&registry, "s", Visible::Live), [1]);
    assert_eq!(register(&registry, "s", V1).await, Ok((1, 1)));
    let began = std::time::Instant::now();
    let refused = register(&registry, "s", V2).await;
    assert!(matches!(refused, Err(Error::Store { .. })), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_reads_what_others_write_and_writes_nothing() {
    let bench = Bench::start().await;
    let follower = Registry::start(bench.cluster(), Settings { follower: true, ..Settings::default() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(matches!(follower.check_ready(), Err(Error::NotReady(_))), "the topic is not there, and is not made");
    let serializer = bench.registry().await;
    register(&serializer, "s", V1).await.expect("registered");
    follower.ready().await;
    eventually("it is read", || numbers(&follower, "s", Visible::Live) == [1]).await;
    // What is there is found, also by registering it; everything else is refused.
    assert_eq!(register(&follower, "s", V1).await, Ok((1, 1)));
    let refused = Error::NotPermitted(NotPermitted::Follower);
    assert_eq!(register(&follower, "s", V2).await, Err(refused.clone()));
    assert_eq!(follower.delete_subject(&subject("s"), false).await, Err(refused.clone()));
    assert_eq!(follower.set_mode(None, Some(Mode::ReadOnly), false).await, Err(refused.clone()));
    assert_eq!(follower.change_config(None, ConfigChange::default()).await, Err(refused));
    assert_eq!(numbers(&serializer, "s", Visible::All), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_registry_that_elects_leads_nothing_is_written() {
    let bench = Bench::start().await;
    let mut member = crate::member::join(bench.broker.address(), "schema-registry", "sr").await;
    let registry = bench.registry().await;
    assert_eq!(
        register(&registry, "s", V1).await,
        Err(Error::NotPermitted(NotPermitted::Led("schema-registry".to_owned())))
    );
    assert_eq!(numbers(&registry, "s", Visible::All), [0; 0]);
    member.leave().await;
    let mut registered = register(&registry, "s", V1).await;
    for _ in 0..100 {
        if registered.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        registered = register(&registry, "s", V1).await;
    }
    assert_eq!(registered, Ok((1, 1)), "it takes over");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_of_records_are_found_wherever_they_are_registered() {
    let bench = Bench::start().await;
    let (registry, other) = (bench.registry().await, bench.registry().await);
    let (id, _) = register(&registry, "elsewhere", V1).await.expect("registered");
    let guid = registry.schema(SchemaId(id), None).expect("it is there").content.guid();
    registry.delete_version(&subject("elsewhere"), VersionRef::Number(1), false).await.expect("softly deleted");
    let (later, _) = register(&registry, "elsewhere", V2).await.expect("registered");

    // The other registry catches up where it lacks one.
    let names = [
        SchemaIdentifier::Id(SchemaId(later)),
        SchemaIdentifier::Guid(guid),
        SchemaIdentifier::Id(SchemaId(id)),
        SchemaIdentifier::Id(SchemaId(77)),
        SchemaIdentifier::Guid(Guid([7; 16])),
    ];
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let found = other.schemas_of_records(&subject("t-value"), &names, deadline).await;
    let found = found.iter().map(|found| found.as_ref().map(|schema| schema.canonical()).map_err(ToString::to_string));
    let missing = |text: &str| Err(text.to_owned());
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            Ok(V2),
            Ok(V1),
            Ok(V1),
            missing("Schema 77 not found. (Error when fetching schema by id. schemaId = 77)"),
            missing(
                "Schema 07070707-0707-0707-0707-070707070707 not found. (Error when fetching schema by guid. guid = 07070707-0707-0707-0707-070707070707)"
            ),
        ]
    );
}
