//! The Kafka client's readers: answers of brokers in every version of every API that is spoken, batches, what members of a group tell
//! each other.

use postern_kafka::fuzzing;

use crate::broker;

/// API and version, two bytes each, then the answer from behind its correlation id.
pub(crate) fn read_answer(input: &[u8]) -> usize {
    let Some((&[api, api_low, version, version_low], answer)) = input.split_first_chunk() else { return 0 };
    let (api, version) = (i16::from_be_bytes([api, api_low]), i16::from_be_bytes([version, version_low]));
    usize::from(fuzzing::answer(api, version, answer))
}

/// An answer for every API and version there may be: zeros are one in many of them, and so are a few bytes with an array of one element.
pub(crate) fn good_answers() -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for api in 0..100i16 {
        for version in 0..20i16 {
            for length in [6, 12, 24, 48, 96] {
                for one_at in [None, Some(3), Some(5), Some(7), Some(9)] {
                    let mut answer = [api.to_be_bytes(), version.to_be_bytes()].concat();
                    answer.resize(4 + length, 0);
                    if let Some(at) = one_at {
                        answer[4 + at.min(length - 1)] = 1;
                    }
                    if read_answer(&answer) > 0 {
                        answers.push(answer);
                    }
                }
            }
        }
    }
    answers
}

pub(crate) fn read_batches(input: &[u8]) -> usize {
    fuzzing::batches(input)
}

pub(crate) fn good_batches() -> Vec<Vec<u8>> {
    broker::good_batches()
}

pub(crate) fn read_group_bytes(input: &[u8]) -> usize {
    fuzzing::group_bytes(input)
}

/// A subscription with partitions that are owned, an assignment, and what the sticky assignor says.
pub(crate) fn good_group_bytes() -> Vec<Vec<u8>> {
    let topics: &[u8] = &[0, 0, 0, 1, 0, 1, b't'];
    let owned: &[u8] = &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
    let (none, generation): (&[u8], &[u8]) = (&[0xff; 4], &[0, 0, 0, 5]);
    vec![
        [&[0, 3], topics, none, owned, generation, &[0xff, 0xff]].concat(),
        [&[0, 3], owned, none].concat(),
        [owned, generation].concat(),
    ]
}
