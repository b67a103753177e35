//! Tells the service manager what the process does: `sd_notify(3)`, for units with `Type=notify`.
//!
//! Without the variable `NOTIFY_SOCKET`, or if nobody listens there, nothing happens: it is no reason to end.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use rustix::time::{ClockId, clock_gettime};

/// It is started, or what was read again is in use.
pub(crate) fn ready() {
    send("READY=1");
}

/// Files are being read again.
pub(crate) fn reloading() {
    // By this time the manager tells the READY=1 that follows from one that was sent before.
    let now = clock_gettime(ClockId::Monotonic);
    send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
}

/// It is being stopped.
pub(crate) fn stopping() {
    send("STOPPING=1");
}

fn send(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send_to(&socket, state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

fn send_to(socket: &OsStr, state: &str) -> io::Result<()> {
    // A name that begins with @ is one of the abstract namespace.
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
