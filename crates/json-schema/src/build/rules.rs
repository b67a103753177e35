//! The keywords about strings, numbers, objects and arrays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Builder, Built, Scope};
use crate::decimal::Decimal;
use crate::draft::Draft;
use crate::tree::{ArrayRules, Extra, NodeId, NumberRules, ObjectRules, StringRules};
use postern_schema_core::Strictness;

impl<'d> Builder<'d, '_> {
    pub(super) fn string(&mut self, scope: &Scope<'d>) -> Built<StringRules> {
        let pattern = self.text(scope, "pattern")?;
        if let Some(pattern) = pattern {
            self.at("pattern").pattern(pattern)?;
            self.path.pop();
        }
        if scope.draft.is_classic() {
            self.text(scope, "format")?;
        }
        Ok(StringRules {
            max_length: self.count(scope, "maxLength")?,
            min_length: self.count(scope, "minLength")?,
            pattern: pattern.map(str::to_owned),
        })
    }

    pub(super) fn number(&mut self, scope: &Scope<'d>, whole: bool) -> Built<NumberRules> {
        let mut rules = NumberRules {
            whole,
            maximum: self.decimal(scope, "maximum")?,
            minimum: self.decimal(scope, "minimum")?,
            multiple_of: self.decimal(scope, "multipleOf")?,
            ..NumberRules::default()
        };
        if let Some(unit) = scope.members.get("multipleOf")
            && rules.multiple_of.as_ref().is_some_and(Decimal::is_zero)
            && scope.draft.is_classic()
            && self.strictness == Strictness::New
        {
            return Err(self.at("multipleOf").expected("a number other than 0", unit));
        }
        if scope.draft == Draft::Four {
            // Flags that make the other two exclusive; they are not compared.
            self.flag(scope, "exclusiveMaximum")?;
            self.flag(scope, "exclusiveMinimum")?;
        } else {
            rules.exclusive_maximum = self.decimal(scope, "exclusiveMaximum")?;
            rules.exclusive_minimum = self.decimal(scope, "exclusiveMinimum")?;
        }
        Ok(rules)
    }

    pub(super) fn classic_object(&mut self, scope: &Scope<'d>) -> Built<ObjectRules> {
        let mut rules = self.object_rules(scope)?;
        for (name, dependency) in self.map(scope, "dependencies")?.into_iter().flatten() {
            let step = format!("dependencies.{name}");
            match dependency {
                Value::Array(names) => {
                    let names = self.names(&step, names)?;
                    rules.depend(name, names);
                }
                schema => {
                    let schema = self.child(scope, schema, step)?;
                    rules.dependent_schemas.insert(name.clone(), schema);
                }
            }
        }
        if scope.draft > Draft::Four {
            self.unused(scope, "propertyNames")?;
        }
        Ok(rules)
    }

    pub(super) fn modern_object(&mut self, scope: &Scope<'d>) -> Built<ObjectRules> {
        let mut rules = self.object_rules(scope)?;
        rules.unevaluated = self.extra(scope, "unevaluatedProperties")?;
        for (name, names) in self.map(scope, "dependentRequired")?.into_iter().flatten() {
            let step = format!("dependentRequired.{name}");
            let Value::Array(names) = names else {
                return Err(self.at(&step).expected("a list of names", names));
            };
            let names = self.names(&step, names)?;
            rules.depend(name, names);
        }
        rules.dependent_schemas = self.schemas(scope, "dependentSchemas")?;
        self.unused(scope, "propertyNames")?;
        Ok(rules)
    }

    fn object_rules(&mut self, scope: &Scope<'d>) -> Built<ObjectRules> {
        let mut rules = ObjectRules {
            properties: self.schemas(scope, "properties")?,
            additional: self.extra(scope, "additionalProperties")?,
            max_properties: self.count(scope, "maxProperties")?,
            min_properties: self.count(scope, "minProperties")?,
            ..ObjectRules::default()
        };
        if let Some(names) = self.array(scope, "required")? {
            rules.required = self.names("required", names)?;
        }
        for (pattern, schema) in self.map(scope, "patternProperties")?.into_iter().flatten() {
            self.at("patternProperties").pattern(pattern)?;
            self.path.pop();
            let node = self.child(scope, schema, format!("patternProperties.{pattern}"))?;
            rules.patterns.push((pattern.clone(), node));
        }
        Ok(rules)
    }

    pub(super) fn classic_array(&mut self, scope: &Scope<'d>) -> Built<ArrayRules> {
        let mut rules = self.array_rules(scope)?;
        rules.additional = self.extra(scope, "additionalItems")?;
        match scope.members.get("items") {
            None => {}
            Some(Value::Array(items)) => rules.tuple = self.list(scope, "items", items)?,
            Some(schema) => {
                rules.items = Some(self.child(scope, schema, "items".to_owned())?);
                // Where `items` covers all items there are no additional ones to forbid.
                if rules.additional == Extra::Forbidden {
                    rules.additional = Extra::Allowed;
                }
            }
        }
        if scope.draft > Draft::Four {
            self.unused(scope, "contains")?;
        }
        Ok(rules)
    }

    pub(super) fn modern_array(&mut self, scope: &Scope<'d>) -> Built<ArrayRules> {
        let mut rules = self.array_rules(scope)?;
        rules.unevaluated = self.extra(scope, "unevaluatedItems")?;
        if let Some(items @ Value::Array(_)) = scope.members.get("items") {
            let expected = "a schema; a list of schemas is called prefixItems since draft 2020-12";
            return Err(self.at("items").expected(expected, items));
        }
        if let Some(items) = self.array(scope, "prefixItems")? {
            rules.tuple = self.list(scope, "prefixItems", items)?;
            rules.additional = self.extra(scope, "items")?;
        } else if let Some(schema) = scope.members.get("items") {
            rules.items = Some(self.child(scope, schema, "items".to_owned())?);
        }
        self.unused(scope, "contains")?;
        if scope.members.contains_key("contains") {
            rules.max_contains = self.count(scope, "maxContains")?;
            rules.min_contains = self.count(scope, "minContains")?.or_else(|| Decimal::read("1"));
        }
        Ok(rules)
    }

    fn array_rules(&mut self, scope: &Scope<'d>) -> Built<ArrayRules> {
        Ok(ArrayRules {
            max_items: self.count(scope, "maxItems")?,
            min_items: self.count(scope, "minItems")?,
            unique: self.flag(scope, "uniqueItems")?,
            ..ArrayRules::default()
        })
    }

    /// A map from names to schemas.
    fn schemas(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<BTreeMap<String, NodeId>> {
        let members = self.map(scope, keyword)?.into_iter().flatten();
        members
            .map(|(name, schema)| Ok((name.clone(), self.child(scope, schema, format!("{keyword}.{name}"))?)))
            .collect()
    }

    /// The keyword for the rest. An empty schema is kept as one, except in `unevaluated…`, where it is `true`.
    fn extra(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Extra> {
        Ok(match scope.members.get(keyword) {
            None => Extra::Unsaid,
            Some(Value::Bool(true)) => Extra::Allowed,
            Some(Value::Bool(false)) => Extra::Forbidden,
            Some(Value::Object(members)) if members.is_empty() && keyword.starts_with("unevaluated") => Extra::Allowed,
            Some(schema) => Extra::Schema(self.child(scope, schema, keyword.to_owned())?),
        })
    }

    /// A schema that is not compared, but has to be one.
    fn unused(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<()> {
        match scope.members.get(keyword) {
            Some(schema) => self.child(scope, schema, keyword.to_owned()).map(|_| ()),
            None => Ok(()),
        }
    }

    fn names(&mut self, step: &str, names: &'d [Value]) -> Built<BTreeSet<String>> {
        let name = |name: &Value| match name {
            Value::String(name) => Ok(name.clone()),
            other => Err(self.at(step).expected("the name of a property (a string)", other)),
        };
        names.iter().map(name).collect()
    }

    fn count(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Option<Decimal>> {
        match scope.members.get(keyword) {
            None => Ok(None),
            Some(Value::Number(number)) if Decimal::is_written_whole(number.as_str()) => {
                Ok(Decimal::read(number.as_str()))
            }
            Some(other) => Err(self.at(keyword).expected("a whole number", other)),
        }
    }

    fn decimal(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Option<Decimal>> {
        match scope.members.get(keyword) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Decimal::read(number.as_str())),
            Some(other) => Err(self.at(keyword).expected("a number", other)),
        }
    }
}
