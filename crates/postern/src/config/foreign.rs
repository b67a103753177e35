//! The variables and properties files of Confluent's REST Proxy and Schema Registry, as their images and start scripts take them.
//!
//! A setting that was given is looked up in the table `confluent` and gets the fate that stands there. Above all: where any of them says that
//! one of those servers is meant, the cluster is the one that is named, or nothing starts. A private broker never takes its place.
//! Variable names become names of settings as in the images: `___` is `-`, `__` is `_`, `_` is `.`, in lower case.

use postern_kafka::Security;

use super::{
    ConfigErrors, Env,
    confluent::{Fate, Row, Scope, TABLE},
    kafka_security::Asked,
    named_listeners::{Becomes, without_names},
    properties,
    raw::{RawConfig, Source},
    realm,
    setting::{self, Setting},
    translate,
    variables::is_service_link,
};

/// Which of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Rest,
    Registry,
}

impl Family {
    const BOTH: [Family; 2] = [Family::Rest, Family::Registry];

    fn server(self) -> &'static str {
        match self {
            Family::Rest => "Confluent's REST Proxy",
            Family::Registry => "Confluent's Schema Registry",
        }
    }

    /// What its variables begin with.
    fn prefix(self) -> &'static str {
        match self {
            Family::Rest => "KAFKA_REST_",
            Family::Registry => "SCHEMA_REGISTRY_",
        }
    }

    /// Variables with options of its virtual machine.
    fn options(self) -> &'static [&'static str] {
        match self {
            Family::Rest => &["KAFKAREST_OPTS", "KAFKA_OPTS"],
            Family::Registry => &["SCHEMA_REGISTRY_OPTS", "KAFKA_OPTS"],
        }
    }

    /// The setting of ours that names its properties file.
    fn file(self) -> Setting {
        match self {
            Family::Rest => setting::KAFKA_REST_PROPERTIES,
            Family::Registry => setting::SCHEMA_REGISTRY_PROPERTIES,
        }
    }

    /// What stands before settings of the Kafka client, the one that wins first.
    fn client_prefixes(self) -> &'static [&'static str] {
        match self {
            Family::Rest => &["producer.", "consumer.", "admin.", "client."],
            Family::Registry => &["kafkastore."],
        }
    }

    fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::Rest => self == Family::Rest,
            Scope::Registry => self == Family::Registry,
            Scope::Both => true,
            Scope::Client => false,
        }
    }

    /// The row of a setting, its place in the table, and the place of its prefix among those of the client.
    pub(super) fn row(self, name: &str) -> Option<(usize, usize, &'static Row)> {
        let own = |(_, row): &(usize, &'static Row)| self.has(row.scope) && row.is_for(name);
        if let Some((place, row)) = TABLE.iter().enumerate().find(own) {
            return Some((place, 0, row));
        }
        self.client_prefixes().iter().enumerate().find_map(|(rank, prefix)| {
            let rest = name.strip_prefix(prefix)?;
            let of_client = |(_, row): &(usize, &'static Row)| row.scope == Scope::Client && row.is_for(rest);
            TABLE.iter().enumerate().find(of_client).map(|(place, row)| (place, rank, row))
        })
    }

    /// The known name of a setting that is most like `name`.
    fn nearest(self, name: &str) -> Option<String> {
        let plain = TABLE.iter().filter(|row| !row.name.ends_with('*'));
        let names = plain.flat_map(|row| match row.scope {
            Scope::Client => self.client_prefixes().iter().map(|prefix| format!("{prefix}{}", row.name)).collect(),
            scope if self.has(scope) => vec![row.name.to_owned()],
            _ => Vec::new(),
        });
        setting::nearest(name, names)
    }
}

/// One setting that was given.
struct Given {
    family: Family,
    name: String,
    value: String,
    source: Source,
}

impl Given {
    /// Its name as it was written, or as another one would be.
    fn written(&self, name: &str) -> String {
        match self.source {
            Source::ConfluentVariable(_) => variable(self.family, name),
            _ => name.to_owned(),
        }
    }
}

/// How one of the two servers reaches its cluster.
#[derive(Clone, PartialEq)]
pub(super) struct Connection {
    /// `host:port`, separated by commas; empty: not named.
    pub(super) servers: String,
    pub(super) security: Security,
}

/// How each of the two reaches its cluster, if it is asked for.
#[derive(Default)]
pub(super) struct Connections {
    pub(super) rest: Option<Connection>,
    pub(super) registry: Option<Connection>,
}

/// Reads them into `raw`, but for how connections are secured, which is returned.
pub(super) fn read(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Connections {
    let mut given = from_variables(env, raw, errors);
    for family in Family::BOTH {
        from_file(env, family, raw, &mut given, errors);
        given = without_listener_names(family, given, raw, errors);
    }
    let mut meant = Vec::new();
    let mut asked = [Asked::default(), Asked::default()];
    let mut servers = [String::new(), String::new()];
    let mut known = Vec::new();
    for given in given {
        match given.family.row(&given.name) {
            Some((place, rank, row)) => known.push((place, rank, row, given)),
            None => {
                let near = given.family.nearest(&given.name);
                if near.is_some() || given.name.contains("bootstrap") {
                    meant.push((given.family, given.written(&given.name)));
                }
                let near =
                    near.map_or_else(String::new, |near| format!("; perhaps {} was meant", given.written(&near)));
                raw.warn(format!("{} has no effect: it is not known{near}", given.written(&given.name)));
            }
        }
    }
    // Of two names of one setting the one that stands earlier in the table holds; variables come before files.
    known.sort_by_key(|(place, rank, _, given)| (*place, *rank, given.family));
    for (_, rank, row, given) in known {
        if !row.is_incidental() {
            meant.push((given.family, given.written(&given.name)));
        }
        let of = given.family as usize;
        if let Fate::Security = row.fate {
            let name = given.name.strip_prefix(given.family.client_prefixes()[rank]).unwrap_or(&given.name);
            asked[of].put(name, given.written(&given.name), &given.value, errors);
        } else if row.name.ends_with("bootstrap.servers") {
            for (protocol, _) in given.value.split(',').filter_map(|server| server.split_once("://")) {
                asked[of].put_prefix(given.written(&given.name), protocol);
            }
            servers[of] = translate::servers(&given.value).ok().flatten().unwrap_or_default();
        }
        apply(row, &given, raw, errors);
    }
    demand_cluster(&meant, raw, errors);
    imply_listeners(&meant, raw);
    for (family, asked) in Family::BOTH.into_iter().zip(&mut asked).filter(|(_, asked)| asked.lacks_login()) {
        match realm::kafka_client(env, family.options()) {
            Ok(Some((written, login))) => asked.put("sasl.jaas.config", written, &login, errors),
            Ok(None) => {}
            Err(fault) => errors.add(fault),
        }
    }
    let mut connection = |family: Family| {
        let is_meant = meant.iter().any(|(of, _)| *of == family);
        is_meant.then(|| Connection {
            servers: std::mem::take(&mut servers[family as usize]),
            security: asked[family as usize].security(raw, errors),
        })
    };
    Connections { rest: connection(Family::Rest), registry: connection(Family::Registry) }
}

fn from_variables(env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Vec<Given> {
    let mut variables = env.variables();
    variables.sort();
    let mut given = Vec::new();
    let mut service_links = Vec::new();
    for (name, value) in variables {
        let found = Family::BOTH.iter().find_map(|family| Some((*family, name.strip_prefix(family.prefix())?)));
        let Some((family, rest)) = found else { continue };
        if is_service_link(&name, &value) {
            service_links.push(name);
            continue;
        }
        // An empty variable is one that is not set, but for the one setting that means something by it.
        if value.is_empty() && !rest.ends_with("SSL_ENDPOINT_IDENTIFICATION_ALGORITHM") {
            continue;
        }
        let Some(property) = property(rest) else {
            errors.add(format!("{name}: four underscores in a row stand for nothing: expected one, two or three"));
            continue;
        };
        // The images write the value into a properties file, by whose rules it is read.
        match properties::parse(&format!("{property}={value}")) {
            Ok(entries) => given.extend(entries.into_iter().map(|(property, value)| Given {
                family,
                name: property,
                value,
                source: Source::ConfluentVariable(name.clone()),
            })),
            Err(_) => errors.add(format!("{name}: \\u without four hexadecimal digits: expected \\\\ for a backslash")),
        }
    }
    if let Some(first) = service_links.first() {
        raw.note(format!(
            "{} environment variables that Kubernetes sets for services are ignored ({first}, …)",
            service_links.len()
        ));
    }
    given
}

fn from_file(env: &impl Env, family: Family, raw: &RawConfig, given: &mut Vec<Given>, errors: &mut ConfigErrors) {
    let Some((path, source)) = raw.text(family.file()) else { return };
    let entries = match env.file(&path).map(|text| properties::parse(&text)) {
        Ok(Ok(entries)) => entries,
        Ok(Err(line)) => {
            return errors.add(format!(
                "{}: the file {path} has a \\u without four hexadecimal digits in line {line}",
                family.file().name
            ));
        }
        Err(error) => {
            return errors.add(format!(
                "{}: the file {path:?} in {source} cannot be read ({error}): expected a properties file",
                family.file().name
            ));
        }
    };
    let mut last = std::collections::BTreeMap::new();
    for (name, value) in entries {
        last.insert(name, value);
    }
    for (name, value) in last {
        let is_known = given.iter().any(|other| other.family == family && other.name == name);
        // Variables win, as the images write them over the file; empty is not set, as in variables.
        if !is_known && (!value.is_empty() || name.ends_with("ssl.endpoint.identification.algorithm")) {
            let source = Source::ConfluentFile { name: name.clone(), path: path.clone() };
            given.push(Given { family, name, value, source });
        }
    }
}

/// The same settings, of which those of named listeners of one server have become plain ones.
fn without_listener_names(
    family: Family,
    given: Vec<Given>,
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> Vec<Given> {
    let (own, mut others): (Vec<Given>, Vec<Given>) = given.into_iter().partition(|given| given.family == family);
    let settings: Vec<(&str, &str)> = own.iter().map(|given| (given.name.as_str(), given.value.as_str())).collect();
    let becomes = match without_names(&settings) {
        Ok(becomes) => becomes,
        Err((place, why)) => {
            errors.add(format!("{}: {why}", own[place].written(&own[place].name)));
            return others;
        }
    };
    for (given, becomes) in own.into_iter().zip(becomes) {
        match becomes {
            Becomes::Same => others.push(given),
            Becomes::Another { name, value } => others.push(Given { name, value, ..given }),
            Becomes::Nothing => {}
            Becomes::NoEffect(why) => raw.warn(format!("{} has no effect: {why}", given.written(&given.name))),
        }
    }
    others
}

/// The name of the setting that a variable stands for, without its prefix; `None`: four underscores in a row.
fn property(variable: &str) -> Option<String> {
    if variable.contains("____") {
        return None;
    }
    let dashes = variable.replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_");
    Some(dashes.to_lowercase())
}

/// The variable that stands for a setting.
pub(super) fn variable(family: Family, property: &str) -> String {
    let rest = property.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("{}{}", family.prefix(), rest.to_uppercase())
}

fn apply(row: &Row, given: &Given, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    let (name, source) = (given.written(&given.name), &given.source);
    match &row.fate {
        Fate::Honoured(setting, translate) => match translate(&given.value) {
            Ok(Some(text)) => place(*setting, text, given, raw),
            Ok(None) => {}
            Err(expected) => {
                let found = setting.shown(&given.value);
                errors.add(format!("{name}: found {found:?} in {source}: expected {expected}"));
            }
        },
        Fate::NoEffect(note) => raw.warn(format!("{name} has no effect: {note}")),
        Fate::Refused(_) if row.name == "bootstrap.servers" && names_the_same(given, raw) => {}
        Fate::Refused(reason) => errors.add(format!("{name}: {reason}: expected that it is not set")),
        Fate::Only(allowed, reason) => {
            let value = given.value.trim();
            if !allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(value)) {
                let allowed = allowed.join(" or ");
                errors.add(format!("{name}: found {value:?} in {source}: {reason}: expected {allowed}"));
            }
        }
        Fate::Security => {}
    }
}

/// Whether a list of servers behind a prefix is that of the server itself, as compose files for clouds repeat it.
fn names_the_same(given: &Given, raw: &RawConfig) -> bool {
    let cluster = raw.text(setting::BOOTSTRAP_SERVERS).map(|(text, _)| text);
    translate::servers(&given.value).is_ok_and(|servers| servers == cluster)
}

/// Keeps a translated value, unless a source of higher precedence says something else.
fn place(setting: Setting, text: String, given: &Given, raw: &mut RawConfig) {
    match raw.text(setting) {
        None => raw.put(setting, text, given.source.clone()),
        Some((other, _)) if other == text => {}
        // The registry then has a connection of its own.
        Some((_, winner)) if setting == setting::BOOTSTRAP_SERVERS && winner.is_confluent() => {}
        Some((_, winner)) => raw.note(format!("{} is ignored: {winner} overrides it", given.source)),
    }
}

/// Whoever sets names of those servers has a cluster: it is the one that is named, or nothing starts.
fn demand_cluster(meant: &[(Family, String)], raw: &RawConfig, errors: &mut ConfigErrors) {
    if raw.has(setting::BOOTSTRAP_SERVERS) {
        return;
    }
    for family in Family::BOTH {
        let name = match meant.iter().find(|(of, _)| *of == family) {
            Some((_, name)) => name.clone(),
            None if raw.has(family.file()) => family.file().name.to_owned(),
            None => continue,
        };
        let expected = match family {
            Family::Rest => "bootstrap.servers (KAFKA_REST_BOOTSTRAP_SERVERS)",
            Family::Registry => "kafkastore.bootstrap.servers (SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS)",
        };
        errors.add(format!(
            "{name}: asks for {}, but no cluster is named, and no broker is started in its place: expected {expected}",
            family.server()
        ));
    }
}

/// Listeners as in the originals: on all interfaces, and only of the servers that are asked for.
fn imply_listeners(meant: &[(Family, String)], raw: &mut RawConfig) {
    let is_meant = |family: Family| {
        let name = meant.iter().find(|(of, _)| *of == family).map(|(_, name)| name.clone());
        name.or_else(|| raw.has(family.file()).then(|| family.file().name.to_owned()))
    };
    let (rest, registry) = (is_meant(Family::Rest), is_meant(Family::Registry));
    let Some(name) = rest.clone().or(registry.clone()) else { return };
    let mut imply = |setting: Setting, address: &str| {
        if !raw.has(setting) {
            raw.put(setting, address.to_owned(), Source::Implied(name.clone()));
        }
    };
    imply(setting::REST_LISTEN, if rest.is_some() { "0.0.0.0:8082" } else { "off" });
    if !raw.has(setting::SCHEMA_REGISTRY_URL) {
        let address = if registry.is_some() { "0.0.0.0:8081" } else { "off" };
        if !raw.has(setting::REGISTRY_LISTEN) {
            raw.put(setting::REGISTRY_LISTEN, address.to_owned(), Source::Implied(name));
        }
    }
}
