//! Bundles a schema and its references into one document for the validator.
//!
//! Drops unreachable parts and keywords without effect (a negative `minLength`, a `format` that the draft does not know),
//! and rewrites drafts 4 to 7 as draft-07, the others as 2020-12, so that the validator sees only valid schemas of these
//! two.

mod depth;
mod unfolded;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::decimal::Decimal;
use super::draft::Draft;
use super::pattern;
use super::resolver::{Place, SchemaResolver};

/// In the old drafts a whole number is one that is written so. The validator is taught this keyword.
pub(super) const WRITTEN_WHOLE: &str = "x-written-whole";
/// Strings are held to our own regular expressions, of which the validator would refuse some.
pub(super) const MATCHES: &str = "x-matches";

/// What the names of a value's properties cost to be looked at is to be spent; the validator is taught this keyword.
pub(super) const LOOKS_AT_NAMES: &str = "x-looks-at-names";

/// What it costs to hold a value to a schema is to be spent before that is done; the validator is taught this keyword. Its
/// value says how many schemas are about the value itself, how many about each of its parts, and whether parts are compared.
pub(super) const COSTS: &str = "x-costs";

/// A document for the validator.
#[derive(Debug)]
pub(super) struct BundledSchema {
    /// A reference to the first of its definitions.
    pub(super) document: Value,
    pub(super) classic: bool,
    /// Whether any property has a default that is to be filled in.
    pub(super) has_defaults: bool,
    /// So many schemas may be about one and the same value, one within the other.
    pub(super) depth: usize,
}

impl BundledSchema {
    /// Where the schemas of the document stand.
    pub(super) const DEFINITIONS: &str = "definitions";

    pub(super) fn new(resolver: &SchemaResolver<'_>) -> BundledSchema {
        let (bundle, is_small) = BundledSchema::write(resolver, false);
        if is_small { bundle } else { BundledSchema::write(resolver, true).0 }
    }

    /// Returns it, and whether it is so small that nothing has to count what it costs to hold values to it.
    fn write(resolver: &SchemaResolver<'_>, counts_costs: bool) -> (BundledSchema, bool) {
        let classic = resolver.draft(0).is_classic();
        let (places, pending, definitions) = Default::default();
        let mut writer = Writer {
            resolver,
            classic,
            counts_costs,
            places,
            pending,
            named: 0,
            definitions,
            has_defaults: false,
            environments: Environments::default(),
        };
        let reference = writer.reference(resolver.root(0), Environments::EMPTY);
        while let Some((name, place, environment)) = writer.pending.pop() {
            let schema = writer.schema(&place, environment);
            writer.definitions.insert(name.to_string(), schema);
            if writer.environments.is_many() && writer.named > MAX_DEFINITIONS {
                writer.environments.overflowed = true;
                break;
            }
        }
        let depth = match writer.environments.overflowed {
            true => usize::MAX,
            false => depth::depth(&writer.definitions),
        };
        let first = reference.rsplit('/').next().unwrap_or_default();
        let is_small = unfolded::is_at_most(MAX_UNCOUNTED, &writer.definitions, first);
        let document = json!({ "$ref": reference, Self::DEFINITIONS: writer.definitions });
        (BundledSchema { document, classic, has_defaults: writer.has_defaults, depth }, is_small)
    }

    /// The schema that a reference in the document leads to.
    pub(super) fn target(&self, reference: &Value) -> Option<&Value> {
        let name = reference.as_str()?.rsplit('/').next()?;
        self.document[Self::DEFINITIONS].get(name)
    }
}

/// So many JSON values of a schema may be looked at for each part of a value without being counted: counting slows
/// small schemas down by a fifth or more.
const MAX_UNCOUNTED: usize = 200;

/// Schemas of the document, where dynamic references make several of one.
const MAX_DEFINITIONS: usize = 10_000;

/// Anchors by their names, each as [`Place::key`] tells it from others.
type Bindings<'d> = Vec<(&'d str, (usize, usize))>;

/// A place, and the environment it is seen in.
type Seen = ((usize, usize), usize);

struct Writer<'d, 'l> {
    resolver: &'l SchemaResolver<'d>,
    /// Whether the document is to be one of draft-07.
    classic: bool,
    /// Whether schemas are to have [`COSTS`].
    counts_costs: bool,
    places: HashMap<Seen, usize>,
    pending: Vec<(usize, Place<'d>, usize)>,
    /// So many definitions have names.
    named: usize,
    definitions: Map<String, Value>,
    has_defaults: bool,
    environments: Environments<'d>,
}

/// Where a schema stands.
struct Scope {
    document: usize,
    draft: Draft,
    base: Rc<str>,
    environment: usize,
}

/// What dynamic anchors stand for, which depends on the documents that led to a schema: for each name, the anchor in the
/// outermost of them that has it. A schema that is reached in two environments is written twice, each time with plain
/// references.
struct Environments<'d> {
    all: Vec<BTreeMap<&'d str, Place<'d>>>,
    known: HashMap<Bindings<'d>, usize>,
    overflowed: bool,
}

impl Default for Environments<'_> {
    fn default() -> Self {
        Environments { all: vec![BTreeMap::new()], known: HashMap::new(), overflowed: false }
    }
}

impl<'d> Environments<'d> {
    const EMPTY: usize = 0;
    const MAX: usize = 64;

    fn is_many(&self) -> bool {
        self.all.len() > 1
    }

    /// The environment within a document with these dynamic anchors, entered from `environment`.
    fn entered(&mut self, environment: usize, anchors: &BTreeMap<&'d str, Place<'d>>) -> usize {
        let around = &self.all[environment];
        if anchors.keys().all(|name| around.contains_key(name)) {
            return environment;
        }
        let mut inside = around.clone();
        for (name, place) in anchors {
            inside.entry(name).or_insert_with(|| place.clone());
        }
        let key = inside.iter().map(|(name, place)| (*name, place.key())).collect::<Vec<_>>();
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.all.len() == Self::MAX {
            self.overflowed = true;
            return environment;
        }
        self.all.push(inside);
        self.known.insert(key, self.all.len() - 1);
        self.all.len() - 1
    }
}

impl<'d> Writer<'d, '_> {
    /// A reference to a schema. What is nothing but a reference itself is left out; one that leads only to itself allows
    /// nothing.
    fn reference(&mut self, place: Place<'d>, environment: usize) -> String {
        let (mut place, mut environment, mut passed) = (place, environment, HashSet::new());
        let name = loop {
            environment = self.entered(environment, &place);
            let seen = (place.key(), environment);
            if let Some(known) = self.places.get(&seen) {
                break *known;
            }
            let is_circular = !passed.insert(seen);
            match self.referred(&place, environment).filter(|_| !is_circular) {
                Some(target) => place = target,
                None => {
                    self.named += 1;
                    match is_circular {
                        true => drop(self.definitions.insert(self.named.to_string(), Value::Bool(false))),
                        false => self.pending.push((self.named, place, environment)),
                    }
                    break self.named;
                }
            }
        };
        self.places.extend(passed.into_iter().map(|seen| (seen, name)));
        format!("#/{}/{name}", BundledSchema::DEFINITIONS)
    }

    /// The environment within the document of `place`.
    fn entered(&mut self, environment: usize, place: &Place<'d>) -> usize {
        match self.resolver.dynamic_anchors(place) {
            Some(anchors) => self.environments.entered(environment, anchors),
            None => environment,
        }
    }

    /// The target of a schema that is nothing but a reference.
    fn referred(&self, place: &Place<'d>, environment: usize) -> Option<Place<'d>> {
        let members = place.value.as_object()?;
        let draft = self.resolver.draft(place.document);
        let keyword = if members.contains_key("$ref") { "$ref" } else { "$dynamicRef" };
        if !draft.is_classic() && members.len() > 1 {
            return None;
        }
        let base = self.resolver.base_within(place);
        self.target(&Scope { document: place.document, draft, base, environment }, keyword, members)
    }

    /// What the reference in a keyword leads to. That it leads somewhere was found out when the schema was compiled.
    fn target(&self, scope: &Scope, keyword: &str, members: &'d Map<String, Value>) -> Option<Place<'d>> {
        let reference = members.get(keyword)?.as_str()?;
        match keyword {
            "$dynamicRef" if scope.draft.is_classic() => None,
            "$dynamicRef" => {
                let (place, name) = self.resolver.resolve_dynamic(scope.document, &scope.base, reference)?;
                let bound = name.and_then(|name| self.environments.all[scope.environment].get(name));
                Some(bound.cloned().unwrap_or(place))
            }
            _ => self.resolver.resolve(scope.document, &scope.base, reference),
        }
    }

    fn schema(&mut self, place: &Place<'d>, environment: usize) -> Value {
        let Value::Object(members) = place.value else { return place.value.clone() };
        let scope = Scope {
            document: place.document,
            draft: self.resolver.draft(place.document),
            base: self.resolver.base_within(place),
            environment: self.entered(environment, place),
        };
        let mut out = Map::new();
        // What cannot stand in its own keyword.
        let mut also = Vec::new();
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(target) = self.target(&scope, keyword, members) {
                let reference = self.reference(target, scope.environment);
                match out.contains_key("$ref") {
                    true => also.push(json!({ "$ref": reference })),
                    false => drop(out.insert("$ref".to_owned(), reference.into())),
                }
            }
        }
        if scope.draft.is_classic() && members.contains_key("$ref") {
            return Value::Object(out);
        }
        if let Some(default) = members.get("default").filter(|_| self.classic && scope.draft.is_classic()) {
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
        paid_for(out, self.counts_costs)
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
        if !modern && !self.classic && self.modernized(scope, members, keyword, value, out) {
            return;
        }
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

    /// Writes a keyword of the old drafts that has another name in 2020-12; `false` when `keyword` is none of these.
    fn modernized(
        &mut self,
        scope: &Scope,
        members: &'d Map<String, Value>,
        keyword: &str,
        value: &'d Value,
        out: &mut Map<String, Value>,
    ) -> bool {
        match (keyword, value) {
            ("items", Value::Array(parts)) if !parts.is_empty() => {
                out.insert("prefixItems".to_owned(), self.list(scope, parts));
            }
            ("additionalItems", _) => {
                if members.get("items").and_then(Value::as_array).is_some_and(|parts| !parts.is_empty()) {
                    out.insert("items".to_owned(), self.child(scope, value));
                }
            }
            ("dependencies", Value::Object(parts)) => {
                for (name, part) in parts {
                    let (keyword, part) = match part {
                        Value::Array(names) => ("dependentRequired", each_once(names)),
                        schema => ("dependentSchemas", self.child(scope, schema)),
                    };
                    out.entry(keyword).or_insert_with(|| json!({}))[name] = part;
                }
            }
            _ => return false,
        }
        true
    }

    fn child(&mut self, scope: &Scope, value: &'d Value) -> Value {
        self.schema(&Place { document: scope.document, around: scope.base.clone(), value }, scope.environment)
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

/// The schema, after one that spends what it costs to hold a value to it, if that is more than a few comparisons. The
/// validator takes such keywords last, hence a schema of their own.
fn paid_for(mut schema: Map<String, Value>, counts_costs: bool) -> Value {
    let has_patterns =
        schema.get("patternProperties").and_then(Value::as_object).is_some_and(|names| !names.is_empty());
    if !counts_costs && !has_patterns {
        return Value::Object(schema);
    }
    let (mut own, mut for_each) = (0, 0);
    let mut compares = false;
    for (keyword, value) in &schema {
        let parts = value.as_array().map_or(0, Vec::len) + value.as_object().map_or(0, Map::len);
        match keyword.as_str() {
            "allOf" | "anyOf" | "oneOf" | "prefixItems" | "properties" | "dependencies" | "dependentSchemas" => {
                own += parts
            }
            "patternProperties" => for_each += parts,
            "not" | "if" => own += 1,
            "items" if value.is_array() => own += parts,
            "items" | "additionalItems" | "contains" | "propertyNames" | "additionalProperties" => for_each += 1,
            // They hold values to the other keywords once more.
            "unevaluatedItems" | "unevaluatedProperties" => for_each += 1 + schema.len(),
            // Names are found at once, anything else is compared with one after the other.
            "enum" if !value.as_array().into_iter().flatten().all(Value::is_string) => own += nodes(value) / 2,
            "const" => own += nodes(value) / 2,
            "required" => own += parts / 8,
            "uniqueItems" => compares = value == &Value::Bool(true),
            _ => {}
        }
    }
    if own + for_each == 0 && !compares {
        return Value::Object(schema);
    }
    let default = schema.remove("default");
    let mut costs = json!({ COSTS: [own + 1, for_each, compares] });
    if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
        costs[LOOKS_AT_NAMES] = patterns.keys().map(String::as_str).collect();
    }
    let mut out = json!({ "allOf": [costs, schema] });
    // Where it is looked for.
    default.into_iter().for_each(|default| out["default"] = default);
    out
}

/// How many values a value consists of.
pub(super) fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(nodes).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// The schema for `type`: one type or one of several, each at most once.
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
