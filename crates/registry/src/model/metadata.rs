//! Metadata of a schema: tags by path, properties, and which of these are secret. Kept and printed sorted.
//!
//! Source: docs/reference/schema-registry.md §4.6.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The property that makes otherwise equal contents of different versions different.
pub const VERSION_PROPERTY: &str = "confluent:version";

/// A member that is empty counts as missing, so every empty metadata is the same.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Metadata {
    /// Tags by dotted field path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<Utf16Key, BTreeSet<Utf16Key>>,
    /// Free properties.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<Utf16Key, String>,
    /// Names of properties whose values are secret.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub sensitive: BTreeSet<Utf16Key>,
}

impl Metadata {
    /// From JSON; other members are dropped, numbers and booleans become texts.
    ///
    /// # Errors
    /// What is wrong, with its path.
    pub fn from_json(value: &Value) -> Result<Metadata, String> {
        let members = object(value, "metadata")?;
        let mut metadata = Metadata::default();
        if let Some(tags) = given(members, "tags") {
            for (path, set) in object(tags, "metadata.tags")? {
                let set = names(set, &format!("metadata.tags.{path}"))?;
                metadata.tags.insert(Utf16Key(path.clone()), set);
            }
        }
        if let Some(properties) = given(members, "properties") {
            for (name, value) in object(properties, "metadata.properties")? {
                let value = text(value, &format!("metadata.properties.{name}"))?;
                metadata.properties.insert(Utf16Key(name.clone()), value);
            }
        }
        if let Some(sensitive) = given(members, "sensitive") {
            metadata.sensitive = names(sensitive, "metadata.sensitive")?;
        }
        Ok(metadata)
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(&Utf16Key(name.to_owned())).map(String::as_str)
    }

    /// Sets a property.
    pub fn set_property(&mut self, name: &str, value: String) {
        self.properties.insert(Utf16Key(name.to_owned()), value);
    }

    /// `self` with what `later` says laid over it: per path and per property the later one counts, secrets add up.
    pub fn merged(mut self, later: &Metadata) -> Metadata {
        self.tags.extend(later.tags.clone());
        self.properties.extend(later.properties.clone());
        self.sensitive.extend(later.sensitive.clone());
        self
    }

    pub(crate) fn without_version(&self) -> Option<Metadata> {
        let mut rest = self.clone();
        rest.properties.remove(&Utf16Key(VERSION_PROPERTY.to_owned()));
        (rest != Metadata::default()).then_some(rest)
    }
}

/// A text ordered as Java orders texts, by UTF-16 code units: part of a content's identity.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Utf16Key(pub String);

impl Ord for Utf16Key {
    fn cmp(&self, other: &Utf16Key) -> Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Utf16Key {
    fn partial_cmp(&self, other: &Utf16Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Utf16Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{path}: expected an object, found {}", kind(value)))
}

fn names(value: &Value, path: &str) -> Result<BTreeSet<Utf16Key>, String> {
    let items =
        value.as_array().ok_or_else(|| format!("{path}: expected an array of strings, found {}", kind(value)))?;
    items.iter().map(|item| text(item, path).map(Utf16Key)).collect()
}

fn text(value: &Value, path: &str) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(format!("{path}: expected a string, found {}", kind(value)))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(value: Value) -> Metadata {
        Metadata::from_json(&value).expect("metadata")
    }

    #[test]
    fn every_empty_metadata_is_the_same() {
        assert_eq!(metadata(json!({})), metadata(json!({"properties": {}, "tags": null, "sensitive": []})));
        assert_eq!(serde_json::to_string(&metadata(json!({"other": 1}))).expect("JSON"), "{}");
    }

    #[test]
    fn members_are_printed_sorted() {
        let printed =
            serde_json::to_string(&metadata(json!({"properties": {"b": 2, "a": "1"}, "tags": {"x": ["T", "S"]}})))
                .expect("JSON");
        assert_eq!(printed, r#"{"tags":{"x":["S","T"]},"properties":{"a":"1","b":"2"}}"#);
    }

    #[test]
    fn later_metadata_wins_per_property() {
        let merged = metadata(json!({"properties": {"a": "1", "b": "1"}, "sensitive": ["a"]}))
            .merged(&metadata(json!({"properties": {"b": "2"}, "sensitive": ["b"]})));
        assert_eq!(merged, metadata(json!({"properties": {"a": "1", "b": "2"}, "sensitive": ["a", "b"]})));
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        let error = Metadata::from_json(&json!({"properties": {"a": null}})).expect_err("null");
        assert_eq!(error, "metadata.properties.a: expected a string, found null");
    }
}
