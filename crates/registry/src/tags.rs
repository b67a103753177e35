//! Tags inside schemas: found, added and removed. A schema with other tags is another schema, so a change makes a new version.
//!
//! They are an attribute, `confluent:tags`, on the records and fields of an Avro or JSON schema, and options in Protobuf. What can be tagged,
//! and by which path, is each format's own (`tags/avro.rs`, `tags/json.rs`, `schema` for Protobuf).
//!
//! Source: docs/reference/schema-registry.md §4.3, §4.3.1.

mod avro;
mod json;

use std::collections::HashMap;

use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::{Map, Value};

use crate::compile::{Draft, compile};
use crate::register::{RegisterOptions, Registered};
use crate::state::Visible;
use crate::{Content, Error, Metadata, Reference, Registry, Subject, VersionRef};

/// The attribute.
const ATTRIBUTE: &str = "confluent:tags";

/// Something in a schema, and its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// `Rec.field`; for JSON `object.field`.
    pub path: String,
    /// Record or field.
    pub part: Part,
    /// In the order they stand in the schema.
    pub tags: Vec<String>,
}

/// What can be tagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A record, an object, a message.
    Record,
    /// One of its fields.
    Field,
}

impl Part {
    /// As in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Part::Record => "sr_record",
            Part::Field => "sr_field",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<Part> {
        [Part::Record, Part::Field].into_iter().find(|part| part.name() == name)
    }
}

/// How the tags of a schema are to change: first what is taken over, then what goes, then what comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// To be there afterwards.
    pub add: Vec<Tagged>,
    /// To be gone afterwards.
    pub remove: Vec<Tagged>,
    /// Tags of the latest version that the new text has a place for are taken over.
    pub propagate: bool,
}

/// A new version made from an old one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// Its number; `None`: the next.
    pub version: Option<i32>,
    /// How its tags differ.
    pub tags: TagChanges,
    /// Its metadata; `None`: that of the old one.
    pub metadata: Option<Metadata>,
}

// === The verbs ===

impl Registry {
    /// Registers a schema after changing its tags.
    ///
    /// # Errors
    /// As [`Registry::register`]; `InvalidTags` where a path fits nothing.
    pub async fn register_tagged(
        &self,
        subject: &Subject,
        mut draft: Draft,
        changes: TagChanges,
        options: RegisterOptions,
    ) -> Result<Registered, Error> {
        if !subject.is_valid() {
            return Err(Error::InvalidSubject(subject.clone()));
        }
        let is_change = !changes.add.is_empty() || !changes.remove.is_empty();
        let latest = self.read(|state| Ok(state.latest(subject)))?;
        if draft.text.trim().is_empty() {
            let latest = latest.as_ref().ok_or(Error::EmptySchema)?;
            take_text(&mut draft, &latest.content);
        }
        // Read first: what is no schema is told so, and tags are then put into a text of known form.
        let prepared = self.prepare(subject, &draft, false, Strictness::Stored, Visible::All)?;
        draft.text = prepared.content.text().to_owned();
        let latest = latest.filter(|latest| changes.propagate && latest.content.kind() == draft.kind);
        let known = latest.map(|latest| self.tags(&latest.content)).transpose()?.unwrap_or_default();
        draft.text = Places::read(draft.kind, &draft.text)?.changed(&known, &changes)?;
        // With tags that are only taken over it may be there already.
        if !is_change {
            return self.register(subject, draft, options).await;
        }
        if draft.version == 0 {
            // The next version, and marked as such.
            draft.version = -1;
        }
        self.register_anew(subject, draft, options).await
    }

    /// Registers a new version that differs from an old one as `derived` says.
    ///
    /// # Errors
    /// As [`Registry::register_tagged`]; `SubjectNotFound` and `VersionNotFound` for the old one.
    pub async fn derive(
        &self,
        subject: &Subject,
        version: VersionRef,
        derived: Derived,
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
        let mut draft = Draft::new(base.content.kind(), "");
        take_text(&mut draft, &base.content);
        draft.text = Places::read(draft.kind, &draft.text)?.changed(&[], &derived.tags)?;
        draft.metadata = derived.metadata.or_else(|| base.content.metadata().cloned());
        draft.version = derived.version.unwrap_or(-1);
        self.register_anew(subject, draft, options).await
    }

    /// All tags of a schema, in the order of its text.
    ///
    /// # Errors
    /// The text cannot be read any more.
    pub fn tags(&self, content: &Content) -> Result<Vec<Tagged>, Error> {
        Ok(Places::read(content.kind(), content.text())?.tagged())
    }
}

fn take_text(draft: &mut Draft, content: &Content) {
    draft.kind = content.kind();
    draft.text = content.text().to_owned();
    draft.references = Vec::<Reference>::from(content.references());
}

// === Places ===

/// A schema whose taggable places can be visited.
enum Places {
    /// Tags are attributes.
    Attributes { document: Value, walk: fn(&mut Value, &mut Visit<'_>) },
    /// Tags are options.
    Options(Schema),
}

/// What is done at every place, with its tags.
type Visit<'a> = dyn FnMut(&Place, &mut Vec<String>) + 'a;

/// A place that can have tags.
struct Place {
    /// As it is printed.
    path: String,
    /// What it may be called as well.
    other: Option<String>,
    part: Part,
}

impl Place {
    fn is(&self, tagged: &Tagged) -> bool {
        let is_called = self.path == tagged.path || self.other.as_ref() == Some(&tagged.path);
        // A place with two names is a field by one of them and a record by the other.
        is_called && (self.part == tagged.part || self.other.is_some())
    }
}

/// One change, and whether a place for it was found.
struct Change<'a> {
    tagged: &'a Tagged,
    comes: bool,
    fits: bool,
}

impl Places {
    fn read(kind: SchemaKind, text: &str) -> Result<Places, Error> {
        let walk = match kind {
            SchemaKind::Avro => avro::walk,
            SchemaKind::Json => json::walk,
            SchemaKind::Protobuf => return Ok(Places::Options(compile(kind, text, &[], Strictness::Stored)?)),
        };
        let document = serde_json::from_str(text)
            .map_err(|error| Error::InvalidTags(format!("tags cannot be put into this schema: {error}")))?;
        Ok(Places::Attributes { document, walk })
    }

    /// Visits all places; the text afterwards.
    fn walk(self, visit: &mut Visit<'_>) -> String {
        match self {
            Places::Attributes { mut document, walk } => {
                walk(&mut document, visit);
                document.to_string()
            }
            Places::Options(schema) => {
                let text = schema.retagged(&mut |path, is_field, tags| {
                    let part = if is_field { Part::Field } else { Part::Record };
                    visit(&Place { path: path.to_owned(), other: None, part }, tags);
                });
                text.expect("it was compiled as Protobuf")
            }
        }
    }

    fn tagged(self) -> Vec<Tagged> {
        let mut all = Vec::new();
        self.walk(&mut |place, tags| {
            if !tags.is_empty() {
                all.push(Tagged { path: place.path.clone(), part: place.part, tags: tags.clone() });
            }
        });
        all
    }

    /// The text with `known` tags taken over where there is a place for them, and then changed. Every path of the changes must fit.
    fn changed(self, known: &[Tagged], changes: &TagChanges) -> Result<String, Error> {
        let change = |comes| move |tagged| Change { tagged, comes, fits: false };
        let asked = changes.remove.iter().map(change(false)).chain(changes.add.iter().map(change(true)));
        let mut all: Vec<Change<'_>> = known.iter().map(change(true)).chain(asked).collect();
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
            Some(Change { tagged, .. }) => {
                let part = tagged.part.name();
                Err(Error::InvalidTags(format!("the schema has no {part} \"{}\"", tagged.path)))
            }
        }
    }
}

impl Change<'_> {
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

/// Visits one place whose tags are an attribute of `members`.
fn visit_attribute(place: &Place, members: &mut Map<String, Value>, visit: &mut Visit<'_>) {
    let before = tags_of(members);
    let mut tags = before.clone();
    visit(place, &mut tags);
    if tags == before {
        return;
    }
    match tags.is_empty() {
        true => members.shift_remove(ATTRIBUTE),
        false => members.insert(ATTRIBUTE.to_owned(), tags.into()),
    };
}

fn tags_of(members: &Map<String, Value>) -> Vec<String> {
    let tags = members.get(ATTRIBUTE).and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
