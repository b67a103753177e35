//! The first step: the text of each setting and where it was given. Names are checked here, values are not.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use super::{
    ConfigErrors, Env,
    setting::{self, Setting},
};

/// What the arguments request.
pub(super) enum RawCommand {
    Run(RawConfig),
    Help,
    Version,
}

/// Every setting that was given, as text, from the source of highest precedence.
#[derive(Default)]
pub(super) struct RawConfig(BTreeMap<&'static str, RawValue>);

/// Parses a text; an error says what was expected.
pub(super) type ValueParser<T> = fn(&str) -> Result<T, &'static str>;

struct RawValue {
    text: String,
    source: Source,
}

/// Where a value was given.
#[derive(Clone)]
enum Source {
    Argument(String),
    Variable(String),
    File(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Argument(name) => write!(f, "the argument {name}"),
            Source::Variable(name) => write!(f, "the variable {name}"),
            Source::File(path) => write!(f, "the file {path}"),
        }
    }
}

impl RawConfig {
    /// The value of a setting that has a default. For an invalid text an error is added and the default returned, so that the
    /// remaining settings are checked, too.
    pub(super) fn take<T>(&self, setting: Setting, parse: ValueParser<T>, errors: &mut ConfigErrors) -> T {
        self.find(setting, parse, errors).unwrap_or_else(|| {
            parse(setting.default).expect("the table of settings has valid defaults: `config::tests` reads them all")
        })
    }

    /// The value of a setting, if it was given and is valid.
    pub(super) fn find<T>(&self, setting: Setting, parse: ValueParser<T>, errors: &mut ConfigErrors) -> Option<T> {
        let RawValue { text, source } = self.0.get(setting.name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(expected) => {
                let found = without_secret(setting, text);
                errors.add(format!("{}: found {found:?} in {source}: expected {expected}", setting.name));
                None
            }
        }
    }

    /// The parsed content of the file that a setting names, if it was given and is valid.
    pub(super) fn file<T>(
        &self,
        setting: Setting,
        env: &impl Env,
        parse: ValueParser<T>,
        errors: &mut ConfigErrors,
    ) -> Option<T> {
        let RawValue { text: path, source } = self.0.get(setting.name)?;
        let found = match env.file(path).map(|text| parse(&text)) {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(expected)) => format!("is something else: expected {expected}"),
            Err(error) => format!("cannot be read ({error})"),
        };
        errors.add(format!("{}: the file {path:?} in {source} {found}", setting.name));
        None
    }

    /// Whether it was given, valid or not.
    pub(super) fn has(&self, setting: Setting) -> bool {
        self.0.contains_key(setting.name)
    }

    /// ` (from the argument --name)`, or nothing where the default holds.
    pub(super) fn source(&self, setting: Setting) -> String {
        match self.0.get(setting.name) {
            Some(entry) => format!(" (from {})", entry.source),
            None => " (its default)".to_owned(),
        }
    }

    /// Two settings that exclude each other.
    pub(super) fn refuse_pair(&self, one: Setting, other: Setting, because: &str, errors: &mut ConfigErrors) {
        if let (Some(entry), Some(against)) = (self.0.get(one.name), self.0.get(other.name)) {
            errors.add(format!(
                "{}: found {:?} in {} beside {} in {}: expected one of the two, {because}",
                one.name,
                without_secret(one, &entry.text),
                entry.source,
                other.name,
                against.source
            ));
        }
    }

    /// Keeps the first value of each name: sources are read in order of precedence.
    fn put(&mut self, setting: Setting, text: String, source: Source) {
        self.0.entry(setting.name).or_insert(RawValue { text, source });
    }
}

/// A value as it may be logged.
fn without_secret(setting: Setting, text: &str) -> Cow<'_, str> {
    match setting {
        setting::SCHEMA_REGISTRY_CREDENTIALS | setting::SCHEMA_REGISTRY_TOKEN => "…".into(),
        setting::SCHEMA_REGISTRY_URL if text.contains('@') => {
            let hosts = text.split(',').map(|url| url.rsplit_once('@').map_or(url, |(_, host)| host));
            format!("…@{}", hosts.collect::<Vec<_>>().join(",")).into()
        }
        _ => text.into(), // no other setting holds a secret
    }
}

/// Reads arguments, variables, and the file that one of them names.
pub(super) fn collect(arguments: &[String], env: &impl Env, errors: &mut ConfigErrors) -> RawCommand {
    let mut raw = RawConfig::default();
    match from_arguments(arguments, &mut raw, errors) {
        ArgumentsOutcome::Nothing => {}
        ArgumentsOutcome::Help => return RawCommand::Help,
        ArgumentsOutcome::Version => return RawCommand::Version,
    }
    from_variables(env, &mut raw, errors);
    from_file(env, &mut raw, errors);
    RawCommand::Run(raw)
}

enum ArgumentsOutcome {
    Nothing,
    Help,
    Version,
}

/// `--name value`, `--name=value`, and `--name` alone for a switch; of a repeated argument the last counts.
fn from_arguments(arguments: &[String], raw: &mut RawConfig, errors: &mut ConfigErrors) -> ArgumentsOutcome {
    let mut last = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-h" | "--help" => return ArgumentsOutcome::Help,
            "-V" | "--version" => return ArgumentsOutcome::Version,
            _ => {}
        }
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let Some(setting) = name.strip_prefix("--").and_then(setting::named) else {
            errors.add(unknown("argument", name, setting::ALL.map(|known| format!("--{}", known.name))));
            // What follows is most likely its value: one error is enough.
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
                    errors.add(format!("{}: the argument {name} has no value: expected {operand}", setting.name));
                    continue;
                }
            },
        };
        last.push((setting, value, Source::Argument(name.to_owned())));
    }
    for (setting, value, source) in last.into_iter().rev() {
        raw.put(setting, value, source);
    }
    ArgumentsOutcome::Nothing
}

fn from_variables(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let mut variables = env.variables();
    variables.sort();
    for (name, value) in variables {
        match setting::ALL.into_iter().find(|setting| setting.variable() == name) {
            Some(setting) => raw.put(setting, value, Source::Variable(name)),
            None => errors.add(unknown("variable", &name, setting::ALL.map(|known| known.variable()))),
        }
    }
}

fn from_file(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let Some(RawValue { text: path, source }) = raw.0.get(setting::CONFIG.name) else { return };
    let (path, source) = (path.clone(), source.clone());
    let text = match env.file(&path) {
        Ok(text) => text,
        Err(error) => {
            return errors
                .add(format!("config: the file {path:?} in {source} cannot be read ({error}): expected a TOML file"));
        }
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            return errors.add(format!("config: the file {path} is not TOML: line {line}: {}", error.message()));
        }
    };
    for (name, value) in table {
        let known = setting::named(&name).filter(|setting| *setting != setting::CONFIG);
        match (known, &value) {
            (None, _) => {
                let keys = setting::ALL.into_iter().filter(|known| *known != setting::CONFIG);
                let keys: Vec<String> = keys.map(|known| known.name.to_owned()).collect();
                errors.add(unknown(&format!("key in the file {path}"), &name, keys));
            }
            (Some(setting @ Setting { operand: Some(_), .. }), toml::Value::String(text)) => {
                raw.put(setting, text.clone(), Source::File(path.clone()));
            }
            (Some(setting @ Setting { operand: None, .. }), toml::Value::Boolean(on)) => {
                raw.put(setting, on.to_string(), Source::File(path.clone()));
            }
            (Some(setting), other) => {
                let expected = if setting.operand.is_some() { "a text in quotes" } else { "true or false" };
                errors.add(format!("{name}: found {other} in the file {path}: expected {expected}"));
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
