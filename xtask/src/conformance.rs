//! Replays the recorded scenarios against a new `postern` and compares with the lists of those that may fail.
//!
//! `conformance/expected-embedded.txt` and `expected-apache.txt` hold one scenario and one reason a line, in the format of
//! `replay.py --expected`. A scenario that passes though it is listed is a failure, too: the lists only shrink.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Child, Stdio},
};

use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile, Kind, Postern},
    process, python, workspace,
};

/// Replays run in parallel: they mostly wait. Every scenario uses topic and subject names of its own.
const PARALLEL_REPLAYS: usize = 4;

/// What to replay, and what to do with the result.
#[derive(Default)]
pub(crate) struct Options {
    /// Names of files; none: all that are recorded answers.
    files: Vec<String>,
    /// Only scenarios whose name contains this.
    word: String,
    update: bool,
    verbose: bool,
}

/// `cargo xtask conformance`.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let mut options = Options::default();
    let mut kind = Kind::Embedded;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--embedded" => kind = Kind::Embedded,
            "--apache" => kind = Kind::Apache,
            "--update" => options.update = true,
            "-v" => options.verbose = true,
            "-k" => options.word = rest.next().cloned().ok_or("-k: expected a word after it")?,
            flag if flag.starts_with('-') => return Err(format!("{flag}: unknown\n\n{}", crate::USAGE)),
            file => options.files.push(file.to_owned()),
        }
    }
    process::build(workspace::Profile::Checked)?;
    match kind {
        Kind::Embedded => {
            run(kind, &Postern::embedded(workspace::Profile::Checked, "conformance-embedded", &PROFILE)?, &options)
        }
        Kind::Apache => {
            let kafka = Kafka::start("apache-kafka", KafkaProfile::LikeRecorded)?;
            run(kind, &Postern::over("conformance-apache", &kafka)?, &options)
        }
    }
}

/// The embedded broker as the recorded servers' cluster was.
pub(crate) const PROFILE: [&str; 2] = ["--broker-auto-create-topics", "--broker-strict-replication"];

/// Replays against a running `postern` and compares with the list for this kind of cluster.
pub(crate) fn run(kind: Kind, postern: &Postern, options: &Options) -> Outcome {
    let files = if options.files.is_empty() { recorded()? } else { named(&options.files)? };
    let (alone, together): (Vec<String>, Vec<String>) =
        files.iter().cloned().partition(|file| file.contains("-global"));

    let mut answers = Answers::default();
    let mut shards = vec![Vec::new(); PARALLEL_REPLAYS];
    for (n, file) in together.into_iter().enumerate() {
        shards[n % PARALLEL_REPLAYS].push(file);
    }
    replay(postern, options, shards, &mut answers)?;
    for file in alone {
        replay(postern, options, vec![vec![file]], &mut answers)?;
    }

    let list = List::read(kind)?;
    println!(
        "{} of {} answers equal; {} of {} scenarios whole, {} of the others expected",
        answers.equal,
        answers.all,
        answers.scenarios.values().filter(|&&whole| whole).count(),
        answers.scenarios.len(),
        answers.failed().filter(|scenario| list.0.contains_key(*scenario)).count(),
    );
    if options.update {
        return list.updated(&answers, &files, &options.word).write(kind);
    }
    let differences = list.differences(&answers, &files, &options.word);
    if differences.is_empty() {
        return Ok(());
    }
    for line in &differences {
        println!("{line}");
    }
    Err(format!(
        "{} scenarios differ from conformance/{} (see one with `cargo xtask conformance --{} -v -k 'words of its name' FILE`)",
        differences.len(),
        List::file(kind),
        kind.name()
    ))
}

/// Every file of recorded answers. Not those of defects, whose answers are not to be matched, and not those that end the
/// servers they were recorded from.
fn recorded() -> Outcome<Vec<String>> {
    let folder = workspace::root().join("conformance");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json") && !name.ends_with("-defects.json") && !name.contains("-fatal"))
        .collect();
    files.sort();
    Ok(files)
}

/// `v2-meta`, `v2-meta.json` and `conformance/v2-meta.json` are the same file.
fn named(names: &[String]) -> Outcome<Vec<String>> {
    let folder = workspace::root().join("conformance");
    names
        .iter()
        .map(|name| {
            let bare = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".json");
            let file = format!("{bare}.json");
            if folder.join(&file).exists() { Ok(file) } else { Err(format!("conformance/{file} does not exist")) }
        })
        .collect()
}

/// The results of a replay.
#[derive(Default)]
struct Answers {
    all: usize,
    equal: usize,
    /// `file.json: name`, and whether all its answers were equal.
    scenarios: BTreeMap<String, bool>,
}

impl Answers {
    fn failed(&self) -> impl Iterator<Item = &String> {
        self.scenarios.iter().filter(|&(_, &whole)| !whole).map(|(scenario, _)| scenario)
    }

    /// One line of `replay.py --tsv`, if it is one: file, scenario, step, result.
    fn take(&mut self, line: &str) -> bool {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, scenario, _step, result] = fields[..] else { return false };
        let whole = self.scenarios.entry(format!("{file}: {scenario}")).or_insert(true);
        *whole &= result == "ok";
        self.all += 1;
        self.equal += usize::from(result == "ok");
        true
    }
}

/// One replay per shard, in parallel.
fn replay(postern: &Postern, options: &Options, shards: Vec<Vec<String>>, answers: &mut Answers) -> Outcome {
    let mut running: Vec<Child> = Vec::new();
    for files in shards.iter().filter(|files| !files.is_empty()) {
        let mut command = python::script("replay.py")?;
        command.args(postern.addresses()).arg("--tsv").args(["-k", &options.word]).stdout(Stdio::piped());
        if options.verbose {
            command.arg("-v");
        }
        let child = command.args(files).spawn().map_err(|error| format!("cannot start replay.py: {error}"))?;
        running.push(child);
    }
    // Read in parallel, too: a replay whose pipe is full would block.
    let readers: Vec<_> =
        running.into_iter().map(|child| std::thread::spawn(move || child.wait_with_output())).collect();
    for reader in readers {
        let output = reader.join().map_err(|_| "reading the output of replay.py panicked")?;
        let output = output.map_err(|error| format!("replay.py: {error}"))?;
        // 1 says that answers differ, which the lines say better.
        if !matches!(output.status.code(), Some(0 | 1)) {
            return Err(format!(
                "replay.py: {}; the end of the log of postern:\n{}",
                output.status,
                postern.log_tail()
            ));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if !answers.take(line) && options.verbose {
                println!("{line}");
            }
        }
    }
    if answers.scenarios.is_empty() && options.word.is_empty() {
        return Err(format!("replay.py compared nothing; the end of the log of postern:\n{}", postern.log_tail()));
    }
    Ok(())
}

/// Scenarios that may fail, each with its reason.
struct List(BTreeMap<String, String>);

impl List {
    fn file(kind: Kind) -> String {
        format!("expected-{}.txt", kind.name())
    }

    fn path(kind: Kind) -> PathBuf {
        workspace::root().join("conformance").join(List::file(kind))
    }

    fn read(kind: Kind) -> Outcome<List> {
        let text = fs::read_to_string(List::path(kind)).unwrap_or_default();
        let mut list = BTreeMap::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let Some((scenario, reason)) = line.split_once("  # ").filter(|(_, reason)| !reason.trim().is_empty())
            else {
                return Err(format!("conformance/{}: a line without a reason: {line}", List::file(kind)));
            };
            list.insert(scenario.trim().to_owned(), reason.trim().to_owned());
        }
        Ok(List(list))
    }

    /// The lines that concern what was replayed: of these files, with this word in the name.
    fn selected<'a>(&'a self, files: &'a [String], word: &'a str) -> impl Iterator<Item = &'a String> {
        let replayed: BTreeSet<&str> = files.iter().map(String::as_str).collect();
        self.0.keys().filter(move |scenario| {
            scenario.split_once(": ").is_some_and(|(file, name)| replayed.contains(file) && name.contains(word))
        })
    }

    fn differences(&self, answers: &Answers, files: &[String], word: &str) -> Vec<String> {
        let failing = answers.failed().filter(|scenario| !self.0.contains_key(*scenario));
        let mut lines: Vec<String> = failing.map(|scenario| format!("{scenario}  # fails")).collect();
        for scenario in self.selected(files, word) {
            match answers.scenarios.get(scenario) {
                Some(true) => lines.push(format!("{scenario}  # passes, though listed")),
                Some(false) => {}
                None => lines.push(format!("{scenario}  # listed, but there is no such scenario")),
            }
        }
        lines
    }

    /// Without the scenarios that pass now, with those that fail.
    fn updated(mut self, answers: &Answers, files: &[String], word: &str) -> List {
        let gone: Vec<String> = self
            .selected(files, word)
            .filter(|&scenario| answers.scenarios.get(scenario) != Some(&false))
            .cloned()
            .collect();
        for scenario in &gone {
            self.0.remove(scenario);
        }
        let mut added = 0;
        for scenario in answers.failed() {
            self.0.entry(scenario.clone()).or_insert_with(|| {
                added += 1;
                reason(scenario).to_owned()
            });
        }
        println!("the list lost {} lines and gained {added}: the reasons of new lines want a look", gone.len());
        self
    }

    fn write(&self, kind: Kind) -> Outcome {
        let cluster = match kind {
            Kind::Embedded => "the embedded broker (strict replication, auto-creation)",
            Kind::Apache => "Apache Kafka 4.1.1 (with an authorizer that allows everything)",
        };
        let mut text = format!(
            "# Recorded scenarios that do not pass whole on {cluster}: what is not built yet, or differs on purpose.\n\
             # One that passes though it stands here is a failure, so this list only shrinks.\n\
             # `cargo xtask conformance --{} --update` takes out what passes.\n",
            kind.name()
        );
        for (scenario, reason) in &self.0 {
            text.push_str(&format!("{scenario}  # {reason}\n"));
        }
        let path = List::path(kind);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Why a scenario of this file probably fails: a first guess, to be corrected by hand.
fn reason(scenario: &str) -> &'static str {
    let begins = [
        ("v2-consumers", "consumers are not built yet"),
        ("v3-acls", "ACL calls are not built yet"),
        ("v3-batch", "producing through v3 is not built yet"),
        ("v3-produce", "producing through v3 is not built yet"),
        ("v3-configs", "changing and listing configs through v3 is not built yet"),
        ("v3-groups", "consumer groups through v3 are not built yet"),
        ("v3-", "not everything of v3 is built yet"),
        ("v2-media", "asks consumers, which are not built yet"),
        ("registry-", "not everything of the registry is built yet"),
    ];
    begins.iter().find(|(begin, _)| scenario.starts_with(begin)).map_or("not looked into yet", |(_, reason)| reason)
}
