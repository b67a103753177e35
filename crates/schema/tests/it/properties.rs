//! For any schema and value: what we encode, `apache-avro` and we ourselves read as the same value; texts and comparison are stable.

use apache_avro::types::Value as Avro;
use postern_schema::{Encoded, Schema, SchemaKind, Strictness};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A value, and with it the type it has.
#[derive(Clone, Debug)]
enum Sample {
    Null,
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
    Text(String),
    Fixed(Vec<u8>),
    Enum(usize),
    /// So many of the same.
    Array(Box<Sample>, usize),
    Map(Box<Sample>, Vec<String>),
    /// Fields, and by how many places their members are rotated in the JSON.
    Record(Vec<Sample>, usize),
    /// With null as the other branch, first or second; the value may be that null.
    Nullable {
        inner: Box<Sample>,
        null_first: bool,
        null: bool,
    },
}

const SYMBOLS: [&str; 3] = ["C", "A", "B"];

fn sample() -> impl Strategy<Value = Sample> {
    let finite32 = any::<f32>().prop_filter("JSON has finite numbers only", |value| value.is_finite());
    let finite64 = any::<f64>().prop_filter("JSON has finite numbers only", |value| value.is_finite());
    let leaf = prop_oneof![
        Just(Sample::Null),
        any::<bool>().prop_map(Sample::Boolean),
        any::<i32>().prop_map(Sample::Int),
        any::<i64>().prop_map(Sample::Long),
        finite32.prop_map(Sample::Float),
        finite64.prop_map(Sample::Double),
        vec(any::<u8>(), 0..80).prop_map(Sample::Bytes),
        any::<String>().prop_map(Sample::Text),
        vec(any::<u8>(), 0..6).prop_map(Sample::Fixed),
        (0..SYMBOLS.len()).prop_map(Sample::Enum),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let named = inner.clone().prop_filter("a union's branch is neither null nor a union", |inner| {
            !matches!(inner, Sample::Null | Sample::Nullable { .. })
        });
        prop_oneof![
            (inner.clone(), 0..90_usize).prop_map(|(item, count)| Sample::Array(item.into(), count)),
            (inner.clone(), btree_set(any::<String>(), 0..5))
                .prop_map(|(value, keys)| Sample::Map(value.into(), keys.into_iter().collect())),
            (vec(inner, 0..6), 0..6_usize).prop_map(|(fields, turn)| Sample::Record(fields, turn)),
            (named, any::<bool>(), any::<bool>()).prop_map(|(inner, null_first, null)| Sample::Nullable {
                inner: inner.into(),
                null_first,
                null
            }),
        ]
    })
}

/// The schema, the JSON, and what `apache-avro` is to read.
struct Rendered {
    schema: Value,
    json: Value,
    avro: Avro,
}

fn render(sample: &Sample, names: &mut usize) -> Rendered {
    let rendered = |schema: Value, json: Value, avro: Avro| Rendered { schema, json, avro };
    let mut name = || {
        *names += 1;
        format!("T{names}")
    };
    let latin1 = |bytes: &[u8]| Value::String(bytes.iter().map(|byte| char::from(*byte)).collect());
    match sample {
        Sample::Null => rendered(json!("null"), json!(null), Avro::Null),
        Sample::Boolean(value) => rendered(json!("boolean"), json!(value), Avro::Boolean(*value)),
        Sample::Int(value) => rendered(json!("int"), json!(value), Avro::Int(*value)),
        Sample::Long(value) => rendered(json!("long"), json!(value), Avro::Long(*value)),
        Sample::Float(value) => rendered(json!("float"), json!(f64::from(*value)), Avro::Float(*value)),
        Sample::Double(value) => rendered(json!("double"), json!(value), Avro::Double(*value)),
        Sample::Bytes(bytes) => rendered(json!("bytes"), latin1(bytes), Avro::Bytes(bytes.clone())),
        Sample::Text(text) => rendered(json!("string"), json!(text), Avro::String(text.clone())),
        Sample::Fixed(bytes) => rendered(
            json!({"type": "fixed", "name": name(), "size": bytes.len()}),
            latin1(bytes),
            Avro::Fixed(bytes.len(), bytes.clone()),
        ),
        Sample::Enum(symbol) => rendered(
            json!({"type": "enum", "name": name(), "symbols": SYMBOLS}),
            json!(SYMBOLS[*symbol]),
            Avro::Enum(*symbol as u32, SYMBOLS[*symbol].to_owned()),
        ),
        Sample::Array(item, count) => {
            let item = render(item, names);
            rendered(
                json!({"type": "array", "items": item.schema}),
                Value::Array(vec![item.json; *count]),
                Avro::Array(vec![item.avro; *count]),
            )
        }
        Sample::Map(value, keys) => {
            let value = render(value, names);
            rendered(
                json!({"type": "map", "values": value.schema}),
                Value::Object(keys.iter().map(|key| (key.clone(), value.json.clone())).collect()),
                Avro::Map(keys.iter().map(|key| (key.clone(), value.avro.clone())).collect()),
            )
        }
        Sample::Record(fields, turn) => {
            let own = name();
            let (mut schemas, mut members, mut avro) = (Vec::new(), Vec::new(), Vec::new());
            for (position, field) in fields.iter().enumerate() {
                let (field, name) = (render(field, names), format!("f{position}"));
                schemas.push(json!({"type": field.schema, "name": name, "doc": "½"}));
                avro.push((name.clone(), field.avro));
                members.push((name, field.json));
            }
            let places = turn % members.len().max(1);
            members.rotate_left(places);
            rendered(
                json!({"fields": schemas, "type": "record", "name": own, "units": {"b": 1.50, "a": null}}),
                Value::Object(members.into_iter().collect::<Map<_, _>>()),
                Avro::Record(avro),
            )
        }
        Sample::Nullable { inner, null_first, null } => {
            let inner = render(inner, names);
            let label = match &inner.schema {
                Value::String(word) => word.clone(),
                other => other["name"].as_str().or(other["type"].as_str()).expect("a name or a type").to_owned(),
            };
            let schema = if *null_first { json!(["null", inner.schema]) } else { json!([inner.schema, "null"]) };
            match null {
                true => rendered(schema, json!(null), Avro::Union(u32::from(!null_first), Avro::Null.into())),
                false => {
                    rendered(schema, json!({label: inner.json}), Avro::Union(u32::from(*null_first), inner.avro.into()))
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_encoded_is_read_by_others_as_it_was(sample in sample()) {
        // In a record: at the top bytes have no length, and null is no payload.
        let rendered = render(&Sample::Record(vec![sample, Sample::Int(7)], 1), &mut 0);
        let schema = Schema::compile(SchemaKind::Avro, &rendered.schema.to_string(), &[], Strictness::New)?;
        let mut payload = Vec::new();
        prop_assert_eq!(schema.encode(rendered.json.to_string().as_bytes(), &mut payload), Ok(Encoded::Payload));

        let theirs = apache_avro::Schema::parse_str(&rendered.schema.to_string())?;
        let mut rest = payload.as_slice();
        let read = apache_avro::from_avro_datum(&theirs, &mut rest, None)?;
        prop_assert_eq!(read, rendered.avro);
        prop_assert!(rest.is_empty());

        let mut decoded = b"before".to_vec();
        prop_assert_eq!(schema.decode(&payload, &mut decoded), Ok(()));
        let decoded = String::from_utf8(decoded)?.split_off("before".len());
        let mut expected = Vec::new();
        postern_schema::json::rewrite(rendered.json.to_string().as_bytes(), &mut expected)?;
        // Members may be in another order; numbers are compared by their digits.
        let read = |json: &str| serde_json::from_str::<Value>(json);
        prop_assert_eq!(read(&decoded)?, read(&String::from_utf8(expected)?)?);
        let mut again = Vec::new();
        postern_schema::json::rewrite(decoded.as_bytes(), &mut again)?;
        prop_assert_eq!(String::from_utf8(again)?, decoded, "it is compact, and as Jackson writes it");
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_half_written(sample in sample(), at: usize, byte: u8, cut: bool) {
        let rendered = render(&Sample::Record(vec![sample, Sample::Text("end".to_owned())], 0), &mut 0);
        let schema = Schema::compile(SchemaKind::Avro, &rendered.schema.to_string(), &[], Strictness::New)?;
        let mut payload = Vec::new();
        schema.encode(rendered.json.to_string().as_bytes(), &mut payload)?;
        let at = at % payload.len();
        payload[at] = byte;
        payload.truncate(if cut { at } else { payload.len() });
        let mut out = vec![1, 2];
        match schema.decode(&payload, &mut out) {
            Ok(()) => prop_assert!(serde_json::from_slice::<Value>(&out[2..]).is_ok()),
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert_eq!(&out, &[1, 2]);
            }
        }
    }

    #[test]
    fn texts_are_stable_and_schemas_read_themselves(sample in sample()) {
        let text = render(&sample, &mut 0).schema.to_string();
        let schema = Schema::compile(SchemaKind::Avro, &text, &[], Strictness::New)?;
        let again = Schema::compile(SchemaKind::Avro, schema.canonical(), &[], Strictness::New)?;
        prop_assert_eq!(again.canonical(), schema.canonical());
        prop_assert_eq!(again.normalized(), schema.normalized());
        prop_assert!(again.equivalent(&schema));
        prop_assert_eq!(schema.cannot_read(&schema), vec![]);
        let normal = Schema::compile(SchemaKind::Avro, &schema.normalized(), &[], Strictness::New)?;
        prop_assert_eq!(normal.normalized(), schema.normalized());
        // Nothing that matters to data is lost on the way.
        let form = |text: &str| apache_avro::Schema::parse_str(text).map(|schema| schema.canonical_form());
        prop_assert_eq!(form(schema.canonical())?, form(&text)?);
    }

    #[test]
    fn rewriting_keeps_the_worth(sample in sample()) {
        let json = render(&sample, &mut 0).json;
        let rewritten = |json: &str| {
            let mut out = Vec::new();
            postern_schema::json::rewrite(json.as_bytes(), &mut out).map(|()| String::from_utf8(out))
        };
        let once = rewritten(&format!(" {json:#} "))??;
        prop_assert!(same_worth(&json, &serde_json::from_str(&once)?), "{} became {}", json, once);
        prop_assert_eq!(rewritten(&once)??, once);
    }

    #[test]
    fn damaged_text_is_refused_or_read_but_never_half_written(sample in sample(), at: usize, byte: u8) {
        let rendered = render(&Sample::Record(vec![sample], 0), &mut 0);
        let schema = Schema::compile(SchemaKind::Avro, &rendered.schema.to_string(), &[], Strictness::New)?;
        let mut json = rendered.json.to_string().into_bytes();
        let at = at % json.len();
        json[at] = byte;
        let mut out = vec![1, 2];
        if schema.encode(&json, &mut out).is_err() {
            prop_assert_eq!(&out, &[1, 2]);
        }
        let mut out = vec![1, 2];
        let lawful = serde_json::from_slice::<Value>(&json).is_ok();
        match postern_schema::json::rewrite(&json, &mut out) {
            Ok(()) => prop_assert!(lawful, "{}", String::from_utf8_lossy(&json)),
            Err(_) => prop_assert_eq!(&out, &[1, 2]),
        }
        let mut text = rendered.schema.to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text) {
            let _ = Schema::compile(SchemaKind::Avro, &text, &[], Strictness::New);
        }
    }
}

/// Equal, where numbers are compared as the doubles they are.
fn same_worth(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_worth(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && same_worth(one.1, other.1))
        }
        (one, other) => one == other,
    }
}
