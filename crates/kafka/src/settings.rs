//! How the cluster is reached, and what our clients are told to be.

use std::time::Duration;

use crate::ByteCount;

/// How the cluster is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port`, more of them separated by commas.
    pub bootstrap_servers: String,
    /// Look-ups and administrative calls end after this. Default 30 s.
    pub call_timeout: Duration,
    /// A record not acknowledged by then has failed. Default 120 s, as Java's `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// A record may be this large, reckoned as Java reckons for `max.request.size`. Default 1048576.
    pub max_request_size: ByteCount,
    /// Further librdkafka settings, name and value; they win over ours.
    pub client: Vec<(String, String)>,
}

impl Settings {
    /// The defaults, for the cluster behind `bootstrap_servers`.
    pub fn new(bootstrap_servers: impl Into<String>) -> Settings {
        Settings {
            bootstrap_servers: bootstrap_servers.into(),
            call_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            max_request_size: ByteCount(1_048_576),
            client: Vec::new(),
        }
    }

    /// Less patience, so that a test of a failure ends soon.
    pub fn for_test(bootstrap_servers: impl Into<String>) -> Settings {
        Settings {
            call_timeout: Duration::from_secs(8),
            delivery_timeout: Duration::from_secs(8),
            ..Settings::new(bootstrap_servers)
        }
    }

    /// What every client is told.
    fn common(&self) -> Vec<(String, String)> {
        vec![
            named("client.id", "postern"),
            named("bootstrap.servers", &self.bootstrap_servers),
            // Kafka's messages are small and answered at once; Nagle would hold them back.
            named("socket.nagle.disable", "true"),
            named("socket.keepalive.enable", "true"),
            // A broker that comes back is found again soon; the pause grows while it stays away.
            named("reconnect.backoff.ms", "50"),
            named("reconnect.backoff.max.ms", "2000"),
            named("retry.backoff.ms", "50"),
            named("retry.backoff.max.ms", "1000"),
            // An idle connection is kept: the first request after a quiet night should not pay for a new one.
            named("connections.max.idle.ms", "0"),
            // A topic whose leader is not known yet is asked for again this soon.
            named("topic.metadata.refresh.fast.interval.ms", "50"),
            // A topic that is missing, or vanishes, fails what waits for it after this, not after half a minute.
            named("topic.metadata.propagation.max.ms", "5000"),
        ]
    }

    /// What the producer is told besides.
    pub(crate) fn producer(&self) -> Vec<(String, String)> {
        let mut settings = self.common();
        settings.extend([
            named("enable.idempotence", "true"),
            named("acks", "all"),
            named("partitioner", "murmur2_random"),
            named("message.max.bytes", &self.max_request_size.0.clamp(1_000, 1_000_000_000).to_string()),
            named("delivery.timeout.ms", &millis(self.delivery_timeout).to_string()),
            named("linger.ms", "0"),
            // While two requests are under way the next batch grows: measured to carry more than any number of small ones.
            named("max.in.flight.requests.per.connection", "2"),
            // The budget of `Inflight` is met first; these only keep librdkafka's own limits out of its way.
            named("queue.buffering.max.messages", "2000000"),
            named("queue.buffering.max.kbytes", "2097151"),
        ]);
        settings.extend(self.client.iter().cloned());
        settings
    }

    /// What the administrative client and the readers are told besides: they never create a topic by looking at it.
    pub(crate) fn consumer(&self) -> Vec<(String, String)> {
        let mut settings = self.common();
        settings.extend([
            named("allow.auto.create.topics", "false"),
            named("enable.auto.commit", "false"),
            named("enable.auto.offset.store", "false"),
            named("enable.partition.eof", "false"),
            // What retention took away while we read is skipped.
            named("auto.offset.reset", "earliest"),
            // The broker answers as soon as there is a byte; without one the request rests there.
            named("fetch.min.bytes", "1"),
            named("fetch.wait.max.ms", "500"),
            named("fetch.error.backoff.ms", "50"),
            // What is fetched ahead is memory. A reader that has emptied the queue is not kept waiting for more, as it
            // would be for a second by default.
            named("queued.max.messages.kbytes", "4096"),
            named("fetch.queue.backoff.ms", "2"),
            named("fetch.message.max.bytes", "1048576"),
        ]);
        settings.extend(self.client.iter().filter(|(name, _)| !is_of_producers(name)).cloned());
        settings
    }
}

fn named(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Milliseconds as librdkafka takes them: at least one, at most what an `int` holds with room for its own sums.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).clamp(1, 3_600_000)
}

/// Settings that a consumer would complain about.
fn is_of_producers(name: &str) -> bool {
    const PRODUCERS: [&str; 20] = [
        "acks",
        "batch.num.messages",
        "batch.size",
        "compression.codec",
        "compression.level",
        "compression.type",
        "delivery.report.only.error",
        "delivery.timeout.ms",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "linger.ms",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "message.send.max.retries",
        "message.timeout.ms",
        "partitioner",
        "request.required.acks",
        "request.timeout.ms",
        "retries",
        "sticky.partitioning.linger.ms",
    ];
    PRODUCERS.contains(&name) || name.starts_with("queue.buffering.")
}
