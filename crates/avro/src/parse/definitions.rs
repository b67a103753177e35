//! Types by their names: used, defined, used before they are defined, and defined again.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Attributes, Parser, attributes, equality};
use crate::describe::describe;
use crate::model::{Definition, Kind, Model, Node, NodeId, Primitive, Record};
use crate::names::{self, Name};
use postern_schema_core::{CompileError, Strictness};

impl Parser {
    /// A primitive, or a type defined here or in a reference. A short name is looked up in the enclosing namespace first, then
    /// among the complete definitions of the null namespace; an unknown one belongs to the enclosing namespace.
    pub(super) fn named(&mut self, written: &str, namespace: &str) -> Result<NodeId, CompileError> {
        if let Some(primitive) = Primitive::of(written) {
            return Ok(Model::bare(primitive));
        }
        let name = Name::new(written, namespace);
        let known = self.model.named.get(name.full()).copied();
        let known = known.or_else(|| self.model.named.get(written).copied().filter(|&id| self.is_complete(id)));
        if let Some(id) = known {
            if !self.is_complete(id) {
                self.note_forward_reference();
            }
            return Ok(id);
        }
        let error = self.error("the name of a type", describe(&Value::String(written.to_owned())));
        let error = match attributes::suggestion(written) {
            Some(remedy) => error.remedy(remedy),
            None => error.remedy("no type of that name is defined here or in a referenced schema"),
        };
        if attributes::is_complex_type(written) || !names::is_valid(name.simple(), false) {
            return Err(error);
        }
        let definition = Definition { name, doc: None, aliases: Vec::new(), external: false };
        let name = definition.name.full().to_owned();
        let kind = Kind::Record(Record { definition, is_error: false, fields: Vec::new() });
        let id = self.model.add(kind, Map::new());
        self.model.named.insert(name, id);
        self.unresolved.insert(id, error);
        self.has_forward_references = true;
        self.note_forward_reference();
        Ok(id)
    }

    /// Name, doc and aliases of a definition.
    pub(super) fn definition(&self, attributes: &Attributes, namespace: &str) -> Result<Definition, CompileError> {
        let written = self.name(attributes)?;
        let namespace = attributes.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let name = Name::new(written, namespace);
        self.check_name(name.simple(), ".name")?;
        self.check_namespace(&name, if written.contains('.') { ".name" } else { ".namespace" })?;
        if Primitive::of(name.full()).is_some() {
            return Err(self.error_at(".name", "a name that is no primitive type", format!("\"{}\"", name.full())));
        }
        let (mut aliases, mut seen) = (Vec::new(), HashSet::new());
        for (position, alias) in self.texts(attributes, "aliases")?.iter().enumerate() {
            let alias = Name::new(alias, name.namespace());
            let place = format!(".aliases[{position}]");
            self.check_name(alias.simple(), &place)?;
            self.check_namespace(&alias, &place)?;
            if seen.insert(alias.clone()) {
                aliases.push(alias);
            }
        }
        Ok(Definition { name, doc: attributes::text(attributes, "doc"), aliases, external: false })
    }

    /// Adds a definition, or checks it against an earlier one of the same name.
    pub(super) fn define(&mut self, node: Node) -> Result<NodeId, CompileError> {
        match self.begin_definition(&node)? {
            Some(id) => Ok(id),
            None => self.redefine(node, false),
        }
    }

    /// Adds a definition, complete or not, and gives its node; none if there is a complete definition of that name already.
    pub(super) fn begin_definition(&mut self, node: &Node) -> Result<Option<NodeId>, CompileError> {
        let name = node.kind.label();
        match self.model.named.get(name).copied() {
            Some(id) if self.unresolved.remove(&id).is_some() => {
                self.model.replace(id, node.clone());
                Ok(Some(id))
            }
            Some(id) if self.is_complete(id) => Ok(None),
            Some(_) => Err(self.redefined(name).remedy("a type cannot be defined within itself")),
            None => {
                let id = self.model.add(node.kind.clone(), node.properties.clone());
                self.model.named.insert(name.to_owned(), id);
                Ok(Some(id))
            }
        }
    }

    /// Takes a second definition for the first, if they are equal as Avro for Java (1.12) compares them. `refers_ahead`: whether
    /// the second one refers to types that were not complete; such definitions are equal to no other there.
    pub(super) fn redefine(&mut self, second: Node, refers_ahead: bool) -> Result<NodeId, CompileError> {
        let name = second.kind.label();
        let first = self.model.named[name];
        let is_comparable = !refers_ahead && !self.referring_ahead.contains(&first);
        if !is_comparable || !equality::same_definition(&self.model, self.model.node(first), &second) {
            let remedy = "a second definition must equal the first but for doc and aliases: write only the name, or give the new type another name";
            return Err(self.redefined(name).remedy(remedy));
        }
        // The canonical text prints what a reference only contains, and then with this text's own doc and aliases.
        let external = self.model.kind(first).definition().is_some_and(|definition| definition.external);
        if first.index() < self.imported && !external && self.retold.insert(first) {
            self.model.replace(first, second);
        }
        Ok(first)
    }

    fn redefined(&self, name: &str) -> CompileError {
        self.error_at(".name", format!("one definition of \"{name}\""), "another one (can't redefine)")
    }

    /// Whether the definition of a type has been read to its end.
    fn is_complete(&self, id: NodeId) -> bool {
        !self.unresolved.contains_key(&id) && self.open.iter().all(|open| open.id != Some(id))
    }

    /// Notes that the definition which is being read refers to a type that is not complete.
    fn note_forward_reference(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.refers_ahead = true;
        }
    }

    pub(super) fn check_name(&self, name: &str, place: &str) -> Result<(), CompileError> {
        if names::is_valid(name, self.strictness == Strictness::New) {
            return Ok(());
        }
        let expected = "a name: a letter or _, then letters, digits and _";
        Err(self.error_at(place, expected, describe(&Value::String(name.to_owned()))))
    }

    /// Checks the names that a namespace consists of.
    fn check_namespace(&self, name: &Name, place: &str) -> Result<(), CompileError> {
        match name.namespace() {
            "" => Ok(()),
            namespace => namespace.split('.').try_for_each(|part| self.check_name(part, place)),
        }
    }
}
