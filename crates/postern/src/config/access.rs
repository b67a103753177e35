//! How callers are recognized: the settings, and what is made of the files that they name.
//!
//! The settings are read once. The files are read at the start and again whenever their content changes (`crate::access`); from all of them
//! together one [`Authentication`] is made, or none.

use std::{io, sync::Arc, time::Duration};

use hyper::header::HeaderName;
use ipnet::IpNet;
use postern_access::{Algorithm, KeySet, NameMapping, Roles, Rules, TokenRules, User, Users};
use postern_http::{Authentication, Basic, Bearer, Certificate, Gateway, PassThrough, TokenKeys};
use postern_kafka::Security;
use postern_proxy::{INTERNAL_TOPICS, Identities};

use super::{
    ConfigErrors, Env,
    kafka_identities::{ConfiguredLogins, KafkaIdentityFile},
    pass_through,
    pass_through_settings::KAFKA_IDENTITIES,
    properties,
    raw::RawConfig,
    setting, value,
};

/// What is chosen.
#[derive(Debug, PartialEq)]
pub(crate) struct AccessConfig {
    pub(crate) way: Way,
    /// The file of rules.
    pub(crate) rules: Option<String>,
    /// The topics of the registry and of replicas, which rules have to name.
    pub(crate) own_topics: Vec<String>,
    /// Who is who for Kafka; `None`: everybody is this server there.
    pub(crate) identities: Option<KafkaIdentityFile>,
}

/// What is made of the files.
pub(crate) struct Decisions {
    pub(crate) authentication: Authentication,
    pub(crate) rules: Option<Arc<Rules>>,
    pub(crate) identities: Option<ConfiguredLogins>,
    /// What is weak, or perhaps not meant so.
    pub(crate) doubts: Vec<String>,
}

/// The one way in which callers are recognized.
#[derive(Debug, PartialEq)]
pub(crate) enum Way {
    Nobody,
    Basic {
        users: UsersFile,
        realm: String,
    },
    Bearer {
        rules: TokenRules,
        keys: KeysFrom,
    },
    Certificate {
        name: NameMapping,
    },
    Gateway {
        from: Vec<IpNet>,
        secret: Option<(HeaderName, String)>,
        user: HeaderName,
        groups: Option<(HeaderName, char)>,
    },
    PassThrough(pass_through::PassThrough),
}

/// A file of users.
#[derive(Debug, PartialEq)]
pub(crate) enum UsersFile {
    Htpasswd(String),
    Properties { path: String, roles: Roles },
}

/// Where the keys of tokens are.
#[derive(Debug, PartialEq)]
pub(crate) enum KeysFrom {
    File(String),
    Url(String),
}

/// A way as it is written.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Nobody,
    Basic,
    Bearer,
    Certificate,
    Gateway,
    PassThrough,
}

fn way(text: &str) -> Result<Named, &'static str> {
    match text {
        "nobody" => Ok(Named::Nobody),
        "basic" => Ok(Named::Basic),
        "bearer" => Ok(Named::Bearer),
        "certificate" => Ok(Named::Certificate),
        "gateway" => Ok(Named::Gateway),
        "pass-through" => Ok(Named::PassThrough),
        _ => Err("nobody, basic, bearer, certificate, gateway or pass-through"),
    }
}

fn text(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("a text that is not blank") } else { Ok(text.to_owned()) }
}

fn list(text: &str) -> Result<Vec<String>, &'static str> {
    let parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
    if parts.iter().any(String::is_empty) { Err("names with commas between") } else { Ok(parts) }
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, &'static str> {
    const EXPECTED: &str =
        "algorithms with commas between: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    text.split(',').map(|name| Algorithm::parse(name.trim()).ok_or(EXPECTED)).collect()
}

fn keys(text: &str) -> Result<KeysFrom, &'static str> {
    let is_local = |rest: &str| ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| rest.starts_with(host));
    match text.split_once("://") {
        Some(("https", _)) => Ok(KeysFrom::Url(text.to_owned())),
        Some(("http", rest)) if is_local(rest) => Ok(KeysFrom::Url(text.to_owned())),
        Some(_) => Err("a file, or an https URL: keys that anybody on the way can change protect nothing"),
        None if text.is_empty() => Err("a file or an https URL"),
        None => Ok(KeysFrom::File(text.to_owned())),
    }
}

fn mapping(text: &str) -> Result<NameMapping, &'static str> {
    NameMapping::parse(text).ok_or("subject, cn, san-uri, san-dns or san-email")
}

fn header(text: &str) -> Result<HeaderName, &'static str> {
    HeaderName::try_from(text).map_err(|_| "the name of a header")
}

fn separator(text: &str) -> Result<char, &'static str> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => Ok(one),
        _ => Err("one character"),
    }
}

impl AccessConfig {
    /// Reads the settings, and tries the files.
    pub(super) fn read<'a>(
        raw: &mut RawConfig,
        env: &impl Env,
        own_topics: impl Iterator<Item = &'a str>,
        security: &Security,
        errors: &mut ConfigErrors,
    ) -> AccessConfig {
        let rules = raw.text(setting::ACCESS_RULES).map(|(path, _)| path);
        let own_topics = own_topics.map(str::to_owned).collect();
        let named = raw.take(setting::AUTHENTICATION, way, errors);
        refuse_settings_of_others(raw, named, errors);
        let identities = KafkaIdentityFile::read(raw, security, named == Named::PassThrough, errors);
        if named != Named::PassThrough {
            pass_through::refuse_all(raw, errors);
        }
        let missing = |setting: super::Setting, errors: &mut ConfigErrors| {
            errors.add(format!("{}: not set: expected {}", setting.name, setting.operand.unwrap_or_default()));
        };
        let way = match named {
            Named::Nobody => Way::Nobody,
            Named::Basic => {
                let realm = raw.take(setting::BASIC_REALM, text, errors);
                let roles = raw.find(setting::BASIC_ROLES, list, errors).map_or(Roles::Any, Roles::OneOf);
                let (htpasswd, properties) = (raw.text(setting::BASIC_USERS), raw.text(setting::BASIC_PROPERTIES));
                let users = match (htpasswd, properties) {
                    (Some((path, _)), None) => UsersFile::Htpasswd(path),
                    (None, Some((path, _))) => UsersFile::Properties { path, roles },
                    (found, _) => {
                        let found = if found.is_some() { "both" } else { "neither" };
                        errors.add(format!("basic-users: expected it or basic-properties, found {found}"));
                        return AccessConfig { way: Way::Nobody, rules, own_topics, identities };
                    }
                };
                Way::Basic { users, realm }
            }
            Named::Bearer => {
                let issuer = raw.find(setting::BEARER_ISSUER, text, errors);
                let audience = raw.find(setting::BEARER_AUDIENCE, list, errors);
                let keys = raw.find(setting::BEARER_KEYS, keys, errors);
                for setting in [setting::BEARER_ISSUER, setting::BEARER_AUDIENCE, setting::BEARER_KEYS] {
                    if !raw.has(setting) {
                        missing(setting, errors);
                    }
                }
                let rules = TokenRules {
                    issuer: issuer.unwrap_or_default(),
                    audience: audience.unwrap_or_default(),
                    algorithms: raw.take(setting::BEARER_ALGORITHMS, algorithms, errors),
                    name_claim: raw.take(setting::BEARER_NAME_CLAIM, text, errors),
                    groups_claim: raw.find(setting::BEARER_GROUPS_CLAIM, text, errors),
                    skew: raw.take(setting::BEARER_SKEW, value::time, errors).min(Duration::from_secs(600)),
                };
                Way::Bearer { rules, keys: keys.unwrap_or(KeysFrom::File(String::new())) }
            }
            Named::PassThrough => Way::PassThrough(pass_through::PassThrough::read(raw, errors)),
            Named::Certificate => Way::Certificate { name: raw.take(setting::CERTIFICATE_NAME, mapping, errors) },
            Named::Gateway => {
                let from = raw.find(setting::GATEWAY_FROM, value::networks, errors).unwrap_or_default();
                let secret_header = raw.take(setting::GATEWAY_SECRET_HEADER, header, errors);
                let secret = raw.text(setting::GATEWAY_SECRET).map(|(path, _)| (secret_header, path));
                if !raw.has(setting::GATEWAY_FROM) && secret.is_none() {
                    errors.add(
                        "gateway-from: not set: anybody could claim any name: expected the networks of the gateway here, or \
                         gateway-secret"
                            .to_owned(),
                    );
                }
                if secret.is_none() {
                    raw.warn(
                        "whoever sends from gateway-from may claim any name: where others share these addresses set \
                         gateway-secret, too"
                            .to_owned(),
                    );
                }
                let groups = raw.find(setting::GATEWAY_GROUPS, header, errors);
                let between = raw.take(setting::GATEWAY_GROUPS_SEPARATOR, separator, errors);
                let user = raw.take(setting::GATEWAY_USER, header, errors);
                Way::Gateway { from, secret, user, groups: groups.map(|groups| (groups, between)) }
            }
        };
        let config = AccessConfig { way, rules, own_topics, identities };
        if errors.is_empty() {
            match config.build(&|path| env.file(path), &TokenKeys::default(), None) {
                Ok(decisions) => {
                    decisions.doubts.into_iter().for_each(|doubt| raw.warn(doubt));
                    if let Some(identities) = decisions.identities {
                        identities.check(env, raw, errors);
                    }
                }
                Err(faults) => faults.into_iter().for_each(|fault| errors.add(fault)),
            }
        }
        config
    }

    /// Whether callers are asked who they are, or what those may do who are not is said.
    pub(crate) fn asks(&self) -> bool {
        self.way != Way::Nobody || self.rules.is_some()
    }

    /// The files that decide, whose change is to be noticed: [`AccessConfig::files_of_way`], then those that say who may do what, as whom.
    pub(crate) fn files(&self) -> Vec<&str> {
        let identities = self.identities.as_ref().map(|identities| identities.path.as_str());
        self.files_of_way().into_iter().chain(self.rules.as_deref()).chain(identities).collect()
    }

    /// The files by which callers are recognized.
    pub(crate) fn files_of_way(&self) -> Vec<&str> {
        match &self.way {
            Way::Nobody
            | Way::Certificate { .. }
            | Way::PassThrough(_)
            | Way::Bearer { keys: KeysFrom::Url(_), .. } => Vec::new(),
            Way::Basic { users: UsersFile::Htpasswd(path) | UsersFile::Properties { path, .. }, .. } => {
                vec![path.as_str()]
            }
            Way::Bearer { keys: KeysFrom::File(path), .. } => vec![path.as_str()],
            Way::Gateway { secret, .. } => secret.iter().map(|(_, path)| path.as_str()).collect(),
        }
    }

    /// Makes of the settings and the texts of the files what decides, and says what is weak about it. The keys of tokens go into `keys`,
    /// where they come from a file. Callers whom Kafka knows are those of `identities`.
    ///
    /// # Errors
    /// All faults, as sentences; never a secret.
    pub(crate) fn build(
        &self,
        read: &dyn Fn(&str) -> io::Result<String>,
        keys: &TokenKeys,
        identities: Option<&Identities>,
    ) -> Result<Decisions, Vec<String>> {
        let file = |setting: super::Setting, path: &str| {
            read(path).map_err(|error| vec![format!("{}: the file {path:?} cannot be read ({error})", setting.name)])
        };
        let fault =
            |setting: super::Setting, path: &str, fault: &str| vec![format!("{}: {path}: {fault}", setting.name)];
        let mut weaknesses = Vec::new();
        let authentication = match &self.way {
            Way::Nobody => Authentication::Nobody,
            Way::Basic { users: UsersFile::Htpasswd(path), realm } => {
                let text = file(setting::BASIC_USERS, path)?;
                let users = Users::htpasswd(&text).map_err(|found| fault(setting::BASIC_USERS, path, &found))?;
                Authentication::Basic(Box::new(Basic::new(users, realm)))
            }
            Way::Basic { users: UsersFile::Properties { path, roles }, realm } => {
                let text = file(setting::BASIC_PROPERTIES, path)?;
                let broken = |line| format!("a \\u without four hexadecimal digits in line {line}");
                let entries = properties::parse(&text).map_err(broken);
                let users = entries.and_then(|entries| {
                    // As in Java, the last of repeated keys holds.
                    let last: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
                    Users::realm(last.iter().map(|(name, value)| User { name, value }), roles.clone())
                });
                let (users, weak) = users.map_err(|found| fault(setting::BASIC_PROPERTIES, path, &found))?;
                weaknesses.extend(weak.into_iter().map(|weakness| format!("{path}: {weakness}; better basic-users")));
                Authentication::Basic(Box::new(Basic::new(users, realm)))
            }
            Way::Bearer { rules, keys: from } => {
                if let KeysFrom::File(path) = from {
                    let text = file(setting::BEARER_KEYS, path)?;
                    let set = KeySet::parse(&text)
                        .map_err(|expected| fault(setting::BEARER_KEYS, path, &format!("expected {expected}")))?;
                    keys.attempted(Some(set));
                }
                Authentication::Bearer(Bearer::new(rules.clone(), keys.clone()))
            }
            Way::PassThrough(chosen) => {
                let identities = identities.cloned().unwrap_or_else(|| Identities::new(chosen.identities.clone()));
                Authentication::PassThrough(Box::new(PassThrough::new(identities)))
            }
            Way::Certificate { name } => Authentication::Certificate(Certificate { name: *name }),
            Way::Gateway { from, secret, user, groups } => {
                let secret = match secret {
                    None => None,
                    Some((header, path)) => {
                        let text = file(setting::GATEWAY_SECRET, path)?;
                        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                        let secrets: Vec<String> = lines.map(str::to_owned).collect();
                        let is_long = |secret: &String| secret.len() >= SECRET_MIN;
                        if secrets.is_empty() || !secrets.iter().all(is_long) {
                            let expected =
                                format!("expected a secret of at least {SECRET_MIN} characters in each line");
                            return Err(fault(setting::GATEWAY_SECRET, path, &expected));
                        }
                        Some((header.clone(), secrets))
                    }
                };
                let (from, user, groups) = (from.clone(), user.clone(), groups.clone());
                Authentication::Gateway(Gateway { from, secret, user, groups })
            }
        };
        let rules = match &self.rules {
            None => None,
            Some(path) => {
                let text = file(setting::ACCESS_RULES, path)?;
                let own_topics = self.own_topics.iter().map(String::as_str);
                let internal: Vec<&str> = INTERNAL_TOPICS.into_iter().chain(own_topics).collect();
                let faults = |faults: Vec<String>| -> Vec<String> {
                    faults.iter().flat_map(|one| fault(setting::ACCESS_RULES, path, one)).collect()
                };
                let (rules, doubts) = Rules::parse(&text, &internal).map_err(faults)?;
                weaknesses.extend(doubts.into_iter().map(|doubt| format!("{path}: {doubt}")));
                if matches!(self.way, Way::PassThrough(_)) && rules.names_anonymous() {
                    weaknesses.push(format!(
                        "{path}: anonymous is nobody with authentication = pass-through: who sends no credentials is refused"
                    ));
                }
                Some(Arc::new(rules))
            }
        };
        let identities = match &self.identities {
            None => None,
            Some(identities) => {
                let path = &identities.path;
                let faults = |faults: Vec<String>| -> Vec<String> {
                    faults.iter().flat_map(|one| fault(KAFKA_IDENTITIES, path, one)).collect()
                };
                let built = identities.build(&file(KAFKA_IDENTITIES, path)?).map_err(faults)?;
                weaknesses.extend(built.doubts.iter().map(|doubt| format!("{path}: {doubt}")));
                Some(built)
            }
        };
        Ok(Decisions { authentication, rules, identities, doubts: weaknesses })
    }
}

/// Characters of a secret that cannot be guessed.
const SECRET_MIN: usize = 16;

/// Settings of a way that is not the chosen one: somebody expects a protection that is not there.
fn refuse_settings_of_others(raw: &RawConfig, named: Named, errors: &mut ConfigErrors) {
    let of = |setting: &super::Setting| match setting.name.split('-').next() {
        Some("basic") => Some((Named::Basic, "basic")),
        Some("bearer") => Some((Named::Bearer, "bearer")),
        Some("certificate") => Some((Named::Certificate, "certificate")),
        Some("gateway") => Some((Named::Gateway, "gateway")),
        _ => None,
    };
    for setting in setting::ALL.iter().filter(|setting| setting.heading == setting::ACCESS && raw.has(**setting)) {
        // What the originals' settings imply has no effect there, either.
        let is_confluent = raw.text(*setting).is_some_and(|(_, source)| source.is_confluent());
        if let Some((_, word)) = of(setting).filter(|(way, _)| *way != named && !is_confluent) {
            errors.add(format!("{}: has no effect: expected authentication = {word} beside it", setting.name));
        }
    }
}
