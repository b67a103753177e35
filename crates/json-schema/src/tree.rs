//! A schema as comparison sees it: a tree of nodes, one kind of rules each, references in it followed.
//!
//! Only what comparison asks for is kept. Titles, descriptions and ids never make a schema incompatible, `format` and
//! the annotations are not compared.

use std::collections::{BTreeMap, BTreeSet};

use super::decimal::Decimal;

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeId(u32);

/// Nodes, and which of them the document begins with.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

/// One schema, or one aspect of it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) has_default: bool,
    /// Marked by a connector as bytes, whatever they look like in JSON.
    pub(super) connect_bytes: bool,
}

/// What a node is about.
#[derive(Debug)]
pub(super) enum Kind {
    /// `{}` or `true`.
    Any,
    /// `false`.
    Never,
    Boolean,
    Null,
    String(StringRules),
    Number(NumberRules),
    Object(Box<ObjectRules>),
    Array(Box<ArrayRules>),
    /// The texts of the values.
    Enum(BTreeSet<String>),
    /// The text of the value.
    Const(String),
    Not(NodeId),
    Combined(Combined),
    /// `if`, `then` and `else`, whose schemas are not compared.
    Conditional,
    Reference(NodeId),
    /// A reference that leads to nothing but itself, or to such a one.
    Circular,
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub(super) max_length: Option<Decimal>,
    pub(super) min_length: Option<Decimal>,
    pub(super) pattern: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) whole: bool,
    pub(super) maximum: Option<Decimal>,
    pub(super) minimum: Option<Decimal>,
    pub(super) exclusive_maximum: Option<Decimal>,
    pub(super) exclusive_minimum: Option<Decimal>,
    pub(super) multiple_of: Option<Decimal>,
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) required: BTreeSet<String>,
    pub(super) patterns: Vec<(String, NodeId)>,
    pub(super) additional: Extra,
    pub(super) unevaluated: Extra,
    pub(super) dependent_names: BTreeMap<String, BTreeSet<String>>,
    pub(super) dependent_schemas: BTreeMap<String, NodeId>,
    pub(super) max_properties: Option<Decimal>,
    pub(super) min_properties: Option<Decimal>,
}

impl ObjectRules {
    /// Where there is a property `name`, there have to be `others`; if there are none, there is no rule.
    pub(super) fn depend(&mut self, name: &str, others: BTreeSet<String>) {
        if !others.is_empty() {
            self.dependent_names.insert(name.to_owned(), others);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    /// What all items are.
    pub(super) items: Option<NodeId>,
    /// What the first items are, one by one.
    pub(super) tuple: Vec<NodeId>,
    pub(super) additional: Extra,
    pub(super) unevaluated: Extra,
    pub(super) max_items: Option<Decimal>,
    pub(super) min_items: Option<Decimal>,
    pub(super) unique: bool,
    pub(super) max_contains: Option<Decimal>,
    pub(super) min_contains: Option<Decimal>,
}

/// What is allowed for properties or items that are not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extra {
    #[default]
    Unsaid,
    Allowed,
    Forbidden,
    /// They are of this schema.
    Schema(NodeId),
}

impl Extra {
    pub(super) fn is_unlimited(self) -> bool {
        matches!(self, Extra::Unsaid | Extra::Allowed)
    }
}

/// How many of the parts a value has to meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Criterion {
    All,
    Any,
    One,
}

#[derive(Debug)]
pub(super) struct Combined {
    pub(super) criterion: Criterion,
    /// The parts as they were written.
    pub(super) parts: Vec<NodeId>,
    /// The same, each once.
    pub(super) distinct: Vec<NodeId>,
    /// Hashes of the texts of `distinct`, where there are texts: by them equal parts are found fast. Empty otherwise.
    pub(super) digests: Vec<u64>,
}

impl Tree {
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The node itself, or what stands at the end of the references that begin with it.
    pub(super) fn followed(&self, id: NodeId) -> NodeId {
        let mut id = id;
        while let Kind::Reference(target) = self.node(id).kind {
            id = target;
        }
        id
    }
}

/// A tree that grows. Nodes may be promised before what they are is known.
#[derive(Debug, Default)]
pub(super) struct TreeBuilder(Vec<Option<Node>>);

impl TreeBuilder {
    /// A node that [`TreeBuilder::set`] fills in later.
    pub(super) fn reserve(&mut self) -> NodeId {
        self.0.push(None);
        NodeId(u32::try_from(self.0.len() - 1).expect("a document has fewer schemas than bytes, and no 4 GB"))
    }

    pub(super) fn set(&mut self, id: NodeId, node: Node) {
        self.0[id.0 as usize] = Some(node);
    }

    pub(super) fn add(&mut self, kind: Kind) -> NodeId {
        let id = self.reserve();
        self.set(id, Node { kind, has_default: false, connect_bytes: false });
        id
    }

    /// The tree. References that never lead to a schema become [`Kind::Circular`].
    pub(super) fn finish(self, root: NodeId) -> Tree {
        let nodes = self.0.into_iter().map(|node| node.expect("every reserved node is set")).collect();
        let mut tree = Tree { nodes, root };
        let mut ends = vec![false; tree.nodes.len()];
        for start in 0..tree.nodes.len() {
            let (mut at, mut passed) = (start, Vec::new());
            let mut is_circular = false;
            while let Kind::Reference(target) = tree.nodes[at].kind {
                if ends[at] {
                    break;
                }
                if passed.len() > tree.nodes.len() {
                    is_circular = true;
                    break;
                }
                passed.push(at);
                at = target.0 as usize;
            }
            for node in passed {
                match is_circular {
                    true => tree.nodes[node].kind = Kind::Circular,
                    false => ends[node] = true,
                }
            }
        }
        tree
    }
}
