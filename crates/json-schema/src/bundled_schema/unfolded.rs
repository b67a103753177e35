//! How large a document is with all that its references lead to written in their place: so much of it may be looked at for
//! each part of a value.

use serde_json::{Map, Value};

/// Whether a definition, and all that it refers to as often as it does, is at most `limit` JSON values.
pub(super) fn is_at_most(limit: usize, definitions: &Map<String, Value>, name: &str) -> bool {
    let mut left = limit;
    definitions.get(name).is_none_or(|schema| fits(&mut left, definitions, schema))
}

/// Each call takes one from `left`, so that there is no circle without an end, and no depth that needs more stack.
fn fits(left: &mut usize, definitions: &Map<String, Value>, value: &Value) -> bool {
    let Some(fewer) = left.checked_sub(1) else { return false };
    *left = fewer;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(left, definitions, item)),
        Value::Object(members) => members.iter().all(|(name, member)| {
            let target = member.as_str().filter(|_| name == "$ref").and_then(|target| target.rsplit('/').next());
            let target = target.and_then(|target| definitions.get(target));
            fits(left, definitions, member) && target.is_none_or(|target| fits(left, definitions, target))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_count_with_what_they_lead_to() {
        let definitions = json!({
            "leaf": {"type": "string"},
            "twice": {"allOf": [{"$ref": "#/definitions/leaf"}, {"$ref": "#/definitions/leaf"}]},
            "circle": {"items": {"$ref": "#/definitions/circle"}},
        });
        for (name, size) in [("leaf", 2), ("twice", 10)] {
            let is_at_most = |limit| is_at_most(limit, definitions.as_object().unwrap(), name);
            assert!(is_at_most(size) && !is_at_most(size - 1), "{name}");
        }
        assert!(!is_at_most(1000, definitions.as_object().unwrap(), "circle"));
    }
}
