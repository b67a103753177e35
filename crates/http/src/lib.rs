//! HTTP in and out: API v2, API v3, the registry's API. Translation only.
//!
//! A request is matched against a dialect's table of routes, its media types are settled, its body is read within bounds, and its handler
//! makes one call to the gate ([`postern_proxy`]) or the registry ([`postern_registry`]). What went wrong becomes a status and a number in
//! one file per dialect. Nothing here knows a Kafka client.
//!
//! The trip of a request: [`serve`] accepts and bounds connections, [`router`] matches, [`negotiate`] settles media types, [`body`] reads,
//! a file of `v2/`, `v3/` or `registry/` translates, [`problem`] and [`reply`] write the answer.

pub mod api;
mod body;
mod call;
mod document;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod negotiate;
mod path;
mod patience;
mod problem;
mod registry;
mod reply;
mod router;
pub mod serve;
mod v2;
mod v3;

pub use api::{Api, registry, rest};
pub use body::Bounds;
