//! The first step: the text of each setting and where it was given. Names were checked by whoever read them (`arguments`, `variables`,
//! `file`), values are not.

use std::{collections::BTreeMap, fmt};

use super::{
    ConfigErrors, Env,
    setting::{self, Setting},
};

/// Every setting that was given, as text, from the source of highest precedence.
#[derive(Default)]
pub(super) struct RawConfig {
    values: BTreeMap<&'static str, RawValue>,
    /// What was ignored, and why: for the log.
    notes: Vec<Note>,
}

/// Something to be logged once the log has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Whether it may be against what was meant.
    pub(crate) is_warning: bool,
    pub(crate) text: String,
}

/// Parses a text; an error says what was expected.
pub(super) type ValueParser<T> = fn(&str) -> Result<T, &'static str>;

struct RawValue {
    text: String,
    source: Source,
}

/// Where a value was given.
#[derive(Clone)]
pub(super) enum Source {
    /// It follows from that setting of Confluent's servers.
    Implied(String),
    /// A setting of Confluent's servers in their properties file.
    ConfluentFile {
        name: String,
        path: String,
    },
    /// A variable of Confluent's images.
    ConfluentVariable(String),
    File(String),
    Variable(String),
    Argument(String),
}

impl Source {
    /// The source with the higher rank takes precedence.
    fn rank(&self) -> u8 {
        match self {
            Source::Implied(_) => 0,
            Source::ConfluentFile { .. } => 1,
            Source::ConfluentVariable(_) => 2,
            Source::File(_) => 3,
            Source::Variable(_) => 4,
            Source::Argument(_) => 5,
        }
    }

    /// Whether it is a setting of Confluent's servers.
    pub(super) fn is_confluent(&self) -> bool {
        matches!(self, Source::ConfluentFile { .. } | Source::ConfluentVariable(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Argument(name) => write!(f, "the argument {name}"),
            Source::Implied(name) => write!(f, "the default beside {name}"),
            Source::ConfluentFile { name, path } => write!(f, "{name} in the file {path}"),
            Source::Variable(name) | Source::ConfluentVariable(name) => write!(f, "the variable {name}"),
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
                let found = setting.shown(text);
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
        // A cluster that the variables of Confluent's images name is never given up for a broker inside.
        let is_kept = one == setting::BOOTSTRAP_SERVERS && at.is_confluent();
        if let Some((winner, source)) = rivals.iter().find(|(_, source)| source.rank() > rank && !is_kept) {
            self.note(format!("{} in {at} is ignored: {} in {source} overrides it", one.name, winner.name));
            self.values.remove(one.name);
            return;
        }
        for (other, source) in rivals {
            if source.rank() == rank || (is_kept && source.rank() > rank) {
                errors.add(format!(
                    "{}: has no effect with {}, {because}: expected only one of {source} and {at}",
                    other.name, one.name
                ));
            } else {
                self.note(format!("{} in {source} is ignored: {} in {at} overrides it", other.name, one.name));
            }
            self.values.remove(other.name);
        }
    }

    /// Its text and where it was given, if it was.
    pub(super) fn text(&self, setting: Setting) -> Option<(String, Source)> {
        self.values.get(setting.name).map(|value| (value.text.clone(), value.source.clone()))
    }

    /// Something to be logged once the log has started.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(Note { is_warning: false, text: note });
    }

    /// The same for what may be against what was meant.
    pub(super) fn warn(&mut self, note: String) {
        self.notes.push(Note { is_warning: true, text: note });
    }

    /// What was ignored, and why.
    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Keeps the first value of each name: sources are read in order of precedence.
    pub(super) fn put(&mut self, setting: Setting, text: String, source: Source) {
        self.values.entry(setting.name).or_insert(RawValue { text, source });
    }
}

/// That a name is unknown, with the known one that was meant, perhaps.
pub(super) fn unknown(what: &str, name: &str, names: impl IntoIterator<Item = String>) -> String {
    match setting::nearest(name, names) {
        Some(near) => format!("{name}: unknown {what}: expected {near}, perhaps"),
        None => format!("{name}: unknown {what}"),
    }
}
