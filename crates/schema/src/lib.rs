//! Schemas: compile a text once, then encode JSON by it, decode bytes, compare it, and print it canonically. Pure: no IO, no clock, no runtime.
//!
//! [`Schema`] is a thin enum over the languages, each in a crate of its own: `postern-avro`, `postern-json-schema` and
//! `postern-protobuf`, which do not know each other. What they share is in `postern-schema-core`, and JSON text without any
//! schema in [`json`], which is `postern-json-text`. Others name this crate only.
//!
//! Left to others: ids, subjects, versions, framing (`registry`), the envelope around records (`http`).

mod schema;

pub use postern_json_schema::bounded_together;
pub use postern_json_text as json;
pub use postern_schema_core::{CompileError, DecodeError, EncodeError, Encoded, Incompatibility, Policy, Strictness};
pub use schema::{Reference, Schema, SchemaKind};
