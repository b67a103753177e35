//! What a read returns, and how it is written.

use postern_kafka::ConsumerRecord;
use postern_registry::SchemaIdentifier;
use tokio::sync::oneshot;

use super::PartitionPosition;
use super::memory::AnswerShare;
use crate::Error;

/// A record that is being written, without the bytes of key and value.
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
    /// Its key.
    pub key: ReadSide,
    /// Its value.
    pub value: ReadSide,
}

/// What is known of a key or value besides its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSide {
    /// Whether it is Kafka's null.
    pub is_null: bool,
    /// The schema that it names, if it is read by one.
    pub schema: Option<SchemaIdentifier>,
}

impl<'r> ReadRecord<'r> {
    pub(super) fn new(record: &'r ConsumerRecord, key: ReadSide, value: ReadSide) -> ReadRecord<'r> {
        ReadRecord {
            topic: record.topic.as_str(),
            partition: record.partition.0,
            offset: record.record.offset.0,
            timestamp_ms: record.record.timestamp_ms,
            headers: &record.record.headers,
            key,
            value,
        }
    }
}

/// What stands around the keys and values of an answer. The text of each key and value is appended in between.
pub trait RecordLayout: Send + Sync {
    /// A read begins, or begins again: what was taken since the last call comes again.
    fn begin(&self) {}
    /// The partitions that a stream of an instance has from now on, as far as it is known where they are, each with the offset of its next
    /// record. Once in each read of a stream before the first record, and whenever it changes; no record of a partition comes before. What is
    /// to be said of it is appended to `out`.
    ///
    /// # Errors
    /// The layout cannot be used with so many: the read ends.
    fn assigned(&self, _positions: &[PartitionPosition], _out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
    /// What comes before the key; `out` is empty before the first record.
    fn before_key(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    /// What comes between key and value.
    fn before_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    /// What comes after the value.
    fn after_value(&self, record: &ReadRecord<'_>, out: &mut Vec<u8>);
    /// A record is in the answer, to which it may not have been added after it was written the first time.
    fn taken(&self, _topic: &str, _partition: i32, _offset: i64) {}
    /// Writes `error` in the place of a record that cannot be decoded, and returns true. False: the read ends with the error.
    fn undecodable(&self, _record: &ReadRecord<'_>, _error: &Error, _out: &mut Vec<u8>) -> bool {
        false
    }
}

/// The text of an answer, which counts as in use until it is dropped.
#[derive(Debug, Default)]
pub struct ReadText {
    text: Vec<u8>,
    _memory: Option<AnswerShare>,
}

impl AsRef<[u8]> for ReadText {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// The records of one read.
#[derive(Debug)]
pub struct ReadAnswer {
    text: ReadText,
    /// `None`: the position has moved already.
    accepted: Option<oneshot::Sender<()>>,
}

impl ReadText {
    pub(super) fn new(mut text: Vec<u8>, memory: Option<AnswerShare>) -> ReadText {
        // What was reserved and not used is not counted.
        if text.capacity() - text.len() > text.len() / 4 {
            text.shrink_to_fit();
        }
        ReadText { text, _memory: memory }
    }
}

impl ReadAnswer {
    /// An answer whose records count as read.
    pub(super) fn read(text: ReadText) -> ReadAnswer {
        ReadAnswer { text, accepted: None }
    }

    /// The answer, and what resolves when it is accepted, or is an error when it is dropped.
    pub(super) fn new(text: ReadText) -> (ReadAnswer, oneshot::Receiver<()>) {
        let (accepted, outcome) = oneshot::channel();
        (ReadAnswer { text, accepted: Some(accepted) }, outcome)
    }

    /// The text, which is not the caller's yet.
    pub fn text(&self) -> &[u8] {
        self.text.as_ref()
    }

    /// The text, taken out of the answer to be kept elsewhere; whether the records come again is still open.
    pub fn take_text(&mut self) -> ReadText {
        std::mem::take(&mut self.text)
    }

    /// The text, which is now the caller's: the records will not come again. Its memory is no longer counted here.
    pub fn accept(self) -> Vec<u8> {
        if let Some(accepted) = self.accepted {
            // An error: the instance has ended, and whoever reads on in its group may get the same records.
            let _ = accepted.send(());
        }
        self.text.text
    }
}
