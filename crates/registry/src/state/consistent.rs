//! The invariants of the state, for tests with random records.

use postern_kafka::Record;

use crate::model::names::Subject;
use crate::model::stored::Visible;
use crate::state::State;

impl State {
    /// # Panics
    /// If the parts of the state contradict each other.
    pub(crate) fn check(&self) {
        for (subject, versions) in &self.subjects {
            assert!(!versions.by_number.is_empty(), "{subject} has versions");
            for (&version, at) in &versions.by_number {
                let place = (subject.clone(), version);
                let context = &self.contexts[subject.context()];
                let bound = &context.ids[&at.id];
                assert!(bound.versions.contains(&place), "{place:?} is known to carry its id");
                assert_eq!(bound.content.text(), at.content.text(), "one text per id");
                assert!(context.guids[&at.content.guid()].contains(&at.id), "{place:?} is found by its guid");
                assert!(at.id.0 <= context.max_id && version < self.next_version(subject));
                for reference in at.content.references().iter().filter(|reference| reference.version >= 0) {
                    let target = (subject.sibling(&reference.subject), reference.version as u32);
                    assert!(self.referrers[&target].contains(&place), "{target:?} has its referrers");
                }
            }
        }
        for (name, context) in &self.contexts {
            for (id, bound) in &context.ids {
                assert!(
                    !bound.versions.is_empty() && self.versions_with_id(name, *id).count() == bound.versions.len(),
                    "{id:?}"
                );
            }
            for ids in context.guids.values() {
                assert!(
                    !ids.is_empty() && ids.iter().all(|id| context.ids.contains_key(id)),
                    "a guid has ids that exist"
                );
            }
        }
        for place in self.referrers.values().flatten() {
            assert!(self.version(&place.0, place.1).is_some(), "{place:?} refers to something, so it is there");
        }
    }

    /// All versions as they would be written back.
    pub(crate) fn all_rewritten(&self) -> Vec<Record> {
        let candidate_subjects =
            self.subjects.iter().flat_map(|(subject, versions)| versions.by_number.keys().map(move |n| (subject, *n)));
        candidate_subjects.filter_map(|(subject, version)| self.rewritten(subject, version, None)).collect()
    }

    /// Whether both have the same versions of the same subjects, and no others.
    pub(crate) fn has_versions_of(&self, other: &State) -> bool {
        let all = |state: &State| {
            let of = |subject: &Subject| state.versions(subject, Visible::All).collect::<Vec<_>>();
            state.subjects.keys().map(of).collect::<Vec<_>>()
        };
        all(self) == all(other)
    }
}
