//! Subjects, versions, compatibility: a schema registry without storage of its own.
//!
//! Its state is what the records of the `_schemas` topic amount to, in the record format of the Confluent Schema Registry, so that
//! either can take over the topic from the other. Every instance may write; the order of the log decides between them, and a
//! write is answered when the state has passed it. Reads are answered from memory.
//!
//! From the bottom up, each layer using those before it:
//! `model` (names, contents, settings, errors), `log` (the records of the topic), `state` (what they amount to), `core` (what all
//! clones of a [`Registry`] share), `operations` (one operation, one file), `tasks` (reading the topic, repairing it, watching for
//! other leaders). The API is [`Registry`]; producers call [`Registry::resolve`].
//!
//! What a schema *is* belongs to `schema`; HTTP and error codes to `http`; the wire to `kafka`; registries elsewhere to
//! `registry-client`.

mod caches;
mod core;
mod framing;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod leader;
mod log;
mod model;
mod operations;
mod progress;
mod registry;
mod settings;
mod state;
mod tasks;

pub use framing::{PreparedSchema, RecordSerializer, SchemaIdentifier, header_name, unframe};
pub use model::config::{CompatibilityLevel, CompatibilityPolicy, Config, ConfigChange};
pub use model::content::{SchemaContent, SchemaReference, kind_name, kind_of};
pub use model::error::{Error, NotPermitted};
pub use model::metadata::{Metadata, Utf16Key, VERSION_PROPERTY};
pub use model::mode::Mode;
pub use model::names::{DEFAULT_CONTEXT, Guid, SchemaId, Side, Subject, VersionRef};
pub use model::rule_set::{RuleSetError, check_rule_set, check_rule_set_shape};
pub use model::schema_ref::{
    OwnedSchemaRef, ResolveError, SchemaRef, fetching_guid, fetching_id, fetching_text, fetching_version, invalid_text,
};
pub use model::stored::{StoredSchema, Visible};
pub use model::submission::SchemaSubmission;
pub use operations::{
    Compatibility, DerivedVersion, EntityTags, EntityType, LookupMatch, Page, RegisterOptions, Registered, TagChanges,
    compile,
};
pub use postern_kafka::Fate;
pub use postern_schema::SchemaKind;
pub use registry::{Registry, Statistics};
pub use settings::Settings;
