//! Deleting subjects and versions: softly first, then for good.
//!
//! Source: docs/reference/schema-registry.md §8.2 to §8.4; the order of the checks is that of its decision tables.

use crate::log;
use crate::log::LogKey;
use crate::model::error::Error;
use crate::model::names::{DEFAULT_CONTEXT, Subject, VersionRef};
use crate::model::stored::Visible;
use crate::operations::write::Operation;
use crate::registry::Registry;

impl Registry {
    /// Deletes all versions of a subject; the answer is which. Softly: they stay readable by id. Permanently: only what is
    /// softly deleted already; the subject's configuration and mode go, too. Dropping the future leaves it open whether they are
    /// deleted.
    ///
    /// # Errors
    /// By the decision tables: `SubjectNotFound`, `SubjectSoftDeleted`, `Referenced`, `SubjectNotSoftDeleted`; `NotPermitted`,
    /// `Store`.
    pub async fn delete_subject(&self, subject: &Subject, permanent: bool) -> Result<Vec<u32>, Error> {
        let lease = self.lease_write(Operation::DeleteSubject).await?;
        let (records, versions) = self.read(|state| {
            let all: Vec<_> = state.versions(subject, Visible::All).collect();
            if all.is_empty() {
                return Err(Error::SubjectNotFound(subject.clone()));
            }
            let Some(newest) = state.latest(subject).or_else(|| all.last().filter(|_| permanent).cloned()) else {
                return Err(Error::SubjectSoftDeleted(subject.clone()));
            };
            state.effective_mode(Some(subject)).check_change(Some(subject))?;
            let selected: Vec<_> = all.into_iter().filter(|stored| permanent || !stored.deleted).collect();
            for stored in &selected {
                let is_used = state
                    .referrers(subject, stored.version)
                    .any(|other| other.subject != *subject && (permanent || !other.deleted));
                if is_used {
                    return Err(Error::Referenced { subject: subject.clone(), version: stored.version });
                }
                if permanent && !stored.deleted {
                    return Err(Error::SubjectNotSoftDeleted(subject.clone()));
                }
            }
            let records = if permanent {
                let versions = selected
                    .iter()
                    .rev()
                    .map(|stored| LogKey::Schema { subject: subject.clone(), version: stored.version });
                let mut records: Vec<_> = versions.flat_map(|key| state.tombstones(&key)).collect();
                records.extend(state.settings_tombstones(subject));
                records
            } else {
                vec![log::record(
                    log::delete_subject::key(subject),
                    Some(log::delete_subject::value(subject, newest.version)),
                )]
            };
            Ok((records, selected.iter().map(|stored| stored.version).collect()))
        })?;
        lease.commit(records).await?;
        Ok(versions)
    }

    /// Deletes one version; the answer is which. Dropping the future leaves it open whether it is deleted.
    ///
    /// # Errors
    /// By the decision tables: `SubjectNotFound`, `VersionNotFound`, `VersionSoftDeleted`, `Referenced`, `VersionNotSoftDeleted`;
    /// `NotPermitted`, `Store`.
    pub async fn delete_version(&self, subject: &Subject, version: VersionRef, permanent: bool) -> Result<u32, Error> {
        let lease = self.lease_write(Operation::DeleteVersion).await?;
        let (records, version) = self.read(|state| {
            let stored = match version {
                VersionRef::Latest => state.latest(subject),
                VersionRef::Number(number) => state.version(subject, number),
            };
            let Some(stored) = stored else {
                return Err(match state.has(subject, Visible::All) {
                    true => Error::VersionNotFound(version),
                    false => Error::SubjectNotFound(subject.clone()),
                });
            };
            if stored.deleted && !permanent {
                return Err(Error::VersionSoftDeleted(subject.clone(), stored.version));
            }
            state.effective_mode(Some(subject)).check_change(Some(subject))?;
            state.check_unreferenced(subject, stored.version, permanent)?;
            if permanent && !stored.deleted {
                return Err(Error::VersionNotSoftDeleted(subject.clone(), stored.version));
            }
            let records = if permanent {
                let mut records =
                    state.tombstones(&LogKey::Schema { subject: subject.clone(), version: stored.version });
                if state.versions(subject, Visible::All).nth(1).is_none() {
                    records.extend(state.settings_tombstones(subject));
                }
                records
            } else {
                state.rewritten(subject, stored.version, Some(true)).into_iter().collect()
            };
            Ok((records, stored.version))
        })?;
        lease.commit(records).await?;
        Ok(version)
    }

    /// Deletes an empty context. Its ids are not given out again, and its configuration and mode stay. Dropping the future leaves it
    /// open whether it is deleted.
    ///
    /// # Errors
    /// `ContextNotEmpty`, `NotPermitted`, `Store`.
    pub async fn delete_context(&self, context: &str) -> Result<(), Error> {
        let lease = self.lease_write(Operation::DeleteContext).await?;
        let records = self.read(|state| {
            if state.subjects(&Subject::of_context(context)).next().is_some() {
                return Err(Error::ContextNotEmpty(context.to_owned()));
            }
            // The default context has no record.
            let is_there = context != DEFAULT_CONTEXT && state.contexts().any(|known| known == context);
            Ok(is_there.then(|| log::record(log::context::key(context), None)).into_iter().collect())
        })?;
        lease.commit(records).await
    }
}
