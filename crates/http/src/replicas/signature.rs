//! Who the caller is, on the way from one replica to another: in a header, signed (HMAC-SHA-256, RFC 2104) with a secret that all replicas
//! share. The signature also covers the time, the replica it is for, method and path, so that it is good for nothing else. The secret itself
//! is never sent.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use postern_access::{Caller, Way};
use ring::hmac;
use serde::{Deserialize, Serialize};

const CALLER: HeaderName = HeaderName::from_static("x-postern-caller");
const SIGNATURE: HeaderName = HeaderName::from_static("x-postern-signature");
/// How far the clocks of two replicas may differ.
const SKEW: Duration = Duration::from_secs(60);

/// The secret that all replicas of a server share. Cheap to clone.
#[derive(Clone)]
pub struct ReplicaSecret(Arc<hmac::Key>);

#[derive(Serialize, Deserialize)]
struct CallerText<'a> {
    way: &'a str,
    name: String,
    groups: Vec<String>,
}

impl ReplicaSecret {
    /// A secret of these bytes.
    pub fn new(secret: &[u8]) -> ReplicaSecret {
        ReplicaSecret(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The headers of a call for the replica at `address`.
    pub(super) fn sign(
        &self,
        caller: &Caller,
        address: &str,
        method: &Method,
        uri: &Uri,
        now: SystemTime,
    ) -> [(HeaderName, HeaderValue); 2] {
        let caller =
            CallerText { way: caller.way().name(), name: caller.name().to_owned(), groups: caller.groups().to_vec() };
        let caller = serde_json::to_vec(&caller).expect("texts and nothing else");
        let caller = BASE64_STANDARD.encode(caller);
        let time = milliseconds(now);
        let signed = signed(time, address, method, uri, &caller);
        let signature = BASE64_STANDARD.encode(hmac::sign(&self.0, signed.as_bytes()));
        let header = |text: String| HeaderValue::try_from(text).expect("digits and base64 are valid header values");
        [(CALLER, header(caller)), (SIGNATURE, header(format!("{time}.{signature}")))]
    }

    /// The caller of a call that another replica has signed for this one, at `address`; `None`: it has not. Takes both headers out.
    pub(crate) fn verify<B>(&self, request: &mut Request<B>, address: &str, now: SystemTime) -> Option<Caller> {
        let (caller, signature) = (request.headers_mut().remove(CALLER)?, request.headers_mut().remove(SIGNATURE)?);
        let (caller, signature) = (caller.to_str().ok()?, signature.to_str().ok()?);
        let (time, signature) = signature.split_once('.')?;
        let time: u64 = time.parse().ok()?;
        if time.abs_diff(milliseconds(now)) > u64::try_from(SKEW.as_millis()).ok()? {
            return None;
        }
        let signed = signed(time, address, request.method(), request.uri(), caller);
        let signature = BASE64_STANDARD.decode(signature).ok()?;
        hmac::verify(&self.0, signed.as_bytes(), &signature).ok()?;
        let caller = BASE64_STANDARD.decode(caller).ok()?;
        let CallerText { way, name, groups } = serde_json::from_slice(&caller).ok()?;
        let ways = [Way::Anonymous, Way::Basic, Way::Bearer, Way::Certificate, Way::Gateway];
        match ways.into_iter().find(|known| known.name() == way)? {
            Way::Anonymous => Some(Caller::anonymous()),
            way => Caller::new(way, &name, groups).ok(),
        }
    }
}

impl std::fmt::Debug for ReplicaSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplicaSecret").finish_non_exhaustive()
    }
}

/// What is signed. No part but the last two can hold a line feed, and they cannot either.
fn signed(time: u64, address: &str, method: &Method, uri: &Uri, caller: &str) -> String {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    format!("{time}\n{address}\n{method}\n{target}\n{caller}")
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "10.0.0.1:8084";
    const TARGET: &str = "/consumers/g/instances/c/records?timeout=5";

    fn request(method: &Method, target: &str, headers: [(HeaderName, HeaderValue); 2]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(target).body(()).expect("a request");
        request.headers_mut().extend(headers);
        request
    }

    #[test]
    fn a_caller_is_who_was_signed() {
        let (secret, now) = (ReplicaSecret::new(b"one"), SystemTime::now());
        let ana = Caller::new(Way::Bearer, "ana, \"ü\"", vec!["readers".to_owned()]).expect("a caller");
        for caller in [ana, Caller::anonymous()] {
            let headers = secret.sign(&caller, ADDRESS, &Method::GET, &TARGET.parse().expect("a path"), now);
            let mut request = request(&Method::GET, TARGET, headers);
            assert_eq!(secret.verify(&mut request, ADDRESS, now + SKEW), Some(caller));
            assert!(request.headers().is_empty());
        }
    }

    #[test]
    fn a_signature_is_good_for_nothing_else() {
        let (secret, now) = (ReplicaSecret::new(b"one"), SystemTime::now());
        let ana = Caller::new(Way::Basic, "ana", Vec::new()).expect("a caller");
        let bob = Caller::new(Way::Basic, "bob", Vec::new()).expect("a caller");
        let uri = TARGET.parse().expect("a path");
        let headers = |caller: &Caller| secret.sign(caller, ADDRESS, &Method::GET, &uri, now);
        let verified =
            |secret: &ReplicaSecret, method: &Method, target: &str, address: &str, at: SystemTime, headers| {
                secret.verify(&mut request(method, target, headers), address, at)
            };
        let (get, other) = (Method::GET, ReplicaSecret::new(b"other"));
        assert_eq!(verified(&secret, &get, TARGET, ADDRESS, now, headers(&ana)), Some(ana.clone()));
        assert_eq!(verified(&other, &get, TARGET, ADDRESS, now, headers(&ana)), None);
        assert_eq!(verified(&secret, &Method::DELETE, TARGET, ADDRESS, now, headers(&ana)), None);
        assert_eq!(verified(&secret, &get, "/consumers/g/instances/d/records", ADDRESS, now, headers(&ana)), None);
        assert_eq!(verified(&secret, &get, TARGET, "10.0.0.2:8084", now, headers(&ana)), None);
        let late = now + SKEW + Duration::from_millis(2);
        assert_eq!(verified(&secret, &get, TARGET, ADDRESS, late, headers(&ana)), None);
        let [_, signature] = headers(&ana);
        let [claimed, _] = headers(&bob);
        assert_eq!(verified(&secret, &get, TARGET, ADDRESS, now, [claimed, signature]), None);
        let mut unsigned = Request::builder().uri(TARGET).body(()).expect("a request");
        assert_eq!(secret.verify(&mut unsigned, ADDRESS, now), None);
    }
}
