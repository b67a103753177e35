//! Metrics for Prometheus, answered at `/metrics` of the management listener.
//!
//! The other crates count, and know no monitoring system. What they counted is read here when it is asked for, and written by
//! `prometheus-client` in Prometheus' text format under the names that [`declared`] lists. No label has an unbounded set of values: routes
//! are those of the tables, brokers those of the cluster, codes those of the APIs.

mod declared;
#[cfg(test)]
mod document;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use postern_broker::Observer;
use postern_http::{
    Api,
    observe::{ApiStatistics, ConnectionCounters},
};
use postern_kafka::{ClientStatistics, Cluster, LATENCY_BOUNDS, Latencies};
use postern_proxy::{ConfiguredIdentities, Format, Identities, Proxy, SchemaKind};
use postern_registry::Registry;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry,
};
use tokio::{task::JoinHandle, time::timeout};

use declared::{Kind, Metric};

use crate::telemetry::SpanCounters;

/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How often the end of the registry's topic is asked for.
const END_INTERVAL: Duration = Duration::from_secs(5);
/// How long an answer is waited for.
const END_TIMEOUT: Duration = Duration::from_secs(15);
/// The end of the topic before it was asked for.
const UNKNOWN: i64 = -1;

/// What is counted, and by whom. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Sources>);

/// Everything that counts.
pub(crate) struct Sources {
    pub(crate) apis: Vec<ObservedApi>,
    pub(crate) cluster: Cluster,
    pub(crate) proxy: Proxy,
    /// The callers whom Kafka knows.
    pub(crate) identities: Option<Identities>,
    /// The identities at Kafka that are configured for callers.
    pub(crate) configured: ConfiguredIdentities,
    /// The registry in this process.
    pub(crate) registry: Option<ObservedRegistry>,
    /// The broker in this process.
    pub(crate) broker: Option<Observer>,
    /// Where spans are sent.
    pub(crate) spans: Option<Arc<SpanCounters>>,
    pub(crate) started: Instant,
}

/// One API, and the connections to all its listeners.
pub(crate) struct ObservedApi {
    /// The value of the label `api`.
    pub(crate) name: &'static str,
    pub(crate) api: Api,
    pub(crate) connections: ConnectionCounters,
}

/// The registry, and where its topic ends.
pub(crate) struct ObservedRegistry {
    registry: Registry,
    end: AtomicI64,
}

impl ObservedRegistry {
    pub(crate) fn new(registry: Registry) -> ObservedRegistry {
        ObservedRegistry { registry, end: AtomicI64::new(UNKNOWN) }
    }
}

impl Metrics {
    pub(crate) fn new(sources: Sources) -> Metrics {
        Metrics(Arc::new(sources))
    }

    /// Asks for the end of the registry's topic again and again, in a task that ends when it is aborted. `None`: no registry is here.
    pub(crate) fn follow_registry(&self) -> Option<JoinHandle<()>> {
        self.0.registry.as_ref()?;
        let metrics = self.clone();
        Some(tokio::spawn(async move {
            while let Some(ObservedRegistry { registry, end }) = &metrics.0.registry {
                if let Ok(Ok(offset)) = timeout(END_TIMEOUT, registry.end_offset()).await {
                    end.store(offset, Relaxed);
                }
                tokio::time::sleep(END_INTERVAL).await;
            }
        }))
    }

    /// The answer to `GET /metrics`. Reading takes locks and time, and so does not happen on the threads that answer.
    pub(crate) async fn answer(&self) -> Response<Bytes> {
        let metrics = self.clone();
        let text = tokio::task::spawn_blocking(move || metrics.text()).await;
        let (status, body) = match text {
            Ok(Ok(text)) => (StatusCode::OK, text),
            Ok(Err(_)) | Err(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "The metrics could not be written.\n".to_owned())
            }
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT));
        response
    }

    /// All metrics, in Prometheus' text format.
    fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = registry::Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::with_capacity(64 << 10);
        prometheus_text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page { encoder };
        let Sources { apis, cluster, proxy, identities, configured, registry, broker, spans, started } = &*self.0;
        page.process(*started)?;
        page.http(apis)?;
        page.records(proxy)?;
        let mut clients = cluster.statistics();
        clients.add(configured.client_statistics());
        if let Some(identities) = identities {
            clients.add(identities.client_statistics());
        }
        page.kafka(clients)?;
        if let Some(identities) = identities {
            page.identities(identities)?;
        }
        if let Some(spans) = spans {
            page.spans(spans)?;
        }
        if let Some(registry) = registry {
            page.registry(registry)?;
        }
        if let Some(statistics) = broker.as_ref().and_then(Observer::statistics) {
            page.one(declared::BROKER_TOPICS, statistics.topics as u64)?;
            page.one(declared::BROKER_PARTITIONS, statistics.partitions as u64)?;
            page.one(declared::BROKER_LOG_BYTES, statistics.log_bytes)?;
        }
        Ok(())
    }
}

/// The answer as it is written.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

/// The values of the labels of a sample.
type Labels = Vec<String>;

impl Page<'_> {
    /// Samples of a counter or a gauge. The values of their labels are in the order of the declaration.
    fn samples(&mut self, metric: Metric, samples: impl IntoIterator<Item = (Labels, u64)>) -> fmt::Result {
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::Histogram => MetricType::Gauge,
        };
        let mut encoder = self.encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
        for (labels, value) in samples {
            let labels: Vec<(&str, String)> = metric.labels.iter().copied().zip(labels).collect();
            let labels = labels.as_slice();
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(encoder.encode_family(&labels)?)?,
                _ => ConstGauge::new(value).encode(encoder.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }

    /// The only sample of a metric without labels.
    fn one(&mut self, metric: Metric, value: u64) -> fmt::Result {
        self.samples(metric, [(Labels::new(), value)])
    }

    fn histograms(&mut self, metric: Metric, samples: impl IntoIterator<Item = (Labels, Latencies)>) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Histogram)?;
        for (labels, latencies) in samples {
            let labels: Vec<(&str, String)> = metric.labels.iter().copied().zip(labels).collect();
            let labels = labels.as_slice();
            let bounds = LATENCY_BOUNDS.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(latencies.buckets).collect();
            let count = latencies.buckets.iter().sum();
            encoder.encode_family(&labels)?.encode_histogram::<[(&str, &str); 0]>(
                latencies.sum.as_secs_f64(),
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }

    fn process(&mut self, started: Instant) -> fmt::Result {
        self.samples(declared::BUILD_INFO, [(vec![env!("CARGO_PKG_VERSION").to_owned()], 1)])?;
        self.one(declared::UPTIME, started.elapsed().as_secs())
    }

    fn http(&mut self, apis: &[ObservedApi]) -> fmt::Result {
        let read: Vec<(&str, ApiStatistics)> = apis.iter().map(|of| (of.name, of.api.statistics())).collect();
        // Routes that nobody has used are left out: there are a hundred of them.
        let routes = || {
            read.iter().flat_map(|(api, statistics)| {
                let used = statistics.routes.iter().filter(|route| !route.statuses.is_empty());
                used.map(|route| {
                    let method = route.method.as_ref().map_or("any", |method| method.as_str());
                    (vec![(*api).to_owned(), method.to_owned(), route.path.unwrap_or("none").to_owned()], route)
                })
            })
        };
        let requests = routes().flat_map(|(labels, route)| {
            let with = move |(code, count): &(u32, u64)| ([labels.clone(), vec![code.to_string()]].concat(), *count);
            route.statuses.iter().map(with)
        });
        self.samples(declared::HTTP_REQUESTS, requests)?;
        self.histograms(
            declared::HTTP_REQUEST_DURATION,
            routes().map(|(labels, route)| (labels, route.latencies.clone())),
        )?;
        let errors = read.iter().flat_map(|(api, statistics)| {
            statistics.errors.iter().map(|(code, count)| (vec![(*api).to_owned(), code.to_string()], *count))
        });
        self.samples(declared::HTTP_ERRORS, errors)?;
        let by_api = |value: fn(&ApiStatistics) -> usize| {
            read.iter().map(move |(api, statistics)| (vec![(*api).to_owned()], value(statistics) as u64))
        };
        let received = read.iter().map(|(api, statistics)| (vec![(*api).to_owned()], statistics.received));
        self.samples(declared::HTTP_RECEIVED, received)?;
        let sent = read.iter().map(|(api, statistics)| (vec![(*api).to_owned()], statistics.sent));
        self.samples(declared::HTTP_SENT, sent)?;
        self.samples(declared::HTTP_BODY_MEMORY, by_api(|statistics| statistics.bodies.0))?;
        self.samples(declared::HTTP_BODY_MEMORY_LIMIT, by_api(|statistics| statistics.bodies.1))?;
        let connections = |of: &ObservedApi| (vec![of.name.to_owned()], of.connections.open() as u64);
        self.samples(declared::HTTP_CONNECTIONS, apis.iter().map(connections))?;
        let accepted = |of: &ObservedApi| (vec![of.name.to_owned()], of.connections.accepted());
        self.samples(declared::HTTP_CONNECTIONS_ACCEPTED, apis.iter().map(accepted))
    }

    fn records(&mut self, proxy: &Proxy) -> fmt::Result {
        let read = proxy.statistics();
        let by_format = |value: fn(&postern_proxy::FormatStatistics) -> u64| {
            read.formats.iter().map(move |(format, of)| (vec![format_name(*format).to_owned()], value(of)))
        };
        let produced = read.formats.iter().flat_map(|(format, of)| {
            let labels = |outcome: &str| vec![format_name(*format).to_owned(), outcome.to_owned()];
            [(labels("accepted"), of.produced), (labels("refused"), of.refused)]
        });
        let unknown = (vec!["unknown".to_owned(), "refused".to_owned()], read.refused_unknown);
        self.samples(declared::PRODUCED_RECORDS, produced.chain([unknown]))?;
        self.samples(declared::PRODUCED_BYTES, by_format(|of| of.produced_bytes))?;
        self.samples(declared::READ_RECORDS, by_format(|of| of.read))?;
        self.samples(declared::READ_BYTES, by_format(|of| of.read_bytes))?;
        self.one(declared::UNACKNOWLEDGED, read.unacknowledged.0.0 as u64)?;
        self.one(declared::UNACKNOWLEDGED_LIMIT, read.unacknowledged.1.0 as u64)?;
        self.one(declared::PRODUCE_WAITING, read.waiting as u64)?;
        self.one(declared::PRODUCE_REFUSED, read.refused)?;
        self.one(declared::CONSUMER_INSTANCES, read.instances.0 as u64)?;
        self.one(declared::CONSUMER_INSTANCES_LIMIT, read.instances.1 as u64)?;
        self.one(declared::CONSUMER_BUFFERED, read.fetched.0.0 as u64)?;
        self.one(declared::CONSUMER_BUFFERED_LIMIT, read.fetched.1.0 as u64)?;
        self.one(declared::CONSUMER_ANSWERS, read.answers.0.0 as u64)?;
        self.one(declared::CONSUMER_ANSWERS_LIMIT, read.answers.1.0 as u64)
    }

    fn kafka(&mut self, read: ClientStatistics) -> fmt::Result {
        let outcomes = [
            ("written", read.records_written),
            ("not_written", read.records_not_written),
            ("unknown", read.records_unknown),
        ];
        self.samples(declared::KAFKA_RECORDS, outcomes.map(|(outcome, count)| (vec![outcome.to_owned()], count)))?;
        let errors = read.record_errors.iter().map(|(kind, count)| (vec![format!("{kind:?}")], *count));
        self.samples(declared::KAFKA_RECORD_ERRORS, errors)?;
        self.one(declared::KAFKA_BATCHES, read.batches)?;
        self.one(declared::KAFKA_BATCH_BYTES, read.batch_bytes)?;
        self.one(declared::KAFKA_RETRIES, read.retries)?;
        let latencies = read.produce_latency.into_iter();
        self.histograms(
            declared::KAFKA_PRODUCE_DURATION,
            latencies.map(|(node, latencies)| (vec![node.to_string()], latencies)),
        )?;
        self.one(declared::KAFKA_REBALANCES, read.rebalances)
    }

    fn identities(&mut self, identities: &Identities) -> fmt::Result {
        let read = identities.statistics();
        self.one(declared::KAFKA_IDENTITIES, read.identities as u64)?;
        let outcomes = [("accepted", read.accepted), ("refused", read.refused), ("failed", read.failed)];
        self.samples(declared::KAFKA_LOGINS, outcomes.map(|(outcome, count)| (vec![outcome.to_owned()], count)))
    }

    fn spans(&mut self, spans: &SpanCounters) -> fmt::Result {
        let outcomes = [("exported", &spans.exported), ("dropped", &spans.dropped), ("failed", &spans.failed)];
        let samples = outcomes.map(|(outcome, count)| (vec![outcome.to_owned()], count.load(Relaxed)));
        self.samples(declared::TRACE_SPANS, samples)
    }

    fn registry(&mut self, ObservedRegistry { registry, end }: &ObservedRegistry) -> fmt::Result {
        let read = registry.statistics();
        self.one(declared::REGISTRY_SUBJECTS, read.subjects as u64)?;
        self.one(declared::REGISTRY_VERSIONS, read.versions as u64)?;
        self.one(declared::REGISTRY_SCHEMAS, read.schemas as u64)?;
        self.samples(
            declared::REGISTRY_LOOKUPS,
            [(vec!["hit".to_owned()], read.cache_hits), (vec!["miss".to_owned()], read.cache_misses)],
        )?;
        self.one(declared::REGISTRY_READY, u64::from(read.next_offset.is_some()))?;
        // Without an answer of Kafka there is no sample, which is not the same as a lag of zero.
        let end = end.load(Relaxed);
        let lag = (end != UNKNOWN).then(|| u64::try_from(end - read.next_offset.unwrap_or(0)).unwrap_or(0));
        self.samples(declared::REGISTRY_LAG, lag.map(|lag| (Labels::new(), lag)))
    }
}

/// As formats are called in the media types of API v2.
fn format_name(format: Format) -> &'static str {
    match format {
        Format::Binary => "binary",
        Format::Json => "json",
        Format::Text => "string",
        Format::Schema(SchemaKind::Avro) => "avro",
        Format::Schema(SchemaKind::Json) => "jsonschema",
        Format::Schema(SchemaKind::Protobuf) => "protobuf",
    }
}
