//! The same schema as one document that refers to nothing outside, for the validator.
//!
//! What nothing leads to is left out, and so is what says nothing: a negative `minLength`, `format`s that a draft does
//! not know. Drafts 4 to 7 come out as draft-07, the others as 2020-12. So the validator meets lawful schemas only, and
//! the oddities of the drafts are settled here.

mod depth;

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::decimal::Decimal;
use super::draft::Draft;
use super::library::{Library, Place};
use super::pattern;

/// In the old drafts a whole number is one that is written so. The validator is taught this keyword.
pub(super) const WRITTEN_WHOLE: &str = "x-written-whole";
/// Strings are held to our own regular expressions, of which the validator would refuse some.
pub(super) const MATCHES: &str = "x-matches";

/// What the names of a value's properties cost to be looked at is to be spent; the validator is taught this keyword.
pub(super) const LOOKS_AT_NAMES: &str = "x-looks-at-names";

/// A document for the validator.
#[derive(Debug)]
pub(super) struct Plain {
    /// A reference to the first of its definitions.
    pub(super) document: Value,
    pub(super) classic: bool,
    /// Whether any property has a default that is to be filled in.
    pub(super) has_defaults: bool,
    /// So many schemas may be about one and the same value, one within the other.
    pub(super) depth: usize,
}

impl Plain {
    /// Where the schemas of the document stand.
    pub(super) const DEFINITIONS: &str = "definitions";

    pub(super) fn new(library: &Library<'_>) -> Plain {
        let (places, pending, definitions) = Default::default();
        let mut writer = Writer { library, places, pending, named: 0, definitions, has_defaults: false };
        let reference = writer.reference(library.root(0));
        while let Some((name, place)) = writer.pending.pop() {
            let schema = writer.schema(&place);
            writer.definitions.insert(name.to_string(), schema);
        }
        let depth = depth::depth(&writer.definitions);
        let document = json!({ "$ref": reference, Self::DEFINITIONS: writer.definitions });
        Plain { document, classic: library.draft(0).is_classic(), has_defaults: writer.has_defaults, depth }
    }

    /// What a reference in the document means.
    pub(super) fn target(&self, reference: &Value) -> Option<&Value> {
        let name = reference.as_str()?.rsplit('/').next()?;
        self.document[Self::DEFINITIONS].get(name)
    }
}

struct Writer<'d, 'l> {
    library: &'l Library<'d>,
    places: HashMap<(usize, usize), usize>,
    pending: Vec<(usize, Place<'d>)>,
    /// So many definitions have names.
    named: usize,
    definitions: Map<String, Value>,
    has_defaults: bool,
}

/// Where a schema stands.
struct Scope {
    document: usize,
    draft: Draft,
    base: Rc<str>,
}

impl<'d> Writer<'d, '_> {
    /// A reference to a schema. What is nothing but a reference itself is left out.
    fn reference(&mut self, place: Place<'d>) -> String {
        let (mut place, mut passed) = (place, Vec::new());
        let name = loop {
            if let Some(known) = self.places.get(&place.key()) {
                break *known;
            }
            passed.push(place.key());
            match self.referred(&place) {
                Some(target) => place = target,
                None => {
                    self.named += 1;
                    self.pending.push((self.named, place));
                    break self.named;
                }
            }
        };
        self.places.extend(passed.into_iter().map(|key| (key, name)));
        format!("#/{}/{name}", Plain::DEFINITIONS)
    }

    /// What a schema refers to that says nothing else.
    fn referred(&self, place: &Place<'d>) -> Option<Place<'d>> {
        let members = place.value.as_object()?;
        let reference = members.get("$ref")?.as_str()?;
        let alone = self.library.draft(place.document).is_classic() || members.len() == 1;
        // References were found to lead somewhere, and never in a circle, when the schema was compiled.
        let base = self.library.base_within(place);
        alone.then(|| self.library.resolve(place.document, &base, reference)).flatten()
    }

    fn schema(&mut self, place: &Place<'d>) -> Value {
        let Value::Object(members) = place.value else { return place.value.clone() };
        let scope = Scope {
            document: place.document,
            draft: self.library.draft(place.document),
            base: self.library.base_within(place),
        };
        let mut out = Map::new();
        // What cannot stand in its own keyword.
        let mut also = Vec::new();
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            if let Some(target) = self.library.resolve(scope.document, &scope.base, reference) {
                out.insert("$ref".to_owned(), self.reference(target).into());
            }
            if scope.draft.is_classic() {
                return Value::Object(out);
            }
        }
        if let Some(default) = members.get("default").filter(|_| scope.draft.is_classic()) {
            self.has_defaults = true;
            out.insert("default".to_owned(), default.clone());
        }
        for (keyword, value) in members {
            self.keyword(&scope, members, keyword, value, &mut out, &mut also);
        }
        if !also.is_empty() {
            let all = out.entry("allOf").or_insert_with(|| json!([]));
            all.as_array_mut().expect("an allOf is written as a list").extend(also);
        }
        match out.get("patternProperties").and_then(Value::as_object) {
            Some(patterns) if !patterns.is_empty() => paid_for(out),
            _ => Value::Object(out),
        }
    }

    fn keyword(
        &mut self,
        scope: &Scope,
        members: &'d Map<String, Value>,
        keyword: &str,
        value: &'d Value,
        out: &mut Map<String, Value>,
        also: &mut Vec<Value>,
    ) {
        let modern = !scope.draft.is_classic();
        let mut keep = |value: Value| {
            out.insert(keyword.to_owned(), value);
        };
        match (keyword, value) {
            ("type", _) => also.extend(types(scope.draft, value)),
            ("enum", Value::Array(values)) if values.is_empty() => also.push(json!(false)),
            ("enum", Value::Array(_)) | ("uniqueItems", Value::Bool(_)) => keep(value.clone()),
            ("pattern", Value::String(_)) => drop(out.insert(MATCHES.to_owned(), value.clone())),
            ("const", _) if scope.draft > Draft::Four => keep(value.clone()),
            ("required", Value::Array(names)) => keep(each_once(names)),
            // Letters of any script were always taken, and in draft 4 references.
            ("format", Value::String(format)) if scope.draft.checks(format) => keep(match format.as_str() {
                "uri" if scope.draft == Draft::Four => "iri-reference".into(),
                "uri" => "iri".into(),
                "uri-reference" => "iri-reference".into(),
                format => format.into(),
            }),
            ("minLength" | "minItems" | "minProperties", Value::Number(_)) if is_negative(value) => {}
            ("maxLength" | "maxItems" | "maxProperties", Value::Number(_)) if is_negative(value) => {
                also.push(json!(false))
            }
            (
                "minLength" | "minItems" | "minProperties" | "maxLength" | "maxItems" | "maxProperties",
                Value::Number(_),
            ) => {
                keep(value.clone());
            }
            ("minContains" | "maxContains", Value::Number(_)) if modern && !is_negative(value) => keep(value.clone()),
            ("minimum" | "maximum", Value::Number(_)) => {
                let exclusive = if keyword == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                match scope.draft == Draft::Four && members.get(exclusive) == Some(&Value::Bool(true)) {
                    true => drop(out.insert(exclusive.to_owned(), value.clone())),
                    false => keep(value.clone()),
                }
            }
            ("exclusiveMinimum" | "exclusiveMaximum", Value::Number(_)) if scope.draft > Draft::Four => {
                keep(value.clone())
            }
            ("multipleOf", Value::Number(number)) => {
                let digits = number.as_str().trim_start_matches('-');
                if Decimal::read(digits).is_some_and(|unit| !unit.is_zero()) {
                    digits.parse().into_iter().for_each(|unit| keep(Value::Number(unit)));
                }
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) if parts.is_empty() => {
                also.extend((keyword != "allOf").then_some(json!(false)));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => keep(self.list(scope, parts)),
            ("not" | "additionalProperties", _) => keep(self.child(scope, value)),
            ("if" | "then" | "else", _) if scope.draft >= Draft::Seven && members.contains_key("if") => {
                keep(self.child(scope, value))
            }
            ("contains" | "propertyNames", _) if scope.draft > Draft::Four => keep(self.child(scope, value)),
            // After none of the listed items all are additional.
            ("items", Value::Array(parts)) if !modern && parts.is_empty() => {
                members.get("additionalItems").into_iter().for_each(|rest| keep(self.child(scope, rest)));
            }
            ("items", Value::Array(parts)) if !modern => keep(self.list(scope, parts)),
            ("items", _) => keep(self.child(scope, value)),
            ("additionalItems", _) if !modern => keep(self.child(scope, value)),
            ("prefixItems", Value::Array(parts)) if modern && !parts.is_empty() => keep(self.list(scope, parts)),
            ("unevaluatedItems" | "unevaluatedProperties", _) if modern => keep(self.child(scope, value)),
            ("properties", Value::Object(parts)) => keep(self.map(scope, parts)),
            ("patternProperties", Value::Object(parts)) => {
                let parts = parts.iter().map(|(pattern, part)| (pattern::plain(pattern), self.child(scope, part)));
                let parts = parts.collect();
                keep(Value::Object(parts));
            }
            ("dependentSchemas", Value::Object(parts)) if modern => keep(self.map(scope, parts)),
            ("dependentRequired", Value::Object(parts)) if modern => keep(self.map(scope, parts)),
            ("dependencies", Value::Object(parts)) if !modern => keep(self.map(scope, parts)),
            _ => {}
        }
    }

    fn child(&mut self, scope: &Scope, value: &'d Value) -> Value {
        self.schema(&Place { document: scope.document, around: scope.base.clone(), value })
    }

    fn list(&mut self, scope: &Scope, parts: &'d [Value]) -> Value {
        parts.iter().map(|part| self.child(scope, part)).collect()
    }

    /// A map of schemas, or of lists of names.
    fn map(&mut self, scope: &Scope, parts: &'d Map<String, Value>) -> Value {
        let part = |(name, part): (&'d String, &'d Value)| {
            let written = match part {
                Value::Array(names) => each_once(names),
                schema => self.child(scope, schema),
            };
            (name.clone(), written)
        };
        Value::Object(parts.iter().map(part).collect())
    }
}

/// A schema that looks at the names of properties, after one that spends what this costs.
fn paid_for(mut schema: Map<String, Value>) -> Value {
    let default = schema.remove("default");
    let patterns: Value =
        schema["patternProperties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let mut out = json!({ "allOf": [{ LOOKS_AT_NAMES: patterns }, schema] });
    // Where it is looked for.
    default.into_iter().for_each(|default| out["default"] = default);
    out
}

/// What `type` says: one type or one of several, each at most once.
fn types(draft: Draft, written: &Value) -> Option<Value> {
    let names = match written {
        Value::Array(names) => names.clone(),
        name => vec![name.clone()],
    };
    let (whole, others) = names.into_iter().partition::<Vec<_>, _>(|name| draft.is_classic() && name == "integer");
    let whole = (!whole.is_empty()).then(|| json!({ WRITTEN_WHOLE: true }));
    let others = (!others.is_empty()).then(|| json!({ "type": each_once(&others) }));
    match (whole, others) {
        (None, None) => Some(json!(false)),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (Some(whole), Some(others)) => Some(json!({ "anyOf": [whole, others] })),
    }
}

fn each_once(values: &[Value]) -> Value {
    let mut met = std::collections::HashSet::new();
    values.iter().filter(|value| met.insert(*value)).cloned().collect()
}

fn is_negative(number: &Value) -> bool {
    matches!(number, Value::Number(digits) if digits.as_str().starts_with('-') && digits.as_str() != "-0")
}
