//! Tags inside schemas: found, added and removed. A schema with other tags is another schema, so a change makes a new version.
//!
//! They are an attribute, `confluent:tags`, on the records and fields of an Avro or JSON schema, and options in Protobuf. What can be tagged,
//! and by which path, is each format's own (`tags/avro.rs`, `tags/json.rs`, `schema` for Protobuf).
//!
//! Source: docs/reference/schema-registry.md §4.3, §4.3.1.

mod avro;
mod json;
mod target;

use std::collections::HashMap;

use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::Value;

use crate::model::content::{SchemaContent, SchemaReference};
use crate::model::error::Error;
use crate::model::metadata::Metadata;
use crate::model::names::{Subject, VersionRef};
use crate::model::stored::Visible;
use crate::model::submission::SchemaSubmission;
use crate::operations::compile::compile;
use crate::operations::register::{RegisterOptions, Registered};
use crate::operations::tags::target::{TagTarget, Visit};
use crate::registry::Registry;

pub use target::{EntityTags, EntityType};

/// How the tags of a schema are to change: first what is taken over, then what goes, then what comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// To be there afterwards.
    pub add: Vec<EntityTags>,
    /// To be gone afterwards.
    pub remove: Vec<EntityTags>,
    /// Tags of the latest version that the new text has a place for are taken over.
    pub propagate: bool,
}

/// A new version made from an old one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DerivedVersion {
    /// Its number; `None`: the next.
    pub version: Option<i32>,
    /// How its tags differ.
    pub tags: TagChanges,
    /// Its metadata; `None`: that of the old one.
    pub metadata: Option<Metadata>,
}

// === Operations ===

impl Registry {
    /// Registers a schema after changing its tags. Dropping the future leaves it open whether it is registered.
    ///
    /// # Errors
    /// As [`Registry::register`]; `InvalidTags` where a path fits nothing.
    pub async fn register_tagged(
        &self,
        subject: &Subject,
        mut submission: SchemaSubmission,
        changes: TagChanges,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        if !subject.is_valid() {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        let is_change = !changes.add.is_empty() || !changes.remove.is_empty();
        let latest = self.read(|state| Ok(state.latest(subject)))?;
        if submission.text.trim().is_empty() {
            let latest = latest.as_ref().ok_or(Error::EmptySchema)?;
            take_text(&mut submission, &latest.content);
        }
        // Compiled first: an invalid schema is refused as such, and tags are then put into a text of known form.
        let prepared = self.compile_submission(subject, &submission, false, Strictness::Stored, Visible::All)?;
        submission.text = prepared.content.text().to_owned();
        let latest = latest.filter(|latest| changes.propagate && latest.content.kind() == submission.kind);
        let known = latest.map(|latest| self.tags(&latest.content)).transpose()?.unwrap_or_default();
        submission.text = TagTargets::read(submission.kind, &submission.text)?.changed(&known, &changes)?;
        // With tags that are only propagated it may be registered already.
        if !is_change {
            return self.register(subject, submission, options).await;
        }
        if submission.version == 0 {
            // The next version, and marked as such.
            submission.version = -1;
        }
        self.register_new(subject, submission, options).await
    }

    /// Registers a new version that differs from an old one as `derived` says. Dropping the future leaves it open whether it is
    /// registered.
    ///
    /// # Errors
    /// As [`Registry::register_tagged`]; `SubjectNotFound` and `VersionNotFound` for the old one.
    pub async fn derive(
        &self,
        subject: &Subject,
        version: VersionRef,
        derived: DerivedVersion,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        if !subject.is_valid() {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        // In exactly this subject, as everything that changes it.
        let base = self.read(|state| match (state.has(subject, Visible::Live), version) {
            (false, _) => Err(Error::SubjectNotFound(subject.clone())),
            (true, VersionRef::Latest) => Ok(state.latest(subject)),
            (true, VersionRef::Number(number)) => Ok(state.version(subject, number).filter(|stored| !stored.deleted)),
        })?;
        let base = base.ok_or(Error::VersionNotFound(version))?;
        let mut submission = SchemaSubmission::new(base.content.kind(), "");
        take_text(&mut submission, &base.content);
        submission.text = TagTargets::read(submission.kind, &submission.text)?.changed(&[], &derived.tags)?;
        submission.metadata = derived.metadata.or_else(|| base.content.metadata().cloned());
        submission.version = derived.version.unwrap_or(-1);
        self.register_new(subject, submission, options).await
    }

    /// All tags of a schema, in the order of its text.
    ///
    /// # Errors
    /// The text is not valid any more.
    pub fn tags(&self, content: &SchemaContent) -> Result<Vec<EntityTags>, Error> {
        Ok(TagTargets::read(content.kind(), content.text())?.tagged())
    }
}

fn take_text(submission: &mut SchemaSubmission, content: &SchemaContent) {
    submission.kind = content.kind();
    submission.text = content.text().to_owned();
    submission.references = Vec::<SchemaReference>::from(content.references());
}

// === Places that can be tagged ===

/// A schema whose taggable places can be visited.
enum TagTargets {
    /// Tags are attributes.
    Attributes { document: Value, walk: fn(&mut Value, &mut Visit<'_>) },
    /// Tags are options.
    Options(Schema),
}

/// One change, and whether a place for it was found.
struct TagEdit<'a> {
    tagged: &'a EntityTags,
    comes: bool,
    fits: bool,
}

impl TagTargets {
    fn read(kind: SchemaKind, text: &str) -> Result<TagTargets, Error> {
        let walk = match kind {
            SchemaKind::Avro => avro::walk,
            SchemaKind::Json => json::walk,
            SchemaKind::Protobuf => return Ok(TagTargets::Options(compile(kind, text, &[], Strictness::Stored)?)),
        };
        let document = serde_json::from_str(text)
            .map_err(|error| Error::InvalidTags(format!("tags cannot be put into this schema: {error}")))?;
        Ok(TagTargets::Attributes { document, walk })
    }

    /// Visits all places; the text afterwards.
    fn walk(self, visit: &mut Visit<'_>) -> String {
        match self {
            TagTargets::Attributes { mut document, walk } => {
                walk(&mut document, visit);
                document.to_string()
            }
            TagTargets::Options(schema) => {
                let text = schema.retagged(&mut |path, is_field, tags| {
                    let part = if is_field { EntityType::Field } else { EntityType::Record };
                    visit(&TagTarget { path: path.to_owned(), other: None, part }, tags);
                });
                text.expect("it was compiled as Protobuf")
            }
        }
    }

    fn tagged(self) -> Vec<EntityTags> {
        let mut all = Vec::new();
        self.walk(&mut |place, tags| {
            if !tags.is_empty() {
                all.push(EntityTags { path: place.path.clone(), part: place.part, tags: tags.clone() });
            }
        });
        all
    }

    /// The text with `known` tags taken over where there is a place for them, and then changed. Every path of the changes must fit.
    fn changed(self, known: &[EntityTags], changes: &TagChanges) -> Result<String, Error> {
        let change = |comes| move |tagged| TagEdit { tagged, comes, fits: false };
        let asked = changes.remove.iter().map(change(false)).chain(changes.add.iter().map(change(true)));
        let mut all: Vec<TagEdit<'_>> = known.iter().map(change(true)).chain(asked).collect();
        let mut by_path: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, change) in all.iter().enumerate() {
            by_path.entry(&change.tagged.path).or_default().push(at);
        }
        let text = self.walk(&mut |place, tags| {
            let names = [Some(&place.path), place.other.as_ref()];
            let mut here: Vec<usize> =
                names.into_iter().flatten().filter_map(|name| by_path.get(name.as_str())).flatten().copied().collect();
            here.sort_unstable();
            for at in here {
                let change = &mut all[at];
                if place.is(change.tagged) {
                    change.fits = true;
                    change.apply(tags);
                }
            }
        });
        match all[known.len()..].iter().find(|change| !change.fits) {
            None => Ok(text),
            Some(TagEdit { tagged, .. }) => {
                let part = tagged.part.name();
                Err(Error::InvalidTags(format!("the schema has no {part} \"{}\"", tagged.path)))
            }
        }
    }
}

impl TagEdit<'_> {
    fn apply(&self, tags: &mut Vec<String>) {
        for tag in &self.tagged.tags {
            match tags.iter().position(|other| other == tag) {
                Some(at) if !self.comes => drop(tags.remove(at)),
                None if self.comes => tags.push(tag.clone()),
                Some(_) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
