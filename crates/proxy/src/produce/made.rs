//! What producing makes besides records: a topic for the first of them, a schema that came as a text. Whoever serves requests may want to know for
//! which one it was made.

use std::sync::{Arc, OnceLock};

use postern_kafka::TopicName;
use postern_registry::{RecordSerializer, ResolveError, SchemaRef, Subject};

use crate::Proxy;

/// What was made.
#[derive(Debug)]
pub enum Made<'a> {
    /// A topic.
    Topic(&'a TopicName),
    /// A version of a subject, in our registry.
    Schema {
        /// The subject.
        subject: &'a Subject,
        /// What serializes by it; it has the id and the version.
        serializer: &'a RecordSerializer,
    },
}

/// Is told what was made.
pub type Tell = Box<dyn FnOnce(&Made<'_>) + Send>;

/// Who is to be told: asked in the task of a request before something is made for it, which may be done in another task.
#[derive(Debug, Default)]
pub(crate) struct Witness(OnceLock<fn() -> Tell>);

impl Proxy {
    /// From now on `begin` is called in the task of a request for which something may be made, and what it returns once it was. To be called once; a
    /// second call changes nothing.
    pub fn tell_what_is_made(&self, begin: fn() -> Tell) {
        let _ = self.0.witness.0.set(begin);
    }

    pub(super) fn tell(&self) -> Option<Tell> {
        self.0.witness.0.get().map(|begin| begin())
    }

    /// What records under `subject` are written with; see [`crate::Schemas::resolve`].
    pub(crate) async fn resolve(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
    ) -> Result<Arc<RecordSerializer>, ResolveError> {
        let (serializer, is_new) = self.schemas().resolve(subject, schema).await?;
        if let Some(tell) = is_new.then(|| self.tell()).flatten() {
            tell(&Made::Schema { subject, serializer: &serializer });
        }
        Ok(serializer)
    }
}
