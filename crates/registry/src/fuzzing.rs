//! Doors for the fuzz targets: what reads records that others wrote, and does nothing with them.

use crate::log::Entry;
use crate::state::{State, Verdict};

/// Folds records, keys and values, into an empty state; answers how many of them counted.
///
/// # Panics
/// If the state contradicts itself afterwards, or if what would be written back from it is something else.
pub fn fold(records: &[(&[u8], Option<&[u8]>)]) -> usize {
    let mut state = State::default();
    let applied = apply(&mut state, records);
    state.check();
    let rewritten = state.all_rewritten();
    let rewritten = rewritten.iter().map(|record| {
        let key = record.key.as_deref().expect("a record of a version has a key");
        (key, record.value.as_deref())
    });
    let rewritten = rewritten.collect::<Vec<_>>();
    let mut again = State::default();
    assert_eq!(apply(&mut again, &rewritten), rewritten.len(), "what is written back counts");
    again.check();
    assert!(state.has_versions_of(&again), "what is written back is the same");
    applied
}

fn apply(state: &mut State, records: &[(&[u8], Option<&[u8]>)]) -> usize {
    let entries = records.iter().filter_map(|(key, value)| Some((*key, Entry::decode(Some(key), *value).ok()?)));
    entries.map(|(key, entry)| state.apply(key, entry, Some(7))).filter(is_applied).count()
}

fn is_applied(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Applied(_))
}
