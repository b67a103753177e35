//! What is seen of requests from outside: how many there are of which route, how they end, how long they take; in numbers, and in the log.
//!
//! Counting takes no lock and allocates nothing: each route has its counters from the start, and a request learns where they are when it is
//! routed. What the numbers are called for a monitoring system is not known here. Lines of the log have the target `postern::request`, and no
//! word of a body, a query or a header: those may hold secrets and records.

mod audit;
mod audited_request;
mod counters;
mod request_id;
mod shown;
mod span;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::http::request::Parts;
use hyper::{Method, Uri};
use opentelemetry::Context;
use postern_access::Caller;
use postern_proxy::Traces;

pub(crate) use audit::{name as name_in_audit, tell_what_is_made};
pub(crate) use audited_request::AuditedRequest;
pub(crate) use counters::{ApiCounters, UNMATCHED};
pub use counters::{ApiStatistics, ConnectionCounters, RouteStatistics};
pub use request_id::current_request_id;
pub(crate) use request_id::{RequestId, X_REQUEST_ID, continued, keep_asked};
use shown::{Shown, shown_path};
use span::RequestSpan;

/// The status under which a request is counted whose client left before it was answered, as some reverse proxies do.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Which requests have a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedRequests {
    /// All of them.
    All,
    /// Those that ended with a status of 500 or above, or were slow.
    Failed,
    /// None.
    Off,
}

/// What is logged of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLog {
    /// Which of them.
    pub requests: LoggedRequests,
    /// A request that took so long, from its head to the head of its answer, is slow.
    pub slow: Duration,
}

impl Default for RequestLog {
    fn default() -> RequestLog {
        RequestLog { requests: LoggedRequests::Failed, slow: Duration::from_secs(10) }
    }
}

/// One request, from its head to the head of its response. Dropped before [`Observed::answered`], it is counted as one whose client left.
pub(crate) struct Observed<'a> {
    counters: &'a ApiCounters,
    log: RequestLog,
    /// The place of the route in the table; [`UNMATCHED`] until it is known.
    route: usize,
    /// The id of its operation, and whether that alters something.
    operation: Option<(&'a str, bool)>,
    method: Method,
    uri: Uri,
    client: Option<IpAddr>,
    /// The name of the caller, where one was recognized.
    caller: Option<String>,
    announced: Option<u64>,
    since: Instant,
    is_answered: bool,
    /// Where traces are on.
    trace: Option<RequestSpan>,
}

/// How a request ended.
struct Ended {
    status: u16,
    error_code: Option<u32>,
    /// Bytes of the body of the response; `None`: it is a stream, or there is none.
    sent: Option<u64>,
}

impl<'a> Observed<'a> {
    /// `announced`: bytes of the body, as far as its head tells; `client`: who sends it, as far as that is known.
    pub(crate) fn new(
        counters: &'a ApiCounters,
        log: RequestLog,
        traces: Option<&Traces>,
        head: &Parts,
        announced: Option<u64>,
        client: Option<IpAddr>,
    ) -> Observed<'a> {
        Observed {
            counters,
            log,
            route: UNMATCHED,
            operation: None,
            method: head.method.clone(),
            uri: head.uri.clone(),
            client,
            caller: None,
            announced,
            since: Instant::now(),
            is_answered: false,
            trace: traces.map(|traces| RequestSpan::begin(traces, head, client)),
        }
    }

    /// Who sends it.
    pub(crate) fn recognized(&mut self, caller: &Caller) {
        if !caller.is_anonymous() {
            self.caller = Some(caller.name().to_owned());
        }
    }

    /// Which route and operation it asks for, and whether that alters something.
    pub(crate) fn routed(&mut self, route: usize, operation: &'a str, alters: bool) {
        (self.route, self.operation) = (route, Some((operation, alters)));
    }

    /// What the request has to be worked on in; `None` where traces are off.
    pub(crate) fn trace_context(&self) -> Option<Context> {
        self.trace.as_ref().map(RequestSpan::context)
    }

    /// It was answered with `status`, with an error code of the API where it failed, and with a body of `sent` bytes unless that is a stream.
    pub(crate) fn answered(mut self, status: u16, error_code: Option<u32>, sent: Option<u64>) {
        self.is_answered = true;
        self.ended(&Ended { status, error_code, sent });
    }

    fn ended(&self, ended: &Ended) {
        let latency = self.since.elapsed();
        self.counters.answered(self.route, ended.status, latency);
        if let Some(code) = ended.error_code {
            self.counters.failed(code);
        }
        if let Some(trace) = &self.trace {
            let route = (self.route != UNMATCHED).then(|| self.counters.path(self.route));
            trace.end(route, ended.status, ended.error_code);
        }
        audit::line(
            &self.counters.strangers,
            &audit::Answered {
                client: self.client,
                caller: self.caller.as_deref(),
                operation: self.operation,
                method: &self.method,
                uri: &self.uri,
                status: ended.status,
                error_code: ended.error_code,
            },
        );
        let is_slow = latency >= self.log.slow;
        match self.log.requests {
            LoggedRequests::Off => {}
            LoggedRequests::All | LoggedRequests::Failed if is_slow => self.log_line(ended, latency, "slow request"),
            LoggedRequests::All => self.log_line(ended, latency, "request"),
            LoggedRequests::Failed if ended.status >= 500 => self.log_line(ended, latency, "failed request"),
            LoggedRequests::Failed => {}
        }
    }

    fn log_line(&self, ended: &Ended, latency: Duration, what: &str) {
        let path = shown_path(&self.uri);
        tracing::info!(
            target: "postern::request",
            client = %Shown(self.client),
            caller = %Shown(self.caller.as_deref()),
            method = self.method.as_str(),
            route = self.counters.path(self.route),
            path,
            status = ended.status,
            error_code = ended.error_code,
            bytes_in = self.announced,
            bytes_out = ended.sent,
            ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            "{what}"
        );
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.ended(&Ended { status: CLIENT_CLOSED_REQUEST, error_code: None, sent: None });
        }
    }
}
