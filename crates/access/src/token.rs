//! Bearer tokens: signed JSON Web Tokens, checked against the keys of one issuer.
//!
//! The algorithm is one of those that are configured, never what the token alone asks for; a claim that cannot be read is a failure, not an
//! absence. Nothing of a token stands in an error.
//!
//! Source: RFC 7515, RFC 7519, RFC 8725, RFC 9068.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::caller::{Caller, Way};
use crate::token_keys::{Algorithm, KeySet};

/// Bytes of a token.
const TOKEN_MAX: usize = 16 << 10;

/// What a token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// One of these in `aud`; at least one.
    pub audience: Vec<String>,
    /// Those that are taken.
    pub algorithms: Vec<Algorithm>,
    /// The claim that is the name of the caller.
    pub name_claim: String,
    /// The claim with the groups of the caller, members of objects behind dots: a list, or names with blanks between.
    pub groups_claim: Option<String>,
    /// How far the clocks may differ.
    pub skew: Duration,
}

/// A token that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whose it is.
    pub caller: Caller,
    /// Until when, with the difference of clocks.
    pub expires: SystemTime,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no token, or one with something that is not understood.
    Malformed(&'static str),
    /// Its algorithm is not taken.
    Algorithm,
    /// No key of the set has its id: a newer set may have it.
    UnknownKey,
    /// The signature is not that of its key.
    Signature,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is yet to come.
    NotYetValid,
    /// Another `iss`.
    Issuer,
    /// Another `aud`.
    Audience,
    /// A claim that is missing or cannot be read.
    Claim(String),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenFault::Malformed(what) => write!(f, "the token is malformed: {what}"),
            TokenFault::Algorithm => f.write_str("the token is signed with an algorithm that is not taken"),
            TokenFault::UnknownKey => f.write_str("the token is signed with a key that is not known"),
            TokenFault::Signature => f.write_str("the signature of the token is wrong"),
            TokenFault::Expired => f.write_str("the token has expired"),
            TokenFault::NotYetValid => f.write_str("the token is not valid yet"),
            TokenFault::Issuer => f.write_str("the token is from another issuer"),
            TokenFault::Audience => f.write_str("the token is for another audience"),
            TokenFault::Claim(name) => write!(f, "the claim {name} of the token is missing or cannot be read"),
        }
    }
}

impl TokenRules {
    /// Checks a token against `keys` at the time `now`.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn verify(&self, token: &str, keys: &KeySet, now: SystemTime) -> Result<VerifiedToken, TokenFault> {
        if token.len() > TOKEN_MAX {
            return Err(TokenFault::Malformed("it has more than 16 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenFault::Malformed("it has not three parts"));
        };
        let message = &token.as_bytes()[..header.len() + 1 + claims.len()];
        let header = object(header)?;
        // Extensions that must be understood, and none is (RFC 7515 §4.1.11).
        if header.contains_key("crit") {
            return Err(TokenFault::Malformed("it has critical extensions"));
        }
        match header.get("typ").map(|kind| kind.as_str().unwrap_or_default().to_ascii_lowercase()).as_deref() {
            None | Some("jwt" | "at+jwt" | "application/at+jwt" | "application/jwt") => {}
            Some(_) => return Err(TokenFault::Malformed("it is of another type")),
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::parse);
        let algorithm = algorithm.filter(|named| self.algorithms.contains(named)).ok_or(TokenFault::Algorithm)?;
        let id = match header.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or(TokenFault::Malformed("its kid is no string"))?),
        };
        let key = keys.find(id, algorithm).ok_or(TokenFault::UnknownKey)?;
        let signature = decoded(signature)?;
        if !key.verify(algorithm, message, &signature) {
            return Err(TokenFault::Signature);
        }
        self.check_claims(&object(claims)?, now)
    }

    fn check_claims(&self, claims: &BTreeMap<String, Value>, now: SystemTime) -> Result<VerifiedToken, TokenFault> {
        let missing = |name: &str| TokenFault::Claim(name.to_owned());
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = time(claims, "exp")?.ok_or_else(|| missing("exp"))? + self.skew;
        if expires <= now {
            return Err(TokenFault::Expired);
        }
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|time| time > now + self.skew) {
                return Err(TokenFault::NotYetValid);
            }
        }
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or_else(|| missing("iss"))?;
        if issuer != self.issuer {
            return Err(TokenFault::Issuer);
        }
        let audience = texts(claims.get("aud").ok_or_else(|| missing("aud"))?, "aud", |text| vec![text])?;
        if !audience.iter().any(|one| self.audience.contains(one)) {
            return Err(TokenFault::Audience);
        }
        // It is bound to a key whose possession is not proved here (RFC 7800).
        if claims.contains_key("cnf") {
            return Err(TokenFault::Malformed("it is bound to a key of its owner"));
        }
        let name = claims.get(&self.name_claim).and_then(Value::as_str).ok_or_else(|| missing(&self.name_claim))?;
        let groups = match &self.groups_claim {
            None => Vec::new(),
            Some(path) => self.groups(claims, path)?,
        };
        let caller = Caller::new(Way::Bearer, name, groups).map_err(|_| missing(&self.name_claim))?;
        let expires = UNIX_EPOCH.checked_add(expires).ok_or_else(|| missing("exp"))?;
        Ok(VerifiedToken { caller, expires })
    }

    fn groups(&self, claims: &BTreeMap<String, Value>, path: &str) -> Result<Vec<String>, TokenFault> {
        // A claim may have dots in its name, such as one that is a URL.
        let found = claims.get(path).or_else(|| {
            let mut names = path.split('.');
            let first = claims.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        });
        match found {
            None => Ok(Vec::new()),
            Some(value) => texts(value, path, |text| text.split_whitespace().map(str::to_owned).collect()),
        }
    }
}

/// A text or a list of texts.
fn texts(value: &Value, name: &str, split: impl Fn(String) -> Vec<String>) -> Result<Vec<String>, TokenFault> {
    let unreadable = || TokenFault::Claim(name.to_owned());
    match value {
        Value::String(text) => Ok(split(text.clone())),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(unreadable)).collect(),
        _ => Err(unreadable()),
    }
}

/// Seconds since 1970, perhaps with a fraction.
fn time(claims: &BTreeMap<String, Value>, name: &str) -> Result<Option<Duration>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..1e12).contains(seconds));
    seconds.map(|seconds| Some(Duration::from_secs_f64(seconds))).ok_or_else(|| TokenFault::Claim(name.to_owned()))
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenFault> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed("a part is not base64url"))
}

fn object(part: &str) -> Result<BTreeMap<String, Value>, TokenFault> {
    let text = decoded(part)?;
    let object: Members = serde_json::from_slice(&text)
        .map_err(|_| TokenFault::Malformed("a part is no JSON object with each member once"))?;
    Ok(object.0)
}

/// An object in which no member stands twice: two readers might take different ones.
struct Members(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Unique;
        impl<'de> Visitor<'de> for Unique {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Unique)
    }
}

#[cfg(test)]
mod tests;
