//! Host and port, as a request or a proxy in front names them (RFC 3986 §3.2).

use hyper::http::uri::Authority;

/// `example.org`, `example.org:8082` or `[::1]:8082`. `None`: there is no host, a user, or a port that cannot be one.
pub(crate) fn parse(text: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(text).ok().filter(|authority| !authority.as_str().contains('@'))?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_sound = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.is_empty() || is_port(port));
    (is_sound && !authority.host().is_empty()).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_a_host_and_perhaps_a_port() {
        for sound in ["a", "a_b:8082", "[::1]", "[::1]:65535", "10.0.0.7:0", "a:"] {
            assert!(parse(sound.as_bytes()).is_some(), "{sound}");
        }
        for wrong in ["", ":80", "a:65536", "a:+80", "a:8o", "u@a", "a/b", "a b", "[::1", "::1"] {
            assert!(parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
