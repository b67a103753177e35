//! JSON text without a tree: a pull reader, compact rewriting, and printing as Java programs print.
//!
//! Stored records and canonical schema texts must equal those of Confluent byte for byte, numbers included.
//! Left to others: what a text means.

mod double;
mod error;
mod members;
mod number;
mod reader;
mod rewrite;
mod string;
mod text;
mod tree;
mod write;

pub use double::{java_double, java_float};
pub use error::JsonError;
pub use members::Members;
pub use number::Number;
pub use reader::{Reader, Token, find_syntax_error};
pub use rewrite::{rewrite, rewrite_first};
pub use string::{JsonString, Piece};
pub use text::{quote, value};
pub use tree::{has_more_values, heap_size_of_map, heap_size_of_value};
pub use write::{write_f32, write_f64, write_i64, write_latin1, write_string, write_u64, write_utf8};
