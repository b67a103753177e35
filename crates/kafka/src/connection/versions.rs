//! Which version of each API is spoken: the highest that the broker offers and this client was written for.

use std::{collections::HashMap, ops::RangeInclusive};

use kafka_protocol::messages::ApiKey;

use crate::{
    Error, ErrorKind,
    wire::{fetch, produce},
};

/// The versions that this client was written for; never a decoder's maximum, which may be beyond what was tried.
pub(crate) fn versions_of(api: ApiKey) -> Option<RangeInclusive<i16>> {
    Some(match api {
        ApiKey::Produce => produce::VERSIONS,
        ApiKey::Fetch => fetch::VERSIONS,
        ApiKey::ListOffsets => 1..=7,
        ApiKey::Metadata => 4..=12,
        ApiKey::OffsetCommit => 2..=9,
        ApiKey::OffsetFetch => 1..=7,
        ApiKey::FindCoordinator => 1..=3,
        ApiKey::JoinGroup => 2..=9,
        ApiKey::Heartbeat => 1..=4,
        ApiKey::LeaveGroup => 1..=5,
        ApiKey::SyncGroup => 1..=5,
        ApiKey::DescribeGroups => 0..=5,
        ApiKey::SaslHandshake => 1..=1,
        ApiKey::ApiVersions => 0..=3,
        ApiKey::CreateTopics => 2..=7,
        ApiKey::DeleteTopics => 1..=5,
        ApiKey::InitProducerId => 0..=4,
        // Before 3 it is for brokers, and needs their rights.
        ApiKey::OffsetForLeaderEpoch => 3..=4,
        ApiKey::DescribeConfigs => 1..=4,
        ApiKey::SaslAuthenticate => 0..=2,
        ApiKey::CreatePartitions => 0..=3,
        ApiKey::IncrementalAlterConfigs => 0..=1,
        ApiKey::ListGroups => 0..=5,
        ApiKey::OffsetDelete => 0..=0,
        ApiKey::DeleteGroups => 0..=2,
        ApiKey::DeleteRecords => 0..=2,
        ApiKey::ConsumerGroupDescribe => 0..=1,
        ApiKey::DescribeAcls => 1..=3,
        ApiKey::CreateAcls => 1..=3,
        ApiKey::DeleteAcls => 1..=3,
        ApiKey::DescribeLogDirs => 1..=4,
        ApiKey::ElectLeaders => 1..=2,
        ApiKey::AlterPartitionReassignments => 0..=0,
        ApiKey::ListPartitionReassignments => 0..=0,
        ApiKey::DescribeUserScramCredentials => 0..=0,
        ApiKey::AlterUserScramCredentials => 0..=0,
        ApiKey::DescribeTopicPartitions => 0..=0,
        _ => return None, // not asked by this client
    })
}

/// What the broker at the other end of a connection offers. Brokers of one cluster may differ, so this is kept by connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrokerVersions(HashMap<i16, (i16, i16)>);

impl BrokerVersions {
    pub(crate) fn new(offered: impl Iterator<Item = (i16, i16, i16)>) -> BrokerVersions {
        BrokerVersions(offered.map(|(key, min, max)| (key, (min, max))).collect())
    }

    /// # Errors
    /// No version is known to both sides.
    pub(crate) fn choose(&self, api: ApiKey) -> Result<i16, Error> {
        let unsupported = |ours: &str, broker: String| {
            let message = format!("this client speaks {api:?} {ours}, the broker {broker}");
            Error::new(ErrorKind::InvalidRequest, "UNSUPPORTED_VERSION", message)
        };
        let Some(ours) = versions_of(api) else { return Err(unsupported("in no version", "may".to_owned())) };
        let spoken = format!("in versions {} to {}", ours.start(), ours.end());
        let Some(&(min, max)) = self.0.get(&(api as i16)) else {
            return Err(unsupported(&spoken, "does not know it".to_owned()));
        };
        let version = max.min(*ours.end());
        if version < min || !ours.contains(&version) {
            return Err(unsupported(&spoken, format!("in {min} to {max}")));
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_of_both_is_chosen() {
        let broker = BrokerVersions::new([(0, 0, 13), (3, 0, 5), (1, 13, 18)].into_iter());
        assert_eq!(broker.choose(ApiKey::Produce), Ok(12));
        assert_eq!(broker.choose(ApiKey::Metadata), Ok(5));
        let refused = broker.choose(ApiKey::Fetch).expect_err("too new");
        assert!(refused.message.contains("4 to 12") && refused.message.contains("13 to 18"), "{refused}");
        assert!(broker.choose(ApiKey::ListOffsets).expect_err("unknown").message.contains("does not know"));
    }
}
