//! The first step: what was written, and where. Names are checked here, values are not.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use super::{
    Faults, Outside,
    setting::{self, Setting},
};

/// What the arguments ask for.
pub(super) enum Asked {
    Run(Written),
    Help,
    Version,
}

/// Every setting that was written, as its strongest source wrote it.
#[derive(Default)]
pub(super) struct Written(BTreeMap<&'static str, Entry>);

/// What a text says, or what was expected.
pub(super) type Meaning<T> = fn(&str) -> Result<T, &'static str>;

struct Entry {
    text: String,
    origin: Origin,
}

/// Where a value stands, in the words of somebody who looks for it.
#[derive(Clone)]
enum Origin {
    Argument(String),
    Variable(String),
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Argument(name) => write!(f, "the argument {name}"),
            Origin::Variable(name) => write!(f, "the variable {name}"),
            Origin::File(path) => write!(f, "the file {path}"),
        }
    }
}

impl Written {
    /// The meaning of a setting that has a default. A value without a meaning is a fault, and the default stands in for it, so
    /// that the remaining settings can be looked at, too.
    pub(super) fn take<T>(&self, setting: Setting, meaning: Meaning<T>, faults: &mut Faults) -> T {
        self.find(setting, meaning, faults).unwrap_or_else(|| {
            meaning(setting.default).expect("the table of settings has good defaults: `config::tests` reads them all")
        })
    }

    /// The meaning of a setting, if it was written and has one.
    pub(super) fn find<T>(&self, setting: Setting, meaning: Meaning<T>, faults: &mut Faults) -> Option<T> {
        let Entry { text, origin } = self.0.get(setting.name)?;
        match meaning(text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let found = without_secret(setting, text);
                faults.add(format!("{}: found {found:?} in {origin}: expected {expected}", setting.name));
                None
            }
        }
    }

    /// The meaning of the file that a setting names, if it was written and has one.
    pub(super) fn file<T>(
        &self,
        setting: Setting,
        outside: &impl Outside,
        meaning: Meaning<T>,
        faults: &mut Faults,
    ) -> Option<T> {
        let Entry { text: path, origin } = self.0.get(setting.name)?;
        let found = match outside.file(path).map(|text| meaning(&text)) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(expected)) => format!("is something else: expected {expected}"),
            Err(error) => format!("cannot be read ({error})"),
        };
        faults.add(format!("{}: the file {path:?} in {origin} {found}", setting.name));
        None
    }

    /// Whether anybody wrote it, sense or not.
    pub(super) fn has(&self, setting: Setting) -> bool {
        self.0.contains_key(setting.name)
    }

    /// ` (from the argument --name)`, or nothing where the default holds.
    pub(super) fn origin(&self, setting: Setting) -> String {
        match self.0.get(setting.name) {
            Some(entry) => format!(" (from {})", entry.origin),
            None => " (its default)".to_owned(),
        }
    }

    /// Two settings that exclude each other.
    pub(super) fn refuse_pair(&self, one: Setting, other: Setting, because: &str, faults: &mut Faults) {
        if let (Some(entry), Some(against)) = (self.0.get(one.name), self.0.get(other.name)) {
            faults.add(format!(
                "{}: found {:?} in {} beside {} in {}: expected one of the two, {because}",
                one.name,
                without_secret(one, &entry.text),
                entry.origin,
                other.name,
                against.origin
            ));
        }
    }

    /// Keeps the first that is put under a name: sources are read strongest first.
    fn put(&mut self, setting: Setting, text: String, origin: Origin) {
        self.0.entry(setting.name).or_insert(Entry { text, origin });
    }
}

/// A value as it may stand in a log.
fn without_secret(setting: Setting, text: &str) -> Cow<'_, str> {
    match setting {
        setting::SCHEMA_REGISTRY_CREDENTIALS | setting::SCHEMA_REGISTRY_TOKEN => "…".into(),
        setting::SCHEMA_REGISTRY_URL if text.contains('@') => {
            let places = text.split(',').map(|url| url.rsplit_once('@').map_or(url, |(_, place)| place));
            format!("…@{}", places.collect::<Vec<_>>().join(",")).into()
        }
        _ => text.into(), // no other setting holds a secret
    }
}

/// Reads arguments, variables, and the file that one of them names.
pub(super) fn collect(arguments: &[String], outside: &impl Outside, faults: &mut Faults) -> Asked {
    let mut written = Written::default();
    match from_arguments(arguments, &mut written, faults) {
        Asks::Nothing => {}
        Asks::Help => return Asked::Help,
        Asks::Version => return Asked::Version,
    }
    from_variables(outside, &mut written, faults);
    from_file(outside, &mut written, faults);
    Asked::Run(written)
}

enum Asks {
    Nothing,
    Help,
    Version,
}

/// `--name value`, `--name=value`, and `--name` alone for a switch; of a repeated argument the last counts.
fn from_arguments(arguments: &[String], written: &mut Written, faults: &mut Faults) -> Asks {
    let mut last = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-h" | "--help" => return Asks::Help,
            "-V" | "--version" => return Asks::Version,
            _ => {}
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let Some(setting) = name.strip_prefix("--").and_then(setting::named) else {
            faults.add(unknown("argument", name, setting::ALL.map(|known| format!("--{}", known.name))));
            // Its value, most likely: one fault is enough.
            if name.starts_with("--") && attached.is_none() {
                rest.next_if(|next| !next.starts_with("--"));
            }
            continue;
        };
        let value = match (setting.operand, attached) {
            (_, Some(value)) => value,
            (None, None) => "true".to_owned(),
            (Some(operand), None) => match rest.next_if(|next| !next.starts_with("--")) {
                Some(value) => value.clone(),
                None => {
                    faults.add(format!("{}: the argument {name} has no value: expected {operand}", setting.name));
                    continue;
                }
            },
        };
        last.push((setting, value, Origin::Argument(name.to_owned())));
    }
    for (setting, value, origin) in last.into_iter().rev() {
        written.put(setting, value, origin);
    }
    Asks::Nothing
}

fn from_variables(outside: &impl Outside, written: &mut Written, faults: &mut Faults) {
    let mut variables = outside.variables();
    variables.sort();
    for (name, value) in variables {
        match setting::ALL.into_iter().find(|setting| setting.variable() == name) {
            Some(setting) => written.put(setting, value, Origin::Variable(name)),
            None => faults.add(unknown("variable", &name, setting::ALL.map(|known| known.variable()))),
        }
    }
}

fn from_file(outside: &impl Outside, written: &mut Written, faults: &mut Faults) {
    let Some(Entry { text: path, origin }) = written.0.get(setting::CONFIG.name) else { return };
    let (path, origin) = (path.clone(), origin.clone());
    let text = match outside.file(&path) {
        Ok(text) => text,
        Err(error) => {
            return faults
                .add(format!("config: the file {path:?} in {origin} cannot be read ({error}): expected a TOML file"));
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            return faults.add(format!("config: the file {path} is not TOML: line {line}: {}", error.message()));
        }
    };
    for (name, value) in table {
        let known = setting::named(&name).filter(|setting| *setting != setting::CONFIG);
        match (known, &value) {
            (None, _) => {
                let keys = setting::ALL.into_iter().filter(|known| *known != setting::CONFIG);
                let keys: Vec<String> = keys.map(|known| known.name.to_owned()).collect();
                faults.add(unknown(&format!("key in the file {path}"), &name, keys));
            }
            (Some(setting @ Setting { operand: Some(_), .. }), toml::Value::String(text)) => {
                written.put(setting, text.clone(), Origin::File(path.clone()));
            }
            (Some(setting @ Setting { operand: None, .. }), toml::Value::Boolean(on)) => {
                written.put(setting, on.to_string(), Origin::File(path.clone()));
            }
            (Some(setting), other) => {
                let expected = if setting.operand.is_some() { "a text in quotes" } else { "true or false" };
                faults.add(format!("{name}: found {other} in the file {path}: expected {expected}"));
            }
        }
    }
}

fn unknown(what: &str, name: &str, names: impl IntoIterator<Item = String>) -> String {
    match setting::nearest(name, names) {
        Some(near) => format!("{name}: unknown {what}: expected {near}, perhaps"),
        None => format!("{name}: unknown {what}"),
    }
}
