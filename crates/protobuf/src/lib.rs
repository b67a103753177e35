//! Protobuf: parse, canonical text, comparison, JSON text to Protobuf binary and back.
//!
//! A text, or a descriptor in base64, is read into a [`model`] that keeps names and options as they were written; from it
//! comes the canonical text ([`print`]). [`names`] resolves names, through imports, for the strict check
//! ([`check`]), the normalized form ([`normalize`]), the comparison ([`compat`]) and the [`plan`] that encoding
//! ([`encode`]) and decoding ([`decode`]) follow.
//!
//! The parser is our own: existing ones refuse texts that Confluent takes, and forget what it prints (the order of options,
//! whether there was a syntax line, how the name of a type was written).
//!
//! Sources: Protocol Buffers Language Specification for proto2 and proto3; where it leaves freedom, Confluent's
//! behaviour.

mod bundled;
mod check;
mod compat;
mod decode;
mod descriptor;
mod encode;
mod lex;
mod memory;
mod model;
mod names;
mod normalize;
mod parse;
mod plan;
mod print;
mod tags;
mod unit;
mod wire;

use std::sync::{Arc, OnceLock};

use base64::Engine as _;

use model::File;
use names::Types;
use plan::Plan;
use print::Style;
use unit::Unit;

use postern_schema_core::{CompileError, DecodeError, EncodeError, Encoded, Incompatibility, Strictness};

/// What a file without a name of its own is called in descriptors.
const DEFAULT_NAME: &str = "default";

/// One compiled Protobuf file.
#[derive(Debug)]
pub struct ProtobufSchema {
    unit: Arc<Unit>,
    canonical: String,
    full_name: Option<String>,
    /// Made on first use: most schemas are neither compared nor written with.
    types: OnceLock<Types>,
    plan: OnceLock<Result<Plan, EncodeError>>,
    decoding_plan: OnceLock<Plan>,
}

impl ProtobufSchema {
    /// `references`: files by the paths that they are imported by. They take precedence over the bundled files.
    ///
    /// # Errors
    /// `CompileError`: the text is no Protobuf file, an import is not among the references, or what it says does not hold together.
    pub fn compile(
        text: &str,
        references: &[(&str, &ProtobufSchema)],
        strictness: Strictness,
    ) -> Result<ProtobufSchema, CompileError> {
        let file = read(text).map_err(CompileError::syntax)?;
        let canonical = print::print(&file, Style::Canonical);
        let full_name = file.top.messages.first().map(|id| file.messages[*id].full_name.clone());
        let references = references.iter().map(|(name, schema)| ((*name).to_owned(), Arc::clone(&schema.unit)));
        let unit = Unit::new(file, references.collect(), bundled::unit);
        let (types, plan, decoding_plan) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let schema = ProtobufSchema { unit: Arc::new(unit), canonical, full_name, types, plan, decoding_plan };
        if strictness == Strictness::New {
            check::check(schema.types())?;
        }
        Ok(schema)
    }

    /// The text that identifies a schema.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The normalized text (`normalize=true`): sorted where order has no meaning, names in full.
    pub fn normalized(&self) -> String {
        print::print(&normalize::normalize(self.types()).0, Style::Normalized)
    }

    /// The canonical text without `extensions`, `extend` and custom options, but for Confluent's own.
    pub fn without_extensions(&self) -> String {
        print::print(&self.unit.file, Style::WithoutExtensions)
    }

    /// The file as a descriptor, in base64.
    pub fn serialized(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(descriptor::write(self.types(), DEFAULT_NAME))
    }

    /// The canonical text after `visitor` has seen, and perhaps changed, the tags of every message and field ([`tags::visit`]).
    pub fn retagged(&self, visitor: &mut dyn FnMut(&str, bool, &mut Vec<String>)) -> String {
        let mut file = self.unit.file.clone();
        tags::visit(&mut file, visitor);
        print::print(&file, Style::Canonical)
    }

    /// Whether a message at the top of the file has a field of this name.
    pub fn has_top_field(&self, name: &str) -> bool {
        let file = &self.unit.file;
        let mut fields = file.top.messages.iter().flat_map(|id| file.messages[*id].all_fields());
        fields.any(|(field, _)| field.name == name)
    }

    /// The full name of the first message.
    pub fn full_name(&self) -> Option<&str> {
        self.full_name.as_deref()
    }

    /// Encodes the JSON text of one value and appends the payload to `out`.
    ///
    /// # Errors
    /// The first place where the value does not fit; `out` is then as it was before.
    pub fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        match self.plan.get_or_init(|| Plan::new(self.types())) {
            Ok(plan) => encode::encode(plan, json, out),
            Err(error) => Err(error.clone()),
        }
    }

    /// Appends the JSON text of the message in `payload`, which may be any of the file, to `out`: ProtoJSON, with the fields that are
    /// not on the wire where they have a default.
    ///
    /// # Errors
    /// The first place where the bytes do not fit; `out` is then as it was before.
    pub fn decode(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let types = self.types();
        let plan = self.decoding_plan.get_or_init(|| Plan::for_decoding(types));
        let file = plan::file_of_messages(types).map(|file| types.file(file));
        let file = file.ok_or_else(|| DecodeError::new("a schema with a message", "one without"))?;
        decode::decode(plan, file, payload, out)
    }

    /// About how many bytes of memory this schema takes once it was compared and read with, without the files that it refers to: they are
    /// shared.
    pub fn memory_size(&self) -> usize {
        memory::schema(self) + memory::plan(self)
    }

    /// About how many bytes encoding adds, once for all values: what it has to know of all messages within reach.
    pub fn encoder_memory_size(&self) -> usize {
        memory::plan(self)
    }

    /// Whether no value was encoded yet: the first one waits until all messages within reach are looked at.
    pub fn awaits_encoder(&self) -> bool {
        self.plan.get().is_none()
    }

    /// What keeps `self`, the reader, from reading what `writer` wrote. Empty: compatible.
    pub fn cannot_read(&self, writer: &ProtobufSchema) -> Vec<Incompatibility> {
        compat::differences(self.types(), writer.types())
    }

    /// Whether the canonical texts are equal.
    pub fn equivalent(&self, other: &ProtobufSchema) -> bool {
        self.canonical == other.canonical
    }

    fn types(&self) -> &Types {
        self.types.get_or_init(|| Types::new(&self.unit))
    }
}

/// A text, or a descriptor in base64.
fn read(text: &str) -> Result<File, CompileError> {
    parse::parse(text).or_else(|error| {
        // Printed and read again: then it can be printed, whatever its names are.
        let file = encode::base64(text.trim()).and_then(|bytes| descriptor::read(&bytes));
        file.map_or(Err(error), |file| parse::parse(&print::print(&file, Style::Canonical)))
    })
}
