//! A few identities at Kafka for callers: what the file of `kafka-identities` needs of the connection to the cluster, and what is made of it.
//!
//! The file itself is read by `postern-access`. Passwords and tokens stand in files of their own, which are read again for each new connection;
//! here it is only seen whether they can be.

use std::{io, path::PathBuf, sync::Arc};

use postern_access::{KafkaIdentityEntry, KafkaIdentityTable, KafkaLogin};
use postern_kafka::{KeyStore, Mechanism, Sasl, Security, Source, Tls, TokenSource};

use super::{ConfigErrors, Env, pass_through_settings::KAFKA_IDENTITIES, raw::RawConfig, setting, value};

/// The file, and what of the connection to the cluster its logins have in common.
#[derive(Debug, PartialEq)]
pub(crate) struct KafkaIdentityFile {
    pub(crate) path: String,
    /// How this server itself is secured there.
    security: Security,
}

/// What is made of the file.
pub(crate) struct ConfiguredLogins {
    pub(crate) table: Arc<KafkaIdentityTable>,
    /// In the order of the table; `None`: as this server.
    pub(crate) logins: Vec<Option<Login>>,
    /// What is weak about it.
    pub(crate) doubts: Vec<String>,
}

/// How one identity reaches Kafka.
pub(crate) struct Login {
    pub(crate) name: String,
    /// `host:port`, separated by commas; `None`: as this server.
    pub(crate) bootstrap_servers: Option<String>,
    pub(crate) security: Security,
}

impl KafkaIdentityFile {
    /// The setting, if it is there.
    pub(super) fn read(
        raw: &RawConfig,
        security: &Security,
        is_pass_through: bool,
        errors: &mut ConfigErrors,
    ) -> Option<KafkaIdentityFile> {
        let (path, _) = raw.text(KAFKA_IDENTITIES)?;
        let name = KAFKA_IDENTITIES.name;
        if !raw.has(setting::BOOTSTRAP_SERVERS) {
            let expected = setting::BOOTSTRAP_SERVERS.name;
            errors.add(format!("{name} needs {expected}: the broker in this process knows no users"));
        }
        if is_pass_through {
            errors.add(format!(
                "{name}: has no effect with authentication = pass-through: callers are themselves for Kafka"
            ));
        }
        Some(KafkaIdentityFile { path, security: security.clone() })
    }

    /// What is made of the text of the file.
    ///
    /// # Errors
    /// All faults, as sentences.
    pub(super) fn build(&self, text: &str) -> Result<ConfiguredLogins, Vec<String>> {
        let table = KafkaIdentityTable::parse(text)?;
        let (mut logins, mut doubts, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for entry in table.entries() {
            match self.login(entry, &mut doubts) {
                Ok(login) => logins.push(login),
                Err(fault) => faults.push(format!("identity {}: {fault}", entry.name)),
            }
        }
        match faults.is_empty() {
            true => Ok(ConfiguredLogins { table: Arc::new(table), logins, doubts }),
            false => Err(faults),
        }
    }

    fn login(&self, entry: &KafkaIdentityEntry, doubts: &mut Vec<String>) -> Result<Option<Login>, String> {
        let file = |path: &String| Source::File(PathBuf::from(path));
        let tls = self.security.tls.clone();
        let sasl = match &entry.login {
            KafkaLogin::Server => return Ok(None),
            KafkaLogin::Password { mechanism, user, password_file } => {
                let (user, password) = (user.clone(), file(password_file));
                match Mechanism::parse(mechanism).map_err(|expected| format!("sasl-mechanism: {expected}"))? {
                    Mechanism::Scram(hash) => Some(Sasl::Scram { hash, user, password }),
                    Mechanism::Plain | Mechanism::OAuthBearer => Some(Sasl::Plain { user, password }),
                }
            }
            KafkaLogin::Token { token_file } => {
                Some(Sasl::OAuthBearer { token: TokenSource::Given(file(token_file)), extensions: Vec::new() })
            }
            KafkaLogin::Certificate { .. } => None,
        };
        if let Some(servers) = &entry.bootstrap_servers {
            value::bootstrap_servers(servers).map_err(|expected| format!("bootstrap-servers: expected {expected}"))?;
        } else if sasl.is_some() != self.security.sasl.is_some() || (sasl.is_none() && tls.is_none()) {
            return Err(format!(
                "bootstrap-servers: expected it beside this login, because this server reaches Kafka by {}",
                self.security.protocol()
            ));
        }
        if tls.is_none() && matches!(sasl, Some(Sasl::Plain { .. } | Sasl::OAuthBearer { .. })) {
            doubts.push(format!("identity {}: its password or token is sent to Kafka in clear", entry.name));
        }
        let tls = match &entry.login {
            KafkaLogin::Certificate { store_file, key_file, password_file } => {
                let (key, password) = (key_file.as_ref().map(file), password_file.as_ref().map(file));
                let key = KeyStore { store: file(store_file), key, password, key_password: None };
                Some(Tls { key: Some(key), ..tls.unwrap_or_default() })
            }
            _ => tls,
        };
        let (name, bootstrap_servers) = (entry.name.clone(), entry.bootstrap_servers.clone());
        Ok(Some(Login { name, bootstrap_servers, security: Security { tls, sasl } }))
    }
}

impl ConfiguredLogins {
    /// Looks whether passwords and tokens can be read, and tells who is who.
    pub(super) fn check(&self, env: &impl Env, raw: &mut RawConfig, errors: &mut ConfigErrors) {
        for entry in self.table.entries() {
            if let Err(fault) = secret_file(entry).map_or(Ok(()), |path| check_secret(path, env)) {
                errors.add(format!("{}: identity {}: {fault}", KAFKA_IDENTITIES.name, entry.name));
            }
            raw.note(format!("{}: {entry}", KAFKA_IDENTITIES.name));
        }
    }
}

fn secret_file(entry: &KafkaIdentityEntry) -> Option<&str> {
    match &entry.login {
        KafkaLogin::Server => None,
        KafkaLogin::Password { password_file: path, .. } | KafkaLogin::Token { token_file: path } => Some(path),
        KafkaLogin::Certificate { password_file, .. } => password_file.as_deref(),
    }
}

fn check_secret(path: &str, env: &impl Env) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("the file {path:?} cannot be read ({error})");
    match env.file(path).map_err(unreadable)?.trim().is_empty() {
        true => Err(format!("the file {path:?} is empty: expected a password or a token")),
        false => Ok(()),
    }
}
