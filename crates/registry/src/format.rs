//! Other texts of a stored schema, by the word that clients ask for them with (`format=`).
//!
//! Source: docs/reference/schema-registry.md §5.6.

use postern_schema::SchemaKind;

use crate::state::Stored;
use crate::{Error, Registry};

impl Registry {
    /// The text that `format` asks for; `None`: the canonical one, as for every word that means nothing for the type.
    ///
    /// # Errors
    /// The schema, or what it refers to, cannot be read any more.
    pub fn text_in(&self, stored: &Stored, format: &str) -> Result<Option<String>, Error> {
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
