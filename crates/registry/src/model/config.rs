//! The configuration of a subject, of a context or of the whole registry: its settings and how a change is merged into it.
//!
//! Which configuration applies to a subject is decided in `state::scopes`. Source: docs/reference/schema-registry.md §4.8.

use std::fmt;

use serde_json::{Map, Value};

use crate::model::metadata::Metadata;
use crate::model::names::{GLOBAL_CONTEXT, Subject};

/// What a new schema is checked against.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CompatibilityLevel {
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

impl CompatibilityLevel {
    const ALL: [CompatibilityLevel; 7] = [
        CompatibilityLevel::None,
        CompatibilityLevel::Backward,
        CompatibilityLevel::BackwardTransitive,
        CompatibilityLevel::Forward,
        CompatibilityLevel::ForwardTransitive,
        CompatibilityLevel::Full,
        CompatibilityLevel::FullTransitive,
    ];

    /// From its name, in any case.
    pub fn parse(name: &str) -> Option<CompatibilityLevel> {
        CompatibilityLevel::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// As it is stored and printed.
    pub fn name(self) -> &'static str {
        match self {
            CompatibilityLevel::None => "NONE",
            CompatibilityLevel::Backward => "BACKWARD",
            CompatibilityLevel::BackwardTransitive => "BACKWARD_TRANSITIVE",
            CompatibilityLevel::Forward => "FORWARD",
            CompatibilityLevel::ForwardTransitive => "FORWARD_TRANSITIVE",
            CompatibilityLevel::Full => "FULL",
            CompatibilityLevel::FullTransitive => "FULL_TRANSITIVE",
        }
    }

    /// The new schema must read old data.
    pub(crate) fn is_backward(self) -> bool {
        matches!(
            self,
            CompatibilityLevel::Backward
                | CompatibilityLevel::BackwardTransitive
                | CompatibilityLevel::Full
                | CompatibilityLevel::FullTransitive
        )
    }

    /// Old schemas must read new data.
    pub(crate) fn is_forward(self) -> bool {
        matches!(
            self,
            CompatibilityLevel::Forward
                | CompatibilityLevel::ForwardTransitive
                | CompatibilityLevel::Full
                | CompatibilityLevel::FullTransitive
        )
    }

    /// All versions count, not only the newest.
    pub(crate) fn is_transitive(self) -> bool {
        matches!(
            self,
            CompatibilityLevel::BackwardTransitive
                | CompatibilityLevel::ForwardTransitive
                | CompatibilityLevel::FullTransitive
        )
    }
}

impl fmt::Display for CompatibilityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How strictly JSON Schemas are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompatibilityPolicy {
    /// As it stands.
    Strict,
    /// New properties are allowed.
    Lenient,
    /// With additional checks for tables.
    Logical,
}

impl CompatibilityPolicy {
    /// From its name, in any case.
    pub fn parse(name: &str) -> Option<CompatibilityPolicy> {
        [CompatibilityPolicy::Strict, CompatibilityPolicy::Lenient, CompatibilityPolicy::Logical]
            .into_iter()
            .find(|policy| policy.name().eq_ignore_ascii_case(name))
    }

    /// As it is stored and printed.
    pub fn name(self) -> &'static str {
        match self {
            CompatibilityPolicy::Strict => "STRICT",
            CompatibilityPolicy::Lenient => "LENIENT",
            CompatibilityPolicy::Logical => "LOGICAL",
        }
    }
}

/// One stored configuration. Every member is optional.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Config {
    /// The subject that this name stands for.
    pub alias: Option<String>,
    /// Likewise for encryption keys, which are not kept here.
    pub alias_for_deks: Option<String>,
    /// Schemas are normalised before they are registered or looked up.
    pub normalize: Option<bool>,
    /// Reserved fields are checked.
    pub validate_fields: Option<bool>,
    /// New schemas are validated strictly; `None`: yes.
    pub validate_new_schemas: Option<bool>,
    /// Rules are checked.
    pub validate_rules: Option<bool>,
    /// What a new schema is checked against.
    pub compatibility_level: Option<CompatibilityLevel>,
    /// How strictly.
    pub compatibility_policy: Option<CompatibilityPolicy>,
    /// Name of the metadata property that sorts versions into groups; only those of one group are compared.
    pub compatibility_group: Option<String>,
    /// Metadata that a new schema gets where it has none.
    pub default_metadata: Option<Metadata>,
    /// Metadata that replaces that of a new schema.
    pub override_metadata: Option<Metadata>,
    /// Rules for new schemas; kept, not applied.
    pub default_rule_set: Option<Value>,
    /// Rules that replace those of new schemas; kept, not applied.
    pub override_rule_set: Option<Value>,
    /// Members of newer writers, kept for the next rewrite.
    pub unknown: Map<String, Value>,
}

impl Config {
    /// The level that counts. What the registry hands out has one, except as the answer to a change.
    pub fn level(&self) -> CompatibilityLevel {
        self.compatibility_level.unwrap_or_default()
    }

    /// Whether something is merged into every schema that is registered.
    pub(crate) fn adds_to_schemas(&self) -> bool {
        self.default_metadata.is_some()
            || self.override_metadata.is_some()
            || self.default_rule_set.is_some()
            || self.override_rule_set.is_some()
    }

    /// Adds the global settings where the subject's own record has none (docs/reference/schema-registry.md §9.2).
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
    pub compatibility_level: Option<Option<CompatibilityLevel>>,
    pub compatibility_policy: Option<Option<CompatibilityPolicy>>,
    pub compatibility_group: Option<Option<String>>,
    pub default_metadata: Option<Option<Metadata>>,
    pub override_metadata: Option<Option<Metadata>>,
}

impl ConfigChange {
    pub(crate) fn applied_to(self, mut config: Config) -> Config {
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

/// The subject that stands for the configuration and mode of all contexts.
pub(crate) fn global() -> Subject {
    Subject::of_context(GLOBAL_CONTEXT)
}

/// The empty name of the default context is the global scope, as no name is.
pub(crate) fn scope(subject: Option<&Subject>) -> Option<&Subject> {
    subject.filter(|subject| !subject.as_str().is_empty())
}
