//! Records applied to the state, strictly in the order of the log.

use std::fmt;
use std::sync::Arc;

use super::{IdBinding, IdSpace, VersionEntry};
use crate::log::LogKey;
use crate::log::record::{LogRecord, SchemaValue};
use crate::model::content::SchemaContent;
use crate::model::names::{SchemaId, Subject};
use crate::state::State;

/// What a record changed, for the caches beside the state. Those of single subjects end by their [`Validity`](crate::caches::Validity).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StateChange {
    /// At most versions of one subject were added or (un)deleted.
    Minor,
    /// Versions were removed for good, so that a reference or an id may name something else afterwards.
    Removed,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ApplyOutcome {
    /// It is part of the state now.
    Applied(StateChange),
    /// It came too late: its key or its id was bound to another schema.
    Rejected(Conflict),
}

/// Why a record was rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The version has another schema.
    Version(Subject, u32),
    /// The id names another schema in that context.
    Id(Subject, u32, SchemaId),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Version(subject, version) => {
                write!(f, "version {version} of subject {subject} is another schema already")
            }
            Conflict::Id(subject, version, id) => {
                write!(f, "id {id}, given to version {version} of subject {subject}, names another schema already")
            }
        }
    }
}

impl State {
    /// Applies the next record of the log. `is_repair`: it was written to keep the topic safe for compaction, and changes no schema.
    pub(crate) fn apply(
        &mut self,
        key: &[u8],
        entry: LogRecord,
        timestamp_ms: Option<i64>,
        is_repair: bool,
    ) -> ApplyOutcome {
        match entry {
            LogRecord::Schema { subject, version, value } => {
                self.note_spelling(LogKey::Schema { subject: subject.clone(), version }, key, value.is_some());
                match value {
                    value if is_repair => self.note_repair(subject, version, value.as_deref()),
                    Some(value) => self.bind(subject, version, *value, timestamp_ms),
                    None => self.remove(&subject, version),
                }
            }
            LogRecord::Config { subject, value } => {
                self.note_spelling(LogKey::Config(subject.clone()), key, value.is_some());
                match value {
                    Some(config) => self.configs.insert(subject, *config),
                    None => self.configs.remove(&subject),
                };
                ApplyOutcome::Applied(StateChange::Minor)
            }
            LogRecord::Mode { subject, value } => {
                self.note_spelling(LogKey::Mode(subject.clone()), key, value.is_some());
                match value {
                    Some(mode) => self.modes.insert(subject, mode),
                    None => self.modes.remove(&subject),
                };
                ApplyOutcome::Applied(StateChange::Minor)
            }
            LogRecord::DeleteSubject { subject, version } => {
                if let Some(versions) = self.subjects.get_mut(&subject) {
                    versions.by_number.range_mut(..=version).for_each(|(_, entry)| entry.deleted = true);
                    versions.validity.renew();
                }
                ApplyOutcome::Applied(StateChange::Minor)
            }
            LogRecord::ClearSubject { subject } => {
                let forgotten: Vec<_> =
                    self.versions_in_scope(subject.as_ref()).into_iter().filter(|(_, _, deleted)| *deleted).collect();
                for (subject, version, _) in forgotten {
                    self.unbind(&subject, version);
                }
                ApplyOutcome::Applied(StateChange::Removed)
            }
            LogRecord::Context { context, known } => {
                self.contexts.entry(context.into()).or_default().recorded = known;
                ApplyOutcome::Applied(StateChange::Minor)
            }
            LogRecord::Ignored => ApplyOutcome::Applied(StateChange::Minor),
        }
    }

    fn bind(&mut self, subject: Subject, version: u32, value: SchemaValue, timestamp_ms: Option<i64>) -> ApplyOutcome {
        let SchemaValue { id, content, deleted, unknown } = value;
        if let Some(versions) = self.subjects.get_mut(&subject)
            && let Some(stored) = versions.by_number.get_mut(&version)
        {
            if stored.id != id || stored.content.guid() != content.guid() {
                self.winners_to_rewrite.insert((subject.clone(), version));
                return ApplyOutcome::Rejected(Conflict::Version(subject, version));
            }
            // The same schema again: a soft delete, a restore, or a rewritten winner.
            versions.validity.renew();
            stored.deleted = deleted;
            stored.timestamp_ms = timestamp_ms;
            stored.unknown = unknown;
            self.winners_to_rewrite.remove(&(subject.clone(), version));
            return ApplyOutcome::Applied(StateChange::Minor);
        }
        let context = self.contexts.entry(subject.context().into()).or_default();
        let content = match context.ids.get(&id) {
            Some(bound) if bound.content.text() != content.text() => {
                self.orphaned_keys.insert((subject.clone(), version));
                return ApplyOutcome::Rejected(Conflict::Id(subject, version, id));
            }
            Some(bound) if bound.content.guid() == content.guid() => bound.content.clone(),
            // The same text with other metadata under one id: only foreign writers do that.
            Some(_) | None => Arc::new(content),
        };
        self.orphaned_keys.remove(&(subject.clone(), version));
        context.max_id = context.max_id.max(id.0);
        context.note_used(id);
        let binding =
            context.ids.entry(id).or_insert_with(|| IdBinding { content: content.clone(), versions: Vec::new() });
        binding.versions.push((subject.clone(), version));
        let ids = context.guids.entry(content.guid()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        for target in targets(&subject, &content) {
            self.referrers.entry(target).or_default().insert((subject.clone(), version));
        }
        let entry = VersionEntry { id, content, deleted, timestamp_ms, unknown };
        let versions = self.subjects.entry(subject).or_default();
        versions.by_fingerprint.insert((entry.content.fingerprint(), version));
        if !entry.content.references().is_empty() {
            versions.with_references.insert(version);
        }
        versions.by_number.insert(version, entry);
        versions.validity.renew();
        ApplyOutcome::Applied(StateChange::Minor)
    }

    /// A repair is the last record under its key now. Another writer may have changed the version between the decision to repair
    /// it and the append: then what the repair says is out of date, and the key needs another one.
    fn note_repair(&mut self, subject: Subject, version: u32, value: Option<&SchemaValue>) -> ApplyOutcome {
        let stored = self.subjects.get(&subject).and_then(|versions| versions.by_number.get(&version));
        let key = (subject, version);
        match (stored, value) {
            (Some(stored), Some(value))
                if stored.deleted == value.deleted && stored.content.guid() == value.content.guid() =>
            {
                self.winners_to_rewrite.remove(&key);
            }
            (Some(_), _) => {
                self.winners_to_rewrite.insert(key);
            }
            (None, Some(_)) => {
                self.orphaned_keys.insert(key);
            }
            (None, None) => {
                self.orphaned_keys.remove(&key);
            }
        }
        ApplyOutcome::Applied(StateChange::Minor)
    }

    fn remove(&mut self, subject: &Subject, version: u32) -> ApplyOutcome {
        self.orphaned_keys.remove(&(subject.clone(), version));
        match self.unbind(subject, version) {
            true => ApplyOutcome::Applied(StateChange::Removed),
            false => ApplyOutcome::Applied(StateChange::Minor),
        }
    }

    /// Forgets a version; its id and content with it when it was their last. False: there was none.
    fn unbind(&mut self, subject: &Subject, version: u32) -> bool {
        let Some(versions) = self.subjects.get_mut(subject) else {
            return false;
        };
        let Some(stored) = versions.by_number.remove(&version) else {
            return false;
        };
        versions.by_fingerprint.remove(&(stored.content.fingerprint(), version));
        versions.with_references.remove(&version);
        versions.validity.renew();
        if versions.by_number.is_empty() {
            self.subjects.remove(subject);
        }
        let removed = (subject.clone(), version);
        self.winners_to_rewrite.remove(&removed);
        for target in targets(subject, &stored.content) {
            if let Some(referrers) = self.referrers.get_mut(&target) {
                referrers.remove(&removed);
                if referrers.is_empty() {
                    self.referrers.remove(&target);
                }
            }
        }
        let Some(context) = self.contexts.get_mut(subject.context()) else {
            return true;
        };
        if let Some(bound) = context.ids.get_mut(&stored.id) {
            bound.versions.retain(|other| *other != removed);
            if bound.versions.is_empty() {
                context.ids.remove(&stored.id);
                let guid = stored.content.guid();
                if let Some(ids) = context.guids.get_mut(&guid) {
                    ids.retain(|id| *id != stored.id);
                    if ids.is_empty() {
                        context.guids.remove(&guid);
                    }
                }
            }
        }
        true
    }

    /// Remembers the bytes under which a key is in the topic, where they are not (only) ours.
    fn note_spelling(&mut self, logical: LogKey, key: &[u8], is_value: bool) {
        // Nearly every key is spelt as we spell it, and is the only spelling.
        let canonical = logical.canonical();
        if key == canonical && !self.spellings.contains_key(&logical) {
            return;
        }
        let was_there = match &logical {
            LogKey::Schema { subject, version } => {
                self.subjects.get(subject).is_some_and(|versions| versions.by_number.contains_key(version))
            }
            LogKey::Config(subject) => self.configs.contains_key(subject),
            LogKey::Mode(subject) => self.modes.contains_key(subject),
        };
        let spellings = self.spellings.entry(logical.clone()).or_default();
        if spellings.is_empty() && was_there {
            spellings.push(canonical.into());
        }
        spellings.retain(|other| **other != *key);
        if is_value {
            spellings.push(key.into());
        }
        if spellings.is_empty() {
            self.spellings.remove(&logical);
        }
    }
}

impl IdSpace {
    /// Keeps `used_from` true after `id` was seen. Called before `id` is bound.
    fn note_used(&mut self, id: SchemaId) {
        let is_next = match self.used_from {
            None => id.0 == i32::MAX,
            Some(from) => id.0 == from - 1,
        };
        if is_next {
            let mut from = id.0;
            while from > 1 && self.ids.contains_key(&SchemaId(from - 1)) {
                from -= 1;
            }
            self.used_from = Some(from);
        }
    }
}

/// The versions a content refers to, as seen from the subject that holds it.
fn targets<'a>(subject: &'a Subject, content: &'a SchemaContent) -> impl Iterator<Item = (Subject, u32)> + 'a {
    content
        .references()
        .iter()
        .filter_map(|reference| Some((subject.sibling(&reference.subject), u32::try_from(reference.version).ok()?)))
}
