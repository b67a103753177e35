//! TLS and SASL towards Kafka, from the texts of the settings. What contradicts itself, and what would have no effect, stops the
//! start: whoever writes it means to be protected by it.

use std::path::PathBuf;

use postern_kafka::{ClientCredentials, KeyStore, Mechanism, Sasl, Security, Source, Tls, TokenSource, TrustStore};

use super::{
    ConfigErrors,
    raw::RawConfig,
    security_settings::{KAFKA, REGISTRY_KAFKA, SecretSetting, SecuritySettings},
    setting::{self, Setting},
    value,
};

/// Where the registry keeps its schemas, and who it is there.
#[derive(Debug, PartialEq)]
pub(crate) struct RegistryKafka {
    /// `host:port`, separated by commas.
    pub(crate) bootstrap_servers: String,
    /// TLS and SASL.
    pub(crate) security: Security,
}

/// The identity of everything, and the registry's own way to its cluster where anything is said of that.
pub(super) fn both(raw: &RawConfig, errors: &mut ConfigErrors) -> (Security, Option<RegistryKafka>) {
    let security = resolve(raw, &KAFKA, errors);
    let is_given = REGISTRY_KAFKA.all().iter().any(|setting| raw.has(*setting));
    let own_security = is_given.then(|| resolve(raw, &REGISTRY_KAFKA, errors));
    let own_servers = raw.find(setting::REGISTRY_BOOTSTRAP_SERVERS, value::bootstrap_servers, errors);
    let servers = raw.find(setting::BOOTSTRAP_SERVERS, value::bootstrap_servers, &mut ConfigErrors::default());
    if !raw.has(setting::BOOTSTRAP_SERVERS) {
        let remote =
            std::iter::once(setting::REGISTRY_BOOTSTRAP_SERVERS).chain(KAFKA.all()).chain(REGISTRY_KAFKA.all());
        for setting in remote.filter(|setting| raw.has(*setting)) {
            errors.add(format!(
                "{}: has no effect on the broker in this process: expected {} as well",
                setting.name,
                setting::BOOTSTRAP_SERVERS.name
            ));
        }
    }
    let registry = (own_security.is_some() || own_servers.is_some()).then(|| RegistryKafka {
        bootstrap_servers: own_servers.or(servers).unwrap_or_default(),
        security: own_security.unwrap_or_else(|| security.clone()),
    });
    (security, registry)
}

/// The security of one identity.
fn resolve(raw: &RawConfig, table: &SecuritySettings, errors: &mut ConfigErrors) -> Security {
    let (is_tls, is_sasl) = raw.take(table.protocol, protocol, errors);
    let tls = tls(raw, table, errors);
    let sasl = if is_sasl { sasl(raw, table, errors) } else { None };
    let unused: &[(bool, &[Setting], &str)] = &[
        (is_tls, &tls_settings(table), "SSL or SASL_SSL"),
        (is_sasl, &sasl_settings(table), "SASL_PLAINTEXT or SASL_SSL"),
    ];
    for (is_used, settings, expected) in unused {
        for setting in settings.iter().filter(|setting| !is_used && raw.has(**setting)) {
            errors.add(format!(
                "{}: has no effect with {} PLAINTEXT or another that does not need it: expected {expected} there",
                setting.name, table.protocol.name
            ));
        }
    }
    Security { tls: is_tls.then_some(tls), sasl }
}

fn tls_settings(table: &SecuritySettings) -> [Setting; 10] {
    [
        table.truststore,
        table.truststore_password.given,
        table.truststore_password.file,
        table.keystore,
        table.keystore_password.given,
        table.keystore_password.file,
        table.key,
        table.key_password.given,
        table.key_password.file,
        table.skip_host_name_check,
    ]
}

fn sasl_settings(table: &SecuritySettings) -> [Setting; 14] {
    [
        table.mechanism,
        table.username,
        table.password.given,
        table.password.file,
        table.token.given,
        table.token.file,
        table.extensions,
        table.oauth_endpoint,
        table.oauth_client_id,
        table.oauth_client_secret.given,
        table.oauth_client_secret.file,
        table.oauth_scope,
        table.oauth_audience,
        table.oauth_truststore,
    ]
}

fn tls(raw: &RawConfig, table: &SecuritySettings, errors: &mut ConfigErrors) -> Tls {
    let trust = raw.find(table.truststore, store, errors);
    let trust = trust.map(|store| TrustStore { store, password: secret(raw, table.truststore_password, errors) });
    let key = raw.find(table.keystore, store, errors).map(|store| KeyStore {
        store,
        key: raw.find(table.key, self::store, errors),
        password: secret(raw, table.keystore_password, errors),
        key_password: secret(raw, table.key_password, errors),
    });
    if key.is_none() && raw.has(table.key) {
        errors.add(format!("{}: has no effect without {}", table.key.name, table.keystore.name));
    }
    Tls { trust, key, verify_host_name: !raw.take(table.skip_host_name_check, value::switch, errors) }
}

fn sasl(raw: &RawConfig, table: &SecuritySettings, errors: &mut ConfigErrors) -> Option<Sasl> {
    if !raw.has(table.mechanism) {
        errors.add(format!(
            "{}: nothing found with {}{}: expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER (GSSAPI, which Kafka takes \
             when nothing is said, is not supported)",
            table.mechanism.name,
            table.protocol.name,
            raw.source(table.protocol)
        ));
        return None;
    }
    let mechanism = raw.find(table.mechanism, Mechanism::parse, errors)?;
    let foreign: &[Setting] = match mechanism {
        Mechanism::Plain | Mechanism::Scram(_) => &sasl_settings(table)[4..],
        Mechanism::OAuthBearer => &sasl_settings(table)[1..4],
    };
    for setting in foreign.iter().filter(|setting| raw.has(**setting)) {
        errors.add(format!("{}: has no effect with {} {}", setting.name, table.mechanism.name, mechanism.name()));
    }
    let missing = |setting: Setting, errors: &mut ConfigErrors| {
        errors.add(format!("{}: nothing found: {} {} needs it", setting.name, table.mechanism.name, mechanism.name()));
    };
    if mechanism == Mechanism::OAuthBearer {
        let extensions = raw.find(table.extensions, extensions, errors).unwrap_or_default();
        let token = token(raw, table, errors);
        if token.is_none() {
            missing(table.token.given, errors);
        }
        return Some(Sasl::OAuthBearer { token: token?, extensions });
    }
    let user = raw.find(table.username, text, errors);
    let password = secret(raw, table.password, errors);
    if user.is_none() {
        missing(table.username, errors);
    }
    if password.is_none() {
        missing(table.password.given, errors);
    }
    let (user, password) = (user?, password?);
    Some(match mechanism {
        Mechanism::Scram(hash) => Sasl::Scram { hash, user, password },
        Mechanism::Plain | Mechanism::OAuthBearer => Sasl::Plain { user, password },
    })
}

/// A token, or where tokens are had.
fn token(raw: &RawConfig, table: &SecuritySettings, errors: &mut ConfigErrors) -> Option<TokenSource> {
    let given = secret(raw, table.token, errors);
    let Some(endpoint) = raw.find(table.oauth_endpoint, text, errors) else {
        return given.map(TokenSource::Given);
    };
    if given.is_some() {
        errors.add(format!(
            "{}: a token is given, and {} says where to get one: expected one of them",
            table.token.given.name, table.oauth_endpoint.name
        ));
    }
    let client_id = raw.find(table.oauth_client_id, text, errors);
    let client_secret = secret(raw, table.oauth_client_secret, errors);
    for (is_missing, setting) in
        [(client_id.is_none(), table.oauth_client_id), (client_secret.is_none(), table.oauth_client_secret.given)]
    {
        if is_missing {
            errors.add(format!("{}: nothing found: {} needs it", setting.name, table.oauth_endpoint.name));
        }
    }
    let trust = raw.find(table.oauth_truststore, store, errors);
    // What is missing was reported: a text of nothing stands in, so that the rest is checked.
    Some(TokenSource::ClientCredentials(ClientCredentials {
        endpoint,
        client_id: client_id.unwrap_or_default(),
        client_secret: client_secret.unwrap_or_else(|| Source::inline("")),
        scope: raw.find(table.oauth_scope, text, errors),
        audience: raw.find(table.oauth_audience, text, errors),
        trust: trust.map(|store| TrustStore { store, password: None }),
    }))
}

/// A secret, given or in a file.
pub(super) fn secret(raw: &RawConfig, setting: SecretSetting, errors: &mut ConfigErrors) -> Option<Source> {
    if raw.has(setting.given) && raw.has(setting.file) {
        errors.add(format!("{}: given, and {} as well: expected one of them", setting.given.name, setting.file.name));
    }
    let given = raw.find(setting.given, text, errors).map(Source::inline);
    given.or_else(|| raw.find(setting.file, value::directory, errors).map(Source::File))
}

/// Whether TLS and SASL are part of it.
fn protocol(text: &str) -> Result<(bool, bool), &'static str> {
    match text.trim().to_ascii_uppercase().as_str() {
        "PLAINTEXT" => Ok((false, false)),
        "SSL" => Ok((true, false)),
        "SASL_PLAINTEXT" => Ok((false, true)),
        "SASL_SSL" => Ok((true, true)),
        _ => Err("PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
    }
}

/// The path of a store, or PEM.
pub(super) fn store(text: &str) -> Result<Source, &'static str> {
    match text.trim() {
        "" => Err("a file, or certificates or a key in PEM"),
        pem if pem.starts_with("-----BEGIN ") => Ok(Source::inline(pem)),
        _ => Ok(Source::File(PathBuf::from(text))),
    }
}

fn text(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a text") } else { Ok(text.to_owned()) }
}

fn extensions(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let pair = |one: &str| one.trim().split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.split(',').map(pair).collect::<Option<_>>().ok_or("NAME=VALUE, or several with commas between")
}

#[cfg(test)]
mod tests {
    use postern_kafka::ScramHash;

    use super::{super::raw, *};

    /// What the settings in `given` come to, or all that is wrong with them.
    fn read(given: &[(&str, &str)]) -> Result<(Security, Option<RegistryKafka>), String> {
        let (mut raw, mut errors) = (RawConfig::default(), ConfigErrors::default());
        for (name, text) in given {
            let setting = setting::named(name).expect("a setting");
            raw.put(setting, (*text).to_owned(), raw::Source::Argument(format!("--{name}")));
        }
        let found = both(&raw, &mut errors);
        if errors.is_empty() { Ok(found) } else { Err(errors.to_string()) }
    }

    /// The same on a cluster elsewhere.
    fn remote(given: &[(&str, &str)]) -> Result<(Security, Option<RegistryKafka>), String> {
        read(&[&[("bootstrap-servers", "kafka:9093")], given].concat())
    }

    fn file(path: &str) -> Source {
        Source::File(PathBuf::from(path))
    }

    #[test]
    fn nothing_said_is_neither_tls_nor_sasl() {
        assert_eq!(read(&[]), Ok((Security::default(), None)));
        assert_eq!(remote(&[("kafka-security-protocol", "plaintext")]), Ok((Security::default(), None)));
    }

    #[test]
    fn scram_over_tls_with_secrets_in_files() {
        let (security, registry) = remote(&[
            ("kafka-security-protocol", "SASL_SSL"),
            ("kafka-ssl-truststore", "/etc/trust.p12"),
            ("kafka-ssl-truststore-password", "changeit"),
            ("kafka-ssl-skip-host-name-check", "true"),
            ("kafka-sasl-mechanism", "SCRAM-SHA-512"),
            ("kafka-sasl-username", "ana"),
            ("kafka-sasl-password-file", "/etc/password"),
        ])
        .expect("sound");
        let trust = TrustStore { store: file("/etc/trust.p12"), password: Some(Source::inline("changeit")) };
        let tls = Tls { trust: Some(trust), key: None, verify_host_name: false };
        let sasl = Sasl::Scram { hash: ScramHash::Sha512, user: "ana".to_owned(), password: file("/etc/password") };
        assert_eq!((security, registry), (Security { tls: Some(tls), sasl: Some(sasl) }, None));
    }

    #[test]
    fn a_client_certificate_may_be_pem_in_place_of_a_file() {
        let (security, _) = remote(&[
            ("kafka-security-protocol", "SSL"),
            ("kafka-ssl-keystore", "-----BEGIN CERTIFICATE-----\nAAAA"),
            ("kafka-ssl-key", "/etc/tls.key"),
            ("kafka-ssl-key-password", "canary"),
        ])
        .expect("sound");
        let key = security.tls.as_ref().and_then(|tls| tls.key.clone()).expect("a key store");
        assert_eq!(key.store, Source::inline("-----BEGIN CERTIFICATE-----\nAAAA"));
        assert_eq!((key.key, key.key_password), (Some(file("/etc/tls.key")), Some(Source::inline("canary"))));
        assert!(!format!("{security:?}").contains("canary"));
    }

    #[test]
    fn tokens_are_given_or_fetched() {
        let bearer = [("kafka-security-protocol", "SASL_PLAINTEXT"), ("kafka-sasl-mechanism", "OAUTHBEARER")];
        let token = |given: &[(&str, &str)]| match remote(&[&bearer, given].concat()).expect("sound").0.sasl {
            Some(Sasl::OAuthBearer { token, extensions }) => (token, extensions),
            other => panic!("{other:?}"),
        };
        let (given, extensions) =
            token(&[("kafka-sasl-token-file", "/var/token"), ("kafka-sasl-extensions", "a=b, c=d")]);
        assert_eq!(given, TokenSource::Given(file("/var/token")));
        assert_eq!(extensions, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), "d".to_owned())]);
        let (fetched, _) = token(&[
            ("kafka-oauth-token-endpoint", "https://issuer/token"),
            ("kafka-oauth-client-id", "postern"),
            ("kafka-oauth-client-secret", "secret"),
            ("kafka-oauth-scope", "kafka"),
        ]);
        let TokenSource::ClientCredentials(client) = fetched else { panic!("{fetched:?}") };
        assert_eq!((client.client_id.as_str(), client.scope.as_deref()), ("postern", Some("kafka")));
        assert_eq!(client.client_secret, Source::inline("secret"));
    }

    /// The registry may be somebody else, elsewhere or both.
    #[test]
    fn the_registry_may_have_its_own_way_to_kafka() {
        let servers = |given: &[(&str, &str)]| {
            let registry = remote(given).expect("sound").1.expect("its own");
            (registry.bootstrap_servers, registry.security.protocol())
        };
        let elsewhere = ("registry-bootstrap-servers", "other:9092");
        assert_eq!(servers(&[elsewhere]), ("other:9092".to_owned(), "PLAINTEXT"));
        assert_eq!(servers(&[elsewhere, ("kafka-security-protocol", "SSL")]), ("other:9092".to_owned(), "SSL"));
        let own = [("kafka-security-protocol", "SSL"), ("registry-kafka-security-protocol", "PLAINTEXT")];
        assert_eq!(servers(&own), ("kafka:9093".to_owned(), "PLAINTEXT"));
    }

    /// What would mean less protection than was meant stops the start; no secret stands in what is said.
    #[test]
    fn contradictions_are_refused() {
        let sasl = ("kafka-security-protocol", "SASL_SSL");
        let plain = ("kafka-sasl-mechanism", "PLAIN");
        let bearer = ("kafka-sasl-mechanism", "OAUTHBEARER");
        for (given, expected) in [
            (&[("kafka-security-protocol", "TLS")][..], "expected PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
            (&[("kafka-ssl-truststore", "/etc/trust")], "kafka-ssl-truststore: has no effect"),
            (&[("kafka-sasl-password", "canary")], "kafka-sasl-password: has no effect"),
            (&[("kafka-security-protocol", "SSL"), plain], "kafka-sasl-mechanism: has no effect"),
            (&[sasl], "GSSAPI"),
            (&[sasl, ("kafka-sasl-mechanism", "GSSAPI")], "Kerberos"),
            (&[sasl, plain, ("kafka-sasl-password", "canary")], "kafka-sasl-username: nothing found"),
            (&[sasl, plain, ("kafka-sasl-username", "ana")], "kafka-sasl-password: nothing found"),
            (&[sasl, plain, ("kafka-sasl-token", "canary")], "kafka-sasl-token: has no effect"),
            (&[sasl, bearer], "kafka-sasl-token: nothing found"),
            (&[sasl, bearer, ("kafka-sasl-username", "ana")], "kafka-sasl-username: has no effect"),
            (&[sasl, bearer, ("kafka-oauth-token-endpoint", "https://a")], "kafka-oauth-client-id: nothing found"),
            (
                &[sasl, plain, ("kafka-sasl-password", "canary"), ("kafka-sasl-password-file", "f")],
                "kafka-sasl-password-file as well",
            ),
            (&[("kafka-security-protocol", "SSL"), ("kafka-ssl-key", "f")], "kafka-ssl-key: has no effect without"),
        ] {
            let errors = remote(given).expect_err(expected);
            assert!(errors.contains(expected), "{errors}");
            assert!(!errors.contains("canary"), "{errors}");
        }
        for lonely in [("kafka-security-protocol", "SSL"), ("registry-bootstrap-servers", "a:1")] {
            let errors = read(&[lonely]).expect_err("the broker in this process has neither");
            assert!(errors.contains("expected bootstrap-servers as well"), "{errors}");
        }
    }
}
