//! TLS trust roots for `https` registries.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Certificate authorities chosen by the operator; no others are trusted then.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// From the text of a file in PEM.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(pem: &str) -> Result<Authorities, &'static str> {
        const EXPECTED: &str = "one certificate or more in PEM (-----BEGIN CERTIFICATE-----)";
        let all: Vec<_> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|_| EXPECTED)?;
        // What is no certificate of an authority shows here, and not at the first call.
        let mut store = RootCertStore::empty();
        match !all.is_empty() && all.iter().all(|one| store.add(one.clone()).is_ok()) {
            true => Ok(Authorities(all)),
            false => Err(EXPECTED),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

/// The TLS settings. Without chosen authorities those of the system are trusted; they are only read where they are needed.
pub(crate) fn client_config(authorities: Option<&Authorities>, needed: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(Authorities(chosen)) => {
            roots.add_parsable_certificates(chosen.iter().cloned());
        }
        None if !needed => {}
        None => {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!("some certificates of this system cannot be read: {error}");
            }
            roots.add_parsable_certificates(found.certs);
        }
    }
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_authorities() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate", broken] {
            assert!(Authorities::parse(text).is_err(), "{text}");
        }
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        assert!(Authorities::parse(&own.cert.pem()).is_ok());
    }
}
