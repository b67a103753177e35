//! JSON text to Avro binary: sonic-rs reads, the plan says what is wanted, bytes go straight to the output.
//!
//! No tree is built and on the good path nothing is allocated per field. Each value is met by one [`walk::Value`],
//! which is told by the reader what stands in the text and asks the plan what should.
//!
//! What would lose its worth is refused: fractions for int, a double too large for a float, characters above U+00FF
//! for bytes. Numbers written with a point or an exponent reach us as doubles, and without the sign of a zero; where
//! that may have changed what was meant, the value is walked again with the digits of the text ([`Numbers::Digits`]).
//!
//! Source: Avro specification, "JSON Encoding"; field aliases, `{"null": null}` and bare top-level bytes as the
//! servers in use have them. Defaults are not filled in.

mod block;
mod digits;
mod path;
mod syntax;
mod walk;

use std::cell::Cell;

use serde::de::DeserializeSeed as _;

use super::plan::Plan;
use crate::{EncodeError, Encoded};
use path::{Failure, Reason};
use walk::{Numbers, Span, Walk};

/// Lists, objects and union wrappers within one another. The reader itself ends at 255.
pub(crate) const MAX_DEPTH: usize = 250;

/// Spans kept for the next value of this thread; more than this many are given back to the allocator.
const SPANS_KEPT: usize = 4096;

thread_local! {
    static SPANS: Cell<Vec<Span>> = const { Cell::new(Vec::new()) };
}

/// Appends the binary form of the value in `json`.
pub(crate) fn encode(plan: &Plan, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
    let start = out.len();
    let mut result = walk(plan, json, out, Numbers::Parsed);
    if let Err(Failure { reason: Reason::NeedsDigits, .. }) = result {
        out.truncate(start);
        result = syntax::shallow(json).and_then(|()| walk(plan, json, out, Numbers::Digits));
    }
    if let Err(failure) = result {
        out.truncate(start);
        return Err(failure.into_error());
    }
    if plan.null_at_top() && is_null(plan, &out[start..]) {
        out.truncate(start);
        return Ok(Encoded::Null);
    }
    Ok(Encoded::Payload)
}

fn walk(plan: &Plan, json: &[u8], out: &mut Vec<u8>, numbers: Numbers) -> Result<(), Failure> {
    let mut reader = sonic_rs::Deserializer::from_slice(json);
    let mut walk = Walk::new(plan, json, out, SPANS.take(), numbers);
    let read = walk.value(plan.root).deserialize(&mut reader).and_then(|()| reader.end());
    let failure = walk.failure.take();
    let mut spans = std::mem::take(&mut walk.spans);
    spans.clear();
    if spans.capacity() <= SPANS_KEPT {
        SPANS.set(spans);
    }
    match (read, failure) {
        (Ok(()), _) => Ok(()),
        (Err(error), failure) => Err(failure.map_or_else(Failure::syntax, |failure| *failure).explained(&error, json)),
    }
}

/// Whether a payload under a schema that allows null at the top is that null: nothing, or the branch and nothing more.
fn is_null(plan: &Plan, payload: &[u8]) -> bool {
    match plan.step(plan.root) {
        super::plan::Step::Union(union) => {
            let mut branch = Vec::new();
            block::long(union.null.map_or(-1, |position| position as i64), &mut branch);
            // No other branch begins with this number, and the null branch has nothing after it.
            payload == branch
        }
        _ => payload.is_empty(),
    }
}
