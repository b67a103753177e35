//! What encoding needs of a schema, and nothing else: built once, walked for every record.
//!
//! Nodes are in one flat list and refer to each other by index. Names are looked up in sorted tables.

use super::model::{Kind, Model, NodeId, Primitive};

/// A frozen schema.
#[derive(Debug)]
pub(crate) struct Plan {
    nodes: Box<[Step]>,
    pub(crate) root: NodeId,
}

/// What one node of the schema wants from the value.
#[derive(Debug)]
pub(crate) enum Step {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// `bare`: without its length, where the whole schema is `bytes`.
    Bytes {
        bare: bool,
    },
    String,
    Fixed {
        name: Box<str>,
        size: usize,
    },
    Enum {
        name: Box<str>,
        symbols: Names,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Union),
    Record(Record),
}

#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) branches: Box<[NodeId]>,
    /// Positions of the branches by what they are called.
    pub(crate) labels: Names,
    /// Position of the null branch.
    pub(crate) null: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Box<str>,
    pub(crate) fields: Box<[Field]>,
    /// Positions of the fields, by name and by alias.
    names: Names,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    pub(crate) node: NodeId,
    pub(crate) has_default: bool,
}

/// Positions by name.
#[derive(Debug)]
pub(crate) struct Names(Box<[(Box<str>, usize)]>);

impl Plan {
    pub(crate) fn new(model: &Model) -> Plan {
        let mut nodes = model.nodes().map(|node| step(model, &node.kind)).collect::<Box<[_]>>();
        // Whoever writes `bytes` as the whole schema means the payload itself; no other node is then in use.
        if let Step::Bytes { bare } = &mut nodes[model.root.index()] {
            *bare = true;
        }
        Plan { nodes, root: model.root }
    }

    pub(crate) fn step(&self, node: NodeId) -> &Step {
        &self.nodes[node.index()]
    }

    /// Whether a null at the top is lawful; it is then Kafka's own.
    pub(crate) fn null_at_top(&self) -> bool {
        match self.step(self.root) {
            Step::Null => true,
            Step::Union(union) => union.null.is_some(),
            _ => false,
        }
    }

    /// What a node expects, in words.
    pub(crate) fn expects(&self, node: NodeId) -> String {
        match self.step(node) {
            Step::Null => "null".to_owned(),
            Step::Boolean => "boolean".to_owned(),
            Step::Int => "int".to_owned(),
            Step::Long => "long".to_owned(),
            Step::Float => "float".to_owned(),
            Step::Double => "double".to_owned(),
            Step::Bytes { .. } => "bytes (a string of characters up to U+00FF)".to_owned(),
            Step::String => "string".to_owned(),
            Step::Fixed { name, size } => format!("fixed {name} (a string of {size} characters up to U+00FF)"),
            Step::Enum { name, symbols } => {
                format!("enum {name} ({})", symbols.listed(|symbol| format!("\"{symbol}\"")))
            }
            Step::Array(_) => "array".to_owned(),
            Step::Map(_) => "map (an object)".to_owned(),
            Step::Record(record) => format!("record {} (an object)", record.name),
            Step::Union(union) => format!(
                "union ({})",
                union.labels.listed(|label| match label {
                    "null" => "null".to_owned(),
                    label => format!("{{\"{label}\": …}}"),
                })
            ),
        }
    }
}

fn step(model: &Model, kind: &Kind) -> Step {
    match kind {
        Kind::Primitive(Primitive::Null) => Step::Null,
        Kind::Primitive(Primitive::Boolean) => Step::Boolean,
        Kind::Primitive(Primitive::Int) => Step::Int,
        Kind::Primitive(Primitive::Long) => Step::Long,
        Kind::Primitive(Primitive::Float) => Step::Float,
        Kind::Primitive(Primitive::Double) => Step::Double,
        Kind::Primitive(Primitive::Bytes) => Step::Bytes { bare: false },
        Kind::Primitive(Primitive::String) => Step::String,
        Kind::Fixed(fixed) => Step::Fixed { name: fixed.definition.name.full().into(), size: fixed.size },
        Kind::Enum(choice) => Step::Enum {
            name: choice.definition.name.full().into(),
            symbols: Names::new(choice.symbols.iter().map(String::as_str).zip(0..)),
        },
        Kind::Array(items) => Step::Array(*items),
        Kind::Map(values) => Step::Map(*values),
        Kind::Union(branches) => {
            let labels = || branches.iter().map(|branch| model.kind(*branch).label());
            Step::Union(Union {
                branches: branches.as_slice().into(),
                labels: Names::new(labels().zip(0..)),
                null: labels().position(|label| label == "null"),
            })
        }
        Kind::Record(record) => {
            let fields = record.fields.iter().map(|field| Field {
                name: field.name.as_str().into(),
                node: field.node,
                has_default: field.default.is_some(),
            });
            let own = record.fields.iter().map(|field| field.name.as_str()).zip(0..);
            let aliases = record
                .fields
                .iter()
                .zip(0..)
                .flat_map(|(field, position)| field.aliases.iter().map(move |alias| (alias.as_str(), position)));
            Step::Record(Record {
                name: record.definition.name.full().into(),
                fields: fields.collect(),
                names: Names::new(own.chain(aliases)),
            })
        }
    }
}

impl Record {
    /// Position of the field called `name`. `guess` is tried first: fields mostly come in the order of the schema.
    #[inline]
    pub(crate) fn position(&self, name: &str, guess: usize) -> Option<usize> {
        match self.fields.get(guess) {
            Some(field) if *field.name == *name => Some(guess),
            _ => self.names.position(name),
        }
    }
}

impl Names {
    /// Of one name given twice the first counts: a field's own name wins over an alias of another.
    fn new<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> Names {
        let mut names = names.map(|(name, position)| (Box::from(name), position)).collect::<Vec<(Box<str>, usize)>>();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        Names(names.into())
    }

    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        let found = self.0.binary_search_by(|(known, _)| (**known).cmp(name));
        found.ok().map(|index| self.0[index].1)
    }

    /// The names in schema order, as far as a reader wants them.
    fn listed(&self, shape: impl Fn(&str) -> String) -> String {
        const ENOUGH: usize = 12;
        let mut names = self.0.iter().map(|(name, position)| (*position, name)).collect::<Vec<_>>();
        names.sort_unstable();
        let mut shapes = names.iter().take(ENOUGH).map(|(_, name)| shape(name)).collect::<Vec<_>>();
        if names.len() > ENOUGH {
            shapes.push("…".to_owned());
        }
        match shapes.split_last() {
            None => "without members".to_owned(),
            Some((only, [])) => only.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        }
    }
}
