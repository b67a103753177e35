//! The texts of a schema: canonical, normalized, self-contained, and one that is only compared.
//!
//! Canonical is not the specification's "parsing canonical form": docs, aliases, defaults and custom attributes are kept.
//! Named types are printed in full where they first occur and by name from then on. External types (roots of references, not
//! what is defined within them) are printed by name, except in a self-contained text, and for comparison, where a reference
//! equals the same type written out.
//!
//! Source: `docs/reference/schema-registry.md §5.3, §5.4`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::defaults::Normalizer;
use super::logical::LogicalType;
use super::model::{Definition, Enum, Field, Fixed, Kind, Model, NodeId, Order, Record};
use postern_json_text as json;

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Identity: properties and aliases in the order in which they were written.
    Canonical,
    /// `normalize=true`: logical types first, other properties and aliases sorted, defaults in the form of their types, no empty
    /// docs of named types, no `error`.
    Normalized,
    /// `format=resolved`: as canonical, external types written out.
    Resolved,
    /// Comparison: all members of objects sorted, external types written out.
    Comparable,
}

impl Style {
    /// Whether external types are printed in full.
    fn inlines(self) -> bool {
        match self {
            Style::Canonical | Style::Normalized => false,
            Style::Resolved | Style::Comparable => true,
        }
    }

    /// The keyword of a type. Whether a record is an `error` has no influence on data, and is forgotten when it is normalized.
    fn type_name(self, kind: &Kind) -> &'static str {
        match (self, kind) {
            (Style::Normalized | Style::Comparable, Kind::Record(_)) => "record",
            (_, kind) => kind.type_name(),
        }
    }

    /// Whether properties are sorted by name.
    fn sorts(self) -> bool {
        match self {
            Style::Canonical | Style::Resolved => false,
            Style::Normalized | Style::Comparable => true,
        }
    }
}

/// The text of `model`.
pub(crate) fn print(model: &Model, style: Style) -> String {
    print_type(model, model.root, style)
}

/// The text of one type of `model`.
pub(crate) fn print_type(model: &Model, id: NodeId, style: Style) -> String {
    let mut printer =
        Printer { model, style, out: String::new(), seen: HashSet::new(), defaults: Normalizer::new(model) };
    printer.node(id, "");
    printer.out
}

struct Printer<'m> {
    model: &'m Model,
    style: Style,
    out: String,
    /// Full names of the types that are already printed.
    seen: HashSet<&'m str>,
    defaults: Normalizer<'m>,
}

impl<'m> Printer<'m> {
    fn node(&mut self, id: NodeId, namespace: &str) {
        let node = self.model.node(id);
        if let Some(definition) = node.kind.definition() {
            let by_name = definition.external && !self.style.inlines();
            if by_name || !self.seen.insert(definition.name.full()) {
                return json::quote(definition.name.within(namespace), &mut self.out);
            }
        }
        match &node.kind {
            Kind::Primitive(primitive) if node.properties.is_empty() => {
                return json::quote(primitive.type_name(), &mut self.out);
            }
            Kind::Union(branches) => return self.union(branches, namespace),
            kind => {
                self.out.push_str("{\"type\":\"");
                self.out.push_str(self.style.type_name(kind));
                self.out.push('"');
            }
        }
        match &node.kind {
            Kind::Primitive(_) | Kind::Union(_) => {}
            Kind::Array(inner) => self.inner("items", *inner, namespace),
            Kind::Map(inner) => self.inner("values", *inner, namespace),
            Kind::Record(record) => self.record(record, namespace),
            Kind::Enum(enumeration) => self.enumeration(enumeration, namespace),
            Kind::Fixed(fixed) => self.fixed(fixed, namespace),
        }
        match self.style {
            Style::Normalized => self.normal_properties(&node.kind, &node.properties),
            Style::Canonical | Style::Resolved | Style::Comparable => self.properties(&node.properties),
        }
        if let Some(definition) = node.kind.definition() {
            let namespace = definition.name.namespace();
            let mut aliases = definition.aliases.iter().collect::<Vec<_>>();
            if self.style == Style::Normalized {
                aliases.sort_by_key(|alias| alias.full());
            }
            self.aliases(aliases.into_iter().map(|alias| alias.within(namespace)));
        }
        self.out.push('}');
    }

    fn union(&mut self, branches: &[NodeId], namespace: &str) {
        self.out.push('[');
        for (position, branch) in branches.iter().enumerate() {
            self.comma_after(position);
            self.node(*branch, namespace);
        }
        self.out.push(']');
    }

    fn inner(&mut self, member: &str, inner: NodeId, namespace: &str) {
        self.key(member);
        self.node(inner, namespace);
    }

    fn record(&mut self, record: &Record, namespace: &str) {
        self.heading(&record.definition, namespace);
        self.key("fields");
        self.out.push('[');
        for (position, field) in record.fields.iter().enumerate() {
            self.comma_after(position);
            self.field(field, record.definition.name.namespace());
        }
        self.out.push(']');
    }

    fn field(&mut self, field: &Field, namespace: &str) {
        self.out.push_str("{\"name\":");
        json::quote(&field.name, &mut self.out);
        self.inner("type", field.node, namespace);
        self.text("doc", field.doc.as_deref());
        if let Some(default) = &field.default {
            self.key("default");
            match self.style {
                Style::Normalized => {
                    let default = self.defaults.normalized(field.node, default);
                    json::value(&default, false, &mut self.out);
                }
                Style::Canonical | Style::Resolved => json::value(default, false, &mut self.out),
                Style::Comparable => json::value(default, true, &mut self.out),
            }
        }
        self.text(
            "order",
            match field.order {
                Order::Ascending => None,
                Order::Descending => Some("descending"),
                Order::Ignore => Some("ignore"),
            },
        );
        let mut aliases = field.aliases.iter().map(String::as_str).collect::<Vec<_>>();
        if self.style == Style::Normalized {
            aliases.sort_unstable();
        }
        self.aliases(aliases.into_iter());
        self.properties(&field.properties);
        self.out.push('}');
    }

    fn enumeration(&mut self, enumeration: &Enum, namespace: &str) {
        self.heading(&enumeration.definition, namespace);
        self.list("symbols", enumeration.symbols.iter().map(String::as_str));
        self.text("default", enumeration.default.as_deref());
    }

    fn fixed(&mut self, fixed: &Fixed, namespace: &str) {
        self.heading(&fixed.definition, namespace);
        self.key("size");
        self.out.push_str(&fixed.size.to_string());
    }

    fn heading(&mut self, definition: &Definition, namespace: &str) {
        self.text("name", Some(definition.name.simple()));
        self.text("namespace", Some(definition.name.namespace()).filter(|own| *own != namespace));
        let is_kept = |doc: &&str| self.style != Style::Normalized || !doc.is_empty();
        self.text("doc", definition.doc.as_deref().filter(is_kept));
    }

    fn properties(&mut self, properties: &Map<String, Value>) {
        let mut properties = properties.iter().collect::<Vec<_>>();
        if self.style.sorts() {
            properties.sort_by_key(|(name, _)| *name);
        }
        for (name, value) in properties {
            self.property(name, value);
        }
    }

    fn normal_properties(&mut self, kind: &Kind, properties: &Map<String, Value>) {
        let mut rest = properties.clone();
        if let Some(logical_type) = LogicalType::of(kind, properties) {
            let first: &[&str] = match logical_type {
                LogicalType::Decimal { .. } => &["logicalType", "precision", "scale"],
                _ => &["logicalType"], // no other has parameters
            };
            for name in first {
                if let Some(value) = rest.shift_remove(*name) {
                    self.property(name, &value);
                }
            }
        }
        self.properties(&rest);
    }

    fn property(&mut self, name: &str, value: &Value) {
        self.key(name);
        json::value(value, self.style.sorts(), &mut self.out);
    }

    fn aliases<'a>(&mut self, aliases: impl ExactSizeIterator<Item = &'a str>) {
        if aliases.len() > 0 {
            self.list("aliases", aliases);
        }
    }

    fn list<'a>(&mut self, member: &str, texts: impl Iterator<Item = &'a str>) {
        self.key(member);
        self.out.push('[');
        for (position, text) in texts.enumerate() {
            self.comma_after(position);
            json::quote(text, &mut self.out);
        }
        self.out.push(']');
    }

    fn text(&mut self, member: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(member);
            json::quote(text, &mut self.out);
        }
    }

    fn key(&mut self, member: &str) {
        self.out.push(',');
        json::quote(member, &mut self.out);
        self.out.push(':');
    }

    fn comma_after(&mut self, position: usize) {
        if position > 0 {
            self.out.push(',');
        }
    }
}
