//! Protobuf: the corpora in `corpus/protobuf/`, and what they do not say.
//!
//! The corpora are answers of the servers in use to the same requests. `texts.json`: a text, its references and its
//! canonical or normalized form, or the descriptor it is told as. `invalid.json`: texts that are no schema.
//! `values.json`: a schema and the JSON text of a value, then the payload in hex, or that it is refused. `compat.json`:
//! an old and a new schema, and per level whether the change is taken. `better.json` is as `values.json`, with what we
//! refuse and they do not. `layout.json` is as `texts.json`, from the reference instead of a recording.

use postern_schema::{Encoded, Reference, Schema, SchemaKind, Strictness};
use serde_json::Value;

fn cases(corpus: &str) -> Vec<Value> {
    serde_json::from_str(corpus).expect("a corpus is a JSON list")
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    case[member].as_str().unwrap_or_else(|| panic!("{case} has a text {member}"))
}

fn references(case: &Value) -> Vec<Reference> {
    let list = case.as_array().map(Vec::as_slice).unwrap_or_default();
    let reference = |one| Reference { name: text(one, "name").to_owned(), schema: protobuf(text(one, "text")) };
    list.iter().map(reference).collect()
}

fn protobuf(text: &str) -> Schema {
    with(text, &[])
}

fn with(text: &str, references: &[Reference]) -> Schema {
    Schema::compile(SchemaKind::Protobuf, text, references, Strictness::New)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(corpus: &str) -> usize {
    let cases = cases(corpus);
    for case in &cases {
        let references = references(&case["references"]);
        let schema = with(text(case, "text"), &references);
        for (member, came) in [
            ("canonical", Some(schema.canonical().to_owned())),
            ("normalized", Some(schema.normalized())),
            ("serialized", schema.serialized()),
            ("without_extensions", schema.without_extensions()),
        ] {
            if case.get(member).is_some() {
                assert_eq!(came.as_deref(), Some(text(case, member)), "{member}");
            }
        }
        let again = with(schema.canonical(), &references);
        assert_eq!(again.canonical(), schema.canonical(), "canonical text is its own canonical text");
        assert!(again.equivalent(&schema) && schema.cannot_read(&again).is_empty());
        let normal = schema.normalized();
        let again = Schema::compile(SchemaKind::Protobuf, &normal, &references, Strictness::Stored);
        // Without its syntax line a proto2 file stays what it was.
        assert_eq!(again.expect("normal text can be read").normalized(), normal, "normal text is its own normal text");
    }
    cases.len()
}

#[test]
fn texts_are_printed_as_recorded() {
    assert_eq!(texts(include_str!("../corpus/protobuf/texts.json")), 61);
}

#[test]
fn descriptors_are_those_of_confluent() {
    assert_eq!(texts(include_str!("../corpus/protobuf/descriptors.json")), 14);
    // The entries of maps are called as by compilers, and typed.
    assert_eq!(texts(include_str!("../corpus/protobuf/descriptors_better.json")), 3);
}

#[test]
fn options_are_normalized_as_by_confluent() {
    assert_eq!(texts(include_str!("../corpus/protobuf/options.json")), 55);
}

#[test]
fn options_that_confluent_spoils_are_kept() {
    texts(include_str!("../corpus/protobuf/options_better.json"));
}

#[test]
fn texts_are_printed_as_described() {
    texts(include_str!("../corpus/protobuf/layout.json"));
}

#[test]
fn what_is_no_schema_is_refused_as_recorded() {
    for case in cases(include_str!("../corpus/protobuf/invalid.json")) {
        let references = references(&case["references"]);
        let compiled = Schema::compile(SchemaKind::Protobuf, text(&case, "text"), &references, Strictness::New);
        assert!(compiled.is_err(), "{case}");
    }
}

fn encodes(corpus: &str) -> usize {
    let cases = cases(corpus);
    for case in &cases {
        // What cannot be registered may be stored all the same.
        let schema = Schema::compile(SchemaKind::Protobuf, text(case, "schema"), &[], Strictness::Stored);
        let schema = schema.unwrap_or_else(|error| panic!("{case}: {error}"));
        let mut out = b"before".to_vec();
        let result = schema.encode(text(case, "value").as_bytes(), &mut out);
        let payload = hex(out.strip_prefix(b"before").expect("what was there stays"));
        let came = match (&result, case.get("error")) {
            (Ok(Encoded::Payload), _) => format!("hex {payload}"),
            (Ok(Encoded::Null), _) => format!("null {payload}"),
            (Err(error), Some(_)) => format!("{error}{payload}"),
            (Err(_), None) => format!("refused {payload}"),
        };
        let wanted = match (case.get("hex"), case.get("error")) {
            (Some(hex), _) => format!("hex {}", hex.as_str().expect("hex is a text")),
            (None, Some(error)) => error.as_str().expect("an error is a text").to_owned(),
            (None, None) => "refused ".to_owned(),
        };
        assert_eq!(came, wanted, "{case}");
    }
    cases.len()
}

#[test]
fn values_are_encoded_as_recorded() {
    assert_eq!(encodes(include_str!("../corpus/protobuf/values.json")), 59);
}

#[test]
fn values_are_encoded_better_than_recorded() {
    encodes(include_str!("../corpus/protobuf/better.json"));
}

#[test]
fn entries_of_maps_say_their_key_and_their_value() {
    let schema = proto3(
        r#"import "google/protobuf/struct.proto"; message A { map<string, int32> m = 1; map<bool, E> e = 2; map<int32, A> a = 3;
        google.protobuf.Struct s = 4; } enum E { Z = 0; }"#,
    );
    for (json, payload) in [
        (r#"{"m":{"":0,"a":1}}"#, "000a040a0010000a050a01611001"),
        (r#"{"e":{"false":"Z"}}"#, "00120408001000"),
        (r#"{"a":{"0":{}}}"#, "001a0408001200"),
        (r#"{"s":{"":null}}"#, "0022080a060a0012020800"),
    ] {
        let mut out = Vec::new();
        schema.encode(json.as_bytes(), &mut out).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(hex(&out), payload, "{json}");
    }
}

#[test]
fn changes_are_judged_as_recorded() {
    let mut verdicts = 0;
    for case in cases(include_str!("../corpus/protobuf/compat.json")) {
        let old = with(text(&case, "old"), &references(&case["old_references"]));
        let new = with(text(&case, "new"), &references(&case["new_references"]));
        let backward = new.cannot_read(&old).is_empty();
        let forward = old.cannot_read(&new).is_empty();
        for (level, verdict) in [("backward", backward), ("forward", forward), ("full", backward && forward)] {
            if let Some(wanted) = case.get(level) {
                assert_eq!(verdict, wanted.as_bool().expect("a verdict"), "{level} {case}");
                verdicts += 1;
            }
        }
    }
    assert_eq!(verdicts, 140);
}

#[test]
fn octal_numbers_are_refused_in_new_texts() {
    let text = "syntax = \"proto3\";\nmessage A { int32 x = 010; }";
    let error = Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::New).expect_err(text);
    assert_eq!(
        error.to_string(),
        "line 2, column 23: expected a number without a leading zero, found 010; write 10, or the decimal for what compilers read as octal"
    );
    let stored = Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::Stored).expect(text);
    assert_eq!(stored.canonical(), "syntax = \"proto3\";\n\nmessage A {\n  int32 x = 10;\n}\n");
}

#[test]
fn an_import_that_is_not_among_the_references_is_named() {
    let error = Schema::compile(
        SchemaKind::Protobuf,
        "syntax = \"proto3\"; import \"other.proto\"; message A { Other o = 1; }",
        &[],
        Strictness::New,
    );
    assert_eq!(
        error.expect_err("there is no Other").to_string(),
        "A.o: expected the name of a type, found \"Other\"; \"other.proto\" is imported, but it is not among the references; \
         register that file and give it as a reference with the name \"other.proto\""
    );
}

#[test]
fn types_of_references_are_found_whatever_they_are_imported_as() {
    let reference = |name: &str, text: &str| Reference { name: name.to_owned(), schema: protobuf(text) };
    let item = "syntax = \"proto3\"; package q; message Item { int32 n = 1; }";
    let text = "syntax = \"proto3\"; import \"x.proto\"; message A { q.Item i = 1; }";
    let schema = with(text, &[reference("y.proto", item)]);
    let mut out = Vec::new();
    schema.encode(br#"{"i":{"n":3}}"#, &mut out).expect("the type is there");
    assert_eq!(hex(&out), "000a020803");
    // A reference of a reference can be imported as well.
    let middle = "syntax = \"proto3\"; import \"z.proto\"; message M { q.Item i = 1; }";
    let middle = Reference { name: "m.proto".to_owned(), schema: with(middle, &[reference("z.proto", item)]) };
    let schema = with("syntax = \"proto3\"; import \"z.proto\"; message A { q.Item i = 1; }", &[middle]);
    out.clear();
    schema.encode(br#"{"i":{"n":3}}"#, &mut out).expect("the type is there");
    assert_eq!(hex(&out), "000a020803");
}

#[test]
fn descriptors_are_read_as_confluent_reads_them() {
    // Reserved 2, 4 to 6, 9, "a" and "b"; a field with the tag PII.
    let text = "Cgd4LnByb3RvEgFwIiYKAU0SCQoBeBgBIAEoBUoECAIQA0oECAQQB0oECAkQClIBYVIBYmIGcHJvdG8z";
    assert_eq!(
        protobuf(text).canonical(),
        "syntax = \"proto3\";\npackage p;\n\nmessage M {\n  reserved 2;\n  reserved 4 to 6;\n  reserved 9;\n  reserved \"a\";\n  \
         reserved \"b\";\n\n  int32 x = 1;\n}\n"
    );
    let tagged = proto3(
        "import \"confluent/meta.proto\"; message M { string a = 1 [(confluent.field_meta) = {doc: \"d\", params: {key: \"precision\", value: \"4\"}, tags: \"PII\"}]; }",
    );
    let again = protobuf(&tagged.serialized().expect("it is Protobuf"));
    assert_eq!(
        again.canonical(),
        "syntax = \"proto3\";\npackage p;\n\nimport \"confluent/meta.proto\";\n\nmessage M {\n  string a = 1 [(confluent.field_meta) = {\n    \
         doc: \"d\",\n    params: [\n      {\n        value: \"4\",\n        key: \"precision\"\n      }\n    ],\n    tags: [\n      \"PII\"\n    ]\n  }];\n}\n"
    );
}

// === reasons ===

fn proto3(body: &str) -> Schema {
    protobuf(&format!("syntax = \"proto3\"; package p; {body}"))
}

fn proto2(body: &str) -> Schema {
    protobuf(&format!("syntax = \"proto2\"; package p; {body}"))
}

/// Type and place of every reason.
fn reasons(reader: &Schema, writer: &Schema) -> Vec<String> {
    let differences = reader.cannot_read(writer);
    differences.iter().map(|one| format!("{} {}", one.kind(), one.path())).collect()
}

#[test]
fn a_message_reads_as_tools_know_it() {
    let (old, new) = (proto3("message A { int32 x = 1; }"), proto3("message A { string x = 1; }"));
    let differences = new.cannot_read(&old);
    assert_eq!(
        differences[0].message("new", "old"),
        "{errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/A/1' in the new schema \
         does not match its kind in the old schema\"}"
    );
    let differences = proto3("").cannot_read(&old);
    assert_eq!(
        differences[0].message("old", "new"),
        "{errorType:\"MESSAGE_REMOVED\", description:\"The old schema is missing a MESSAGE type at path '#/A' in the new schema\"}"
    );
}

#[test]
fn every_reason_has_its_type_and_place() {
    for (old, new, wanted) in [
        (proto3("message A {}"), protobuf("syntax = \"proto3\"; message A {}"), "PACKAGE_CHANGED #/"),
        (
            proto3("message A { message B { message C {} } }"),
            proto3("message A { message B {} }"),
            "MESSAGE_REMOVED #/A/B/C",
        ),
        (proto3("message A { int32 x = 1; }"), proto3("message A { A x = 1; }"), "FIELD_KIND_CHANGED #/A/1"),
        (
            proto3("message A { map<int32, A> x = 1; }"),
            proto3("message A { repeated A x = 1; }"),
            "FIELD_KIND_CHANGED #/A/1",
        ),
        (
            proto3("message A { map<int32, A> x = 1; }"),
            proto3("message A { map<string, A> x = 1; }"),
            "FIELD_SCALAR_KIND_CHANGED #/A/1",
        ),
        (
            proto3("message A { message B { oneof o { int32 x = 7; } } }"),
            proto3("message A { message B { oneof q { sint32 x = 7; } } }"),
            "FIELD_SCALAR_KIND_CHANGED #/A/B/q/7",
        ),
        (
            proto3("message A { B x = 1; } message B {} message C {}"),
            proto3("message A { C x = 1; } message B {} message C {}"),
            "FIELD_NAMED_TYPE_CHANGED #/A/1",
        ),
        (
            proto3("message A { optional int32 x = 1; }"),
            proto3("message A { repeated int32 x = 1; }"),
            "FIELD_NUMERIC_LABEL_CHANGED #/A/1",
        ),
        (proto3("message A { optional string x = 1; }"), proto3("message A { repeated bytes x = 1; }"), ""),
        (proto3("message A { A x = 1; }"), proto3("message A { repeated A x = 1; }"), ""),
        (proto2("message A {}"), proto2("message A { required int32 x = 3; }"), "REQUIRED_FIELD_ADDED #/A/3"),
        (proto2("message A { required int32 x = 3; }"), proto2("message A {}"), "REQUIRED_FIELD_REMOVED #/A/3"),
        (
            proto3("message A { oneof o { int32 x = 1; int32 y = 2; } }"),
            proto3("message A { oneof o { int32 y = 2; } }"),
            "ONEOF_FIELD_REMOVED #/A/o/1",
        ),
        (
            proto3("message A { oneof o { int32 x = 1; int32 y = 2; } }"),
            proto3("message A { int32 y = 2; }"),
            "ONEOF_FIELD_REMOVED #/A/o/1",
        ),
        (
            proto3("message A { int32 x = 1; int32 y = 2; }"),
            proto3("message A { oneof o { int32 x = 1; int32 y = 2; } }"),
            "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/A/o",
        ),
        (
            proto3("message A { int32 x = 1; oneof o { int32 y = 2; } }"),
            proto3("message A { oneof o { int32 x = 1; int32 y = 2; } }"),
            "FIELD_MOVED_TO_EXISTING_ONEOF #/A/o",
        ),
    ] {
        assert_eq!(reasons(&new, &old).join(", "), wanted, "{} {}", old.canonical(), new.canonical());
    }
}

#[test]
fn imported_messages_are_compared_in_full() {
    let b = |body: &str| vec![Reference { name: "b.proto".into(), schema: proto3(body) }];
    let main = "syntax = \"proto3\"; import \"b.proto\"; message A { p.B b = 1; p.B c = 2; }";
    let old = with(main, &b("message B { N n = 1; B b = 2; message N { int32 x = 4; } }"));
    let new = with(main, &b("message B { N n = 1; B b = 2; message N { string x = 4; } }"));
    assert_eq!(
        reasons(&new, &old),
        [
            "FIELD_SCALAR_KIND_CHANGED #/N/4",
            "FIELD_NAMED_TYPE_CHANGED #/B/1",
            "FIELD_NAMED_TYPE_CHANGED #/A/1",
            "FIELD_SCALAR_KIND_CHANGED #/N/4",
            "FIELD_NAMED_TYPE_CHANGED #/B/1",
            "FIELD_NAMED_TYPE_CHANGED #/A/2"
        ]
    );
    let elsewhere = vec![Reference {
        name: "b.proto".into(),
        schema: protobuf("syntax = \"proto3\"; package q; message B { N n = 1; B b = 2; message N { int32 x = 4; } }"),
    }];
    let moved = with(&main.replace("p.B", "q.B"), &elsewhere);
    assert!(reasons(&moved, &old).is_empty(), "the package of what is imported does not count");
    // Each message uses the next one twice: 2^40 ways to the last.
    let tower = |last: &str| {
        let links =
            (0..40).map(|at| format!("message T{at} {{ T{0} a = 1; T{0} b = 2; }}", at + 1)).collect::<String>();
        let tower = vec![Reference {
            name: "b.proto".into(),
            schema: proto3(&format!("{links} message T40 {{ {last} x = 1; }}")),
        }];
        with("syntax = \"proto3\"; import \"b.proto\"; message A { p.T0 t = 1; }", &tower)
    };
    let told = reasons(&tower("int32"), &tower("string")).len();
    assert!((1000..3000).contains(&told), "{told}");
}

// === texts ===

#[test]
fn a_syntax_line_and_labels_go_together() {
    for (text, wanted) in [
        ("message A { int32 x = 1; }", false),
        ("message A { optional int32 x = 1; }", true),
        ("message A { map<int32, int32> x = 1; }", true),
        ("syntax = \"proto3\"; message A { required int32 x = 1; }", false),
        ("syntax = \"proto4\"; message A {}", false),
        ("edition = \"2023\"; message A {}", false),
        ("syntax = \"proto3\"; message A { oneof o { repeated int32 x = 1; } }", false),
        ("syntax = \"proto3\"; enum E { A = 1; B = 1; }", true),
        ("syntax = \"proto3\"; import \"nowhere.proto\"; message A {}", true),
        ("syntax = \"proto3\"; message A { google.protobuf.Any a = 1; }", true),
        ("syntax = \"proto3\"; message A { map<double, int32> x = 1; }", false),
        ("syntax = \"proto3\"; message A {} message A {}", false),
    ] {
        assert_eq!(Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::New).is_ok(), wanted, "{text}");
    }
}

#[test]
fn numbers_that_cannot_be_used_may_only_be_stored() {
    for fields in ["int32 x = 0;", "int32 x = -1;", "int32 x = 1; int32 y = 1;", "int32 x = 536870912;"] {
        let text = format!("syntax = \"proto3\"; message A {{ {fields} }}");
        assert!(Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::New).is_err(), "{text}");
        let stored = Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::Stored).expect("stored long ago");
        assert!(stored.canonical().contains(fields.split("; ").next().expect("a field").trim_end_matches(';')));
        let error = stored.encode(b"{}", &mut Vec::new()).expect_err("nothing can be written with it");
        assert!(error.to_string().contains("expected a schema"), "{error}");
    }
}

#[test]
fn faults_are_told_with_their_place() {
    for (text, wanted) in [
        ("message A {\n  optional int32 x;\n}", "line 2, column 19: expected `=`, found `;`"),
        (
            "nonsense",
            "line 1, column 1: expected package, import, option, message, enum, extend or service, found `nonsense`",
        ),
        ("message A {", "line 1, column 12: expected `}`, found the end of the text"),
        (
            "syntax = \"proto3\"; package p; message A { message B { Q q = 1; } }",
            "p.A.B.q: expected the name of a type, found \"Q\", which is neither declared nor imported; declare it, or import \
             its file and give that file as a reference",
        ),
        (
            "syntax = \"proto3\"; message A { int32 x = 1; int32 y = 1; }",
            "A.y: expected a number of its own, found 1, which another field of the message has",
        ),
    ] {
        let error = Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::New).expect_err(text);
        assert_eq!(error.to_string(), wanted);
    }
}

#[test]
fn hostile_texts_end_soon() {
    let deep = format!("{}{}", "message A {".repeat(100_000), "}".repeat(100_000));
    let map = format!("option a = {}", "{ a: ".repeat(100_000));
    let long = format!("message A {{}} {}", "// more\n".repeat(300_000));
    let package = format!("package a{};", ".a".repeat(200));
    let name = format!("message {} {{}}", "a".repeat(1000));
    for text in [deep, map, long, package, name] {
        let error = Schema::compile(SchemaKind::Protobuf, &text, &[], Strictness::Stored).expect_err("too much");
        assert!(error.to_string().len() < 300, "{error}");
    }
    // A long chain of imports is compared and dropped without a deep stack.
    let chain = |kind: &str| {
        let mut schema = protobuf(&format!("syntax = \"proto3\"; message M0 {{ {kind} x = 1; }}"));
        for link in 1..2000 {
            let text =
                format!("syntax = \"proto3\"; import \"i\"; message M{link} {{ M{} m = 1; {kind} x = 2; }}", link - 1);
            let reference = Reference { name: "i".into(), schema };
            schema =
                Schema::compile(SchemaKind::Protobuf, &text, &[reference], Strictness::Stored).expect("it is valid");
        }
        schema
    };
    assert!(!chain("int32").cannot_read(&chain("string")).is_empty());
}

#[test]
fn values_of_options_can_be_read_again_however_deep() {
    // The innermost key is given twice, so its values stand in a list, one level deeper.
    let nested = |levels: usize| {
        let (open, close) = ("{ a: ".repeat(levels), " }".repeat(levels));
        format!("syntax = \"proto3\"; option o = {open}1 a: 2{close};")
    };
    let stored = |text: &str| Schema::compile(SchemaKind::Protobuf, text, &[], Strictness::Stored);
    let deepest = (1..40).take_while(|levels| stored(&nested(*levels)).is_ok()).last().expect("one is read");
    assert_eq!(deepest, 30);
    let schema = stored(&nested(deepest)).expect("just read");
    assert_eq!(stored(schema.canonical()).expect("its own text").canonical(), schema.canonical());
    let wide = format!("syntax = \"proto3\"; option o = {{ {} }};", "a: 1 ".repeat(100_000));
    assert_eq!(stored(&wide).expect("it is long, not deep").canonical().matches("    1").count(), 100_000);
}

#[test]
fn the_first_message_names_the_schema() {
    assert_eq!(proto3("enum E { Z = 0; } message A { message B {} } message C {}").full_name(), Some("p.A"));
    assert_eq!(proto3("enum E { Z = 0; }").full_name(), None);
}

#[test]
fn a_file_of_one_public_import_stands_for_it() {
    let inner = Reference { name: "a.proto".into(), schema: proto3("message A { int32 x = 1; }") };
    let schema = with("syntax = \"proto3\"; import public \"a.proto\";", &[inner]);
    let mut out = Vec::new();
    schema.encode(b"{\"x\": 1}", &mut out).expect("the value fits");
    assert_eq!(hex(&out), "000801");
}

#[test]
fn descriptors_come_back() {
    let text = "syntax = \"proto3\";\npackage p.q;\n\nimport \"google/protobuf/timestamp.proto\";\nimport public \
                \"google/protobuf/any.proto\";\n\noption java_package = \"x\";\noption optimize_for = CODE_SIZE;\n\nmessage A {\n  \
                reserved 5;\n  reserved 7 to 9;\n  reserved \"old\";\n\n  option deprecated = true;\n\n  optional int32 a = 1;\n  repeated \
                string b = 2 [deprecated = true];\n  .google.protobuf.Timestamp t = 10;\n  E e = 11;\n\n  oneof k {\n    bytes c = \
                3;\n    B d = 4;\n  }\n\n  message B {\n    bool x = 1;\n  }\n}\nenum E {\n  reserved 4 to max;\n  option allow_alias = \
                true;\n  Z = 0;\n  Y = 0 [deprecated = true];\n  X = -1;\n}\n\nservice S {\n  rpc G (A) returns (stream A) {\n    \
                option idempotency_level = IDEMPOTENT;\n  };\n}\n";
    let schema = protobuf(text);
    assert_eq!(schema.canonical(), text);
    let serialized = schema.serialized().expect("Protobuf has descriptors");
    assert_eq!(protobuf(&serialized).canonical(), text);
    let text = "syntax = \"proto2\";\n\nmessage A {\n  required string a = 1 [default = \"q\\\"\\n\"];\n  optional bytes b = 2 \
                [default = \"\\377a\"];\n\n  repeated group G = 3 {\n    optional int32 x = 4 [default = -1];\n  }\n\n  extensions 100 \
                to 200;\n  extensions 1000 to max;\n}\n\nextend A {\n  optional int32 e = 100;\n}\n";
    let schema = protobuf(text);
    assert_eq!(schema.canonical(), text);
    let serialized = schema.serialized().expect("Protobuf has descriptors");
    assert_eq!(protobuf(&serialized).canonical(), text);
    // Maps are messages of their own in descriptors, and maps again once normalized.
    let schema = proto3("message A { map<string, int32> my_map = 1; }");
    let read = protobuf(&schema.serialized().expect("Protobuf has descriptors"));
    assert!(
        read.canonical()
            .contains("  repeated MyMapEntry my_map = 1;\n\n  message MyMapEntry {\n    option map_entry = true;\n")
    );
    assert_eq!(read.normalized(), schema.normalized());
    assert!(read.cannot_read(&schema).is_empty() && schema.cannot_read(&read).is_empty());
    let mut out = Vec::new();
    read.encode(b"{\"myMap\": {\"k\": 5}}", &mut out).expect("the value fits");
    assert_eq!(hex(&out), "000a050a016b1005");
}
