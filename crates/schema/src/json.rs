//! JSON text as such: read token by token, rewritten compactly, printed the way Java programs print it.
//!
//! Records and canonical schema texts must come out byte for byte as clients know them.

mod double;
mod number;
mod reader;
mod rewrite;
mod string;
mod text;

pub use double::java_double;
pub(crate) use number::Number;
pub(crate) use reader::{Reader, Token};
pub use rewrite::rewrite;
pub(crate) use string::{JsonString, Piece};
pub(crate) use text::{quote, value};
