//! Reads a schema text into a model, and says what is wrong with it.
//!
//! JSON itself is read by `serde_json`, which refuses trailing commas, text after the end and more than 128 levels;
//! so the recursion here is bounded, too. Of a repeated member the last counts. Comments are let pass: the library that
//! most schemas are made with reads them.
//!
//! For the same reason a name may be used before the place where it is defined, though the specification ("Names") forbids it.

mod ahead;
mod attributes;
mod comments;
mod definitions;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::conform;
use super::model::{Enum, Field, Fixed, Kind, Model, NodeId, Order, Primitive, Record};
pub(super) use attributes::describe;
use attributes::{Reserved, properties};
use postern_schema_core::{CompileError, Strictness};

/// How deep a text may nest; JSON's reader ends there.
const MAX_LEVELS: usize = 127;

/// How deep a schema may nest with its references in place.
const MAX_DEPTH: usize = 512;

/// Reads `text`; types of `references` are known by their full names.
pub(crate) fn parse(text: &str, references: &[&Model], strictness: Strictness) -> Result<Model, CompileError> {
    let document = read_json(text)?;
    let mut model = Model::new();
    for reference in references {
        model.import(reference);
    }
    model.depth += levels(&document);
    if model.depth > MAX_DEPTH {
        let found = format!("{} with all references in place", model.depth);
        return Err(CompileError::new(String::new(), format!("at most {MAX_DEPTH} levels of nesting"), found));
    }
    let imported = model.len();
    let mut parser = Parser {
        model,
        imported,
        strictness,
        path: Vec::new(),
        awaited: BTreeMap::new(),
        looks_ahead: false,
        repeated: Vec::new(),
        defaults: Vec::new(),
    };
    parser.model.root = parser.schema(&document, "")?;
    if let Some((_, missing)) = parser.awaited.pop_first() {
        return Err(missing);
    }
    if parser.looks_ahead || !references.is_empty() {
        ahead::check(&parser.model)?;
    }
    if parser.looks_ahead {
        parser.model.depth += MAX_LEVELS;
    }
    parser.check_repeated()?;
    if strictness == Strictness::New {
        conform::check(&parser.model, &parser.defaults)?;
    }
    Ok(parser.model)
}

fn read_json(text: &str) -> Result<Value, CompileError> {
    let plain = comments::without(text);
    serde_json::from_str(&plain).map_err(|error| {
        let refused = CompileError::new(String::new(), "JSON", error.to_string());
        let word = text.trim();
        if word.is_empty() {
            CompileError::new(String::new(), "a schema", "an empty text")
        } else if Primitive::of(word).is_some() {
            refused.remedy(format!("the name of a type stands in quotes: \"{word}\""))
        } else {
            refused
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
    /// So many nodes come from references.
    imported: usize,
    strictness: Strictness,
    /// Where in the document we are: `.fields`, `[2]`, `.type`.
    path: Vec<String>,
    /// Types used before they are defined: the node kept for each, and what is wrong should the definition not come.
    awaited: BTreeMap<NodeId, CompileError>,
    /// Whether there were any.
    looks_ahead: bool,
    /// Types defined in a reference, here too, and at which place here.
    repeated: Vec<(NodeId, NodeId, String)>,
    /// Defaults met, checked when all types are known.
    defaults: Vec<conform::Default>,
}

type Attributes = Map<String, Value>;

impl Parser {
    fn schema(&mut self, schema: &Value, space: &str) -> Result<NodeId, CompileError> {
        match schema {
            Value::String(name) => self.named(name, space),
            Value::Array(branches) => self.union(branches, space),
            Value::Object(attributes) => self.object(attributes, space),
            other => Err(self.wrong("the name of a type, an object or a list (a union)", describe(other))),
        }
    }

    fn union(&mut self, branches: &[Value], space: &str) -> Result<NodeId, CompileError> {
        let mut nodes = Vec::with_capacity(branches.len());
        let mut labels = std::collections::HashSet::new();
        for (position, branch) in branches.iter().enumerate() {
            let node = self.at(format!("[{position}]"), |parser| {
                let node = parser.schema(branch, space)?;
                let kind = parser.model.kind(node);
                if matches!(kind, Kind::Union(_)) {
                    return Err(parser.wrong("a type that is no union", "a union within a union"));
                }
                if !labels.insert(kind.label().to_owned()) {
                    let found = format!("a second {}", kind.label());
                    let remedy = "of unnamed types a union holds one of each kind";
                    return Err(parser.wrong("branches that differ", found).remedy(remedy));
                }
                Ok(node)
            })?;
            nodes.push(node);
        }
        Ok(self.model.add(Kind::Union(nodes), Map::new()))
    }

    fn object(&mut self, attributes: &Attributes, space: &str) -> Result<NodeId, CompileError> {
        let word = match attributes.get("type") {
            Some(Value::String(word)) => word.as_str(),
            // Not in the specification, but taken by the library most schemas are made with.
            Some(inner @ Value::Object(members)) if members.contains_key("name") => {
                return self.at(".type".to_owned(), |parser| parser.schema(inner, space));
            }
            Some(other @ (Value::Object(_) | Value::Array(_))) => {
                let remedy = "write that schema here, without the object around it";
                return Err(self.wrong_at(".type", "the name of a type", describe(other)).remedy(remedy));
            }
            Some(other) => return Err(self.wrong_at(".type", "the name of a type", describe(other))),
            None => return Err(self.wrong("an object with \"type\"", "one without")),
        };
        match word {
            "record" | "error" => self.record(attributes, word == "error", space),
            "enum" => self.choice(attributes, space),
            "fixed" => self.fixed(attributes, space),
            "array" => {
                let items = self.member(attributes, "items", space)?;
                Ok(self.model.add(Kind::Array(items), properties(attributes, Reserved::Type)))
            }
            "map" => {
                let values = self.member(attributes, "values", space)?;
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
                // A name in place of a type: what else stands in the object belongs to the definition, not here.
                None => self.at(".type".to_owned(), |parser| parser.named(word, space)),
            },
        }
    }

    /// The schema under `items` or `values`.
    fn member(&mut self, attributes: &Attributes, member: &str, space: &str) -> Result<NodeId, CompileError> {
        let Some(schema) = attributes.get(member) else {
            return Err(self.wrong(format!("an object with \"{member}\""), "one without"));
        };
        self.at(format!(".{member}"), |parser| parser.schema(schema, space))
    }

    fn record(&mut self, attributes: &Attributes, error: bool, space: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, space)?;
        let space = definition.name.space().to_owned();
        let mut record = Record { definition, error, fields: Vec::new() };
        // Known before its fields are read: they may refer to it.
        let id = self.define(Kind::Record(record.clone()), properties(attributes, Reserved::Type));
        let fields = self.list(attributes, "fields")?;
        let mut names = std::collections::HashSet::new();
        for (position, field) in fields.iter().enumerate() {
            let field = self.at(format!(".fields[{position}]"), |parser| {
                let field = parser.field(field, &space)?;
                if !names.insert(field.name.clone()) {
                    let found = format!("a second \"{}\"", field.name);
                    return Err(parser.wrong_at(".name", "fields with different names", found));
                }
                Ok(field)
            })?;
            record.fields.push(field);
        }
        self.model.complete(id, Kind::Record(record));
        Ok(id)
    }

    fn field(&mut self, field: &Value, space: &str) -> Result<Field, CompileError> {
        let Value::Object(attributes) = field else {
            return Err(self.wrong("an object with \"name\" and \"type\"", describe(field)));
        };
        let name = self.name(attributes)?.to_owned();
        self.lawful(&name, ".name")?;
        let Some(schema) = attributes.get("type") else {
            return Err(self.wrong("an object with \"type\"", "one without"));
        };
        let node = self.at(".type".to_owned(), |parser| {
            parser.schema(schema, space).map_err(|error| match schema.as_str() {
                Some(word) if attributes::is_word(word) => error.remedy(
                    "put the whole type into an object of its own, like {\"type\": {\"type\": \"array\", \"items\": \"int\"}}",
                ),
                _ => error,
            })
        })?;
        let default = self.default(attributes, node)?;
        if let Some(value) = &default {
            let path = self.place(".default");
            self.defaults.push(conform::Default { node, value: value.clone(), path });
        }
        let mut aliases = Vec::new();
        for alias in self.texts(attributes, "aliases")? {
            if !aliases.contains(&alias) {
                aliases.push(alias);
            }
        }
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

    /// The default as it will be printed: text given for a float is the number it spells.
    fn default(&self, attributes: &Attributes, node: NodeId) -> Result<Option<Value>, CompileError> {
        let default = attributes.get("default");
        let floating = matches!(self.model.kind(node), Kind::Primitive(Primitive::Float | Primitive::Double));
        match default {
            Some(Value::String(spelt)) if floating => match attributes::float(spelt) {
                Some(value) => Ok(Some(value)),
                None => Err(self.wrong_at(".default", "a number", describe(&Value::String(spelt.clone())))),
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
            _ => Err(self.wrong_at(".order", "\"ascending\", \"descending\" or \"ignore\"", describe(order))),
        }
    }

    fn choice(&mut self, attributes: &Attributes, space: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, space)?;
        let mut symbols = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (position, symbol) in self.list(attributes, "symbols")?.iter().enumerate() {
            let place = format!(".symbols[{position}]");
            let Value::String(symbol) = symbol else {
                return Err(self.wrong_at(&place, "a text", describe(symbol)));
            };
            self.lawful(symbol, &place)?;
            if !seen.insert(symbol.as_str()) {
                return Err(self.wrong_at(&place, "symbols that differ", format!("a second \"{symbol}\"")));
            }
            symbols.push(symbol.clone());
        }
        let default = match attributes.get("default") {
            Some(Value::String(symbol)) if symbols.contains(symbol) => Some(symbol.clone()),
            Some(unknown @ Value::String(_)) => {
                return Err(self.wrong_at(".default", "one of the symbols", describe(unknown)));
            }
            // Says nothing, as other attributes of the wrong type.
            None | Some(_) => None,
        };
        let kind = Kind::Enum(Enum { definition, symbols, default });
        Ok(self.define(kind, properties(attributes, Reserved::Enum)))
    }

    fn fixed(&mut self, attributes: &Attributes, space: &str) -> Result<NodeId, CompileError> {
        let definition = self.definition(attributes, space)?;
        let size = match attributes.get("size") {
            Some(Value::Number(size)) => size.as_i64().and_then(|size| i32::try_from(size).ok()),
            Some(_) => None,
            None => return Err(self.wrong("a fixed with \"size\"", "one without")),
        };
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
            let found = describe(&attributes["size"]);
            return Err(self.wrong_at(".size", "a number of bytes from 0 to 2147483647", found));
        };
        Ok(self.define(Kind::Fixed(Fixed { definition, size }), properties(attributes, Reserved::Type)))
    }

    fn name<'a>(&self, attributes: &'a Attributes) -> Result<&'a str, CompileError> {
        match attributes.get("name") {
            Some(Value::String(name)) => Ok(name),
            Some(other) => Err(self.wrong_at(".name", "a text", describe(other))),
            None => Err(self.wrong("an object with \"name\"", "one without")),
        }
    }

    fn list<'a>(&self, attributes: &'a Attributes, member: &str) -> Result<&'a [Value], CompileError> {
        match attributes.get(member) {
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong_at(&format!(".{member}"), "a list", describe(other))),
            None => Err(self.wrong(format!("an object with \"{member}\""), "one without")),
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
                other => Err(self.wrong_at(&format!(".{member}[{position}]"), "a text", describe(other))),
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

    fn wrong(&self, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        self.wrong_at("", expected, found)
    }

    fn wrong_at(&self, step: &str, expected: impl Into<String>, found: impl Into<String>) -> CompileError {
        CompileError::new(self.place(step), expected, found)
    }

    fn place(&self, step: &str) -> String {
        let path = format!("{}{step}", self.path.concat());
        path.strip_prefix('.').map_or_else(|| path.clone(), str::to_owned)
    }
}
