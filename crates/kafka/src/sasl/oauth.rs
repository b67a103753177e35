//! Bearer tokens: the messages of OAUTHBEARER, and tokens by OAuth 2.0 client credentials over HTTP.
//!
//! A token is fetched when a connection needs one and the last one has passed most of its life. While the endpoint cannot be
//! reached, a token that is still valid goes on being used.
//!
//! Source: RFC 7628, RFC 6749 §4.4, KIP-255, KIP-768.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{
    Error, ErrorKind,
    settings::{ClientCredentials, Tls},
    tls::ClientTls,
};

/// An answer of the endpoint may be this large.
const ANSWER_MAX: usize = 1 << 20;
/// And takes no longer. Opening a connection to a broker has 10 s altogether.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);

/// The first message of the client.
pub(super) fn client_first(token: &str, extensions: &[(String, String)]) -> Vec<u8> {
    let mut message = format!("n,,\u{1}auth=Bearer {token}");
    for (name, value) in extensions {
        message.push('\u{1}');
        message.push_str(name);
        message.push('=');
        message.push_str(value);
    }
    message.push_str("\u{1}\u{1}");
    message.into_bytes()
}

/// # Errors
/// An extension that a message cannot hold.
pub(super) fn check_extensions(extensions: &[(String, String)]) -> Result<(), String> {
    for (name, value) in extensions {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) && name != "auth";
        if !is_name {
            return Err(format!("SASL extension {name:?}: expected a name of letters, other than auth"));
        }
        if !value.bytes().all(|byte| matches!(byte, 0x21..=0x7E | b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(format!("SASL extension {name}: expected a value of visible ASCII characters"));
        }
    }
    Ok(())
}

/// # Errors
/// What is no token, and would break the message.
pub(super) fn check_token(token: &str) -> Result<(), String> {
    match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("expected a token of visible ASCII characters, found none or others".to_owned()),
    }
}

/// Tokens of one OAuth 2.0 client.
pub(super) struct Tokens {
    client: ClientCredentials,
    tls: Option<Arc<ClientTls>>,
    cached: Mutex<Option<CachedToken>>,
    /// One fetch at a time.
    fetching: Semaphore,
}

#[derive(Clone)]
struct CachedToken {
    token: String,
    renew_at: Instant,
    expires_at: Instant,
}

impl Tokens {
    /// Blocks on the file system.
    ///
    /// # Errors
    /// `InvalidRequest`: the endpoint is no URL, the secret or the trust store cannot be read.
    pub(super) fn new(client: ClientCredentials) -> Result<Tokens, Error> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, "INVALID_CONFIG", message);
        let uri = client.endpoint.parse::<Uri>().ok().filter(|uri| uri.authority().is_some());
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let tls = match scheme {
            Some("https") => {
                let tls = Tls { trust: client.trust.clone(), ..Tls::default() };
                Some(Arc::new(ClientTls::new(tls)?))
            }
            Some("http") => None,
            _ => {
                return Err(invalid(format!(
                    "token endpoint: expected a URL such as https://issuer/token, found {:?}",
                    client.endpoint
                )));
            }
        };
        client.client_secret.read_text().map_err(|error| invalid(format!("OAuth client secret: {error}")))?;
        Ok(Tokens { client, tls, cached: Mutex::default(), fetching: Semaphore::new(1) })
    }

    /// A token with enough life before it. Dropping the future ends a fetch.
    ///
    /// # Errors
    /// `Authentication`: the endpoint refuses the client; `BrokerUnavailable`: it gives no token.
    pub(super) async fn token(&self, client_secret: &str) -> Result<String, Error> {
        let fresh = || self.cached().filter(|cached| Instant::now() < cached.renew_at).map(|cached| cached.token);
        if let Some(token) = fresh() {
            return Ok(token);
        }
        let _permit = self.fetching.acquire().await.map_err(|_| Error::unavailable("the client is shutting down"))?;
        if let Some(token) = fresh() {
            return Ok(token); // fetched meanwhile by another
        }
        match self.fetch(client_secret).await {
            Ok(fetched) => {
                let token = fetched.token.clone();
                *self.cached.lock() = Some(fetched);
                Ok(token)
            }
            Err(error) => match self.cached().filter(|cached| Instant::now() < cached.expires_at) {
                Some(cached) if error.is_transient() => {
                    tracing::warn!("Kafka: {}; the token before it is still valid and used", error.message);
                    Ok(cached.token)
                }
                _ => Err(error),
            },
        }
    }

    /// The broker does not accept what the endpoint gave: the next exchange fetches another.
    pub(super) fn forget(&self) {
        *self.cached.lock() = None;
    }

    fn cached(&self) -> Option<CachedToken> {
        self.cached.lock().clone()
    }

    async fn fetch(&self, client_secret: &str) -> Result<CachedToken, Error> {
        let endpoint = &self.client.endpoint;
        match timeout(ANSWER_TIMEOUT, self.ask(client_secret)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(Error::unavailable(format!("token endpoint {endpoint}: no answer in time"))),
        }
    }

    async fn ask(&self, client_secret: &str) -> Result<CachedToken, Error> {
        let ClientCredentials { endpoint, client_id, scope, audience, .. } = &self.client;
        let failed = |reason: &dyn fmt::Display| Error::unavailable(format!("token endpoint {endpoint}: {reason}"));
        let mut body = "grant_type=client_credentials".to_owned();
        for (name, value) in [("scope", scope), ("audience", audience)] {
            if let Some(value) = value {
                body.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
            }
        }
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{client_id}:{client_secret}")));
        let mut basic = HeaderValue::try_from(basic).map_err(|error| failed(&error))?;
        basic.set_sensitive(true);
        let request = Request::post(endpoint.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, basic)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| failed(&error))?;

        let asked = Instant::now();
        let answer = match &self.tls {
            None => Client::builder(TokioExecutor::new()).build(HttpConnector::new()).request(request).await,
            Some(tls) => {
                let config = (*tls.config().await).clone();
                let connector =
                    HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build();
                Client::builder(TokioExecutor::new()).build(connector).request(request).await
            }
        };
        let answer = answer.map_err(|error| failed(&root_cause(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|error| failed(&error))?;
        let document = serde_json::from_slice::<Value>(&body.to_bytes()).unwrap_or_default();
        if !status.is_success() {
            return Err(self.refusal(status, &document));
        }
        let token = document["access_token"].as_str().or_else(|| document["id_token"].as_str());
        let token = token.ok_or_else(|| failed(&"expected a JSON object with access_token"))?;
        check_token(token).map_err(|reason| failed(&reason))?;
        let life = life(token, &document, SystemTime::now()).ok_or_else(|| {
            failed(&"expected a token with expires_in or exp, found one that does not say how long it is valid")
        })?;
        Ok(CachedToken { token: token.to_owned(), renew_at: asked + renew_after(life), expires_at: asked + life })
    }

    /// What RFC 6749 §5.2 says of a refusal, without what else the body holds.
    fn refusal(&self, status: StatusCode, document: &Value) -> Error {
        let text = |name: &str| document[name].as_str().map(|text| format!(": {text}")).unwrap_or_default();
        let message = format!(
            "token endpoint {}: refused for client '{}' with {status}{}{}",
            self.client.endpoint,
            self.client.client_id,
            text("error"),
            text("error_description")
        );
        let is_final = status.is_client_error()
            && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY);
        match is_final {
            true => Error::new(ErrorKind::Authentication, "SASL_AUTHENTICATION_FAILED", message),
            false => Error::unavailable(message),
        }
    }
}

/// How long a token is valid: as the answer says, or as the token itself does.
fn life(token: &str, document: &Value, now: SystemTime) -> Option<Duration> {
    let seconds = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let seconds = seconds(&document["expires_in"]).or_else(|| {
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
        let expires = seconds(&serde_json::from_slice::<Value>(&claims).ok()?["exp"])?;
        Some(expires - now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    })?;
    // A year at most, so that times can be reckoned with.
    Duration::try_from_secs_f64(seconds.clamp(0.0, 365.0 * 86_400.0)).ok()
}

/// As Java's `sasl.login.refresh.*`: at 80 to 85 % of the life, at least 300 s before its end and 60 s after its begin unless it is
/// too short for that.
fn renew_after(life: Duration) -> Duration {
    let (margin, least) = (Duration::from_secs(300), Duration::from_secs(60));
    let usual = life.mul_f64(0.8 + 0.05 * fastrand::f64());
    if life <= margin + least { usual } else { usual.min(life - margin).max(least) }
}

/// The innermost reason: the outer ones only say that a call failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_holds_token_and_extensions() {
        assert_eq!(client_first("abc", &[]), b"n,,\x01auth=Bearer abc\x01\x01");
        let extensions = [("logicalCluster".to_owned(), "lkc-1".to_owned())];
        assert_eq!(client_first("abc", &extensions), b"n,,\x01auth=Bearer abc\x01logicalCluster=lkc-1\x01\x01");
        assert_eq!(check_extensions(&extensions), Ok(()));
        for (name, value) in [("auth", "x"), ("", "x"), ("a b", "x"), ("a", "\u{1}"), ("a", "ä")] {
            assert!(check_extensions(&[(name.to_owned(), value.to_owned())]).is_err(), "{name} {value:?}");
        }
        for wrong in ["", "a b", "a\u{1}b"] {
            assert!(check_token(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_life_of_a_token_is_in_the_answer_or_in_itself() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let jwt = |claims: &str| format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(life("opaque", &json!({"expires_in": 60}), now), Some(Duration::from_secs(60)));
        assert_eq!(life("opaque", &json!({"expires_in": "60"}), now), Some(Duration::from_secs(60)));
        assert_eq!(life(&jwt(r#"{"exp": 1060}"#), &json!({}), now), Some(Duration::from_secs(60)));
        assert_eq!(life(&jwt(r#"{"exp": 900}"#), &json!({}), now), Some(Duration::ZERO));
        assert_eq!(life("opaque", &json!({}), now), None);
        for (seconds, least, most) in [(100, 80, 85), (400, 100, 100), (3600, 2880, 3060), (86_400, 69_120, 73_440)] {
            let after = renew_after(Duration::from_secs(seconds)).as_secs();
            assert!((least..=most).contains(&after), "{after} of {seconds}");
        }
    }
}
