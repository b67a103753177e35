//! Strings, numbers, and listed values.

use std::collections::BTreeSet;

use super::{Found, Report};
use crate::decimal::Decimal;
use crate::tree::{NumberRules, StringRules};

pub(super) fn strings(original: &StringRules, update: &StringRules, report: &mut Report) {
    let longest = (original.max_length.as_ref(), update.max_length.as_ref());
    report.at_most("/maxLength", longest, Found::MaxLengthAdded, Found::MaxLengthDecreased);
    let shortest = (original.min_length.as_ref(), update.min_length.as_ref());
    report.at_least("/minLength", shortest, Found::MinLengthAdded, Found::MinLengthIncreased);
    match (&original.pattern, &update.pattern) {
        (None, Some(_)) => report.note(Found::PatternAdded, "/pattern"),
        (Some(before), Some(now)) if before != now => report.note(Found::PatternChanged, "/pattern"),
        (Some(_) | None, Some(_) | None) => {}
    }
}

pub(super) fn numbers(original: &NumberRules, update: &NumberRules, report: &mut Report) {
    let most = (original.maximum.as_ref(), update.maximum.as_ref());
    report.at_most("/maximum", most, Found::MaximumAdded, Found::MaximumDecreased);
    let least = (original.minimum.as_ref(), update.minimum.as_ref());
    report.at_least("/minimum", least, Found::MinimumAdded, Found::MinimumIncreased);
    let below = (original.exclusive_maximum.as_ref(), update.exclusive_maximum.as_ref());
    report.at_most("/exclusiveMaximum", below, Found::ExclusiveMaximumAdded, Found::ExclusiveMaximumDecreased);
    let above = (original.exclusive_minimum.as_ref(), update.exclusive_minimum.as_ref());
    report.at_least("/exclusiveMinimum", above, Found::ExclusiveMinimumAdded, Found::ExclusiveMinimumIncreased);
    match (&original.multiple_of, &update.multiple_of) {
        (None, Some(_)) => report.note(Found::MultipleOfAdded, "/multipleOf"),
        (Some(before), Some(now)) if before == now => {}
        (Some(before), Some(now)) if now.is_multiple_of(before) => {
            report.note(Found::MultipleOfExpanded, "/multipleOf")
        }
        (Some(before), Some(now)) if before.is_multiple_of(now) => {}
        (Some(_), Some(_)) => report.note(Found::MultipleOfChanged, "/multipleOf"),
        (Some(_) | None, None) => {}
    }
    if update.whole && !original.whole {
        report.note(Found::TypeNarrowed, "");
    }
}

pub(super) fn enums(original: &BTreeSet<String>, update: &BTreeSet<String>, report: &mut Report) {
    if update.is_superset(original) {
        return;
    }
    let kind = if update.is_subset(original) { Found::EnumArrayNarrowed } else { Found::EnumArrayChanged };
    report.note(kind, "/enum");
}

pub(super) fn constants(original: &str, update: &str, report: &mut Report) {
    if original != update {
        report.note(Found::EnumArrayChanged, "/const");
    }
}

/// The same bound in original and update.
pub(super) type Bounds<'b> = (Option<&'b Decimal>, Option<&'b Decimal>);

impl Report {
    /// An upper bound may grow and go.
    pub(super) fn at_most(&mut self, path: &str, bounds: Bounds<'_>, added: Found, decreased: Found) {
        match bounds {
            (None, Some(_)) => self.note(added, path),
            (Some(before), Some(now)) if now < before => self.note(decreased, path),
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    /// A lower bound may shrink and go.
    pub(super) fn at_least(&mut self, path: &str, bounds: Bounds<'_>, added: Found, increased: Found) {
        match bounds {
            (None, Some(_)) => self.note(added, path),
            (Some(before), Some(now)) if now > before => self.note(increased, path),
            (Some(_) | None, Some(_) | None) => {}
        }
    }
}
