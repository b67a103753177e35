//! Other texts of a stored schema, by the format that clients ask for (`format=`).
//!
//! Source: docs/reference/schema-registry.md §5.6.

use postern_schema::SchemaKind;

use crate::model::error::Error;
use crate::model::stored::StoredSchema;
use crate::registry::Registry;

impl Registry {
    /// The text in a format; `None`: the canonical one, as for every format that the type does not have.
    ///
    /// # Errors
    /// The schema, or one it refers to, is not valid any more.
    pub fn formatted_text(&self, stored: &StoredSchema, format: &str) -> Result<Option<String>, Error> {
        let asked = |word: &str| format.eq_ignore_ascii_case(word);
        match stored.content.kind() {
            SchemaKind::Avro if asked("resolved") && !stored.content.references().is_empty() => {
                Ok(self.compiled(stored)?.resolved())
            }
            SchemaKind::Protobuf if asked("serialized") => Ok(self.compiled(stored)?.serialized()),
            SchemaKind::Protobuf if asked("ignore_extensions") => Ok(self.compiled(stored)?.without_extensions()),
            SchemaKind::Avro | SchemaKind::Json | SchemaKind::Protobuf => Ok(None),
        }
    }
}
