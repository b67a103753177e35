//! What all resources of API v3 have in common (docs/reference/rest-v3.md §2.1, §2.2).
//!
//! A resource is a small struct of its own whose members stand in the order in which they are written, `kind` and
//! `metadata` first.

use schemars::JsonSchema;
use serde::Serialize;

/// Where a resource is, and what it is called.
#[derive(Serialize, JsonSchema)]
pub(super) struct Metadata {
    #[serde(rename = "self")]
    pub(super) url: String,
    pub(super) resource_name: String,
}

/// A link to something else.
#[derive(Serialize, JsonSchema)]
pub(super) struct Related {
    pub(super) related: String,
}

/// A list of resources, or a page of one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct Collection<T> {
    kind: &'static str,
    metadata: CollectionMetadata,
    data: Vec<T>,
}

#[derive(Serialize, JsonSchema)]
struct CollectionMetadata {
    #[serde(rename = "self")]
    url: String,
    next: Option<String>,
}

impl<T> Collection<T> {
    /// The same as one page, where `next` is.
    pub(super) fn with_next(mut self, next: Option<String>) -> Collection<T> {
        self.metadata.next = next;
        self
    }

    /// The list at `url`; `kind` is that of the list.
    pub(super) fn new(kind: &'static str, url: String, data: impl IntoIterator<Item = T>) -> Collection<T> {
        Collection { kind, metadata: CollectionMetadata { url, next: None }, data: data.into_iter().collect() }
    }
}
