//! All topics in the order of their names, some at a time: a page asks the cluster for no more than it needs, where the cluster can tell
//! parts (`postern_proxy::Proxy::topics_from`).

use postern_proxy::{Proxy, SomeTopics, TopicDescription};

use super::page::Page;
use super::problem;
use crate::problem::Problem;

/// The topics from where a page begins.
pub(super) struct TopicList<'a> {
    proxy: &'a Proxy,
    authorized_operations: bool,
    is_whole: bool,
    /// The name from which the next ones are.
    next: Option<String>,
}

impl<'a> TopicList<'a> {
    /// For a page whose keys are names of topics, or begin with one and a NUL.
    pub(super) fn of(page: &Page, proxy: &'a Proxy, authorized_operations: bool) -> TopicList<'a> {
        let first = page.after().split('\0').next().unwrap_or_default();
        TopicList { proxy, authorized_operations, is_whole: page.is_whole(), next: Some(first.to_owned()) }
    }

    /// Some more; `None`: these were all.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<TopicDescription>>, Problem> {
        let Some(from) = self.next.take() else { return Ok(None) };
        if self.is_whole {
            return Ok(Some(self.proxy.topics(self.authorized_operations).await.map_err(problem)?));
        }
        let some = self.proxy.topics_from(&from, self.authorized_operations).await.map_err(problem)?;
        let SomeTopics { topics, next } = some;
        self.next = next;
        Ok(Some(topics))
    }
}
