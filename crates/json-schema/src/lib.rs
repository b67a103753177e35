//! JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12: canonical text, comparison, and validation of values.
//!
//! A text is read into a [`tree`] ([`build`]), with all that it refers to found in its own document or in schemas that
//! it names ([`resolver`]); nothing is ever fetched. Comparison ([`compat`]) works on trees. Values are validated by
//! a self-contained copy ([`bundled_schema`]) by the `jsonschema` crate ([`encode`]), made when the first value comes.
//!
//! Source: the specifications of the drafts; where they leave freedom, and in what is compared at all, Confluent.
//! Schemas are not validated by meta-schemas: what Confluent takes is neither all that is valid nor only that.

mod build;

mod bundled_schema;
mod compat;
mod decimal;
mod difference;
mod draft;
mod effort;
mod encode;
mod memory;
mod meta_schemas;
mod pattern;
mod print;
mod resolver;
mod tree;
mod uri;
mod words;

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use encode::ValueValidator;
use print::{Keys, printed};
use resolver::SchemaResolver;
use tree::Tree;

use postern_schema_core::{CompileError, DecodeError, EncodeError, Encoded, Incompatibility, Policy, Strictness};

pub use effort::bounded_together;

/// One compiled JSON Schema.
#[derive(Debug)]
pub struct JsonSchema {
    document: Value,
    references: References,
    canonical: String,
    tree: Tree,
    validator: OnceLock<Result<Box<ValueValidator>, EncodeError>>,
}

/// The schemas that a schema names, by these names.
#[derive(Debug)]
struct References(Vec<(String, Arc<JsonSchema>)>);

impl References {
    fn iter(&self) -> impl Iterator<Item = (&str, &JsonSchema)> {
        self.0.iter().map(|(name, schema)| (name.as_str(), &**schema))
    }
}

impl JsonSchema {
    /// Reads `text`. `references`: the schemas that it may refer to, by the names it uses.
    ///
    /// # Errors
    /// The first thing found wrong, with its place in the text.
    pub fn compile(
        text: &str,
        references: Vec<(String, Arc<JsonSchema>)>,
        strictness: Strictness,
    ) -> Result<JsonSchema, CompileError> {
        let document = read(text)?;
        let references = References(references);
        let tree = build::build(&SchemaResolver::new(&document, &references), strictness)?;
        let canonical = printed(&document, Keys::AsWritten);
        Ok(JsonSchema { document, references, canonical, tree, validator: OnceLock::new() })
    }

    /// The text that identifies a schema.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The canonical text with sorted keys (`normalize=true`).
    pub fn normalized(&self) -> String {
        printed(&self.document, Keys::Sorted)
    }

    /// The title of the document.
    pub fn full_name(&self) -> Option<&str> {
        self.document.get("title")?.as_str()
    }

    /// The properties that the root names.
    pub fn top_fields(&self) -> impl Iterator<Item = &str> {
        self.document.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Encodes the JSON text of one value and appends the payload to `out`.
    ///
    /// # Errors
    /// The first place where the value does not fit; `out` is then as it was before.
    pub fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        let validator = self
            .validator
            .get_or_init(|| ValueValidator::new(&SchemaResolver::new(&self.document, &self.references)).map(Box::new));
        validator.as_ref().map_err(EncodeError::clone)?.encode(json, out)
    }

    /// Appends the value in `payload`, which is JSON text, to `out` in compact form. It is not validated again. What follows the value is
    /// ignored.
    ///
    /// # Errors
    /// The payload does not begin with JSON; `out` is then as it was before.
    pub fn decode(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        postern_json_text::rewrite_first(payload, out).map_err(DecodeError::from)
    }

    /// About how many bytes of memory this schema takes, without those that it refers to: they are shared.
    pub fn memory_size(&self) -> usize {
        memory::schema(self)
    }

    /// About how many bytes encoding adds, once for all values: the validator, which contains what the schema refers to.
    pub fn encoder_memory_size(&self) -> usize {
        memory::validator(self)
    }

    /// Whether no value was encoded yet: the first one waits until the validator is built.
    pub fn awaits_encoder(&self) -> bool {
        self.validator.get().is_none()
    }

    /// What keeps `self`, the reader, from reading what `writer` wrote. Empty: compatible.
    pub fn cannot_read(&self, writer: &JsonSchema, policy: Policy) -> Vec<Incompatibility> {
        match self.equivalent(writer) {
            true => Vec::new(),
            false => compat::differences(&self.tree, &writer.tree, policy),
        }
    }

    /// Whether the texts are equal, and the schemas behind the names that both refer to.
    pub fn equivalent(&self, other: &JsonSchema) -> bool {
        let same = |(name, schema): (&str, &JsonSchema)| {
            let theirs = other.references.iter().find(|(other, _)| *other == name);
            theirs.is_none_or(|(_, theirs)| std::ptr::eq(schema, theirs) || schema.equivalent(theirs))
        };
        std::ptr::eq(self, other) || self.canonical == other.canonical && self.references.iter().all(same)
    }

    fn document(&self) -> &Value {
        &self.document
    }

    fn references(&self) -> &References {
        &self.references
    }
}

/// Reads the JSON of a schema: one object, or `true` or `false`, of at most 128 levels.
fn read(text: &str) -> Result<Value, CompileError> {
    let wrong = |expected: &str, found: String| CompileError::new(String::new(), expected, found);
    if text.trim().is_empty() {
        return Err(wrong("a schema", "an empty text".to_owned()).syntax());
    }
    let document = serde_json::from_str::<Value>(text).map_err(|error| wrong("JSON", error.to_string()).syntax())?;
    if !document.is_object() && !document.is_boolean() {
        return Err(wrong("a schema (an object, true or false)", words::describe(&document)));
    }
    match unprintable(&document) {
        Some(number) => Err(wrong("numbers of at most 1000 digits, with exponents of 31 bits", words::shown(number))),
        None => Ok(document),
    }
}

/// A number that is too large to be handled.
fn unprintable(value: &Value) -> Option<&str> {
    match value {
        Value::Number(number) => decimal::Decimal::read(number.as_str()).is_none().then(|| number.as_str()),
        Value::Array(items) => items.iter().find_map(unprintable),
        Value::Object(members) => members.values().find_map(unprintable),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}
