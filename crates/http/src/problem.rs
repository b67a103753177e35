//! Error responses: status, error code, message.
//!
//! The error codes of the REST proxy's APIs stand in this file only (docs/reference/rest-v2.md §8–9, docs/reference/rest-v3.md §13); the registry's stand in
//! `registry/problem.rs`.

use std::fmt;

use hyper::StatusCode;
use postern_proxy::{
    AppendError, ClusterError, ConsumerError, Error, ErrorKind, Fate, InvalidTopicName, RegistryError as Refusal,
    ResolveError,
};
use serde::Serialize;

use crate::reply::{Reply, to_json};

/// Bytes of the text of a schema: the largest record of Kafka by default, as which a registry stores it.
pub(crate) const SCHEMA_MAX: usize = 1 << 20;

/// An error response.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: u32,
    pub(crate) message: String,
}

/// The two APIs of the REST proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V2,
    V3,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: u32, message: impl fmt::Display) -> Problem {
        Problem { status, code, message: message.to_string() }
    }

    /// One whose error code is its status.
    pub(crate) fn generic(status: StatusCode, message: impl fmt::Display) -> Problem {
        Problem::new(status, u32::from(status.as_u16()), message)
    }

    /// 404/404: no such path.
    pub(crate) fn not_found() -> Problem {
        Problem::generic(StatusCode::NOT_FOUND, "HTTP 404 Not Found")
    }

    /// 404/404: what a path names does not exist.
    pub(crate) fn missing(message: impl fmt::Display) -> Problem {
        Problem::generic(StatusCode::NOT_FOUND, message)
    }

    /// 404/40402: the topic has no such partition.
    pub(crate) fn no_such_partition(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, 40402, message)
    }

    /// 404/40403: there is no such topic.
    pub(crate) fn no_such_topic(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, 40403, message)
    }

    /// 400/40002: a request that no cluster would accept.
    pub(crate) fn invalid_request(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, 40002, message)
    }

    /// 422/42206: there is no body, or it contains an impossible name.
    pub(crate) fn payload(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, 42206, message)
    }

    /// 422/42205: the text is no schema.
    pub(crate) fn invalid_schema(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, 42205, message)
    }

    /// 422/42208: a batch of which no entry can be answered by itself.
    pub(crate) fn bad_batch(message: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, 42208, message)
    }

    /// 400/400.
    pub(crate) fn bad_request(message: impl fmt::Display) -> Problem {
        Problem::generic(StatusCode::BAD_REQUEST, message)
    }

    /// 422/422.
    pub(crate) fn unprocessable(message: impl fmt::Display) -> Problem {
        Problem::generic(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 501/501: the operation exists in Confluent and is not built here yet.
    pub(crate) fn not_built(what: &str) -> Problem {
        Problem::generic(
            StatusCode::NOT_IMPLEMENTED,
            format!("{what} is not built into Postern yet. Nothing was done."),
        )
    }

    /// The same, for a request of which nothing was written; it says so unless it does already.
    #[must_use]
    pub(crate) fn nothing_written(mut self) -> Problem {
        if !self.message.contains(" was written") {
            self.message = format!("{} Nothing was written.", sentence(&self.message));
        }
        self
    }

    pub(crate) fn into_reply(self) -> Reply {
        Reply::error(self.status, self.code, self.into_json())
    }

    /// The body of the response.
    pub(crate) fn into_json(self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error_code: u32,
            message: &'a str,
        }
        to_json(&Body { error_code: self.code, message: &self.message })
    }
}

/// What somebody said, as a sentence that another one may follow.
pub(crate) fn sentence(said: impl fmt::Display) -> String {
    let mut sentence = said.to_string();
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

/// The response to a client of `dialect` for `error`.
pub(crate) fn problem(dialect: Dialect, error: &Error) -> Problem {
    let status = |status: u16| StatusCode::from_u16(status).expect("the table holds valid statuses");
    match (dialect, error) {
        (Dialect::V2, Error::NoSuchTopic { .. }) => Problem::new(StatusCode::NOT_FOUND, 40401, error),
        (Dialect::V3, Error::NoSuchTopic { .. }) => Problem::new(StatusCode::NOT_FOUND, 40403, error),
        (_, Error::TopicNotMade { error: cause, .. }) => Problem { message: error.to_string(), ..cluster(cause) },
        (_, Error::TooManyNewTopics(_)) => Problem::new(StatusCode::TOO_MANY_REQUESTS, 42901, error),
        (_, Error::RegistryTopic(_) | Error::InternalTopic(_) | Error::ReplicasTopic(_)) => {
            Problem::new(StatusCode::FORBIDDEN, 40301, error)
        }
        (_, Error::Stopping | Error::Busy(_)) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, error),
        (_, Error::MissingSchema(postern_proxy::Side::Key)) => Problem::new(status(422), 42201, error),
        (_, Error::MissingSchema(postern_proxy::Side::Value)) => Problem::new(status(422), 42202, error),
        (_, Error::NegativePartition { .. }) => Problem::unprocessable(error),
        (_, Error::NegativePartitionId(_)) => Problem::no_such_partition(error),
        (_, Error::NoSuchVersion { .. } | Error::SubjectNeedsSchema { .. }) => Problem::bad_request(error),
        (_, Error::UnnamedSchema { .. }) => Problem::new(status(422), 42207, error),
        (_, Error::NotText { .. }) => {
            Problem::bad_request(format!("Bad Request: {} Nothing was written.", sentence(error)))
        }
        (_, Error::Schema(_, ResolveError::InvalidSchema { .. })) => {
            Problem::new(status(422), 42205, format!("{} Nothing was written.", sentence(error)))
        }
        (_, Error::Schema(_, ResolveError::WrongKind { .. })) => Problem::unprocessable(error),
        // The registry is not available at the moment: clients should retry, unlike after a refusal.
        (
            _,
            Error::Schema(
                _,
                ResolveError::Refused {
                    error: Refusal::NotReady(_) | Refusal::Store { .. } | Refusal::Unreachable(_),
                    ..
                },
            ),
        ) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, format!("{error} No record was written.")),
        (_, Error::Schema(_, ResolveError::Refused { error: Refusal::Remote { code: 40301, .. }, .. })) => {
            Problem::new(StatusCode::FORBIDDEN, 40301, error)
        }
        (_, Error::Schema(_, ResolveError::Refused { .. })) => {
            Problem::new(status(422), 42207, format!("{} Nothing was written.", sentence(error)))
        }
        (_, Error::DoesNotFit(_)) => {
            Problem::bad_request(format!("Bad Request: {} Nothing was written.", sentence(error)))
        }
        (_, Error::NotBase64 { .. }) => {
            Problem::bad_request(format!("Bad Request: {} Nothing was written.", sentence(error)))
        }
        (_, Error::TooLarge(_) | Error::TooManyValues(_)) => Problem::generic(StatusCode::PAYLOAD_TOO_LARGE, error),
        (_, Error::UnknownConfig { .. } | Error::UnknownGroup(_) | Error::NoOffsets(_) | Error::NoLags(_)) => {
            Problem::missing(error)
        }
        (_, Error::AclsNotCreated { .. }) => Problem::invalid_request(error),
        (_, Error::Consumer(error)) => consumer(error),
        (_, Error::Cluster(error)) => cluster(error),
    }
}

/// The response for an operation of a consumer instance that was refused.
fn consumer(error: &ConsumerError) -> Problem {
    let (status, code) = match error {
        ConsumerError::IllegalTopic(_) => (400, 40002),
        ConsumerError::NotFound(_) => (404, 40403),
        ConsumerError::WrongFormat(_) => (406, 40601),
        ConsumerError::Undecodable { .. } => (408, 40801),
        ConsumerError::NameTaken(_) => (409, 40902),
        ConsumerError::Exclusive { .. }
        | ConsumerError::NothingToRead
        | ConsumerError::NotAssigned(_)
        | ConsumerError::StreamSuperseded
        | ConsumerError::TooManyPartitions { .. }
        | ConsumerError::OpenedAgain => (409, 40903),
        ConsumerError::BadPattern { .. } => (422, 422),
        ConsumerError::InvalidSetting { .. } => (422, 42204),
        ConsumerError::TooMany(_) => (503, 50301),
        ConsumerError::Busy
        | ConsumerError::NoMemory { .. }
        | ConsumerError::NoFetchMemory
        | ConsumerError::NotFetched { .. }
        | ConsumerError::SchemaUnavailable { .. }
        | ConsumerError::Moving(_)
        | ConsumerError::ReplicasUnknown(_)
        | ConsumerError::NotRecorded { .. } => (503, 50302),
    };
    Problem::new(StatusCode::from_u16(status).expect("the table holds valid statuses"), code, error)
}

/// The response for an error of the cluster, outside of the results of single records. Both APIs use the same error codes.
fn cluster(error: &ClusterError) -> Problem {
    let (status, code) = match error.kind {
        ErrorKind::UnknownTopic | ErrorKind::UnknownPartition => (StatusCode::NOT_FOUND, 40403),
        ErrorKind::UnknownBroker | ErrorKind::UnknownGroup | ErrorKind::UnknownResource => (StatusCode::NOT_FOUND, 404),
        ErrorKind::TopicExists | ErrorKind::InvalidTopic | ErrorKind::InvalidRequest => {
            (StatusCode::BAD_REQUEST, 40002)
        }
        // Confluent answers 500 to an impossible assignment, although it is the client's mistake.
        ErrorKind::InvalidReplicaAssignment => (StatusCode::BAD_REQUEST, 40002),
        ErrorKind::Authentication => (StatusCode::UNAUTHORIZED, 40101),
        ErrorKind::Authorization => (StatusCode::FORBIDDEN, 40301),
        ErrorKind::RecordTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 413),
        ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, 42901),
        ErrorKind::BrokerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, 50302),
        ErrorKind::Retriable => (StatusCode::INTERNAL_SERVER_ERROR, 50003),
        ErrorKind::NoOffset | ErrorKind::Other => (StatusCode::INTERNAL_SERVER_ERROR, 50002),
    };
    Problem::new(status, code, error)
}

/// Error code and message of one record that failed (docs/reference/rest-v2.md §5.2); the message says whether it was written.
pub(crate) fn record_problem(failed: &AppendError) -> (u32, String) {
    let code = match failed.error.kind {
        ErrorKind::Authentication => 40101,
        ErrorKind::Authorization => 40301,
        ErrorKind::UnknownTopic
        | ErrorKind::UnknownPartition
        | ErrorKind::Throttled
        | ErrorKind::BrokerUnavailable
        | ErrorKind::Retriable => 50003,
        ErrorKind::UnknownBroker
        | ErrorKind::UnknownGroup
        | ErrorKind::UnknownResource
        | ErrorKind::TopicExists
        | ErrorKind::InvalidTopic
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidReplicaAssignment
        | ErrorKind::RecordTooLarge
        | ErrorKind::NoOffset
        | ErrorKind::Other => 50002,
    };
    let fate = match failed.fate {
        Fate::NotWritten => "The record was not written.",
        Fate::Unknown => "Whether the record was written is not known.",
    };
    (code, format!("{} {fate}", failed.error))
}

/// Error code and message of a record of API v3 that was refused before it was appended (docs/reference/rest-v3.md §11.6).
pub(crate) fn refused_record(error: &Error) -> (u32, String) {
    let Problem { code, message, .. } = problem(Dialect::V3, error);
    match (error, code) {
        (Error::NoSuchTopic { .. }, _) => (40401, message),
        // The numbers of the registry are not told apart here.
        (_, 42205 | 42207) => (422, message),
        (_, code) => (code, message),
    }
}

/// The same of a record that was appended and failed; the message says whether it was written.
pub(crate) fn failed_record(failed: &AppendError) -> (u32, String) {
    let code = match failed.error.kind {
        ErrorKind::UnknownTopic => 40401,
        ErrorKind::UnknownPartition => 40402,
        ErrorKind::TopicExists
        | ErrorKind::InvalidTopic
        | ErrorKind::InvalidRequest
        | ErrorKind::InvalidReplicaAssignment => 40002,
        ErrorKind::Authentication => 40101,
        ErrorKind::Authorization => 40301,
        ErrorKind::RecordTooLarge => 413,
        ErrorKind::Throttled => 42901,
        ErrorKind::BrokerUnavailable => 50302,
        ErrorKind::Retriable => 50003,
        ErrorKind::UnknownBroker
        | ErrorKind::UnknownGroup
        | ErrorKind::UnknownResource
        | ErrorKind::NoOffset
        | ErrorKind::Other => 50002,
    };
    (code, record_problem(failed).1)
}

/// 40002: a name that no topic can have, on each record.
pub(crate) fn illegal_topic(name: &str, error: &InvalidTopicName) -> (u32, String) {
    (40002, format!("'{name}' is no legal name of a topic: {error}. The record was not written."))
}
