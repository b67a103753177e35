//! Compiled schemas weigh about what they say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use postern_schema::{Reference, Schema, SchemaKind, Strictness};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn avro(text: &str, references: &[Reference]) -> (Schema, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    let schema = Schema::compile(SchemaKind::Avro, text, references, Strictness::New).expect("the text is valid");
    let taken = LIVE.load(Ordering::Relaxed) - before;
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
