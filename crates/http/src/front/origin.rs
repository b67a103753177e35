//! Web origins: what a page's address begins with (RFC 6454), and lists of them.

use hyper::http::uri::Uri;

/// An origin as browsers send it: `scheme://host[:port]` in lower case, without the default port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// Origins whose pages may read answers, and write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// None.
    #[default]
    None,
    /// All, without credentials.
    Any,
    /// Those that match one of these, with credentials.
    Listed(Vec<OriginPattern>),
}

/// An origin, or all whose host ends with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    origin: Origin,
    /// Whether `*.` stood before the host: one or more labels are.
    is_wildcard: bool,
}

const EXPECTED: &str =
    "an origin such as https://dashboard.example.org, https://*.example.org, several with commas between, or *";

impl AllowedOrigins {
    /// A list with commas between. Returns also the entries of which a path was cut off: browsers send origins without one.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<(AllowedOrigins, Vec<String>), &'static str> {
        let entries: Vec<&str> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        if entries.contains(&"*") {
            return Ok((AllowedOrigins::Any, Vec::new()));
        }
        let mut cut = Vec::new();
        let mut listed = Vec::new();
        for entry in entries {
            let (scheme, rest) = entry.split_once("://").ok_or(EXPECTED)?;
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            if !path.is_empty() {
                cut.push(entry.to_owned());
            }
            let (is_wildcard, authority) = match authority.strip_prefix("*.") {
                Some(authority) => (true, authority),
                None => (false, authority),
            };
            let origin = Origin::parse(&format!("{scheme}://{authority}")).ok_or(EXPECTED)?;
            listed.push(OriginPattern { origin, is_wildcard });
        }
        Ok(match listed.is_empty() {
            true => (AllowedOrigins::None, cut),
            false => (AllowedOrigins::Listed(listed), cut),
        })
    }

    /// Whether pages of `origin` are allowed.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        match self {
            AllowedOrigins::None => false,
            AllowedOrigins::Any => true,
            AllowedOrigins::Listed(patterns) => {
                Origin::parse(origin).is_some_and(|origin| patterns.iter().any(|pattern| pattern.matches(&origin)))
            }
        }
    }
}

impl OriginPattern {
    fn matches(&self, origin: &Origin) -> bool {
        let Origin { scheme, host, port } = &self.origin;
        let is_host = match self.is_wildcard {
            false => *host == origin.host,
            true => {
                origin.host.strip_suffix(host.as_str()).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
        };
        is_host && *scheme == origin.scheme && *port == origin.port
    }
}

impl Origin {
    /// `None`: something else, such as `null`, an authority with a user, or a name that is not ASCII (browsers send Punycode).
    pub(crate) fn parse(text: &str) -> Option<Origin> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        let is_name =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        let is_bare = matches!(uri.path(), "" | "/") && !text.ends_with('/') && uri.query().is_none();
        if host.is_empty() || !host.bytes().all(is_name) || authority.as_str().contains('@') || !is_bare {
            return None;
        }
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => 0,
        };
        let port = match authority.port() {
            Some(port) => Some(port.as_str().parse().ok()?).filter(|port| *port != default),
            // Something else than a number stands where the port does.
            None if !authority.as_str().eq_ignore_ascii_case(&host) => return None,
            None => None,
        };
        Some(Origin { scheme, host, port })
    }

    /// Whether the host is an address or this machine, and not a name that whoever owns it can point anywhere.
    pub(crate) fn is_address(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
    }

    /// Whether both have the same host and port. Port 80 of `http` is port 443 of `https`, as where a proxy speaks TLS in front.
    pub(crate) fn has_authority_of(&self, other: &Origin) -> bool {
        self.host == other.host && self.port == other.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AllowedOrigins {
        AllowedOrigins::parse(text).expect("a list").0
    }

    #[test]
    fn origins_are_compared_as_browsers_send_them() {
        let listed = list("HTTPS://App.Example.org:443, http://a:8080,https://*.lsst.codes");
        for allowed in ["https://app.example.org", "http://a:8080", "https://x.lsst.codes", "https://x.y.lsst.codes"] {
            assert!(listed.allow(allowed), "{allowed}");
        }
        for foreign in [
            "http://app.example.org",
            "https://app.example.org:8443",
            "https://app.example.org.evil",
            "https://evilapp.example.org",
            "http://a",
            "https://lsst.codes",
            "https://.lsst.codes",
            "https://evil-lsst.codes",
            "https://lsst.codes.evil",
            "https://x@app.example.org",
            "https://app.example.org/",
            "null",
            "",
        ] {
            assert!(!listed.allow(foreign), "{foreign}");
            assert!(list("*").allow(foreign));
            assert!(!list("").allow(foreign));
        }
    }

    #[test]
    fn a_path_is_cut_off_and_told() {
        let (listed, cut) = AllowedOrigins::parse("https://summit-lsp.lsst.codes/love, https://a/").expect("a list");
        assert!(listed.allow("https://summit-lsp.lsst.codes") && listed.allow("https://a"));
        assert_eq!(cut, ["https://summit-lsp.lsst.codes/love", "https://a/"]);
        for wrong in [
            "a.example.org",
            "https://",
            "https://a*.b",
            "https://u@a",
            "https://*",
            "null",
            "https://a:b",
            "https://a:",
        ] {
            assert!(AllowedOrigins::parse(wrong).is_err(), "{wrong}");
        }
    }
}
