//! Groups of any protocol, by their members.

use super::Admin;
use crate::{Error, ErrorKind};

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
        let (client, group, timeout) = (self.client.clone(), group.to_owned(), self.timeout);
        tokio::task::spawn_blocking(move || client.group_members(&group, timeout))
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "_DESTROY", "the runtime is shutting down")))
    }
}
