//! What it may cost to hold values to schemas.
//!
//! Schemas that refer to one another can double the work with each reference, and regular expressions may look at a text again and again:
//! with look-around and back-references in as many ways as [`super::pattern`] lets them try, without them once for each state they can be
//! in. Neither is much for one text; many texts, long ones, or forty references would keep a thread busy for hours. There is no clock here,
//! so it is the work that is bounded, by what it comes to at worst.
//!
//! The validator that asks for the matches cannot be stopped by what they answer, so the end of the effort unwinds through it.

#[cfg(panic = "abort")]
compile_error!("values are held to regular expressions within a bound that unwinds: build with panic = \"unwind\"");

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Looks at one character in one state: a second or two at worst, a fraction of that for nearly all expressions.
const EFFORT: u64 = 500_000_000;
/// What comes in addition for each byte of the value's text: large values take long under any schema.
const EFFORT_FOR_A_BYTE: u64 = 500;
/// What it costs to hold a value to a schema that has no others in it.
pub(super) const SCHEMA: u64 = 50;
/// So many times as much may all values of a request cost, besides what comes for their bytes.
const REQUEST: u64 = 4;

thread_local! {
    /// What is left for the current value; `None`: not bounded.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    /// What is left for the values of the current request; `None`: they are not of one.
    static LEFT_FOR_REQUEST: Cell<Option<u64>> = const { Cell::new(None) };
}

/// There was more to look at than is looked at.
#[derive(Debug)]
pub(super) struct Exhausted;

/// Does work that holds values of one request to schemas; `bytes` are those of all their texts. Once they have cost as much
/// as a few of the most expensive ones may, the others are refused.
pub fn bounded_together<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let around = LEFT_FOR_REQUEST.replace(Some((REQUEST - 1) * EFFORT + allowed(bytes)));
    let done = catch_unwind(AssertUnwindSafe(work));
    LEFT_FOR_REQUEST.set(around);
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Does work that matches expressions, within what they may cost. What is bounded within it has a bound of its own.
pub(super) fn bounded<T>(work: impl FnOnce() -> T) -> Result<T, Exhausted> {
    bounded_by(0, work)
}

/// The same for a value whose text has so many bytes.
pub(super) fn bounded_by<T>(bytes: usize, work: impl FnOnce() -> T) -> Result<T, Exhausted> {
    let for_request = LEFT_FOR_REQUEST.get().unwrap_or(u64::MAX);
    let allowed = allowed(bytes).min(for_request);
    let around = LEFT.replace(Some(allowed));
    // What is unwound belongs to `work` alone.
    let done = catch_unwind(AssertUnwindSafe(work));
    let left = LEFT.replace(around).unwrap_or(0);
    let spent = if matches!(&done, Err(reason) if reason.is::<Exhausted>()) { allowed } else { allowed - left };
    LEFT_FOR_REQUEST.set(LEFT_FOR_REQUEST.get().map(|for_request| for_request.saturating_sub(spent)));
    done.map_err(|reason| match reason.downcast::<Exhausted>() {
        Ok(exhausted) => *exhausted,
        Err(panic) => resume_unwind(panic),
    })
}

fn allowed(bytes: usize) -> u64 {
    EFFORT + EFFORT_FOR_A_BYTE * bytes as u64
}

/// Takes what a match costs from what is left, and leaves [`bounded`] where that is not enough.
pub(super) fn spend(cost: u64) {
    let Some(left) = LEFT.get() else { return };
    match left.checked_sub(cost) {
        Some(left) => LEFT.set(Some(left)),
        // Not a panic: no hook is called.
        None => resume_unwind(Box::new(Exhausted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_where_the_effort_does() {
        assert_eq!(bounded(|| spend(EFFORT)).ok(), Some(()));
        let rounds = Cell::new(0);
        let done: Result<(), Exhausted> = bounded(|| {
            loop {
                spend(EFFORT / 10);
                rounds.set(rounds.get() + 1);
            }
        });
        assert!(done.is_err());
        assert_eq!(rounds.get(), 10);
        spend(u64::MAX);
    }

    #[test]
    fn values_of_one_request_share_what_they_cost() {
        let expensive = || bounded(|| spend(EFFORT)).is_ok();
        assert!((0..20).all(|_| expensive()), "not of one request");
        bounded_together(0, || {
            assert!((0..REQUEST).all(|_| expensive()));
            assert!(!expensive() && bounded(|| spend(1)).is_err());
        });
        bounded_together(1, || assert!((0..REQUEST).all(|_| expensive()) && bounded(|| spend(1)).is_ok()));
        assert!(expensive());
    }
}
