//! HTTP in and out: API v2, API v3, the registry's API. Translation only.
//!
//! A request is matched against an API's table of routes, its media types are negotiated, its body is read within bounds, and its handler
//! makes one call to the proxy ([`postern_proxy`]) or the registry ([`postern_registry`]). Errors become a status and a number in one file
//! per API. Nothing here knows a Kafka client.
//!
//! The path of a request: [`serve`] accepts and bounds connections, [`router`] matches, [`negotiate`] chooses media types, [`body`] reads,
//! a file of `v2/`, `v3/` or `registry/` translates, [`problem`] and [`reply`] write the response; [`observe`] counts.

mod access;
mod addresses;
mod administration;
mod answer_stream;
pub mod api;
mod authentication;
mod authority;
mod body;
mod budget;
mod client_connection;
mod coding;
mod connection_info;
pub mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handover;
mod idle_timeout;
mod json_member;
mod lenient_object;
mod listener;
mod negotiate;
pub mod observe;
mod openapi;
mod operation;
mod path;
mod problem;
mod produce_bounds;
mod proxy_protocol;
mod rate;
mod reading;
mod registry;
mod replicas;
mod reply;
mod request_context;
mod request_head;
mod response_body;
mod router;
pub mod serve;
mod serve_replicas;
mod tls;
mod v2;
mod v3;

pub use access::explain;
pub use access::kafka_identities::KafkaIdentities;
pub use api::{Api, registry, rest, rest_among_replicas};
pub use authentication::{AccessControl, Authentication, Basic, Bearer, Certificate, Gateway, PassThrough, TokenKeys};
pub use body::Bounds;
pub use connection_info::{ConnectionInfo, TlsInfo};
pub use listener::Listener;
pub use observe::current_request_id;
pub use produce_bounds::ProduceBounds;
pub use replicas::ReplicaSecret;
pub use serve_replicas::serve_replicas;
pub use tls::{ClientAuthentication, TlsConfig, TlsVersion};
