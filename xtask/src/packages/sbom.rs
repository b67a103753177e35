//! A bill of materials in CycloneDX 1.5: every crate that is in the binary, from what cargo has resolved.

use std::{fmt::Write, fs, path::Path};

use crate::{Outcome, process};

/// Writes it to `path`.
pub(super) fn write(path: &Path) -> Outcome {
    let mut tree = process::cargo();
    tree.args(["tree", "-p", "postern", "-e", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}\t{l}"]);
    tree.args(["--locked", "--target", super::TARGET]);
    let text = document(&process::output(&mut tree)?)?;
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// From lines of `name vVERSION…`, a tab, and the licence expression.
fn document(tree: &str) -> Outcome<String> {
    let mut lines: Vec<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    lines.sort_unstable();
    lines.dedup();
    let mut components = String::new();
    for line in lines.into_iter().filter(|line| !line.starts_with("postern ")) {
        let (package, licence) = line.split_once('\t').ok_or_else(|| format!("no licence in {line:?}"))?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) else {
            return Err(format!("expected a name and a version, found {package:?}"));
        };
        // Crates of before SPDX expressions separate alternatives with a slash.
        let licence = licence.trim_end_matches(" (*)").replace('/', " OR ");
        let separator = if components.is_empty() { "" } else { ",\n" };
        let _ = write!(
            components,
            "{separator}    {{\"type\":\"library\",\"name\":\"{name}\",\"version\":\"{version}\",\
             \"purl\":\"pkg:cargo/{name}@{version}\",\"licenses\":[{{\"expression\":\"{licence}\"}}]}}"
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    Ok(format!(
        "{{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,\n  \"metadata\": {{\"component\": \
         {{\"type\":\"application\",\"name\":\"postern\",\"version\":\"{version}\",\"licenses\":[{{\"expression\":\"Apache-2.0\"}}]}}}},\n  \
         \"components\": [\n{components}\n  ]\n}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_stands_in_it_once() {
        let tree =
            "postern v0.1.0 (/src)\tApache-2.0\nbytes v1.2.3\tMIT\nold v0.1.0\tMIT/Apache-2.0\nbytes v1.2.3\tMIT (*)\n";
        let text = document(tree).expect("a document");
        assert_eq!(text.matches("pkg:cargo/bytes@1.2.3").count(), 1, "{text}");
        assert!(text.contains(r#""name":"old","version":"0.1.0","purl":"pkg:cargo/old@0.1.0","licenses":[{"expression":"MIT OR Apache-2.0"}]"#));
        assert!(document("odd\tMIT").is_err());
    }
}
