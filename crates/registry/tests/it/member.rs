//! A member of a group, of any protocol, spoken by hand: JoinGroup version 2 and LeaveGroup version 0.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Member {
    stream: TcpStream,
    group: String,
    id: String,
}

/// Joins a group, as its only member.
pub(crate) async fn join(broker: SocketAddr, group: &str, protocol_type: &str) -> Member {
    let mut stream = TcpStream::connect(broker).await.expect("the broker listens");
    let mut body = Vec::new();
    text(&mut body, group);
    body.extend(30_000_i32.to_be_bytes()); // session
    body.extend(30_000_i32.to_be_bytes()); // rebalance
    text(&mut body, "");
    text(&mut body, protocol_type);
    body.extend(1_i32.to_be_bytes());
    text(&mut body, "v0");
    body.extend(2_i32.to_be_bytes());
    body.extend(b"{}");
    let answer = call(&mut stream, 11, 2, &body).await;
    let mut rest = &answer[4..];
    assert_eq!(rest[..2], [0, 0], "joined");
    rest = &rest[6..];
    let (_protocol, _leader) = (taken(&mut rest), taken(&mut rest));
    let id = taken(&mut rest);
    Member { stream, group: group.to_owned(), id }
}

impl Member {
    pub(crate) async fn leave(&mut self) {
        let mut body = Vec::new();
        text(&mut body, &self.group);
        text(&mut body, &self.id);
        assert_eq!(call(&mut self.stream, 13, 0, &body).await, [0, 0], "left");
    }
}

/// One request; the answer without length and correlation id.
async fn call(stream: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    text(&mut request, "member");
    request.extend(body);
    let length = i32::try_from(request.len()).expect("a small request");
    stream.write_all(&length.to_be_bytes()).await.expect("sent");
    stream.write_all(&request).await.expect("sent");
    let length = stream.read_i32().await.expect("an answer");
    let mut answer = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut answer).await.expect("a whole answer");
    answer.split_off(4)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(i16::try_from(text.len()).expect("a short text").to_be_bytes());
    out.extend(text.as_bytes());
}

fn taken(rest: &mut &[u8]) -> String {
    let length = usize::try_from(i16::from_be_bytes([rest[0], rest[1]])).expect("a text");
    let text = String::from_utf8(rest[2..2 + length].to_vec()).expect("UTF-8");
    *rest = &rest[2 + length..];
    text
}
