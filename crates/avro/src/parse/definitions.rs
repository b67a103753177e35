//! Types by their names: used, defined, used before they are defined, and defined again.

use serde_json::{Map, Value};

use super::attributes;
use super::{Attributes, Parser};
use crate::describe::describe;
use crate::model::{Definition, Kind, Model, Node, NodeId, Primitive, Record};
use crate::names::{self, Name};
use crate::print::{self, Style};
use postern_schema_core::{CompileError, Strictness};

impl Parser {
    /// A primitive, or a type defined here or in a reference. A short name is looked up in the enclosing namespace first, then in
    /// the null namespace; an unknown one belongs to the enclosing namespace.
    pub(super) fn named(&mut self, written: &str, namespace: &str) -> Result<NodeId, CompileError> {
        if let Some(primitive) = Primitive::of(written) {
            return Ok(Model::bare(primitive));
        }
        let name = Name::new(written, namespace);
        if let Some(known) = self.model.named.get(name.full()).or_else(|| self.model.named.get(written)) {
            return Ok(*known);
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
        let kind = Kind::Record(Record { definition, is_error: false, fields: Vec::new() });
        let id = self.define(kind, Map::new());
        self.unresolved.insert(id, error);
        self.has_forward_references = true;
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
        if self.model.named.get(name.full()).is_some_and(|known| !self.may_be_defined(*known)) {
            let found = format!("\"{}\" for the second time", name.full());
            return Err(self
                .error_at(".name", "a new name", found)
                .remedy("a type is written out once and then referred to by its name"));
        }
        let mut aliases = Vec::new();
        for (position, alias) in self.texts(attributes, "aliases")?.iter().enumerate() {
            let alias = Name::new(alias, name.namespace());
            let place = format!(".aliases[{position}]");
            self.check_name(alias.simple(), &place)?;
            self.check_namespace(&alias, &place)?;
            if !aliases.contains(&alias) {
                aliases.push(alias);
            }
        }
        Ok(Definition { name, doc: attributes::text(attributes, "doc"), aliases, external: false })
    }

    pub(super) fn define(&mut self, kind: Kind, properties: Map<String, Value>) -> NodeId {
        let name = kind.label().to_owned();
        let known = self.model.named.get(&name).copied();
        if let Some(id) = known.filter(|id| self.unresolved.remove(id).is_some()) {
            self.model.replace(id, Node { kind, properties });
            return id;
        }
        let id = self.model.add(kind, properties);
        if let Some(known) = self.model.named.insert(name, id) {
            self.repeated.push((known, id, self.path_to("")));
        }
        id
    }

    /// Whether a known type may be defined here: one that was only used before, or one from within a referenced schema, which the
    /// canonical text repeats.
    fn may_be_defined(&self, known: NodeId) -> bool {
        let external = self.model.kind(known).definition().is_some_and(|definition| definition.external);
        self.unresolved.contains_key(&known) || (known.index() < self.imported && !external)
    }

    /// Checks that types which a reference defines as well are defined equally.
    pub(super) fn check_repeated(&self) -> Result<(), CompileError> {
        let text = |id| print::print_type(&self.model, id, Style::Comparable);
        for (known, own, place) in &self.repeated {
            if text(*known) != text(*own) {
                let label = self.model.kind(*own).label();
                let found = format!("\"{label}\", which a referenced schema defines in another way");
                return Err(CompileError::new(place.clone(), "a new name", found));
            }
        }
        Ok(())
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
