//! Injected faults, for tests of clients: requests of one API, for one topic, fail in a given way a number of times.
//!
//! Each handler looks for a rule where it handles a topic (or group, or resource), so that the error stands in the field
//! of the response where clients look for it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;

/// What happens instead of (or after) handling the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is refused with this error; where it names topics, for that topic.
    Error(ResponseError),
    /// Nothing is done and no response is ever sent; the connection stays open.
    NeverAnswer,
    /// Nothing is done, the connection is closed.
    Close,
    /// The request is handled, then the connection is closed without a response: the client cannot know the outcome.
    LoseAnswer,
}

/// The APIs whose handlers look for rules. Left out: versions, ACLs, log directories, epochs, reassignments.
const INJECTABLE_APIS: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
];

/// The rules in force. Without rules, a request costs one look at an empty list.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    api: ApiKey,
    topic: Option<String>,
    fault: Fault,
    left: u64,
}

impl Faults {
    /// Makes the next `times` requests of `api` (that name `topic`, if given) fail with `fault`.
    ///
    /// # Panics
    /// If the handler of this API looks for no rules: a test that relied on one would prove nothing.
    pub fn add(&self, api: ApiKey, topic: Option<&str>, fault: Fault, times: u64) {
        assert!(INJECTABLE_APIS.contains(&api), "requests of {api:?} are never checked against the rules");
        self.rules.lock().push(Rule { api, topic: topic.map(str::to_owned), fault, left: times });
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// How many faults are still to be injected.
    pub fn left(&self) -> u64 {
        self.rules.lock().iter().map(|rule| rule.left).sum()
    }

    /// The fault for this request, which counts as one use of its rule. A rule without topic applies to all requests of
    /// its API.
    pub(crate) fn take(&self, api: ApiKey, topic: Option<&str>) -> Option<Fault> {
        let mut rules = self.rules.lock();
        let fits = |rule: &Rule| rule.api == api && rule.topic.as_deref().is_none_or(|wanted| Some(wanted) == topic);
        let at = rules.iter().position(fits)?;
        let fault = rules[at].fault;
        rules[at].left = rules[at].left.saturating_sub(1);
        if rules[at].left == 0 {
            rules.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_applies_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(ApiKey::Produce, Some("a"), Fault::Close, 2);
        assert_eq!(faults.take(ApiKey::Produce, Some("b")), None);
        assert_eq!(faults.take(ApiKey::Fetch, Some("a")), None);
        assert_eq!(faults.take(ApiKey::Produce, Some("a")), Some(Fault::Close));
        assert_eq!(faults.left(), 1);
        assert_eq!(faults.take(ApiKey::Produce, Some("a")), Some(Fault::Close));
        assert_eq!(faults.take(ApiKey::Produce, Some("a")), None);
    }
}
