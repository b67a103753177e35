//! Missing properties get the defaults that their schemas name, also in objects within the value.
//!
//! A default is taken as it stands: nothing is filled into what was filled in. Where alternatives are, only one that
//! alone fits the type of the value counts.

use serde_json::{Map, Value};

use super::super::plain::Plain;
use super::explain::only_fitting;

/// Schemas that are looked at for one value. What comes after stays as it is.
const EFFORT: usize = 1_000_000;

/// Fills in what is missing, and says whether anything was.
pub(super) fn fill(plain: &Plain, value: &mut Value) -> bool {
    let mut filler = Filler { plain, effort: EFFORT, filled: false };
    filler.value(&plain.document, value, 0);
    filler.filled
}

struct Filler<'p> {
    plain: &'p Plain,
    effort: usize,
    filled: bool,
}

/// Schemas about one and the same value, one within the other.
const MAX_HOPS: usize = 64;

impl<'p> Filler<'p> {
    fn value(&mut self, schema: &'p Value, value: &mut Value, hops: usize) {
        self.effort = self.effort.saturating_sub(1);
        let Value::Object(schema) = schema else { return };
        if self.effort == 0 || hops == MAX_HOPS || !(value.is_object() || value.is_array()) {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(|reference| self.plain.target(reference)) {
            return self.value(target, value, hops + 1);
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.value(part, value, hops + 1);
        }
        for keyword in ["anyOf", "oneOf"] {
            let parts = schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            self.effort = self.effort.saturating_sub(parts.len());
            if let Some(only) = only_fitting(self.plain, parts, value) {
                self.value(only, value, hops + 1);
            }
        }
        match value {
            Value::Object(members) => self.object(schema, members),
            Value::Array(items) => self.array(schema, items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn object(&mut self, schema: &'p Map<String, Value>, members: &mut Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
            for (name, member) in members.iter_mut() {
                if !properties.is_some_and(|properties| properties.contains_key(name)) {
                    self.value(rest, member, 0);
                }
            }
        }
        for (name, property) in properties.into_iter().flatten() {
            match (members.get_mut(name), property.get("default")) {
                (Some(member), _) => self.value(property, member, 0),
                (None, Some(default)) => {
                    members.insert(name.clone(), default.clone());
                    self.filled = true;
                }
                (None, None) => {}
            }
        }
    }

    fn array(&mut self, schema: &'p Map<String, Value>, items: &mut [Value]) {
        let rest = schema.get("additionalItems");
        match schema.get("items") {
            Some(Value::Array(tuple)) => {
                let schemas = tuple.iter().map(Some).chain(std::iter::repeat(rest));
                items.iter_mut().zip(schemas).for_each(|(item, schema)| {
                    if let Some(schema) = schema {
                        self.value(schema, item, 0);
                    }
                });
            }
            Some(schema) => items.iter_mut().for_each(|item| self.value(schema, item, 0)),
            None => {}
        }
    }
}
