//! Modes: whether a subject, a context or the whole registry accepts writes, and of which kind.
//!
//! Which mode applies to a subject is decided in `state::scopes`. Source: docs/reference/schema-registry.md §10.

use std::fmt;

use crate::model::error::{Error, NotPermitted};
use crate::model::names::Subject;

/// What may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Everything but registering with ids of one's own.
    #[default]
    ReadWrite,
    /// Reading.
    ReadOnly,
    /// The same, by an older name.
    ReadOnlyOverride,
    /// Schemas are registered with ids and versions given by the client, unchecked.
    Import,
    /// The same, for a registry that follows another.
    Forward,
}

impl Mode {
    const ALL: [Mode; 5] = [Mode::ReadWrite, Mode::ReadOnly, Mode::ReadOnlyOverride, Mode::Import, Mode::Forward];

    /// From its name, in any case.
    pub fn parse(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(name))
    }

    /// As it is stored and printed.
    pub fn name(self) -> &'static str {
        match self {
            Mode::ReadWrite => "READWRITE",
            Mode::ReadOnly => "READONLY",
            Mode::ReadOnlyOverride => "READONLY_OVERRIDE",
            Mode::Import => "IMPORT",
            Mode::Forward => "FORWARD",
        }
    }

    pub(crate) fn is_import(self) -> bool {
        matches!(self, Mode::Import | Mode::Forward)
    }

    fn is_read_only(self) -> bool {
        matches!(self, Mode::ReadOnly | Mode::ReadOnlyOverride)
    }

    /// Whether deletes and changes of configuration are allowed.
    pub(crate) fn check_change(self, subject: Option<&Subject>) -> Result<(), Error> {
        if self.is_read_only() {
            return Err(NotPermitted::ReadOnly(subject.cloned()).into());
        }
        Ok(())
    }

    /// Whether a schema may be registered, with or without an id of the client's choice.
    pub(crate) fn check_register(self, subject: &Subject, with_id: bool) -> Result<(), Error> {
        self.check_change(Some(subject))?;
        match (self.is_import(), with_id) {
            (true, false) => Err(NotPermitted::NotReadWrite(subject.clone()).into()),
            (false, true) => Err(NotPermitted::NotImport(subject.clone()).into()),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
