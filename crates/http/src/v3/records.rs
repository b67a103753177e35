//! `POST …/topics/{topic}/records` and `…/records:batch` — produce records (docs/reference/rest-v3.md §11, §12).
//!
//! Each record is answered by itself: the status is decided before the first is read. The cluster of the path is not looked at, only echoed.

mod batch;
mod document;
mod receipt;
mod splitter;
mod stream;
mod timestamp;

use postern_access::{Denied, Permissions, Right};
use postern_proxy::{
    AppendedRecords, DataFormat, EncodedRecord, Error, InvalidTopicName, Proxy, RecordGroup, SchemaSource,
    SingleRecord, Subject, SubjectNameStrategy, SubjectRef, TopicName,
};

use self::document::Refusal;
use self::receipt::Failure;
use super::bodies::{ProduceBatchRequest, ProduceBatchResponse, RecordReceipt, RecordRequest};
use crate::access::{topic_template, without_hidden_names};
use crate::operation::{Operation, operation};
use crate::problem::{illegal_topic, refused_record};
use crate::request_context::Params;

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
    permissions: Permissions,
}

impl Target {
    fn new(proxy: Proxy, params: &Params) -> Target {
        let (name, permissions) = (params.get("topic"), params.permissions().clone());
        Target { proxy, name: name.to_owned(), topic: TopicName::parse(name), permissions }
    }

    /// 40301 unless the caller may use the subjects that a record names. Those of the topic belong to producing to it.
    fn check_subjects(&self, record: &SingleRecord<'_>) -> Result<(), Failure> {
        if self.permissions.is_unlimited() {
            return Ok(());
        }
        for (data, side) in [(&record.key, "key"), (&record.value, "value")] {
            let Some(DataFormat::Schema { source, subject }) = data.as_ref().map(|data| &data.format) else { continue };
            let right = if let SchemaSource::Text { .. } = source { Right::Register } else { Right::Read };
            let subject = match subject {
                SubjectRef::Named(name) => Subject::parse(name).as_str().to_owned(),
                SubjectRef::By(SubjectNameStrategy::TopicName) => format!("{}-{side}", self.name),
                // Which subject it is stands in the schema.
                SubjectRef::By(strategy) if !self.permissions.may_all(right) => {
                    let caller = self.permissions.caller().name();
                    let message = format!(
                        "{side}: {caller} may not {} every subject, and which one {} makes is not known before: name it. The record was not written.",
                        right.name(),
                        strategy.name()
                    );
                    return Err(Failure::from((40301, message)));
                }
                SubjectRef::By(_) => continue,
            };
            let denied =
                |denied: Denied| Failure::from((40301, format!("{side}: {denied} The record was not written.")));
            self.permissions.check_schema_of(&self.name, &subject, right).map_err(denied)?;
        }
        Ok(())
    }

    /// Encodes a record into `bytes`.
    async fn encode(&self, record: SingleRecord<'_>, bytes: &mut Vec<u8>) -> Result<EncodedRecord, Failure> {
        let topic = self.topic()?;
        self.check_subjects(&record)?;
        self.proxy.encode_record(topic, record, bytes).await.map_err(|error| self.refused(error))
    }

    /// Appends records; the broker's answers are waited for afterwards.
    async fn append(&self, group: RecordGroup) -> Result<AppendedRecords, Failure> {
        let template = || topic_template(&self.permissions, &self.name);
        self.proxy.append_group(self.topic()?, group, template).await.map_err(|error| self.refused(error))
    }

    fn topic(&self) -> Result<&TopicName, Failure> {
        self.topic.as_ref().map_err(|error| Failure::from(illegal_topic(&self.name, error)))
    }

    fn refused(&self, error: Error) -> Failure {
        let error = without_hidden_names(&self.permissions, error);
        let (code, message) = refused_record(&error);
        let is_for_topic = matches!(
            error,
            Error::NoSuchTopic { .. }
                | Error::TopicNotMade { .. }
                | Error::TooManyNewTopics(_)
                | Error::RegistryTopic(_)
                | Error::InternalTopic(_)
                | Error::Cluster(_)
        );
        Failure { code, message, is_for_topic }
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
