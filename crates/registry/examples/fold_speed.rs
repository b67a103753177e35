//! How long 100,000 schemas of a topic take to be folded, what they hold in memory, and how fast they are read by id.
//!
//!     cargo run --release -p postern-registry --example fold_speed [SCHEMAS]

use std::time::{Duration, Instant};

use postern_broker::Broker;
use postern_kafka::{ByteCount, Cluster, Inflight, PartitionId, Record};
use postern_registry::{
    RegisterOptions, Registry, SchemaId, SchemaKind, SchemaRef, SchemaSubmission, Settings, Subject, VersionRef,
};

#[tokio::main]
async fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(postern_broker::Settings::for_test(dir.path())).await.expect("a broker");
    let connect = || Cluster::connect(postern_kafka::Settings::new(broker.address().to_string())).expect("clients");
    // Makes the topic as it must be.
    let first = Registry::start(connect(), Settings::default());
    first.ready().await;
    drop(first);
    let text = fill(&connect(), count).await;

    let before = resident();
    let cpu = processor_time();
    let started = Instant::now();
    let registry = Registry::start(connect(), Settings::default());
    registry.ready().await;
    let (elapsed, cpu) = (started.elapsed(), processor_time() - cpu);
    let held = resident().saturating_sub(before);
    println!("{count} schemas of {text} bytes each, folded in {elapsed:.2?}, of the processor {cpu:.2?}");
    println!("resident memory grew by {} MiB, {} bytes a schema", held >> 20, held / u64::from(count.max(1)));

    // Ids without order, so that no cache of the processor flatters.
    let ids: Vec<SchemaId> =
        (0..count).map(|n| SchemaId(1 + ((u64::from(n) * 7919) % u64::from(count)) as i32)).collect();
    let started = Instant::now();
    let bytes: usize = ids.iter().map(|id| registry.schema(*id, None).expect("it is there").content.text().len()).sum();
    report("reads by id", started, count, bytes);

    let subject = Subject::parse("s7");
    let known = registry.version(&subject, VersionRef::Latest, false).expect("it is there");
    let calls = count.min(20_000);
    let started = Instant::now();
    for _ in 0..calls {
        let submission = SchemaSubmission::new(SchemaKind::Avro, known.content.text());
        let again = registry.register(&subject, submission, RegisterOptions::default()).await.expect("it is known");
        assert_eq!(again.stored.id, known.id);
    }
    report("registrations of a known text", started, calls, 0);

    let inline = SchemaRef::Inline { kind: SchemaKind::Avro, text: known.content.text() };
    registry.resolve(&subject, &inline).await.expect("it is known");
    let started = Instant::now();
    let found = (0..count).filter(|_| registry.resolved(&subject, &inline).is_some()).count();
    report("resolutions of a met text", started, count, found);
}

/// Appends schemas as the registry writes them; the answer is the length of one text.
async fn fill(cluster: &Cluster, count: u32) -> usize {
    let topic = Settings::default().topic;
    let inflight = Inflight::new(ByteCount(64 << 20));
    let mut length = 0;
    for chunk in (0..count).collect::<Vec<_>>().chunks(2000) {
        let records = chunk.iter().map(|n| {
            let (subject, version, id) = (n % 10_000, 1 + n / 10_000, n + 1);
            let text = format!(
                r#"{{"type":"record","name":"Reading{n}","namespace":"org.acme.lab","fields":[{{"name":"sensor","type":"string"}},{{"name":"at","type":{{"type":"long","logicalType":"timestamp-millis"}}}},{{"name":"celsius","type":"double"}},{{"name":"note","type":["null","string"],"default":null}}]}}"#
            );
            length = text.len();
            let value = serde_json::json!({"subject": format!("s{subject}"), "version": version, "id": id, "schemaType": "AVRO", "schema": text, "deleted": false});
            Record {
                partition: Some(PartitionId(0)),
                key: Some(format!(r#"{{"keytype":"SCHEMA","subject":"s{subject}","version":{version},"magic":1}}"#).into()),
                value: Some(value.to_string().into()),
                ..Record::default()
            }
        });
        let admitted = inflight.admit(records.collect()).await.expect("room");
        for outcome in cluster.append(&topic, admitted).await {
            outcome.expect("written");
        }
    }
    length
}

fn report(what: &str, started: Instant, calls: u32, check: usize) {
    let elapsed = started.elapsed();
    println!("{what}: {:.0} ns each, one thread ({check})", elapsed.as_secs_f64() * 1e9 / f64::from(calls.max(1)));
}

/// The memory of this process that is really there, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// The processor time of this process so far. The embedded broker is part of it.
fn processor_time() -> Duration {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = status.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
