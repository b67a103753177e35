//! What is seen of requests from outside: how many there are of which route, how they end, how long they take.
//!
//! Counting takes no lock and allocates nothing: each route has its counters from the start, and a request learns where they are when it is
//! routed. What the numbers are called for a monitoring system is not known here.

mod counters;

use std::time::Instant;

pub(crate) use counters::{ApiCounters, UNMATCHED};
pub use counters::{ApiStatistics, ConnectionCounters, RouteStatistics};

/// The status under which a request is counted whose client left before it was answered, as some reverse proxies do.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// One request, from its head to the head of its response. Dropped before [`Observed::answered`], it is counted as one whose client left.
pub(crate) struct Observed<'a> {
    counters: &'a ApiCounters,
    /// The place of the route in the table; [`UNMATCHED`] until it is known.
    pub(crate) route: usize,
    since: Instant,
    is_answered: bool,
}

impl<'a> Observed<'a> {
    pub(crate) fn new(counters: &'a ApiCounters) -> Observed<'a> {
        Observed { counters, route: UNMATCHED, since: Instant::now(), is_answered: false }
    }

    /// It was answered with `status`, and with an error code of the API where it failed.
    pub(crate) fn answered(mut self, status: u16, error_code: Option<u32>) {
        self.is_answered = true;
        self.counters.answered(self.route, status, self.since.elapsed());
        if let Some(code) = error_code {
            self.counters.failed(code);
        }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.counters.answered(self.route, CLIENT_CLOSED_REQUEST, self.since.elapsed());
        }
    }
}
