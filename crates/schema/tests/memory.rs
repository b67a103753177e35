//! What schemas and values cost in memory, by an allocator that counts. A program of its own for that allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;

use postern_schema::{Reference, Schema, SchemaKind, Strictness};

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

fn avro(text: &str, references: &[Reference]) -> (Schema, usize) {
    let before = LIVE.get();
    let schema = Schema::compile(SchemaKind::Avro, text, references, Strictness::New).expect("the text is valid");
    let taken = LIVE.get() - before;
    (schema, taken)
}

#[test]
fn a_compiled_avro_schema_weighs_what_it_says() {
    let record = |name: &str, fields: usize, field: &dyn Fn(usize) -> String| {
        let mut text = format!(r#"{{"type":"record","name":"{name}","fields":["#);
        for n in 0..fields {
            let _ = write!(text, "{}{{\"name\":\"f{n}\",{}}}", if n > 0 { "," } else { "" }, field(n));
        }
        text + "]}"
    };
    let texts = [
        "\"string\"".to_owned(),
        record("R", 5, &|_| r#""type":"double""#.to_owned()),
        record("R", 400, &|n| {
            format!(r#""type":["null","string"],"default":null,"doc":"the {n}th of many fields","unit":"m""#)
        }),
        record("R", 200, &|n| {
            format!(r#""type":{{"type":"enum","name":"E{n}","symbols":["A","B","C"]}},"aliases":["a{n}"]"#)
        }),
        record("R", 100, &|_| {
            format!(
                r#""type":{{"type":"map","values":"double"}},"default":{{{}}}"#,
                (0..50).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")
            )
        }),
    ];
    for text in &texts {
        let (schema, taken) = avro(text, &[]);
        let said = schema.memory_size();
        assert!(said < taken * 2 && taken < said * 2, "it says {said} and takes {taken} bytes: {text:.100}");
        // A reference is copied.
        if schema.full_name().is_some() {
            let reference = Reference { name: "R".to_owned(), schema };
            let (user, taken) =
                avro(r#"{"type":"record","name":"User","fields":[{"name":"r","type":"R"}]}"#, &[reference]);
            let said = user.memory_size();
            assert!(said < taken * 2 && taken < said * 2, "it says {said} and takes {taken} bytes, with {text:.100}");
        }
    }
}
