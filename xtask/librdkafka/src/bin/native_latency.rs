//! Writes a record with the time of its writing every so many milliseconds, and reads it back: both by librdkafka, with nothing before the
//! broker. Who else reads the topic meanwhile can be held against it.
//!
//! `native_latency BOOTSTRAP TOPIC RECORDS PAUSE_MS`

use std::{
    env, process,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

fn main() -> process::ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [bootstrap, topic, records, pause] = &arguments[..] else {
        eprintln!("usage: native_latency BOOTSTRAP TOPIC RECORDS PAUSE_MS");
        return process::ExitCode::from(2);
    };
    let (Ok(records), Ok(pause)) = (records.parse::<usize>(), pause.parse()) else {
        eprintln!("{records} {pause}: expected a number of records, and the milliseconds between them");
        return process::ExitCode::from(2);
    };
    let pause = Duration::from_millis(pause);
    let measured = thread::scope(|scope| {
        let (ready, reads) = mpsc::channel();
        let reader = scope.spawn(move || read(bootstrap, topic, records, &ready));
        write(bootstrap, topic, records, pause, &reads)?;
        reader.join().unwrap_or(Err(KafkaError::Canceled))
    });
    match measured {
        Ok(mut micros) => {
            micros.sort_unstable();
            println!("measured {} {}", micros[micros.len() / 2], micros[micros.len() * 99 / 100]);
            process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            process::ExitCode::FAILURE
        }
    }
}

fn write(
    bootstrap: &str,
    topic: &str,
    records: usize,
    pause: Duration,
    reads: &Receiver<()>,
) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("acks", "all").set("linger.ms", "0").create()?;
    for number in 0..records {
        thread::sleep(pause);
        let payload = format!("{{\"at\":{}}}", now());
        let record: BaseRecord<'_, [u8], _> = BaseRecord::to(topic).partition(0).payload(&payload);
        producer.send(record).map_err(|(error, _)| error)?;
        // Both connect with the first one.
        if number == 0 && reads.recv().is_err() {
            break;
        }
    }
    producer.flush(Duration::from_secs(10))
}

/// The microseconds from the writing to the reading of each record but the first.
fn read(bootstrap: &str, topic: &str, records: usize, ready: &Sender<()>) -> Result<Vec<u64>, KafkaError> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "native")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut micros = Vec::with_capacity(records);
    while micros.len() < records {
        let record = consumer.poll(Duration::from_secs(10));
        let record = record.ok_or(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut))??;
        let written = record.payload().and_then(written);
        let written = written.ok_or(KafkaError::MessageConsumption(RDKafkaErrorCode::BadMessage))?;
        micros.push(now().saturating_sub(written));
        if micros.len() == 1 {
            // The writer may have failed; it says so.
            let _ = ready.send(());
        }
    }
    Ok(micros.split_off(1))
}

fn written(payload: &[u8]) -> Option<u64> {
    str::from_utf8(payload).ok()?.strip_prefix("{\"at\":")?.strip_suffix('}')?.parse().ok()
}

/// Microseconds since 1970, which mean the same in every process.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}
