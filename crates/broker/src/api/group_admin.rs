//! DescribeGroups (15), versions 0 to 6; ListGroups (16), 0 to 5; DeleteGroups (42), 0 to 2: groups seen from outside.
//!
//! All groups are of the type `classic`.

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{CallContext, Disconnect};
use crate::code;
use crate::groups::{ChangeError, Group, GroupState};
use crate::node::Node;

const TYPE: &str = "classic";
/// The operations on a group, a bit for each code of Kafka's `AclOperation`: read, delete, describe, describe configs,
/// alter configs.
const ALL_GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// The state of a group that does not exist.
const DEAD: &str = "Dead";

fn name_of(state: GroupState) -> &'static str {
    match state {
        GroupState::Empty => "Empty",
        GroupState::PreparingRebalance => "PreparingRebalance",
        GroupState::CompletingRebalance => "CompletingRebalance",
        GroupState::Stable => "Stable",
    }
}

pub(super) async fn list(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: ListGroupsRequest,
) -> Result<ListGroupsResponse, Disconnect> {
    if let Some(error) = context.injected_fault(node, ApiKey::ListGroups, None).await? {
        return Ok(ListGroupsResponse::default().with_error_code(error));
    }
    let fits = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let groups = node.groups.map_all(|id, group| {
        let state = name_of(group.state);
        let wanted = fits(&request.states_filter, state) && fits(&request.types_filter, TYPE);
        wanted.then(|| {
            ListedGroup::default()
                .with_group_id(GroupId(id.clone()))
                .with_protocol_type(group.protocol_type.clone())
                .with_group_state(StrBytes::from_static_str(state))
                .with_group_type(StrBytes::from_static_str(TYPE))
        })
    });
    Ok(ListGroupsResponse::default().with_groups(groups.into_iter().flatten().collect()))
}

pub(super) async fn describe(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Disconnect> {
    let fault = context.injected_fault(node, ApiKey::DescribeGroups, None).await?;
    let groups = request.groups.into_iter().map(|id| {
        if let Some(error) = fault {
            return DescribedGroup::default().with_group_id(id).with_error_code(error);
        }
        let described = node.groups.with_sessions(&id.0, described);
        let described = described.unwrap_or_else(|| {
            let nothing = DescribedGroup::default().with_group_state(StrBytes::from_static_str(DEAD));
            match context.version {
                ..=5 => nothing,
                6.. => nothing
                    .with_error_code(code(ResponseError::GroupIdNotFound))
                    .with_error_message(Some(StrBytes::from_string(format!("Group {} not found.", id.as_str())))),
            }
        });
        let operations = if request.include_authorized_operations { ALL_GROUP_OPERATIONS } else { i32::MIN };
        described.with_group_id(id).with_authorized_operations(operations)
    });
    Ok(DescribeGroupsResponse::default().with_groups(groups.collect()))
}

fn described(group: &mut Group) -> DescribedGroup {
    // There is no protocol before all members have joined.
    let protocol = group.protocol.clone().filter(|_| group.state == GroupState::Stable);
    let members = group.members.iter().map(|(id, member)| {
        DescribedGroupMember::default()
            .with_member_id(id.clone())
            .with_group_instance_id(member.instance.clone())
            .with_client_id(member.client_id.clone())
            .with_client_host(StrBytes::from_string(member.host.clone()))
            .with_member_metadata(member.metadata(protocol.as_ref()))
            .with_member_assignment(member.assignment.clone())
    });
    DescribedGroup::default()
        .with_group_state(StrBytes::from_static_str(name_of(group.state)))
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_data(protocol.clone().unwrap_or_default())
        .with_members(members.collect())
}

pub(super) async fn delete(
    node: &Arc<Node>,
    context: &CallContext<'_>,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, Disconnect> {
    let fault = context.injected_fault(node, ApiKey::DeleteGroups, None).await?;
    // A group that is named twice gets one result.
    let mut seen = HashSet::new();
    let named = request.groups_names.into_iter().filter(|id| seen.insert(id.clone()));
    let mut results = Vec::new();
    for id in named {
        let error = match fault {
            Some(error) => error,
            None => match node.groups.delete(&id.0).await {
                Ok(()) => 0,
                Err(ChangeError::Refused(error)) => code(error),
                Err(ChangeError::Storage(error)) => {
                    tracing::error!(group = id.as_str(), %error, "a group could not be deleted");
                    code(ResponseError::CoordinatorNotAvailable)
                }
            },
        };
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(error));
    }
    Ok(DeleteGroupsResponse::default().with_results(results))
}
