//! What people are told: where, what was expected, what was found.

use postern_schema::{CompileError, EncodeError, Reference, Schema, SchemaKind, Strictness};

fn compile(text: &str) -> Result<Schema, CompileError> {
    Schema::compile(SchemaKind::Avro, text, &[], Strictness::New)
}

fn mismatch(schema: &str, json: &str) -> EncodeError {
    let schema = compile(schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
    let mut out = b"before".to_vec();
    let error = schema.encode(json.as_bytes(), &mut out).expect_err(json);
    assert_eq!(out, b"before", "nothing is written on error");
    error
}

const SATELLITE: &str = r#"{"type":"record","name":"Satellite","namespace":"sky","fields":[
    {"name":"id","type":"int"},
    {"name":"orbit","type":{"type":"array","items":{"type":"record","name":"Turn","fields":[{"name":"angle","type":"double"}]}}},
    {"name":"tags","type":{"type":"map","values":"long"}},
    {"name":"state","type":["null","string",{"type":"enum","name":"State","symbols":["UP","DOWN"]}],"default":null}]}"#;

#[test]
fn a_mismatch_has_a_path_and_says_both_sides() {
    for (json, message) in [
        (r#"{"id":"x"}"#, r#"id: expected int, found string "x""#),
        (r#"{"id":2147483648}"#, "id: expected int (a whole number from -2147483648 to 2147483647), found 2147483648"),
        (r#"{"id":1.5}"#, "id: expected int (a whole number from -2147483648 to 2147483647), found 1.5"),
        (
            r#"{"id":1,"orbit":[{"angle":1},{"angle":2},{"angle":"x"}]}"#,
            r#"orbit[2].angle: expected double, found string "x""#,
        ),
        (r#"{"orbit":[{"angle":1,"more":2},{}]}"#, "orbit[1].angle: expected double, found no such field"),
        (r#"{"orbit":{}}"#, "orbit: expected array, found an object"),
        (r#"{"orbit":[7]}"#, "orbit[0]: expected record sky.Turn (an object), found 7"),
        (r#"{"tags":{"a b":null}}"#, r#"tags["a b"]: expected long, found null"#),
        (r#"{"tags":[]}"#, "tags: expected map (an object), found a list"),
        (r#"{"tags":{"a":1e16,"b":"1"}}"#, r#"tags["b"]: expected long, found string "1"; write 1"#),
        (
            r#"{"state":"UP"}"#,
            r#"state: expected union (null, {"string": …} or {"sky.State": …}), found string "UP"; write {"sky.State": "UP"}"#,
        ),
        (
            r#"{"state":"cloudy"}"#,
            r#"state: expected union (null, {"string": …} or {"sky.State": …}), found string "cloudy"; write {"string": "cloudy"}"#,
        ),
        (
            r#"{"state":{"State":"UP"}}"#,
            r#"state: expected union (null, {"string": …} or {"sky.State": …}), found the branch "State"; write {"sky.State": …}"#,
        ),
        (
            r#"{"state":{"sky.State":"LOST"}}"#,
            r#"state["sky.State"]: expected enum sky.State ("UP" or "DOWN"), found "LOST""#,
        ),
        (r#"{"state":{"string":1}}"#, "state.string: expected string, found 1; write \"1\""),
        (r#"{"id":1,"orbit":[],"tags":{}}"#, NO_STATE),
        (
            r#"{"id":NaN}"#,
            "id: expected JSON, found NaN at byte 6; JSON has no such number; send null instead, under Avro with the type [\"null\", \"double\"], where other numbers are written {\"double\": 1.5}",
        ),
        (r#"{"id":1,"orbit":["#, "orbit[0]: expected JSON, found a text that ends too early"),
        ("[]", "expected record sky.Satellite (an object), found a list"),
    ] {
        assert_eq!(mismatch(SATELLITE, json).to_string(), message, "{json}");
    }
    let error = mismatch(SATELLITE, r#"{"orbit":[{"angle":"x"}]}"#).within("records[3].value");
    assert_eq!(error.path(), "records[3].value.orbit[0].angle");
    assert_eq!((error.expected(), error.found()), ("double", r#"string "x""#));
}

const NO_STATE: &str = r#"state: expected union (null, {"string": …} or {"sky.State": …}), found no such field (its default is not filled in); write "state": null"#;

#[test]
fn what_fits_a_union_is_shown_in_its_wrapper() {
    let schema = r#"["null","boolean","int","double","bytes",{"type":"array","items":"int"},
        {"type":"fixed","name":"F","size":2},{"type":"record","name":"n.R","fields":[{"name":"a","type":"int"}]}]"#;
    for (json, write) in [
        ("true", r#"{"boolean": true}"#),
        ("7", r#"{"int": 7}"#),
        ("3000000000", r#"{"double": 3000000000}"#),
        ("1.5", r#"{"double": 1.5}"#),
        ("\"abc\"", r#"{"bytes": "abc"}"#),
        ("[1]", r#"{"array": […]}"#),
        (r#"{"a":1}"#, r#"{"n.R": {…}}"#),
        (r#"{"R":{"a":1}}"#, r#"{"n.R": …}"#),
    ] {
        assert_eq!(mismatch(schema, json).remedy(), format!("write {write}"), "{json}");
    }
    assert_eq!(mismatch(schema, r#"{"b":1}"#).remedy(), "");
}

#[test]
fn logical_types_say_what_their_numbers_are() {
    for (schema, json, message) in [
        (
            r#"{"type":"long","logicalType":"timestamp-micros"}"#,
            r#""2026-11-30T10:00:00""#,
            r#"expected long: microseconds since 1970 (timestamp-micros), such as 1796030900000000, found string "2026-11-30T10:00:00""#,
        ),
        (
            r#"{"type":"long","logicalType":"local-timestamp-millis"}"#,
            "1796030900.220038",
            "expected long: milliseconds since 1970 in local time (local-timestamp-millis), such as 1796030900000, found 1796030900.220038",
        ),
        (
            r#"{"type":"int","logicalType":"date"}"#,
            r#""2026-11-30""#,
            r#"expected int: days since 1970-01-01 (date), such as 20787, found string "2026-11-30""#,
        ),
        (
            r#"{"type":"int","logicalType":"time-millis"}"#,
            "null",
            "expected int: milliseconds since midnight (time-millis), such as 43200000 for noon, found null",
        ),
        (
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            "1.5",
            r#"expected bytes (a string of characters up to U+00FF): a decimal of precision 4 and scale 2, as the two's complement bytes of its unscaled value; 0.01 is "\u0001", found 1.5"#,
        ),
        // No meaning on this type.
        (r#"{"type":"long","logicalType":"date"}"#, "null", "expected long, found null"),
    ] {
        assert_eq!(mismatch(schema, json).to_string(), message);
    }
}

#[test]
fn text_for_what_is_no_number_is_answered_with_a_type_that_works() {
    let error = mismatch("\"double\"", "\"NaN\"").to_string();
    let remedy = r#"send null, under the type ["null", "double"], where other numbers are written {"double": 1.5}"#;
    assert_eq!(error, format!("expected double, found string \"NaN\"; JSON has no such number: {remedy}"));
    let schema = compile(r#"["null","double"]"#).expect("the type that is recommended");
    for (json, payload) in [("null", &[][..]), (r#"{"double":1.5}"#, &[2, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f])] {
        let mut out = Vec::new();
        schema.encode(json.as_bytes(), &mut out).expect("as recommended");
        assert_eq!(out, payload);
    }
}

#[test]
fn texts_have_a_bound_that_is_found_before_they_are_read() {
    use Strictness::{New, Stored};
    let doc = |length: usize| format!(r#"{{"type":"fixed","name":"F","size":1,"doc":"{}"}}"#, "x".repeat(length));
    let symbols = |count: usize, kind: &str| {
        let symbols = (0..count).map(|n| format!("\"{n:x}\"")).collect::<Vec<_>>().join(",");
        format!(r#"{{"type":{kind},"enum":[{symbols}]}}"#)
    };
    let numbers = |count: usize| format!(r#"{{"type":"int","x":[{}0]}}"#, "0,".repeat(count));
    for (kind, text, strictness, expected) in [
        (SchemaKind::Avro, doc(1 << 20), New, None),
        (SchemaKind::Avro, doc(4 << 20), Stored, Some("a text of at most 4194304 bytes")),
        (SchemaKind::Json, "[".repeat(60 << 20), Stored, Some("a text of at most 4194304 bytes")),
        (SchemaKind::Protobuf, format!("//{}", " ".repeat(4 << 20)), New, Some("a text of at most 4194304 bytes")),
        (SchemaKind::Avro, numbers(300_000), New, Some("a schema of at most 262144 JSON values")),
        (SchemaKind::Avro, format!("//\"\n{}", numbers(300_000)), New, Some("a schema of at most 262144 JSON values")),
        (SchemaKind::Avro, numbers(250_000), New, None),
        (SchemaKind::Avro, numbers(300_000), Stored, None),
        (SchemaKind::Json, numbers(300_000), New, Some("a schema of at most 262144 JSON values")),
        (SchemaKind::Json, symbols(100_000, "\"string\""), New, None),
    ] {
        let compiled = Schema::compile(kind, &text, &[], strictness);
        let refused = compiled.as_ref().err().map(CompileError::expected);
        assert_eq!(refused, expected, "{kind:?} {strictness:?} {}", text.len());
    }
}

#[test]
fn keys_are_named_around_what_failed_inside() {
    let schema = r#"{"type":"map","values":{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":{"type":"map","values":"int"}}]}}"#;
    for (json, path) in [
        (r#"{"x y":{"b":{"k":1},"a":null}}"#, r#"["x y"].a"#),
        (r#"{"x":{"a":1,"b":{"k":1,"l":null}}}"#, r#"["x"].b["l"]"#),
        (r#"{"x":{"a":1}}"#, r#"["x"].b"#),
        (r#"{"x":{"a":1,"b":{"k":1,"l":"#, r#"["x"].b["l"]"#),
    ] {
        assert_eq!(mismatch(schema, json).path(), path, "{json}");
    }
}

#[test]
fn bytes_say_which_character_does_not_fit() {
    let fixed = r#"{"type":"fixed","name":"F","size":2}"#;
    let expected = "expected fixed F (a string of 2 characters up to U+00FF), found";
    assert_eq!(mismatch(fixed, r#""abc""#).to_string(), format!("{expected} a string of 3 characters"));
    assert_eq!(mismatch(fixed, r#""aĀ""#).to_string(), format!("{expected} the character U+0100"));
    let found = mismatch("\"int\"", &format!("\"{}\"", "x".repeat(500)));
    assert_eq!(found.found(), format!("string \"{}…\"", "x".repeat(59)));
}

#[test]
fn nesting_has_an_end() {
    // Unoptimized code needs several times the stack.
    let stack = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
    let checks = || {
        let list = r#"{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}"#;
        let nested = |levels: usize| r#"{"next":{"Node":"#.repeat(levels) + "{\"next\":null}" + &"}}".repeat(levels);
        let schema = compile(list).expect("the schema above is valid");
        let mut out = Vec::new();
        assert!(schema.encode(nested(124).as_bytes(), &mut out).is_ok());
        assert_eq!(out.len(), 125);
        let deeper = [
            nested(125),
            nested(100_000),
            r#"{"next":null,"more":"#.to_owned() + &"[".repeat(1_000_000),
            r#"{"next":null,"more":"#.to_owned() + &r#"{"a":"#.repeat(1_000_000),
        ];
        for json in deeper {
            let error = mismatch(list, &json);
            assert_eq!((error.expected(), error.found()), ("at most 250 levels of nesting", "a deeper value"));
        }
    };
    let thread = std::thread::Builder::new().stack_size(stack).spawn(checks).expect("a thread starts");
    thread.join().expect("no check failed");
}

#[test]
fn a_schema_that_is_none_is_told_why_and_where() {
    for (text, message) in [
        ("", "expected a schema, found an empty text"),
        ("string", "expected JSON, found 's' at byte 0; the name of a type stands in quotes: \"string\""),
        ("42", "expected the name of a type, an object or a list (a union), found 42"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":"int"},]}"#,
            "expected JSON, found ']' at byte 64; there is no comma after the last element",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":"integer"}]}"#,
            r#"fields[0].type: expected the name of a type, found "integer"; Avro calls it "int" (32 bits) or "long" (64 bits)"#,
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":"Gone"}]}"#,
            r#"fields[0].type: expected the name of a type, found "Gone"; no type of that name is defined here or in a referenced schema"#,
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":"array","items":"int"}]}"#,
            r#"fields[0].type: expected the name of a type, found "array"; put the whole type into an object of its own, like {"type": {"type": "array", "items": "int"}}"#,
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":["null","int"],"default":"x"}]}"#,
            r#"fields[0].default: expected a default of type null or int, found "x""#,
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"i","type":"int"},{"name":"i","type":"int"}]}"#,
            r#"fields[1].name: expected fields with different names, found a second "i""#,
        ),
        (r#"{"type":"record","name":"R"}"#, "expected an object with \"fields\", found one without"),
        (
            r#"{"type":"record","name":"a-b","fields":[]}"#,
            "name: expected a name: a letter or _, then letters, digits and _, found \"a-b\"",
        ),
        (r#"["int",["null"]]"#, "[1]: expected a type that is no union, found a union within a union"),
        (
            r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#,
            "default: expected one of the symbols, found \"B\"",
        ),
        (r#"{"type":"fixed","name":"F","size":-1}"#, "size: expected a number of bytes from 0 to 2147483647, found -1"),
        (
            r#"{"type":{"type":"int"}}"#,
            "type: expected the name of a type, found an object; write that schema here, without the object around it",
        ),
        (r#"{"type":"array","items":{"type":"map"}}"#, "items: expected an object with \"values\", found one without"),
    ] {
        let error = compile(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
    let deep = |levels: usize| r#"{"type":"array","items":"#.repeat(levels) + "\"int\"" + &"}".repeat(levels);
    assert!(
        compile(&deep(120)).is_ok_and(|schema| schema.equivalent(&schema) && schema.cannot_read(&schema).is_empty())
    );
    let error = compile(&deep(200)).expect_err("too deep");
    assert_eq!(error.to_string(), "expected at most 127 levels of nesting, found a deeper value");
}

#[test]
fn what_is_stored_may_have_other_names_and_defaults() {
    for text in [
        r#"{"type":"record","name":"Größe","fields":[{"name":"é","type":"int"}]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"i","type":"int","default":"x"}]}"#,
    ] {
        assert!(compile(text).is_err(), "{text}");
        assert!(Schema::compile(SchemaKind::Avro, text, &[], Strictness::Stored).is_ok(), "{text}");
    }
}

#[test]
fn references_are_known_by_full_name_and_printed_by_it() {
    let referring = |name: &str, text: &str, references: &[Reference]| {
        let schema = Schema::compile(SchemaKind::Avro, text, references, Strictness::New);
        schema.map(|schema| Reference { name: name.to_owned(), schema })
    };
    let inner = r#"{"type":"record","name":"Inner","namespace":"n","fields":[{"name":"i","type":"int"}]}"#;
    let inner = referring("n.Inner", inner, &[]).expect("it stands alone");
    let middle = r#"{"type":"record","name":"Middle","namespace":"n","fields":[{"name":"one","type":"Inner"},{"name":"two","type":"n.Inner"}]}"#;
    assert!(referring("n.Middle", middle, &[]).is_err());
    let middle = referring("n.Middle", middle, std::slice::from_ref(&inner)).expect("Inner is known");
    let outer =
        r#"{"type":"record","name":"Outer","fields":[{"name":"m","type":"n.Middle"},{"name":"i","type":"n.Inner"}]}"#;
    let outer = referring("Outer", outer, &[middle.clone(), inner.clone()]).expect("both are known").schema;
    assert_eq!(
        outer.canonical(),
        r#"{"type":"record","name":"Outer","fields":[{"name":"m","type":"n.Middle"},{"name":"i","type":"n.Inner"}]}"#
    );
    assert_eq!(outer.full_name(), Some("Outer"));
    let mut out = Vec::new();
    outer.encode(br#"{"i":{"i":3},"m":{"two":{"i":2},"one":{"i":1}}}"#, &mut out).expect("it fits");
    assert_eq!(out, [2, 4, 6]);

    let inlined = r#"{"type":"record","name":"Outer","fields":[{"name":"m","type":{"type":"record","name":"Middle","namespace":"n","fields":[
        {"name":"one","type":{"type":"record","name":"Inner","fields":[{"name":"i","type":"int"}]}},{"name":"two","type":"Inner"}]}},{"name":"i","type":"n.Inner"}]}"#;
    let inlined = compile(inlined).expect("it stands alone");
    assert!(inlined.equivalent(&outer) && outer.equivalent(&inlined));
    assert!(inlined.cannot_read(&outer).is_empty() && outer.cannot_read(&inlined).is_empty());
    assert_ne!(inlined.canonical(), outer.canonical());
    assert_eq!(outer.resolved().as_deref(), Some(inlined.canonical()));
    assert_eq!(inlined.resolved().as_deref(), Some(inlined.canonical()));
    assert!(referring("x", r#"{"type":"fixed","name":"n.Inner","size":1}"#, &[inner]).is_err(), "the name is taken");
}

#[test]
fn a_type_within_a_reference_is_repeated_where_it_is_used() {
    let compile = |text: &str, references: &[Reference], strictness| {
        Schema::compile(SchemaKind::Avro, text, references, strictness)
    };
    let outer = r#"{"type":"record","name":"Outer","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["P"]}},
        {"name":"r","type":{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]},{"name":"e","type":"E"}]}}]}"#;
    let outer = Reference { name: "n.Outer".into(), schema: compile(outer, &[], Strictness::New).expect("valid") };
    let references = std::slice::from_ref(&outer);
    let user = r#"{"type":"record","name":"User","fields":[{"name":"o","type":"n.Outer"},{"name":"n","type":"n.Node"},{"name":"e","type":"n.E"}]}"#;
    let user = compile(user, references, Strictness::New).expect("all are known");
    // The reference itself by name; what is defined within it in full, once.
    let canonical = r#"{"type":"record","name":"User","fields":[{"name":"o","type":"n.Outer"},{"name":"n","type":{"type":"record","name":"Node","namespace":"n","fields":[{"name":"next","type":["null","Node"]},{"name":"e","type":{"type":"enum","name":"E","symbols":["P"]}}]}},{"name":"e","type":"n.E"}]}"#;
    assert_eq!(user.canonical(), canonical);
    for strictness in [Strictness::New, Strictness::Stored] {
        let again = compile(canonical, references, strictness).expect("its own text");
        assert_eq!(again.canonical(), canonical);
        assert!(again.equivalent(&user) && again.cannot_read(&user).is_empty() && user.cannot_read(&again).is_empty());
        assert_eq!(again.resolved(), user.resolved());
        let mut out = Vec::new();
        again
            .encode(br#"{"o":{"e":"P","r":{"next":null,"e":"P"}},"n":{"next":null,"e":"P"},"e":"P"}"#, &mut out)
            .expect("it fits");
        assert_eq!(out, [0; 6]);
    }
    let resolved = user.resolved().expect("Avro has it");
    assert_eq!(compile(&resolved, &[], Strictness::New).expect("it stands alone").canonical(), resolved);
    let error = compile(&canonical.replace("\"P\"", "\"Q\""), references, Strictness::New).expect_err("another enum");
    assert!(
        error.to_string().contains("expected one definition of \"n.E\", found another one (can't redefine)"),
        "{error}"
    );
}

#[test]
fn equivalent_means_all_but_the_order_of_attributes() {
    let base = r#"{"type":"record","name":"R","doc":"d","aliases":["A","B"],"z":1,"y":{"b":1,"a":2},"fields":[{"name":"i","type":"int"}]}"#;
    let same = r#"{"y":{"a":2,"b":1},"z":1,"fields":[{"type":{"type":"int"},"name":"i"}],"aliases":["A","B"],"doc":"d","name":"R","type":"record"}"#;
    let schema = compile(base).expect("valid");
    assert!(schema.equivalent(&compile(same).expect("valid")));
    for (from, to) in
        [("\"d\"", "\"e\""), (r#"["A","B"]"#, r#"["B","A"]"#), ("\"z\":1", "\"z\":2"), ("\"int\"", "\"long\"")]
    {
        assert!(!schema.equivalent(&compile(&base.replace(from, to)).expect("valid")), "{from} to {to}");
    }
}
