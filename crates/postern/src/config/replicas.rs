//! How replicas of this server find each other, from the texts of the settings.

use std::{fmt, net::SocketAddr};

use postern_http::ReplicaSecret;
use postern_kafka::TopicName;

use super::{ConfigErrors, Env, raw::RawConfig, setting, value};

/// Characters of a secret that cannot be guessed.
const SECRET_MIN: usize = 16;

/// What is chosen.
#[derive(PartialEq)]
pub(crate) struct Replicas {
    pub(crate) listen: SocketAddr,
    /// What others are told, where it is not the address that is listened on.
    pub(crate) advertise: Option<String>,
    secret: String,
    pub(crate) topic: TopicName,
}

impl Replicas {
    /// `None`: there are no other replicas.
    pub(super) fn resolve(raw: &RawConfig, env: &impl Env, errors: &mut ConfigErrors) -> Option<Replicas> {
        let topic = raw.take(setting::REPLICA_TOPIC, value::topic, errors);
        let advertise = raw.find(setting::REPLICA_ADVERTISE, value::host_and_port, errors);
        let secret = raw.file(setting::REPLICA_SECRET, env, secret, errors);
        let listen = raw.find(setting::REPLICA_LISTEN, value::address, errors);
        if !raw.has(setting::REPLICA_LISTEN) {
            for setting in [setting::REPLICA_ADVERTISE, setting::REPLICA_SECRET, setting::REPLICA_TOPIC] {
                if raw.has(setting) {
                    errors.add(format!("{}: has no effect without {}", setting.name, setting::REPLICA_LISTEN.name));
                }
            }
            return None;
        }
        if !raw.has(setting::REPLICA_SECRET) {
            errors.add(format!(
                "{}: not set: whoever reaches {} could claim to be anybody: expected a file with a secret that all replicas share",
                setting::REPLICA_SECRET.name,
                setting::REPLICA_LISTEN.name
            ));
        }
        let listen = listen?;
        if listen.ip().is_unspecified() && !raw.has(setting::REPLICA_ADVERTISE) {
            errors.add(format!(
                "{}: not set: {} {listen} is no address that other replicas can connect to: expected HOST:PORT",
                setting::REPLICA_ADVERTISE.name,
                setting::REPLICA_LISTEN.name
            ));
        }
        let advertise = advertise.map(|(host, port)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        });
        Some(Replicas { listen, advertise, secret: secret?, topic })
    }

    pub(crate) fn secret(&self) -> ReplicaSecret {
        ReplicaSecret::new(self.secret.as_bytes())
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").field("listen", &self.listen).finish_non_exhaustive()
    }
}

fn secret(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        secret if secret.len() >= SECRET_MIN => Ok(secret.to_owned()),
        _ => Err("a secret of at least 16 characters"),
    }
}
