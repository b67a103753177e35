//! Objects: whether a property may come or go depends on what is allowed for properties that are not listed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Comparison, DifferenceKind, NodeRef, Report};
use crate::tree::{Extra, Kind, NodeId, ObjectRules};

/// What may stand under a name that is not listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    Open,
    /// A schema covers it.
    Covered(NodeId),
    Closed,
}

impl<'t> Comparison<'t> {
    pub(super) fn objects(
        &mut self,
        original: NodeRef,
        theirs: &'t ObjectRules,
        update: NodeRef,
        ours: &'t ObjectRules,
        report: &mut Report,
    ) {
        for name in ours.required.difference(&theirs.required) {
            if let (true, Some(property)) = (theirs.properties.contains_key(name), ours.properties.get(name))
                && !self.node(update.at(*property)).has_default
            {
                report.note(DifferenceKind::RequiredAttributeAdded, &format!("/required/{name}"));
            }
        }
        for (name, before) in &theirs.properties {
            let path = format!("/properties/{name}");
            match ours.properties.get(name) {
                Some(now) => report.include(&path, &self.compare(original.at(*before), update.at(*now))),
                None => self.property_removed(original.at(*before), name, update, ours, &path, report),
            }
        }
        for (name, now) in &ours.properties {
            if !theirs.properties.contains_key(name) {
                let required = ours.required.contains(name);
                let path = format!("/properties/{name}");
                self.property_added(original, theirs, name, update.at(*now), required, &path, report);
            }
        }
        dependent_names(&theirs.dependent_names, &ours.dependent_names, report);
        for (name, now) in &ours.dependent_schemas {
            let path = format!("/dependencies/{name}");
            match theirs.dependent_schemas.get(name) {
                Some(before) => report.include(&path, &self.compare(original.at(*before), update.at(*now))),
                None => report.note(DifferenceKind::DependencySchemaAdded, &path),
            }
        }
        let kinds = (DifferenceKind::AdditionalPropertiesRemoved, DifferenceKind::AdditionalPropertiesNarrowed);
        self.additional(original, theirs.additional, update, ours.additional, "/additionalProperties", kinds, report);
        let kinds = (DifferenceKind::UnevaluatedPropertiesRemoved, DifferenceKind::UnevaluatedPropertiesNarrowed);
        self.unevaluated(
            original,
            theirs.unevaluated,
            update,
            ours.unevaluated,
            "/unevaluatedProperties",
            kinds,
            report,
        );
        let most = (theirs.max_properties.as_ref(), ours.max_properties.as_ref());
        report.at_most(
            "/maxProperties",
            most,
            DifferenceKind::MaxPropertiesAdded,
            DifferenceKind::MaxPropertiesDecreased,
        );
        let least = (theirs.min_properties.as_ref(), ours.min_properties.as_ref());
        report.at_least(
            "/minProperties",
            least,
            DifferenceKind::MinPropertiesAdded,
            DifferenceKind::MinPropertiesIncreased,
        );
    }

    fn property_removed(
        &mut self,
        property: NodeRef,
        name: &str,
        update: NodeRef,
        ours: &'t ObjectRules,
        path: &str,
        report: &mut Report,
    ) {
        match self.rest(ours, name) {
            Rest::Open => {}
            Rest::Covered(cover) => {
                let result = self.compare(property, update.at(cover));
                report.include(path, &result);
                if !result.compatible {
                    report.note(DifferenceKind::PropertyRemovedNotCovered, path);
                }
            }
            Rest::Closed => {
                if !matches!(self.node(self.followed(property)).kind, Kind::Never) {
                    report.note(DifferenceKind::PropertyRemovedFromClosed, path);
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "both sides, and where to tell of it")]
    fn property_added(
        &mut self,
        original: NodeRef,
        theirs: &'t ObjectRules,
        name: &str,
        property: NodeRef,
        required: bool,
        path: &str,
        report: &mut Report,
    ) {
        let has_default = self.node(property).has_default;
        match self.rest(theirs, name) {
            Rest::Open => {
                if matches!(self.node(self.followed(property)).kind, Kind::Any) {
                    return;
                }
                return match (required, has_default) {
                    (true, true) => report.note(DifferenceKind::RequiredPropertyWithDefaultAddedToOpen, path),
                    (true, false) => report.note(DifferenceKind::RequiredPropertyAddedToOpen, path),
                    (false, _) => report.note(DifferenceKind::OptionalPropertyAddedToOpen, path),
                };
            }
            Rest::Covered(cover) => {
                let result = self.compare(original.at(cover), property);
                report.include(path, &result);
                if !result.compatible {
                    report.note(DifferenceKind::PropertyAddedNotCovered, path);
                }
            }
            Rest::Closed => {}
        }
        if required && !has_default {
            report.note(DifferenceKind::RequiredPropertyAddedToUnopen, path);
        }
    }

    /// What may stand under `name`, which is not listed.
    fn rest(&mut self, rules: &'t ObjectRules, name: &str) -> Rest {
        if rules.additional.is_unlimited() && rules.patterns.is_empty() && rules.unevaluated.is_unlimited() {
            return Rest::Open;
        }
        for (pattern, schema) in &rules.patterns {
            if self.matches(pattern, name) {
                return Rest::Covered(*schema);
            }
        }
        match (rules.additional, rules.unevaluated) {
            (Extra::Schema(cover), _) | (Extra::Unsaid, Extra::Schema(cover)) => Rest::Covered(cover),
            (Extra::Unsaid | Extra::Allowed | Extra::Forbidden, _) => Rest::Closed,
        }
    }

    /// Compares `additionalProperties`. `kinds`: forbidden now; narrowed.
    #[expect(clippy::too_many_arguments, reason = "both sides, and where to tell of it")]
    pub(super) fn additional(
        &mut self,
        original: NodeRef,
        theirs: Extra,
        update: NodeRef,
        ours: Extra,
        path: &str,
        kinds: (DifferenceKind, DifferenceKind),
        report: &mut Report,
    ) {
        match (theirs, ours) {
            (Extra::Forbidden, _) => {}
            (Extra::Unsaid | Extra::Allowed | Extra::Schema(_), Extra::Forbidden) => report.note(kinds.0, path),
            (Extra::Unsaid | Extra::Allowed, Extra::Schema(_)) => report.note(kinds.1, path),
            (Extra::Schema(before), Extra::Schema(now)) => {
                report.include(path, &self.compare(original.at(before), update.at(now)));
            }
            (Extra::Unsaid | Extra::Allowed | Extra::Schema(_), Extra::Unsaid | Extra::Allowed) => {}
        }
    }

    /// The same for what no other keyword evaluated; here `true` differs from absence.
    #[expect(clippy::too_many_arguments, reason = "both sides, and where to tell of it")]
    pub(super) fn unevaluated(
        &mut self,
        original: NodeRef,
        theirs: Extra,
        update: NodeRef,
        ours: Extra,
        path: &str,
        kinds: (DifferenceKind, DifferenceKind),
        report: &mut Report,
    ) {
        if (theirs, ours) == (Extra::Unsaid, Extra::Allowed) {
            return report.note(kinds.1, path);
        }
        self.additional(original, theirs, update, ours, path, kinds, report);
    }
}

fn dependent_names(
    theirs: &BTreeMap<String, BTreeSet<String>>,
    ours: &BTreeMap<String, BTreeSet<String>>,
    report: &mut Report,
) {
    for (name, now) in ours {
        let path = format!("/dependencies/{name}");
        match theirs.get(name) {
            None => report.note(DifferenceKind::DependencyArrayAdded, &path),
            Some(before) if now.is_subset(before) => {}
            Some(before) if now.is_superset(before) => report.note(DifferenceKind::DependencyArrayExtended, &path),
            Some(_) => report.note(DifferenceKind::DependencyArrayChanged, &path),
        }
    }
}
