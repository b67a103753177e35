//! Reading and changing configurations.
//!
//! Source: docs/reference/schema-registry.md §9.3.

use crate::log;
use crate::log::LogKey;
use crate::model::config::{Config, ConfigChange, global, scope};
use crate::model::error::Error;
use crate::model::names::Subject;
use crate::operations::write::Operation;
use crate::registry::Registry;

impl Registry {
    /// The global configuration. `inherited`: where there is none, that of all contexts.
    ///
    /// # Errors
    /// Only `NotReady`.
    pub fn global_config(&self, inherited: bool) -> Result<Config, Error> {
        self.read(|state| {
            let outer = || if inherited { state.config(Some(&global())) } else { None };
            Ok(state.with_level(state.config(None).or_else(outer).cloned().unwrap_or_default()))
        })
    }

    /// The configuration of a subject or context: its own, or with `inherited` the one that applies to it.
    ///
    /// # Errors
    /// `NoSubjectConfig`: it has none of its own.
    pub fn config(&self, subject: &Subject, inherited: bool) -> Result<Config, Error> {
        if subject.as_str().is_empty() {
            return self.global_config(inherited);
        }
        self.read(|state| {
            if inherited {
                return Ok(state.effective_config(subject));
            }
            match state.config(Some(subject)) {
                Some(config) => Ok(state.with_level(config.clone())),
                None if *subject == global() => Ok(state.with_level(Config::default())),
                None => Err(Error::NoSubjectConfig(subject.clone())),
            }
        })
    }

    /// The subject that a name stands for: its alias, if it has one. Aliases do not chain.
    pub fn resolve_alias(&self, subject: Subject) -> Subject {
        let state = self.core().state.read();
        match state.config(Some(&subject)).and_then(|config| config.alias.as_deref()).filter(|alias| !alias.is_empty())
        {
            Some(alias) => subject.sibling(alias),
            None => subject,
        }
    }

    /// The subjects under `prefix` that are aliases of this one.
    pub fn aliases(&self, subject: &Subject, prefix: &Subject) -> Vec<Subject> {
        let mut aliases = self.core().state.read().aliases(subject);
        aliases.retain(|alias| prefix.is_prefix_of(alias));
        aliases
    }

    /// Changes a configuration member by member; `None`: the global one. The answer is the whole of it, as it is stored. Dropping
    /// the future leaves it open whether it is changed.
    ///
    /// # Errors
    /// `InvalidSubject`, `NotPermitted`, `Store`.
    pub async fn change_config(&self, subject: Option<&Subject>, change: ConfigChange) -> Result<Config, Error> {
        let subject = scope(subject);
        if let Some(subject) = subject.filter(|subject| !subject.is_configurable()) {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        let lease = self.lease_write(Operation::UpdateConfig).await?;
        let (record, config) = self.read(|state| {
            state.effective_mode(subject).check_change(subject)?;
            let config = change.applied_to(state.config(subject).cloned().unwrap_or_default());
            let key = state.key(&LogKey::Config(subject.cloned()));
            Ok((log::record(key, Some(log::config::value(subject, &config))), config))
        })?;
        lease.commit(vec![record]).await?;
        Ok(config)
    }

    /// Deletes a configuration; the answer is what it was. `None`: the global one; where there is none, the server's default is the
    /// answer. Dropping the future leaves it open whether it is deleted.
    ///
    /// # Errors
    /// `SubjectNotFound`: there is none; `NotPermitted`, `Store`.
    pub async fn delete_config(&self, subject: Option<&Subject>) -> Result<Config, Error> {
        let subject = scope(subject);
        let lease = self.lease_write(Operation::DeleteConfig).await?;
        let (records, old) = self.read(|state| {
            let old = match (state.config(subject), subject) {
                (Some(config), _) => config.clone(),
                (None, None) => Config::default(),
                (None, Some(subject)) if *subject == global() => Config::default(),
                (None, Some(subject)) => return Err(Error::SubjectNotFound(subject.clone())),
            };
            state.effective_mode(subject).check_change(subject)?;
            Ok((state.tombstones(&LogKey::Config(subject.cloned())), state.with_level(old)))
        })?;
        lease.commit(records).await?;
        Ok(old)
    }
}
