//! Drafts 4, 6 and 7: beside a `$ref` nothing counts; the keywords of a schema make several nodes that hold all at once.

use serde_json::Value;

use super::{Builder, Built, Scope};
use crate::draft::Draft;
use crate::print::{Keys, printed};
use crate::tree::{Combined, Criterion, Kind, NodeId};

/// The kinds of values that keywords can be about, in the order in which keywords without a `type` are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Array,
    Object,
    Number,
    String,
}

impl Family {
    const ALL: [Family; 4] = [Family::Array, Family::Object, Family::Number, Family::String];

    fn keywords(self, draft: Draft) -> &'static [&'static str] {
        match self {
            Family::Array if draft == Draft::Four => {
                &["items", "additionalItems", "minItems", "maxItems", "uniqueItems"]
            }
            Family::Array => &["items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"],
            Family::Object if draft == Draft::Four => &OBJECT_KEYWORDS[1..],
            Family::Object => &OBJECT_KEYWORDS,
            Family::Number => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
            Family::String => &["minLength", "maxLength", "pattern", "format"],
        }
    }

    /// The family whose keywords a `type` takes with it.
    fn of(name: &str) -> Option<Family> {
        match name {
            "array" => Some(Family::Array),
            "object" => Some(Family::Object),
            "number" | "integer" => Some(Family::Number),
            "string" => Some(Family::String),
            _ => None,
        }
    }
}

static OBJECT_KEYWORDS: [&str; 8] = [
    "propertyNames",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
];

impl<'d> Builder<'d, '_> {
    pub(super) fn classic(&mut self, scope: &Scope<'d>) -> Built<Kind> {
        if let Some(written) = scope.members.get("$ref") {
            return Ok(Kind::Reference(self.reference(scope, "$ref", written)?));
        }
        let mut kinds = Vec::new();
        if let Some(values) = self.array(scope, "enum")? {
            kinds.push(Kind::Enum(values.iter().map(|value| printed(value, Keys::Sorted)).collect()));
        }
        kinds.extend(self.combined(scope)?);
        if let Some(inner) = scope.members.get("not") {
            kinds.push(Kind::Not(self.child(scope, inner, "not".to_owned())?));
        }
        if let Some(value) = scope.members.get("const").filter(|_| scope.draft > Draft::Four) {
            kinds.push(Kind::Const(printed(value, Keys::Sorted)));
        }
        let typed = self.typed(scope)?;
        let known = typed.iter().filter_map(|(name, _)| Family::of(name)).collect::<Vec<_>>();
        kinds.extend(self.one_of_the_types(scope, typed));
        for family in Family::ALL.into_iter().filter(|family| !known.contains(family)) {
            if family.keywords(scope.draft).iter().any(|keyword| scope.members.contains_key(*keyword)) {
                kinds.push(self.family(scope, family, false)?);
            }
        }
        if scope.draft == Draft::Seven {
            kinds.extend(self.conditional(scope, &["if", "then", "else"])?);
        }
        Ok(self.all_of(kinds))
    }

    /// The types that `type` names, each with the keywords that concern it.
    fn typed(&mut self, scope: &Scope<'d>) -> Built<Vec<(&'d str, Kind)>> {
        let names = match scope.members.get("type") {
            None => return Ok(Vec::new()),
            Some(Value::Array(names)) => names.iter().collect(),
            Some(name) => vec![name],
        };
        names.into_iter().map(|name| self.of_type(scope, name)).collect()
    }

    fn of_type(&mut self, scope: &Scope<'d>, name: &'d Value) -> Built<(&'d str, Kind)> {
        let name = self.type_name(name)?;
        let kind = match Family::of(name) {
            Some(family) => self.family(scope, family, name == "integer")?,
            None if name == "boolean" => Kind::Boolean,
            None => Kind::Null,
        };
        Ok((name, kind))
    }

    fn family(&mut self, scope: &Scope<'d>, family: Family, whole: bool) -> Built<Kind> {
        Ok(match family {
            Family::Array => Kind::Array(Box::new(self.classic_array(scope)?)),
            Family::Object => Kind::Object(Box::new(self.classic_object(scope)?)),
            Family::Number => Kind::Number(self.number(scope, whole)?),
            Family::String => Kind::String(self.string(scope)?),
        })
    }

    /// A list of types is an `anyOf`, also one of a single type; a type by itself is just that.
    fn one_of_the_types(&mut self, scope: &Scope<'d>, typed: Vec<(&'d str, Kind)>) -> Option<Kind> {
        match scope.members.get("type")? {
            Value::Array(_) => Some(self.any_of_types(typed)),
            _ => typed.into_iter().next().map(|(_, kind)| kind),
        }
    }

    pub(super) fn any_of_types(&mut self, typed: Vec<(&'d str, Kind)>) -> Kind {
        let mut met = std::collections::HashSet::new();
        let (mut parts, mut distinct) = (Vec::<NodeId>::new(), Vec::new());
        for (name, kind) in typed {
            let part = self.tree.add(kind);
            parts.push(part);
            distinct.extend(met.insert(name).then_some(part));
        }
        Kind::Combined(Combined { criterion: Criterion::Any, parts, distinct, digests: Vec::new() })
    }

    /// One of the seven names of types.
    pub(super) fn type_name(&mut self, written: &'d Value) -> Built<&'d str> {
        match written.as_str() {
            Some(name) if Family::of(name).is_some() || matches!(name, "boolean" | "null") => Ok(name),
            Some(_) | None => {
                let types = "string, number, integer, boolean, object, array or null";
                Err(self.at("type").expected(types, written))
            }
        }
    }

    /// A condition, where one of `keywords` is there.
    pub(super) fn conditional(&mut self, scope: &Scope<'d>, keywords: &[&str]) -> Built<Option<Kind>> {
        if !keywords.iter().any(|keyword| scope.members.contains_key(*keyword)) {
            return Ok(None);
        }
        for keyword in ["if", "then", "else"] {
            if let Some(part) = scope.members.get(keyword) {
                self.child(scope, part, keyword.to_owned())?;
            }
        }
        Ok(Some(Kind::Conditional))
    }
}
