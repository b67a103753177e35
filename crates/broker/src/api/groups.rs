//! FindCoordinator (10), versions 0 to 6; JoinGroup (11), 0 to 9; Heartbeat (12), 0 to 4; LeaveGroup (13), 0 to 5;
//! SyncGroup (14), 0 to 5: the classic group protocol.
//!
//! The coordinator of every group is this node. The response to a join or a sync is sent when the group is ready for it.
//! Not done: coordinators of transactions and share groups.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::refusal::INVALID_REQUEST;
use super::{CallContext, Disconnect, metadata};
use crate::code;
use crate::groups::group::{JoinRequest, SyncRequest};
use crate::groups::{JoinResponse, SyncResponse};
use crate::node::{NODE_ID, Node};

/// Kafka's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
const SESSION_TIMEOUTS_MS: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;
/// The key types of a group and of a transactional id.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

// === FindCoordinator ===

pub(super) async fn find_coordinator(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, Disconnect> {
    let fault = context.injected_fault(node, ApiKey::FindCoordinator, None).await?;
    let (host, port) = metadata::endpoint(node, context.connection);
    let is_other = request.key_type != GROUP;
    if request.key_type == TRANSACTION {
        node.notices.transactions(request.coordinator_keys.first().unwrap_or(&request.key));
    }
    let error = fault.or(is_other.then_some(code(ResponseError::InvalidRequest)));
    let message = match (is_other, context.version) {
        (true, _) => INVALID_REQUEST,
        // Apache Kafka's message where there is no error.
        (false, ..=3) => "NONE",
        (false, _) => "",
    };
    let message = Some(StrBytes::from_static_str(message));
    if context.version <= 3 {
        let response = FindCoordinatorResponse::default().with_error_message(message);
        return Ok(match error {
            Some(error) => response.with_error_code(error).with_node_id((-1).into()).with_port(-1),
            None => response.with_node_id(NODE_ID).with_host(host).with_port(port),
        });
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        let coordinator = Coordinator::default().with_key(key).with_error_message(message.clone());
        match error {
            Some(error) => coordinator.with_error_code(error).with_node_id((-1).into()).with_port(-1),
            None => coordinator.with_node_id(NODE_ID).with_host(host.clone()).with_port(port),
        }
    });
    Ok(FindCoordinatorResponse::default().with_coordinators(coordinators.collect()))
}

/// The error for a group without a name.
pub(super) fn check_group_id(group: &StrBytes) -> Option<i16> {
    group.is_empty().then_some(code(ResponseError::InvalidGroupId))
}

// === JoinGroup ===

pub(super) async fn join(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: JoinGroupRequest,
) -> Result<JoinGroupResponse, Disconnect> {
    let rebalance_ms = if context.version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let id = request.group_id.0;
    let join = JoinRequest {
        member_id: request.member_id,
        instance: request.group_instance_id,
        client_id: context.client_id.clone().unwrap_or_default(),
        host: format!("/{}", context.connection.host),
        session_timeout: Duration::from_millis(request.session_timeout_ms.max(0) as u64),
        rebalance_timeout: Duration::from_millis(rebalance_ms.max(0) as u64),
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|protocol| (protocol.name, protocol.metadata)).collect(),
        requires_known_member_id: context.version >= 4,
        may_skip_assignment: context.version >= 9,
    };
    let refused = |error| joined(context, JoinResponse::refused(error, join.member_id.clone()));
    if let Some(error) = context.injected_fault(node, ApiKey::JoinGroup, None).await? {
        return Ok(refused(ResponseError::UnknownMemberId).with_error_code(error));
    }
    if id.is_empty() {
        return Ok(refused(ResponseError::InvalidGroupId));
    }
    if !SESSION_TIMEOUTS_MS.contains(&request.session_timeout_ms) {
        return Ok(refused(ResponseError::InvalidSessionTimeout));
    }
    let member_id = join.member_id.clone();
    let (answer, answered) = oneshot::channel();
    node.groups.with_or_create(&id, |group| group.join(join, Instant::now(), answer));
    let outcome = tokio::select! {
        outcome = answered => outcome.unwrap_or_else(|_| JoinResponse::refused(ResponseError::UnknownMemberId, member_id)),
        () = node.stopping() => JoinResponse::refused(ResponseError::CoordinatorNotAvailable, member_id),
    };
    Ok(joined(context, outcome))
}

fn joined(context: &CallContext<'_>, outcome: JoinResponse) -> JoinGroupResponse {
    let members = outcome.members.into_iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default().with_member_id(id).with_group_instance_id(instance).with_metadata(metadata)
    });
    // Until version 6 the field is not nullable.
    let protocol = outcome.protocol.or((context.version <= 6).then(StrBytes::new));
    JoinGroupResponse::default()
        .with_error_code(outcome.error.map_or(0, code))
        .with_generation_id(outcome.generation)
        .with_protocol_type(outcome.protocol_type)
        .with_protocol_name(protocol)
        .with_leader(outcome.leader)
        .with_skip_assignment(outcome.skip_assignment)
        .with_member_id(outcome.member_id)
        .with_members(members.collect())
}

// === SyncGroup ===

pub(super) async fn sync(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, Disconnect> {
    if let Some(error) =
        context.injected_fault(node, ApiKey::SyncGroup, None).await?.or(check_group_id(&request.group_id.0))
    {
        return Ok(SyncGroupResponse::default().with_error_code(error));
    }
    let sync = SyncRequest {
        member_id: request.member_id,
        instance: request.group_instance_id,
        generation: request.generation_id,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: request.assignments.into_iter().map(|one| (one.member_id, one.assignment)).collect(),
    };
    let (answer, answered) = oneshot::channel();
    let known = node.groups.with_existing(&request.group_id.0, |group| group.sync(sync, Instant::now(), answer));
    let outcome = match known {
        None => SyncResponse::refused(ResponseError::UnknownMemberId),
        Some(()) => tokio::select! {
            outcome = answered => outcome.unwrap_or_else(|_| SyncResponse::refused(ResponseError::UnknownMemberId)),
            () = node.stopping() => SyncResponse::refused(ResponseError::CoordinatorNotAvailable),
        },
    };
    Ok(SyncGroupResponse::default()
        .with_error_code(outcome.error.map_or(0, code))
        .with_protocol_type(outcome.protocol_type)
        .with_protocol_name(outcome.protocol)
        .with_assignment(outcome.assignment))
}

// === Heartbeat, LeaveGroup ===

pub(super) async fn heartbeat(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, Disconnect> {
    if let Some(error) =
        context.injected_fault(node, ApiKey::Heartbeat, None).await?.or(check_group_id(&request.group_id.0))
    {
        return Ok(HeartbeatResponse::default().with_error_code(error));
    }
    let beat = node.groups.with_sessions(&request.group_id.0, |group| {
        let instance = request.group_instance_id.as_ref();
        group.heartbeat(&request.member_id, instance, request.generation_id, Instant::now())
    });
    let error = beat.unwrap_or(Err(ResponseError::UnknownMemberId)).err();
    Ok(HeartbeatResponse::default().with_error_code(error.map_or(0, code)))
}

pub(super) async fn leave(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: LeaveGroupRequest,
) -> Result<LeaveGroupResponse, Disconnect> {
    if let Some(error) =
        context.injected_fault(node, ApiKey::LeaveGroup, None).await?.or(check_group_id(&request.group_id.0))
    {
        return Ok(LeaveGroupResponse::default().with_error_code(error));
    }
    let id = request.group_id.0;
    let one = |member_id: &StrBytes, instance: Option<&StrBytes>| {
        let left = node.groups.with_existing(&id, |group| group.leave(member_id, instance, Instant::now()));
        left.unwrap_or(Err(ResponseError::UnknownMemberId)).err().map_or(0, code)
    };
    if context.version <= 2 {
        return Ok(LeaveGroupResponse::default().with_error_code(one(&request.member_id, None)));
    }
    let members = request.members.into_iter().map(|member| {
        let error = one(&member.member_id, member.group_instance_id.as_ref());
        MemberResponse::default()
            .with_error_code(error)
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
    });
    Ok(LeaveGroupResponse::default().with_members(members.collect()))
}
