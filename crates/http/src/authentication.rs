//! Who sends a request: exactly one way is configured, and a request is judged by it alone.
//!
//! Credentials that are refused refuse the request; they never fall through to another way or to nobody. It is found out before the request
//! is routed, so that a stranger cannot tell paths apart; only `GET /` is open. What a caller may do is not decided here.
//!
//! Source: RFC 9110 §11, RFC 7617, RFC 6750.

mod basic;
mod bearer;
mod certificate;
mod failures;
mod gateway;
mod pass_through;

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts as Head;
use parking_lot::RwLock;
use postern_access::{Caller, Permissions, Rules};

use crate::access::kafka_identities::{ActsAs, KafkaIdentities};
use crate::connection_info::ConnectionInfo;
use crate::front::client_ip;
use crate::problem::Problem;
use crate::reply::Reply;

pub use basic::Basic;
pub use bearer::{Bearer, TokenKeys};
pub use certificate::Certificate;
pub use gateway::Gateway;
pub use pass_through::PassThrough;

/// Characters of a message in a header.
const DESCRIPTION_MAX: usize = 200;

/// How callers are recognized.
pub enum Authentication {
    /// Nobody is asked.
    Nobody,
    /// By user and password.
    Basic(Box<Basic>),
    /// By a signed token.
    Bearer(Bearer),
    /// By the client certificate of the connection.
    Certificate(Certificate),
    /// By what a trusted gateway says.
    Gateway(Gateway),
    /// By credentials for Kafka, which it is then asked with.
    PassThrough(Box<PassThrough>),
}

/// What decides about requests. Cheap to clone; clones share it, and it is replaced as a whole while requests are answered.
#[derive(Clone)]
pub struct AccessControl(Arc<RwLock<Arc<State>>>);

/// What decides at one moment.
struct State {
    authentication: Arc<Authentication>,
    /// `None`: whoever is recognized may do everything.
    rules: Option<Arc<Rules>>,
    /// `None`: Kafka is asked as this server, whoever asks.
    identities: Option<KafkaIdentities>,
}

impl AccessControl {
    /// One that recognizes callers so; without rules they may do everything. Kafka is asked as this server.
    pub fn new(authentication: Authentication, rules: Option<Arc<Rules>>) -> AccessControl {
        let state = State { authentication: Arc::new(authentication), rules, identities: None };
        AccessControl(Arc::new(RwLock::new(Arc::new(state))))
    }

    /// From now on requests are judged by these.
    pub fn replace(
        &self,
        authentication: Authentication,
        rules: Option<Arc<Rules>>,
        identities: Option<KafkaIdentities>,
    ) {
        *self.0.write() = Arc::new(State { authentication: Arc::new(authentication), rules, identities });
    }

    /// From now on callers may do what `rules` say, and are for Kafka who `identities` say. They are recognized as before, and what is remembered
    /// of them stays.
    pub fn replace_rules(&self, rules: Option<Arc<Rules>>, identities: Option<KafkaIdentities>) {
        let mut state = self.0.write();
        *state = Arc::new(State { authentication: state.authentication.clone(), rules, identities });
    }

    fn current(&self) -> Arc<State> {
        self.0.read().clone()
    }

    /// Who sends this request, what they may do, and as whom Kafka is asked for them. Headers that only a gateway may set are taken out of it.
    pub(crate) async fn permissions(&self, head: &mut Head) -> Result<(Permissions, ActsAs), Refused> {
        let state = self.current();
        let caller = match &*state.authentication {
            Authentication::Nobody => return Ok(state.of(Permissions::anonymous(state.rules.clone()))),
            // Nobody without credentials is anybody for Kafka, whatever the rules say.
            Authentication::PassThrough(pass_through) => {
                let recognized = pass_through.caller(head, client_ip(&head.extensions)).await?;
                let (caller, identity) = recognized.ok_or(Refused::Missing)?;
                let permissions = Permissions::new(Arc::new(caller), state.rules.clone());
                return Ok((permissions, ActsAs::Identity(identity)));
            }
            Authentication::Basic(basic) => match credentials(head, "Basic")? {
                // Boxed, as it is large, and so would every request be.
                Some(credentials) => Some(Box::pin(basic.caller(credentials, client_ip(&head.extensions))).await?),
                None => None,
            },
            Authentication::Bearer(bearer) => match credentials(head, "Bearer")? {
                Some(token) => Some(Box::pin(bearer.caller(token)).await?),
                None => None,
            },
            Authentication::Certificate(certificate) => certificate.caller(head)?,
            Authentication::Gateway(gateway) => {
                let peer = head.extensions.get().and_then(ConnectionInfo::peer_ip);
                gateway.caller(head, peer)?
            }
        };
        // Who presents nothing is somebody only where a rule says so.
        match caller {
            Some(caller) => Ok(state.of(Permissions::new(Arc::new(caller), state.rules.clone()))),
            None if state.rules.as_ref().is_some_and(|rules| rules.names_anonymous()) => {
                Ok(state.of(Permissions::anonymous(state.rules.clone())))
            }
            None => Err(Refused::Missing),
        }
    }

    /// What a caller may do, and is for Kafka, whom another replica has recognized.
    pub(crate) fn permissions_of(&self, caller: Caller) -> (Permissions, ActsAs) {
        let state = self.current();
        state.of(Permissions::new(Arc::new(caller), state.rules.clone()))
    }

    /// The answer of a handler that refused. Who has not said who it is gets told how to, where there is a way.
    pub(crate) fn refused(&self, problem: Problem) -> Reply {
        let authentication = self.current().authentication.clone();
        let is_ours = match (&*authentication, problem.code) {
            // Kafka has changed its mind about the caller's credentials.
            (Authentication::PassThrough(_), 40101) => true,
            (_, code) => code == 401,
        };
        if problem.status != StatusCode::UNAUTHORIZED || !is_ours {
            return problem.into_reply();
        }
        match authentication.challenge(&Refused::Missing) {
            Some(challenge) => {
                let reply = problem.into_reply().header(WWW_AUTHENTICATE, challenge);
                reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            }
            None => Problem { status: StatusCode::FORBIDDEN, code: 40301, ..problem }.into_reply(),
        }
    }

    /// The answer to a request whose caller is refused.
    pub(crate) fn refusal(&self, refused: &Refused) -> Reply {
        let state = self.current();
        let authentication = &state.authentication;
        let (status, message) = match refused {
            Refused::Malformed(message) => (StatusCode::BAD_REQUEST, format!("HTTP 400 Bad Request: {message}")),
            Refused::Missing => {
                (StatusCode::UNAUTHORIZED, format!("HTTP 401 Unauthorized: {}", authentication.wanted()))
            }
            Refused::Wrong(message) => (StatusCode::UNAUTHORIZED, format!("HTTP 401 Unauthorized: {message}.")),
            Refused::ByKafka(message) => {
                let message = format!("HTTP 401 Unauthorized: {message}. Nothing was done.");
                let reply = Problem::new(StatusCode::UNAUTHORIZED, 40101, message).into_reply();
                let reply = reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                return match authentication.challenge(refused) {
                    Some(challenge) => reply.header(WWW_AUTHENTICATE, challenge),
                    None => reply,
                };
            }
            Refused::KafkaAway(message) => {
                let message = format!("Kafka cannot be asked who you are: {message}. Nothing was done.");
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, message);
                return problem.into_reply().header(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refused::Misconfigured(message) => {
                let message = format!(
                    "This server shows Kafka credentials in a way that it does not take: {message}. Nothing was done."
                );
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, 50002, message).into_reply();
            }
            Refused::Unavailable(message) => {
                let message = format!("{message} Send this again later. Nothing was done.");
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, 50302, message);
                return problem.into_reply().header(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Refused::TooMany => {
                let message =
                    "HTTP 429 Too Many Requests: wrong passwords came from this address; try again in a minute.";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, 42901, message);
                return problem.into_reply().header(RETRY_AFTER, HeaderValue::from_static("60"));
            }
        };
        let mut reply = Problem::generic(status, message).into_reply();
        if status == StatusCode::UNAUTHORIZED {
            reply = reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if let Some(challenge) = authentication.challenge(refused) {
                reply = reply.header(WWW_AUTHENTICATE, challenge);
            }
        }
        reply
    }
}

impl State {
    /// What a caller may do, and as whom Kafka is asked for it.
    fn of(&self, permissions: Permissions) -> (Permissions, ActsAs) {
        let acts_as = self.identities.as_ref().map_or(ActsAs::Server, |identities| identities.of(permissions.caller()));
        (permissions, acts_as)
    }
}

impl Authentication {
    /// What to send, as a sentence.
    fn wanted(&self) -> String {
        match self {
            Authentication::Nobody => "nobody is asked who they are.".to_owned(),
            Authentication::Basic(_) => "send user and password as Authorization: Basic.".to_owned(),
            Authentication::Bearer(_) => "send a token as Authorization: Bearer.".to_owned(),
            Authentication::Certificate(_) => "connect with a client certificate.".to_owned(),
            Authentication::Gateway(gateway) => {
                format!(
                    "requests come through a gateway that names the caller in the header {}.",
                    gateway.user_header()
                )
            }
            Authentication::PassThrough(pass_through) => pass_through.wanted(),
        }
    }

    fn challenge(&self, refused: &Refused) -> Option<HeaderValue> {
        let challenge = match (self, refused) {
            (Authentication::Basic(basic), _) => {
                format!("Basic realm=\"{}\", charset=\"UTF-8\"", quoted(basic.realm()))
            }
            (Authentication::Bearer(_), Refused::Wrong(message)) => {
                let message: String = quoted(message).chars().take(DESCRIPTION_MAX).collect();
                format!("Bearer realm=\"Postern\", error=\"invalid_token\", error_description=\"{message}\"")
            }
            (Authentication::PassThrough(pass_through), refused) => pass_through.challenge(refused),
            (Authentication::Bearer(_), _) => "Bearer realm=\"Postern\"".to_owned(),
            (Authentication::Nobody | Authentication::Certificate(_) | Authentication::Gateway(_), _) => return None,
        };
        HeaderValue::try_from(challenge).ok()
    }
}

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nothing was presented.
    Missing,
    /// What was presented is wrong: the way that failed, and a class of reason.
    Wrong(String),
    /// It cannot be read.
    Malformed(String),
    /// It cannot be judged at the moment.
    Unavailable(&'static str),
    /// Kafka refuses the credentials, in its words.
    ByKafka(String),
    /// Kafka cannot be asked.
    KafkaAway(String),
    /// Kafka wants something else than is configured.
    Misconfigured(String),
    /// Too many wrong passwords came from this address.
    TooMany,
}

/// What follows the scheme in the one `Authorization` header; `None`: there is none.
fn credentials<'a>(head: &'a Head, scheme: &str) -> Result<Option<&'a str>, Refused> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refused::Malformed("expected one Authorization header, found several.".to_owned()));
    }
    let wrong = || Refused::Wrong(format!("expected Authorization: {scheme}, found another scheme"));
    let (named, rest) = value.to_str().map_err(|_| wrong())?.split_once(' ').ok_or_else(wrong)?;
    match named.eq_ignore_ascii_case(scheme) {
        true => Ok(Some(rest.trim())),
        false => Err(wrong()),
    }
}

/// A text inside of a quoted string (RFC 9110 §5.6.4); what cannot stand there is left out.
fn quoted(text: &str) -> String {
    let visible = text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control());
    visible.flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_realm_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\"b\\c\r\nä"), "a\\\"b\\\\c");
    }
}
