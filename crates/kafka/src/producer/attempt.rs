//! What one attempt to send a batch says about it. Pure: a table of codes, and two questions.
//!
//! The code of an answer does not tell whether the batch was written: a leader that appends and then loses the partition answers
//! with the same code as one that refused, and only the base offset tells them apart. And once one attempt may have been written,
//! no later refusal makes the batch "not written": it may stand in the log from the first time.
//!
//! Source: KIP-98, KIP-360, and what Apache Kafka 2.4 to 4.4 were seen to answer.

use crate::error::ErrorCode;

/// What is to be done with a batch after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is in the log from the answer's base offset on.
    Written,
    /// The same bytes are sent again; `ask_leader`: the partition may have another leader now.
    Retry { ask_leader: bool },
    /// It is larger than the topic or the broker takes: its records are sent in smaller batches.
    Split,
    /// Some of its records are refused: the others are sent without them.
    Separate,
    /// Its sequence number does not fit: its records are sent again under a new epoch.
    NewEpoch,
    /// The same under a new producer id: another producer has used ours with a higher epoch.
    NewProducer,
    /// It has failed for good.
    Fail,
}

/// What to do after `code`. `unsure`: whether this or an earlier attempt may have been written; `records`: how many it holds;
/// `attempts`: how often it was sent.
pub(crate) fn next(code: ErrorCode, unsure: bool, records: usize, attempts: u32) -> Next {
    match code {
        ErrorCode::NONE => Next::Written,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::NETWORK_EXCEPTION
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::LISTENER_NOT_FOUND
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => Next::Retry { ask_leader: true },
        ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::OFFSET_NOT_AVAILABLE
        | ErrorCode::THROTTLING_QUOTA_EXCEEDED => Next::Retry { ask_leader: false },
        // A bit that was flipped on the way is whole the next time.
        ErrorCode::CORRUPT_MESSAGE if attempts < 2 => Next::Retry { ask_leader: false },
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE if !unsure && records > 1 => Next::Split,
        ErrorCode::INVALID_RECORD | ErrorCode::INVALID_TIMESTAMP if !unsure && records > 1 => Next::Separate,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID if !unsure => Next::NewEpoch,
        ErrorCode::INVALID_PRODUCER_EPOCH if !unsure => Next::NewProducer,
        _ => Next::Fail,
    }
}

/// Whether an attempt with this answer may stand in the log although the answer is an error.
pub(crate) fn may_be_written(code: ErrorCode, base_offset: i64) -> bool {
    match code {
        ErrorCode::NONE => false,
        // Written, or written before and nobody knows where (no broker of today sends the last).
        ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => true,
        _ => base_offset >= 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_base_offset_may_have_been_written() {
        for (code, base_offset, expected) in [
            (0, 5, false),
            (6, -1, false),
            (6, 1, true),
            (3, 1, true),
            (56, 0, true),
            (7, -1, true),
            (20, -1, true),
            (46, -1, true),
            (19, -1, false),
            (10, -1, false),
            (999, -1, false),
        ] {
            assert_eq!(may_be_written(ErrorCode(code), base_offset), expected, "{code} at {base_offset}");
        }
    }

    #[test]
    fn what_follows_a_code() {
        let retry = Next::Retry { ask_leader: false };
        let elsewhere = Next::Retry { ask_leader: true };
        // Code, then what follows for one record, for several, and for several that may have been written.
        for (code, one, several, unsure) in [
            (0, Next::Written, Next::Written, Next::Written),
            (46, Next::Fail, Next::Fail, Next::Fail),
            (6, elsewhere, elsewhere, elsewhere),
            (3, elsewhere, elsewhere, elsewhere),
            (7, retry, retry, retry),
            (19, retry, retry, retry),
            (20, retry, retry, retry),
            (10, Next::Fail, Next::Split, Next::Fail),
            (18, Next::Fail, Next::Split, Next::Fail),
            (87, Next::Fail, Next::Separate, Next::Fail),
            (32, Next::Fail, Next::Separate, Next::Fail),
            (45, Next::NewEpoch, Next::NewEpoch, Next::Fail),
            (59, Next::NewEpoch, Next::NewEpoch, Next::Fail),
            (47, Next::NewProducer, Next::NewProducer, Next::Fail),
            (29, Next::Fail, Next::Fail, Next::Fail),
            (44, Next::Fail, Next::Fail, Next::Fail),
            (-1, Next::Fail, Next::Fail, Next::Fail),
            (999, Next::Fail, Next::Fail, Next::Fail),
        ] {
            let code = ErrorCode(code);
            assert_eq!(next(code, false, 1, 1), one, "{code:?}");
            assert_eq!(next(code, false, 2, 1), several, "{code:?}");
            assert_eq!(next(code, true, 2, 2), unsure, "{code:?}");
        }
        assert_eq!(next(ErrorCode::CORRUPT_MESSAGE, false, 1, 1), retry);
        assert_eq!(next(ErrorCode::CORRUPT_MESSAGE, false, 1, 2), Next::Fail);
    }
}
