//! The API of one listener: its routes, and what every request passes before its handler runs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts as Head;
use hyper::{Method, Request, Response, StatusCode};
use opentelemetry::context::FutureExt;
use postern_access::{Permissions, Right};
use postern_proxy::{Proxy, Traces};
use postern_registry::Registry;

use crate::access::kafka_identities::ActsAs;
use crate::access::{self, routes};
use crate::authentication::{AccessControl, Authentication};
use crate::body::{BodyReader, Bounds};
use crate::coding::{self, Coding};
use crate::front::{Asked, Front, FrontSettings, client_ip};
use crate::negotiate::{JSON, MediaType, media_type_of, negotiate};
use crate::observe::{
    ApiCounters, ApiStatistics, AuditedRequest, Observed, RequestId, RequestLog, UNMATCHED, X_REQUEST_ID, keep_asked,
    tell_what_is_made,
};
use crate::path::{self, REGISTRY_PATHS, REST_PATHS, is_below};
use crate::problem::Problem;
use crate::reading::RecordStreams;
use crate::replicas::{ForwardedCaller, Forwarder, ReplicaSecret};
use crate::reply::{ErrorCode, Reply, ReplyBody};
use crate::request_context::{Params, RequestBody, RequestContext};
use crate::request_head::malformed;
use crate::router::{Handler, Media, Route};
use crate::{administration, openapi, registry as dialect, v2, v3};

const TEXT: &str = "text/plain";
/// Characters of a path in a message.
const PATH_SHOWN: usize = 100;
const OPTIONS_ANSWER: &[MediaType] = &[MediaType { name: TEXT, weight: 1000 }, MediaType { name: JSON, weight: 900 }];

/// Adds headers to every response of an API.
type AddHeaders = fn(&mut HeaderMap);

/// The API of one listener. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    parts: Arc<Parts>,
    front: Front,
    access: AccessControl,
    /// `None`: no spans are made.
    traces: Option<Traces>,
}

struct Parts {
    paths: matchit::Router<Endpoint>,
    reader: BodyReader,
    counters: Arc<ApiCounters>,
    /// The path and the id of each operation, in the order of the counters.
    operations: Vec<(&'static str, String)>,
    log: RequestLog,
    /// Whether answers are packed.
    compression: bool,
    profile: Profile,
}

/// What the APIs differ in besides their routes.
struct Profile {
    /// The server's name, and what its paths begin with, for those who look for something else here.
    server: &'static str,
    paths: &'static [&'static str],
    /// The other server's.
    other_server: &'static str,
    other_paths: &'static [&'static str],
    /// What to do instead of a method that a path does not have: path, method, sentence.
    instead: &'static [(&'static str, Method, &'static str)],
    /// Media types of the body of a 415.
    errors: &'static [MediaType],
    add_headers: Option<AddHeaders>,
}

/// All operations of one path.
struct Endpoint {
    path: &'static str,
    params: Vec<&'static str>,
    operations: Vec<Operation>,
}

/// One of them.
struct Operation {
    method: Method,
    media: Media,
    handler: Handler,
    need: routes::Need,
    /// Its place among the routes that are counted.
    counted_as: usize,
    /// Whether it belongs into the audit.
    alters: bool,
}

/// The REST proxy: API v2 and v3 side by side.
pub fn rest(proxy: Proxy, bounds: &Bounds) -> Api {
    rest_with(proxy, bounds, None)
}

/// The same, where other replicas have some of the consumer instances (`Proxy::share_consumers`). All of them have this secret.
pub fn rest_among_replicas(proxy: Proxy, bounds: &Bounds, secret: ReplicaSecret) -> Api {
    rest_with(proxy, bounds, Some(&Forwarder::new(secret)))
}

fn rest_with(proxy: Proxy, bounds: &Bounds, forwarder: Option<&Forwarder>) -> Api {
    proxy.tell_what_is_made(tell_what_is_made);
    let streams = RecordStreams::new(bounds);
    let mut routes = v2::routes(proxy.clone(), &streams, forwarder);
    routes.extend(v3::routes(proxy.clone(), &bounds.produce, &streams));
    routes.extend(administration::routes(proxy));
    let profile = Profile {
        server: "the REST proxy",
        paths: REST_PATHS,
        other_server: "the Schema Registry",
        other_paths: REGISTRY_PATHS,
        instead: v2::INSTEAD,
        errors: v2::ERRORS,
        add_headers: None,
    };
    Api::new(openapi::describe("Postern: REST proxy for Kafka", routes), profile, bounds)
}

/// The registry.
pub fn registry(registry: Registry, bounds: &Bounds) -> Api {
    let profile = Profile {
        server: "the Schema Registry",
        paths: REGISTRY_PATHS,
        other_server: "the REST proxy",
        other_paths: REST_PATHS,
        instead: &[],
        errors: dialect::ANSWER,
        add_headers: Some(dialect::add_response_headers),
    };
    let routes = openapi::describe("Postern: schema registry", dialect::routes(registry));
    Api::new(routes, profile, bounds)
}

impl Api {
    /// Joins `routes`; several may share a path with different methods.
    fn new(routes: Vec<Route>, profile: Profile, bounds: &Bounds) -> Api {
        let mut endpoints: BTreeMap<&'static str, Endpoint> = BTreeMap::new();
        let counters = ApiCounters::new(routes.iter().map(|route| (route.method.clone(), route.path)));
        let operations = routes.iter().map(|route| (route.path, route.operation.full_id())).collect();
        for (n, Route { method, path, media, handler, .. }) in routes.into_iter().enumerate() {
            let params =
                || path.split('/').filter_map(|segment| segment.strip_prefix('{')?.split('}').next()).collect();
            let endpoint =
                endpoints.entry(path).or_insert_with(|| Endpoint { path, params: params(), operations: Vec::new() });
            let need = routes::need(method.as_str(), path).unwrap_or(routes::UNLISTED);
            let (counted_as, alters) = (UNMATCHED + 1 + n, routes::alters(method.as_str(), path, need));
            endpoint.operations.push(Operation { method, media, handler, need, counted_as, alters });
        }
        let mut paths = matchit::Router::new();
        for (path, endpoint) in endpoints {
            paths.insert(path, endpoint).expect("each path has one spelling in the tables of routes");
        }
        let counters = Arc::new(counters);
        let reader = BodyReader::new(bounds, counters.clone());
        let (log, compression) = (bounds.log, bounds.compression);
        Api {
            parts: Arc::new(Parts { paths, reader, counters, operations, log, compression, profile }),
            front: Front::new(FrontSettings::default(), &[]),
            access: AccessControl::new(Authentication::Nobody, None),
            traces: None,
        }
    }

    /// The same behind a front of this kind.
    #[must_use]
    pub fn with_front(self, settings: FrontSettings) -> Api {
        Api { front: Front::new(settings, &self.parts.operations), ..self }
    }

    /// Method and path of each route, and whether it is known what right it needs.
    pub fn routes(&self) -> impl Iterator<Item = (&Method, &'static str, bool)> {
        let routes = self.parts.counters.routes();
        routes.map(|(method, path)| (method, path, routes::need(method.as_str(), path).is_some()))
    }

    /// The same, whose requests `access` decides about.
    #[must_use]
    pub fn with_access(self, access: AccessControl) -> Api {
        Api { access, ..self }
    }

    /// The same, with a span of `traces` for each request.
    #[must_use]
    pub fn with_traces(self, traces: Option<Traces>) -> Api {
        Api { traces, ..self }
    }

    /// Answers one request. Whatever answers, the answer gets the headers of all answers.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let id = RequestId::of(request.headers());
        // The head is boxed and the work pinned here, as both would be copied with everything that they are handed on to.
        let (head, body) = request.into_parts();
        let work = pin!(self.observed(Box::new(head), body));
        let mut response = id.clone().scope(work).await;
        response.headers_mut().insert(X_REQUEST_ID, id.into_value());
        response
    }

    async fn observed(&self, mut head: Box<Head>, body: Incoming) -> Response<ReplyBody> {
        let asked = self.front.looks_at_operations().then(|| self.parts.asked(&head)).flatten();
        let so_far = self.parts.counters.taken();
        let (received, reply) = self.front.receive(&mut head, asked, so_far);
        let (announced, client) = (body.size_hint().exact(), client_ip(&head.extensions));
        let traces = self.traces.as_ref();
        let mut observed = Observed::new(&self.parts.counters, self.parts.log, traces, &head, announced, client);
        let coding = Coding::of_answer(&head.headers);
        let mut response = match (reply, observed.trace_context()) {
            (Some(reply), _) => reply.into_response(JSON),
            (None, None) => self.route(head, body, &mut observed).await,
            // Boxed, so that nothing is larger where traces are off.
            (None, Some(trace)) => Box::pin(self.route(head, body, &mut observed).with_context(trace)).await,
        };
        if let Some(add_headers) = self.parts.profile.add_headers {
            add_headers(response.headers_mut());
        }
        self.front.finish(&received, response.headers_mut());
        if self.parts.compression {
            response = coding::packed(response, coding).await;
        }
        let code = response.extensions().get::<ErrorCode>().map(|ErrorCode(code)| *code);
        let sent = match response.body() {
            ReplyBody::Bytes(bytes) => Some(bytes.len() as u64),
            ReplyBody::Stream(_) => None,
        };
        observed.answered(response.status().as_u16(), code, sent);
        let counters = &self.parts.counters;
        response.map(|body| match body {
            ReplyBody::Bytes(bytes) => {
                counters.sent.fetch_add(bytes.len() as u64, Relaxed);
                ReplyBody::Bytes(bytes)
            }
            ReplyBody::Stream(answers) => ReplyBody::Stream(answers.counted(counters.clone())),
        })
    }

    /// What was counted so far.
    pub fn statistics(&self) -> ApiStatistics {
        self.parts.counters.read(self.parts.reader.memory())
    }

    async fn route<'a>(
        &'a self,
        mut head: Box<Head>,
        body: Incoming,
        observed: &mut Observed<'a>,
    ) -> Response<ReplyBody> {
        if let Some(reply) = malformed(&head) {
            return reply.into_response(JSON);
        }
        let path = path::clean(head.uri.path()).into_owned();
        let forwarded = head.extensions.get::<ForwardedCaller>().map(|ForwardedCaller(caller)| caller.clone());
        let (permissions, acts_as) = match (forwarded, is_open(&head.method, &path)) {
            (Some(caller), _) => self.access.permissions_of(caller),
            (None, true) => (Permissions::unlimited(), ActsAs::Server),
            (None, false) => match self.access.permissions(&mut head).await {
                Ok(found) => found,
                Err(refused) => {
                    let media_type = negotiate(accepted(&head.headers).as_deref(), self.parts.profile.errors);
                    return self.access.refusal(&refused).into_response(media_type.unwrap_or(JSON));
                }
            },
        };
        observed.recognized(permissions.caller());
        if head.method == Method::OPTIONS && head.uri.path() == "*" {
            return self.parts.options().into_response(JSON);
        }
        let Ok(found) = self.parts.paths.at(&path) else {
            return self.parts.profile.not_found(&path).into_reply().into_response(JSON);
        };
        let endpoint = found.value;
        if head.method == Method::OPTIONS {
            return endpoint.options(accepted(&head.headers).as_deref());
        }
        // HEAD is GET without the body, which hyper omits.
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let Some(operation) = endpoint.operations.iter().find(|operation| operation.method == *method) else {
            let problem = self.parts.profile.not_allowed(endpoint, method);
            return problem.into_reply().header(ALLOW, endpoint.allow()).into_response(JSON);
        };
        let Operation { media, handler, need, counted_as, alters, .. } = operation;
        observed.routed(*counted_as, &self.parts.operations[counted_as - UNMATCHED - 1].1, *alters);
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
        let params = Params(endpoint.params.iter().copied().zip(values).collect(), permissions);
        let reader = self.parts.reader.clone();
        let body = RequestBody::Unread(body);
        let context = RequestContext { params, acts_as, content_type, media_type, body, reader, head, need: *need };
        if *need == routes::Need::Topic(Right::Produce) {
            let client = client_ip(&context.head.extensions);
            keep_asked(AuditedRequest::new(client, &context.head, context.params.permissions()));
        }
        let answer = match access::authorize(&context) {
            Ok(()) => handler(context).await,
            Err(problem) => Err(problem),
        };
        answer.unwrap_or_else(|problem| self.access.refused(problem)).into_response(media_type)
    }

    fn unsupported(&self, headers: &HeaderMap, named: &str, known: &[&str]) -> Response<ReplyBody> {
        let message =
            format!("HTTP 415 Unsupported Media Type: Content-Type is {named}, expected one of {}", known.join(", "));
        let media_type = negotiate(accepted(headers).as_deref(), self.parts.profile.errors).unwrap_or(JSON);
        Problem::generic(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_reply().into_response(media_type)
    }
}

impl Parts {
    /// `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7).
    fn options(&self) -> Reply {
        let methods: BTreeSet<&str> = self.counters.routes().map(|(method, _)| method.as_str()).collect();
        let methods: Vec<&str> = methods.into_iter().chain(["HEAD", "OPTIONS"]).collect();
        let allow = HeaderValue::try_from(methods.join(",")).expect("method names are valid header values");
        Reply::empty(StatusCode::NO_CONTENT).header(ALLOW, allow)
    }

    /// What a request asks for; `None`: nothing that there is.
    fn asked(&self, head: &Head) -> Option<Asked> {
        let path = path::clean(head.uri.path());
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let endpoint = self.paths.at(&path).ok()?.value;
        let operation = endpoint.operations.iter().find(|operation| operation.method == *method)?;
        let (place, media) = (operation.counted_as - UNMATCHED - 1, operation.media);
        Some(match media.consumes {
            Some(known) if *method == Method::POST => Asked::with_body(place, text(&head.headers, CONTENT_TYPE), known),
            _ => Asked::without_body(place, accepted(&head.headers).as_deref(), media.produces),
        })
    }
}

impl Profile {
    fn not_found(&self, path: &str) -> Problem {
        let shown: String = path.chars().take(PATH_SHOWN).collect();
        let Profile { server, paths, other_server, other_paths, .. } = self;
        Problem::generic(
            StatusCode::NOT_FOUND,
            match is_below(path, other_paths) && !is_below(path, paths) {
                true => format!(
                    "HTTP 404 Not Found: {shown} belongs to {other_server}, which listens on a port of its own. This is {server}."
                ),
                false => format!(
                    "HTTP 404 Not Found: there is no path {shown}. This is {server}; its paths begin with {}.",
                    paths.join(", ")
                ),
            },
        )
    }

    fn not_allowed(&self, endpoint: &Endpoint, method: &Method) -> Problem {
        let instead = self.instead.iter().find(|(path, known, _)| *path == endpoint.path && known == method);
        let instead = instead.map_or("", |(_, _, sentence)| sentence);
        let methods = endpoint.methods().replace(',', ", ");
        let message = format!("HTTP 405 Method Not Allowed: {method} is not possible here, only {methods}.{instead}");
        Problem::generic(StatusCode::METHOD_NOT_ALLOWED, message)
    }
}

impl Endpoint {
    fn methods(&self) -> String {
        let mut methods: Vec<&str> = self.operations.iter().map(|operation| operation.method.as_str()).collect();
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
    fn options(&self, accept: Option<&str>) -> Response<ReplyBody> {
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

/// What everybody may ask, whoever they are: whether something answers.
fn is_open(method: &Method, path: &str) -> bool {
    path == "/" && matches!(*method, Method::GET | Method::HEAD)
}

/// A header's value; one that is not text is replaced by one that matches nothing.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
