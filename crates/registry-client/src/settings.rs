//! Where the registry is, and how it is called.

use std::time::Duration;

use crate::address::{Credentials, RegistryUrl};
use crate::tls::Authorities;

/// Where the registry is, the credentials, and how long to wait.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Its instances, tried in turn, beginning with the one that answered last. At least one.
    pub urls: Vec<RegistryUrl>,
    /// For the instances whose URL has none.
    pub credentials: Option<Credentials>,
    /// The trust roots for `https`; `None`: those of the system.
    pub authorities: Option<Authorities>,
    /// How long one call may take, with all instances tried. Default 10 s.
    pub timeout: Duration,
    /// How long the answers for "latest", for a version number and for "not found" are kept. Default 10 s.
    pub freshness: Duration,
}

impl RemoteSettings {
    /// The defaults, for the registry at `urls`.
    pub fn new(urls: Vec<RegistryUrl>) -> RemoteSettings {
        RemoteSettings {
            urls,
            credentials: None,
            authorities: None,
            timeout: Duration::from_secs(10),
            freshness: Duration::from_secs(10),
        }
    }
}
