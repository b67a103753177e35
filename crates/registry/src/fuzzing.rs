//! Entry points for the fuzz targets: reading records that other registries wrote.

use crate::log;
use crate::state::State;
use crate::state::changes::ApplyOutcome;

/// Applies records, keys and values, to an empty state; the answer is how many of them had an effect.
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
    let entries = records.iter().filter_map(|(key, value)| Some((*key, log::decode(Some(key), *value).ok()?)));
    entries.map(|(key, entry)| state.apply(key, entry, Some(7), false)).filter(is_applied).count()
}

fn is_applied(outcome: &ApplyOutcome) -> bool {
    matches!(outcome, ApplyOutcome::Applied(_))
}
