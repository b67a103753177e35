//! A schema as it was written, with nothing lost. Types live in an arena, and a type used twice is one node.
//!
//! Recursive types are cycles of indices. Types of references are nodes like others.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::names::Name;

/// A whole schema.
#[derive(Debug)]
pub(crate) struct Model {
    nodes: Vec<Node>,
    pub(crate) root: NodeId,
    /// Every named type, own and external, by full name.
    pub(crate) named: HashMap<String, NodeId>,
    /// How deep the text nests with references written out. Bounds every recursion over the definitions.
    pub(crate) depth: usize,
}

/// Index of a node in its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// One type.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Custom attributes (logical types among them), in the order in which they were written.
    pub(crate) properties: Map<String, Value>,
}

/// A type and what it consists of.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Primitive(Primitive),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Record),
    Enum(Enum),
    Fixed(Fixed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

/// What all named types (record, enum, fixed) have in common.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    pub(crate) doc: Option<String>,
    pub(crate) aliases: Vec<Name>,
    /// The root of a referenced schema, which is printed by name only. Types defined within a reference are not.
    pub(crate) external: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) definition: Definition,
    /// Written as `error`, the record type of RPC protocols.
    pub(crate) is_error: bool,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) node: NodeId,
    pub(crate) doc: Option<String>,
    pub(crate) default: Option<Value>,
    pub(crate) order: Order,
    pub(crate) aliases: Vec<String>,
    pub(crate) properties: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
    Ignore,
}

#[derive(Clone, Debug)]
pub(crate) struct Enum {
    pub(crate) definition: Definition,
    pub(crate) symbols: Vec<String>,
    pub(crate) default: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    pub(crate) definition: Definition,
    pub(crate) size: usize,
}

impl Primitive {
    pub(crate) const ALL: [Primitive; 8] = [
        Primitive::Null,
        Primitive::Boolean,
        Primitive::Int,
        Primitive::Long,
        Primitive::Float,
        Primitive::Double,
        Primitive::Bytes,
        Primitive::String,
    ];

    pub(crate) fn of(word: &str) -> Option<Primitive> {
        Primitive::ALL.into_iter().find(|primitive| primitive.type_name() == word)
    }

    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Primitive::Null => "null",
            Primitive::Boolean => "boolean",
            Primitive::Int => "int",
            Primitive::Long => "long",
            Primitive::Float => "float",
            Primitive::Double => "double",
            Primitive::Bytes => "bytes",
            Primitive::String => "string",
        }
    }
}

impl Kind {
    /// Avro's keyword for the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Kind::Primitive(primitive) => primitive.type_name(),
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(record) if record.is_error => "error",
            Kind::Record(_) => "record",
            Kind::Enum(_) => "enum",
            Kind::Fixed(_) => "fixed",
        }
    }

    /// The definition of a named type.
    pub(crate) fn definition(&self) -> Option<&Definition> {
        match self {
            Kind::Record(record) => Some(&record.definition),
            Kind::Enum(enumeration) => Some(&enumeration.definition),
            Kind::Fixed(fixed) => Some(&fixed.definition),
            Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Union(_) => None,
        }
    }

    fn definition_mut(&mut self) -> Option<&mut Definition> {
        match self {
            Kind::Record(record) => Some(&mut record.definition),
            Kind::Enum(enumeration) => Some(&mut enumeration.definition),
            Kind::Fixed(fixed) => Some(&mut fixed.definition),
            Kind::Primitive(_) | Kind::Array(_) | Kind::Map(_) | Kind::Union(_) => None,
        }
    }

    /// The label of a union branch of this type.
    pub(crate) fn label(&self) -> &str {
        self.definition().map_or(self.type_name(), |definition| definition.name.full())
    }

    fn children_mut(&mut self) -> Vec<&mut NodeId> {
        match self {
            Kind::Array(inner) | Kind::Map(inner) => vec![inner],
            Kind::Union(branches) => branches.iter_mut().collect(),
            Kind::Record(record) => record.fields.iter_mut().map(|field| &mut field.node).collect(),
            Kind::Primitive(_) | Kind::Enum(_) | Kind::Fixed(_) => Vec::new(),
        }
    }
}

impl Model {
    /// A model of the primitives without properties only; the root is still to be set.
    pub(crate) fn new() -> Model {
        let nodes = Primitive::ALL.map(|primitive| Node { kind: Kind::Primitive(primitive), properties: Map::new() });
        Model { nodes: nodes.into(), root: NodeId(0), named: HashMap::new(), depth: 0 }
    }

    /// The node of a primitive without properties.
    pub(crate) fn bare(primitive: Primitive) -> NodeId {
        NodeId(primitive as u32)
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(crate) fn kind(&self, id: NodeId) -> &Kind {
        &self.node(id).kind
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn add(&mut self, kind: Kind, properties: Map<String, Value>) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("a schema text has fewer types than 2^32 bytes"));
        self.nodes.push(Node { kind, properties });
        id
    }

    /// Replaces a placeholder, or an incomplete or earlier definition, by a definition.
    pub(crate) fn replace(&mut self, id: NodeId, node: Node) {
        self.nodes[id.index()] = node;
    }

    /// Imports the named types of a referenced schema, with everything they contain. Of equal names the first counts.
    pub(crate) fn import(&mut self, other: &Model) {
        let mut moved = HashMap::new();
        let mut pending = other.named.values().copied().collect::<Vec<_>>();
        pending.sort();
        let mut copied = Vec::new();
        while let Some(id) = pending.pop() {
            if moved.contains_key(&id) {
                continue;
            }
            let node = other.node(id);
            let name = node.kind.definition().map(|definition| definition.name.full());
            if let Some(known) = name.and_then(|name| self.named.get(name)).copied() {
                moved.insert(id, known);
                if let Some(definition) = self.nodes[known.index()].kind.definition_mut() {
                    definition.external |= id == other.root;
                }
                continue;
            }
            let mut node = node.clone();
            pending.extend(node.kind.children_mut().into_iter().map(|child| *child));
            if let Some(definition) = node.kind.definition_mut() {
                definition.external |= id == other.root;
            }
            let own = self.add(node.kind, node.properties);
            moved.insert(id, own);
            copied.push(own);
            if let Some(name) = name {
                self.named.insert(name.to_owned(), own);
            }
        }
        for own in copied {
            for child in self.nodes[own.index()].kind.children_mut() {
                *child = moved[child];
            }
        }
        self.depth = self.depth.max(other.depth);
    }
}

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}
