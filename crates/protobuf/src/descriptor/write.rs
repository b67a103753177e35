//! A file to its `FileDescriptorProto`. Types of fields stay names as they were written: whoever reads it resolves them.

use super::options;
use super::{LABEL_OPTIONAL, LABEL_REPEATED, LABEL_REQUIRED, RANGE_END, TYPE_GROUP};
use crate::model::{
    self, Enum, Field, FieldType, File, Label, RangeEnd, Reserved, Scalar, Service, Setting, SettingValue, Syntax,
};
use crate::wire::{self, WireType};

/// `name`: what the file is called in the descriptor.
pub(crate) fn write(file: &File, name: &str) -> Vec<u8> {
    let out = &mut Vec::new();
    text(1, name, out);
    file.package.iter().for_each(|package| text(2, package, out));
    file.imports.iter().chain(&file.public_imports).for_each(|path| text(3, path, out));
    file.top.messages.iter().for_each(|id| part(4, out, |out| message(file, *id, out)));
    file.top.enums.iter().for_each(|id| part(5, out, |out| enumeration(&file.enums[*id], out)));
    file.services.iter().for_each(|one| part(6, out, |out| service(one, out)));
    extends(file, &file.extends, 7, out);
    options::write(options::FILE, &file.options, 8, out);
    for position in 0..file.public_imports.len() {
        number(10, (file.imports.len() + position) as u64, out);
    }
    file.syntax.iter().for_each(|syntax| text(12, syntax.word(), out));
    std::mem::take(out)
}

fn message(file: &File, id: usize, out: &mut Vec<u8>) {
    let message = &file.messages[id];
    let proto3 = file.syntax == Some(Syntax::Proto3);
    text(1, &message.name, out);
    // Members of oneofs come first, as in the descriptors that tools compare with.
    let mut oneofs = message.oneofs.iter().map(|oneof| oneof.name.clone()).collect::<Vec<_>>();
    let inside = message.all_fields().filter(|(_, oneof)| oneof.is_some());
    let outside = message.all_fields().filter(|(_, oneof)| oneof.is_none());
    for (one, oneof) in inside.chain(outside) {
        let mut described = Described { oneof, ..Described::of(one) };
        if let (FieldType::Map(..), _) = (&one.kind, oneof) {
            described.label = Some(Label::Repeated);
            described.kind = entry_name(&one.name);
        }
        if proto3 && one.label == Some(Label::Optional) {
            described.proto3_optional = true;
            described.oneof = Some(oneofs.len());
            oneofs.push(format!("_{}", one.name));
        }
        part(2, out, |out| described.write(out));
    }
    for (group, oneof) in message.all_groups() {
        let name = group.name.to_lowercase();
        let described = Described {
            name: &name,
            number: group.number,
            label: group.label,
            kind: group.name.clone(),
            is_group: true,
            options: &[],
            oneof,
            proto3_optional: false,
            extendee: None,
        };
        part(2, out, |out| described.write(out));
    }
    message.nested.messages.iter().for_each(|id| part(3, out, |out| self::message(file, *id, out)));
    for (group, _) in message.all_groups() {
        part(3, out, |out| {
            text(1, &group.name, out);
            group.fields.iter().for_each(|one| part(2, out, |out| Described::of(one).write(out)));
        });
    }
    message.fields.iter().for_each(|one| map_entry(one, out));
    message.nested.enums.iter().for_each(|id| part(4, out, |out| enumeration(&file.enums[*id], out)));
    message.extensions.iter().flat_map(|extensions| &extensions.ranges).for_each(|one| range(5, one, true, out));
    extends(file, &message.extends, 6, out);
    options::write(options::MESSAGE, &message.options, 7, out);
    oneofs.iter().for_each(|oneof| part(8, out, |out| text(1, oneof, out)));
    reserved(&message.reserved, (9, 10), true, out);
}

/// The message for the entries of a map field.
fn map_entry(field: &Field, out: &mut Vec<u8>) {
    let FieldType::Map(key, value) = &field.kind else { return };
    part(3, out, |out| {
        text(1, &entry_name(&field.name), out);
        for (name, at, kind) in [("key", 1, key), ("value", 2, value)] {
            let described = Described {
                name,
                number: at,
                label: None,
                kind: kind.clone(),
                is_group: false,
                options: &[],
                oneof: None,
                proto3_optional: false,
                extendee: None,
            };
            part(2, out, |out| described.write(out));
        }
        let map_entry = Setting { name: "map_entry".to_owned(), value: SettingValue::Word("true".to_owned()) };
        options::write(options::MESSAGE, &[map_entry], 7, out);
    });
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
struct Described<'f> {
    name: &'f str,
    number: i32,
    label: Option<Label>,
    kind: String,
    is_group: bool,
    options: &'f [Setting],
    oneof: Option<usize>,
    proto3_optional: bool,
    extendee: Option<&'f str>,
}

impl<'f> Described<'f> {
    fn of(field: &'f Field) -> Described<'f> {
        let kind = match &field.kind {
            FieldType::Named(name) => name.clone(),
            FieldType::Map(..) => entry_name(&field.name),
        };
        Described {
            name: &field.name,
            number: field.number,
            label: field.label,
            kind,
            is_group: false,
            options: &field.options,
            oneof: None,
            proto3_optional: false,
            extendee: None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        text(1, self.name, out);
        self.extendee.iter().for_each(|extendee| text(2, extendee, out));
        number(3, i64::from(self.number) as u64, out);
        let label = self.label.map(|label| match label {
            Label::Optional => LABEL_OPTIONAL,
            Label::Required => LABEL_REQUIRED,
            Label::Repeated => LABEL_REPEATED,
        });
        label.iter().for_each(|label| number(4, *label, out));
        match Scalar::number(&self.kind) {
            Some(scalar) => number(5, scalar, out),
            None => {
                if self.is_group {
                    number(5, TYPE_GROUP, out);
                }
                text(6, &self.kind, out);
            }
        }
        let default = self.options.iter().find(|option| option.name == "default");
        match default.map(|option| &option.value) {
            Some(SettingValue::Text(value)) if self.kind == Scalar::Bytes.word() => text(7, &value.escaped, out),
            Some(SettingValue::Text(value)) => text(7, &value.plain, out),
            Some(SettingValue::Word(word)) => text(7, word, out),
            Some(SettingValue::Map(_) | SettingValue::List(_)) | None => {}
        }
        options::write(options::FIELD, self.options, 8, out);
        self.oneof.iter().for_each(|position| number(9, *position as u64, out));
        model::text(self.options, "json_name").iter().for_each(|name| text(10, name, out));
        if self.proto3_optional {
            number(17, 1, out);
        }
    }
}

fn extends(file: &File, extends: &[model::Extend], at: u32, out: &mut Vec<u8>) {
    let proto3 = file.syntax == Some(Syntax::Proto3);
    for extend in extends {
        for field in &extend.fields {
            let proto3_optional = proto3 && field.label == Some(Label::Optional);
            let described = Described { extendee: Some(&extend.target), proto3_optional, ..Described::of(field) };
            part(at, out, |out| described.write(out));
        }
    }
}

fn enumeration(kind: &Enum, out: &mut Vec<u8>) {
    text(1, &kind.name, out);
    for constant in &kind.constants {
        part(2, out, |out| {
            text(1, &constant.name, out);
            number(2, i64::from(constant.number) as u64, out);
            options::write(options::CONSTANT, &constant.options, 3, out);
        });
    }
    options::write(options::ENUM, &kind.options, 3, out);
    reserved(&kind.reserved, (4, 5), false, out);
}

fn service(service: &Service, out: &mut Vec<u8>) {
    text(1, &service.name, out);
    for call in &service.calls {
        part(2, out, |out| {
            text(1, &call.name, out);
            text(2, &call.request.kind, out);
            text(3, &call.response.kind, out);
            options::write(options::METHOD, &call.options, 4, out);
            for (at, streamed) in [(5, &call.request), (6, &call.response)] {
                if streamed.stream {
                    number(at, 1, out);
                }
            }
        });
    }
    options::write(options::SERVICE, &service.options, 3, out);
}

fn reserved(statements: &[Vec<Reserved>], (ranges, names): (u32, u32), end_excluded: bool, out: &mut Vec<u8>) {
    statements.iter().flatten().for_each(|entry| range(ranges, entry, end_excluded, out));
    for entry in statements.iter().flatten() {
        if let Reserved::Name(name) = entry {
            text(names, name, out);
        }
    }
}

fn range(at: u32, entry: &Reserved, end_excluded: bool, out: &mut Vec<u8>) {
    let Reserved::Numbers(first, last) = entry else { return };
    let end = match last {
        None => first.saturating_add(end_excluded.into()),
        Some(RangeEnd::Number(last)) => last.saturating_add(end_excluded.into()),
        Some(RangeEnd::Max) if end_excluded => RANGE_END,
        Some(RangeEnd::Max) => i32::MAX,
    };
    part(at, out, |out| {
        number(1, i64::from(*first) as u64, out);
        number(2, i64::from(end) as u64, out);
    });
}

pub(super) fn text(at: u32, value: &str, out: &mut Vec<u8>) {
    bytes(at, value.as_bytes(), out);
}

pub(super) fn bytes(at: u32, value: &[u8], out: &mut Vec<u8>) {
    wire::key(at, WireType::Length, out);
    wire::varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn number(at: u32, value: u64, out: &mut Vec<u8>) {
    wire::key(at, WireType::Varint, out);
    wire::varint(value, out);
}

fn part(at: u32, out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    wire::key(at, WireType::Length, out);
    let Ok(()) = wire::sized(out, |out| {
        inner(out);
        Ok::<(), std::convert::Infallible>(())
    });
}
