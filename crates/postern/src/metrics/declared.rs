//! The names of all metrics, from which the answer and `docs/metrics.md` are made.

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows while the process lives.
    Counter,
    Gauge,
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// Without `_total`, which a counter has behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*

        /// All of them, in the order of the page.
        #[cfg(test)]
        pub(super) const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO: Gauge "postern_build_info" ["version"] "Always 1; the label is the version of this program.";
    UPTIME: Gauge "postern_uptime_seconds" [] "Time since the start.";

    HTTP_REQUESTS: Counter "postern_http_requests" ["api" "method" "route" "status"]
        "Requests by route of the API and status of the answer. Status 499: the client left before it was answered. Route none: no such path or method.";
    HTTP_REQUEST_DURATION: Histogram "postern_http_request_duration_seconds" ["api" "method" "route"]
        "Time from the head of a request to the head of its answer.";
    HTTP_ERRORS: Counter "postern_http_errors" ["api" "code"] "Answers that are errors, by their error_code.";
    HTTP_RECEIVED: Counter "postern_http_request_body_bytes" ["api"] "Bytes of request bodies as they came.";
    HTTP_SENT: Counter "postern_http_response_body_bytes" ["api"] "Bytes of response bodies.";
    HTTP_BODY_MEMORY: Gauge "postern_http_body_memory_bytes" ["api"]
        "Memory in use for request bodies and for what is parsed from them.";
    HTTP_BODY_MEMORY_LIMIT: Gauge "postern_http_body_memory_limit_bytes" ["api"] "Its bound, beyond which requests wait.";
    HTTP_CONNECTIONS: Gauge "postern_http_connections" ["api"] "Connections that are open.";
    HTTP_CONNECTIONS_ACCEPTED: Counter "postern_http_connections_accepted" ["api"] "Connections that were accepted.";

    PRODUCED_RECORDS: Counter "postern_produced_records" ["format" "outcome"]
        "Records of requests, by the format of their values: accepted (handed to the producer) or refused before that.";
    PRODUCED_BYTES: Counter "postern_produced_bytes" ["format"] "Keys and values of accepted records, as Kafka stores them.";
    READ_RECORDS: Counter "postern_read_records" ["format"] "Records in answers to reads.";
    READ_BYTES: Counter "postern_read_bytes" ["format"] "Their keys and values, as Kafka stores them.";
    UNACKNOWLEDGED: Gauge "postern_unacknowledged_bytes" [] "Memory of records that no broker has acknowledged yet.";
    UNACKNOWLEDGED_LIMIT: Gauge "postern_unacknowledged_limit_bytes" [] "Its bound (unacknowledged-memory), beyond which requests wait.";
    PRODUCE_WAITING: Gauge "postern_produce_waiting_requests" [] "Requests that wait for that memory.";
    PRODUCE_REFUSED: Counter "postern_produce_refused_requests" [] "Requests that were refused because they got none of it in time, or never could.";
    CONSUMER_INSTANCES: Gauge "postern_consumer_instances" [] "Consumer instances.";
    CONSUMER_INSTANCES_LIMIT: Gauge "postern_consumer_instances_limit" [] "Their bound.";
    CONSUMER_BUFFERED: Gauge "postern_consumer_buffered_bytes" [] "Memory of records that were fetched and not read yet.";
    CONSUMER_BUFFERED_LIMIT: Gauge "postern_consumer_buffered_limit_bytes" [] "Its bound, over all instances.";
    CONSUMER_ANSWERS: Gauge "postern_consumer_answer_bytes" []
        "Memory of answers to reads that are put together, and of records on their way to the clients of streams.";
    CONSUMER_ANSWERS_LIMIT: Gauge "postern_consumer_answer_limit_bytes" [] "Its bound (consumer-answer-memory), beyond which reads wait.";

    KAFKA_RECORDS: Counter "postern_kafka_records" ["outcome"]
        "Records by what became of them at the brokers: written, not_written, or unknown (they may be in the log).";
    KAFKA_RECORD_ERRORS: Counter "postern_kafka_record_errors" ["kind"] "Records that failed, by the kind of error.";
    KAFKA_BATCHES: Counter "postern_kafka_batches" [] "Batches of records sent to brokers, each time that one was sent.";
    KAFKA_BATCH_BYTES: Counter "postern_kafka_batch_bytes" [] "Their bytes.";
    KAFKA_RETRIES: Counter "postern_kafka_batch_retries" []
        "Batches that have to be sent again, because a broker refused them for now or did not answer.";
    KAFKA_PRODUCE_DURATION: Histogram "postern_kafka_produce_duration_seconds" ["node"]
        "Time from a Produce request to the broker's answer, by broker id.";
    KAFKA_REBALANCES: Counter "postern_kafka_rebalances" [] "Rounds of consumer groups that ended with an assignment for an instance.";

    KAFKA_IDENTITIES: Gauge "postern_kafka_identities" [] "Callers with connections of their own to Kafka, with authentication = pass-through.";
    KAFKA_LOGINS: Counter "postern_kafka_logins" ["outcome"]
        "Credentials of callers that were shown to Kafka: accepted, refused, or failed (no answer).";

    TRACE_SPANS: Counter "postern_trace_spans" ["outcome"]
        "Spans of traces, where a collector is named: exported, dropped (too many waited) or failed (the collector did not take them).";

    REGISTRY_SUBJECTS: Gauge "postern_registry_subjects" [] "Subjects, those with deleted versions only included.";
    REGISTRY_VERSIONS: Gauge "postern_registry_versions" [] "Their versions, deleted ones included.";
    REGISTRY_SCHEMAS: Gauge "postern_registry_schemas" [] "Different schemas.";
    REGISTRY_LOOKUPS: Counter "postern_registry_serializer_lookups" ["result"]
        "Schemas that producers named: hit, or miss (new, or changed since).";
    REGISTRY_READY: Gauge "postern_registry_ready" [] "1 once the topic of the schemas was read to its end, else 0.";
    REGISTRY_LAG: Gauge "postern_registry_lag_records" []
        "Offsets of that topic that are not applied yet, as of the last answer of Kafka, which is asked every five seconds.";

    BROKER_TOPICS: Gauge "postern_broker_topics" [] "Topics of the embedded broker.";
    BROKER_PARTITIONS: Gauge "postern_broker_partitions" [] "Their partitions.";
    BROKER_LOG_BYTES: Gauge "postern_broker_log_bytes" [] "Bytes of their logs on disk.";
}
