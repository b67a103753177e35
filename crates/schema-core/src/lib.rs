//! What Avro, JSON Schema and Protobuf have in common: the errors, the incompatibilities and the options of all of them.
//!
//! The crates of the languages do not know each other; this one knows none of them.

mod compile_error;
mod decode_error;
mod encode_error;
mod incompatibility;
mod limits;
mod mismatch;
mod options;

pub use compile_error::CompileError;
pub use decode_error::DecodeError;
pub use encode_error::EncodeError;
pub use incompatibility::{Description, Incompatibility};
pub use limits::{check_len, check_values, json_len_max};
pub use options::{Encoded, Policy, Strictness};
