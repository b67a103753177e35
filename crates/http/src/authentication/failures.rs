//! Wrong credentials by the address that they come from: after many of them further ones are not looked at for a while.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use quick_cache::unsync::Cache;

use crate::addresses::client_network;

/// Wrong ones from one address within [`WITHIN`]; further ones are refused unseen.
const MAX: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);
/// Addresses of which they are counted.
const ADDRESSES: usize = 4096;

/// How many there were.
pub(super) struct Failures(Mutex<Cache<IpAddr, (u32, Instant)>>);

impl Default for Failures {
    fn default() -> Failures {
        Failures(Mutex::new(Cache::new(ADDRESSES)))
    }
}

impl Failures {
    /// Whether there were too many from the network of `client`.
    pub(super) fn are_too_many(&self, client: Option<IpAddr>) -> bool {
        let Some(network) = client.map(client_network) else { return false };
        let failures = self.0.lock();
        failures.get(&network).is_some_and(|(count, since)| *count >= MAX && since.elapsed() < WITHIN)
    }

    /// One more from the network of `client`.
    pub(super) fn add(&self, client: Option<IpAddr>) {
        let Some(network) = client.map(client_network) else { return };
        let mut failures = self.0.lock();
        let (count, since) = match failures.get(&network) {
            Some((count, since)) if since.elapsed() < WITHIN => (count.saturating_add(1), *since),
            Some(_) | None => (1, Instant::now()),
        };
        if count == MAX {
            tracing::warn!("{MAX} wrong credentials within a minute from {network}: further ones are refused unseen");
        }
        failures.insert(network, (count, since));
    }
}
