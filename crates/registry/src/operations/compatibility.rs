//! Whether a schema is compatible with earlier versions, and what differs.
//!
//! Source: docs/reference/schema-registry.md §9.4, §9.5; docs/reference/schema-compatibility.md §1.

use postern_schema::{Schema, Strictness};

use crate::model::config::{CompatibilityLevel, CompatibilityPolicy, Config};
use crate::model::content::SchemaContent;
use crate::model::error::Error;
use crate::model::names::{Guid, Subject, VersionRef};
use crate::model::stored::{StoredSchema, Visible};
use crate::model::submission::SchemaSubmission;
use crate::operations::compile::{CompiledSubmission, off_the_workers};
use crate::operations::reserved;
use crate::registry::Registry;
use crate::state::State;

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
    /// Checks a schema against one version of a subject (`Some`), or against those that the level asks for. Changes nothing.
    ///
    /// # Errors
    /// `VersionNotFound`, or what is wrong with the schema. That it is not compatible is an answer, not an error.
    pub fn check_compatibility(
        &self,
        subject: &Subject,
        against: Option<VersionRef>,
        submission: &SchemaSubmission,
        normalize: bool,
    ) -> Result<Compatibility, Error> {
        let config = self.read(|state| Ok(state.effective_config(subject)))?;
        let version = self.versions_to_compare(subject, against)?.pop();
        let normalize = normalize || config.normalize.unwrap_or(false);
        let strictness = if config.validate_new_schemas == Some(false) { Strictness::Stored } else { Strictness::New };
        let compiled = self.compile_submission(subject, submission, normalize, strictness, Visible::Live)?;
        reserved::check_names(&config, &compiled)?;
        let previous = match against {
            Some(_) => Previous::of_version(version, &config, &compiled.content),
            None => self.read(|state| Ok(Previous::of_subject(state, subject, &config, &compiled.content)))?,
        };
        let messages = self.differences(&config, &compiled, &previous)?;
        Ok(Compatibility { is_compatible: messages.is_empty(), messages })
    }

    /// The version that a check against `against` compares with; for a check against a whole subject nothing.
    ///
    /// # Errors
    /// `VersionNotFound`, also where there is no such subject.
    pub fn versions_to_compare(
        &self,
        subject: &Subject,
        against: Option<VersionRef>,
    ) -> Result<Vec<StoredSchema>, Error> {
        self.read(|state| match against {
            None => Ok(Vec::new()),
            Some(VersionRef::Latest) => Ok(state.latest(subject).into_iter().collect()),
            Some(VersionRef::Number(number)) => match state.version(subject, number).filter(|stored| !stored.deleted) {
                Some(stored) => Ok(vec![stored]),
                None => Err(Error::VersionNotFound(VersionRef::Number(number))),
            },
        })
    }

    /// Compares a schema with the versions that the level asks for. `before`: an earlier comparison of the same schema, which is
    /// the answer if nothing that it depended on has changed.
    pub(crate) fn compare(
        &self,
        subject: &Subject,
        config: &Config,
        compiled: &CompiledSubmission,
        before: Option<Comparison>,
    ) -> Result<Comparison, Error> {
        let previous = self.read(|state| Ok(Previous::of_subject(state, subject, config, &compiled.content)))?;
        let inputs = Inputs::new(config, compiled, &previous);
        if let Some(before) = before.filter(|before| before.inputs == inputs) {
            return Ok(before);
        }
        let messages = self.differences(config, compiled, &previous)?;
        Ok(Comparison { inputs, messages })
    }

    fn differences(
        &self,
        config: &Config,
        compiled: &CompiledSubmission,
        previous: &Previous,
    ) -> Result<Vec<String>, Error> {
        let level = config.level();
        let mut messages = reserved::conflicts(config, compiled, previous.latest.as_ref());
        let policy = match config.compatibility_policy {
            Some(CompatibilityPolicy::Lenient) => postern_schema::Policy::Lenient,
            // The further checks of LOGICAL are those of table formats, which are not implemented.
            Some(CompatibilityPolicy::Strict | CompatibilityPolicy::Logical) | None => postern_schema::Policy::Strict,
        };
        for stored in &previous.compared {
            let differences = if stored.content.kind() == compiled.content.kind() {
                let old = self.compiled(stored)?;
                let length = stored.content.text().len() + compiled.content.text().len();
                off_the_workers(length, || between(level, policy, &compiled.schema, stored, &old))
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

/// The versions that a new schema is compared with.
struct Previous {
    /// The latest live version, for the reserved fields.
    latest: Option<StoredSchema>,
    /// Newest first: the latest or, at a transitive level, all; only those of the schema's compatibility group.
    compared: Vec<StoredSchema>,
}

impl Previous {
    fn of_subject(state: &State, subject: &Subject, config: &Config, content: &SchemaContent) -> Previous {
        let live = state.versions(subject, Visible::Live).rev();
        Previous { latest: state.latest(subject), compared: chosen(live, config, content) }
    }

    fn of_version(stored: Option<StoredSchema>, config: &Config, content: &SchemaContent) -> Previous {
        Previous { latest: stored.clone(), compared: chosen(stored.into_iter(), config, content) }
    }
}

/// Those of `versions`, newest first, that the level and the compatibility group ask for.
fn chosen(versions: impl Iterator<Item = StoredSchema>, config: &Config, content: &SchemaContent) -> Vec<StoredSchema> {
    let level = config.level();
    let limit = match (level, level.is_transitive()) {
        (CompatibilityLevel::None, _) => 0,
        (_, true) => usize::MAX,
        (_, false) => 1,
    };
    let group = |content: &SchemaContent| {
        let name = config.compatibility_group.as_deref()?;
        content.metadata()?.property(name).map(str::to_owned)
    };
    let own = group(content);
    versions.filter(|stored| group(&stored.content) == own).take(limit).collect()
}

/// What a comparison found, and what it depended on.
pub(crate) struct Comparison {
    inputs: Inputs,
    /// What differs, and from which version; empty: compatible.
    pub(crate) messages: Vec<String>,
}

#[derive(PartialEq)]
struct Inputs {
    config: Config,
    content: Guid,
    latest: Option<(u32, Guid)>,
    compared: Vec<(u32, Guid)>,
}

impl Inputs {
    fn new(config: &Config, compiled: &CompiledSubmission, previous: &Previous) -> Inputs {
        let version = |stored: &StoredSchema| (stored.version, stored.content.guid());
        Inputs {
            config: config.clone(),
            content: compiled.content.guid(),
            latest: previous.latest.as_ref().map(version),
            compared: previous.compared.iter().map(version).collect(),
        }
    }
}

/// What differs between a new schema and one stored version. Where both ways are checked, "the old reads the new" comes first.
fn between(
    level: CompatibilityLevel,
    policy: postern_schema::Policy,
    new: &Schema,
    stored: &StoredSchema,
    old: &Schema,
) -> Vec<String> {
    let mut messages = Vec::new();
    if level.is_forward() {
        messages.extend(old.cannot_read_with(new, policy).iter().map(|difference| difference.message("old", "new")));
    }
    let backward = if level.is_backward() { new.cannot_read_with(old, policy) } else { Vec::new() };
    let names_old = if level.is_backward() { !backward.is_empty() } else { !messages.is_empty() };
    messages.extend(backward.iter().map(|difference| difference.message("new", "old")));
    if names_old {
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
