//! Parts of a schema that a value may fit or not, and still fit the whole: alternatives, conditions, patterns.
//!
//! This matters only for defaults. Each part gets a validator of its own when a value first comes
//! to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    validators: Mutex<HashMap<usize, Option<Arc<Validator>>>>,
    patterns: Mutex<HashMap<String, Option<Arc<Pattern>>>>,
}

impl Branches {
    /// Whether a value fits a part of the document.
    pub(super) fn fits(&self, schema_bundle: &BundledSchema, part: &Value, value: &Value) -> bool {
        let validator = {
            let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
            let key = std::ptr::from_ref(part).addr();
            if validators.len() >= MAX_VALIDATORS && !validators.contains_key(&key) {
                return false;
            }
            let whole = || json!({ "allOf": [part], BundledSchema::DEFINITIONS: schema_bundle.document[BundledSchema::DEFINITIONS] });
            validators.entry(key).or_insert_with(|| build(&whole(), schema_bundle.classic).ok().map(Arc::new)).clone()
        };
        validator.is_some_and(|validator| validator.is_valid(value))
    }

    /// Whether an expression matches the name of a member.
    pub(super) fn matches(&self, pattern: &str, name: &str) -> bool {
        let compiled = {
            let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
            match patterns.get(pattern) {
                Some(known) => known.clone(),
                None => patterns.entry(pattern.to_owned()).or_insert(Pattern::new(pattern).map(Arc::new)).clone(),
            }
        };
        compiled.is_some_and(|compiled| compiled.matches(name))
    }
}
