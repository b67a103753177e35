//! Avro: parse, canonical text, comparison, JSON text to Avro binary and back.
//!
//! A text is read once into a [`model`] that loses nothing. The model yields the canonical text ([`print`]), the comparison
//! ([`compat`]) and the [`plan`], which is all that encoding ([`encode`]) and decoding ([`decode`]) look at.
//!
//! Sources: the Avro specification, 1.12; where it leaves freedom, Avro for Java 1.12 and Confluent's registry
//! (`docs/reference/schema-registry.md §5`, `docs/reference/serialization.md §5`).

mod compat;
mod decode;
mod defaults;
mod describe;
mod encode;
mod logical;
mod memory;
mod model;
mod names;
mod parse;
mod path;
mod plan;
mod print;

use model::Model;
use plan::Plan;
use print::Style;

use postern_schema_core::{CompileError, DecodeError, EncodeError, Encoded, Incompatibility, Strictness};

/// One compiled Avro schema.
#[derive(Debug)]
pub struct AvroSchema {
    model: Model,
    canonical: String,
    plan: Plan,
}

impl AvroSchema {
    /// Reads `text`. Types of `references` are known by their full names.
    ///
    /// # Errors
    /// The first thing found wrong, with its place in the text.
    pub fn compile(text: &str, references: &[&AvroSchema], strictness: Strictness) -> Result<AvroSchema, CompileError> {
        let known = references.iter().map(|reference| &reference.model).collect::<Vec<_>>();
        let model = parse::parse(text, &known, strictness)?;
        let canonical = print::print(&model, Style::Canonical);
        let plan = Plan::new(&model);
        Ok(AvroSchema { model, canonical, plan })
    }

    /// The identity text of `docs/reference/schema-registry.md §5.3`: one layout, one order of attributes, nothing lost.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The canonical text with everything sorted whose order has no meaning (`normalize=true`).
    pub fn normalized(&self) -> String {
        print::print(&self.model, Style::Normalized)
    }

    /// The canonical text with referenced types written out (`format=resolved`).
    pub fn resolved(&self) -> String {
        print::print(&self.model, Style::Resolved)
    }

    /// The full name of the root, if it is a named type.
    pub fn full_name(&self) -> Option<&str> {
        self.model.kind(self.model.root).definition().map(|definition| definition.name.full())
    }

    /// The full name of the root, if it is a record: an enum or a fixed has a name, too, but is no record.
    pub fn record_name(&self) -> Option<&str> {
        match self.model.kind(self.model.root) {
            model::Kind::Record(_) => self.full_name(),
            _ => None, // no other type is a record
        }
    }

    /// Whether the root is a record with a field of this name.
    pub fn has_top_field(&self, name: &str) -> bool {
        match self.model.kind(self.model.root) {
            model::Kind::Record(record) => record.fields.iter().any(|field| field.name == name),
            _ => false, // nothing else has fields
        }
    }

    /// Encodes the JSON text of one value and appends the binary form to `out`. A top-level `bytes` has no length in front,
    /// as Confluent's serializers write it.
    ///
    /// # Errors
    /// The first place where the value does not fit; `out` is then as it was before.
    pub fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        encode::encode(&self.plan, json, out)
    }

    /// Appends the JSON text of the value in `payload` to `out`: Avro's JSON encoding, except that a union at the top has no wrapper.
    /// What follows the value in the payload is ignored, as it is by Confluent's deserializers.
    ///
    /// # Errors
    /// The first place where the bytes do not fit; `out` is then as it was before.
    pub fn decode(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        decode::decode(&self.plan, payload, out)
    }

    /// About how many bytes of memory this schema takes, with all that it keeps of its references.
    pub fn memory_size(&self) -> usize {
        size_of::<AvroSchema>() + self.canonical.capacity() + memory::model(&self.model) + memory::plan(&self.plan)
    }

    /// What keeps `self`, the reader, from reading what `writer` wrote. Empty: compatible.
    pub fn cannot_read(&self, writer: &AvroSchema) -> Vec<Incompatibility> {
        compat::differences(&self.model, &writer.model)
    }

    /// Whether both are equal once references are resolved, up to white space and the order of attributes.
    pub fn equivalent(&self, other: &AvroSchema) -> bool {
        print::print(&self.model, Style::Comparable) == print::print(&other.model, Style::Comparable)
    }
}
