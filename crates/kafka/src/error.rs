//! What a cluster, or this client on its behalf, refuses; and whether a record that failed was written.
//!
//! Kafka's errors are an open set of numbers. [`ErrorKind`] sorts them by what a caller can do about them; name and message
//! stay as the cluster gave them. Source: the error table of the Kafka protocol guide.

use std::{error, fmt};

use kafka_protocol::error::ResponseError;

use crate::TopicName;

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// There is no such topic.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// No broker of this id is up.
    UnknownBroker,
    /// There is no such group.
    UnknownGroup,
    /// Something else that is not there, such as a user's password.
    UnknownResource,
    /// The topic to be created is there already.
    TopicExists,
    /// No topic can be called that.
    InvalidTopic,
    /// The call asks for something impossible: counts, configs, a policy against it, a feature the cluster lacks.
    InvalidRequest,
    /// A replica assignment that the cluster cannot follow.
    InvalidReplicaAssignment,
    /// The cluster does not accept our credentials, or we do not trust its certificate.
    Authentication,
    /// The cluster does not permit us to do this.
    Authorization,
    /// The record, or its batch, is larger than allowed.
    RecordTooLarge,
    /// A quota is used up.
    Throttled,
    /// No broker can be reached.
    BrokerUnavailable,
    /// A partition has no position: nothing was committed, or the offset is out of range, and nothing says where to begin.
    NoOffset,
    /// It may work later: a timeout, a moving leader, too few replicas.
    Retriable,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [ErrorKind; 17] = [
        ErrorKind::UnknownTopic,
        ErrorKind::UnknownPartition,
        ErrorKind::UnknownBroker,
        ErrorKind::UnknownGroup,
        ErrorKind::UnknownResource,
        ErrorKind::TopicExists,
        ErrorKind::InvalidTopic,
        ErrorKind::InvalidRequest,
        ErrorKind::InvalidReplicaAssignment,
        ErrorKind::Authentication,
        ErrorKind::Authorization,
        ErrorKind::RecordTooLarge,
        ErrorKind::Throttled,
        ErrorKind::BrokerUnavailable,
        ErrorKind::NoOffset,
        ErrorKind::Retriable,
        ErrorKind::Other,
    ];
}

/// What the cluster, or this client on its behalf, refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of refusal it is.
    pub kind: ErrorKind,
    /// Kafka's name of the error, such as `UNKNOWN_TOPIC_OR_PARTITION`.
    pub name: String,
    /// A sentence: the broker's own where it sent one.
    pub message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, name: &str, message: impl Into<String>) -> Error {
        Error { kind, name: name.to_owned(), message: message.into() }
    }

    /// No broker could be reached, for this reason.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Error {
        Error::new(ErrorKind::BrokerUnavailable, "BROKER_NOT_AVAILABLE", reason)
    }

    /// The refusal of a topic that does not exist.
    pub(crate) fn unknown_topic(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::UnknownTopic, "UNKNOWN_TOPIC_OR_PARTITION", message)
    }

    /// Whether the error says something about the way to the cluster or its state now, and nothing about what was asked.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Retriable | ErrorKind::BrokerUnavailable)
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

/// An error code of the protocol. Codes of brokers newer than this table keep their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ErrorCode(pub(crate) i16);

impl ErrorCode {
    pub(crate) const UNKNOWN_SERVER_ERROR: ErrorCode = ErrorCode(-1);
    pub(crate) const NONE: ErrorCode = ErrorCode(0);
    pub(crate) const OFFSET_OUT_OF_RANGE: ErrorCode = ErrorCode(1);
    pub(crate) const CORRUPT_MESSAGE: ErrorCode = ErrorCode(2);
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: ErrorCode = ErrorCode(3);
    pub(crate) const LEADER_NOT_AVAILABLE: ErrorCode = ErrorCode(5);
    pub(crate) const NOT_LEADER_OR_FOLLOWER: ErrorCode = ErrorCode(6);
    pub(crate) const REQUEST_TIMED_OUT: ErrorCode = ErrorCode(7);
    pub(crate) const REPLICA_NOT_AVAILABLE: ErrorCode = ErrorCode(9);
    pub(crate) const MESSAGE_TOO_LARGE: ErrorCode = ErrorCode(10);
    pub(crate) const NETWORK_EXCEPTION: ErrorCode = ErrorCode(13);
    pub(crate) const COORDINATOR_LOAD_IN_PROGRESS: ErrorCode = ErrorCode(14);
    pub(crate) const COORDINATOR_NOT_AVAILABLE: ErrorCode = ErrorCode(15);
    pub(crate) const NOT_COORDINATOR: ErrorCode = ErrorCode(16);
    pub(crate) const RECORD_LIST_TOO_LARGE: ErrorCode = ErrorCode(18);
    pub(crate) const NOT_ENOUGH_REPLICAS: ErrorCode = ErrorCode(19);
    pub(crate) const NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode = ErrorCode(20);
    pub(crate) const ILLEGAL_GENERATION: ErrorCode = ErrorCode(22);
    pub(crate) const UNKNOWN_MEMBER_ID: ErrorCode = ErrorCode(25);
    pub(crate) const REBALANCE_IN_PROGRESS: ErrorCode = ErrorCode(27);
    pub(crate) const INVALID_TIMESTAMP: ErrorCode = ErrorCode(32);
    pub(crate) const UNSUPPORTED_VERSION: ErrorCode = ErrorCode(35);
    pub(crate) const NOT_CONTROLLER: ErrorCode = ErrorCode(41);
    pub(crate) const OUT_OF_ORDER_SEQUENCE_NUMBER: ErrorCode = ErrorCode(45);
    pub(crate) const DUPLICATE_SEQUENCE_NUMBER: ErrorCode = ErrorCode(46);
    pub(crate) const INVALID_PRODUCER_EPOCH: ErrorCode = ErrorCode(47);
    pub(crate) const KAFKA_STORAGE_ERROR: ErrorCode = ErrorCode(56);
    pub(crate) const SASL_AUTHENTICATION_FAILED: ErrorCode = ErrorCode(58);
    pub(crate) const UNKNOWN_PRODUCER_ID: ErrorCode = ErrorCode(59);
    pub(crate) const NON_EMPTY_GROUP: ErrorCode = ErrorCode(68);
    pub(crate) const GROUP_ID_NOT_FOUND: ErrorCode = ErrorCode(69);
    pub(crate) const LISTENER_NOT_FOUND: ErrorCode = ErrorCode(72);
    pub(crate) const FENCED_LEADER_EPOCH: ErrorCode = ErrorCode(74);
    pub(crate) const UNKNOWN_LEADER_EPOCH: ErrorCode = ErrorCode(75);
    pub(crate) const OFFSET_NOT_AVAILABLE: ErrorCode = ErrorCode(78);
    pub(crate) const MEMBER_ID_REQUIRED: ErrorCode = ErrorCode(79);
    pub(crate) const FENCED_INSTANCE_ID: ErrorCode = ErrorCode(82);
    pub(crate) const ELECTION_NOT_NEEDED: ErrorCode = ErrorCode(84);
    pub(crate) const INVALID_RECORD: ErrorCode = ErrorCode(87);
    pub(crate) const THROTTLING_QUOTA_EXCEEDED: ErrorCode = ErrorCode(89);
    pub(crate) const UNKNOWN_TOPIC_ID: ErrorCode = ErrorCode(100);
    pub(crate) const INCONSISTENT_TOPIC_ID: ErrorCode = ErrorCode(103);

    pub(crate) fn kind(self) -> ErrorKind {
        match self.0 {
            // 100: UNKNOWN_TOPIC_ID.
            3 | 100 => ErrorKind::UnknownTopic,
            36 => ErrorKind::TopicExists,
            17 => ErrorKind::InvalidTopic,
            // Partitions, replication factor, config, request, policy; version or feature missing; security switched off.
            // -1 is what brokers answer to requests they could not make sense of.
            // A group with members or subscribed to the topic; no election or reassignment to be made; credentials.
            37 | 38 | 40 | 42 | 44 | 35 | 54 | 68 | 84 | 85 | 86 | 92 | 93 | -1 => ErrorKind::InvalidRequest,
            39 => ErrorKind::InvalidReplicaAssignment,
            69 => ErrorKind::UnknownGroup,
            91 => ErrorKind::UnknownResource,
            33 | 34 | 58 => ErrorKind::Authentication,
            29 | 30 | 31 | 53 | 65 => ErrorKind::Authorization,
            10 | 18 => ErrorKind::RecordTooLarge,
            89 => ErrorKind::Throttled,
            8 => ErrorKind::BrokerUnavailable,
            // Corrupt on the wire, no leader, not leader, timed out, replica away, network, coordinators, too few replicas,
            // not controller, storage, listener, epochs, offsets not yet available.
            2 | 5 | 6 | 7 | 9 | 13..=16 | 19 | 20 | 41 | 56 | 72 | 74 | 75 | 77 | 78 | 83 => ErrorKind::Retriable,
            _ => ErrorKind::Other, // the table grows with every release of Kafka
        }
    }

    /// Kafka's name, such as `UNKNOWN_TOPIC_OR_PARTITION`; the number where the code is newer than the table.
    pub(crate) fn name(self) -> String {
        let camel = match ResponseError::try_from_code(self.0) {
            None => return "NONE".to_owned(),
            Some(ResponseError::Unknown(code)) => return code.to_string(),
            Some(known) => known.to_string(),
        };
        let mut name = String::with_capacity(camel.len() + 8);
        for (at, letter) in camel.char_indices() {
            if at > 0 && letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    /// The error, with the broker's sentence where there is one.
    pub(crate) fn error(self, sentence: Option<&str>) -> Error {
        let message = match sentence.filter(|sentence| !sentence.is_empty()) {
            Some(sentence) => sentence.to_owned(),
            None => self.description(),
        };
        Error::new(self.kind(), &self.name(), message)
    }

    /// What to say where the broker sends a number alone.
    fn description(self) -> String {
        let text = match self.0 {
            2 => "The records were damaged on their way to the broker",
            3 | 100 => "The broker does not host this topic or partition",
            5 => "The partition has no leader at the moment",
            6 => "The broker is not the leader of the partition",
            7 => "The brokers did not answer each other in time",
            10 => "The request included a message larger than the max message size the server will accept",
            14..=16 => "The coordinator of the group is not available at the moment",
            17 => "The topic name is not valid",
            18 => "The records are larger than a segment of the topic",
            19 => "Too few replicas are in sync (min.insync.replicas)",
            20 => "Written, but by too few replicas (min.insync.replicas)",
            29 => "Not authorized to access this topic",
            30 => "Not authorized to access this group",
            31 => "Not authorized for this operation on the cluster",
            32 => "The timestamp of the record is outside of what the topic accepts",
            36 => "A topic of this name exists already",
            54 => "The cluster has no authorizer",
            12 => "The metadata of the offset is longer than the cluster allows (offset.metadata.max.bytes)",
            22 => "The group has gone on without this member (its generation is over)",
            23 => "The members of the group have no assignor in common",
            24 => "The name of the group is not valid",
            25 => "The group does not know this member, or no longer",
            26 => "The session timeout is outside of what the cluster allows",
            27 => "The group is rebalancing",
            68 => "The group has members",
            69 => "There is no such group",
            84 => "The partition has the leader that it should have",
            85 => "The partition is not being reassigned",
            86 => "Members of the group are subscribed to the topic",
            56 => "The broker cannot write to its disk",
            81 => "The group has as many members as the cluster allows",
            82 => "Another member has taken over this group.instance.id",
            87 => "The broker refused the record as invalid",
            89 => "A quota of the cluster is used up",
            _ => return format!("The broker answered with error {} ({})", self.name(), self.0),
        };
        text.to_owned()
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
            (91, ErrorKind::UnknownResource),
            (58, ErrorKind::Authentication),
            (29, ErrorKind::Authorization),
            (10, ErrorKind::RecordTooLarge),
            (89, ErrorKind::Throttled),
            (8, ErrorKind::BrokerUnavailable),
            (7, ErrorKind::Retriable),
            (87, ErrorKind::Other),
            (9999, ErrorKind::Other),
        ] {
            assert_eq!(ErrorCode(code).kind(), kind, "{code}");
        }
    }

    #[test]
    fn codes_have_kafkas_names() {
        for (code, name) in [
            (-1, "UNKNOWN_SERVER_ERROR"),
            (3, "UNKNOWN_TOPIC_OR_PARTITION"),
            (6, "NOT_LEADER_OR_FOLLOWER"),
            (10, "MESSAGE_TOO_LARGE"),
            (17, "INVALID_TOPIC_EXCEPTION"),
            (36, "TOPIC_ALREADY_EXISTS"),
            (87, "INVALID_RECORD"),
            (9999, "9999"),
        ] {
            assert_eq!(ErrorCode(code).name(), name);
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
