use postern_schema_core::Strictness;

use crate::AvroSchema;

fn compile(schema: &str) -> AvroSchema {
    AvroSchema::compile(schema, &[], Strictness::New).unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn decoded(schema: &str, payload: &[u8]) -> Result<String, String> {
    let mut out = b"before".to_vec();
    let result = compile(schema).decode(payload, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8").split_off("before".len());
    match result {
        Ok(()) => Ok(text),
        Err(error) => {
            assert_eq!(text, "", "nothing is left behind");
            Err(error.to_string())
        }
    }
}

fn encoded(schema: &str, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    compile(schema).encode(json.as_bytes(), &mut out).unwrap_or_else(|error| panic!("{json}: {error}"));
    out
}

#[test]
fn values_are_printed_as_recorded() {
    let doubles = |value: f64| value.to_le_bytes().to_vec();
    for (schema, payload, json) in [
        (r#""string""#, vec![2, b'x'], r#""x""#),
        (r#""string""#, vec![4, 0xff, b'"'], "\"\u{fffd}\\\"\""),
        (r#""bytes""#, vec![1, 255], "\"\\u0001\u{ff}\""),
        (r#""double""#, doubles(1.0), "1.0"),
        (r#""double""#, doubles(1e7), "1.0E7"),
        (r#""double""#, doubles(1e-5), "1.0E-5"),
        (r#""double""#, doubles(f64::NAN), "\"NaN\""),
        (r#""double""#, doubles(f64::NEG_INFINITY), "\"-Infinity\""),
        (r#""float""#, 1.1_f32.to_le_bytes().to_vec(), "1.100000023841858"),
        (r#""float""#, f32::INFINITY.to_le_bytes().to_vec(), "\"Infinity\""),
        (r#""null""#, vec![], "null"),
        (r#""boolean""#, vec![1], "true"),
        (r#"["int","string"]"#, vec![0, 10], "5"),
        (r#"["int","string"]"#, vec![2, 2, b'x'], "\"x\""),
        (r#"["null","bytes"]"#, vec![2, 2, 0xe9], "\"é\""),
        (r#"["null","bytes"]"#, vec![0], "null"),
        // Two blocks, the second with its size.
        (r#"{"type":"array","items":"int"}"#, vec![4, 2, 4, 1, 2, 6, 0], "[1,2,3]"),
        (r#"{"type":"array","items":"int"}"#, vec![0], "[]"),
        (
            r#"{"type":"map","values":["null","int"]}"#,
            vec![2, 2, b'k', 2, 14, 2, 2, b'"', 0, 0],
            r#"{"k":{"int":7},"\"":null}"#,
        ),
        (r#"{"type":"map","values":"int"}"#, vec![6, 2, b'a', 2, 2, b'b', 4, 2, b'a', 6, 0], r#"{"a":3,"b":2}"#),
        (r#"{"type":"enum","name":"a.E","symbols":["B","A"]}"#, vec![2], r#""A""#),
        (
            r#"{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":3}"#,
            vec![0, 128],
            "\"\\u0000\u{80}\"",
        ),
        (r#"{"type":"record","name":"E","fields":[]}"#, vec![], "{}"),
        (r#"{"type":"long","logicalType":"timestamp-millis"}"#, vec![1], "-1"),
        // What follows is ignored.
        (r#""int""#, vec![2, 99], "1"),
    ] {
        assert_eq!(decoded(schema, &payload).as_deref(), Ok(json), "{schema} {payload:?}");
    }
    let node = r#"{"type":"record","name":"Node","namespace":"n.s","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}"#;
    let json = r#"{"v":1,"next":{"n.s.Node":{"v":2,"next":null}}}"#;
    assert_eq!(decoded(node, &encoded(node, json)).as_deref(), Ok(json));
}

#[test]
fn bytes_that_do_not_fit_are_named() {
    let record = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},
        {"name":"b","type":{"type":"array","items":["null","string"]}},{"name":"c","type":{"type":"map","values":"boolean"}}]}"#;
    for (schema, payload, error) in [
        (r#""int""#, &[][..], "expected int, found the end of the payload, at byte 0 of the payload"),
        (r#""int""#, &[0x80], "expected int, found only 1 more bytes, at byte 0 of the payload"),
        (
            r#""int""#,
            &[0x80, 0x80, 0x80, 0x80, 0x10],
            "expected int (of 32 bits), found the number 2147483648, at byte 5 of the payload",
        ),
        (r#""long""#, &[0xff; 11], "expected long, found a number of more than 64 bits, at byte 0 of the payload"),
        (r#""string""#, &[20, b'x'], "expected string of 10 bytes, found 1 more bytes, at byte 1 of the payload"),
        (r#""string""#, &[1], "expected string of -1 bytes, found 0 more bytes, at byte 1 of the payload"),
        (r#""boolean""#, &[2], "expected boolean (a byte 0 or 1), found the byte 2, at byte 1 of the payload"),
        (r#""double""#, &[0; 7], "expected double, found only 7 more bytes, at byte 0 of the payload"),
        (r#"["null","int"]"#, &[4], "expected a union of 2 branches, found the branch at 2, at byte 1 of the payload"),
        (
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            &[1],
            "expected enum E (\"A\"), found the symbol at -1, at byte 1 of the payload",
        ),
        (
            record,
            &[2, 4, 0, 2, 8, b'x'],
            "b[1].string: expected string of 4 bytes, found 1 more bytes, at byte 5 of the payload",
        ),
        (
            record,
            &[2, 0, 2, 6, b'a', b' ', b'b', 7],
            "c[\"a b\"]: expected boolean (a byte 0 or 1), found the byte 7, at byte 8 of the payload",
        ),
    ] {
        assert_eq!(decoded(schema, payload), Err(error.to_owned()), "{schema} {payload:?}");
    }
}

#[test]
fn a_few_bytes_do_not_become_endless_json() {
    // 2^60 nulls, as many empty records, and as many again in blocks of a negative count.
    let many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    let negative = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0];
    // Ten fields at each of twenty levels: 10^20 empty records, in no bytes at all.
    let mut tower = r#"{"type":"record","name":"L0","fields":[]}"#.to_owned();
    for level in 1..=20 {
        let others =
            (1..10).map(|field| format!(r#",{{"name":"f{field}","type":"L{}"}}"#, level - 1)).collect::<String>();
        tower = format!(r#"{{"type":"record","name":"L{level}","fields":[{{"name":"f0","type":{tower}}}{others}]}}"#);
    }
    // Without a bound this would not end.
    for (schema, payload) in [
        (r#"{"type":"array","items":"null"}"#, &many[..]),
        (r#"{"type":"array","items":"null"}"#, &negative),
        (r#"{"type":"array","items":{"type":"record","name":"E","fields":[]}}"#, &many),
        (r#"{"type":"array","items":{"type":"array","items":"null"}}"#, &many),
        (&tower, &[]),
    ] {
        let error = decoded(schema, payload).expect_err("an error");
        assert!(error.contains("bytes of JSON of a payload of") || error.contains("the end of the payload"), "{error}");
        assert!(error.len() < 5000, "{}", error.len());
    }
}

#[test]
fn nesting_has_an_end() {
    let list = r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#;
    let nested = |levels: usize| [vec![2; levels], vec![0]].concat();
    assert!(decoded(list, &nested(240)).is_ok());
    let error = decoded(list, &nested(100_000)).expect_err("an error");
    assert!(error.contains("expected at most 500 levels of nesting, found a deeper value"), "{error}");
}
