//! The normalized form of a file: sorted where order says nothing, and every type by its full name.
//!
//! The order of messages stays: it numbers them on the wire.
//!
//! Source: docs/reference/schema-registry.md §5.5.

use super::model::{Extend, Field, FieldType, File, Group, Message, Reserved, Streamed, Syntax};
use super::names::{Kind, Named, Shape, Types, Written};
use postern_schema_core::CompileError;

/// The file that `types` is about, normalized. Names that cannot be resolved stay as they are, and the first of them
/// is told as well.
pub(super) fn normalize(types: &Types) -> (File, Option<CompileError>) {
    let mut normal = Normal { types, unresolved: None };
    let file = normal.file(types.file(0));
    (file, normal.unresolved)
}

struct Normal<'t> {
    types: &'t Types,
    unresolved: Option<CompileError>,
}

impl Normal<'_> {
    fn file(&mut self, file: &File) -> File {
        let scope = file.package.as_deref().unwrap_or_default();
        let entries = |id: &usize| file.messages[*id].is_map_entry;
        let mut top = file.top.clone();
        top.messages.retain(|id| !entries(id));
        File {
            syntax: file.syntax.filter(|syntax| *syntax != Syntax::Proto2),
            package: file.package.clone(),
            imports: sorted(&file.imports),
            public_imports: sorted(&file.public_imports),
            options: file.options.clone(),
            messages: file
                .messages
                .iter()
                .map(|message| {
                    let mut message = self.message(message);
                    message.nested.messages.retain(|id| !entries(id));
                    message
                })
                .collect(),
            enums: file
                .enums
                .iter()
                .map(|kind| {
                    let mut kind = kind.clone();
                    kind.constants.sort_by_key(|constant| constant.number);
                    kind.reserved = apart(kind.reserved);
                    kind
                })
                .collect(),
            top,
            extends: file.extends.iter().map(|extend| self.extend(scope, extend)).collect(),
            services: file
                .services
                .iter()
                .map(|service| {
                    let mut service = service.clone();
                    for call in &mut service.calls {
                        for Streamed { kind, .. } in [&mut call.request, &mut call.response] {
                            *kind = self.name(scope, kind, &service.name, &call.name);
                        }
                    }
                    service
                })
                .collect(),
        }
    }

    fn message(&mut self, message: &Message) -> Message {
        let scope = &message.full_name;
        let mut message = message.clone();
        message.reserved = apart(message.reserved);
        message.fields = self.fields(scope, &message.fields);
        message.groups = self.groups(scope, &message.groups);
        for oneof in &mut message.oneofs {
            oneof.fields = self.fields(scope, &oneof.fields);
            oneof.groups = self.groups(scope, &oneof.groups);
        }
        message.oneofs.sort_by_key(|oneof| {
            let fields = oneof.fields.iter().map(|field| field.number);
            fields.chain(oneof.groups.iter().map(|group| group.number)).min()
        });
        let ranges = message.extensions.iter().flat_map(|extensions| {
            extensions.ranges.iter().map(|range| {
                let mut one = extensions.clone();
                one.ranges = vec![range.clone()];
                one
            })
        });
        let mut ranges = ranges.collect::<Vec<_>>();
        ranges.sort_by(|a, b| a.ranges.cmp(&b.ranges));
        message.extensions = ranges;
        message.extends = message.extends.iter().map(|extend| self.extend(scope, extend)).collect();
        message
    }

    fn extend(&mut self, scope: &str, extend: &Extend) -> Extend {
        Extend {
            target: self.name(scope, &extend.target, "extend", &extend.target),
            fields: self.fields(scope, &extend.fields),
            groups: self.groups(scope, &extend.groups),
        }
    }

    fn groups(&mut self, scope: &str, groups: &[Group]) -> Vec<Group> {
        let mut groups = groups.to_vec();
        for group in &mut groups {
            group.fields = self.fields(scope, &group.fields);
        }
        groups.sort_by_key(|group| group.number);
        groups
    }

    fn fields(&mut self, scope: &str, fields: &[Field]) -> Vec<Field> {
        let mut fields = fields.to_vec();
        for field in &mut fields {
            field.kind = self.kind(scope, field);
            if let FieldType::Map(..) = field.kind {
                field.label = None;
            }
        }
        fields.sort_by_key(|field| field.number);
        fields
    }

    fn kind(&mut self, scope: &str, field: &Field) -> FieldType {
        let types = self.types;
        match types.shape(scope, field) {
            Shape::Single(kind) => FieldType::Named(self.full(kind, scope, &field.name)),
            Shape::Map([key, value]) => {
                FieldType::Map(self.full(key, scope, &field.name), self.full(value, scope, &field.name))
            }
        }
    }

    fn name(&mut self, scope: &str, written: &str, outer: &str, inner: &str) -> String {
        let kind = self.types.kind(scope, written);
        self.full(Written { text: written, kind }, outer, inner)
    }

    /// `outer` and `inner`: where the name was found, for the message.
    fn full(&mut self, written: Written<'_>, outer: &str, inner: &str) -> String {
        let named = match written.kind {
            Kind::Scalar(_) => return written.text.to_owned(),
            Kind::Message(id) => Named::Message(id),
            Kind::Enum(id) => Named::Enum(id),
            Kind::Unknown => {
                self.unresolved.get_or_insert_with(|| {
                    let found =
                        format!("\"{}\", which is neither declared nor imported", super::lex::cut(written.text));
                    CompileError::new(format!("{outer}.{inner}"), "the name of a type", found)
                        .remedy("declare it, or import its file and give that file as a reference")
                });
                return written.text.to_owned();
            }
        };
        format!(".{}", self.types.full_name(named))
    }
}

fn sorted(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort();
    paths.dedup();
    paths
}

/// Each number or range, and then each name, in a statement of its own.
fn apart(statements: Vec<Vec<Reserved>>) -> Vec<Vec<Reserved>> {
    let mut entries = statements.into_iter().flatten().collect::<Vec<_>>();
    entries.sort();
    entries.into_iter().map(|entry| vec![entry]).collect()
}
