//! The state: the records of the topic, applied one after the other. No I/O, no clock.
//!
//! Every instance applies the same records in the same order by the same rules, so all come to the same state; they do not
//! coordinate in any other way. **The first record under a key or an id wins**; a later one with another schema is rejected and
//! changes nothing. But compaction keeps the last record of a key. Therefore the winner is rewritten where a rejected record
//! came last ([`State::winners_to_rewrite`]), and a rejected record that is alone under its key gets a tombstone
//! ([`State::orphaned_keys`]): otherwise, once the winner of its id is written again (by a soft delete, say), compaction would
//! leave the rejected record before it, and a new reader would take that one for the first.
//!
//! Source: docs/reference/schema-registry.md §12.3 to §12.5.

pub(crate) mod changes;
#[cfg(feature = "fuzzing")]
mod consistent;
mod scopes;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::caches::Validity;
use crate::log::LogKey;
use crate::model::config::{CompatibilityLevel, Config};
use crate::model::content::SchemaContent;
use crate::model::mode::Mode;
use crate::model::names::{Guid, SchemaId, Subject};

/// All that the topic says.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The compatibility level where no configuration sets one.
    level: CompatibilityLevel,
    subjects: BTreeMap<Subject, SubjectVersions>,
    contexts: BTreeMap<Box<str>, IdSpace>,
    /// The versions that refer to a version.
    referrers: HashMap<(Subject, u32), BTreeSet<(Subject, u32)>>,
    configs: HashMap<Option<Subject>, Config>,
    modes: HashMap<Option<Subject>, Mode>,
    /// Keys that other writers have spelt differently (JSON members in another order), with all their spellings, the last one
    /// used last.
    spellings: HashMap<LogKey, Vec<Box<[u8]>>>,
    /// Keys that have a winner, but whose last record is a rejected one.
    winners_to_rewrite: HashSet<(Subject, u32)>,
    /// Keys without a winner: their last record was rejected for its id.
    orphaned_keys: HashSet<(Subject, u32)>,
}

/// The versions of one subject; never empty.
#[derive(Debug, Default)]
struct SubjectVersions {
    by_number: BTreeMap<u32, VersionEntry>,
    /// The numbers by the fingerprints of their contents.
    by_fingerprint: BTreeSet<(u64, u32)>,
    /// The numbers of versions with references.
    with_references: BTreeSet<u32>,
    /// What caches derive from these versions is valid until one of them changes.
    validity: Validity,
}

/// One version of a subject.
#[derive(Debug)]
struct VersionEntry {
    id: SchemaId,
    content: Arc<SchemaContent>,
    deleted: bool,
    timestamp_ms: Option<i64>,
    /// Members that newer writers added, kept for the next rewrite.
    unknown: Option<Box<Map<String, Value>>>,
}

/// The ids of one context.
#[derive(Debug, Default)]
struct IdSpace {
    /// There is a CONTEXT record. A context with schemas exists without one, too.
    recorded: bool,
    /// The highest id ever seen.
    max_id: i32,
    /// All ids from this one to the greatest there is have been seen. `None`: the greatest one has not.
    used_from: Option<i32>,
    ids: HashMap<SchemaId, IdBinding>,
    /// Usually one id per content; imports may have given it several.
    guids: HashMap<Guid, Vec<SchemaId>>,
}

/// What an id names.
#[derive(Debug)]
struct IdBinding {
    content: Arc<SchemaContent>,
    /// The versions that carry the id, oldest record first.
    versions: Vec<(Subject, u32)>,
}

impl State {
    /// The state before the first record.
    pub(crate) fn new(level: CompatibilityLevel) -> State {
        State { level, ..State::default() }
    }

    /// How many subjects, versions and different contents there are.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let versions = self.subjects.values().map(|versions| versions.by_number.len()).sum();
        let schemas = self.contexts.values().map(|context| context.guids.len()).sum();
        (self.subjects.len(), versions, schemas)
    }

    /// Keys whose winner must be rewritten because a rejected record came last.
    pub(crate) fn winners_to_rewrite(&self) -> impl Iterator<Item = &(Subject, u32)> {
        self.winners_to_rewrite.iter()
    }

    /// Keys under which there is only a rejected record. Their writers come back with another id, unless they have died.
    pub(crate) fn orphaned_keys(&self) -> impl Iterator<Item = &(Subject, u32)> {
        self.orphaned_keys.iter()
    }
}

#[cfg(test)]
mod tests;
