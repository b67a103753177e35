//! From the values of Confluent's servers to ours: one small function for each way in which they differ.

use std::net::ToSocketAddrs;

/// The value as the setting of ours is written; `None`: it asks for what is so anyway. An error says what was expected.
pub(super) type Translate = fn(&str) -> Result<Option<String>, String>;

/// Classes that get OAuth tokens by client credentials, or from a file, as is done here.
pub(super) const OAUTH_HANDLERS: &[&str] = &[
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
];

/// Both write it alike.
pub(super) fn as_written(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.trim().to_owned()))
}

/// Entries may have their protocol in front, which `kafka_security` compares.
pub(super) fn servers(text: &str) -> Result<Option<String>, String> {
    let servers =
        text.split(',').map(|server| server.trim().rsplit_once("://").map_or(server.trim(), |(_, rest)| rest));
    Ok(Some(servers.collect::<Vec<_>>().join(",")))
}

/// `http://HOST:PORT,https://…`. A name is looked up as the original does; all its addresses are listened on.
pub(super) fn listeners(text: &str) -> Result<Option<String>, String> {
    let mut addresses = Vec::new();
    for listener in text.split(',').map(str::trim) {
        let wrong = || "http://HOST:PORT or https://HOST:PORT, such as http://0.0.0.0:8082".to_owned();
        let (scheme, authority) = listener.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(wrong());
        }
        let (host, port) = authority.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = if host.is_empty() { "0.0.0.0" } else { host.trim_start_matches('[').trim_end_matches(']') };
        let found =
            (host, port).to_socket_addrs().map_err(|_| format!("a host that can be looked up, unlike {host}"))?;
        addresses.extend(found.map(|address| match scheme.as_str() {
            "https" => format!("https://{address}"),
            _ => address.to_string(),
        }));
    }
    addresses.sort();
    addresses.dedup();
    Ok(Some(addresses.join(",")))
}

/// Origins. Those without a scheme matched nothing there, and match nothing here.
pub(super) fn origins(text: &str) -> Result<Option<String>, String> {
    let origins = text.split(',').map(str::trim).filter(|origin| *origin == "*" || origin.contains("://"));
    let origins: Vec<&str> = origins.collect();
    if origins.is_empty() {
        Err("*, or origins such as https://app.example.org".to_owned())
    } else {
        Ok(Some(origins.join(",")))
    }
}

/// One URL for each scheme: links here are the same for all, so that of HTTPS is taken where there is one.
pub(super) fn advertised(text: &str) -> Result<Option<String>, String> {
    let urls: Vec<&str> = text.split(',').map(str::trim).filter(|url| url.contains("://")).collect();
    let is_https = |url: &&&str| url.to_ascii_lowercase().starts_with("https://");
    let url = urls.iter().find(is_https).or(urls.first());
    url.map(|url| Some((*url).to_owned())).ok_or_else(|| "http://HOST:PORT or https://HOST:PORT".to_owned())
}

/// Passwords, of which nothing may be left out.
pub(super) fn unchanged(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()))
}

/// `ssl.client.auth`, a boolean.
pub(super) fn client_auth(text: &str) -> Result<Option<String>, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(Some("required".to_owned())),
        "false" => Ok(None),
        _ => Err("true or false".to_owned()),
    }
}

/// Java's names of the versions of TLS. Older ones than 1.2 are not spoken.
pub(super) fn tls_versions(text: &str) -> Result<Option<String>, String> {
    let known = text.split(',').filter_map(|version| match version.trim() {
        "TLSv1.2" => Some("1.2"),
        "TLSv1.3" => Some("1.3"),
        _ => None,
    });
    let known: Vec<&str> = known.collect();
    if known.is_empty() { Err("TLSv1.2, TLSv1.3 or both".to_owned()) } else { Ok(Some(known.join(","))) }
}

/// A port on all interfaces.
pub(super) fn port(text: &str) -> Result<Option<String>, String> {
    let port: u16 = text.trim().parse().map_err(|_| "a port; better listeners = http://0.0.0.0:PORT".to_owned())?;
    Ok(Some(format!("0.0.0.0:{port}")))
}

/// Milliseconds.
pub(super) fn millis(text: &str) -> Result<Option<String>, String> {
    let millis: u32 = text.trim().parse().map_err(|_| "a number of milliseconds".to_owned())?;
    Ok(Some(format!("{}ms", millis.max(1))))
}

/// Milliseconds. The default there is too short for a cluster that is busy, ours is a floor.
pub(super) fn at_least_ten_seconds(text: &str) -> Result<Option<String>, String> {
    let millis: u32 = text.trim().parse().map_err(|_| "a number of milliseconds".to_owned())?;
    Ok((millis > 10_000).then(|| format!("{millis}ms")))
}

/// A number of bytes, of which Java takes more than make sense.
pub(super) fn bytes(text: &str) -> Result<Option<String>, String> {
    let bytes: i64 = text.trim().parse().map_err(|_| "a number of bytes".to_owned())?;
    Ok(Some(bytes.clamp(1, 1 << 40).to_string()))
}

/// Bytes that a read waits for; -1: it lasts as long as it may.
pub(super) fn min_bytes(text: &str) -> Result<Option<String>, String> {
    let bytes: i32 = text.trim().parse().map_err(|_| "a number of bytes, or -1".to_owned())?;
    Ok((bytes >= 0).then(|| bytes.max(1).to_string()))
}

/// A number of bytes; 0: no limit.
pub(super) fn bytes_or_no_limit(text: &str) -> Result<Option<String>, String> {
    let bytes: i64 = text.trim().parse().map_err(|_| "a number of bytes, or 0".to_owned())?;
    Ok((bytes > 0).then(|| bytes.min(1 << 40).to_string()))
}

/// Whether positions are committed by themselves.
pub(super) fn auto_commit(text: &str) -> Result<Option<String>, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(None),
        "false" => Ok(Some("off".to_owned())),
        _ => Err("true or false".to_owned()),
    }
}

/// A word that we know in small letters only.
pub(super) fn small(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.trim().to_ascii_lowercase()))
}

/// A number of connections; 0: no limit.
pub(super) fn limit(text: &str) -> Result<Option<String>, String> {
    let limit: i64 = text.trim().parse().map_err(|_| "a whole number".to_owned())?;
    Ok((limit > 0).then(|| limit.min(65_535).to_string()))
}

/// A boolean, the other way round.
pub(super) fn negated(text: &str) -> Result<Option<String>, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(Some("false".to_owned())),
        "false" => Ok(Some("true".to_owned())),
        _ => Err("true or false".to_owned()),
    }
}

/// How callers are recognized.
pub(super) fn authentication(text: &str) -> Result<Option<String>, String> {
    match text.trim().to_ascii_uppercase().as_str() {
        "NONE" => Ok(None),
        "BASIC" => Ok(Some("basic".to_owned())),
        _ => Err("NONE or BASIC; other ways are those of the setting authentication".to_owned()),
    }
}

/// Roles of which a user needs one; `*` and `**`: none.
pub(super) fn roles(text: &str) -> Result<Option<String>, String> {
    let roles: Vec<&str> = text.split(',').map(str::trim).collect();
    Ok((!roles.iter().any(|role| matches!(*role, "*" | "**"))).then(|| roles.join(",")))
}

/// A level of log4j.
pub(super) fn log_level(text: &str) -> Result<Option<String>, String> {
    let level = match text.trim().to_ascii_uppercase().as_str() {
        "OFF" => "off",
        "FATAL" | "ERROR" => "error",
        "WARN" => "warn",
        "INFO" => "info",
        "DEBUG" => "debug",
        "TRACE" | "ALL" => "trace",
        _ => return Err("OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE or ALL".to_owned()),
    };
    Ok(Some(level.to_owned()))
}
