//! Where and why a value does not fit its schema, in words.
//!
//! The validator only answers yes or no; this searches for the first plain reason, from the outside in: a type, a
//! missing member, a bound. Of alternatives, the one that alone fits the type of the value is looked into. Whether a value fits a part of the schema
//! where it must not (a `not`, a second of alternatives), or has to for another part to count (an `if`), only a validator can say, and few are made
//! for that. Where no such reason is found, the value as a whole is named.

use serde_json::{Map, Value};

use super::super::bundled_schema::{BundledSchema, MATCHES, WRITTEN_WHOLE};
use super::super::decimal::Decimal;
use super::super::pattern::Pattern;
use super::super::print::{Keys, printed};
use super::super::words::{Step, describe, path, shown};
use super::branches::validator_of;
use postern_schema_core::EncodeError;

/// Schemas that are looked at for one value.
const EFFORT: usize = 100_000;
/// Schemas about one and the same value, one within the other.
const MAX_HOPS: usize = 64;
/// Parts of the schema that get a validator, each made with a copy of the whole schema.
const VALIDATORS: usize = 8;

pub(super) fn explain(schema_bundle: &BundledSchema, value: &Value) -> EncodeError {
    let (steps, hops) = Default::default();
    let mut search = Search { schema_bundle, steps, hops, effort: EFFORT, validators: VALIDATORS };
    match search.mismatch(&schema_bundle.document, value) {
        Some(mismatch) => mismatch,
        None => EncodeError::new(String::new(), "a value that the schema allows", describe(value)),
    }
}

/// Whether the type that a schema names, if it names one, is that of the value. Takes steps from `effort`; when there are
/// none left, it is.
fn fits_type(schema_bundle: &BundledSchema, schema: &Value, value: &Value, effort: &mut usize) -> bool {
    let Value::Object(schema) = schema else { return schema != &Value::Bool(false) };
    let Some(left) = effort.checked_sub(1) else { return true };
    *effort = left;
    let target = schema.get("$ref").and_then(|reference| schema_bundle.target(reference));
    let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    is_of_type(schema, value)
        && target.into_iter().chain(all).all(|part| fits_type(schema_bundle, part, value, effort))
        && schema
            .get("anyOf")
            .and_then(Value::as_array)
            .is_none_or(|parts| parts.iter().any(|part| fits_type(schema_bundle, part, value, effort)))
}

/// The one of several alternatives that alone fits the type of a value.
fn only_fitting<'p>(schema_bundle: &BundledSchema, parts: &'p [Value], value: &Value) -> Option<&'p Value> {
    let mut effort = TYPE_EFFORT;
    let mut fitting = parts.iter().filter(|part| fits_type(schema_bundle, part, value, &mut effort));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        (Some(_) | None, _) => None,
    }
}

/// Schemas whose type is looked at, for one place with alternatives.
const TYPE_EFFORT: usize = 1000;

fn is_of_type(schema: &Map<String, Value>, value: &Value) -> bool {
    if schema.contains_key(WRITTEN_WHOLE) {
        return matches!(value, Value::Number(number) if Decimal::is_written_whole(number.as_str()));
    }
    let Some(Value::Array(names)) = schema.get("type") else { return true };
    names.iter().filter_map(Value::as_str).any(|name| match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || name == "integer" && is_whole(number.as_str()),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    })
}

fn is_whole(digits: &str) -> bool {
    Decimal::is_written_whole(digits) || digits.parse::<f64>().is_ok_and(|number| number.fract() == 0.0)
}

struct Search<'p, 'v> {
    schema_bundle: &'p BundledSchema,
    steps: Vec<Step<'v>>,
    hops: usize,
    effort: usize,
    /// So many more may be made.
    validators: usize,
}

impl<'p, 'v> Search<'p, 'v> {
    fn mismatch(&mut self, schema: &'p Value, value: &'v Value) -> Option<EncodeError> {
        self.effort = self.effort.checked_sub(1)?;
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(false) => return self.found("nothing here", describe(value)),
            _ => return None,
        };
        if let Some(mismatch) = self.keywords(schema, value) {
            return Some(mismatch);
        }
        match value {
            Value::Object(members) => self.object(schema, members),
            Value::Array(items) => self.array(schema, items),
            Value::String(text) => self.text(schema, text),
            Value::Number(number) => self.number(schema, number.as_str()),
            Value::Null | Value::Bool(_) => None,
        }
        .or_else(|| self.parts(schema, value))
    }

    fn keywords(&self, schema: &Map<String, Value>, value: &Value) -> Option<EncodeError> {
        if !is_of_type(schema, value) {
            let expected = match schema.get("type").and_then(Value::as_array) {
                Some(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
                None => "integer".to_owned(),
            };
            return self.found(&expected, describe(value));
        }
        let text = printed(value, Keys::Sorted);
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && !allowed.iter().any(|one| same(one, value))
        {
            let listed = allowed.iter().map(|value| printed(value, Keys::AsWritten)).collect::<Vec<_>>().join(", ");
            return self.found(&format!("one of {}", shown(&listed)), shown(&text));
        }
        if let Some(only) = schema.get("const")
            && !same(only, value)
        {
            return self.found(&shown(&printed(only, Keys::AsWritten)), shown(&text));
        }
        None
    }

    fn object(&mut self, schema: &'p Map<String, Value>, members: &'v Map<String, Value>) -> Option<EncodeError> {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                let mut steps = self.steps.clone();
                steps.push(Step::Member(name));
                return Some(EncodeError::new(path(&steps), "a value (it is required)", "no such member"));
            }
        }
        let count = members.len();
        self.limited(schema, ["minProperties", "maxProperties"], count, "members")
            .or_else(|| self.members(schema, members))
    }

    fn members(&mut self, schema: &'p Map<String, Value>, members: &'v Map<String, Value>) -> Option<EncodeError> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let patterns = patterns.into_iter().flatten().map(|(pattern, schema)| (Pattern::for_names(pattern), schema));
        let patterns = patterns.collect::<Vec<_>>();
        let rest = schema.get("additionalProperties");
        for (name, member) in members {
            let listed = properties.and_then(|properties| properties.get(name));
            let matching = patterns.iter().filter(|(pattern, _)| pattern.as_ref().is_some_and(|one| one.matches(name)));
            let mut known = listed.into_iter().chain(matching.map(|(_, schema)| *schema)).peekable();
            self.steps.push(Step::Member(name));
            let mismatch = match (known.peek(), rest) {
                (None, Some(Value::Bool(false))) => {
                    self.found("no members but those that the schema names", describe(member))
                }
                (None, Some(rest)) => self.inside(rest, member),
                (_, _) => known.find_map(|schema| self.inside(schema, member)),
            };
            if mismatch.is_some() {
                return mismatch;
            }
            self.steps.pop();
        }
        None
    }

    fn array(&mut self, schema: &'p Map<String, Value>, items: &'v [Value]) -> Option<EncodeError> {
        if let Some(mismatch) = self.limited(schema, ["minItems", "maxItems"], items.len(), "items") {
            return Some(mismatch);
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut met = std::collections::HashSet::new();
            if let Some(position) = items.iter().position(|item| !met.insert(printed(item, Keys::Sorted))) {
                self.steps.push(Step::Item(position));
                return self.found("items that are all different", format!("{} once more", describe(&items[position])));
            }
        }
        let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice);
        let (tuple, rest) = match (list("items"), list("prefixItems")) {
            (Some(tuple), _) => (tuple, schema.get("additionalItems")),
            (None, tuple) => (tuple.unwrap_or_default(), schema.get("items")),
        };
        for (position, item) in items.iter().enumerate() {
            let Some(schema) = tuple.get(position).or(rest) else { break };
            self.steps.push(Step::Item(position));
            let mismatch = self.inside(schema, item);
            if mismatch.is_some() {
                return mismatch;
            }
            self.steps.pop();
        }
        None
    }

    fn text(&mut self, schema: &Map<String, Value>, text: &str) -> Option<EncodeError> {
        let count = text.chars().count();
        if let Some(mismatch) = self.limited(schema, ["minLength", "maxLength"], count, "characters") {
            return Some(mismatch);
        }
        let pattern = schema.get(MATCHES).and_then(Value::as_str);
        if let Some(pattern) =
            pattern.filter(|pattern| !Pattern::new(pattern).is_some_and(|compiled| compiled.matches(text)))
        {
            return self.found(&format!("a string that matches {}", shown(pattern)), describe(&text.into()));
        }
        let format = schema.get("format").and_then(Value::as_str)?;
        let validator = jsonschema::options().with_draft(jsonschema::Draft::Draft7).should_validate_formats(true);
        let fits =
            validator.build(&serde_json::json!({ "format": format })).is_ok_and(|format| format.is_valid(&text.into()));
        if fits { None } else { self.found(&format!("a string in the format {format}"), describe(&text.into())) }
    }

    fn number(&mut self, schema: &Map<String, Value>, digits: &str) -> Option<EncodeError> {
        let number = Decimal::read(digits)?;
        let bound = |keyword: &str| match schema.get(keyword) {
            Some(Value::Number(bound)) => Some((Decimal::read(bound.as_str())?, bound.as_str())),
            _ => None,
        };
        let bounds = [
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("exclusiveMinimum", "more than"),
            ("exclusiveMaximum", "less than"),
            ("multipleOf", "a multiple of"),
        ];
        let (words, written) = bounds.into_iter().find_map(|(keyword, words)| {
            let (bound, written) = bound(keyword)?;
            let holds = match keyword {
                "minimum" => number >= bound,
                "maximum" => number <= bound,
                "exclusiveMinimum" => number > bound,
                "exclusiveMaximum" => number < bound,
                _ => number.is_multiple_of(&bound),
            };
            (!holds).then_some((words, written))
        })?;
        self.found(&format!("{words} {}", shown(written)), shown(digits))
    }

    /// The schemas that apply to the same value.
    fn parts(&mut self, schema: &'p Map<String, Value>, value: &'v Value) -> Option<EncodeError> {
        if self.hops == MAX_HOPS {
            return None;
        }
        self.hops += 1;
        let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let target = schema.get("$ref").and_then(|reference| self.schema_bundle.target(reference));
        let mut mismatch = target.into_iter().chain(list("allOf")).find_map(|part| self.mismatch(part, value));
        for parts in [list("anyOf"), list("oneOf")] {
            if mismatch.is_none() && !parts.is_empty() {
                mismatch = self.alternatives(parts, value);
            }
        }
        mismatch = mismatch
            .or_else(|| self.several(list("oneOf"), value))
            .or_else(|| self.excluded(schema.get("not")?, value))
            .or_else(|| self.conditional(schema, value));
        self.hops -= 1;
        mismatch
    }

    /// A value that fits more than one of alternatives that exclude each other.
    fn several(&mut self, parts: &'p [Value], value: &'v Value) -> Option<EncodeError> {
        if parts.len() < 2 || parts.len() > self.validators {
            return None;
        }
        let fitting = parts.iter().filter(|part| self.fits(part, value)).count();
        let expected = format!("a value that fits exactly one of {} alternatives", parts.len());
        (fitting > 1).then(|| self.found(&expected, format!("{}, which fits {fitting}", describe(value))))?
    }

    fn excluded(&mut self, not: &'p Value, value: &'v Value) -> Option<EncodeError> {
        self.fits(not, value).then(|| self.found("a value that `not` does not exclude", describe(value)))?
    }

    fn conditional(&mut self, schema: &'p Map<String, Value>, value: &'v Value) -> Option<EncodeError> {
        let condition = schema.get("if").filter(|_| self.validators > 0)?;
        let part = schema.get(if self.fits(condition, value) { "then" } else { "else" })?;
        self.mismatch(part, value)
    }

    /// Whether the value fits a part of the schema; false where no validator may be made any more.
    fn fits(&mut self, part: &Value, value: &Value) -> bool {
        let Some(left) = self.validators.checked_sub(1) else { return false };
        self.validators = left;
        validator_of(self.schema_bundle, part).is_some_and(|validator| validator.is_valid(value))
    }

    fn alternatives(&mut self, parts: &'p [Value], value: &'v Value) -> Option<EncodeError> {
        if let Some(only) = only_fitting(self.schema_bundle, parts, value) {
            return self.mismatch(only, value);
        }
        self.effort = self.effort.checked_sub(parts.len())?;
        let depth = self.steps.len();
        for part in parts {
            let mismatch = self.mismatch(part, value);
            self.steps.truncate(depth);
            mismatch?;
        }
        self.found(&format!("a value that fits one of {} alternatives", parts.len()), describe(value))
    }

    /// A value within the one before: what was counted for that one starts anew.
    fn inside(&mut self, schema: &'p Value, value: &'v Value) -> Option<EncodeError> {
        let hops = std::mem::take(&mut self.hops);
        let mismatch = self.mismatch(schema, value);
        self.hops = hops;
        mismatch
    }

    fn limited(
        &self,
        schema: &Map<String, Value>,
        keywords: [&str; 2],
        count: usize,
        what: &str,
    ) -> Option<EncodeError> {
        let limit = |keyword: &str| match schema.get(keyword) {
            Some(Value::Number(limit)) => limit.as_str().parse::<usize>().ok(),
            _ => None,
        };
        let found = format!("{count}");
        match (limit(keywords[0]), limit(keywords[1])) {
            (Some(least), _) if count < least => self.found(&format!("at least {least} {what}"), found),
            (_, Some(most)) if count > most => self.found(&format!("at most {most} {what}"), found),
            (Some(_) | None, Some(_) | None) => None,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what every search ends with")]
    fn found(&self, expected: &str, found: String) -> Option<EncodeError> {
        Some(EncodeError::new(path(&self.steps), expected, found))
    }
}

/// Equality of JSON Schema: numbers by value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            match (Decimal::read(one.as_str()), Decimal::read(other.as_str())) {
                (Some(one), Some(other)) => one == other,
                (_, _) => one == other,
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        (one, other) => one == other,
    }
}
