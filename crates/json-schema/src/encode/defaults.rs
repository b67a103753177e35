//! Missing properties get the defaults that their schemas name, also in objects within the value.
//!
//! The value fits already: a default helps none to fit, so that a required member is required all the same. It is taken
//! as it stands: nothing is filled into what was filled in. Of alternatives, those count that the value fits; of a
//! condition, what follows from it.

use serde_json::{Map, Value};

use super::branches::Branches;
use crate::bundled_schema::BundledSchema;

/// Schemas that are looked at for one value. What comes after stays as it is.
const EFFORT: usize = 1_000_000;
/// What it costs to ask whether a value fits one of several alternatives.
const JUDGEMENT: usize = 100;
/// Schemas about one and the same value, one within the other.
const MAX_HOPS: usize = 64;

/// Fills in what is missing in a valid value, and returns whether anything was.
pub(super) fn fill(schema_bundle: &BundledSchema, branches: &Branches, value: &mut Value) -> bool {
    let mut filler = Filler { schema_bundle, branches, effort: EFFORT, filled: false };
    filler.value(&schema_bundle.document, value, 0);
    filler.filled
}

struct Filler<'p> {
    schema_bundle: &'p BundledSchema,
    branches: &'p Branches,
    effort: usize,
    filled: bool,
}

impl<'p> Filler<'p> {
    fn value(&mut self, schema: &'p Value, value: &mut Value, hops: usize) {
        self.effort = self.effort.saturating_sub(1);
        let Value::Object(schema) = schema else { return };
        if self.effort == 0 || hops == MAX_HOPS || !(value.is_object() || value.is_array()) {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(|reference| self.schema_bundle.target(reference)) {
            return self.value(target, value, hops + 1);
        }
        for part in self.holding(schema, value) {
            self.value(part, value, hops + 1);
        }
        match value {
            Value::Object(members) => self.object(schema, members),
            Value::Array(items) => self.array(schema, items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The parts of a schema that are about the same value and that it fits.
    fn holding(&mut self, schema: &'p Map<String, Value>, value: &Value) -> Vec<&'p Value> {
        let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut holding = list("allOf").iter().collect::<Vec<_>>();
        for part in list("anyOf").iter().chain(list("oneOf")) {
            holding.extend(self.fits(part, value).then_some(part));
        }
        if let Some(condition) = schema.get("if") {
            let holds = self.fits(condition, value);
            holding.extend(holds.then_some(condition));
            holding.extend(schema.get(if holds { "then" } else { "else" }));
        }
        for (name, dependency) in schema.get("dependencies").and_then(Value::as_object).into_iter().flatten() {
            holding.extend(value.get(name).map(|_| dependency));
        }
        holding
    }

    fn fits(&mut self, part: &Value, value: &Value) -> bool {
        self.effort = self.effort.saturating_sub(JUDGEMENT);
        self.effort > 0 && self.branches.fits(self.schema_bundle, part, value)
    }

    fn object(&mut self, schema: &'p Map<String, Value>, members: &mut Map<String, Value>) {
        let map = |keyword: &str| schema.get(keyword).and_then(Value::as_object);
        let (properties, patterns) = (map("properties"), map("patternProperties"));
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
        if patterns.is_some() || rest.is_some() {
            for (name, member) in members.iter_mut() {
                let mut known = properties.is_some_and(|properties| properties.contains_key(name));
                for (pattern, part) in patterns.into_iter().flatten() {
                    if self.branches.matches(pattern, name) {
                        known = true;
                        self.value(part, member, 0);
                    }
                }
                if let Some(rest) = rest.filter(|_| !known) {
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
