//! One reason why a schema cannot read what another wrote, in the form that registries report.

/// One difference between a reader's and a writer's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatibility {
    kind: &'static str,
    path: String,
    info: String,
    description: Description,
}

/// Pieces of the sentence around the words for the two schemas ("new" and "old", or the other way round).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Description {
    /// Complete already: names neither schema.
    Plain(String),
    /// `.0` reader `.1` writer `.2`
    ReaderWriter(String, String, String),
}

impl Incompatibility {
    pub(crate) fn new(kind: &'static str, path: String, info: String, description: Description) -> Incompatibility {
        Incompatibility { kind, path, info, description }
    }

    /// The name by which tools know it, like `READER_FIELD_MISSING_DEFAULT_VALUE`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// JSON pointer into the reader's schema; the root is `/`.
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
        format!("{{errorType:'{}', description:'{description}', additionalInfo:'{}'}}", self.kind, self.info)
    }
}
