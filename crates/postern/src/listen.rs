//! The sockets that are listened on: bound here, or handed over by whoever started the process.
//!
//! A service manager keeps a socket open while one process ends and the next one starts, so that clients wait instead of being refused: `systemd`
//! does so for `.socket` units (`sd_listen_fds(3)`), with `FileDescriptorName=` for the name. Not here: who is served on them (`server.rs`).

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::{config::HttpAddress, unix_sockets};

/// Connections that the kernel keeps until they are accepted. The default of the standard library, 128, makes clients that connect
/// at the same time repeat their handshakes after a second. The kernel caps it (Linux: `net.core.somaxconn`, 4096).
const LISTEN_BACKLOG: u32 = 4096;

/// One of the things that listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    /// What it is called in messages.
    pub(crate) what: &'static str,
    /// The name of a socket that is handed over for it.
    pub(crate) name: &'static str,
    /// The argument that sets its address.
    pub(crate) argument: &'static str,
}

/// The REST proxy.
pub(crate) const REST: Listener = Listener { what: "REST proxy", name: "rest", argument: "--rest-listen" };
/// The registry.
pub(crate) const REGISTRY: Listener =
    Listener { what: "Schema Registry", name: "registry", argument: "--registry-listen" };
/// Health.
pub(crate) const MANAGEMENT: Listener =
    Listener { what: "management listener", name: "management", argument: "--management-listen" };

/// Other replicas.
pub(crate) const REPLICAS: Listener =
    Listener { what: "listener for other replicas", name: "replica", argument: "--replica-listen" };

const ALL: [Listener; 4] = [REST, REGISTRY, MANAGEMENT, REPLICAS];

/// Why there is no socket to listen on.
#[derive(Debug)]
pub(crate) enum ListenError {
    /// An address cannot be listened on.
    Bind {
        /// What would listen.
        listener: Listener,
        /// The address.
        address: SocketAddr,
        /// What the system reports.
        error: io::Error,
    },
    /// A Unix socket cannot be listened on.
    Path {
        /// What would listen.
        listener: Listener,
        /// Where.
        path: PathBuf,
        /// What the system reports, or why the path is not free.
        error: io::Error,
    },
    /// A socket that was handed over cannot be used; a sentence.
    HandedOver(String),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind { listener: Listener { what, argument, .. }, address, error } => {
                write!(f, "the {what} cannot listen on {address}: {error}: choose another address with {argument}")
            }
            ListenError::Path { listener: Listener { what, argument, .. }, path, error } => {
                let path = path.display();
                write!(f, "the {what} cannot listen on unix:{path}: {error}: choose another path with {argument}")
            }
            ListenError::HandedOver(sentence) => f.write_str(sentence),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: TcpListener,
    /// Whether TLS is spoken there.
    pub(crate) is_tls: bool,
}

impl Socket {
    /// The bound address: port 0 has become a port.
    pub(crate) fn address(&self) -> HttpAddress {
        HttpAddress { address: address(&self.listener), is_tls: self.is_tls }
    }
}

/// Where sockets come from.
#[derive(Default)]
pub(crate) struct Sockets {
    handed_over: Vec<(Listener, std::net::TcpListener)>,
    /// Whether further processes may listen on the same addresses (`SO_REUSEPORT`).
    pub(crate) reuse_port: bool,
}

impl Sockets {
    /// Takes the sockets that were handed over to this process. To be called once, before there are threads: the variables that
    /// name the sockets are removed.
    ///
    /// # Errors
    /// A socket has a name that is not known here, or is none that connections can be accepted on.
    pub(crate) fn handed_over() -> Result<Sockets, ListenError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = ListenFd::from_env();
        let mut handed_over = Vec::new();
        for n in 0..sockets.len() {
            let name = names.next().unwrap_or_default();
            let listener = ALL.into_iter().find(|listener| listener.name == name).ok_or_else(|| {
                let known = ALL.map(|listener| listener.name).join(", ");
                ListenError::HandedOver(format!("{name:?} is the name of a socket that was handed over: expected one of {known}, such as FileDescriptorName=rest"))
            })?;
            let socket = sockets.take_tcp_listener(n).and_then(|socket| {
                let socket = socket.ok_or(io::ErrorKind::NotFound)?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            let socket = socket.map_err(|error| {
                ListenError::HandedOver(format!("the socket {name:?} that was handed over cannot be used: {error}"))
            })?;
            handed_over.push((listener, socket));
        }
        Ok(Sockets { handed_over, reuse_port: false })
    }

    /// The sockets of `listener`: those that were handed over for it, else one for each of `addresses`. What was handed over speaks TLS if
    /// the addresses that it stands for do.
    ///
    /// # Errors
    /// An address cannot be listened on, or a socket was handed over for what is switched off.
    pub(crate) fn listen(&mut self, listener: Listener, addresses: &[HttpAddress]) -> Result<Vec<Socket>, ListenError> {
        let given: Vec<_> = self.handed_over.extract_if(.., |(whose, _)| *whose == listener).collect();
        if given.is_empty() {
            let bind = |HttpAddress { address, is_tls }: &HttpAddress| {
                bind(listener, *address, self.reuse_port).map(|listener| Socket { listener, is_tls: *is_tls })
            };
            return addresses.iter().map(bind).collect();
        }
        let Listener { what, name, argument } = listener;
        if addresses.is_empty() {
            let sentence = format!(
                "a socket was handed over as {name:?}, but the {what} is off: expected {argument}, or no such socket"
            );
            return Err(ListenError::HandedOver(sentence));
        }
        let is_tls = addresses.iter().all(|address| address.is_tls);
        if !is_tls && addresses.iter().any(|address| address.is_tls) {
            let sentence = format!(
                "a socket was handed over as {name:?}, and {argument} has addresses with and without https://: expected one kind"
            );
            return Err(ListenError::HandedOver(sentence));
        }
        let given = given
            .into_iter()
            .map(|(_, socket)| TcpListener::from_std(socket).map(|listener| Socket { listener, is_tls }));
        given.collect::<Result<_, _>>().map_err(|error| {
            ListenError::HandedOver(format!("the socket {name:?} that was handed over cannot be used: {error}"))
        })
    }
}

/// Listens at each of `paths`.
///
/// # Errors
/// One of them cannot be listened on.
pub(crate) fn listen_at(listener: Listener, paths: &[PathBuf], mode: u32) -> Result<Vec<UnixListener>, ListenError> {
    let bind = |path: &PathBuf| {
        unix_sockets::bind(path, mode).map_err(|error| ListenError::Path { listener, path: path.clone(), error })
    };
    paths.iter().map(bind).collect()
}

fn bind(listener: Listener, address: SocketAddr, reuse_port: bool) -> Result<TcpListener, ListenError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart must not wait for connections of the previous process in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        if reuse_port {
            socket.set_reuseport(true)?;
        }
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bind().map_err(|error| ListenError::Bind { listener, address, error })
}

/// The bound address: port 0 has become a port.
fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a socket that was bound a moment ago has an address")
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use super::*;

    /// The default of the standard library is 128; the handshake of the next one would be repeated after a second, and again.
    #[tokio::test]
    async fn many_clients_can_connect_before_the_first_is_accepted() {
        let listener = bind(REST, "127.0.0.1:0".parse().expect("an address"), false).expect("a listener");
        let address = address(&listener);
        let connect =
            move |n| TcpStream::connect_timeout(&address, Duration::from_secs(10)).map_err(|error| (n, error));
        let connected = tokio::task::spawn_blocking(move || (0..300).map(connect).collect::<Result<Vec<_>, _>>());
        assert_eq!(connected.await.expect("no panic").expect("all connect").len(), 300);
    }

    #[tokio::test]
    async fn a_port_is_shared_only_if_both_ask_for_it() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let first = bind(REST, any, true).expect("a listener");
        assert!(bind(REST, address(&first), false).is_err());
        assert!(bind(REST, address(&first), true).is_ok());
    }

    #[tokio::test]
    async fn a_socket_that_was_handed_over_is_used_instead_of_the_address() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        socket.set_nonblocking(true).expect("a flag");
        let given = socket.local_addr().expect("its address");
        let any = [HttpAddress { address: "127.0.0.1:0".parse().expect("an address"), is_tls: false }];
        let tls = [HttpAddress { is_tls: true, ..any[0] }];
        let mut sockets = Sockets { handed_over: vec![(REGISTRY, socket)], reuse_port: false };
        assert_ne!(sockets.listen(REST, &any).expect("bound")[0].address().address, given);
        let registry = sockets.listen(REGISTRY, &tls).expect("handed over");
        assert_eq!(
            registry.iter().map(Socket::address).collect::<Vec<_>>(),
            [HttpAddress { address: given, is_tls: true }]
        );
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut sockets = Sockets { handed_over: vec![(REST, socket)], reuse_port: false };
        let error = sockets.listen(REST, &[]).expect_err("it is off");
        assert!(error.to_string().contains("--rest-listen"), "{error}");
    }
}
