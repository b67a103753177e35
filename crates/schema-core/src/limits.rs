//! Bounds on the texts of schemas, and on what becomes of the bytes of a record.
//!
//! A JSON tree takes up to fifty times the memory of its text, so texts are measured before they are read. What can be stored is a
//! question of the registry's topic, whose records hold 1 MiB unless a cluster is set otherwise; here every text may be four times
//! as large, since a text can also be looked up or compared, but a new one may not have as many values as one that is stored.

use postern_json_text::has_more_values;

use crate::compile_error::CompileError;
use crate::options::Strictness;

/// Bytes of a text.
const MAX_LEN: usize = 4 << 20;

/// Values in a text of JSON.
fn max_values(strictness: Strictness) -> usize {
    match strictness {
        Strictness::New => 1 << 18,
        Strictness::Stored => 1 << 20,
    }
}

/// Checks the length of a text.
///
/// # Errors
/// It is longer than 4 MiB.
pub fn check_len(text: &str) -> Result<(), CompileError> {
    if text.len() <= MAX_LEN {
        return Ok(());
    }
    let (expected, found) = (format!("a text of at most {MAX_LEN} bytes"), format!("one of {} bytes", text.len()));
    Err(CompileError::new(String::new(), expected, found).remedy("split it, and refer to the parts by references"))
}

/// Checks how many values a text of JSON has, before a tree is made of it. Comments must be gone.
///
/// # Errors
/// It has more than 262,144 if it is new, or 1,048,576 if it is stored.
pub fn check_values(json: &str, strictness: Strictness) -> Result<(), CompileError> {
    let max = max_values(strictness);
    if !has_more_values(json, max) {
        return Ok(());
    }
    let expected = format!("a schema of at most {max} JSON values");
    Err(CompileError::new(String::new(), expected, "more").remedy("split it, and refer to the parts by references"))
}

/// The most JSON that a payload of so many bytes may become, in bytes.
///
/// Names of fields make JSON many times as long as its bytes; but a list of 2^60 nulls takes ten bytes, and only a bound like this one
/// ends it. A record of the default maximum size, 1 MiB, may become 128 MiB.
pub fn json_len_max(payload: usize) -> usize {
    const PER_BYTE: usize = 256;
    const MIN: usize = 1 << 20;
    const MAX: usize = 128 << 20;
    payload.saturating_mul(PER_BYTE).clamp(MIN, MAX)
}
