//! Looking a schema up in a subject: by its identity, else by what it means.
//!
//! Source: docs/reference/schema-registry.md §6.3, §6.4.

use postern_schema::Strictness;

use crate::compile::{Draft, Prepared};
use crate::metadata::VERSION_PROPERTY;
use crate::state::Visible;
use crate::state::{State, Stored};
use crate::{Content, Error, Metadata, Reference, Registry, Subject};

/// A version that was looked up.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The version.
    pub stored: Stored,
    /// It is the very content, not another spelling with the same meaning.
    pub is_identical: bool,
}

impl Registry {
    /// The version of `subject` that is this schema. An unqualified subject is sought in all contexts, the default one first.
    pub fn lookup(&self, subject: &Subject, draft: &Draft, normalize: bool, deleted: bool) -> Result<Found, Error> {
        let visible = if deleted { Visible::All } else { Visible::Live };
        let (places, is_there) =
            self.read(|state| Ok((state.places(subject, visible), state.has(subject, visible))))?;
        // What is no schema is told so, whether or not there is a place to look for it.
        for place in if places.is_empty() { std::slice::from_ref(subject) } else { &places[..] } {
            let normalize =
                normalize || self.read(|state| Ok(state.config_in_force(place)))?.normalize.unwrap_or(false);
            let prepared = match self.prepare(place, draft, normalize, Strictness::Stored, Visible::All) {
                Err(Error::EmptySchema) => break,
                prepared => prepared?,
            };
            if let Some(found) = self.find(place, &prepared, visible, false)? {
                return Ok(found);
            }
        }
        Err(if is_there { Error::SchemaNotFound } else { Error::SubjectNotFound(subject.clone()) })
    }

    /// The version of exactly this subject that is this schema. `latest_only`: only the newest live one may be.
    pub(crate) fn find(
        &self,
        subject: &Subject,
        prepared: &Prepared,
        visible: Visible,
        latest_only: bool,
    ) -> Result<Option<Found>, Error> {
        let latest = self.read(|state| Ok(state.latest(subject)))?;
        let counts =
            |stored: &Stored| !latest_only || latest.as_ref().is_some_and(|latest| latest.version == stored.version);
        let identical = self.read(|state| Ok(state.carrying(subject, &prepared.content, visible)))?;
        if let Some(stored) = identical.filter(counts) {
            return Ok(Some(Found { stored, is_identical: true }));
        }
        let versions: Vec<Stored> =
            self.read(|state| Ok(state.versions(subject, visible).rev().filter(counts).collect()))?;
        for stored in &versions {
            if self.means(prepared, &prepared.content, stored)? {
                return Ok(Some(Found { stored: stored.clone(), is_identical: false }));
            }
        }
        // Metadata that is not given is taken to be that of the latest version.
        let content = &prepared.content;
        let Some(metadata) = latest.as_ref().and_then(|latest| latest.content.metadata()) else {
            return Ok(None);
        };
        if content.metadata().is_some() || content.rule_set().is_some() {
            return Ok(None);
        }
        let assumed =
            Content::new(content.kind(), content.text(), content.references().to_vec(), Some(metadata.clone()), None);
        let identical = self.read(|state| Ok(state.carrying(subject, &assumed, visible)))?;
        if let Some(stored) = identical.filter(counts) {
            return Ok(Some(Found { stored, is_identical: true }));
        }
        for stored in versions {
            if self.means(prepared, &assumed, &stored)? {
                return Ok(Some(Found { stored, is_identical: false }));
            }
        }
        Ok(None)
    }

    /// Whether a stored version means the same as a submitted schema (docs/reference/schema-registry.md §6.3). `content` is that of
    /// `prepared`, perhaps with other metadata.
    pub(crate) fn means(&self, prepared: &Prepared, content: &Content, stored: &Stored) -> Result<bool, Error> {
        if stored.content.kind() != content.kind() || stored.content.rule_set() != content.rule_set() {
            return Ok(false);
        }
        let same_references = self.read(|state| {
            Ok(same_references(state, &stored.subject, content.references(), stored.content.references()))
        })?;
        let is_inlined = content.references().is_empty() && !stored.content.references().is_empty();
        // With the same references, texts of another length cannot differ by the order of attributes alone.
        let may_be_equal = same_references && stored.content.text().len() == content.text().len();
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
            Ok(schema) => Ok(schema.equivalent(&prepared.schema)),
            // What cannot be read any more is equal to nothing.
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

impl State {
    /// Where an unqualified subject may be meant: in the default context, or else in each that has it. Only those with
    /// versions that count.
    pub(crate) fn places(&self, subject: &Subject, visible: Visible) -> Vec<Subject> {
        let candidates: Vec<Subject> = match subject.is_unqualified() {
            true => self.contexts().map(|context| subject.in_context(context)).collect(),
            false => vec![subject.clone()],
        };
        candidates.into_iter().filter(|place| self.has(place, visible)).collect()
    }

    /// The newest version of a subject with this very content.
    pub(crate) fn carrying(&self, subject: &Subject, content: &Content, visible: Visible) -> Option<Stored> {
        if self.ids_of(subject.context(), content.guid()).is_empty() {
            return None;
        }
        self.versions(subject, visible)
            .rev()
            .find(|stored| stored.content.guid() == content.guid() && stored.content.kind() == content.kind())
    }
}

/// The same references, -1 meaning the latest version there is.
fn same_references(state: &State, subject: &Subject, one: &[Reference], other: &[Reference]) -> bool {
    let fixed = |reference: &Reference| match reference.version {
        -1 => state.latest(&subject.sibling(&reference.subject)).and_then(|latest| i32::try_from(latest.version).ok()),
        version => Some(version),
    };
    let is_same = |(one, other): (&Reference, &Reference)| {
        one.name == other.name
            && subject.sibling(&one.subject) == subject.sibling(&other.subject)
            && fixed(one) == fixed(other)
    };
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

/// The version property counts only where the new schema brings one: then it must be what the stored one has, or is.
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
