//! Another registry, asked over HTTP: what producers resolve their schemas with where the schemas are not ours.
//!
//! Any registry of the Confluent API will do (Confluent's, Karapace, another Postern); only calls that all of them have are made: a
//! schema by id, a version of a subject, look-up and registration. Answers are kept: a text's id and an id's schema for ever, because
//! they never change; the latest version, a version by its number and what is not there for a while ([`RemoteSettings::freshness`]).
//!
//! Not here: HTTP itself (`calls`), how registries are named (`address`), what is kept (`known`).
//! Source: docs/reference/rest-v2.md §5.3, §5.4; docs/reference/schema-registry.md §3.

mod address;
mod calls;
mod known;
mod trust;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use address::{Credentials, RegistryUrl};
use calls::{Calls, encoded};
use known::{Known, Looked};
pub use trust::Authorities;

use crate::compile::compile;
use crate::content::{kind_name, kind_of};
use crate::resolve::{self, ResolveError, SchemaRef};
use crate::{Error, Reference, SchemaId, Subject, VersionRef, Writer};

/// A chain of references longer than this is refused; so is one that bites its tail.
const REFERENCE_DEPTH_MAX: usize = 64;
/// So many referenced versions are fetched for one schema.
const REFERENCES_MAX: usize = 512;
/// Schemas resolved at the same time. Who waits finds the answer of who was before, if they wanted the same.
const AT_ONCE: usize = 16;

/// Where the registry is, and how patient we are.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Its instances, tried in turn, beginning with the one that answered last. At least one.
    pub urls: Vec<RegistryUrl>,
    /// For those whose URL holds none.
    pub credentials: Option<Credentials>,
    /// Who may vouch for those behind https; `None`: whom the system believes.
    pub authorities: Option<Authorities>,
    /// How long one call may take, all instances tried. Default 10 s.
    pub timeout: Duration,
    /// For how long "latest", a version's number and what is not there are believed. Default 10 s.
    pub freshness: Duration,
}

impl RemoteSettings {
    /// The defaults, for the registry at `urls`.
    pub fn new(urls: Vec<RegistryUrl>) -> RemoteSettings {
        RemoteSettings {
            urls,
            credentials: None,
            authorities: None,
            timeout: Duration::from_secs(10),
            freshness: Duration::from_secs(10),
        }
    }
}

/// Another registry. Cheap to clone; connections are pooled.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    calls: Calls,
    known: Known,
    freshness: Duration,
    turns: Semaphore,
}

impl Remote {
    /// Calls nobody yet.
    pub fn new(settings: RemoteSettings) -> Remote {
        let freshness = settings.freshness;
        let calls = Calls::new(settings);
        Remote(Arc::new(Inner { calls, known: Known::default(), freshness, turns: Semaphore::new(AT_ONCE) }))
    }

    /// As [`Registry::resolved`](crate::Registry::resolved).
    pub fn resolved(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Option<Arc<Writer>> {
        match self.0.known.get(subject, schema)? {
            Looked::Found(writer) => Some(writer),
            Looked::Missing(_) => None,
        }
    }

    /// As [`Registry::resolve`](crate::Registry::resolve).
    ///
    /// # Errors
    /// The other registry's refusal, or that none of its instances answers. Dropping the future may leave the schema registered.
    pub async fn resolve(&self, subject: &Subject, schema: &SchemaRef<'_>) -> Result<Arc<Writer>, ResolveError> {
        let known = || match self.0.known.get(subject, schema) {
            Some(Looked::Found(writer)) => Some(Ok(writer)),
            Some(Looked::Missing(error)) => Some(Err(error)),
            None => None,
        };
        if let Some(known) = known() {
            return known;
        }
        let _turn = self.0.turns.acquire().await.expect("the semaphore is never closed");
        if let Some(known) = known() {
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
            Ok(writer) => {
                let until = match schema {
                    SchemaRef::Id(_) | SchemaRef::Inline { .. } => None,
                    SchemaRef::Version { .. } | SchemaRef::Latest { .. } => soon,
                };
                self.0.known.keep(subject, schema, Looked::Found(writer.clone()), until);
            }
            Err(error) if is_missing(error) => {
                self.0.known.keep(subject, schema, Looked::Missing(error.clone()), soon);
            }
            Err(_) => {}
        }
        resolved
    }

    /// The schema that an id names in the context of `subject`, whatever subject it is registered under: what records are read with.
    ///
    /// # Errors
    /// As [`Remote::resolve`].
    pub async fn by_id(&self, subject: &Subject, id: SchemaId) -> Result<Arc<Writer>, ResolveError> {
        if let Some(writer) = self.0.known.schema(subject.context(), id) {
            return Ok(writer);
        }
        Ok(self.fetched(subject, id).await?.1)
    }

    /// An id must be registered under the subject.
    async fn by_id_under(&self, subject: &Subject, id: SchemaId) -> Result<Arc<Writer>, ResolveError> {
        let (described, writer) = self.fetched(subject, id).await?;
        let path = format!("/subjects/{}", encoded(subject.as_str()));
        let looked_up = self.call("POST", &path, Some(&described.asked())).await;
        looked_up.map_err(|error| refused(resolve::fetching_text(subject, &described.text), error))?;
        Ok(writer)
    }

    async fn fetched(&self, subject: &Subject, id: SchemaId) -> Result<(Described, Arc<Writer>), ResolveError> {
        let path = format!("/schemas/ids/{id}?subject={}", encoded(subject.as_str()));
        let described = async { Described::from_json(&self.call("GET", &path, None).await?) };
        let described = described.await.map_err(|error| refused(resolve::fetching_id(id), error))?;
        let writer = match self.0.known.schema(subject.context(), id) {
            Some(writer) => writer,
            None => self.writer(subject, id, &described).await?,
        };
        Ok((described, writer))
    }

    async fn by_version(&self, subject: &Subject, version: VersionRef) -> Result<Arc<Writer>, ResolveError> {
        let found = self.version(subject, version).await;
        let (id, described) = found.map_err(|error| refused(resolve::fetching_version(subject, version), error))?;
        match self.0.known.schema(subject.context(), id) {
            Some(writer) => Ok(writer),
            None => self.writer(subject, id, &described).await,
        }
    }

    /// Looked up, and registered where it is not found. What is no schema is not sent at all.
    async fn by_text(&self, subject: &Subject, kind: SchemaKind, text: &str) -> Result<Arc<Writer>, ResolveError> {
        let invalid = |error| resolve::invalid(subject, kind, text, error);
        let schema = compile(kind, text, &[], Strictness::Stored).map_err(invalid)?;
        let asked = Described { kind, text: text.to_owned(), references: Vec::new() }.asked();
        let path = format!("/subjects/{}", encoded(subject.as_str()));
        let answer = match self.call("POST", &path, Some(&asked)).await {
            Err(error) if error.is_missing() => self.call("POST", &format!("{path}/versions"), Some(&asked)).await,
            answer => answer,
        };
        let id = answer.and_then(|answer| id_in(&answer)).map_err(invalid)?;
        Ok(Arc::new(Writer { id, kind, schema }))
    }

    /// Compiles what an id names, and keeps it.
    async fn writer(
        &self,
        subject: &Subject,
        id: SchemaId,
        described: &Described,
    ) -> Result<Arc<Writer>, ResolveError> {
        let mut following = Following { remote: self, met: HashMap::new(), budget: REFERENCES_MAX };
        let schema = following.compile(subject.clone(), described.clone(), 0).await;
        let schema =
            schema.map_err(|error| refused(format!("Error when reading the stored schema with id {id}"), error))?;
        let writer = Arc::new(Writer { id, kind: described.kind, schema });
        self.0.known.keep_schema(subject.context(), id, &writer, described.text.len());
        Ok(writer)
    }

    async fn version(&self, subject: &Subject, version: VersionRef) -> Result<(SchemaId, Described), Error> {
        let path = format!("/subjects/{}/versions/{version}?deleted=true", encoded(subject.as_str()));
        let path = if version == VersionRef::Latest { path.replace("?deleted=true", "") } else { path };
        let answer = self.call("GET", &path, None).await?;
        Ok((id_in(&answer)?, Described::from_json(&answer)?))
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        self.0.calls.call(method, path, body).await
    }
}

fn refused(step: String, error: Error) -> ResolveError {
    ResolveError::Refused { step, error }
}

fn is_missing(error: &ResolveError) -> bool {
    match error {
        ResolveError::Refused { error, .. } => error.is_missing(),
        ResolveError::InvalidSchema { .. } | ResolveError::WrongKind { .. } => false,
    }
}

impl Error {
    /// The other registry says that there is no such thing.
    fn is_missing(&self) -> bool {
        matches!(self, Error::Remote { status: 404, .. })
    }
}

// === What the other registry says of a schema ===

/// A schema as it is described in answers and requests.
#[derive(Clone, Debug)]
struct Described {
    kind: SchemaKind,
    text: String,
    references: Vec<Reference>,
}

impl Described {
    fn from_json(answer: &Value) -> Result<Described, Error> {
        let kind = match &answer["schemaType"] {
            Value::Null => SchemaKind::Avro,
            Value::String(name) => kind_of(name).ok_or_else(|| nonsense("a schemaType that is known", answer))?,
            _ => return Err(nonsense("a schemaType", answer)),
        };
        let text = answer["schema"].as_str().ok_or_else(|| nonsense("a schema", answer))?.to_owned();
        let reference = |item: &Value| {
            Some(Reference {
                name: item["name"].as_str()?.to_owned(),
                subject: item["subject"].as_str()?.to_owned(),
                version: i32::try_from(item["version"].as_i64()?).ok()?,
            })
        };
        let references = answer["references"].as_array().into_iter().flatten().map(reference).collect::<Option<_>>();
        Ok(Described { kind, text, references: references.ok_or_else(|| nonsense("whole references", answer))? })
    }

    fn asked(&self) -> Value {
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

fn id_in(answer: &Value) -> Result<SchemaId, Error> {
    let id = answer["id"].as_i64().and_then(|id| i32::try_from(id).ok());
    id.map(SchemaId).ok_or_else(|| nonsense("an id", answer))
}

fn nonsense(expected: &str, answer: &Value) -> Error {
    let found: String = answer.to_string().chars().take(100).collect();
    Error::Unreachable(format!("the schema registry answers without {expected}: {found}"))
}

// === Following references ===

/// One walk over a schema's references; what was met is compiled once.
struct Following<'a> {
    remote: &'a Remote,
    met: HashMap<(Subject, i32), Schema>,
    budget: usize,
}

impl Following<'_> {
    fn compile(
        &mut self,
        subject: Subject,
        described: Described,
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
        reference: &Reference,
        depth: usize,
    ) -> Result<postern_schema::Reference, Error> {
        let place = (subject.sibling(&reference.subject), reference.version);
        let name = reference.name.clone();
        if let Some(schema) = self.met.get(&place) {
            return Ok(postern_schema::Reference { name, schema: schema.clone() });
        }
        self.budget = self.budget.checked_sub(1).filter(|_| depth < REFERENCE_DEPTH_MAX).ok_or_else(|| {
            Error::InvalidReference(format!(
                "references of {subject} are more than {REFERENCES_MAX}, are nested deeper than {REFERENCE_DEPTH_MAX}, or go round in circles."
            ))
        })?;
        let version = VersionRef::Number(u32::try_from(reference.version).unwrap_or(0));
        let (_, described) = self.remote.version(&place.0, version).await?;
        let schema = self.compile(place.0.clone(), described, depth + 1).await?;
        self.met.insert(place, schema.clone());
        Ok(postern_schema::Reference { name, schema })
    }
}
