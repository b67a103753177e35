//! TLS of HTTP listeners, from the texts of the settings. What would have no effect stops the start: whoever writes it means to be
//! protected by it. Where it stands in settings of Confluent's servers it is a warning, as it has no effect there, either.

use postern_http::TlsVersion;
use postern_kafka::{KeyStore, TrustStore};

use super::{
    ConfigErrors,
    https_settings::{HTTPS, HttpsSettings, REGISTRY_HTTPS},
    raw::RawConfig,
    security::{secret, store},
    setting::{AUTHENTICATION, Setting},
    value::HttpAddress,
};

/// What HTTPS listeners show, and ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Https {
    pub(crate) key: KeyStore,
    pub(crate) versions: Vec<TlsVersion>,
    pub(crate) clients: Clients,
}

/// Whether clients show a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Clients {
    NotAsked,
    Requested(TrustStore),
    Required(TrustStore),
}

/// What the listeners of each group need: `all` of all but the registry's, and of those as well unless they have settings of their own.
pub(super) fn both(
    all: &[(Setting, HttpAddress)],
    registry: &[(Setting, HttpAddress)],
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> (Option<Https>, Option<Https>) {
    let has_own = REGISTRY_HTTPS.all().iter().any(|setting| raw.has(*setting));
    let shared: Vec<_> = match has_own {
        true => all.to_vec(),
        false => all.iter().chain(registry).copied().collect(),
    };
    let https = resolve(&HTTPS, &shared, raw, errors);
    match has_own {
        true => (https, resolve(&REGISTRY_HTTPS, registry, raw, errors)),
        false => (https.clone(), https),
    }
}

/// Where callers are recognized by their certificates, a server without a listener that asks for them would recognize nobody.
pub(super) fn demand_certificates(
    setting: Setting,
    listen: &[HttpAddress],
    https: Option<&Https>,
    raw: &RawConfig,
    errors: &mut ConfigErrors,
) {
    let is_asked = https.is_some_and(|https| https.clients != Clients::NotAsked);
    if listen.is_empty() || (is_asked && listen.iter().any(|address| address.is_tls)) {
        return;
    }
    let found: Vec<String> = listen.iter().map(ToString::to_string).collect();
    errors.add(format!(
        "{}: certificate{}, but at {} {} no client is asked for one, and nobody would be recognized: expected https:// there, and \
         {} = required or requested",
        AUTHENTICATION.name,
        raw.source(AUTHENTICATION),
        setting.name,
        found.join(","),
        HTTPS.client_authentication.name
    ));
}

fn resolve(
    table: &HttpsSettings,
    listeners: &[(Setting, HttpAddress)],
    raw: &mut RawConfig,
    errors: &mut ConfigErrors,
) -> Option<Https> {
    let Some((setting, address)) = listeners.iter().find(|(_, address)| address.is_tls) else {
        let without = "without a listener of https://";
        table.all().iter().for_each(|setting| has_no_effect(*setting, without, raw, errors));
        return None;
    };
    let key = raw.find(table.keystore, store, errors).map(|store| KeyStore {
        store,
        key: raw.find(table.key, super::security::store, errors),
        password: secret(raw, table.keystore_password, errors),
        key_password: secret(raw, table.key_password, errors),
    });
    if key.is_none() && !raw.has(table.keystore) {
        let source = raw.source(*setting);
        errors.add(format!("{}: nothing found, but {} is {address}{source}", table.keystore.name, setting.name));
    }
    let versions = raw.take(table.versions, versions, errors);
    let clients = clients(table, raw, errors);
    Some(Https { key: key?, versions, clients })
}

fn clients(table: &HttpsSettings, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Clients {
    let make: fn(TrustStore) -> Clients = match raw.take(table.client_authentication, asked, errors) {
        Asked::Not => {
            let asked = "while clients are not asked for certificates";
            for setting in [table.truststore, table.truststore_password.given, table.truststore_password.file] {
                has_no_effect(setting, asked, raw, errors);
            }
            return Clients::NotAsked;
        }
        Asked::Requested => Clients::Requested,
        Asked::Required => Clients::Required,
    };
    match raw.find(table.truststore, store, errors) {
        Some(store) => make(TrustStore { store, password: secret(raw, table.truststore_password, errors) }),
        None => {
            if !raw.has(table.truststore) {
                let asked = table.client_authentication.name;
                errors.add(format!(
                    "{}: nothing found, but {asked} asks for certificates of clients",
                    table.truststore.name
                ));
            }
            Clients::NotAsked
        }
    }
}

fn has_no_effect(setting: Setting, because: &str, raw: &mut RawConfig, errors: &mut ConfigErrors) {
    match raw.text(setting) {
        Some((_, source)) if source.is_confluent() => raw.warn(format!("{source} has no effect {because}")),
        Some((_, source)) => errors.add(format!("{}: has no effect {because}: found in {source}", setting.name)),
        None => {}
    }
}

#[derive(Clone, Copy)]
enum Asked {
    Not,
    Requested,
    Required,
}

fn asked(text: &str) -> Result<Asked, &'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "none" => Ok(Asked::Not),
        "requested" => Ok(Asked::Requested),
        "required" => Ok(Asked::Required),
        _ => Err("none, requested or required"),
    }
}

fn versions(text: &str) -> Result<Vec<TlsVersion>, &'static str> {
    let version = |one: &str| match one.trim() {
        "1.2" => Some(TlsVersion::V1_2),
        "1.3" => Some(TlsVersion::V1_3),
        _ => None,
    };
    text.split(',').map(version).collect::<Option<_>>().ok_or("1.2, 1.3 or both with a comma between")
}
