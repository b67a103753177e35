//! What the broker carries when nothing stands before it: records of so many bytes from a plain librdkafka producer into partition 0,
//! each acknowledged by all replicas. `cargo xtask bench` measures bulk produce against it.
//!
//! `native_producer BOOTSTRAP TOPIC RECORDS BYTES`

use std::{
    env, process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext},
};

/// Counts what became of the records.
#[derive(Default)]
struct Counts {
    written: AtomicU64,
    failed: AtomicU64,
}

impl ClientContext for Counts {}

impl ProducerContext for Counts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let count = if result.is_ok() { &self.written } else { &self.failed };
        count.fetch_add(1, Relaxed);
    }
}

fn main() -> process::ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [bootstrap, topic, records, bytes] = &arguments[..] else {
        eprintln!("usage: native_producer BOOTSTRAP TOPIC RECORDS BYTES");
        return process::ExitCode::from(2);
    };
    let (Ok(records), Ok(bytes)) = (records.parse::<u64>(), bytes.parse()) else {
        eprintln!("{records} {bytes}: expected a number of records, and how many bytes each has");
        return process::ExitCode::from(2);
    };
    match produce(bootstrap, topic, records, bytes) {
        Ok(took) => {
            println!("{:.0} records/s", records as f64 / took.as_secs_f64());
            process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            process::ExitCode::FAILURE
        }
    }
}

/// The time from the first record handed over to the last one acknowledged.
fn produce(bootstrap: &str, topic: &str, records: u64, bytes: usize) -> Result<Duration, KafkaError> {
    let producer: BaseProducer<Counts> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "1000000")
        .create_with_context(Counts::default())?;
    let payload = vec![b'x'; bytes];
    let start = Instant::now();
    for _ in 0..records {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(0).payload(&payload);
        // A full queue is the ordinary state of a producer that is faster than its broker.
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            record = back;
            producer.poll(Duration::from_millis(1));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(60))?;
    let took = start.elapsed();
    let counts = producer.context();
    if (counts.written.load(Relaxed), counts.failed.load(Relaxed)) != (records, 0) {
        return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
    }
    Ok(took)
}
