//! Which configuration and which mode apply: the subject's own, its context's, that of all contexts, the server's default.
//!
//! Source: docs/reference/schema-registry.md §9.2, §10.

use crate::model::config::{Config, global};
use crate::model::mode::Mode;
use crate::model::names::{DEFAULT_CONTEXT, Subject};
use crate::state::State;

impl State {
    /// The stored configuration of exactly this scope.
    pub(crate) fn config(&self, scope: Option<&Subject>) -> Option<&Config> {
        self.configs.get(&scope.cloned())
    }

    /// The stored mode of exactly this scope.
    pub(crate) fn mode(&self, scope: Option<&Subject>) -> Option<Mode> {
        self.modes.get(&scope.cloned()).copied()
    }

    /// The configuration that applies to a subject.
    pub(crate) fn effective_config(&self, subject: &Subject) -> Config {
        if let Some(own) = self.configs.get(&Some(subject.clone())) {
            let own = match self.config(None) {
                Some(global) => own.clone().filled_from(global),
                None => own.clone(),
            };
            return self.with_level(own);
        }
        let of_context = self.config(scope_of_context(subject).as_ref());
        self.with_level(of_context.or_else(|| self.config(Some(&global()))).cloned().unwrap_or_default())
    }

    /// A configuration without a level has the server's own, never that of an outer scope.
    pub(crate) fn with_level(&self, config: Config) -> Config {
        Config { compatibility_level: config.compatibility_level.or(Some(self.level)), ..config }
    }

    /// The subjects whose configuration names this one as what they stand for.
    pub(crate) fn aliases(&self, subject: &Subject) -> Vec<Subject> {
        let is_alias = |(scope, config): (&Option<Subject>, &Config)| {
            let scope = scope.as_ref()?;
            let alias = config.alias.as_deref()?;
            (scope.sibling(alias) == *subject).then(|| scope.clone())
        };
        let mut aliases: Vec<Subject> = self.configs.iter().filter_map(is_alias).collect();
        aliases.sort();
        aliases
    }

    /// The mode that applies to a subject, or to all.
    pub(crate) fn effective_mode(&self, subject: Option<&Subject>) -> Mode {
        let own = subject.and_then(|subject| self.mode(Some(subject)));
        let of_context = || self.mode(subject.and_then(scope_of_context).as_ref());
        own.or_else(of_context).or_else(|| self.mode(Some(&global()))).unwrap_or_default()
    }

    /// Subjects with a mode of their own within a context, or anywhere in the default context.
    pub(crate) fn modes_within(&self, scope: Option<&Subject>) -> Vec<Subject> {
        let context = scope.map_or(DEFAULT_CONTEXT, Subject::context);
        let is_inside = |subject: &&Subject| subject.context() == context && Some(*subject) != scope;
        self.modes
            .keys()
            .flatten()
            .filter(is_inside)
            .filter(|_| scope.is_none_or(Subject::is_context))
            .cloned()
            .collect()
    }
}

/// The scope of a subject's context; `None` is that of the default context.
fn scope_of_context(subject: &Subject) -> Option<Subject> {
    (!subject.is_unqualified()).then(|| Subject::of_context(subject.context()))
}
