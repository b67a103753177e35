//! From the schema a producer names to the serializer of its records. Nearly always from a cache.
//!
//! A cached serializer is valid until the versions of its subject change; the state ends it before anyone can see the change. So
//! a text seen before costs no look at the registry, and yet a deleted subject takes effect at once.
//!
//! Source: docs/reference/rest-v2.md §5.3, §5.4.

use std::sync::Arc;

use postern_schema::SchemaKind;
use tokio::time::timeout;

use crate::framing::{PreparedSchema, RecordSerializer};
use crate::model::error::Error;
use crate::model::names::{SchemaId, Subject, VersionRef};
use crate::model::schema_ref::{self, ResolveError, SchemaRef};
use crate::model::stored::StoredSchema;
use crate::model::submission::SchemaSubmission;
use crate::operations::register::{Preview, RegisterOptions, Registered};
use crate::registry::Registry;
use crate::state::State;

impl Registry {
    /// The hot path: a serializer resolved before. No await, no parsing, no allocation; one hash of the text.
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<RecordSerializer>> {
        self.core().resolved.get(subject, schema)
    }

    /// What records under `subject` would be written with, without registering anything: so that a request that is refused for
    /// its values or its topic leaves no schema behind. Everything that registering would refuse is refused here already. If the
    /// schema is not registered yet, [`Registry::resolve`] registers it.
    ///
    /// Waits for the state to catch up, at most as long as a write may take. Dropping the future does nothing.
    ///
    /// # Errors
    /// The registry's refusal, with what was attempted.
    pub async fn prepare(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<PreparedSchema, ResolveError> {
        if let Some(serializer) = self.resolved(subject, schema) {
            return Ok(PreparedSchema::registered(serializer));
        }
        let SchemaRef::Inline { kind, text } = *schema else {
            return self.resolve(subject, schema).await.map(PreparedSchema::registered);
        };
        self.wait_until_ready().await;
        let preview = || self.preview_registration(subject, SchemaSubmission::new(kind, text));
        let mut previewed = preview();
        // A refusal may come from a state that lags behind the topic.
        if previewed.as_ref().err().is_some_and(depends_on_state) && self.catch_up().await {
            previewed = preview();
        }
        match previewed.map_err(|error| schema_ref::invalid_text(subject, kind, text, error))? {
            Preview::Registered(stored) => self.keep(subject, schema, stored).map(PreparedSchema::registered),
            Preview::New(compiled) => Ok(PreparedSchema::unregistered(kind, compiled.schema)),
        }
    }

    /// The serializer of records under `subject`. An id must be registered under the subject; a text is looked up there, and
    /// registered if it is not found. Waits for the state to catch up, at most as long as a write may take.
    ///
    /// Dropping the future may leave the schema registered.
    ///
    /// # Errors
    /// The registry's refusal, with what was attempted.
    pub async fn resolve(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
    ) -> Result<Arc<RecordSerializer>, ResolveError> {
        self.resolve_or_register(subject, schema).await.map(|(serializer, _)| serializer)
    }

    /// As [`Registry::resolve`]; also whether a text was registered for that.
    ///
    /// # Errors
    /// As there.
    pub async fn resolve_or_register(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
    ) -> Result<(Arc<RecordSerializer>, bool), ResolveError> {
        if let Some(serializer) = self.resolved(subject, schema) {
            return Ok((serializer, false));
        }
        self.wait_until_ready().await;
        let (stored, is_new) = match *schema {
            SchemaRef::Id(id) => (self.by_id(subject, id)?, false),
            SchemaRef::Version { subject, version } => (self.by_version(subject, VersionRef::Number(version))?, false),
            SchemaRef::Latest { subject } => (self.by_version(subject, VersionRef::Latest)?, false),
            SchemaRef::Inline { kind, text } => {
                let Registered { stored, is_new, .. } = self.by_text(subject, kind, text).await?;
                (stored, is_new)
            }
        };
        Ok((self.keep(subject, schema, stored)?, is_new))
    }

    /// What an id names in the context of `subject`, whatever subject it is registered under.
    ///
    /// # Errors
    /// There is no such id, or its schema is not valid any more.
    pub fn serializer_by_id(&self, subject: &Subject, id: SchemaId) -> Result<Arc<RecordSerializer>, ResolveError> {
        let refused = |error| ResolveError::Refused { step: schema_ref::fetching_id(id), error };
        let stored = self.schema(id, Some(subject)).map_err(refused)?;
        let schema = self.compiled(&stored).map_err(refused)?;
        Ok(Arc::new(RecordSerializer { id, version: None, kind: stored.content.kind(), schema }))
    }

    /// Right after the start it is better to wait than to make a producer send its records again.
    async fn wait_until_ready(&self) {
        let _ = timeout(self.core().settings.write_timeout, self.ready()).await;
    }

    /// Makes the serializer of a stored version, and keeps it for as long as `schema` names this version.
    fn keep(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
        stored: StoredSchema,
    ) -> Result<Arc<RecordSerializer>, ResolveError> {
        let compiled = self.compiled(&stored).map_err(|error| ResolveError::Refused {
            step: format!("Error when reading the stored schema with id {}", stored.id),
            error,
        })?;
        let version = Some(stored.version);
        let serializer =
            Arc::new(RecordSerializer { id: stored.id, version, kind: stored.content.kind(), schema: compiled });
        let core = self.core();
        let state = core.state.read();
        if let Some(validity) = state.validity(&stored.subject).filter(|_| still_holds(&state, schema, &stored)) {
            core.resolved.insert(subject, schema, validity, serializer.clone());
        }
        Ok(serializer)
    }

    fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<StoredSchema, ResolveError> {
        let found = self.read(|state| {
            let context = subject.context();
            state.content(context, id).ok_or(Error::IdNotFound(id))?;
            let live = state.versions_in_subject_with_id(subject, id).find(|stored| !stored.deleted);
            live.ok_or_else(|| {
                let mut registered_under: Vec<Subject> =
                    state.versions_with_id(context, id).map(|stored| stored.subject).collect();
                registered_under.dedup();
                Error::IdNotUnderSubject { id, subject: subject.clone(), registered_under }
            })
        });
        found.map_err(|error| ResolveError::Refused { step: schema_ref::fetching_id(id), error })
    }

    fn by_version(&self, subject: &Subject, version: VersionRef) -> Result<StoredSchema, ResolveError> {
        self.version(subject, version, false)
            .map_err(|error| ResolveError::Refused { step: schema_ref::fetching_version(subject, version), error })
    }

    async fn by_text(&self, subject: &Subject, kind: SchemaKind, text: &str) -> Result<Registered, ResolveError> {
        let registered = self.register(subject, SchemaSubmission::new(kind, text), RegisterOptions::default()).await;
        registered.map_err(|error| schema_ref::invalid_text(subject, kind, text, error))
    }
}

/// Whether another state could have another answer; a text that is not a schema is none in any.
fn depends_on_state(error: &Error) -> bool {
    !matches!(error, Error::NotReady(_) | Error::InvalidSchema { .. } | Error::EmptySchema | Error::InvalidSubject(_))
}

/// Whether `schema` still names the version found a moment ago.
fn still_holds(state: &State, schema: &SchemaRef<'_>, stored: &StoredSchema) -> bool {
    let is_there =
        || state.version(&stored.subject, stored.version).is_some_and(|now| !now.deleted && now.id == stored.id);
    match schema {
        SchemaRef::Id(_) | SchemaRef::Version { .. } | SchemaRef::Inline { .. } => is_there(),
        SchemaRef::Latest { .. } => {
            state.latest(&stored.subject).is_some_and(|latest| latest.version == stored.version) && is_there()
        }
    }
}
