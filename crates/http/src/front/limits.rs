//! How much is taken in a second: requests of everybody and of one client, and bytes of request bodies.
//!
//! Clients are told apart by address, those of IPv6 by the first 64 bits of it, because a client has all of these. Of the clients that were
//! seen longest ago nothing is known any more. Bytes are counted as they come and as they are unpacked, so a body is never cut off: after one
//! that was too much, requests with a body are refused until it is paid for.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use quick_cache::sync::Cache;

use crate::addresses::client_network;
use crate::problem::Problem;
use crate::rate::{Epoch, Now, PaidUntil, seconds};
use crate::reply::Reply;

/// Clients that are remembered.
const CLIENTS_MAX: usize = 10_000;

/// How much is taken in a second. The default is anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests from all clients.
    pub requests: Option<NonZeroU32>,
    /// Requests from one client.
    pub client_requests: Option<NonZeroU32>,
    /// Bytes of request bodies from all clients: as they are sent, and of packed ones also what they become.
    pub bytes: Option<NonZeroU32>,
}

/// The state of the limits.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: RateLimits,
    epoch: Epoch,
    all: PaidUntil,
    clients: Cache<IpAddr, Arc<PaidUntil>>,
    bytes: PaidUntil,
    /// How many bytes were counted so far.
    counted: AtomicU64,
}

impl Limiter {
    pub(super) fn new(limits: RateLimits) -> Limiter {
        let clients = if limits.client_requests.is_some() { CLIENTS_MAX } else { 1 };
        Limiter {
            limits,
            epoch: Epoch::start(),
            all: PaidUntil::default(),
            clients: Cache::new(clients),
            bytes: PaidUntil::default(),
            counted: AtomicU64::new(0),
        }
    }

    /// Counts a request as `cost` of them, and refuses one too many; that one is not counted. `received` is how many bytes of bodies were
    /// received and unpacked so far, for a request that may have one.
    pub(super) fn refuse(&self, client: Option<IpAddr>, cost: u16, received: Option<u64>) -> Option<Reply> {
        if self.limits == RateLimits::default() {
            return None;
        }
        let (now, cost) = (self.epoch.now(), u64::from(cost));
        if let Some(wait) = self.bytes_owed(received, now) {
            return Some(refusal(wait, "The rate limit of bytes per second has been exceeded."));
        }
        if cost == 0 {
            return None;
        }
        let by_client = self.limits.client_requests.zip(client).and_then(|(limit, client)| {
            let paid_until =
                self.clients.get_or_insert_with(&client_network(client), || Ok::<_, ()>(Arc::default())).ok()?;
            paid_until.take(cost, limit.get(), now)
        });
        let wait = by_client.or_else(|| self.all.take(cost, self.limits.requests?.get(), now))?;
        Some(refusal(wait, "The rate limit of requests per second has been exceeded."))
    }

    /// How long to wait until the bytes that were received are paid for.
    fn bytes_owed(&self, received: Option<u64>, now: Now) -> Option<Duration> {
        let (limit, received) = (self.limits.bytes?, received?);
        let before = self.counted.fetch_max(received, Relaxed);
        self.bytes.owe(received.saturating_sub(before), limit.get(), now);
        self.bytes.wait(now)
    }
}

fn refusal(wait: Duration, sentence: &str) -> Reply {
    let message = format!("Request rate limit exceeded: {sentence} Nothing was done.");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, 42901, message);
    problem.into_reply().header(RETRY_AFTER, HeaderValue::from(seconds(wait)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests: u32, client_requests: u32) -> Limiter {
        Limiter::new(RateLimits {
            requests: NonZeroU32::new(requests),
            client_requests: NonZeroU32::new(client_requests),
            bytes: None,
        })
    }

    fn taken(limiter: &Limiter, client: &str, requests: usize) -> usize {
        let client = Some(client.parse().expect("an address"));
        (0..requests).filter(|_| limiter.refuse(client, 1, None).is_none()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_much_is_refused_until_time_has_passed() {
        let limiter = limits(4, 0);
        assert_eq!(taken(&limiter, "1.1.1.1", 10), 4);
        let refused = limiter.refuse(None, 1, None).expect("too many").into_response("application/json");
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
            limiter.refuse(Some(IpAddr::V4(n.into())), 1, None);
        }
        assert!(limiter.clients.len() <= CLIENTS_MAX + CLIENTS_MAX / 2);
        // What one client does is not at the cost of others, but all have one limit together.
        let limiter = limits(3, 2);
        assert_eq!((taken(&limiter, "1.1.1.1", 5), taken(&limiter, "1.1.1.2", 5)), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_may_count_as_several_or_as_none() {
        let limiter = limits(4, 0);
        assert!((0..100).all(|_| limiter.refuse(None, 0, None).is_none()));
        assert!(limiter.refuse(None, 3, None).is_none());
        assert!(limiter.refuse(None, 2, None).is_some() && limiter.refuse(None, 1, None).is_none());
        // What costs more than a second pays for is taken when nothing is owed.
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(limiter.refuse(None, 8, None).is_none() && limiter.refuse(None, 1, None).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn after_too_many_bytes_requests_with_a_body_wait() {
        let limiter = Limiter::new(RateLimits { bytes: NonZeroU32::new(1000), ..RateLimits::default() });
        assert!(limiter.refuse(None, 1, Some(1000)).is_none());
        let refused = limiter.refuse(None, 1, Some(3500)).expect("too much").into_response("application/json");
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &HeaderValue::from(3)));
        assert!(limiter.refuse(None, 1, None).is_none(), "it has no body");
        tokio::time::advance(Duration::from_millis(2500)).await;
        assert!(limiter.refuse(None, 1, Some(3500)).is_none());
    }
}
