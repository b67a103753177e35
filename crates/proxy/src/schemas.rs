//! Where the schemas of records come from: our own registry, or another one over HTTP.

use std::sync::Arc;

use postern_registry::{
    PreparedSchema, RecordSerializer, Registry, ResolveError, SchemaId, SchemaIdentifier, SchemaRef, Subject,
};
use postern_registry_client::Remote;
use postern_schema::Schema;
use tokio::time::Instant;

/// Either of the two.
#[derive(Clone)]
pub enum Schemas {
    /// Ours, answered from memory.
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
    /// A serializer resolved before: no await, no parsing; one hash of the text.
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<RecordSerializer>> {
        match self {
            Schemas::Embedded(registry) => registry.resolved(subject, schema),
            Schemas::Remote(remote) => remote.resolved(subject, schema),
        }
    }

    /// What records under `subject` would be written with, without registering anything. Encoding with it tells whether the values
    /// fit; if the schema is not registered yet, [`Schemas::resolve`] registers it, and the records are encoded again.
    ///
    /// Dropping the future does nothing.
    ///
    /// # Errors
    /// The registry's refusal, with what was attempted.
    pub async fn prepare(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<PreparedSchema, ResolveError> {
        match self {
            Schemas::Embedded(registry) => registry.prepare(subject, schema).await,
            Schemas::Remote(remote) => remote.prepare(subject, schema).await,
        }
    }

    /// What records under `subject` are written with. An id must be registered under the subject; a text is looked up there, and
    /// registered if it is not found. True: our registry has registered it for that; what another one does it says nobody.
    ///
    /// Dropping the future may leave the schema registered.
    ///
    /// # Errors
    /// The registry's refusal, with what was attempted.
    pub async fn resolve(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
    ) -> Result<(Arc<RecordSerializer>, bool), ResolveError> {
        match self {
            Schemas::Embedded(registry) => registry.resolve_or_register(subject, schema).await,
            Schemas::Remote(remote) => remote.resolve(subject, schema).await.map(|serializer| (serializer, false)),
        }
    }

    /// What an id names in the context of `subject`, whatever subject it is registered under.
    ///
    /// # Errors
    /// There is no such id, its schema is not valid any more, or the registry does not answer.
    pub async fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<Arc<RecordSerializer>, ResolveError> {
        match self {
            Schemas::Embedded(registry) => registry.serializer_by_id(subject, id),
            Schemas::Remote(remote) => remote.by_id(subject, id).await,
        }
    }

    /// The schemas that records of `subject` name, by id or guid, in the order of the names. Nearly always from memory.
    ///
    /// Dropping the future does nothing.
    ///
    /// # Errors
    /// Of each name: there is no such schema, it is not valid any more, or the registry has not answered until `deadline`.
    pub async fn of_records(
        &self,
        subject: &Subject,
        names: &[SchemaIdentifier],
        deadline: Instant,
    ) -> Vec<Result<Schema, ResolveError>> {
        match self {
            Schemas::Embedded(registry) => registry.schemas_of_records(subject, names, deadline).await,
            Schemas::Remote(remote) => remote.schemas_of_records(subject, names, deadline).await,
        }
    }
}
