//! Modes: whether a subject, a context or all may be written, and how.
//!
//! Source: docs/reference/schema-registry.md §10.

use std::fmt;

use crate::config::{global, scope};
use crate::error::NotPermitted;
use crate::log::{self, LogKey};
use crate::write::Operation;
use crate::{Error, Registry, Subject};

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

// === The verbs ===

impl Registry {
    /// The mode of a subject or context, or of all (`None`): its own, or with `inherited` the one that applies.
    pub fn mode(&self, subject: Option<&Subject>, inherited: bool) -> Result<Mode, Error> {
        let subject = scope(subject);
        self.read(|state| match (state.mode(subject), subject) {
            (Some(mode), _) => Ok(mode),
            (None, _) if inherited => Ok(state.mode_in_force(subject)),
            (None, None) => Ok(Mode::default()),
            (None, Some(subject)) if *subject == global() => Ok(Mode::default()),
            (None, Some(subject)) => Err(Error::NoSubjectMode(subject.clone())),
        })
    }

    /// Sets or (with `None`) clears a mode. To change to IMPORT, nothing may be registered in that scope, and what is softly
    /// deleted there is deleted for good; `force` skips both.
    pub async fn set_mode(&self, subject: Option<&Subject>, mode: Option<Mode>, force: bool) -> Result<(), Error> {
        let subject = scope(subject);
        if let Some(subject) = subject.filter(|subject| !subject.is_configurable()) {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        if mode == Some(Mode::Forward) && subject != Some(&global()) {
            return Err(Error::ForwardModeIsGlobal);
        }
        let writer = self.writer(Operation::UpdateMode).await?;
        let records = self.read(|state| {
            let mut records = Vec::new();
            if mode == Some(Mode::Import) && !force && state.mode_in_force(subject) != Mode::Import {
                let versions = state.versions_in_scope(subject);
                if versions.iter().any(|(_, _, deleted)| !deleted) {
                    return Err(NotPermitted::ImportOverSubjects.into());
                }
                for (subject, version, _) in &versions {
                    state.check_unreferenced(subject, *version, true)?;
                }
                let mut gone: Vec<Subject> = versions.iter().map(|(subject, ..)| subject.clone()).collect();
                gone.dedup();
                for (subject, version, _) in versions {
                    records.extend(state.tombstones(&LogKey::Schema { subject, version }));
                }
                records.extend(gone.iter().flat_map(|subject| state.settings_tombstones(subject)));
                records.push(log::record(log::clear_subject::key(subject), Some(log::clear_subject::value(subject))));
            }
            let key = LogKey::Mode(subject.cloned());
            match mode {
                Some(mode) => records.push(log::record(state.key(&key), Some(log::mode::value(subject, mode)))),
                None => records.extend(state.tombstones(&key)),
            }
            Ok(records)
        })?;
        writer.append(records).await
    }

    /// Forgets a mode; the answer is what it was. `recursive`: those of all subjects of the context as well, and having had
    /// none is no error (`None`).
    pub async fn delete_mode(&self, subject: Option<&Subject>, recursive: bool) -> Result<Option<Mode>, Error> {
        let subject = scope(subject);
        let writer = self.writer(Operation::DeleteMode).await?;
        let (records, old) = self.read(|state| {
            let old = match (state.mode(subject), subject) {
                (Some(mode), _) => Some(mode),
                (None, None) => Some(state.mode_in_force(None)),
                (None, Some(subject)) if *subject == global() => Some(Mode::default()),
                (None, Some(_)) if recursive => None,
                (None, Some(subject)) => return Err(Error::SubjectNotFound(subject.clone())),
            };
            let mut records = state.tombstones(&LogKey::Mode(subject.cloned()));
            if recursive {
                for inner in state.modes_within(subject) {
                    records.extend(state.tombstones(&LogKey::Mode(Some(inner))));
                }
            }
            Ok((records, old))
        })?;
        writer.append(records).await?;
        Ok(old)
    }
}
