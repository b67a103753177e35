//! The second step: parsers of single values. An error says what was expected.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use postern_broker::Flush;
use postern_http::observe::LoggedRequests;
use postern_kafka::{Compression, IsolationLevel, OffsetReset, TopicName};
use postern_registry::CompatibilityLevel;
use postern_registry_client::{Credentials, RegistryUrl};
use tracing_subscriber::EnvFilter;

use super::LogFormat;

/// Where something listens for HTTP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HttpAddress {
    pub(crate) address: SocketAddr,
    pub(crate) is_tls: bool,
}

/// As the begin of a URL.
impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }
}

/// Where to listen for HTTP: addresses and paths of Unix sockets; none for `off`.
pub(super) fn listen(text: &str) -> Result<(Vec<HttpAddress>, Vec<PathBuf>), &'static str> {
    const EXPECTED: &str = "IP:PORT, https://IP:PORT or unix:/PATH, such as 127.0.0.1:8082, https://0.0.0.0:8082, [::1]:8082 or \
                            unix:/run/postern/rest.sock, several with commas between, or off";
    let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
    if text == "off" {
        return Ok((addresses, sockets));
    }
    for one in text.split(',').map(str::trim) {
        match one.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') && path.len() <= SOCKET_PATH_MAX => sockets.push(path.into()),
            Some(_) => return Err(EXPECTED),
            None => addresses.push(http_address(one).map_err(|_| EXPECTED)?),
        }
    }
    Ok((addresses, sockets))
}

/// Bytes of the path of a Unix socket: `sockaddr_un` has 108, of which the temporary name beside it takes some.
const SOCKET_PATH_MAX: usize = 90;

/// Permissions in octal.
pub(super) fn mode(text: &str) -> Result<u32, &'static str> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or("permissions in octal, such as 660")
}

/// An address to listen on for HTTP: `http://` may be left out.
fn http_address(text: &str) -> Result<HttpAddress, &'static str> {
    let (is_tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, rest) => (false, rest.unwrap_or(text)),
    };
    address(rest.strip_suffix('/').unwrap_or(rest)).map(|address| HttpAddress { address, is_tls })
}

/// An address to listen on. Names are not looked up: a listener belongs to an interface of this machine.
pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    const EXPECTED: &str = "IP:PORT, such as 127.0.0.1:8082, 0.0.0.0:8082 or [::1]:8082";
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| EXPECTED)?;
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| EXPECTED)
}

/// An address to listen on for HTTP, or `off`.
pub(super) fn address_or_off(text: &str) -> Result<Option<HttpAddress>, &'static str> {
    match text {
        "off" => Ok(None),
        _ => http_address(text).map(Some).map_err(
            |_| "IP:PORT or https://IP:PORT, such as 127.0.0.1:8083, https://0.0.0.0:8083 or [::1]:8083, or off",
        ),
    }
}

/// When the embedded broker's disk is to have what was acknowledged.
pub(super) fn flush(text: &str) -> Result<Flush, &'static str> {
    match text {
        "system" => Ok(Flush::System),
        "every-append" => Ok(Flush::EveryAppend),
        _ => time(text)
            .map(Flush::Interval)
            .map_err(|_| "\"system\", \"every-append\", or a time of at least 1ms, such as 200ms or 5s"),
    }
}

/// A time of at least a millisecond and at most some weeks.
pub(super) fn time(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "a time of at least 1ms, such as 200ms, 5s, 2m or 1h";
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let (number, unit_ms) =
        units.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, *ms))).ok_or(EXPECTED)?;
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    match ms {
        Some(ms) if ms > 0 && ms <= u64::from(u32::MAX) => Ok(Duration::from_millis(ms)),
        Some(_) | None => Err(EXPECTED),
    }
}

/// A time, or `off`.
pub(super) fn time_or_off(text: &str) -> Result<Option<Duration>, &'static str> {
    match text {
        "off" => Ok(None),
        _ => time(text).map(Some).map_err(|_| "a time of at least 1ms, such as 200ms, 5s, 2m or 1h, or off"),
    }
}

/// Where to begin without a committed offset.
pub(super) fn offset_reset(text: &str) -> Result<OffsetReset, &'static str> {
    postern_proxy::auto_offset_reset(text).ok_or("earliest, latest, none or a duration such as by_duration:PT1H")
}

/// Which records of transactions are read.
pub(super) fn isolation_level(text: &str) -> Result<IsolationLevel, &'static str> {
    match text {
        "read_uncommitted" => Ok(IsolationLevel::ReadUncommitted),
        "read_committed" => Ok(IsolationLevel::ReadCommitted),
        _ => Err("read_uncommitted or read_committed"),
    }
}

/// How batches are compressed.
pub(super) fn compression(text: &str) -> Result<Compression, &'static str> {
    text.parse().map_err(|_| "none, gzip, snappy, lz4 or zstd")
}

/// A number of bytes.
pub(super) fn bytes(text: &str) -> Result<usize, &'static str> {
    const EXPECTED: &str = "a number of bytes of at least 1, such as 1048576, 1MiB or 2GiB";
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (number, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.filter(|bytes| (1..=1 << 40).contains(bytes)).ok_or(EXPECTED)
}

/// How many of something.
pub(super) fn count(text: &str) -> Result<u16, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("a whole number from 1 to 65535")
}

/// How many of something in a second.
pub(super) fn amount(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "a whole number from 1 to 4294967295")
}

/// How many requests an operation counts as.
pub(super) fn cost(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "a whole number from 0 to 65535")
}

/// A number of bytes in a second; more than 4 GiB are as good as any number.
pub(super) fn bytes_per_second(text: &str) -> Result<NonZeroU32, &'static str> {
    bytes(text).map(|bytes| u32::try_from(bytes).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
}

/// A host that clients find, and a port.
pub(super) fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    const EXPECTED: &str = "HOST:PORT, such as kafka.example.org:9092";
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(EXPECTED)?;
    match host.is_empty() || host.contains(['/', ' ', '@', ',']) {
        true => Err(EXPECTED),
        false => Ok((host.to_owned(), port)),
    }
}

/// A bootstrap list, kept as text because the client library takes it as text.
pub(super) fn bootstrap_servers(text: &str) -> Result<String, &'static str> {
    let is_server = |server: &str| {
        server.trim().rsplit_once(':').is_some_and(|(host, port)| {
            let host_is_plain = !host.is_empty() && !host.contains(['/', ' ', '@']);
            host_is_plain && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
    };
    if text.split(',').all(is_server) {
        Ok(text.to_owned())
    } else {
        Err("HOST:PORT, or several with commas between, such as kafka-1:9092,kafka-2:9092")
    }
}

/// The instances of another registry.
pub(super) fn registry_urls(text: &str) -> Result<Vec<RegistryUrl>, &'static str> {
    text.split(',').map(RegistryUrl::parse).collect()
}

/// Basic authentication.
pub(super) fn credentials(text: &str) -> Result<Credentials, &'static str> {
    let (user, password) = text.split_once(':').ok_or("USER:PASSWORD")?;
    Ok(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
}

/// A bearer token: what a header value may contain.
pub(super) fn token(text: &str) -> Result<Credentials, &'static str> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Credentials::Bearer(text.to_owned())),
        false => Err("a token of visible ASCII characters"),
    }
}

/// A topic.
pub(super) fn topic(text: &str) -> Result<TopicName, &'static str> {
    TopicName::parse(text)
        .map_err(|_| "the name of a topic: letters, digits, dots, dashes and underscores, 249 at most")
}

/// A Kafka group id.
pub(super) fn group(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("the name of a group") } else { Ok(text.to_owned()) }
}

/// A compatibility level.
pub(super) fn level(text: &str) -> Result<CompatibilityLevel, &'static str> {
    const EXPECTED: &str = "NONE, BACKWARD, BACKWARD_TRANSITIVE, FORWARD, FORWARD_TRANSITIVE, FULL or FULL_TRANSITIVE";
    CompatibilityLevel::parse(text).ok_or(EXPECTED)
}

/// How lines of the log are written.
pub(super) fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("\"text\" or \"json\""),
    }
}

/// Which requests are logged.
pub(super) fn logged_requests(text: &str) -> Result<LoggedRequests, &'static str> {
    match text {
        "all" => Ok(LoggedRequests::All),
        "failed" => Ok(LoggedRequests::Failed),
        "off" => Ok(LoggedRequests::Off),
        _ => Err("\"all\", \"failed\" or \"off\""),
    }
}

/// A directory, which need not exist.
pub(super) fn directory(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() { Err("a directory") } else { Ok(PathBuf::from(text)) }
}

/// A boolean.
pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("true or false"),
    }
}

/// What the targets of log events begin with: the crates of this workspace, and libraries that log through `tracing`.
pub(super) const LOG_TARGETS: [&str; 13] = [
    "audit",
    "postern",
    "postern_http",
    "postern_proxy",
    "postern_registry",
    "postern_registry_client",
    "postern_schema",
    "postern_kafka",
    "postern_broker",
    "postern_log",
    "h2",
    "hyper",
    "hyper_util",
];

/// A filter for the log; checked here, used in `log.rs`.
pub(super) fn filter(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "a level (off, error, warn, info, debug, trace) or levels by part, such as \
        info,postern_http=debug; parts are audit, postern, postern_http, postern_proxy, postern_registry, \
        postern_registry_client, postern_schema, postern_kafka, postern_broker and postern_log";
    // `EnvFilter` takes any single word for a target, so that `--log verbose` would log that target and nothing else.
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_directive = |directive: &str| {
        let target = directive.split(['=', '[', ':']).next().unwrap_or_default();
        let is_span = target.is_empty() && directive.starts_with('[');
        is_span || LOG_TARGETS.contains(&target) || levels.contains(&directive.to_lowercase().as_str())
    };
    if !text.split(',').all(|part| is_directive(part.trim())) {
        return Err(EXPECTED);
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| EXPECTED)
}

/// Networks and single addresses.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, &'static str> {
    const EXPECTED: &str =
        "addresses and networks such as 10.0.0.7, 10.0.0.0/8 or fd00::/8, several with commas between";
    let network = |one: &str| one.parse().or_else(|_| one.parse::<IpAddr>().map(IpNet::from)).map_err(|_| EXPECTED);
    text.split(',').map(|one| network(one.trim())).collect()
}
