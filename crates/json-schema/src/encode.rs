//! A value that fits its schema, as compact JSON text.
//!
//! The `jsonschema` crate decides whether it fits; only for yes or no, since collecting all its reasons may take
//! for ever under schemas that are made for it. Why a value does not fit is found by [`explain`], with a bound.
//!
//! What this costs is bounded ([`effort`]): schemas that refer to one another can double the work with each reference. The
//! validator is taught keywords that count it. Regular expressions are matched here, not by the validator, where they can be.
//!
//! All of it recurses with the value and the schemas about it; [`with_stack`] provides the stack for it.
//!
//! In drafts up to -07 formats are checked, `1.0` is no integer, and properties that are missing get their `default`s
//! ([`defaults`]) once the value was found to fit. In later ones a value stays as it is. Numbers come out as in
//! schemaless records: integers of any size as they are, others as doubles.

mod branches;
mod defaults;
mod explain;

use jsonschema::paths::Location;
use jsonschema::{Keyword, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use branches::Branches;

use super::bundled_schema::{BundledSchema, COSTS, LOOKS_AT_NAMES, MATCHES, WRITTEN_WHOLE, nodes};
use super::decimal::Decimal;
use super::effort::{self, Exhausted};
use super::pattern::{self, Pattern};
use super::resolver::SchemaResolver;
use super::words::{describe, shown};
use postern_json_text as json;
use postern_schema_core::{EncodeError, Encoded};

/// Validates values. Made when the first one comes: most schemas of a registry never see one.
pub(super) struct ValueValidator {
    schema_bundle: BundledSchema,
    validator: Validator,
    branches: Branches,
}

impl std::fmt::Debug for ValueValidator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueValidator").field("schema_bundle", &self.schema_bundle).finish_non_exhaustive()
    }
}

impl ValueValidator {
    /// # Errors
    /// The schema has something that the validator cannot do, such as a regular expression that it cannot read.
    pub(super) fn new(resolver: &SchemaResolver<'_>) -> Result<ValueValidator, EncodeError> {
        let schema_bundle = BundledSchema::new(resolver);
        if schema_bundle.depth > MAX_STACK / FRAME {
            return Err(too_much());
        }
        let validator = build(&schema_bundle.document, schema_bundle.classic)?;
        Ok(ValueValidator { schema_bundle, validator, branches: Branches::default() })
    }

    pub(super) fn encode(&self, text: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        let mut written = Vec::with_capacity(text.len());
        json::rewrite(text, &mut written)?;
        let mut value = serde_json::from_slice::<Value>(&written).map_err(|error| unread(&error))?;
        let frames = self.schema_bundle.depth.saturating_mul(levels(&value) + 1);
        let filled = with_stack(frames.saturating_mul(FRAME), || self.validate(text.len(), &mut value))??;
        if filled {
            written.clear();
            json::rewrite(value.to_string().as_bytes(), &mut written)?;
        }
        out.extend_from_slice(&written);
        Ok(Encoded::Payload)
    }

    /// Validates the value, then fills in defaults. Returns whether the value is to be written with them: not where they do
    /// not fit themselves.
    fn validate(&self, bytes: usize, value: &mut Value) -> Result<bool, EncodeError> {
        let result = effort::bounded_by(bytes, || {
            if !self.validator.is_valid(value) {
                return Err(explain::explain(&self.schema_bundle, value));
            }
            let filled = self.schema_bundle.has_defaults && defaults::fill(&self.schema_bundle, &self.branches, value);
            Ok(filled && self.validator.is_valid(value))
        });
        result.unwrap_or_else(|Exhausted| Err(takes_too_long(value)))
    }
}

fn build(document: &Value, classic: bool) -> Result<Validator, EncodeError> {
    let draft = if classic { jsonschema::Draft::Draft7 } else { jsonschema::Draft::Draft202012 };
    // Those that are left to it are about names.
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(pattern::NAME_STEPS)
        .size_limit(pattern::SIZE)
        .dfa_size_limit(pattern::DFA_SIZE);
    let options = jsonschema::options()
        .with_draft(draft)
        .should_validate_formats(classic)
        .with_pattern_options(patterns)
        .with_keyword(WRITTEN_WHOLE, written_whole)
        .with_keyword(LOOKS_AT_NAMES, looks_at_names)
        .with_keyword(MATCHES, matches)
        .with_keyword(COSTS, costs)
        .offline();
    let build = || options.build(document).map_err(|error| error.to_string());
    let built = with_stack(BUILD_STACK, || effort::bounded(build))?;
    let built = built.map_err(|Exhausted| unfit("one whose regular expressions are too large, or too many"))?;
    built.map_err(|error| unfit(&shown(&error)))
}

// === The stack ===

/// What one schema about one value needs, in bytes: twice as much as was seen; unoptimized code needs more.
const FRAME: usize = if cfg!(debug_assertions) { 4 << 10 } else { 1 << 10 };
/// So much there is to be beside it.
const MIN_STACK: usize = 128 << 10;
/// More is not given; it is reserved, and used only as far as needed.
const MAX_STACK: usize = 64 << 20;
/// What the validator needs to be built. It puts off what references lead to when it is too deep in.
const BUILD_STACK: usize = 64 << 20;

/// Does what recurses deeper than what is left of the stack may allow, on a stack that is large enough.
///
/// Hardly ever needed: forty schemas about one value that is five levels deep fit into what is at hand.
fn with_stack<T>(bytes: usize, work: impl FnOnce() -> T) -> Result<T, EncodeError> {
    if bytes > MAX_STACK {
        return Err(too_much());
    }
    let bytes = bytes + MIN_STACK;
    Ok(stacker::maybe_grow(bytes, bytes, work))
}

fn too_much() -> EncodeError {
    unfit("one in which too many schemas are about the same value")
}

fn unfit(found: &str) -> EncodeError {
    EncodeError::new(String::new(), "a schema that values can be held to", found)
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What was rewritten is JSON; two things can still keep it from being read.
fn unread(error: &serde_json::Error) -> EncodeError {
    match error.to_string().contains("recursion limit") {
        true => too_deep(),
        false => EncodeError::new(String::new(), "texts of whole characters", "half a surrogate pair"),
    }
}

fn too_deep() -> EncodeError {
    EncodeError::new(String::new(), "at most 127 levels of nesting", "a deeper value")
}

fn takes_too_long(value: &Value) -> EncodeError {
    let expected = "a value that can be held to the schema and its regular expressions in time";
    EncodeError::new(String::new(), expected, format!("{}, which takes too long", describe(value)))
}

// === Keywords ===

struct WrittenWhole;

impl<'i> Keyword<'i> for WrittenWhole {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        match Keyword::is_valid(self, value) {
            true => Ok(()),
            false => Err(ValidationError::custom("no integer")),
        }
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        matches!(value, Value::Number(number) if Decimal::is_written_whole(number.as_str()))
    }
}

fn written_whole<'a>(
    _schema: &'a Map<String, Value>,
    _value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    Ok(Box::new(WrittenWhole))
}

/// `pattern`.
struct Matches(Pattern);

impl<'i> Keyword<'i> for Matches {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        match Keyword::is_valid(self, value) {
            true => Ok(()),
            false => Err(ValidationError::custom("no match")),
        }
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        value.as_str().is_none_or(|text| self.0.matches(text))
    }
}

fn matches<'a>(
    _schema: &'a Map<String, Value>,
    value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let pattern = value.as_str().and_then(Pattern::new).ok_or_else(|| no_expression(value))?;
    Ok(Box::new(Matches(pattern)))
}

/// Spends what it costs to hold a value to a schema, without those within it that do so themselves.
struct Costs {
    own: u64,
    for_each: u64,
    compares: bool,
}

impl<'i> Keyword<'i> for Costs {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        Keyword::is_valid(self, value);
        Ok(())
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        let parts = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        };
        let compared = if self.compares && value.is_array() { COMPARISONS * nodes(value) as u64 } else { 0 };
        let schemas = self.own + self.for_each.saturating_mul(parts as u64) + compared;
        effort::spend(schemas.saturating_mul(effort::SCHEMA));
        true
    }
}

/// What it costs to find a value among others, in values that are held to a schema.
const COMPARISONS: u64 = 10;

fn costs<'a>(
    _schema: &'a Map<String, Value>,
    value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let number = |at: usize| value[at].as_u64().unwrap_or(u64::MAX);
    Ok(Box::new(Costs { own: number(0), for_each: number(1), compares: value[2] == Value::Bool(true) }))
}

/// Spends what the expressions of a `patternProperties` cost, before they are matched.
struct LooksAtNames(Vec<Pattern>);

impl<'i> Keyword<'i> for LooksAtNames {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        Keyword::is_valid(self, value);
        Ok(())
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        for name in value.as_object().into_iter().flat_map(Map::keys) {
            // Once for the property, once for `additionalProperties`.
            self.0.iter().for_each(|pattern| effort::spend(pattern.cost(name).saturating_mul(2)));
        }
        true
    }
}

fn looks_at_names<'a>(
    _schema: &'a Map<String, Value>,
    value: &'a Value,
    _path: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let written = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let patterns = written.map(|written| Pattern::for_names(written).ok_or_else(|| no_expression(value)));
    Ok(Box::new(LooksAtNames(patterns.collect::<Result<_, _>>()?)))
}

fn no_expression(written: &Value) -> ValidationError<'_> {
    ValidationError::custom(format!("{written} is not a regular expression, or is too large"))
}
