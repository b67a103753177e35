//! Leaves a port to other processes that listen on it as well (`SO_REUSEPORT`).
//!
//! The kernel distributes the handshakes of new connections among the sockets of a port. When one of them is closed, the connections that it
//! has not accepted are reset, even if others would take them. So a socket that is about to be closed first takes no further handshakes: their
//! packets are dropped, which clients send again after a second, and by then the others get them.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;

/// Handshakes that have begun are waited for so long: the round trip of a distant client.
pub(crate) const LAST_HANDSHAKES: Duration = Duration::from_millis(250);

/// From now on `listener` takes no new handshakes, if it shares its port. Returns whether that is so.
#[cfg(target_os = "linux")]
pub(crate) fn leave(listener: &TcpListener) -> bool {
    use socket2::SockFilter;

    let socket = SockRef::from(listener);
    if !socket.reuse_port().unwrap_or(false) {
        return false;
    }
    // Classic BPF over the TCP segment: drop it if of SYN and ACK (in byte 13, RFC 9293 §3.1) it has SYN alone, else take all of it.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(AND, 0, 0, 0x12),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, 0x02),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    match socket.attach_filter(&filter) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "connections that begin now may be reset: the port cannot be left to others");
            false
        }
    }
}

/// Elsewhere there are no such filters.
#[cfg(not(target_os = "linux"))]
pub(crate) fn leave(_: &TcpListener) -> bool {
    false
}
