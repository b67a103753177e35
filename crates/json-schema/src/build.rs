//! From documents to a [`Tree`], refusing what no registry takes.
//!
//! Only what the root leads to is read: definitions that nothing refers to may be anything. Keywords are held to the
//! types of their values, not to what makes sense: a negative `minLength`, an empty `enum` or `allOf` pass, as they
//! always did. Unknown keywords pass, too.
//!
//! Targets of references are put off until what is at hand is done, so that a long chain of them needs no stack; JSON
//! itself nests 128 levels at most.
//!
//! Source: the drafts 4, 6, 7 and 2020-12, and where they leave freedom Confluent's behaviour.

mod classic;
mod modern;
mod rules;

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::pattern::Pattern;
use super::resolver::{Place, SchemaResolver};
use super::tree::{Combined, Criterion, Kind, Node, NodeId, Tree, TreeBuilder};
use crate::words::describe;
use postern_schema_core::{CompileError, Strictness};

/// Builds the tree of the resolver's first document.
pub(super) fn build(resolver: &SchemaResolver<'_>, strictness: Strictness) -> Result<Tree, CompileError> {
    let (tree, places, pending, path) = Default::default();
    let mut builder = Builder { resolver, strictness, tree, places, pending, path };
    let root = builder.schema(&resolver.root(0))?;
    while let Some((reference, id, place)) = builder.pending.pop() {
        builder.path = vec![reference.to_owned()];
        builder.fill(id, &place)?;
    }
    let Builder { tree, .. } = builder;
    Ok(tree.finish(root))
}

struct Builder<'d, 'l> {
    resolver: &'l SchemaResolver<'d>,
    strictness: Strictness,
    tree: TreeBuilder,
    /// Nodes by where their schemas stand, so that a schema is read once, however often it is referred to.
    places: HashMap<(usize, usize), NodeId>,
    /// Targets of references that are still to be read, and how they were referred to.
    pending: Vec<(&'d str, NodeId, Place<'d>)>,
    /// Where we are.
    path: Vec<String>,
}

/// A schema that is an object, in its surroundings.
struct Scope<'d> {
    document: usize,
    draft: Draft,
    /// The URI that references in it are seen from.
    base: Rc<str>,
    members: &'d Map<String, Value>,
}

type Built<T> = Result<T, CompileError>;

impl<'d> Builder<'d, '_> {
    fn schema(&mut self, place: &Place<'d>) -> Built<NodeId> {
        if let Some(known) = self.places.get(&place.key()) {
            return Ok(*known);
        }
        let id = self.tree.reserve();
        self.places.insert(place.key(), id);
        self.fill(id, place)?;
        Ok(id)
    }

    fn fill(&mut self, id: NodeId, place: &Place<'d>) -> Built<()> {
        let node = match place.value {
            Value::Bool(true) => plain(Kind::Any),
            Value::Bool(false) => plain(Kind::Never),
            Value::Object(members) => {
                let draft = self.resolver.draft(place.document);
                let base = self.resolver.base_within(place);
                self.object(&Scope { document: place.document, draft, base, members })?
            }
            other => return Err(self.expected("a schema (an object, true or false)", other)),
        };
        self.tree.set(id, node);
        Ok(())
    }

    fn object(&mut self, scope: &Scope<'d>) -> Built<Node> {
        for keyword in [scope.draft.id_keyword(), "title", "description", "$schema"] {
            self.text(scope, keyword)?;
        }
        let kind = match scope.draft.is_classic() {
            true => self.classic(scope)?,
            false => self.modern(scope)?,
        };
        // Beside a `$ref` of an old draft a default counts no more than anything else.
        let counts = |default: &&Value| match scope.draft.is_classic() {
            true => !matches!(kind, Kind::Reference(_)),
            false => !default.is_null(),
        };
        let has_default = scope.members.get("default").filter(counts).is_some();
        Ok(Node {
            kind,
            has_default,
            connect_bytes: scope.members.get("connect.type").is_some_and(|marked| marked == "bytes"),
        })
    }

    /// `$ref` or `$dynamicRef`, a string that leads somewhere. Comparison takes a dynamic one for a static one.
    fn reference(&mut self, scope: &Scope<'d>, keyword: &str, written: &'d Value) -> Built<NodeId> {
        let Value::String(reference) = written else {
            return Err(self.at(keyword).expected("a reference (a string)", written));
        };
        let Some(place) = self.resolver.resolve(scope.document, &scope.base, reference) else {
            self.path.push(keyword.to_owned());
            let expected = "a place in this schema, or one in a schema that it names in its references";
            return Err(self.expected(expected, written).remedy("nothing is fetched from elsewhere"));
        };
        if let Some(known) = self.places.get(&place.key()) {
            return Ok(*known);
        }
        let id = self.tree.reserve();
        self.places.insert(place.key(), id);
        self.pending.push((reference, id, place));
        Ok(id)
    }

    /// The schema that a keyword holds.
    fn child(&mut self, scope: &Scope<'d>, value: &'d Value, step: String) -> Built<NodeId> {
        self.path.push(step);
        let place = Place { document: scope.document, around: scope.base.clone(), value };
        let id = self.schema(&place)?;
        self.path.pop();
        Ok(id)
    }

    /// The schemas of a list.
    fn list(&mut self, scope: &Scope<'d>, keyword: &str, items: &'d [Value]) -> Built<Vec<NodeId>> {
        let numbered = items.iter().enumerate();
        numbered.map(|(position, item)| self.child(scope, item, format!("{keyword}[{position}]"))).collect()
    }

    /// `allOf`, `anyOf` and `oneOf`, as far as they are there.
    fn combined(&mut self, scope: &Scope<'d>) -> Built<Vec<Kind>> {
        let mut found = Vec::new();
        for (keyword, criterion) in [("allOf", Criterion::All), ("anyOf", Criterion::Any), ("oneOf", Criterion::One)] {
            let Some(items) = self.array(scope, keyword)? else { continue };
            let parts = self.list(scope, keyword, items)?;
            let mut met = std::collections::HashSet::new();
            let (mut distinct, mut digests) = (Vec::new(), Vec::new());
            for (item, part) in items.iter().zip(&parts) {
                let item = compared(scope.draft, item);
                let mut hasher = std::hash::DefaultHasher::new();
                item.hash(&mut hasher);
                if met.insert(item) {
                    distinct.push(*part);
                    digests.push(hasher.finish());
                }
            }
            found.push(Kind::Combined(Combined { criterion, parts, distinct, digests }));
        }
        Ok(found)
    }

    /// The conjunction of several kinds.
    fn all_of(&mut self, mut kinds: Vec<Kind>) -> Kind {
        match kinds.len() {
            0 => Kind::Any,
            1 => kinds.remove(0),
            _ => {
                let parts = kinds.into_iter().map(|kind| self.tree.add(kind)).collect::<Vec<_>>();
                Kind::Combined(Combined {
                    criterion: Criterion::All,
                    distinct: parts.clone(),
                    parts,
                    digests: Vec::new(),
                })
            }
        }
    }

    fn pattern(&mut self, written: &str) -> Built<()> {
        // A stored schema was taken by Confluent, whose dialect of expressions is larger than ours.
        if self.strictness == Strictness::New && !Pattern::is_valid(written) {
            return Err(self.expected("a regular expression", &Value::String(written.to_owned())));
        }
        Ok(())
    }
}

/// A schema without remarks: what tells it from others.
fn compared(draft: Draft, schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        members.retain(|keyword, value| match keyword.as_str() {
            "format" => value.as_str().is_some_and(|format| draft.checks(format)),
            "readOnly" | "writeOnly" => draft.is_classic(),
            _ => true,
        });
    }
    schema
}

fn plain(kind: Kind) -> Node {
    Node { kind, has_default: false, connect_bytes: false }
}

// === Values of keywords ===

impl<'d> Builder<'d, '_> {
    fn text(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Option<&'d str>> {
        match scope.members.get(keyword) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.at(keyword).expected("a string", other)),
        }
    }

    fn flag(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<bool> {
        match scope.members.get(keyword) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.at(keyword).expected("true or false", other)),
        }
    }

    fn array(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Option<&'d [Value]>> {
        match scope.members.get(keyword) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.at(keyword).expected("a list", other)),
        }
    }

    fn map(&mut self, scope: &Scope<'d>, keyword: &str) -> Built<Option<&'d Map<String, Value>>> {
        match scope.members.get(keyword) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(other) => Err(self.at(keyword).expected("an object", other)),
        }
    }

    fn at(&mut self, step: &str) -> &mut Self {
        self.path.push(step.to_owned());
        self
    }

    fn expected(&self, expected: &str, found: &Value) -> CompileError {
        CompileError::new(self.path.join("."), expected, describe(found))
    }
}
