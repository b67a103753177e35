//! Strings, numbers, and listed values.

use std::collections::BTreeSet;

use super::{DifferenceKind, Report};
use crate::decimal::Decimal;
use crate::tree::{NumberRules, StringRules};

pub(super) fn strings(original: &StringRules, update: &StringRules, report: &mut Report) {
    let longest = (original.max_length.as_ref(), update.max_length.as_ref());
    report.at_most("/maxLength", longest, DifferenceKind::MaxLengthAdded, DifferenceKind::MaxLengthDecreased);
    let shortest = (original.min_length.as_ref(), update.min_length.as_ref());
    report.at_least("/minLength", shortest, DifferenceKind::MinLengthAdded, DifferenceKind::MinLengthIncreased);
    match (&original.pattern, &update.pattern) {
        (None, Some(_)) => report.note(DifferenceKind::PatternAdded, "/pattern"),
        (Some(before), Some(now)) if before != now => report.note(DifferenceKind::PatternChanged, "/pattern"),
        (Some(_) | None, Some(_) | None) => {}
    }
}

pub(super) fn numbers(original: &NumberRules, update: &NumberRules, report: &mut Report) {
    let most = (original.maximum.as_ref(), update.maximum.as_ref());
    report.at_most("/maximum", most, DifferenceKind::MaximumAdded, DifferenceKind::MaximumDecreased);
    let least = (original.minimum.as_ref(), update.minimum.as_ref());
    report.at_least("/minimum", least, DifferenceKind::MinimumAdded, DifferenceKind::MinimumIncreased);
    let below = (original.exclusive_maximum.as_ref(), update.exclusive_maximum.as_ref());
    report.at_most(
        "/exclusiveMaximum",
        below,
        DifferenceKind::ExclusiveMaximumAdded,
        DifferenceKind::ExclusiveMaximumDecreased,
    );
    let above = (original.exclusive_minimum.as_ref(), update.exclusive_minimum.as_ref());
    report.at_least(
        "/exclusiveMinimum",
        above,
        DifferenceKind::ExclusiveMinimumAdded,
        DifferenceKind::ExclusiveMinimumIncreased,
    );
    match (&original.multiple_of, &update.multiple_of) {
        (None, Some(_)) => report.note(DifferenceKind::MultipleOfAdded, "/multipleOf"),
        (Some(before), Some(now)) if before == now => {}
        (Some(before), Some(now)) if now.is_multiple_of(before) => {
            report.note(DifferenceKind::MultipleOfExpanded, "/multipleOf")
        }
        (Some(before), Some(now)) if before.is_multiple_of(now) => {}
        (Some(_), Some(_)) => report.note(DifferenceKind::MultipleOfChanged, "/multipleOf"),
        (Some(_) | None, None) => {}
    }
    if update.whole && !original.whole {
        report.note(DifferenceKind::TypeNarrowed, "");
    }
}

pub(super) fn enums(original: &BTreeSet<String>, update: &BTreeSet<String>, report: &mut Report) {
    if update.is_superset(original) {
        return;
    }
    let kind =
        if update.is_subset(original) { DifferenceKind::EnumArrayNarrowed } else { DifferenceKind::EnumArrayChanged };
    report.note(kind, "/enum");
}

pub(super) fn constants(original: &str, update: &str, report: &mut Report) {
    if original != update {
        report.note(DifferenceKind::EnumArrayChanged, "/const");
    }
}

/// The same bound in original and update.
pub(super) type Bounds<'b> = (Option<&'b Decimal>, Option<&'b Decimal>);

impl Report {
    /// An upper bound may grow and go.
    pub(super) fn at_most(&mut self, path: &str, bounds: Bounds<'_>, added: DifferenceKind, decreased: DifferenceKind) {
        match bounds {
            (None, Some(_)) => self.note(added, path),
            (Some(before), Some(now)) if now < before => self.note(decreased, path),
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    /// A lower bound may shrink and go.
    pub(super) fn at_least(
        &mut self,
        path: &str,
        bounds: Bounds<'_>,
        added: DifferenceKind,
        increased: DifferenceKind,
    ) {
        match bounds {
            (None, Some(_)) => self.note(added, path),
            (Some(before), Some(now)) if now > before => self.note(increased, path),
            (Some(_) | None, Some(_) | None) => {}
        }
    }
}
