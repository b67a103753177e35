//! How many allocations one good value costs. A change that raises the number says why.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_schema::{Schema, SchemaKind, Strictness};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator; only calls are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_good_value_costs_none() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":"long"},{"name":"b","type":"string"},
        {"name":"c","type":{"type":"array","items":{"type":"map","values":["null","double"]}}}]}"#;
    let schema = Schema::compile(SchemaKind::Avro, schema, &[], Strictness::New).expect("the schema above is valid");
    let mut out = Vec::with_capacity(1024);
    let mut count = |json: &str| {
        out.clear();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        schema.encode(json.as_bytes(), &mut out).expect("the value fits");
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    let in_order = r#"{"a":1,"b":"text","c":[{"x":{"double":1.5},"y":null},{"z":{"double":2}}]}"#;
    let shuffled = r#"{"c":[{"x":{"double":1.5},"y":null},{"z":{"double":2}}],"b":"text","more":[1],"a":1}"#;
    count(in_order);
    // The spans of fields and keys are kept by the thread; the first value made room for them.
    assert_eq!((count(in_order), count(shuffled)), (0, 0));
}
