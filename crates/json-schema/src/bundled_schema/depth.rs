//! How many schemas may be about one and the same value, one within the other: what holding values to it needs of stack.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Keywords whose schemas are about the value itself, not about a part of it.
const IN_PLACE: [&str; 9] =
    ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];

/// The longest way from one schema to another about the same value, or more where there is no end to it.
pub(super) fn depth(definitions: &Map<String, Value>) -> usize {
    let mut survey = Survey::default();
    for (name, schema) in definitions {
        survey.chains.push(Chain { name: Some(name), ..Chain::default() });
        survey.walk(schema, survey.chains.len() - 1, 1);
    }
    survey.longest()
}

/// Schemas about one value, as far as they stand within one another.
#[derive(Default)]
struct Chain<'d> {
    /// Its name, if references may lead here.
    name: Option<&'d str>,
    depth: usize,
    /// References, and how deep within they stand.
    references: Vec<(&'d str, usize)>,
}

#[derive(Default)]
struct Survey<'d> {
    chains: Vec<Chain<'d>>,
}

impl<'d> Survey<'d> {
    fn walk(&mut self, schema: &'d Value, chain: usize, depth: usize) {
        let Value::Object(members) = schema else { return };
        self.chains[chain].depth = self.chains[chain].depth.max(depth);
        for (keyword, value) in members {
            match keyword.as_str() {
                "$ref" => {
                    let target = value.as_str().and_then(|reference| reference.rsplit('/').next());
                    self.chains[chain].references.extend(target.map(|name| (name, depth)));
                }
                // What is no schema has no schemas in it.
                "enum" | "const" | "default" | "required" | "type" => {}
                keyword if IN_PLACE.contains(&keyword) => {
                    parts(keyword, value).for_each(|part| self.walk(part, chain, depth + 1));
                }
                keyword => {
                    for part in parts(keyword, value) {
                        self.chains.push(Chain::default());
                        self.walk(part, self.chains.len() - 1, 1);
                    }
                }
            }
        }
    }

    /// Chains are measured once all that they lead to are. Those that lead back to themselves, or to such, never are: a way may go through each
    /// of them once, to the schema where the validator notices, or through the longest of the others.
    fn longest(&self) -> usize {
        let named = self.chains.iter().enumerate().filter_map(|(chain, one)| Some((one.name?, chain)));
        let named = named.collect::<HashMap<_, _>>();
        let mut referrers = vec![Vec::new(); self.chains.len()];
        let mut unmeasured = vec![0; self.chains.len()];
        for (chain, one) in self.chains.iter().enumerate() {
            for target in one.references.iter().filter_map(|(name, _)| named.get(name)) {
                referrers[*target].push(chain);
                unmeasured[chain] += 1;
            }
        }
        let mut lengths = self.chains.iter().map(|chain| chain.depth).collect::<Vec<_>>();
        let mut ready = (0..self.chains.len()).filter(|chain| unmeasured[*chain] == 0).collect::<Vec<_>>();
        let (mut longest, mut endless) = (0, self.chains.iter().map(|chain| chain.depth).sum::<usize>());
        while let Some(chain) = ready.pop() {
            endless -= self.chains[chain].depth;
            for (name, depth) in &self.chains[chain].references {
                if let Some(target) = named.get(name) {
                    lengths[chain] = lengths[chain].max(depth + lengths[*target]);
                }
            }
            longest = longest.max(lengths[chain]);
            for &referrer in &referrers[chain] {
                unmeasured[referrer] -= 1;
                if unmeasured[referrer] == 0 {
                    ready.push(referrer);
                }
            }
        }
        longest + endless + usize::from(endless > 0)
    }
}

/// The schemas that a keyword holds: itself, or those of its list or map.
fn parts<'d>(keyword: &str, value: &'d Value) -> Box<dyn Iterator<Item = &'d Value> + 'd> {
    let is_map = matches!(keyword, "properties" | "patternProperties" | "dependentSchemas" | "dependencies");
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) if is_map => Box::new(members.values()),
        schema => Box::new(std::iter::once(schema)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn only_what_is_about_the_same_value_counts() {
        for (definitions, depth) in [
            (json!({"0": {}}), 1),
            (json!({"0": {"properties": {"allOf": {"not": {}}}}}), 2),
            (json!({"0": {"properties": {"a": {"properties": {"b": {}}}}}}), 1),
            (json!({"0": {"allOf": [{"$ref": "#/definitions/1"}]}, "1": {"anyOf": [{}, {"not": {}}]}}), 5),
            (json!({"0": {"items": {"$ref": "#/definitions/0"}}}), 2),
            (json!({"0": {"allOf": [{"$ref": "#/definitions/0"}, {}]}}), 3),
            (
                json!({"0": {"not": {"$ref": "#/definitions/1"}}, "1": {"$ref": "#/definitions/1", "not": {"$ref": "#/definitions/2"}},
                "2": {"not": {"not": {}}}, "3": {"items": {"items": {"items": {}}}}}),
                8,
            ),
            (json!({"0": {"enum": [{"not": {"not": {"not": {}}}}]}}), 1),
        ] {
            assert_eq!(super::depth(definitions.as_object().expect("definitions")), depth, "{definitions}");
        }
    }
}
