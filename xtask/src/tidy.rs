//! `cargo xtask tidy`: rules that a reviewer would otherwise have to check. Each finding names the file and says what is expected.

use std::{fs, path::Path, process::Command};

use crate::{Outcome, process, workspace};
use identifiers::words;

mod cycles;
mod dependencies;
mod identifiers;
mod references;

/// A longer file holds more than one idea.
const MAX_LINES: usize = 700;

/// Checks every rule and reports all findings.
pub(crate) fn run() -> Outcome {
    let mut found = Vec::new();
    dependencies::check(&mut found)?;
    cycles::check(&mut found)?;
    let files = tracked()?;
    let pages = references::Pages::read(&files);
    for path in &files {
        let Ok(text) = fs::read_to_string(workspace::root().join(path)) else { continue };
        local_paths(path, &text, &mut found);
        pages.check(path, &text, &mut found);
        if path.ends_with(".rs") {
            names(path, &mut found);
            rust_file(path, &text, &mut found);
        }
    }
    println!("{} files checked", files.len());
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// Files that git tracks or would add.
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
    // The parent of the tree and the home directory, unless they are paths that any text may name.
    #[expect(clippy::disallowed_methods, reason = "only its name is compared, nothing is put there")]
    let above = root.parent().filter(|&above| above != std::env::temp_dir());
    places.extend(above.map(|above| format!("{}/", above.display())).filter(|above| above.len() > 2));
    places.extend(Some(format!("{home}/")).filter(|home| home.len() > 2));
    for place in places {
        if let Some(n) = text.lines().position(|line| line.contains(&place)) {
            found.push(format!("{path}:{}: a path of this machine: {place}", n + 1));
        }
    }
}

/// File names that do not say what is inside.
fn names(path: &str, found: &mut Vec<String>) {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["util", "utils", "common", "helper", "helpers", "types", "misc"].contains(&stem) {
        found.push(format!("{path}: the name does not say what is inside"));
    }
}

fn rust_file(path: &str, text: &str, found: &mut Vec<String>) {
    let is_test = path.split('/').any(|part| ["tests", "tests.rs", "benches"].contains(&part));
    let lines = text.lines().count();
    if lines > MAX_LINES && !is_test {
        found.push(format!("{path}: {lines} lines: expected at most {MAX_LINES}, one idea per file"));
    }
    // In halves, so that this file does not find itself.
    let unfinished = [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("XX", "X")];
    let in_crate = |name: &str| path.starts_with(&format!("crates/{name}/"));
    for (n, line) in text.lines().enumerate() {
        let at = format!("{path}:{}", n + 1);
        if let Some(mark) = unfinished.iter().find(|&&mark| line.contains(mark)) {
            found.push(format!("{at}: unfinished: {mark}"));
        }
        let code = line.split("//").next().unwrap_or_default();
        let is_source = path.starts_with("crates/") && path.contains("/src/");
        // Names of settings, ours and Confluent's, are data.
        let is_table =
            ["confluent", "front_settings"].iter().any(|name| path == format!("crates/postern/src/config/{name}.rs"));
        if is_source && !is_test && !in_crate("http") && !is_table && names_api_version(code) {
            found.push(format!("{at}: versions of the REST API are known in crates/http only"));
        }
        if is_source && words(code).any(|word| word == "unsafe") {
            found.push(format!("{at}: `unsafe`: expected a library that wraps it"));
        }
    }
}

/// `v2` and `v3` as in paths and media types. Versions of Kafka's messages are written otherwise.
fn names_api_version(code: &str) -> bool {
    ["/v2", "/v3", ".v2+", ".v3+", "v2::", "v3::", "Dialect::"].iter().any(|mark| code.contains(mark))
        || words(code).any(|word| ["v2", "v3", "V2", "V3"].contains(&word))
}
