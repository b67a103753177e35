//! `docs/metrics.md`, from the declarations, and the tests of what names metrics: the page, the dashboard and the alert rules.

use std::{collections::BTreeSet, fmt::Write};

use super::declared::{ALL, Kind, Metric};

const OPENING: &str = "# Metrics

Made from the declarations in `crates/postern/src/metrics/declared.rs`; a test compares the two, and writes this page when the variable
`UPDATE_DOCS` is set: `UPDATE_DOCS=1 cargo test --release -p postern docs_metrics`.

`GET /metrics` on the management listener (`management-listen`) answers in Prometheus' text format. Counters begin at 0 when the process
starts. Routes are the paths of the APIs with their parameters in braces; a route appears when it was used. `api` is `rest` or `registry`.
Metrics of the registry and of the broker are there when these run in the process. `deploy/grafana/postern.json` is a dashboard,
`deploy/prometheus/postern-alerts.yml` has alert rules.

| Metric | Kind | Labels | Meaning |
|---|---|---|---|
";

/// The name under which Prometheus stores it; a histogram has three with endings of their own.
fn full_name(metric: &Metric) -> String {
    match metric.kind {
        Kind::Counter => format!("{}_total", metric.name),
        Kind::Gauge | Kind::Histogram => metric.name.to_owned(),
    }
}

fn page() -> String {
    let mut page = OPENING.to_owned();
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(page, "| `{}` | {kind} | {} | {} |", full_name(metric), labels.join(", "), metric.help);
    }
    page
}

#[test]
fn docs_metrics_is_made_from_the_declarations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(path).expect("the page");
    assert!(found == page(), "docs/metrics.md is not what UPDATE_DOCS=1 makes of the declarations");
}

#[test]
fn the_dashboard_and_the_alert_rules_name_metrics_that_exist() {
    let known: BTreeSet<String> = ALL
        .iter()
        .flat_map(|metric| match metric.kind {
            Kind::Histogram => ["_bucket", "_sum", "_count"].map(|ending| format!("{}{ending}", metric.name)).to_vec(),
            Kind::Counter | Kind::Gauge => vec![full_name(metric)],
        })
        .collect();
    let files = [
        include_str!("../../../../deploy/grafana/postern.json"),
        include_str!("../../../../deploy/prometheus/postern-alerts.yml"),
    ];
    for text in files {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> = words.filter(|word| word.starts_with("postern_")).collect();
        assert!(named.len() > 5, "they name metrics");
        for name in named {
            assert!(known.contains(name), "there is no metric {name}");
        }
    }
    serde_json::from_str::<serde_json::Value>(files[0]).expect("the dashboard is JSON");
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    for metric in ALL {
        assert!(metric.name.starts_with("postern_") && metric.help.ends_with('.'), "{}", metric.name);
        assert!(metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", metric.name);
        assert!(!metric.name.ends_with("_total"), "{}: counters get it by themselves", metric.name);
    }
    let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len(), "each name is declared once");
}
