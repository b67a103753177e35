//! How many requests are taken in a second, from everybody and from one client.
//!
//! The generic cell rate algorithm: one time per key, at which everything that was taken is paid for. What was not used in the last second may
//! be used at once. Clients are told apart by address, those of IPv6 by the first 64 bits of it, because a client has all of these. Of the
//! clients that were seen longest ago nothing is known any more.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use quick_cache::sync::Cache;
use tokio::time::{Duration, Instant};

use crate::addresses::client_network;
use crate::problem::Problem;
use crate::reply::Reply;

/// Clients that are remembered.
const CLIENTS_MAX: usize = 10_000;
const SECOND: u64 = 1_000_000_000;

/// How many requests are taken in a second. The default is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// From all clients.
    pub requests: Option<NonZeroU32>,
    /// From one client.
    pub client_requests: Option<NonZeroU32>,
}

/// The state of the limits.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: RateLimits,
    started: Instant,
    all: AtomicU64,
    clients: Cache<IpAddr, Arc<AtomicU64>>,
}

impl Limiter {
    pub(super) fn new(limits: RateLimits) -> Limiter {
        let clients = if limits.client_requests.is_some() { CLIENTS_MAX } else { 1 };
        Limiter { limits, started: Instant::now(), all: AtomicU64::new(0), clients: Cache::new(clients) }
    }

    /// Counts a request, and refuses one too many; that one is not counted.
    pub(super) fn refuse(&self, client: Option<IpAddr>) -> Option<Reply> {
        // A year has 2^55 ns.
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let by_client = self.limits.client_requests.zip(client).and_then(|(limit, client)| {
            let paid_until =
                self.clients.get_or_insert_with(&client_network(client), || Ok::<_, ()>(Arc::default())).ok()?;
            take(&paid_until, limit, now)
        });
        let wait = by_client.or_else(|| take(&self.all, self.limits.requests?, now))?;
        let message = "Request rate limit exceeded: The rate limit of requests per second has been exceeded.";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, 42901, message);
        let seconds = HeaderValue::from(wait.as_nanos().div_ceil(u128::from(SECOND)) as u64);
        Some(problem.into_reply().header(RETRY_AFTER, seconds))
    }
}

/// How long to wait, if one is too many now.
fn take(paid_until: &AtomicU64, per_second: NonZeroU32, now: u64) -> Option<Duration> {
    let cost = SECOND / u64::from(per_second.get());
    let end = now + SECOND;
    let taken = paid_until.fetch_update(Relaxed, Relaxed, |paid_until| {
        let next = paid_until.max(now) + cost;
        (next <= end).then_some(next)
    });
    taken.err().map(|paid_until| Duration::from_nanos(paid_until + cost - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, client_requests: u32) -> Limiter {
        Limiter::new(RateLimits {
            requests: NonZeroU32::new(requests),
            client_requests: NonZeroU32::new(client_requests),
        })
    }

    fn taken(limiter: &Limiter, client: &str, requests: usize) -> usize {
        let client = Some(client.parse().expect("an address"));
        (0..requests).filter(|_| limiter.refuse(client).is_none()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_refused_until_time_has_passed() {
        let limiter = limits(4, 0);
        assert_eq!(taken(&limiter, "1.1.1.1", 10), 4);
        let refused = limiter.refuse(None).expect("too many").into_response("application/json");
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &HeaderValue::from(1)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(&limiter, "2.2.2.2", 10), 2);
        // What is not used is kept for a second, not longer.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(taken(&limiter, "1.1.1.1", 10), 4);
        assert_eq!(taken(&limits(0, 0), "1.1.1.1", 1000), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_have_limits_of_their_own_and_only_so_many_are_remembered() {
        let limiter = limits(0, 2);
        for client in ["1.1.1.1", "1.1.1.2", "2001:db8::1", "2001:db8:0:1::1"] {
            assert_eq!(taken(&limiter, client, 5), 2, "{client}");
        }
        assert_eq!(taken(&limiter, "2001:db8::ffff", 1), 0, "the same network");
        assert_eq!(taken(&limiter, "::ffff:1.1.1.1", 1), 0, "the same address");
        for n in 0..3 * CLIENTS_MAX as u32 {
            limiter.refuse(Some(IpAddr::V4(n.into())));
        }
        assert!(limiter.clients.len() <= CLIENTS_MAX + CLIENTS_MAX / 2);
        // What one client does is not at the cost of others, but all have one limit together.
        let limiter = limits(3, 2);
        assert_eq!((taken(&limiter, "1.1.1.1", 5), taken(&limiter, "1.1.1.2", 5)), (2, 1));
    }
}
