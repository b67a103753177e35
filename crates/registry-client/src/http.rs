//! Calls to another registry: pooled connections, several instances tried in turn, every wait and every answer bounded.
//!
//! Redirects are not followed: what they point to was not configured, and does not get our credentials.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postern_registry::Error;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::address::{Credentials, RegistryUrl};
use crate::settings::RemoteSettings;
use crate::tls;

/// What an answer may be at most.
const ANSWER_MAX: usize = 32 << 20;
/// Connections kept open per instance while unused.
const IDLE_MAX: usize = 16;
/// And for how long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What stays as it is in a path segment (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one segment of a path, or one value of a query.
pub(crate) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The instances and the connections to them.
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Base URL and credentials.
    instances: Vec<(String, Option<HeaderValue>)>,
    /// Which one answered last.
    preferred: AtomicUsize,
    timeout: Duration,
}

impl HttpClient {
    pub(crate) fn new(settings: RemoteSettings) -> HttpClient {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(IDLE_TIMEOUT));
        // An instance that does not even accept must leave time for the others.
        tcp.set_connect_timeout(Some(share(settings.timeout, settings.urls.len())));
        tcp.enforce_http(false);
        let is_secure = settings.urls.iter().any(|url| url.base().starts_with("https:"));
        let tls = tls::client_config(settings.authorities.as_ref(), is_secure);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connector = connector.wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        let instance = |url: &RegistryUrl| {
            let credentials = url.credentials().or(settings.credentials.as_ref());
            (url.base().to_owned(), credentials.and_then(Credentials::header))
        };
        let instances = settings.urls.iter().map(instance).collect();
        HttpClient { client, instances, preferred: AtomicUsize::new(0), timeout: settings.timeout }
    }

    /// The answer's document. All calls that are made may be made twice, so where one instance fails the next is tried.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        let deadline = Instant::now() + self.timeout;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = String::new();
        for attempt in 0..self.instances.len() {
            let at = (first + attempt) % self.instances.len();
            let left = deadline.saturating_duration_since(Instant::now());
            let end = Instant::now() + share(left, self.instances.len() - attempt);
            let failure = match timeout_at(end, self.ask(at, method, path, body.clone())).await {
                Ok(Ok(answer)) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return answer;
                }
                Ok(Err(failure)) => failure,
                Err(_) => "no answer in time".to_owned(),
            };
            let comma = if failures.is_empty() { "" } else { "; " };
            let _ = write!(failures, "{comma}{}: {failure}", self.instances[at].0);
        }
        tracing::warn!("the schema registry cannot be reached: {failures}");
        Err(Error::Unreachable(format!("no schema registry can be reached ({failures})")))
    }

    /// One instance. Outer error: it failed, another may do better.
    async fn ask(
        &self,
        at: usize,
        method: &str,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Result<Value, Error>, String> {
        const V1: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
        let (base, authorization) = &self.instances[at];
        let mut request = Request::builder().method(method).uri(format!("{base}{path}")).header(ACCEPT, V1);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, V1);
        }
        let request = request.body(Full::new(body.unwrap_or_default())).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| root_cause(&error))?;
        let status = answer.status();
        if matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) {
            return Err(format!("it answers {status}"));
        }
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|error| error.to_string())?;
        let document = serde_json::from_slice::<Value>(&body.to_bytes());
        if status.is_success() {
            return document.map(Ok).map_err(|error| format!("its answer is not JSON: {error}"));
        }
        Ok(Err(refusal(status, document.ok())))
    }
}

/// The time one of several attempts may take.
fn share(of: Duration, attempts: usize) -> Duration {
    of / u32::try_from(attempts).unwrap_or(u32::MAX).max(1)
}

fn refusal(status: StatusCode, document: Option<Value>) -> Error {
    let member = |name: &str| document.as_ref().map(|document| document[name].clone()).unwrap_or_default();
    let code = member("error_code").as_u64().and_then(|code| u32::try_from(code).ok());
    let message = member("message").as_str().map(str::to_owned);
    Error::Remote {
        status: status.as_u16(),
        code: code.unwrap_or(u32::from(status.as_u16())),
        message: message.unwrap_or_else(|| status.to_string()),
    }
}

/// The innermost reason: the outer ones only say that a call failed.
fn root_cause(error: &hyper_util::client::legacy::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
