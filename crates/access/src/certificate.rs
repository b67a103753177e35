//! The name of a caller in its client certificate.

use std::fmt;

/// Which part of a certificate is the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMapping {
    /// The first URI among the alternative names.
    SanUri,
    /// The first DNS name among them.
    SanDns,
    /// The first address of mail among them.
    SanEmail,
    /// The common name of the subject.
    CommonName,
    /// The whole subject (RFC 2253).
    Subject,
}

impl NameMapping {
    /// By its word in the settings.
    pub fn parse(name: &str) -> Option<NameMapping> {
        Some(match name {
            "san-uri" => NameMapping::SanUri,
            "san-dns" => NameMapping::SanDns,
            "san-email" => NameMapping::SanEmail,
            "cn" => NameMapping::CommonName,
            "subject" => NameMapping::Subject,
            _ => return None,
        })
    }
}

/// The names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateName {
    /// RFC 2253.
    pub subject: String,
    /// The common name of the subject.
    pub common_name: Option<String>,
    /// Alternative names.
    pub uris: Vec<String>,
    /// Likewise.
    pub dns: Vec<String>,
    /// Likewise.
    pub emails: Vec<String>,
}

impl CertificateName {
    /// The name of the caller; `None`: the certificate has none of this kind.
    pub fn mapped(&self, mapping: NameMapping) -> Option<&str> {
        let name = match mapping {
            NameMapping::SanUri => self.uris.first().map(String::as_str),
            NameMapping::SanDns => self.dns.first().map(String::as_str),
            NameMapping::SanEmail => self.emails.first().map(String::as_str),
            NameMapping::CommonName => self.common_name.as_deref(),
            NameMapping::Subject => Some(self.subject.as_str()),
        };
        name.filter(|name| !name.is_empty())
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
    }
}
