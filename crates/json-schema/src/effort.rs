//! What regular expressions may cost while one value is held to a schema.
//!
//! An expression may look at a text again and again: with look-around and back-references in as many ways as [`super::pattern`] lets it try,
//! without them once for each state it can be in. Neither is much for one text; many texts, or long ones, would keep a thread busy for
//! hours. There is no clock here, so it is the work that is bounded, by what it comes to at worst.
//!
//! The validator that asks for the matches cannot be stopped by what they answer, so the end of the effort unwinds through it.

#[cfg(panic = "abort")]
compile_error!("values are held to regular expressions within a bound that unwinds: build with panic = \"unwind\"");

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Looks at one character in one state: a second or two at worst, a fraction of that for nearly all expressions.
const EFFORT: u64 = 500_000_000;

thread_local! {
    /// What is left for the current value; `None`: not bounded.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// There was more to look at than is looked at.
#[derive(Debug)]
pub(super) struct Exhausted;

/// Does work that matches expressions, within what they may cost. What is bounded within it has a bound of its own.
pub(super) fn bounded<T>(work: impl FnOnce() -> T) -> Result<T, Exhausted> {
    let around = LEFT.replace(Some(EFFORT));
    // What is unwound belongs to `work` alone.
    let done = catch_unwind(AssertUnwindSafe(work));
    LEFT.set(around);
    done.map_err(|reason| match reason.downcast::<Exhausted>() {
        Ok(exhausted) => *exhausted,
        Err(panic) => resume_unwind(panic),
    })
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
}
