//! What JSON Schema costs: values held to a schema per second, bare rewriting beside it; compiling and comparing.
//!
//! `cargo run --release -p postern-schema --example json_schema_speed [RECORDS]`. One thread; the median of seven rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use postern_schema::{Schema, SchemaKind, Strictness, json};

const CLASSIC: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","title":"skyFluxMetric","type":"object","properties":{
    "timestamp":{"type":"integer"},"band":{"type":"string"},"instrument":{"type":"string","default":"LSSTCam-ComCam"},
    "meanSky":{"type":"number"},"stdevSky":{"type":"number"}},"required":["timestamp","band"],"additionalProperties":false}"#;

const VALUE: &str = r#"{"timestamp": 1681248783000000, "band": "y", "instrument": "LSSTCam-ComCam", "meanSky": -213.75839364883444, "stdevSky": 2328.906118708811}"#;

const WITHOUT_DEFAULT: &str =
    r#"{"timestamp": 1681248783000000, "band": "y", "meanSky": -213.75839364883444, "stdevSky": 2328.906118708811}"#;

const ROUNDS: usize = 7;
/// Properties and definitions of the large schema, about 4 MB of text.
const LARGE: usize = 45_000;

fn main() {
    let per_round = std::env::args().nth(1).and_then(|records| records.parse().ok()).unwrap_or(200_000);
    let classic = compile(CLASSIC);
    let modern = compile(
        &CLASSIC.replace("http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"),
    );
    let mut out = Vec::new();
    println!(
        "rewritten only       {:>10.0} records/s",
        rate(per_round, || {
            out.clear();
            json::rewrite(black_box(VALUE.as_bytes()), &mut out).expect("the value above is JSON");
        })
    );
    for (name, schema, value) in
        [("draft-07", &classic, VALUE), ("draft-07, a default", &classic, WITHOUT_DEFAULT), ("2020-12", &modern, VALUE)]
    {
        let encode = || {
            out.clear();
            schema.encode(black_box(value.as_bytes()), &mut out).expect("the value above fits");
        };
        println!("{name:<20} {:>10.0} records/s", rate(per_round, encode));
    }
    println!("compiled             {:>10.0} schemas/s", rate(per_round / 20, || drop(black_box(compile(CLASSIC)))));
    let titled = compile(&CLASSIC.replace("skyFlux", "skyFlow"));
    println!(
        "compared             {:>10.0} pairs/s",
        rate(per_round / 10, || assert!(titled.cannot_read(&classic).is_empty()))
    );

    let members =
        (0..LARGE).map(|n| format!(r##""p{n}":{{"$ref":"#/definitions/d{n}"}}"##)).collect::<Vec<_>>().join(",");
    let definitions = (0..LARGE).map(|n| format!(r#""d{n}":{{"type":"string","maxLength":{n}}}"#)).collect::<Vec<_>>();
    let text = format!(r#"{{"properties":{{{members}}},"definitions":{{{}}}}}"#, definitions.join(","));
    let (large, compiled) = timed(|| compile(&text));
    let other = compile(&text.replace("\"p0\"", "\"q0\""));
    let (found, compared) = timed(|| other.cannot_read(&large).len());
    let (_, first) = timed(|| large.encode(br#"{"p7":"1234567"}"#, &mut out).expect("seven characters fit"));
    println!(
        "{} bytes of text: compiled in {compiled:?}, compared in {compared:?} ({found}), first value in {first:?}",
        text.len()
    );
}

fn compile(text: &str) -> Schema {
    Schema::compile(SchemaKind::Json, text, &[], Strictness::New).expect("the schemas here are valid")
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

fn rate(times: usize, mut one: impl FnMut()) -> f64 {
    let mut rates = [0.0; ROUNDS];
    for rate in &mut rates {
        let ((), took) = timed(|| (0..times).for_each(|_| one()));
        *rate = times as f64 / took.as_secs_f64();
    }
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}
