//! JSON text to Avro binary: the plan says what is wanted, the text is read once, bytes go straight to the output.
//!
//! No tree is built and on the good path nothing is allocated per field. What would lose its worth is refused: fractions
//! for int, a number too large for a float, characters above U+00FF for bytes.
//!
//! Source: Avro specification, "JSON Encoding"; field aliases, `{"null": null}` and bare top-level bytes as the
//! servers in use have them. Defaults are not filled in.

mod block;
mod walk;

use std::cell::Cell;

use super::plan::{Plan, Step};
use postern_json_text::Reader;
use postern_schema_core::{EncodeError, Encoded};
use walk::{Span, Walk};

/// Lists, objects and union wrappers within one another.
const MAX_DEPTH: usize = 250;

/// Spans kept for the next value of this thread; more than this many are given back to the allocator.
const SPANS_KEPT: usize = 4096;

thread_local! {
    static SPANS: Cell<Vec<Span>> = const { Cell::new(Vec::new()) };
}

/// Appends the binary form of the value in `json`.
pub(crate) fn encode(plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
    let start = out.len();
    let mut walk = Walk { plan, json: Reader::new(json, MAX_DEPTH)?, out, spans: SPANS.take() };
    let written = walk.value(plan.root);
    let Walk { json, mut spans, .. } = walk;
    spans.clear();
    if spans.capacity() <= SPANS_KEPT {
        SPANS.set(spans);
    }
    if let Err(error) = written.and_then(|()| Ok(json.end()?)) {
        out.truncate(start);
        return Err(error);
    }
    if plan.null_at_top() && is_null(plan, &out[start..]) {
        out.truncate(start);
        return Ok(Encoded::Null);
    }
    Ok(Encoded::Payload)
}

/// Whether a payload under a schema that allows null at the top is that null: nothing, or the branch and nothing more.
fn is_null(plan: &Plan, payload: &[u8]) -> bool {
    match plan.step(plan.root) {
        Step::Union(union) => {
            let mut branch = Vec::new();
            block::long(union.null.map_or(-1, |position| position as i64), &mut branch);
            // No other branch begins with this number, and the null branch has nothing after it.
            payload == branch
        }
        _ => payload.is_empty(),
    }
}
