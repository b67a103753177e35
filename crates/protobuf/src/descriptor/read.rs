//! A `FileDescriptorProto` to a file. Names are not checked: the caller prints the file and parses the text.

use std::collections::{HashMap, HashSet};

use super::options;
use super::{LABEL_REPEATED, LABEL_REQUIRED, RANGE_END, TYPE_ENUM, TYPE_GROUP, TYPE_MESSAGE};
use crate::lex::{Lexer, Token};
use crate::model::{
    Constant, Enum, Extend, Extensions, Field, FieldType, File, Group, Label, Message, OneOf, OptionValue, ProtoOption,
    RangeEnd, Reserved, Rpc, RpcType, Scalar, Service, StringLiteral, Syntax,
};
use crate::wire::{self, Raw};

/// Messages within messages.
const MAX_DEPTH: usize = 64;

/// `None`: the bytes are no descriptor, or one of a kind that is not read.
pub(crate) fn read(bytes: &[u8]) -> Option<File> {
    let parts = Parts::read(bytes)?;
    let mut file = File {
        syntax: match parts.text(12)?.as_deref() {
            None => None,
            Some("proto2") => Some(Syntax::Proto2),
            Some("proto3") => Some(Syntax::Proto3),
            Some(_) => return None,
        },
        package: parts.text(2)?.filter(|package| !package.is_empty()),
        options: parts.options(&options::FILE, 8)?,
        ..File::default()
    };
    let known = [1, 2, 3, 4, 5, 6, 7, 8, 12];
    if parts.number(14).is_some() || !parts.0.iter().any(|(number, _)| known.contains(number)) {
        return None;
    }
    let public = parts.numbers(10)?;
    let weak = parts.numbers(11)?;
    for (position, path) in parts.texts(3)?.into_iter().enumerate() {
        if public.contains(&(position as u64)) {
            file.public_imports.push(path);
        } else if !weak.contains(&(position as u64)) {
            file.imports.push(path);
        }
    }
    let proto3 = file.is_proto3();
    for bytes in parts.messages(4)? {
        let id = message(&mut file, bytes, proto3, MAX_DEPTH)?;
        file.top.messages.push(id);
    }
    for bytes in parts.messages(5)? {
        file.enums.push(enumeration(bytes)?);
        file.top.enums.push(file.enums.len() - 1);
    }
    file.services = parts.messages(6)?.into_iter().map(service).collect::<Option<_>>()?;
    file.extends = extends(&parts, 7, proto3)?;
    Some(file)
}

fn message(file: &mut File, bytes: &[u8], proto3: bool, depth: usize) -> Option<usize> {
    let parts = Parts::read(bytes)?;
    let id = file.messages.len();
    file.messages.push(Message::default());
    let mut message = Message {
        name: parts.text(1)?.unwrap_or_default(),
        options: parts.options(&options::MESSAGE, 7)?,
        extends: extends(&parts, 6, proto3)?,
        ..Message::default()
    };
    for bytes in parts.messages(3)? {
        message.nested.messages.push(self::message(file, bytes, proto3, depth.checked_sub(1)?)?);
    }
    for bytes in parts.messages(4)? {
        file.enums.push(enumeration(bytes)?);
        message.nested.enums.push(file.enums.len() - 1);
    }
    for bytes in parts.messages(8)? {
        let name = Parts::read(bytes)?.text(1)?.unwrap_or_default();
        message.oneofs.push(OneOf { name, options: Vec::new(), fields: Vec::new(), groups: Vec::new() });
    }
    let mut groups = None;
    for bytes in parts.messages(2)? {
        let described = Described::read(bytes, proto3)?;
        let oneof = match described.oneof.filter(|_| !described.proto3_optional) {
            Some(position) => Some(message.oneofs.get_mut(usize::try_from(position).ok()?)?),
            None => None,
        };
        let Described { mut field, is_group, .. } = described;
        if oneof.is_some() {
            field.label = None;
        }
        if is_group {
            // The message of a group is nested beside it in descriptors.
            let FieldType::Named(kind) = &field.kind else { return None };
            let name = kind.rsplit('.').next()?.to_owned();
            let nested = groups.get_or_insert_with(|| {
                let nested = message.nested.messages.iter();
                nested.map(|id| (file.messages[*id].name.clone(), *id)).collect::<HashMap<_, _>>()
            });
            let id = nested.remove(&name)?;
            let fields = file.messages[id].fields.clone();
            let group = Group { label: field.label, name, number: field.number, fields };
            oneof.map_or(&mut message.groups, |oneof| &mut oneof.groups).push(group);
        } else {
            oneof.map_or(&mut message.fields, |oneof| &mut oneof.fields).push(field);
        }
    }
    if let Some(left) = groups {
        message.nested.messages.retain(|id| left.get(&file.messages[*id].name) == Some(id));
    }
    // What is left are those that stand for an optional field of proto3.
    message.oneofs.retain(|oneof| !(oneof.fields.is_empty() && oneof.groups.is_empty()));
    for bytes in parts.messages(5)? {
        let ranges = vec![range(bytes, true)?];
        message.extensions.push(Extensions { ranges, options: Vec::new() });
    }
    message.reserved = reserved(&parts, 9, 10, true)?;
    file.messages[id] = message;
    Some(id)
}

struct Described {
    field: Field,
    extendee: Option<String>,
    oneof: Option<u64>,
    proto3_optional: bool,
    is_group: bool,
}

impl Described {
    fn read(bytes: &[u8], proto3: bool) -> Option<Described> {
        let parts = Parts::read(bytes)?;
        let type_number = parts.number(5);
        let kind = match (type_number, parts.text(6)?) {
            (None | Some(TYPE_MESSAGE | TYPE_ENUM | TYPE_GROUP), Some(name)) => name,
            (Some(number), None) => Scalar::numbered(number)?.to_owned(),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let proto3_optional = parts.number(17) == Some(1);
        let label = match parts.number(4) {
            Some(LABEL_REPEATED) => Some(Label::Repeated),
            Some(LABEL_REQUIRED) => Some(Label::Required),
            _ if proto3 && !proto3_optional => None,
            _ => Some(Label::Optional),
        };
        let mut options = parts.options(&options::FIELD, 8)?;
        if let Some(default) = parts.text(7)? {
            options.push(ProtoOption { name: "default".to_owned(), value: default_value(&kind, default)? });
        }
        if let Some(json_name) = parts.text(10)? {
            options.push(ProtoOption {
                name: "json_name".to_owned(),
                value: OptionValue::Text(StringLiteral::new(&json_name)),
            });
        }
        let number = signed(parts.number(3)?)?;
        let name = parts.text(1)?.unwrap_or_default();
        let field = Field { label, kind: FieldType::Named(kind), name, number, options };
        let is_group = type_number == Some(TYPE_GROUP);
        Some(Described { field, extendee: parts.text(2)?, oneof: parts.number(9), proto3_optional, is_group })
    }
}

fn default_value(kind: &str, default: String) -> Option<OptionValue> {
    Some(match Scalar::named(kind) {
        Some(Scalar::String) => OptionValue::Text(StringLiteral::new(&default)),
        // Escaped in descriptors as in the source.
        Some(Scalar::Bytes) => match Lexer::new(&format!("\"{default}\"")).next().ok()? {
            (_, Token::Text(text)) => OptionValue::Text(text),
            _ => return None,
        },
        Some(_) | None => OptionValue::Word(default),
    })
}

/// All extensions of one message become one block.
fn extends(parts: &Parts<'_>, at: u32, proto3: bool) -> Option<Vec<Extend>> {
    let mut extends: Vec<Extend> = Vec::new();
    let mut positions = HashMap::new();
    for bytes in parts.messages(at)? {
        let Described { field, extendee, .. } = Described::read(bytes, proto3)?;
        let target = extendee?;
        let position = *positions.entry(target.clone()).or_insert(extends.len());
        match extends.get_mut(position) {
            Some(block) => block.fields.push(field),
            None => extends.push(Extend { target, fields: vec![field], groups: Vec::new() }),
        }
    }
    Some(extends)
}

fn enumeration(bytes: &[u8]) -> Option<Enum> {
    let parts = Parts::read(bytes)?;
    let constants = parts.messages(2)?.into_iter().map(|bytes| {
        let parts = Parts::read(bytes)?;
        Some(Constant {
            name: parts.text(1)?.unwrap_or_default(),
            number: signed(parts.number(2).unwrap_or_default())?,
            options: parts.options(&options::CONSTANT, 3)?,
        })
    });
    Some(Enum {
        name: parts.text(1)?.unwrap_or_default(),
        full_name: String::new(),
        reserved: reserved(&parts, 4, 5, false)?,
        options: parts.options(&options::ENUM, 3)?,
        constants: constants.collect::<Option<_>>()?,
    })
}

fn service(bytes: &[u8]) -> Option<Service> {
    let parts = Parts::read(bytes)?;
    let rpcs = parts.messages(2)?.into_iter().map(|bytes| {
        let parts = Parts::read(bytes)?;
        let streamed = |kind: u32, stream: u32| {
            Some(RpcType { stream: parts.number(stream) == Some(1), kind: parts.text(kind)?? })
        };
        Some(Rpc {
            name: parts.text(1)?.unwrap_or_default(),
            request: streamed(2, 5)?,
            response: streamed(3, 6)?,
            options: parts.options(&options::METHOD, 4)?,
        })
    });
    Some(Service {
        name: parts.text(1)?.unwrap_or_default(),
        options: parts.options(&options::SERVICE, 3)?,
        rpcs: rpcs.collect::<Option<_>>()?,
    })
}

/// A statement for each range, then one for each name, as Confluent prints descriptors.
fn reserved(parts: &Parts<'_>, ranges: u32, names: u32, end_excluded: bool) -> Option<Vec<Vec<Reserved>>> {
    let ranges = parts.messages(ranges)?.into_iter().map(|bytes| range(bytes, end_excluded));
    let ranges = ranges.collect::<Option<Vec<_>>>()?;
    let names = parts.texts(names)?.into_iter().map(Reserved::Name);
    Some(ranges.into_iter().chain(names).map(|entry| vec![entry]).collect())
}

fn range(bytes: &[u8], end_excluded: bool) -> Option<Reserved> {
    let parts = Parts::read(bytes)?;
    let first = signed(parts.number(1)?)?;
    let end = signed(parts.number(2)?)?;
    let last = if end_excluded { end.checked_sub(1)? } else { end };
    let is_max = if end_excluded { end == RANGE_END } else { end == i32::MAX };
    Some(match last {
        _ if is_max => Reserved::Numbers(first, Some(RangeEnd::Max)),
        last if last == first => Reserved::Numbers(first, None),
        last => Reserved::Numbers(first, Some(RangeEnd::Number(last))),
    })
}

/// An int32 as the wire has it.
fn signed(value: u64) -> Option<i32> {
    i32::try_from(value as i64).ok()
}

/// The fields of one message of the descriptor.
struct Parts<'b>(Vec<(u32, Raw<'b>)>);

impl<'b> Parts<'b> {
    fn read(bytes: &'b [u8]) -> Option<Parts<'b>> {
        wire::fields(bytes).collect::<Option<_>>().map(Parts)
    }

    fn number(&self, at: u32) -> Option<u64> {
        self.0.iter().rev().find_map(|(number, raw)| match raw {
            Raw::Number(value) if *number == at => Some(*value),
            Raw::Number(_) | Raw::Bytes(_) => None,
        })
    }

    /// Packed or not.
    fn numbers(&self, at: u32) -> Option<HashSet<u64>> {
        let mut numbers = HashSet::new();
        for (_, raw) in self.0.iter().filter(|(number, _)| *number == at) {
            match raw {
                Raw::Number(value) => {
                    numbers.insert(*value);
                }
                Raw::Bytes(packed) => numbers.extend(wire::varints(packed)?),
            }
        }
        Some(numbers)
    }

    /// `None` when what stands there is no text.
    fn text(&self, at: u32) -> Option<Option<String>> {
        self.texts(at).map(|mut texts| texts.pop())
    }

    fn texts(&self, at: u32) -> Option<Vec<String>> {
        self.messages(at)?.into_iter().map(|bytes| std::str::from_utf8(bytes).ok().map(str::to_owned)).collect()
    }

    fn messages(&self, at: u32) -> Option<Vec<&'b [u8]>> {
        let parts = self.0.iter().filter(|(number, _)| *number == at);
        parts
            .map(|(_, raw)| match raw {
                Raw::Bytes(bytes) => Some(*bytes),
                Raw::Number(_) => None,
            })
            .collect()
    }

    fn options(&self, options: &options::Options, at: u32) -> Option<Vec<ProtoOption>> {
        // Several occurrences of a message are one, and so are their bytes.
        options.read(&self.messages(at)?.concat())
    }
}
