//! Where the schemas of records come from: our own registry, or another one over HTTP.

use std::sync::Arc;

use crate::resolve::{self, ResolveError, SchemaRef};
use crate::{Registry, Remote, SchemaId, Subject, Writer};

/// Either of the two.
#[derive(Clone)]
pub enum Schemas {
    /// Ours: a fold over the topic, read from memory.
    Embedded(Registry),
    /// Another one.
    Remote(Remote),
}

impl From<Registry> for Schemas {
    fn from(registry: Registry) -> Schemas {
        Schemas::Embedded(registry)
    }
}

impl From<Remote> for Schemas {
    fn from(remote: Remote) -> Schemas {
        Schemas::Remote(remote)
    }
}

impl Schemas {
    /// What is known already: no await, no parsing; one hash of the text.
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<Writer>> {
        match self {
            Schemas::Embedded(registry) => registry.resolved(subject, schema),
            Schemas::Remote(remote) => remote.resolved(subject, schema),
        }
    }

    /// What records under `subject` are written with. An id must be registered under the subject; a text is looked up there,
    /// and registered where it is not found.
    ///
    /// # Errors
    /// The registry's refusal, with what was tried. Dropping the future may leave the schema registered.
    pub async fn resolve(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<Arc<Writer>, ResolveError> {
        match self {
            Schemas::Embedded(registry) => registry.resolve(subject, schema).await,
            Schemas::Remote(remote) => remote.resolve(subject, schema).await,
        }
    }

    /// What an id names in the context of `subject`, whatever subject it is registered under: what records are read with.
    ///
    /// # Errors
    /// There is no such id, its schema cannot be read any more, or the registry does not answer.
    pub async fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<Arc<Writer>, ResolveError> {
        match self {
            Schemas::Embedded(registry) => {
                let refused = |error| ResolveError::Refused { step: resolve::fetching_id(id), error };
                let stored = registry.schema(id, Some(subject)).map_err(refused)?;
                let schema = registry.compiled(&stored).map_err(refused)?;
                Ok(Arc::new(Writer { id, kind: stored.content.kind(), schema }))
            }
            Schemas::Remote(remote) => remote.by_id(subject, id).await,
        }
    }
}
