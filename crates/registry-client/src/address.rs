//! The URLs of registries, and the credentials for them.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use percent_encoding::percent_decode_str;

/// Credentials for a registry. Secrets are not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Basic authentication.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token.
    Bearer(String),
}

impl Credentials {
    /// The value of `Authorization`; `None`: the token cannot be in a header.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Credentials::Basic { user, password } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
            }
            Credentials::Bearer(token) => format!("Bearer {token}"),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Basic { user, .. } => write!(f, "Basic({user}:…)"),
            Credentials::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

/// One instance of a registry: `http[s]://[user:password@]host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryUrl {
    /// `https://host:port/path`, without a slash at the end; safe to print.
    base: String,
    /// The credentials in the URL.
    credentials: Option<Credentials>,
}

impl RegistryUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<RegistryUrl, &'static str> {
        const EXPECTED: &str =
            "a URL such as http://registry:8081, https://user:password@registry:8081 or several with commas between";
        let text = text.trim().trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EXPECTED);
        };
        if uri.query().is_some() || authority.host().is_empty() {
            return Err(EXPECTED);
        }
        let credentials = match authority.as_str().rsplit_once('@') {
            None => None,
            Some((user_info, _)) => {
                let (user, password) = user_info.split_once(':').ok_or(EXPECTED)?;
                let decoded = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
                Some(Credentials::Basic { user: decoded(user), password: decoded(password) })
            }
        };
        let place = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
        Ok(RegistryUrl { base: format!("{scheme}://{place}{}", uri.path().trim_end_matches('/')), credentials })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_hold_places_and_credentials() {
        let url = RegistryUrl::parse(" http://me:p%40ss%3A@registry:8081/api/ ").expect("a URL");
        assert_eq!(url.to_string(), "http://registry:8081/api");
        let basic = Credentials::Basic { user: "me".to_owned(), password: "p@ss:".to_owned() };
        assert_eq!(url.credentials(), Some(&basic));
        assert_eq!(basic.header().expect("header text"), "Basic bWU6cEBzczo=");
        assert_eq!(format!("{url:?}").matches("p@ss").count(), 0);
        assert_eq!(RegistryUrl::parse("http://[::1]:8081").expect("a URL").base(), "http://[::1]:8081");
        assert_eq!(RegistryUrl::parse("http://registry").expect("a URL").credentials(), None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in ["", "registry:8081", "ftp://a", "http://", "http://me@a", "http://a?b=c", "http://a b"] {
            assert!(RegistryUrl::parse(text).is_err(), "{text}");
        }
        assert_eq!(RegistryUrl::parse("HTTPS://a/").expect("a URL").base(), "https://a");
    }
}
