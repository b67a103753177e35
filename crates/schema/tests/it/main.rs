//! Schemas from outside: recorded answers, differences and their sentences, what is read and refused, properties.
//!
//! One program for all of it, since each program is linked by itself. What counts allocations stands in `memory.rs`.

mod avro_texts;
mod corpus;
mod differences;
mod json_schema;
mod messages;
mod properties;
mod protobuf;
mod protobuf_properties;
