//! What compiled schemas hold in memory, by the bytes of their texts: the caches count them by these factors.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_schema::{Schema, SchemaKind, Strictness};
use serde_json::json;

/// The factors that the caches use: for schemas that are compared, and for those that have encoded values.
fn factors(kind: SchemaKind) -> (usize, usize) {
    match kind {
        SchemaKind::Avro => (16, 16),
        SchemaKind::Json => (48, 176),
        SchemaKind::Protobuf => (24, 24),
    }
}

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn compiled_schemas_hold_no_more_than_the_caches_count() {
    let fields: Vec<_> =
        (0..500).map(|n| json!({"name": format!("f{n}"), "type": ["null", "string"], "default": null})).collect();
    let records: Vec<_> = (0..200)
        .map(|n| json!({"name": format!("f{n}"), "type": {"type": "record", "name": format!("R{n}"), "fields": []}}))
        .collect();
    let symbols: Vec<_> = (0..2000).map(|n| format!("S{n}")).collect();
    let properties: serde_json::Map<_, _> =
        (0..500).map(|n| (format!("p{n}"), json!({"type": "string", "maxLength": n}))).collect();
    let branches: Vec<_> = (0..300).map(|n| json!({"type": "object", "required": [format!("p{n}")]})).collect();
    let messages: String = (0..200).map(|n| format!("message M{n} {{ string a = 1; M{n} b = 2; }}\n")).collect();
    let wide: String = (1..500).map(|n| format!("  string field_{n} = {n};\n")).collect();
    let cases = [
        (SchemaKind::Avro, json!({"type": "record", "name": "R", "fields": fields}).to_string(), "{}"),
        (SchemaKind::Avro, json!({"type": "record", "name": "R", "fields": records}).to_string(), "{}"),
        (SchemaKind::Avro, json!({"type": "enum", "name": "E", "symbols": symbols}).to_string(), "\"S1\""),
        (SchemaKind::Json, json!({"type": "object", "properties": properties}).to_string(), "{}"),
        (SchemaKind::Json, json!({"anyOf": branches}).to_string(), "{}"),
        (SchemaKind::Protobuf, format!("syntax = \"proto3\";\n{messages}"), "{}"),
        (SchemaKind::Protobuf, format!("syntax = \"proto3\";\nmessage W {{\n{wide}}}\n"), "{}"),
    ];
    let mut exceeding = Vec::new();
    for (kind, text, value) in cases {
        let before = LIVE.load(Ordering::Relaxed);
        let schema = Schema::compile(kind, &text, &[], Strictness::New).expect("a schema");
        drop(schema.cannot_read_with(&schema, postern_schema::Policy::Strict));
        let compared = LIVE.load(Ordering::Relaxed) - before;
        drop(schema.encode(value.as_bytes(), &mut Vec::new()));
        let encoding = LIVE.load(Ordering::Relaxed) - before;
        let length = schema.canonical().len();
        let start: String = text.chars().take(60).collect();
        println!("{kind:?}: {compared} and {encoding} bytes for {length} of text: {start}…");
        let (for_comparing, for_encoding) = factors(kind);
        if compared > length * for_comparing || encoding > length * for_encoding {
            exceeding.push(format!("{kind:?} {start}"));
        }
    }
    assert!(exceeding.is_empty(), "{exceeding:?}");
}
