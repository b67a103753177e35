//! `cargo xtask tidy`: what a reviewer would otherwise have to notice. Each rule names the file and says what it wants.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{Outcome, process, workspace};

/// Which room may name which: ARCHITECTURE.md draws the same.
const IMPORTS: [(&str, &[&str]); 13] = [
    ("json-text", &[]),
    ("schema-core", &["json-text"]),
    ("avro", &["json-text", "schema-core"]),
    ("json-schema", &["json-text", "schema-core"]),
    ("protobuf", &["json-text", "schema-core"]),
    ("schema", &["avro", "json-schema", "json-text", "protobuf", "schema-core"]),
    ("kafka", &[]),
    ("log", &[]),
    ("broker", &["log"]),
    ("registry", &["schema", "kafka"]),
    ("proxy", &["schema", "kafka", "registry"]),
    ("http", &["json-text", "proxy", "registry", "schema"]),
    ("postern", &["http", "proxy", "registry", "kafka", "broker"]),
];

/// What would give `schema` a runtime, a network or a clock.
const RUNTIMES: [&str; 9] =
    ["tokio", "async-std", "smol", "futures", "mio", "hyper", "rdkafka", "rdkafka-sys", "tracing"];

/// A file that is longer is no longer held in mind.
const MAX_LINES: usize = 700;

/// Checks every rule and reports all that is found.
pub(crate) fn run() -> Outcome {
    let mut found = Vec::new();
    imports(&mut found)?;
    runtime_in_schema(&mut found)?;
    let files = tracked()?;
    for path in &files {
        let Ok(text) = fs::read_to_string(workspace::root().join(path)) else { continue };
        local_paths(path, &text, &mut found);
        if path.ends_with(".rs") {
            names(path, &mut found);
            rust_file(path, &text, &mut found);
        }
    }
    println!("{} files looked at", files.len());
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// Crates by the direct dependencies that their manifests name, those for tests and builds left out.
fn imports(found: &mut Vec<String>) -> Outcome {
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.into_iter().collect();
    let folder = workspace::root().join("crates");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let Some(allowed) = allowed.get(name.as_str()) else {
            found.push(format!(
                "crates/{name}: a crate that xtask/src/tidy.rs does not know: say there what it may import"
            ));
            continue;
        };
        for dependency in dependencies(&package(&name), Some(1))? {
            let Some(other) = dependency.strip_prefix("postern-") else { continue };
            if !allowed.contains(&other) {
                found.push(format!("crates/{name}/Cargo.toml: {name} must not know {other}"));
            }
        }
    }
    Ok(())
}

fn runtime_in_schema(found: &mut Vec<String>) -> Outcome {
    for name in dependencies(&package("schema"), None)? {
        if RUNTIMES.contains(&name.as_str()) || name.starts_with("futures-") {
            found
                .push(format!("crates/schema: {name} is in its tree: schema stays without runtime, network and clock"));
        }
    }
    Ok(())
}

fn package(name: &str) -> String {
    if name == "postern" { name.to_owned() } else { format!("postern-{name}") }
}

/// The packages that `package` is built with, down to `depth`; itself left out.
fn dependencies(package: &str, depth: Option<u32>) -> Outcome<Vec<String>> {
    let mut cargo = process::cargo();
    cargo.args(["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"]);
    // The tree of this package alone, even where the configuration of cargo resolves the workspace as one.
    cargo.env("CARGO_RESOLVER_FEATURE_UNIFICATION", "selected");
    if let Some(depth) = depth {
        cargo.args(["--depth", &depth.to_string()]);
    }
    let tree = process::output(&mut cargo)?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|&name| name != package).map(str::to_owned).collect())
}

/// Files that git knows or would add: what would be handed on.
fn tracked() -> Outcome<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(workspace::root());
    let listed = process::output(&mut git)?;
    Ok(listed.lines().filter(|path| workspace::root().join(path).is_file()).map(str::to_owned).collect())
}

fn local_paths(path: &str, text: &str, found: &mut Vec<String>) {
    let root = workspace::root();
    let home = std::env::var("HOME").unwrap_or_default();
    let mut places: Vec<String> = vec![root.display().to_string()];
    // The folder around the tree, and the home folder: unless they are places that any text may name.
    #[expect(clippy::disallowed_methods, reason = "only its name is asked, nothing is put there")]
    let above = root.parent().filter(|&above| above != std::env::temp_dir());
    places.extend(above.map(|above| format!("{}/", above.display())).filter(|above| above.len() > 2));
    places.extend(Some(format!("{home}/")).filter(|home| home.len() > 2));
    for place in places {
        if let Some(n) = text.lines().position(|line| line.contains(&place)) {
            found.push(format!("{path}:{}: a path of this machine: {place}", n + 1));
        }
    }
}

/// Names that say nothing about what is inside.
fn names(path: &str, found: &mut Vec<String>) {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["util", "utils", "common", "helper", "helpers", "types", "misc"].contains(&stem) {
        found.push(format!("{path}: a name that says nothing about what is inside"));
    }
}

fn rust_file(path: &str, text: &str, found: &mut Vec<String>) {
    let is_test = path.split('/').any(|part| ["tests", "tests.rs", "benches"].contains(&part));
    let lines = text.lines().count();
    if lines > MAX_LINES && !is_test {
        found.push(format!("{path}: {lines} lines: expected at most {MAX_LINES}, one idea a file"));
    }
    // Spelt in halves, so that this file does not find itself.
    let unfinished = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("XX", "X")];
    let in_crate = |name: &str| path.starts_with(&format!("crates/{name}/"));
    for (n, line) in text.lines().enumerate() {
        let at = format!("{path}:{}", n + 1);
        if let Some(mark) = unfinished.iter().find(|&&mark| line.contains(mark)) {
            found.push(format!("{at}: unfinished: {mark}"));
        }
        let code = line.split("//").next().unwrap_or_default();
        let is_source = path.starts_with("crates/") && path.contains("/src/");
        if is_source && !is_test && !in_crate("http") && names_api_version(code) {
            found.push(format!("{at}: versions of the API are known in crates/http only"));
        }
        if is_source && !in_crate("kafka") && words(code).any(|word| word == "unsafe") {
            found.push(format!("{at}: `unsafe` stands in crates/kafka only"));
        }
    }
}

/// `v2` and `v3` as in paths and media types. A version of a message of Kafka is another thing and is spelt otherwise.
fn names_api_version(code: &str) -> bool {
    ["/v2", "/v3", ".v2+", ".v3+", "v2::", "v3::", "Dialect::"].iter().any(|mark| code.contains(mark))
        || words(code).any(|word| ["v2", "v3", "V2", "V3"].contains(&word))
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}
