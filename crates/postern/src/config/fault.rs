//! What is wrong with a configuration: all of it, in sentences.

use std::fmt;

/// Faults in the order in which they were found; each a sentence that begins with the name of a setting.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    pub(crate) fn add(&mut self, fault: String) {
        self.0.push(fault);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "one setting cannot be used:")?,
            many => writeln!(f, "{many} settings cannot be used:")?,
        }
        for fault in &self.0 {
            writeln!(f, "  {fault}")?;
        }
        write!(f, "`postern --help` lists the settings.")
    }
}
