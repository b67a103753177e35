//! From a submitted text to a compiled schema and a content, and from a stored content back to a compiled schema.
//!
//! References are looked up in the state, transitively, and compiled first. Compiled forms are made on first use and kept
//! in bounded caches: they are several times the size of a text, and most stored schemas are never asked for.
//!
//! Source: docs/reference/schema-registry.md §5.1, §7.

use std::collections::HashMap;
use std::sync::Arc;

use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::cache::Cache;
use crate::error::Shown;
use crate::state::Visible;
use crate::state::{State, Stored};
use crate::{Content, Error, Guid, Metadata, Reference, Registry, SchemaId, Subject, VersionRef};

/// A reference chain longer than this is refused; so is one that bites its tail.
const REFERENCE_DEPTH_MAX: usize = 64;
/// So many references, all of one schema's references' references counted, are followed.
const REFERENCES_MAX: usize = 4096;
/// Compiled forms kept, and the texts they were made from in bytes.
const COMPILED_MAX: (usize, usize) = (4096, 32 << 20);

/// A schema as somebody hands it in.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Avro, JSON Schema or Protobuf.
    pub kind: SchemaKind,
    /// The text; empty: that of the latest version.
    pub text: String,
    /// The schemas it uses.
    pub references: Vec<Reference>,
    /// `None`: that of the latest version.
    pub metadata: Option<Metadata>,
    /// Part of its identity in a look-up; not stored.
    pub rule_set: Option<Value>,
    /// 0: any; -1: the latest or the next; else the next one.
    pub version: i32,
    /// An id of the client's choice, for imports.
    pub id: Option<SchemaId>,
}

impl Draft {
    /// A text alone.
    pub fn new(kind: SchemaKind, text: impl Into<String>) -> Draft {
        Draft { kind, text: text.into(), references: Vec::new(), metadata: None, rule_set: None, version: 0, id: None }
    }
}

/// What a submitted text came to.
pub(crate) struct Prepared {
    pub(crate) schema: Schema,
    pub(crate) content: Content,
}

/// Compiled forms of stored contents, and of texts without references as they were submitted.
pub(crate) struct Compiled {
    /// By context as well: the same references may mean other schemas there.
    contents: Cache<(Box<str>, Guid), Schema>,
    texts: Cache<Arc<str>, (Strictness, Schema)>,
}

impl Default for Compiled {
    fn default() -> Compiled {
        Compiled {
            contents: Cache::new(COMPILED_MAX.0, COMPILED_MAX.1),
            texts: Cache::new(COMPILED_MAX.0, COMPILED_MAX.1),
        }
    }
}

impl Compiled {
    /// Versions were removed for good: a reference may mean something else now.
    pub(crate) fn clear(&mut self) {
        self.contents.clear();
    }
}

impl Registry {
    /// Reads a submitted schema. `visible`: which versions its references may be.
    pub(crate) fn prepare(
        &self,
        subject: &Subject,
        draft: &Draft,
        normalize: bool,
        strictness: Strictness,
        visible: Visible,
    ) -> Result<Prepared, Error> {
        if draft.text.trim().is_empty() {
            return Err(Error::EmptySchema);
        }
        let mut references = self.fixed_references(subject, &draft.references, visible)?;
        let schema = match references.is_empty() {
            true => self.compile_text(draft.kind, &draft.text, strictness)?,
            false => {
                let used = Following::new(self).references(subject, &references, visible, 0)?;
                compile(draft.kind, &draft.text, &used, strictness)?
            }
        };
        let normalized = normalize.then(|| schema.normalized());
        if normalize {
            references.sort_by(|a, b| (&a.subject, a.version).cmp(&(&b.subject, b.version)));
            references.dedup();
        }
        let text = normalized.as_deref().unwrap_or(schema.canonical());
        let content = Content::new(draft.kind, text, references, draft.metadata.clone(), draft.rule_set.clone());
        Ok(Prepared { schema, content })
    }

    /// The compiled form of what is stored.
    pub(crate) fn compiled(&self, stored: &Stored) -> Result<Schema, Error> {
        Following::new(self).content(&stored.subject, &stored.content, 0)
    }

    /// References with -1 replaced by the latest version there is now.
    fn fixed_references(
        &self,
        subject: &Subject,
        references: &[Reference],
        visible: Visible,
    ) -> Result<Vec<Reference>, Error> {
        let state = self.core().state.read();
        references
            .iter()
            .map(|reference| {
                let found = referred(&state, subject, reference, visible)?;
                Ok(Reference { version: i32::try_from(found.version).unwrap_or(i32::MAX), ..reference.clone() })
            })
            .collect()
    }

    fn compile_text(&self, kind: SchemaKind, text: &str, strictness: Strictness) -> Result<Schema, Error> {
        if let Some((known, schema)) = self.core().compiled.lock().texts.get(text) {
            // What was read strictly passes the lenient reading, too.
            if schema.kind() == kind && (*known == strictness || *known == Strictness::New) {
                return Ok(schema.clone());
            }
        }
        let schema = compile(kind, text, &[], strictness)?;
        self.core().compiled.lock().texts.insert(text.into(), (strictness, schema.clone()), text.len() * 2);
        Ok(schema)
    }
}

/// Compiling a text of this size takes milliseconds, in which nobody else shall wait.
const LARGE: usize = 64 << 10;

pub(crate) fn compile(
    kind: SchemaKind,
    text: &str,
    references: &[postern_schema::Reference],
    strictness: Strictness,
) -> Result<Schema, Error> {
    let compile = || Schema::compile(kind, text, references, strictness);
    let compiled = if text.len() < LARGE { compile() } else { aside(compile) };
    compiled.map_err(|error| Error::InvalidSchema { kind, message: error.to_string(), is_syntax: error.is_syntax() })
}

/// Does long work where the runtime's other tasks do not wait for it.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // A runtime of one thread has nobody to hand the other tasks to.
        Ok(_) | Err(_) => work(),
    }
}

/// The stored version that a reference means.
fn referred(state: &State, subject: &Subject, reference: &Reference, visible: Visible) -> Result<Stored, Error> {
    let target = subject.sibling(&reference.subject);
    let version = match reference.version {
        -1 => VersionRef::Latest,
        number => VersionRef::Number(u32::try_from(number).unwrap_or(0)),
    };
    let found = match version {
        VersionRef::Latest => state.latest(&target),
        VersionRef::Number(number) => state.version(&target, number).filter(|found| visible.shows(found.deleted)),
    };
    found.ok_or(Error::ReferenceNotFound { subject: target, version })
}

// === Following references ===

/// One walk over a schema's references; what was met is compiled once.
struct Following<'a> {
    registry: &'a Registry,
    met: HashMap<(Subject, u32), Schema>,
    budget: usize,
}

impl<'a> Following<'a> {
    fn new(registry: &'a Registry) -> Following<'a> {
        Following { registry, met: HashMap::new(), budget: REFERENCES_MAX }
    }

    fn references(
        &mut self,
        subject: &Subject,
        references: &[Reference],
        visible: Visible,
        depth: usize,
    ) -> Result<Vec<postern_schema::Reference>, Error> {
        let mut used = Vec::with_capacity(references.len());
        for reference in references {
            self.budget = self.budget.checked_sub(1).ok_or_else(|| too_many(reference))?;
            let stored = referred(&self.registry.core().state.read(), subject, reference, visible)?;
            let place = (stored.subject.clone(), stored.version);
            let schema = match self.met.get(&place) {
                Some(schema) => schema.clone(),
                None => {
                    let schema = self.content(&stored.subject, &stored.content, depth + 1)?;
                    self.met.insert(place, schema.clone());
                    schema
                }
            };
            used.push(postern_schema::Reference { name: reference.name.clone(), schema });
        }
        Ok(used)
    }

    fn content(&mut self, subject: &Subject, content: &Content, depth: usize) -> Result<Schema, Error> {
        let key = (subject.context().into(), content.guid());
        if let Some(schema) = self.registry.core().compiled.lock().contents.get(&key) {
            return Ok(schema.clone());
        }
        if depth > REFERENCE_DEPTH_MAX {
            return Err(Error::InvalidReference(format!(
                "references of {subject} are nested deeper than {REFERENCE_DEPTH_MAX}, or go round in circles"
            )));
        }
        let used = self.references(subject, content.references(), Visible::All, depth)?;
        let schema = compile(content.kind(), content.text(), &used, Strictness::Stored)?;
        self.registry.core().compiled.lock().contents.insert(key, schema.clone(), content.weight());
        Ok(schema)
    }
}

fn too_many(reference: &Reference) -> Error {
    Error::InvalidReference(format!(
        "more than {REFERENCES_MAX} references in all, counted up to {}",
        Shown(&reference.name)
    ))
}
