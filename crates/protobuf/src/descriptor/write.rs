//! A file to its `FileDescriptorProto`, byte for byte as Confluent writes it: names of types stay as they are in the file,
//! beside the kind of type that they resolve to, and only imports that were found are listed.

use super::options;
use super::{LABEL_OPTIONAL, LABEL_REPEATED, LABEL_REQUIRED, RANGE_END, TYPE_ENUM, TYPE_GROUP, TYPE_MESSAGE};
use crate::model::{
    self, Enum, Extend, Field, FieldType, File, Group, Label, Message, OptionValue, ProtoOption, RangeEnd, Reserved,
    Scalar, Service,
};
use crate::names::{Kind, Types};
use crate::wire;

/// The first file of `types`. `name`: what the file is called in the descriptor.
pub(crate) fn write(types: &Types, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Writer { types, file: types.file(0) }.file(name, &mut out);
    out
}

#[derive(Clone, Copy)]
struct Writer<'t> {
    types: &'t Types,
    file: &'t File,
}

impl Writer<'_> {
    fn file(self, name: &str, out: &mut Vec<u8>) {
        let Writer { types, file } = self;
        let scope = file.package.as_deref().unwrap_or_default();
        wire::string_field(1, name, out);
        file.package.iter().for_each(|package| wire::string_field(2, package, out));
        let (mut paths, mut public) = (Vec::new(), Vec::new());
        for import in &types.unit(0).imports {
            let known = paths.iter().position(|path| *path == import.path);
            let position = known.unwrap_or(paths.len());
            if known.is_none() {
                paths.push(&*import.path);
            }
            if import.public {
                public.push(position as u64);
            }
        }
        paths.iter().for_each(|path| wire::string_field(3, path, out));
        file.top.messages.iter().for_each(|id| wire::message_field(4, out, |out| self.message(*id, out)));
        file.top.enums.iter().for_each(|id| wire::message_field(5, out, |out| enumeration(&file.enums[*id], out)));
        file.services.iter().for_each(|one| wire::message_field(6, out, |out| service(one, out)));
        self.extends(scope, &file.extends, 7, out);
        options::FILE.write(&file.options, 8, out);
        public.iter().for_each(|position| wire::varint_field(10, *position, out));
        file.syntax.iter().for_each(|syntax| wire::string_field(12, syntax.word(), out));
    }

    fn message(self, id: usize, out: &mut Vec<u8>) {
        let file = self.file;
        let message = &file.messages[id];
        let scope = message.full_name.as_str();
        wire::string_field(1, &message.name, out);
        let mut oneofs = message.oneofs.iter().map(|oneof| oneof.name.clone()).collect::<Vec<_>>();
        // Members of oneofs come first.
        for (position, oneof) in message.oneofs.iter().enumerate() {
            for field in &oneof.fields {
                let described = FieldDescriptor {
                    label: Some(Label::Optional),
                    oneof: Some(position),
                    ..self.described(scope, field)
                };
                wire::message_field(2, out, |out| described.write(out));
            }
        }
        for field in &message.fields {
            let mut described = self.described(scope, field);
            if let FieldType::Map(..) = field.kind {
                described.label = Some(Label::Repeated);
            }
            if file.is_proto3() && field.label == Some(Label::Optional) {
                described.proto3_optional = true;
                described.oneof = Some(oneofs.len());
                oneofs.push(format!("_{}", field.name));
            }
            wire::message_field(2, out, |out| described.write(out));
        }
        for (group, oneof) in message.all_groups() {
            let name = group.name.to_lowercase();
            let described = FieldDescriptor {
                number: group.number,
                label: group.label.or(oneof.map(|_| Label::Optional)),
                oneof,
                ..FieldDescriptor::new(&name, Some(TYPE_GROUP), group.name.clone())
            };
            wire::message_field(2, out, |out| described.write(out));
        }
        message.nested.messages.iter().for_each(|id| wire::message_field(3, out, |out| self.message(*id, out)));
        for (group, _) in message.all_groups() {
            wire::message_field(3, out, |out| self.group(message, group, out));
        }
        message.fields.iter().for_each(|field| self.map_entry(scope, field, out));
        message
            .nested
            .enums
            .iter()
            .for_each(|id| wire::message_field(4, out, |out| enumeration(&file.enums[*id], out)));
        let ranges = message.extensions.iter().flat_map(|extensions| &extensions.ranges);
        ranges.for_each(|one| range(5, one, true, Some(3), out));
        self.extends(scope, &message.extends, 6, out);
        options::MESSAGE.write(&message.options, 7, out);
        for oneof in &oneofs {
            wire::message_field(8, out, |out| {
                wire::string_field(1, oneof, out);
                wire::bytes_field(2, &[], out);
            });
        }
        reserved(&message.reserved, (9, 10), true, out);
    }

    fn group(self, message: &Message, group: &Group, out: &mut Vec<u8>) {
        let scope = format!("{}.{}", message.full_name, group.name);
        wire::string_field(1, &group.name, out);
        for field in &group.fields {
            wire::message_field(2, out, |out| self.described(&scope, field).write(out));
        }
    }

    /// The message for the entries of a map field.
    fn map_entry(self, scope: &str, field: &Field, out: &mut Vec<u8>) {
        let FieldType::Map(key, value) = &field.kind else { return };
        wire::message_field(3, out, |out| {
            wire::string_field(1, &entry_name(&field.name), out);
            for (name, number, written) in [("key", 1, key), ("value", 2, value)] {
                let (type_number, type_name) = self.field_type(scope, written);
                let described = FieldDescriptor { number, ..FieldDescriptor::new(name, type_number, type_name) };
                wire::message_field(2, out, |out| described.write(out));
            }
            let map_entry = ProtoOption { name: "map_entry".to_owned(), value: OptionValue::Word("true".to_owned()) };
            options::MESSAGE.write(&[map_entry], 7, out);
        });
    }

    fn extends(self, scope: &str, extends: &[Extend], at: u32, out: &mut Vec<u8>) {
        for extend in extends {
            for field in &extend.fields {
                let described = FieldDescriptor { extendee: Some(&extend.target), ..self.described(scope, field) };
                wire::message_field(at, out, |out| described.write(out));
            }
        }
    }

    fn described<'f>(self, scope: &str, field: &'f Field) -> FieldDescriptor<'f> {
        let (type_number, type_name) = match &field.kind {
            FieldType::Named(written) => self.field_type(scope, written),
            FieldType::Map(..) => (Some(TYPE_MESSAGE), entry_name(&field.name)),
        };
        FieldDescriptor {
            number: field.number,
            label: field.label,
            options: &field.options,
            ..FieldDescriptor::new(&field.name, type_number, type_name)
        }
    }

    /// The number of a type, where it resolves, and its name, empty for a scalar.
    fn field_type(self, scope: &str, written: &str) -> (Option<u64>, String) {
        match self.types.kind(scope, written) {
            Kind::Scalar(_) => (Scalar::number(written), String::new()),
            Kind::Message(_) => (Some(TYPE_MESSAGE), written.to_owned()),
            Kind::Enum(_) => (Some(TYPE_ENUM), written.to_owned()),
            Kind::Unknown => (None, written.to_owned()),
        }
    }
}

/// `my_field` has entries of type `MyFieldEntry`.
fn entry_name(field: &str) -> String {
    let mut name = String::with_capacity(field.len() + 5);
    for word in field.split('_') {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name.push_str("Entry");
    name
}

/// A field about to be written.
struct FieldDescriptor<'f> {
    name: &'f str,
    number: i32,
    label: Option<Label>,
    /// `None` for a name that does not resolve.
    type_number: Option<u64>,
    /// Empty for a scalar.
    type_name: String,
    options: &'f [ProtoOption],
    oneof: Option<usize>,
    proto3_optional: bool,
    extendee: Option<&'f str>,
}

impl<'f> FieldDescriptor<'f> {
    fn new(name: &'f str, type_number: Option<u64>, type_name: String) -> FieldDescriptor<'f> {
        FieldDescriptor {
            name,
            number: 0,
            label: None,
            type_number,
            type_name,
            options: &[],
            oneof: None,
            proto3_optional: false,
            extendee: None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        wire::string_field(1, self.name, out);
        self.extendee.iter().for_each(|extendee| wire::string_field(2, extendee, out));
        wire::varint_field(3, i64::from(self.number) as u64, out);
        let label = self.label.map(|label| match label {
            Label::Optional => LABEL_OPTIONAL,
            Label::Required => LABEL_REQUIRED,
            Label::Repeated => LABEL_REPEATED,
        });
        label.iter().for_each(|label| wire::varint_field(4, *label, out));
        self.type_number.iter().for_each(|number| wire::varint_field(5, *number, out));
        if !self.type_name.is_empty() {
            wire::string_field(6, &self.type_name, out);
        }
        let default = self.options.iter().find(|option| option.name == "default");
        let is_bytes = self.type_number == Scalar::number(Scalar::Bytes.word());
        match default.map(|option| &option.value) {
            Some(OptionValue::Text(value)) if is_bytes => wire::string_field(7, &value.escaped, out),
            Some(OptionValue::Text(value)) => wire::string_field(7, &value.plain, out),
            Some(OptionValue::Word(word)) => wire::string_field(7, word, out),
            Some(OptionValue::Map(_) | OptionValue::List(_)) | None => {}
        }
        options::FIELD.write(self.options, 8, out);
        self.oneof.iter().for_each(|position| wire::varint_field(9, *position as u64, out));
        model::text(self.options, "json_name").iter().for_each(|name| wire::string_field(10, name, out));
        if self.proto3_optional {
            wire::varint_field(17, 1, out);
        }
    }
}

fn enumeration(kind: &Enum, out: &mut Vec<u8>) {
    wire::string_field(1, &kind.name, out);
    for constant in &kind.constants {
        wire::message_field(2, out, |out| {
            wire::string_field(1, &constant.name, out);
            wire::varint_field(2, i64::from(constant.number) as u64, out);
            options::CONSTANT.write(&constant.options, 3, out);
        });
    }
    options::ENUM.write(&kind.options, 3, out);
    reserved(&kind.reserved, (4, 5), false, out);
}

fn service(service: &Service, out: &mut Vec<u8>) {
    wire::string_field(1, &service.name, out);
    for call in &service.rpcs {
        wire::message_field(2, out, |out| {
            wire::string_field(1, &call.name, out);
            wire::string_field(2, &call.request.kind, out);
            wire::string_field(3, &call.response.kind, out);
            options::METHOD.write(&call.options, 4, out);
            wire::varint_field(5, call.request.stream.into(), out);
            wire::varint_field(6, call.response.stream.into(), out);
        });
    }
    options::SERVICE.write(&service.options, 3, out);
}

fn reserved(statements: &[Vec<Reserved>], (ranges, names): (u32, u32), end_excluded: bool, out: &mut Vec<u8>) {
    statements.iter().flatten().for_each(|entry| range(ranges, entry, end_excluded, None, out));
    for entry in statements.iter().flatten() {
        if let Reserved::Name(name) = entry {
            wire::string_field(names, name, out);
        }
    }
}

/// `options`: where empty options stand, which Confluent writes for some declarations.
fn range(at: u32, entry: &Reserved, end_excluded: bool, options: Option<u32>, out: &mut Vec<u8>) {
    let Reserved::Numbers(first, last) = entry else { return };
    let end = match last {
        None => first.saturating_add(end_excluded.into()),
        Some(RangeEnd::Number(last)) => last.saturating_add(end_excluded.into()),
        Some(RangeEnd::Max) if end_excluded => RANGE_END,
        Some(RangeEnd::Max) => i32::MAX,
    };
    wire::message_field(at, out, |out| {
        wire::varint_field(1, i64::from(*first) as u64, out);
        wire::varint_field(2, i64::from(end) as u64, out);
        options.iter().for_each(|at| wire::bytes_field(*at, &[], out));
    });
}
