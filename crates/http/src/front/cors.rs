//! Cross-Origin Resource Sharing: which pages may read answers and write, and the preflight requests of browsers.
//!
//! Source: the Fetch standard, §3.2. Defaults and the answers to preflights are Confluent's, but for credentials: there `*` gets them as well,
//! here only origins that are listed.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};

use super::origin::AllowedOrigins;
use crate::reply::Reply;

const PRIVATE_NETWORK_REQUESTED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_ALLOWED: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("1800");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");
/// What pages may read of answers in any case.
const EXPOSED: &str = "X-Request-ID, Location, Retry-After, WWW-Authenticate";

/// What is chosen about pages of other origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsSettings {
    /// Whose pages may read answers, and write.
    pub origins: AllowedOrigins,
    /// The methods that they may use, in capitals.
    pub methods: Vec<String>,
    /// The headers that they may send, in any case; `*`: any.
    pub headers: Vec<String>,
    /// The headers of answers that they may read, besides those of every answer.
    pub exposed: Vec<String>,
}

/// Nobody's pages.
impl Default for CorsSettings {
    fn default() -> CorsSettings {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        CorsSettings {
            origins: AllowedOrigins::None,
            methods: list(&["GET", "POST", "HEAD"]),
            headers: list(&["X-Requested-With", "Content-Type", "Accept", "Origin"]),
            exposed: Vec::new(),
        }
    }
}

/// The same, ready to be used.
#[derive(Debug)]
pub(crate) struct Cors {
    settings: CorsSettings,
    methods: HeaderValue,
    headers: HeaderValue,
    exposed: HeaderValue,
}

impl Cors {
    /// Names that no header value can hold are left out.
    pub(crate) fn new(settings: CorsSettings) -> Cors {
        let join =
            |names: &[String]| HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""));
        let mut exposed = settings.exposed.clone();
        exposed.push(EXPOSED.to_owned());
        Cors { methods: join(&settings.methods), headers: join(&settings.headers), exposed: join(&exposed), settings }
    }

    /// Whether anything is chosen; if nothing is, requests of pages are like all others.
    pub(crate) fn is_on(&self) -> bool {
        self.settings.origins != AllowedOrigins::None
    }

    /// Whether pages of this origin may write.
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.settings.origins.allow(origin))
    }

    /// The answer to a preflight request, without the headers that every answer gets; `None`: it is none.
    pub(crate) fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<Reply> {
        if !self.is_on() || *method != Method::OPTIONS {
            return None;
        }
        let (origin, asked) = (request.get(ORIGIN)?, request.get(ACCESS_CONTROL_REQUEST_METHOD)?);
        let vary = "Access-Control-Request-Method, Access-Control-Request-Headers";
        let reply = Reply::empty(StatusCode::OK).header(VARY, HeaderValue::from_static(vary));
        if !self.allows(origin) || !self.settings.methods.iter().any(|method| method.as_bytes() == asked.as_bytes()) {
            return Some(reply);
        }
        let asked_headers = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
        let is_any = self.settings.headers.iter().any(|header| header == "*");
        let is_allowed = |name: &str| self.settings.headers.iter().any(|known| known.eq_ignore_ascii_case(name));
        let names = asked_headers.map_or("", |names| names.to_str().unwrap_or("?"));
        let mut names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        if !is_any && !names.all(is_allowed) {
            return Some(reply);
        }
        // With credentials `*` would be a name like others, so what is asked for is repeated.
        let headers = match (is_any, asked_headers) {
            (true, Some(asked)) => asked.clone(),
            _ => self.headers.clone(),
        };
        let mut reply = reply
            .header(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone())
            .header(ACCESS_CONTROL_ALLOW_HEADERS, headers)
            .header(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if request.contains_key(PRIVATE_NETWORK_REQUESTED) && self.settings.origins != AllowedOrigins::Any {
            reply = reply.header(PRIVATE_NETWORK_ALLOWED, TRUE);
        }
        Some(reply)
    }

    /// Adds what every answer to a request from `origin` has, refusals included: a browser shows no answer without it.
    pub(crate) fn add_headers(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        if !self.is_on() {
            return;
        }
        answer.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| self.allows(origin)) else { return };
        match self.settings.origins {
            AllowedOrigins::Any => answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY),
            AllowedOrigins::None | AllowedOrigins::Listed(_) => {
                answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())
            }
        };
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
    }
}
