//! JSON text as such: read token by token, rewritten compactly, printed the way Java programs print it.
//!
//! Records and canonical schema texts must come out byte for byte as clients know them.

mod double;
mod error;
mod number;
mod reader;
mod rewrite;
mod string;
mod text;

pub use double::java_double;
pub use error::JsonError;
pub use number::Number;
pub use reader::{Reader, Token};
pub use rewrite::rewrite;
pub use string::{JsonString, Piece};
pub use text::{quote, value};
