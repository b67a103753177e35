//! What can be tagged in an Avro schema: records by their full (or simple) names, and their fields.

use serde_json::{Map, Value};

use super::target::{EntityType, TagTarget, Visit, visit_attribute};

/// Visits every record and field. The text was compiled before, so its shape is known.
pub(super) fn walk(schema: &mut Value, visit: &mut Visit<'_>) {
    inside(schema, "", visit);
}

fn inside(schema: &mut Value, space: &str, visit: &mut Visit<'_>) {
    match schema {
        Value::Array(branches) => branches.iter_mut().for_each(|branch| inside(branch, space, visit)),
        Value::Object(members) => match members.get("type").and_then(Value::as_str) {
            Some("record" | "error") => record(members, space, visit),
            Some("array") => member(members, "items", space, visit),
            Some("map") => member(members, "values", space, visit),
            Some(_) => {}
            None => member(members, "type", space, visit),
        },
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn member(members: &mut Map<String, Value>, name: &str, space: &str, visit: &mut Visit<'_>) {
    if let Some(inner) = members.get_mut(name) {
        inside(inner, space, visit);
    }
}

fn record(members: &mut Map<String, Value>, space: &str, visit: &mut Visit<'_>) {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let written = text("name").unwrap_or_default();
    let (space, simple) = match written.rsplit_once('.') {
        Some((space, simple)) => (space.to_owned(), simple.to_owned()),
        None => (text("namespace").unwrap_or(space).to_owned(), written.to_owned()),
    };
    let full = if space.is_empty() { simple.clone() } else { format!("{space}.{simple}") };
    let place = |field: &str, part| TagTarget {
        path: format!("{full}{field}"),
        other: (!space.is_empty()).then(|| format!("{simple}{field}")),
        part,
    };
    visit_attribute(&place("", EntityType::Record), members, visit);
    for field in members.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        let Value::Object(field) = field else { continue };
        let name = format!(".{}", field.get("name").and_then(Value::as_str).unwrap_or_default());
        visit_attribute(&place(&name, EntityType::Field), field, visit);
        member(field, "type", &space, visit);
    }
}
