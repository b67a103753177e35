//! Whether data of one schema is valid under another, and if not, all the reasons.
//!
//! Two trees are compared node by node. `original` is what data was written with, `update` what is to read it; inside a
//! `not` the two change places. A pair of nodes is compared once, and what came of it is remembered.
//!
//! Recursive schemas: a pair that is under comparison already counts as compatible. That is an assumption; when such a
//! pair turns out not to be, all is compared once more, with what is known by then, until nothing new is found.
//!
//! Both time and the number of reasons have a bound: schemas that would take [`EFFORT`] comparisons are not compatible.
//!
//! Source: Confluent's rules, which look at structure alone. `patternProperties` (but for what they
//! cover), `propertyNames`, `contains`, conditions, `format` and annotations are not compared.

mod arrays;
mod combined;
mod objects;
mod values;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::difference::{Difference, Kind as DifferenceKind};
use super::pattern::Pattern;
use super::tree::{Kind, Node, NodeId, Tree};
use postern_schema_core::Incompatibility;
use postern_schema_core::Policy;

/// Steps that a comparison may take.
const EFFORT: usize = 400_000;
/// Comparisons that compiling an expression takes as long as.
const NEW_PATTERN: usize = 500;
/// What an expression may cost that costs no more than one of them.
const CHEAP: u64 = 2_000;
/// Schemas within schemas that are compared; chains of references may be longer than any stack.
const MAX_DEPTH: usize = 250;
/// Reasons that are listed.
const MAX_REASONS: usize = 200;

/// What keeps `reader` from reading what `writer` wrote.
pub(super) fn differences(reader: &Tree, writer: &Tree, policy: Policy) -> Vec<Incompatibility> {
    let mut comparison = Comparison::new([writer, reader], policy);
    let result = comparison.settled();
    result.found.iter().map(Difference::to_incompatibility).collect()
}

/// A node and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NodeRef {
    tree: usize,
    node: NodeId,
}

impl NodeRef {
    fn at(self, node: NodeId) -> NodeRef {
        NodeRef { tree: self.tree, node }
    }
}

/// Original and update.
type Pair = (NodeRef, NodeRef);

/// What came of a pair.
#[derive(Clone, Debug)]
struct PairResult {
    compatible: bool,
    /// Why not: the first reasons, and those found inside.
    found: Vec<Difference>,
}

impl PairResult {
    const COMPATIBLE: PairResult = PairResult { compatible: true, found: Vec::new() };

    fn because(kind: DifferenceKind) -> PairResult {
        PairResult { compatible: false, found: vec![Difference { kind, path: String::new() }] }
    }
}

struct Comparison<'t> {
    trees: [&'t Tree; 2],
    policy: Policy,
    /// What came of pairs in this pass.
    known: HashMap<Pair, Rc<PairResult>>,
    active: HashSet<Pair>,
    /// Known not to be compatible; never taken back.
    refuted: HashSet<Pair>,
    /// Active pairs that were assumed to be compatible.
    relied_on: HashSet<Pair>,
    patterns: HashMap<&'t str, Option<Pattern>>,
    effort: usize,
    depth: usize,
}

impl<'t> Comparison<'t> {
    fn new(trees: [&'t Tree; 2], policy: Policy) -> Comparison<'t> {
        let (known, active, refuted, relied_on, patterns) = Default::default();
        Comparison { trees, policy, known, active, refuted, relied_on, patterns, effort: EFFORT, depth: 0 }
    }

    /// Repeats passes until none relies on a pair that it refutes.
    fn settled(&mut self) -> Rc<PairResult> {
        let [original, update] = [0, 1].map(|tree| NodeRef { tree, node: self.trees[tree].root });
        loop {
            self.known.clear();
            self.relied_on.clear();
            let result = self.compare(original, update);
            if self.effort == 0 {
                return Rc::new(PairResult::because(DifferenceKind::TooComplex));
            }
            if self.relied_on.is_disjoint(&self.refuted) {
                return result;
            }
        }
    }

    fn compare(&mut self, original: NodeRef, update: NodeRef) -> Rc<PairResult> {
        let pair = (self.followed(original), self.followed(update));
        if let Some(known) = self.known.get(&pair) {
            return known.clone();
        }
        if self.active.contains(&pair) {
            // Its reasons are reported where it is compared.
            let compatible = !self.refuted.contains(&pair);
            if compatible {
                self.relied_on.insert(pair);
            }
            return Rc::new(PairResult { compatible, found: Vec::new() });
        }
        if !self.spend(1) || self.depth == MAX_DEPTH {
            return Rc::new(PairResult::because(DifferenceKind::TooComplex));
        }
        self.active.insert(pair);
        self.depth += 1;
        let result = Rc::new(self.compare_nodes(pair.0, pair.1));
        self.depth -= 1;
        self.active.remove(&pair);
        if !result.compatible {
            self.refuted.insert(pair);
        }
        self.known.insert(pair, result.clone());
        result
    }

    fn compare_nodes(&mut self, original: NodeRef, update: NodeRef) -> PairResult {
        let (ours, theirs) = (self.node(update), self.node(original));
        match (&theirs.kind, &ours.kind) {
            (Kind::Combined(theirs), Kind::Combined(ours)) => return self.combined(original, theirs, update, ours),
            (_, Kind::Combined(ours)) if self.goes_into(original, update, ours) => return PairResult::COMPATIBLE,
            (Kind::Combined(theirs), _) if self.comes_out_of(original, theirs, update) => {
                return PairResult::COMPATIBLE;
            }
            _ => {}
        }
        let mut report = Report::new(self.policy);
        match (&theirs.kind, &ours.kind) {
            (Kind::String(theirs), Kind::String(ours)) => values::strings(theirs, ours, &mut report),
            (Kind::Number(theirs), Kind::Number(ours)) => values::numbers(theirs, ours, &mut report),
            (Kind::Enum(theirs), Kind::Enum(ours)) => values::enums(theirs, ours, &mut report),
            (Kind::Const(theirs), Kind::Const(ours)) => values::constants(theirs, ours, &mut report),
            (Kind::Object(theirs), Kind::Object(ours)) => self.objects(original, theirs, update, ours, &mut report),
            (Kind::Array(theirs), Kind::Array(ours)) => self.arrays(original, theirs, update, ours, &mut report),
            (Kind::Not(theirs), Kind::Not(ours)) => {
                if !self.compare(update.at(*ours), original.at(*theirs)).compatible {
                    report.note(DifferenceKind::NotTypeExtended, "/not");
                }
            }
            (Kind::Boolean, Kind::Boolean)
            | (Kind::Null, Kind::Null)
            | (Kind::Conditional, Kind::Conditional)
            | (Kind::Circular, Kind::Circular) => {}
            (Kind::Never, _) | (_, Kind::Any) => {}
            _ if theirs.connect_bytes && ours.connect_bytes => {}
            _ => report.note(DifferenceKind::TypeChanged, ""),
        }
        report.result
    }

    fn node(&self, spot: NodeRef) -> &'t Node {
        self.trees[spot.tree].node(spot.node)
    }

    fn followed(&self, spot: NodeRef) -> NodeRef {
        spot.at(self.trees[spot.tree].followed(spot.node))
    }

    /// Whether there are so many steps left; they are not any more.
    fn spend(&mut self, steps: usize) -> bool {
        self.effort = self.effort.saturating_sub(steps);
        self.effort > 0
    }

    /// Whether a pattern matches the name of a property.
    fn matches(&mut self, pattern: &'t str, name: &str) -> bool {
        if !self.patterns.contains_key(pattern) && !self.spend(NEW_PATTERN) {
            return false;
        }
        let compiled = self.patterns.entry(pattern).or_insert_with(|| Pattern::for_names(pattern));
        // A look at an expression costs as much as several comparisons.
        let cost = 10 + compiled.as_ref().map_or(0, |compiled| compiled.cost(name) / CHEAP);
        if !self.spend(usize::try_from(cost).unwrap_or(usize::MAX)) {
            return false;
        }
        self.patterns[pattern].as_ref().is_some_and(|compiled| compiled.matches(name))
    }
}

/// Collects the reasons of one pair.
struct Report {
    policy: Policy,
    result: PairResult,
}

impl Report {
    fn new(policy: Policy) -> Report {
        Report { policy, result: PairResult::COMPATIBLE }
    }

    /// A difference at a path, which counts if the policy does not let it pass.
    fn note(&mut self, kind: DifferenceKind, path: &str) {
        if !kind.passes(self.policy) {
            self.result.compatible = false;
            self.push(Difference { kind, path: path.to_owned() });
        }
    }

    /// All reasons of a pair further inside.
    fn include(&mut self, path: &str, inner: &PairResult) {
        self.result.compatible &= inner.compatible;
        for Difference { kind, path: within } in &inner.found {
            self.push(Difference { kind: *kind, path: format!("{path}{within}") });
        }
    }

    fn push(&mut self, difference: Difference) {
        if self.result.found.len() < MAX_REASONS {
            self.result.found.push(difference);
        }
    }
}
