//! The front of all formats: what a compiled schema can do, whatever language it is written in.

use std::sync::Arc;

use postern_avro::AvroSchema;
use postern_json_schema::JsonSchema;
use postern_protobuf::ProtobufSchema;
use postern_schema_core::{
    self as core, CompileError, DecodeError, EncodeError, Encoded, Incompatibility, Policy, Strictness,
};

/// The language a schema is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchemaKind {
    /// Apache Avro.
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol Buffers.
    Protobuf,
}

/// A schema that another one refers to by `name`, compiled already, with its own references.
#[derive(Clone, Debug)]
pub struct Reference {
    /// What the referring schema calls it; for Avro the full name of a type, for JSON Schema a URI, for Protobuf the
    /// path of an import.
    pub name: String,
    /// The schema itself.
    pub schema: Schema,
}

/// A compiled schema. Immutable, and cheap to clone: every clone shares one compilation.
#[derive(Clone, Debug)]
pub struct Schema(Compiled);

#[derive(Clone, Debug)]
enum Compiled {
    Avro(Arc<AvroSchema>),
    Json(Arc<JsonSchema>),
    Protobuf(Arc<ProtobufSchema>),
}

impl Schema {
    /// Reads `text`. Types of `references` are known by their full names.
    ///
    /// # Errors
    /// The first thing found wrong, with its place in the text. A text may have 4 MiB, and 1,048,576 JSON values; a new one only a
    /// quarter of these.
    pub fn compile(
        kind: SchemaKind,
        text: &str,
        references: &[Reference],
        strictness: Strictness,
    ) -> Result<Schema, CompileError> {
        core::check_len(text).map_err(CompileError::syntax)?;
        let compiled = match kind {
            SchemaKind::Avro => {
                let known = references.iter().filter_map(|reference| reference.schema.avro()).collect::<Vec<_>>();
                let schema = AvroSchema::compile(text, &known, strictness).map_err(CompileError::syntax)?;
                Compiled::Avro(Arc::new(schema))
            }
            SchemaKind::Json => {
                core::check_values(text, strictness).map_err(CompileError::syntax)?;
                let known = references
                    .iter()
                    .filter_map(|Reference { name, schema }| Some((name.clone(), schema.json()?.clone())));
                Compiled::Json(Arc::new(JsonSchema::compile(text, known.collect(), strictness)?))
            }
            SchemaKind::Protobuf => {
                let known =
                    references.iter().filter_map(|Reference { name, schema }| Some((&**name, schema.protobuf()?)));
                let known = known.collect::<Vec<_>>();
                Compiled::Protobuf(Arc::new(ProtobufSchema::compile(text, &known, strictness)?))
            }
        };
        Ok(Schema(compiled))
    }

    /// About how many bytes of memory the schema takes once it was compared and values were decoded with it. What it refers to counts as far
    /// as it has a copy of it.
    pub fn memory_size(&self) -> usize {
        match &self.0 {
            Compiled::Avro(schema) => schema.memory_size(),
            Compiled::Json(schema) => schema.memory_size(),
            Compiled::Protobuf(schema) => schema.memory_size(),
        }
    }

    /// About how many bytes the first call of [`Schema::encode`] adds to [`Schema::memory_size`].
    pub fn encoder_memory_size(&self) -> usize {
        match &self.0 {
            Compiled::Avro(_) => 0, // it is compiled with the schema
            Compiled::Json(schema) => schema.encoder_memory_size(),
            Compiled::Protobuf(schema) => schema.encoder_memory_size(),
        }
    }

    /// How much longer the next [`Schema::encode`] takes than others because nothing was encoded yet: as long as encoding values of so many
    /// bytes, about.
    pub fn first_encode_bytes(&self) -> usize {
        /// What takes as long as a byte of the text, in bytes of values: of JSON Schemas with many alternatives, ten times less.
        const JSON: usize = 128;
        const PROTOBUF: usize = 16;
        match &self.0 {
            Compiled::Avro(_) => 0, // it is compiled with the schema
            Compiled::Json(schema) if schema.awaits_encoder() => schema.canonical().len().saturating_mul(JSON),
            Compiled::Protobuf(schema) if schema.awaits_encoder() => schema.canonical().len().saturating_mul(PROTOBUF),
            Compiled::Json(_) | Compiled::Protobuf(_) => 0,
        }
    }

    /// The language it is written in.
    pub fn kind(&self) -> SchemaKind {
        match &self.0 {
            Compiled::Avro(_) => SchemaKind::Avro,
            Compiled::Json(_) => SchemaKind::Json,
            Compiled::Protobuf(_) => SchemaKind::Protobuf,
        }
    }

    /// The text by which schemas are told apart: in one layout, nothing lost but comments, and attributes in a fixed order
    /// (in JSON Schema in the order given).
    pub fn canonical(&self) -> &str {
        match &self.0 {
            Compiled::Avro(schema) => schema.canonical(),
            Compiled::Json(schema) => schema.canonical(),
            Compiled::Protobuf(schema) => schema.canonical(),
        }
    }

    /// The canonical text with everything sorted whose order says nothing (`normalize=true`).
    pub fn normalized(&self) -> String {
        match &self.0 {
            Compiled::Avro(schema) => schema.normalized(),
            Compiled::Json(schema) => schema.normalized(),
            Compiled::Protobuf(schema) => schema.normalized(),
        }
    }

    /// The canonical text with all referenced types written out, so that it stands alone (`format=resolved`); only Avro has it.
    pub fn resolved(&self) -> Option<String> {
        self.avro().map(AvroSchema::resolved)
    }

    /// MD5 of the canonical text: the guid of a schema without references and metadata.
    pub fn fingerprint(&self) -> [u8; 16] {
        use md5::Digest as _;
        md5::Md5::digest(self.canonical()).into()
    }

    /// What names a record by its schema: as [`Schema::full_name`], but in Avro of records only.
    pub fn record_name(&self) -> Option<&str> {
        match &self.0 {
            Compiled::Avro(schema) => schema.record_name(),
            Compiled::Json(schema) => schema.full_name(),
            Compiled::Protobuf(schema) => schema.full_name(),
        }
    }

    /// Full name of the root, when it is a named type; in JSON Schema its title, in Protobuf the name of the first message.
    pub fn full_name(&self) -> Option<&str> {
        match &self.0 {
            Compiled::Avro(schema) => schema.full_name(),
            Compiled::Json(schema) => schema.full_name(),
            Compiled::Protobuf(schema) => schema.full_name(),
        }
    }

    /// Whether there is a field of this name at the top: in the root record or object, in Protobuf in any message that is not nested.
    pub fn has_top_field(&self, name: &str) -> bool {
        match &self.0 {
            Compiled::Avro(schema) => schema.has_top_field(name),
            Compiled::Json(schema) => schema.top_fields().any(|field| field == name),
            Compiled::Protobuf(schema) => schema.has_top_field(name),
        }
    }

    /// A field at the top whose name begins with `$$`, which registries may keep for themselves; only JSON Schema allows such names.
    pub fn marked_top_field(&self) -> Option<&str> {
        self.json()?.top_fields().find(|field| field.starts_with("$$"))
    }

    /// The canonical text after `visitor` has seen, and perhaps changed, the tags that options give to messages and fields; only
    /// Protobuf has it. The visitor is told the path (without the package), whether it is that of a field, and the tags.
    pub fn retagged(&self, visitor: &mut dyn FnMut(&str, bool, &mut Vec<String>)) -> Option<String> {
        self.protobuf().map(|schema| schema.retagged(visitor))
    }

    /// Encodes the JSON text of one value and appends the payload to `out`. A top-level Avro `bytes` stands without
    /// its length, as serializers write it; under a JSON Schema a value stays JSON; a Protobuf message stands after the
    /// indexes of the first message.
    ///
    /// # Errors
    /// The first place where the value does not fit; `out` is then as it was before.
    pub fn encode(&self, json: &[u8], out: &mut Vec<u8>) -> Result<Encoded, EncodeError> {
        match &self.0 {
            Compiled::Avro(schema) => schema.encode(json, out),
            Compiled::Json(schema) => schema.encode(json, out),
            Compiled::Protobuf(schema) => schema.encode(json, out),
        }
    }

    /// Appends the JSON text of the value in `payload` to `out`: the other direction of [`Schema::encode`], also for payloads that others
    /// wrote. A Protobuf payload may hold any message of the file. Time and memory are bounded by the payload's length.
    ///
    /// # Errors
    /// The first place where the bytes do not fit the schema; `out` is then as it was before.
    pub fn decode(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        match &self.0 {
            Compiled::Avro(schema) => schema.decode(payload, out),
            Compiled::Json(schema) => schema.decode(payload, out),
            Compiled::Protobuf(schema) => schema.decode(payload, out),
        }
    }

    /// What keeps `self`, the reader, from reading what `writer` wrote. Empty: compatible.
    pub fn cannot_read(&self, writer: &Schema) -> Vec<Incompatibility> {
        self.cannot_read_with(writer, Policy::Strict)
    }

    /// The same, as a policy sees it.
    pub fn cannot_read_with(&self, writer: &Schema, policy: Policy) -> Vec<Incompatibility> {
        match (&self.0, &writer.0) {
            (Compiled::Avro(reader), Compiled::Avro(writer)) => reader.cannot_read(writer),
            (Compiled::Json(reader), Compiled::Json(writer)) => reader.cannot_read(writer, policy),
            (Compiled::Protobuf(reader), Compiled::Protobuf(writer)) => reader.cannot_read(writer),
            (
                Compiled::Avro(_) | Compiled::Json(_) | Compiled::Protobuf(_),
                Compiled::Avro(_) | Compiled::Json(_) | Compiled::Protobuf(_),
            ) => vec![Incompatibility::other_language()],
        }
    }

    /// Whether both mean the same once references are resolved. White space does not count, nor, but for JSON Schema, the
    /// order of attributes; names, docs, aliases, defaults, sort order and custom properties do.
    pub fn equivalent(&self, other: &Schema) -> bool {
        match (&self.0, &other.0) {
            (Compiled::Avro(one), Compiled::Avro(other)) => one.equivalent(other),
            (Compiled::Json(one), Compiled::Json(other)) => one.equivalent(other),
            (Compiled::Protobuf(one), Compiled::Protobuf(other)) => one.equivalent(other),
            (
                Compiled::Avro(_) | Compiled::Json(_) | Compiled::Protobuf(_),
                Compiled::Avro(_) | Compiled::Json(_) | Compiled::Protobuf(_),
            ) => false,
        }
    }

    /// The canonical text without `extend` blocks and custom options (`format=ignore_extensions`); only Protobuf has it.
    pub fn without_extensions(&self) -> Option<String> {
        self.protobuf().map(ProtobufSchema::without_extensions)
    }

    /// A `FileDescriptorProto` in base64 (`format=serialized`); only Protobuf has it.
    pub fn serialized(&self) -> Option<String> {
        self.protobuf().map(ProtobufSchema::serialized)
    }

    fn avro(&self) -> Option<&AvroSchema> {
        match &self.0 {
            Compiled::Avro(schema) => Some(schema),
            Compiled::Json(_) | Compiled::Protobuf(_) => None,
        }
    }

    fn json(&self) -> Option<&Arc<JsonSchema>> {
        match &self.0 {
            Compiled::Json(schema) => Some(schema),
            Compiled::Avro(_) | Compiled::Protobuf(_) => None,
        }
    }

    fn protobuf(&self) -> Option<&ProtobufSchema> {
        match &self.0 {
            Compiled::Protobuf(schema) => Some(schema),
            Compiled::Avro(_) | Compiled::Json(_) => None,
        }
    }
}
