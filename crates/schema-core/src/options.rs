//! What can be asked of a schema in any language, and what comes of a value.

/// How strictly a text is read: names and defaults are checked only in what somebody hands in as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// To be registered now.
    New,
    /// Stored already, or only looked up: older servers let more through, and it must stay readable.
    Stored,
}

/// How much of a change is let pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Every value that was valid before has to be valid now.
    #[default]
    Strict,
    /// In JSON Schema, open objects may get properties and closed ones lose some. Other languages know no difference.
    Lenient,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// Bytes were appended (none, for a record without fields).
    Payload,
    /// The value is the null that Kafka itself knows: a top-level null under a schema that allows it. Nothing was appended.
    Null,
}
