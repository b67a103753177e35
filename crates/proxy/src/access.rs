//! Who may do what: a verb takes a grant, and a grant can only be had here.
//!
//! Today every caller may do everything, as in the proxy we replace without its security plug-ins. The grants are there so that a
//! handler that forgets to ask does not compile once they are given sparingly.

use postern_kafka::TopicName;

use crate::Error;

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub struct Caller(());

impl Caller {
    /// Somebody who did not say who they are.
    pub fn anonymous() -> Caller {
        Caller(())
    }

    /// Leave to append records to `topic`.
    ///
    /// # Errors
    /// None yet: all callers may.
    pub fn may_write(&self, topic: TopicName) -> Result<WriteTopic, Error> {
        Ok(WriteTopic(topic))
    }

    /// Leave to see the cluster, its brokers, topics and settings.
    ///
    /// # Errors
    /// None yet: all callers may.
    pub fn may_describe(&self) -> Result<Describe, Error> {
        Ok(Describe(()))
    }

    /// Leave to create, change and delete `topic`.
    ///
    /// # Errors
    /// None yet: all callers may.
    pub fn may_manage(&self, topic: TopicName) -> Result<ManageTopic, Error> {
        Ok(ManageTopic(topic))
    }
}

/// Leave to append to one topic.
#[derive(Debug)]
pub struct WriteTopic(TopicName);

impl WriteTopic {
    /// The topic it is for.
    pub fn topic(&self) -> &TopicName {
        &self.0
    }
}

/// Leave to look at the cluster.
#[derive(Debug)]
pub struct Describe(());

/// Leave to create, change and delete one topic.
#[derive(Debug)]
pub struct ManageTopic(TopicName);

impl ManageTopic {
    /// The topic it is for.
    pub fn topic(&self) -> &TopicName {
        &self.0
    }
}
