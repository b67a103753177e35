//! Drafts 2019-09 and 2020-12, by the rules of the latter: a `$ref` is one keyword among others, and all keywords about
//! one kind of values are one node.

use serde_json::Value;

use super::{Builder, Built, Scope};
use crate::print::{Keys, printed};
use crate::tree::Kind;

const OBJECT_KEYWORDS: [&str; 10] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
];
const ARRAY_KEYWORDS: [&str; 7] =
    ["items", "prefixItems", "unevaluatedItems", "contains", "minItems", "maxItems", "uniqueItems"];
const NUMBER_KEYWORDS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const STRING_KEYWORDS: [&str; 3] = ["minLength", "maxLength", "pattern"];

impl<'d> Builder<'d, '_> {
    pub(super) fn modern(&mut self, scope: &Scope<'d>) -> Built<Kind> {
        let mut kinds = Vec::new();
        for keyword in ["$ref", "$dynamicRef"] {
            if let Some(written) = scope.members.get(keyword) {
                kinds.push(Kind::Reference(self.reference(scope, keyword, written)?));
            }
        }
        if let Some(values) = self.array(scope, "enum")? {
            kinds.push(Kind::Enum(values.iter().map(|value| printed(value, Keys::Sorted)).collect()));
        }
        kinds.extend(self.combined(scope)?);
        if let Some(inner) = scope.members.get("not") {
            kinds.push(Kind::Not(self.child(scope, inner, "not".to_owned())?));
        }
        if let Some(value) = scope.members.get("const") {
            kinds.push(Kind::Const(printed(value, Keys::Sorted)));
        }
        let single = match scope.members.get("type") {
            None => None,
            Some(Value::Array(names)) => {
                let typed =
                    names.iter().map(|name| Ok((self.type_name(name)?, bare(name)))).collect::<Built<Vec<_>>>()?;
                kinds.push(self.any_of_types(typed));
                None
            }
            Some(name) => Some(self.type_name(name)?),
        };
        let about = |keywords: &[&str]| keywords.iter().any(|keyword| scope.members.contains_key(*keyword));
        if single == Some("array") || about(&ARRAY_KEYWORDS) {
            kinds.push(Kind::Array(Box::new(self.modern_array(scope)?)));
        }
        if single == Some("object") || about(&OBJECT_KEYWORDS) {
            kinds.push(Kind::Object(Box::new(self.modern_object(scope)?)));
        }
        if matches!(single, Some("number" | "integer")) || about(&NUMBER_KEYWORDS) {
            kinds.push(Kind::Number(self.number(scope, single == Some("integer"))?));
        }
        if single == Some("string") || about(&STRING_KEYWORDS) {
            kinds.push(Kind::String(self.string(scope)?));
        }
        match single {
            Some("boolean") => kinds.push(Kind::Boolean),
            Some("null") => kinds.push(Kind::Null),
            Some(_) | None => {}
        }
        kinds.extend(self.conditional(scope, &["if"])?);
        Ok(self.all_of(kinds))
    }
}

/// A type among several; the keywords make nodes of their own.
fn bare(name: &Value) -> Kind {
    match name.as_str() {
        Some("array") => Kind::Array(Box::default()),
        Some("object") => Kind::Object(Box::default()),
        Some("number") => Kind::Number(Default::default()),
        Some("integer") => Kind::Number(crate::tree::NumberRules { whole: true, ..Default::default() }),
        Some("string") => Kind::String(Default::default()),
        Some("boolean") => Kind::Boolean,
        Some(_) | None => Kind::Null,
    }
}
