//! One round of a rebalance: JoinGroup, the assignment where this member leads, SyncGroup.
//!
//! Both requests rest at the coordinator until the others have come, so they have a connection of their own for as long as the
//! round takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ApiKey, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
        join_group_request::JoinGroupRequestProtocol, sync_group_request::SyncGroupRequestAssignment,
    },
    protocol::{HeaderVersion, Request, StrBytes},
};
use tokio::time::{Instant, timeout};

use super::{
    assignors::{self, GroupMember},
    link::{GroupLink, Identity, text},
    protocol::{self, PROTOCOL_TYPE, Partitions, Subscription},
};
use crate::{
    Error, ErrorKind, TopicName,
    connection::{Transport, reason},
    consumer::{Assignor, ConsumerSettings},
    error::ErrorCode,
    metadata::Metadata,
    wire::response_layout::decode,
};

/// Answers of groups are smaller than this; one of a leader holds the subscriptions of all members.
const MAX_FRAME: usize = 64 << 20;
/// What the coordinator is given besides the time that the members have.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);
/// Finding the coordinator, and topics, takes no longer.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a round has come to.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) identity: Identity,
    pub(super) assigned: Partitions,
    /// Where this member leads: the topics that the members want, with the partitions that were given out.
    pub(super) led: Option<BTreeMap<String, i32>>,
}

/// Why a round has come to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// Again, with the same member id.
    Again,
    /// Again, as a new member: everything owned is lost.
    Unknown,
    /// Again after a pause.
    Later(Error),
    /// Joining again would not help.
    Final(Error),
}

/// What a member brings into a round.
pub(super) struct Joining<'a> {
    pub(super) topics: &'a [TopicName],
    /// What it keeps through the round, since the generation of the last.
    pub(super) owned: Partitions,
    /// What the last round has given it, and in which generation.
    pub(super) last: (&'a Partitions, i32),
}

/// A round. `member_id`: that of the last round; it is kept here as soon as the coordinator has given it.
pub(super) async fn join(
    link: &GroupLink,
    metadata: &Metadata,
    settings: &ConsumerSettings,
    member_id: &mut String,
    joining: Joining<'_>,
) -> Result<Joined, Refused> {
    let later = Refused::Later;
    let address = link.address(Instant::now() + LOOK_UP_TIMEOUT).await.map_err(refusal)?;
    let opened = link.network().open(&address, MAX_FRAME).await;
    let mut transport = opened.map_err(|error| {
        link.forget();
        refusal(error)
    })?;
    if let Some(client_id) = &settings.client_id {
        transport.set_client_id(client_id);
    }
    let mut round = Round { link, settings, transport };
    let joined = round.join_group(member_id, joining).await?;
    member_id.clear();
    member_id.push_str(&joined.member_id);
    let identity = Identity { member_id: member_id.clone(), generation: joined.generation_id };
    let leads = joined.leader == joined.member_id;
    let (mut assignments, mut led) = (BTreeMap::new(), None);
    if leads {
        let members = members(&joined);
        let counts = counts(metadata, &members).await.map_err(later)?;
        if !joined.skip_assignment {
            let assignor = assignor(&joined, settings)?;
            assignments = assignors::assign(assignor, members, &counts);
        }
        led = Some(counts);
    }
    let synced = round.sync_group(&identity, &joined, assignments).await?;
    let assigned = protocol::decode_assignment(&synced.assignment).map_err(|_| {
        let message = "the assignment made by the leader of the group cannot be read";
        Refused::Later(Error::new(ErrorKind::Other, "INCONSISTENT_GROUP_PROTOCOL", message))
    })?;
    Ok(Joined { identity, assigned, led })
}

/// The topics that members want and that exist, with their partitions.
pub(super) async fn partition_counts(
    metadata: &Metadata,
    topics: &BTreeSet<&String>,
) -> Result<BTreeMap<String, i32>, Error> {
    let names: Vec<TopicName> = topics.iter().filter_map(|topic| TopicName::parse(topic).ok()).collect();
    let known = metadata.asked(&names).await?;
    Ok(known.into_iter().map(|(name, topic)| (name.as_str().to_owned(), topic.count())).collect())
}

async fn counts(metadata: &Metadata, members: &[GroupMember]) -> Result<BTreeMap<String, i32>, Error> {
    let wanted: BTreeSet<&String> = members.iter().flat_map(|member| &member.topics).collect();
    let mut counts: BTreeMap<String, i32> = wanted.iter().map(|topic| ((*topic).clone(), 0)).collect();
    counts.extend(partition_counts(metadata, &wanted).await?);
    Ok(counts)
}

/// The members, as their leader is told. One whose subscription cannot be read subscribes to nothing.
fn members(joined: &JoinGroupResponse) -> Vec<GroupMember> {
    let members = joined.members.iter().map(|member| {
        let subscription = Subscription::decode(&member.metadata).unwrap_or_else(|_| {
            tracing::warn!(member = %member.member_id, "the subscription of a member of the group cannot be read");
            Subscription::default()
        });
        GroupMember {
            id: member.member_id.to_string(),
            instance: member.group_instance_id.as_ref().map(ToString::to_string),
            topics: subscription.topics.iter().cloned().collect(),
            subscription,
        }
    });
    members.collect()
}

/// What the coordinator has chosen of the assignors that all members know.
fn assignor(joined: &JoinGroupResponse, settings: &ConsumerSettings) -> Result<Assignor, Refused> {
    let chosen = joined.protocol_name.as_deref().unwrap_or_default();
    let assignor = settings.assignors.iter().copied().find(|assignor| assignors::name(*assignor) == chosen);
    assignor.ok_or_else(|| {
        let message = format!("the coordinator has chosen the assignor {chosen:?}, which was not offered");
        Refused::Final(Error::new(ErrorKind::Other, "INCONSISTENT_GROUP_PROTOCOL", message))
    })
}

/// No answer: whether asking again helps.
fn refusal(error: Error) -> Refused {
    if error.is_transient() { Refused::Later(error) } else { Refused::Final(error) }
}

struct Round<'a> {
    link: &'a GroupLink,
    settings: &'a ConsumerSettings,
    transport: Transport,
}

impl Round<'_> {
    async fn join_group(&mut self, member_id: &mut String, joining: Joining<'_>) -> Result<JoinGroupResponse, Refused> {
        let Joining { topics, owned, last: (assigned, generation) } = joining;
        let mut topics: Vec<String> = topics.iter().map(|topic| topic.as_str().to_owned()).collect();
        topics.sort();
        topics.dedup();
        let metadata = |assignor: Assignor| {
            let user_data = match assignor {
                Assignor::Range | Assignor::RoundRobin => None,
                Assignor::Sticky if generation < 0 => None,
                Assignor::Sticky => Some(protocol::encode_sticky(assigned, generation)),
                Assignor::CooperativeSticky => Some(Bytes::copy_from_slice(&generation.to_be_bytes())),
            };
            let is_eager = assignor != Assignor::CooperativeSticky;
            let generation = if is_eager { None } else { Some(generation) };
            Subscription { topics: topics.clone(), user_data, owned: owned.clone(), generation }.encode()
        };
        let protocols: Vec<_> = self
            .settings
            .assignors
            .iter()
            .map(|assignor| {
                JoinGroupRequestProtocol::default()
                    .with_name(StrBytes::from_static_str(assignors::name(*assignor)))
                    .with_metadata(metadata(*assignor))
            })
            .collect();
        let (group, instance) = (self.link.group_id(), self.link.instance());
        let (session, rebalance) = (self.settings.session_timeout, self.settings.rebalance_timeout);
        // The first time a coordinator gives a member id only, which is then joined with.
        for _ in 0..2 {
            let build = |version| {
                let request = JoinGroupRequest::default()
                    .with_group_id(group.clone())
                    .with_session_timeout_ms(milliseconds(session))
                    .with_rebalance_timeout_ms(milliseconds(rebalance))
                    .with_member_id(text(member_id))
                    .with_protocol_type(StrBytes::from_static_str(PROTOCOL_TYPE))
                    .with_protocols(protocols.clone());
                if version >= 5 { request.with_group_instance_id(instance.clone()) } else { request }
            };
            let joined = self.ask(ApiKey::JoinGroup, build).await?;
            match ErrorCode(joined.error_code) {
                ErrorCode::NONE => return Ok(joined),
                ErrorCode::MEMBER_ID_REQUIRED => {
                    member_id.clear();
                    member_id.push_str(&joined.member_id);
                }
                code => return Err(self.refused(code)),
            }
        }
        Err(Refused::Unknown)
    }

    async fn sync_group(
        &mut self,
        identity: &Identity,
        joined: &JoinGroupResponse,
        assignments: BTreeMap<String, Partitions>,
    ) -> Result<SyncGroupResponse, Refused> {
        let assignments: Vec<_> = assignments
            .iter()
            .map(|(member, partitions)| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(text(member))
                    .with_assignment(protocol::encode_assignment(partitions))
            })
            .collect();
        let (group, instance) = (self.link.group_id(), self.link.instance());
        let build = |version| {
            let mut request = SyncGroupRequest::default()
                .with_group_id(group)
                .with_generation_id(identity.generation)
                .with_member_id(text(&identity.member_id))
                .with_assignments(assignments);
            if version >= 3 {
                request = request.with_group_instance_id(instance);
            }
            if version >= 5 {
                let protocol_type = Some(StrBytes::from_static_str(PROTOCOL_TYPE));
                request = request.with_protocol_type(protocol_type).with_protocol_name(joined.protocol_name.clone());
            }
            request
        };
        let synced = self.ask(ApiKey::SyncGroup, build).await?;
        match ErrorCode(synced.error_code) {
            ErrorCode::NONE => Ok(synced),
            code => Err(self.refused(code)),
        }
    }

    fn refused(&self, code: ErrorCode) -> Refused {
        match code {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => Refused::Later(code.error(None)),
            ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR | ErrorCode::REQUEST_TIMED_OUT => {
                self.link.forget();
                Refused::Later(code.error(None))
            }
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => Refused::Again,
            ErrorCode::UNKNOWN_MEMBER_ID => Refused::Unknown,
            code if code.error(None).is_transient() => Refused::Later(code.error(None)),
            code => Refused::Final(code.error(None)),
        }
    }

    /// Asks on the connection of this round. Nothing else is asked there.
    async fn ask<R: Request>(&mut self, api: ApiKey, build: impl FnOnce(i16) -> R) -> Result<R::Response, Refused>
    where
        R::Response: HeaderVersion,
    {
        let version = self.transport.version(api).map_err(Refused::Final)?;
        let lost = |reason: String| {
            self.link.forget();
            Refused::Later(Error::unavailable(reason))
        };
        let id = self.transport.queue_request(&build(version), version).map_err(lost)?;
        let limit = self.settings.rebalance_timeout + ANSWER_MARGIN;
        let answered = timeout(limit, poll_fn(|context| self.transport.poll_frame(context))).await;
        let frame: Bytes = match answered {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => return Err(lost(reason(&error))),
            Err(_) => return Err(lost("the coordinator of the group does not answer".to_owned())),
        };
        if frame.first_chunk() != Some(&id.to_be_bytes()) {
            return Err(lost("the broker answered a request that was not sent".to_owned()));
        }
        decode(api, version, frame.slice(4..)).map_err(lost)
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
