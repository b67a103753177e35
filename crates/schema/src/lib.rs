//! Schemas: compile a text once, then encode JSON by it, compare it, and print it canonically. Pure: no IO, no clock, no runtime.
//!
//! [`Schema`] is the door: a thin enum over the formats, each in a folder of its own.
//! [`json`] holds what concerns JSON text without any schema.
//!
//! Left to others: ids, subjects, versions, framing (`registry`), the envelope around records (`http`).

mod avro;
mod compile_error;
mod encode_error;
mod incompatibility;
pub mod json;
mod json_schema;
mod protobuf;
mod schema;

pub use compile_error::CompileError;
pub use encode_error::EncodeError;
pub use incompatibility::Incompatibility;
pub use schema::{Encoded, Policy, Reference, Schema, SchemaKind, Strictness};
