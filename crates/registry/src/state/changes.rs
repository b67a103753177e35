//! Records applied to the state, strictly in the order of the log.

use std::fmt;
use std::sync::Arc;

use super::{Bound, State, Version};
use crate::log::schema::SchemaValue;
use crate::log::{Entry, LogKey};
use crate::{Content, SchemaId, Subject};

/// What a record changed, for caches beside the state.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that a cache could hold.
    None,
    /// Versions of this subject were added or (un)deleted.
    Subject(Subject),
    /// Versions were removed for good, so that a reference or an id may mean something else afterwards.
    Removed,
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It counts.
    Applied(Change),
    /// It came too late: its key or its id was bound to another schema.
    Lost(Loss),
}

/// What a loser ran into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The version is another schema.
    Version(Subject, u32),
    /// The id names another schema in that context.
    Id(Subject, u32, SchemaId),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Version(subject, version) => {
                write!(f, "version {version} of subject {subject} is another schema already")
            }
            Loss::Id(subject, version, id) => {
                write!(f, "id {id}, given to version {version} of subject {subject}, names another schema already")
            }
        }
    }
}

impl State {
    /// Applies the next record of the log.
    pub(crate) fn apply(&mut self, key: &[u8], entry: Entry, timestamp_ms: Option<i64>) -> Verdict {
        match entry {
            Entry::Schema { subject, version, value } => {
                self.note_spelling(LogKey::Schema { subject: subject.clone(), version }, key, value.is_some());
                match value {
                    Some(value) => self.bind(subject, version, *value, timestamp_ms),
                    None => self.remove(&subject, version),
                }
            }
            Entry::Config { subject, value } => {
                self.note_spelling(LogKey::Config(subject.clone()), key, value.is_some());
                match value {
                    Some(config) => self.configs.insert(subject, *config),
                    None => self.configs.remove(&subject),
                };
                Verdict::Applied(Change::None)
            }
            Entry::Mode { subject, value } => {
                self.note_spelling(LogKey::Mode(subject.clone()), key, value.is_some());
                match value {
                    Some(mode) => self.modes.insert(subject, mode),
                    None => self.modes.remove(&subject),
                };
                Verdict::Applied(Change::None)
            }
            Entry::DeleteSubject { subject, version } => {
                for (_, stored) in
                    self.subjects.get_mut(&subject).into_iter().flat_map(|versions| versions.range_mut(..=version))
                {
                    stored.deleted = true;
                }
                Verdict::Applied(Change::Subject(subject))
            }
            Entry::ClearSubject { subject } => {
                let forgotten: Vec<_> =
                    self.versions_in_scope(subject.as_ref()).into_iter().filter(|(_, _, deleted)| *deleted).collect();
                for (subject, version, _) in forgotten {
                    self.unbind(&subject, version);
                }
                Verdict::Applied(Change::Removed)
            }
            Entry::Context { context, known } => {
                self.contexts.entry(context.into()).or_default().recorded = known;
                Verdict::Applied(Change::None)
            }
            Entry::Nothing => Verdict::Applied(Change::None),
        }
    }

    fn bind(&mut self, subject: Subject, version: u32, value: SchemaValue, timestamp_ms: Option<i64>) -> Verdict {
        let SchemaValue { id, content, deleted, unknown } = value;
        if let Some(stored) = self.subjects.get_mut(&subject).and_then(|versions| versions.get_mut(&version)) {
            if stored.id != id || stored.content.guid() != content.guid() {
                self.unmended.insert((subject.clone(), version));
                return Verdict::Lost(Loss::Version(subject, version));
            }
            // The same schema again: a soft delete, a restore, or a winner written back.
            stored.deleted = deleted;
            stored.timestamp_ms = timestamp_ms;
            stored.unknown = unknown;
            self.unmended.remove(&(subject.clone(), version));
            return Verdict::Applied(Change::Subject(subject));
        }
        let context = self.contexts.entry(subject.context().into()).or_default();
        let content = match context.ids.get(&id) {
            Some(bound) if bound.content.text() != content.text() => {
                self.strays.insert((subject.clone(), version));
                return Verdict::Lost(Loss::Id(subject, version, id));
            }
            Some(bound) if bound.content.guid() == content.guid() => bound.content.clone(),
            // The same text with other metadata under one id: only foreign writers do that.
            Some(_) | None => Arc::new(content),
        };
        self.strays.remove(&(subject.clone(), version));
        context.max_id = context.max_id.max(id.0);
        let bound = context.ids.entry(id).or_insert_with(|| Bound { content: content.clone(), holders: Vec::new() });
        bound.holders.push((subject.clone(), version));
        let ids = context.guids.entry(content.guid()).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        for target in targets(&subject, &content) {
            self.referrers.entry(target).or_default().insert((subject.clone(), version));
        }
        let stored = Version { id, content, deleted, timestamp_ms, unknown };
        self.subjects.entry(subject.clone()).or_default().insert(version, stored);
        Verdict::Applied(Change::Subject(subject))
    }

    fn remove(&mut self, subject: &Subject, version: u32) -> Verdict {
        self.strays.remove(&(subject.clone(), version));
        match self.unbind(subject, version) {
            true => Verdict::Applied(Change::Removed),
            false => Verdict::Applied(Change::None),
        }
    }

    /// Forgets a version; its id and content with it when it was their last. False: there was none.
    fn unbind(&mut self, subject: &Subject, version: u32) -> bool {
        let Some(versions) = self.subjects.get_mut(subject) else {
            return false;
        };
        let Some(stored) = versions.remove(&version) else {
            return false;
        };
        if versions.is_empty() {
            self.subjects.remove(subject);
        }
        let holder = (subject.clone(), version);
        self.unmended.remove(&holder);
        for target in targets(subject, &stored.content) {
            if let Some(referrers) = self.referrers.get_mut(&target) {
                referrers.remove(&holder);
                if referrers.is_empty() {
                    self.referrers.remove(&target);
                }
            }
        }
        let Some(context) = self.contexts.get_mut(subject.context()) else {
            return true;
        };
        if let Some(bound) = context.ids.get_mut(&stored.id) {
            bound.holders.retain(|other| *other != holder);
            if bound.holders.is_empty() {
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

    /// Remembers under which bytes a key stands in the topic, where these are not (only) ours.
    fn note_spelling(&mut self, logical: LogKey, key: &[u8], is_value: bool) {
        // Nearly every key is spelt as we spell it, and is the only spelling.
        let canonical = logical.canonical();
        if key == canonical && !self.spellings.contains_key(&logical) {
            return;
        }
        let was_there = match &logical {
            LogKey::Schema { subject, version } => {
                self.subjects.get(subject).is_some_and(|versions| versions.contains_key(version))
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

/// The versions a content refers to, as seen from the subject that holds it.
fn targets<'a>(subject: &'a Subject, content: &'a Content) -> impl Iterator<Item = (Subject, u32)> + 'a {
    content
        .references()
        .iter()
        .filter_map(|reference| Some((subject.sibling(&reference.subject), u32::try_from(reference.version).ok()?)))
}
