//! A client for schema registries elsewhere: what producers resolve their schemas with where the schemas are not ours.
//!
//! Any registry with the Confluent API will do (Confluent's, Karapace, another Postern); only calls that all of them have are made:
//! a schema by id, a version of a subject, look-up and registration. Answers are cached: a text's id and an id's schema for good,
//! because they never change; the latest version, a version by its number and "not found" for a while
//! ([`RemoteSettings::freshness`]).
//!
//! Source: docs/reference/rest-v2.md §5.3, §5.4; docs/reference/schema-registry.md §3.

mod address;
mod cache;
mod http;
mod remote;
mod settings;
mod tls;

pub use address::{Credentials, RegistryUrl};
pub use remote::Remote;
pub use settings::RemoteSettings;
pub use tls::Authorities;
