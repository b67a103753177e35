//! Configuration of a subject, of a context or of all: what it holds, which one applies, how it is changed.
//!
//! Source: docs/reference/schema-registry.md §4.8, §9.2, §9.3.

use std::fmt;

use serde_json::{Map, Value};

use crate::write::Operation;
use crate::{Error, Metadata, Registry, Subject, log};

/// What a new schema is checked against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
    /// Nothing.
    None,
    /// The new schema reads data of the newest version.
    #[default]
    Backward,
    /// … of every version.
    BackwardTransitive,
    /// The newest version reads data of the new schema.
    Forward,
    /// Every version does.
    ForwardTransitive,
    /// Both ways, newest version.
    Full,
    /// Both ways, every version.
    FullTransitive,
}

impl Level {
    const ALL: [Level; 7] = [
        Level::None,
        Level::Backward,
        Level::BackwardTransitive,
        Level::Forward,
        Level::ForwardTransitive,
        Level::Full,
        Level::FullTransitive,
    ];

    /// From its name, in any case.
    pub fn parse(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// As it is stored and printed.
    pub fn name(self) -> &'static str {
        match self {
            Level::None => "NONE",
            Level::Backward => "BACKWARD",
            Level::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Level::Forward => "FORWARD",
            Level::ForwardTransitive => "FORWARD_TRANSITIVE",
            Level::Full => "FULL",
            Level::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// The new schema must read old data.
    pub(crate) fn is_backward(self) -> bool {
        matches!(self, Level::Backward | Level::BackwardTransitive | Level::Full | Level::FullTransitive)
    }

    /// Old schemas must read new data.
    pub(crate) fn is_forward(self) -> bool {
        matches!(self, Level::Forward | Level::ForwardTransitive | Level::Full | Level::FullTransitive)
    }

    /// All versions count, not only the newest.
    pub(crate) fn is_transitive(self) -> bool {
        matches!(self, Level::BackwardTransitive | Level::ForwardTransitive | Level::FullTransitive)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How strictly JSON Schemas are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// As it stands.
    Strict,
    /// New properties are allowed.
    Lenient,
    /// With additional checks for tables.
    Logical,
}

impl Policy {
    /// From its name, in any case.
    pub fn parse(name: &str) -> Option<Policy> {
        [Policy::Strict, Policy::Lenient, Policy::Logical]
            .into_iter()
            .find(|policy| policy.name().eq_ignore_ascii_case(name))
    }

    /// As it is stored and printed.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Strict => "STRICT",
            Policy::Lenient => "LENIENT",
            Policy::Logical => "LOGICAL",
        }
    }
}

/// One stored configuration. Every member is optional.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// The subject that is meant when this one is named.
    pub alias: Option<String>,
    /// Likewise for encryption keys, which are not kept here.
    pub alias_for_deks: Option<String>,
    /// Schemas are normalised before they are registered or looked up.
    pub normalize: Option<bool>,
    /// Reserved fields are checked.
    pub validate_fields: Option<bool>,
    /// New schemas are read strictly; `None` means yes.
    pub validate_new_schemas: Option<bool>,
    /// Rules are checked.
    pub validate_rules: Option<bool>,
    /// What a new schema is checked against.
    pub compatibility_level: Option<Level>,
    /// How strictly.
    pub compatibility_policy: Option<Policy>,
    /// Name of the metadata property that sorts versions into groups; only those of one group are compared.
    pub compatibility_group: Option<String>,
    /// Metadata laid under that of a new schema.
    pub default_metadata: Option<Metadata>,
    /// Metadata laid over that of a new schema.
    pub override_metadata: Option<Metadata>,
    /// Rules laid under those of a new schema; kept, not applied.
    pub default_rule_set: Option<Value>,
    /// Rules laid over those of a new schema; kept, not applied.
    pub override_rule_set: Option<Value>,
    /// Members of newer writers, kept for the next rewrite.
    pub unknown: Map<String, Value>,
}

impl Config {
    /// The level that counts. What the registry hands out has one, except as the answer to a change.
    pub fn level(&self) -> Level {
        self.compatibility_level.unwrap_or_default()
    }

    /// Whether something is merged into every schema that is registered.
    pub(crate) fn adds_to_schemas(&self) -> bool {
        self.default_metadata.is_some()
            || self.override_metadata.is_some()
            || self.default_rule_set.is_some()
            || self.override_rule_set.is_some()
    }

    /// What the subject's own record leaves open is taken from the one for all (docs/reference/schema-registry.md §9.2).
    pub(crate) fn filled_from(mut self, global: &Config) -> Config {
        self.normalize = self.normalize.or(global.normalize);
        self.validate_fields = self.validate_fields.or(global.validate_fields);
        self.validate_new_schemas = self.validate_new_schemas.or(global.validate_new_schemas);
        self.validate_rules = self.validate_rules.or(global.validate_rules);
        self.compatibility_policy = self.compatibility_policy.or(global.compatibility_policy);
        self.compatibility_group = self.compatibility_group.or_else(|| global.compatibility_group.clone());
        self
    }
}

/// A change: `None` keeps what is stored, `Some(None)` clears it.
#[derive(Clone, PartialEq, Debug, Default)]
#[expect(missing_docs, reason = "the members are those of Config")]
pub struct ConfigChange {
    pub alias: Option<Option<String>>,
    pub alias_for_deks: Option<Option<String>>,
    pub normalize: Option<Option<bool>>,
    pub validate_fields: Option<Option<bool>>,
    pub validate_new_schemas: Option<Option<bool>>,
    pub validate_rules: Option<Option<bool>>,
    pub compatibility_level: Option<Option<Level>>,
    pub compatibility_policy: Option<Option<Policy>>,
    pub compatibility_group: Option<Option<String>>,
    pub default_metadata: Option<Option<Metadata>>,
    pub override_metadata: Option<Option<Metadata>>,
}

impl ConfigChange {
    fn applied_to(self, mut config: Config) -> Config {
        fn change<T>(stored: &mut T, new: Option<T>) {
            if let Some(new) = new {
                *stored = new;
            }
        }
        change(&mut config.alias, self.alias);
        change(&mut config.alias_for_deks, self.alias_for_deks);
        change(&mut config.normalize, self.normalize);
        change(&mut config.validate_fields, self.validate_fields);
        change(&mut config.validate_new_schemas, self.validate_new_schemas);
        change(&mut config.validate_rules, self.validate_rules);
        change(&mut config.compatibility_level, self.compatibility_level);
        change(&mut config.compatibility_policy, self.compatibility_policy);
        change(&mut config.compatibility_group, self.compatibility_group);
        change(&mut config.default_metadata, self.default_metadata);
        change(&mut config.override_metadata, self.override_metadata);
        config
    }
}

// === The verbs ===

impl Registry {
    /// The configuration for all. `inherited`: the one for all contexts is asked, too.
    pub fn global_config(&self, inherited: bool) -> Result<Config, Error> {
        self.read(|state| {
            let outer = || if inherited { state.config(Some(&global())) } else { None };
            Ok(state.with_level(state.config(None).or_else(outer).cloned().unwrap_or_default()))
        })
    }

    /// The configuration of a subject or context: its own, or with `inherited` the one that applies to it.
    pub fn config(&self, subject: &Subject, inherited: bool) -> Result<Config, Error> {
        if subject.as_str().is_empty() {
            return self.global_config(inherited);
        }
        self.read(|state| {
            if inherited {
                return Ok(state.config_in_force(subject));
            }
            match state.config(Some(subject)) {
                Some(config) => Ok(state.with_level(config.clone())),
                None if *subject == global() => Ok(state.with_level(Config::default())),
                None => Err(Error::NoSubjectConfig(subject.clone())),
            }
        })
    }

    /// The subject that is meant by this name: what its alias says, if it has one. Aliases do not chain.
    pub fn real_name(&self, subject: Subject) -> Subject {
        let state = self.core().state.read();
        match state.config(Some(&subject)).and_then(|config| config.alias.as_deref()).filter(|alias| !alias.is_empty())
        {
            Some(alias) => subject.sibling(alias),
            None => subject,
        }
    }

    /// The subjects that are other names of this one.
    pub fn aliases(&self, subject: &Subject) -> Vec<Subject> {
        self.core().state.read().aliases(subject)
    }

    /// Changes a configuration member by member; `None`: the one for all. The answer is the whole of it, as it is stored.
    pub async fn change_config(&self, subject: Option<&Subject>, change: ConfigChange) -> Result<Config, Error> {
        let subject = scope(subject);
        if let Some(subject) = subject.filter(|subject| !subject.is_configurable()) {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        let writer = self.writer(Operation::UpdateConfig).await?;
        let (record, config) = self.read(|state| {
            state.mode_in_force(subject).check_change(subject)?;
            let config = change.applied_to(state.config(subject).cloned().unwrap_or_default());
            let key = state.key(&log::LogKey::Config(subject.cloned()));
            Ok((log::record(key, Some(log::config::value(subject, &config))), config))
        })?;
        writer.append(vec![record]).await?;
        Ok(config)
    }

    /// Forgets a configuration; the answer is what it was. `None`: the one for all, which always has one.
    pub async fn delete_config(&self, subject: Option<&Subject>) -> Result<Config, Error> {
        let subject = scope(subject);
        let writer = self.writer(Operation::DeleteConfig).await?;
        let (records, old) = self.read(|state| {
            let old = match (state.config(subject), subject) {
                (Some(config), _) => config.clone(),
                (None, None) => state.config_in_force(&Subject::parse("")),
                (None, Some(subject)) if *subject == global() => Config::default(),
                (None, Some(subject)) => return Err(Error::SubjectNotFound(subject.clone())),
            };
            state.mode_in_force(subject).check_change(subject)?;
            Ok((state.tombstones(&log::LogKey::Config(subject.cloned())), state.with_level(old)))
        })?;
        writer.append(records).await?;
        Ok(old)
    }
}

/// The subject that stands for the configuration and mode of all contexts.
pub(crate) fn global() -> Subject {
    Subject::of_context(crate::names::GLOBAL_CONTEXT)
}

/// The empty name of the default context means all, as no name does.
pub(crate) fn scope(subject: Option<&Subject>) -> Option<&Subject> {
    subject.filter(|subject| !subject.as_str().is_empty())
}
