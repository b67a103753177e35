//! Reads a schema text into a model.
//!
//! The JSON is read by `serde_json`, which refuses more than 128 levels, so the recursion here is bounded as well. Of a repeated
//! member the last counts. Comments are ignored, as Avro for Java does. As there, a type may be used before it is defined,
//! though the specification ("Names") forbids it.

mod attributes;
mod comments;
mod definitions;
mod equality;
mod forward_references;

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::defaults;
use super::describe::describe;
use super::model::{Enum, Field, Fixed, Kind, Model, Node, NodeId, Order, Primitive, Record};
use attributes::{Reserved, properties};
use postern_json_text as json;
use postern_schema_core::{CompileError, Strictness, check_values};

/// How deep a text may nest; `serde_json` ends there.
const MAX_LEVELS: usize = 127;

/// How deep a schema may nest with its references written out.
const MAX_DEPTH: usize = 512;

/// Reads `text`; types of `references` are known by their full names.
pub(crate) fn parse(text: &str, references: &[&Model], strictness: Strictness) -> Result<Model, CompileError> {
    let document = read_json(text, strictness)?;
    let mut model = Model::new();
    for reference in references {
        model.import(reference);
    }
    model.depth += levels(&document);
    if model.depth > MAX_DEPTH {
        let found = format!("{} with all references written out", model.depth);
        return Err(CompileError::new(String::new(), format!("at most {MAX_DEPTH} levels of nesting"), found));
    }
    let imported = model.len();
    let mut parser = Parser {
        model,
        imported,
        strictness,
        path: Vec::new(),
        unresolved: BTreeMap::new(),
        has_forward_references: false,
        open: Vec::new(),
        referring_ahead: HashSet::new(),
        retold: HashSet::new(),
        defaults: Vec::new(),
    };
    parser.model.root = parser.schema(&document, "")?;
    if let Some((_, missing)) = parser.unresolved.pop_first() {
        return Err(missing);
    }
    if parser.has_forward_references || !references.is_empty() {
        forward_references::check(&parser.model)?;
    }
    if parser.has_forward_references {
        parser.model.depth += MAX_LEVELS;
    }
    if strictness == Strictness::New {
        defaults::check(&parser.model, &parser.defaults)?;
    }
    Ok(parser.model)
}

fn read_json(text: &str, strictness: Strictness) -> Result<Value, CompileError> {
    let plain = comments::without(text);
    check_values(&plain, strictness)?;
    serde_json::from_str(&plain).map_err(|error| {
        let word = text.trim();
        if word.is_empty() {
            return CompileError::new(String::new(), "a schema", "an empty text");
        }
        // Our own reader says what was probably meant.
        let refused = match json::find_syntax_error(&plain, MAX_LEVELS) {
            Some(error) => CompileError::from(error),
            None => CompileError::new(String::new(), "JSON", error.to_string()),
        };
        match Primitive::of(word) {
            Some(_) => refused.remedy(format!("the name of a type stands in quotes: \"{word}\"")),
            None => refused,
        }
    })
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

struct Parser {
    model: Model,
    /// How many nodes come from references.
    imported: usize,
    strictness: Strictness,
    /// The place in the document as steps: `.fields[2]`, `.type`.
    path: Vec<String>,
    /// Types that are used but not defined yet: the placeholder of each, and the error in case that no definition follows.
    unresolved: BTreeMap<NodeId, CompileError>,
    /// Whether there have been any.
    has_forward_references: bool,
    /// The records whose definitions are being read, outermost first.
    open: Vec<OpenDefinition>,
    /// Definitions that refer to types which were not complete when they were read.
    referring_ahead: HashSet<NodeId>,
    /// Types from within references that this text defines as well.
    retold: HashSet<NodeId>,
    /// The defaults of all fields, checked when all types are known.
    defaults: Vec<defaults::FieldDefault>,
}

struct OpenDefinition {
    /// None for a second definition.
    id: Option<NodeId>,
    refers_ahead: bool,
}

type Attributes = Map<String, Value>;

impl Parser {
    fn schema(&mut self, schema: &Value, namespace: &str) -> Result<NodeId, CompileError> {
        match schema {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(attributes) => self.object(attributes, namespace),
            other => Err(self.error("the name of a type, an object or a list (a union)", describe(other))),
        }
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<NodeId, CompileError> {
        let mut nodes = Vec::with_capacity(branches.len());
        let mut labels = std::collections::HashSet::new();
        for (position, branch) in branches.iter().enumerate() {
            let node = self.at(format!("[{position}]"), |parser| {
                let node = parser.schema(branch, namespace)?;
                let kind = parser.model.kind(node);
                if matches!(kind, Kind::Union(_)) {
                    return Err(parser.error("a type that is no union", "a union within a union"));
                }
                if !labels.insert(kind.label().to_owned()) {
                    let found = format!("a second {}", kind.label());
                    let remedy = "of unnamed types a union holds one of each kind";
                    return Err(parser.error("branches that differ", found).remedy(remedy));
                }
                Ok(node)
            })?;
            nodes.push(node);
        }
        Ok(self.model.add(Kind::Union(nodes), Map::new()))
    }

    fn object(&mut self, attributes: &Attributes, namespace: &str) -> Result<NodeId, CompileError> {
        let word = match attributes.get("type") {
            Some(Value::String(word)) => word.as_str(),
            // Not in the specification, but Avro for Java accepts it.
            Some(inner @ Value::Object(members)) if members.contains_key("name") => {
                return self.at(".type".to_owned(), |parser| parser.schema(inner, namespace));
            }
            Some(other @ (Value::Object(_) | Value::Array(_))) => {
                let remedy = "write that schema here, without the object around it";
                return Err(self.error_at(".type", "the name of a type", describe(other)).remedy(remedy));
            }
            Some(other) => return Err(self.error_at(".type", "the name of a type", describe(other))),
            None => return Err(self.error("an object with \"type\"", "one without")),
        };
        match word {
            "record" | "error" => self.record(attributes, word == "error", namespace),
            "enum" => self.enumeration(attributes, namespace),
            "fixed" => self.fixed(attributes, namespace),
            "array" => {
                let items = self.member(attributes, "items", namespace)?;
                Ok(self.model.add(Kind::Array(items), properties(attributes, Reserved::Type)))
            }
            "map" => {
                let values = self.member(attributes, "values", namespace)?;
                Ok(self.model.add(Kind::Map(values), properties(attributes, Reserved::Type)))
            }
            _ => match Primitive::of(word) {
                Some(primitive) => {
                    let properties = properties(attributes, Reserved::Type);
                    if properties.is_empty() {
                        return Ok(Model::bare(primitive));
                    }
                    Ok(self.model.add(Kind::Primitive(primitive), properties))
                }
                // A name in place of a type. Other attributes of the object belong to the definition and are ignored here.
                None => self.at(".type".to_owned(), |parser| parser.named(word, namespace)),
            },
        }
    }

    /// The schema under `items` or `values`.
    fn member(&mut self, attributes: &Attributes, member: &str, namespace: &str) -> Result<NodeId, CompileError> {
        let Some(schema) = attributes.get(member) else {
            return Err(self.error(format!("an object with \"{member}\""), "one without"));
        };
        self.at(format!(".{member}"), |parser| parser.schema(schema, namespace))
    }

    fn record(&mut self, attributes: &Attributes, is_error: bool, namespace: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, namespace)?;
        let namespace = definition.name.namespace().to_owned();
        let mut record = Record { definition, is_error, fields: Vec::new() };
        let properties = properties(attributes, Reserved::Type);
        // Defined before its fields are read, because they may refer to it.
        let id = self.begin_definition(&Node { kind: Kind::Record(record.clone()), properties: properties.clone() })?;
        self.open.push(OpenDefinition { id, refers_ahead: false });
        let fields = self.list(attributes, "fields")?;
        let mut names = std::collections::HashSet::new();
        for (position, field) in fields.iter().enumerate() {
            let field = self.at(format!(".fields[{position}]"), |parser| {
                let field = parser.field(field, &namespace)?;
                if !names.insert(field.name.clone()) {
                    let found = format!("a second \"{}\"", field.name);
                    return Err(parser.error_at(".name", "fields with different names", found));
                }
                Ok(field)
            })?;
            record.fields.push(field);
        }
        let refers_ahead = self.open.pop().is_some_and(|open| open.refers_ahead);
        let node = Node { kind: Kind::Record(record), properties };
        let Some(id) = id else { return self.redefine(node, refers_ahead) };
        self.model.replace(id, node);
        if refers_ahead {
            self.referring_ahead.insert(id);
        }
        Ok(id)
    }

    fn field(&mut self, field: &Value, namespace: &str) -> Result<Field, CompileError> {
        let Value::Object(attributes) = field else {
            return Err(self.error("an object with \"name\" and \"type\"", describe(field)));
        };
        let name = self.name(attributes)?.to_owned();
        self.check_name(&name, ".name")?;
        let Some(schema) = attributes.get("type") else {
            return Err(self.error("an object with \"type\"", "one without"));
        };
        let node = self.at(".type".to_owned(), |parser| {
            parser.schema(schema, namespace).map_err(|error| match schema.as_str() {
                Some(word) if attributes::is_complex_type(word) => error.remedy(
                    "put the whole type into an object of its own, like {\"type\": {\"type\": \"array\", \"items\": \"int\"}}",
                ),
                _ => error,
            })
        })?;
        let default = self.default(attributes, node)?;
        if let Some(value) = &default {
            let path = self.path_to(".default");
            self.defaults.push(defaults::FieldDefault { node, value: value.clone(), path });
        }
        let mut seen = HashSet::new();
        let mut aliases = self.texts(attributes, "aliases")?;
        aliases.retain(|alias| seen.insert(alias.clone()));
        Ok(Field {
            name,
            node,
            doc: attributes::text(attributes, "doc"),
            default,
            order: self.order(attributes)?,
            aliases,
            properties: properties(attributes, Reserved::Field),
        })
    }

    /// The default as it will be printed: a string given for a float becomes the number that it spells.
    fn default(&self, attributes: &Attributes, node: NodeId) -> Result<Option<Value>, CompileError> {
        let default = attributes.get("default");
        let floating = matches!(self.model.kind(node), Kind::Primitive(Primitive::Float | Primitive::Double));
        match default {
            Some(Value::String(spelt)) if floating => match attributes::float(spelt) {
                Some(value) => Ok(Some(value)),
                None => Err(self.error_at(".default", "a number", describe(&Value::String(spelt.clone())))),
            },
            other => Ok(other.cloned()),
        }
    }

    fn order(&self, attributes: &Attributes) -> Result<Order, CompileError> {
        let Some(order) = attributes.get("order") else { return Ok(Order::Ascending) };
        match order.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("ascending") => Ok(Order::Ascending),
            Some("descending") => Ok(Order::Descending),
            Some("ignore") => Ok(Order::Ignore),
            _ => Err(self.error_at(".order", "\"ascending\", \"descending\" or \"ignore\"", describe(order))),
        }
    }

    fn enumeration(&mut self, attributes: &Attributes, namespace: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, namespace)?;
        let mut symbols = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (position, symbol) in self.list(attributes, "symbols")?.iter().enumerate() {
            let place = format!(".symbols[{position}]");
            let Value::String(symbol) = symbol else {
                return Err(self.error_at(&place, "a string", describe(symbol)));
            };
            self.check_name(symbol, &place)?;
            if !seen.insert(symbol.as_str()) {
                return Err(self.error_at(&place, "symbols that differ", format!("a second \"{symbol}\"")));
            }
            symbols.push(symbol.clone());
        }
        let default = match attributes.get("default") {
            Some(Value::String(symbol)) if symbols.contains(symbol) => Some(symbol.clone()),
            Some(unknown @ Value::String(_)) => {
                return Err(self.error_at(".default", "one of the symbols", describe(unknown)));
            }
            // Ignored, as other attributes of the wrong type.
            None | Some(_) => None,
        };
        let kind = Kind::Enum(Enum { definition, symbols, default });
        self.define(Node { kind, properties: properties(attributes, Reserved::Enum) })
    }

    fn fixed(&mut self, attributes: &Attributes, namespace: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, namespace)?;
        let size = match attributes.get("size") {
            Some(Value::Number(size)) => size.as_i64().and_then(|size| i32::try_from(size).ok()),
            Some(_) => None,
            None => return Err(self.error("a fixed with \"size\"", "one without")),
        };
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
            let found = describe(&attributes["size"]);
            return Err(self.error_at(".size", "a number of bytes from 0 to 2147483647", found));
        };
        let kind = Kind::Fixed(Fixed { definition, size });
        self.define(Node { kind, properties: properties(attributes, Reserved::Type) })
    }

    fn name<'a>(&self, attributes: &'a Attributes) -> Result<&'a str, CompileError> {
        match attributes.get("name") {
            Some(Value::String(name)) => Ok(name),
            Some(other) => Err(self.error_at(".name", "a string", describe(other))),
            None => Err(self.error("an object with \"name\"", "one without")),
        }
    }

    fn list<'a>(&self, attributes: &'a Attributes, member: &str) -> Result<&'a [Value], CompileError> {
        match attributes.get(member) {
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.error_at(&format!(".{member}"), "a list", describe(other))),
            None => Err(self.error(format!("an object with \"{member}\""), "one without")),
        }
    }

    fn texts(&self, attributes: &Attributes, member: &str) -> Result<Vec<String>, CompileError> {
        if !attributes.contains_key(member) {
            return Ok(Vec::new());
        }
        let items = self.list(attributes, member)?.iter().enumerate();
        items
            .map(|(position, item)| match item {
                Value::String(text) => Ok(text.clone()),
                other => Err(self.error_at(&format!(".{member}[{position}]"), "a string", describe(other))),
            })
            .collect()
    }

    /// Runs `inner` one step deeper in the document.
    fn at<T>(
        &mut self,
        step: String,
        inner: impl FnOnce(&mut Parser) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        self.path.push(step);
        let result = inner(self);
        self.path.pop();
        result
    }

    fn error(&self, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        self.error_at("", expected, found)
    }

    fn error_at(&self, step: &str, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        CompileError::new(self.path_to(step), expected, found)
    }

    fn path_to(&self, step: &str) -> String {
        let path = format!("{}{step}", self.path.concat());
        path.strip_prefix('.').map_or_else(|| path.clone(), str::to_owned)
    }
}
