//! `POST …/topics/{topic}/records` and `…/records:batch` — produce records (docs/reference/rest-v3.md §11, §12).
//!
//! Each record is answered by itself: the status is decided before the first is read. The cluster of the path is not looked at, only echoed.

mod batch;
mod document;
mod receipt;
mod splitter;
mod stream;
mod timestamp;

use postern_proxy::{AppendedRecord, Error, InvalidTopicName, Proxy, SingleRecord, TopicName};

use self::document::Refusal;
use self::receipt::Failure;
use super::bodies::{ProduceBatchRequest, ProduceBatchResponse, RecordReceipt, RecordRequest};
use crate::operation::{Operation, operation};
use crate::problem::{illegal_topic, refused_record};

pub(super) use timestamp::write as write_timestamp;

pub(super) use batch::batch;
pub(super) use stream::stream;

pub(super) const STREAM: Operation = operation(
    "produceRecords",
    "Writes a stream of records: any number of documents, each answered by one as soon as it is written",
)
.takes::<RecordRequest>(&[r#"{"key":{"type":"STRING","data":"a"},"value":{"type":"JSON","data":{"lumens":4}}}"#])
.returns::<RecordReceipt>();
pub(super) const BATCH: Operation =
    operation("produceRecordsBatch", "Writes a few records, each answered under its id")
        .takes::<ProduceBatchRequest>(&[r#"{"entries":[{"id":"1","value":{"type":"BINARY","data":"AAEC"}}]}"#])
        .answers_with::<ProduceBatchResponse>(207);

/// Where the records of a request go.
struct Target {
    proxy: Proxy,
    /// As the path has it.
    name: String,
    topic: Result<TopicName, InvalidTopicName>,
}

impl Target {
    fn new(proxy: Proxy, name: &str) -> Target {
        Target { proxy, name: name.to_owned(), topic: TopicName::parse(name) }
    }

    /// Appends a record; the broker's answer is waited for afterwards.
    async fn append(&self, record: SingleRecord<'_>) -> Result<AppendedRecord, Failure> {
        let topic = self.topic.as_ref().map_err(|error| Failure::from(illegal_topic(&self.name, error)))?;
        self.proxy.append_record(topic, record).await.map_err(|error| {
            let (code, message) = refused_record(&error);
            let is_for_topic = matches!(
                error,
                Error::NoSuchTopic { .. } | Error::RegistryTopic(_) | Error::InternalTopic(_) | Error::Cluster(_)
            );
            Failure { code, message, is_for_topic }
        })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let code = match &refusal {
            Refusal::Syntax(_) | Refusal::Unknown(_) | Refusal::Invalid(_) => 400,
            Refusal::LargeSchema(_) => 422,
        };
        Failure::new(code, refusal.message())
    }
}
