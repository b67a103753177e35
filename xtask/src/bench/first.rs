//! From exec to the first acknowledged record, as a client sees it that tries without a pause.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    process::{Server, free_port},
    workspace::{self, Profile},
};

/// One Avro record with its schema.
const BODY: &str = r#"{"value_schema":"{\"type\":\"record\",\"name\":\"First\",\"fields\":[{\"name\":\"n\",\"type\":\"long\"}]}","records":[{"value":{"n":1}}]}"#;

/// Starts a `postern` on the data in `folder` and produces one record as soon as it is let. The topic is created by that.
pub(crate) fn acknowledged(folder: &Path) -> Outcome<Duration> {
    let port = free_port()?;
    let mut command = Command::new(workspace::program(Profile::Release, "postern"));
    command.arg("--rest-listen").arg(format!("127.0.0.1:{port}"));
    for listener in ["--registry-listen", "--broker-listen"] {
        command.arg(listener).arg(format!("127.0.0.1:{}", free_port()?));
    }
    command.arg("--broker-auto-create-topics").arg("--data-dir").arg(folder.join("data"));
    let start = Instant::now();
    let server = Server::start("postern", &mut command, &folder.join("postern.log"))?;
    let mut last = String::from("nobody listened");
    while start.elapsed() < Duration::from_secs(20) {
        // Refused connections cost microseconds; a pause would be measured with the rest.
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
        match produce(stream) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") && answer.contains("\"error_code\":null") => {
                let took = start.elapsed();
                server.stop(Duration::from_secs(8))?;
                return Ok(took);
            }
            Ok(answer) => last = answer,
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("no record was acknowledged within 20 s; last: {last}; the end of the log:\n{}", server.log_tail()))
}

fn produce(mut stream: TcpStream) -> std::io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST /topics/first HTTP/1.1\r\nHost: postern\r\nConnection: close\r\nContent-Type: application/vnd.kafka.avro.v2+json\r\n\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
