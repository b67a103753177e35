//! Why a request was refused as a whole, in the words of the gate.

use std::fmt;

use postern_kafka::{Error as ClusterError, TooLarge, TopicName};
use postern_registry::{ResolveError, Side};
use postern_schema::EncodeError;

/// A refused request: nothing of it was written. (What became of single records are outcomes, not errors.)
#[derive(Debug)]
pub enum Error {
    /// A produce to a topic that does not exist, and that the cluster does not create by itself.
    NoSuchTopic(TopicName),
    /// Records have keys (or values) and the request names no schema for them.
    MissingSchema(Side),
    /// A record asks for a partition below 0.
    NegativePartition {
        /// Position in the request, from 0.
        record: usize,
        /// What was asked for.
        partition: i32,
    },
    /// The schema of one side could not be had.
    Schema(Side, ResolveError),
    /// A value does not fit its schema; the path begins with the record.
    DoesNotFit(EncodeError),
    /// A binary key or value is not base64.
    NotBase64 {
        /// `records[3].value`
        path: String,
        /// What is wrong, as a sentence.
        message: String,
    },
    /// The keys and values of one request are more than the whole budget for unacknowledged records.
    TooLarge(TooLarge),
    /// The cluster refused, or could not be asked.
    Cluster(ClusterError),
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Error {
        Error::Cluster(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSuchTopic(topic) => {
                write!(
                    f,
                    "Topic not found: '{topic}' does not exist and the cluster does not create topics by itself. Create it first. Nothing was written."
                )
            }
            Error::MissingSchema(Side::Key) => {
                f.write_str("Request includes keys but does not include key schema: give key_schema or key_schema_id.")
            }
            Error::MissingSchema(Side::Value) => f.write_str(
                "Request includes values but does not include value schema: give value_schema or value_schema_id.",
            ),
            Error::NegativePartition { record, partition } => {
                write!(f, "records[{record}].partition: expected 0 or more, found {partition}. Nothing was written.")
            }
            Error::Schema(Side::Key, error) => write!(f, "key_schema: {error}"),
            Error::Schema(Side::Value, error) => write!(f, "value_schema: {error}"),
            Error::DoesNotFit(error) => write!(f, "{error}"),
            Error::NotBase64 { path, message } => write!(f, "{path}: {message}"),
            Error::TooLarge(TooLarge { requested, capacity }) => write!(
                f,
                "The records of this request hold {} bytes, more than the {} bytes that may wait for acknowledgement at once. Split the request. Nothing was written.",
                requested.0, capacity.0
            ),
            Error::Cluster(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {}
