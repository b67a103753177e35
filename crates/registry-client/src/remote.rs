//! The registry elsewhere: look-ups, registration, and the schemas compiled from its answers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use postern_registry::{
    Error, PreparedSchema, RecordSerializer, ResolveError, SchemaId, SchemaIdentifier, SchemaRef, SchemaReference,
    Subject, VersionRef, compile, fetching_guid, fetching_id, fetching_text, fetching_version, invalid_text, kind_name,
    kind_of,
};
use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::cache::{AnswerCache, CachedAnswer};
use crate::http::{HttpClient, percent_encoded};
use crate::settings::RemoteSettings;

/// Longer chains of references are refused, and with them circular ones.
const REFERENCE_DEPTH_MAX: usize = 64;
/// The most referenced versions that are fetched for one schema.
const REFERENCES_MAX: usize = 512;
/// Schemas resolved at the same time. A call that waited looks at the cache again, so that equal calls are made once.
const CONCURRENT: usize = 16;

/// Another registry. Cheap to clone; connections are pooled.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    http: HttpClient,
    cache: AnswerCache,
    freshness: Duration,
    permits: Semaphore,
}

impl Remote {
    /// Makes no call yet.
    pub fn new(settings: RemoteSettings) -> Remote {
        let freshness = settings.freshness;
        let http = HttpClient::new(settings);
        Remote(Arc::new(Inner { http, cache: AnswerCache::default(), freshness, permits: Semaphore::new(CONCURRENT) }))
    }

    /// As [`Registry::resolved`](postern_registry::Registry::resolved).
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<RecordSerializer>> {
        match self.0.cache.get(subject, schema)? {
            CachedAnswer::Found(serializer) => Some(serializer),
            CachedAnswer::Missing(_) => None,
        }
    }

    /// As [`Registry::prepare`](postern_registry::Registry::prepare), except that only the other registry knows what it would refuse.
    ///
    /// # Errors
    /// As [`Remote::resolve`].
    pub async fn prepare(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<PreparedSchema, ResolveError> {
        if let Some(known) = self.known(subject, schema) {
            return known.map(PreparedSchema::registered);
        }
        let SchemaRef::Inline { kind, text } = *schema else {
            return self.resolve(subject, schema).await.map(PreparedSchema::registered);
        };
        let _permit = self.0.permits.acquire().await.expect("the semaphore is never closed");
        if let Some(known) = self.known(subject, schema) {
            return known.map(PreparedSchema::registered);
        }
        let invalid = |error| invalid_text(subject, kind, text, error);
        let compiled = compile(kind, text, &[], Strictness::Stored).map_err(invalid)?;
        match self.look_up(subject, kind, text).await.map_err(invalid)? {
            None => Ok(PreparedSchema::unregistered(kind, compiled)),
            Some((id, version)) => {
                let serializer = Arc::new(RecordSerializer { id, version, kind, schema: compiled });
                self.0.cache.keep(subject, schema, CachedAnswer::Found(serializer.clone()), None);
                Ok(PreparedSchema::registered(serializer))
            }
        }
    }

    /// As [`Registry::resolve`](postern_registry::Registry::resolve). Dropping the future may leave the schema registered.
    ///
    /// # Errors
    /// The other registry's refusal, or that none of its instances answers.
    pub async fn resolve(
        &self,
        subject: &Subject,
        schema: &SchemaRef<'_>,
    ) -> Result<Arc<RecordSerializer>, ResolveError> {
        if let Some(known) = self.known(subject, schema) {
            return known;
        }
        let _permit = self.0.permits.acquire().await.expect("the semaphore is never closed");
        if let Some(known) = self.known(subject, schema) {
            return known;
        }
        let resolved = match *schema {
            SchemaRef::Id(id) => self.by_id_under(subject, id).await,
            SchemaRef::Version { subject, version } => self.by_version(subject, VersionRef::Number(version)).await,
            SchemaRef::Latest { subject } => self.by_version(subject, VersionRef::Latest).await,
            SchemaRef::Inline { kind, text } => self.by_text(subject, kind, text).await,
        };
        let soon = Some(Instant::now() + self.0.freshness);
        match &resolved {
            Ok(serializer) => {
                let until = match schema {
                    SchemaRef::Id(_) | SchemaRef::Inline { .. } => None,
                    SchemaRef::Version { .. } | SchemaRef::Latest { .. } => soon,
                };
                self.0.cache.keep(subject, schema, CachedAnswer::Found(serializer.clone()), until);
            }
            Err(error) if is_missing(error) => {
                self.0.cache.keep(subject, schema, CachedAnswer::Missing(error.clone()), soon);
            }
            Err(_) => {}
        }
        resolved
    }

    fn known(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Result<Arc<RecordSerializer>, ResolveError>> {
        match self.0.cache.get(subject, schema)? {
            CachedAnswer::Found(serializer) => Some(Ok(serializer)),
            CachedAnswer::Missing(error) => Some(Err(error)),
        }
    }

    /// The schema that an id names in the context of `subject`, whatever subject it is registered under.
    ///
    /// # Errors
    /// As [`Remote::resolve`].
    pub async fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<Arc<RecordSerializer>, ResolveError> {
        let name = SchemaIdentifier::Id(id);
        let schema = match self.0.cache.schema(subject.context(), name) {
            Some(known) => known?,
            None => self.schema_of_records(subject, name).await?,
        };
        Ok(serializer(id, None, schema))
    }

    /// As [`Registry::schemas_of_records`](postern_registry::Registry::schemas_of_records). What was not found is not asked for again
    /// for a while.
    ///
    /// # Errors
    /// Of each name: as [`Remote::resolve`].
    pub async fn schemas_of_records(
        &self,
        subject: &Subject,
        names: &[SchemaIdentifier],
        deadline: Instant,
    ) -> Vec<Result<Schema, ResolveError>> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let schema = match self.0.cache.schema(subject.context(), *name) {
                Some(known) => known,
                None => timeout_at(deadline, self.schema_of_records(subject, *name)).await.unwrap_or_else(|_| {
                    let error = Error::Unreachable("the schema registry does not answer in time".to_owned());
                    Err(refused(fetching(*name), error))
                }),
            };
            found.push(schema);
        }
        found
    }

    async fn schema_of_records(&self, subject: &Subject, name: SchemaIdentifier) -> Result<Schema, ResolveError> {
        let _permit = self.0.permits.acquire().await.expect("the semaphore is never closed");
        if let Some(known) = self.0.cache.schema(subject.context(), name) {
            return known;
        }
        let found = match name {
            SchemaIdentifier::Id(id) => self.fetch(subject, id).await.map(|(_, schema)| schema),
            SchemaIdentifier::Guid(guid) => {
                let described = self.describe(&format!("/schemas/guids/{guid}"), name).await;
                match described {
                    Ok(described) => self.compile_and_keep(subject, name, &described).await,
                    Err(error) => Err(error),
                }
            }
        };
        if let Some(error) = found.as_ref().err().filter(|error| is_missing(error)) {
            self.0.cache.keep_missing(subject.context(), name, error, Instant::now() + self.0.freshness);
        }
        found
    }

    /// An id must be registered under the subject.
    async fn by_id_under(&self, subject: &Subject, id: SchemaId) -> Result<Arc<RecordSerializer>, ResolveError> {
        let (described, schema) = self.fetch(subject, id).await?;
        let path = format!("/subjects/{}", percent_encoded(subject.as_str()));
        let looked_up = self.call("POST", &path, Some(&described.to_json())).await;
        let found = looked_up.map_err(|error| refused(fetching_text(subject, &described.text), error))?;
        Ok(serializer(id, version_in(&found), schema))
    }

    async fn fetch(&self, subject: &Subject, id: SchemaId) -> Result<(RemoteSchema, Schema), ResolveError> {
        let name = SchemaIdentifier::Id(id);
        let path = format!("/schemas/ids/{id}?subject={}", percent_encoded(subject.as_str()));
        let described = self.describe(&path, name).await?;
        let schema = match self.0.cache.schema(subject.context(), name) {
            Some(Ok(schema)) => schema,
            Some(Err(_)) | None => self.compile_and_keep(subject, name, &described).await?,
        };
        Ok((described, schema))
    }

    async fn describe(&self, path: &str, name: SchemaIdentifier) -> Result<RemoteSchema, ResolveError> {
        let described = async { RemoteSchema::from_json(&self.call("GET", path, None).await?) };
        described.await.map_err(|error| refused(fetching(name), error))
    }

    async fn by_version(&self, subject: &Subject, version: VersionRef) -> Result<Arc<RecordSerializer>, ResolveError> {
        let found = self.version(subject, version).await;
        let (id, number, described) = found.map_err(|error| refused(fetching_version(subject, version), error))?;
        let name = SchemaIdentifier::Id(id);
        let schema = match self.0.cache.schema(subject.context(), name) {
            Some(Ok(schema)) => schema,
            Some(Err(_)) | None => self.compile_and_keep(subject, name, &described).await?,
        };
        Ok(serializer(id, number, schema))
    }

    /// Looks a text up, and registers it if it is not found. A text that is not a schema is not sent at all.
    async fn by_text(
        &self,
        subject: &Subject,
        kind: SchemaKind,
        text: &str,
    ) -> Result<Arc<RecordSerializer>, ResolveError> {
        let invalid = |error| invalid_text(subject, kind, text, error);
        let schema = compile(kind, text, &[], Strictness::Stored).map_err(invalid)?;
        let (id, version) = match self.look_up(subject, kind, text).await.map_err(invalid)? {
            Some(found) => found,
            None => {
                let path = format!("/subjects/{}/versions", percent_encoded(subject.as_str()));
                let answer = self.call("POST", &path, Some(&submission(kind, text))).await.map_err(invalid)?;
                // Older registries answer without the version.
                (id_in(&answer).map_err(invalid)?, version_in(&answer))
            }
        };
        Ok(Arc::new(RecordSerializer { id, version, kind, schema }))
    }

    /// The id and version of a text under a subject. `None`: it is not registered there.
    async fn look_up(
        &self,
        subject: &Subject,
        kind: SchemaKind,
        text: &str,
    ) -> Result<Option<(SchemaId, Option<u32>)>, Error> {
        let path = format!("/subjects/{}", percent_encoded(subject.as_str()));
        match self.call("POST", &path, Some(&submission(kind, text))).await {
            Ok(answer) => Ok(Some((id_in(&answer)?, version_in(&answer)))),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compiles what an id or a guid names, and caches it.
    async fn compile_and_keep(
        &self,
        subject: &Subject,
        name: SchemaIdentifier,
        described: &RemoteSchema,
    ) -> Result<Schema, ResolveError> {
        let mut fetcher = ReferenceFetcher { remote: self, compiled: HashMap::new(), remaining: REFERENCES_MAX };
        let schema = fetcher.compile(subject.clone(), described.clone(), 0).await;
        let schema =
            schema.map_err(|error| refused(format!("Error when reading the stored schema with {name}"), error))?;
        self.0.cache.keep_schema(subject.context(), name, &schema);
        Ok(schema)
    }

    async fn version(
        &self,
        subject: &Subject,
        version: VersionRef,
    ) -> Result<(SchemaId, Option<u32>, RemoteSchema), Error> {
        let path = format!("/subjects/{}/versions/{version}?deleted=true", percent_encoded(subject.as_str()));
        let path = if version == VersionRef::Latest { path.replace("?deleted=true", "") } else { path };
        let answer = self.call("GET", &path, None).await?;
        Ok((id_in(&answer)?, version_in(&answer), RemoteSchema::from_json(&answer)?))
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        self.0.http.call(method, path, body).await
    }
}

fn serializer(id: SchemaId, version: Option<u32>, schema: Schema) -> Arc<RecordSerializer> {
    Arc::new(RecordSerializer { id, version, kind: schema.kind(), schema })
}

fn fetching(name: SchemaIdentifier) -> String {
    match name {
        SchemaIdentifier::Id(id) => fetching_id(id),
        SchemaIdentifier::Guid(guid) => fetching_guid(guid),
    }
}

fn refused(step: String, error: Error) -> ResolveError {
    ResolveError::Refused { step, error }
}

fn is_missing(error: &ResolveError) -> bool {
    match error {
        ResolveError::Refused { error, .. } => is_not_found(error),
        ResolveError::InvalidSchema { .. } | ResolveError::WrongKind { .. } => false,
    }
}

/// The other registry says that there is no such thing.
fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Remote { status: 404, .. })
}

// === Schemas in answers and requests ===

/// A schema as it is described in answers and requests.
#[derive(Clone, Debug)]
struct RemoteSchema {
    kind: SchemaKind,
    text: String,
    references: Vec<SchemaReference>,
}

impl RemoteSchema {
    fn from_json(answer: &Value) -> Result<RemoteSchema, Error> {
        let kind = match &answer["schemaType"] {
            Value::Null => SchemaKind::Avro,
            Value::String(name) => kind_of(name).ok_or_else(|| malformed("a schemaType that is known", answer))?,
            _ => return Err(malformed("a schemaType", answer)),
        };
        let text = answer["schema"].as_str().ok_or_else(|| malformed("a schema", answer))?.to_owned();
        let reference = |item: &Value| {
            Some(SchemaReference {
                name: item["name"].as_str()?.to_owned(),
                subject: item["subject"].as_str()?.to_owned(),
                version: i32::try_from(item["version"].as_i64()?).ok()?,
            })
        };
        let references = answer["references"].as_array().into_iter().flatten().map(reference).collect::<Option<_>>();
        Ok(RemoteSchema { kind, text, references: references.ok_or_else(|| malformed("whole references", answer))? })
    }

    fn to_json(&self) -> Value {
        let mut asked = json!({"schema": self.text});
        // Old registries know neither member; Avro without references needs none.
        if self.kind != SchemaKind::Avro {
            asked["schemaType"] = kind_name(self.kind).into();
        }
        if !self.references.is_empty() {
            asked["references"] = json!(self.references);
        }
        asked
    }
}

/// The body that looks a text up or registers it.
fn submission(kind: SchemaKind, text: &str) -> Value {
    RemoteSchema { kind, text: text.to_owned(), references: Vec::new() }.to_json()
}

fn id_in(answer: &Value) -> Result<SchemaId, Error> {
    let id = answer["id"].as_i64().and_then(|id| i32::try_from(id).ok());
    id.map(SchemaId).ok_or_else(|| malformed("an id", answer))
}

fn version_in(answer: &Value) -> Option<u32> {
    answer["version"].as_u64().and_then(|version| u32::try_from(version).ok())
}

fn malformed(expected: &str, answer: &Value) -> Error {
    let found: String = answer.to_string().chars().take(100).collect();
    Error::Unreachable(format!("the schema registry answers without {expected}: {found}"))
}

// === ReferenceFetcher references ===

/// Fetches and compiles a schema's references, each version once.
struct ReferenceFetcher<'a> {
    remote: &'a Remote,
    compiled: HashMap<(Subject, i32), Schema>,
    remaining: usize,
}

impl ReferenceFetcher<'_> {
    fn compile(
        &mut self,
        subject: Subject,
        described: RemoteSchema,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Schema, Error>> + Send + '_>> {
        Box::pin(async move {
            let mut used = Vec::with_capacity(described.references.len());
            for reference in &described.references {
                used.push(self.reference(&subject, reference, depth).await?);
            }
            compile(described.kind, &described.text, &used, Strictness::Stored)
        })
    }

    async fn reference(
        &mut self,
        subject: &Subject,
        reference: &SchemaReference,
        depth: usize,
    ) -> Result<postern_schema::Reference, Error> {
        let place = (subject.sibling(&reference.subject), reference.version);
        let name = reference.name.clone();
        if let Some(schema) = self.compiled.get(&place) {
            return Ok(postern_schema::Reference { name, schema: schema.clone() });
        }
        self.remaining = self.remaining.checked_sub(1).filter(|_| depth < REFERENCE_DEPTH_MAX).ok_or_else(|| {
            Error::InvalidReference(format!(
                "references of {subject} are more than {REFERENCES_MAX}, are nested deeper than {REFERENCE_DEPTH_MAX}, or circular."
            ))
        })?;
        let version = VersionRef::Number(u32::try_from(reference.version).unwrap_or(0));
        let (_, _, described) = self.remote.version(&place.0, version).await?;
        let schema = self.compile(place.0.clone(), described, depth + 1).await?;
        self.compiled.insert(place, schema.clone());
        Ok(postern_schema::Reference { name, schema })
    }
}
