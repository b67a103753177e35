//! From a submitted text to a compiled schema and a content, and from a stored content back to a compiled schema.
//!
//! References are looked up in the state, transitively, and compiled first. Compiled forms are made on first use and kept
//! in bounded caches: they are many times the size of a text, and most stored schemas are never used.
//!
//! Source: docs/reference/schema-registry.md §5.1, §7.

use std::collections::HashMap;

use postern_schema::{Schema, SchemaKind, Strictness};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::model::content::{SchemaContent, SchemaReference, kind_name};
use crate::model::error::{Error, Truncated};
use crate::model::names::{Subject, VersionRef};
use crate::model::stored::{StoredSchema, Visible};
use crate::model::submission::SchemaSubmission;
use crate::registry::Registry;
use crate::state::State;

/// Longer chains of references are refused, and with them circular ones.
const REFERENCE_DEPTH_MAX: usize = 64;
/// The most references of one schema, transitive ones included.
const REFERENCES_MAX: usize = 4096;

/// A submitted schema, compiled and in canonical form.
pub(crate) struct CompiledSubmission {
    pub(crate) schema: Schema,
    pub(crate) content: SchemaContent,
}

impl Registry {
    /// Compiles a submitted schema. `visible`: the versions that its references may name.
    pub(crate) fn compile_submission(
        &self,
        subject: &Subject,
        submission: &SchemaSubmission,
        normalize: bool,
        strictness: Strictness,
        visible: Visible,
    ) -> Result<CompiledSubmission, Error> {
        if submission.text.trim().is_empty() {
            return Err(Error::EmptySchema);
        }
        let kind = submission.kind;
        let mut references = self.pin_references(subject, &submission.references, visible)?;
        let used = match references.is_empty() {
            true => Vec::new(),
            false => ReferenceCompiler::new(self).submitted(subject, kind, &references, visible)?,
        };
        let compile = |text: &str, strictness| match used.is_empty() {
            true => self.compile_text(kind, text, strictness),
            false => compile(kind, text, &used, strictness),
        };
        let mut schema = compile(&submission.text, strictness)?;
        if normalize {
            // Stored schemas are compared as they are, so a submitted one is compared in the form in which it would be stored.
            let normal = schema.normalized();
            if normal != schema.canonical() {
                schema = compile(&normal, Strictness::Stored)?;
            }
            references.sort_by(|a, b| (&a.subject, a.version).cmp(&(&b.subject, b.version)));
            references.dedup();
            let content =
                SchemaContent::new(kind, &normal, references, submission.metadata.clone(), submission.rule_set.clone());
            return Ok(CompiledSubmission { schema, content });
        }
        let (metadata, rule_set) = (submission.metadata.clone(), submission.rule_set.clone());
        let content = SchemaContent::new(kind, schema.canonical(), references, metadata, rule_set);
        Ok(CompiledSubmission { schema, content })
    }

    /// The compiled form of a stored schema.
    pub(crate) fn compiled(&self, stored: &StoredSchema) -> Result<Schema, Error> {
        ReferenceCompiler::new(self).content(&stored.subject, &stored.content, 0)
    }

    /// The references with -1 replaced by the latest version there is now.
    fn pin_references(
        &self,
        subject: &Subject,
        references: &[SchemaReference],
        visible: Visible,
    ) -> Result<Vec<SchemaReference>, Error> {
        let state = self.core().state.read();
        references
            .iter()
            .map(|reference| {
                let found = resolve_reference(&state, subject, reference, visible)?;
                Ok(SchemaReference { version: i32::try_from(found.version).unwrap_or(i32::MAX), ..reference.clone() })
            })
            .collect()
    }

    fn compile_text(&self, kind: SchemaKind, text: &str, strictness: Strictness) -> Result<Schema, Error> {
        if let Some((known, schema)) = self.core().compiled.text(text) {
            // A text that passed the strict rules passes the lenient ones, too.
            if schema.kind() == kind && (known == strictness || known == Strictness::New) {
                return Ok(schema);
            }
        }
        let schema = compile(kind, text, &[], strictness)?;
        self.core().compiled.keep_text(text, strictness, &schema);
        Ok(schema)
    }
}

/// Compiling or comparing texts of this size takes about a millisecond; other requests must not wait for it.
const LARGE: usize = 8 << 10;

/// Reads a text that may refer to `references`; if it is large, so that the other tasks of the runtime do not wait for it.
///
/// # Errors
/// `InvalidSchema`.
pub fn compile(
    kind: SchemaKind,
    text: &str,
    references: &[postern_schema::Reference],
    strictness: Strictness,
) -> Result<Schema, Error> {
    let compiled = off_the_workers(text.len(), || Schema::compile(kind, text, references, strictness));
    compiled.map_err(|error| Error::InvalidSchema { kind, message: error.to_string(), is_syntax: error.is_syntax() })
}

/// Does work on texts of `length` bytes so that the other tasks of the runtime do not wait for it.
pub(crate) fn off_the_workers<T>(length: usize, work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) if length >= LARGE => tokio::task::block_in_place(work),
        // A runtime with one thread has no other thread to run the tasks on.
        Ok(_) | Err(_) => work(),
    }
}

/// The stored version that a reference names.
fn resolve_reference(
    state: &State,
    subject: &Subject,
    reference: &SchemaReference,
    visible: Visible,
) -> Result<StoredSchema, Error> {
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

/// Compiles a schema's references, each version once.
struct ReferenceCompiler<'a> {
    registry: &'a Registry,
    compiled: HashMap<(Subject, u32), Schema>,
    remaining: usize,
}

impl<'a> ReferenceCompiler<'a> {
    fn new(registry: &'a Registry) -> ReferenceCompiler<'a> {
        ReferenceCompiler { registry, compiled: HashMap::new(), remaining: REFERENCES_MAX }
    }

    /// The references of a schema that is submitted now: in Avro and Protobuf they must be of its own type.
    fn submitted(
        &mut self,
        subject: &Subject,
        kind: SchemaKind,
        references: &[SchemaReference],
        visible: Visible,
    ) -> Result<Vec<postern_schema::Reference>, Error> {
        let used = self.references(subject, references, visible, 0)?;
        match used.iter().find(|reference| kind != SchemaKind::Json && reference.schema.kind() != kind) {
            None => Ok(used),
            Some(other) => Err(Error::InvalidReference(format!(
                "{}: expected a schema of type {}, found one of type {}.",
                Truncated(&other.name),
                kind_name(kind),
                kind_name(other.schema.kind())
            ))),
        }
    }

    fn references(
        &mut self,
        subject: &Subject,
        references: &[SchemaReference],
        visible: Visible,
        depth: usize,
    ) -> Result<Vec<postern_schema::Reference>, Error> {
        let mut used = Vec::with_capacity(references.len());
        for reference in references {
            self.remaining = self.remaining.checked_sub(1).ok_or_else(|| too_many(reference))?;
            let stored = resolve_reference(&self.registry.core().state.read(), subject, reference, visible)?;
            let place = (stored.subject.clone(), stored.version);
            let schema = match self.compiled.get(&place) {
                Some(schema) => schema.clone(),
                None => {
                    let schema = self.content(&stored.subject, &stored.content, depth + 1)?;
                    self.compiled.insert(place, schema.clone());
                    schema
                }
            };
            used.push(postern_schema::Reference { name: reference.name.clone(), schema });
        }
        Ok(used)
    }

    fn content(&mut self, subject: &Subject, content: &SchemaContent, depth: usize) -> Result<Schema, Error> {
        if let Some(schema) = self.registry.core().compiled.content(subject.context(), content.guid()) {
            return Ok(schema);
        }
        if depth > REFERENCE_DEPTH_MAX {
            return Err(Error::InvalidReference(format!(
                "references of {subject} are nested deeper than {REFERENCE_DEPTH_MAX}, or circular"
            )));
        }
        let used = self.references(subject, content.references(), Visible::All, depth)?;
        let schema = compile(content.kind(), content.text(), &used, Strictness::Stored)?;
        self.registry.core().compiled.keep_content(subject.context(), content.guid(), &schema);
        Ok(schema)
    }
}

fn too_many(reference: &SchemaReference) -> Error {
    Error::InvalidReference(format!(
        "more than {REFERENCES_MAX} references in all, counted up to {}",
        Truncated(&reference.name)
    ))
}
