//! The first step: the text of each setting and where it was given. Names are checked here, values are not.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use super::{
    ConfigErrors, Env,
    setting::{self, Setting},
    value,
};

/// What the arguments request.
pub(super) enum RawCommand {
    Run(RawConfig),
    Help,
    Version,
}

/// Every setting that was given, as text, from the source of highest precedence.
#[derive(Default)]
pub(super) struct RawConfig {
    values: BTreeMap<&'static str, RawValue>,
    /// What was ignored, and why: for the log.
    notes: Vec<String>,
}

/// Parses a text; an error says what was expected.
pub(super) type ValueParser<T> = fn(&str) -> Result<T, &'static str>;

struct RawValue {
    text: String,
    source: Source,
}

/// Where a value was given.
#[derive(Clone)]
enum Source {
    File(String),
    Variable(String),
    Argument(String),
}

impl Source {
    /// The source with the higher rank takes precedence.
    fn rank(&self) -> u8 {
        match self {
            Source::File(_) => 0,
            Source::Variable(_) => 1,
            Source::Argument(_) => 2,
        }
    }
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
        let RawValue { text, source } = self.values.get(setting.name)?;
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
        let RawValue { text: path, source } = self.values.get(setting.name)?;
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
        self.values.contains_key(setting.name)
    }

    /// ` (from the argument --name)`, or nothing where the default holds.
    pub(super) fn source(&self, setting: Setting) -> String {
        match self.values.get(setting.name) {
            Some(entry) => format!(" (from {})", entry.source),
            None => " (its default)".to_owned(),
        }
    }

    /// Resolves a contradiction between `one` and each of `others`: the source of higher precedence wins, and what it contradicts is
    /// ignored. Within one source it is an error.
    pub(super) fn exclude(&mut self, one: Setting, others: &[Setting], because: &str, errors: &mut ConfigErrors) {
        let Some(value) = self.values.get(one.name) else { return };
        let (rank, at) = (value.source.rank(), value.source.clone());
        let rivals: Vec<(Setting, Source)> =
            others.iter().filter_map(|other| Some((*other, self.values.get(other.name)?.source.clone()))).collect();
        if let Some((winner, source)) = rivals.iter().find(|(_, source)| source.rank() > rank) {
            self.notes.push(format!("{} in {at} is ignored: {} in {source} overrides it", one.name, winner.name));
            self.values.remove(one.name);
            return;
        }
        for (other, source) in rivals {
            if source.rank() == rank {
                errors.add(format!(
                    "{}: has no effect with {}, {because}: expected only one of {source} and {at}",
                    other.name, one.name
                ));
            } else {
                self.notes.push(format!("{} in {source} is ignored: {} in {at} overrides it", other.name, one.name));
            }
            self.values.remove(other.name);
        }
    }

    /// What was ignored, and why.
    pub(super) fn into_notes(self) -> Vec<String> {
        self.notes
    }

    /// Keeps the first value of each name: sources are read in order of precedence.
    fn put(&mut self, setting: Setting, text: String, source: Source) {
        self.values.entry(setting.name).or_insert(RawValue { text, source });
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

/// `--name value`, `--name=value`, and `--name` alone for a switch.
fn from_arguments(arguments: &[String], raw: &mut RawConfig, errors: &mut ConfigErrors) -> ArgumentsOutcome {
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-h" | "--help" | "help" => return ArgumentsOutcome::Help,
            "-V" | "-v" | "--version" | "version" => return ArgumentsOutcome::Version,
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
            // `--switch false` reads like `--switch=false`, and there is nothing else that it could mean.
            (None, None) => {
                rest.next_if(|next| value::switch(next).is_ok()).cloned().unwrap_or_else(|| "true".to_owned())
            }
            (Some(operand), None) => match rest.next_if(|next| !next.starts_with("--")) {
                Some(value) => value.clone(),
                None => {
                    errors.add(format!("{}: the argument {name} has no value: expected {operand}", setting.name));
                    continue;
                }
            },
        };
        match raw.values.get(setting.name) {
            Some(earlier) if earlier.text != value => errors.add(format!(
                "{}: given twice, as {:?} and as {:?}: expected one value",
                setting.name,
                without_secret(setting, &earlier.text),
                without_secret(setting, &value)
            )),
            _ => raw.put(setting, value, Source::Argument(name.to_owned())),
        }
    }
    ArgumentsOutcome::Nothing
}

/// An empty variable is one that is not set: templates leave them so.
fn from_variables(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let mut variables = env.variables();
    variables.sort();
    let mut service_links = Vec::new();
    for (name, value) in variables {
        match setting::ALL.into_iter().find(|setting| setting.variable() == name) {
            Some(_) if value.is_empty() => {}
            Some(setting) => raw.put(setting, value, Source::Variable(name)),
            None if is_service_link(&name) => service_links.push(name),
            None => errors.add(unknown("variable", &name, setting::ALL.map(|known| known.variable()))),
        }
    }
    if let Some(first) = service_links.first() {
        raw.notes.push(format!(
            "{} environment variables that Kubernetes sets for services are ignored ({first}, …); `enableServiceLinks: false` \
             in the pod's specification turns them off",
            service_links.len()
        ));
    }
}

/// Whether Kubernetes sets a variable of this name in every pod beside a Service whose name begins with `postern`: `X_SERVICE_HOST`,
/// `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT`, `X_PORT_8082_TCP`, `X_PORT_8082_TCP_ADDR` and the like
/// (Kubernetes documentation, "Service: Environment variables").
fn is_service_link(name: &str) -> bool {
    let is_port = |rest: &str| {
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name.match_indices("_PORT_").any(|(at, mark)| is_port(&name[at + mark.len()..]))
}

fn from_file(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let Some(RawValue { text: path, source }) = raw.values.get(setting::CONFIG.name) else { return };
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
            (Some(setting), toml::Value::Array(items))
                if setting.is_list() && items.iter().all(toml::Value::is_str) =>
            {
                let items: Vec<&str> = items.iter().filter_map(toml::Value::as_str).collect();
                raw.put(setting, items.join(","), Source::File(path.clone()));
            }
            (Some(setting), other) => {
                let expected = if setting.is_list() {
                    "a text in quotes, or a list of such texts"
                } else if setting.operand.is_some() {
                    "a text in quotes"
                } else {
                    "true or false"
                };
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
