//! Transcripts as text, and what two of them do not have in common.
//!
//! ```text
//! == Produce 3..12: an unknown partition
//! responses:
//!   name="t"  …
//! ```
//!
//! Answers that are alike in neighbouring versions stand there once. `differences.txt` lists what may differ, one line
//! each: `Api: title | what we answer | why`. The first part may be `*`; the second is a field of ours as the transcript has
//! it, or `+ field` for a line only we have, or `- field` for one that only Apache Kafka has, each by its first field. A
//! line that meets no difference fails, so the list only shrinks.

use std::collections::{BTreeMap, VecDeque};

use super::session::Entry;

/// A scenario in the form of its file.
pub(crate) fn written(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(first) = entries.get(at) {
        let is_next = |(n, entry): (usize, &Entry)| {
            let expected = Entry { version: first.version + n as i16, ..first.clone() };
            *entry == expected
        };
        let alike = (0..).zip(&entries[at..]).take_while(|&pair| is_next(pair)).count();
        let versions = match alike {
            1 => first.version.to_string(),
            _ => format!("{}..{}", first.version, first.version + alike as i16 - 1),
        };
        text += &format!("== {} {versions}: {}\n", first.api, first.title);
        for line in &first.lines {
            text += &format!("{line}\n");
        }
        at += alike;
    }
    text
}

/// The entries in such a file.
pub(crate) fn read(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for block in text.split("== ").skip(1) {
        let (head, body) = block.split_once('\n').expect("a head is a line");
        let (what, title) = head.split_once(": ").expect("a head has a title");
        let (api, versions) = what.rsplit_once(' ').expect("a head names a version");
        let number = |text: &str| text.parse::<i16>().expect("a version is a number");
        let (first, last) = versions.split_once("..").map_or((versions, versions), |range| range);
        for version in number(first)..=number(last) {
            entries.push(Entry {
                api: api.to_owned(),
                version,
                title: title.to_owned(),
                lines: body.lines().map(str::to_owned).collect(),
            });
        }
    }
    entries
}

/// The differences that have a reason, and which of them were met.
#[derive(Debug)]
pub(crate) struct Listed {
    rules: Vec<(Rule, bool)>,
}

#[derive(Debug)]
struct Rule {
    line: String,
    place: String,
    ours: String,
}

impl Listed {
    pub(crate) fn read(text: &str) -> Listed {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rules = lines.map(|line| {
            let parts: Vec<_> = line.split(" | ").map(str::trim).collect();
            let &[place, ours, reason] = &parts[..] else { panic!("not `Api: title | what we answer | why`: {line}") };
            assert!(!reason.is_empty(), "no reason: {line}");
            (Rule { line: line.to_owned(), place: place.to_owned(), ours: ours.to_owned() }, false)
        });
        Listed { rules: rules.collect() }
    }

    /// What differs in a scenario and is not listed, in sentences.
    pub(crate) fn unlisted(&mut self, scenario: &str, kafka: &[Entry], ours: &[Entry]) -> Vec<String> {
        let head = |entry: &Entry| format!("{} {}: {}", entry.api, entry.version, entry.title);
        let mut found = Vec::new();
        for (kafka, ours) in kafka.iter().zip(ours) {
            if head(kafka) != head(ours) {
                found.push(format!("{scenario}: the recording goes on with {}, we with {}", head(kafka), head(ours)));
                return found;
            }
            let place = format!("{}: {}", ours.api, ours.title);
            for (what, instead) in differences(&kafka.lines, &ours.lines) {
                let fits = |rule: &Rule| (rule.place == "*" || rule.place == place) && rule.ours == what;
                let mut is_listed = false;
                for (_, met) in self.rules.iter_mut().filter(|(rule, _)| fits(rule)) {
                    (*met, is_listed) = (true, true);
                }
                if !is_listed {
                    found.push(format!("{scenario}: {} | {what} | Apache Kafka: {instead}", head(ours)));
                }
            }
        }
        if kafka.len() != ours.len() {
            found.push(format!("{scenario}: {} entries are recorded, {} were made", kafka.len(), ours.len()));
        }
        found
    }

    /// Lines that nothing needs any more.
    pub(crate) fn unmet(&self) -> Vec<&str> {
        self.rules.iter().filter(|(_, met)| !met).map(|(rule, _)| rule.line.as_str()).collect()
    }
}

/// What ours has instead of Kafka's, both as a field or as a line's first field.
fn differences(kafka: &[String], ours: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut kafka: VecDeque<&str> = kafka.iter().map(String::as_str).collect();
    let mut ours: VecDeque<&str> = ours.iter().map(String::as_str).collect();
    loop {
        match (kafka.front().copied(), ours.front().copied()) {
            (None, None) => return found,
            (Some(theirs), Some(mine)) if is_same_line(theirs, mine) => {
                found.extend(changed_fields(theirs, mine));
                kafka.pop_front();
                ours.pop_front();
            }
            (Some(theirs), Some(mine)) if kafka.iter().any(|later| is_same_line(later, mine)) => {
                found.push((format!("- {}", first_field(theirs)), "has it".to_owned()));
                skip_block(&mut kafka);
            }
            (Some(theirs), None) => {
                found.push((format!("- {}", first_field(theirs)), "has it".to_owned()));
                skip_block(&mut kafka);
            }
            (_, Some(mine)) => {
                found.push((format!("+ {}", first_field(mine)), "does not have it".to_owned()));
                skip_block(&mut ours);
            }
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn first_field(line: &str) -> &str {
    line.trim_start().split("  ").next().unwrap_or_default()
}

/// Whether two lines speak of the same thing: names and keys agree, values need not.
fn is_same_line(a: &str, b: &str) -> bool {
    let name = |field: &str| field.split('=').next().unwrap_or_default().to_owned();
    let (first, second) = (first_field(a), first_field(b));
    let is_key = matches!(
        name(first).as_str(),
        "name" | "api_key" | "index" | "partition_index" | "partition" | "group_id" | "member_id" | "resource_name"
    );
    indent(a) == indent(b) && if is_key { first == second } else { name(first) == name(second) }
}

/// Takes a line and those that belong to it.
fn skip_block(lines: &mut VecDeque<&str>) {
    let Some(first) = lines.pop_front() else { return };
    while lines.front().is_some_and(|line| indent(line) > indent(first)) {
        lines.pop_front();
    }
}

fn changed_fields(kafka: &str, ours: &str) -> Vec<(String, String)> {
    let fields = |line: &str| -> BTreeMap<String, String> {
        let fields = line.trim_start().split("  ");
        fields.map(|field| (field.split('=').next().unwrap_or_default().to_owned(), field.to_owned())).collect()
    };
    let (kafka, ours) = (fields(kafka), fields(ours));
    let mut found = Vec::new();
    for (name, mine) in &ours {
        match kafka.get(name) {
            Some(theirs) if theirs == mine => {}
            theirs => found.push((mine.clone(), theirs.cloned().unwrap_or_default())),
        }
    }
    let missing = kafka.iter().filter(|(name, _)| !ours.contains_key(*name));
    found.extend(missing.map(|(_, theirs)| (format!("- {theirs}"), "has it".to_owned())));
    found
}

#[test]
fn transcripts_are_read_back_and_told_apart() {
    let entry = |version, lines: &[&str]| Entry {
        api: "Produce".to_owned(),
        version,
        title: "a case".to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    let kafka = [entry(3, &["a=1"]), entry(4, &["a=1"]), entry(5, &["a=1", "b:", "  name=x  c=2", "  name=y  c=3"])];
    let text = written(&kafka);
    assert!(text.starts_with("== Produce 3..4: a case\na=1\n== Produce 5: a case\n"), "{text}");
    assert_eq!(read(&text), kafka);

    let ours = [entry(3, &["a=1"]), entry(4, &["a=2"]), entry(5, &["a=1", "b:", "  name=y  c=4", "  name=z"])];
    let mut listed = Listed::read("# why\nProduce: a case | a=2 | so\n* | - name=x | so\nother: case | a=2 | so\n");
    let found = listed.unlisted("s", &kafka, &ours);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("Produce 5: a case | c=4 | Apache Kafka: c=3"), "{found:?}");
    assert!(found[1].contains("+ name=z"), "{found:?}");
    assert_eq!(listed.unmet(), ["other: case | a=2 | so"]);
    assert_eq!(Listed::read("").unlisted("s", &kafka, &kafka[1..]).len(), 1);
}
