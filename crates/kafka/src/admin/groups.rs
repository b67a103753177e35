//! Groups of any protocol, by their members.

use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::{Admin, checked, not_answered, text};
use crate::{Error, coordinator, error::ErrorCode};

/// Who is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMembers {
    /// What its members speak among themselves: `consumer`, `connect`, `sr` …; empty where nobody ever joined.
    pub protocol_type: String,
    /// How many there are now.
    pub members: usize,
}

impl Admin {
    pub(crate) async fn group_members(&self, group: &str) -> Result<Option<GroupMembers>, Error> {
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
        Ok(Some(GroupMembers { protocol_type: group.protocol_type.to_string(), members: group.members.len() }))
    }
}
