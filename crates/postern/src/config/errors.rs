//! All errors of a configuration, as sentences.

use std::fmt;

/// In the order in which they were found; each is a sentence that begins with the name of a setting.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    pub(crate) fn add(&mut self, error: String) {
        self.0.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "one setting cannot be used:")?,
            many => writeln!(f, "{many} settings cannot be used:")?,
        }
        for error in &self.0 {
            writeln!(f, "  {error}")?;
        }
        write!(f, "`postern --help` lists the settings.")
    }
}
