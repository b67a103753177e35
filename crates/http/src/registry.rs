//! The registry's API, in `application/vnd.schemaregistry.v1+json`.
//!
//! Every operation is listed once and served twice: as it is, and below `/contexts/{context}`, where it applies to that context. What belongs
//! to commercial editions (`/exporters`, `/dek-registry`, `/catalog`) is not listed and so a plain 404, which clients read as "not supported".
//!
//! Source: docs/reference/schema-registry.md §1 to §4.

mod associations;
mod body;
mod compatibility;
mod config;
mod contexts;
mod metadata;
mod mode;
mod names;
mod problem;
mod response_headers;
mod root;
mod schema_responses;
mod schemas;
mod subjects;
mod versions;

use postern_registry::Registry;

use crate::negotiate::{JSON, MediaType};
use crate::router::{Media, Route, Table};

pub(crate) use response_headers::add_response_headers;

const V1: &str = "application/vnd.schemaregistry.v1+json";
const PLAIN: &str = "application/vnd.schemaregistry+json";

/// Media types of responses.
pub(crate) const ANSWER: &[MediaType] = &[
    MediaType { name: V1, weight: 1000 },
    MediaType { name: PLAIN, weight: 900 },
    MediaType { name: JSON, weight: 500 },
];

/// Clients send `Content-Type` on requests without a body as well, where it has no effect.
const READ: Media = Media { consumes: None, produces: ANSWER };
const WRITE: Media = Media { consumes: Some(&[V1, PLAIN, JSON, "application/octet-stream"]), produces: ANSWER };

/// Routes that exist both at the root and below `/contexts/{context}`.
macro_rules! routes {
    ($registry:expr; $($method:ident $path:literal $media:ident $handler:path;)*) => {
        Table::new($registry)
            $(.$method($path, $media, $handler))*
            $(.$method(concat!("/contexts/{context}", $path), $media, $handler))*
    };
}

/// All operations of the API (docs/reference/schema-registry.md §3).
pub(crate) fn routes(registry: Registry) -> Vec<Route> {
    let table = routes![registry;
        get "/schemas" READ schemas::list;
        get "/schemas/types" READ schemas::types;
        get "/schemas/ids/{id}" READ schemas::by_id;
        get "/schemas/ids/{id}/schema" READ schemas::text_by_id;
        get "/schemas/ids/{id}/subjects" READ schemas::subjects;
        get "/schemas/ids/{id}/versions" READ schemas::versions;
        get "/schemas/guids/{guid}" READ schemas::by_guid;
        get "/schemas/guids/{guid}/ids" READ schemas::ids;
        get "/subjects" READ subjects::list;
        post "/subjects/{subject}" WRITE subjects::look_up;
        delete "/subjects/{subject}" READ subjects::delete;
        get "/subjects/{subject}/metadata" READ versions::with_metadata;
        get "/subjects/{subject}/versions" READ versions::list;
        post "/subjects/{subject}/versions" WRITE versions::register;
        get "/subjects/{subject}/versions/{version}" READ versions::show;
        delete "/subjects/{subject}/versions/{version}" READ versions::delete;
        get "/subjects/{subject}/versions/{version}/schema" READ versions::text;
        get "/subjects/{subject}/versions/{version}/referencedby" READ versions::referenced_by;
        post "/subjects/{subject}/versions/{version}/tags" WRITE versions::tag;
        post "/compatibility/subjects/{subject}/versions" WRITE compatibility::with_subject;
        post "/compatibility/subjects/{subject}/versions/{version}" WRITE compatibility::with_version;
        get "/config" READ config::show;
        put "/config" WRITE config::change;
        delete "/config" READ config::delete;
        get "/config/{subject}" READ config::show;
        put "/config/{subject}" WRITE config::change;
        delete "/config/{subject}" READ config::delete;
        get "/mode" READ mode::show;
        put "/mode" WRITE mode::change;
        delete "/mode" READ mode::delete;
        get "/mode/{subject}" READ mode::show;
        put "/mode/{subject}" WRITE mode::change;
        delete "/mode/{subject}" READ mode::delete;
        post "/associations" WRITE associations::change;
        get "/associations/subjects/{subject}" READ associations::list;
        get "/associations/resources/{resource}" READ associations::list;
        get "/associations/resources/{namespace}/{resource}" READ associations::list;
        put "/associations/resources/{resource}" WRITE associations::change;
        delete "/associations/resources/{resource}" READ associations::change;
        post "/associations:batchMutate" WRITE associations::change;
    ];
    table
        .get("/contexts", READ, contexts::list)
        .delete("/contexts/{context}", READ, contexts::delete)
        .get("/v1/metadata/id", READ, metadata::id)
        .get("/v1/metadata/version", READ, metadata::version)
        .get("/v1/metadata/deployment", READ, metadata::deployment)
        .get("/", READ, root::empty)
        .post("/", WRITE, root::empty)
        .routes
}
