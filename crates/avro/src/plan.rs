//! What encoding and decoding need to know of a schema: built once, read for every record.
//!
//! Nodes are in one flat list and refer to each other by index. Names are looked up in sorted tables; the JSON text of those that
//! decoding writes is made beforehand.

use super::logical::LogicalType;
use super::model::{Kind, Model, Node, NodeId, Primitive};
use postern_json_text::{Reader, write_string};

/// A schema prepared for encoding and decoding.
#[derive(Debug)]
pub(crate) struct Plan {
    nodes: Box<[PlanNode]>,
    pub(crate) root: NodeId,
}

/// One type of the schema.
#[derive(Debug)]
pub(crate) enum PlanNode {
    Null,
    Boolean,
    Int(Option<LogicalType>),
    Long(Option<LogicalType>),
    Float,
    Double,
    /// `bare`: without its length in front, because the whole schema is `bytes`.
    Bytes {
        bare: bool,
        logical_type: Option<LogicalType>,
    },
    String,
    Fixed {
        name: Box<str>,
        size: usize,
        logical_type: Option<LogicalType>,
    },
    Enum {
        name: Box<str>,
        symbols: NameIndex,
        /// The symbols as JSON, by their positions.
        texts: Box<[JsonText]>,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Union),
    Record(Record),
}

#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) branches: Box<[NodeId]>,
    /// Positions of the branches by their labels.
    pub(crate) labels: NameIndex,
    /// Position of the null branch.
    pub(crate) null: Option<usize>,
    /// What stands before the value of each branch in JSON: `{"string":`. Empty for null, which has no wrapper.
    pub(crate) wrappers: Box<[JsonText]>,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Box<str>,
    pub(crate) fields: Box<[Field]>,
    /// Positions of the fields, by name and by alias.
    pub(crate) names: NameIndex,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    pub(crate) node: NodeId,
    pub(crate) has_default: bool,
    /// What stands before its value in JSON: `{"a":` for the first field, `,"b":` for others.
    pub(crate) opening: JsonText,
}

/// A piece of JSON.
pub(crate) type JsonText = Box<[u8]>;

/// Positions by name.
#[derive(Debug)]
pub(crate) struct NameIndex(Box<[(Box<str>, usize)]>);

impl Plan {
    pub(crate) fn new(model: &Model) -> Plan {
        let mut nodes = model.nodes().map(|node| plan_node(model, node)).collect::<Box<[_]>>();
        // As the whole schema, `bytes` is the payload itself. No other node is in use then.
        if let PlanNode::Bytes { bare, .. } = &mut nodes[model.root.index()] {
            *bare = true;
        }
        Plan { nodes, root: model.root }
    }

    pub(crate) fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }

    pub(crate) fn node(&self, node: NodeId) -> &PlanNode {
        &self.nodes[node.index()]
    }

    /// Whether the value as a whole may be null, which becomes a null record value (a tombstone).
    pub(crate) fn is_nullable(&self) -> bool {
        match self.node(self.root) {
            PlanNode::Null => true,
            PlanNode::Union(union) => union.null.is_some(),
            _ => false,
        }
    }

    /// What a node expects, in words.
    pub(crate) fn describe(&self, node: NodeId) -> String {
        match self.node(node) {
            PlanNode::Null => "null".to_owned(),
            PlanNode::Boolean => "boolean".to_owned(),
            PlanNode::Int(None) => "int".to_owned(),
            PlanNode::Int(Some(logical_type)) => format!("int: {}", logical_type.describe()),
            PlanNode::Long(None) => "long".to_owned(),
            PlanNode::Long(Some(logical_type)) => format!("long: {}", logical_type.describe()),
            PlanNode::Float => "float".to_owned(),
            PlanNode::Double => "double".to_owned(),
            PlanNode::Bytes { logical_type, .. } => {
                format!("bytes (a string of characters up to U+00FF){}", meaning(*logical_type))
            }
            PlanNode::String => "string".to_owned(),
            PlanNode::Fixed { name, size, logical_type } => {
                format!("fixed {name} (a string of {size} characters up to U+00FF){}", meaning(*logical_type))
            }
            PlanNode::Enum { name, symbols, .. } => {
                format!("enum {name} ({})", symbols.listed(|symbol| format!("\"{symbol}\"")))
            }
            PlanNode::Array(_) => "array".to_owned(),
            PlanNode::Map(_) => "map (an object)".to_owned(),
            PlanNode::Record(record) => format!("record {} (an object)", record.name),
            PlanNode::Union(union) => format!(
                "union ({})",
                union.labels.listed(|label| match label {
                    "null" => "null".to_owned(),
                    label => format!("{{\"{label}\": …}}"),
                })
            ),
        }
    }
}

/// What a logical type adds to the description of its type.
fn meaning(logical_type: Option<LogicalType>) -> String {
    logical_type.map_or_else(String::new, |logical_type| format!(": {}", logical_type.describe()))
}

fn plan_node(model: &Model, node: &Node) -> PlanNode {
    let logical_type = LogicalType::of(&node.kind, &node.properties);
    match &node.kind {
        Kind::Primitive(Primitive::Null) => PlanNode::Null,
        Kind::Primitive(Primitive::Boolean) => PlanNode::Boolean,
        Kind::Primitive(Primitive::Int) => PlanNode::Int(logical_type),
        Kind::Primitive(Primitive::Long) => PlanNode::Long(logical_type),
        Kind::Primitive(Primitive::Float) => PlanNode::Float,
        Kind::Primitive(Primitive::Double) => PlanNode::Double,
        Kind::Primitive(Primitive::Bytes) => PlanNode::Bytes { bare: false, logical_type },
        Kind::Primitive(Primitive::String) => PlanNode::String,
        Kind::Fixed(fixed) => {
            PlanNode::Fixed { name: fixed.definition.name.full().into(), size: fixed.size, logical_type }
        }
        Kind::Enum(enumeration) => PlanNode::Enum {
            name: enumeration.definition.name.full().into(),
            symbols: NameIndex::new(enumeration.symbols.iter().map(String::as_str).zip(0..)),
            texts: enumeration.symbols.iter().map(|symbol| json_text("", symbol, "")).collect(),
        },
        Kind::Array(items) => PlanNode::Array(*items),
        Kind::Map(values) => PlanNode::Map(*values),
        Kind::Union(branches) => {
            let labels = || branches.iter().map(|branch| model.kind(*branch).label());
            PlanNode::Union(Union {
                branches: branches.as_slice().into(),
                labels: NameIndex::new(labels().zip(0..)),
                null: labels().position(|label| label == "null"),
                wrappers: labels()
                    .map(|label| if label == "null" { JsonText::default() } else { json_text("{", label, ":") })
                    .collect(),
            })
        }
        Kind::Record(record) => {
            let fields = record.fields.iter().enumerate().map(|(position, field)| Field {
                name: field.name.as_str().into(),
                node: field.node,
                has_default: field.default.is_some(),
                opening: json_text(if position == 0 { "{" } else { "," }, &field.name, ":"),
            });
            let own = record.fields.iter().map(|field| field.name.as_str()).zip(0..);
            let aliases = record
                .fields
                .iter()
                .zip(0..)
                .flat_map(|(field, position)| field.aliases.iter().map(move |alias| (alias.as_str(), position)));
            PlanNode::Record(Record {
                name: record.definition.name.full().into(),
                fields: fields.collect(),
                names: NameIndex::new(own.chain(aliases)),
            })
        }
    }
}

/// A name as a JSON string, between what stands around it.
fn json_text(before: &str, name: &str, after: &str) -> JsonText {
    let mut text = before.as_bytes().to_vec();
    write_string(name, &mut text);
    text.extend_from_slice(after.as_bytes());
    text.into()
}

impl Field {
    /// Its name as a member of an object is mostly written: `"a":`.
    #[inline]
    pub(crate) fn name_and_colon(&self) -> &[u8] {
        &self.opening[1..]
    }
}

impl Union {
    /// The branch whose label comes next, where it is one of the first two: nearly all unions are of null and one type.
    #[inline]
    pub(crate) fn next_label(&self, json: &mut Reader<'_>) -> Option<usize> {
        let labels = self.wrappers.iter().take(2);
        labels
            .enumerate()
            .find(|(_, wrapper)| wrapper.len() > 1 && json.next_member_is(&wrapper[1..]))
            .map(|(position, _)| position)
    }
}

impl Record {
    /// Position of the field called `name`. `guess` is tried first, because fields mostly come in the order of the schema.
    #[inline]
    pub(crate) fn position(&self, name: &str, guess: usize) -> Option<usize> {
        match self.fields.get(guess) {
            Some(field) if *field.name == *name => Some(guess),
            _ => self.names.position(name),
        }
    }
}

impl NameIndex {
    /// Of equal names the first counts, so that a field's own name wins over an alias of another.
    fn new<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> NameIndex {
        let mut names = names.map(|(name, position)| (Box::from(name), position)).collect::<Vec<(Box<str>, usize)>>();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        NameIndex(names.into())
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let found = self.0.binary_search_by(|(known, _)| (**known).cmp(name));
        found.ok().map(|index| self.0[index].1)
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// A name of this position. Takes as long as there are names.
    pub(crate) fn name_at(&self, position: usize) -> Option<&str> {
        self.0.iter().find(|(_, other)| *other == position).map(|(name, _)| &**name)
    }

    /// The first names in the order of the schema, for a message.
    fn listed(&self, format: impl Fn(&str) -> String) -> String {
        const MAX_LISTED: usize = 12;
        let mut names = self.0.iter().map(|(name, position)| (*position, name)).collect::<Vec<_>>();
        names.sort_unstable();
        let mut shown = names.iter().take(MAX_LISTED).map(|(_, name)| format(name)).collect::<Vec<_>>();
        if names.len() > MAX_LISTED {
            shown.push("…".to_owned());
        }
        match shown.split_last() {
            None => "without members".to_owned(),
            Some((only, [])) => only.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        }
    }
}
