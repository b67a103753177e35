//! The rules of registration and look-up beside another registry and for hostile input: each asserts the answer and what is in the topic.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern_broker::Broker;
use postern_kafka::{ByteCount, Cluster, Inflight, NewTopic, PartitionId, Record, StoredRecord, TopicName};
use postern_registry::{
    CompatibilityLevel, ConfigChange, Error, Metadata, Mode, NotPermitted, Page, RegisterOptions, Registry,
    ResolveError, SchemaId, SchemaRef, SchemaReference, SchemaSubmission, Settings, Subject, VersionRef, Visible,
};
use postern_schema::SchemaKind;
use serde_json::json;

/// A broker of its own, and registries on it.
struct Bench {
    broker: Broker,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        let broker = Broker::start(postern_broker::Settings::for_test(dir.path())).await.expect("a broker");
        Bench { broker, _dir: dir }
    }

    fn cluster(&self) -> Cluster {
        Cluster::connect(postern_kafka::Settings::for_test(self.broker.address().to_string())).expect("a client")
    }

    async fn registry(&self) -> Registry {
        let registry = Registry::start(self.cluster(), Settings::default());
        registry.ready().await;
        registry
    }

    /// All records of the topic.
    async fn records(&self) -> Vec<StoredRecord> {
        let cluster = self.cluster();
        let end = self.end().await;
        let mut reader = cluster.reader(&topic(), PartitionId(0)).expect("a reader");
        let mut all: Vec<StoredRecord> = Vec::new();
        while end > 0 && all.last().is_none_or(|last| last.offset.0 + 1 < end) {
            all.extend(reader.next().await.expect("records"));
        }
        all
    }

    /// The offset that the next record will get.
    async fn end(&self) -> i64 {
        self.cluster().offsets(&topic(), PartitionId(0)).await.expect("the topic is there").latest.0
    }
}

fn topic() -> TopicName {
    Settings::default().topic
}

fn avro(text: &str) -> SchemaSubmission {
    SchemaSubmission::new(SchemaKind::Avro, text)
}

fn subject(name: &str) -> Subject {
    Subject::parse(name)
}

fn fixed(size: usize) -> String {
    format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#)
}

/// Registers; the answer is (id, version).
async fn submit(registry: &Registry, name: &str, submission: SchemaSubmission) -> Result<(i32, u32), Error> {
    let registered = registry.register(&subject(name), submission, RegisterOptions::default()).await?;
    Ok((registered.stored.id.0, registered.stored.version))
}

async fn register(registry: &Registry, name: &str, text: &str) -> Result<(i32, u32), Error> {
    submit(registry, name, avro(text)).await
}

fn import(id: i32, version: i32, text: &str) -> SchemaSubmission {
    SchemaSubmission { id: Some(SchemaId(id)), version, ..avro(text) }
}

async fn set_level(registry: &Registry, level: CompatibilityLevel) {
    let change = ConfigChange { compatibility_level: Some(Some(level)), ..ConfigChange::default() };
    registry.change_config(None, change).await.expect("changed");
}

fn reference(name: &str, subject: &str) -> SchemaReference {
    SchemaReference { name: name.to_owned(), subject: subject.to_owned(), version: 1 }
}

fn properties(pairs: serde_json::Value) -> Option<Metadata> {
    Some(Metadata::from_json(&json!({"properties": pairs})).expect("metadata"))
}

// === Beside Confluent's registry ===

/// A registry that joins reads to the end of the topic before it leads. What is acknowledged here must be before that end: later
/// records may get an id that the other one gives out, too.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_in_the_topic_before_another_registry_joined_is_acknowledged() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4_usize {
        let (registry, acknowledged) = (registry.clone(), acknowledged.clone());
        writers.spawn(async move {
            for number in 1.. {
                let name = format!("s-{writer}-{number}");
                match register(&registry, &name, &fixed(writer * 100_000 + number)).await {
                    Ok(_) => acknowledged.lock().push(name),
                    Err(error) => return error,
                }
            }
            unreachable!("the writers end when the other registry has joined")
        });
    }
    while acknowledged.lock().len() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut member = crate::member::join(bench.broker.address(), "schema-registry", "sr").await;
    let end = bench.end().await;
    for error in writers.join_all().await {
        assert!(matches!(error, Error::Store { .. } | Error::NotPermitted(NotPermitted::Led(_))), "{error}");
    }
    let records = bench.records().await;
    for name in acknowledged.lock().iter() {
        let key = format!(r#"{{"keytype":"SCHEMA","subject":"{name}","version":1,"magic":1}}"#);
        let record = records.iter().find(|record| record.key.as_deref() == Some(key.as_bytes())).expect("written");
        assert!(record.offset.0 < end, "{name} was acknowledged at {}, after {end}", record.offset);
    }
    member.leave().await;
}

/// Confluent's registry forgets a schema's references by its id when it reads a tombstone.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_version_goes_before_the_new_one_comes() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "base", r#"{"type":"record","name":"B","fields":[]}"#).await, Ok((1, 1)));
    let user = || SchemaSubmission {
        references: vec![reference("B", "base")],
        ..avro(r#"{"type":"record","name":"R","fields":[{"name":"b","type":"B"}]}"#)
    };
    assert_eq!(submit(&registry, "user", user()).await, Ok((2, 1)));
    registry.delete_subject(&subject("user"), false).await.expect("deleted");
    assert_eq!(submit(&registry, "user", user()).await, Ok((2, 2)));
    let records = bench.records().await;
    let key = |version| format!(r#"{{"keytype":"SCHEMA","subject":"user","version":{version},"magic":1}}"#);
    let last = |version| {
        records.iter().rfind(|record| record.key.as_deref() == Some(key(version).as_bytes())).expect("written")
    };
    assert!(last(1).value.is_none() && last(2).value.is_some());
    assert!(last(1).offset < last(2).offset, "the tombstone comes first");
    for registry in [registry, bench.registry().await] {
        let referrers = registry.referrers(&subject("base"), VersionRef::Number(1), true).expect("there");
        assert_eq!(referrers.iter().map(|stored| (stored.id.0, stored.version)).collect::<Vec<_>>(), [(2, 2)]);
    }
}

// === Numbers that run out ===

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_the_greatest_id_does_not_end_registration() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    registry.set_mode(Some(&subject("x")), Some(Mode::Import), true).await.expect("set");
    assert_eq!(submit(&registry, "x", import(i32::MAX, 1, "\"string\"")).await, Ok((i32::MAX, 1)));
    assert_eq!(register(&registry, "a", "\"int\"").await, Ok((i32::MAX - 1, 1)));
    assert_eq!(register(&registry, "b", "\"long\"").await, Ok((i32::MAX - 2, 1)));
    // A topic that has such ids already is read the same way.
    let again = bench.registry().await;
    assert_eq!(register(&again, "c", "\"double\"").await, Ok((i32::MAX - 3, 1)));
    // The greatest version is the last of its subject, so it is not imported …
    let refused = submit(&registry, "x", import(7, i32::MAX, "\"bytes\"")).await;
    assert_eq!(refused, Err(Error::VersionTooLarge(subject("x"))));
    // … and where it comes anyway, the answer says what to do.
    assert_eq!(
        submit(&registry, "x", import(7, i32::MAX - 1, "\"bytes\"")).await,
        Ok((7, i32::MAX.unsigned_abs() - 1))
    );
    assert_eq!(submit(&registry, "x", import(8, 0, "\"float\"")).await, Ok((8, i32::MAX.unsigned_abs())));
    assert_eq!(submit(&registry, "x", import(9, 0, "\"boolean\"")).await, Err(Error::NoVersionLeft(subject("x"))));
}

// === The topic ===

#[tokio::test(flavor = "multi_thread")]
async fn further_partitions_must_be_empty() {
    let bench = Bench::start().await;
    let new = NewTopic {
        name: topic(),
        partitions: Some(3),
        replication_factor: Some(1),
        assignments: None,
        configs: vec![("cleanup.policy".to_owned(), Some("compact".to_owned()))],
        validate_only: false,
    };
    bench.cluster().create_topic(&new).await.expect("created");
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "s", "\"int\"").await, Ok((1, 1)));
    let record = Record { partition: Some(PartitionId(1)), key: Some("k".into()), ..Record::default() };
    let admitted = Inflight::new(ByteCount(1 << 20)).admit(vec![record]).await.expect("fits");
    assert!(bench.cluster().append(&topic(), admitted).await.remove(0).is_ok());
    let refusing = Registry::start(bench.cluster(), Settings::default());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let Err(error) = refusing.check_ready() else { panic!("it reads a part of the records") };
        if error.to_string().contains("records in partition 1") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_topic_it_says_what_to_do_and_reads_go_on() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "s", "\"int\"").await, Ok((1, 1)));
    bench.cluster().delete_topic(&topic()).await.expect("deleted");
    match register(&registry, "s", "\"long\"").await {
        Err(Error::Store { cause, .. }) => assert!(cause.contains("does not exist any more. Restore it"), "{cause}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(registry.versions(&subject("s"), Visible::All, Page::ALL).expect("read").len(), 1);
    assert_eq!(register(&registry, "s", "\"int\"").await, Ok((1, 1)));
}

// === Producers ===

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_schema_is_not_registered() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let s = subject("t-value");
    let text = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#;
    let named = SchemaRef::Inline { kind: SchemaKind::Avro, text };
    let prepared = registry.prepare(&s, &named).await.expect("valid");
    assert!(!prepared.is_registered);
    assert!(prepared.serializer.frame(br#"{"n":1}"#, &mut Vec::new()).is_ok());
    assert!(prepared.serializer.frame(br#"{"n":"x"}"#, &mut Vec::new()).is_err());
    assert_eq!((registry.subjects(&subject(":*:"), Visible::All, Page::ALL), bench.end().await), (Ok(vec![]), 0));
    let registered = registry.resolve(&s, &named).await.expect("registered");
    let prepared = registry.prepare(&s, &named).await.expect("registered");
    assert!(prepared.is_registered && Arc::ptr_eq(&prepared.serializer, &registered));
    // What a registration refuses is refused here, with the reason first and no long text.
    let end = bench.end().await;
    let long = format!(
        r#"{{"type":"record","name":"R","doc":"{}","fields":[{{"name":"n","type":"string"}}]}}"#,
        "x".repeat(9000)
    );
    match registry.prepare(&s, &SchemaRef::Inline { kind: SchemaKind::Avro, text: &long }).await {
        Err(error @ ResolveError::Refused { error: Error::Incompatible { .. }, .. }) => {
            let message = error.to_string();
            assert!(message.starts_with("The schema is incompatible"), "{message}");
            assert!(message.len() < 2500, "{} bytes", message.len());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.end().await, end);
}

// === Look-up and registration ===

#[tokio::test(flavor = "multi_thread")]
async fn a_normalized_schema_finds_normal_texts_only() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    set_level(&registry, CompatibilityLevel::None).await;
    let plain = r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"string"}}}"#;
    let normal = r#"{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"type":"object"}"#;
    let protobuf = "syntax = \"proto3\";\nmessage B { string x = 2; string y = 1; }";
    let normalize = RegisterOptions { normalize: true, ..RegisterOptions::default() };
    for (name, kind, text) in [("j", SchemaKind::Json, plain), ("p", SchemaKind::Protobuf, protobuf)] {
        let submission = || SchemaSubmission::new(kind, text);
        let s = subject(name);
        assert_eq!(submit(&registry, name, submission()).await.map(|(_, version)| version), Ok(1));
        assert_eq!(registry.lookup(&s, &submission(), true, false), Err(Error::SchemaNotFound), "{name}");
        let registered = registry.register(&s, submission(), normalize).await.expect("registered");
        assert_eq!(registered.stored.version, 2, "{name}");
        let found = registry.lookup(&s, &submission(), true, false).expect("found");
        assert_eq!(found.stored.version, 2, "{name}");
        let again = registry.register(&s, submission(), normalize).await.expect("known");
        assert_eq!(again.stored.version, 2, "{name}");
    }
    let found = registry.lookup(&subject("j"), &SchemaSubmission::new(SchemaKind::Json, normal), false, false);
    assert_eq!(found.map(|found| found.stored.version), Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_adds_the_configured_metadata_as_a_registration_does() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let m = subject("m");
    let with = |pairs| SchemaSubmission { metadata: properties(pairs), ..avro("\"int\"") };
    let lookup =
        |submission: &SchemaSubmission| registry.lookup(&m, submission, false, false).map(|found| found.stored.version);
    let defaults = ConfigChange { default_metadata: Some(properties(json!({"glob": "1"}))), ..ConfigChange::default() };
    registry.change_config(Some(&m), defaults).await.expect("changed");
    assert_eq!(submit(&registry, "m", with(json!({"owner": "you"}))).await, Ok((1, 1)));
    assert_eq!(lookup(&with(json!({"owner": "you"}))), Ok(1));
    assert_eq!(lookup(&avro("\"int\"")), Ok(1), "the latest version's metadata is assumed");
    assert_eq!(lookup(&with(json!({"owner": "me"}))), Err(Error::SchemaNotFound));
    let overrides = ConfigChange { override_metadata: Some(properties(json!({"o": "1"}))), ..ConfigChange::default() };
    registry.change_config(Some(&m), overrides).await.expect("changed");
    assert_eq!(lookup(&avro("\"int\"")), Err(Error::SchemaNotFound), "a registration would make a new version");
    assert_eq!(submit(&registry, "m", with(json!({"owner": "you", "o": "2"}))).await, Ok((2, 2)));
    assert_eq!(lookup(&with(json!({"owner": "you", "o": "2"}))), Ok(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn references_must_be_of_the_same_type_and_live_unless_imported() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, "base", r#"{"type":"record","name":"B","fields":[]}"#).await, Ok((1, 1)));
    let importing = SchemaSubmission {
        references: vec![reference("a.proto", "base")],
        ..SchemaSubmission::new(SchemaKind::Protobuf, "syntax = \"proto3\";\nimport \"a.proto\";\nmessage M {}")
    };
    let refused = submit(&registry, "p", importing).await;
    assert!(matches!(refused, Err(Error::InvalidReference(_))), "{refused:?}");
    registry.delete_version(&subject("base"), VersionRef::Latest, false).await.expect("deleted");
    let user = SchemaSubmission {
        references: vec![reference("B", "base")],
        ..avro(r#"{"type":"record","name":"R","fields":[{"name":"b","type":"B"}]}"#)
    };
    let refused = submit(&registry, "user", user.clone()).await;
    assert!(matches!(refused, Err(Error::ReferenceNotFound { .. })), "{refused:?}");
    registry.set_mode(Some(&subject("user")), Some(Mode::Import), false).await.expect("set");
    let imported = SchemaSubmission { id: Some(SchemaId(100)), version: 1, ..user };
    assert_eq!(submit(&registry, "user", imported).await, Ok((100, 1)));
    assert_eq!(registry.subjects(&subject(":*:"), Visible::All, Page::ALL), Ok(vec![subject("base"), subject("user")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_are_inherited_as_in_the_original() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    let group = ConfigChange { compatibility_group: Some(Some("g".to_owned())), ..ConfigChange::default() };
    registry.change_config(None, group).await.expect("changed");
    let full = ConfigChange { compatibility_level: Some(Some(CompatibilityLevel::Full)), ..ConfigChange::default() };
    registry.change_config(Some(&subject(":.c9:")), full).await.expect("changed");
    let effective = registry.config(&subject(":.c9:"), true).expect("there");
    assert_eq!((effective.level(), effective.compatibility_group.as_deref()), (CompatibilityLevel::Full, Some("g")));
    registry.delete_config(None).await.expect("deleted");
    let fields = ConfigChange { validate_fields: Some(Some(true)), ..ConfigChange::default() };
    registry.change_config(Some(&subject(":.__GLOBAL:")), fields).await.expect("changed");
    let old = registry.delete_config(None).await.expect("there is always one");
    assert_eq!((old.validate_fields, old.level()), (None, CompatibilityLevel::Backward));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_looked_for_under_the_subject_that_is_named_with_its_context() {
    let bench = Bench::start().await;
    let registry = bench.registry().await;
    assert_eq!(register(&registry, ":.c:a", "\"int\"").await, Ok((1, 1)));
    let found = |name: &str| registry.schema(SchemaId(1), Some(&subject(name))).map(|stored| stored.subject);
    assert_eq!(found(":.c:a"), Ok(subject(":.c:a")));
    assert_eq!(found(":.c:"), Ok(subject(":.c:a")));
    assert_eq!(found("a"), Ok(subject(":.c:a")));
    assert_eq!(found(":.c:none"), Err(Error::IdNotFound(SchemaId(1))));
    assert_eq!(registry.versions_with_id(".c", SchemaId(2), true, Page::ALL), Err(Error::IdNotFound(SchemaId(2))));
    // Aliases count where they have the prefix that is asked for.
    let alias = ConfigChange { alias: Some(Some("real".to_owned())), ..ConfigChange::default() };
    registry.change_config(Some(&subject("a")), alias).await.expect("changed");
    assert_eq!(registry.aliases(&subject("real"), &subject("real")), []);
    assert_eq!(registry.aliases(&subject("real"), &subject("")), [subject("a")]);
}
