//! Under which subject the schema of a key or value is looked up and registered.
//!
//! A subject is named, or it is made of the topic's name, of the record's name in its schema, or of both. A name that stands in a schema
//! needs the schema first; names found in texts are kept, so that a stream does not compile its schema for each record.
//!
//! Source: docs/reference/rest-v3.md §11.3, docs/reference/serialization.md §2.

use std::borrow::Cow;
use std::sync::Arc;

use postern_kafka::TopicName;
use postern_registry::{
    Error as RegistryError, RecordSerializer, ResolveError, SchemaId, SchemaRef, Side, Subject, invalid_text,
};
use postern_schema::{Schema, SchemaKind, Strictness};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::{Error, Proxy, run_large};

/// How a subject is made where none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectNameStrategy {
    /// `<topic>-key`, `<topic>-value`.
    TopicName,
    /// The full name of the record in its schema.
    RecordName,
    /// `<topic>-<full name of the record>`.
    TopicRecordName,
}

impl SubjectNameStrategy {
    /// As it is written in a request.
    pub fn name(self) -> &'static str {
        match self {
            SubjectNameStrategy::TopicName => "TOPIC_NAME",
            SubjectNameStrategy::RecordName => "RECORD_NAME",
            SubjectNameStrategy::TopicRecordName => "TOPIC_RECORD_NAME",
        }
    }
}

/// The subject that a key or value names.
#[derive(Clone, Debug)]
pub enum SubjectRef<'a> {
    /// This one.
    Named(Cow<'a, str>),
    /// The one that a strategy makes.
    By(SubjectNameStrategy),
}

/// The schema that a key or value names.
#[derive(Clone, Debug)]
pub enum SchemaSource<'a> {
    /// By its text; registered if the subject does not have it.
    Text {
        /// Its type.
        kind: SchemaKind,
        /// The text.
        text: Cow<'a, str>,
    },
    /// By its id; it must be registered under the subject.
    Id(i32),
    /// A version of the subject.
    Version(i32),
    /// The newest version of the subject.
    Latest,
}

/// Bytes of texts whose names are kept.
const NAMES_MAX: u64 = 8 << 20;
/// What an entry costs besides its text.
const NAME_OVERHEAD: usize = 256;
/// Compiling a text costs as much as encoding so many times its bytes.
const COMPILE_FACTOR: usize = 16;

/// The names of records by the texts of their schemas.
pub(crate) struct RecordNames(Cache<Box<str>, (SchemaKind, Option<Arc<str>>), NameWeighter>);

#[derive(Clone)]
struct NameWeighter;

impl Weighter<Box<str>, (SchemaKind, Option<Arc<str>>)> for NameWeighter {
    fn weight(&self, text: &Box<str>, _: &(SchemaKind, Option<Arc<str>>)) -> u64 {
        (text.len() + NAME_OVERHEAD) as u64
    }
}

impl Default for RecordNames {
    fn default() -> RecordNames {
        RecordNames(Cache::with_weighter(1024, NAMES_MAX, NameWeighter))
    }
}

impl Proxy {
    /// The subject, and what serializes under it. A text that is not registered there is registered.
    ///
    /// # Errors
    /// There is no such schema or version, the subject cannot be made, or the registry refuses.
    pub(crate) async fn serializer_for(
        &self,
        topic: &TopicName,
        side: Side,
        source: &SchemaSource<'_>,
        subject: &SubjectRef<'_>,
    ) -> Result<(Subject, Arc<RecordSerializer>), Error> {
        let subject = match subject {
            SubjectRef::Named(name) => Subject::parse(name),
            SubjectRef::By(SubjectNameStrategy::TopicName) => Subject::of_topic(topic.as_str(), side),
            SubjectRef::By(strategy @ SubjectNameStrategy::RecordName) => {
                Subject::parse(&self.record_name(topic, side, source, *strategy).await?)
            }
            SubjectRef::By(strategy @ SubjectNameStrategy::TopicRecordName) => {
                let name = self.record_name(topic, side, source, *strategy).await?;
                Subject::parse(&format!("{topic}-{name}"))
            }
        };
        let schema = match source {
            SchemaSource::Text { kind, text } => SchemaRef::Inline { kind: *kind, text },
            SchemaSource::Id(id) => SchemaRef::Id(SchemaId(*id)),
            SchemaSource::Version(number) => match u32::try_from(*number) {
                Ok(version @ 1..) => SchemaRef::Version { subject: &subject, version },
                Ok(0) | Err(_) => return Err(Error::NoSuchVersion { side, subject, version: *number }),
            },
            SchemaSource::Latest => SchemaRef::Latest { subject: &subject },
        };
        if let Some(serializer) = self.schemas().resolved(&subject, &schema) {
            return Ok((subject, serializer));
        }
        // Boxed, as it is rare and large: each produce would be as large.
        match (Box::pin(self.resolve(&subject, &schema)).await, source) {
            (Ok(serializer), _) => Ok((subject, serializer)),
            (Err(error), SchemaSource::Version(version)) if is_missing(&error) => {
                Err(Error::NoSuchVersion { side, version: *version, subject })
            }
            (Err(error), _) => Err(Error::Schema(side, error)),
        }
    }

    /// The name of the record in the schema that `source` names.
    async fn record_name(
        &self,
        topic: &TopicName,
        side: Side,
        source: &SchemaSource<'_>,
        strategy: SubjectNameStrategy,
    ) -> Result<Arc<str>, Error> {
        let unnamed = || Error::UnnamedSchema { side, strategy: strategy.name() };
        let refused = |error| Error::Schema(side, error);
        match source {
            SchemaSource::Version(_) | SchemaSource::Latest => {
                Err(Error::SubjectNeedsSchema { side, strategy: strategy.name() })
            }
            SchemaSource::Id(id) => {
                let in_context_of = Subject::of_topic(topic.as_str(), side);
                let found = self.schemas().by_id(&in_context_of, SchemaId(*id)).await.map_err(refused)?;
                found.schema.record_name().map(Arc::from).ok_or_else(unnamed)
            }
            SchemaSource::Text { kind, text } => {
                let known = self.record_names().0.get(&**text).filter(|(known, _)| known == kind);
                let name = match known {
                    Some((_, name)) => name,
                    None => {
                        let compile = || Schema::compile(*kind, text, &[], Strictness::Stored);
                        let compiled = run_large(text.len().saturating_mul(COMPILE_FACTOR), compile).await;
                        let schema = compiled.map_err(|error| {
                            let is_syntax = error.is_syntax();
                            let error =
                                RegistryError::InvalidSchema { kind: *kind, message: error.to_string(), is_syntax };
                            refused(invalid_text(&Subject::of_topic(topic.as_str(), side), *kind, text, error))
                        })?;
                        let name = schema.record_name().map(Arc::from);
                        self.record_names().0.insert(Box::from(&**text), (*kind, name.clone()));
                        name
                    }
                };
                name.ok_or_else(unnamed)
            }
        }
    }
}

/// The registry says that there is no such subject or version.
fn is_missing(error: &ResolveError) -> bool {
    match error {
        ResolveError::Refused { error, .. } => matches!(
            error,
            RegistryError::SubjectNotFound(_)
                | RegistryError::VersionNotFound(_)
                | RegistryError::Remote { status: 404, .. }
        ),
        ResolveError::InvalidSchema { .. } | ResolveError::WrongKind { .. } => false,
    }
}
