//! Groups and their members. Source: KIP-518, KIP-848, KIP-1043.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, ListGroupsRequest,
    consumer_group_describe_response::{self as consumer_group, Assignment},
    describe_groups_response::{DescribedGroup, DescribedGroupMember},
};
use tokio::task::JoinSet;

use super::{Admin, checked, not_answered, text};
use crate::{
    Error, NodeId, coordinator,
    error::ErrorCode,
    network::Destination,
    wire::cursor::{Cursor, Malformed},
};

/// Who is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMembers {
    /// What its members speak among themselves: `consumer`, `connect`, `sr` …; empty where nobody ever joined.
    pub protocol_type: String,
    /// How many there are now.
    pub members: usize,
}

/// A group, as a list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub id: String,
    /// See [`GroupMembers::protocol_type`].
    pub protocol_type: String,
    /// The protocol between its members and the broker.
    pub group_type: GroupType,
    /// The broker that said so.
    pub coordinator: NodeId,
}

impl ListedGroup {
    /// Whether it is one of consumers; of the classic protocol also one that only has committed offsets.
    pub fn is_of_consumers(&self) -> bool {
        match self.group_type {
            GroupType::Classic => matches!(self.protocol_type.as_str(), "" | CONSUMER),
            GroupType::Consumer => true,
            GroupType::Share | GroupType::Streams | GroupType::Unknown => false,
        }
    }
}

/// A group of consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// The broker that coordinates it.
    pub coordinator: NodeId,
    /// See [`GroupMembers::protocol_type`].
    pub protocol_type: String,
    /// The protocol between its members and the broker.
    pub group_type: GroupType,
    /// What it is doing.
    pub state: GroupState,
    /// How partitions are assigned; empty where nothing is assigned.
    pub assignor: String,
    /// Its members, in no particular order.
    pub members: Vec<GroupMember>,
}

impl GroupDescription {
    /// Whether nobody ever joined it: offsets are committed under its name, and that is all.
    pub fn is_simple(&self) -> bool {
        self.protocol_type.is_empty()
    }

    /// Whether members of the old protocol and of the new one are together in it.
    pub fn is_mixed(&self) -> bool {
        self.group_type == GroupType::Consumer && self.members.iter().any(|member| member.is_classic)
    }
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the broker gave it.
    pub id: String,
    /// The id that it chose, where it is a static member.
    pub instance_id: Option<String>,
    /// What it calls itself.
    pub client_id: String,
    /// Whether it speaks the classic protocol.
    pub is_classic: bool,
    /// The partitions that it reads, by topic.
    pub assignment: BTreeMap<String, Vec<i32>>,
}

/// The protocol between the members of a group and the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupType {
    /// Members assign the partitions among themselves.
    Classic,
    /// The broker assigns them (KIP-848).
    Consumer,
    /// Members share partitions record by record (KIP-932).
    Share,
    /// Kafka Streams (KIP-1071).
    Streams,
    /// A broker may be newer than we are.
    Unknown,
}

impl GroupType {
    /// Kafka's name of it in upper case, such as `CLASSIC`.
    pub fn name(self) -> &'static str {
        match self {
            GroupType::Classic => "CLASSIC",
            GroupType::Consumer => "CONSUMER",
            GroupType::Share => "SHARE",
            GroupType::Streams => "STREAMS",
            GroupType::Unknown => "UNKNOWN",
        }
    }

    /// By Kafka's name; brokers before 3.8 have classic groups only, and do not say it.
    fn named(name: &str) -> GroupType {
        match name.to_ascii_lowercase().as_str() {
            "" | "classic" => GroupType::Classic,
            "consumer" => GroupType::Consumer,
            "share" => GroupType::Share,
            "streams" => GroupType::Streams,
            _ => GroupType::Unknown,
        }
    }
}

/// What a group is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "Kafka's names")]
pub enum GroupState {
    PreparingRebalance,
    CompletingRebalance,
    Assigning,
    Reconciling,
    Stable,
    Dead,
    Empty,
    NotReady,
    Unknown,
}

impl GroupState {
    /// Kafka's name of it in upper case, such as `PREPARING_REBALANCE`.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::PreparingRebalance => "PREPARING_REBALANCE",
            GroupState::CompletingRebalance => "COMPLETING_REBALANCE",
            GroupState::Assigning => "ASSIGNING",
            GroupState::Reconciling => "RECONCILING",
            GroupState::Stable => "STABLE",
            GroupState::Dead => "DEAD",
            GroupState::Empty => "EMPTY",
            GroupState::NotReady => "NOT_READY",
            GroupState::Unknown => "UNKNOWN",
        }
    }

    fn named(name: &str) -> GroupState {
        match name {
            "PreparingRebalance" => GroupState::PreparingRebalance,
            "CompletingRebalance" => GroupState::CompletingRebalance,
            "Assigning" => GroupState::Assigning,
            "Reconciling" => GroupState::Reconciling,
            "Stable" => GroupState::Stable,
            "Dead" => GroupState::Dead,
            "Empty" => GroupState::Empty,
            "NotReady" => GroupState::NotReady,
            _ => GroupState::Unknown, // a broker may be newer than we are
        }
    }
}

/// What members of groups of consumers speak among themselves.
const CONSUMER: &str = "consumer";
/// Groups in one request.
const GROUPS_PER_REQUEST: usize = 500;

impl Admin {
    pub(crate) async fn group_members(&self, group: &str) -> Result<Option<GroupMembers>, Error> {
        let described = self.describe_classic(group).await?;
        Ok(described
            .map(|group| GroupMembers { protocol_type: group.protocol_type.to_string(), members: group.members.len() }))
    }

    /// All groups of all brokers, in no particular order. Each broker lists those that it coordinates.
    pub(crate) async fn groups(&self) -> Result<Vec<ListedGroup>, Error> {
        let deadline = self.deadline();
        let cluster = self.describe_cluster().await?;
        let mut asked = JoinSet::new();
        for broker in cluster.brokers {
            let network = Arc::clone(&self.network);
            asked.spawn(async move {
                let build = |_| ListGroupsRequest::default();
                let answered = network.ask(Destination::Broker(broker.id), true, deadline, build).await;
                (broker.id, answered)
            });
        }
        let (mut groups, mut seen) = (Vec::new(), HashSet::new());
        while let Some(answered) = asked.join_next().await {
            let (coordinator, answered) = answered.map_err(|_| not_answered())?;
            let response = answered.map_err(|failed| failed.error)?;
            checked(response.error_code, None)?;
            for group in response.groups {
                let id = group.group_id.to_string();
                // While a group moves, its old coordinator may list it as well.
                if seen.insert(id.clone()) {
                    let (protocol_type, group_type) =
                        (group.protocol_type.to_string(), GroupType::named(&group.group_type));
                    groups.push(ListedGroup { id, protocol_type, group_type, coordinator });
                }
            }
        }
        Ok(groups)
    }

    /// Those of `groups` that are groups of consumers, in no particular order. Those that are gone by now, and those that we may not describe, are
    /// missing.
    pub(crate) async fn describe_groups(&self, groups: &[&ListedGroup]) -> Result<Vec<GroupDescription>, Error> {
        let mut by_coordinator: BTreeMap<NodeId, Vec<&str>> = BTreeMap::new();
        let mut described = Vec::new();
        let mut others = Vec::new();
        for group in groups.iter().filter(|group| group.is_of_consumers()) {
            match group.group_type {
                GroupType::Classic => by_coordinator.entry(group.coordinator).or_default().push(&group.id),
                _ => others.push(group.id.clone()),
            }
        }
        for (coordinator, ids) in by_coordinator {
            for ids in ids.chunks(GROUPS_PER_REQUEST) {
                let asked: Vec<_> = ids.iter().map(|id| GroupId(text(id))).collect();
                let build = move |_| DescribeGroupsRequest::default().with_groups(asked.clone());
                let response = self.read(Destination::Broker(coordinator), self.deadline(), build).await?;
                for group in response.groups {
                    match ErrorCode(group.error_code) {
                        ErrorCode::NONE => described.extend(classic(coordinator, &group)),
                        // It has moved since it was listed, or is being loaded.
                        _ => others.push(group.group_id.to_string()),
                    }
                }
            }
        }
        for id in others {
            match self.consumer_group(&id).await {
                Ok(group) => described.extend(group),
                Err(error) if error.kind == crate::ErrorKind::Authorization => {}
                Err(error) => return Err(error),
            }
        }
        Ok(described)
    }

    /// A group of consumers; `None` where there is none of this id.
    pub(crate) async fn consumer_group(&self, group: &str) -> Result<Option<GroupDescription>, Error> {
        if let Some(described) = self.describe_classic(group).await? {
            let coordinator = coordinator::find(&self.network, group, self.deadline()).await?;
            return Ok(classic(coordinator, &described));
        }
        // To a request of the classic protocol, a group of the new one is not there.
        let id = GroupId(text(group));
        let build = move |_| ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
        let code =
            |response: &ConsumerGroupDescribeResponse| response.groups.first().map_or(0, |group| group.error_code);
        let asked = coordinator::ask(&self.network, group, true, self.deadline(), build, code).await;
        let response = match asked {
            Ok(response) => response,
            // Brokers before 3.7 have no such groups.
            Err(failed) if failed.error.name == "UNSUPPORTED_VERSION" => return Ok(None),
            Err(failed) => return Err(failed.error),
        };
        let described = response.groups.into_iter().next().ok_or_else(not_answered)?;
        match ErrorCode(described.error_code) {
            ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION => return Ok(None),
            _ => checked(described.error_code, described.error_message.as_ref())?,
        }
        let coordinator = coordinator::find(&self.network, group, self.deadline()).await?;
        Ok(Some(of_consumers(coordinator, &described)))
    }

    /// `None`: there is no such group, or it is not of the classic protocol.
    async fn describe_classic(&self, group: &str) -> Result<Option<DescribedGroup>, Error> {
        let id = GroupId(text(group));
        let build = move |_| DescribeGroupsRequest::default().with_groups(vec![id.clone()]);
        let code = |response: &DescribeGroupsResponse| response.groups.first().map_or(0, |group| group.error_code);
        let asked = coordinator::ask(&self.network, group, true, self.deadline(), build, code).await;
        let response = asked.map_err(|failed| failed.error)?;
        let group = response.groups.into_iter().next().ok_or_else(not_answered)?;
        if ErrorCode(group.error_code) == ErrorCode::GROUP_ID_NOT_FOUND || &*group.group_state == "Dead" {
            return Ok(None);
        }
        checked(group.error_code, None)?;
        Ok(Some(group))
    }
}

/// `None` where it is dead, or one of something else than consumers.
fn classic(coordinator: NodeId, group: &DescribedGroup) -> Option<GroupDescription> {
    let state = GroupState::named(&group.group_state);
    let of_consumers = group.protocol_type.is_empty() || &*group.protocol_type == CONSUMER;
    (of_consumers && state != GroupState::Dead).then(|| GroupDescription {
        id: group.group_id.to_string(),
        coordinator,
        protocol_type: group.protocol_type.to_string(),
        group_type: GroupType::Classic,
        state,
        assignor: group.protocol_data.to_string(),
        members: group.members.iter().map(classic_member).collect(),
    })
}

fn classic_member(member: &DescribedGroupMember) -> GroupMember {
    GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        is_classic: true,
        // What the leader of a group wrote is for its members; what cannot be read is no assignment.
        assignment: assigned(&member.member_assignment).unwrap_or_default(),
    }
}

/// The assignment of the consumer protocol. Source: Kafka's `ConsumerProtocolAssignment`.
fn assigned(bytes: &[u8]) -> Result<BTreeMap<String, Vec<i32>>, Malformed> {
    let mut assignment: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    if bytes.is_empty() {
        return Ok(assignment); // while the group rebalances
    }
    let mut cursor = Cursor::new(bytes, false);
    cursor.i16()?; // the version; later ones have the same beginning
    for _ in 0..cursor.array_length()?.unwrap_or(0) {
        let topic = cursor.string()?.ok_or(Malformed)?.to_owned();
        let partitions = assignment.entry(topic).or_default();
        for _ in 0..cursor.array_length()?.unwrap_or(0) {
            partitions.push(cursor.i32()?);
        }
    }
    Ok(assignment)
}

fn of_consumers(coordinator: NodeId, group: &consumer_group::DescribedGroup) -> GroupDescription {
    /// The member type of a member that speaks the classic protocol (KIP-1099).
    const CLASSIC: i8 = 0;
    let assignment = |assignment: &Assignment| {
        let topics = assignment.topic_partitions.iter();
        topics.map(|topic| (topic.topic_name.to_string(), topic.partitions.clone())).collect()
    };
    let members = group.members.iter().map(|member| GroupMember {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(ToString::to_string),
        client_id: member.client_id.to_string(),
        is_classic: member.member_type == CLASSIC,
        assignment: assignment(&member.assignment),
    });
    GroupDescription {
        id: group.group_id.to_string(),
        coordinator,
        protocol_type: CONSUMER.to_owned(),
        group_type: GroupType::Consumer,
        state: GroupState::named(&group.group_state),
        assignor: group.assignor_name.to_string(),
        members: members.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_claims_refused() {
        let bytes = b"\0\x03\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x05\xff\xff\xff\xff";
        assert_eq!(assigned(bytes).ok(), Some(BTreeMap::from([("t".to_owned(), vec![0, 5])])));
        assert_eq!(assigned(b"").ok(), Some(BTreeMap::new()));
        for cut in 1..bytes.len() - 4 {
            assert!(assigned(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(assigned(b"\0\0\x7f\xff\xff\xff").is_err(), "more topics than bytes");
    }
}
