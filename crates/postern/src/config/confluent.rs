//! What each setting of Confluent's REST Proxy and Schema Registry means here: one table.
//!
//! Sources: `docs/reference/schema-registry.md` and the published references of both servers' settings. Reading the variables and files that
//! hold these names is the business of `foreign`; the sense of `security.protocol`, `ssl.*` and `sasl.*` is in `kafka_security`.

use super::{
    declaration::Setting,
    front_settings::{
        ALLOWED_OPERATIONS, API_V2, API_V3, BLOCKED_OPERATIONS, BYTE_RATE_LIMIT, BYTE_RATE_LIMIT_BYTES,
        CLIENT_RATE_LIMIT, CLIENT_RATE_LIMIT_REQUESTS, CORS, HSTS, NOSNIFF, PRODUCE_RATE_LIMIT,
        PRODUCE_RATE_LIMIT_BYTES, PRODUCE_RATE_LIMIT_RECORDS, PUBLIC_URL, RATE_LIMIT, RATE_LIMIT_COST,
        RATE_LIMIT_COSTS, RATE_LIMIT_REQUESTS, REGISTRY_CORS, RESPONSE_HEADERS, TLS_SERVER_NAME_CHECK,
    },
    https_settings::{HTTPS, REGISTRY_HTTPS},
    setting::{
        AUTHENTICATION, BASIC_REALM, BASIC_ROLES, BOOTSTRAP_SERVERS, CONSUMER_AUTO_COMMIT, CONSUMER_FETCH_MAX_BYTES,
        CONSUMER_INSTANCE_TIMEOUT, CONSUMER_ISOLATION_LEVEL, CONSUMER_MIN_BYTES, CONSUMER_OFFSET_RESET,
        CONSUMER_REBALANCE_TIMEOUT, CONSUMER_REQUEST_MAX_BYTES, CONSUMER_REQUEST_TIMEOUT, CONSUMER_SESSION_TIMEOUT,
        HTTP_COMPRESSION, HTTP_CONNECTIONS, HTTP_IDLE_TIMEOUT, KAFKA_CALL_TIMEOUT, KAFKA_DELIVERY_TIMEOUT,
        KAFKA_REQUEST_TIMEOUT, LOG, MAX_REQUEST_SIZE, PRODUCE_BATCH_ENTRIES, PRODUCE_STREAM_DURATION,
        PRODUCE_STREAM_GRACE, PRODUCE_STREAM_RECORD, PRODUCER_COMPRESSION, REGISTRY_COMPATIBILITY, REGISTRY_FOLLOWER,
        REGISTRY_GROUP, REGISTRY_LISTEN, REGISTRY_REPLICATION_FACTOR, REGISTRY_TOPIC, REGISTRY_WRITE_TIMEOUT,
        REST_LISTEN, SCHEMA_REGISTRY_CA, SCHEMA_REGISTRY_CREDENTIALS, SCHEMA_REGISTRY_TOKEN, SCHEMA_REGISTRY_URL,
        SHUTDOWN_TIMEOUT, UNACKNOWLEDGED_MEMORY,
    },
    translate::{self, Translate},
};

/// One setting of theirs.
pub(super) struct Row {
    pub(super) scope: Scope,
    /// Its name as a property; with `*` at its end, all names that begin so.
    pub(super) name: &'static str,
    pub(super) fate: Fate,
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The REST Proxy's.
    Rest,
    /// The Schema Registry's.
    Registry,
    /// Of the framework that both are built with.
    Both,
    /// The Kafka client's: behind `client.`, `producer.`, `consumer.` or `admin.` of the REST Proxy, and behind `kafkastore.` of the
    /// registry.
    Client,
}

/// What happens when it is set.
pub(super) enum Fate {
    /// It means the same as this setting of ours, written otherwise.
    Honoured(Setting, Translate),
    /// Part of how connections to Kafka are secured.
    Security,
    /// Nothing, with a warning that says this.
    NoEffect(&'static str),
    /// The start stops, because ignoring it would mean less protection or other data.
    Refused(&'static str),
    /// The start stops unless it has one of these values, which ask for nothing that is not so anyway.
    Only(&'static [&'static str], &'static str),
}

use Fate::{Honoured, NoEffect, Only, Refused, Security};
use Scope::{Both, Client, Registry, Rest};

const fn row(scope: Scope, name: &'static str, fate: Fate) -> Row {
    Row { scope, name, fate }
}

const JVM: &str = "there is no Java virtual machine here";
const THREADS: &str = "there are no thread pools here; http-connections and the memory settings bound the work";
const JMX: &str = "there are no JMX metrics here";
const PLUG_INS: &str = "Java plug-ins cannot be loaded";
const CALLERS: &str = "callers are recognized in one way for all: authentication";
const LIMITS: &str = "limits are rate-limit, client-rate-limit, byte-rate-limit and produce-rate-limit";
const ONE_CLUSTER: &str = "there is one cluster, and the limits of all clusters hold for it";
const SNI: &str = "the server name of the TLS handshake is compared with Host only: tls-server-name-check";
const LINKS: &str = "links and base_uri carry the authority of the request, or public-url";
const FETCHES: &str = "a read is woken by what arrives; consumer-fetch-max-bytes bounds what is fetched ahead";
const WARN_START: &str = "the start does not wait for Kafka; requests are answered with 503 until it is there";
const CACHES: &str = "caches have bounds of their own";
const ELECTION: &str = "instances do not elect a leader here: each may write";
const BATCHES: &str = "batches form while the one before is under way";
const VALUES: &str = "values are JSON text, which is written as its schema says";
const CREDENTIALS: &str = "name user and password: schema-registry-credentials";
const SERIALIZER: &str = "the serializers here know one way only";

/// All of them. Where two mean the same setting, the earlier row holds.
pub(super) static TABLE: &[Row] = &[
    // The cluster.
    row(Rest, "bootstrap.servers", Honoured(BOOTSTRAP_SERVERS, translate::servers)),
    row(Registry, "kafkastore.bootstrap.servers", Honoured(BOOTSTRAP_SERVERS, translate::servers)),
    row(Rest, "zookeeper.connect", NoEffect("ZooKeeper is not used; bootstrap.servers names the cluster")),
    row(
        Registry,
        "kafkastore.connection.url",
        NoEffect("ZooKeeper is not used; kafkastore.bootstrap.servers names the cluster"),
    ),
    // Listeners.
    row(Rest, "listeners", Honoured(REST_LISTEN, translate::listeners)),
    row(Registry, "listeners", Honoured(REGISTRY_LISTEN, translate::listeners)),
    row(Rest, "port", Honoured(REST_LISTEN, translate::port)),
    row(Registry, "port", Honoured(REGISTRY_LISTEN, translate::port)),
    // `named_listeners` has resolved these already where there are such listeners.
    row(Both, "listener.protocol.map", NoEffect("without listeners; with them each name stands for its protocol")),
    row(
        Both,
        "listener.name.*",
        NoEffect(
            "without such a listener; else it is the plain setting, which has to be the same for all listeners of the server",
        ),
    ),
    row(Rest, "advertised.listeners", Honoured(PUBLIC_URL, translate::advertised)),
    row(Registry, "advertised.listeners", NoEffect(ELECTION)),
    row(Both, "host.name", NoEffect(LINKS)),
    row(Registry, "host.port", NoEffect(LINKS)),
    row(Both, "idle.timeout.ms", Honoured(HTTP_IDLE_TIMEOUT, translate::millis)),
    row(Both, "server.connection.limit", Honoured(HTTP_CONNECTIONS, translate::limit)),
    row(Both, "connector.connection.limit", Honoured(HTTP_CONNECTIONS, translate::limit)),
    row(Both, "shutdown.graceful.ms", Honoured(SHUTDOWN_TIMEOUT, translate::millis)),
    row(Both, "http2.enabled", NoEffect("HTTP/2 is always spoken to clients that ask for it")),
    row(Both, "proxy.protocol.enabled", Only(&["false"], "proxy-protocol names the load balancers that speak it")),
    row(Both, "proxy.protocol.*", NoEffect("proxy-protocol names the load balancers that speak it")),
    row(
        Both,
        "network.forwarded.request.customizer.enable",
        NoEffect("trusted-proxies names the proxies in front that are believed"),
    ),
    row(Both, "network.traffic.rate.limit.enable", Honoured(BYTE_RATE_LIMIT, translate::as_written)),
    row(Both, "network.traffic.rate.limit.bytes.per.sec", Honoured(BYTE_RATE_LIMIT_BYTES, translate::as_written)),
    row(Both, "network.traffic.rate.limit.*", NoEffect(LIMITS)),
    row(Both, "compression.enable", Honoured(HTTP_COMPRESSION, translate::as_written)),
    row(Both, "max.request.header.size", NoEffect("headers may have 32 KiB")),
    row(Both, "max.response.header.size", NoEffect("headers of answers have no bound")),
    row(Both, "jetty.legacy.uri.compliance", NoEffect("paths with %2F are always taken")),
    row(Both, "websocket.path.prefix", NoEffect("there are no web sockets")),
    row(Both, "response.mediatype.*", NoEffect("media types are negotiated as by default")),
    row(Both, "thread.pool.*", NoEffect(THREADS)),
    row(Both, "request.queue.capacity*", NoEffect(THREADS)),
    row(
        Both,
        "request.timeout.ms",
        NoEffect("each operation has a deadline of its own: kafka-call-timeout, kafka-delivery-timeout"),
    ),
    row(Both, "request.timeout.interrupt.enable", NoEffect(THREADS)),
    row(Both, "return.429.instead.of.500.for.jetty.response.errors", NoEffect("there is no Jetty here")),
    // TLS of listeners.
    row(Rest, "ssl.keystore.location", Honoured(HTTPS.keystore, translate::as_written)),
    row(Rest, "ssl.keystore.password", Honoured(HTTPS.keystore_password.given, translate::unchanged)),
    row(Rest, "ssl.key.password", Honoured(HTTPS.key_password.given, translate::unchanged)),
    row(Rest, "ssl.truststore.location", Honoured(HTTPS.truststore, translate::as_written)),
    row(Rest, "ssl.truststore.password", Honoured(HTTPS.truststore_password.given, translate::unchanged)),
    row(Rest, "ssl.client.authentication", Honoured(HTTPS.client_authentication, translate::as_written)),
    row(Rest, "ssl.client.auth", Honoured(HTTPS.client_authentication, translate::client_auth)),
    row(Rest, "ssl.enabled.protocols", Honoured(HTTPS.versions, translate::tls_versions)),
    row(Registry, "ssl.keystore.location", Honoured(REGISTRY_HTTPS.keystore, translate::as_written)),
    row(Registry, "ssl.keystore.password", Honoured(REGISTRY_HTTPS.keystore_password.given, translate::unchanged)),
    row(Registry, "ssl.key.password", Honoured(REGISTRY_HTTPS.key_password.given, translate::unchanged)),
    row(Registry, "ssl.truststore.location", Honoured(REGISTRY_HTTPS.truststore, translate::as_written)),
    row(Registry, "ssl.truststore.password", Honoured(REGISTRY_HTTPS.truststore_password.given, translate::unchanged)),
    row(Registry, "ssl.client.authentication", Honoured(REGISTRY_HTTPS.client_authentication, translate::as_written)),
    row(Registry, "ssl.client.auth", Honoured(REGISTRY_HTTPS.client_authentication, translate::client_auth)),
    row(Registry, "ssl.enabled.protocols", Honoured(REGISTRY_HTTPS.versions, translate::tls_versions)),
    row(Both, "ssl.keystore.type", NoEffect("stores are told apart by their content")),
    row(Both, "ssl.truststore.type", NoEffect("stores are told apart by their content")),
    row(Both, "ssl.keystore.reload", NoEffect("files that change are always read again")),
    row(Both, "ssl.keystore.watch.location", NoEffect("files that change are always read again")),
    row(Both, "ssl.cipher.suites", Refused("cipher suites cannot be chosen: those of rustls are used")),
    row(Both, "ssl.spire.enabled", Only(&["false"], "SPIRE is not asked for certificates")),
    row(Both, "ssl.spire.trust.only.enabled", Only(&["false"], "SPIRE is not asked for certificates")),
    row(
        Both,
        "ssl.endpoint.identification.algorithm",
        NoEffect("certificates of clients are not compared with the names of their hosts"),
    ),
    row(Both, "ssl.*", NoEffect("TLS of listeners is that of rustls")),
    row(Both, "sni.check.enabled", Honoured(TLS_SERVER_NAME_CHECK, translate::as_written)),
    row(Both, "sni.*", NoEffect(SNI)),
    row(Both, "prefix.sni.*", NoEffect(SNI)),
    row(Both, "expected.sni.headers", NoEffect(SNI)),
    row(Both, "reject.invalid.sni.headers", NoEffect(SNI)),
    // Who may do what.
    row(Both, "authentication.method", Honoured(AUTHENTICATION, translate::authentication)),
    row(Both, "authentication.realm", Honoured(BASIC_REALM, translate::as_written)),
    row(Both, "authentication.roles", Honoured(BASIC_ROLES, translate::roles)),
    row(Both, "authentication.skip.paths", NoEffect("only GET / is answered without asking who it is")),
    row(Both, "csrf.prevention.enable", Only(&["false"], CALLERS)),
    row(Both, "csrf.prevention.*", NoEffect(CALLERS)),
    row(Rest, "kafka.rest.resource.extension.class", Refused(PLUG_INS)),
    row(Registry, "schema.registry.resource.extension.class", Refused(PLUG_INS)),
    row(Registry, "resource.extension.class", Refused(PLUG_INS)),
    row(Registry, "init.resource.extension.class", Refused(PLUG_INS)),
    row(Both, "resource.extension.classes", Refused(PLUG_INS)),
    row(Both, "rest.servlet.initializor.classes", Refused(PLUG_INS)),
    row(Both, "websocket.servlet.initializor.classes", Refused(PLUG_INS)),
    row(Both, "confluent.rest.auth.*", Refused(CALLERS)),
    row(Registry, "confluent.schema.registry.*", Refused(CALLERS)),
    row(Rest, "api.endpoints.allowlist", Honoured(ALLOWED_OPERATIONS, translate::as_written)),
    row(Rest, "api.endpoints.blocklist", Honoured(BLOCKED_OPERATIONS, translate::as_written)),
    row(Rest, "api.v2.enable", Honoured(API_V2, translate::as_written)),
    row(Rest, "api.v3.enable", Honoured(API_V3, translate::as_written)),
    row(Rest, "rate.limit.enable", Honoured(RATE_LIMIT, translate::as_written)),
    row(Rest, "rate.limit.permits.per.sec", Honoured(RATE_LIMIT_REQUESTS, translate::as_written)),
    row(
        Rest,
        "rate.limit.per.cluster.*",
        NoEffect("there is one cluster, and rate-limit-requests bounds what is asked of it"),
    ),
    row(Rest, "rate.limit.backend", NoEffect("there is one algorithm")),
    row(Rest, "rate.limit.timeout.ms", NoEffect("a request too many is refused at once")),
    row(Rest, "rate.limit.default.cost", Honoured(RATE_LIMIT_COST, translate::as_written)),
    row(Rest, "rate.limit.costs", Honoured(RATE_LIMIT_COSTS, translate::as_written)),
    row(Rest, "rate.limit.*", NoEffect(LIMITS)),
    row(Rest, "api.v3.produce.rate.limit.enabled", Honoured(PRODUCE_RATE_LIMIT, translate::as_written)),
    row(
        Rest,
        "api.v3.produce.rate.limit.max.requests.global.per.sec",
        Honoured(PRODUCE_RATE_LIMIT_RECORDS, translate::as_written),
    ),
    row(
        Rest,
        "api.v3.produce.rate.limit.max.bytes.global.per.sec",
        Honoured(PRODUCE_RATE_LIMIT_BYTES, translate::as_written),
    ),
    row(Rest, "api.v3.produce.rate.limit.*", NoEffect(ONE_CLUSTER)),
    row(Both, "dos.filter.enabled", Honoured(CLIENT_RATE_LIMIT, translate::as_written)),
    row(
        Both,
        "dos.filter.max.requests.per.connection.per.sec",
        Honoured(CLIENT_RATE_LIMIT_REQUESTS, translate::as_written),
    ),
    row(Both, "dos.filter.max.requests.per.sec", NoEffect("rate-limit-requests bounds the requests of all clients")),
    row(Both, "dos.filter.ip.whitelist", NoEffect("all clients have the same limit")),
    row(Both, "dos.filter.*", NoEffect("a request too many is refused with 429 at once")),
    row(Rest, "access.control.allow.origin", Honoured(CORS.origins, translate::origins)),
    row(Rest, "access.control.allow.methods", Honoured(CORS.methods, translate::as_written)),
    row(Rest, "access.control.allow.headers", Honoured(CORS.headers, translate::as_written)),
    row(Rest, "access.control.expose.headers", Honoured(CORS.exposed, translate::as_written)),
    row(Registry, "access.control.allow.origin", Honoured(REGISTRY_CORS.origins, translate::origins)),
    row(Registry, "access.control.allow.methods", Honoured(REGISTRY_CORS.methods, translate::as_written)),
    row(Registry, "access.control.allow.headers", Honoured(REGISTRY_CORS.headers, translate::as_written)),
    row(Registry, "access.control.expose.headers", Honoured(REGISTRY_CORS.exposed, translate::as_written)),
    row(Both, "access.control.skip.options", Only(&["true"], "preflight requests are answered without authentication")),
    row(Both, "reject.options.request", Only(&["false"], "OPTIONS is always answered")),
    row(Both, "response.http.headers.config", Honoured(RESPONSE_HEADERS, translate::as_written)),
    row(Both, "nosniff.prevention.enable", Honoured(NOSNIFF, translate::as_written)),
    row(Both, "hsts.header.enable", Honoured(HSTS, translate::as_written)),
    row(Both, "suppress.stack.trace.response", NoEffect("stack traces are never sent")),
    // The REST Proxy.
    row(Rest, "id", NoEffect("consumer instances get names of their own")),
    row(Rest, "confluent.resource.name.authority", NoEffect("resource names have no authority here")),
    row(Rest, "client.init.timeout.ms", NoEffect(WARN_START)),
    row(Rest, "client.timeout.ms", NoEffect("it has no effect there, either")),
    row(Rest, "simpleconsumer.pool.*", NoEffect("it has no effect there, either")),
    row(Rest, "producer.threads", NoEffect("it has no effect there, either")),
    row(Rest, "use.custom.request.logging", NoEffect("request-log says which requests are logged")),
    row(Both, "request.logger.name", NoEffect("request-log says which requests are logged")),
    row(Both, "debug", NoEffect("stack traces are never sent; log = debug shows more")),
    row(Rest, "consumer.threads", NoEffect(THREADS)),
    row(Rest, "consumer.request.timeout.ms", Honoured(CONSUMER_REQUEST_TIMEOUT, translate::millis)),
    row(Rest, "consumer.request.max.bytes", Honoured(CONSUMER_REQUEST_MAX_BYTES, translate::bytes)),
    row(Rest, "consumer.instance.timeout.ms", Honoured(CONSUMER_INSTANCE_TIMEOUT, translate::millis)),
    row(Rest, "consumer.iterator.*", NoEffect(THREADS)),
    row(Rest, "fetch.min.bytes", Honoured(CONSUMER_MIN_BYTES, translate::min_bytes)),
    row(
        Rest,
        "null.request.body.always.publishes.empty.record",
        Only(&["false"], "null is always checked against the schema"),
    ),
    row(Rest, "api.v3.produce.batch.maximum.entries", Honoured(PRODUCE_BATCH_ENTRIES, translate::as_written)),
    row(
        Rest,
        "api.v3.produce.request.size.limit.max.bytes",
        Honoured(PRODUCE_STREAM_RECORD, translate::bytes_or_no_limit),
    ),
    row(Rest, "api.v3.produce.*", NoEffect(THREADS)),
    row(Rest, "streaming.connection.max.duration.ms", Honoured(PRODUCE_STREAM_DURATION, translate::millis)),
    row(Rest, "streaming.connection.max.duration.grace.period.ms", Honoured(PRODUCE_STREAM_GRACE, translate::millis)),
    // The registry that the REST Proxy asks.
    row(Rest, "schema.registry.url", Honoured(SCHEMA_REGISTRY_URL, translate::as_written)),
    row(Rest, "schema.registry.basic.auth.user.info", Honoured(SCHEMA_REGISTRY_CREDENTIALS, translate::as_written)),
    row(Rest, "schema.registry.basic.auth.credentials.source", Only(&["url", "user_info"], CREDENTIALS)),
    row(Rest, "schema.registry.bearer.auth.token", Honoured(SCHEMA_REGISTRY_TOKEN, translate::as_written)),
    row(
        Rest,
        "schema.registry.bearer.auth.credentials.source",
        Only(&["static_token"], "only a given token is supported: schema-registry-token"),
    ),
    row(Rest, "schema.registry.bearer.auth.*", Refused("only a given token is supported: schema-registry-token")),
    row(Rest, "schema.registry.ssl.truststore.location", Honoured(SCHEMA_REGISTRY_CA, translate::as_written)),
    row(Rest, "schema.registry.ssl.keystore.*", Refused("client certificates are not shown to that registry")),
    row(Rest, "schema.registry.ssl.*", NoEffect("TLS to that registry is 1.2 or 1.3; schema-registry-ca takes PEM")),
    row(Rest, "schema.registry.proxy.*", Refused("HTTP proxies are not used")),
    row(Rest, "schema.registry.request.header.*", Refused("no headers are added to requests to that registry")),
    row(Rest, "schema.registry.normalize.schemas", Only(&["false"], "schemas are registered as they are written")),
    row(
        Rest,
        "schema.registry.key.subject.name.strategy",
        Only(TOPIC_NAME_STRATEGY, "subjects are <topic>-key and <topic>-value"),
    ),
    row(
        Rest,
        "schema.registry.value.subject.name.strategy",
        Only(TOPIC_NAME_STRATEGY, "subjects are <topic>-key and <topic>-value"),
    ),
    row(Rest, "schema.registry.context.name.strategy", Only(NO_CONTEXTS, "subjects stay in the default context")),
    row(Rest, "schema.registry.reference.subject.name.strategy", Refused(SERIALIZER)),
    row(Rest, "schema.registry.key.schema.id.*", Refused(SERIALIZER)),
    row(Rest, "schema.registry.value.schema.id.*", Refused(SERIALIZER)),
    row(Rest, "schema.registry.use.schema.id", Only(&["-1"], SERIALIZER)),
    row(Rest, "schema.registry.auto.register.schemas", NoEffect("requests say which schema they mean")),
    row(Rest, "schema.registry.use.latest.version", NoEffect("requests say which schema they mean")),
    row(Rest, "schema.registry.http.*", NoEffect("schema-registry-timeout bounds a call as a whole")),
    row(Rest, "schema.registry.max.retries", NoEffect("schema-registry-timeout bounds a call as a whole")),
    row(Rest, "schema.registry.retries.*", NoEffect("schema-registry-timeout bounds a call as a whole")),
    row(Rest, "schema.registry.*", NoEffect(CACHES)),
    // The registry.
    row(Registry, "kafkastore.topic", Honoured(REGISTRY_TOPIC, translate::as_written)),
    row(Registry, "kafkastore.topic.replication.factor", Honoured(REGISTRY_REPLICATION_FACTOR, translate::as_written)),
    row(Registry, "kafkastore.topic.skip.validation", NoEffect("the topic is always checked")),
    row(Registry, "kafkastore.topic.config.*", NoEffect("create the topic with these settings before the start")),
    row(Registry, "schema.registry.group.id", Honoured(REGISTRY_GROUP, translate::as_written)),
    row(Registry, "kafkastore.timeout.ms", Honoured(REGISTRY_WRITE_TIMEOUT, translate::at_least_ten_seconds)),
    row(Registry, "kafkastore.init.timeout.ms", NoEffect(WARN_START)),
    row(Registry, "kafkastore.group.id", NoEffect("the topic is read without a group")),
    row(Registry, "kafkastore.write.max.retries", NoEffect("registry-write-timeout bounds a write as a whole")),
    row(Registry, "kafkastore.init.wait.for.reader", NoEffect(WARN_START)),
    row(Registry, "kafkastore.checkpoint.*", NoEffect("nothing is kept on disk")),
    row(Registry, "kafkastore.update.handlers", Refused(PLUG_INS)),
    row(Registry, "master.eligibility", Honoured(REGISTRY_FOLLOWER, translate::negated)),
    row(Registry, "leader.eligibility", Honoured(REGISTRY_FOLLOWER, translate::negated)),
    row(Registry, "leader.*", NoEffect(ELECTION)),
    row(Registry, "kafkagroup.*", NoEffect(ELECTION)),
    row(Registry, "inter.instance.*", NoEffect(ELECTION)),
    row(Registry, "schema.registry.inter.instance.protocol", NoEffect(ELECTION)),
    row(Registry, "avro.compatibility.level", Honoured(REGISTRY_COMPATIBILITY, translate::as_written)),
    row(Registry, "schema.compatibility.level", Honoured(REGISTRY_COMPATIBILITY, translate::as_written)),
    row(Registry, "mode.mutability", Only(&["true"], "modes can always be changed here")),
    row(
        Registry,
        "schema.validate.fields",
        Only(&["false"], "reserved names of fields are a rule of the subject's config here"),
    ),
    row(Registry, "schema.reject.empty.subject", Only(&["false"], "empty subjects are taken here")),
    row(Registry, "schema.validate.new.schemas", NoEffect("new schemas are always checked")),
    row(Registry, "schema.providers", Refused(PLUG_INS)),
    row(Registry, "schema.providers.reference.versions.strict", NoEffect("versions of references are always checked")),
    row(Registry, "schema.providers.json.fetch.remote.schemas", NoEffect("a $ref is never fetched over the network")),
    row(Registry, "schema.providers.*", NoEffect(PLUG_INS)),
    row(Registry, "schema.cache.*", NoEffect(CACHES)),
    row(Registry, "schema.canonicalize.on.consume", NoEffect("schemas are answered as they are stored")),
    row(Registry, "enable.store.health.check", NoEffect("the topic is always watched")),
    row(Registry, "resource.static.locations", NoEffect("no files are served")),
    row(Registry, "schema.search.*", NoEffect("pages have the original's defaults")),
    row(Registry, "subject.*", NoEffect("pages have the original's defaults")),
    row(Registry, "context.*", NoEffect("pages have the original's defaults")),
    row(Registry, "size.limit.filter.*", NoEffect("bodies are always bounded: http-max-body")),
    row(Registry, "associations.enable", NoEffect("associations are answered as far as they are built")),
    row(Registry, "metadata.encoder.*", Refused("sensitive metadata would be written in clear")),
    row(Registry, "enable.fips", Only(&["false"], "there is no FIPS mode")),
    row(Registry, "enable.fips.mode", NoEffect("there is no FIPS mode")),
    // How Kafka's connections are secured.
    row(Client, "ssl.provider", Refused("TLS is rustls here")),
    row(Client, "ssl.engine.factory.class", Refused(PLUG_INS)),
    row(Client, "security.providers", Refused(PLUG_INS)),
    row(Client, "ssl.cipher.suites", Refused("cipher suites cannot be chosen: those of rustls are used")),
    row(Client, "ssl.keymanager.algorithm", NoEffect(JVM)),
    row(Client, "ssl.trustmanager.algorithm", NoEffect(JVM)),
    row(Client, "ssl.secure.random.implementation", NoEffect(JVM)),
    row(Client, "ssl.keystore.type", NoEffect("stores are told apart by their content")),
    row(Client, "ssl.truststore.type", NoEffect("stores are told apart by their content")),
    row(Client, "sasl.kerberos.*", NoEffect("Kerberos is not spoken")),
    row(Client, "sasl.client.callback.handler.class", Refused(PLUG_INS)),
    row(Client, "sasl.login.class", Refused(PLUG_INS)),
    row(Client, "sasl.login.callback.handler.class", Only(translate::OAUTH_HANDLERS, PLUG_INS)),
    row(Client, "sasl.login.*", NoEffect("tokens are renewed before they end")),
    row(Client, "ssl.*", Security),
    row(Client, "sasl.*", Security),
    row(Client, "security.protocol", Security),
    // What the Kafka client does.
    row(
        Client,
        "bootstrap.servers",
        Refused("bootstrap.servers names the cluster; another one behind a prefix cannot be used"),
    ),
    row(Client, "delivery.timeout.ms", Honoured(KAFKA_DELIVERY_TIMEOUT, translate::millis)),
    row(Client, "request.timeout.ms", Honoured(KAFKA_REQUEST_TIMEOUT, translate::millis)),
    row(Client, "default.api.timeout.ms", Honoured(KAFKA_CALL_TIMEOUT, translate::millis)),
    row(Client, "max.request.size", Honoured(MAX_REQUEST_SIZE, translate::as_written)),
    row(Client, "buffer.memory", Honoured(UNACKNOWLEDGED_MEMORY, translate::as_written)),
    row(Client, "acks", NoEffect("records are acknowledged by all replicas in sync")),
    row(Client, "enable.idempotence", NoEffect("records are written once")),
    row(Client, "transactional.id", Refused("records are not written in transactions")),
    row(Client, "interceptor.classes", Refused(PLUG_INS)),
    row(Client, "partitioner.class", Refused("records with keys go where Java's default partitioner sends them")),
    row(Client, "compression.type", Honoured(PRODUCER_COMPRESSION, translate::small)),
    row(Client, "compression.*", NoEffect("codecs work at their default levels")),
    row(Client, "linger.ms", NoEffect(BATCHES)),
    row(Client, "batch.size", NoEffect(BATCHES)),
    row(Client, "max.in.flight.requests.per.connection", NoEffect(BATCHES)),
    row(Client, "max.block.ms", NoEffect("kafka-delivery-timeout bounds a record as a whole")),
    row(Client, "retries", NoEffect("kafka-delivery-timeout bounds a record as a whole")),
    row(Client, "retry.backoff.*", NoEffect("pauses between attempts are fixed")),
    row(Client, "reconnect.backoff.*", NoEffect("pauses between attempts are fixed")),
    row(Client, "allow.auto.create.topics", NoEffect("topics are never created by a look-up")),
    row(Client, "isolation.level", Honoured(CONSUMER_ISOLATION_LEVEL, translate::small)),
    row(Client, "auto.offset.reset", Honoured(CONSUMER_OFFSET_RESET, translate::as_written)),
    row(Client, "enable.auto.commit", Honoured(CONSUMER_AUTO_COMMIT, translate::auto_commit)),
    row(Client, "auto.commit.interval.ms", Honoured(CONSUMER_AUTO_COMMIT, translate::millis)),
    row(Client, "session.timeout.ms", Honoured(CONSUMER_SESSION_TIMEOUT, translate::millis)),
    row(Client, "heartbeat.interval.ms", NoEffect("heartbeats are sent every 3 s, or three times in the session")),
    row(Client, "max.poll.interval.ms", Honoured(CONSUMER_REBALANCE_TIMEOUT, translate::millis)),
    row(Client, "max.poll.records", NoEffect("reads are bounded by bytes")),
    row(Client, "fetch.max.bytes", Honoured(CONSUMER_FETCH_MAX_BYTES, translate::bytes)),
    row(Client, "max.partition.fetch.bytes", NoEffect(FETCHES)),
    row(Client, "fetch.max.wait.ms", NoEffect(FETCHES)),
    row(Client, "fetch.min.bytes", NoEffect(FETCHES)),
    row(Client, "partition.assignment.strategy", NoEffect("groups assign by range, else by round robin")),
    row(Client, "key.serializer", NoEffect("the format is chosen by each request")),
    row(Client, "value.serializer", NoEffect("the format is chosen by each request")),
    row(Client, "key.deserializer", NoEffect("the format is chosen by each request")),
    row(Client, "value.deserializer", NoEffect("the format is chosen by each request")),
    // Compose files for clouds have the credentials of the registry behind `client.`.
    row(Client, "schema.registry.basic.auth.user.info", Honoured(SCHEMA_REGISTRY_CREDENTIALS, translate::as_written)),
    row(Client, "basic.auth.credentials.source", Only(&["url", "user_info"], CREDENTIALS)),
    row(Client, "schema.registry.*", Refused("settings of the registry stand without this prefix")),
    // What the REST Proxy's serializers are told behind these prefixes.
    row(Client, "key.subject.name.strategy", Only(TOPIC_NAME_STRATEGY, "subjects are <topic>-key and <topic>-value")),
    row(Client, "value.subject.name.strategy", Only(TOPIC_NAME_STRATEGY, "subjects are <topic>-key and <topic>-value")),
    row(Client, "context.name.strategy", Only(NO_CONTEXTS, "subjects stay in the default context")),
    row(Client, "reference.subject.name.strategy", Refused(SERIALIZER)),
    row(Client, "key.schema.id.*", Refused(SERIALIZER)),
    row(Client, "value.schema.id.*", Refused(SERIALIZER)),
    row(Client, "use.schema.id", Only(&["-1"], SERIALIZER)),
    row(Client, "normalize.schemas", Only(&["false"], "schemas are registered as they are written")),
    row(Client, "auto.register.schemas", NoEffect("requests say which schema they mean")),
    row(Client, "use.latest.version", NoEffect("requests say which schema they mean")),
    row(Client, "avro.*", NoEffect(VALUES)),
    row(Client, "json.*", NoEffect(VALUES)),
    row(Client, "specific.*", NoEffect(VALUES)),
    // The images and the Java virtual machine.
    row(Both, "log4j.root.loglevel", Honoured(LOG, translate::log_level)),
    row(Both, "log4j.*", NoEffect("log sets levels by part")),
    row(Both, "heap.opts", NoEffect(JVM)),
    row(Both, "opts", NoEffect(JVM)),
    row(Both, "jvm.performance.opts", NoEffect(JVM)),
    row(Both, "gc.log.opts", NoEffect(JVM)),
    row(Both, "jmx.*", NoEffect(JMX)),
    row(Both, "metric.reporters", NoEffect(JMX)),
    row(Both, "metrics.*", NoEffect(JMX)),
    row(Both, "confluent.telemetry.*", NoEffect(JMX)),
    row(Both, "percentile.max.latency.ms", NoEffect(JMX)),
    row(Both, "disable.response.size.metrics.collection", NoEffect(JMX)),
    row(Both, "cub.kafka.*", NoEffect(WARN_START)),
    row(
        Both,
        "config.providers*",
        Refused("values are not fetched by config providers: write them, or mount them as variables"),
    ),
    // Not a setting of either server, but a name that programs around them use.
    row(Both, "url", NoEffect("schema-registry-url names another registry")),
    row(Rest, "home", NoEffect("it is not read by this program")),
    row(Registry, "home", NoEffect("it is not read by this program")),
];

const NO_CONTEXTS: &[&str] = &["io.confluent.kafka.serializers.context.NullContextNameStrategy"];
const TOPIC_NAME_STRATEGY: &[&str] = &["io.confluent.kafka.serializers.subject.TopicNameStrategy"];

impl Row {
    /// Whether it is about the setting `name`.
    pub(super) fn is_for(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => self.name == name,
        }
    }

    /// Names that say nothing about what is to run: variables of images, and of programs that merely use a registry.
    pub(super) fn is_incidental(&self) -> bool {
        matches!(self.name, "url" | "home" | "heap.opts" | "opts" | "jvm.performance.opts" | "gc.log.opts" | "jmx.*")
    }
}
