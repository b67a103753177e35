//! How many bytes a compiled schema keeps on the heap, so that caches can weigh it.
//!
//! An estimate: capacities where they are known, and the usual load of tables. Tested against an allocator that counts.

use std::mem::size_of;

use postern_json_text::heap_size_of_map;

use crate::model::{Definition, Field, Kind, Model, Node, NodeId};
use crate::names::Name;
use crate::plan::{self, JsonText, NameIndex, Plan, PlanNode};

pub(crate) fn model(model: &Model) -> usize {
    // A table keeps a byte of metadata beside each slot, and one slot in eight free.
    let slot = size_of::<(String, NodeId)>() + 1;
    let named = model.named.keys().map(String::capacity).sum::<usize>() + model.named.capacity() * slot * 8 / 7;
    named + model.nodes().map(|each| size_of::<Node>() + node(each)).sum::<usize>()
}

fn node(node: &Node) -> usize {
    let kind = match &node.kind {
        Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) => 0,
        Kind::Union(branches) => branches.capacity() * size_of::<NodeId>(),
        Kind::Record(record) => {
            let fields = record.fields.iter().map(field).sum::<usize>();
            definition(&record.definition) + record.fields.capacity() * size_of::<Field>() + fields
        }
        Kind::Enum(enumeration) => {
            definition(&enumeration.definition)
                + strings(&enumeration.symbols)
                + enumeration.default.as_ref().map_or(0, String::capacity)
        }
        Kind::Fixed(fixed) => definition(&fixed.definition),
    };
    kind + heap_size_of_map(&node.properties)
}

fn definition(definition: &Definition) -> usize {
    let aliases = definition.aliases.iter().map(|alias| size_of::<Name>() + alias.heap_size()).sum::<usize>();
    definition.name.heap_size() + definition.doc.as_ref().map_or(0, String::capacity) + aliases
}

fn field(field: &Field) -> usize {
    field.name.capacity()
        + field.doc.as_ref().map_or(0, String::capacity)
        + field.default.as_ref().map_or(0, postern_json_text::heap_size_of_value)
        + strings(&field.aliases)
        + heap_size_of_map(&field.properties)
}

fn strings(strings: &Vec<String>) -> usize {
    strings.capacity() * size_of::<String>() + strings.iter().map(String::capacity).sum::<usize>()
}

pub(crate) fn plan(plan: &Plan) -> usize {
    let heap = |node: &PlanNode| match node {
        PlanNode::Null
        | PlanNode::Boolean
        | PlanNode::Int(_)
        | PlanNode::Long(_)
        | PlanNode::Float
        | PlanNode::Double
        | PlanNode::Bytes { .. }
        | PlanNode::String
        | PlanNode::Array(_)
        | PlanNode::Map(_) => 0,
        PlanNode::Fixed { name, .. } => name.len(),
        PlanNode::Enum { name, symbols, texts } => name.len() + index(symbols) + json(texts),
        PlanNode::Union(union) => size_of_val(&*union.branches) + index(&union.labels) + json(&union.wrappers),
        PlanNode::Record(record) => {
            let field = |field: &plan::Field| size_of::<plan::Field>() + field.name.len() + field.opening.len();
            let fields = record.fields.iter().map(field).sum::<usize>();
            record.name.len() + fields + index(&record.names)
        }
    };
    plan.nodes().iter().map(|node| size_of::<PlanNode>() + heap(node)).sum()
}

fn index(index: &NameIndex) -> usize {
    index.names().map(|name| size_of::<(Box<str>, usize)>() + name.len()).sum()
}

fn json(texts: &[JsonText]) -> usize {
    size_of_val(texts) + texts.iter().map(|text| text.len()).sum::<usize>()
}
