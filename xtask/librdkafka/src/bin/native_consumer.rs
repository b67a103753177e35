//! What reading is held against: a plain librdkafka consumer of partition 0, without a group, from its beginning.
//!
//! `native_consumer BOOTSTRAP TOPIC RECORDS`

use std::{
    env, process,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
};

fn main() -> process::ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [bootstrap, topic, records] = &arguments[..] else {
        eprintln!("usage: native_consumer BOOTSTRAP TOPIC RECORDS");
        return process::ExitCode::from(2);
    };
    let Some(records) = records.parse::<i64>().ok().filter(|records| *records > 1) else {
        eprintln!("{records}: expected how many records are read, more than one");
        return process::ExitCode::from(2);
    };
    match consume(bootstrap, topic, records) {
        // The first one was there when the clock started.
        Ok(took) => {
            println!("{:.0} records/s", (records - 1) as f64 / took.as_secs_f64());
            process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            process::ExitCode::FAILURE
        }
    }
}

/// The time from the first record to the last one: what it takes to find the leader is left out.
fn consume(bootstrap: &str, topic: &str, records: i64) -> Result<Duration, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "native")
        .set("enable.auto.commit", "false")
        // Else it pauses for a second whenever it has 100,000 records ahead.
        .set("queued.min.messages", "10000000")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut start = None;
    loop {
        let record = consumer.poll(Duration::from_secs(10));
        let record = record.ok_or(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))??;
        let start = start.get_or_insert_with(Instant::now);
        if record.offset() + 1 >= records {
            return Ok(start.elapsed());
        }
    }
}
