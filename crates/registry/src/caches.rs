//! Compiled schemas kept for reuse: by content, by submitted text, and by what producers name. All bounded by an estimate of the
//! memory that their entries hold.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use postern_schema::{Schema, Strictness};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::framing::RecordSerializer;
use crate::model::names::{Guid, Subject};
use crate::model::schema_ref::{OwnedSchemaRef, SchemaRef};

/// Entries and bytes of compiled stored contents.
const CONTENTS_MAX: (usize, u64) = (4096, 48 << 20);
/// Entries and bytes of compiled texts as they were submitted.
const TEXTS_MAX: (usize, u64) = (4096, 16 << 20);
/// Entries and bytes of what producers name. Texts of many producers, not of many records.
const RESOLVED_MAX: (usize, u64) = (16_384, 64 << 20);
/// What an entry costs besides its text and its schema: keys, counters, the slot in the table.
const ENTRY_OVERHEAD: usize = 256;

// === Compiled schemas ===

type ByContent = Cache<(Box<str>, Guid), Schema, SchemaWeighter, foldhash::fast::RandomState>;
type ByText = Cache<Arc<str>, (Strictness, Schema), SchemaWeighter, foldhash::fast::RandomState>;

/// Compiled stored contents, and compiled texts without references.
pub(crate) struct CompiledCache {
    /// By context as well: the same references may name other schemas there.
    contents: ByContent,
    texts: ByText,
}

#[derive(Clone)]
struct SchemaWeighter;

impl Weighter<(Box<str>, Guid), Schema> for SchemaWeighter {
    fn weight(&self, (context, _): &(Box<str>, Guid), schema: &Schema) -> u64 {
        (context.len() + schema.memory_size() + ENTRY_OVERHEAD) as u64
    }
}

impl Weighter<Arc<str>, (Strictness, Schema)> for SchemaWeighter {
    fn weight(&self, text: &Arc<str>, (_, schema): &(Strictness, Schema)) -> u64 {
        (text.len() + schema.memory_size() + ENTRY_OVERHEAD) as u64
    }
}

impl Default for CompiledCache {
    fn default() -> CompiledCache {
        CompiledCache { contents: bounded(CONTENTS_MAX, SchemaWeighter), texts: bounded(TEXTS_MAX, SchemaWeighter) }
    }
}

impl CompiledCache {
    /// The compiled form of a stored content.
    pub(crate) fn content(&self, context: &str, guid: Guid) -> Option<Schema> {
        self.contents.get(&(Box::from(context), guid))
    }

    pub(crate) fn keep_content(&self, context: &str, guid: Guid, schema: &Schema) {
        self.contents.insert((context.into(), guid), schema.clone());
    }

    /// The compiled form of a text without references, and how strictly it was read.
    pub(crate) fn text(&self, text: &str) -> Option<(Strictness, Schema)> {
        self.texts.get(text)
    }

    pub(crate) fn keep_text(&self, text: &str, strictness: Strictness, schema: &Schema) {
        self.texts.insert(text.into(), (strictness, schema.clone()));
    }

    /// Versions were removed for good: a reference may name something else now. Texts have no references.
    pub(crate) fn clear_contents(&self) {
        self.contents.clear();
    }
}

// === What producers name ===

/// Serializers by subject and schema as a producer names them.
pub(crate) struct ResolvedCache {
    /// By a hash of subject and schema, so that a look-up allocates nothing; the entry says whether it is the right one.
    entries: Cache<u64, Arc<ResolvedEntry>, ResolvedWeighter>,
    hasher: foldhash::fast::RandomState,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

struct ResolvedEntry {
    subject: Subject,
    schema: OwnedSchemaRef,
    serializer: Arc<RecordSerializer>,
    validity: Validity,
    text_bytes: usize,
}

#[derive(Clone)]
struct ResolvedWeighter;

impl Weighter<u64, Arc<ResolvedEntry>> for ResolvedWeighter {
    fn weight(&self, _: &u64, entry: &Arc<ResolvedEntry>) -> u64 {
        let (subject, schema) = (entry.subject.as_str().len(), &entry.serializer.schema);
        let schema = schema.memory_size() + schema.encoder_memory_size();
        (subject + entry.text_bytes + schema + ENTRY_OVERHEAD) as u64
    }
}

impl Default for ResolvedCache {
    fn default() -> ResolvedCache {
        ResolvedCache {
            entries: bounded(RESOLVED_MAX, ResolvedWeighter),
            hasher: foldhash::fast::RandomState::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }
}

impl ResolvedCache {
    pub(crate) fn get(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<RecordSerializer>> {
        let entry = self.entries.get(&self.hasher.hash_one((subject, schema)));
        let is_right = |entry: &Arc<ResolvedEntry>| {
            entry.subject == *subject && entry.schema.is(schema) && entry.validity.is_valid()
        };
        let found = entry.filter(is_right).map(|entry| entry.serializer.clone());
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps what was resolved for as long as `validity` says so.
    pub(crate) fn insert(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
        validity: Validity,
        serializer: Arc<RecordSerializer>,
    ) {
        let hash = self.hasher.hash_one((subject, schema));
        let (schema, text_bytes) = OwnedSchemaRef::of(schema);
        let entry = ResolvedEntry { subject: subject.clone(), schema, serializer, validity, text_bytes };
        self.entries.insert(hash, Arc::new(entry));
    }

    pub(crate) fn clear(&self) {
        self.entries.clear();
    }
}

/// Whether what was derived from a subject's versions still holds. Clones share it; the state ends it when the subject changes.
#[derive(Clone, Debug)]
pub(crate) struct Validity(Arc<AtomicBool>);

impl Default for Validity {
    fn default() -> Validity {
        Validity(Arc::new(AtomicBool::new(true)))
    }
}

impl Validity {
    fn is_valid(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Ends it for all clones; `self` is a new one afterwards.
    pub(crate) fn renew(&mut self) {
        std::mem::take(self).0.store(false, Ordering::Release);
    }
}

/// One shard, so that a single large entry may fill the whole cache; reads take a shared lock only.
fn bounded<K: std::hash::Hash + Eq, V: Clone, W: Weighter<K, V> + Clone, H: BuildHasher + Clone + Default>(
    (entries, bytes): (usize, u64),
    weighter: W,
) -> Cache<K, V, W, H> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(entries)
        .weight_capacity(bytes)
        .shards(1)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, weighter, H::default(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests {
    use postern_schema::SchemaKind;

    use super::*;
    use crate::model::names::SchemaId;

    fn schema(text: &str) -> Schema {
        Schema::compile(SchemaKind::Avro, text, &[], Strictness::Stored).expect("a schema")
    }

    #[test]
    fn what_was_resolved_ends_with_its_subject_and_no_other() {
        let cache = ResolvedCache::default();
        let (id, kind) = (SchemaId(1), SchemaKind::Avro);
        let serializer = Arc::new(RecordSerializer { id, version: Some(1), kind, schema: schema("\"int\"") });
        let (a, b) = (Subject::parse("a"), Subject::parse("b"));
        let named = SchemaRef::Inline { kind: SchemaKind::Avro, text: "\"int\"" };
        let (mut of_a, of_b) = (Validity::default(), Validity::default());
        cache.insert(&a, &named, of_a.clone(), serializer.clone());
        cache.insert(&b, &named, of_b, serializer.clone());
        assert!(cache.get(&a, &named).is_some() && cache.get(&b, &named).is_some());
        of_a.renew();
        assert!(cache.get(&a, &named).is_none() && cache.get(&b, &named).is_some());
        cache.insert(&a, &named, of_a, serializer);
        assert!(cache.get(&a, &named).is_some());
        cache.clear();
        assert!(cache.get(&b, &named).is_none());
    }

    #[test]
    fn compiled_forms_are_bounded_by_their_memory() {
        let cache = CompiledCache::default();
        let symbols: Vec<String> = (0..20_000).map(|n| format!("\"S{n}\"")).collect();
        let symbols = symbols.join(",");
        for n in 0..100 {
            let text = format!(r#"{{"type":"enum","name":"E{n}","symbols":[{symbols}]}}"#);
            cache.keep_text(&text, Strictness::Stored, &schema(&text));
        }
        assert!(cache.texts.weight() <= TEXTS_MAX.1, "{}", cache.texts.weight());
        assert!(!cache.texts.is_empty());
    }
}
