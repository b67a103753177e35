//! Reserved fields: names that a schema's metadata keeps free at the top of it, looked at where the configuration says `validateFields`.
//!
//! Source: docs/reference/schema-registry.md §4.8, §9.5; docs/reference/schema-compatibility.md §5.

use crate::model::config::Config;
use crate::model::error::Error;
use crate::model::metadata::Metadata;
use crate::model::stored::StoredSchema;
use crate::operations::compile::CompiledSubmission;

/// The property that lists them, with commas between.
const RESERVED_PROPERTY: &str = "confluent:reserved";

/// Names that begin with `$$` are the registry's own.
pub(crate) fn check_names(config: &Config, prepared: &CompiledSubmission) -> Result<(), Error> {
    match prepared.schema.marked_top_field() {
        Some(name) if config.validate_fields == Some(true) => Err(Error::InvalidSchema {
            kind: prepared.content.kind(),
            message: format!("properties.{name}: expected a name that does not begin with $$ (validateFields)"),
            is_syntax: false,
        }),
        Some(_) | None => Ok(()),
    }
}

/// What is wrong with the reserved fields of a new schema: those of the newest version must stay reserved, and none may be used.
pub(crate) fn conflicts(config: &Config, new: &CompiledSubmission, newest: Option<&StoredSchema>) -> Vec<String> {
    if config.validate_fields != Some(true) {
        return Vec::new();
    }
    let kept: Vec<&str> = reserved(new.content.metadata()).collect();
    let mut conflicts = Vec::new();
    if let Some(newest) = newest {
        for name in reserved(newest.content.metadata()).filter(|name| !kept.contains(name)) {
            let version = newest.version;
            conflicts
                .push(format!("Version {version} reserves the field {name}, and the new schema does not any more"));
        }
    }
    let used = kept.iter().filter(|name| new.schema.has_top_field(name));
    conflicts.extend(used.map(|name| format!("The new schema has a field {name}, which its metadata reserves")));
    conflicts
}

fn reserved(metadata: Option<&Metadata>) -> impl Iterator<Item = &str> {
    let list = metadata.and_then(|metadata| metadata.property(RESERVED_PROPERTY)).unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}
