//! Callers who are known to Kafka: the settings of `authentication = pass-through`, and what they need beside them.

use std::time::Duration;

use postern_kafka::{Mechanism, Security};
use postern_proxy::IdentitySettings;

use super::{
    ConfigErrors,
    pass_through_settings::{ALL, BASIC, BEARER, IDENTITIES, IDLE, INSECURE, KAFKA_IDENTITIES, NAME_CLAIM, SERVERS},
    raw::RawConfig,
    setting, value,
};

/// How callers log in to Kafka.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PassThrough {
    pub(crate) identities: IdentitySettings,
    /// `host:port`, separated by commas; `None`: the cluster's.
    pub(crate) bootstrap_servers: Option<String>,
    may_be_read: bool,
}

impl PassThrough {
    pub(super) fn read(raw: &RawConfig, errors: &mut ConfigErrors) -> PassThrough {
        let password = raw.find(BASIC, mechanism, errors);
        let is_token = raw.take(BEARER, value::switch, errors);
        if !raw.has(BASIC) && !is_token {
            errors.add(format!("{}: not set: expected it, {} or both", BASIC.name, BEARER.name));
        }
        if raw.has(NAME_CLAIM) && !is_token {
            errors.add(format!("{}: has no effect without {}", NAME_CLAIM.name, BEARER.name));
        }
        let name = raw.take(NAME_CLAIM, claim, errors);
        PassThrough {
            identities: IdentitySettings {
                password,
                token_name: is_token.then_some(name),
                identities: usize::from(raw.take(IDENTITIES, value::count, errors)),
                idle: raw.take(IDLE, value::time, errors).max(Duration::from_secs(1)),
            },
            bootstrap_servers: raw.find(SERVERS, value::bootstrap_servers, errors),
            may_be_read: raw.take(INSECURE, value::switch, errors),
        }
    }

    /// What it needs of the cluster and of other settings.
    pub(super) fn check(&self, security: &Security, raw: &mut RawConfig, errors: &mut ConfigErrors) {
        const WAY: &str = "authentication: pass-through";
        if !raw.has(setting::BOOTSTRAP_SERVERS) {
            errors.add(format!(
                "{WAY} needs {}: the broker in this process knows no users",
                setting::BOOTSTRAP_SERVERS.name
            ));
            return;
        }
        if raw.has(setting::REPLICA_LISTEN) {
            errors.add(format!(
                "{WAY} excludes {}: another replica could open a consumer instance only with credentials that it does not have",
                setting::REPLICA_LISTEN.name
            ));
        }
        if security.sasl.is_none() && self.bootstrap_servers.is_none() {
            errors.add(format!(
                "{WAY} needs a listener with SASL, and kafka-security-protocol is {}: expected {} beside it",
                security.protocol(),
                SERVERS.name
            ));
        }
        let is_readable = self.identities.password == Some(Mechanism::Plain) || self.identities.token_name.is_some();
        if security.tls.is_none() && is_readable {
            match self.may_be_read {
                true => raw.warn("passwords or tokens of callers are sent to Kafka in clear".to_owned()),
                false => errors.add(format!(
                    "{WAY} would send passwords or tokens to Kafka in clear: expected TLS (kafka-security-protocol), SCRAM, or {}",
                    INSECURE.name
                )),
            }
        }
    }
}

/// Settings of another way than the chosen one.
pub(super) fn refuse_all(raw: &RawConfig, errors: &mut ConfigErrors) {
    for setting in ALL.iter().filter(|setting| **setting != KAFKA_IDENTITIES && raw.has(**setting)) {
        errors.add(format!("{}: has no effect: expected authentication = pass-through beside it", setting.name));
    }
}

fn mechanism(text: &str) -> Result<Mechanism, &'static str> {
    match Mechanism::parse(text) {
        Ok(Mechanism::OAuthBearer) => Err("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; tokens are pass-through-bearer"),
        Ok(mechanism) => Ok(mechanism),
        Err(_) => Err("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
    }
}

fn claim(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("the name of a claim") } else { Ok(text.to_owned()) }
}
