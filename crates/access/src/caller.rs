//! Who sends a request.

use std::fmt;

/// Bytes of a name or a group.
const NAME_MAX: usize = 256;

/// How a caller was recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing was presented.
    Anonymous,
    /// User and password.
    Basic,
    /// A signed token.
    Bearer,
    /// A client certificate.
    Certificate,
    /// A header of a gateway that is trusted.
    Gateway,
}

impl Way {
    /// Its word in logs.
    pub fn name(self) -> &'static str {
        match self {
            Way::Anonymous => "anonymous",
            Way::Basic => "basic",
            Way::Bearer => "bearer",
            Way::Certificate => "certificate",
            Way::Gateway => "gateway",
        }
    }
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    way: Way,
    name: String,
    groups: Vec<String>,
}

/// A name that no caller can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name has 1 to {NAME_MAX} bytes and no control characters")
    }
}

impl Caller {
    /// Somebody who presented nothing.
    pub fn anonymous() -> Caller {
        Caller { way: Way::Anonymous, name: "anonymous".to_owned(), groups: Vec::new() }
    }

    /// # Errors
    /// The name, or one of the groups, is none.
    pub fn new(way: Way, name: &str, groups: Vec<String>) -> Result<Caller, InvalidName> {
        let is_name = |text: &str| !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control);
        match is_name(name) && groups.iter().all(|group| is_name(group)) {
            true => Ok(Caller { way, name: name.to_owned(), groups }),
            false => Err(InvalidName),
        }
    }

    /// How it was recognized.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Its name; without control characters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups that its token, its gateway or its file of users names.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Whether nothing was presented.
    pub fn is_anonymous(&self) -> bool {
        self.way == Way::Anonymous
    }
}
