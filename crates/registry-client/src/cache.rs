//! The answers of the other registry, kept within bounds.

use std::hash::BuildHasher;
use std::sync::Arc;

use postern_registry::{OwnedSchemaRef, RecordSerializer, ResolveError, SchemaIdentifier, SchemaRef, Subject};
use postern_schema::Schema;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::time::Instant;

/// Entries, and the bytes that they hold.
const ANSWERS_MAX: (usize, u64) = (16_384, 64 << 20);
/// Compiled schemas by id, and the bytes that they hold.
const SCHEMAS_MAX: (usize, u64) = (16_384, 32 << 20);
/// What an entry costs besides its text and its schema.
const ENTRY_OVERHEAD: usize = 256;
/// About what a refusal of the other registry takes.
const MESSAGE_BYTES: usize = 512;

/// What a call found.
#[derive(Clone, Debug)]
pub(crate) enum CachedAnswer {
    Found(Arc<RecordSerializer>),
    Missing(ResolveError),
}

pub(crate) struct AnswerCache {
    /// By a hash of subject and schema, so that a look-up allocates nothing; the entry says whether it is the right one.
    answers: Cache<u64, Arc<AnswerEntry>, AnswerWeighter>,
    schemas: Cache<NameInContext, CachedSchema, AnswerWeighter>,
    hasher: foldhash::fast::RandomState,
}

/// Ids are given out per context.
type NameInContext = (Box<str>, SchemaIdentifier);

/// What an id or a guid names: for good, or nothing until then.
#[derive(Clone)]
enum CachedSchema {
    Found(Schema),
    Missing(ResolveError, Instant),
}

struct AnswerEntry {
    subject: Subject,
    schema: OwnedSchemaRef,
    text_bytes: usize,
    answer: CachedAnswer,
    /// `None`: for good.
    until: Option<Instant>,
}

#[derive(Clone)]
struct AnswerWeighter;

impl Weighter<u64, Arc<AnswerEntry>> for AnswerWeighter {
    fn weight(&self, _: &u64, entry: &Arc<AnswerEntry>) -> u64 {
        let answer = match &entry.answer {
            CachedAnswer::Found(serializer) => memory_of(&serializer.schema),
            // Messages of the other registry may repeat the text.
            CachedAnswer::Missing(_) => 2 * entry.text_bytes,
        };
        (entry.subject.as_str().len() + entry.text_bytes + answer + ENTRY_OVERHEAD) as u64
    }
}

impl Weighter<NameInContext, CachedSchema> for AnswerWeighter {
    fn weight(&self, (context, _): &NameInContext, schema: &CachedSchema) -> u64 {
        let schema = match schema {
            CachedSchema::Found(schema) => memory_of(schema),
            CachedSchema::Missing(..) => MESSAGE_BYTES,
        };
        (context.len() + schema + ENTRY_OVERHEAD) as u64
    }
}

/// The bytes that a compiled schema with its encoder holds.
fn memory_of(schema: &Schema) -> usize {
    schema.memory_size() + schema.encoder_memory_size()
}

impl Default for AnswerCache {
    fn default() -> AnswerCache {
        AnswerCache {
            answers: bounded(ANSWERS_MAX),
            schemas: bounded(SCHEMAS_MAX),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

/// One shard, so that a single large entry may fill the whole cache.
fn bounded<K: std::hash::Hash + Eq, V: Clone>((entries, bytes): (usize, u64)) -> Cache<K, V, AnswerWeighter>
where
    AnswerWeighter: Weighter<K, V>,
{
    let options = OptionsBuilder::new()
        .estimated_items_capacity(entries)
        .weight_capacity(bytes)
        .shards(1)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, AnswerWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

impl AnswerCache {
    /// The hot path: one hash of the text, no allocation.
    pub(crate) fn get(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<CachedAnswer> {
        let entry = self.answers.get(&self.hasher.hash_one((subject, schema)))?;
        let is_right = entry.subject == *subject && entry.schema.is(schema);
        let is_fresh = entry.until.is_none_or(|until| Instant::now() < until);
        (is_right && is_fresh).then(|| entry.answer.clone())
    }

    pub(crate) fn keep(&self, subject: &Subject, schema: &SchemaRef<'_>, answer: CachedAnswer, until: Option<Instant>) {
        let hash = self.hasher.hash_one((subject, schema));
        let (schema, text_bytes) = OwnedSchemaRef::of(schema);
        let entry = AnswerEntry { subject: subject.clone(), schema, text_bytes, answer, until };
        self.answers.insert(hash, Arc::new(entry));
    }

    /// What is known of an id or a guid.
    pub(crate) fn schema(&self, context: &str, name: SchemaIdentifier) -> Option<Result<Schema, ResolveError>> {
        match self.schemas.get(&(Box::from(context), name))? {
            CachedSchema::Found(schema) => Some(Ok(schema)),
            CachedSchema::Missing(error, until) => (Instant::now() < until).then_some(Err(error)),
        }
    }

    pub(crate) fn keep_schema(&self, context: &str, name: SchemaIdentifier, schema: &Schema) {
        self.schemas.insert((context.into(), name), CachedSchema::Found(schema.clone()));
    }

    pub(crate) fn keep_missing(&self, context: &str, name: SchemaIdentifier, error: &ResolveError, until: Instant) {
        self.schemas.insert((context.into(), name), CachedSchema::Missing(error.clone(), until));
    }
}
