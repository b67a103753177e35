//! What crates depend on: which of ours may import which, what is declared and not used, and what `deny.toml` allows.
//!
//! Of `deny.toml` this checks licences, banned crates, sources and wildcards, from `cargo tree` and `Cargo.lock`: no network is needed,
//! and nothing has to be installed (building `cargo-deny` takes longer than all other checks together). Advisories are left
//! to `cargo deny check advisories`, which fetches their database.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use toml::{Table, Value};

use super::identifiers::words;
use crate::{Outcome, process, workspace};

/// Which crate may import which: ARCHITECTURE.md shows the same.
const IMPORTS: [(&str, &[&str]); 15] = [
    ("access", &[]),
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
    ("registry-client", &["schema", "registry"]),
    ("proxy", &["schema", "kafka", "registry", "registry-client"]),
    ("http", &["access", "json-text", "proxy", "registry", "schema"]),
    ("postern", &["access", "http", "proxy", "registry", "registry-client", "kafka", "broker"]),
];

/// Crates without a runtime, a network or a clock: they only compute.
const PURE: [&str; 7] = ["access", "schema", "schema-core", "json-text", "avro", "json-schema", "protobuf"];

/// What would give them one.
const RUNTIMES: [&str; 8] = ["tokio", "async-std", "smol", "futures", "mio", "hyper", "rdkafka", "rdkafka-sys"];

/// Checks all of it.
pub(super) fn check(found: &mut Vec<String>) -> Outcome {
    let crates = workspace::crates()?;
    for name in &crates {
        imports(name, found)?;
        if PURE.contains(&name.as_str()) {
            runtimes(name, found)?;
        }
    }
    unused(&crates, found)?;
    deny(found)
}

/// By the direct dependencies, those for tests and builds left out.
fn imports(name: &str, found: &mut Vec<String>) -> Outcome {
    let Some((_, allowed)) = IMPORTS.iter().find(|(known, _)| *known == name) else {
        found.push(format!(
            "crates/{name}: unknown crate: add what it may import to IMPORTS in xtask/src/tidy/dependencies.rs"
        ));
        return Ok(());
    };
    for dependency in tree(name, &["--depth", "1"])? {
        let Some(other) = dependency.strip_prefix("postern-") else { continue };
        if !allowed.contains(&other) {
            found.push(format!("crates/{name}/Cargo.toml: {name} must not depend on {other}"));
        }
    }
    Ok(())
}

fn runtimes(name: &str, found: &mut Vec<String>) -> Outcome {
    for dependency in tree(name, &[])? {
        if RUNTIMES.contains(&dependency.as_str()) || dependency.starts_with("futures-") {
            found.push(format!("crates/{name}: {dependency} is in its tree: it has no runtime, network or clock"));
        }
    }
    Ok(())
}

/// The packages that a crate of ours is built with, itself left out.
fn tree(name: &str, arguments: &[&str]) -> Outcome<Vec<String>> {
    let package = workspace::package(name);
    let mut cargo = process::cargo();
    cargo.args(["tree", "--locked", "--package", &package, "--edges", "normal", "--prefix", "none"]).args(arguments);
    let tree = process::output(&mut cargo)?;
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|&name| name != package).map(str::to_owned).collect())
}

/// Dependencies that no source of their crate names, and entries for the workspace that no crate takes.
fn unused(crates: &[String], found: &mut Vec<String>) -> Outcome {
    let root = read("Cargo.toml")?;
    let mut taken = BTreeSet::new();
    let folders = crates.iter().map(|name| format!("crates/{name}")).chain(["fuzz", "xtask"].map(str::to_owned));
    for folder in folders {
        let manifest = read(&format!("{folder}/Cargo.toml"))?;
        let product = identifiers(&folder, &["src", "build.rs"])?;
        let mut all = identifiers(&folder, &["tests", "examples", "benches"])?;
        all.extend(product.iter().cloned());
        for (section, used) in
            [("dependencies", &product), ("dev-dependencies", &all), ("build-dependencies", &product)]
        {
            for name in table(&manifest, section).keys() {
                taken.insert(name.clone());
                // The library of `md-5` is called `md5`.
                if !used.contains(&name.replace('-', "_")) && !used.contains(&name.replace('-', "")) {
                    found.push(format!("{folder}/Cargo.toml: {name} among the {section} is not used"));
                }
            }
        }
    }
    let declared = root.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(Value::as_table);
    for name in declared.into_iter().flat_map(Table::keys).filter(|name| !taken.contains(*name)) {
        found.push(format!("Cargo.toml: {name} among the workspace's dependencies is not used by any crate"));
    }
    Ok(())
}

fn read(path: &str) -> Outcome<Table> {
    let text = fs::read_to_string(workspace::root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    text.parse().map_err(|error| format!("{path}: {error}"))
}

fn table(manifest: &Table, name: &str) -> Table {
    manifest.get(name).and_then(Value::as_table).cloned().unwrap_or_default()
}

/// Every word in the code of a folder's Rust files, comments left out.
fn identifiers(folder: &str, parts: &[&str]) -> Outcome<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut next: Vec<_> = parts.iter().map(|part| workspace::root().join(folder).join(part)).collect();
    while let Some(path) = next.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            next.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = fs::read_to_string(&path)
        {
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            found.extend(code.flat_map(words).map(str::to_owned));
        }
    }
    Ok(found)
}

/// The rules of `deny.toml`.
fn deny(found: &mut Vec<String>) -> Outcome {
    let rules = read("deny.toml")?;
    let packages = packages()?;
    let allowed: BTreeSet<String> = texts(rules.get("licenses").and_then(|licences| licences.get("allow")));
    for (package, licence) in
        packages.iter().filter(|(package, _)| !package.name.starts_with("postern") && package.name != "xtask")
    {
        if !is_allowed(licence, &allowed) {
            found.push(format!(
                "deny.toml: the licence of {} {}, {licence:?}, is not allowed",
                package.name, package.version
            ));
        }
    }

    let bans = table(&rules, "bans");
    let parents = parents()?;
    for ban in bans.get("deny").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| ban.get(name).and_then(Value::as_str).unwrap_or_default();
        let wrappers = texts(ban.get("wrappers"));
        for parent in parents.get(text("crate")).into_iter().flatten().filter(|parent| !wrappers.contains(*parent)) {
            found.push(format!("deny.toml: {parent} depends on {}: {}", text("crate"), text("reason")));
        }
    }

    let lock = read("Cargo.lock")?;
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for package in lock.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| package.get(name).and_then(Value::as_str);
        let name = text("name").unwrap_or_default();
        if text("source").is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index") {
            found.push(format!(
                "Cargo.lock: {name} comes from {}: expected crates.io",
                text("source").unwrap_or_default()
            ));
        }
        *versions.entry(name).or_default() += 1;
    }
    let twice: Vec<&str> = versions.iter().filter(|(_, count)| **count > 1).map(|(name, _)| *name).collect();
    println!("{} packages; {} in several versions: {}", versions.len(), twice.len(), twice.join(", "));

    for (name, value) in table(&table(&read("Cargo.toml")?, "workspace"), "dependencies") {
        let version = value.as_str().or_else(|| value.get("version").and_then(Value::as_str));
        if version.is_some_and(|version| version.contains('*')) {
            found.push(format!("Cargo.toml: {name}: expected a version instead of a wildcard"));
        }
    }
    Ok(())
}

fn texts(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
}

/// Every package that something of the workspace is built from, with its licence.
fn packages() -> Outcome<BTreeMap<Package, String>> {
    let mut cargo = process::cargo();
    cargo.args(["tree", "--locked", "--workspace", "--target", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let tree = process::output(&mut cargo)?;
    let packages = tree.lines().filter_map(|line| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split_whitespace();
        let (name, version) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some((Package { name, version }, licence.trim_end_matches("(*)").trim().to_owned()))
    });
    Ok(packages.collect())
}

/// For each package the names of those that depend on it directly.
fn parents() -> Outcome<BTreeMap<String, BTreeSet<String>>> {
    let mut cargo = process::cargo();
    cargo.args(["tree", "--locked", "--workspace", "--target", "all", "--prefix", "depth", "--format", "|{p}"]);
    let tree = process::output(&mut cargo)?;
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let Some((depth, package)) = line.split_once('|') else { continue };
        let (Ok(depth), Some(name)) = (depth.parse::<usize>(), package.split_whitespace().next()) else { continue };
        path.truncate(depth);
        if let Some(parent) = path.last() {
            parents.entry(name.to_owned()).or_default().insert((*parent).to_owned());
        }
        path.push(name);
    }
    Ok(parents)
}

/// Whether an SPDX expression can be met with the licences in `allowed`. `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().peekable();
    let is_met = any_of(&mut words, allowed);
    is_met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        is_met |= all_of(words, allowed);
    }
    is_met
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = licence(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        is_met &= licence(words, allowed);
    }
    is_met
}

fn licence(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let is_met = any_of(words, allowed);
            words.next() == Some(")") && is_met
        }
        Some(name) => allowed.contains(&name.replace("+WITH+", " WITH ")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_read_as_spdx_defines_them() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 AND MIT OR GPL-3.0", "Apache-2.0", "(MIT", "MIT GPL-3.0"]
        {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
