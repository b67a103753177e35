//! What the program does besides running: `check-config` and `healthcheck`.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use postern_kafka::Cluster;

use crate::{
    config::{ClusterChoice, Config},
    server,
};

/// How long `healthcheck` waits for a connection, and for each part of the answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of the answer that are read.
const ANSWER_MAX: u64 = 64 << 10;

/// Connects to the cluster as the start would, for `check-config --connect`. What it found, or why it cannot.
pub(crate) fn connect(config: &Config) -> Result<String, String> {
    let ClusterChoice::Remote { bootstrap_servers } = &config.cluster else {
        return Ok("Nothing to connect to: the broker is started inside the process.".to_owned());
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(async {
        let settings = server::client_settings(config, bootstrap_servers);
        let cluster = Cluster::connect(settings).map_err(|error| format!("Kafka: {error}"))?;
        let found = cluster.describe_cluster().await.map_err(|error| format!("Kafka: {error}"))?;
        Ok(format!("Kafka answers: cluster {}, brokers: {}.", found.cluster_id, found.brokers.len()))
    })
}

/// Asks a running process whether it is ready, over the management listener at `address`. Its answer: ready, or not.
///
/// # Errors
/// Nothing answers there.
pub(crate) fn healthcheck(address: SocketAddr) -> io::Result<Result<String, String>> {
    let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    stream.set_write_timeout(Some(HEALTHCHECK_TIMEOUT))?;
    write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    Ok(if answer.starts_with("HTTP/1.1 200 ") { Ok(body) } else { Err(body) })
}
