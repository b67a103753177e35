//! One member of a consumer group: prints partition, offset and value of each record that it reads, until it gets SIGTERM.
//!
//! `group_member BOOTSTRAP GROUP TOPIC ASSIGNOR`, for `conformance/clients/mixed_groups.py`.

use std::{env, time::Duration};

use postern_kafka::{
    Assignor, ByteCount, Cluster, ConsumerSettings, FetchBudget, OffsetReset, Settings, Subscription, TopicName,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [bootstrap, group, topic, assignor] = &arguments[..] else {
        panic!("expected BOOTSTRAP GROUP TOPIC ASSIGNOR, found {arguments:?}");
    };
    let assignor = match assignor.as_str() {
        "range" => Assignor::Range,
        "roundrobin" => Assignor::RoundRobin,
        "sticky" => Assignor::Sticky,
        "cooperative-sticky" => Assignor::CooperativeSticky,
        other => panic!("expected an assignor, found {other}"),
    };
    let cluster = Cluster::connect(Settings::new(bootstrap)).expect("the settings are sound");
    let settings = ConsumerSettings {
        auto_offset_reset: OffsetReset::Earliest,
        auto_commit: Some(Duration::from_millis(300)),
        session_timeout: Duration::from_secs(6),
        heartbeat_interval: Duration::from_millis(300),
        assignors: vec![assignor],
        ..ConsumerSettings::new(group, FetchBudget::new(ByteCount(16 << 20)))
    };
    let mut consumer = cluster.consumer(settings).expect("the settings are sound");
    consumer.subscribe(Subscription::Topics(vec![TopicName::parse(topic).expect("the name of a topic")]));
    let mut terminated = signal(SignalKind::terminate()).expect("a handler");
    loop {
        let polled = tokio::select! {
            polled = consumer.poll(Instant::now() + Duration::from_secs(1)) => polled,
            _ = terminated.recv() => break,
        };
        if let Err(error) = polled {
            eprintln!("{error}");
        }
        while let Some(taken) = consumer.take() {
            let value = taken.record.value.unwrap_or_default();
            println!("{} {} {}", taken.partition.0, taken.record.offset.0, String::from_utf8_lossy(&value));
        }
        consumer.confirm();
    }
    if let Err(error) = consumer.close(Instant::now() + Duration::from_secs(5)).await {
        eprintln!("{error}");
    }
}
