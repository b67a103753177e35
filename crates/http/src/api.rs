//! The API of one listener: its routes, and what every request passes before its handler runs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts as Head;
use hyper::{Method, Request, Response, StatusCode};
use postern_proxy::Proxy;
use postern_registry::Registry;

use crate::body::{BodyReader, Bounds};
use crate::negotiate::{JSON, MediaType, media_type_of, negotiate};
use crate::path;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::{Params, RequestContext};
use crate::router::{Handler, Media, Route};
use crate::{registry as dialect, v2, v3};

const TEXT: &str = "text/plain";
/// Bytes of the request line: method, path with query, version.
const REQUEST_LINE_MAX: usize = 8 << 10;
/// Bytes of all headers: the tokens of some authentication schemes are long.
const HEADERS_MAX: usize = 32 << 10;
const OPTIONS_ANSWER: &[MediaType] = &[MediaType { name: TEXT, weight: 1000 }, MediaType { name: JSON, weight: 900 }];

/// Adds headers to every response of an API, given those of the request.
type AddHeaders = fn(&HeaderMap, &mut HeaderMap);

/// The API of one listener. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    paths: matchit::Router<Endpoint>,
    reader: BodyReader,
    /// Media types of the body of a 415.
    errors: &'static [MediaType],
    add_headers: Option<AddHeaders>,
}

/// All operations of one path.
#[derive(Default)]
struct Endpoint {
    params: Vec<&'static str>,
    operations: Vec<(Method, Media, Handler)>,
}

/// The REST proxy: API v2 and v3 side by side.
pub fn rest(proxy: Proxy, bounds: &Bounds) -> Api {
    let mut routes = v2::routes(proxy.clone());
    routes.extend(v3::routes(proxy));
    Api::new(routes, v2::ERRORS, None, bounds)
}

/// The registry.
pub fn registry(registry: Registry, bounds: &Bounds) -> Api {
    Api::new(dialect::routes(registry), dialect::ANSWER, Some(dialect::add_response_headers), bounds)
}

impl Api {
    /// Joins `routes`; several may share a path with different methods.
    pub(crate) fn new(
        routes: Vec<Route>,
        errors: &'static [MediaType],
        add_headers: Option<AddHeaders>,
        bounds: &Bounds,
    ) -> Api {
        let mut endpoints: BTreeMap<&'static str, Endpoint> = BTreeMap::new();
        for Route { method, path, media, handler } in routes {
            endpoints.entry(path).or_default().operations.push((method, media, handler));
        }
        let mut paths = matchit::Router::new();
        for (path, endpoint) in endpoints {
            let params = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.split('}').next()).collect();
            paths
                .insert(path, Endpoint { params, ..endpoint })
                .expect("each path has one spelling in the tables of routes");
        }
        Api(Arc::new(Parts { paths, reader: BodyReader::new(bounds), errors, add_headers }))
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Some(add_headers) = self.0.add_headers else { return self.route(request).await };
        let headers = request.headers().clone();
        let mut response = self.route(request).await;
        add_headers(&headers, response.headers_mut());
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if let Some(problem) = too_long(&head) {
            return problem.into_reply().into_response(JSON);
        }
        let path = path::clean(head.uri.path());
        let Ok(found) = self.0.paths.at(&path) else {
            return Problem::not_found().into_reply().into_response(JSON);
        };
        let endpoint = found.value;
        if head.method == Method::OPTIONS {
            return endpoint.options(accepted(&head.headers).as_deref());
        }
        // HEAD is GET without the body, which hyper omits.
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let Some((_, media, handler)) = endpoint.operations.iter().find(|(known, ..)| known == method) else {
            let problem = Problem::generic(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed");
            return problem.into_reply().header(ALLOW, endpoint.allow()).into_response(JSON);
        };
        let content_type = match (text(&head.headers, CONTENT_TYPE), media.consumes) {
            (None, _) | (_, None) => None,
            (Some(named), Some(known)) => match media_type_of(named, known) {
                Some(known) => Some(known),
                None => return self.unsupported(&head.headers, named, known),
            },
        };
        let accept = accepted(&head.headers);
        let Some(media_type) = negotiate(accept.as_deref(), media.produces) else {
            let offered: Vec<&str> = media.produces.iter().map(|offer| offer.name).collect();
            let message = format!(
                "HTTP 406 Not Acceptable: Accept is {}, expected one of {}",
                accept.as_deref().unwrap_or_default(),
                offered.join(", ")
            );
            return Problem::generic(StatusCode::NOT_ACCEPTABLE, message).into_reply().into_response(JSON);
        };
        let values = found.params.iter().map(|(_, value)| path::decode(value).into_owned());
        let params = Params(endpoint.params.iter().copied().zip(values).collect());
        let context = RequestContext { params, content_type, body, reader: self.0.reader.clone(), head };
        let reply = handler(context).await.unwrap_or_else(Problem::into_reply);
        reply.into_response(media_type)
    }

    fn unsupported(&self, headers: &HeaderMap, named: &str, known: &[&str]) -> Response<Full<Bytes>> {
        let message =
            format!("HTTP 415 Unsupported Media Type: Content-Type is {named}, expected one of {}", known.join(", "));
        let media_type = negotiate(accepted(headers).as_deref(), self.0.errors).unwrap_or(JSON);
        Problem::generic(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_reply().into_response(media_type)
    }
}

impl Endpoint {
    fn methods(&self) -> String {
        let mut methods: Vec<&str> = self.operations.iter().map(|(method, ..)| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.join(",")
    }

    fn allow(&self) -> HeaderValue {
        HeaderValue::try_from(self.methods()).expect("method names are valid header values")
    }

    /// The methods in `Allow`, and also as the body unless the client prefers JSON.
    fn options(&self, accept: Option<&str>) -> Response<Full<Bytes>> {
        let methods = match negotiate(accept, OPTIONS_ANSWER) {
            Some(JSON) => String::new(),
            Some(_) | None => self.methods(),
        };
        Reply::bytes(StatusCode::OK, methods).header(ALLOW, self.allow()).into_response(TEXT)
    }
}

/// The `Accept` header; several are one list (RFC 9110 §5.3).
fn accepted(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut values = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or("?"));
    let first = values.next()?;
    Some(values.fold(Cow::Borrowed(first), |list, value| Cow::Owned(format!("{list},{value}"))))
}

/// The bounds are those of Confluent and of most reverse proxies. Beyond its own bounds hyper responds by itself, with the same status and
/// without a body.
fn too_long(head: &Head) -> Option<Problem> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = head.method.as_str().len() + target + "  HTTP/1.1".len();
    if line > REQUEST_LINE_MAX {
        let message = format!(
            "HTTP 414 URI Too Long: the request line has {line} bytes, more than the {REQUEST_LINE_MAX} that are taken."
        );
        return Some(Problem::generic(StatusCode::URI_TOO_LONG, message));
    }
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > HEADERS_MAX {
        let message = format!(
            "HTTP 431 Request Header Fields Too Large: they have {headers} bytes, more than the {HEADERS_MAX} that are taken."
        );
        return Some(Problem::generic(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message));
    }
    None
}

/// A header's value; one that is not text is replaced by one that matches nothing.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
