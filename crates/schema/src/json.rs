//! JSON text as such: rewritten compactly, doubles and strings printed the way Java programs print them.
//!
//! Records of the schemaless format and canonical schema texts must come out byte for byte as clients know them.

mod double;
mod rewrite;
mod text;

pub use double::java_double;
pub use rewrite::rewrite;
pub(crate) use text::{quote, value};
