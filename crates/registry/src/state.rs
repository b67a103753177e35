//! The state: what the records of the topic, applied one after the other, amount to. No IO, no clock.
//!
//! Every instance folds the same records in the same order by the same rules, so all come to the same state; that is the
//! whole agreement between them. **The first in the log wins**: a schema under a key or an id that is bound to another
//! schema is a loser and changes nothing. Compaction keeps the last record of a key, however, so the winner is to be
//! written back where a loser came last; [`State::unmended`] tells where. A loser that has its key to itself must not stay
//! either: when the winner of its id is written again, by a soft delete for instance, compaction leaves the loser before it,
//! and who reads the topic then takes the loser for the first; [`State::strays`] tells where.
//!
//! Source: docs/reference/schema-registry.md §12.3 to §12.5.

mod changes;
#[cfg(feature = "fuzzing")]
mod consistent;
mod scopes;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use changes::{Change, Verdict};
pub use views::{Stored, Visible};

use crate::log::LogKey;
use crate::{Config, Content, Guid, Level, Mode, SchemaId, Subject};

/// Everything known.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What counts where no configuration names a level: the server's own.
    level: Level,
    subjects: BTreeMap<Subject, BTreeMap<u32, Version>>,
    contexts: BTreeMap<Box<str>, Context>,
    /// Who refers to a version: one entry per reference's target.
    referrers: HashMap<(Subject, u32), BTreeSet<(Subject, u32)>>,
    configs: HashMap<Option<Subject>, Config>,
    modes: HashMap<Option<Subject>, Mode>,
    /// Keys that stand in the topic in another spelling than ours, with all their spellings, the last one used last.
    spellings: HashMap<LogKey, Vec<Box<[u8]>>>,
    /// Keys whose last record is a loser, though they have a winner.
    unmended: HashSet<(Subject, u32)>,
    /// Keys without a winner whose last record lost by its id.
    strays: HashSet<(Subject, u32)>,
}

/// A version of a subject.
#[derive(Debug)]
struct Version {
    id: SchemaId,
    content: Arc<Content>,
    deleted: bool,
    timestamp_ms: Option<i64>,
    /// Members of newer writers, kept for the next rewrite.
    unknown: Option<Box<Map<String, Value>>>,
}

/// An id space.
#[derive(Debug, Default)]
struct Context {
    /// There is a record that says so. A context with schemas exists without one, too.
    recorded: bool,
    /// The highest id ever seen.
    max_id: i32,
    ids: HashMap<SchemaId, Bound>,
    /// Usually one id; imports may have given a content several.
    guids: HashMap<Guid, Vec<SchemaId>>,
}

/// What an id names.
#[derive(Debug)]
struct Bound {
    content: Arc<Content>,
    /// The versions that carry it, oldest record first.
    holders: Vec<(Subject, u32)>,
}

impl State {
    /// Nothing is known yet.
    pub(crate) fn new(level: Level) -> State {
        State { level, ..State::default() }
    }

    /// Keys under which a loser came last, so that the winner is to be written back.
    pub(crate) fn unmended(&self) -> impl Iterator<Item = &(Subject, u32)> {
        self.unmended.iter()
    }

    /// Keys under which nothing but a loser stands. Their writers come back with another id, unless they have died.
    pub(crate) fn strays(&self) -> impl Iterator<Item = &(Subject, u32)> {
        self.strays.iter()
    }
}

#[cfg(test)]
mod tests;
