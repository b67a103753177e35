//! Why the registry refused a call: one variant per situation of docs/reference/schema-registry.md §11, with the facts its
//! message needs. HTTP statuses and error codes are `http`'s.

use std::fmt;

use postern_kafka::Fate;
use postern_schema::SchemaKind;

use super::content::kind_name;
use super::names::{SchemaId, Subject, VersionRef};

/// The greatest number there is for an id or a version.
const NUMBER_MAX: i32 = i32::MAX;

/// A refused call.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The state has not caught up with the topic yet; the text says what is missing.
    #[error("The registry has not caught up with its topic yet: {0}. Try again in a moment.")]
    NotReady(String),
    /// There is no (visible) version under this subject.
    #[error("Subject '{0}' not found.")]
    SubjectNotFound(Subject),
    /// The subject has no such (visible) version; `Latest`: it has no live version at all.
    #[error("{}", version_not_found(*.0))]
    VersionNotFound(VersionRef),
    /// No schema has this id.
    #[error("Schema {0} not found.")]
    IdNotFound(SchemaId),
    /// An id that is registered, but not under the subject it is to be used for.
    #[error("Schema {id} is not registered under subject '{subject}'. It is registered under {}.", some_of(.registered_under))]
    IdNotUnderSubject {
        /// The id.
        id: SchemaId,
        /// The subject it was asked for.
        subject: Subject,
        /// The subjects that have it, in no particular order; at least one.
        registered_under: Vec<Subject>,
    },
    /// No schema has this guid.
    #[error("Schema {0} not found.")]
    GuidNotFound(String),
    /// The subject exists, and none of its versions is this schema.
    #[error("Schema not found under this subject.")]
    SchemaNotFound,
    /// A soft delete of a subject whose versions are all softly deleted.
    #[error("Subject '{0}' was soft deleted already. Set permanent=true to delete it permanently.")]
    SubjectSoftDeleted(Subject),
    /// A permanent delete of a subject with live versions.
    #[error("Subject '{0}' has versions that are not deleted. Delete it without permanent=true first.")]
    SubjectNotSoftDeleted(Subject),
    /// A soft delete of a softly deleted version.
    #[error("Subject '{0}' version {1} was soft deleted already. Set permanent=true to delete it permanently.")]
    VersionSoftDeleted(Subject, u32),
    /// A permanent delete of a live version.
    #[error("Subject '{0}' version {1} is not deleted. Delete it without permanent=true first.")]
    VersionNotSoftDeleted(Subject, u32),
    /// The subject has no configuration of its own.
    #[error("Subject '{0}' has no compatibility level of its own.")]
    NoSubjectConfig(Subject),
    /// The subject has no mode of its own.
    #[error("Subject '{0}' has no mode of its own.")]
    NoSubjectMode(Subject),
    /// Not compatible with earlier versions.
    #[error("The schema is incompatible with an earlier one of subject \"{subject}\", details: [{}]", .messages.join(", "))]
    Incompatible {
        /// Where it was to be registered.
        subject: Subject,
        /// What differs, and from which version.
        messages: Vec<String>,
    },
    /// The text is not a valid schema, or one of its references is not.
    #[error("Invalid schema of type {}: {message}", kind_name(*.kind))]
    InvalidSchema {
        /// The type it was parsed as.
        kind: SchemaKind,
        /// What is wrong with it.
        message: String,
        /// It cannot even be parsed; otherwise it can, and breaks a rule of its type.
        is_syntax: bool,
    },
    /// `schemaType` names no known type.
    #[error("Invalid schema type {}: expected AVRO, JSON or PROTOBUF.", Truncated(.0))]
    UnknownKind(String),
    /// There is no text, and no earlier version to take it from.
    #[error("Empty schema: the text is missing, and there is no earlier version to take it from.")]
    EmptySchema,
    /// A reference without name, subject or version, or to a schema of a type that cannot be used here.
    #[error("Invalid reference: {0}")]
    InvalidReference(String),
    /// A reference to a version that does not exist.
    #[error("No schema reference found for subject \"{}\" and version {version}.", Truncated(.subject.as_str()))]
    ReferenceNotFound {
        /// The subject referred to.
        subject: Subject,
        /// And the version of it.
        version: VersionRef,
    },
    /// Tags for entities that the schema does not have, or that cannot be tagged.
    #[error("Invalid tags: {0}.")]
    InvalidTags(String),
    /// A rule set that breaks the rules for rules.
    #[error("Invalid rule set: {0}")]
    InvalidRules(String),
    /// A version other than the next one.
    #[error("Version is not one more than previous version: expected {next}, found {asked}.")]
    VersionNotNext {
        /// What was asked for.
        asked: i32,
        /// What would have been right.
        next: u32,
    },
    /// An import of the greatest version number, after which nothing could be registered under the subject.
    #[error(
        "version: expected a number below {NUMBER_MAX}, which is the last one there is: nothing could be registered under '{0}' after it."
    )]
    VersionTooLarge(Subject),
    /// The subject has the greatest version number there is.
    #[error(
        "Subject '{0}' has version {NUMBER_MAX}, the last number there is, so it takes no further versions. Delete that version permanently."
    )]
    NoVersionLeft(Subject),
    /// Every id of the context is in use.
    #[error("Context '{0}' has no free id.")]
    NoIdLeft(String),
    /// Not a version number.
    #[error("'{0}' is not a version: expected a number from 1 to 2147483647, or \"latest\".")]
    InvalidVersion(String),
    /// Not a compatibility level.
    #[error(
        "Invalid compatibility level '{}': expected NONE, BACKWARD, BACKWARD_TRANSITIVE, FORWARD, FORWARD_TRANSITIVE, FULL or FULL_TRANSITIVE.",
        Truncated(.0)
    )]
    InvalidLevel(String),
    /// Not a mode.
    #[error("Invalid mode '{}': expected READWRITE, READONLY, IMPORT or FORWARD.", Truncated(.0))]
    InvalidMode(String),
    /// FORWARD was to be set for less than all contexts.
    #[error("The mode FORWARD can only be set for all contexts together (:.__GLOBAL:).")]
    ForwardModeIsGlobal,
    /// Mode or ids do not allow it.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// Other schemas refer to it.
    #[error("Other schemas refer to version {version} of subject '{subject}'. Delete these first.")]
    Referenced {
        /// The subject referred to.
        subject: Subject,
        /// And the version of it.
        version: u32,
    },
    /// Nothing can be registered or configured under this name.
    #[error("'{}' cannot be used as a subject.", .0.as_str().escape_debug())]
    InvalidSubject(Subject),
    /// Only empty contexts can be deleted.
    #[error("The context '{0}' is not empty.")]
    ContextNotEmpty(String),
    /// The record would be larger than the topic takes.
    #[error("The schema is too large to be stored: {0}")]
    TooLarge(String),
    /// Another registry, asked over HTTP, refused.
    #[error("The schema registry refuses: {message} (error code {code})")]
    Remote {
        /// Its HTTP status.
        status: u16,
        /// Its `error_code`.
        code: u32,
        /// Its message.
        message: String,
    },
    /// Another registry does not answer, or sends an answer that cannot be understood.
    #[error("{0}")]
    Unreachable(String),
    /// A part of the API that is not implemented yet; the text says which.
    #[error("{0} is not built yet.")]
    NotBuilt(&'static str),
    /// The topic could not be written, or the record did not come back, in time.
    #[error("Could not {operation}: {cause}. {}", fate_sentence(*.fate))]
    Store {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        cause: String,
        /// Whether it may have happened, or may still happen.
        fate: Fate,
        /// It failed because time ran out.
        timed_out: bool,
    },
}

/// What the mode, an id, or another writer of the topic does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// The subject, or (`None`) the whole registry, is read-only.
    #[error("{} is in read-only mode.", .0.as_ref().map_or("The registry".to_owned(), |subject| format!("Subject {subject}")))]
    ReadOnly(Option<Subject>),
    /// Ids chosen by the client are for mode IMPORT.
    #[error("Subject {0} is not in import mode, so a schema cannot be registered with an id of your choice.")]
    NotImport(Subject),
    /// In mode IMPORT schemas come with their ids.
    #[error("Subject {0} is not in read-write mode: in import mode a schema must come with its id.")]
    NotReadWrite(Subject),
    /// The id names another schema.
    #[error("The id {id} belongs to another schema in context {context}; it is not overwritten.")]
    IdTaken {
        /// The id asked for.
        id: SchemaId,
        /// The context in which it is taken.
        context: String,
    },
    /// The version exists with another schema or id.
    #[error("Version {1} of subject {0} is another schema; it is not overwritten.")]
    VersionTaken(Subject, u32),
    /// This registry follows a topic that another registry writes.
    #[error(
        "This registry only follows its topic, which is written elsewhere. Send changes to the registry that writes it."
    )]
    Follower,
    /// A registry that elects a leader writes the topic; the text is its group.
    #[error(
        "Another registry leads on the topic (group '{0}' has members), and would undo what is written here. Send changes to that one, or stop it."
    )]
    Led(String),
    /// Mode IMPORT needs a scope without live subjects.
    #[error("Cannot change to import mode: there are subjects. Delete them, or use force=true.")]
    ImportOverSubjects,
}

fn version_not_found(version: VersionRef) -> String {
    match version {
        VersionRef::Latest => "Version latest not found: every version is deleted.".to_owned(),
        VersionRef::Number(number) => format!("Version {number} not found."),
    }
}

fn fate_sentence(fate: Fate) -> &'static str {
    match fate {
        Fate::NotWritten => "Nothing was written; trying again is safe.",
        Fate::Unknown => "Whether it was written is not known; trying again is safe, it may find the work done.",
    }
}

/// The first few of a list of subjects, as a clause.
fn some_of(subjects: &[Subject]) -> String {
    const NAMED: usize = 3;
    let named = subjects.iter().take(NAMED).map(|subject| format!("'{}'", Truncated(subject.as_str())));
    let more = subjects.len().saturating_sub(NAMED);
    let named = named.collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named} and {more} others") }
}

/// Client input in a message, cut after 200 characters so that a megabyte of it is not sent back.
pub(crate) struct Truncated<'a>(pub(crate) &'a str);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(200) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}
