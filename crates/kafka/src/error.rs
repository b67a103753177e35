//! What a cluster, or the client library on its behalf, refuses; and whether a record that failed was written.
//!
//! Kafka's errors are an open set of numbers. [`ErrorKind`] sorts them by what a caller can do about them; name and message
//! stay as the cluster gave them. Source: the error table of the Kafka protocol guide; librdkafka's own codes are negative.

use std::{error, fmt};

use crate::TopicName;

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such topic.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// The topic to be created is there already.
    TopicExists,
    /// No topic can be called that.
    InvalidTopic,
    /// The call asks for something impossible: counts, configs, a policy against it, a feature the cluster lacks.
    InvalidRequest,
    /// A replica assignment that the cluster cannot follow.
    InvalidReplicaAssignment,
    /// The cluster does not believe who we are.
    Authentication,
    /// The cluster does not let us.
    Authorization,
    /// The record, or its batch, is larger than allowed.
    RecordTooLarge,
    /// A quota is used up.
    Throttled,
    /// No broker can be reached.
    BrokerUnavailable,
    /// It may work later: a timeout, a moving leader, too few replicas.
    Retriable,
    /// Anything else.
    Other,
}

/// What the cluster, or the client library on its behalf, refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of refusal it is.
    pub kind: ErrorKind,
    /// Kafka's name of the error (`UNKNOWN_TOPIC_OR_PARTITION`), or librdkafka's (`_TRANSPORT`).
    pub name: String,
    /// A sentence: the broker's own where it sent one.
    pub message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, name: &str, message: impl Into<String>) -> Error {
        Error { kind, name: name.to_owned(), message: message.into() }
    }

    /// The refusal of a topic that does not exist.
    pub(crate) fn unknown_topic(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::UnknownTopic, "UNKNOWN_TOPIC_OR_PARTITION", message)
    }

    /// The same error; where the topic is unknown it says which one.
    pub(crate) fn about(self, topic: &TopicName) -> Error {
        match self.kind {
            ErrorKind::UnknownTopic => Error::unknown_topic(format!("There is no topic '{topic}'")),
            _ => self, // no other error is about a name alone
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.name)
    }
}

impl error::Error for Error {}

/// Whether a record that failed may stand in the log all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It certainly does not: repeating it makes no duplicate.
    NotWritten,
    /// It was on its way to a broker, and no answer came: repeating it may make a duplicate.
    Unknown,
}

/// Why a record failed, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendError {
    /// What was refused.
    pub error: Error,
    /// Whether the record may stand in the log all the same.
    pub fate: Fate,
}

impl AppendError {
    pub(crate) fn not_written(error: Error) -> AppendError {
        AppendError { error, fate: Fate::NotWritten }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fate {
            Fate::NotWritten => write!(f, "{}; the record was not written", self.error),
            Fate::Unknown => write!(f, "{}; whether the record was written is not known", self.error),
        }
    }
}

impl error::Error for AppendError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A number out of the protocol's table of errors, or one of librdkafka's own (negative).
///
/// A number, not the bindings' enum: a broker newer than this library may send one that has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) i32);

impl Code {
    pub(crate) const NONE: Code = Code(0);
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: Code = Code(3);
    pub(crate) const LEADER_NOT_AVAILABLE: Code = Code(5);
    pub(crate) const MESSAGE_TOO_LARGE: Code = Code(10);
    pub(crate) const INVALID_RECORD: Code = Code(87);
    pub(crate) const TIMED_OUT: Code = Code(-185);
    pub(crate) const UNKNOWN_TOPIC: Code = Code(-188);
    pub(crate) const UNKNOWN_PARTITION: Code = Code(-190);
    pub(crate) const INVALID_DIFFERENT_RECORD: Code = Code(-138);

    pub(crate) fn kind(self) -> ErrorKind {
        match self.0 {
            // 100: UNKNOWN_TOPIC_ID; -156: what librdkafka found no leader for.
            3 | 100 | -188 | -156 => ErrorKind::UnknownTopic,
            -190 => ErrorKind::UnknownPartition,
            36 => ErrorKind::TopicExists,
            17 => ErrorKind::InvalidTopic,
            // Partitions, replication factor, config, request, policy; version or feature missing; security switched off.
            // -1 is what brokers answer to requests they could not make sense of.
            37 | 38 | 40 | 42 | 44 | 35 | 54 | -1 | -165 | -186 => ErrorKind::InvalidRequest,
            39 => ErrorKind::InvalidReplicaAssignment,
            33 | 34 | 58 | -169 => ErrorKind::Authentication,
            29 | 30 | 31 | 53 | 65 => ErrorKind::Authorization,
            10 | 18 => ErrorKind::RecordTooLarge,
            89 => ErrorKind::Throttled,
            // Not available; transport, resolve, all brokers down.
            8 | -195 | -193 | -187 => ErrorKind::BrokerUnavailable,
            // Corrupt on the wire, no leader, not leader, timed out, replica away, network, coordinators, too few replicas,
            // not controller, storage, listener, epochs, offsets not yet available.
            2 | 5 | 6 | 7 | 9 | 13..=16 | 19 | 20 | 41 | 56 | 72 | 74 | 75 | 77 | 78 | 83 => ErrorKind::Retriable,
            // Timed out: a message, a call, in the queue; queue full; purged; told to retry.
            -192 | -185 | -166 | -184 | -152 | -151 | -153 => ErrorKind::Retriable,
            _ => ErrorKind::Other, // the table grows with every release of Kafka
        }
    }

    /// Kafka's name where librdkafka uses another one.
    pub(crate) fn kafka_name(self) -> Option<&'static str> {
        Some(match self.0 {
            -1 => "UNKNOWN_SERVER_ERROR",
            2 => "CORRUPT_MESSAGE",
            3 => "UNKNOWN_TOPIC_OR_PARTITION",
            4 => "INVALID_FETCH_SIZE",
            6 => "NOT_LEADER_OR_FOLLOWER",
            10 => "MESSAGE_TOO_LARGE",
            14 => "COORDINATOR_LOAD_IN_PROGRESS",
            17 => "INVALID_TOPIC_EXCEPTION",
            18 => "RECORD_LIST_TOO_LARGE",
            36 => "TOPIC_ALREADY_EXISTS",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_a_caller_can_do() {
        for (code, kind) in [
            (3, ErrorKind::UnknownTopic),
            (36, ErrorKind::TopicExists),
            (17, ErrorKind::InvalidTopic),
            (40, ErrorKind::InvalidRequest),
            (39, ErrorKind::InvalidReplicaAssignment),
            (58, ErrorKind::Authentication),
            (29, ErrorKind::Authorization),
            (10, ErrorKind::RecordTooLarge),
            (89, ErrorKind::Throttled),
            (-195, ErrorKind::BrokerUnavailable),
            (7, ErrorKind::Retriable),
            (-192, ErrorKind::Retriable),
            (87, ErrorKind::Other),
            (9999, ErrorKind::Other),
        ] {
            assert_eq!(Code(code).kind(), kind, "{code}");
        }
    }

    #[test]
    fn an_append_error_says_whether_repeating_is_safe() {
        let error = Error::new(ErrorKind::Retriable, "REQUEST_TIMED_OUT", "no answer");
        let unknown = AppendError { error: error.clone(), fate: Fate::Unknown };
        assert_eq!(unknown.to_string(), "no answer (REQUEST_TIMED_OUT); whether the record was written is not known");
        assert_eq!(
            AppendError::not_written(error).to_string(),
            "no answer (REQUEST_TIMED_OUT); the record was not written"
        );
    }
}
