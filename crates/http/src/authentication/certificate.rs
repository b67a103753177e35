//! The client certificate of the connection: the handshake has verified it, here it becomes a name.

use hyper::http::request::Parts as Head;
use postern_access::{Caller, CertificateName, NameMapping, Way};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Refused;
use crate::connection_info::ConnectionInfo;

/// Recognizes callers by their certificates.
pub struct Certificate {
    /// Which part of it is the name.
    pub name: NameMapping,
}

impl Certificate {
    /// Whose certificate this connection has shown; `None`: none.
    pub(super) fn caller(&self, head: &Head) -> Result<Option<Caller>, Refused> {
        let connection = head.extensions.get::<ConnectionInfo>();
        let Some(certificate) = connection.and_then(ConnectionInfo::client_certificate) else { return Ok(None) };
        let unnamed = || Refused::Wrong("the client certificate does not name a caller".to_owned());
        let names = names(certificate).ok_or_else(unnamed)?;
        let name = names.mapped(self.name).ok_or_else(unnamed)?;
        Caller::new(Way::Certificate, name, Vec::new()).map(Some).map_err(|_| unnamed())
    }
}

/// The names in a certificate; `None`: it cannot be read.
fn names(der: &[u8]) -> Option<CertificateName> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let mut names = CertificateName {
        // In reverse order, as RFC 2253 writes it.
        subject: subject
            .iter_rdn()
            .map(rdn)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join(","),
        common_name: subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned),
        ..CertificateName::default()
    };
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::RFC822Name(mail) => names.emails.push((*mail).to_owned()),
                _ => {}
            }
        }
    }
    Some(names)
}

/// One part of a subject: `CN=ana`; the special characters of RFC 2253 §2.4 behind backslashes.
fn rdn(rdn: &x509_parser::x509::RelativeDistinguishedName<'_>) -> Option<String> {
    let parts = rdn.iter().map(|attribute| {
        let oid = attribute.attr_type().to_id_string();
        let key = match oid.as_str() {
            "2.5.4.3" => "CN",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.9" => "STREET",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            "0.9.2342.19200300.100.1.1" => "UID",
            "0.9.2342.19200300.100.1.25" => "DC",
            other => other,
        };
        let mut value = String::new();
        for (n, c) in attribute.as_str().ok()?.chars().enumerate() {
            if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') || (n == 0 && matches!(c, '#' | ' ')) {
                value.push('\\');
            }
            value.push(c);
        }
        Some(format!("{key}={value}"))
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("+"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::Request;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use rustls::pki_types::CertificateDer;

    use super::*;
    use crate::connection_info::TlsInfo;

    fn head(certificate: Option<Vec<u8>>) -> Head {
        let mut info = ConnectionInfo::new(None);
        let certificates: Option<Arc<[CertificateDer<'static>]>> =
            certificate.map(|der| vec![CertificateDer::from(der)].into());
        info.tls = Some(TlsInfo { client_certificates: certificates, server_name: None });
        Request::builder().extension(info).body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_certificate_names_its_owner_in_the_chosen_part() {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Rubin, Obs");
        params.distinguished_name.push(DnType::CommonName, "ana");
        params.subject_alt_names = vec![
            SanType::DnsName("ana.example".try_into().expect("ASCII")),
            SanType::URI("spiffe://rubin/ana".try_into().expect("ASCII")),
        ];
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("a certificate").der().to_vec();
        for (name, expected) in [
            (NameMapping::CommonName, "ana"),
            (NameMapping::SanDns, "ana.example"),
            (NameMapping::SanUri, "spiffe://rubin/ana"),
        ] {
            let caller = Certificate { name }.caller(&head(Some(der.clone()))).expect("read").expect("named");
            assert_eq!((caller.name(), caller.way()), (expected, Way::Certificate));
        }
        let subject = Certificate { name: NameMapping::Subject }.caller(&head(Some(der.clone()))).expect("read");
        let subject = subject.expect("named");
        assert!(subject.name().contains("O=Rubin\\, Obs") && subject.name().contains("CN=ana"), "{}", subject.name());
        let without = Certificate { name: NameMapping::SanEmail }.caller(&head(Some(der)));
        assert!(matches!(without, Err(Refused::Wrong(_))), "it has no such name");
        assert!(matches!(Certificate { name: NameMapping::Subject }.caller(&head(None)), Ok(None)));
        let broken = Certificate { name: NameMapping::Subject }.caller(&head(Some(vec![1, 2])));
        assert!(matches!(broken, Err(Refused::Wrong(_))));
    }
}
