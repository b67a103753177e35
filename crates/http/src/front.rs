//! What stands in front of the handlers of a listener: what proxies in front say of a request, pages of other origins, limits of requests in a
//! second, and headers of every answer. It comes before authentication, so it must cost little and trust nothing.

mod added_headers;
mod cors;
mod forwarded;
mod limits;
mod operations;
mod origin;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::Extensions;
use hyper::http::request::Parts;
use hyper::{StatusCode, Uri};
use ipnet::IpNet;

pub use self::added_headers::{AddedHeader, AddedHeaders};
pub use self::cors::CorsSettings;
pub use self::forwarded::ProxyHeaders;
pub use self::limits::RateLimits;
pub use self::operations::{OperationCosts, OperationNames, OperationSettings};
pub use self::origin::{AllowedOrigins, OriginPattern};

use self::cors::Cors;
use self::forwarded::Forwarded;
use self::limits::Limiter;
use self::operations::Operations;
use self::origin::Origin;
use crate::authority;
use crate::connection_info::ConnectionInfo;
use crate::problem::Problem;
use crate::reply::Reply;

pub(crate) use self::operations::Asked;

/// What is chosen about it. The default is that nobody in front is believed and no page of another origin may read or write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontSettings {
    /// Pages of other origins.
    pub cors: CorsSettings,
    /// Headers of every answer.
    pub headers: AddedHeaders,
    /// The proxies in front that are believed what they say of requests.
    pub trusted_proxies: Vec<IpNet>,
    /// The headers in which they say it.
    pub proxy_headers: ProxyHeaders,
    /// Whether a request is refused whose host is not the server that its connection has named in the handshake of TLS.
    pub check_server_name: bool,
    /// Where clients find this server, for links; `None`: as the request was addressed.
    pub public_url: Option<PublicUrl>,
    /// How many requests are taken in a second.
    pub limits: RateLimits,
    /// Which operations exist, and what they cost.
    pub operations: OperationSettings,
}

/// The begin of all URLs of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Without `/` at its end.
    base: String,
    origin: Origin,
}

impl PublicUrl {
    /// `https://kafka.example.org` or `https://example.org/kafka`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<PublicUrl, &'static str> {
        const EXPECTED: &str =
            "http:// or https://, a host, and perhaps a port and a path, such as https://example.org/kafka";
        let base = text.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|_| EXPECTED)?;
        let (scheme, authority) = (uri.scheme_str().ok_or(EXPECTED)?, uri.authority().ok_or(EXPECTED)?);
        let origin = Origin::parse(&format!("{scheme}://{authority}")).ok_or(EXPECTED)?;
        match matches!(scheme, "http" | "https") && uri.query().is_none() && !base.contains('#') {
            true => Ok(PublicUrl { base: base.to_owned(), origin }),
            false => Err(EXPECTED),
        }
    }
}

/// The front of a listener. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Front(Arc<FrontParts>);

#[derive(Debug)]
struct FrontParts {
    cors: Cors,
    headers: AddedHeaders,
    trusted_proxies: Vec<IpNet>,
    proxy_headers: ProxyHeaders,
    check_server_name: bool,
    public_url: Option<Arc<PublicUrl>>,
    limiter: Limiter,
    operations: Option<Operations>,
    /// Whether it was told that a page was refused.
    told: AtomicBool,
}

/// What an answer needs to know of its request.
#[derive(Debug)]
pub(crate) struct Received {
    origin: Option<HeaderValue>,
    is_https: bool,
}

impl Front {
    /// `operations` has the path and the id of each operation of the API.
    pub(crate) fn new(settings: FrontSettings, operations: &[(&'static str, String)]) -> Front {
        let operations = Operations::new(&settings.operations, operations);
        let FrontSettings { cors, headers, trusted_proxies, proxy_headers, check_server_name, .. } = settings;
        let FrontSettings { public_url, limits, .. } = settings;
        Front(Arc::new(FrontParts {
            cors: Cors::new(cors),
            headers,
            trusted_proxies,
            proxy_headers,
            check_server_name,
            public_url: public_url.map(Arc::new),
            limiter: Limiter::new(limits),
            operations,
            told: AtomicBool::new(false),
        }))
    }

    /// Whether it matters which operation a request asks for.
    pub(crate) fn looks_at_operations(&self) -> bool {
        self.0.operations.is_some()
    }

    /// Looks at a request before anything else does; `asked` is what it asks for, and `received` how many bytes of bodies the API has
    /// received so far. A reply answers it at once.
    pub(crate) fn receive(&self, head: &mut Parts, asked: Option<Asked>, received: u64) -> (Received, Option<Reply>) {
        let Front(parts) = self;
        let peer = head.extensions.get::<ConnectionInfo>().and_then(ConnectionInfo::peer_ip);
        let forwarded = forwarded::take(peer, &parts.trusted_proxies, parts.proxy_headers, &mut head.headers);
        if let Some(forwarded) = forwarded {
            head.extensions.insert(forwarded);
        }
        if let Some(url) = &parts.public_url {
            head.extensions.insert(Arc::clone(url));
        }
        let cost = parts.operations.as_ref().map_or(1, |operations| operations.cost(asked));
        let bytes = Some(received).filter(|_| !head.method.is_safe());
        let reply = parts.cors.preflight(&head.method, &head.headers);
        let reply = reply.or_else(|| parts.limiter.refuse(client_ip(&head.extensions), cost, bytes));
        let is_missing = || parts.operations.as_ref()?.refuse(asked, &head.method);
        let reply = reply.or_else(|| is_missing().map(Problem::into_reply));
        let received =
            Received { origin: head.headers.get(ORIGIN).cloned(), is_https: scheme(&head.extensions) == "https" };
        let reply = reply.or_else(|| self.misdirected(head).map(Problem::into_reply));
        let reply = reply.or_else(|| self.foreign_write(head).map(Problem::into_reply));
        (received, reply)
    }

    /// Adds the headers that every answer has, whoever answers.
    pub(crate) fn finish(&self, received: &Received, answer: &mut HeaderMap) {
        self.0.cors.add_headers(received.origin.as_ref(), answer);
        self.0.headers.add(received.is_https, answer);
    }

    /// A request for another host than the one that the handshake has named came to the wrong server: whoever sent it may open a connection
    /// for it (RFC 9110 §15.5.20).
    fn misdirected(&self, head: &Parts) -> Option<Problem> {
        let connection = self.0.check_server_name.then(|| head.extensions.get::<ConnectionInfo>()).flatten()?;
        let name = connection.tls.as_ref()?.server_name.as_deref()?;
        let authority = host(&head.uri, &head.headers);
        let found = authority::parse(authority.as_bytes());
        let is_same = found.is_some_and(|found| found.host().trim_end_matches('.').eq_ignore_ascii_case(name));
        (!is_same).then(|| {
            let message = format!(
                "HTTP 421 Misdirected Request: Host is {authority:?}, and the connection was opened for {name:?}: expected a connection of \
                 its own. Nothing was done."
            );
            Problem::generic(StatusCode::MISDIRECTED_REQUEST, message)
        })
    }

    /// A page of another origin needs permission to write: a browser lets every page send requests, and only keeps the answers from it. Whoever
    /// sends no `Origin` is no page.
    fn foreign_write(&self, head: &Parts) -> Option<Problem> {
        let origin = head.headers.get(ORIGIN)?;
        if head.method.is_safe() || self.0.cors.allows(origin) || is_own(origin, head) {
            return None;
        }
        if !self.0.told.swap(true, Relaxed) {
            tracing::info!(
                ?origin,
                "a page of another origin was refused to write: cors-allowed-origins does not name it"
            );
        }
        let message = format!(
            "HTTP 403 Forbidden: Origin is {origin:?}, and {} from pages of that origin is not taken. Nothing was done. Expected a page of \
             this server (public-url), or an origin that cors-allowed-origins names.",
            head.method
        );
        Some(Problem::generic(StatusCode::FORBIDDEN, message))
    }
}

/// Whether a page comes from this server. What `Host` says counts only where it is an address: a name may be one that whoever made the page
/// has pointed here (DNS rebinding).
fn is_own(origin: &HeaderValue, head: &Parts) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else { return false };
    let same = |authority: &str| {
        Origin::parse(&format!("{}://{authority}", scheme(&head.extensions)))
            .filter(|own| own.has_authority_of(&origin))
    };
    if let Some(url) = head.extensions.get::<Arc<PublicUrl>>() {
        return url.origin == origin;
    }
    if let Some(authority) = head.extensions.get::<Forwarded>().and_then(|said| said.authority.as_deref()) {
        return same(authority).is_some();
    }
    same(host(&head.uri, &head.headers)).is_some_and(|own| own.is_address())
}

/// The client: as trusted proxies say, else who has opened the connection.
pub(crate) fn client_ip(extensions: &Extensions) -> Option<IpAddr> {
    let said = extensions.get::<Forwarded>().and_then(|forwarded| forwarded.client);
    said.or_else(|| extensions.get::<ConnectionInfo>()?.client.map(|client| client.ip()))
}

/// What links begin with, without `/` at its end: the public URL, else what trusted proxies say, else as the request was addressed.
pub(crate) fn base_url(head: &Parts) -> String {
    if let Some(url) = head.extensions.get::<Arc<PublicUrl>>() {
        return url.base.clone();
    }
    let said = head.extensions.get::<Forwarded>();
    let authority = said.and_then(|said| said.authority.as_deref());
    let authority = authority.unwrap_or_else(|| host(&head.uri, &head.headers));
    let prefix = said.map_or("", |said| said.prefix.as_str());
    format!("{}://{authority}{prefix}", scheme(&head.extensions))
}

fn scheme(extensions: &Extensions) -> &'static str {
    let said = extensions.get::<Forwarded>().and_then(|forwarded| forwarded.scheme);
    let is_tls = extensions.get::<ConnectionInfo>().is_some_and(|connection| connection.tls.is_some());
    said.unwrap_or(if is_tls { "https" } else { "http" })
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(|authority| authority.as_str()).or(host).unwrap_or("localhost")
}
