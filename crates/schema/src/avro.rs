//! Avro: parse, canonical text, comparison, and JSON text to Avro binary.
//!
//! A text is read once into a [`model`] that loses nothing; from it come the canonical text ([`print`]), the comparison
//! ([`compat`]) and the [`plan`], which is all that encoding ([`encode`]) looks at.
//!
//! Source: the Avro specification, 1.12; where it leaves freedom, what the registries in use do.

mod compat;
mod conform;
mod encode;
mod model;
mod names;
mod parse;
mod plan;
mod print;

use model::Model;
use plan::Plan;
use print::Style;

use crate::{CompileError, EncodeError, Encoded, Incompatibility, Strictness};

/// One compiled Avro schema.
#[derive(Debug)]
pub(crate) struct AvroSchema {
    model: Model,
    canonical: String,
    plan: Plan,
}

impl AvroSchema {
    pub(crate) fn compile(
        text: &str,
        references: &[&AvroSchema],
        strictness: Strictness,
    ) -> Result<AvroSchema, CompileError> {
        let known = references.iter().map(|reference| &reference.model).collect::<Vec<_>>();
        let model = parse::parse(text, &known, strictness)?;
        let canonical = print::print(&model, Style::Canonical);
        let plan = Plan::new(&model);
        Ok(AvroSchema { model, canonical, plan })
    }

    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }

    pub(crate) fn normalized(&self) -> String {
        print::print(&self.model, Style::Normalized)
    }

    pub(crate) fn resolved(&self) -> String {
        print::print(&self.model, Style::Resolved)
    }

    pub(crate) fn full_name(&self) -> Option<&str> {
        self.model.kind(self.model.root).definition().map(|definition| definition.name.full())
    }

    /// Whether the root is a record with a field of this name.
    pub(crate) fn has_top_field(&self, name: &str) -> bool {
        match self.model.kind(self.model.root) {
            model::Kind::Record(record) => record.fields.iter().any(|field| field.name == name),
            _ => false, // nothing else has fields
        }
    }

    pub(crate) fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        encode::encode(&self.plan, json, out)
    }

    pub(crate) fn cannot_read(&self, writer: &AvroSchema) -> Vec<Incompatibility> {
        compat::differences(&self.model, &writer.model)
    }

    pub(crate) fn equivalent(&self, other: &AvroSchema) -> bool {
        print::print(&self.model, Style::Comparable) == print::print(&other.model, Style::Comparable)
    }
}
