//! How many bytes a compiled schema keeps on the heap, so that caches can weigh it.
//!
//! What is made with the schema is walked. What the first value adds is estimated from the values in the documents it is made from; the
//! sizes per value were measured with an allocator that counts (`crates/schema/tests/memory.rs`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem::size_of;

use postern_json_text::heap_size_of_value;
use serde_json::Value;

use super::JsonSchema;
use super::decimal::Decimal;
use super::tree::{ArrayRules, Kind, Node, NodeId, NumberRules, ObjectRules, StringRules, Tree};

/// What the validator and the copy of the schema that it is made from take for each JSON value in the schema.
const VALIDATOR_BYTES_PER_VALUE: usize = 1000;
/// What a compiled regular expression takes before it has matched anything.
const PATTERN_BYTES: usize = 8 << 10;

/// The schema as it is read and compared.
pub(super) fn schema(schema: &JsonSchema) -> usize {
    size_of::<JsonSchema>()
        + heap_size_of_value(&schema.document)
        + schema.canonical.capacity()
        + tree(&schema.tree)
        + schema.references.0.iter().map(|(name, _)| size_of::<(String, usize)>() + name.capacity()).sum::<usize>()
}

/// What encoding the first value adds: the validator of the schema and of all that it refers to.
pub(super) fn validator(schema: &JsonSchema) -> usize {
    let (mut seen, mut pending, mut bytes) = (HashSet::new(), vec![schema], 0);
    while let Some(next) = pending.pop() {
        if seen.insert(std::ptr::from_ref(next)) {
            bytes += validated(&next.document);
            pending.extend(next.references.iter().map(|(_, schema)| schema));
        }
    }
    bytes
}

fn validated(value: &Value) -> usize {
    let parts = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => 2 * text.len(),
        Value::Array(items) => items.iter().map(validated).sum::<usize>(),
        Value::Object(members) => members.iter().map(|(name, value)| 4 * name.len() + keyword(name, value)).sum(),
    };
    VALIDATOR_BYTES_PER_VALUE + parts
}

fn keyword(name: &str, value: &Value) -> usize {
    let patterns = match (name, value) {
        ("pattern", Value::String(_)) => 1,
        ("patternProperties", Value::Object(patterns)) => patterns.len(),
        _ => 0,
    };
    patterns * PATTERN_BYTES + validated(value)
}

fn tree(tree: &Tree) -> usize {
    tree.nodes().iter().map(|node| size_of::<Node>() + kind(&node.kind)).sum()
}

fn kind(kind: &Kind) -> usize {
    match kind {
        Kind::Any
        | Kind::Never
        | Kind::Boolean
        | Kind::Null
        | Kind::Not(_)
        | Kind::Conditional
        | Kind::Reference(_)
        | Kind::Circular => 0,
        Kind::String(StringRules { max_length, min_length, pattern }) => {
            decimals([max_length, min_length]) + pattern.as_ref().map_or(0, String::capacity)
        }
        Kind::Number(NumberRules { whole: _, maximum, minimum, exclusive_maximum, exclusive_minimum, multiple_of }) => {
            decimals([maximum, minimum, exclusive_maximum, exclusive_minimum, multiple_of])
        }
        Kind::Object(rules) => size_of::<ObjectRules>() + object(rules),
        Kind::Array(rules) => {
            let ArrayRules { tuple, max_items, min_items, max_contains, min_contains, .. } = &**rules;
            size_of::<ArrayRules>() + ids(tuple) + decimals([max_items, min_items, max_contains, min_contains])
        }
        Kind::Enum(texts) => set(texts),
        Kind::Const(text) => text.capacity(),
        Kind::Combined(combined) => {
            ids(&combined.parts) + ids(&combined.distinct) + combined.digests.capacity() * size_of::<u64>()
        }
    }
}

fn object(rules: &ObjectRules) -> usize {
    let ObjectRules { properties, required, patterns, dependent_names, dependent_schemas, max_properties, .. } = rules;
    map(properties, |_| 0)
        + set(required)
        + patterns.iter().map(|(pattern, _)| size_of::<(String, NodeId)>() + pattern.capacity()).sum::<usize>()
        + map(dependent_names, set)
        + map(dependent_schemas, |_| 0)
        + decimals([max_properties, &rules.min_properties])
}

/// What so many entries take in a B-tree: its nodes are about two thirds full, and the smallest has room for eleven.
fn in_tree<T>(entries: usize) -> usize {
    let slots = if entries == 0 { 0 } else { (entries * 3 / 2).max(11) };
    slots * size_of::<T>()
}

fn map<V>(map: &BTreeMap<String, V>, heap: impl Fn(&V) -> usize) -> usize {
    let entries = map.iter().map(|(name, value)| name.capacity() + heap(value)).sum::<usize>();
    in_tree::<(String, V)>(map.len()) + entries
}

fn set(texts: &BTreeSet<String>) -> usize {
    in_tree::<String>(texts.len()) + texts.iter().map(String::capacity).sum::<usize>()
}

fn ids(ids: &Vec<NodeId>) -> usize {
    ids.capacity() * size_of::<NodeId>()
}

fn decimals<const N: usize>(numbers: [&Option<Decimal>; N]) -> usize {
    numbers.into_iter().flatten().map(Decimal::heap_size).sum()
}
