//! Groups of any protocol, by their members.

use std::time::Duration;

use kafka_protocol::messages::{DescribeGroupsRequest, FindCoordinatorRequest, GroupId};
use tokio::time::{Instant, sleep};

use super::{Admin, checked, not_answered, text};
use crate::{Error, NodeId, error::ErrorCode, network::Destination};

/// Who is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMembers {
    /// What its members speak among themselves: `consumer`, `connect`, `sr` …; empty where nobody ever joined.
    pub protocol_type: String,
    /// How many there are now.
    pub members: usize,
}

/// The pause between two attempts while the coordinator is elected or loads.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl Admin {
    pub(crate) async fn group_members(&self, group: &str) -> Result<Option<GroupMembers>, Error> {
        let deadline = self.deadline();
        loop {
            match self.ask_coordinator(group, deadline).await {
                Err(error) if error.is_transient() && Instant::now() + RETRY_PAUSE < deadline => {
                    sleep(RETRY_PAUSE).await
                }
                answer => return answer,
            }
        }
    }

    async fn ask_coordinator(&self, group: &str, deadline: Instant) -> Result<Option<GroupMembers>, Error> {
        let coordinator = self.coordinator(group, deadline).await?;
        let id = GroupId(text(group));
        let build = move |_| DescribeGroupsRequest::default().with_groups(vec![id.clone()]);
        let response = self.read(Destination::Broker(coordinator), deadline, build).await?;
        let group = response.groups.into_iter().next().ok_or_else(not_answered)?;
        if ErrorCode(group.error_code) == ErrorCode::GROUP_ID_NOT_FOUND || &*group.group_state == "Dead" {
            return Ok(None);
        }
        checked(group.error_code, None)?;
        Ok(Some(GroupMembers { protocol_type: group.protocol_type.to_string(), members: group.members.len() }))
    }

    async fn coordinator(&self, group: &str, deadline: Instant) -> Result<NodeId, Error> {
        let key = text(group);
        let build = move |_| FindCoordinatorRequest::default().with_key(key.clone()).with_key_type(0);
        let response = self.read(Destination::Any, deadline, build).await?;
        checked(response.error_code, response.error_message.as_ref())?;
        let coordinator = NodeId(response.node_id.0);
        if self.network.address(coordinator).is_none() {
            self.describe_cluster().await?;
        }
        Ok(coordinator)
    }
}
