//! What can be tagged in a JSON schema: objects and their properties. Paths are made of the words `object`, `array`, `oneof.<n>` and the
//! like, and of names of properties: `object.address.object.zip`. Titles do not matter; `$ref` is not followed.

use serde_json::Value;

use super::target::{EntityType, TagTarget, Visit, visit_attribute};

/// Visits every object and property.
pub(super) fn walk(schema: &mut Value, visit: &mut Visit<'_>) {
    inside(schema, "", None, visit);
}

/// `field`: the path of the property whose schema this is. Then its object is the same place by another name.
fn inside(schema: &mut Value, prefix: &str, field: Option<&str>, visit: &mut Visit<'_>) {
    let Value::Object(members) = schema else { return };
    let is = |kind: &str| match members.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(kinds)) => kinds.iter().any(|one| one.as_str() == Some(kind)),
        _ => false,
    };
    let is_object = is("object") || members.contains_key("properties");
    let own = join(prefix, "object");
    match (field, is_object) {
        (Some(field), is_object) => {
            let other = is_object.then(|| own.clone());
            visit_attribute(&TagTarget { path: field.to_owned(), other, part: EntityType::Field }, members, visit);
        }
        (None, true) => {
            visit_attribute(&TagTarget { path: own.clone(), other: None, part: EntityType::Record }, members, visit);
        }
        (None, false) => {}
    }
    for (name, property) in members.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let path = join(&own, name);
        inside(property, &path, Some(&path), visit);
    }
    match members.get_mut("items") {
        Some(Value::Array(items)) => {
            items.iter_mut().for_each(|item| inside(item, &join(prefix, "array"), None, visit));
        }
        Some(items) => inside(items, &join(prefix, "array"), None, visit),
        None => {}
    }
    for (member, word) in [("oneOf", "oneof"), ("anyOf", "anyof"), ("allOf", "allof")] {
        let branches = members.get_mut(member).and_then(Value::as_array_mut);
        for (at, branch) in branches.into_iter().flatten().enumerate() {
            inside(branch, &join(prefix, &format!("{word}.{at}")), None, visit);
        }
    }
}

fn join(prefix: &str, word: &str) -> String {
    if prefix.is_empty() { word.to_owned() } else { format!("{prefix}.{word}") }
}
