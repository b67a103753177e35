//! The environment of the process as the configuration reads it: variables and files.

use std::io;

/// Where variables and files come from. A trait, so that tests pass maps.
pub(crate) trait Env {
    /// All variables whose name begins with `POSTERN_`, in any order.
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
            .filter(|(name, _)| name.starts_with("POSTERN_"))
            .collect()
    }

    fn file(&self, path: &str) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
