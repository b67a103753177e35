//! `allOf`, `anyOf` and `oneOf`, with one another and with what they are made of.

use std::collections::{HashMap, VecDeque};

use super::{Comparison, DifferenceKind, NodeRef, PairResult, Report};
use crate::tree::{Combined, Criterion, NodeId};

impl Comparison<'_> {
    /// Whether the original is compatible with a part of the update that alone suffices.
    pub(super) fn goes_into(&mut self, original: NodeRef, update: NodeRef, combined: &Combined) -> bool {
        let alone = combined.parts.len() == 1 || combined.criterion != Criterion::All;
        alone
            && combined.parts.iter().any(|part| self.effort > 0 && self.compare(original, update.at(*part)).compatible)
    }

    /// Whether a part that the original always meets is compatible with the update.
    pub(super) fn comes_out_of(&mut self, original: NodeRef, combined: &Combined, update: NodeRef) -> bool {
        let always = combined.parts.len() == 1 || combined.criterion == Criterion::All;
        always
            && combined.parts.iter().any(|part| self.effort > 0 && self.compare(original.at(*part), update).compatible)
    }

    pub(super) fn combined(
        &mut self,
        original: NodeRef,
        theirs: &Combined,
        update: NodeRef,
        ours: &Combined,
    ) -> PairResult {
        let (one_before, one_now) = (theirs.parts.len() == 1, ours.parts.len() == 1);
        let goes_together = theirs.criterion == ours.criterion
            || ours.criterion == Criterion::Any
            || one_before && (one_now || ours.criterion == Criterion::One)
            || one_now && theirs.criterion == Criterion::All;
        if !goes_together {
            return PairResult::because(DifferenceKind::CombinedTypeChanged);
        }
        let mut report = Report::new(self.policy);
        let (before, now) = (theirs.distinct.len(), ours.distinct.len());
        if now > before && ours.criterion == Criterion::All {
            report.note(DifferenceKind::ProductTypeExtended, "");
        }
        if now < before && theirs.criterion != Criterion::All {
            report.note(DifferenceKind::SumTypeNarrowed, "");
        }
        let (theirs_left, ours_left, paired) = match before * now > MANY_PAIRS {
            true => self.pair_equals(original, theirs, update, ours),
            false => (theirs.distinct.clone(), ours.distinct.clone(), 0),
        };
        let mut edges = Vec::with_capacity(theirs_left.len());
        for part in &theirs_left {
            let compatible = |other: &usize| {
                self.effort > 0 && self.compare(original.at(*part), update.at(ours_left[*other])).compatible
            };
            edges.push((0..ours_left.len()).filter(compatible).collect::<Vec<usize>>());
            if self.effort == 0 {
                break;
            }
        }
        if paired + matched(&edges, ours_left.len(), |steps| self.spend(steps)) < before.min(now) {
            report.note(DifferenceKind::CombinedSubschemasChanged, "");
        }
        report.result
    }

    /// Pairs parts whose texts are equal, where they are compatible: of long lists most are, and each is compared once
    /// instead of with all others. What is left of both, and how many pairs there are.
    fn pair_equals(
        &mut self,
        original: NodeRef,
        theirs: &Combined,
        update: NodeRef,
        ours: &Combined,
    ) -> (Vec<NodeId>, Vec<NodeId>, usize) {
        let positions = ours.digests.iter().enumerate().map(|(position, digest)| (*digest, position));
        let positions = positions.collect::<HashMap<_, _>>();
        let mut is_paired = vec![false; ours.distinct.len()];
        let mut left = Vec::new();
        for (position, part) in theirs.distinct.iter().enumerate() {
            let equal = theirs.digests.get(position).and_then(|digest| positions.get(digest));
            let equal = equal.filter(|equal| {
                !is_paired[**equal] && self.compare(original.at(*part), update.at(ours.distinct[**equal])).compatible
            });
            match equal {
                Some(equal) => is_paired[*equal] = true,
                None => left.push(*part),
            }
        }
        let paired = is_paired.iter().filter(|paired| **paired).count();
        let unpaired = ours.distinct.iter().zip(is_paired).filter(|(_, paired)| !paired).map(|(part, _)| *part);
        (left, unpaired.collect(), paired)
    }
}

/// From so many pairs of parts on, equal ones are paired first.
const MANY_PAIRS: usize = 10_000;

/// How many pairs a maximum matching has, in a graph of two sides given by the edges of one; `others` are on the other.
///
/// Each round looks for a path along which the pairs so far are exchanged for one more, breadth first.
/// `spend` gets the number of steps, and may end the search.
fn matched(edges: &[Vec<usize>], others: usize, mut spend: impl FnMut(usize) -> bool) -> usize {
    let mut partners = vec![None; others];
    let mut held = vec![None; edges.len()];
    let mut count = 0;
    for start in 0..edges.len() {
        let mut reached_from = vec![None; others];
        let mut pending = VecDeque::from([start]);
        let mut free = None;
        'search: while let Some(one) = pending.pop_front() {
            if !spend(1 + edges[one].len() / 16) {
                return count;
            }
            for &other in &edges[one] {
                if reached_from[other].is_some() {
                    continue;
                }
                reached_from[other] = Some(one);
                match partners[other] {
                    None => {
                        free = Some(other);
                        break 'search;
                    }
                    Some(partner) => pending.push_back(partner),
                }
            }
        }
        count += usize::from(free.is_some());
        while let Some(other) = free {
            let one = reached_from[other].expect("the path was walked this way");
            partners[other] = Some(one);
            // What it held until now goes to the one that it was reached from.
            free = held[one].replace(other);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::matched;

    #[test]
    fn pairs_are_exchanged_for_more_pairs() {
        let cases: [(&[&[usize]], usize, usize); 6] = [
            (&[], 0, 0),
            (&[&[], &[0]], 1, 1),
            (&[&[0, 1], &[0]], 2, 2),
            (&[&[0, 1], &[0, 2], &[0]], 3, 3),
            (&[&[0], &[0], &[0, 1]], 3, 2),
            (&[&[0, 1, 2], &[0, 1], &[1, 3], &[0, 1]], 4, 4),
        ];
        for (edges, others, count) in cases {
            let edges = edges.iter().map(|edges| edges.to_vec()).collect::<Vec<_>>();
            assert_eq!(matched(&edges, others, |_| true), count, "{edges:?}");
        }
    }
}
