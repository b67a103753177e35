//! Checks that the defaults of fields fit their types, in new schemas only.
//!
//! A string fits string, bytes, enum and fixed alike. Neither Avro for Java nor Confluent's registry checks whether it is a
//! symbol or has the right length, and a schema that they accept must be accepted here.

use std::collections::HashMap;

use serde_json::Value;

use super::describe::{describe, type_label};
use super::model::{Kind, Model, NodeId, Primitive};
use postern_schema_core::CompileError;

/// The default of a field, with the field's type and the default's place in the document.
pub(crate) struct FieldDefault {
    pub(crate) node: NodeId,
    pub(crate) value: Value,
    pub(crate) path: String,
}

/// Checks the defaults of one schema.
pub(crate) fn check(model: &Model, defaults: &[FieldDefault]) -> Result<(), CompileError> {
    for default in defaults {
        let mut check = Check { model, known: HashMap::new() };
        if !check.conforms(default.node, &default.value) {
            let expected = format!("a default of type {}", type_label(model, default.node));
            return Err(CompileError::new(default.path.clone(), expected, describe(&default.value)));
        }
    }
    Ok(())
}

struct Check<'m> {
    model: &'m Model,
    /// Results for records by type and address of the value, because nested unions would otherwise be tried 2^n times.
    known: HashMap<(NodeId, *const Value), bool>,
}

impl Check<'_> {
    /// Recurses over the default, whose depth `serde_json` bounds. A branch of a union is no union, so types add one level at most.
    fn conforms(&mut self, node: NodeId, value: &Value) -> bool {
        match self.model.kind(node) {
            Kind::Primitive(Primitive::Null) => value.is_null(),
            Kind::Primitive(Primitive::Boolean) => value.is_boolean(),
            Kind::Primitive(Primitive::Int) => whole(value).is_some_and(|value| i32::try_from(value).is_ok()),
            Kind::Primitive(Primitive::Long) => whole(value).is_some(),
            // Other strings became numbers when the text was read.
            Kind::Primitive(Primitive::Float | Primitive::Double) => {
                value.is_number() || matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"))
            }
            Kind::Primitive(Primitive::Bytes | Primitive::String) | Kind::Enum(_) | Kind::Fixed(_) => value.is_string(),
            Kind::Array(items) => {
                value.as_array().is_some_and(|list| list.iter().all(|item| self.conforms(*items, item)))
            }
            Kind::Map(values) => {
                value.as_object().is_some_and(|map| map.values().all(|value| self.conforms(*values, value)))
            }
            Kind::Union(branches) => branches.iter().any(|branch| self.conforms(*branch, value)),
            Kind::Record(record) => {
                let Value::Object(members) = value else { return false };
                let pair = (node, std::ptr::from_ref(value));
                if let Some(conforms) = self.known.get(&pair) {
                    return *conforms;
                }
                let conforms = record.fields.iter().all(|field| match members.get(&field.name) {
                    Some(member) => self.conforms(field.node, member),
                    // The field's own default applies, which is checked separately.
                    None => field.default.is_some(),
                });
                self.known.insert(pair, conforms);
                conforms
            }
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_number()?.as_i64()
}
