//! Defaults of fields: whether they fit their types, and how they are written once their types are known.
//!
//! A string fits string, bytes, enum and fixed alike. Neither Avro for Java nor Confluent's registry checks whether it is a
//! symbol or has the right length, and a schema that they accept must be accepted here.

use std::collections::HashMap;
use std::rc::Rc;

use postern_json_text as json;
use postern_schema_core::CompileError;
use serde_json::{Map, Number, Value};

use crate::describe::{describe, type_label};
use crate::model::{Kind, Model, NodeId, Primitive, Record};

/// The default of a field, with the field's type and the default's place in the document.
pub(crate) struct FieldDefault {
    pub(crate) node: NodeId,
    pub(crate) value: Value,
    pub(crate) path: String,
}

/// Checks the defaults of a new schema.
pub(crate) fn check(model: &Model, defaults: &[FieldDefault]) -> Result<(), CompileError> {
    let mut check = Check { fields: FieldIndex::new(model), known: HashMap::new() };
    for FieldDefault { node, value, path } in defaults {
        // Other strings became numbers when the text was read.
        let is_own_nan = is_floating(model, *node) && is_nan(value);
        if !is_own_nan && !check.conforms(*node, value) {
            let expected = format!("a default of type {}", type_label(model, *node));
            let error = CompileError::new(path.clone(), expected, describe(value));
            let remedy = "NaN and the infinities can be the default only of a field whose own type is float or double";
            return Err(if mentions_nan(value) { error.remedy(remedy) } else { error });
        }
    }
    Ok(())
}

/// The fields of records by name, indexed when a record is first met: a text may hold many defaults of one large record.
struct FieldIndex<'m> {
    model: &'m Model,
    records: HashMap<NodeId, Rc<RecordFields<'m>>>,
}

struct RecordFields<'m> {
    types: HashMap<&'m str, NodeId>,
    /// The fields that have no default of their own.
    required: Vec<&'m str>,
}

impl<'m> FieldIndex<'m> {
    fn new(model: &'m Model) -> FieldIndex<'m> {
        FieldIndex { model, records: HashMap::new() }
    }

    fn of(&mut self, node: NodeId, record: &'m Record) -> Rc<RecordFields<'m>> {
        let fields = self.records.entry(node).or_insert_with(|| {
            let types = record.fields.iter().map(|field| (field.name.as_str(), field.node)).collect();
            let required = record.fields.iter().filter(|field| field.default.is_none());
            Rc::new(RecordFields { types, required: required.map(|field| field.name.as_str()).collect() })
        });
        Rc::clone(fields)
    }
}

impl RecordFields<'_> {
    /// Whether `members` has all fields that have no default of their own.
    fn all_given(&self, members: &Map<String, Value>) -> bool {
        self.required.iter().all(|name| members.contains_key(*name))
    }
}

struct Check<'m> {
    fields: FieldIndex<'m>,
    /// Results for records by type and address of the value, because nested unions would otherwise be tried 2^n times.
    known: HashMap<(NodeId, *const Value), bool>,
}

impl Check<'_> {
    /// Recurses over the default, whose depth `serde_json` bounds. A branch of a union is no union, so types add one level at most.
    fn conforms(&mut self, node: NodeId, value: &Value) -> bool {
        match self.fields.model.kind(node) {
            Kind::Primitive(primitive) => primitive_conforms(*primitive, value),
            Kind::Enum(_) | Kind::Fixed(_) => value.is_string(),
            Kind::Array(items) => {
                value.as_array().is_some_and(|list| list.iter().all(|item| self.conforms(*items, item)))
            }
            Kind::Map(values) => {
                value.as_object().is_some_and(|map| map.values().all(|value| self.conforms(*values, value)))
            }
            Kind::Union(branches) => branches.iter().any(|branch| self.conforms(*branch, value)),
            Kind::Record(record) => {
                let Value::Object(members) = value else { return false };
                let pair = (node, std::ptr::from_ref(value));
                if let Some(conforms) = self.known.get(&pair) {
                    return *conforms;
                }
                let fields = self.fields.of(node, record);
                let conforms = fields.all_given(members)
                    && members.iter().all(|(name, member)| match fields.types.get(name.as_str()) {
                        Some(field) => self.conforms(*field, member),
                        None => true, // ignored, as Avro for Java does
                    });
                self.known.insert(pair, conforms);
                conforms
            }
        }
    }
}

/// Brings defaults to the form of `normalize=true`.
pub(crate) struct Normalizer<'m> {
    fields: FieldIndex<'m>,
}

impl<'m> Normalizer<'m> {
    pub(crate) fn new(model: &'m Model) -> Normalizer<'m> {
        Normalizer { fields: FieldIndex::new(model) }
    }

    /// The default of a field in the form of its type: whole numbers as fractions where that is float or double, floats with a
    /// float's digits, members of objects sorted. A default that does not fit the first branch of its union, and a whole number
    /// beyond 64 bits, stay as they are: Confluent loses them.
    pub(crate) fn normalized(&mut self, node: NodeId, value: &Value) -> Value {
        let typed = self.typed(node, value).unwrap_or_else(|| value.clone());
        match (self.fields.model.kind(node), typed.as_number()) {
            (Kind::Primitive(Primitive::Float), Some(number)) if float(number).is_infinite() => {
                Value::String(if number.as_str().starts_with('-') { "-Infinity" } else { "Infinity" }.to_owned())
            }
            _ => typed,
        }
    }

    /// The value in the form of its type; none if it does not fit.
    fn typed(&mut self, node: NodeId, value: &Value) -> Option<Value> {
        match (self.fields.model.kind(node), value) {
            (Kind::Primitive(Primitive::Float), Value::Number(number)) => {
                Some(fraction(number, |out| json::java_float(float(number), out)))
            }
            (Kind::Primitive(Primitive::Double), Value::Number(number)) => {
                Some(fraction(number, |out| json::java_double(double(number), out)))
            }
            (Kind::Primitive(primitive), value) => primitive_conforms(*primitive, value).then(|| value.clone()),
            (Kind::Enum(_) | Kind::Fixed(_), Value::String(_)) => Some(value.clone()),
            (Kind::Array(items), Value::Array(list)) => {
                list.iter().map(|item| self.typed(*items, item)).collect::<Option<_>>().map(Value::Array)
            }
            (Kind::Map(values), Value::Object(members)) => sorted(members, |_, member| self.typed(*values, member)),
            (Kind::Record(record), Value::Object(members)) => {
                let fields = self.fields.of(node, record);
                let typed = |name: &str, member: &Value| match fields.types.get(name) {
                    Some(field) => self.typed(*field, member),
                    None => Some(member.clone()),
                };
                if fields.all_given(members) { sorted(members, typed) } else { None }
            }
            (Kind::Union(branches), value) => branches.first().and_then(|first| self.typed(*first, value)),
            (Kind::Enum(_) | Kind::Fixed(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_), _) => None,
        }
    }
}

fn sorted(members: &Map<String, Value>, mut typed: impl FnMut(&str, &Value) -> Option<Value>) -> Option<Value> {
    let mut members = members.iter().collect::<Vec<_>>();
    members.sort_by_key(|(name, _)| *name);
    let members = members.into_iter().map(|(name, member)| Some((name.clone(), typed(name, member)?)));
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// The number as `print` writes it; as it is if that is no JSON number, or if it is a whole number beyond 64 bits.
fn fraction(number: &Number, print: impl Fn(&mut String)) -> Value {
    let is_whole = !number.as_str().contains(['.', 'e', 'E']);
    if is_whole && number.as_i64().is_none() {
        return Value::Number(number.clone());
    }
    let mut text = String::new();
    print(&mut text);
    Value::Number(text.parse().unwrap_or_else(|_| number.clone()))
}

fn float(number: &Number) -> f32 {
    match number.as_i64() {
        Some(whole) => whole as f32,
        None => double(number) as f32,
    }
}

fn double(number: &Number) -> f64 {
    match number.as_i64() {
        // Not by its digits: `-0` is the integer 0.
        Some(whole) => whole as f64,
        None => number.as_str().parse().expect("JSON numbers are a subset of what Rust reads as a float"),
    }
}

fn primitive_conforms(primitive: Primitive, value: &Value) -> bool {
    let whole = || value.as_number().and_then(Number::as_i64);
    match primitive {
        Primitive::Null => value.is_null(),
        Primitive::Boolean => value.is_boolean(),
        Primitive::Int => whole().is_some_and(|value| i32::try_from(value).is_ok()),
        Primitive::Long => whole().is_some(),
        Primitive::Float | Primitive::Double => value.is_number(),
        Primitive::Bytes | Primitive::String => value.is_string(),
    }
}

fn is_floating(model: &Model, node: NodeId) -> bool {
    matches!(model.kind(node), Kind::Primitive(Primitive::Float | Primitive::Double))
}

fn mentions_nan(value: &Value) -> bool {
    match value {
        Value::String(_) => is_nan(value),
        Value::Array(items) => items.iter().any(mentions_nan),
        Value::Object(members) => members.values().any(mentions_nan),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether it is a string for what JSON has no number for.
fn is_nan(value: &Value) -> bool {
    matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity"))
}
