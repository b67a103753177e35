//! Questions to the state: versions, ids, contents, contexts, referrers, and the keys under which they stand in the topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postern_kafka::Record;
use serde_json::{Map, Value};

use super::VersionEntry;
use crate::caches::Validity;
use crate::log::{self, LogKey};
use crate::model::content::SchemaContent;
use crate::model::error::Error;
use crate::model::names::{DEFAULT_CONTEXT, Guid, SchemaId, Subject};
use crate::model::stored::{StoredSchema, Visible};
use crate::state::State;

fn stored(subject: &Subject, version: u32, at: &VersionEntry) -> StoredSchema {
    StoredSchema {
        subject: subject.clone(),
        version,
        id: at.id,
        content: at.content.clone(),
        timestamp_ms: at.timestamp_ms,
        deleted: at.deleted,
    }
}

// === Versions ===

impl State {
    /// One version, deleted or not.
    pub(crate) fn version(&self, subject: &Subject, version: u32) -> Option<StoredSchema> {
        self.versions_of(subject)?.get(&version).map(|at| stored(subject, version, at))
    }

    /// All versions that count, oldest first.
    pub(crate) fn versions(
        &self,
        subject: &Subject,
        visible: Visible,
    ) -> impl DoubleEndedIterator<Item = StoredSchema> {
        let all = self.versions_of(subject).into_iter().flatten();
        all.filter(move |(_, at)| visible.shows(at.deleted)).map(|(version, at)| stored(subject, *version, at))
    }

    /// The newest version that is not deleted.
    pub(crate) fn latest(&self, subject: &Subject) -> Option<StoredSchema> {
        self.versions(subject, Visible::Live).next_back()
    }

    /// Whether any version counts.
    pub(crate) fn has(&self, subject: &Subject, visible: Visible) -> bool {
        self.versions_of(subject).is_some_and(|versions| versions.values().any(|at| visible.shows(at.deleted)))
    }

    /// The subjects that an unqualified one may stand for: itself, and its namesakes in other contexts. Only those with visible
    /// versions.
    pub(crate) fn namesakes(&self, subject: &Subject, visible: Visible) -> Vec<Subject> {
        let candidates: Vec<Subject> = match subject.is_unqualified() {
            true => self.contexts().map(|context| subject.in_context(context)).collect(),
            false => vec![subject.clone()],
        };
        candidates.into_iter().filter(|candidate| self.has(candidate, visible)).collect()
    }

    /// The number of the next version. Softly deleted ones hold their numbers.
    pub(crate) fn next_version(&self, subject: &Subject) -> u32 {
        self.versions_of(subject).and_then(|versions| versions.last_key_value()).map_or(1, |(version, _)| version + 1)
    }

    /// The versions that may have this content or an equivalent one, newest first: those whose texts have the same characters
    /// in any order and, if the content has no references, those that have some.
    pub(crate) fn similar_versions(
        &self,
        subject: &Subject,
        content: &SchemaContent,
        visible: Visible,
    ) -> Vec<StoredSchema> {
        let Some(versions) = self.subjects.get(subject) else { return Vec::new() };
        let print = content.fingerprint();
        let mut numbers: BTreeSet<u32> =
            versions.by_fingerprint.range((print, 0)..=(print, u32::MAX)).map(|(_, number)| *number).collect();
        if content.references().is_empty() {
            numbers.extend(&versions.with_references);
        }
        let entries = numbers.into_iter().rev().filter_map(|number| Some((number, versions.by_number.get(&number)?)));
        entries.filter(|(_, at)| visible.shows(at.deleted)).map(|(number, at)| stored(subject, number, at)).collect()
    }

    /// The versions of a subject with an id.
    pub(crate) fn versions_in_subject_with_id(
        &self,
        subject: &Subject,
        id: SchemaId,
    ) -> impl Iterator<Item = StoredSchema> {
        let content = self.content(subject.context(), id);
        let similar = content.map(|content| self.similar_versions(subject, content, Visible::All)).unwrap_or_default();
        similar.into_iter().filter(move |stored| stored.id == id)
    }

    /// All subjects that a prefix stands for, sorted by their qualified names.
    pub(crate) fn subjects<'a>(&'a self, prefix: &'a Subject) -> impl Iterator<Item = &'a Subject> {
        self.subjects.keys().filter(|subject| prefix.is_prefix_of(subject))
    }

    /// What a mode change looks at: (subject, version, deleted) of a subject, a context, or (`None`) everything.
    pub(crate) fn versions_in_scope(&self, scope: Option<&Subject>) -> Vec<(Subject, u32, bool)> {
        let is_inside = |subject: &Subject| match scope {
            None => true,
            Some(scope) if *scope == crate::model::config::global() => true,
            Some(scope) if scope.is_context() => subject.context() == scope.context(),
            Some(scope) => scope == subject,
        };
        let subjects = self.subjects.iter().filter(|(subject, _)| is_inside(subject));
        subjects
            .flat_map(|(subject, versions)| {
                versions.by_number.iter().map(|(version, at)| (subject.clone(), *version, at.deleted))
            })
            .collect()
    }

    /// Until when what is derived from the versions of a subject holds. `None`: it has none.
    pub(crate) fn validity(&self, subject: &Subject) -> Option<Validity> {
        self.subjects.get(subject).map(|versions| versions.validity.clone())
    }

    fn versions_of(&self, subject: &Subject) -> Option<&BTreeMap<u32, VersionEntry>> {
        self.subjects.get(subject).map(|versions| &versions.by_number)
    }
}

// === Ids, contents, contexts ===

impl State {
    /// What an id names.
    pub(crate) fn content(&self, context: &str, id: SchemaId) -> Option<&Arc<SchemaContent>> {
        Some(&self.contexts.get(context)?.ids.get(&id)?.content)
    }

    /// The versions that carry an id, oldest record first. Empty: there is no such id.
    pub(crate) fn versions_with_id(&self, context: &str, id: SchemaId) -> impl Iterator<Item = StoredSchema> {
        let bound = self.contexts.get(context).and_then(|context| context.ids.get(&id));
        bound
            .into_iter()
            .flat_map(|bound| &bound.versions)
            .filter_map(|(subject, version)| self.version(subject, *version))
    }

    /// The ids of a content; nearly always none or one.
    pub(crate) fn ids_of(&self, context: &str, guid: Guid) -> &[SchemaId] {
        self.contexts.get(context).and_then(|context| context.guids.get(&guid)).map_or(&[], Vec::as_slice)
    }

    /// The id of the next new content: the one after the highest or, where the highest is the greatest number there is (imports
    /// may have any), the highest that is free below. `None`: there is none.
    pub(crate) fn next_id(&self, context: &str) -> Option<SchemaId> {
        let Some(context) = self.contexts.get(context) else { return Some(SchemaId(1)) };
        match context.max_id.checked_add(1) {
            Some(next) => Some(SchemaId(next)),
            None => context.used_from.map(|from| SchemaId(from - 1)).filter(|id| id.0 > 0),
        }
    }

    /// The highest id ever given out in a context; 0: none yet.
    pub(crate) fn max_id(&self, context: &str) -> i32 {
        self.contexts.get(context).map_or(0, |context| context.max_id)
    }

    /// Whether a context has its record, so that none needs to be written.
    pub(crate) fn is_context_recorded(&self, context: &str) -> bool {
        context == DEFAULT_CONTEXT || self.contexts.get(context).is_some_and(|context| context.recorded)
    }

    /// All contexts that exist, the default one first.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        let known = self.contexts.iter().filter(|(_, context)| context.recorded || !context.ids.is_empty());
        let others = known.map(|(name, _)| &**name).filter(|name| *name != DEFAULT_CONTEXT);
        std::iter::once(DEFAULT_CONTEXT).chain(others)
    }
}

// === References ===

impl State {
    /// Who refers to a version.
    pub(crate) fn referrers(&self, subject: &Subject, version: u32) -> impl Iterator<Item = StoredSchema> {
        let referrers = self.referrers.get(&(subject.clone(), version));
        referrers.into_iter().flatten().filter_map(|(subject, version)| self.version(subject, *version))
    }

    /// A version that is referred to cannot be deleted. `with_deleted`: softly deleted referrers count, too.
    pub(crate) fn check_unreferenced(&self, subject: &Subject, version: u32, with_deleted: bool) -> Result<(), Error> {
        match self.referrers(subject, version).any(|referrer| with_deleted || !referrer.deleted) {
            true => Err(Error::Referenced { subject: subject.clone(), version }),
            false => Ok(()),
        }
    }
}

// === Keys and records ===

impl State {
    /// The bytes under which the next value of a key is to be written: as it stands in the topic.
    pub(crate) fn key(&self, key: &LogKey) -> Vec<u8> {
        match self.spellings.get(key).and_then(|spellings| spellings.last()) {
            Some(spelling) => spelling.to_vec(),
            None => key.canonical(),
        }
    }

    /// Tombstones for all spellings of a key.
    pub(crate) fn tombstones(&self, key: &LogKey) -> Vec<Record> {
        match self.spellings.get(key) {
            Some(spellings) => spellings.iter().map(|spelling| log::record(spelling.to_vec(), None)).collect(),
            None => vec![log::record(key.canonical(), None)],
        }
    }

    /// Tombstones for the configuration and the mode of a subject that is gone for good.
    pub(crate) fn settings_tombstones(&self, subject: &Subject) -> Vec<Record> {
        let mode = self.mode(Some(subject)).map(|_| LogKey::Mode(Some(subject.clone())));
        let config = self.config(Some(subject)).map(|_| LogKey::Config(Some(subject.clone())));
        mode.iter().chain(&config).flat_map(|key| self.tombstones(key)).collect()
    }

    /// A stored version written again, deleted or not.
    pub(crate) fn rewritten(&self, subject: &Subject, version: u32, deleted: Option<bool>) -> Option<Record> {
        let at = self.versions_of(subject)?.get(&version)?;
        let unknown: Option<&Map<String, Value>> = at.unknown.as_deref();
        let value = log::schema::value(subject, version, at.id, &at.content, deleted.unwrap_or(at.deleted), unknown);
        Some(log::record(self.key(&LogKey::Schema { subject: subject.clone(), version }), Some(value)))
    }
}
