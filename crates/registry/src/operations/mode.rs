//! Reading and changing modes.
//!
//! Source: docs/reference/schema-registry.md §10.

use crate::log;
use crate::log::LogKey;
use crate::model::config::{global, scope};
use crate::model::error::{Error, NotPermitted};
use crate::model::mode::Mode;
use crate::model::names::Subject;
use crate::operations::write::Operation;
use crate::registry::Registry;

impl Registry {
    /// The mode of a subject or context, or the global one (`None`): its own, or with `inherited` the one that applies.
    ///
    /// # Errors
    /// `NoSubjectMode`: it has none of its own.
    pub fn mode(&self, subject: Option<&Subject>, inherited: bool) -> Result<Mode, Error> {
        let subject = scope(subject);
        self.read(|state| match (state.mode(subject), subject) {
            (Some(mode), _) => Ok(mode),
            (None, _) if inherited => Ok(state.effective_mode(subject)),
            (None, None) => Ok(Mode::default()),
            (None, Some(subject)) if *subject == global() => Ok(Mode::default()),
            (None, Some(subject)) => Err(Error::NoSubjectMode(subject.clone())),
        })
    }

    /// Sets or (with `None`) clears a mode. To change to IMPORT, nothing may be registered in that scope, and what is softly
    /// deleted there is deleted for good; `force` skips both. Dropping the future leaves it open whether the mode is set.
    ///
    /// # Errors
    /// `InvalidSubject`, `ForwardModeIsGlobal`, `NotPermitted`, `Referenced`, `Store`.
    pub async fn set_mode(&self, subject: Option<&Subject>, mode: Option<Mode>, force: bool) -> Result<(), Error> {
        let subject = scope(subject);
        if let Some(subject) = subject.filter(|subject| !subject.is_configurable()) {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        if mode == Some(Mode::Forward) && subject != Some(&global()) {
            return Err(Error::ForwardModeIsGlobal);
        }
        let lease = self.lease_write(Operation::UpdateMode).await?;
        let records = self.read(|state| {
            let mut records = Vec::new();
            if mode == Some(Mode::Import) && !force && state.effective_mode(subject) != Mode::Import {
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
        lease.commit(records).await
    }

    /// Deletes a mode; the answer is what it was. `recursive`: those of all subjects of the context as well, and then it is not an
    /// error that there was none (`None`). Dropping the future leaves it open whether it is deleted.
    ///
    /// # Errors
    /// `SubjectNotFound`: there is none; `Store`.
    pub async fn delete_mode(&self, subject: Option<&Subject>, recursive: bool) -> Result<Option<Mode>, Error> {
        let subject = scope(subject);
        let lease = self.lease_write(Operation::DeleteMode).await?;
        let (records, old) = self.read(|state| {
            let old = match (state.mode(subject), subject) {
                (Some(mode), _) => Some(mode),
                (None, None) => Some(state.effective_mode(None)),
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
        lease.commit(records).await?;
        Ok(old)
    }
}
