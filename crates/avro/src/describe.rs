//! Parts of a schema in the words of a message.

use serde_json::Value;

use crate::model::{Kind, Model, NodeId};

/// How a value is called in an error.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let cut = text.chars().take(60).collect::<String>();
            let dots = if cut.len() < text.len() { "…" } else { "" };
            format!("\"{cut}{dots}\"")
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A type; of a union the labels of its branches.
pub(crate) fn type_label(model: &Model, node: NodeId) -> String {
    match model.kind(node) {
        Kind::Union(branches) => {
            let labels = branches.iter().map(|branch| model.kind(*branch).label()).collect::<Vec<_>>();
            labels.join(" or ")
        }
        kind => match kind.definition() {
            Some(definition) => format!("{} {}", kind.type_name(), definition.name.full()),
            None => kind.type_name().to_owned(),
        },
    }
}
