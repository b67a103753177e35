//! How the cluster is reached, and how long is waited for it.

use std::time::Duration;

use crate::{ByteCount, Compression, Error, ErrorKind};

mod security;

pub use security::{
    ClientCredentials, KeyStore, Mechanism, Sasl, ScramHash, Secret, Security, SharedSecret, Source, Tls, TokenSource,
    TrustStore,
};

/// How the cluster is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port`, more of them separated by commas. Only one of them needs to be up.
    pub bootstrap_servers: String,
    /// Look-ups and administrative calls end after this. Default 30 s, as Java's `default.api.timeout.ms` of old.
    pub call_timeout: Duration,
    /// The same while no broker at all can be connected. Default 10 s.
    pub unreachable_timeout: Duration,
    /// A connection on which a broker answers nothing for so long is given up. Default 30 s, as Java's `request.timeout.ms`.
    pub request_timeout: Duration,
    /// A record not acknowledged by then has failed; waiting for memory is included. Default 120 s, as Java's
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// A record may be this large, reckoned as Java reckons for `max.request.size`. Default 1048576.
    pub max_request_size: ByteCount,
    /// TLS and SASL. Default: neither.
    pub security: Security,
    /// How batches are compressed before they are sent, as Java's `compression.type`. Default: not at all.
    pub compression: Compression,
}

impl Settings {
    /// The defaults, for the cluster behind `bootstrap_servers`.
    pub fn new(bootstrap_servers: impl Into<String>) -> Settings {
        Settings {
            bootstrap_servers: bootstrap_servers.into(),
            call_timeout: Duration::from_secs(30),
            unreachable_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            max_request_size: ByteCount(1_048_576),
            security: Security::default(),
            compression: Compression::None,
        }
    }

    /// Shorter timeouts, so that a test of a failure ends soon.
    pub fn for_test(bootstrap_servers: impl Into<String>) -> Settings {
        Settings {
            call_timeout: Duration::from_secs(8),
            unreachable_timeout: Duration::from_secs(8),
            delivery_timeout: Duration::from_secs(8),
            ..Settings::new(bootstrap_servers)
        }
    }

    /// The addresses in `bootstrap_servers`.
    pub(crate) fn bootstrap_addresses(&self) -> impl Iterator<Item = &str> {
        self.bootstrap_servers.split(',').map(str::trim).filter(|address| !address.is_empty())
    }

    /// # Errors
    /// No address, or one that is not `host:port`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidRequest, "INVALID_CONFIG", message));
        if self.bootstrap_addresses().next().is_none() {
            return invalid("bootstrap servers: expected HOST:PORT, found nothing".to_owned());
        }
        for address in self.bootstrap_addresses() {
            let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
            if !port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
                return invalid(format!("bootstrap servers: expected HOST:PORT, found {address:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_servers_are_addresses() {
        for good in ["localhost:9092", "a:1, b:2", "[::1]:9092"] {
            assert_eq!(Settings::new(good).check(), Ok(()), "{good}");
        }
        for bad in ["", ",", "localhost", "localhost:", ":9092", "a:1,b", "a:0", "a:99999", "http://a"] {
            let refused = Settings::new(bad).check().expect_err(bad);
            assert!(refused.message.contains("expected HOST:PORT"), "{refused}");
        }
    }
}
