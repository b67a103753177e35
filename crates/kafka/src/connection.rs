//! Connections to brokers: framing, versions, deadlines, backoff.
//!
//! A [`Transport`] is one connection that is open: frames out, frames in, in order. It is owned by one task. Producing and
//! reading own theirs; everything else goes through a [`Link`], which owns the connection to one address, opens it when there is
//! something to ask, and pauses after failures. A broker answers one request per connection at a time, so what may wait at the
//! broker (Produce, Fetch) never shares a connection with what must not. TLS and SASL are part of opening a [`Transport`]; a session that
//! the broker limits is renewed between requests.
//!
//! Source: the Kafka protocol guide; KIP-511 (versions), KIP-219 (throttling), KIP-368 (sessions), KIP-580 (backoff).

mod backoff;
mod health;
mod link;
mod protection;
mod session;
mod socket;
mod transport;
mod versions;

pub(crate) use backoff::Backoff;
pub(crate) use health::Health;
pub(crate) use link::{CallError, Link, LinkState};
pub(crate) use protection::Protection;
pub(crate) use transport::{Transport, far_future, reason};
pub(crate) use versions::versions_of;

/// Bytes that are read or written before other tasks of the thread have their turn: a broker on the same machine always has more.
const TURN: usize = 512 << 10;

/// What this client calls itself in every request.
pub(crate) const CLIENT_ID: &str = "postern";
