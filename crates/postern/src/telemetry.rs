//! Traces over OTLP, where the `OTEL_*` variables name a collector (docs/traces.md).
//!
//! A span that has ended goes into a bounded queue, without waiting; one that finds it full is dropped and counted. A task sends what is
//! in the queue in batches, over HTTP, with the exporter of the OpenTelemetry library, which tries again what a collector refuses for now. The
//! library's own batches are sent by a thread that is in no Tokio runtime, where the HTTP client cannot work, and it tells nobody what it drops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::{
    Context, KeyValue,
    global::BoxedTracer,
    trace::{TracerProvider, noop::NoopTracer},
};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor},
};
use postern_proxy::Traces;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{access, config::Collector};

/// A fault of the collector is logged again after so long.
const FAULT_INTERVAL: Duration = Duration::from_secs(60);

/// The traces of this process, and what sends them.
pub(crate) struct Telemetry {
    pub(crate) traces: Traces,
    sending: Option<Sending>,
}

struct Sending {
    /// Keeps the queue open.
    provider: SdkTracerProvider,
    counters: Arc<SpanCounters>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What became of spans, since the start.
#[derive(Debug, Default)]
pub(crate) struct SpanCounters {
    /// The collector has taken them.
    pub(crate) exported: AtomicU64,
    /// The queue was full.
    pub(crate) dropped: AtomicU64,
    /// The collector could not be reached, or refused them.
    pub(crate) failed: AtomicU64,
}

impl Telemetry {
    /// `collector`: where spans are sent, `None`: nowhere. `into_records`: whether written records get the context of their trace, which without a
    /// collector is the one that the client sends. `None`: neither is wanted. Has to be called in the runtime.
    ///
    /// # Errors
    /// What the library has against the variables that it reads by itself.
    pub(crate) fn start(collector: Option<&Collector>, into_records: bool) -> Result<Option<Telemetry>, String> {
        let propagator = TraceContextPropagator::new();
        let Some(collector) = collector else {
            return Ok(into_records.then(|| {
                let tracer = BoxedTracer::new(Box::new(NoopTracer::new()));
                Telemetry { traces: Traces::new(tracer, propagator, true), sending: None }
            }));
        };
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_service_name(collector.service.clone())
            .build();
        let mut exporter = exporter(collector).map_err(|error| format!("traces cannot be sent: {error}"))?;
        exporter.set_resource(&resource);
        let (queue, ended) = mpsc::channel(collector.queue);
        let counters = Arc::new(SpanCounters::default());
        let queue = Queue { spans: queue, counters: counters.clone() };
        // The sampler and the limits of spans are read from their variables.
        let provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(queue).build();
        let stop = Arc::new(Notify::new());
        let batches =
            Batches { ended, exporter, max: collector.batch, delay: collector.delay, counters: counters.clone() };
        let task = tokio::spawn(batches.send(stop.clone()));
        let tracer = BoxedTracer::new(Box::new(provider.tracer("postern")));
        let traces = Traces::new(tracer, propagator, into_records);
        Ok(Some(Telemetry { traces, sending: Some(Sending { provider, counters, stop, task }) }))
    }

    pub(crate) fn counters(&self) -> Option<Arc<SpanCounters>> {
        self.sending.as_ref().map(|sending| sending.counters.clone())
    }

    /// Sends what has ended so far, for `grace` at most. Spans that end later are lost.
    pub(crate) async fn shutdown(self, grace: Duration) {
        if let Some(Sending { provider, stop, mut task, .. }) = self.sending {
            stop.notify_one();
            if timeout(grace, &mut task).await.is_err() {
                task.abort();
            }
            drop(provider);
        }
    }
}

/// The library's, over the HTTP client that is here. Headers and compression are read from their variables.
fn exporter(collector: &Collector) -> Result<SpanExporter, ExporterBuildError> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(access::tls()).https_or_http().enable_http1().build();
    SpanExporter::builder()
        .with_http()
        .with_http_client(HyperClient::new(connector, collector.timeout, None))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&collector.endpoint)
        .with_timeout(collector.timeout)
        .build()
}

/// Takes spans that have ended.
#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<SpanData>,
    counters: Arc<SpanCounters>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.counters.dropped.fetch_add(1, Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    /// What is in the queue is sent by [`Telemetry::shutdown`], which can wait for it.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Sends spans in batches.
struct Batches<E> {
    ended: mpsc::Receiver<SpanData>,
    exporter: E,
    /// Spans of one batch.
    max: usize,
    /// How long the first span of a batch waits for others.
    delay: Duration,
    counters: Arc<SpanCounters>,
}

impl<E: opentelemetry_sdk::trace::SpanExporter> Batches<E> {
    /// Until `stop`, and then what is still in the queue.
    async fn send(mut self, stop: Arc<Notify>) {
        let mut batch = Vec::new();
        let mut complained = None::<Instant>;
        loop {
            tokio::select! {
                biased;
                received = self.ended.recv_many(&mut batch, self.max) => if received == 0 { return },
                () = stop.notified() => self.ended.close(),
            }
            let full = Instant::now() + self.delay;
            while !batch.is_empty() && batch.len() < self.max && !self.ended.is_closed() {
                let missing = self.max - batch.len();
                tokio::select! {
                    received = timeout_at(full, self.ended.recv_many(&mut batch, missing)) => {
                        if received.is_err() {
                            break;
                        }
                    }
                    () = stop.notified() => self.ended.close(),
                }
            }
            if batch.is_empty() {
                continue;
            }
            let spans = batch.len() as u64;
            match self.exporter.export(std::mem::take(&mut batch)).await {
                Ok(()) => {
                    self.counters.exported.fetch_add(spans, Relaxed);
                    complained = None;
                }
                Err(error) => {
                    self.counters.failed.fetch_add(spans, Relaxed);
                    if complained.is_none_or(|at| at.elapsed() >= FAULT_INTERVAL) {
                        complained = Some(Instant::now());
                        tracing::warn!("{spans} spans were not sent to the collector of traces and are lost: {error}");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::Tracer;
    use opentelemetry_sdk::error::OTelSdkError;
    use parking_lot::Mutex;

    use super::*;

    /// Takes batches, or refuses them.
    #[derive(Debug)]
    struct Exporter(Arc<Mutex<Vec<usize>>>, bool);

    impl opentelemetry_sdk::trace::SpanExporter for Exporter {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().push(batch.len());
            if self.1 { Ok(()) } else { Err(OTelSdkError::InternalFailure("refused".to_owned())) }
        }
    }

    /// Ends 5 spans, of which 4 may wait, in batches of 3: sizes of batches, and exported, dropped and failed spans.
    async fn five_spans(takes: bool) -> (Vec<usize>, [u64; 3]) {
        let (spans, ended) = mpsc::channel(4);
        let counters = Arc::new(SpanCounters::default());
        let queue = Queue { spans, counters: counters.clone() };
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        (0..5).for_each(|_| drop(tracer.start("span")));
        let stop = Arc::new(Notify::new());
        stop.notify_one();
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let exporter = Exporter(sizes.clone(), takes);
        let delay = Duration::from_secs(3600);
        Batches { ended, exporter, max: 3, delay, counters: counters.clone() }.send(stop).await;
        let counts = [&counters.exported, &counters.dropped, &counters.failed].map(|count| count.load(Relaxed));
        (sizes.lock().clone(), counts)
    }

    #[tokio::test]
    async fn spans_beyond_the_queue_are_dropped_and_the_rest_is_sent_at_the_end() {
        assert_eq!(five_spans(true).await, (vec![3, 1], [4, 1, 0]));
        assert_eq!(five_spans(false).await, (vec![3, 1], [0, 1, 4]));
    }
}
