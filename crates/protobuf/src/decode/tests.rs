use postern_schema_core::Strictness;

use crate::ProtobufSchema;

fn compile(text: &str) -> ProtobufSchema {
    ProtobufSchema::compile(text, &[], Strictness::New).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn decoded(schema: &ProtobufSchema, payload: &[u8]) -> Result<String, String> {
    let mut out = b"before".to_vec();
    let result = schema.decode(payload, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8").split_off("before".len());
    match result {
        Ok(()) => Ok(text),
        Err(error) => {
            assert_eq!(text, "", "nothing is left behind");
            Err(error.to_string())
        }
    }
}

/// What is written for `json` is read as `expected`.
fn round_trip(schema: &ProtobufSchema, json: &str, expected: &str) {
    let mut payload = Vec::new();
    schema.encode(json.as_bytes(), &mut payload).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(decoded(schema, &payload).as_deref(), Ok(expected), "{json}");
}

const RECORDED: &str = r#"syntax = "proto3"; enum E { A = 0; B = 1; } message M { int32 i = 1; string s = 2; int64 l = 3; bytes y = 4;
    E e = 5; repeated int32 r = 6; map<string,int32> m = 7; bool my_bool = 8; }"#;

#[test]
fn fields_that_are_not_there_have_their_defaults() {
    let schema = compile(RECORDED);
    round_trip(&schema, r#"{"i":5}"#, r#"{"i":5,"s":"","l":"0","y":"","e":"A","r":[],"m":{},"myBool":false}"#);
    round_trip(
        &schema,
        r#"{"s":"x","l":7,"y":"AAE=","e":"B","r":[1],"m":{"k":1},"my_bool":true}"#,
        r#"{"i":0,"s":"x","l":"7","y":"AAE=","e":"B","r":[1],"m":{"k":1},"myBool":true}"#,
    );
    let schema = compile(
        r#"syntax = "proto3"; message M { optional int32 o = 1; M m = 2; oneof one { string s = 3; int64 l = 4; }
           float f = 5 [json_name = "a\"b"]; uint64 u = 6; }"#,
    );
    round_trip(&schema, "{}", r#"{"a\"b":0.0,"u":"0"}"#);
    round_trip(
        &schema,
        r#"{"o":0,"m":{},"l":"0","f":1.1,"u":18446744073709551615}"#,
        r#"{"o":0,"m":{"a\"b":0.0,"u":"0"},"l":"0","a\"b":1.1,"u":"18446744073709551615"}"#,
    );
    let schema = compile(
        r#"syntax = "proto2"; enum E { B = 7; A = 0; } message M { optional int32 i = 1 [default = -0x1F]; optional E e = 2;
           optional E f = 3 [default = A]; optional string s = 4 [default = "a\"é"]; optional bytes y = 5 [default = "\377"];
           optional double d = 6 [default = inf]; optional bool b = 7 [default = true]; optional fixed64 x = 8 [default = 017];
           required int32 q = 9; optional group G = 10 { optional int32 z = 1; } repeated group R = 11 { optional E e = 1; } }"#,
    );
    let defaults = r#"{"i":-31,"e":"B","f":"A","s":"a\"é","y":"/w==","d":"Infinity","b":true,"x":"15","q":1,"#;
    round_trip(&schema, r#"{"q":1}"#, &format!("{defaults}\"r\":[]}}"));
    round_trip(
        &schema,
        r#"{"q":1,"g":{"z":5},"r":[{},{"e":"A"}]}"#,
        &format!(r#"{defaults}"g":{{"z":5}},"r":[{{"e":"B"}},{{"e":"A"}}]}}"#),
    );
    let error = decoded(&schema, &[0]).expect_err("a required field is missing");
    assert_eq!(error, "expected a value for the required field `q`, found none");
}

#[test]
fn every_type_is_printed_as_proto_json_has_it() {
    let kinds = [
        ("double", "1e10", "1.0E10"),
        ("double", r#""NaN""#, r#""NaN""#),
        ("float", "3.4028235e38", "3.4028235E38"),
        ("int32", "-1", "-1"),
        ("int64", "-9223372036854775808", r#""-9223372036854775808""#),
        ("uint32", "4294967295", "4294967295"),
        ("sint32", "-2147483648", "-2147483648"),
        ("sint64", "-5", r#""-5""#),
        ("fixed32", "4294967295", "4294967295"),
        ("fixed64", "7", r#""7""#),
        ("sfixed32", "-7", "-7"),
        ("sfixed64", "-7", r#""-7""#),
        ("bool", "true", "true"),
        ("string", r#""a😀\u0001""#, r#""a\uD83D\uDE00\u0001""#),
        ("bytes", r#""_-8""#, r#""/+8=""#),
    ];
    for (kind, json, expected) in kinds {
        let schema = compile(&format!(
            "syntax = 'proto3'; message M {{ optional {kind} a = 1; repeated {kind} b = 2; map<int64, {kind}> c = 3; }}"
        ));
        round_trip(
            &schema,
            &format!(r#"{{"a":{json},"b":[{json},{json}],"c":{{"-1":{json}}}}}"#),
            &format!(r#"{{"a":{expected},"b":[{expected},{expected}],"c":{{"-1":{expected}}}}}"#),
        );
    }
    let schema = compile(
        "syntax = 'proto3'; enum E { A = 0; B = 1; } message M { E e = 1; map<bool, E> m = 2; repeated E r = 3; }",
    );
    round_trip(
        &schema,
        r#"{"e":5,"m":{"true":1,"false":"A"},"r":[1,9]}"#,
        r#"{"e":5,"m":{"true":"B","false":"A"},"r":["B",9]}"#,
    );
}

#[test]
fn well_known_types_have_their_own_form() {
    let schema = compile(
        r#"syntax = "proto3"; import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto";
           import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/field_mask.proto";
           import "google/protobuf/any.proto";
           message M { google.protobuf.Timestamp t = 1; google.protobuf.Duration d = 2; google.protobuf.Struct s = 3;
           google.protobuf.Value v = 4; google.protobuf.Int64Value w = 5; google.protobuf.FieldMask f = 6; google.protobuf.Any a = 7;
           google.protobuf.ListValue l = 8; repeated google.protobuf.Timestamp r = 9; google.protobuf.NullValue n = 10; }"#,
    );
    for json in [
        r#"{"t":"2026-01-31T12:00:00Z","r":[],"n":null}"#,
        r#"{"t":"0001-01-01T00:00:00.000000001Z","d":"-0.250s","r":["9999-12-31T23:59:59.500Z","2024-02-29T00:00:00.000001Z"],"n":null}"#,
        r#"{"d":"315576000000s","s":{"a":{"b":[1.0,null,"x",true,{}]},"c":[]},"v":null,"w":"0","f":"a.bC,d","a":{},"l":[[]],"r":[],"n":null}"#,
        r#"{"s":{},"v":1.5,"w":"-1","f":"","l":[],"r":["1969-12-31T23:59:59Z","2000-03-01T00:00:00Z"],"n":null}"#,
    ] {
        round_trip(&schema, json, json);
    }
    // An Any with a type and two bytes; a Value without a kind; a moment that there is not.
    let url = b"x/y";
    let any = [&[0x3a, 9, 10, 3][..], url, &[18, 2, 1, 2]].concat();
    let payload = [&[0][..], &any, &[0x22, 0]].concat();
    let expected = r#"{"v":null,"a":{"@type":"x/y","value":"AQI="},"r":[],"n":null}"#;
    assert_eq!(decoded(&schema, &payload).as_deref(), Ok(expected));
    let error = decoded(&schema, &[0, 0x0a, 2, 16, 0xff]).expect_err("cut short");
    assert!(error.starts_with("t: "), "{error}");
    let negative = [&[0, 0x0a, 11, 8][..], &[0xff; 9], &[1]].concat();
    assert!(decoded(&schema, &negative).is_ok());
    let too_late = [0, 0x0a, 8, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    let error = decoded(&schema, &too_late).expect_err("beyond the year 9999");
    assert!(error.starts_with("t: expected a timestamp of the years 1 to 9999"), "{error}");
}

#[test]
fn fields_may_come_in_any_order_and_more_than_once() {
    let schema = compile(
        r#"syntax = "proto3"; message M { int32 i = 1; repeated int32 r = 2; M m = 3; oneof o { int32 a = 4; M b = 5; } map<string, int32> k = 6; }"#,
    );
    let rest = r#""r":[],"k":{}}"#;
    for (message, json) in [
        // The last of a single field counts; lists take packed and single values; unknown fields are left out.
        (&[8, 1, 8, 2][..], format!(r#"{{"i":2,{rest}"#)),
        (&[16, 1, 8, 9, 18, 2, 2, 3, 16, 4, 0x98, 0x06, 1], r#"{"i":9,"r":[1,2,3,4],"k":{}}"#.to_owned()),
        // Messages are merged.
        (&[26, 2, 8, 1, 26, 2, 16, 5], r#"{"i":0,"r":[],"m":{"i":1,"r":[5],"k":{}},"k":{}}"#.to_owned()),
        // Of a oneof the last one counts.
        (&[32, 1, 42, 0], format!(r#"{{"i":0,"r":[],"b":{{"i":0,{rest},"k":{{}}}}"#)),
        (&[42, 0, 32, 1], r#"{"i":0,"r":[],"a":1,"k":{}}"#.to_owned()),
        (&[42, 2, 8, 1, 32, 1, 42, 2, 16, 1], r#"{"i":0,"r":[],"b":{"i":0,"r":[1],"k":{}},"k":{}}"#.to_owned()),
        // Of a key the last entry counts; an entry may lack both parts.
        (
            &[50, 5, 10, 1, b'a', 16, 1, 50, 0, 50, 5, 10, 1, b'a', 16, 2],
            r#"{"i":0,"r":[],"k":{"a":2,"":0}}"#.to_owned(),
        ),
        // Of another kind on the wire: an unknown field. A group that nobody declared, too.
        (&[10, 1, 0, 0x9b, 0x06, 8, 1, 0x9c, 0x06], format!(r#"{{"i":0,{rest}"#)),
    ] {
        let payload = [&[0], message].concat();
        assert_eq!(decoded(&schema, &payload), Ok(json), "{message:?}");
    }
    let proto2 = compile(
        "syntax = 'proto2'; enum E { A = 1; } message M { optional E e = 1; repeated E r = 2; map<string, E> m = 3; }",
    );
    // Numbers that are no constants of a closed enum are unknown fields.
    let payload = [0, 8, 9, 16, 1, 18, 2, 9, 1, 26, 2, 16, 9];
    assert_eq!(decoded(&proto2, &payload).as_deref(), Ok(r#"{"e":"A","r":["A","A"],"m":{}}"#));
}

#[test]
fn indexes_name_the_message() {
    let schema = compile(
        r#"syntax = "proto3"; message A { int32 a = 1; message B { int32 b = 1; } message C { int32 c = 1; } } enum E { Z = 0; }
           message D { int32 d = 1; message F { int32 f = 1; } }"#,
    );
    for (indexes, json) in [
        (&[0][..], r#"{"a":1}"#),
        (&[2, 0], r#"{"a":1}"#),
        (&[2, 2], r#"{"d":1}"#),
        (&[4, 0, 0], r#"{"b":1}"#),
        (&[4, 0, 2], r#"{"c":1}"#),
        (&[4, 2, 0], r#"{"f":1}"#),
    ] {
        assert_eq!(decoded(&schema, &[indexes, &[8, 1]].concat()).as_deref(), Ok(json), "{indexes:?}");
    }
    for (payload, error) in [
        (&[][..], "expected message indexes, found the end of the payload"),
        (&[2], "expected message indexes, found the end of the payload"),
        (&[1], "expected message indexes, found -1 of them"),
        (&[2, 4], "expected indexes of a message of the schema, found the indexes [2]"),
        (&[2, 1], "expected indexes of a message of the schema, found the indexes [-1]"),
        (&[6, 0, 0, 0], "expected indexes of a message of the schema, found the indexes [0, 0, 0]"),
    ] {
        assert_eq!(decoded(&schema, payload), Err(error.to_owned()), "{payload:?}");
    }
    assert!(decoded(&schema, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
}

#[test]
fn what_is_wrong_elsewhere_does_not_matter() {
    let stored = |text: &str| ProtobufSchema::compile(text, &[], Strictness::Stored).expect("it can be read");
    let schema =
        stored("syntax = 'proto3'; message A { int32 a = 1; Missing b = 2; int32 c = 1; } message B { int32 d = 1; }");
    assert_eq!(decoded(&schema, &[0, 8, 1, 18, 0]).as_deref(), Ok(r#"{"a":1}"#));
    assert_eq!(decoded(&schema, &[2, 2, 8, 1]).as_deref(), Ok(r#"{"d":1}"#));
    let error = decoded(&stored("syntax = 'proto3'; enum E { A = 0; }"), &[0]).expect_err("there is no message");
    assert_eq!(error, "expected a schema with a message, found one without");
}

#[test]
fn bytes_that_do_not_fit_are_named() {
    let schema = compile(
        "syntax = 'proto3'; message M { string s = 1; M m = 2; repeated string r = 3; map<string, string> k = 4; }",
    );
    for (message, error) in [
        (&[10][..], "expected a field, found bytes that end within it"),
        (&[10, 5, b'x'], "expected 5 bytes, found 1 more"),
        (&[0], "expected a field number from 1 to 536870911, found 0"),
        (&[15], "expected a field, found the wire type 7 for field 1"),
        (&[12], "expected a field, found the wire type 4 for field 1"),
        (&[11, 20], "expected the end of the group that was begun last, found that of 2"),
        (&[10, 1, 0xff], "s: expected a string, found a byte that is not UTF-8 at byte 0"),
        (&[18, 3, 10, 1, 0xff], "m.s: expected a string, found a byte that is not UTF-8 at byte 0"),
        (&[26, 0, 26, 1, 0xff], "r[1]: expected a string, found a byte that is not UTF-8 at byte 0"),
        (&[34, 6, 10, 1, b'k', 18, 1, 0xff], "k[\"k\"]: expected a string, found a byte that is not UTF-8 at byte 0"),
    ] {
        assert_eq!(decoded(&schema, &[&[0], message].concat()), Err(error.to_owned()), "{message:?}");
    }
}

#[test]
fn nesting_and_length_have_an_end() {
    let schema = compile("syntax = 'proto3'; message M { M m = 1; }");
    let nested = |levels: usize| {
        let mut message = Vec::new();
        for _ in 0..levels {
            let mut outer = vec![10];
            crate::wire::varint(message.len() as u64, &mut outer);
            outer.extend_from_slice(&message);
            message = outer;
        }
        [&[0], message.as_slice()].concat()
    };
    assert!(decoded(&schema, &nested(299)).is_ok());
    let error = decoded(&schema, &nested(1000)).expect_err("an error");
    assert!(error.ends_with("expected at most 300 messages within one another, found a deeper one"), "{error}");
    // Two bytes for each message of a thousand fields.
    let fields =
        (1..=1000).map(|number| format!("int64 a_field_with_a_long_name_{number} = {number};")).collect::<String>();
    let wide = compile(&format!("syntax = 'proto3'; message L {{ repeated M m = 1; }} message M {{ {fields} }}"));
    let payload = [vec![0], [10, 0].repeat(1000)].concat();
    let error = decoded(&wide, &payload).expect_err("an error");
    assert!(error.contains("expected at most 1048576 bytes of JSON of a payload of 2001 bytes, found more"), "{error}");
}
