//! What a gateway in front says of its callers, such as Gafaelfawr or oauth2-proxy: believed from trusted peers only.
//!
//! A peer is trusted by its address, by a secret that it sends, or by both, where both are configured. From all others the headers are as if
//! they were not there.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts as Head;
use ipnet::IpNet;
use postern_access::{Caller, Way};
use subtle::{Choice, ConstantTimeEq};

use super::Refused;
use crate::addresses::belongs;

/// Recognizes callers by headers of a gateway.
pub struct Gateway {
    /// Where it is; empty: anywhere.
    pub from: Vec<IpNet>,
    /// The header in which it sends a secret, and the secrets that are taken: two while they are changed.
    pub secret: Option<(HeaderName, Vec<String>)>,
    /// The header with the name of the caller.
    pub user: HeaderName,
    /// The header with the caller's groups, and what stands between them.
    pub groups: Option<(HeaderName, char)>,
}

impl Gateway {
    pub(super) fn user_header(&self) -> &str {
        self.user.as_str()
    }

    /// Whom the gateway names; `None`: nobody, or it is not the gateway.
    pub(super) fn caller(&self, head: &mut Head, peer: Option<IpAddr>) -> Result<Option<Caller>, Refused> {
        let is_trusted = self.is_trusted(&head.headers, peer);
        let user = taken(&mut head.headers, &self.user);
        let groups = self.groups.as_ref().map(|(name, _)| taken(&mut head.headers, name));
        if let Some((name, _)) = &self.secret {
            head.headers.remove(name);
        }
        if !is_trusted {
            return Ok(None);
        }
        let Some(user) = one(&self.user, &user)?.filter(|user| !user.is_empty()) else { return Ok(None) };
        if user.contains(',') {
            return Err(Refused::Malformed(format!("{}: expected one name, without a comma.", self.user)));
        }
        let groups = match (&self.groups, &groups) {
            (Some((name, separator)), Some(values)) => one(name, values)?.map_or_else(Vec::new, |list| {
                list.split(*separator).map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect()
            }),
            _ => Vec::new(),
        };
        let invalid = |invalid| Refused::Malformed(format!("{}: {invalid}.", self.user));
        Caller::new(Way::Gateway, user, groups).map(Some).map_err(invalid)
    }

    fn is_trusted(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> bool {
        let is_there = self.from.is_empty() || peer.is_some_and(|peer| belongs(peer, &self.from));
        let knows_secret = match &self.secret {
            None => true,
            Some((name, secrets)) => {
                let mut sent = headers.get_all(name).iter();
                match (sent.next(), sent.next()) {
                    (Some(sent), None) => {
                        let equal = |secret: &String| secret.as_bytes().ct_eq(sent.as_bytes());
                        secrets.iter().map(equal).fold(Choice::from(0), |one, other| one | other).into()
                    }
                    _ => false,
                }
            }
        };
        is_there && knows_secret && (self.secret.is_some() || !self.from.is_empty())
    }
}

/// All values of a header, taken out.
fn taken(headers: &mut HeaderMap, name: &HeaderName) -> Vec<HeaderValue> {
    let values = headers.get_all(name).iter().cloned().collect();
    headers.remove(name);
    values
}

/// The one value; `None`: there is none.
fn one<'a>(name: &HeaderName, values: &'a [HeaderValue]) -> Result<Option<&'a str>, Refused> {
    let malformed = |found: &str| Refused::Malformed(format!("expected one header {name} of text, found {found}."));
    match values {
        [] => Ok(None),
        [value] => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(malformed("other bytes")),
        },
        _ => Err(malformed("several")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const SECRET: &str = "x-gateway-secret";

    fn gateway(from: &[&str], secrets: &[&str]) -> Gateway {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Gateway {
            from: from.iter().map(|net| net.parse().expect("a network")).collect(),
            secret: (!secrets.is_empty()).then(|| (HeaderName::from_static(SECRET), secrets)),
            user: HeaderName::from_static("x-auth-request-user"),
            groups: Some((HeaderName::from_static("x-auth-request-groups"), '|')),
        }
    }

    fn head(headers: &[(&str, &str)]) -> Head {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("a request").into_parts().0
    }

    fn caller(gateway: &Gateway, headers: &[(&str, &str)], peer: &str) -> Result<Option<Caller>, Refused> {
        let mut head = head(headers);
        let caller = gateway.caller(&mut head, Some(peer.parse().expect("an address")));
        assert!(head.headers.is_empty(), "nobody behind sees these headers");
        caller
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        let headers = [("X-Auth-Request-User", "ana"), ("X-Auth-Request-Groups", "lsst | verify")];
        let with_secret = |secret| [headers[0], headers[1], (SECRET, secret)];
        let by_address = gateway(&["10.0.0.0/8"], &[]);
        let ana = caller(&by_address, &headers, "10.1.2.3").expect("read").expect("trusted");
        assert_eq!((ana.name(), ana.groups()), ("ana", &["lsst".to_owned(), "verify".to_owned()][..]));
        assert_eq!(caller(&by_address, &headers, "::ffff:10.1.2.3").expect("read").expect("trusted").name(), "ana");
        assert_eq!(caller(&by_address, &headers, "192.0.2.1").expect("read"), None);
        let by_secret = gateway(&[], &["new", "old"]);
        assert!(caller(&by_secret, &with_secret("old"), "192.0.2.1").expect("read").is_some());
        for wrong in ["", "ol", "older"] {
            assert_eq!(caller(&by_secret, &with_secret(wrong), "192.0.2.1").expect("read"), None);
        }
        let by_both = gateway(&["10.0.0.0/8"], &["new"]);
        assert_eq!(caller(&by_both, &with_secret("new"), "192.0.2.1").expect("read"), None);
        assert_eq!(caller(&by_both, &headers, "10.1.2.3").expect("read"), None);
        assert!(caller(&by_both, &with_secret("new"), "10.1.2.3").expect("read").is_some());
        assert_eq!(caller(&gateway(&[], &[]), &headers, "10.1.2.3").expect("read"), None, "trusted by nothing");
    }

    #[test]
    fn a_name_that_is_ambiguous_is_refused() {
        let by_address = gateway(&["10.0.0.0/8"], &[]);
        for headers in [
            &[("X-Auth-Request-User", "ana"), ("X-Auth-Request-User", "eve")][..],
            &[("X-Auth-Request-User", "ana,eve")],
            &[("X-Auth-Request-User", "ana"), ("X-Auth-Request-Groups", "a"), ("X-Auth-Request-Groups", "b")],
        ] {
            let refused = caller(&by_address, headers, "10.1.2.3");
            assert!(matches!(refused, Err(Refused::Malformed(_))), "{headers:?}");
        }
        assert_eq!(caller(&by_address, &[("X-Auth-Request-User", "")], "10.1.2.3").expect("read"), None);
    }
}
