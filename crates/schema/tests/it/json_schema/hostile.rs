//! Input that is made to take long, or much: it ends soon, and in an answer.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{compile, schema};

/// Unoptimized code on a busy machine; what is meant is that it ends.
const SOON: Duration = Duration::from_secs(60);

/// Runs on a stack as small as that of a server's threads.
fn soon(check: impl FnOnce() + Send + 'static) {
    let stack = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
    let start = Instant::now();
    let thread = std::thread::Builder::new().stack_size(stack).spawn(check).expect("a thread starts");
    thread.join().expect("no check failed");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

/// A text that is larger than a new one may be.
fn stored(text: &str) -> postern_schema::Schema {
    postern_schema::Schema::compile(postern_schema::SchemaKind::Json, text, &[], postern_schema::Strictness::Stored)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn encodes(text: &str, value: &str) -> bool {
    schema(text).encode(value.as_bytes(), &mut Vec::new()).is_ok()
}

#[test]
fn deep_texts_are_refused() {
    soon(|| {
        for text in ["[".repeat(1_000_000), r#"{"not":"#.repeat(1_000_000), r#"{"items":["#.repeat(100_000)] {
            assert!(compile(&text).is_err());
        }
        let nested = |depth: usize| r#"{"not":"#.repeat(depth) + "true" + &"}".repeat(depth);
        let deep = schema(&nested(126));
        assert!(deep.cannot_read(&deep.clone()).is_empty() && compile(&nested(128)).is_err());
        let titled = schema(&nested(126).replacen("{", r#"{"title":"t","#, 1));
        assert!(deep.cannot_read(&titled).is_empty() && titled.cannot_read(&deep).is_empty());
        assert!(deep.encode(b"1", &mut Vec::new()).is_ok());
    });
}

#[test]
fn long_chains_of_references_need_no_stack() {
    soon(|| {
        let chain = |link: &str, end: &str, length: usize| {
            let mut text = r##"{"$ref":"#/definitions/0","definitions":{"##.to_owned();
            for position in 0..length {
                let next = format!(r##"{{"$ref":"#/definitions/{}"}}"##, position + 1);
                let _ = write!(text, r#""{position}":{},"#, link.replace('@', &next));
            }
            text + &format!(r#""{length}":{end}}}}}"#)
        };
        let (plain, other) = (chain("@", "true", 20_000), chain("@", r#"{"type":"null"}"#, 20_000));
        assert_eq!(schema(&other).cannot_read(&schema(&plain)).len(), 1);
        assert!(encodes(&other, "null") && !encodes(&other, "1"));
        let nested = chain(r#"{"properties":{"a":@}}"#, "true", 5000);
        assert!(
            schema(&nested).cannot_read(&schema(&nested.replace("true", r#"{"title":"x"}"#)))[0].kind()
                == "SCHEMA_TOO_COMPLEX"
        );
        assert!(encodes(&nested, r#"{"a":{"a":{}}}"#));
        let same_value = chain(r#"{"allOf":[@]}"#, r#"{"type":"null"}"#, 1000);
        assert!(encodes(&same_value, "null") && !encodes(&same_value, "1"));
        let same_value = stored(&chain(r#"{"allOf":[@]}"#, r#"{"type":"null"}"#, 40_000));
        let error = same_value.encode(b"null", &mut Vec::new()).expect_err("nobody has such a stack");
        assert_eq!(error.expected(), "a schema that values can be held to");
        let deep = format!(r#"{}@{}"#, r#"{"allOf":["#.repeat(50), "]}".repeat(50));
        assert!(encodes(&chain(&deep, r#"{"type":"null"}"#, 100), "null"));
        let deep = format!(r#"{}@{}"#, r#"{"items":"#.repeat(100), "}".repeat(100));
        assert!(encodes(&chain(&deep, r#"{"type":"null"}"#, 50), "null"));
        // Deep values under schemas of which many are about each of their parts.
        let tower = chain(r#"{"allOf":[@]}"#, r##"{"type":"array","items":{"$ref":"#"}}"##, 50);
        let value = |leaf: &str| "[".repeat(126) + leaf + &"]".repeat(126);
        assert!(encodes(&tower, &value("[]")) && !encodes(&tower, &value("1")));
    });
}

#[test]
fn alternatives_within_alternatives_end() {
    soon(|| {
        // Each level looks at the next one twice.
        let doubling = |leaf: &str| {
            let mut text = r##"{"$ref":"#/definitions/0","definitions":{"##.to_owned();
            for position in 0..60 {
                let next = position + 1;
                let _ = write!(
                    text,
                    r##""{position}":{{"oneOf":[{{"title":"a","$ref":"#/definitions/{next}"}},{{"properties":{{"x":{{"$ref":"#/definitions/{next}"}}}}}}],"properties":{{"y":{{"$ref":"#/definitions/{next}"}}}}}},"##
                );
            }
            text + &format!(r#""60":{leaf}}}}}"#)
        };
        let (old, new) = (schema(&doubling(r#"{"type":"string"}"#)), schema(&doubling(r#"{"type":"null"}"#)));
        assert!(!new.cannot_read(&old).is_empty() && !old.cannot_read(&new).is_empty());
        let recursive = r##"{"anyOf":[{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]},
            {"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]},{"type":"null"}]}"##;
        let value = |leaf: &str| r#"{"a":"#.repeat(60) + leaf + &"}".repeat(60);
        assert!(encodes(recursive, &value("null")));
        assert!(!encodes(recursive, &value("1")));
        assert!(!encodes(r##"{"allOf":[{"$ref":"#"},{"type":"null"}]}"##, "1"));
        let _ = encodes(r##"{"not":{"$ref":"#"}}"##, "1");
        let _ = encodes(r##"{"anyOf":[{"$ref":"#"},{"$ref":"#"}]}"##, "1");
    });
}

/// The work doubles with each reference, whatever the value.
#[test]
fn references_that_double_the_work_end() {
    soon(|| {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let doubling = |depth: usize| {
                let mut text = r##"{"$ref":"#/definitions/0","definitions":{"##.to_owned();
                for position in 0..depth {
                    let next = position + 1;
                    let _ = write!(
                        text,
                        r##""{position}":{{"{keyword}":[{{"$ref":"#/definitions/{next}"}},{{"allOf":[{{"$ref":"#/definitions/{next}"}}]}}]}},"##
                    );
                }
                text + &format!(r#""{depth}":{{"type":"string"}}}}}}"#)
            };
            let results = [r#""x""#, "1"].map(|value| schema(&doubling(45)).encode(value.as_bytes(), &mut Vec::new()));
            let refused = results.iter().filter_map(|result| result.as_ref().err()).map(ToString::to_string);
            assert!(refused.into_iter().any(|error| error.contains("takes too long")), "{keyword}");
            assert_eq!(encodes(&doubling(8), r#""x""#), keyword != "oneOf");
        }
        let compared = (0..5000).map(|n| format!(r#"{{"a":{n}}}"#)).collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"items":{{"enum":[{compared}]}}}}"#);
        assert!(encodes(&text, r#"[{"a":4999}]"#));
        assert!(!encodes(&text, &format!("[{}]", vec![r#"{"a":4999}"#; 200_000].join(","))));
    });
}

#[test]
fn many_alternatives_end() {
    soon(|| {
        let many = |what: &str, count: usize| {
            let parts = (0..count).map(|n| format!(r#"{{"{what}":{n}}}"#)).collect::<Vec<_>>();
            format!(r#"{{"oneOf":[{}]}}"#, parts.join(","))
        };
        let (old, new) = (schema(&many("maximum", 1500)), schema(&many("minimum", 1500)));
        assert_eq!(new.cannot_read(&old)[0].kind(), "SCHEMA_TOO_COMPLEX");
        let named = |prefix: &str| {
            let parts = (0..5000).map(|n| format!(r#"{{"type":"object","required":["{prefix}{n}"],"properties":{{"{prefix}{n}":{{"type":"string"}}}}}}"#));
            schema(&format!(r#"{{"anyOf":[{}]}}"#, parts.collect::<Vec<_>>().join(",")))
        };
        assert_eq!(named("a").cannot_read(&named("b"))[0].kind(), "SCHEMA_TOO_COMPLEX");
        let (old, new) = (schema(&many("maximum", 300)), schema(&many("maximum", 301)));
        assert!(new.cannot_read(&old).is_empty());
    });
}

#[test]
fn expressions_that_explode_end() {
    soon(|| {
        let value = format!("\"{}!\"", "a".repeat(30_000));
        for pattern in ["^(a+)+$", "^(a|aa)+$", "(?=a)(a+)+(?!x)$", "^(a+)+\\\\1$", "(x+x+)+y"] {
            assert!(!encodes(&format!(r#"{{"pattern":"{pattern}"}}"#), &value), "{pattern}");
            let names = format!(r#"{{"patternProperties":{{"{pattern}":false}}}}"#);
            // Where nobody can tell in time whether it matches, the value is refused.
            let _ = encodes(&names, &format!("{{{value}:1}}"));
        }
        let large = schema(r#"{"pattern":"((a{1000}){1000}){1000}"}"#);
        assert!(large.encode(b"\"a\"", &mut Vec::new()).is_err());
        let nested = format!(r#"{{"pattern":"{}"}}"#, "(".repeat(50_000) + &")".repeat(50_000));
        let _ = compile(&nested).map(|schema| schema.encode(b"\"a\"", &mut Vec::new()));
    });
}

/// Each of them is done with in time, but there are many, or their texts are long.
#[test]
fn many_expressions_end_too() {
    soon(|| {
        let refused = |text: &str, value: &str| {
            let error = schema(text).encode(value.as_bytes(), &mut Vec::new()).expect_err("it takes too long");
            assert!(error.to_string().contains("regular expressions"), "{error}");
        };
        let long = "a".repeat(2000);
        let names = (0..2000).map(|n| format!("\"{long}{n}\":1")).collect::<Vec<_>>().join(",");
        refused(r#"{"patternProperties":{"(?<=(a+)+)b":{}}}"#, &format!("{{{names}}}"));
        refused(r#"{"patternProperties":{"(?<=(a+)+)b":{}},"additionalProperties":true}"#, &format!("{{{names}}}"));
        refused(r#"{"propertyNames":{"not":{"pattern":"(?<=(a+)+)b"}}}"#, &format!("{{{names}}}"));
        let texts = vec![format!("\"{long}!\""); 5000].join(",");
        refused(r#"{"items":{"not":{"pattern":"^(?=(a+)+$)(a+)+\\1$"}}}"#, &format!("[{texts}]"));
        refused(r#"{"not":{"pattern":"(?:[ab]{1,50}){1,100}c"}}"#, &format!("\"{}\"", "ab".repeat(100_000)));
        let parts = vec![r#"{"pattern":"(?:a{1,50}){1,100}c"}"#; 300].join(",");
        refused(&format!(r#"{{"anyOf":[{parts}]}}"#), &format!("\"{long}\""));
    });
}

/// To build them would take all memory.
#[test]
fn many_large_expressions_are_not_built() {
    soon(|| {
        let refused = |text: &str, value: &str| {
            let error = schema(text).encode(value.as_bytes(), &mut Vec::new()).expect_err("they are too many");
            assert!(error.to_string().contains("regular expressions"), "{error}");
        };
        let large =
            (0..20_000).map(|n| format!(r#"{{"pattern":"(a{{1000}}){{20}}{n}"}}"#)).collect::<Vec<_>>().join(",");
        refused(&format!(r#"{{"anyOf":[{large}]}}"#), "\"a\"");
        let large = (0..20_000).map(|n| format!(r#""(a{{1000}}){{20}}{n}":{{}}"#)).collect::<Vec<_>>().join(",");
        refused(&format!(r#"{{"patternProperties":{{{large}}}}}"#), "{}");
        let text = format!(r#"{{"patternProperties":{{{large}}},"additionalProperties":false}}"#);
        let named = text.replace("\"patternProperties\"", "\"properties\":{\"a\":{}},\"patternProperties\"");
        assert!(!schema(&text).cannot_read(&schema(&named)).is_empty());
    });
}

/// What people write is far from the bound.
#[test]
fn expressions_of_everyday_are_cheap() {
    soon(|| {
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let item = r#"{"type":"object","patternProperties":{"^(?!x-)[a-z]+$":{"pattern":"^(?=.*[0-9])[a-z0-9-]{1,36}$"}},"additionalProperties":false}"#;
        let value = r#"{"alpha":"123e4567-e89b-12d3-a456-426614174000","beta":"b2"}"#;
        assert!(encodes(&format!(r#"{{"items":{item}}}"#), &list(value, 500)));
        assert!(!encodes(&format!(r#"{{"items":{item}}}"#), &list(r#"{"x-a":"1"}"#, 2)));
        assert!(encodes(r#"{"items":{"pattern":"^[A-Z]{2}[0-9]{2}$"}}"#, &list("\"AB12\"", 100_000)));
        assert!(encodes(r#"{"pattern":"^.{0,255}$|^[a-z ]*$"}"#, &format!("\"{}\"", "lorem ipsum ".repeat(20_000))));
    });
}

#[test]
fn large_texts_take_their_time_but_no_more() {
    soon(|| {
        let members =
            (0..20_000).map(|n| format!(r##""p{n}":{{"$ref":"#/definitions/d{n}"}}"##)).collect::<Vec<_>>().join(",");
        let definitions =
            (0..20_000).map(|n| format!(r#""d{n}":{{"type":"string","maxLength":{n}}}"#)).collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"properties":{{{members}}},"definitions":{{{definitions}}}}}"#);
        let large = stored(&text);
        assert!(large.cannot_read(&stored(&text.replace("\"p0\"", "\"q\""))).len() == 1);
        assert!(large.encode(br#"{"p7":"1234567"}"#, &mut Vec::new()).is_ok());
        assert!(large.encode(br#"{"p7":"12345678"}"#, &mut Vec::new()).is_err());
    });
}

#[test]
fn deep_values_are_refused() {
    soon(|| {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let list = r##"{"items":{"$ref":"#"},"type":"array"}"##;
        assert!(encodes(list, &nested(127)));
        assert!(!encodes(list, &nested(128)) && !encodes(list, &nested(999)) && !encodes(list, &nested(1_000_000)));
    });
}
