//! Tables of routes, and what holds for every request before its handler runs: path, method, media types, in this order.
//!
//! Each API lists its operations in one [`Table`]; [`crate::api::Api`] joins tables and answers what no handler needs to know: unknown paths
//! (404), unknown methods (405 with `Allow`), OPTIONS, HEAD, and unsupported media types (415, 406).

use std::future::ready;
use std::pin::Pin;

use hyper::Method;
use postern_proxy::Proxy;
use postern_registry::Registry;

use crate::access::kafka_identities::{ActsAs, nobody_for_kafka};
use crate::negotiate::MediaType;
use crate::operation::Operation;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request_context::RequestContext;

/// The media types of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Media {
    /// Media types of the body; `None`: `Content-Type` is ignored.
    pub(crate) consumes: Option<&'static [&'static str]>,
    /// Media types of the response, the default first.
    pub(crate) produces: &'static [MediaType],
}

pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;
pub(crate) type Handler = Box<dyn Fn(RequestContext) -> Answer + Send + Sync>;

/// One operation.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// A pattern such as `/topics/{topic}`.
    pub(crate) path: &'static str,
    pub(crate) media: Media,
    pub(crate) handler: Handler,
    /// What the description of the API says about it.
    pub(crate) operation: Operation,
}

/// What the operations of an API are made over.
pub(crate) trait State: Clone + Send + Sync + 'static {
    /// The same for a request for which Kafka is asked as `acts_as`; `None`: nothing is asked for its caller.
    fn acting_as(&self, acts_as: &ActsAs) -> Option<Self>;
}

impl State for Proxy {
    fn acting_as(&self, acts_as: &ActsAs) -> Option<Proxy> {
        match acts_as {
            ActsAs::Server => Some(self.clone()),
            ActsAs::Identity(identity) => Some(Proxy::acting_as(self, identity)),
            ActsAs::Nobody => None,
        }
    }
}

/// The registry has an identity of its own, whoever asks.
impl State for Registry {
    fn acting_as(&self, _: &ActsAs) -> Option<Registry> {
        Some(self.clone())
    }
}

/// The operations of one API over `state`.
pub(crate) struct Table<S> {
    state: S,
    /// Makes the state of one request.
    for_request: fn(&S) -> S,
    pub(crate) routes: Vec<Route>,
}

impl<S: State> Table<S> {
    pub(crate) fn new(state: S) -> Table<S> {
        Table::with(state, S::clone)
    }

    /// Like [`Table::new`], where each request has a state of its own.
    pub(crate) fn with(state: S, for_request: fn(&S) -> S) -> Table<S> {
        Table { state, for_request, routes: Vec::new() }
    }

    pub(crate) fn get<F, A>(self, path: &'static str, media: Media, handler: F, operation: Operation) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        self.on(Method::GET, path, media, handler, operation)
    }

    pub(crate) fn post<F, A>(self, path: &'static str, media: Media, handler: F, operation: Operation) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        self.on(Method::POST, path, media, handler, operation)
    }

    pub(crate) fn put<F, A>(self, path: &'static str, media: Media, handler: F, operation: Operation) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        self.on(Method::PUT, path, media, handler, operation)
    }

    pub(crate) fn patch<F, A>(self, path: &'static str, media: Media, handler: F, operation: Operation) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        self.on(Method::PATCH, path, media, handler, operation)
    }

    pub(crate) fn delete<F, A>(self, path: &'static str, media: Media, handler: F, operation: Operation) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        self.on(Method::DELETE, path, media, handler, operation)
    }

    fn on<F, A>(
        mut self,
        method: Method,
        path: &'static str,
        media: Media,
        handler: F,
        operation: Operation,
    ) -> Table<S>
    where
        F: Fn(S, RequestContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        let (state, for_request) = (self.state.clone(), self.for_request);
        let handler: Handler = Box::new(move |request| match state.acting_as(&request.acts_as) {
            Some(state) => Box::pin(handler(for_request(&state), request)),
            None => Box::pin(ready(Err(nobody_for_kafka(request.params.permissions())))),
        });
        self.routes.push(Route { method, path, media, handler, operation });
        self
    }
}
