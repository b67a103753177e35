//! For any Protobuf file: its canonical text is its own canonical text, it reads what it wrote itself, a descriptor of it says the
//! same, and values come back as they were.

use postern_schema::{Encoded, Schema, SchemaKind, Strictness};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A message: fields, oneofs, nested messages, nested enums. Names come from positions, so that they are unique.
#[derive(Clone, Debug)]
struct Message {
    fields: Vec<(usize, usize, Option<String>)>,
    oneofs: Vec<Vec<usize>>,
    nested: Vec<Message>,
    enums: Vec<Vec<i32>>,
    /// By how many places the statements are turned.
    turn: usize,
}

const TYPES: [&str; 18] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "string", "bytes", ".p.M", "M", "p.T",
];

const LABELS: [&str; 3] = ["", "optional ", "repeated "];

fn message() -> impl Strategy<Value = Message> {
    let field = (0..TYPES.len(), 0..LABELS.len() + 1, proptest::option::of(any::<String>()));
    let parts =
        (vec(field, 0..6), vec(vec(0..TYPES.len(), 1..4), 0..3), vec(vec(any::<i32>(), 1..4), 0..2), 0..9_usize);
    let leaf = parts.clone().prop_map(|(fields, oneofs, enums, turn)| Message {
        fields,
        oneofs,
        nested: Vec::new(),
        enums,
        turn,
    });
    leaf.prop_recursive(3, 12, 3, move |inner| {
        (parts.clone(), vec(inner, 0..3)).prop_map(|((fields, oneofs, enums, turn), nested)| Message {
            fields,
            oneofs,
            nested,
            enums,
            turn,
        })
    })
}

impl Message {
    fn write(&self, name: &str) -> String {
        let mut statements = Vec::new();
        for (position, (kind, label, json_name)) in self.fields.iter().enumerate() {
            let number = 100 - position;
            // No two of them are equal: then a member of an object could be either field.
            let options = json_name
                .as_ref()
                .map_or(String::new(), |name| format!(" [json_name = {}]", literal(&format!("{name}{position}"))));
            statements.push(match LABELS.get(*label) {
                Some(label) => format!("{label}{} f{position} = {number}{options};", TYPES[*kind]),
                None => format!("map<string, {}> f{position} = {number}{options};", TYPES[*kind]),
            });
        }
        for (position, members) in self.oneofs.iter().enumerate() {
            let members = members.iter().enumerate().map(|(member, kind)| {
                format!("{} o{position}_{member} = {};", TYPES[*kind], 200 + 10 * position + member)
            });
            statements.push(format!("oneof o{position} {{ {} }}", members.collect::<String>()));
        }
        for (position, nested) in self.nested.iter().enumerate() {
            statements.push(nested.write(&format!("N{position}")));
        }
        for (position, numbers) in self.enums.iter().enumerate() {
            let constants = numbers.iter().enumerate().map(|(constant, number)| format!("C{constant} = {number};"));
            statements.push(format!("enum E{position} {{ {} }}", constants.collect::<String>()));
        }
        let turn = self.turn.checked_rem(statements.len()).unwrap_or_default();
        statements.rotate_left(turn);
        format!("message {name} {{ {} }}", statements.join("\n/* between */ "))
    }
}

/// A string as one may write it: every other character as bytes.
fn literal(text: &str) -> String {
    let mut literal = "'".to_owned();
    for (position, character) in text.chars().enumerate() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            _ if position % 2 == 0 && character.is_ascii() => {
                literal.push_str(&format!("\\{:o}\" \"", character as u32))
            }
            _ => literal.push(character),
        }
    }
    // The literals in a row are one; all must have the quotes they began with.
    literal.push('\'');
    literal.replace("\" \"", "''")
}

/// Picks by random bytes; at their end, always the first.
struct Choices<'c>(std::slice::Iter<'c, u8>);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        self.0.next().copied().unwrap_or_default().into()
    }
}

impl Message {
    /// A value in JSON, with the fields that are chosen.
    fn value(&self, root: &Message, choices: &mut Choices<'_>) -> Value {
        let mut members = Map::new();
        for (position, (kind, label, _)) in self.fields.iter().enumerate() {
            let value = match label {
                _ if choices.next().is_multiple_of(2) => continue,
                0 | 1 => scalar(TYPES[*kind], root, choices),
                2 => (0..choices.next() % 4).map(|_| scalar(TYPES[*kind], root, choices)).collect(),
                _ => Value::Object(
                    (0..choices.next() % 4)
                        .map(|_| {
                            (["", "a", "\"é😀"][choices.next() % 3].to_owned(), scalar(TYPES[*kind], root, choices))
                        })
                        .collect(),
                ),
            };
            members.insert(format!("f{position}"), value);
        }
        for (position, kinds) in self.oneofs.iter().enumerate() {
            if let Some(kind) = (choices.next() % 4).checked_sub(1).and_then(|member| kinds.get(member)) {
                let member = kinds.iter().position(|other| other == kind).unwrap_or_default();
                members.insert(format!("o{position}_{member}"), scalar(TYPES[*kind], root, choices));
            }
        }
        Value::Object(members)
    }
}

fn scalar(kind: &str, root: &Message, choices: &mut Choices<'_>) -> Value {
    let choice = choices.next();
    let number = [0, 1, -1, i64::from(i32::MAX), i64::from(i32::MIN), 300][choice % 6];
    match kind {
        "double" | "float" => {
            [json!(0.0), json!(1.5), json!(-1e10), json!("NaN"), json!("-Infinity")][choice % 5].clone()
        }
        "bool" => json!(choice % 2 == 1),
        "string" => json!(["", "x", "\u{0}\"\\é😀"][choice % 3]),
        "bytes" => json!(["", "AP8=", "////"][choice % 3]),
        "uint32" | "uint64" | "fixed32" | "fixed64" => json!(number.unsigned_abs()),
        "p.T" => json!({}),
        ".p.M" | "M" => root.value(root, choices),
        _ => json!(number),
    }
}

fn compile(text: &str) -> Schema {
    Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::New).unwrap_or_else(|error| panic!("{text}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn texts_and_comparison_are_stable(first in message(), second in message()) {
        let text = format!("syntax = 'proto3'; package p; {} {} message T {{}}", first.write("M"), second.write("L"));
        let schema = compile(&text);
        let again = compile(schema.canonical());
        prop_assert_eq!(again.canonical(), schema.canonical());
        prop_assert_eq!(again.normalized(), schema.normalized());
        let normal = compile(&schema.normalized());
        prop_assert_eq!(normal.normalized(), schema.normalized());
        for other in [&schema, &again, &normal] {
            prop_assert_eq!(other.cannot_read(&schema), []);
            prop_assert_eq!(schema.cannot_read(other), []);
        }
        let described = compile(&schema.serialized().expect("Protobuf has descriptors"));
        prop_assert_eq!(described.normalized(), schema.normalized());
        let bare = schema.without_extensions().expect("Protobuf has extensions");
        prop_assert_eq!(bare.as_str(), schema.canonical());
    }

    #[test]
    fn verdicts_do_not_depend_on_who_asks(old in message(), new in message()) {
        let text = |message: &Message| format!("syntax = 'proto3'; package p; {} message T {{}}", message.write("M"));
        let (old, new) = (compile(&text(&old)), compile(&text(&new)));
        let normal = compile(&new.normalized());
        prop_assert_eq!(new.cannot_read(&old).is_empty(), normal.cannot_read(&old).is_empty());
        prop_assert_eq!(old.cannot_read(&new).is_empty(), old.cannot_read(&normal).is_empty());
    }

    #[test]
    fn what_is_written_is_read_back(message in message(), bytes in vec(any::<u8>(), 0..60)) {
        // Names of the outermost message only, which `M` means everywhere.
        let message = Message { nested: Vec::new(), ..message };
        let schema = compile(&format!("syntax = 'proto3'; package p; {} message T {{}}", message.write("M")));
        let json = message.value(&message, &mut Choices(bytes.iter())).to_string();
        let (mut payload, mut decoded, mut again) = (Vec::new(), b"before".to_vec(), Vec::new());
        prop_assert_eq!(schema.encode(json.as_bytes(), &mut payload), Ok(Encoded::Payload), "{}", json);
        prop_assert_eq!(schema.decode(&payload, &mut decoded), Ok(()));
        let decoded = &decoded["before".len()..];
        prop_assert!(schema.encode(decoded, &mut again).is_ok(), "{}", String::from_utf8_lossy(decoded));
        prop_assert_eq!(again, payload, "{} became {}", json, String::from_utf8_lossy(decoded));
    }

    #[test]
    fn no_bytes_are_too_strange(message in message(), bytes in vec(any::<u8>(), 0..60)) {
        let schema = compile(&format!("syntax = 'proto3'; package p; {} message T {{}}", message.write("M")));
        let mut out = vec![1, 2];
        match schema.decode(&bytes, &mut out) {
            Ok(()) => prop_assert!(serde_json::from_slice::<Value>(&out[2..]).is_ok()),
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert_eq!(&out, &[1, 2]);
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "[a-z{}=;\"'0-9 \\n.\\[\\]<>(),/*\\\\é-]{0,80}") {
        let _ = Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::New);
        let text = format!("syntax = \"proto3\"; message A {{ {text} }}");
        let _ = Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::Stored);
    }

    #[test]
    fn no_descriptor_is_too_strange(bytes in vec(any::<u8>(), 0..60)) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::Stored);
    }
}
