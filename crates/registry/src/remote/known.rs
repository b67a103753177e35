//! What another registry has answered, kept within bounds.

use std::hash::BuildHasher;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::resolve::{OwnedRef, ResolveError, SchemaRef};
use crate::{SchemaId, Subject, Writer};

/// Entries, and the bytes of the texts in them.
const ANSWERS_MAX: (usize, usize) = (16_384, 64 << 20);
/// Compiled schemas by id, and the bytes of the texts they were made from.
const SCHEMAS_MAX: (usize, usize) = (16_384, 64 << 20);

/// What came of asking.
#[derive(Clone, Debug)]
pub(super) enum Looked {
    Found(Arc<Writer>),
    Missing(ResolveError),
}

pub(super) struct Known {
    answers: RwLock<Cache<u64, Answer>>,
    schemas: Mutex<Cache<InContext, Arc<Writer>>>,
    hasher: foldhash::fast::RandomState,
}

/// Ids are given out per context.
type InContext = (Box<str>, SchemaId);

struct Answer {
    subject: Subject,
    schema: OwnedRef,
    looked: Looked,
    /// `None`: for ever.
    until: Option<Instant>,
}

impl Default for Known {
    fn default() -> Known {
        Known {
            answers: RwLock::new(Cache::new(ANSWERS_MAX.0, ANSWERS_MAX.1)),
            schemas: Mutex::new(Cache::new(SCHEMAS_MAX.0, SCHEMAS_MAX.1)),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl Known {
    /// The hot path: one hash of the text, no allocation.
    pub(super) fn get(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Looked> {
        let answers = self.answers.read();
        let answer = answers.get(&self.hasher.hash_one((subject, schema)))?;
        let is_it = answer.subject == *subject && answer.schema.is(schema);
        let is_fresh = answer.until.is_none_or(|until| Instant::now() < until);
        (is_it && is_fresh).then(|| answer.looked.clone())
    }

    pub(super) fn keep(&self, subject: &Subject, schema: &SchemaRef<'_>, looked: Looked, until: Option<Instant>) {
        let hash = self.hasher.hash_one((subject, schema));
        let (owned, text) = OwnedRef::of(schema);
        let bytes = text + subject.as_str().len() + 256;
        let answer = Answer { subject: subject.clone(), schema: owned, looked, until };
        self.answers.write().insert(hash, answer, bytes);
    }

    pub(super) fn schema(&self, context: &str, id: SchemaId) -> Option<Arc<Writer>> {
        self.schemas.lock().get(&(Box::from(context), id)).cloned()
    }

    pub(super) fn keep_schema(&self, context: &str, id: SchemaId, writer: &Arc<Writer>, text: usize) {
        self.schemas.lock().insert((context.into(), id), writer.clone(), text + 256);
    }
}
