//! Whether the defaults of fields fit their types. Checked in new schemas only.
//!
//! Text stands for string, bytes, enum and fixed alike: whether a symbol or a length fits is not asked, as the
//! registries in use do not ask it either, and a schema they took must be taken here.

use std::collections::HashMap;

use serde_json::Value;

use super::model::{Kind, Model, NodeId, Primitive};
use super::parse::describe;
use postern_schema_core::CompileError;

/// A default to be checked: the field's type, and where the default stands in the document.
pub(crate) struct Default {
    pub(crate) node: NodeId,
    pub(crate) value: Value,
    pub(crate) path: String,
}

/// Checks the defaults of one schema.
pub(crate) fn check(model: &Model, defaults: &[Default]) -> Result<(), CompileError> {
    for default in defaults {
        let mut check = Check { model, known: HashMap::new() };
        if !check.conforms(default.node, &default.value) {
            let expected = format!("a default of type {}", spell(model, default.node));
            return Err(CompileError::new(default.path.clone(), expected, describe(&default.value)));
        }
    }
    Ok(())
}

struct Check<'m> {
    model: &'m Model,
    /// Verdicts on records by type and address of the value: unions in one another would else be tried 2^n times.
    known: HashMap<(NodeId, *const Value), bool>,
}

impl Check<'_> {
    /// Recurses over the default, which JSON's reader bounds; a union's branch is no union, so types add no more.
    fn conforms(&mut self, node: NodeId, value: &Value) -> bool {
        match self.model.kind(node) {
            Kind::Primitive(Primitive::Null) => value.is_null(),
            Kind::Primitive(Primitive::Boolean) => value.is_boolean(),
            Kind::Primitive(Primitive::Int) => whole(value).is_some_and(|value| i32::try_from(value).is_ok()),
            Kind::Primitive(Primitive::Long) => whole(value).is_some(),
            // As text only what is no number; other text became one while it was read.
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
                if let Some(verdict) = self.known.get(&pair) {
                    return *verdict;
                }
                let verdict = record.fields.iter().all(|field| match members.get(&field.name) {
                    Some(member) => self.conforms(field.node, member),
                    // Filled in from the field's own default, which is checked by itself.
                    None => field.default.is_some(),
                });
                self.known.insert(pair, verdict);
                verdict
            }
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    value.as_number()?.as_i64()
}

/// The type in a word or two; of a union its branches.
fn spell(model: &Model, node: NodeId) -> String {
    match model.kind(node) {
        Kind::Union(branches) => {
            let labels = branches.iter().map(|branch| model.kind(*branch).label()).collect::<Vec<_>>();
            labels.join(" or ")
        }
        kind => match kind.definition() {
            Some(definition) => format!("{} {}", kind.word(), definition.name.full()),
            None => kind.word().to_owned(),
        },
    }
}
