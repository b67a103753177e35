//! Arrays: items that are all of one schema, or one by one and then the rest.

use super::objects::Rest;
use super::{Comparison, DifferenceKind, NodeRef, Report};
use crate::tree::{ArrayRules, Extra, Kind};

impl<'t> Comparison<'t> {
    pub(super) fn arrays(
        &mut self,
        original: NodeRef,
        theirs: &'t ArrayRules,
        update: NodeRef,
        ours: &'t ArrayRules,
        report: &mut Report,
    ) {
        match (theirs.items, ours.items) {
            (Some(before), Some(now)) => report.include("/items", &self.compare(original.at(before), update.at(now))),
            (None, Some(_)) => report.note(DifferenceKind::SchemaAdded, "/items"),
            (Some(_) | None, None) => {}
        }
        for position in 0..theirs.tuple.len().max(ours.tuple.len()) {
            let path = format!("/items/{position}");
            match (theirs.tuple.get(position), ours.tuple.get(position)) {
                (Some(before), Some(now)) => {
                    report.include(&path, &self.compare(original.at(*before), update.at(*now)))
                }
                (Some(before), None) => self.item_removed(original.at(*before), update, ours, &path, report),
                (None, Some(now)) => self.item_added(original, theirs, update.at(*now), &path, report),
                (None, None) => {}
            }
        }
        let kinds = (DifferenceKind::AdditionalItemsRemoved, DifferenceKind::AdditionalItemsNarrowed);
        self.additional(original, theirs.additional, update, ours.additional, "/additionalItems", kinds, report);
        let kinds = (DifferenceKind::UnevaluatedItemsRemoved, DifferenceKind::UnevaluatedItemsNarrowed);
        self.unevaluated(original, theirs.unevaluated, update, ours.unevaluated, "/unevaluatedItems", kinds, report);
        let most = (theirs.max_items.as_ref(), ours.max_items.as_ref());
        report.at_most("/maxItems", most, DifferenceKind::MaxItemsAdded, DifferenceKind::MaxItemsDecreased);
        let least = (theirs.min_items.as_ref(), ours.min_items.as_ref());
        report.at_least("/minItems", least, DifferenceKind::MinItemsAdded, DifferenceKind::MinItemsIncreased);
        if ours.unique && !theirs.unique {
            report.note(DifferenceKind::UniqueItemsAdded, "/uniqueItems");
        }
        let most = (theirs.max_contains.as_ref(), ours.max_contains.as_ref());
        report.at_most("/maxContains", most, DifferenceKind::MaxContainsAdded, DifferenceKind::MaxContainsDecreased);
        let least = (theirs.min_contains.as_ref(), ours.min_contains.as_ref());
        report.at_least("/minContains", least, DifferenceKind::MinContainsAdded, DifferenceKind::MinContainsIncreased);
    }

    fn item_removed(&mut self, item: NodeRef, update: NodeRef, ours: &ArrayRules, path: &str, report: &mut Report) {
        match rest(ours) {
            Rest::Open => {}
            Rest::Covered(cover) => {
                let result = self.compare(item, update.at(cover));
                report.include(path, &result);
                if !result.compatible {
                    report.note(DifferenceKind::ItemRemovedNotCovered, path);
                }
            }
            Rest::Closed => {
                if !matches!(self.node(self.followed(item)).kind, Kind::Never) {
                    report.note(DifferenceKind::ItemRemovedFromClosed, path);
                }
            }
        }
    }

    fn item_added(&mut self, original: NodeRef, theirs: &ArrayRules, item: NodeRef, path: &str, report: &mut Report) {
        match rest(theirs) {
            Rest::Open => {
                if !matches!(self.node(self.followed(item)).kind, Kind::Any) {
                    report.note(DifferenceKind::ItemAddedToOpen, path);
                }
            }
            Rest::Covered(cover) => {
                let result = self.compare(original.at(cover), item);
                report.include(path, &result);
                if !result.compatible {
                    report.note(DifferenceKind::ItemAddedNotCovered, path);
                }
            }
            Rest::Closed => {}
        }
    }
}

/// What may stand where no item is listed.
fn rest(rules: &ArrayRules) -> Rest {
    if rules.additional.is_unlimited() && rules.unevaluated.is_unlimited() {
        return Rest::Open;
    }
    match (rules.additional, rules.unevaluated) {
        (Extra::Schema(cover), _) | (Extra::Unsaid, Extra::Schema(cover)) => Rest::Covered(cover),
        (Extra::Unsaid | Extra::Allowed | Extra::Forbidden, _) => Rest::Closed,
    }
}
