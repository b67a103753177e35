//! How many bytes a compiled file keeps on the heap, so that caches can weigh it.
//!
//! What is made with the file is walked. What comparing, encoding and decoding make on first use is estimated from the names in all files
//! within reach. Tested against an allocator that counts (`crates/schema/tests/memory.rs`).

use std::mem::size_of;

use crate::ProtobufSchema;
use crate::model::{
    Constant, Enum, Extend, Extensions, Field, FieldType, File, Group, Message, NestedTypes, OneOf, OptionValue,
    ProtoOption, Reserved, Rpc, Service,
};
use crate::names::{Named, reachable};
use crate::plan::{EnumPlan, FieldPlan, JsonText, MessagePlan};
use crate::unit::{Import, Unit};

/// The file, its canonical text, and the table of all names within reach.
pub(crate) fn schema(schema: &ProtobufSchema) -> usize {
    let unit = &schema.unit;
    let imports = unit.imports.iter().map(|import| size_of::<Import>() + import.path.capacity()).sum::<usize>();
    let references =
        unit.references.iter().map(|(name, _)| size_of::<(String, usize)>() + name.capacity()).sum::<usize>();
    size_of::<ProtobufSchema>()
        + size_of::<Unit>()
        + schema.canonical.capacity()
        + optional(&schema.full_name)
        + file(&unit.file)
        + imports
        + references
        + strings(&unit.missing)
        + of_reachable(schema, names)
}

/// A plan for all messages within reach: as much as encoding adds, and as much again as decoding does.
pub(crate) fn plan(schema: &ProtobufSchema) -> usize {
    of_reachable(schema, |file| {
        file.messages.iter().map(message_plan).sum::<usize>() + file.enums.iter().map(enum_plan).sum::<usize>()
    })
}

fn of_reachable(schema: &ProtobufSchema, bytes: impl Fn(&File) -> usize) -> usize {
    reachable(&schema.unit).iter().map(|unit| bytes(&unit.file)).sum()
}

fn names(file: &File) -> usize {
    let messages = file.messages.iter().map(|message| message.full_name.len());
    let enums = file.enums.iter().map(|kind| kind.full_name.len());
    messages.chain(enums).map(|length| slot::<(String, Named)>() + length).sum()
}

/// What an entry of a hash table takes: a byte of metadata beside it, and a table that is half full after it has grown.
fn slot<T>() -> usize {
    (size_of::<T>() + 1) * 2
}

// === Plans ===

fn message_plan(message: &Message) -> usize {
    let groups = message.all_groups().map(|(group, _)| group_plan(&message.full_name, group)).sum::<usize>();
    let oneofs = message.oneofs.iter().map(|oneof| size_of::<String>() + oneof.name.len()).sum::<usize>();
    let fields = message.all_fields().map(|(field, _)| field_plan(&field.name)).sum::<usize>();
    size_of::<MessagePlan>() + message.full_name.len() + oneofs + fields + groups
}

/// A field with its name, its name in JSON, and both in a table.
fn field_plan(name: &str) -> usize {
    size_of::<FieldPlan>() + 2 * slot::<(String, usize)>() + 4 * name.len() + size_of::<JsonText>()
}

fn group_plan(scope: &str, group: &Group) -> usize {
    let fields = group.fields.iter().map(|field| field_plan(&field.name)).sum::<usize>();
    field_plan(&group.name) + size_of::<MessagePlan>() + scope.len() + group.name.len() + fields
}

fn enum_plan(kind: &Enum) -> usize {
    let constants = kind
        .constants
        .iter()
        .map(|constant| slot::<(String, i32)>() + slot::<(i32, JsonText)>() + 2 * constant.name.len());
    size_of::<EnumPlan>() + kind.full_name.len() + constants.sum::<usize>()
}

// === The model ===

fn file(file: &File) -> usize {
    optional(&file.package)
        + strings(&file.imports)
        + strings(&file.public_imports)
        + options(&file.options)
        + list(&file.messages, message)
        + list(&file.enums, enumeration)
        + nested(&file.top)
        + list(&file.extends, extend)
        + list(&file.services, service)
}

fn message(message: &Message) -> usize {
    message.name.capacity()
        + message.full_name.capacity()
        + list(&message.reserved, |entries| list(entries, reserved))
        + options(&message.options)
        + list(&message.fields, field)
        + list(&message.oneofs, oneof)
        + list(&message.groups, group)
        + list(&message.extensions, extensions)
        + list(&message.extends, extend)
        + nested(&message.nested)
}

fn field(field: &Field) -> usize {
    let kind = match &field.kind {
        FieldType::Named(name) => name.capacity(),
        FieldType::Map(key, value) => key.capacity() + value.capacity(),
    };
    kind + field.name.capacity() + options(&field.options)
}

fn oneof(oneof: &OneOf) -> usize {
    oneof.name.capacity() + options(&oneof.options) + list(&oneof.fields, field) + list(&oneof.groups, group)
}

fn group(group: &Group) -> usize {
    group.name.capacity() + list(&group.fields, field)
}

fn extend(extend: &Extend) -> usize {
    extend.target.capacity() + list(&extend.fields, field) + list(&extend.groups, group)
}

fn extensions(extensions: &Extensions) -> usize {
    list(&extensions.ranges, reserved) + options(&extensions.options)
}

fn reserved(reserved: &Reserved) -> usize {
    match reserved {
        Reserved::Numbers(..) => 0,
        Reserved::Name(name) => name.capacity(),
    }
}

fn enumeration(kind: &Enum) -> usize {
    let constant = |constant: &Constant| constant.name.capacity() + options(&constant.options);
    kind.name.capacity()
        + kind.full_name.capacity()
        + list(&kind.reserved, |entries| list(entries, reserved))
        + options(&kind.options)
        + list(&kind.constants, constant)
}

fn service(service: &Service) -> usize {
    let rpc = |rpc: &Rpc| {
        rpc.name.capacity() + rpc.request.kind.capacity() + rpc.response.kind.capacity() + options(&rpc.options)
    };
    service.name.capacity() + options(&service.options) + list(&service.rpcs, rpc)
}

fn nested(nested: &NestedTypes) -> usize {
    (nested.messages.capacity() + nested.enums.capacity()) * size_of::<usize>()
}

fn options(options: &Vec<ProtoOption>) -> usize {
    list(options, |option| option.name.capacity() + option_value(&option.value))
}

fn option_value(value: &OptionValue) -> usize {
    match value {
        OptionValue::Text(text) => text.plain.capacity() + text.escaped.capacity(),
        OptionValue::Word(word) => word.capacity(),
        OptionValue::Map(members) => list(members, |(name, value)| name.capacity() + option_value(value)),
        OptionValue::List(items) => list(items, option_value),
    }
}

fn list<T>(items: &Vec<T>, heap: impl Fn(&T) -> usize) -> usize {
    items.capacity() * size_of::<T>() + items.iter().map(heap).sum::<usize>()
}

fn strings(strings: &Vec<String>) -> usize {
    list(strings, String::capacity)
}

fn optional(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::capacity)
}
