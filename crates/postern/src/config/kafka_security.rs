//! `security.protocol`, `ssl.*` and `sasl.*` of Kafka's Java client, as both of Confluent's servers hand them on.
//!
//! A store is a file or a text; passwords are texts. What cannot be kept as it is asked for is an error, never something weaker.

use std::{collections::BTreeMap, path::PathBuf};

use postern_kafka::{
    ClientCredentials, KeyStore, Mechanism, Sasl, Security, Source as Content, Tls, TokenSource, TrustStore,
};

use super::{
    ConfigErrors,
    jaas::{self, Login},
    raw::RawConfig,
};

/// The settings of one connection, by their names without prefix, each with its name as it was written.
#[derive(Default)]
pub(super) struct Asked {
    settings: BTreeMap<String, (String, String)>,
    /// The protocols in front of bootstrap servers.
    prefixes: Vec<(String, String)>,
}

impl Asked {
    /// `name` is without prefix, `written` as it was written. Behind several prefixes it has to be the same.
    pub(super) fn put(&mut self, name: &str, written: String, value: &str, errors: &mut ConfigErrors) {
        match self.settings.get(name) {
            Some((other, known)) if known != value => {
                errors.add(format!(
                    "{written}: differs from {other}: expected one way to reach Kafka for producers and consumers"
                ));
            }
            Some(_) => {}
            None => {
                self.settings.insert(name.to_owned(), (written, value.to_owned()));
            }
        }
    }

    /// A bootstrap server had this in front.
    pub(super) fn put_prefix(&mut self, written: String, protocol: &str) {
        self.prefixes.push((written, protocol.trim().to_ascii_uppercase()));
    }

    /// Whether SASL is asked for, and not said as whom.
    pub(super) fn lacks_login(&self) -> bool {
        let is_sasl = |protocol: &str| protocol.to_ascii_uppercase().starts_with("SASL");
        let asks = self.text("security.protocol").is_some_and(is_sasl)
            || (self.text("security.protocol").is_none()
                && self.prefixes.iter().any(|(_, protocol)| is_sasl(protocol)));
        asks && self.text("sasl.jaas.config").is_none()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|(_, value)| value.trim())
    }

    fn secret(&self, name: &str) -> Option<Content> {
        self.settings.get(name).filter(|(_, value)| !value.is_empty()).map(|(_, value)| Content::inline(value))
    }

    fn file(&self, name: &str) -> Option<Content> {
        self.text(name).filter(|path| !path.is_empty()).map(|path| Content::File(PathBuf::from(path)))
    }

    /// The name as it was written; `name` where it was not.
    fn written(&self, name: &str) -> String {
        self.settings.get(name).map_or_else(|| name.to_owned(), |(written, _)| written.clone())
    }

    /// What is asked for. With an error the connection is as it would be without these settings, for the start does not go on.
    pub(super) fn security(&self, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Security {
        let Some(protocol) = self.protocol(raw, errors) else { return Security::default() };
        let (is_tls, is_sasl) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            _ => (true, true),
        };
        for (name, (written, _)) in &self.settings {
            if (name.starts_with("ssl.") && !is_tls) || (name.starts_with("sasl.") && !is_sasl) {
                raw.warn(format!("{written} has no effect with security.protocol {protocol}"));
            }
        }
        Security {
            tls: is_tls.then(|| self.tls(raw, errors)),
            sasl: if is_sasl { self.sasl(raw, errors) } else { None },
        }
    }

    fn protocol(&self, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Option<String> {
        const KNOWN: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
        let named = self.text("security.protocol").filter(|text| !text.is_empty()).map(str::to_ascii_uppercase);
        let first = self.prefixes.first();
        let (written, protocol) = match (named, first) {
            (Some(named), _) => (self.written("security.protocol"), named),
            (None, Some((written, protocol))) => {
                if protocol != "PLAINTEXT" {
                    raw.warn(format!(
                        "{written} names {protocol} and security.protocol is not set: {protocol} is used"
                    ));
                }
                (written.clone(), protocol.clone())
            }
            (None, None) => return Some("PLAINTEXT".to_owned()),
        };
        if !KNOWN.contains(&protocol.as_str()) {
            errors.add(format!("{written}: found {protocol:?}: expected {}", KNOWN.join(", ")));
            return None;
        }
        match self.prefixes.iter().find(|(_, prefix)| *prefix != protocol) {
            None => Some(protocol),
            Some((server, prefix)) => {
                errors.add(format!("{server}: a server with {prefix}:// beside {protocol}: expected one protocol"));
                None
            }
        }
    }

    fn tls(&self, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Tls {
        let trust = self.file("ssl.truststore.location").or(self.secret("ssl.truststore.certificates"));
        let key_store = self.file("ssl.keystore.location").or(self.secret("ssl.keystore.certificate.chain"));
        for name in ["ssl.enabled.protocols", "ssl.protocol"] {
            let Some(list) = self.text(name).filter(|list| !list.is_empty()) else { continue };
            if !list.split(',').any(|version| ["TLSv1.2", "TLSv1.3", "TLS"].contains(&version.trim())) {
                errors.add(format!("{}: found {list:?}: expected TLSv1.2, TLSv1.3 or both", self.written(name)));
            }
        }
        let name = "ssl.endpoint.identification.algorithm";
        let verify_host_name = match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("https") => true,
            Some("") => {
                raw.warn(format!("{} is empty: brokers may have certificates of other hosts", self.written(name)));
                false
            }
            Some(other) => {
                errors.add(format!("{}: found {other:?}: expected https, or nothing", self.written(name)));
                true
            }
        };
        Tls {
            trust: trust.map(|store| TrustStore { store, password: self.secret("ssl.truststore.password") }),
            key: key_store.map(|store| KeyStore {
                store,
                key: self.secret("ssl.keystore.key"),
                password: self.secret("ssl.keystore.password"),
                key_password: self.secret("ssl.key.password"),
            }),
            verify_host_name,
        }
    }

    fn sasl(&self, raw: &mut RawConfig, errors: &mut ConfigErrors) -> Option<Sasl> {
        let mechanism = match Mechanism::parse(self.text("sasl.mechanism").unwrap_or("GSSAPI")) {
            Ok(mechanism) => mechanism,
            Err(sentence) => {
                errors.add(format!("{}: {sentence}", self.written("sasl.mechanism")));
                return None;
            }
        };
        let name = "sasl.jaas.config";
        let login = match self.settings.get(name).map(|(_, line)| jaas::parse(line)) {
            Some(Ok(login)) => login,
            Some(Err(expected)) => {
                errors.add(format!("{}: the line cannot be read: expected {expected}", self.written(name)));
                return None;
            }
            None => {
                errors.add(format!("{name}: is not set, and {} needs it: expected a login module", mechanism.name()));
                return None;
            }
        };
        let found = match mechanism {
            Mechanism::Plain => {
                self.user(&login, "PlainLoginModule").map(|(user, password)| Sasl::Plain { user, password })
            }
            Mechanism::Scram(hash) => {
                if login.options.get("tokenauth").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
                    Err("delegation tokens are not supported: expected a user and a password".to_owned())
                } else {
                    self.user(&login, "ScramLoginModule").map(|(user, password)| Sasl::Scram { hash, user, password })
                }
            }
            Mechanism::OAuthBearer => self.oauth(&login),
        };
        match found {
            Ok(sasl) => Some(sasl),
            Err(sentence) => {
                errors.add(format!("{}: {sentence}", self.written(name)));
                None
            }
        }
        .inspect(|sasl| {
            if self.text("security.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("SASL_PLAINTEXT"))
                && matches!(sasl, Sasl::Plain { .. })
            {
                raw.warn("the password for Kafka is sent in clear: SASL_PLAINTEXT with PLAIN".to_owned());
            }
        })
    }

    fn user(&self, login: &Login, module: &str) -> Result<(String, Content), String> {
        if login.module != module {
            let mechanism = self.text("sasl.mechanism").unwrap_or_default();
            return Err(format!("its login module is {}: expected {module} for {mechanism}", login.module));
        }
        let option = |name: &str| login.options.get(name).ok_or_else(|| format!("expected the option {name}"));
        Ok((option("username")?.clone(), Content::inline(option("password")?.clone())))
    }

    fn oauth(&self, login: &Login) -> Result<Sasl, String> {
        if login.module != "OAuthBearerLoginModule" {
            return Err(format!("its login module is {}: expected OAuthBearerLoginModule", login.module));
        }
        if login.options.keys().any(|name| name.starts_with("unsecuredLogin")) {
            return Err("unsecured tokens are not supported: expected clientId and clientSecret".to_owned());
        }
        let url = self.text("sasl.oauthbearer.token.endpoint.url").unwrap_or_default();
        let begins = |name: &String| name.strip_prefix("extension_").map(str::to_owned);
        let extensions =
            login.options.iter().filter_map(|(name, value)| Some((begins(name)?, value.clone()))).collect();
        if let Some(path) = url.strip_prefix("file:") {
            let path = PathBuf::from(format!("/{}", path.trim_start_matches('/')));
            return Ok(Sasl::OAuthBearer { token: TokenSource::Given(Content::File(path)), extensions });
        }
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err("expected sasl.oauthbearer.token.endpoint.url beside it, https://… or file:…".to_owned());
        }
        let option = |jaas: &str, setting: &str| {
            let found = login.options.get(jaas).map(String::as_str).or(self.text(setting));
            found.map(str::to_owned).ok_or_else(|| format!("expected the option {jaas}"))
        };
        let secret = option("clientSecret", "sasl.oauthbearer.client.credentials.client.secret")?;
        let trust = self.file("ssl.truststore.location");
        Ok(Sasl::OAuthBearer {
            token: TokenSource::ClientCredentials(ClientCredentials {
                endpoint: url.to_owned(),
                client_id: option("clientId", "sasl.oauthbearer.client.credentials.client.id")?,
                client_secret: Content::inline(secret),
                scope: option("scope", "sasl.oauthbearer.scope").ok(),
                audience: login.options.get("audience").cloned(),
                trust: trust.map(|store| TrustStore { store, password: self.secret("ssl.truststore.password") }),
            }),
            extensions,
        })
    }
}
