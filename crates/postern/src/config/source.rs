//! The outside world as the configuration sees it: variables and one file.

use std::io;

/// Where variables and files come from. A trait so that tests pass a map and touch neither.
pub(crate) trait Outside {
    /// All variables whose name begins with `POSTERN_`, in any order.
    fn variables(&self) -> Vec<(String, String)>;
    /// The text of a file.
    fn file(&self, path: &str) -> io::Result<String>;
}

/// This process and its file system.
pub(crate) struct Process;

impl Outside for Process {
    /// A value that is not UTF-8 comes with its foreign bytes replaced: it will not pass as an address, a switch or a filter,
    /// and is then shown to the operator.
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
