//! For any schema: it reads what it wrote, its texts are fixed points, and what it takes it takes again.

use postern_schema::{Policy, Schema, SchemaKind, Strictness};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];
const DRAFTS: [Option<&str>; 3] =
    [None, Some("http://json-schema.org/draft-06/schema#"), Some("https://json-schema.org/draft/2020-12/schema")];

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5..5_i64).prop_map(Value::from),
        (-50..50_i32).prop_map(|tenths| json!(f64::from(tenths) / 10.0)),
        "[abé😀]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[abc]", inner, 0..3).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Members of a schema that go together in one object.
fn any_schema() -> impl Strategy<Value = Value> {
    let keyword = |name: &'static str, value: BoxedStrategy<Value>| value.prop_map(move |value| (name, value)).boxed();
    let number = || (-3..6_i64).prop_map(Value::from).boxed();
    let scalar = prop_oneof![
        proptest::sample::select(&TYPES[..]).prop_map(|name| ("type", json!(name))),
        proptest::sample::subsequence(&TYPES[..], 0..4).prop_map(|names| ("type", json!(names))),
        keyword("minLength", number()),
        keyword("maxLength", number()),
        keyword("minimum", number()),
        keyword("exclusiveMaximum", number()),
        keyword("multipleOf", number()),
        keyword("maxItems", number()),
        keyword("minProperties", number()),
        keyword("title", Just(json!("t")).boxed()),
        keyword("pattern", proptest::sample::select(&["^a", "b$", "(?=a)"][..]).prop_map(Value::from).boxed()),
        keyword("uniqueItems", any::<bool>().prop_map(Value::from).boxed()),
        keyword("const", any_value().boxed()),
        keyword("default", any_value().boxed()),
        keyword("enum", vec(any_value(), 0..4).prop_map(Value::from).boxed()),
        keyword(
            "required",
            proptest::sample::subsequence(&["a", "b", "c"][..], 0..3).prop_map(|names| json!(names)).boxed()
        ),
        keyword(
            "$ref",
            proptest::sample::select(&["#/definitions/x", "#/definitions/y"][..]).prop_map(Value::from).boxed()
        ),
    ];
    let object = |members: Vec<(&'static str, Value)>| {
        Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    };
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), vec(scalar.clone(), 0..4).prop_map(object)];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let schema = || inner.clone().boxed();
        let list = || vec(inner.clone(), 0..4).prop_map(Value::from).boxed();
        let map = || {
            btree_map("[abc]", inner.clone(), 0..3).prop_map(|members| members.into_iter().collect::<Value>()).boxed()
        };
        let nested = prop_oneof![
            keyword("properties", map()),
            keyword("patternProperties", map()),
            keyword("dependencies", map()),
            keyword("additionalProperties", schema()),
            keyword("items", schema()),
            keyword("items", list()),
            keyword("additionalItems", schema()),
            keyword("contains", schema()),
            keyword("not", schema()),
            keyword("allOf", list()),
            keyword("anyOf", list()),
            keyword("oneOf", list()),
            keyword("if", schema()),
            keyword("then", schema()),
        ];
        vec(prop_oneof![nested, scalar.clone()], 1..4).prop_map(object)
    })
}

/// A document in one of the drafts, with two definitions that may refer to each other. Lists of items are not for all.
fn any_document() -> impl Strategy<Value = Value> {
    (any_schema(), any_schema(), any_schema(), proptest::sample::select(&DRAFTS[..])).prop_map(|(root, x, y, draft)| {
        let mut root = if root.is_object() { root } else { json!({ "not": root }) };
        root["definitions"] = json!({"x": x, "y": y});
        if let Some(draft) = draft {
            root["$schema"] = json!(draft);
        }
        root
    })
}

fn compiled(document: &Value) -> Option<Schema> {
    // Lists of items are refused in the modern drafts.
    Schema::compile(SchemaKind::Json, &document.to_string(), &[], Strictness::New).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 256 } else { 4096 }, ..ProptestConfig::default() })]

    #[test]
    fn a_schema_reads_what_it_wrote(document in any_document()) {
        let Some(schema) = compiled(&document) else { return Ok(()) };
        // A title makes another text, which is compared in earnest.
        let mut titled = document.clone();
        titled["title"] = json!("another");
        let titled = compiled(&titled).expect("a title changes nothing");
        for policy in [Policy::Strict, Policy::Lenient] {
            let found = titled.cannot_read_with(&schema, policy);
            prop_assert!(found.is_empty(), "{} {:?}", document, found);
        }
    }

    #[test]
    fn texts_are_fixed_points(document in any_document()) {
        let Some(schema) = compiled(&document) else { return Ok(()) };
        let again = Schema::compile(SchemaKind::Json, schema.canonical(), &[], Strictness::Stored)?;
        prop_assert_eq!(again.canonical(), schema.canonical());
        prop_assert!(again.equivalent(&schema));
        let normalized = Schema::compile(SchemaKind::Json, &schema.normalized(), &[], Strictness::New)?;
        prop_assert_eq!(normalized.canonical(), schema.normalized());
        prop_assert_eq!(normalized.normalized(), schema.normalized());
        prop_assert!(normalized.cannot_read(&schema).is_empty() && schema.cannot_read(&normalized).is_empty());
    }

    #[test]
    fn what_is_taken_is_taken_again(document in any_document(), value in any_value()) {
        let Some(schema) = compiled(&document) else { return Ok(()) };
        let mut out = b"kept".to_vec();
        match schema.encode(value.to_string().as_bytes(), &mut out) {
            Err(error) => {
                prop_assert_eq!(&out, b"kept");
                prop_assert_ne!(error.expected(), "a schema that values can be held to", "{}", document);
            }
            Ok(_) => {
                let mut again = Vec::new();
                let result = schema.encode(&out[4..], &mut again);
                prop_assert!(result.is_ok(), "{} {} {:?}", document, value, result);
            }
        }
    }
}
