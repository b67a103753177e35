//! What a read returns, and how it is written.

use postern_kafka::ConsumerRecord;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A record that is being written, without key and value.
#[derive(Clone, Copy, Debug)]
pub struct ReadRecord<'r> {
    /// Its topic.
    pub topic: &'r str,
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Milliseconds since 1970, where it has a time.
    pub timestamp_ms: Option<i64>,
    /// Name and value, in order.
    pub headers: &'r [(String, Option<bytes::Bytes>)],
}

impl<'r> ReadRecord<'r> {
    pub(super) fn new(record: &'r ConsumerRecord) -> ReadRecord<'r> {
        ReadRecord {
            topic: record.topic.as_str(),
            partition: record.partition.0,
            offset: record.record.offset.0,
            timestamp_ms: record.record.timestamp_ms,
            headers: &record.record.headers,
        }
    }
}

/// What stands around the keys and values of an answer. The text of each key and value is appended in between.
pub trait RecordLayout: Send + Sync {
    /// What comes before the key; `out` is empty before the first record.
    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    /// What comes between key and value.
    fn before_value(&self, out: &mut Vec<u8>);
    /// What comes after the value.
    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
}

/// The records of one read.
#[derive(Debug)]
pub struct ReadAnswer {
    text: Vec<u8>,
    _memory: Option<OwnedSemaphorePermit>,
    accepted: oneshot::Sender<()>,
}

impl ReadAnswer {
    /// The answer, and what resolves when it is accepted, or is an error when it is dropped.
    pub(super) fn new(text: Vec<u8>, memory: Option<OwnedSemaphorePermit>) -> (ReadAnswer, oneshot::Receiver<()>) {
        let (accepted, outcome) = oneshot::channel();
        (ReadAnswer { text, _memory: memory, accepted }, outcome)
    }

    /// The text, which is now the caller's: the records will not come again.
    pub fn accept(self) -> Vec<u8> {
        // An error: the instance has ended, and whoever reads on in its group may get the same records.
        let _ = self.accepted.send(());
        self.text
    }
}
