//! The words of a Kafka cluster, each checked where it is made.

use std::{error, fmt, sync::Arc};

/// The longest topic name Kafka takes: the name and a partition number must fit into a directory name.
const TOPIC_NAME_MAX: usize = 249;

/// A legal topic name: 1 to 249 of the characters `a-z A-Z 0-9 . _ -`, neither `.` nor `..`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks `name` by Kafka's rules.
    ///
    /// # Errors
    /// [`IllegalTopicName`] where the rules are broken.
    pub fn parse(name: &str) -> Result<TopicName, IllegalTopicName> {
        let legal_length = (1..=TOPIC_NAME_MAX).contains(&name.len());
        let legal_bytes = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if legal_length && legal_bytes && name != "." && name != ".." {
            Ok(TopicName(name.into()))
        } else {
            Err(IllegalTopicName)
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

/// A text that no topic can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalTopicName;

impl fmt::Display for IllegalTopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a topic name has 1 to {TOPIC_NAME_MAX} characters out of letters, digits, '.', '_' and '-', \
             and is neither \".\" nor \"..\""
        )
    }
}

impl error::Error for IllegalTopicName {}

/// A partition number, 0 or more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PartitionId(pub i32);

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in a partition.
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
    fn legal_topic_names() {
        for name in ["a", "lsst.example.skyFluxMetric", "_schemas", "a-b_c.d", "...", &"x".repeat(249)] {
            assert_eq!(TopicName::parse(name).map(|t| t.as_str().to_owned()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn illegal_topic_names() {
        for name in ["", ".", "..", "a b", "a/b", "a\0b", "ä", "a:b", &"x".repeat(250)] {
            assert_eq!(TopicName::parse(name), Err(IllegalTopicName), "{name:?}");
        }
    }
}
