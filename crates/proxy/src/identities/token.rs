//! What a JSON Web Token claims. Its signature is for the brokers to check: nothing here is believed before they have.
//!
//! Source: RFC 7519.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tokio::time::Instant;

/// Bytes of a token.
const TOKEN_MAX: usize = 16 << 10;

/// Claims of a token.
#[derive(Debug, PartialEq)]
pub(super) struct Claims {
    /// Who it is for.
    pub(super) name: String,
    /// When it ends; `None`: it does not say.
    pub(super) ends: Option<Instant>,
}

/// Reads the claim `name` and when the token ends.
///
/// # Errors
/// What was expected of a token, as a sentence without it.
pub(super) fn read(token: &str, name: &str) -> Result<Claims, String> {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = match parts[..] {
        [_, claims, _] if token.len() <= TOKEN_MAX => BASE64_URL_SAFE_NO_PAD.decode(claims).ok(),
        _ => None,
    };
    let claims = claims.and_then(|claims| serde_json::from_slice::<Map<String, Value>>(&claims).ok());
    let claims = claims.ok_or_else(|| format!("expected a JSON Web Token of at most {TOKEN_MAX} bytes"))?;
    let user = claims.get(name).and_then(Value::as_str).filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| format!("expected a token with a text as its claim {name}"))?;
    let ends = match claims.get("exp") {
        None => None,
        Some(ends) => Some(ends.as_f64().ok_or("expected a number as the claim exp of the token")?),
    };
    let ends = ends.map(|ends| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // What is too large for a time is far in the future.
        let since = Duration::try_from_secs_f64(ends.max(0.0)).unwrap_or(Duration::MAX);
        since.saturating_sub(now)
    });
    match ends {
        Some(Duration::ZERO) => Err("the token has expired".to_owned()),
        // Nobody will ask later than the clock can say.
        Some(left) => Ok(Claims { name: user.to_owned(), ends: Instant::now().checked_add(left) }),
        None => Ok(Claims { name: user.to_owned(), ends: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn name_and_end_are_read() {
        let read = |claims: &str, name| read(&token(claims), name);
        let found = read(r#"{"sub":"ana","exp":99999999999.5}"#, "sub").expect("sound");
        assert_eq!(found.name, "ana");
        assert!(found.ends.is_some_and(|ends| ends > Instant::now()));
        let without = Claims { name: "ben".to_owned(), ends: None };
        assert_eq!(read(r#"{"sub":"ana","user":"ben"}"#, "user"), Ok(without));
        let far = Claims { name: "ana".to_owned(), ends: None };
        assert_eq!(read(r#"{"sub":"ana","exp":1e300}"#, "sub"), Ok(far));
        for (claims, expected) in [
            (r#"{"sub":"ana","exp":1}"#, "has expired"),
            (r#"{"sub":"ana","exp":-1}"#, "has expired"),
            (r#"{"sub":"ana","exp":"tomorrow"}"#, "exp"),
            (r#"{"sub":7}"#, "claim sub"),
            (r#"{"sub":""}"#, "claim sub"),
            ("{}", "claim sub"),
            ("[]", "JSON Web Token"),
        ] {
            let refused = read(claims, "sub").expect_err(claims);
            assert!(refused.contains(expected), "{claims}: {refused}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for canary in ["canary", "canary.canary", "a.canary!.c", "a.b.c.canary", &format!("a.{}.c", "e30".repeat(9000))]
        {
            let refused = read(canary, "sub").expect_err(canary);
            assert!(refused.contains("JSON Web Token") && !refused.contains("canary"), "{refused}");
        }
    }
}
