//! One reason why a schema cannot read what another wrote, in the form that registries report.

/// One difference between a reader's and a writer's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatibility {
    kind: &'static str,
    path: String,
    info: String,
    description: Description,
    frame: Frame,
}

/// What the line of a registry looks like around the words; each language has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Avro,
    Json,
    Protobuf,
    /// The sentence alone.
    Bare,
}

/// Pieces of the sentence around the words for the two schemas ("new" and "old", or the other way round).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// Complete already: names neither schema.
    Plain(String),
    /// `.0` reader `.1` writer `.2`
    ReaderWriter(String, String, String),
}

impl Incompatibility {
    /// A difference between two Avro schemas.
    pub fn new(kind: &'static str, path: String, info: String, description: Description) -> Incompatibility {
        Incompatibility { kind, path, info, description, frame: Frame::Avro }
    }

    /// A difference between two JSON Schemas.
    pub fn in_json_schema(kind: &'static str, path: String, description: Description) -> Incompatibility {
        Incompatibility { kind, path, info: String::new(), description, frame: Frame::Json }
    }

    /// A difference between two Protobuf files.
    pub fn in_protobuf(kind: &'static str, path: String, description: Description) -> Incompatibility {
        Incompatibility { kind, path, info: String::new(), description, frame: Frame::Protobuf }
    }

    /// Schemas in two languages have nothing to do with each other.
    pub fn other_language() -> Incompatibility {
        Incompatibility::bare("SCHEMA_TYPE", String::new(), "Incompatible because of different schema type".to_owned())
    }

    /// A sentence without a frame around it.
    pub fn bare(kind: &'static str, path: String, sentence: String) -> Incompatibility {
        let (info, description) = (String::new(), Description::Plain(sentence));
        Incompatibility { kind, path, info, description, frame: Frame::Bare }
    }

    /// The name by which tools know it, like `READER_FIELD_MISSING_DEFAULT_VALUE`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// JSON pointer into the reader's schema; the root is `/`. In JSON Schema `#/` and names as they are; in Protobuf
    /// `#/` and names of messages and oneofs, and numbers of fields.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is missing or differs: a field, the symbols, the two types.
    pub fn info(&self) -> &str {
        &self.info
    }

    /// The line a registry reports. `reader` and `writer` are the words for the two: "new" and "old", or "old" and "new".
    pub fn message(&self, reader: &str, writer: &str) -> String {
        let description = match &self.description {
            Description::Plain(text) => text.clone(),
            Description::ReaderWriter(before, between, after) => format!("{before}{reader}{between}{writer}{after}"),
        };
        let (kind, info) = (self.kind, &self.info);
        match self.frame {
            Frame::Avro => format!("{{errorType:'{kind}', description:'{description}', additionalInfo:'{info}'}}"),
            Frame::Json | Frame::Protobuf => format!("{{errorType:\"{kind}\", description:\"{description}\"}}"),
            Frame::Bare => description,
        }
    }
}
