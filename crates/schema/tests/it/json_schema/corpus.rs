//! The corpora in `corpus/json/`: inputs beside what is to come of them.
//!
//! Most are answers of the servers in use to the same requests; `better.json` has those where we answer better, and
//! `rules.json` what the rules say of schemas as the library of those servers reads them.
//! `compat/`: an old and a new schema, and per level whether the change is taken. `texts.json`: a schema text and its
//! canonical or normalized form. `invalid.json`: texts that are no schema. `values.json`: a schema and the text of a
//! value, then what is stored, or that it is refused.

use postern_schema::{Encoded, Strictness};
use serde_json::Value;

use super::{compile, schema};

fn cases(corpus: &str) -> Vec<Value> {
    serde_json::from_str(corpus).expect("a corpus is a JSON list")
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    case[member].as_str().unwrap_or_else(|| panic!("{case} has a text {member}"))
}

fn judged(corpus: &str) -> usize {
    let mut verdicts = 0;
    for case in cases(corpus) {
        let (old, new) = (schema(text(&case, "old")), schema(text(&case, "new")));
        let backward = new.cannot_read(&old).is_empty();
        let forward = old.cannot_read(&new).is_empty();
        for (level, verdict) in [("backward", backward), ("forward", forward), ("full", backward && forward)] {
            if let Some(wanted) = case.get(level) {
                assert_eq!(verdict, wanted.as_bool().expect("a verdict"), "{level} {case}");
                verdicts += 1;
            }
        }
    }
    verdicts
}

#[test]
fn changes_are_judged_as_recorded() {
    assert_eq!(judged(include_str!("../../corpus/json/compat/2020.json")), 24);
    assert_eq!(judged(include_str!("../../corpus/json/compat/combined.json")), 42);
    assert_eq!(judged(include_str!("../../corpus/json/compat/objects.json")), 63);
    assert_eq!(judged(include_str!("../../corpus/json/compat/values.json")), 61);
}

#[test]
fn changes_are_judged_by_the_rules() {
    assert_eq!(judged(include_str!("../../corpus/json/compat/rules.json")), 1016);
}

#[test]
fn changes_are_judged_better_than_recorded() {
    assert_eq!(judged(include_str!("../../corpus/json/compat/better.json")), 8);
}

#[test]
fn texts_are_canonical_as_recorded() {
    for case in cases(include_str!("../../corpus/json/texts.json")) {
        let schema = schema(text(&case, "text"));
        match case.get("canonical") {
            Some(canonical) => assert_eq!(schema.canonical(), canonical, "{case}"),
            None => assert_eq!(schema.normalized(), text(&case, "normalized"), "{case}"),
        }
    }
}

#[test]
fn what_is_no_schema_is_refused_as_recorded() {
    for case in cases(include_str!("../../corpus/json/invalid.json")) {
        assert!(compile(text(&case, "text")).is_err(), "{case}");
        let stored = postern_schema::Schema::compile(
            postern_schema::SchemaKind::Json,
            text(&case, "text"),
            &[],
            Strictness::Stored,
        );
        assert!(stored.is_err(), "{case}");
    }
}

#[test]
fn values_are_held_to_schemas_as_recorded() {
    let cases = cases(include_str!("../../corpus/json/values.json"));
    for case in &cases {
        let mut out = b"before".to_vec();
        let result = schema(text(case, "schema")).encode(text(case, "value").as_bytes(), &mut out);
        let payload = out.strip_prefix(b"before").expect("what was there stays");
        match (result, case.get("json")) {
            (Ok(Encoded::Payload), Some(wanted)) => {
                let stored = serde_json::from_slice::<Value>(payload).expect("JSON is stored");
                assert_eq!(&stored, wanted, "{case}");
            }
            (Err(_), None) => assert!(payload.is_empty(), "{case}"),
            (result, _) => panic!("{result:?} {case}"),
        }
    }
    assert_eq!(cases.len(), 57);
}

#[test]
fn meta_schemas_and_dynamic_references_are_followed_as_by_confluent() {
    let cases = cases(include_str!("../../corpus/json/references.json"));
    for case in &cases {
        let compiled = super::compile(text(case, "schema"));
        assert_eq!(compiled.is_err(), case.get("refused").is_some(), "{case} {compiled:?}");
        for (member, is_taken) in [("taken", true), ("not", false)] {
            for value in case[member].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let mut out = Vec::new();
                let result = compiled.as_ref().expect("it is not refused").encode(value.as_bytes(), &mut out);
                assert_eq!(result.is_ok(), is_taken, "{value} {case} {result:?}");
            }
        }
    }
    assert_eq!(cases.len(), 128);
}
