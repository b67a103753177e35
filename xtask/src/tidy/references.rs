//! Links between documents, citations of documents in sources, and paths of sources in documents: the file exists, and so does the section.
//!
//! A link is `[text](path#anchor)` in Markdown. A citation is the path of a page below `docs/`, followed by sections where it is one
//! of `docs/reference/`: `docs/reference/rest-v2.md §5.3, §6`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::workspace;

/// What each Markdown page can be asked for.
pub(super) struct Pages(BTreeMap<String, Page>);

struct Page {
    /// As GitHub derives them from headings.
    anchors: BTreeSet<String>,
    /// `5`, `5.3`: the numbers at the begin of headings.
    sections: BTreeSet<String>,
}

impl Pages {
    /// Reads the headings of every page among `files`.
    pub(super) fn read(files: &[String]) -> Pages {
        let pages = files.iter().filter(|path| path.ends_with(".md")).filter_map(|path| {
            let text = fs::read_to_string(workspace::root().join(path)).ok()?;
            Some((path.clone(), Page::read(&text)))
        });
        Pages(pages.collect())
    }

    /// Checks what one file refers to.
    pub(super) fn check(&self, path: &str, text: &str, found: &mut Vec<String>) {
        let is_page = path.ends_with(".md");
        let mut is_code = false;
        for (n, line) in text.lines().enumerate() {
            if is_page {
                is_code ^= line.trim_start().starts_with("```");
                if !is_code {
                    missing_sources(line)
                        .for_each(|file| found.push(format!("{path}:{}: {file} does not exist", n + 1)));
                    links(line).filter_map(|target| self.broken(path, target)).for_each(|problem| {
                        found.push(format!("{path}:{}: {problem}", n + 1));
                    });
                }
            }
            if is_page || path.ends_with(".rs") || path.ends_with(".toml") {
                self.check_citations(&format!("{path}:{}", n + 1), line, found);
            }
        }
    }

    /// What is wrong with a link on the page `from`, if anything.
    fn broken(&self, from: &str, target: &str) -> Option<String> {
        if target.contains("://") || target.starts_with("mailto:") {
            return None; // the network is not asked
        }
        let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
        let path = if file.is_empty() { from.to_owned() } else { joined(from, file) };
        if !workspace::root().join(&path).exists() {
            return Some(format!("the link {target} leads to {path}, which does not exist"));
        }
        let anchor = anchor?;
        let known = self.0.get(&path).is_some_and(|page| page.anchors.contains(anchor));
        (!known).then(|| format!("the link {target}: {path} has no heading with the anchor #{anchor}"))
    }

    fn check_citations(&self, at: &str, line: &str, found: &mut Vec<String>) {
        for (begin, _) in line.match_indices("docs/") {
            if line[..begin].ends_with(|c: char| c.is_alphanumeric() || "/.-_".contains(c)) {
                continue; // the end of another path
            }
            let rest = &line[begin..];
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/.-_".contains(c)).unwrap_or(rest.len());
            let Some(path) = rest[..length].find(".md").map(|end| &rest[..end + 3]) else { continue };
            let Some(page) = self.0.get(path) else {
                found.push(format!("{at}: {path} does not exist"));
                continue;
            };
            for section in sections(&rest[path.len()..]) {
                if !page.sections.contains(&section) {
                    found.push(format!("{at}: {path} has no section {section}"));
                }
            }
        }
        // A page of the reference without its path cannot be found by a reader.
        for name in self.0.keys().filter_map(|path| path.strip_prefix("docs/reference/")) {
            let bare = line.find(&format!("{name} §")).filter(|&begin| !line[..begin].ends_with('/'));
            if bare.is_some_and(|begin| !line[..begin].ends_with('[') && !at.starts_with("docs/reference/")) {
                found.push(format!("{at}: {name}: expected docs/reference/{name}"));
            }
        }
    }
}

impl Page {
    fn read(text: &str) -> Page {
        let (mut anchors, mut sections) = (BTreeSet::new(), BTreeSet::new());
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.trim_start().starts_with("```");
            let heading = line.trim_start_matches('#');
            if is_code || heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let heading = heading.trim();
            // The second of two equal headings gets "-1", and so on.
            let anchor = anchor(heading);
            let numbered = (1..).map(|n| format!("{anchor}-{n}"));
            let free = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
            anchors.extend(free);
            let number = heading.split(' ').next().unwrap_or_default().trim_end_matches('.');
            if number.starts_with(|c: char| c.is_ascii_digit()) {
                sections.insert(number.to_owned());
            }
        }
        Page { anchors, sections }
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of the links in a line, code left out.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let is_code = |at: usize| line[..at].matches('`').count() % 2 == 1;
    line.match_indices("](").filter_map(move |(at, _)| {
        let target = &line[at + 2..];
        target.split([')', ' ']).next().filter(|target| !target.is_empty() && !is_code(at))
    })
}

/// Sources that a line names as `crates/http/src/api.rs` or `http/src/api.rs` and that are not there.
fn missing_sources(line: &str) -> impl Iterator<Item = &str> {
    let is_source = |word: &&str| word.ends_with(".rs") && word.contains("/src/");
    let exists = |file: &str| {
        let root = workspace::root();
        root.join(file).exists() || root.join("crates").join(file).exists()
    };
    line.split('`').skip(1).step_by(2).filter(is_source).filter(move |file| !exists(file))
}

/// `target` as seen from the folder of the page `from`.
fn joined(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The sections that are named right after a page: ` §5.3, §6 and §7 to §9`.
fn sections(mut text: &str) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let separators = |c: char| c == ' ' || c == ',' || c == '–';
        text = text.trim_start_matches(separators);
        text = text.strip_prefix("to ").or_else(|| text.strip_prefix("and ")).unwrap_or(text);
        let Some(number) = text.strip_prefix('§') else { return found };
        let length = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
        found.push(number[..length].trim_end_matches('.').to_owned());
        text = &number[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        let page = Page::read(
            "# Title\n\n## 5. Produce\n\n### 5.3 Failures, of `all`\n\n## 5. Produce\n\n```\n# 6 no heading\n```\n",
        );
        Pages(BTreeMap::from([("docs/reference/rest-v2.md".to_owned(), page)]))
    }

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        pages().check(path, text, &mut found);
        found
    }

    /// Pages of these tests are named with it, so that this file does not cite pages that do not exist.
    const DOCS: &str = "docs";

    #[test]
    fn sections_that_exist_are_accepted_and_others_are_named() {
        let cite = |rest: &str| problems("a.rs", &format!("// {DOCS}/{rest}"));
        assert_eq!(cite("reference/rest-v2.md §5, §5.3 and §5 to §5.3."), Vec::<String>::new());
        assert_eq!(cite("reference/rest-v2.md §5–§6)."), ["a.rs:1: docs/reference/rest-v2.md has no section 6"]);
        assert_eq!(cite("none.md"), [format!("a.rs:1: {DOCS}/none.md does not exist")]);
        let bare = problems("a.rs", &format!("//! x\n// {}-v2.md §5", "rest"));
        assert_eq!(bare, ["a.rs:2: rest-v2.md: expected docs/reference/rest-v2.md"]);
    }

    #[test]
    fn links_are_followed_from_the_folder_of_their_page() {
        assert_eq!(
            problems("README.md", "[a](Cargo.toml) [b](https://example.org/x) `[c](none)`"),
            Vec::<String>::new()
        );
        let page = format!("{DOCS}/a.md");
        let found = problems(&page, "[a](Cargo.toml)");
        assert_eq!(found, [format!("{page}:1: the link Cargo.toml leads to docs/Cargo.toml, which does not exist")]);
        assert_eq!(problems(&page, "[a](../Cargo.toml)"), Vec::<String>::new());
        assert_eq!(problems("a.md", "`xtask/src/main.rs`, `http/src/api.rs`"), Vec::<String>::new());
        assert_eq!(problems("a.md", "`http/src/none.rs`"), ["a.md:1: http/src/none.rs does not exist"]);
        let page = "docs/reference/rest-v2.md";
        assert_eq!(problems(page, "[a](#53-failures-of-all) [b](#5-produce-1)"), Vec::<String>::new());
        assert_eq!(problems(page, "[a](#6)").len(), 1);
    }
}
