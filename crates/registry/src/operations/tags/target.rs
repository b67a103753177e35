//! A place in a schema that can be tagged, and its tags where they are an attribute.

use serde_json::{Map, Value};

/// The attribute.
pub(super) const ATTRIBUTE: &str = "confluent:tags";

/// Something in a schema, and its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTags {
    /// `Rec.field`; for JSON `object.field`.
    pub path: String,
    /// Record or field.
    pub part: EntityType,
    /// In the order they stand in the schema.
    pub tags: Vec<String>,
}

/// What can be tagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityType {
    /// A record, an object, a message.
    Record,
    /// One of its fields.
    Field,
}

impl EntityType {
    /// As in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            EntityType::Record => "sr_record",
            EntityType::Field => "sr_field",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<EntityType> {
        [EntityType::Record, EntityType::Field].into_iter().find(|part| part.name() == name)
    }
}

/// What is done at every place, with its tags.
pub(super) type Visit<'a> = dyn FnMut(&TagTarget, &mut Vec<String>) + 'a;

/// A place that can have tags.
pub(super) struct TagTarget {
    /// The path as it is printed.
    pub(super) path: String,
    /// Another path by which it may be given.
    pub(super) other: Option<String>,
    pub(super) part: EntityType,
}

impl TagTarget {
    pub(super) fn is(&self, tagged: &EntityTags) -> bool {
        let is_called = self.path == tagged.path || self.other.as_ref() == Some(&tagged.path);
        // A place with two names is a field by one of them and a record by the other.
        is_called && (self.part == tagged.part || self.other.is_some())
    }
}

/// Visits one place whose tags are an attribute of `members`.
pub(super) fn visit_attribute(place: &TagTarget, members: &mut Map<String, Value>, visit: &mut Visit<'_>) {
    let before = tags_of(members);
    let mut tags = before.clone();
    visit(place, &mut tags);
    if tags == before {
        return;
    }
    match tags.is_empty() {
        true => members.shift_remove(ATTRIBUTE),
        false => members.insert(ATTRIBUTE.to_owned(), tags.into()),
    };
}

pub(super) fn tags_of(members: &Map<String, Value>) -> Vec<String> {
    let tags = members.get(ATTRIBUTE).and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
