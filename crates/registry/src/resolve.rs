//! From the schema a producer names to what its records are written with. Nearly always from a cache.
//!
//! The cache is part of the state: the fold drops a subject's entries while nobody else sees the state, and an entry is only
//! kept if the state still says so. So a text that was met needs no look at the registry, and yet a deleted subject is
//! noticed at once.
//!
//! Source: docs/reference/rest-v2.md §5.3, §5.4.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use postern_schema::SchemaKind;
use tokio::time::timeout;

use crate::cache::Cache;
use crate::compile::Draft;
use crate::content::kind_name;
use crate::register::RegisterOptions;
use crate::state::{State, Stored, Visible};
use crate::{Error, Registry, SchemaId, Subject, VersionRef, Writer};

/// Entries kept, and the bytes of texts in them. Texts of many producers, not of many records.
const RESOLVED_MAX: (usize, usize) = (16_384, 64 << 20);

/// Which schema a client chose, decided once at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaRef<'a> {
    /// By its id; it must be registered under the subject.
    Id(SchemaId),
    /// By a version of a subject.
    Version {
        /// The subject.
        subject: &'a Subject,
        /// Its version.
        version: u32,
    },
    /// The newest version of a subject.
    Latest {
        /// The subject.
        subject: &'a Subject,
    },
    /// By its text; registered where it is not known.
    Inline {
        /// In which language.
        kind: SchemaKind,
        /// The text.
        text: &'a str,
    },
}

/// Why a schema could not be had for a produce.
#[derive(Clone, Debug)]
pub enum ResolveError {
    /// The text cannot be read as a schema. One that can be, and says something unlawful, is the registry's to refuse.
    InvalidSchema {
        /// As what it was read.
        kind: SchemaKind,
        /// What is wrong.
        message: String,
    },
    /// The id is of another format than the request's.
    WrongKind {
        /// The id.
        id: SchemaId,
        /// What it names.
        found: SchemaKind,
        /// What the request is for.
        expected: SchemaKind,
    },
    /// The registry refused, or did not answer.
    Refused {
        /// What was tried, as a sentence.
        step: String,
        /// Its reason.
        error: Error,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::InvalidSchema { kind, message } => {
                write!(f, "Invalid schema: this is no {} schema: {message}", kind_name(*kind))
            }
            ResolveError::WrongKind { id, found, expected } => {
                write!(
                    f,
                    "The schema with id {id} is of type {}, and the request is for {}.",
                    kind_name(*found),
                    kind_name(*expected)
                )
            }
            ResolveError::Refused { step, error } => write!(f, "{step}: {error}"),
        }
    }
}

impl std::error::Error for ResolveError {}

// === The cache ===

/// What was resolved, by a hash of subject and schema.
#[derive(Debug)]
pub(crate) struct Resolved {
    entries: Cache<u64, Entry>,
    /// The hashes of each subject that entries depend on.
    subjects: HashMap<Subject, Vec<u64>>,
    hasher: foldhash::fast::RandomState,
}

#[derive(Debug)]
struct Entry {
    subject: Subject,
    schema: OwnedRef,
    writer: Arc<Writer>,
    /// The subject whose changes end this entry.
    depends_on: Subject,
}

/// A [`SchemaRef`] to be kept.
#[derive(Debug)]
pub(crate) enum OwnedRef {
    Id(SchemaId),
    Version(Subject, u32),
    Latest(Subject),
    Inline(SchemaKind, Box<str>),
}

impl OwnedRef {
    /// And the bytes of the text in it.
    pub(crate) fn of(schema: &SchemaRef<'_>) -> (OwnedRef, usize) {
        match *schema {
            SchemaRef::Id(id) => (OwnedRef::Id(id), 0),
            SchemaRef::Version { subject, version } => (OwnedRef::Version(subject.clone(), version), 0),
            SchemaRef::Latest { subject } => (OwnedRef::Latest(subject.clone()), 0),
            SchemaRef::Inline { kind, text } => (OwnedRef::Inline(kind, text.into()), text.len()),
        }
    }

    pub(crate) fn is(&self, schema: &SchemaRef<'_>) -> bool {
        match (self, schema) {
            (OwnedRef::Id(own), SchemaRef::Id(id)) => own == id,
            (OwnedRef::Version(own, number), SchemaRef::Version { subject, version }) => {
                own == *subject && number == version
            }
            (OwnedRef::Latest(own), SchemaRef::Latest { subject }) => own == *subject,
            (OwnedRef::Inline(own, own_text), SchemaRef::Inline { kind, text }) => own == kind && **own_text == **text,
            (OwnedRef::Id(_) | OwnedRef::Version(..) | OwnedRef::Latest(_) | OwnedRef::Inline(..), _) => false,
        }
    }
}

impl Default for Resolved {
    fn default() -> Resolved {
        let (entries, bytes) = RESOLVED_MAX;
        Resolved {
            entries: Cache::new(entries, bytes),
            subjects: HashMap::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl Resolved {
    fn get(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<Writer>> {
        let entry = self.entries.get(&self.hasher.hash_one((subject, schema)))?;
        (entry.subject == *subject && entry.schema.is(schema)).then(|| entry.writer.clone())
    }

    fn insert(&mut self, subject: &Subject, schema: &SchemaRef<'_>, depends_on: Subject, writer: Arc<Writer>) {
        let hash = self.hasher.hash_one((subject, schema));
        let (owned, text) = OwnedRef::of(schema);
        let bytes = text + subject.as_str().len() + 256;
        let entry = Entry { subject: subject.clone(), schema: owned, writer, depends_on: depends_on.clone() };
        self.subjects.entry(depends_on).or_default().push(hash);
        for (gone, entry) in self.entries.insert(hash, entry, bytes) {
            self.unlist(&entry.depends_on, gone);
        }
    }

    /// The subject changed: nothing that depends on it counts any more.
    pub(crate) fn forget(&mut self, subject: &Subject) {
        for hash in self.subjects.remove(subject).unwrap_or_default() {
            self.entries.remove(&hash);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.subjects.clear();
    }

    fn unlist(&mut self, subject: &Subject, hash: u64) {
        if let Some(hashes) = self.subjects.get_mut(subject) {
            if let Some(at) = hashes.iter().position(|other| *other == hash) {
                hashes.swap_remove(at);
            }
            if hashes.is_empty() {
                self.subjects.remove(subject);
            }
        }
    }
}

// === The verbs ===

impl Registry {
    /// The hot path: what was resolved before. No await, no parsing, no allocation; one hash of the text.
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<Writer>> {
        self.core().resolved.read().get(subject, schema)
    }

    /// What records under `subject` are written with. An id must be registered under the subject; a text is looked up there,
    /// and registered where it is not found. Waits for the fold to catch up, as long as a write may take.
    ///
    /// # Errors
    /// The registry's refusal, with what was tried. Dropping the future may leave the schema registered.
    pub async fn resolve(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<Arc<Writer>, ResolveError> {
        if let Some(writer) = self.resolved(subject, schema) {
            return Ok(writer);
        }
        // A producer that comes right after the start has its records in hand already: it waits rather than comes again.
        let _ = timeout(self.core().settings.write_timeout, self.ready()).await;
        let stored = match *schema {
            SchemaRef::Id(id) => self.by_id(subject, id)?,
            SchemaRef::Version { subject, version } => self.by_version(subject, VersionRef::Number(version))?,
            SchemaRef::Latest { subject } => self.by_version(subject, VersionRef::Latest)?,
            SchemaRef::Inline { kind, text } => self.by_text(subject, kind, text).await?,
        };
        let compiled = self.compiled(&stored).map_err(|error| ResolveError::Refused {
            step: format!("Error when reading the stored schema with id {}", stored.id),
            error,
        })?;
        let writer = Arc::new(Writer { id: stored.id, kind: stored.content.kind(), schema: compiled });
        let core = self.core();
        let state = core.state.read();
        if still_holds(&state, schema, &stored) {
            core.resolved.write().insert(subject, schema, stored.subject, writer.clone());
        }
        Ok(writer)
    }

    fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<Stored, ResolveError> {
        let refused = |step: String, error| ResolveError::Refused { step, error };
        let (content, holder) = self
            .read(|state| {
                let content = state.content(subject.context(), id).cloned().ok_or(Error::IdNotFound(id))?;
                Ok((content, state.versions(subject, Visible::Live).rev().find(|stored| stored.id == id)))
            })
            .map_err(|error| refused(fetching_id(id), error))?;
        holder.ok_or_else(|| refused(fetching_text(subject, content.text()), Error::SchemaNotFound))
    }

    fn by_version(&self, subject: &Subject, version: VersionRef) -> Result<Stored, ResolveError> {
        self.version(subject, version, false)
            .map_err(|error| ResolveError::Refused { step: fetching_version(subject, version), error })
    }

    async fn by_text(&self, subject: &Subject, kind: SchemaKind, text: &str) -> Result<Stored, ResolveError> {
        let draft = Draft::new(kind, text);
        let error = match self.register(subject, draft, RegisterOptions::default()).await {
            Ok(registered) => return Ok(registered.stored),
            Err(error) => error,
        };
        Err(invalid(subject, kind, text, error))
    }
}

/// Why a producer's text was not taken.
pub(crate) fn invalid(subject: &Subject, kind: SchemaKind, text: &str, error: Error) -> ResolveError {
    match error {
        Error::InvalidSchema { kind, message, is_syntax: true } => ResolveError::InvalidSchema { kind, message },
        Error::EmptySchema => ResolveError::InvalidSchema { kind, message: "the text is empty".to_owned() },
        error => ResolveError::Refused { step: registering(kind, subject, text), error },
    }
}

// === What was tried, as clients of the proxy know it (docs/reference/rest-v2.md §5.4) ===

pub(crate) fn fetching_id(id: SchemaId) -> String {
    format!("Error when fetching schema by id. schemaId = {id}")
}

pub(crate) fn fetching_version(subject: &Subject, version: VersionRef) -> String {
    format!("Error when fetching schema version. subject = {subject}, version = {version}")
}

pub(crate) fn fetching_text(subject: &Subject, text: &str) -> String {
    format!("Error when fetching schema version. subject = {subject}, schema = {text}")
}

fn registering(kind: SchemaKind, subject: &Subject, text: &str) -> String {
    format!("Error when registering schema. format = {}, subject = {subject}, schema = {text}", kind_name(kind))
}

/// Whether what was found a moment ago is still what the schema means.
fn still_holds(state: &State, schema: &SchemaRef<'_>, stored: &Stored) -> bool {
    let is_there =
        || state.version(&stored.subject, stored.version).is_some_and(|now| !now.deleted && now.id == stored.id);
    match schema {
        SchemaRef::Id(_) | SchemaRef::Version { .. } | SchemaRef::Inline { .. } => is_there(),
        SchemaRef::Latest { .. } => {
            state.latest(&stored.subject).is_some_and(|latest| latest.version == stored.version) && is_there()
        }
    }
}
