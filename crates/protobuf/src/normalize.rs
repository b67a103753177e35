//! The normalized form of a file: sorted where order has no meaning, types and custom options by their full names.
//!
//! The order of messages stays: it numbers them on the wire.
//!
//! Source: docs/reference/schema-registry.md §5.5.

mod number;
mod options;

use std::collections::HashMap;

use options::Extensions;

use super::model::{
    self, Enum, Extend, Field, FieldType, File, Group, Message, RangeEnd, Reserved, RpcType, Service, Syntax,
};
use super::names::{Kind, Named, Shape, TypeName, Types};
use postern_schema_core::CompileError;

/// The file that `types` is about, normalized. Names that cannot be resolved stay as they are, and the first of them
/// is returned as an error, too.
pub(super) fn normalize(types: &Types) -> (File, Option<CompileError>) {
    let file = types.file(0);
    let mut normal = Normalizer { types, extensions: Extensions::new(types), unresolved: None };
    let file = normal.file(file);
    (file, normal.unresolved)
}

struct Normalizer<'t> {
    types: &'t Types,
    extensions: Extensions<'t>,
    unresolved: Option<CompileError>,
}

impl Normalizer<'_> {
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
            options: self.extensions.normalize(scope, &file.options),
            messages: file
                .messages
                .iter()
                .map(|message| {
                    let mut message = self.message(message);
                    message.nested.messages.retain(|id| !entries(id));
                    message
                })
                .collect(),
            enums: file.enums.iter().map(|kind| self.enumeration(kind)).collect(),
            top,
            extends: self.extends(scope, &file.extends),
            services: file.services.iter().map(|service| self.service(scope, service)).collect(),
            octal: None,
        }
    }

    fn enumeration(&self, kind: &Enum) -> Enum {
        let scope = &kind.full_name;
        let mut kind = kind.clone();
        kind.options = self.extensions.normalize(scope, &kind.options);
        for constant in &mut kind.constants {
            constant.options = self.extensions.normalize(scope, &constant.options);
        }
        kind.constants.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
        kind.reserved = apart(kind.reserved);
        kind
    }

    fn service(&mut self, scope: &str, service: &Service) -> Service {
        let mut service = service.clone();
        service.options = self.extensions.normalize(scope, &service.options);
        for call in &mut service.rpcs {
            call.options = self.extensions.normalize(scope, &call.options);
            for RpcType { kind, .. } in [&mut call.request, &mut call.response] {
                *kind = self.name(scope, kind, &service.name, &call.name);
            }
        }
        service
    }

    fn message(&mut self, message: &Message) -> Message {
        let scope = &message.full_name;
        let mut message = message.clone();
        message.reserved = apart(message.reserved);
        message.options = self.extensions.normalize(scope, &message.options);
        message.fields = self.fields(scope, &message.fields);
        message.groups = self.groups(scope, &message.groups);
        for oneof in &mut message.oneofs {
            oneof.options = self.extensions.normalize(scope, &oneof.options);
            oneof.fields = self.fields(scope, &oneof.fields);
            oneof.groups = self.groups(scope, &oneof.groups);
        }
        message.oneofs.sort_by_key(|oneof| {
            let fields = oneof.fields.iter().map(|field| field.number);
            fields.chain(oneof.groups.iter().map(|group| group.number)).min()
        });
        let ranges = message.extensions.iter().flat_map(|extensions| {
            extensions.ranges.iter().map(|range| {
                let options = self.extensions.normalize(scope, &extensions.options);
                model::Extensions { ranges: vec![single(range.clone())], options }
            })
        });
        let mut ranges = ranges.collect::<Vec<_>>();
        ranges.sort_by(|a, b| a.ranges.cmp(&b.ranges));
        message.extensions = ranges;
        message.extends = self.extends(scope, &message.extends);
        message
    }

    /// All extensions of one message are one block.
    fn extends(&mut self, scope: &str, extends: &[Extend]) -> Vec<Extend> {
        let mut blocks: Vec<Extend> = Vec::new();
        let mut positions = HashMap::new();
        for extend in extends {
            let target = self.name(scope, &extend.target, "extend", &extend.target);
            let position = *positions.entry(target.clone()).or_insert(blocks.len());
            if position == blocks.len() {
                blocks.push(Extend { target, fields: Vec::new(), groups: Vec::new() });
            }
            blocks[position].fields.extend(extend.fields.iter().cloned());
            blocks[position].groups.extend(extend.groups.iter().cloned());
        }
        for block in &mut blocks {
            block.fields = self.fields(scope, &block.fields);
            block.groups = self.groups(scope, &block.groups);
        }
        blocks
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
            field.options = self.extensions.normalize(scope, &field.options);
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
        self.full(TypeName { text: written, kind }, outer, inner)
    }

    /// `outer` and `inner`: where the name was found, for the message.
    fn full(&mut self, written: TypeName<'_>, outer: &str, inner: &str) -> String {
        let named = match written.kind {
            Kind::Scalar(_) => return written.text.to_owned(),
            Kind::Message(id) => Named::Message(id),
            Kind::Enum(id) => Named::Enum(id),
            Kind::Unknown => {
                let missing = &self.types.unit(0).missing;
                self.unresolved.get_or_insert_with(|| unresolved(format!("{outer}.{inner}"), written.text, missing));
                return written.text.to_owned();
            }
        };
        format!(".{}", self.types.full_name(named))
    }
}

/// `missing`: imports of the file that were not found.
fn unresolved(path: String, name: &str, missing: &[String]) -> CompileError {
    let name = super::lex::cut(name);
    let (found, remedy) = match missing {
        [] => (
            format!("\"{name}\", which is neither declared nor imported"),
            "declare it, or import its file and give that file as a reference".to_owned(),
        ),
        [path, ..] => {
            let path = super::lex::cut(path);
            (
                format!("\"{name}\"; \"{path}\" is imported, but it is not among the references"),
                format!("register that file and give it as a reference with the name \"{path}\""),
            )
        }
    };
    CompileError::new(path, "the name of a type", found).remedy(remedy)
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
    entries.into_iter().map(|entry| vec![single(entry)]).collect()
}

/// A range of one number as that number.
fn single(range: Reserved) -> Reserved {
    match range {
        Reserved::Numbers(first, Some(RangeEnd::Number(last))) if first == last => Reserved::Numbers(first, None),
        range => range,
    }
}
