//! A refused request: the error code, and the message for APIs whose responses carry one.

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::code;

/// The message that Apache Kafka has for INVALID_REQUEST where it says nothing more specific.
pub(super) const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client library \
     or the message was sent to an incompatible broker. See the broker logs for more details.";

/// Why one part of a request (a topic, a resource) is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: ResponseError,
    /// Empty where Apache Kafka sends the code alone.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(error: ResponseError, message: impl Into<String>) -> Refusal {
        Refusal { error, message: message.into() }
    }

    pub(super) fn code(&self) -> i16 {
        code(self.error)
    }

    /// The message as a nullable field: null where there is none.
    pub(super) fn into_message(self) -> Option<StrBytes> {
        (!self.message.is_empty()).then(|| StrBytes::from_string(self.message))
    }
}
