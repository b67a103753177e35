//! The counters of one API, and what they held when they were read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hyper::Method;
use postern_proxy::{Latencies, LatencyHistogram};

use super::audit::Strangers;

/// The route of requests that match none.
pub(crate) const UNMATCHED: usize = 0;

/// What [`Api::statistics`](crate::Api::statistics) tells. Counts are since the start.
#[derive(Clone, Debug)]
pub struct ApiStatistics {
    /// All routes; the first one, without method and path, is for requests that match none.
    pub routes: Vec<RouteStatistics>,
    /// Answers that are errors, by error code of the API. Code 0: those of codes beyond the first 64.
    pub errors: Vec<(u32, u64)>,
    /// Bytes of request bodies, as they came.
    pub received: u64,
    /// Bytes of response bodies, streams included.
    pub sent: u64,
    /// Memory of request bodies and of what is parsed from them, and its bound.
    pub bodies: (usize, usize),
}

/// The requests of one route.
#[derive(Clone, Debug)]
pub struct RouteStatistics {
    /// The method of the table; HEAD counts as GET.
    pub method: Option<Method>,
    /// The path of the table, such as `/topics/{topic}`.
    pub path: Option<&'static str>,
    /// Requests by status of the answer; 499: the client left before it. Only those that occurred. Status 0: those beyond the first 24.
    pub statuses: Vec<(u32, u64)>,
    /// The time from the head of a request to the head of its answer.
    pub latencies: Latencies,
}

/// Counts everything that goes through one API.
#[derive(Debug)]
pub(crate) struct ApiCounters {
    routes: Vec<RouteCounters>,
    errors: CodeCounters<64>,
    pub(crate) received: AtomicU64,
    /// Bytes that packed bodies became.
    pub(crate) unpacked: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(super) strangers: Strangers,
}

#[derive(Debug)]
struct RouteCounters {
    route: Option<(Method, &'static str)>,
    statuses: CodeCounters<24>,
    latency: LatencyHistogram,
}

impl RouteCounters {
    fn new(route: Option<(Method, &'static str)>) -> RouteCounters {
        RouteCounters { route, statuses: CodeCounters::default(), latency: LatencyHistogram::default() }
    }
}

impl ApiCounters {
    /// Method and path of each route.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&Method, &'static str)> {
        self.routes.iter().filter_map(|counters| counters.route.as_ref()).map(|(method, path)| (method, *path))
    }

    /// For `routes`, whose places begin at 1.
    pub(crate) fn new(routes: impl Iterator<Item = (Method, &'static str)>) -> ApiCounters {
        ApiCounters {
            routes: std::iter::once(None).chain(routes.map(Some)).map(RouteCounters::new).collect(),
            errors: CodeCounters::default(),
            received: AtomicU64::new(0),
            unpacked: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            strangers: Strangers::default(),
        }
    }

    /// The path of a route; `none` for requests that match none.
    pub(crate) fn path(&self, route: usize) -> &'static str {
        self.routes[route].route.as_ref().map_or("none", |(_, path)| path)
    }

    pub(crate) fn answered(&self, route: usize, status: u16, latency: Duration) {
        let counters = &self.routes[route];
        counters.statuses.add(u32::from(status));
        counters.latency.observe(latency);
    }

    /// Bytes of bodies that had to be worked on so far: those that came, and those that packed ones became.
    pub(crate) fn taken(&self) -> u64 {
        self.received.load(Relaxed) + self.unpacked.load(Relaxed)
    }

    pub(crate) fn failed(&self, code: u32) {
        self.errors.add(code);
    }

    pub(crate) fn read(&self, bodies: (usize, usize)) -> ApiStatistics {
        let route = |counters: &RouteCounters| RouteStatistics {
            method: counters.route.as_ref().map(|(method, _)| method.clone()),
            path: counters.route.as_ref().map(|(_, path)| *path),
            statuses: counters.statuses.read(),
            latencies: counters.latency.read(),
        };
        ApiStatistics {
            routes: self.routes.iter().map(route).collect(),
            errors: self.errors.read(),
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            bodies,
        }
    }
}

/// Counts by a number from a small set that is not known beforehand: `N` different ones, and the rest together.
#[derive(Debug)]
struct CodeCounters<const N: usize> {
    /// The code, 0 while the place is free, and its count.
    places: [(AtomicU32, AtomicU64); N],
    others: AtomicU64,
}

impl<const N: usize> Default for CodeCounters<N> {
    fn default() -> CodeCounters<N> {
        CodeCounters { places: std::array::from_fn(|_| Default::default()), others: AtomicU64::new(0) }
    }
}

impl<const N: usize> CodeCounters<N> {
    fn add(&self, code: u32) {
        for (known, count) in &self.places {
            let found = match known.load(Relaxed) {
                0 => known.compare_exchange(0, code, Relaxed, Relaxed).map_or_else(|found| found, |_| code),
                found => found,
            };
            if found == code {
                count.fetch_add(1, Relaxed);
                return;
            }
        }
        self.others.fetch_add(1, Relaxed);
    }

    /// In the order of the codes.
    fn read(&self) -> Vec<(u32, u64)> {
        let places = self.places.iter().map(|(code, count)| (code.load(Relaxed), count.load(Relaxed)));
        let mut counts: Vec<_> =
            places.chain([(0, self.others.load(Relaxed))]).filter(|(_, count)| *count > 0).collect();
        counts.sort_unstable();
        counts
    }
}

/// Counts connections. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounters(Arc<Connections>);

#[derive(Debug, Default)]
struct Connections {
    open: AtomicUsize,
    accepted: AtomicU64,
}

/// Counts as an open connection until it is dropped.
pub(crate) struct OpenConnection(ConnectionCounters);

impl ConnectionCounters {
    /// Connections open now.
    pub fn open(&self) -> usize {
        self.0.open.load(Relaxed)
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.0.accepted.load(Relaxed)
    }

    pub(crate) fn opened(&self) -> OpenConnection {
        self.0.open.fetch_add(1, Relaxed);
        self.0.accepted.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_beyond_the_places_are_counted_together() {
        let counters = CodeCounters::<2>::default();
        for code in [500, 200, 200, 404, 405] {
            counters.add(code);
        }
        assert_eq!(counters.read(), [(0, 2), (200, 2), (500, 1)]);
    }

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let counters = ConnectionCounters::default();
        let (one, _other) = (counters.opened(), counters.opened());
        drop(one);
        assert_eq!((counters.open(), counters.accepted()), (1, 2));
    }
}
