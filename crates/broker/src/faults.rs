//! Faults on order, for tests of clients: this API, for this topic, fails in this way, so many times.
//!
//! Each API meets its rules where it speaks of a topic (or group, or resource), so that the error stands where a client
//! looks for it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;

/// What happens instead of (or after) the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The error is answered; nothing is done. For APIs that speak of topics: for that topic.
    Error(ResponseError),
    /// Nothing is done and nothing is ever answered; the connection stays.
    NeverAnswer,
    /// Nothing is done, the connection is closed.
    Close,
    /// The work is done, then the connection is closed without an answer: the client cannot know.
    LoseAnswer,
}

/// The APIs that ask for rules. Left out: versions, ACLs, log directories, epochs, reassignments.
const MEETING: &[ApiKey] = &[
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

/// The rules in force. A broker without rules pays one look at an empty list per request.
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
    /// The next `times` requests of `api` (that touch `topic`, if one is named) meet `fault`.
    ///
    /// # Panics
    /// If no request of this API ever meets a rule: a test that waits for it would prove nothing.
    pub fn add(&self, api: ApiKey, topic: Option<&str>, fault: Fault, times: u64) {
        assert!(MEETING.contains(&api), "{api:?} meets no rules");
        self.rules.lock().push(Rule { api, topic: topic.map(str::to_owned), fault, left: times });
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// How often rules can still be met.
    pub fn left(&self) -> u64 {
        self.rules.lock().iter().map(|rule| rule.left).sum()
    }

    /// The fault for this request, used up by one. A rule without topic fits all requests of its API.
    pub(crate) fn meet(&self, api: ApiKey, topic: Option<&str>) -> Option<Fault> {
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
    fn a_rule_is_met_as_often_as_ordered() {
        let faults = Faults::default();
        faults.add(ApiKey::Produce, Some("a"), Fault::Close, 2);
        assert_eq!(faults.meet(ApiKey::Produce, Some("b")), None);
        assert_eq!(faults.meet(ApiKey::Fetch, Some("a")), None);
        assert_eq!(faults.meet(ApiKey::Produce, Some("a")), Some(Fault::Close));
        assert_eq!(faults.left(), 1);
        assert_eq!(faults.meet(ApiKey::Produce, Some("a")), Some(Fault::Close));
        assert_eq!(faults.meet(ApiKey::Produce, Some("a")), None);
    }
}
