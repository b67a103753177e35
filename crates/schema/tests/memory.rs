//! What schemas and values cost in memory, by an allocator that counts. A program of its own for that allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use postern_schema::{Policy, Reference, Schema, SchemaKind, Strictness};
use serde_json::{Value, json};

struct Counting;

thread_local! {
    // By thread, since tests run on threads of their own at the same time.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; only calls and sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE.set(LIVE.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        // SAFETY: `pointer` came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_good_value_costs_no_allocation() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":"long"},{"name":"b","type":"string"},
        {"name":"c","type":{"type":"array","items":{"type":"map","values":["null","double"]}}}]}"#;
    let schema = Schema::compile(SchemaKind::Avro, schema, &[], Strictness::New).expect("the schema above is valid");
    let mut out = Vec::with_capacity(1024);
    let mut count = |json: &str| {
        out.clear();
        let before = ALLOCATIONS.get();
        schema.encode(json.as_bytes(), &mut out).expect("the value fits");
        ALLOCATIONS.get() - before
    };
    let in_order = r#"{"a":1,"b":"text","c":[{"x":{"double":1.5},"y":null},{"z":{"double":2}}]}"#;
    let shuffled = r#"{"c":[{"x":{"double":1.5},"y":null},{"z":{"double":2}}],"b":"text","more":[1],"a":1}"#;
    count(in_order);
    // The spans of fields and keys are kept by the thread; the first value made room for them.
    assert_eq!((count(in_order), count(shuffled)), (0, 0));
}

/// Bytes that do not count.
const SMALL: usize = 2048;
/// How many times what it takes a schema may say that it takes. Plans for Protobuf are weighed as if all messages within reach were used.
const MOST: usize = 16;

/// The schemas that take more than they say, which would break the bound of a cache, or so little of it that the cache would stay empty.
#[derive(Default)]
struct Exceeding(Vec<String>);

impl Exceeding {
    fn check(&mut self, what: &str, taken: usize, said: usize) {
        println!("{what}: {taken} bytes of {said}, {:.2}", taken as f64 / said as f64);
        // What even the smallest schema takes is not told apart.
        if taken > said + said / 2 + SMALL {
            self.0.push(format!("{what}: takes {taken} bytes and says {said}"));
        }
    }

    /// Compiles, compares, decodes and encodes; returns the schema.
    fn weigh(&mut self, kind: SchemaKind, text: &str, references: &[Reference], value: &str, payload: &[u8]) -> Schema {
        let name = format!("{kind:?} {}", text.chars().take(60).collect::<String>().replace('\n', " "));
        let before = LIVE.get();
        let schema = Schema::compile(kind, text, references, Strictness::New).expect("the text is valid");
        drop(schema.cannot_read_with(&schema, Policy::Strict));
        drop(schema.decode(payload, &mut Vec::new()));
        let compared = LIVE.get().wrapping_sub(before);
        // Whether it fits or not, what encodes is made.
        drop(schema.encode(value.as_bytes(), &mut Vec::new()));
        let all = LIVE.get().wrapping_sub(before);
        // Only now, since what is printed is kept in memory, too.
        self.check(&name, compared, schema.memory_size());
        // Avro's encoder is made with the schema; what a thread keeps for all of them is not the schema's.
        if kind != SchemaKind::Avro {
            self.check(&format!("{name}, encoder"), all - compared, schema.encoder_memory_size());
        }
        let said = schema.memory_size() + schema.encoder_memory_size();
        if said > MOST * all + SMALL {
            self.0.push(format!("{name}: takes only {all} bytes and says {said}"));
        }
        schema
    }
}

#[test]
fn compiled_schemas_weigh_about_what_they_say() {
    let mut exceeding = Exceeding::default();
    // What is made once for all schemas.
    Exceeding::default().weigh(SchemaKind::Json, "{}", &[], "1", b"1");
    Exceeding::default().weigh(SchemaKind::Protobuf, "message M {}", &[], "{}", &[0]);

    let record = |fields: usize, field: &dyn Fn(usize) -> Value| {
        let fields: Vec<_> = (0..fields).map(field).collect();
        json!({"type": "record", "name": "R", "fields": fields}).to_string()
    };
    let avro = [
        r#"{"type":"record","name":"R","fields":[]}"#.to_owned(),
        record(5, &|n| json!({"name": format!("f{n}"), "type": ["null", "double"], "default": null})),
        record(
            400,
            &|n| json!({"name": format!("f{n}"), "type": ["null", "string"], "default": null, "doc": format!("the {n}th"), "unit": "m"}),
        ),
        record(200, &|n| {
            let symbols = json!({"type": "enum", "name": format!("E{n}"), "symbols": ["A", "B", "C"]});
            json!({"name": format!("f{n}"), "type": ["null", symbols], "default": null, "aliases": [format!("a{n}")]})
        }),
        record(100, &|n| {
            let default: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n}"), json!(n))).collect();
            json!({"name": format!("f{n}"), "type": {"type": "map", "values": "double"}, "default": default})
        }),
    ];
    for text in avro {
        // Every field may be left out, in bytes as in JSON.
        let schema = exceeding.weigh(SchemaKind::Avro, &text, &[], "{}", &[0; 400]);
        let reference = [Reference { name: "R".to_owned(), schema }];
        let user = r#"{"type":"record","name":"User","fields":[{"name":"r","type":["null","R"],"default":null}]}"#;
        exceeding.weigh(SchemaKind::Avro, user, &reference, "{}", &[0]);
    }

    let properties: serde_json::Map<_, _> =
        (0..500).map(|n| (format!("p{n}"), json!({"type": "string", "maxLength": n}))).collect();
    let nested: serde_json::Map<_, _> = (0..100)
        .map(|n| (format!("p{n}"), json!({"description": "an object", "type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})))
        .collect();
    let branches: Vec<_> = (0..300).map(|n| json!({"type": "object", "required": [format!("p{n}")]})).collect();
    let patterns: serde_json::Map<_, _> =
        (0..50).map(|n| (format!("p{n}"), json!({"type": "string", "pattern": format!("^[a-z]+{n}$")}))).collect();
    let json = [
        json!({"type": "object", "title": "R"}),
        json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": []}),
        json!({"type": "object", "properties": properties}),
        json!({"type": "object", "properties": nested}),
        json!({"type": "object", "properties": patterns}),
        json!({"oneOf": [{"enum": (0..500).map(|n| format!("value {n}")).collect::<Vec<_>>()}, {"type": "object"}]}),
        json!({"anyOf": [{"anyOf": branches}, {"type": "object"}]}),
    ];
    for schema in json {
        let schema = exceeding.weigh(SchemaKind::Json, &schema.to_string(), &[], "{}", b"{}");
        let reference = [Reference { name: "r.json".to_owned(), schema }];
        exceeding.weigh(SchemaKind::Json, r#"{"properties":{"r":{"$ref":"r.json"}}}"#, &reference, "{}", b"{}");
    }

    let messages: String = (0..200).map(|n| format!("message M{n} {{ string a = 1; M{n} b = 2; }}\n")).collect();
    let wide: String = (1..500).map(|n| format!("  string field_{n} = {n};\n")).collect();
    let constants: String = (0..300).map(|n| format!("  CONSTANT_{n} = {n};\n")).collect();
    let options: String = (1..100)
        .map(|n| format!("  repeated int32 o_{n} = {n} [packed = true, json_name = \"other{n}\"];\n"))
        .collect();
    let protobuf = [
        "message R {}".to_owned(),
        "message R { string a = 1; oneof o { int32 b = 2; bytes c = 3; } map<string, int64> d = 4; }".to_owned(),
        messages,
        format!("message W {{\n{wide}}}\n"),
        format!("message E {{ E0 e = 1; }}\nenum E0 {{\n{constants}}}\n"),
        format!("message O {{\n{options}}}\n"),
    ];
    for text in protobuf {
        let text = format!("syntax = \"proto3\";\npackage p;\n{text}");
        let schema = exceeding.weigh(SchemaKind::Protobuf, &text, &[], "{}", &[0]);
        let name = schema.full_name().expect("a message").to_owned();
        let reference = [Reference { name: "r.proto".to_owned(), schema }];
        let user = format!("syntax = \"proto3\";\nimport \"r.proto\";\nmessage User {{ {name} r = 1; }}\n");
        exceeding.weigh(SchemaKind::Protobuf, &user, &reference, "{}", &[0]);
    }
    assert!(exceeding.0.is_empty(), "{:#?}", exceeding.0);
}
