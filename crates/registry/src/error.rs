//! Why the registry refused, in its own words: one variant per situation of docs/reference/schema-registry.md §11, with the facts its
//! message needs. Numbers and statuses are the dialect's.

use std::fmt;

use postern_kafka::Fate;
use postern_schema::SchemaKind;

use crate::content::kind_name;
use crate::{SchemaId, Subject, VersionRef};

/// A refused call.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The fold has not caught up with the topic yet; the text tells what it waits for.
    NotReady(String),
    /// There is nothing (visible) under this subject.
    SubjectNotFound(Subject),
    /// The subject has no such (visible) version; `Latest`: it has none at all that is live.
    VersionNotFound(VersionRef),
    /// No schema has this id.
    IdNotFound(SchemaId),
    /// No schema has this guid.
    GuidNotFound(String),
    /// The subject exists; the schema is not in it.
    SchemaNotFound,
    /// A soft delete of what is softly deleted already.
    SubjectSoftDeleted(Subject),
    /// A permanent delete needs a soft one first.
    SubjectNotSoftDeleted(Subject),
    /// A soft delete of what is softly deleted already.
    VersionSoftDeleted(Subject, u32),
    /// A permanent delete needs a soft one first.
    VersionNotSoftDeleted(Subject, u32),
    /// No configuration of its own.
    NoSubjectConfig(Subject),
    /// No mode of its own.
    NoSubjectMode(Subject),
    /// Not compatible with earlier versions.
    Incompatible {
        /// Where it was to be registered.
        subject: Subject,
        /// What differs, and against which version.
        messages: Vec<String>,
    },
    /// The text is no schema, or one of its references is none.
    InvalidSchema {
        /// As what it was read.
        kind: SchemaKind,
        /// What is wrong with it.
        message: String,
        /// It cannot even be read; otherwise it can, and says something unlawful.
        is_syntax: bool,
    },
    /// `schemaType` names no type.
    UnknownKind(String),
    /// There is no text, and no earlier version to take it from.
    EmptySchema,
    /// A reference without name, subject or version.
    InvalidReference(String),
    /// A reference to what is not there.
    ReferenceNotFound {
        /// The subject referred to.
        subject: Subject,
        /// And the version of it.
        version: VersionRef,
    },
    /// Tags for what the schema does not have, or that it cannot have.
    InvalidTags(String),
    /// Rules that are none.
    InvalidRules(String),
    /// Only the next version may be asked for.
    VersionNotNext {
        /// What was asked for.
        asked: i32,
        /// What would have been right.
        next: u32,
    },
    /// No version is spelt like this.
    InvalidVersion(String),
    /// No compatibility level is called this.
    InvalidLevel(String),
    /// No mode is called this.
    InvalidMode(String),
    /// FORWARD is for all contexts together only.
    ForwardModeIsGlobal,
    /// Mode or ids do not allow it.
    NotPermitted(NotPermitted),
    /// Others refer to it.
    Referenced {
        /// The subject referred to.
        subject: Subject,
        /// And the version of it.
        version: u32,
    },
    /// Nothing can be registered or configured under this name.
    InvalidSubject(Subject),
    /// Only empty contexts can be deleted.
    ContextNotEmpty(String),
    /// The record would be larger than the topic takes.
    TooLarge(String),
    /// Another registry refused.
    Remote {
        /// With this status,
        status: u16,
        /// this number
        code: u32,
        /// and these words.
        message: String,
    },
    /// Another registry does not answer, or not in a way that can be understood.
    Unreachable(String),
    /// This part is not there yet; the text says which.
    NotBuilt(&'static str),
    /// The topic could not be written, or did not give back what was written, in time.
    Store {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        cause: String,
        /// Whether it may have happened, or happen still.
        fate: Fate,
        /// It was a matter of time.
        timed_out: bool,
    },
}

/// What the mode, or an id, does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPermitted {
    /// Read-only; `None`: all is.
    ReadOnly(Option<Subject>),
    /// Ids of the client's choice are for IMPORT.
    NotImport(Subject),
    /// In IMPORT schemas come with their ids.
    NotReadWrite(Subject),
    /// The id names another schema.
    IdTaken {
        /// The id asked for.
        id: SchemaId,
        /// Where it is taken.
        context: String,
    },
    /// The version is there with another schema or id.
    VersionTaken(Subject, u32),
    /// This registry follows a topic that somebody else writes.
    Follower,
    /// A registry that elects leads on the topic, found by this group.
    Led(String),
    /// IMPORT needs an empty scope.
    ImportOverSubjects,
}

impl From<NotPermitted> for Error {
    fn from(reason: NotPermitted) -> Error {
        Error::NotPermitted(reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotReady(waiting_for) => {
                write!(f, "The registry has not caught up with its topic yet: {waiting_for}. Try again in a moment.")
            }
            Error::SubjectNotFound(subject) => write!(f, "Subject '{subject}' not found."),
            Error::VersionNotFound(VersionRef::Latest) => {
                f.write_str("Version latest not found: every version is deleted.")
            }
            Error::VersionNotFound(VersionRef::Number(version)) => write!(f, "Version {version} not found."),
            Error::IdNotFound(id) => write!(f, "Schema {id} not found."),
            Error::GuidNotFound(guid) => write!(f, "Schema {guid} not found."),
            Error::SchemaNotFound => f.write_str("Schema not found under this subject."),
            Error::SubjectSoftDeleted(subject) => {
                write!(f, "Subject '{subject}' was soft deleted already. Set permanent=true to delete it permanently.")
            }
            Error::SubjectNotSoftDeleted(subject) => {
                write!(
                    f,
                    "Subject '{subject}' has versions that are not deleted. Delete it without permanent=true first."
                )
            }
            Error::VersionSoftDeleted(subject, version) => {
                write!(
                    f,
                    "Subject '{subject}' version {version} was soft deleted already. Set permanent=true to delete it permanently."
                )
            }
            Error::VersionNotSoftDeleted(subject, version) => {
                write!(
                    f,
                    "Subject '{subject}' version {version} is not deleted. Delete it without permanent=true first."
                )
            }
            Error::NoSubjectConfig(subject) => write!(f, "Subject '{subject}' has no compatibility level of its own."),
            Error::NoSubjectMode(subject) => write!(f, "Subject '{subject}' has no mode of its own."),
            Error::Incompatible { subject, messages } => {
                write!(
                    f,
                    "The schema is incompatible with an earlier one of subject \"{subject}\", details: [{}]",
                    messages.join(", ")
                )
            }
            Error::InvalidSchema { kind, message, is_syntax: _ } => {
                write!(f, "Invalid schema of type {}: {message}", kind_name(*kind))
            }
            Error::UnknownKind(name) => {
                write!(f, "Invalid schema type {}: expected AVRO, JSON or PROTOBUF.", Shown(name))
            }
            Error::EmptySchema => {
                f.write_str("Empty schema: the text is missing, and there is no earlier version to take it from.")
            }
            Error::InvalidReference(what) => write!(f, "Invalid reference: {what}"),
            Error::ReferenceNotFound { subject, version } => {
                let subject = Shown(subject.as_str());
                write!(f, "No schema reference found for subject \"{subject}\" and version {version}.")
            }
            Error::InvalidTags(what) => write!(f, "Invalid tags: {what}."),
            Error::InvalidRules(what) => write!(f, "Invalid rule set: {what}"),
            Error::VersionNotNext { asked, next } => {
                write!(f, "Version is not one more than previous version: expected {next}, found {asked}.")
            }
            Error::InvalidVersion(text) => {
                write!(f, "'{text}' is not a version: expected a number from 1 to 2147483647, or \"latest\".")
            }
            Error::InvalidLevel(text) => write!(
                f,
                "Invalid compatibility level '{}': expected NONE, BACKWARD, BACKWARD_TRANSITIVE, FORWARD, FORWARD_TRANSITIVE, FULL or FULL_TRANSITIVE.",
                Shown(text)
            ),
            Error::InvalidMode(text) => {
                write!(f, "Invalid mode '{}': expected READWRITE, READONLY, IMPORT or FORWARD.", Shown(text))
            }
            Error::ForwardModeIsGlobal => {
                f.write_str("The mode FORWARD can only be set for all contexts together (:.__GLOBAL:).")
            }
            Error::NotPermitted(reason) => reason.fmt(f),
            Error::Referenced { subject, version } => {
                write!(f, "Other schemas refer to version {version} of subject '{subject}'. Delete these first.")
            }
            Error::InvalidSubject(subject) => {
                write!(f, "'{}' cannot be used as a subject.", subject.as_str().escape_debug())
            }
            Error::ContextNotEmpty(context) => write!(f, "The context '{context}' is not empty."),
            Error::TooLarge(cause) => write!(f, "The schema is too large to be stored: {cause}"),
            Error::Remote { status: _, code, message } => {
                write!(f, "The schema registry refuses: {message} (error code {code})")
            }
            Error::Unreachable(what) => f.write_str(what),
            Error::NotBuilt(what) => write!(f, "{what} is not built yet."),
            Error::Store { operation, cause, fate, timed_out: _ } => {
                write!(f, "Could not {operation}: {cause}. ")?;
                match fate {
                    Fate::NotWritten => f.write_str("Nothing was written; trying again is safe."),
                    Fate::Unknown => f.write_str(
                        "Whether it was written is not known; trying again is safe, it may find the work done.",
                    ),
                }
            }
        }
    }
}

impl fmt::Display for NotPermitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotPermitted::ReadOnly(Some(subject)) => write!(f, "Subject {subject} is in read-only mode."),
            NotPermitted::ReadOnly(None) => f.write_str("The registry is in read-only mode."),
            NotPermitted::NotImport(subject) => {
                write!(
                    f,
                    "Subject {subject} is not in import mode, so a schema cannot be registered with an id of your choice."
                )
            }
            NotPermitted::NotReadWrite(subject) => {
                write!(f, "Subject {subject} is not in read-write mode: in import mode a schema must come with its id.")
            }
            NotPermitted::IdTaken { id, context } => {
                write!(f, "The id {id} belongs to another schema in context {context}; it is not overwritten.")
            }
            NotPermitted::VersionTaken(subject, version) => {
                write!(f, "Version {version} of subject {subject} is another schema; it is not overwritten.")
            }
            NotPermitted::Follower => f.write_str(
                "This registry only follows its topic, which is written elsewhere. Send changes to the registry that writes it.",
            ),
            NotPermitted::Led(group) => write!(
                f,
                "Another registry leads on the topic (group '{group}' has members), and would undo what is written here. Send changes to that one, or stop it."
            ),
            NotPermitted::ImportOverSubjects => {
                f.write_str("Cannot change to import mode: there are subjects. Delete them, or use force=true.")
            }
        }
    }
}

impl std::error::Error for Error {}

/// What somebody sent, as long as it helps to see it: a megabyte of it is not sent back.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(200) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}
