//! Appending records: hand them to librdkafka in order, and hand its reports to those who wait.
//!
//! Reports are taken as events by a task that librdkafka wakes, on the same threads as the tasks that wait for them: no thread
//! of ours stands in between.
//!
//! An idempotent producer can break for good (its sequence of numbers no longer fits the log). Then another one takes its
//! place; what the broken one still holds is answered with an error.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use tokio::{runtime::Handle, task::AbortHandle};

use crate::{
    Admitted, AppendError, ByteCount, Deliveries, Error, ErrorKind, PartitionId, Record, Settings, TopicName,
    deliveries::DeliveryHandle,
    error::Code,
    metadata::Topics,
    native::{Client, Event, NotQueued, Role, Topic},
};

/// After so many records answered the reporting task lets others run.
const REPORTS_AT_ONCE: usize = 2_000;
/// A producer that breaks younger than this is replaced only after [`REPLACE_PAUSE`]: the next one may break as well.
const YOUNG: Duration = Duration::from_secs(10);
const REPLACE_PAUSE: Duration = Duration::from_secs(1);

/// For how long a new producer looks for its cluster on its own account: as long as the timer that this spares it.
const INITIAL_METADATA_TIMEOUT: Duration = Duration::from_millis(500);

/// The place of the one producer.
pub(crate) struct Producers {
    settings: Settings,
    runtime: Handle,
    current: RwLock<Arc<Producer>>,
}

impl Producers {
    pub(crate) fn start(settings: Settings, runtime: Handle) -> Result<Arc<Producers>, Error> {
        let client = Arc::new(Client::start(Role::Producer, &settings)?);
        Ok(Arc::new_cyclic(|producers| {
            let first = Producer::new(client, &settings, &runtime, producers.clone());
            Producers { settings, runtime, current: RwLock::new(Arc::new(first)) }
        }))
    }

    pub(crate) fn current(&self) -> Arc<Producer> {
        self.current.read().clone()
    }

    /// Puts another producer in the place of `broken`.
    fn replace(self: &Arc<Self>, broken: &Arc<Client>) {
        let client = match Client::start(Role::Producer, &self.settings) {
            Ok(client) => Arc::new(client),
            Err(error) => {
                tracing::error!(%error, "no new producer could be started; appending fails");
                return;
            }
        };
        let next = Arc::new(Producer::new(client, &self.settings, &self.runtime, Arc::downgrade(self)));
        let mut current = self.current.write();
        if Arc::ptr_eq(&current.client, broken) {
            let broken = std::mem::replace(&mut *current, next);
            drop(current);
            drop(broken);
        }
    }
}

/// One librdkafka producer and what it knows.
pub(crate) struct Producer {
    client: Arc<Client>,
    topics: Arc<Topics>,
    max_request_size: ByteCount,
    reporting: AbortHandle,
}

impl Producer {
    fn new(client: Arc<Client>, settings: &Settings, runtime: &Handle, home: Weak<Producers>) -> Producer {
        let acquainted = client.clone();
        // Nothing waits for it, and nothing depends on it: without it the first record takes half a second longer.
        drop(runtime.spawn_blocking(move || acquainted.fetch_initial_metadata(INITIAL_METADATA_TIMEOUT)));
        let topics = Arc::new(Topics::new(client.clone(), settings.call_timeout, runtime.clone()));
        let reporting = runtime.spawn(report(client.clone(), home)).abort_handle();
        Producer { client, topics, max_request_size: settings.max_request_size, reporting }
    }

    pub(crate) fn topics(&self) -> &Arc<Topics> {
        &self.topics
    }

    /// Appends in the order given. What cannot be appended is answered at once.
    pub(crate) fn append(&self, name: &TopicName, admitted: Admitted) -> Deliveries {
        let Admitted { records, permit } = admitted;
        let (deliveries, handles) = Deliveries::new(records.len(), permit);
        match self.topics.topic(name) {
            Ok((topic, partitions)) => {
                for (record, handle) in records.iter().zip(handles) {
                    self.append_one(name, &topic, partitions, record, handle);
                }
            }
            Err(error) => handles.for_each(|t| t.answer(Err(AppendError::not_written(error.clone())))),
        }
        deliveries
    }

    fn append_one(
        &self,
        name: &TopicName,
        topic: &Topic,
        partitions: Option<i32>,
        record: &Record,
        handle: DeliveryHandle,
    ) {
        let size = record.serialized_size();
        if size > self.max_request_size {
            return handle.answer(Err(AppendError::not_written(self.too_large(size))));
        }
        if let (Some(PartitionId(asked)), Some(count)) = (record.partition, partitions)
            && !(0..count).contains(&asked)
        {
            return handle.answer(Err(AppendError::not_written(no_such_partition(name, asked, count))));
        }
        if let Err(NotQueued { handle, code }) = topic.produce(record, handle) {
            let error = match code {
                Code::MESSAGE_TOO_LARGE => self.too_large(size),
                Code::UNKNOWN_PARTITION => match record.partition {
                    Some(PartitionId(asked)) => no_such_partition(name, asked, partitions.unwrap_or(0)),
                    None => code.error(None),
                },
                _ if self.client.is_broken() => {
                    Error::new(ErrorKind::Retriable, &code.name(), "the producer broke and is being replaced")
                }
                _ => code.error(None), // a full queue, a topic gone
            };
            handle.answer(Err(AppendError::not_written(error)));
        }
    }

    /// Waits until everything appended is answered, at most `patience`.
    pub(crate) async fn flush(&self, patience: Duration) -> bool {
        const LOOK_AGAIN: Duration = Duration::from_millis(5);
        let end = Instant::now() + patience;
        while self.client.unanswered() > 0 {
            self.client.flush_nonblocking();
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }

    fn too_large(&self, size: ByteCount) -> Error {
        let message = format!(
            "The message is {} bytes when serialized which is larger than {}, \
             which is the value of the max.request.size configuration.",
            size.0, self.max_request_size.0
        );
        Error::new(ErrorKind::RecordTooLarge, "RECORD_TOO_LARGE", message)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.reporting.abort();
    }
}

fn no_such_partition(topic: &TopicName, asked: i32, count: i32) -> Error {
    let message =
        format!("Partition {asked} of topic {topic} with partition count {count} is not present in metadata.");
    Error::new(ErrorKind::UnknownPartition, "UNKNOWN_TOPIC_OR_PARTITION", message)
}

/// Hands out delivery reports for as long as the producer lives.
async fn report(client: Arc<Client>, home: Weak<Producers>) {
    let started = Instant::now();
    let wake = client.wake();
    let mut answered = 0;
    loop {
        while let Some(event) = client.poll_event() {
            match event {
                Event::Reports(reports) => answered += reports.answer(),
                Event::Fatal(error) => {
                    tracing::error!(%error, "the producer broke; another one takes its place");
                    let pause = if started.elapsed() < YOUNG { REPLACE_PAUSE } else { Duration::ZERO };
                    tokio::spawn(replace_after(pause, client.clone(), home.clone()));
                }
                Event::TransientError(error) => tracing::debug!(%error, "the producer has trouble, and deals with it"),
                Event::Other => {}
            }
            if answered >= REPORTS_AT_ONCE {
                answered = 0;
                tokio::task::yield_now().await;
            }
        }
        wake.notified().await;
    }
}

async fn replace_after(pause: Duration, broken: Arc<Client>, home: Weak<Producers>) {
    tokio::time::sleep(pause).await;
    if let Some(producers) = home.upgrade() {
        producers.replace(&broken);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use postern_broker::Broker;

    use super::*;
    use crate::{Cluster, Fate, Inflight, NewTopic, Offset};

    /// What a broken producer holds is answered, and another one takes its place.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_broken_producer_is_replaced() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let broker = Broker::start(postern_broker::Settings::for_test(data.path())).await.expect("the broker starts");
        let settings = Settings::for_test(broker.address().to_string());
        let topic = TopicName::parse("records").expect("legal");
        let new = NewTopic {
            name: topic.clone(),
            partitions: Some(1),
            replication_factor: Some(1),
            assignments: None,
            configs: Vec::new(),
            validate_only: false,
        };
        Cluster::connect(settings.clone()).expect("sound").create_topic(&new).await.expect("created");

        let producers = Producers::start(settings, Handle::current()).expect("starts");
        assert_eq!(append(&producers, &topic).await.expect("written").offset, Offset(0));
        let broken = producers.current();
        broken.client.break_for_test();
        let refused = append(&producers, &topic).await.expect_err("broken");
        assert_eq!((refused.error.kind, refused.fate), (ErrorKind::Retriable, Fate::NotWritten));

        let end = Instant::now() + 3 * REPLACE_PAUSE;
        while Arc::ptr_eq(&producers.current(), &broken) {
            assert!(Instant::now() < end, "nobody took its place");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(append(&producers, &topic).await.expect("written").offset, Offset(1));
    }

    async fn append(producers: &Producers, topic: &TopicName) -> Result<crate::Receipt, AppendError> {
        let producer = producers.current();
        producer.topics().partitions(topic).await.expect("the topic is there");
        let records = vec![Record { value: Some(Bytes::from_static(b"x")), ..Record::default() }];
        let admitted = Inflight::new(ByteCount(1 << 20)).admit(records).await.expect("fits");
        producer.append(topic, admitted).await.remove(0)
    }
}
