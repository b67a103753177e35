//! The PROXY protocol, versions 1 and 2: who the client is, said by a load balancer at the begin of its connection.
//!
//! It is read from the proxies that are named for it only, who must speak it then: from others it would be a lie, or the first bytes of HTTP.
//! Own because the crate for it brings a second version of another, and this is little.
//! Source: HAProxy, `doc/proxy-protocol.txt`.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{self, AsyncRead, AsyncReadExt};

/// How version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a header of version 1, with its line end.
const LINE_MAX: usize = 107;

/// Reads the header, and no byte beyond it. `None`: the connection is the proxy's own, such as a health check, or the client has no address.
///
/// # Errors
/// Something else came, or the connection ended.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut begin = [0; SIGNATURE.len()];
    stream.read_exact(&mut begin).await?;
    if begin == SIGNATURE { read_binary(stream).await } else { read_line(stream, begin.to_vec()).await }
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n`
async fn read_line(stream: &mut (impl AsyncRead + Unpin), mut line: Vec<u8>) -> io::Result<Option<SocketAddr>> {
    if !line.starts_with(b"PROXY ") {
        return Err(invalid("the connection does not begin with a PROXY header"));
    }
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_MAX {
            return Err(invalid("the line of the PROXY header is too long"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| invalid("the PROXY header is no text"))?;
    let words: Vec<&str> = line.trim_end().split(' ').collect();
    let (family, source, port) = match words[..] {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, _, port, _] => (family, source, port),
        _ => return Err(invalid("the PROXY header names no TCP connection")),
    };
    match (source.parse::<IpAddr>(), port.parse::<u16>()) {
        (Ok(ip), Ok(port)) if ip.is_ipv4() == (family == "TCP4") => Ok(Some(SocketAddr::new(ip, port))),
        (Ok(_), Ok(_)) => Err(invalid("the PROXY header has an address of another family than it says")),
        _ => Err(invalid("the PROXY header has an address that cannot be read")),
    }
}

/// Version and command, family, length, addresses, and whatever else, which is skipped.
async fn read_binary(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let mut rest = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut rest).await?;
    match (command, family, &rest[..]) {
        // LOCAL, or of no family that has addresses of the Internet.
        (0x20, ..) | (0x21, 0x00 | 0x31 | 0x32, _) => Ok(None),
        (0x21, 0x11, [a, b, c, d, _, _, _, _, high, low, ..]) => {
            Ok(Some(SocketAddr::from(([*a, *b, *c, *d], u16::from_be_bytes([*high, *low])))))
        }
        (0x21, 0x21, rest) if rest.len() >= 36 => {
            let source = <[u8; 16]>::try_from(&rest[..16]).map_err(|_| invalid("the PROXY header is too short"))?;
            Ok(Some(SocketAddr::from((source, u16::from_be_bytes([rest[32], rest[33]])))))
        }
        _ => Err(invalid("the PROXY header is of another version, or no TCP connection")),
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `header`, and what is left of the request behind it.
    async fn read_from(header: &[u8]) -> (Result<Option<String>, io::ErrorKind>, String) {
        let bytes = [header, b"GET /"].concat();
        let mut stream = bytes.as_slice();
        let found = read(&mut stream).await.map(|client| client.map(|client| client.to_string()));
        (found.map_err(|error| error.kind()), String::from_utf8_lossy(stream).into_owned())
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short");
        [&SIGNATURE, [command, family].as_slice(), &length.to_be_bytes(), rest].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_request() {
        let four = [1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x67, 1, 187];
        let six = [[0x20, 1, 0xd, 0xb8].as_slice(), &[0; 28], &[0x12, 0x67, 1, 187]].concat();
        for (header, client) in [
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 4711 443\r\n".to_vec(), Some("1.2.3.4:4711")),
            (b"PROXY TCP6 2001:db8:: ::1 4711 443\r\n".to_vec(), Some("[2001:db8::]:4711")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (binary(0x21, 0x11, &four), Some("1.2.3.4:4711")),
            (binary(0x21, 0x11, &[four.as_slice(), &[4, 0, 1, 9]].concat()), Some("1.2.3.4:4711")),
            (binary(0x21, 0x21, &six), Some("[2001:db8::]:4711")),
            (binary(0x20, 0x00, &[]), None),
        ] {
            let expected = (Ok(client.map(str::to_owned)), "GET /".to_owned());
            assert_eq!(read_from(&header).await, expected, "{header:?}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        for wrong in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 5.6.7.8 4711\r\n".to_vec(),
            b"PROXY TCP4 1.2.3 5.6.7.8 4711 443\r\n".to_vec(),
            b"PROXY TCP4 2001:db8:: ::1 4711 443\r\n".to_vec(),
            b"PROXY TCP6 1.2.3.4 5.6.7.8 4711 443\r\n".to_vec(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'a'; 200]].concat(),
            binary(0x21, 0x11, &[1, 2, 3, 4]),
            binary(0x11, 0x11, &[0; 12]),
            binary(0x21, 0x12, &[0; 12]),
        ] {
            assert_eq!(read_from(&wrong).await.0, Err(io::ErrorKind::InvalidData), "{wrong:?}");
        }
        let short = read(&mut b"PROXY TCP4 1.2".as_slice()).await.map_err(|error| error.kind());
        assert_eq!(short, Err(io::ErrorKind::UnexpectedEof));
    }
}
