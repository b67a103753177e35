//! The vocabulary of the registry: names, contents, settings and errors. Plain data, no I/O; everything else builds on it.

pub(crate) mod config;
pub(crate) mod content;
pub(crate) mod error;
pub(crate) mod metadata;
pub(crate) mod mode;
pub(crate) mod names;
pub(crate) mod rule_set;
pub(crate) mod schema_ref;
pub(crate) mod stored;
pub(crate) mod submission;
