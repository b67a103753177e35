//! Spans of traces: the one of a request, and those of its parts that the registry and Kafka work on (docs/traces.md).
//!
//! Where traces are off there is no [`Traces`] in the current context, and nothing is made. Where they go is not known here. No attribute
//! holds a key, a value, a header or a schema.

use std::sync::Arc;

use bytes::Bytes;
use opentelemetry::global::BoxedTracer;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use postern_kafka::{AppendError, Error as ClusterError, Receipt, TopicName};

/// The header of a record that says which span wrote it (W3C Trace Context §3.2).
const TRACEPARENT: &str = "traceparent";
/// Bytes of a `tracestate` that is put into records: what everybody has to pass on (W3C Trace Context §3.3.1.5).
const TRACESTATE_MAX: usize = 512;

/// Makes spans. Cheap to clone.
#[derive(Clone)]
pub struct Traces(Arc<Parts>);

struct Parts {
    tracer: BoxedTracer,
    propagator: Box<dyn TextMapPropagator + Send + Sync>,
    /// Whether records get the context of the span that wrote them.
    into_records: bool,
}

impl Traces {
    /// Spans of `tracer`, below those that `propagator` finds in requests. `into_records`: written records get its headers.
    pub fn new(
        tracer: BoxedTracer,
        propagator: impl TextMapPropagator + Send + Sync + 'static,
        into_records: bool,
    ) -> Traces {
        Traces(Arc::new(Parts { tracer, propagator: Box::new(propagator), into_records }))
    }

    /// Begins the span of a request with these `headers`: the context in which the request has to be worked on, so that the spans of its parts
    /// are below this one.
    pub fn request(&self, headers: &dyn Extractor, name: &'static str, attributes: Vec<KeyValue>) -> Context {
        let parent = self.0.propagator.extract_with_context(&Context::new(), headers);
        let span = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes);
        let span = self.0.tracer.build_with_context(span, &parent);
        parent.with_value(self.clone()).with_span(span)
    }
}

/// The span of a part of the current request; it ends when it is dropped. Nothing where traces are off.
pub(crate) struct Part(Option<Context>);

impl Part {
    /// What the registry does for records of `topic`.
    pub(crate) fn registry(what: &'static str, topic: &TopicName) -> Part {
        Part::begin(SpanKind::Internal, || (what.to_owned(), vec![destination(topic)]))
    }

    /// The look-up of a topic that is not known yet.
    pub(crate) fn look_up(topic: &TopicName) -> Part {
        let name =
            || (format!("look up {topic}"), vec![KeyValue::new("messaging.system", "kafka"), destination(topic)]);
        Part::begin(SpanKind::Client, name)
    }

    /// The way of `records` records to the brokers, named by OpenTelemetry's conventions for Kafka.
    pub(crate) fn send(topic: &TopicName, records: usize) -> Part {
        Part::begin(SpanKind::Producer, || {
            let attributes = vec![
                KeyValue::new("messaging.system", "kafka"),
                KeyValue::new("messaging.operation.name", "send"),
                KeyValue::new("messaging.operation.type", "send"),
                destination(topic),
                KeyValue::new("messaging.batch.message_count", i64::try_from(records).unwrap_or(i64::MAX)),
            ];
            (format!("send {topic}"), attributes)
        })
    }

    fn begin(kind: SpanKind, what: impl FnOnce() -> (String, Vec<KeyValue>)) -> Part {
        let current = Context::map_current(|current| current.get::<Traces>().is_some().then(|| current.clone()));
        Part(current.and_then(|current| {
            let traces = current.get::<Traces>()?;
            let (name, attributes) = what();
            let span = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
            let span = traces.0.tracer.build_with_context(span, &current);
            Some(current.with_span(span))
        }))
    }

    /// It failed for the reason of this name.
    pub(crate) fn failed(&self, name: &str) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new("error.type", name.to_owned()));
            span.set_status(Status::error(""));
        }
    }

    /// What became of a call to Kafka.
    pub(crate) fn outcome<T>(&self, outcome: &Result<T, ClusterError>) {
        if let Err(error) = outcome {
            self.failed(&error.name);
        }
    }

    /// Ends it with what became of the records.
    pub(crate) fn delivered<'a>(self, mut outcomes: impl Iterator<Item = &'a Result<Receipt, AppendError>>) {
        if self.0.is_some()
            && let Some(Err(first)) = outcomes.find(|outcome| outcome.is_err())
        {
            self.failed(&first.error.name);
        }
    }

    /// The headers that say of a record that this wrote it; none unless they are wanted.
    pub(crate) fn record_headers(&self) -> Vec<(String, Option<Bytes>)> {
        let mut headers = Headers(Vec::new());
        if let Some(context) = &self.0
            && let Some(traces) = context.get::<Traces>()
            && traces.0.into_records
        {
            traces.0.propagator.inject_context(context, &mut headers);
        }
        headers.0
    }
}

/// Whether a client says itself which span wrote its record.
pub(crate) fn has_traceparent(headers: &[(String, Option<Bytes>)]) -> bool {
    headers.iter().any(|(name, _)| name == TRACEPARENT)
}

fn destination(topic: &TopicName) -> KeyValue {
    KeyValue::new("messaging.destination.name", topic.as_str().to_owned())
}

/// Headers of a record.
struct Headers(Vec<(String, Option<Bytes>)>);

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() && (key == TRACEPARENT || value.len() <= TRACESTATE_MAX) {
            self.0.push((key.to_owned(), Some(Bytes::from(value))));
        }
    }
}
