//! Avro texts at the edge of the specification, as the library that most schemas are made with takes or refuses them.

use postern_schema::{Schema, SchemaKind, Strictness};

fn compile(text: &str) -> Result<Schema, postern_schema::CompileError> {
    Schema::compile(SchemaKind::Avro, text, &[], Strictness::New)
}

#[test]
fn what_is_taken_has_one_text() {
    for (text, canonical) in [
        // Comments are no part of it.
        ("// an int\n\"int\" /* really */", "\"int\""),
        (r#"{"type":"int","doc":"//","x":"/* y */"}"#, r#"{"type":"int","x":"/* y */"}"#),
        // Of equal aliases one stays.
        (
            r#"{"type":"record","name":"A","namespace":"n","aliases":["B","n.B","p.C"],"fields":[{"name":"x","type":"int","aliases":["y","z","y"]}]}"#,
            r#"{"type":"record","name":"A","namespace":"n","fields":[{"name":"x","type":"int","aliases":["y","z"]}],"aliases":["B","p.C"]}"#,
        ),
        // Attributes of the wrong type say nothing.
        (
            r#"{"type":"record","name":"A","namespace":5,"doc":5,"fields":[]}"#,
            r#"{"type":"record","name":"A","fields":[]}"#,
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A"],"default":null}"#,
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
        ),
        // A type may be used before it is defined, and is printed in full where it is used first.
        (
            r#"{"type":"record","name":"A","namespace":"n","fields":[{"name":"x","type":["null","B"],"default":null},
                {"name":"y","type":{"type":"record","name":"B","doc":"d","z":1,"fields":[{"name":"a","type":"A"},{"name":"c","type":"C"}]}},
                {"name":"z","type":{"type":"enum","name":"C","symbols":["P"]}}]}"#,
            r#"{"type":"record","name":"A","namespace":"n","fields":[{"name":"x","type":["null",{"type":"record","name":"B","doc":"d","fields":[{"name":"a","type":"A"},{"name":"c","type":{"type":"enum","name":"C","symbols":["P"]}}],"z":1}],"default":null},{"name":"y","type":"B"},{"name":"z","type":"C"}]}"#,
        ),
    ] {
        let schema = compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(schema.canonical(), canonical, "{text}");
        assert_eq!(compile(canonical).expect("its own text").canonical(), canonical);
    }
}

#[test]
fn what_is_refused_is_told_where() {
    for (text, place) in [
        (r#"{"type":"record","name":"A","namespace":"a b","fields":[]}"#, "namespace: expected a name"),
        (r#"{"type":"record","name":"A","namespace":"a..b","fields":[]}"#, "namespace: expected a name"),
        (r#"{"type":"record","name":"a-b.C","fields":[]}"#, "name: expected a name"),
        (r#"{"type":"record","name":"A","aliases":["B","a b"],"fields":[]}"#, "aliases[1]: expected a name"),
        (r#"{"type":"record","name":"A","aliases":["1.B"],"fields":[]}"#, "aliases[0]: expected a name"),
        (r#"{"type":"record","name":"A","aliases":[""],"fields":[]}"#, "aliases[0]: expected a name"),
        // The first name that never comes, whatever comes after it.
        (
            r#"{"type":"record","name":"A","fields":[{"name":"x","type":"B"},{"name":"y","type":"C"},{"name":"z","type":{"type":"fixed","name":"C","size":1}}]}"#,
            "fields[0].type: expected the name of a type, found \"B\"",
        ),
        // A short name that is not known yet is one of the namespace around it.
        (
            r#"{"type":"record","name":"n.A","fields":[{"name":"x","type":"B"},{"name":"y","type":{"type":"fixed","name":"B","namespace":"","size":1}}]}"#,
            "fields[0].type: expected the name of a type, found \"B\"",
        ),
        (r#"["B",{"type":"fixed","name":"B","size":1}]"#, "[1]: expected branches that differ, found a second B"),
    ] {
        let error = compile(text).expect_err(text).to_string();
        assert!(error.starts_with(place), "{text}: {error}");
    }
}

#[test]
fn normalized_defaults_have_the_form_of_their_types() {
    // The right-hand sides are what Avro for Java 1.12.1 makes of them, but for the last group, which it loses.
    for (kind, default, normalized) in [
        (r#""double""#, "0", "0.0"),
        (r#""double""#, "-0", "0.0"),
        (r#""double""#, "0.0", "0.0"),
        (r#""double""#, "12345678901", "1.2345678901E10"),
        (r#""double""#, "1000000000000000001", "1.0E18"),
        (r#""double""#, r#""1.5""#, "1.5"),
        (r#""double""#, r#""NaN""#, r#""NaN""#),
        (r#""float""#, "16777217", "1.6777216E7"),
        (r#""float""#, "0.1", "0.1"),
        (r#""float""#, "3.141592653589793", "3.1415927"),
        (r#""float""#, "1e2", "100.0"),
        (r#""float""#, "1e39", r#""Infinity""#),
        (r#""long""#, "1099511627776", "1099511627776"),
        (r#""int""#, "5", "5"),
        (r#""string""#, r#""5""#, r#""5""#),
        (r#""bytes""#, r#""\u00ff""#, "\"\u{ff}\""),
        (r#"["double","null"]"#, "3", "3.0"),
        (r#"["null","string"]"#, "null", "null"),
        (r#"{"type":"array","items":"double"}"#, "[1,2.50]", "[1.0,2.5]"),
        (r#"{"type":"map","values":"float"}"#, r#"{"b":1,"a":2}"#, r#"{"a":2.0,"b":1.0}"#),
        (r#"{"type":"map","values":["double","null"]}"#, r#"{"z":1,"a":2}"#, r#"{"a":2.0,"z":1.0}"#),
        (
            r#"{"type":"array","items":{"type":"map","values":"double"}}"#,
            r#"[{"b":1,"a":2}]"#,
            r#"[{"a":2.0,"b":1.0}]"#,
        ),
        (
            r#"{"type":"record","name":"I","fields":[{"name":"y","type":"double"},{"name":"x","type":"int"},{"name":"n","type":["double","null"],"default":7.0}]}"#,
            r#"{"y":1,"x":2}"#,
            r#"{"x":2,"y":1.0}"#,
        ),
        // Of a later branch of a union, and beyond 64 bits: they stay.
        (r#"["null","double"]"#, "3", "3"),
        (r#"{"type":"array","items":["null","double"]}"#, "[1,null]", "[1,null]"),
        (r#""double""#, "10000000000000000000000000", "10000000000000000000000000"),
    ] {
        let text = |default: &str| {
            format!(r#"{{"type":"record","name":"R","fields":[{{"name":"v","type":{kind},"default":{default}}}]}}"#)
        };
        let schema = compile(&text(default)).unwrap_or_else(|error| panic!("{kind} {default}: {error}"));
        assert_eq!(schema.normalized(), text(normalized), "{kind} {default}");
        assert_eq!(compile(&schema.normalized()).expect("its own text").normalized(), text(normalized));
    }
}

#[test]
fn normalized_texts_leave_out_what_says_nothing() {
    for (text, normalized) in [
        (
            r#"{"type":"record","name":"R","namespace":"n","doc":"","aliases":["Old","m.Older"],"fields":[{"name":"f","type":"int","doc":"","aliases":["b","a"]}]}"#,
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"f","type":"int","doc":"","aliases":["a","b"]}],"aliases":["m.Older","Old"]}"#,
        ),
        (
            r#"{"type":"enum","name":"n.E","doc":"","symbols":["A"],"aliases":["z.A","B"]}"#,
            r#"{"type":"enum","name":"E","namespace":"n","symbols":["A"],"aliases":["B","z.A"]}"#,
        ),
        (r#"{"type":"fixed","name":"F","doc":"","size":1}"#, r#"{"type":"fixed","name":"F","size":1}"#),
        (
            r#"{"type":"error","name":"X","doc":"d","fields":[]}"#,
            r#"{"type":"record","name":"X","doc":"d","fields":[]}"#,
        ),
    ] {
        assert_eq!(compile(text).expect("valid").normalized(), normalized);
    }
}

#[test]
fn an_error_equals_the_record() {
    let error = compile(r#"{"type":"error","name":"R","fields":[]}"#).expect("valid");
    let record = compile(r#"{"type":"record","name":"R","doc":5,"fields":[]}"#).expect("valid");
    assert_eq!(error.canonical(), r#"{"type":"error","name":"R","fields":[]}"#);
    assert!(error.equivalent(&record) && record.equivalent(&error));
}

#[test]
fn text_for_a_number_is_the_default_of_a_field_of_its_own_only() {
    let text = |kind: &str, default: &str| {
        format!(r#"{{"type":"record","name":"R","fields":[{{"name":"v","type":{kind},"default":{default}}}]}}"#)
    };
    for word in ["NaN", "Infinity", "-Infinity"] {
        for kind in ["float", "double"] {
            assert!(compile(&text(&format!("\"{kind}\""), &format!("\"{word}\""))).is_ok());
            for (kind, default) in [
                (format!(r#"["{kind}","null"]"#), format!(r#""{word}""#)),
                (format!(r#"{{"type":"array","items":"{kind}"}}"#), format!(r#"["{word}"]"#)),
                (format!(r#"{{"type":"map","values":"{kind}"}}"#), format!(r#"{{"a":"{word}"}}"#)),
                (
                    format!(r#"{{"type":"record","name":"I","fields":[{{"name":"x","type":"{kind}"}}]}}"#),
                    format!(r#"{{"x":"{word}"}}"#),
                ),
            ] {
                let text = text(&kind, &default);
                let error = compile(&text).expect_err(&text).to_string();
                assert!(error.starts_with("fields[0].default: expected a default of type "), "{error}");
                assert!(error.ends_with("own type is float or double"), "{error}");
                assert!(Schema::compile(SchemaKind::Avro, &text, &[], Strictness::Stored).is_ok(), "stored: {text}");
            }
        }
    }
}

#[test]
fn definitions_put_into_one_another_have_an_end() {
    // Each record uses the next one, which stands behind it.
    let chain = |length: usize| {
        let record = |link: usize, kind: String| {
            format!(r#"{{"type":"record","name":"c{link}","fields":[{{"name":"f","type":{kind}}}]}}"#)
        };
        let mut fields = (0..length).map(|link| record(link, format!("\"c{}\"", link + 1))).collect::<Vec<_>>();
        fields.push(record(length, "\"int\"".to_owned()));
        let fields = fields.iter().enumerate().map(|(at, kind)| format!(r#"{{"name":"f{at}","type":{kind}}}"#));
        format!(r#"{{"type":"record","name":"r","fields":[{}]}}"#, fields.collect::<Vec<_>>().join(","))
    };
    let schema = compile(&chain(40)).expect("it can be read again");
    assert_eq!(compile(schema.canonical()).expect("again").canonical(), schema.canonical());
    let used = schema.canonical().matches(r#""type":"record""#).count();
    assert_eq!(used, 42, "all of them, once");
    for length in [42, 1000, 10_000] {
        let error = compile(&chain(length)).expect_err("too deep").to_string();
        assert!(error.contains("at most 127 levels"), "{error}");
    }
}

#[test]
fn a_logical_type_that_says_nothing_is_a_property_like_others() {
    let normalized = |size: usize, precision: usize, scale: usize| {
        let text = format!(
            r#"{{"type":"fixed","name":"F","size":{size},"scale":{scale},"precision":{precision},"logicalType":"decimal","a":1}}"#
        );
        let normalized = compile(&text).expect("valid").normalized();
        let (_, properties) = normalized.split_once(&format!(r#""size":{size}"#)).expect("it has a size");
        properties.trim_end_matches('}').to_owned()
    };
    let (known, unknown) = (
        |precision: usize| format!(r#","logicalType":"decimal","precision":{precision},"scale":1,"a":1"#),
        |precision: usize| format!(r#","a":1,"logicalType":"decimal","precision":{precision},"scale":1"#),
    );
    // 127, 32767, and 38 digits for 16 bytes.
    for (size, digits) in [(1, 2), (2, 4), (16, 38)] {
        assert_eq!(normalized(size, digits, 1), known(digits));
        assert_eq!(normalized(size, digits + 1, 1), unknown(digits + 1));
    }
    assert_eq!(normalized(0, 1, 1), unknown(1));
}
