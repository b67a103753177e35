//! Encodes and decodes per second of one record: this crate's plan walk against `apache-avro` over a tree of `serde_json`.
//!
//! `cargo run --release -p postern-schema --example encode_speed [RECORDS]`. One thread; the median of interleaved rounds.

use std::hint::black_box;
use std::time::Instant;

use postern_schema::{Schema, SchemaKind, Strictness};

const SCHEMA: &str = r#"{"type":"record","name":"skyFluxMetric","namespace":"lsst.example","fields":[
    {"name":"timestamp","type":"long"},{"name":"band","type":"string"},
    {"name":"instrument","type":"string","default":"LSSTCam-ComCam"},
    {"name":"meanSky","type":"float"},{"name":"stdevSky","type":"float"}]}"#;

const VALUE: &str = r#"{"timestamp": 1681248783000000, "band": "y", "instrument": "LSSTCam-ComCam", "meanSky": -213.75839364883444, "stdevSky": 2328.906118708811}"#;

const SHUFFLED: &str = r#"{"stdevSky": 2328.906118708811, "meanSky": -213.75839364883444, "instrument": "LSSTCam-ComCam", "band": "y", "timestamp": 1681248783000000}"#;

const ROUNDS: usize = 7;

fn main() {
    let per_round = std::env::args().nth(1).and_then(|records| records.parse().ok()).unwrap_or(1_000_000);
    let ours = Schema::compile(SchemaKind::Avro, SCHEMA, &[], Strictness::New).expect("the schema above is valid");
    let theirs = apache_avro::Schema::parse_str(SCHEMA).expect("the schema above is valid");
    let mut out = Vec::new();
    let mut encode = |json: &str| {
        out.clear();
        ours.encode(black_box(json.as_bytes()), &mut out).expect("the value above fits");
        black_box(out.len())
    };
    let tree = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(black_box(json)).expect("the value above is JSON");
        let value = apache_avro::types::Value::from(value).resolve(&theirs).expect("the value above fits");
        black_box(apache_avro::to_avro_datum(&theirs, value).expect("the value above fits").len())
    };
    assert_eq!(encode(VALUE), tree(VALUE), "both must write the same number of bytes");

    let mut payload = Vec::new();
    ours.encode(VALUE.as_bytes(), &mut payload).expect("the value above fits");
    let mut text = Vec::new();
    let mut decode = || {
        text.clear();
        ours.decode(black_box(&payload), &mut text).expect("the payload was just written");
        black_box(text.len())
    };

    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        rates[0].push(rate(per_round, || encode(VALUE)));
        rates[1].push(rate(per_round, || encode(SHUFFLED)));
        rates[2].push(rate(per_round / 10, || tree(VALUE)));
        rates[3].push(rate(per_round, &mut decode));
    }
    let [in_order, shuffled, tree, decoded] = rates.map(median);
    println!("fields in order      {:>10.0} records/s", in_order);
    println!("fields in reverse    {:>10.0} records/s", shuffled);
    println!("serde_json and avro  {:>10.0} records/s", tree);
    println!("ratio                {:>10.1}", in_order / tree);
    println!("decoded to JSON text {:>10.0} records/s", decoded);
}

fn rate(times: usize, mut one: impl FnMut() -> usize) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        one();
    }
    times as f64 / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
