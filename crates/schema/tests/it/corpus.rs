//! The corpora in `corpus/`: inputs beside what is to come of them.
//!
//! Most are answers of the servers in use to the same requests; `avro/better.json` has those where we answer better.
//! `avro/values.json`, `records.json`, `better.json`: a schema and the JSON text of a value, then the payload in hex,
//! or that it is refused, or that it is Kafka's null. `avro/texts.json`: a schema text and its canonical or normalized
//! form. `avro/redefinitions.json`: texts that define a type twice, or use a name before its definition, and what
//! Avro for Java 1.12.1 makes of them. `avro/invalid.json`: texts that are no schema. `avro/compat/`: an old and a new schema, and per level whether
//! the change is taken. `json/rewrite.json`: a value and its compact text.

use postern_schema::{Encoded, Reference, Schema, SchemaKind, Strictness, json};
use serde_json::Value;

fn cases(corpus: &str) -> Vec<Value> {
    serde_json::from_str(corpus).expect("a corpus is a JSON list")
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    case[member].as_str().unwrap_or_else(|| panic!("{case} has a text {member}"))
}

fn avro(text: &str) -> Schema {
    Schema::compile(SchemaKind::Avro, text, &[], Strictness::New).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encodes(corpus: &str) -> usize {
    let cases = cases(corpus);
    for case in &cases {
        let schema = avro(text(case, "schema"));
        let mut out = b"before".to_vec();
        let result = schema.encode(text(case, "value").as_bytes(), &mut out);
        let payload = out.strip_prefix(b"before").expect("what was there stays");
        let came = match result {
            Ok(Encoded::Payload) => format!("hex {}", hex(payload)),
            Ok(Encoded::Null) => format!("null {}", hex(payload)),
            Err(_) => format!("refused {}", hex(payload)),
        };
        let wanted = match case.get("hex") {
            Some(hex) => format!("hex {}", hex.as_str().expect("hex is a text")),
            None if case.get("null").is_some() => "null ".to_owned(),
            None => "refused ".to_owned(),
        };
        assert_eq!(came, wanted, "{case}");
    }
    cases.len()
}

#[test]
fn values_are_encoded_as_recorded() {
    assert_eq!(encodes(include_str!("../corpus/avro/values.json")), 76);
    assert_eq!(encodes(include_str!("../corpus/avro/records.json")), 77);
}

#[test]
fn values_are_encoded_better_than_recorded() {
    encodes(include_str!("../corpus/avro/better.json"));
}

#[test]
fn texts_are_canonical_as_recorded() {
    for case in cases(include_str!("../corpus/avro/texts.json")) {
        let compiled = Schema::compile(SchemaKind::Avro, text(&case, "text"), &[], Strictness::New);
        if case.get("refused").is_some() {
            assert!(compiled.is_err(), "{case}");
            continue;
        }
        let schema = compiled.unwrap_or_else(|error| panic!("{case}: {error}"));
        if case.get("canonical").is_some() {
            assert_eq!(schema.canonical(), text(&case, "canonical"), "{case}");
        }
        if case.get("normalized").is_some() {
            assert_eq!(schema.normalized(), text(&case, "normalized"), "{case}");
        }
        let again = avro(schema.canonical());
        assert_eq!(again.canonical(), schema.canonical(), "canonical text is its own canonical text");
        assert!(again.equivalent(&schema) && schema.cannot_read(&again).is_empty());
    }
}

#[test]
fn a_second_definition_is_taken_if_it_equals_the_first() {
    let cases = cases(include_str!("../corpus/avro/redefinitions.json"));
    assert_eq!(cases.len(), 120);
    for case in &cases {
        let compile = |text: &str, references: &[Reference]| {
            let compiled = [Strictness::New, Strictness::Stored].map(|strictness| {
                let schema = Schema::compile(SchemaKind::Avro, text, references, strictness);
                schema.map(|schema| (schema.canonical().to_owned(), schema)).map_err(|error| error.to_string())
            });
            let [new, stored] = compiled;
            assert_eq!(new.as_ref().map(|(text, _)| text), stored.as_ref().map(|(text, _)| text), "{case}");
            new
        };
        let references = case["references"].as_array().into_iter().flatten().map(|text| {
            let schema = avro(text.as_str().expect("a text"));
            Reference { name: schema.full_name().expect("a named type").to_owned(), schema }
        });
        let references = references.collect::<Vec<_>>();
        match compile(text(case, "text"), &references) {
            Ok((canonical, schema)) => {
                assert_eq!(canonical, case["canonical"].as_str().unwrap_or("refused"), "{case}");
                let (again, same) = compile(&canonical, &references).unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(again, canonical, "canonical text is its own canonical text");
                assert!(same.equivalent(&schema) && schema.cannot_read(&same).is_empty(), "{case}");
            }
            Err(error) => assert!(case["refused"] == true, "{case}: {error}"),
        }
    }
}

#[test]
fn values_are_encoded_by_the_first_of_two_definitions() {
    let colour = r#"{"type":"enum","name":"Colour","symbols":["RED","BLUE"]}"#;
    let schema = avro(&format!(
        r#"{{"type":"record","name":"Paint","fields":[{{"name":"front","type":{colour}}},{{"name":"back","type":["null",{colour}]}}]}}"#
    ));
    let mut out = Vec::new();
    schema.encode(br#"{"front":"BLUE","back":{"Colour":"RED"}}"#, &mut out).expect("it fits");
    assert_eq!(out, [2, 2, 0]);
}

#[test]
fn what_is_no_schema_is_refused_as_recorded() {
    for case in cases(include_str!("../corpus/avro/invalid.json")) {
        for strictness in [Strictness::New, Strictness::Stored] {
            let compiled = Schema::compile(SchemaKind::Avro, text(&case, "text"), &[], strictness);
            // Of these only names and defaults are let pass in what is stored.
            let lenient = strictness == Strictness::Stored && text(&case, "text").contains("default");
            assert_eq!(compiled.is_err(), !lenient, "{case}");
        }
    }
}

#[test]
fn changes_are_judged_as_recorded() {
    let corpora = [
        include_str!("../corpus/avro/compat/named.json"),
        include_str!("../corpus/avro/compat/records.json"),
        include_str!("../corpus/avro/compat/types.json"),
        include_str!("../corpus/avro/compat/unions.json"),
    ];
    let mut verdicts = 0;
    for case in corpora.into_iter().flat_map(cases) {
        let (old, new) = (avro(text(&case, "old")), avro(text(&case, "new")));
        let backward = new.cannot_read(&old).is_empty();
        let forward = old.cannot_read(&new).is_empty();
        for (level, verdict) in [("backward", backward), ("forward", forward), ("full", backward && forward)] {
            if let Some(wanted) = case.get(level) {
                assert_eq!(verdict, wanted.as_bool().expect("a verdict"), "{level} {case}");
                verdicts += 1;
            }
        }
    }
    assert!(verdicts > 200, "{verdicts}");
}

#[test]
fn json_is_rewritten_as_recorded() {
    for case in cases(include_str!("../corpus/json/rewrite.json")) {
        let mut out = Vec::new();
        json::rewrite(text(&case, "in").as_bytes(), &mut out).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(String::from_utf8(out).as_deref(), Ok(text(&case, "out")), "{case}");
    }
}
