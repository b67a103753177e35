//! What proxies in front say of a request: who the client is, and how it has addressed them (RFC 7239, and `X-Forwarded-*`).
//!
//! They are believed only when the connection comes from a proxy that was named. From anybody else the headers are removed, so that nothing
//! further in takes them for true. So are those of the other kind that the proxy does not write: it hands on what its client has made up.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hyper::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::addresses::belongs;
use crate::authority;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// Bytes of a prefix.
const PREFIX_MAX: usize = 256;

/// The kind of headers in which proxies in front say what they know of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`, which nearly all of them write. `Forwarded` says nothing.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239). `X-Forwarded-…` say nothing.
    Forwarded,
}

/// What trusted proxies have said of a request. In its extensions where there is a trusted proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// The client: the first address that is not a trusted proxy's. `None`: it is not known.
    pub(crate) client: Option<IpAddr>,
    /// `http` or `https`.
    pub(crate) scheme: Option<&'static str>,
    /// Host and perhaps port.
    pub(crate) authority: Option<String>,
    /// What stood before the path: `/` and more, without one at its end; or nothing.
    pub(crate) prefix: String,
}

/// Removes what proxies in front say of the request, and returns what they say in `kind` if the connection comes from one of `trusted`.
pub(crate) fn take(
    peer: Option<IpAddr>,
    trusted: &[IpNet],
    kind: ProxyHeaders,
    headers: &mut HeaderMap,
) -> Option<Forwarded> {
    let is_trusted = |address: IpAddr| belongs(address, trusted);
    let found = peer.is_some_and(is_trusted).then(|| match kind {
        ProxyHeaders::XForwarded => customary(headers, &is_trusted),
        ProxyHeaders::Forwarded => standard(headers, &is_trusted),
    });
    if headers.keys().any(|name| *name == FORWARDED || name.as_str().starts_with("x-forwarded-")) {
        if found.is_some() {
            kind.warn_of_others(peer, headers);
        }
        for name in [FORWARDED, FOR, PROTO, HOST, PORT, PREFIX] {
            headers.remove(name);
        }
    }
    found
}

impl ProxyHeaders {
    /// Whether a proxy seems to write headers of the other kind: those are there, and none of this kind. A proxy that writes these, too, hands on
    /// the others of its clients.
    fn are_missed_in(self, headers: &HeaderMap) -> bool {
        let customary = [FOR, PROTO, HOST, PORT, PREFIX].iter().any(|name| headers.contains_key(name));
        let standard = headers.contains_key(FORWARDED);
        match self {
            ProxyHeaders::XForwarded => standard && !customary,
            ProxyHeaders::Forwarded => customary && !standard,
        }
    }

    /// Tells the log once that a trusted proxy writes headers of the other kind, which say nothing.
    fn warn_of_others(self, peer: Option<IpAddr>, headers: &HeaderMap) {
        static TOLD: AtomicBool = AtomicBool::new(false);
        if !self.are_missed_in(headers) || TOLD.swap(true, Relaxed) {
            return;
        }
        let (found, name, other) = match self {
            ProxyHeaders::XForwarded => ("Forwarded", "x-forwarded", "forwarded"),
            ProxyHeaders::Forwarded => ("X-Forwarded-…", "forwarded", "x-forwarded"),
        };
        let proxy = peer.map_or_else(String::new, |peer| peer.to_string());
        tracing::warn!(
            "the trusted proxy {proxy} sends {found}, and proxy-headers is {name}: what it says of clients is ignored, and all of them have its \
             address; expected proxy-headers = {other}, if it is the proxy that writes them"
        );
    }
}

fn customary(headers: &HeaderMap, is_trusted: &impl Fn(IpAddr) -> bool) -> Forwarded {
    let prefix = last(headers, &PREFIX).and_then(|text| prefix(&text)).unwrap_or_default();
    let scheme = last(headers, &PROTO).and_then(|text| scheme(&text));
    let authority = last(headers, &HOST).and_then(|text| authority(&text));
    let port = last(headers, &PORT).and_then(|port| port.parse::<u16>().ok());
    let authority = authority.map(|authority| match (port, scheme) {
        (Some(443), Some("https")) | (Some(80), Some("http")) | (None, _) => authority,
        (Some(_), _) if has_port(&authority) => authority,
        (Some(port), _) => format!("{authority}:{port}"),
    });
    let hops: Vec<_> =
        values(headers, &FOR).flat_map(|value| value.split(',').map(address).collect::<Vec<_>>()).collect();
    Forwarded { client: client(&hops, is_trusted).and_then(|at| hops[at]), scheme, authority, prefix }
}

/// What one proxy says.
#[derive(Default)]
struct Hop {
    address: Option<IpAddr>,
    scheme: Option<&'static str>,
    authority: Option<String>,
}

/// RFC 7239 §4. Of protocol and host the last that were said count, of what the client and the proxies behind it say: what stands before that may
/// be made up.
fn standard(headers: &HeaderMap, is_trusted: &impl Fn(IpAddr) -> bool) -> Forwarded {
    let mut hops = Vec::new();
    for value in values(headers, &FORWARDED) {
        // A quotation mark that is never closed would hide what the nearest proxy says in what the client has said.
        if !ends_unquoted(&value) {
            hops.push(Hop::default());
            continue;
        }
        for element in split(&value, ',') {
            let mut hop = Hop::default();
            for pair in split(element, ';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                let value = unquoted(value.trim());
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop.address = address(&value),
                    "proto" => hop.scheme = scheme(&value),
                    "host" => hop.authority = authority(&value),
                    _ => {}
                }
            }
            hops.push(hop);
        }
    }
    let addresses: Vec<_> = hops.iter().map(|hop| hop.address).collect();
    let client = client(&addresses, is_trusted);
    let believed = hops.split_off(client.unwrap_or(hops.len().saturating_sub(1)));
    Forwarded {
        client: client.and_then(|at| addresses[at]),
        scheme: believed.iter().rev().find_map(|hop| hop.scheme),
        authority: believed.into_iter().rev().find_map(|hop| hop.authority),
        prefix: String::new(),
    }
}

/// The place of the client: from the nearest hop to the farthest, the first that is not trusted. One that cannot be read ends the search.
fn client(hops: &[Option<IpAddr>], is_trusted: &impl Fn(IpAddr) -> bool) -> Option<usize> {
    let mut farthest = None;
    for (at, hop) in hops.iter().enumerate().rev() {
        let hop = (*hop)?;
        farthest = Some(at);
        if !is_trusted(hop) {
            break;
        }
    }
    farthest
}

/// Text that is not ASCII makes unreadable what it stands in, not what others have added to it.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// The last of several values: that of the proxy nearest to us.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(values(headers, name).last()?.rsplit(',').next()?.trim().to_owned())
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|known| text.eq_ignore_ascii_case(known))
}

fn authority(text: &str) -> Option<String> {
    authority::parse(text.as_bytes()).map(|authority| authority.to_string())
}

fn has_port(authority: &str) -> bool {
    authority::parse(authority.as_bytes()).is_some_and(|authority| authority.port().is_some())
}

fn prefix(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.len() <= PREFIX_MAX;
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>".contains(&byte)) && !text.contains("..");
    (is_path && is_plain).then(|| text.to_owned())
}

/// An address with or without port, that of IPv6 with or without brackets. `None`: something else, such as `unknown` or `_name`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // Of IPv6 without brackets the last group would be taken for a port.
        None if text.matches(':').count() == 1 => text.split(':').next()?,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The parts between `separator` outside of quotation marks.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quotes = Quotes::default();
    text.split(move |c: char| {
        quotes.pass(c);
        c == separator && !quotes.is_quoted
    })
}

/// Whether each quotation mark is closed.
fn ends_unquoted(text: &str) -> bool {
    let mut quotes = Quotes::default();
    text.chars().for_each(|c| quotes.pass(c));
    !quotes.is_quoted
}

/// Whether a place in a text is inside of a quoted string (RFC 9110 §5.6.4).
#[derive(Default)]
struct Quotes {
    is_quoted: bool,
    is_escaped: bool,
}

impl Quotes {
    fn pass(&mut self, c: char) {
        if self.is_escaped {
            self.is_escaped = false;
        } else if self.is_quoted && c == '\\' {
            self.is_escaped = true;
        } else if c == '"' {
            self.is_quoted = !self.is_quoted;
        }
    }
}

/// A token, or the content of a quoted string (RFC 9110 §5.6.4).
fn unquoted(text: &str) -> String {
    let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return text.to_owned() };
    let mut out = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        out.push(if c == '\\' { characters.next().unwrap_or(c) } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of these headers, sent by 10.0.0.1, where 10.0.0.0/8 and fd00::/8 are trusted and write headers of this kind.
    fn taken_of(kind: ProxyHeaders, headers: &[(&'static str, &str)]) -> Forwarded {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("text"));
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let peer = "::ffff:10.0.0.1".parse().expect("an address");
        let found = take(Some(peer), &trusted, kind, &mut map).expect("it is trusted");
        assert!(map.is_empty(), "{map:?}");
        found
    }

    fn taken(headers: &[(&'static str, &str)]) -> Forwarded {
        taken_of(ProxyHeaders::XForwarded, headers)
    }

    fn client_of(headers: &[(&'static str, &str)]) -> Option<String> {
        taken(headers).client.map(|client| client.to_string())
    }

    #[test]
    fn the_client_is_the_first_that_is_not_trusted() {
        for (hops, client) in [
            ("1.1.1.1, 2.2.2.2, 10.9.9.9", Some("2.2.2.2")),
            ("10.1.1.1, 10.2.2.2", Some("10.1.1.1")),
            ("1.1.1.1:4711", Some("1.1.1.1")),
            ("[2001:db8::1]:4711, fd00::1", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("1.1.1.1, unknown, 10.1.1.1", None),
            ("", None),
        ] {
            assert_eq!(client_of(&[("x-forwarded-for", hops)]).as_deref(), client, "{hops}");
        }
        assert_eq!(
            client_of(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]).as_deref(),
            Some("2.2.2.2")
        );
        for (elements, client) in [
            ("for=1.1.1.1, for=10.1.1.1;proto=https", Some("1.1.1.1")),
            (r#"for="[2001:db8::1]:4711";by=_a, For="10.1.1.1""#, Some("2001:db8::1")),
            (r#"for="1.1.1.1, for=2.2.2.2""#, None),
            ("for=1.1.1.1, for=_hidden", None),
            (r#"for=6.6.6.6;a=", for=2.2.2.2"#, None),
            (r#"for=6.6.6.6;a="\", for=2.2.2.2"#, None),
            ("for=\u{e9}, for=2.2.2.2", Some("2.2.2.2")),
        ] {
            let found = taken_of(ProxyHeaders::Forwarded, &[("forwarded", elements)]).client;
            assert_eq!(found.map(|client| client.to_string()).as_deref(), client, "{elements}");
        }
    }

    #[test]
    fn headers_of_the_other_kind_are_missed_where_there_are_no_others() {
        for (names, expected) in [
            (&["forwarded"][..], Some(ProxyHeaders::XForwarded)),
            (&["x-forwarded-for"], Some(ProxyHeaders::Forwarded)),
            (&["x-forwarded-proto"], Some(ProxyHeaders::Forwarded)),
            // The other one may come from the client.
            (&["forwarded", "x-forwarded-for"], None),
            // A gateway names callers so.
            (&["x-forwarded-user"], None),
            (&[], None),
        ] {
            let value = || "x".parse().expect("text");
            let headers = names.iter().map(|name| (HeaderName::from_static(name), value())).collect();
            for kind in [ProxyHeaders::XForwarded, ProxyHeaders::Forwarded] {
                assert_eq!(kind.are_missed_in(&headers), expected == Some(kind), "{names:?} {kind:?}");
            }
        }
    }

    /// A proxy hands on the headers that it does not write itself as its client has sent them.
    #[test]
    fn what_the_client_has_made_up_counts_for_nothing() {
        let both = [
            ("forwarded", "for=1.1.1.1;proto=https;host=evil"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil"),
        ];
        let ours = |client: &str, scheme, authority: &str, prefix: &str| Forwarded {
            client: Some(client.parse().expect("an address")),
            scheme: Some(scheme),
            authority: Some(authority.to_owned()),
            prefix: prefix.to_owned(),
        };
        assert_eq!(taken(&both), ours("2.2.2.2", "http", "evil.example", "/evil"));
        assert_eq!(taken_of(ProxyHeaders::Forwarded, &both), ours("1.1.1.1", "https", "evil", ""));
        for (kind, made_up) in [(ProxyHeaders::XForwarded, &both[..1]), (ProxyHeaders::Forwarded, &both[1..])] {
            assert_eq!(taken_of(kind, made_up), Forwarded::default(), "{kind:?}");
        }
    }

    #[test]
    fn links_are_those_that_the_client_can_use() {
        let of = |headers: &[(&'static str, &str)]| {
            let Forwarded { scheme, authority, prefix, .. } = taken(headers);
            (scheme.unwrap_or_default(), authority.unwrap_or_default(), prefix)
        };
        let found = |scheme, authority: &str, prefix: &str| (scheme, authority.to_owned(), prefix.to_owned());
        let base = [("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "evil, a.example")];
        assert_eq!(of(&base), found("https", "a.example", ""));
        let with = |name, value| of(&[base[0], base[1], (name, value)]);
        assert_eq!(with("x-forwarded-port", "443"), found("https", "a.example", ""));
        assert_eq!(with("x-forwarded-port", "8443"), found("https", "a.example:8443", ""));
        assert_eq!(with("x-forwarded-prefix", "/kafka/"), found("https", "a.example", "/kafka"));
        for wrong in ["//evil", "kafka", "/a/../b", "/a?b", &format!("/{}", "a".repeat(300))] {
            assert_eq!(with("x-forwarded-prefix", wrong), found("https", "a.example", ""), "{wrong}");
        }
        for wrong in ["u@a", "a/b", "a\\b", "a b", "", "a:65536", "a:x", ":80"] {
            assert_eq!(of(&[("x-forwarded-host", wrong), ("x-forwarded-proto", "ftp")]), found("", "", ""), "{wrong}");
        }
        let standard = [("forwarded", r#"proto=http;host=x, proto=https;host="a.example:8443""#)];
        let Forwarded { scheme, authority, .. } = taken_of(ProxyHeaders::Forwarded, &standard);
        assert_eq!((scheme, authority.as_deref()), (Some("https"), Some("a.example:8443")));
    }

    #[test]
    fn nothing_is_believed_of_strangers() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-host", "evil".parse().expect("text"));
        headers.insert("forwarded", "for=1.1.1.1".parse().expect("text"));
        let trusted = ["10.0.0.1/32".parse().expect("a network")];
        let mut take = |peer: Option<&str>| {
            let peer = peer.map(|peer| peer.parse().expect("an address"));
            take(peer, &trusted, ProxyHeaders::XForwarded, &mut headers)
        };
        assert_eq!((take(Some("10.0.0.2")), take(None)), (None, None));
        assert!(headers.is_empty());
    }
}
