//! Which schema a producer chose, and why it could not be had.
//!
//! Source: docs/reference/rest-v2.md §5.3, §5.4.

use postern_schema::SchemaKind;

use super::content::kind_name;
use super::error::{Error, Truncated};
use super::names::{Guid, SchemaId, Subject, VersionRef};

/// The schema that a producer chose, decided once where the request comes in.
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
    /// By its text; registered if it is not known.
    Inline {
        /// Its type.
        kind: SchemaKind,
        /// The text.
        text: &'a str,
    },
}

/// Why a schema cannot be used for a produce.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ResolveError {
    /// The text cannot be parsed as a schema. A text that can be, and breaks a rule of its type, is the registry's to refuse.
    #[error("Invalid schema: this is no {} schema: {message}", kind_name(*.kind))]
    InvalidSchema {
        /// The type it was parsed as.
        kind: SchemaKind,
        /// What is wrong.
        message: String,
    },
    /// The id is of another type than the request.
    #[error("The schema with id {id} is of type {}, and the request is for {}.", kind_name(*.found), kind_name(*.expected))]
    WrongKind {
        /// The id.
        id: SchemaId,
        /// What it names.
        found: SchemaKind,
        /// What the request is for.
        expected: SchemaKind,
    },
    /// The registry refused, or did not answer. The reason comes first: what was attempted may be long.
    #[error("{error} {step}")]
    Refused {
        /// What was attempted, as a sentence.
        step: String,
        /// Its reason.
        error: Error,
    },
}

/// A [`SchemaRef`] that owns what it names: the key of a cache entry.
#[derive(Debug)]
pub enum OwnedSchemaRef {
    /// By its id.
    Id(SchemaId),
    /// By a version of a subject.
    Version(Subject, u32),
    /// The newest version of a subject.
    Latest(Subject),
    /// By its text.
    Inline(SchemaKind, Box<str>),
}

impl OwnedSchemaRef {
    /// A copy of `schema`, and the bytes of the text in it.
    pub fn of(schema: &SchemaRef<'_>) -> (OwnedSchemaRef, usize) {
        match *schema {
            SchemaRef::Id(id) => (OwnedSchemaRef::Id(id), 0),
            SchemaRef::Version { subject, version } => (OwnedSchemaRef::Version(subject.clone(), version), 0),
            SchemaRef::Latest { subject } => (OwnedSchemaRef::Latest(subject.clone()), 0),
            SchemaRef::Inline { kind, text } => (OwnedSchemaRef::Inline(kind, text.into()), text.len()),
        }
    }

    /// Whether it names the same as `schema`.
    pub fn is(&self, schema: &SchemaRef<'_>) -> bool {
        match (self, schema) {
            (OwnedSchemaRef::Id(own), SchemaRef::Id(id)) => own == id,
            (OwnedSchemaRef::Version(own, number), SchemaRef::Version { subject, version }) => {
                own == *subject && number == version
            }
            (OwnedSchemaRef::Latest(own), SchemaRef::Latest { subject }) => own == *subject,
            (OwnedSchemaRef::Inline(own, own_text), SchemaRef::Inline { kind, text }) => {
                own == kind && **own_text == **text
            }
            (
                OwnedSchemaRef::Id(_)
                | OwnedSchemaRef::Version(..)
                | OwnedSchemaRef::Latest(_)
                | OwnedSchemaRef::Inline(..),
                _,
            ) => false,
        }
    }
}

/// Why a producer's text was refused.
pub fn invalid_text(subject: &Subject, kind: SchemaKind, text: &str, error: Error) -> ResolveError {
    match error {
        Error::InvalidSchema { kind, message, is_syntax: true } => ResolveError::InvalidSchema { kind, message },
        Error::EmptySchema => ResolveError::InvalidSchema { kind, message: "the text is empty".to_owned() },
        Error::Incompatible { subject: refused, messages } => {
            // The old schema is among the messages.
            let messages = messages.iter().map(|message| Truncated(message).to_string()).collect();
            let error = Error::Incompatible { subject: refused, messages };
            ResolveError::Refused { step: registering(kind, subject, text), error }
        }
        error => ResolveError::Refused { step: registering(kind, subject, text), error },
    }
}

// === What was attempted: the second part of a message (docs/reference/rest-v2.md §5.4) ===

/// A look-up by id.
pub fn fetching_id(id: SchemaId) -> String {
    format!("(Error when fetching schema by id. schemaId = {id})")
}

/// A look-up by guid.
pub fn fetching_guid(guid: Guid) -> String {
    format!("(Error when fetching schema by guid. guid = {guid})")
}

/// A look-up of a version.
pub fn fetching_version(subject: &Subject, version: VersionRef) -> String {
    format!("(Error when fetching schema version. subject = {}, version = {version})", Truncated(subject.as_str()))
}

/// A look-up by text.
pub fn fetching_text(subject: &Subject, text: &str) -> String {
    let (subject, text) = (Truncated(subject.as_str()), Truncated(text));
    format!("(Error when fetching schema version. subject = {subject}, schema = {text})")
}

fn registering(kind: SchemaKind, subject: &Subject, text: &str) -> String {
    let (kind, subject, text) = (kind_name(kind), Truncated(subject.as_str()), Truncated(text));
    format!("(Error when registering schema. format = {kind}, subject = {subject}, schema = {text})")
}
