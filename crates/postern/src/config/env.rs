//! The environment of the process as the configuration reads it: variables and files.

use std::io;

/// What variables begin with that are read: ours, those of Confluent's images and start scripts, and those of OpenTelemetry.
pub(crate) const PREFIXES: [&str; 6] =
    ["POSTERN_", "KAFKA_REST_", "SCHEMA_REGISTRY_", "KAFKAREST_OPTS", "KAFKA_OPTS", "OTEL_"];

/// Where variables and files come from. A trait, so that tests pass maps.
pub(crate) trait Env {
    /// All variables whose name begins with one of [`PREFIXES`], in any order.
    fn variables(&self) -> Vec<(String, String)>;
    /// The text of a file.
    fn file(&self, path: &str) -> io::Result<String>;
}

/// The environment of this process and its file system.
pub(crate) struct Process;

impl Env for Process {
    /// Bytes that are not UTF-8 are replaced: such a value is then refused as invalid and shown to the operator.
    fn variables(&self) -> Vec<(String, String)> {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .collect()
    }

    fn file(&self, path: &str) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
