//! `GET /openapi.json`: the description of the APIs of one listener, in OpenAPI 3.1; `GET /docs`: the same as a page.
//!
//! It is made from the tables of routes (paths, methods, media types) and what each row says of itself ([`crate::operation`]), so that it
//! has what is served and nothing else. Each listener describes what it serves: clients are generated for one address.

mod page;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings, transform::ReplaceBoolSchemas};
use serde_json::{Map, Value, json};

use crate::access::kafka_identities::ActsAs;
use crate::negotiate::{EVENT_STREAM, JSON, MediaType, NDJSON};
use crate::operation::{Operation, Query, QueryKind, operation};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::router::{Media, Route, State, Table};

const READ: Media = Media { consumes: None, produces: &[MediaType { name: JSON, weight: 1000 }] };
const HTML: Media = Media { consumes: None, produces: &[MediaType { name: "text/html", weight: 1000 }] };
const SHOW: Operation = operation("describeApi", "This description").returns::<serde_json::Map<String, Value>>();
const SHOW_PAGE: Operation = operation("showDocs", "This description as a page").returns::<String>();

/// The description, once all routes are known.
#[derive(Default)]
struct Description {
    document: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
}

impl State for Arc<Description> {
    fn acting_as(&self, _: &ActsAs) -> Option<Arc<Description>> {
        Some(Arc::clone(self))
    }
}

/// Adds the routes of the description to `routes`, all of which it describes.
pub(crate) fn describe(title: &str, mut routes: Vec<Route>) -> Vec<Route> {
    let description = Arc::new(Description::default());
    let table = Table::new(Arc::clone(&description));
    routes.extend(table.get("/openapi.json", READ, show, SHOW).get("/docs", HTML, show_page, SHOW_PAGE).routes);
    let document = document(title, &routes);
    description.document.get_or_init(|| document.to_string().into());
    description.page.get_or_init(|| page::page(&document).into());
    routes
}

async fn show(description: Arc<Description>, _: RequestContext) -> Result<Reply, Problem> {
    Ok(Reply::bytes(StatusCode::OK, description.document.get().cloned().unwrap_or_default()))
}

async fn show_page(description: Arc<Description>, _: RequestContext) -> Result<Reply, Problem> {
    let page = description.page.get().cloned().unwrap_or_default();
    let policy = HeaderValue::from_static(page::CONTENT_SECURITY_POLICY);
    Ok(Reply::bytes(StatusCode::OK, page).header(CONTENT_SECURITY_POLICY, policy))
}

/// An error response.
#[derive(JsonSchema)]
#[schemars(rename = "Error")]
#[expect(dead_code, reason = "errors are written in `problem.rs`")]
struct ErrorShape {
    /// The status, or a number of five digits that begins with it.
    error_code: u32,
    message: String,
}

fn document(title: &str, routes: &[Route]) -> Value {
    // Members that may be left out of an answer differ from those that may be left out of a request.
    let settings = || {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        // Generators of clients know no `true` for "any value".
        let mut any_value = ReplaceBoolSchemas::default();
        any_value.skip_additional_properties = true;
        settings.with_transform(any_value)
    };
    let mut answers = settings().for_serialize().into_generator();
    let mut requests = settings().for_deserialize().into_generator();
    let mut paths = Map::new();
    let mut ids = BTreeSet::new();
    let error = answers.subschema_for::<ErrorShape>().to_value();
    for route in routes {
        let described = operation_of(route, &error, &mut answers, &mut requests);
        assert!(
            ids.insert(described["operationId"].to_string()),
            "{} is the id of one operation",
            described["operationId"]
        );
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = described;
    }
    let mut schemas = answers.take_definitions(true);
    for (name, shape) in requests.take_definitions(true) {
        let before = schemas.insert(name.clone(), shape.clone());
        assert!(before.is_none_or(|before| before == shape), "the name {name} is that of one shape");
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn operation_of(route: &Route, error: &Value, answers: &mut SchemaGenerator, requests: &mut SchemaGenerator) -> Value {
    let Route { path, media, operation, .. } = route;
    let mut responses = Map::new();
    for (status, shape) in operation.answers.iter().flatten() {
        let reason =
            StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let mut response = json!({"description": reason});
        if let Some(shape) = shape {
            let shape = shape(answers).to_value();
            response["content"] = content(media.produces.iter().map(|offer| offer.name), &shape);
            // One object after another, without an end: JSON Schema has no word for it.
            for (name, described) in response["content"].as_object_mut().into_iter().flatten() {
                if [EVENT_STREAM, NDJSON].contains(&name.as_str()) {
                    *described = json!({"schema": {"type": "string"}});
                }
            }
        }
        responses.insert(status.to_string(), response);
    }
    // What the router itself refuses is answered in plain JSON.
    let types = media.produces.iter().map(|offer| offer.name).chain([JSON]);
    let errors = content(types, error);
    responses.insert(
        "4XX".to_owned(),
        json!({"description": "The request is refused; the message says why", "content": errors}),
    );
    responses.insert(
        "5XX".to_owned(),
        json!({"description": "The server or the cluster failed; the message says what was done", "content": errors}),
    );
    let parameters = path_parameters(path).chain(operation.query.iter().map(query_parameter));
    let mut described = json!({
        "operationId": operation.full_id(),
        "summary": operation.summary,
        "tags": [tag(path)],
        "parameters": parameters.collect::<Vec<_>>(),
    });
    if let Some(body) = &operation.body {
        let shape = (body.shape)(requests).to_value();
        let mut types = content(media.consumes.unwrap_or(&[JSON]).iter().copied(), &shape);
        for (n, (_, described)) in types.as_object_mut().into_iter().flatten().enumerate() {
            let example = body.examples.get(n).or(body.examples.first()).expect("each body has an example");
            described["example"] = serde_json::from_str(example).expect("examples are JSON");
        }
        described["requestBody"] = json!({"required": body.is_required, "content": types});
    }
    described["responses"] = responses.into();
    described
}

/// A shape that permits everything is not written: the body may be no JSON at all, as the text of a Protobuf schema.
fn content(types: impl Iterator<Item = &'static str>, shape: &Value) -> Value {
    let is_open = *shape == json!(true) || *shape == json!({});
    let described = if is_open { json!({}) } else { json!({"schema": shape}) };
    types.map(|name| (name.to_owned(), described.clone())).collect::<Map<_, _>>().into()
}

/// Groups operations: by API.
fn tag(path: &str) -> &'static str {
    match path.split('/').nth(1) {
        Some("v3") => "v3",
        Some("admin") => "admin",
        Some("topics" | "brokers" | "consumers") => "v2",
        Some("subjects" | "schemas" | "compatibility" | "config" | "mode" | "contexts" | "associations") => "registry",
        Some(_) | None => "server",
    }
}

/// The parameters in the braces of a path.
fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.split('}').next()).map(move |name| {
        let (about, kind, example) = parameter(name, path);
        let example = match kind {
            "integer" => serde_json::from_str(example).expect("a number"),
            _ => json!(example),
        };
        let schema = match kind {
            "integer" => json!({"type": kind, "format": "int32"}),
            _ => json!({"type": kind, "minLength": 1}),
        };
        json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema, "example": example})
    })
}

/// What a parameter of a path means, its type, and an example.
fn parameter(name: &str, path: &str) -> (&'static str, &'static str, &'static str) {
    let is_of_topic = path.contains("/topics/");
    match name {
        "cluster" => ("The id of the cluster, from GET /v3/clusters", "string", "4L6g3nShT-eMCtK--X86sw"),
        "topic" => ("The name of the topic", "string", "lab"),
        "partition" => ("The number of the partition, from 0", "integer", "0"),
        "broker" => ("The id of the broker", "integer", "1"),
        "config" if is_of_topic => ("The name of the config", "string", "retention.ms"),
        "config" => ("The name of the config", "string", "log.retention.ms"),
        "group" => ("The id of the consumer group", "string", "readers"),
        "instance" => ("The name of the consumer instance", "string", "reader-1"),
        "consumer" => ("The id of the member of the group", "string", "reader-1-8f1c"),
        "subject" => ("The subject", "string", "lab-value"),
        "version" => ("The number of the version, or latest", "string", "latest"),
        "id" => ("The id of the schema", "integer", "1"),
        "guid" => ("The guid of the schema", "string", "b1c1a5a0-0000-5000-8000-000000000000"),
        "context" => ("The name of the context", "string", ".lab"),
        "namespace" => ("The namespace of the resource", "string", "lkc-1"),
        "resource" => ("The name of the resource", "string", "lab"),
        "user" => ("The name of the user", "string", "ana"),
        "mechanism" => ("SCRAM-SHA-256 or SCRAM-SHA-512", "string", "SCRAM-SHA-512"),
        _ => panic!("{name} in {path}: say in openapi.rs what this parameter means"),
    }
}

fn query_parameter(query: &Query) -> Value {
    let schema = match query.kind {
        QueryKind::Flag => json!({"type": "boolean"}),
        QueryKind::Text => json!({"type": "string"}),
        QueryKind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        QueryKind::Number => json!({"type": "integer", "format": "int64"}),
        QueryKind::OneOf(values) => json!({"type": "string", "enum": values}),
    };
    let mut parameter = json!({"name": query.name, "in": "query", "required": query.example.is_some(), "description": query.about, "schema": schema});
    if let Some(example) = query.example {
        parameter["example"] = json!(example);
    }
    parameter
}
