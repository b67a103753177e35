//! Equality of two definitions of one name, as Avro for Java 1.12 decides whether a type is redefined.
//!
//! Name, fields (with type, default and order), symbols, size and custom properties count; doc, aliases and the default of an
//! enum do not, nor whether a record is an `error`. Named types within are equal if they are the same node: a second definition
//! that equals the first has become the first's node already.

use serde_json::{Map, Value};

use crate::model::{Field, Kind, Model, Node, NodeId};

/// Whether two named types are defined equally.
pub(super) fn same_definition(model: &Model, first: &Node, second: &Node) -> bool {
    let same_kind = match (&first.kind, &second.kind) {
        (Kind::Record(first), Kind::Record(second)) => {
            first.fields.len() == second.fields.len()
                && first.fields.iter().zip(&second.fields).all(|(first, second)| same_field(model, first, second))
        }
        (Kind::Enum(first), Kind::Enum(second)) => first.symbols == second.symbols,
        (Kind::Fixed(first), Kind::Fixed(second)) => first.size == second.size,
        _ => false, // of different kinds
    };
    same_kind && first.kind.label() == second.kind.label() && same_properties(&first.properties, &second.properties)
}

fn same_field(model: &Model, first: &Field, second: &Field) -> bool {
    let same_default = match (&first.default, &second.default) {
        (Some(first), Some(second)) => same_json(first, second),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_default
        && first.name == second.name
        && first.order == second.order
        && same_properties(&first.properties, &second.properties)
        && same_type(model, first.node, second.node)
}

/// Recurses over unnamed types only, whose nesting the text bounds.
fn same_type(model: &Model, first: NodeId, second: NodeId) -> bool {
    if first == second {
        return true;
    }
    let (first, second) = (model.node(first), model.node(second));
    let same_kind = match (&first.kind, &second.kind) {
        (Kind::Primitive(first), Kind::Primitive(second)) => first == second,
        (Kind::Array(first), Kind::Array(second)) | (Kind::Map(first), Kind::Map(second)) => {
            same_type(model, *first, *second)
        }
        (Kind::Union(first), Kind::Union(second)) => {
            first.len() == second.len()
                && first.iter().zip(second).all(|(first, second)| same_type(model, *first, *second))
        }
        _ => false, // named, or of different kinds
    };
    same_kind && same_properties(&first.properties, &second.properties)
}

fn same_properties(first: &Map<String, Value>, second: &Map<String, Value>) -> bool {
    first.len() == second.len()
        && first.iter().all(|(name, value)| second.get(name).is_some_and(|other| same_json(value, other)))
}

/// Whether two values are equal: fractions by their value, objects whatever the order of their members.
fn same_json(first: &Value, second: &Value) -> bool {
    let text = |value| {
        let mut text = String::new();
        postern_json_text::value(value, true, &mut text);
        text
    };
    text(first) == text(second)
}
