//! Whether a schema fits earlier ones, and what does not.
//!
//! Source: docs/reference/schema-registry.md §9.4, §9.5; docs/reference/schema-compatibility.md §1.

use postern_schema::{Schema, Strictness};

use crate::compile::{Draft, Prepared};
use crate::config::{Level, Policy};
use crate::state::{Stored, Visible};
use crate::{Config, Error, Registry, Subject, VersionRef, reserved};

/// Longer texts of old schemas are cut in messages.
const TEXT_MAX: usize = 10_240;

/// The answer to a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compatibility {
    /// Whether it could be registered.
    pub is_compatible: bool,
    /// What differs, and against which version.
    pub messages: Vec<String>,
}

impl Registry {
    /// Checks a schema against one version of a subject (`Some`), or against those its level asks for. Changes nothing.
    pub fn check_compatibility(
        &self,
        subject: &Subject,
        against: Option<VersionRef>,
        draft: &Draft,
        normalize: bool,
    ) -> Result<Compatibility, Error> {
        let config = self.read(|state| Ok(state.config_in_force(subject)))?;
        let previous = self.compared(subject, against)?;
        let normalize = normalize || config.normalize.unwrap_or(false);
        let strictness = if config.validate_new_schemas == Some(false) { Strictness::Stored } else { Strictness::New };
        let prepared = self.prepare(subject, draft, normalize, strictness, Visible::Live)?;
        reserved::check_names(&config, &prepared)?;
        let messages = self.differences(&config, &prepared, previous)?;
        Ok(Compatibility { is_compatible: messages.is_empty(), messages })
    }

    /// The versions that a check looks at, oldest first, before level and group choose among them.
    ///
    /// # Errors
    /// `VersionNotFound`, also where there is no such subject.
    pub fn compared(&self, subject: &Subject, against: Option<VersionRef>) -> Result<Vec<Stored>, Error> {
        self.read(|state| match against {
            None => Ok(state.versions(subject, Visible::Live).collect()),
            Some(VersionRef::Latest) => Ok(state.latest(subject).into_iter().collect()),
            Some(VersionRef::Number(number)) => match state.version(subject, number).filter(|stored| !stored.deleted) {
                Some(stored) => Ok(vec![stored]),
                None => Err(Error::VersionNotFound(VersionRef::Number(number))),
            },
        })
    }

    /// What keeps a schema from being registered under a subject as it is now. Empty: nothing.
    pub(crate) fn incompatibilities(
        &self,
        subject: &Subject,
        config: &Config,
        prepared: &Prepared,
    ) -> Result<Vec<String>, Error> {
        self.differences(config, prepared, self.compared(subject, None)?)
    }

    /// `previous`: oldest first.
    fn differences(
        &self,
        config: &Config,
        prepared: &Prepared,
        mut previous: Vec<Stored>,
    ) -> Result<Vec<String>, Error> {
        let level = config.level();
        let mut messages = reserved::conflicts(config, prepared, previous.last());
        if let Some(group) = &config.compatibility_group {
            let member = |metadata: Option<&crate::Metadata>| {
                metadata.and_then(|metadata| metadata.property(group)).map(str::to_owned)
            };
            let own = member(prepared.content.metadata());
            previous.retain(|stored| member(stored.content.metadata()) == own);
        }
        let policy = match config.compatibility_policy {
            Some(Policy::Lenient) => postern_schema::Policy::Lenient,
            // The further checks of LOGICAL are those of table formats, which are not ours.
            Some(Policy::Strict | Policy::Logical) | None => postern_schema::Policy::Strict,
        };
        let checked = match (level, level.is_transitive()) {
            (Level::None, _) => 0,
            (_, true) => previous.len(),
            (_, false) => 1,
        };
        for stored in previous.iter().rev().take(checked) {
            let differences = if stored.content.kind() == prepared.content.kind() {
                between(level, policy, &prepared.schema, stored, &self.compiled(stored)?)
            } else {
                vec!["Incompatible because of different schema type".to_owned()]
            };
            if !differences.is_empty() {
                messages.extend(differences);
                break;
            }
        }
        if !messages.is_empty() {
            let validate_fields = config.validate_fields.unwrap_or(false);
            messages.push(format!("{{validateFields: '{validate_fields}', compatibility: '{level}'}}"));
        }
        Ok(messages)
    }
}

/// What differs between a new schema and one stored version. Where both ways are checked, "the old reads the new" comes first.
fn between(level: Level, policy: postern_schema::Policy, new: &Schema, stored: &Stored, old: &Schema) -> Vec<String> {
    let mut messages = Vec::new();
    if level.is_forward() {
        messages.extend(old.cannot_read_with(new, policy).iter().map(|difference| difference.message("old", "new")));
    }
    let backward = if level.is_backward() { new.cannot_read_with(old, policy) } else { Vec::new() };
    let tells_old = if level.is_backward() { !backward.is_empty() } else { !messages.is_empty() };
    messages.extend(backward.iter().map(|difference| difference.message("new", "old")));
    if tells_old {
        messages.push(format!("{{oldSchemaVersion: {}}}", stored.version));
        messages.push(old_text(stored.content.text()));
    }
    messages
}

fn old_text(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => format!("{{oldSchema: '{text}'}}"),
        Some((end, _)) => format!("{{oldSchema: <truncated> '{}...'}}", &text[..end]),
    }
}
