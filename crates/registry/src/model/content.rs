//! The content of a schema: its canonical text and everything else that belongs to its identity, and the guid made from them.
//!
//! Source: docs/reference/schema-registry.md §6.2.

use md5::{Digest, Md5};
use postern_schema::SchemaKind;
use serde::Serialize;
use serde_json::Value;

use crate::model::metadata::Metadata;
use crate::model::names::Guid;

/// The name of a schema type in requests, answers and records.
pub fn kind_name(kind: SchemaKind) -> &'static str {
    match kind {
        SchemaKind::Avro => "AVRO",
        SchemaKind::Json => "JSON",
        SchemaKind::Protobuf => "PROTOBUF",
    }
}

/// The schema type of this name.
pub fn kind_of(name: &str) -> Option<SchemaKind> {
    [SchemaKind::Avro, SchemaKind::Json, SchemaKind::Protobuf].into_iter().find(|kind| kind_name(*kind) == name)
}

/// A schema that another one uses, by the name it uses it under.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct SchemaReference {
    /// What the referring text calls it: a full type name (Avro), a URI (JSON), an import path (Protobuf).
    pub name: String,
    /// Where it is registered; unqualified: in the context of the referring subject.
    pub subject: String,
    /// Which version of it. In a submitted schema -1 means the latest.
    pub version: i32,
}

/// What an id names. Two schemas with the same guid are the same schema.
#[derive(PartialEq, Debug)]
pub struct SchemaContent {
    /// Computed from all other members but the kind.
    guid: Guid,
    kind: SchemaKind,
    /// Equal for texts that differ only in the order of their characters.
    fingerprint: u64,
    /// The canonical text, stored once per context.
    text: Box<str>,
    references: Box<[SchemaReference]>,
    metadata: Option<Box<Metadata>>,
    rule_set: Option<Box<Value>>,
}

impl SchemaContent {
    /// `text` is canonical already.
    pub fn new(
        kind: SchemaKind,
        text: &str,
        references: Vec<SchemaReference>,
        metadata: Option<Metadata>,
        rule_set: Option<Value>,
    ) -> SchemaContent {
        let guid = guid(text, &references, metadata.as_ref(), rule_set.as_ref());
        SchemaContent {
            guid,
            kind,
            fingerprint: fingerprint(text),
            text: text.into(),
            references: references.into(),
            metadata: metadata.map(Box::new),
            rule_set: rule_set.map(Box::new),
        }
    }

    /// The same under another identity: that of the clear text of metadata that is encoded.
    pub(crate) fn with_guid(self, guid: Guid) -> SchemaContent {
        SchemaContent { guid, ..self }
    }

    /// Secret properties stand here in code that another registry can read; they are served as they are.
    pub(crate) fn is_encoded(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.property("__enc__") == Some("true"))
    }

    /// The identity.
    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// Avro, JSON Schema or Protobuf.
    pub fn kind(&self) -> SchemaKind {
        self.kind
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The schemas it uses directly.
    pub fn references(&self) -> &[SchemaReference] {
        &self.references
    }

    /// Its metadata.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_deref()
    }

    /// Its rules, kept as they came.
    pub fn rule_set(&self) -> Option<&Value> {
        self.rule_set.as_deref()
    }

    /// Whether both are one schema: the type is not part of the guid.
    pub(crate) fn is_same(&self, other: &SchemaContent) -> bool {
        self.guid == other.guid && self.kind == other.kind
    }

    /// A number that equivalent contents share, whatever the order of their attributes: for finding them without compiling all.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The sum of a hash of each byte, so that the order of the bytes does not count.
fn fingerprint(text: &str) -> u64 {
    // The finalizer of SplitMix64.
    const fn mixed(byte: u64) -> u64 {
        let mut z = (byte + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    text.bytes().fold(0, |sum: u64, byte| sum.wrapping_add(mixed(u64::from(byte))))
}

fn guid(text: &str, references: &[SchemaReference], metadata: Option<&Metadata>, rule_set: Option<&Value>) -> Guid {
    let mut hash = Md5::new();
    hash.update(text);
    for reference in references {
        hash.update(&reference.name);
        hash.update(&reference.subject);
        hash.update(reference.version.to_be_bytes());
    }
    if let Some(metadata) = metadata {
        hash.update([1]);
        for (path, tags) in &metadata.tags {
            hash.update(&path.0);
            tags.iter().for_each(|tag| hash.update(&tag.0));
        }
        for (name, value) in &metadata.properties {
            hash.update(&name.0);
            hash.update(value);
        }
        metadata.sensitive.iter().for_each(|name| hash.update(&name.0));
    }
    if let Some(rule_set) = rule_set {
        hash.update([1]);
        for list in ["migrationRules", "domainRules", "encodingRules"] {
            for rule in rule_set[list].as_array().into_iter().flatten() {
                hash_rule(&mut hash, rule);
            }
        }
        hash_text(&mut hash, &rule_set["enableAt"]);
    }
    Guid(hash.finalize().into())
}

fn hash_rule(hash: &mut Md5, rule: &Value) {
    for name in ["name", "doc", "kind", "mode", "type"] {
        hash_text(hash, &rule[name]);
    }
    let mut tags: Vec<&str> = rule["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    tags.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    tags.iter().for_each(|tag| hash.update(tag));
    let mut params: Vec<(&str, &Value)> =
        rule["params"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    params.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    for (name, value) in params {
        hash.update(name);
        hash_text(hash, value);
    }
    for name in ["expr", "onSuccess", "onFailure"] {
        hash_text(hash, &rule[name]);
    }
    if rule["disabled"] == Value::Bool(true) {
        hash.update([1]);
    }
}

fn hash_text(hash: &mut Md5, value: &Value) {
    if let Some(text) = value.as_str() {
        hash.update(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both values are published by clients of the registry.
    #[test]
    fn the_guid_of_plain_text_is_its_md5() {
        let string = SchemaContent::new(SchemaKind::Avro, "\"string\"", vec![], None, None);
        assert_eq!(string.guid().to_string(), "095d71cf-1255-6b9d-5e33-0ad575b3df5d");
        let int = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![], None, None);
        assert_eq!(int.guid().to_string(), "ef524ea1-b91e-7317-3d93-8ade36c1db32");
    }

    #[test]
    fn empty_metadata_is_not_no_metadata_and_order_of_references_counts() {
        let plain = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![], None, None);
        let empty = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![], Some(Metadata::default()), None);
        assert_ne!(plain.guid(), empty.guid());
        let reference = |name: &str| SchemaReference { name: name.to_owned(), subject: "s".to_owned(), version: 1 };
        let one = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![reference("a"), reference("b")], None, None);
        let other = SchemaContent::new(SchemaKind::Avro, "\"int\"", vec![reference("b"), reference("a")], None, None);
        assert_ne!(one.guid(), other.guid());
    }
}
