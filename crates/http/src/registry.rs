//! The registry's API, in `application/vnd.schemaregistry.v1+json`.
//!
//! Every operation is listed once and served twice: as it is, and below `/contexts/{context}`, where it applies to that context. What belongs
//! to commercial editions (`/exporters`, `/dek-registry`, `/catalog`) is not listed and so a plain 404, which clients read as "not supported".
//!
//! Source: docs/reference/schema-registry.md §1 to §4.

mod associations;
mod bodies;
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

pub(crate) use names::{scope as written_scope, written_subject};
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
    ($registry:expr; $($method:ident $path:literal $media:ident $handler:path, $operation:expr;)*) => {
        Table::new($registry)
            $(.$method($path, $media, $handler, $operation))*
            $(.$method(concat!("/contexts/{context}", $path), $media, $handler, $operation.again("InContext")))*
    };
}

/// All operations of the API (docs/reference/schema-registry.md §3).
pub(crate) fn routes(registry: Registry) -> Vec<Route> {
    let table = routes![registry;
        get "/schemas" READ schemas::list, schemas::LIST;
        get "/schemas/types" READ schemas::types, schemas::TYPES;
        get "/schemas/ids/{id}" READ schemas::by_id, schemas::BY_ID;
        get "/schemas/ids/{id}/schema" READ schemas::text_by_id, schemas::TEXT_BY_ID;
        get "/schemas/ids/{id}/subjects" READ schemas::subjects, schemas::SUBJECTS;
        get "/schemas/ids/{id}/versions" READ schemas::versions, schemas::VERSIONS;
        get "/schemas/guids/{guid}" READ schemas::by_guid, schemas::BY_GUID;
        get "/schemas/guids/{guid}/ids" READ schemas::ids, schemas::IDS;
        get "/subjects" READ subjects::list, subjects::LIST;
        post "/subjects/{subject}" WRITE subjects::look_up, subjects::LOOK_UP;
        delete "/subjects/{subject}" READ subjects::delete, subjects::DELETE;
        get "/subjects/{subject}/metadata" READ versions::with_metadata, versions::WITH_METADATA;
        get "/subjects/{subject}/versions" READ versions::list, versions::LIST;
        post "/subjects/{subject}/versions" WRITE versions::register, versions::REGISTER;
        get "/subjects/{subject}/versions/{version}" READ versions::show, versions::SHOW;
        delete "/subjects/{subject}/versions/{version}" READ versions::delete, versions::DELETE;
        get "/subjects/{subject}/versions/{version}/schema" READ versions::text, versions::TEXT;
        get "/subjects/{subject}/versions/{version}/referencedby" READ versions::referenced_by, versions::REFERENCED_BY;
        post "/subjects/{subject}/versions/{version}/tags" WRITE versions::tag, versions::TAG;
        post "/compatibility/subjects/{subject}/versions" WRITE compatibility::with_subject, compatibility::WITH_SUBJECT;
        post "/compatibility/subjects/{subject}/versions/{version}" WRITE compatibility::with_version, compatibility::WITH_VERSION;
        get "/config" READ config::show, config::SHOW;
        put "/config" WRITE config::change, config::CHANGE;
        delete "/config" READ config::delete, config::DELETE;
        get "/config/{subject}" READ config::show, config::SHOW.again("OfSubject");
        put "/config/{subject}" WRITE config::change, config::CHANGE.again("OfSubject");
        delete "/config/{subject}" READ config::delete, config::DELETE.again("OfSubject");
        get "/mode" READ mode::show, mode::SHOW;
        put "/mode" WRITE mode::change, mode::CHANGE;
        delete "/mode" READ mode::delete, mode::DELETE;
        get "/mode/{subject}" READ mode::show, mode::SHOW.again("OfSubject");
        put "/mode/{subject}" WRITE mode::change, mode::CHANGE.again("OfSubject");
        delete "/mode/{subject}" READ mode::delete, mode::DELETE.again("OfSubject");
        post "/associations" WRITE associations::change, associations::CHANGE.again("ByPost");
        get "/associations/subjects/{subject}" READ associations::list, associations::LIST.again("OfSubject");
        get "/associations/resources/{resource}" READ associations::list, associations::LIST.again("OfResource");
        get "/associations/resources/{namespace}/{resource}" READ associations::list, associations::LIST.again("OfResourceInNamespace");
        put "/associations/resources/{resource}" WRITE associations::change, associations::CHANGE.again("OfResource");
        delete "/associations/resources/{resource}" READ associations::change, associations::CHANGE.again("OfResourceByDelete");
        post "/associations:batchMutate" WRITE associations::change, associations::CHANGE.again("InBatch");
    ];
    table
        .get("/contexts", READ, contexts::list, contexts::LIST)
        .delete("/contexts/{context}", READ, contexts::delete, contexts::DELETE)
        .get("/v1/metadata/id", READ, metadata::id, metadata::ID)
        .get("/v1/metadata/version", READ, metadata::version, metadata::VERSION)
        .get("/v1/metadata/deployment", READ, metadata::deployment, metadata::DEPLOYMENT)
        .get("/", READ, root::empty, root::EMPTY)
        .post("/", WRITE, root::empty, root::EMPTY.again("ByPost"))
        .routes
}
