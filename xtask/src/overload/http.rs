//! One request over one connection, blocking: there may be thousands of threads of them.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

pub(super) const JSON: &str = "application/vnd.kafka.json.v2+json";
pub(super) const AVRO: &str = "application/vnd.kafka.avro.v2+json";

/// Longer than any request may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: bool,
    pub(super) body: String,
}

impl Answer {
    /// Whether every record of a produce request was written.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.status == 200 && !self.body.contains("\"offset\":null") && self.body.contains("\"offset\":")
    }

    /// Whether it says of each record that was not acknowledged whether it was written.
    pub(super) fn says_fate(&self) -> bool {
        ["not written", "othing was ", "No record was written", "is not known"]
            .iter()
            .any(|fate| self.body.contains(fate))
    }
}

pub(super) fn get(address: &str, path: &str, accept: &str) -> io::Result<Answer> {
    let stream = send(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n"), b"")?;
    read(BufReader::new(stream))
}

pub(super) fn post(address: &str, path: &str, media_type: &str, body: &[u8]) -> io::Result<Answer> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n"
    );
    read(BufReader::new(send(address, &head, body)?))
}

/// The connection, after the request was sent. If it cannot be sent as a whole, an answer may have come before.
pub(super) fn send(address: &str, head: &str, body: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    match stream.write_all(body) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        sent => sent?,
    }
    Ok(stream)
}

/// The status and whether there is `Retry-After`, with the length of the body.
pub(super) fn read_head(from: &mut impl BufRead) -> io::Result<(u16, bool, usize)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    Ok((status, head.contains("\r\nretry-after: "), length.ok_or(io::ErrorKind::InvalidData)?))
}

fn read(mut from: BufReader<TcpStream>) -> io::Result<Answer> {
    let (status, retry_after, length) = read_head(&mut from)?;
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Answer { status, retry_after, body })
}
