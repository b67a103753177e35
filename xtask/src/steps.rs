//! A list of named steps: each is timed and reported, with a summary at the end.

use std::time::{Duration, Instant};

use crate::Outcome;

/// The result of one step.
enum StepResult {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs steps in order and records their results.
pub(crate) struct Steps {
    names: &'static [&'static str],
    wanted: Vec<String>,
    done: Vec<(String, Duration, StepResult)>,
    stopped: bool,
}

impl Steps {
    /// Of the steps called `names`, only those whose name begins with one of `wanted`; all of them if it is empty.
    pub(crate) fn new(names: &'static [&'static str], wanted: &[String]) -> Outcome<Steps> {
        let is_known = |wanted: &&String| names.iter().any(|name| name.starts_with(wanted.as_str()));
        match wanted.iter().find(|wanted| !is_known(wanted)) {
            None => Ok(Steps { names, wanted: wanted.to_vec(), done: Vec::new(), stopped: false }),
            Some(unknown) => Err(format!("no step is called {unknown}: expected one of\n  {}", names.join("\n  "))),
        }
    }

    /// Whether a step of this name would run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        assert!(self.names.contains(&name), "{name} is not in the list of steps");
        !self.stopped && (self.wanted.is_empty() || self.wanted.iter().any(|wanted| name.starts_with(wanted.as_str())))
    }

    /// One step. Those after it run even if it fails, so that one run shows everything.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        if self.wants(name) {
            self.run(name, work);
        }
    }

    /// One step, or the reason why it cannot run here.
    pub(crate) fn step_unless(&mut self, reason: Option<&str>, name: &str, work: impl FnOnce() -> Outcome) {
        match reason {
            Some(reason) => self.skip(name, reason),
            None => self.step(name, work),
        }
    }

    fn run(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = match work() {
            Ok(()) => StepResult::Passed,
            Err(sentence) => {
                println!("{sentence}");
                StepResult::Failed(sentence)
            }
        };
        let took = start.elapsed();
        println!("=== {name}: {:.1} s", took.as_secs_f64());
        self.done.push((name.to_owned(), took, result));
    }

    /// A step without which those after it make no sense. It runs, named or not, as long as one of them may; if it fails,
    /// none of them does.
    pub(crate) fn required(&mut self, name: &str, work: impl FnOnce() -> Outcome) {
        assert!(self.names.contains(&name), "{name} is not in the list of steps");
        let is_done = |wanted: &String| self.done.iter().any(|(name, ..)| name.starts_with(wanted.as_str()));
        if self.stopped || (!self.wanted.is_empty() && self.wanted.iter().all(is_done)) {
            return;
        }
        self.run(name, work);
        self.stopped = matches!(self.done.last(), Some((_, _, StepResult::Failed(_))));
    }

    /// A step that cannot run here.
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        if self.wants(name) {
            println!("\n=== {name}: SKIPPED, {reason}");
            self.done.push((name.to_owned(), Duration::ZERO, StepResult::Skipped(reason.to_owned())));
        }
    }

    /// Prints every step with its time and its result; an error if one failed.
    pub(crate) fn summary(self) -> Outcome {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        println!("\n=== summary");
        for (name, took, result) in &self.done {
            let (word, reason) = match result {
                StepResult::Passed => {
                    passed += 1;
                    ("ok", "")
                }
                StepResult::Failed(sentence) => {
                    failed += 1;
                    ("FAILED", sentence.lines().next().unwrap_or_default())
                }
                StepResult::Skipped(reason) => {
                    skipped += 1;
                    ("SKIPPED", reason.as_str())
                }
            };
            println!("  {word:<8}{:>7.1} s  {name:<28}{reason}", took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, took, _)| *took).sum();
        println!("  {:<8}{:>7.1} s", "total", total.as_secs_f64());
        if self.stopped {
            println!("  the steps after the one that failed did not run");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { Ok(()) } else { Err(format!("{failed} of the steps failed")) }
    }
}
