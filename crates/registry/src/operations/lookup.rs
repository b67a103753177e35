//! Looking a schema up in a subject: by its identity, else by equivalence.
//!
//! Source: docs/reference/schema-registry.md §6.3, §6.4.

use postern_schema::Strictness;

use crate::model::config::Config;
use crate::model::content::{SchemaContent, SchemaReference};
use crate::model::error::Error;
use crate::model::metadata::{Metadata, VERSION_PROPERTY};
use crate::model::names::Subject;
use crate::model::stored::{StoredSchema, Visible};
use crate::model::submission::SchemaSubmission;
use crate::operations::compile::CompiledSubmission;
use crate::operations::register::with_configured_metadata;
use crate::registry::Registry;
use crate::state::State;

/// A version that was looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct LookupMatch {
    /// The version.
    pub stored: StoredSchema,
    /// It has the very content, not an equivalent one.
    pub is_identical: bool,
}

impl Registry {
    /// The version of `subject` that is this schema. An unqualified subject is looked for in all contexts, the default one first.
    ///
    /// # Errors
    /// `SubjectNotFound`, `SchemaNotFound`, or what is wrong with the schema.
    pub fn lookup(
        &self,
        subject: &Subject,
        submission: &SchemaSubmission,
        normalize: bool,
        deleted: bool,
    ) -> Result<LookupMatch, Error> {
        let visible = if deleted { Visible::All } else { Visible::Live };
        let (candidates, is_there) =
            self.read(|state| Ok((state.namesakes(subject, visible), state.has(subject, visible))))?;
        // An invalid schema is refused whether or not there is a subject to look in.
        for place in if candidates.is_empty() { std::slice::from_ref(subject) } else { &candidates[..] } {
            let config = self.read(|state| Ok(state.effective_config(place)))?;
            let normalize = normalize || config.normalize.unwrap_or(false);
            let compiled = match self.compile_submission(place, submission, normalize, Strictness::Stored, Visible::All)
            {
                Err(Error::EmptySchema) => break,
                compiled => compiled?,
            };
            if let Some(found) = self.find(place, &compiled, visible, false, &config)? {
                return Ok(found);
            }
        }
        Err(if is_there { Error::SchemaNotFound } else { Error::SubjectNotFound(subject.clone()) })
    }

    /// The version of exactly this subject that is this schema. `latest_only`: only the latest live version is looked at.
    pub(crate) fn find(
        &self,
        subject: &Subject,
        compiled: &CompiledSubmission,
        visible: Visible,
        latest_only: bool,
        config: &Config,
    ) -> Result<Option<LookupMatch>, Error> {
        let (latest, mut candidates) = self
            .read(|state| Ok((state.latest(subject), state.similar_versions(subject, &compiled.content, visible))))?;
        let latest_number = latest.as_ref().map(|latest| latest.version);
        candidates.retain(|stored| !latest_only || Some(stored.version) == latest_number);
        if let Some(found) = self.first_match(compiled, &compiled.content, &candidates)? {
            return Ok(Some(found));
        }
        // The second pass looks for what a registration would make of the schema: with the configured metadata and, where none is
        // given, that of the latest version.
        let content = &compiled.content;
        let latest = latest.as_ref().map(|latest| &latest.content);
        let given = content.metadata().or_else(|| latest.and_then(|latest| latest.metadata()));
        let metadata = with_configured_metadata(config, given);
        let rule_set = content.rule_set().or_else(|| latest.and_then(|latest| latest.rule_set()));
        if metadata.as_ref() == content.metadata() && rule_set == content.rule_set() {
            return Ok(None);
        }
        let references = content.references().to_vec();
        let completed = SchemaContent::new(content.kind(), content.text(), references, metadata, rule_set.cloned());
        self.first_match(compiled, &completed, &candidates)
    }

    /// The first candidate with this very content, or else the first equivalent one.
    fn first_match(
        &self,
        compiled: &CompiledSubmission,
        content: &SchemaContent,
        candidates: &[StoredSchema],
    ) -> Result<Option<LookupMatch>, Error> {
        if let Some(stored) = candidates.iter().find(|stored| stored.content.is_same(content)) {
            return Ok(Some(LookupMatch { stored: stored.clone(), is_identical: true }));
        }
        for stored in candidates {
            if self.is_equivalent(compiled, content, stored)? {
                return Ok(Some(LookupMatch { stored: stored.clone(), is_identical: false }));
            }
        }
        Ok(None)
    }

    /// Whether a stored version is equivalent to a submitted schema (§6.3). `content` is that of `compiled`, perhaps with other
    /// metadata.
    pub(crate) fn is_equivalent(
        &self,
        compiled: &CompiledSubmission,
        content: &SchemaContent,
        stored: &StoredSchema,
    ) -> Result<bool, Error> {
        if stored.content.kind() != content.kind() || stored.content.rule_set() != content.rule_set() {
            return Ok(false);
        }
        let same_references = self.read(|state| {
            Ok(same_references(state, &stored.subject, content.references(), stored.content.references()))
        })?;
        let is_inlined = content.references().is_empty() && !stored.content.references().is_empty();
        let may_be_equal = same_references && stored.content.fingerprint() == content.fingerprint();
        if !is_inlined && !may_be_equal {
            return Ok(false);
        }
        let other = stored.content.metadata();
        let same_metadata = if is_inlined {
            without_version(content.metadata()) == without_version(other)
        } else {
            same_metadata(content.metadata(), other, stored.version)
        };
        if !same_metadata {
            return Ok(false);
        }
        match self.compiled(stored) {
            Ok(schema) => Ok(schema.equivalent(&compiled.schema)),
            // A stored schema that is not valid any more is equivalent to nothing.
            Err(
                Error::InvalidSchema { .. }
                | Error::InvalidReference(_)
                | Error::ReferenceNotFound { .. }
                | Error::NotBuilt(_),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether the references are the same, -1 standing for the latest version there is.
fn same_references(state: &State, subject: &Subject, one: &[SchemaReference], other: &[SchemaReference]) -> bool {
    let pinned = |reference: &SchemaReference| match reference.version {
        -1 => state.latest(&subject.sibling(&reference.subject)).and_then(|latest| i32::try_from(latest.version).ok()),
        version => Some(version),
    };
    let is_same = |(one, other): (&SchemaReference, &SchemaReference)| {
        one.name == other.name
            && subject.sibling(&one.subject) == subject.sibling(&other.subject)
            && pinned(one) == pinned(other)
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// The version property counts only where the new schema has one: it must be that of the stored one, or its version.
fn same_metadata(new: Option<&Metadata>, stored: Option<&Metadata>, version: u32) -> bool {
    let property = |metadata: Option<&Metadata>| {
        metadata.and_then(|metadata| metadata.property(VERSION_PROPERTY)).map(str::to_owned)
    };
    match (property(new), property(stored)) {
        (None, None) => new == stored,
        (None, Some(_)) => without_version(new) == without_version(stored),
        (Some(asked), None) => asked == version.to_string() && without_version(new) == without_version(stored),
        (Some(_), Some(_)) => new == stored,
    }
}

fn without_version(metadata: Option<&Metadata>) -> Option<Metadata> {
    metadata.and_then(Metadata::without_version)
}
