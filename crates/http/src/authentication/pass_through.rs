//! User and password, or a token, as Kafka knows them: Kafka says whether they are right, and is then asked by its user of that name.
//!
//! Credentials go on to Kafka before anything else is known of a caller, so that nobody learns from an answer what others may do; what was
//! proved is remembered ([`Identities`]). An address from which many wrong ones come waits, and Kafka with it.
//!
//! Source: RFC 7617, RFC 6750.

use std::net::IpAddr;

use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts as Head;
use postern_access::{Caller, Way};
use postern_proxy::{Credentials, Identities, KafkaIdentity, LoginError};

use super::failures::Failures;
use super::{Refused, basic, quoted};

/// Recognizes callers by what Kafka says of their credentials.
pub struct PassThrough {
    identities: Identities,
    failures: Failures,
}

impl PassThrough {
    /// Credentials are shown to Kafka by `identities`.
    pub fn new(identities: Identities) -> PassThrough {
        PassThrough { identities, failures: Failures::default() }
    }

    /// Who sends this request, and what it is for Kafka; `None`: no credentials are sent. Dropping the future leaves an attempt to log in,
    /// which ends by itself.
    pub(super) async fn caller(
        &self,
        head: &Head,
        client: Option<IpAddr>,
    ) -> Result<Option<(Caller, KafkaIdentity)>, Refused> {
        let mut values = head.headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Refused::Malformed("expected one Authorization header, found several.".to_owned()));
        }
        let other = || Refused::Wrong(format!("expected Authorization: {}, found another scheme", self.schemes()));
        let (scheme, rest) = value.to_str().map_err(|_| other())?.split_once(' ').ok_or_else(other)?;
        let settings = self.identities.settings();
        if scheme.eq_ignore_ascii_case("Basic") && settings.password.is_some() {
            let (user, password) = basic::user_and_password(rest.trim())?;
            let credentials = Credentials::Password { user: &user, password: &password };
            self.identity(credentials, Way::Basic, client).await.map(Some)
        } else if scheme.eq_ignore_ascii_case("Bearer") && settings.token_name.is_some() {
            self.identity(Credentials::Token(rest.trim()), Way::Bearer, client).await.map(Some)
        } else {
            Err(other())
        }
    }

    async fn identity(
        &self,
        credentials: Credentials<'_>,
        way: Way,
        client: Option<IpAddr>,
    ) -> Result<(Caller, KafkaIdentity), Refused> {
        if self.failures.are_too_many(client) && !self.identities.are_known(credentials) {
            return Err(Refused::TooMany);
        }
        let identity = self.identities.identity(credentials).await.map_err(|error| match error {
            LoginError::Refused(message) => {
                self.failures.add(client);
                Refused::ByKafka(message)
            }
            LoginError::Unavailable(error) => Refused::KafkaAway(error.to_string()),
            LoginError::Misconfigured(error) => Refused::Misconfigured(error.to_string()),
            LoginError::Busy(message) => Refused::Unavailable(message),
        })?;
        let caller = Caller::new(way, identity.name(), Vec::new())
            .map_err(|error| Refused::Wrong(format!("expected another name of the user: {error}")))?;
        Ok((caller, identity))
    }

    fn schemes(&self) -> &'static str {
        let settings = self.identities.settings();
        match (settings.password.is_some(), settings.token_name.is_some()) {
            (true, true) => "Basic or Bearer",
            (false, true) => "Bearer",
            _ => "Basic",
        }
    }

    /// What to send, as a sentence.
    pub(super) fn wanted(&self) -> String {
        format!("send what Kafka knows you by as Authorization: {}.", self.schemes())
    }

    pub(super) fn challenge(&self, refused: &Refused) -> String {
        let settings = self.identities.settings();
        let basic = settings.password.map(|_| "Basic realm=\"Kafka\", charset=\"UTF-8\"".to_owned());
        let bearer = settings.token_name.as_ref().map(|_| match refused {
            // Of two ways it is not known which one has failed.
            Refused::ByKafka(message) if settings.password.is_none() => {
                let message: String = quoted(message).chars().take(super::DESCRIPTION_MAX).collect();
                format!("Bearer realm=\"Kafka\", error=\"invalid_token\", error_description=\"{message}\"")
            }
            _ => "Bearer realm=\"Kafka\"".to_owned(),
        });
        basic.into_iter().chain(bearer).collect::<Vec<_>>().join(", ")
    }
}
