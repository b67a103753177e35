//! Parts of a schema that a value may fit or not, and still fit the whole: alternatives, conditions, patterns.
//!
//! This matters only for defaults. Each part gets a validator of its own when a value first comes
//! to it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::build;
use crate::bundled_schema::BundledSchema;
use crate::pattern::Pattern;

/// So many parts get a validator: each is made with a copy of the whole schema. Others count as not fitting.
const MAX_VALIDATORS: usize = 200;

/// Parts by where they stand in memory, and expressions by their texts.
#[derive(Default)]
pub(super) struct Branches {
    validators: CompiledOnce<usize, Validator>,
    patterns: CompiledOnce<String, Pattern>,
}

impl Branches {
    /// Whether a value fits a part of the document.
    pub(super) fn fits(&self, schema_bundle: &BundledSchema, part: &Value, value: &Value) -> bool {
        let key = std::ptr::from_ref(part).addr();
        let Some(validator) = self.validators.slot(&key, MAX_VALIDATORS) else { return false };
        let validator = validator.get_or_init(|| validator_of(schema_bundle, part));
        validator.as_ref().is_some_and(|validator| validator.is_valid(value))
    }

    /// Whether an expression matches the name of a member.
    pub(super) fn matches(&self, pattern: &str, name: &str) -> bool {
        // As many as the schema has: a schema's length is bounded.
        let Some(compiled) = self.patterns.slot(pattern, usize::MAX) else { return false };
        let compiled = compiled.get_or_init(|| Pattern::new(pattern));
        compiled.as_ref().is_some_and(|compiled| compiled.matches(name))
    }
}

/// What holds values to a part of the document. `None`: it has something that the validator cannot do.
pub(super) fn validator_of(schema_bundle: &BundledSchema, part: &Value) -> Option<Validator> {
    let definitions = &schema_bundle.document[BundledSchema::DEFINITIONS];
    let whole = json!({ "allOf": [part], BundledSchema::DEFINITIONS: definitions });
    build(&whole, schema_bundle.classic).ok()
}

/// What is compiled by the first who asks for it, `None` where that is not possible. Others who ask for the same meanwhile wait; those who ask
/// for something else do not.
struct CompiledOnce<K, V>(Mutex<HashMap<K, Slot<V>>>);

type Slot<V> = Arc<OnceLock<Option<V>>>;

impl<K: Hash + Eq, V> CompiledOnce<K, V> {
    /// The place of what belongs to `key`. `None`: there would be more than `max` of them.
    fn slot<Q>(&self, key: &Q, max: usize) -> Option<Slot<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Some(Arc::clone(slot));
        }
        (slots.len() < max).then(|| Arc::clone(slots.entry(key.to_owned()).or_default()))
    }
}

impl<K, V> Default for CompiledOnce<K, V> {
    fn default() -> CompiledOnce<K, V> {
        CompiledOnce(Mutex::default())
    }
}
