//! The names and numbers of a Kafka cluster, each checked where it is made.

use std::{error, fmt, sync::Arc};

/// The longest topic name Kafka takes: the name and a partition number must fit into a directory name.
const MAX_TOPIC_NAME_LENGTH: usize = 249;

/// A valid topic name: 1 to 249 of the characters `a-z A-Z 0-9 . _ -`, neither `.` nor `..`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks `name` by Kafka's rules.
    ///
    /// # Errors
    /// [`InvalidTopicName`] where the rules are broken.
    pub fn parse(name: &str) -> Result<TopicName, InvalidTopicName> {
        let valid_length = (1..=MAX_TOPIC_NAME_LENGTH).contains(&name.len());
        let valid_bytes = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if valid_length && valid_bytes && name != "." && name != ".." {
            Ok(TopicName(name.into()))
        } else {
            Err(InvalidTopicName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a topic name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTopicName;

impl fmt::Display for InvalidTopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a topic name has 1 to {MAX_TOPIC_NAME_LENGTH} characters out of letters, digits, '.', '_' and '-', \
             and is neither \".\" nor \"..\""
        )
    }
}

impl error::Error for InvalidTopicName {}

/// A partition number, 0 or more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PartitionId(pub i32);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// Which of its partitions.
    pub partition: PartitionId,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} of topic {}", self.partition, self.topic)
    }
}

/// The position of a record in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Offset(pub i64);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number a broker is known by in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ByteCount(pub usize);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_topic_names() {
        for name in ["a", "lsst.example.skyFluxMetric", "_schemas", "a-b_c.d", "...", &"x".repeat(249)] {
            assert_eq!(TopicName::parse(name).map(|t| t.as_str().to_owned()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn invalid_topic_names() {
        for name in ["", ".", "..", "a b", "a/b", "a\0b", "ä", "a:b", &"x".repeat(250)] {
            assert_eq!(TopicName::parse(name), Err(InvalidTopicName), "{name:?}");
        }
    }
}
