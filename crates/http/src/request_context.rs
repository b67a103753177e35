//! One request as its handler gets it: routed, its media types negotiated, its body not read yet.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use postern_access::Permissions;

use crate::access::kafka_identities::ActsAs;
use crate::access::routes::Need;
use crate::body::{Body, BodyKind, BodyReader, BodyStream};
use crate::client_connection::ClientConnection;
use crate::coding::Coding;
use crate::connection_info::ConnectionInfo;
use crate::front;
use crate::path;
use crate::problem::Problem;

/// A routed request.
pub(crate) struct RequestContext {
    /// Boxed, as a request is moved often.
    pub(crate) head: Box<Parts>,
    /// The media type of the body, one of those that the route accepts; `None` where the client sent none.
    pub(crate) content_type: Option<&'static str>,
    /// The media type of the response.
    pub(crate) media_type: &'static str,
    pub(crate) params: Params,
    /// As whom Kafka is asked.
    pub(crate) acts_as: ActsAs,
    pub(crate) body: RequestBody,
    pub(crate) reader: BodyReader,
    /// What its route needs.
    pub(crate) need: Need,
}

/// The body of a request.
pub(crate) enum RequestBody {
    Unread(Incoming),
    /// Read and unpacked already.
    Kept(Body),
}

/// The parameters of a path, decoded, and what the one who names them may do.
#[derive(Debug)]
pub(crate) struct Params(pub(crate) Vec<(&'static str, String)>, pub(crate) Permissions);

impl Params {
    /// A parameter that the route's path names.
    pub(crate) fn get(&self, name: &'static str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        &found.expect("a handler reads only the parameters of its own route").1
    }

    /// Whose the consumer instances of this request are.
    pub(crate) fn owner(&self) -> Option<Arc<str>> {
        let caller = self.1.caller();
        (!caller.is_anonymous()).then(|| Arc::from(caller.name()))
    }

    /// A parameter as a number. Anything else is a path that does not exist.
    pub(crate) fn number<T: FromStr>(&self, name: &'static str) -> Result<T, Problem> {
        path::number(self.get(name)).ok_or_else(|| {
            Problem::missing(format!(
                "HTTP 404 Not Found: {name} in the path must be a whole number, found '{}'.",
                self.get(name)
            ))
        })
    }
}

impl RequestContext {
    /// A query parameter, decoded; of a repeated one the first.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.queries(name).next()
    }

    /// All values of a query parameter, decoded, in their order.
    pub(crate) fn queries(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = self.head.uri.query().unwrap_or_default().split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(move |(key, _)| form_decode(key) == name)
            .map(|(_, value)| form_decode(value).into_owned())
    }

    /// A boolean query parameter: true only for `true`, in any case.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// What links begin with: scheme, authority, and perhaps a path.
    pub(crate) fn base_url(&self) -> String {
        front::base_url(&self.head)
    }

    /// What watches the client's connection.
    pub(crate) fn client(&self) -> Option<ClientConnection> {
        self.head.extensions.get::<ConnectionInfo>()?.connection.clone()
    }

    /// Reads the body of an administrative request, of at most `max` bytes. Returns the parameters of the path with it.
    pub(crate) async fn read_document(self, max: usize) -> Result<(Params, Body), Problem> {
        self.read(BodyKind::Document(max)).await
    }

    /// Reads the body, unpacked, and returns it with the parameters.
    pub(crate) async fn read(self, kind: BodyKind) -> Result<(Params, Body), Problem> {
        match self.body {
            RequestBody::Kept(body) => Ok((self.params, body)),
            RequestBody::Unread(body) => {
                let coding = Coding::of_request(&self.head.headers)?;
                Ok((self.params, self.reader.read(body, coding, kind).await?))
            }
        }
    }

    /// The same request after its body, of at most `max` bytes, was read, and the body.
    pub(crate) async fn with_body_kept(self, max: usize) -> Result<(RequestContext, Bytes), Problem> {
        let body = match self.body {
            RequestBody::Kept(body) => body,
            RequestBody::Unread(body) => {
                let coding = Coding::of_request(&self.head.headers)?;
                self.reader.read(body, coding, BodyKind::Document(max)).await?
            }
        };
        let bytes = body.bytes();
        Ok((RequestContext { body: RequestBody::Kept(body), ..self }, bytes))
    }

    /// The body piece by piece, unpacked, with the parameters.
    pub(crate) fn stream(self) -> Result<(Params, BodyStream), Problem> {
        let RequestBody::Unread(body) = self.body else {
            return Err(Problem::bad_request("The request body was read already: it cannot be read piece by piece."));
        };
        let coding = Coding::of_request(&self.head.headers)?;
        Ok((self.params, self.reader.stream(body, coding)?))
    }
}

/// `application/x-www-form-urlencoded`: plus is a space.
fn form_decode(text: &str) -> Cow<'_, str> {
    match text.contains('+') {
        true => Cow::Owned(path::decode(&text.replace('+', " ")).into_owned()),
        false => path::decode(text),
    }
}
