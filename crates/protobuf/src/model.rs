//! The model of a `.proto` file, with names and the order of options as they were written.
//!
//! Messages and enums lie in two lists of the file and refer to one another by position, so that a type is a pair of
//! numbers after name resolution. Comments are dropped, and so is the order of different parts within a message.

/// Fields are numbered up to this.
pub(super) const MAX_FIELD_NUMBER: i32 = (1 << 29) - 1;

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// `None`: the file has no syntax line, and is read as proto2.
    pub(super) syntax: Option<Syntax>,
    pub(super) package: Option<String>,
    pub(super) imports: Vec<String>,
    pub(super) public_imports: Vec<String>,
    pub(super) options: Vec<ProtoOption>,
    /// All messages, nested ones included; a message comes before those in it.
    pub(super) messages: Vec<Message>,
    /// All enums, nested ones included.
    pub(super) enums: Vec<Enum>,
    pub(super) top: NestedTypes,
    pub(super) extends: Vec<Extend>,
    pub(super) services: Vec<Service>,
    /// The first number that compilers read as octal: its place in the text, and its digits.
    pub(super) octal: Option<(String, String)>,
}

impl File {
    pub(super) fn is_proto3(&self) -> bool {
        self.syntax == Some(Syntax::Proto3)
    }

    /// A full name without the package.
    pub(super) fn unqualified<'n>(&self, full_name: &'n str) -> &'n str {
        match &self.package {
            Some(package) => full_name.get(package.len() + 1..).unwrap_or(full_name),
            None => full_name,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Proto2,
    Proto3,
}

impl Syntax {
    pub(super) fn word(self) -> &'static str {
        match self {
            Syntax::Proto2 => "proto2",
            Syntax::Proto3 => "proto3",
        }
    }
}

/// Types declared side by side, as positions in the lists of their file.
#[derive(Clone, Debug, Default)]
pub(super) struct NestedTypes {
    pub(super) messages: Vec<usize>,
    pub(super) enums: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Message {
    pub(super) name: String,
    /// With package and outer messages, without a leading dot.
    pub(super) full_name: String,
    pub(super) reserved: Vec<Vec<Reserved>>,
    pub(super) options: Vec<ProtoOption>,
    pub(super) fields: Vec<Field>,
    pub(super) oneofs: Vec<OneOf>,
    pub(super) groups: Vec<Group>,
    pub(super) extensions: Vec<Extensions>,
    pub(super) extends: Vec<Extend>,
    pub(super) nested: NestedTypes,
    /// Whether it stands for the entries of a map, as descriptors have them.
    pub(super) is_map_entry: bool,
}

impl Message {
    /// Fields outside and inside of oneofs, each with its oneof.
    pub(super) fn all_fields(&self) -> impl Iterator<Item = (&Field, Option<usize>)> {
        let members = self.oneofs.iter().enumerate();
        let members =
            members.flat_map(|(position, oneof)| oneof.fields.iter().map(move |field| (field, Some(position))));
        self.fields.iter().map(|field| (field, None)).chain(members)
    }

    /// Groups outside and inside of oneofs, each with its oneof.
    pub(super) fn all_groups(&self) -> impl Iterator<Item = (&Group, Option<usize>)> {
        let members = self.oneofs.iter().enumerate();
        let members =
            members.flat_map(|(position, oneof)| oneof.groups.iter().map(move |group| (group, Some(position))));
        self.groups.iter().map(|group| (group, None)).chain(members)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) label: Option<Label>,
    pub(super) kind: FieldType,
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) options: Vec<ProtoOption>,
}

/// The type of a field, names as written.
#[derive(Clone, Debug)]
pub(super) enum FieldType {
    /// A scalar, a message or an enum.
    Named(String),
    /// Key and value.
    Map(String, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Optional,
    Required,
    Repeated,
}

impl Label {
    pub(super) fn word(self) -> &'static str {
        match self {
            Label::Optional => "optional",
            Label::Required => "required",
            Label::Repeated => "repeated",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct OneOf {
    pub(super) name: String,
    pub(super) options: Vec<ProtoOption>,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

/// A proto2 group: a field and its message in one.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) label: Option<Label>,
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) fields: Vec<Field>,
}

/// One entry of a `reserved` or `extensions` statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reserved {
    /// First and last number; a lone number is no range.
    Numbers(i32, Option<RangeEnd>),
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RangeEnd {
    Number(i32),
    Max,
}

#[derive(Clone, Debug)]
pub(super) struct Extensions {
    pub(super) ranges: Vec<Reserved>,
    pub(super) options: Vec<ProtoOption>,
}

#[derive(Clone, Debug)]
pub(super) struct Extend {
    pub(super) target: String,
    pub(super) fields: Vec<Field>,
    pub(super) groups: Vec<Group>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) full_name: String,
    pub(super) reserved: Vec<Vec<Reserved>>,
    pub(super) options: Vec<ProtoOption>,
    pub(super) constants: Vec<Constant>,
}

#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) options: Vec<ProtoOption>,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) options: Vec<ProtoOption>,
    pub(super) rpcs: Vec<Rpc>,
}

/// An `rpc`.
#[derive(Clone, Debug)]
pub(super) struct Rpc {
    pub(super) name: String,
    pub(super) request: RpcType,
    pub(super) response: RpcType,
    pub(super) options: Vec<ProtoOption>,
}

#[derive(Clone, Debug)]
pub(super) struct RpcType {
    pub(super) stream: bool,
    pub(super) kind: String,
}

/// An option: its name as written, without white space, like `(my.option).part`, and its value.
#[derive(Clone, Debug)]
pub(super) struct ProtoOption {
    pub(super) name: String,
    pub(super) value: OptionValue,
}

impl ProtoOption {
    /// Whether it is an extension, not declared by Protobuf itself.
    pub(super) fn is_custom(&self) -> bool {
        self.name.starts_with('(')
    }

    /// The name of an extension and the path behind it, both as written: `(a.b).c` is `a.b` and `c`.
    pub(super) fn extension(&self) -> Option<(&str, &str)> {
        let (name, path) = self.name.strip_prefix('(')?.split_once(')')?;
        Some((name, path.strip_prefix('.').unwrap_or_default()))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum OptionValue {
    Text(StringLiteral),
    /// A number, `true`, the name of a constant.
    Word(String),
    Map(Vec<(String, OptionValue)>),
    List(Vec<OptionValue>),
}

/// A string literal. `escaped` stands between double quotes as it is; in `plain` a byte beyond ASCII that was written
/// as a number is the character of that number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StringLiteral {
    pub(super) plain: String,
    pub(super) escaped: String,
}

/// The value of option `name`, where it is a word.
pub(super) fn word<'o>(options: &'o [ProtoOption], name: &str) -> Option<&'o str> {
    options.iter().find(|option| option.name == name).and_then(|option| match &option.value {
        OptionValue::Word(word) => Some(word.as_str()),
        OptionValue::Text(_) | OptionValue::Map(_) | OptionValue::List(_) => None,
    })
}

/// The value of option `name`, where it is a text.
pub(super) fn text<'o>(options: &'o [ProtoOption], name: &str) -> Option<&'o str> {
    options.iter().find(|option| option.name == name).and_then(|option| match &option.value {
        OptionValue::Text(text) => Some(text.plain.as_str()),
        OptionValue::Word(_) | OptionValue::Map(_) | OptionValue::List(_) => None,
    })
}

/// The types that need no declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

impl Scalar {
    /// With its name and its number in descriptors.
    const ALL: [(&str, Scalar, u64); 15] = [
        ("double", Scalar::Double, 1),
        ("float", Scalar::Float, 2),
        ("int64", Scalar::Int64, 3),
        ("uint64", Scalar::Uint64, 4),
        ("int32", Scalar::Int32, 5),
        ("fixed64", Scalar::Fixed64, 6),
        ("fixed32", Scalar::Fixed32, 7),
        ("bool", Scalar::Bool, 8),
        ("string", Scalar::String, 9),
        ("bytes", Scalar::Bytes, 12),
        ("uint32", Scalar::Uint32, 13),
        ("sfixed32", Scalar::Sfixed32, 15),
        ("sfixed64", Scalar::Sfixed64, 16),
        ("sint32", Scalar::Sint32, 17),
        ("sint64", Scalar::Sint64, 18),
    ];

    pub(super) fn named(name: &str) -> Option<Scalar> {
        Scalar::ALL.iter().find(|(word, ..)| *word == name).map(|(_, scalar, _)| *scalar)
    }

    pub(super) fn numbered(number: u64) -> Option<&'static str> {
        Scalar::ALL.iter().find(|(.., known)| *known == number).map(|(word, ..)| *word)
    }

    pub(super) fn number(name: &str) -> Option<u64> {
        Scalar::ALL.iter().find(|(word, ..)| *word == name).map(|(.., number)| *number)
    }

    pub(super) fn word(self) -> &'static str {
        Scalar::ALL.iter().find(|(_, scalar, _)| *scalar == self).map_or("", |(word, ..)| word)
    }

    /// Whether keys of maps may be of this type.
    pub(super) fn is_key(self) -> bool {
        !matches!(self, Scalar::Double | Scalar::Float | Scalar::Bytes)
    }
}
