//! The brokers of the cluster: their addresses, the links to them, and which of them to ask.
//!
//! Bootstrap addresses serve for the first answer, and again whenever no known broker can be connected, so that a cluster whose
//! brokers have all moved is found again (KIP-899). Brokers are told apart by their ids, never by host and port.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use kafka_protocol::protocol::{HeaderVersion, Request};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

pub(crate) use crate::connection::CallError;
use crate::{
    Error, NodeId, Settings,
    connection::{Backoff, Health, Link, LinkState, Protection, Transport},
    sasl::Authenticator,
    settings::Sasl,
};

/// A broker, as it wants to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: NodeId,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it stands, if it says so.
    pub rack: Option<String>,
}

/// The answers of a broker while somebody logs in are smaller than this.
const LOGIN_FRAME: usize = 1 << 20;

/// Credentials that a broker has accepted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Login {
    authenticator: Arc<Authenticator>,
    lifetime: Option<Duration>,
}

impl Login {
    /// How long the broker believes them on one connection; `None`: it does not say.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }
}

/// The brokers, as far as known.
pub(crate) struct Network {
    bootstrap: Vec<Arc<Link>>,
    next_bootstrap: AtomicUsize,
    known: Mutex<KnownBrokers>,
    protection: Protection,
    health: Arc<Health>,
    request_timeout: Duration,
    unreachable_timeout: Duration,
    /// Rounds of groups that ended with an assignment.
    pub(crate) rebalances: AtomicU64,
}

#[derive(Default)]
struct KnownBrokers {
    brokers: HashMap<NodeId, Arc<Link>>,
    controller: Option<NodeId>,
}

/// Which broker a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Any,
    Broker(NodeId),
    /// The controller that the last metadata named; any broker while none is known.
    Controller,
}

impl Network {
    /// Starts the links to the bootstrap addresses, which connect when they are used. Must be called inside a runtime. Reads
    /// certificates and secrets, which blocks on the file system.
    ///
    /// # Errors
    /// `InvalidRequest`: they cannot be read or used.
    pub(crate) fn start(settings: &Settings) -> Result<Network, Error> {
        Ok(Network::with(settings, Protection::new(&settings.security)?, Health::default()))
    }

    /// The same brokers for somebody else, with connections of its own. Whether brokers can be reached is told to the log by this one
    /// alone.
    pub(crate) fn for_login(&self, settings: &Settings, login: &Login) -> Network {
        Network::with(settings, self.protection.with_login(&login.authenticator), Health::quiet())
    }

    fn with(settings: &Settings, protection: Protection, health: Health) -> Network {
        let request_timeout = settings.request_timeout.min(settings.call_timeout);
        let health = Arc::new(health);
        let link = |address: &str| {
            Arc::new(Link::start(address.to_owned(), protection.clone(), request_timeout, health.clone()))
        };
        Network {
            bootstrap: settings.bootstrap_addresses().map(link).collect(),
            next_bootstrap: AtomicUsize::new(0),
            known: Mutex::default(),
            protection,
            health,
            request_timeout,
            unreachable_timeout: settings.unreachable_timeout,
            rebalances: AtomicU64::new(0),
        }
    }

    /// Proves `sasl` to the first bootstrap address that answers, over a connection that is closed again.
    ///
    /// # Errors
    /// `Authentication`; `BrokerUnavailable`: none of them answers. `InvalidRequest`: it cannot be used.
    pub(crate) async fn log_in(&self, sasl: Sasl) -> Result<Login, Error> {
        let authenticator = Arc::new(Authenticator::new(sasl)?);
        let protection = self.protection.with_login(&authenticator);
        let first = self.next_bootstrap.fetch_add(1, Ordering::Relaxed);
        let mut failed = None;
        for at in 0..self.bootstrap.len() {
            let address = self.bootstrap[(first + at) % self.bootstrap.len()].address();
            match Transport::open(&protection, address, LOGIN_FRAME).await {
                Ok(transport) => {
                    self.health.reached(address);
                    return Ok(Login { authenticator, lifetime: transport.session_lifetime() });
                }
                Err(error) if error.is_transient() => {
                    self.health.failed(address, &error.message);
                    failed = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::unavailable("there is no broker to ask")))
    }

    /// How often brokers have refused our credentials.
    pub(crate) fn refused_logins(&self) -> u64 {
        self.protection.refusals()
    }

    pub(crate) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// A connection to `address` for the caller alone, on which requests may wait at the broker. A frame of more than `max_frame`
    /// bytes will end it.
    ///
    /// # Errors
    /// `BrokerUnavailable`; `Authentication`. The log is told.
    pub(crate) async fn open(&self, address: &str, max_frame: usize) -> Result<Transport, Error> {
        let opened = Transport::open(&self.protection, address, max_frame).await;
        match &opened {
            Ok(_) => self.health.reached(address),
            Err(error) => self.health.failed(address, &error.message),
        }
        opened
    }

    /// The brokers that a metadata answer named. A broker that has moved gets a new link.
    pub(crate) fn learn(&self, brokers: &[Broker], controller: Option<NodeId>) {
        let mut known = self.known.lock();
        known.controller = controller;
        if brokers.is_empty() {
            return;
        }
        known.brokers.retain(|id, _| brokers.iter().any(|broker| broker.id == *id));
        for broker in brokers {
            self.insert(&mut known, broker);
        }
    }

    /// One broker more, which an answer named.
    pub(crate) fn add(&self, broker: &Broker) {
        self.insert(&mut self.known.lock(), broker);
    }

    fn insert(&self, known: &mut KnownBrokers, broker: &Broker) {
        let address = address_of(&broker.host, broker.port);
        if known.brokers.get(&broker.id).is_none_or(|link| link.address() != address) {
            let link = Link::start(address, self.protection.clone(), self.request_timeout, self.health.clone());
            known.brokers.insert(broker.id, Arc::new(link));
        }
    }

    /// Where a broker listens; `None` if it is not known.
    pub(crate) fn address(&self, node: NodeId) -> Option<String> {
        self.known.lock().brokers.get(&node).map(|link| link.address().to_owned())
    }

    /// A broker that is connected, else one that can be tried; a bootstrap address where there is none.
    fn any(&self) -> Arc<Link> {
        let known = self.known.lock();
        let in_state = |state| known.brokers.values().find(|link| link.state() == state).cloned();
        in_state(LinkState::Open).or_else(|| in_state(LinkState::Closed)).unwrap_or_else(|| {
            let at = self.next_bootstrap.fetch_add(1, Ordering::Relaxed);
            self.bootstrap[at % self.bootstrap.len()].clone()
        })
    }

    fn link(&self, destination: Destination) -> Result<Arc<Link>, CallError> {
        let broker = match destination {
            Destination::Any => None,
            Destination::Broker(node) => Some(node),
            Destination::Controller => self.known.lock().controller,
        };
        let Some(node) = broker else { return Ok(self.any()) };
        let link = self.known.lock().brokers.get(&node).cloned();
        link.ok_or_else(|| CallError::not_sent(format!("broker {node} is not part of the cluster, or is away")))
    }

    /// Asks once, so that the caller can look for another broker.
    ///
    /// # Errors
    /// Why there was no answer.
    pub(crate) async fn ask_once<R: Request>(
        &self,
        node: NodeId,
        deadline: Instant,
        build: impl FnOnce(i16) -> R + Send + 'static,
    ) -> Result<R::Response, CallError>
    where
        R::Response: HeaderVersion,
    {
        self.link(Destination::Broker(node))?.call(deadline, build).await
    }

    /// Asks until there is an answer, `deadline` has come, or no broker could be connected for
    /// [`Settings::unreachable_timeout`]. A request that may have been carried out is repeated only if it is `repeatable`.
    ///
    /// # Errors
    /// The last reason why there was no answer.
    pub(crate) async fn ask<R: Request>(
        &self,
        destination: Destination,
        repeatable: bool,
        deadline: Instant,
        build: impl Fn(i16) -> R + Clone + Send + 'static,
    ) -> Result<R::Response, CallError>
    where
        R::Response: HeaderVersion,
    {
        let mut backoff = Backoff::RECONNECT;
        let mut unreachable_since = None;
        loop {
            let answered = match self.link(destination) {
                Ok(link) => link.call(deadline, build.clone()).await,
                Err(error) => Err(error),
            };
            let error = match answered {
                Err(error) if error.error.is_transient() && (repeatable || !error.sent) => error,
                answered => return answered,
            };
            let now = Instant::now();
            if error.sent {
                unreachable_since = None;
            } else if now - *unreachable_since.get_or_insert(now) >= self.unreachable_timeout {
                return Err(error);
            }
            let pause = backoff.next();
            if now + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
fn address_of(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
