//! Resolves `$ref` within all documents that a schema may refer to. Nothing is ever fetched.
//!
//! A reference has a name, and a `$ref` finds it by that name as it is written or as both are seen from the `$id`s
//! around them. Schemas of a document with an `$id` or an anchor of their own are found by these. A referenced
//! document sees its own references before those of the documents that refer to it.
//!
//! The meta-schemas of the drafts are found by their URIs, unless a reference has such a name ([`meta_schemas`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use serde_json::Value;

use super::draft::Draft;
use super::meta_schemas;
use super::uri;
use super::{JsonSchema, References};

/// A schema's place: a value within one of the documents, and the URI that its `$id` is seen from.
#[derive(Clone, Debug)]
pub(super) struct Place<'d> {
    pub(super) document: usize,
    pub(super) around: Rc<str>,
    pub(super) value: &'d Value,
}

impl Place<'_> {
    /// What tells places apart: the document, and where its value stands in memory.
    pub(super) fn key(&self) -> (usize, usize) {
        (self.document, std::ptr::from_ref(self.value).addr())
    }
}

/// A document and its kin. The first is the schema itself.
pub(super) struct SchemaResolver<'d> {
    documents: Vec<Document<'d>>,
    /// References of all documents by their names; nearer ones first.
    names: HashMap<&'d str, usize>,
    /// Documents and schemas by their URIs.
    uris: HashMap<Rc<str>, Place<'d>>,
    /// Schemas by the names that a document gives them.
    anchors: HashMap<Rc<str>, HashMap<&'d str, Place<'d>>>,
    /// Those of the anchors that are dynamic, by the URIs of their documents.
    dynamic_anchors: HashMap<Rc<str>, BTreeMap<&'d str, Place<'d>>>,
    /// URIs of meta-schemas that some document refers to.
    meta_schemas: Vec<&'d str>,
}

struct Document<'d> {
    root: Place<'d>,
    draft: Draft,
    names: HashMap<&'d str, usize>,
}

impl<'d> SchemaResolver<'d> {
    pub(super) fn new(root: &'d Value, references: &'d References) -> SchemaResolver<'d> {
        let draft = Draft::of(root);
        let (documents, names, uris, anchors, dynamic_anchors, meta_schemas) = Default::default();
        let mut resolver = SchemaResolver { documents, names, uris, anchors, dynamic_anchors, meta_schemas };
        resolver.add(root, draft, "".into());
        let mut known = HashMap::new();
        let mut pending = VecDeque::from([(0, references)]);
        while let Some((referrer, references)) = pending.pop_front() {
            for (name, schema) in references.iter() {
                let seen = uri::resolve(&resolver.base_within(&resolver.root(referrer)), name).into();
                let document = *known.entry(std::ptr::from_ref::<JsonSchema>(schema)).or_insert_with(|| {
                    let document = schema.document();
                    let draft = Draft::declared(document).unwrap_or(draft);
                    let added = resolver.add(document, draft, Rc::clone(&seen));
                    pending.push_back((added, schema.references()));
                    added
                });
                let root = resolver.root(document);
                resolver.uris.entry(seen).or_insert(root);
                resolver.documents[referrer].names.entry(name).or_insert(document);
                resolver.names.entry(name).or_insert(document);
            }
        }
        while let Some(uri) = resolver.meta_schemas.pop() {
            resolver.add_meta_schemas(uri, draft.is_classic());
        }
        resolver
    }

    fn add_meta_schemas(&mut self, uri: &str, classic: bool) {
        for (uri, document) in meta_schemas::documents(uri, classic) {
            if self.uris.contains_key(uri.as_str()) {
                continue;
            }
            let added = self.add(document, Draft::of(document), uri.as_str().into());
            let root = self.root(added);
            let host = uri.split_once("://").map_or(uri.as_str(), |(_, host)| host);
            for scheme in ["http", "https"] {
                self.uris.entry(format!("{scheme}://{host}").into()).or_insert_with(|| root.clone());
            }
        }
    }

    /// The place of a whole document.
    pub(super) fn root(&self, document: usize) -> Place<'d> {
        self.documents[document].root.clone()
    }

    pub(super) fn draft(&self, document: usize) -> Draft {
        self.documents[document].draft
    }

    /// The URI that references within `place` are seen from: its own, or that around it.
    pub(super) fn base_within(&self, place: &Place<'d>) -> Rc<str> {
        match own_id(place.value, self.draft(place.document)) {
            Some(id) if !uri::split(id).0.is_empty() => uri::resolve(&place.around, id).into(),
            Some(_) | None => place.around.clone(),
        }
    }

    /// What a `$dynamicRef` refers to where nothing around it has the anchor, and the name of the anchor if it is a
    /// dynamic one.
    pub(super) fn resolve_dynamic(
        &self,
        document: usize,
        base: &str,
        reference: &'d str,
    ) -> Option<(Place<'d>, Option<&'d str>)> {
        let place = self.resolve(document, base, reference)?;
        let (_, name) = uri::split(reference);
        let is_dynamic = place.value.get("$dynamicAnchor").is_some_and(|anchor| anchor == name);
        Some((place, is_dynamic.then_some(name)))
    }

    /// The dynamic anchors of the document that the place belongs to.
    pub(super) fn dynamic_anchors(&self, place: &Place<'d>) -> Option<&BTreeMap<&'d str, Place<'d>>> {
        if self.dynamic_anchors.is_empty() {
            return None;
        }
        self.dynamic_anchors.get(&self.base_within(place))
    }

    /// What a `$ref` refers to that is written in a document where `base` is in force.
    pub(super) fn resolve(&self, document: usize, base: &str, reference: &str) -> Option<Place<'d>> {
        let (target, fragment) = uri::split(reference);
        let fragment = uri::decoded(fragment);
        let starts = self.starts(document, base, reference, target);
        starts.into_iter().flatten().find_map(|start| self.within(start, &fragment))
    }

    /// Where a fragment may begin, best first.
    fn starts(&self, document: usize, base: &str, reference: &str, target: &str) -> [Option<Place<'d>>; 4] {
        let own = &self.documents[document];
        if target.is_empty() {
            // A schema with an `$id` of its own is a document within the document, of which the old drafts hardly knew.
            let (outer, inner) = (Some(own.root.clone()), self.uris.get(base).cloned());
            return if own.draft.is_classic() { [outer, inner, None, None] } else { [inner, outer, None, None] };
        }
        let named = |names: &HashMap<&str, usize>, name: &str| names.get(name).map(|found| self.root(*found));
        let seen = uri::resolve(base, target);
        [
            named(&own.names, reference).or_else(|| named(&own.names, target)),
            self.uris.get(seen.as_str()).cloned(),
            named(&self.names, reference).or_else(|| named(&self.names, target)),
            named(&self.names, &seen),
        ]
    }

    fn within(&self, start: Place<'d>, fragment: &str) -> Option<Place<'d>> {
        if fragment.is_empty() {
            return Some(start);
        }
        let Some(pointer) = fragment.strip_prefix('/') else {
            return self.anchors.get(&self.base_within(&start))?.get(fragment).cloned();
        };
        let rest = pointer.strip_prefix("$defs").filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match rest.filter(|_| std::ptr::eq(start.value, self.documents[start.document].root.value)) {
            // The definitions of a document are seen under both names.
            Some(rest) => {
                let definitions = |name: &str| self.member(&start, name).and_then(|found| self.walk(found, rest));
                definitions("$defs").or_else(|| definitions("definitions"))
            }
            None => self.walk(start, fragment),
        }
    }

    fn walk(&self, start: Place<'d>, pointer: &str) -> Option<Place<'d>> {
        let mut place = start;
        for token in pointer.split('/').skip(1) {
            place = self.member(&place, &token.replace("~1", "/").replace("~0", "~"))?;
        }
        Some(place)
    }

    fn member(&self, place: &Place<'d>, name: &str) -> Option<Place<'d>> {
        let value = match place.value {
            Value::Object(members) => members.get(name),
            Value::Array(items) => name.parse::<usize>().ok().and_then(|position| items.get(position)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        Some(Place { document: place.document, around: self.base_within(place), value: value? })
    }

    fn add(&mut self, root: &'d Value, draft: Draft, around: Rc<str>) -> usize {
        let document = self.documents.len();
        let root = Place { document, around, value: root };
        self.documents.push(Document { root: root.clone(), draft, names: HashMap::new() });
        let base = self.base_within(&root);
        if !base.is_empty() {
            self.uris.entry(base).or_insert_with(|| root.clone());
        }
        self.index(root);
        document
    }

    /// Notes the ids and anchors in a document.
    fn index(&mut self, root: Place<'d>) {
        let (document, draft) = (root.document, self.draft(root.document));
        let mut pending = vec![root];
        while let Some(place) = pending.pop() {
            let Value::Object(members) = place.value else {
                let items = place.value.as_array().into_iter().flatten();
                pending.extend(items.map(|value| Place { document, around: place.around.clone(), value }));
                continue;
            };
            let base = self.base_within(&place);
            let fragment = own_id(place.value, draft).map(|id| uri::split(id).1).filter(|name| !name.is_empty());
            let anchors = ["$anchor", "$dynamicAnchor"].into_iter().filter(|_| !draft.is_classic());
            let anchors = anchors.filter_map(|keyword| members.get(keyword)?.as_str());
            for name in fragment.into_iter().chain(anchors) {
                self.anchors.entry(base.clone()).or_default().entry(name).or_insert_with(|| place.clone());
            }
            if let Some(name) = members.get("$dynamicAnchor").and_then(Value::as_str).filter(|_| !draft.is_classic()) {
                let anchors = self.dynamic_anchors.entry(base.clone()).or_default();
                anchors.entry(name).or_insert_with(|| place.clone());
            }
            for keyword in ["$ref", "$dynamicRef"] {
                let target = members.get(keyword).and_then(Value::as_str).map(|reference| uri::split(reference).0);
                self.meta_schemas.extend(target.filter(|target| target.contains("://json-schema.org/")));
            }
            if base != place.around {
                self.uris.entry(base.clone()).or_insert(place);
            }
            let data = |name: &str| matches!(name, "enum" | "const" | "default" | "examples");
            let parts = members.iter().filter(|(name, part)| !data(name) && (part.is_object() || part.is_array()));
            pending.extend(parts.map(|(_, value)| Place { document, around: base.clone(), value }));
        }
    }
}

/// The `$id` of a schema; in the old drafts none counts beside a `$ref`.
fn own_id(schema: &Value, draft: Draft) -> Option<&str> {
    let members = schema.as_object()?;
    if draft.is_classic() && members.contains_key("$ref") {
        return None;
    }
    members.get(draft.id_keyword())?.as_str()
}
