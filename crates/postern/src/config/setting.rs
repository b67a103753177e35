//! The table of settings, from which arguments, variables, file keys, `--help` and `docs/configuration.md` are derived.
//!
//! A setting has one name everywhere: `rest-listen` is the argument `--rest-listen`, the variable `POSTERN_REST_LISTEN` and
//! the key `rest-listen` of the file.

pub(crate) use super::declaration::{Secret, Setting};
use super::{front_settings, https_settings, pass_through_settings, security_settings};

const KAFKA: &str = "Kafka";
const LISTENERS: &str = "HTTP";
const CONSUMERS: &str = "Consumers";
const REPLICAS: &str = "Replicas of this server";
const PRODUCING: &str = "Producing";
const REGISTRY: &str = "Schema Registry in this process";
const REMOTE: &str = "Schema Registry elsewhere";
const BROKER: &str = "Embedded broker";
pub(crate) const ACCESS: &str = "Who may come in";
const PROCESS: &str = "Process";

/// What an entry of the table need not say: a switch that is off.
const SWITCH: Setting =
    Setting { name: "", heading: PROCESS, operand: None, default: "", secret: Secret::Nothing, about: "" };

/// Declares each setting as a constant, and all of them in the order of the table.
macro_rules! settings {
    ($($constant:ident = { $($field:ident: $value:expr,)* })*) => {
        $(pub(crate) const $constant: Setting = Setting { $($field: $value,)* ..SWITCH };)*

        /// Those that are declared here.
        const DECLARED: &[Setting] = &[$($constant),*];
    };
}

settings! {
    BOOTSTRAP_SERVERS = {
        name: "bootstrap-servers",
        heading: KAFKA,
        operand: Some("HOST:PORT,…"),
        about: "The Kafka cluster to use. Without it a broker for one node is started inside this process.",
    }
    KAFKA_UNREACHABLE_TIMEOUT = {
        name: "kafka-unreachable-timeout",
        heading: KAFKA,
        operand: Some("TIME"),
        default: "10s",
        about: "Look-ups and administrative calls fail after this while no broker can be connected.",
    }
    KAFKA_CALL_TIMEOUT = {
        name: "kafka-call-timeout",
        heading: KAFKA,
        operand: Some("TIME"),
        default: "30s",
        about: "Look-ups and administrative calls fail after this in any case.",
    }
    KAFKA_REQUEST_TIMEOUT = {
        name: "kafka-request-timeout",
        heading: KAFKA,
        operand: Some("TIME"),
        default: "30s",
        about: "A connection on which a broker answers nothing for so long is closed.",
    }
    KAFKA_DELIVERY_TIMEOUT = {
        name: "kafka-delivery-timeout",
        heading: KAFKA,
        operand: Some("TIME"),
        default: "25s",
        about: "A record that is not acknowledged by then has failed, and its answer says whether it may be written. Java's \
                delivery.timeout.ms, which is 2m there.",
    }
    MAX_REQUEST_SIZE = {
        name: "max-request-size",
        heading: KAFKA,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "The largest record that is sent to Kafka, reckoned as Java reckons for max.request.size. Below it the topic's \
                max.message.bytes decides.",
    }
    UNACKNOWLEDGED_MEMORY = {
        name: "unacknowledged-memory",
        heading: KAFKA,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "Keys and values, over all requests, that no broker has acknowledged yet. Beyond it requests wait.",
    }
    REST_LISTEN = {
        name: "rest-listen",
        heading: LISTENERS,
        operand: Some("IP:PORT,…"),
        default: "127.0.0.1:8082",
        about: "Where the REST proxy listens: several addresses with commas between, IPv6 in brackets, https:// in front for TLS, \
                unix:/PATH for a Unix socket. Port 0: any free one. \"off\": nowhere.",
    }
    REGISTRY_LISTEN = {
        name: "registry-listen",
        heading: LISTENERS,
        operand: Some("IP:PORT,…"),
        default: "127.0.0.1:8081",
        about: "Where the Schema Registry listens, likewise. \"off\": its schemas serve the REST proxy only.",
    }
    UNIX_SOCKET_MODE = {
        name: "unix-socket-mode",
        heading: LISTENERS,
        operand: Some("OCTAL"),
        default: "660",
        about: "Who may connect to Unix sockets: the permissions of their files.",
    }
    LISTEN_REUSE_PORT = {
        name: "listen-reuse-port",
        heading: LISTENERS,
        default: "false",
        about: "Other processes of the same user may listen on the same addresses, such as the next version of this one, which \
                takes over when this one is ended.",
    }
    HTTP_CONNECTIONS = {
        name: "http-connections",
        heading: LISTENERS,
        operand: Some("COUNT"),
        default: "8192",
        about: "Connections open at the same time on each address; further ones wait to be accepted.",
    }
    HTTP_IDLE_TIMEOUT = {
        name: "http-idle-timeout",
        heading: LISTENERS,
        operand: Some("TIME"),
        default: "30s",
        about: "A connection on which nothing moves for so long is closed; a body that pauses so long is refused with 408.",
    }
    HTTP_COMPRESSION = {
        name: "http-compression",
        heading: LISTENERS,
        operand: Some("BOOLEAN"),
        default: "true",
        about: "Whether answers from 1 KiB are packed with gzip or zstd for clients that accept it. Request bodies may be packed in any case.",
    }
    HTTP_MAX_BODY = {
        name: "http-max-body",
        heading: LISTENERS,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "The largest body of a request; a larger one is refused with 413.",
    }
    HTTP_BODY_MEMORY = {
        name: "http-body-memory",
        heading: LISTENERS,
        operand: Some("BYTES"),
        default: "256MiB",
        about: "The memory for all request bodies of an API and what is parsed from them; records count twice, as they are encoded. When it \
                is used up, bodies are read further as others are done; one that waits longer than http-idle-timeout is refused with 503.",
    }
    HTTP_ANSWER_MEMORY = {
        name: "http-answer-memory",
        heading: LISTENERS,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "The memory for answers above 16 KiB that clients of an address have not read yet. Without it a read waits for some \
                seconds, and is then refused with 503; those that wait have a quarter of it more.",
    }
    CONSUMER_INSTANCES = {
        name: "consumer-instances",
        heading: CONSUMERS,
        operand: Some("COUNT"),
        default: "4096",
        about: "Consumer instances at the same time; a further one is refused with 503.",
    }
    CONSUMER_INSTANCE_TIMEOUT = {
        name: "consumer-instance-timeout",
        heading: CONSUMERS,
        operand: Some("TIME"),
        default: "5m",
        about: "A consumer instance that is not used for so long is deleted.",
    }
    CONSUMER_REQUEST_TIMEOUT = {
        name: "consumer-request-timeout",
        heading: CONSUMERS,
        operand: Some("TIME"),
        default: "1s",
        about: "The longest wait of a read, where the instance was not made with another one.",
    }
    CONSUMER_REQUEST_MAX_BYTES = {
        name: "consumer-request-max-bytes",
        heading: CONSUMERS,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "The most that one read returns; its max_bytes can only lower it.",
    }
    CONSUMER_MIN_BYTES = {
        name: "consumer-min-bytes",
        heading: CONSUMERS,
        operand: Some("BYTES"),
        about: "A read ends when it has so much, where the instance was not made with another fetch.min.bytes. Without it a \
                read lasts as long as it may.",
    }
    CONSUMER_FETCHED_MEMORY = {
        name: "consumer-fetched-memory",
        heading: CONSUMERS,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "Records fetched ahead of reads, over all consumers. Beyond it they stay at the broker.",
    }
    CONSUMER_ANSWER_MEMORY = {
        name: "consumer-answer-memory",
        heading: CONSUMERS,
        operand: Some("BYTES"),
        default: "64MiB",
        about: "Answers of reads that are being put together, over all consumers, and records of streams until they are written; three \
                quarters of it for streams. Beyond it a read returns what it has, a stream waits for its share, and a read that has \
                nothing by the end of its time is answered with 503.",
    }
    CONSUMER_FETCH_MAX_BYTES = {
        name: "consumer-fetch-max-bytes",
        heading: CONSUMERS,
        operand: Some("BYTES"),
        default: "1MiB",
        about: "What a consumer asks of one broker at a time; a larger batch comes whole. Java's fetch.max.bytes.",
    }
    CONSUMER_OFFSET_RESET = {
        name: "consumer-offset-reset",
        heading: CONSUMERS,
        operand: Some("WHERE"),
        default: "latest",
        about: "Where an instance begins without a committed offset, where it was not made with another auto.offset.reset: \
                \"earliest\", \"latest\", \"none\" (an error), or a duration such as \"by_duration:PT1H\".",
    }
    CONSUMER_AUTO_COMMIT = {
        name: "consumer-auto-commit",
        heading: CONSUMERS,
        operand: Some("TIME"),
        default: "5s",
        about: "How often what was read is committed. \"off\": only by instances that were made with auto.commit.enable, \
                every 5 s.",
    }
    CONSUMER_ISOLATION_LEVEL = {
        name: "consumer-isolation-level",
        heading: CONSUMERS,
        operand: Some("LEVEL"),
        default: "read_uncommitted",
        about: "\"read_committed\": records of transactions that are open or were aborted are not read.",
    }
    CONSUMER_SESSION_TIMEOUT = {
        name: "consumer-session-timeout",
        heading: CONSUMERS,
        operand: Some("TIME"),
        default: "45s",
        about: "A group gives the partitions of an instance to others when nothing is heard of this process for so long.",
    }
    CONSUMER_REBALANCE_TIMEOUT = {
        name: "consumer-rebalance-timeout",
        heading: CONSUMERS,
        operand: Some("TIME"),
        default: "5m",
        about: "How long a rebalance of a group waits for an instance of this process. Java's max.poll.interval.ms; an \
                instance joins again by itself, whether it is read or not.",
    }
    CONSUMER_STREAMS = {
        name: "consumer-streams",
        heading: CONSUMERS,
        operand: Some("COUNT"),
        default: "1024",
        about: "Streams of records (server-sent events, or lines) that are read at once; a further one is refused with 503.",
    }
    REPLICA_LISTEN = {
        name: "replica-listen",
        heading: REPLICAS,
        operand: Some("IP:PORT"),
        about: "Where other replicas of this server on the same cluster reach this one. With it any of them serves any consumer \
                instance, and an instance survives the end of its replica (docs/consumers.md). For a network of their own: no TLS.",
    }
    REPLICA_ADVERTISE = {
        name: "replica-advertise",
        heading: REPLICAS,
        operand: Some("HOST:PORT"),
        about: "What other replicas are told to connect to. Without it replica-listen, which then names one address.",
    }
    REPLICA_SECRET = {
        name: "replica-secret",
        heading: REPLICAS,
        operand: Some("FILE"),
        about: "A file with a secret of at least 16 characters that all replicas share: by it they know each other, and believe each \
                other who a caller is. Required with replica-listen.",
    }
    REPLICA_TOPIC = {
        name: "replica-topic",
        heading: REPLICAS,
        operand: Some("TOPIC"),
        default: "_postern_instances",
        about: "The topic that says which replica has which consumer instance; created where there is none. Nobody but replicas may \
                write it.",
    }
    PRODUCER_COMPRESSION = {
        name: "producer-compression",
        heading: PRODUCING,
        operand: Some("CODEC"),
        default: "none",
        about: "How batches are compressed before they are sent to Kafka: \"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\".",
    }
    PRODUCE_STREAM_DURATION = {
        name: "produce-stream-duration",
        heading: PRODUCING,
        operand: Some("TIME"),
        default: "24h",
        about: "After so long a stream of records to produce takes no further ones.",
    }
    PRODUCE_STREAM_GRACE = {
        name: "produce-stream-grace",
        heading: PRODUCING,
        operand: Some("TIME"),
        default: "500ms",
        about: "How long its records are then still answered, with a refusal (408), before it ends.",
    }
    PRODUCE_STREAM_RECORD = {
        name: "produce-stream-record",
        heading: PRODUCING,
        operand: Some("BYTES"),
        about: "The largest record of a produce stream, as JSON; a larger one ends the stream. Without it http-max-body.",
    }
    PRODUCE_BATCH_ENTRIES = {
        name: "produce-batch-entries",
        heading: PRODUCING,
        operand: Some("COUNT"),
        default: "10",
        about: "Records in one records:batch; more are refused with 422.",
    }
    AUTHENTICATION = {
        name: "authentication",
        heading: ACCESS,
        operand: Some("WAY"),
        default: "nobody",
        about: "How callers of the REST proxy and the registry are recognized, one way for all: \"nobody\" is asked; \"basic\": user and \
                password; \"bearer\": a signed token; \"certificate\": a client certificate; \"gateway\": headers of a gateway; \"pass-through\": \
                credentials that Kafka knows, which is then asked by that user.",
    }
    ACCESS_RULES = {
        name: "access",
        heading: ACCESS,
        operand: Some("FILE"),
        about: "Who may do what: a TOML file of rules (docs/security.md), read again when it changes. What no rule allows is denied. \
                Without it whoever is recognized may do everything.",
    }
    BASIC_USERS = {
        name: "basic-users",
        heading: ACCESS,
        operand: Some("FILE"),
        about: "Users and hashes as htpasswd -B writes them (bcrypt), or argon2. Read again when it changes.",
    }
    BASIC_PROPERTIES = {
        name: "basic-properties",
        heading: ACCESS,
        operand: Some("FILE"),
        about: "A property file of Jetty's realm in place of basic-users: user: password[,role…], the password plain, OBF:, MD5: or MD:.",
    }
    BASIC_REALM = {
        name: "basic-realm",
        heading: ACCESS,
        operand: Some("TEXT"),
        default: "Postern",
        about: "What browsers show when they ask for user and password.",
    }
    BASIC_ROLES = {
        name: "basic-roles",
        heading: ACCESS,
        operand: Some("ROLE,…"),
        about: "Of the users of basic-properties only those with one of these roles come in. Without it all.",
    }
    BEARER_ISSUER = {
        name: "bearer-issuer",
        heading: ACCESS,
        operand: Some("TEXT"),
        about: "The issuer of tokens: their claim iss, byte for byte.",
    }
    BEARER_AUDIENCE = {
        name: "bearer-audience",
        heading: ACCESS,
        operand: Some("TEXT,…"),
        about: "Tokens are for one of these: their claim aud.",
    }
    BEARER_KEYS = {
        name: "bearer-keys",
        heading: ACCESS,
        operand: Some("FILE or URL"),
        about: "The keys of the issuer (a JSON Web Key Set): a file, or an https URL that is fetched every ten minutes.",
    }
    BEARER_ALGORITHMS = {
        name: "bearer-algorithms",
        heading: ACCESS,
        operand: Some("NAME,…"),
        default: "RS256,PS256,ES256,EdDSA",
        about: "How tokens may be signed; also RS384, RS512, PS384, PS512 and ES384. Never with a shared secret, never not at all.",
    }
    BEARER_NAME_CLAIM = {
        name: "bearer-name-claim",
        heading: ACCESS,
        operand: Some("CLAIM"),
        default: "sub",
        about: "The claim of a token that is the caller's name.",
    }
    BEARER_GROUPS_CLAIM = {
        name: "bearer-groups-claim",
        heading: ACCESS,
        operand: Some("CLAIM"),
        about: "The claim with the caller's groups, such as realm_access.roles: a list, or names with blanks between.",
    }
    BEARER_SKEW = {
        name: "bearer-skew",
        heading: ACCESS,
        operand: Some("TIME"),
        default: "60s",
        about: "How far the clocks of the issuer and of this machine may differ; ten minutes at most.",
    }
    CERTIFICATE_NAME = {
        name: "certificate-name",
        heading: ACCESS,
        operand: Some("PART"),
        default: "subject",
        about: "The part of a client certificate that is the caller's name: subject (RFC 2253), cn, san-uri, san-dns or san-email.",
    }
    GATEWAY_FROM = {
        name: "gateway-from",
        heading: ACCESS,
        operand: Some("NETWORK,…"),
        about: "The networks from which a gateway connects. Only its headers are believed; from all others they are dropped.",
    }
    GATEWAY_SECRET = {
        name: "gateway-secret",
        heading: ACCESS,
        operand: Some("FILE"),
        about: "A file with the secret by which a gateway is known, or several, one a line, while it is changed. Beside gateway-from \
                both must hold.",
    }
    GATEWAY_SECRET_HEADER = {
        name: "gateway-secret-header",
        heading: ACCESS,
        operand: Some("HEADER"),
        default: "X-Gateway-Secret",
        about: "The header in which the gateway sends it.",
    }
    GATEWAY_USER = {
        name: "gateway-user",
        heading: ACCESS,
        operand: Some("HEADER"),
        default: "X-Auth-Request-User",
        about: "The header with the caller's name.",
    }
    GATEWAY_GROUPS = {
        name: "gateway-groups",
        heading: ACCESS,
        operand: Some("HEADER"),
        about: "The header with the caller's groups, if the gateway sends them: X-Forwarded-Groups, X-Auth-Request-Groups.",
    }
    GATEWAY_GROUPS_SEPARATOR = {
        name: "gateway-groups-separator",
        heading: ACCESS,
        operand: Some("CHARACTER"),
        default: ",",
        about: "What stands between groups.",
    }
    REGISTRY_BOOTSTRAP_SERVERS = {
        name: "registry-bootstrap-servers",
        heading: REGISTRY,
        operand: Some("HOST:PORT,…"),
        about: "The Kafka cluster that stores the schemas, where it is another than the REST proxy's, or reached in another way.",
    }
    REGISTRY_TOPIC = {
        name: "registry-topic",
        heading: REGISTRY,
        operand: Some("TOPIC"),
        default: "_schemas",
        about: "The topic that stores the schemas of the Schema Registry.",
    }
    REGISTRY_GROUP = {
        name: "registry-group",
        heading: REGISTRY,
        operand: Some("GROUP"),
        default: "schema-registry",
        about: "The group of a Confluent Schema Registry on the same topic (its schema.registry.group.id). While it has \
                members, nothing is written here.",
    }
    REGISTRY_COMPATIBILITY = {
        name: "registry-compatibility",
        heading: REGISTRY,
        operand: Some("LEVEL"),
        default: "BACKWARD",
        about: "The compatibility level where neither the subject, its context nor the registry has one.",
    }
    REGISTRY_FOLLOWER = {
        name: "registry-follower",
        heading: REGISTRY,
        default: "false",
        about: "The Schema Registry is read-only: another process, such as a mirror, writes its topic.",
    }
    REGISTRY_REPLICATION_FACTOR = {
        name: "registry-replication-factor",
        heading: REGISTRY,
        operand: Some("COUNT"),
        default: "3",
        about: "Replicas of its topic when it has to be created; never more than there are brokers.",
    }
    REGISTRY_WRITE_TIMEOUT = {
        name: "registry-write-timeout",
        heading: REGISTRY,
        operand: Some("TIME"),
        default: "10s",
        about: "How long a registration or another change may take, with the wait for its own record.",
    }
    SCHEMA_REGISTRY_URL = {
        name: "schema-registry-url",
        heading: REMOTE,
        secret: Secret::UserInfo,
        operand: Some("URL,…"),
        about: "Another Schema Registry, whose schemas the REST proxy uses instead of its own, which is not started then. \
                Several are tried in turn. A user and a password may stand in the URL.",
    }
    SCHEMA_REGISTRY_CREDENTIALS = {
        name: "schema-registry-credentials",
        heading: REMOTE,
        secret: Secret::Whole,
        operand: Some("USER:PASSWORD"),
        about: "Basic authentication at that registry. Better given as a variable: other users can see arguments.",
    }
    SCHEMA_REGISTRY_TOKEN = {
        name: "schema-registry-token",
        heading: REMOTE,
        secret: Secret::Whole,
        operand: Some("TOKEN"),
        about: "A bearer token for that registry, instead of basic authentication.",
    }
    SCHEMA_REGISTRY_CA = {
        name: "schema-registry-ca",
        heading: REMOTE,
        operand: Some("FILE"),
        about: "Certificate authorities (PEM) to trust for that registry over https, instead of those of the system.",
    }
    SCHEMA_REGISTRY_TIMEOUT = {
        name: "schema-registry-timeout",
        heading: REMOTE,
        operand: Some("TIME"),
        default: "10s",
        about: "How long one call to that registry may take, with all its addresses tried.",
    }
    BROKER_LISTEN = {
        name: "broker-listen",
        heading: BROKER,
        operand: Some("IP:PORT"),
        default: "127.0.0.1:9092",
        about: "Where the embedded broker listens.",
    }
    BROKER_ADVERTISE = {
        name: "broker-advertise",
        heading: BROKER,
        operand: Some("HOST:PORT"),
        about: "Where Kafka clients on other machines find the embedded broker, as behind port mapping. Without it they are told the \
                address that they connected to.",
    }
    DATA_DIR = {
        name: "data-dir",
        heading: BROKER,
        operand: Some("DIR"),
        default: "./postern-data",
        about: "The data directory of the embedded broker. Created if it does not exist.",
    }
    BROKER_AUTO_CREATE_TOPICS = {
        name: "broker-auto-create-topics",
        heading: BROKER,
        default: "false",
        about: "The embedded broker creates an unknown topic when a client produces to it.",
    }
    BROKER_STRICT_REPLICATION = {
        name: "broker-strict-replication",
        heading: BROKER,
        default: "false",
        about: "The embedded broker refuses topics with more than one replica, as Apache Kafka would on one node. \
                Without it such topics get one replica, and the answer says so.",
    }
    BROKER_FLUSH = {
        name: "broker-flush",
        heading: BROKER,
        operand: Some("WHEN"),
        default: "system",
        about: "When the disk has what the embedded broker acknowledges: \"every-append\", before it is acknowledged; a time \
                such as 200ms or 5s, at the latest so long after; \"system\", when the operating system sees fit. A killed \
                process loses nothing in any case; this is about the power.",
    }
    MANAGEMENT_LISTEN = {
        name: "management-listen",
        heading: PROCESS,
        operand: Some("IP:PORT"),
        default: "127.0.0.1:8083",
        about: "Where /live, /ready and /metrics are answered; https:// in front for TLS. \"off\": nowhere. Where the default address is \
                in use, it is off, too.",
    }
    SHUTDOWN_DELAY = {
        name: "shutdown-delay",
        heading: PROCESS,
        operand: Some("TIME"),
        about: "After a signal to end, how long requests are still taken while /ready says 503, so that whoever distributes \
                them can look elsewhere. Without it none.",
    }
    SHUTDOWN_TIMEOUT = {
        name: "shutdown-timeout",
        heading: PROCESS,
        operand: Some("TIME"),
        default: "5s",
        about: "How long requests in progress, and records not acknowledged yet, may take after a signal to end.",
    }
    LOG = {
        name: "log",
        heading: PROCESS,
        operand: Some("FILTER"),
        default: "info",
        about: "What is logged to standard error: a level (error, warn, info, debug, trace), or levels by part, \
                such as info,postern_registry=debug.",
    }
    LOG_FORMAT = {
        name: "log-format",
        heading: PROCESS,
        operand: Some("FORMAT"),
        default: "text",
        about: "How lines of the log are written: \"text\" for people, \"json\" for programs, an object per line.",
    }
    REQUEST_LOG = {
        name: "request-log",
        heading: PROCESS,
        operand: Some("WHICH"),
        default: "failed",
        about: "Which requests have a line of the log, with client, caller, route, status, bytes, time and X-Request-Id: \"all\", \
                \"failed\" (those with a status from 500, and slow ones) or \"off\".",
    }
    SLOW_REQUEST = {
        name: "slow-request",
        heading: PROCESS,
        operand: Some("TIME"),
        default: "10s",
        about: "A request that is not answered within this is logged as a slow one.",
    }
    TRACE_RECORDS = {
        name: "trace-records",
        heading: PROCESS,
        default: "false",
        about: "Whether written records get the headers traceparent and tracestate of their request's trace, unless they have them. \
                Where spans are sent is said by the OTEL_* variables.",
    }
    CONFIG = {
        name: "config",
        heading: PROCESS,
        operand: Some("FILE"),
        about: "A TOML file with these settings, each under its own name, such as \
                log = \"debug\".",
    }
    KAFKA_REST_PROPERTIES = {
        name: "kafka-rest-properties",
        heading: PROCESS,
        operand: Some("FILE"),
        about: "A properties file of Confluent's REST Proxy, which is to be replaced: kafka-rest-start FILE means the same.",
    }
    SCHEMA_REGISTRY_PROPERTIES = {
        name: "schema-registry-properties",
        heading: PROCESS,
        operand: Some("FILE"),
        about: "A properties file of Confluent's Schema Registry, likewise: schema-registry-start FILE means the same.",
    }
}

/// All settings, in the order of `--help`.
pub(crate) const ALL: &[Setting] = &{
    const TABLES: [&[Setting]; 7] = [
        DECLARED,
        &pass_through_settings::ALL,
        &front_settings::ALL,
        &https_settings::HTTPS.all(),
        &https_settings::REGISTRY_HTTPS.all(),
        &security_settings::KAFKA.all(),
        &security_settings::REGISTRY_KAFKA.all(),
    ];
    const COUNT: usize = DECLARED.len()
        + pass_through_settings::ALL.len()
        + front_settings::ALL.len()
        + 2 * https_settings::COUNT
        + 2 * security_settings::COUNT;
    let mut all = [SWITCH; COUNT];
    let (mut table, mut row) = (0, 0);
    let mut at = 0;
    while at < all.len() {
        if row == TABLES[table].len() {
            (table, row) = (table + 1, 0);
        }
        all[at] = TABLES[table][row];
        (row, at) = (row + 1, at + 1);
    }
    all
};

/// The setting of this name.
pub(crate) fn named(name: &str) -> Option<Setting> {
    ALL.iter().copied().find(|setting| setting.name == name)
}

/// The name among `names` that is most similar to `name`, if any is similar.
pub(crate) fn nearest(name: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let (distance, near) = names.into_iter().map(|known| (strsim::levenshtein(name, &known), known)).min()?;
    (distance <= 3).then_some(near)
}
