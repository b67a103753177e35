//! What encoding and decoding need to know of a schema: messages with their fields in order of numbers, found by their JSON names.
//!
//! For encoding, only what the first message of the file can hold is in it; for decoding, what any message of the file can hold. Made on first use: most schemas are only stored and
//! compared. A schema that no message can be written with (a type that is missing, a field number that is none) has no
//! plan but an error.

mod absent;

use std::collections::HashMap;

pub(super) use absent::zero;

use super::model::{self, Field, Group, Label, MAX_FIELD_NUMBER, Message, ProtoOption, Scalar};
use super::names::{EnumId, Kind, MessageId, Shape, TypeName, Types};
use super::wire::WireType;
use postern_schema_core::EncodeError;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) messages: Vec<MessagePlan>,
    pub(super) enums: Vec<EnumPlan>,
}

#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) full_name: String,
    pub(super) known: Option<WellKnown>,
    /// In order of their numbers.
    pub(super) fields: Vec<FieldPlan>,
    /// By the name in the file and by that in JSON.
    by_name: HashMap<String, usize>,
    pub(super) oneofs: Vec<String>,
    /// Positions of the fields that must have a value.
    pub(super) required: Vec<usize>,
}

impl MessagePlan {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

#[derive(Debug)]
pub(super) struct FieldPlan {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) shape: FieldShape,
    /// Position among [`MessagePlan::oneofs`].
    pub(super) oneof: Option<usize>,
    required: bool,
    /// What stands before its value in JSON: `"myField":`.
    pub(super) opening: JsonText,
    /// Its value in JSON where it has none on the wire. `None`: it is left out.
    pub(super) absent: Option<JsonText>,
}

/// A piece of JSON.
pub(super) type JsonText = Box<[u8]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldShape {
    /// `explicit`: written even if it is the default.
    Single {
        value: ValueKind,
        explicit: bool,
    },
    List {
        items: ValueKind,
        packed: bool,
    },
    Map {
        key: Scalar,
        value: ValueKind,
    },
}

/// Messages and enums by their position in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Scalar(Scalar),
    Enum(usize),
    Message(usize),
    Group(usize),
}

impl ValueKind {
    /// What stands behind the key of a field that holds one such value.
    pub(super) fn wire_type(self) -> WireType {
        match self {
            ValueKind::Enum(_) => WireType::Varint,
            ValueKind::Message(_) => WireType::Length,
            ValueKind::Group(_) => WireType::GroupStart,
            ValueKind::Scalar(scalar) => match scalar {
                Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => WireType::Fixed64,
                Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => WireType::Fixed32,
                Scalar::String | Scalar::Bytes => WireType::Length,
                Scalar::Int32
                | Scalar::Int64
                | Scalar::Uint32
                | Scalar::Uint64
                | Scalar::Sint32
                | Scalar::Sint64
                | Scalar::Bool => WireType::Varint,
            },
        }
    }
}

#[derive(Debug)]
pub(super) struct EnumPlan {
    pub(super) full_name: String,
    pub(super) constants: HashMap<String, i32>,
    /// The names as JSON; of several with one number the first.
    pub(super) numbers: HashMap<i32, JsonText>,
    /// The first constant.
    pub(super) default: i32,
    /// Numbers without a name are no values: an enum of proto2.
    pub(super) closed: bool,
}

/// Messages that have a JSON form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WellKnown {
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    List,
    /// A scalar in a message.
    Wrapper(Scalar),
}

impl WellKnown {
    fn named(full_name: &str) -> Option<WellKnown> {
        Some(match full_name.strip_prefix("google.protobuf.")? {
            "Any" => WellKnown::Any,
            "Timestamp" => WellKnown::Timestamp,
            "Duration" => WellKnown::Duration,
            "FieldMask" => WellKnown::FieldMask,
            "Struct" => WellKnown::Struct,
            "Value" => WellKnown::Value,
            "ListValue" => WellKnown::List,
            "DoubleValue" => WellKnown::Wrapper(Scalar::Double),
            "FloatValue" => WellKnown::Wrapper(Scalar::Float),
            "Int64Value" => WellKnown::Wrapper(Scalar::Int64),
            "UInt64Value" => WellKnown::Wrapper(Scalar::Uint64),
            "Int32Value" => WellKnown::Wrapper(Scalar::Int32),
            "UInt32Value" => WellKnown::Wrapper(Scalar::Uint32),
            "BoolValue" => WellKnown::Wrapper(Scalar::Bool),
            "StringValue" => WellKnown::Wrapper(Scalar::String),
            "BytesValue" => WellKnown::Wrapper(Scalar::Bytes),
            _ => return None,
        })
    }
}

impl Plan {
    /// For the first message of the file that `types` is about; it becomes the first of [`Plan::messages`].
    ///
    /// # Errors
    /// Nothing can be written with this schema.
    pub(super) fn new(types: &Types) -> Result<Plan, EncodeError> {
        let file = file_of_messages(types).ok_or_else(|| unusable("a schema with a message", "one without"))?;
        let mut planner = Planner::new(types, Purpose::Encoding);
        planner.message(MessageId { file, index: types.file(file).top.messages[0] });
        planner.fill_all()?;
        Ok(planner.plan)
    }

    /// For all messages of the file that `types` is about, which come first in [`Plan::messages`] and in the order of the file. What is
    /// wrong with a field makes it an unknown one.
    pub(super) fn for_decoding(types: &Types) -> Plan {
        let mut planner = Planner::new(types, Purpose::Decoding);
        if let Some(file) = file_of_messages(types) {
            for index in 0..types.file(file).messages.len() {
                planner.message(MessageId { file, index });
            }
        }
        match planner.fill_all() {
            Ok(()) => planner.plan,
            Err(error) => unreachable!("wrong fields are left out: {error}"),
        }
    }
}

/// The file that declares the messages. One that declares nothing and imports one file publicly stands for that file.
pub(super) fn file_of_messages(types: &Types) -> Option<usize> {
    let mut file = 0;
    loop {
        if !types.file(file).top.messages.is_empty() {
            return Some(file);
        }
        let unit = types.unit(file);
        let next = &unit.imports[unit.stands_for?].unit;
        file = types.position(next)?;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Encoding,
    Decoding,
}

struct Planner<'t> {
    types: &'t Types,
    purpose: Purpose,
    plan: Plan,
    messages: HashMap<MessageId, usize>,
    enums: HashMap<EnumId, usize>,
    waiting: Vec<(usize, MessageId)>,
}

impl<'t> Planner<'t> {
    fn new(types: &'t Types, purpose: Purpose) -> Planner<'t> {
        let plan = Plan { messages: Vec::new(), enums: Vec::new() };
        Planner { types, purpose, plan, messages: HashMap::new(), enums: HashMap::new(), waiting: Vec::new() }
    }

    fn fill_all(&mut self) -> Result<(), EncodeError> {
        while let Some((position, id)) = self.waiting.pop() {
            self.fill(position, id)?;
        }
        Ok(())
    }

    /// A field that is wrong is an error where values are to be written, and no field where they are read.
    fn unless_wrong<T>(&self, field: Result<T, EncodeError>) -> Result<Option<T>, EncodeError> {
        match (field, self.purpose) {
            (Ok(field), _) => Ok(Some(field)),
            (Err(_), Purpose::Decoding) => Ok(None),
            (Err(error), Purpose::Encoding) => Err(error),
        }
    }

    fn message(&mut self, id: MessageId) -> usize {
        if let Some(position) = self.messages.get(&id) {
            return *position;
        }
        let full_name = self.types.message(id).full_name.clone();
        let position = self.add(full_name);
        self.messages.insert(id, position);
        self.waiting.push((position, id));
        position
    }

    fn add(&mut self, full_name: String) -> usize {
        let known = WellKnown::named(&full_name);
        let (fields, by_name, oneofs, required) = (Vec::new(), HashMap::new(), Vec::new(), Vec::new());
        self.plan.messages.push(MessagePlan { full_name, known, fields, by_name, oneofs, required });
        self.plan.messages.len() - 1
    }

    fn enumeration(&mut self, id: EnumId) -> usize {
        if let Some(position) = self.enums.get(&id) {
            return *position;
        }
        let kind = self.types.enumeration(id);
        let constants = kind.constants.iter().map(|constant| (constant.name.clone(), constant.number)).collect();
        let mut numbers = HashMap::new();
        for constant in &kind.constants {
            numbers.entry(constant.number).or_insert_with(|| json_string(&constant.name));
        }
        let default = kind.constants.first().map_or(0, |constant| constant.number);
        let closed = !self.types.file(id.file).is_proto3();
        self.plan.enums.push(EnumPlan { full_name: kind.full_name.clone(), constants, numbers, default, closed });
        self.enums.insert(id, self.plan.enums.len() - 1);
        self.plan.enums.len() - 1
    }

    fn fill(&mut self, position: usize, id: MessageId) -> Result<(), EncodeError> {
        let message = self.types.message(id);
        let proto3 = self.types.file(id.file).is_proto3();
        let mut fields = Vec::new();
        for (field, oneof) in message.all_fields() {
            let plan = self.field(message, field, oneof, proto3);
            let Some(plan) = self.unless_wrong(plan)? else { continue };
            fields.push((plan, model::text(&field.options, "json_name").map(str::to_owned)));
        }
        for (group, oneof) in message.all_groups() {
            let plan = self.group(message, group, oneof, proto3);
            fields.extend(self.unless_wrong(plan)?.map(|plan| (plan, None)));
        }
        let oneofs = message.oneofs.iter().map(|oneof| oneof.name.clone()).collect();
        self.finish(position, fields, oneofs)
    }

    fn finish(
        &mut self,
        position: usize,
        mut fields: Vec<(FieldPlan, Option<String>)>,
        oneofs: Vec<String>,
    ) -> Result<(), EncodeError> {
        fields.sort_by_key(|(field, _)| field.number);
        if self.purpose == Purpose::Decoding {
            fields.dedup_by_key(|(field, _)| field.number);
        }
        let message = &mut self.plan.messages[position];
        if let Some([(a, _), (b, _)]) = fields.windows(2).find(|pair| pair[0].0.number == pair[1].0.number) {
            let found = format!("`{}` and `{}` of {}, which share one", a.name, b.name, message.full_name);
            return Err(unusable("a schema whose fields have different numbers", found));
        }
        for (index, (field, json_name)) in fields.iter_mut().enumerate() {
            let json_name = json_name.clone().unwrap_or_else(|| camel_case(&field.name));
            field.opening = [&*json_string(&json_name), b":"].concat().into();
            if json_name != field.name {
                message.by_name.entry(json_name).or_insert(index);
            }
        }
        for (index, (field, _)) in fields.iter().enumerate() {
            message.by_name.insert(field.name.clone(), index);
        }
        message.fields = fields.into_iter().map(|(field, _)| field).collect();
        let required = message.fields.iter().enumerate().filter(|(_, field)| field.required);
        message.required = required.map(|(position, _)| position).collect();
        message.oneofs = oneofs;
        Ok(())
    }

    fn field(
        &mut self,
        message: &Message,
        field: &Field,
        oneof: Option<usize>,
        proto3: bool,
    ) -> Result<FieldPlan, EncodeError> {
        let scope = message.full_name.as_str();
        let shape = match self.types.shape(scope, field) {
            Shape::Map([key, value]) => match key.kind {
                Kind::Scalar(scalar) if scalar.is_key() => {
                    FieldShape::Map { key: scalar, value: self.value(scope, value)? }
                }
                Kind::Scalar(_) | Kind::Enum(_) | Kind::Message(_) | Kind::Unknown => {
                    let found = format!("keys of type {}", super::lex::cut(key.text));
                    return Err(unusable("a schema whose maps have keys that can be names", found));
                }
            },
            Shape::Single(written) => {
                let value = self.value(scope, written)?;
                match field.label {
                    Some(Label::Repeated) => {
                        FieldShape::List { items: value, packed: packed(value, &field.options, proto3) }
                    }
                    None | Some(Label::Optional | Label::Required) => {
                        let is_message = matches!(value, ValueKind::Message(_) | ValueKind::Group(_));
                        let explicit = !proto3 || is_message || oneof.is_some() || field.label.is_some();
                        FieldShape::Single { value, explicit }
                    }
                }
            }
        };
        let required = field.label == Some(Label::Required);
        let has_presence = oneof.is_some() || required || proto3 && field.label == Some(Label::Optional);
        let absent = match shape {
            FieldShape::Single { .. } if has_presence => None,
            FieldShape::Single { value, .. } => absent::value(&self.plan, value, &field.options),
            FieldShape::List { .. } => Some((*b"[]").into()),
            FieldShape::Map { .. } => Some((*b"{}").into()),
        };
        Ok(FieldPlan {
            name: field.name.clone(),
            number: number(message, &field.name, field.number)?,
            shape,
            oneof,
            required,
            opening: JsonText::default(),
            absent,
        })
    }

    fn group(
        &mut self,
        message: &Message,
        group: &Group,
        oneof: Option<usize>,
        proto3: bool,
    ) -> Result<FieldPlan, EncodeError> {
        let inner = Message { full_name: format!("{}.{}", message.full_name, group.name), ..Message::default() };
        let position = self.add(inner.full_name.clone());
        let mut fields = Vec::new();
        for field in &group.fields {
            let json_name = model::text(&field.options, "json_name").map(str::to_owned);
            let plan = self.field(&inner, field, None, proto3);
            fields.extend(self.unless_wrong(plan)?.map(|plan| (plan, json_name)));
        }
        self.finish(position, fields, Vec::new())?;
        let value = ValueKind::Group(position);
        let shape = match group.label {
            Some(Label::Repeated) => FieldShape::List { items: value, packed: false },
            None | Some(Label::Optional | Label::Required) => FieldShape::Single { value, explicit: true },
        };
        let name = group.name.to_lowercase();
        let number = number(message, &name, group.number)?;
        let absent = matches!(shape, FieldShape::List { .. }).then(|| (*b"[]").into());
        let (required, opening) = (group.label == Some(Label::Required), JsonText::default());
        Ok(FieldPlan { name, number, shape, oneof, required, opening, absent })
    }

    fn value(&mut self, scope: &str, written: TypeName<'_>) -> Result<ValueKind, EncodeError> {
        Ok(match written.kind {
            Kind::Scalar(scalar) => ValueKind::Scalar(scalar),
            Kind::Enum(id) => ValueKind::Enum(self.enumeration(id)),
            Kind::Message(id) => ValueKind::Message(self.message(id)),
            Kind::Unknown => {
                let found = format!("the name \"{}\" in {scope}", super::lex::cut(written.text));
                return Err(unusable("a schema whose types are all declared or imported", found));
            }
        })
    }
}

fn packed(value: ValueKind, options: &[ProtoOption], proto3: bool) -> bool {
    let packable = match value {
        ValueKind::Scalar(scalar) => !matches!(scalar, Scalar::String | Scalar::Bytes),
        ValueKind::Enum(_) => true,
        ValueKind::Message(_) | ValueKind::Group(_) => false,
    };
    packable && model::word(options, "packed").map_or(proto3, |word| word == "true")
}

fn number(message: &Message, name: &str, number: i32) -> Result<u32, EncodeError> {
    u32::try_from(number).ok().filter(|_| (1..=MAX_FIELD_NUMBER).contains(&number)).ok_or_else(|| {
        let found = format!("{number} for `{name}` of {}", message.full_name);
        unusable("a schema with field numbers from 1 to 536870911", found)
    })
}

fn unusable(expected: &str, found: impl Into<String>) -> EncodeError {
    EncodeError::new(String::new(), expected, found)
}

fn json_string(name: &str) -> JsonText {
    let mut text = Vec::with_capacity(name.len() + 2);
    postern_json_text::write_string(name, &mut text);
    text.into()
}

/// `my_field` as `myField`.
pub(super) fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut after_underscore = false;
    for character in name.chars() {
        match character {
            '_' => after_underscore = true,
            _ if after_underscore => {
                camel.push(character.to_ascii_uppercase());
                after_underscore = false;
            }
            _ => camel.push(character),
        }
    }
    camel
}
