//! JSON text to Avro binary. The plan says what is expected, the text is read once, and bytes go straight to the output.
//!
//! No tree is built, and for valid values nothing is allocated per field. Values that would be changed are refused: fractions
//! for int, a number too large for a float, characters above U+00FF for bytes.
//!
//! Sources: Avro specification, "JSON Encoding"; for field aliases, `{"null": null}` and bare top-level bytes
//! `docs/reference/serialization.md §5`. Defaults are not filled in.

mod block;
mod encoder;

use std::cell::Cell;

use super::plan::{Plan, PlanNode};
use encoder::{Encoder, Span};
use postern_json_text::Reader;
use postern_schema_core::{EncodeError, Encoded};

/// Arrays, objects and union wrappers within one another.
const MAX_DEPTH: usize = 250;

/// The capacity for spans that is kept for this thread's next value; more is freed.
const MAX_SPANS_KEPT: usize = 4096;

thread_local! {
    static SPANS: Cell<Vec<Span>> = const { Cell::new(Vec::new()) };
}

/// Appends the binary form of the value in `json`.
pub(crate) fn encode(plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
    let start = out.len();
    let mut encoder = Encoder { plan, json: Reader::new(json, MAX_DEPTH)?, out, spans: SPANS.take() };
    let written = encoder.value(plan.root);
    let Encoder { json, mut spans, .. } = encoder;
    spans.clear();
    if spans.capacity() <= MAX_SPANS_KEPT {
        SPANS.set(spans);
    }
    if let Err(error) = written.and_then(|()| Ok(json.end()?)) {
        out.truncate(start);
        return Err(error);
    }
    if plan.is_nullable() && is_null(plan, &out[start..]) {
        out.truncate(start);
        return Ok(Encoded::Null);
    }
    Ok(Encoded::Payload)
}

/// Whether the payload of a nullable schema is that null: empty, or the null branch alone.
fn is_null(plan: &Plan, payload: &[u8]) -> bool {
    match plan.node(plan.root) {
        PlanNode::Union(union) => {
            let mut branch = Vec::new();
            block::long(union.null.map_or(-1, |position| position as i64), &mut branch);
            // No other branch begins with this number, and nothing follows the null branch.
            payload == branch
        }
        _ => payload.is_empty(),
    }
}
