use std::{collections::BTreeMap, io, time::Duration};

use postern_http::{ProduceBounds, TlsVersion};
use postern_kafka::{Compression, IsolationLevel, KeyStore, OffsetReset, Source, TrustStore};
use postern_proxy::ConsumerLimits;

use super::*;

mod access;
mod confluent;
mod deployments;

/// Variables and files from two maps.
#[derive(Default)]
struct Map {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Env for Map {
    fn variables(&self) -> Vec<(String, String)> {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(&self, path: &str) -> io::Result<String> {
        self.files.get(path).map(|text| (*text).to_owned()).ok_or(io::ErrorKind::NotFound.into())
    }
}

fn with(
    arguments: &[&str],
    variables: &[(&'static str, &'static str)],
    file: &'static str,
) -> Result<Command, ConfigErrors> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let files = BTreeMap::from([("postern.toml", file)]);
    read(&arguments, &Map { variables: variables.iter().copied().collect(), files })
}

fn config(arguments: &[&str], variables: &[(&'static str, &'static str)], file: &'static str) -> Config {
    match with(arguments, variables, file) {
        Ok(Command::Run(config)) => *config,
        other => panic!("expected a configuration, found {other:?}"),
    }
}

/// The lines between the first and the last: one per error.
fn errors(arguments: &[&str], variables: &[(&'static str, &'static str)], file: &'static str) -> Vec<String> {
    let text = with(arguments, variables, file).expect_err("should not start").to_string();
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1].iter().map(|line| line.trim().to_owned()).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn http(text: &str) -> HttpAddress {
    HttpAddress { address: address(text), is_tls: false }
}

fn embedded() -> ClusterChoice {
    ClusterChoice::Embedded {
        listen: "127.0.0.1:9092".parse().expect("an address"),
        advertise: None,
        data_dir: "./postern-data".into(),
        auto_create_topics: false,
        strict_replication: false,
        flush: Flush::System,
    }
}

#[test]
fn nothing_written_means_all_on_loopback_with_a_broker_inside() {
    let config = config(&[], &[], "");
    assert_eq!(config.cluster, embedded());
    assert_eq!(config.rest_listen, [http("127.0.0.1:8082")]);
    assert_eq!(config.registry_listen, [http("127.0.0.1:8081")]);
    assert_eq!(config.log, "info");
}

#[test]
fn consumers_and_producers_have_the_defaults_of_their_crates() {
    let config = config(&[], &[], "");
    let wanted = Records {
        consumers: ConsumerLimits::default(),
        streams: postern_http::Bounds::default().record_streams,
        produce: ProduceBounds::default(),
        compression: Compression::None,
    };
    assert_eq!(config.records, wanted);
    let arguments = ["--consumer-offset-reset=by_duration:PT1H", "--consumer-isolation-level=read_committed"];
    let consumers = super::tests::config(&arguments, &[], "").records.consumers;
    assert_eq!(consumers.offset_reset, OffsetReset::ByDuration(Duration::from_secs(3600)));
    assert_eq!(consumers.isolation_level, IsolationLevel::ReadCommitted);
    for (wrong, says) in [
        ("--consumer-offset-reset=Earliest", "expected earliest, latest, none or a duration"),
        ("--consumer-isolation-level=committed", "expected read_uncommitted or read_committed"),
        ("--consumer-auto-commit=0s", "5s, 2m or 1h, or off"),
        ("--producer-compression=brotli", "expected none, gzip, snappy, lz4 or zstd"),
        ("--consumer-instances=0", "a whole number from 1"),
    ] {
        let found = errors(&[wrong], &[], "");
        assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    }
}

#[test]
fn the_flush_policy_is_a_word_or_a_time() {
    let flush = |text: &str| match config(&["--broker-flush", text], &[], "").cluster {
        ClusterChoice::Embedded { flush, .. } => flush,
        other => panic!("{other:?}"),
    };
    assert_eq!(flush("system"), Flush::System);
    assert_eq!(flush("every-append"), Flush::EveryAppend);
    assert_eq!(flush("5s"), Flush::Interval(Duration::from_secs(5)));
    for wrong in ["0ms", "5", "ms", "-1s", "always", "5d"] {
        let found = errors(&[&format!("--broker-flush={wrong}")], &[], "");
        assert!(
            found.len() == 1 && found[0].contains("broker-flush") && found[0].contains("every-append"),
            "{found:?}"
        );
    }
}

#[test]
fn every_setting_has_an_argument_a_variable_and_a_key() {
    let wanted = Config {
        cluster: ClusterChoice::Embedded {
            listen: "127.0.0.1:3".parse().expect("an address"),
            advertise: None,
            data_dir: "/d".into(),
            auto_create_topics: true,
            strict_replication: true,
            flush: Flush::Interval(Duration::from_millis(250)),
        },
        rest_listen: vec![http("0.0.0.0:1")],
        registry_listen: vec![http("127.0.0.1:2")],
        schemas: SchemasChoice::Own {
            topic: topic("schemas"),
            group: "registries".to_owned(),
            level: CompatibilityLevel::Full,
            follower: true,
            replication_factor: 1,
            write_timeout: Duration::from_millis(1500),
        },
        client: Client {
            unreachable_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            max_request_size: 2 << 20,
            unacknowledged: 1000,
        },
        https: None,
        registry_https: None,
        proxy_protocol: Vec::new(),
        front: FrontSettings::default(),
        registry_front: FrontSettings::default(),
        http: Http {
            connections: 5,
            idle: Duration::from_secs(30),
            body_memory: 256 << 20,
            answer_memory: 64 << 20,
            body: 64 << 20,
            compression: true,
        },
        reuse_port: false,
        records: Records {
            streams: 9,
            consumers: ConsumerLimits { instances: 7, auto_commit: None, ..ConsumerLimits::default() },
            produce: ProduceBounds { batch_entries: 20, ..ProduceBounds::default() },
            compression: Compression::Zstd,
        },
        management: Some(Management { listen: http("127.0.0.1:4"), is_chosen: true }),
        shutdown_delay: Duration::from_secs(1),
        shutdown_timeout: Duration::from_secs(5),
        security: Security::default(),
        registry_kafka: None,
        access: AccessConfig { way: Way::Nobody },
        log: "debug".into(),
        log_format: LogFormat::Text,
        request_log: RequestLog::default(),
        notes: vec![Note {
            is_warning: true,
            text: "whoever reaches this machine may read, write and delete: nobody is asked who they are at rest-listen 0.0.0.0:1"
                .to_owned(),
        }],
    };
    let arguments = [
        "--rest-listen",
        "0.0.0.0:1",
        "--registry-listen=localhost:2",
        "--broker-listen",
        "127.0.0.1:3",
        "--data-dir",
        "/d",
        "--broker-auto-create-topics",
        "--broker-strict-replication",
        "--broker-flush=250ms",
        "--registry-topic=schemas",
        "--registry-group=registries",
        "--registry-compatibility=full",
        "--registry-follower",
        "--registry-replication-factor=1",
        "--registry-write-timeout=1500ms",
        "--kafka-delivery-timeout",
        "2m",
        "--max-request-size=2MiB",
        "--unacknowledged-memory=1000",
        "--http-connections=5",
        "--consumer-instances=7",
        "--consumer-streams=9",
        "--consumer-auto-commit=off",
        "--produce-batch-entries=20",
        "--producer-compression=zstd",
        "--management-listen=127.0.0.1:4",
        "--shutdown-delay=1s",
        "--log",
        "debug",
    ];
    assert_eq!(config(&arguments, &[], ""), wanted);
    let variables = [
        ("POSTERN_REST_LISTEN", "0.0.0.0:1"),
        ("POSTERN_REGISTRY_LISTEN", "127.0.0.1:2"),
        ("POSTERN_BROKER_LISTEN", "127.0.0.1:3"),
        ("POSTERN_DATA_DIR", "/d"),
        ("POSTERN_BROKER_AUTO_CREATE_TOPICS", "true"),
        ("POSTERN_BROKER_STRICT_REPLICATION", "true"),
        ("POSTERN_BROKER_FLUSH", "250ms"),
        ("POSTERN_REGISTRY_TOPIC", "schemas"),
        ("POSTERN_REGISTRY_GROUP", "registries"),
        ("POSTERN_REGISTRY_COMPATIBILITY", "FULL"),
        ("POSTERN_REGISTRY_FOLLOWER", "true"),
        ("POSTERN_REGISTRY_REPLICATION_FACTOR", "1"),
        ("POSTERN_REGISTRY_WRITE_TIMEOUT", "1500ms"),
        ("POSTERN_KAFKA_DELIVERY_TIMEOUT", "120s"),
        ("POSTERN_MAX_REQUEST_SIZE", "2048KiB"),
        ("POSTERN_UNACKNOWLEDGED_MEMORY", "1000"),
        ("POSTERN_HTTP_CONNECTIONS", "5"),
        ("POSTERN_CONSUMER_INSTANCES", "7"),
        ("POSTERN_CONSUMER_STREAMS", "9"),
        ("POSTERN_CONSUMER_AUTO_COMMIT", "off"),
        ("POSTERN_PRODUCE_BATCH_ENTRIES", "20"),
        ("POSTERN_PRODUCER_COMPRESSION", "zstd"),
        ("POSTERN_MANAGEMENT_LISTEN", "127.0.0.1:4"),
        ("POSTERN_SHUTDOWN_DELAY", "1s"),
        ("POSTERN_LOG", "debug"),
    ];
    assert_eq!(config(&[], &variables, ""), wanted);
    let file = r#"
        rest-listen = "0.0.0.0:1"
        registry-listen = "127.0.0.1:2"
        broker-listen = "127.0.0.1:3"
        data-dir = "/d"
        broker-auto-create-topics = true
        broker-strict-replication = true
        broker-flush = "250ms"
        registry-topic = "schemas"
        registry-group = "registries"
        registry-compatibility = "FULL"
        registry-follower = true
        registry-replication-factor = 1
        registry-write-timeout = "1500ms"
        kafka-delivery-timeout = "2m"
        max-request-size = 2097152
        unacknowledged-memory = 1000
        http-connections = 5
        consumer-instances = 7
        consumer-streams = 9
        consumer-auto-commit = "off"
        produce-batch-entries = 20
        producer-compression = "zstd"
        management-listen = "127.0.0.1:4"
        shutdown-delay = "1s"
        log = "debug"
    "#;
    assert_eq!(config(&["--config", "postern.toml"], &[], file), wanted);
    assert_eq!(config(&[], &[("POSTERN_CONFIG", "postern.toml")], file), wanted);

    let remote = ClusterChoice::Remote { bootstrap_servers: "a:1,b:2".into() };
    assert_eq!(config(&["--bootstrap-servers", "a:1,b:2"], &[], "").cluster, remote);
    assert_eq!(config(&[], &[("POSTERN_BOOTSTRAP_SERVERS", "a:1,b:2")], "").cluster, remote);
    assert_eq!(config(&["--config", "postern.toml"], &[], "bootstrap-servers = 'a:1,b:2'").cluster, remote);
}

/// The settings of the table, whatever they are: none is forgotten by one of the ways.
#[test]
fn every_setting_of_the_table_is_known_in_each_way() {
    let is_unknown = |error: &str, name: &str| error.contains(name) && error.contains("unknown");
    for setting in setting::ALL {
        let (value, quoted) = match setting.operand {
            Some(_) => ("nonsense", "'nonsense'"),
            None => ("true", "true"),
        };
        let text =
            |result: Result<Command, ConfigErrors>| result.err().map(|errors| errors.to_string()).unwrap_or_default();
        let argument = text(with(&[&format!("--{}={value}", setting.name)], &[], ""));
        assert!(!is_unknown(&argument, setting.name), "{argument}");
        let variable: &'static str = setting.variable().leak();
        let variable = text(with(&[], &[(variable, value)], ""));
        assert!(!is_unknown(&variable, setting.name), "{variable}");
        if *setting != setting::CONFIG {
            let file: &'static str = format!("{} = {quoted}", setting.name).leak();
            let file = text(with(&["--config", "postern.toml"], &[], file));
            assert!(!is_unknown(&file, setting.name), "{file}");
        }
    }
    let unknown = with(&["--nonsense=1"], &[], "").expect_err("unknown").to_string();
    assert!(is_unknown(&unknown, "nonsense"), "{unknown}");
}

#[test]
fn an_argument_counts_more_than_a_variable_and_that_more_than_the_file() {
    let file = "rest-listen = '127.0.0.1:1'\nregistry-listen = '127.0.0.1:1'\nlog = 'warn'";
    let variables = [("POSTERN_REST_LISTEN", "127.0.0.1:2"), ("POSTERN_REGISTRY_LISTEN", "127.0.0.1:22")];
    let arguments = ["--config", "postern.toml", "--rest-listen", "127.0.0.1:3"];
    let config = config(&arguments, &variables, file);
    assert_eq!(config.rest_listen[0].address.port(), 3);
    assert_eq!(config.registry_listen[0].address.port(), 22);
    assert_eq!(config.log, "warn");
}

#[test]
fn an_argument_given_twice_is_refused_unless_both_agree() {
    assert_eq!(config(&["--log", "warn", "--log=warn"], &[], "").log, "warn");
    let found = errors(&["--rest-listen=127.0.0.1:1", "--rest-listen", "127.0.0.1:2"], &[], "");
    assert_eq!(found, ["rest-listen: given twice, as \"127.0.0.1:1\" and as \"127.0.0.1:2\": expected one value"]);
    let found = errors(&["--schema-registry-token=secret1", "--schema-registry-token=secret2"], &[], "");
    assert!(found.iter().all(|error| !error.contains("secret")), "{found:?}");
}

#[test]
fn an_empty_variable_is_not_set() {
    let unset = [("POSTERN_BOOTSTRAP_SERVERS", ""), ("POSTERN_LOG", ""), ("POSTERN_SCHEMA_REGISTRY_TOKEN", "")];
    let config = config(&["--config", "postern.toml"], &unset, "log = 'warn'\nbroker-listen = '127.0.0.1:9092'");
    assert_eq!((config.cluster, config.log.as_str(), config.notes), (embedded(), "warn", Vec::new()));
}

/// As a pod gets them beside Services called `postern` and `postern-rest`.
const SERVICE_LINKS: [(&str, &str); 12] = [
    ("POSTERN_SERVICE_HOST", "10.0.0.1"),
    ("POSTERN_SERVICE_PORT", "8082"),
    ("POSTERN_SERVICE_PORT_REST", "8082"),
    ("POSTERN_PORT", "tcp://10.0.0.1:8082"),
    ("POSTERN_PORT_8082_TCP", "tcp://10.0.0.1:8082"),
    ("POSTERN_PORT_8082_TCP_PROTO", "tcp"),
    ("POSTERN_PORT_8082_TCP_PORT", "8082"),
    ("POSTERN_PORT_8082_TCP_ADDR", "10.0.0.1"),
    ("POSTERN_REST_SERVICE_HOST", "10.0.0.2"),
    ("POSTERN_REST_PORT", "tcp://10.0.0.2:80"),
    ("POSTERN_REST_PORT_80_TCP", "tcp://10.0.0.2:80"),
    ("POSTERN_PORT_53_UDP", "udp://10.0.0.2:53"),
];

#[test]
fn variables_that_kubernetes_sets_for_services_are_ignored_with_one_note() {
    let config = config(&[], &SERVICE_LINKS, "");
    assert_eq!((config.cluster, config.rest_listen[0].address.port()), (embedded(), 8082));
    assert_eq!(config.notes.len(), 1);
    assert!(config.notes[0].text.starts_with("12 environment variables that Kubernetes sets for services are ignored"));
    // What only looks a little like them is still a typing error.
    for (name, near) in [("POSTERN_PORTS", false), ("POSTERN_PORT_TCP", false), ("POSTERN_LGO", true)] {
        let found = errors(&[], &[(name, "1")], "");
        assert!(found[0].starts_with(&format!("{name}: unknown variable")), "{found:?}");
        assert_eq!(found[0].contains("POSTERN_LOG"), near, "{found:?}");
    }
}

#[test]
fn a_switch_takes_the_usual_words_with_or_without_an_equals_sign() {
    for (arguments, on) in [
        (vec!["--broker-auto-create-topics"], true),
        (vec!["--broker-auto-create-topics", "true"], true),
        (vec!["--broker-auto-create-topics=yes"], true),
        (vec!["--broker-auto-create-topics", "0"], false),
        (vec!["--broker-auto-create-topics=OFF", "--log=info"], false),
    ] {
        let cluster = config(&arguments, &[], "").cluster;
        assert!(matches!(cluster, ClusterChoice::Embedded { auto_create_topics, .. } if auto_create_topics == on));
    }
    assert_eq!(
        errors(&["--broker-auto-create-topics", "perhaps"], &[], ""),
        [
            "broker-auto-create-topics: found \"perhaps\" in the argument --broker-auto-create-topics: expected true or false"
        ]
    );
}

#[test]
fn a_list_in_the_file_may_be_a_list() {
    let file = "bootstrap-servers = ['a:1', 'b:2']";
    let remote = ClusterChoice::Remote { bootstrap_servers: "a:1,b:2".into() };
    assert_eq!(config(&["--config", "postern.toml"], &[], file).cluster, remote);
    let found = errors(&["--config", "postern.toml"], &[], "rest-listen = [1]\nbootstrap-servers = [1]");
    assert_eq!(
        found,
        [
            "bootstrap-servers: found [1] in the file postern.toml: expected a text in quotes, or a list of such texts",
            "rest-listen: found [1] in the file postern.toml: expected a text in quotes, or a list of such texts",
        ]
    );
}

#[test]
fn targets_of_the_log_are_those_that_exist() {
    for filter in ["info", "postern_http=debug", "info", "warn,[span]=debug", "OFF"] {
        assert_eq!(config(&["--log", filter], &[], "").log, filter);
    }
    for filter in ["postern_htp=debug", "htp=debug", "info,postern-http=debug", "verbose", "info,"] {
        let found = errors(&["--log", filter], &[], "");
        assert!(found[0].contains("info,postern_http=debug"), "{found:?}");
    }
    // Every crate that logs does so under its own name.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let crates = std::fs::read_dir(folder).expect("the crates").map(|entry| entry.expect("an entry"));
    let logs = |manifest: std::io::Result<String>| manifest.is_ok_and(|text| text.contains("tracing"));
    for entry in crates.filter(|entry| logs(std::fs::read_to_string(entry.path().join("Cargo.toml")))) {
        let name = entry.file_name().into_string().expect("UTF-8");
        let target = match name.as_str() {
            "postern" => name,
            name => format!("postern_{}", name.replace('-', "_")),
        };
        assert!(value::LOG_TARGETS.contains(&target.as_str()), "{target} is not in `LOG_TARGETS`");
    }
}

#[test]
fn a_switch_can_be_taken_back_by_a_stronger_source() {
    let config = config(
        &["--config", "postern.toml", "--broker-strict-replication=false"],
        &[],
        "broker-strict-replication = true",
    );
    assert_eq!(config.cluster, embedded());
}

#[test]
fn all_faults_are_named_at_once() {
    let found = errors(
        &["--rest-listen", "8082", "--rgistry-listen", "127.0.0.1:1", "here", "--data-dir"],
        &[("POSTERN_REST_LISTN", "x"), ("POSTERN_BROKER_LISTEN", "somewhere"), ("POSTERN_LOG", "loud")],
        "",
    );
    assert_eq!(
        found,
        [
            "--rgistry-listen: unknown argument: expected --registry-listen, perhaps",
            "here: unknown argument",
            "data-dir: the argument --data-dir has no value: expected DIR",
            "POSTERN_REST_LISTN: unknown variable: expected POSTERN_REST_LISTEN, perhaps",
            "rest-listen: found \"8082\" in the argument --rest-listen: expected IP:PORT or https://IP:PORT, such as 127.0.0.1:8082, https://0.0.0.0:8082 or [::1]:8082, several with commas between, or off",
            "log: found \"loud\" in the variable POSTERN_LOG: expected a level (off, error, warn, info, debug, trace) or levels by part, such as info,postern_http=debug; parts are postern, postern_http, postern_proxy, postern_registry, postern_registry_client, postern_schema, postern_kafka, postern_broker and postern_log",
            "broker-listen: found \"somewhere\" in the variable POSTERN_BROKER_LISTEN: expected IP:PORT, such as 127.0.0.1:8082, 0.0.0.0:8082 or [::1]:8082",
        ]
    );
}

#[test]
fn the_file_is_read_as_strictly_as_the_rest() {
    let found = errors(
        &["--config", "postern.toml"],
        &[],
        "rest-lissen = 'x'\ndata-dir = 3\nbroker-auto-create-topics = 'yes'\nconfig = 'other.toml'\n",
    );
    assert_eq!(
        found,
        [
            "broker-auto-create-topics: found \"yes\" in the file postern.toml: expected true or false",
            "config: unknown key in the file postern.toml",
            "data-dir: found 3 in the file postern.toml: expected a text in quotes",
            "rest-lissen: unknown key in the file postern.toml: expected rest-listen, perhaps",
        ]
    );
    let found = errors(&["--config=postern.toml"], &[], "log = 'info'\nrest-listen = ,");
    assert!(found[0].starts_with("config: the file postern.toml is not TOML: line 2: "), "{found:?}");
    let found = errors(&[], &[("POSTERN_CONFIG", "gone.toml")], "");
    assert_eq!(
        found,
        [
            "config: the file \"gone.toml\" in the variable POSTERN_CONFIG cannot be read (entity not found): expected a TOML file"
        ]
    );
}

#[test]
fn a_remote_cluster_and_settings_of_the_broker_exclude_each_other() {
    let found = errors(
        &["--bootstrap-servers", "kafka:9092", "--broker-strict-replication", "--broker-listen=127.0.0.1:1"],
        &[],
        "",
    );
    assert_eq!(
        found,
        [
            "broker-listen: has no effect with bootstrap-servers, with which no embedded broker is started: expected only one of the argument --broker-listen and the argument --bootstrap-servers",
            "broker-strict-replication: has no effect with bootstrap-servers, with which no embedded broker is started: expected only one of the argument --broker-strict-replication and the argument --bootstrap-servers",
        ]
    );
}

#[test]
fn of_contradicting_settings_the_source_of_higher_precedence_wins() {
    let file = "broker-listen = '127.0.0.1:1'\nbroker-auto-create-topics = true\nregistry-topic = 's'";
    let remote = config(
        &["--config", "postern.toml"],
        &[("POSTERN_BOOTSTRAP_SERVERS", "kafka:9092"), ("POSTERN_SCHEMA_REGISTRY_URL", "http://a:1")],
        file,
    );
    assert_eq!(remote.cluster, ClusterChoice::Remote { bootstrap_servers: "kafka:9092".into() });
    assert!(matches!(remote.schemas, SchemasChoice::Remote { .. }));
    assert_eq!(
        remote.notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        [
            "broker-listen in the file postern.toml is ignored: bootstrap-servers in the variable POSTERN_BOOTSTRAP_SERVERS overrides it",
            "broker-auto-create-topics in the file postern.toml is ignored: bootstrap-servers in the variable POSTERN_BOOTSTRAP_SERVERS overrides it",
            "registry-topic in the file postern.toml is ignored: schema-registry-url in the variable POSTERN_SCHEMA_REGISTRY_URL overrides it",
        ]
    );
    let embedded = config(
        &["--broker-listen=127.0.0.1:3", "--config", "postern.toml"],
        &[("POSTERN_BOOTSTRAP_SERVERS", "kafka:9092")],
        "broker-auto-create-topics = true",
    );
    let ClusterChoice::Embedded { listen, auto_create_topics, .. } = embedded.cluster else { panic!("remote") };
    assert_eq!((listen.port(), auto_create_topics), (3, true));
}

#[test]
fn an_empty_or_misshapen_bootstrap_list_does_not_start_a_broker_instead() {
    for list in ["", "kafka", "kafka:", ":9092", "kafka:0", "kafka:9092,", "http://kafka:9092", "kafka:99999"] {
        let found = with(&["--bootstrap-servers", list], &[], "").expect_err(list).to_string();
        assert!(found.contains(&format!("bootstrap-servers: found {list:?}")), "{found}");
    }
    for list in ["kafka:9092", "10.0.0.1:1,[::1]:2"] {
        let cluster = config(&["--bootstrap-servers", list], &[], "").cluster;
        assert_eq!(cluster, ClusterChoice::Remote { bootstrap_servers: list.to_owned() });
    }
}

#[test]
fn two_listeners_do_not_share_an_address() {
    let found = errors(&["--rest-listen", "0.0.0.0:8081"], &[], "");
    assert_eq!(
        found,
        [
            "registry-listen: 127.0.0.1:8081 (its default) is also rest-listen (from the argument --rest-listen): expected an address of its own"
        ]
    );
    let any = ["--rest-listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0", "--broker-listen", "127.0.0.1:0"];
    assert_eq!(config(&any, &[], "").registry_listen[0].address.port(), 0);
    // The broker's default address is free for others when no broker is started.
    let config = config(&["--bootstrap-servers", "kafka:9092", "--rest-listen", "127.0.0.1:9092"], &[], "");
    assert_eq!(config.rest_listen[0].address.port(), 9092);
}

/// What is printed instead of a start.
fn printed(arguments: &[&str]) -> String {
    match with(arguments, &[("POSTERN_X", "")], "") {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn help_and_version_come_before_any_fault() {
    let version = concat!("postern ", env!("CARGO_PKG_VERSION"), "\n");
    for spelling in ["-V", "-v", "--version"] {
        assert_eq!(printed(&["--nonsense", spelling]), version);
    }
    assert_eq!(printed(&["version"]), version);
    assert_eq!(printed(&["help"]), printed(&["--nonsense", "--help"]));
}

#[test]
fn completions_know_every_setting() {
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        assert!(setting::ALL.iter().all(|setting| text.contains(setting.name)), "{shell}");
    }
    assert!(errors(&["completions", "dos"], &[], "")[0].contains("dos"));
}

#[test]
fn help_names_every_setting_with_its_default_within_the_width_of_a_terminal() {
    let text = printed(&["--help"]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in setting::ALL {
        assert!(text.contains(&format!("--{}", setting.name)), "{}", setting.name);
        if setting.operand.is_some() && !setting.default.is_empty() {
            assert!(words.contains(&format!("[default: {}]", setting.default)), "{}", setting.name);
        }
    }
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(wide, Vec::<&str>::new());
}

#[test]
fn docs_configuration_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document::page()).expect("the page can be written");
    }
    let found = std::fs::read_to_string(path).expect("the page");
    assert!(
        found == document::page(),
        "docs/configuration.md is not what UPDATE_DOCS=1 makes of the table of settings"
    );
}

#[test]
fn every_setting_is_read_from_an_argument_a_variable_and_the_file_alike() {
    for setting in setting::ALL.iter().copied().filter(|setting| *setting != setting::CONFIG) {
        let (text, in_file) = if setting.operand.is_some() { ("some text", "'some text'") } else { ("true", "true") };
        let found = |argument: &[String], variables: &[(&'static str, &'static str)], file: &'static str| {
            let (mut raw, mut errors) = (RawConfig::default(), ConfigErrors::default());
            let files = BTreeMap::from([("postern.toml", file)]);
            let env = Map { variables: variables.iter().copied().collect(), files };
            arguments::read(argument, &mut raw, &mut errors);
            variables::read(&env, &mut raw, &mut errors);
            file::read(&env, &mut raw, &mut errors);
            raw.text(setting).map(|(text, source)| (text, source.to_string()))
        };
        let (variable, file): (&'static str, &'static str) =
            (setting.variable().leak(), format!("{} = {in_file}", setting.name).leak());
        let with_file = ["--config=postern.toml".to_owned()];
        for (found, source) in [
            (found(&[format!("--{}={text}", setting.name)], &[], ""), format!("the argument --{}", setting.name)),
            (found(&[], &[(variable, text)], ""), format!("the variable {variable}")),
            (found(&with_file, &[], file), "the file postern.toml".to_owned()),
        ] {
            assert_eq!(found, Some((text.to_owned(), source)), "{}", setting.name);
        }
    }
}

#[test]
fn listeners_of_https_need_a_certificate_and_what_has_no_effect_is_refused() {
    let https = &["--rest-listen=https://127.0.0.1:1, http://[::1]:1", "--management-listen=https://127.0.0.1:3"];
    assert_eq!(
        errors(https, &[], ""),
        ["tls-keystore: nothing found, but rest-listen is https://127.0.0.1:1 (from the argument --rest-listen)"]
    );
    let keystore = &["--tls-keystore=/c.pem", "--tls-key=/k.pem", "--tls-versions=1.3"];
    let shared = config(&[https.as_slice(), keystore].concat(), &[], "");
    let wanted = Https {
        key: KeyStore {
            store: Source::File("/c.pem".into()),
            key: Some(Source::File("/k.pem".into())),
            password: None,
            key_password: None,
        },
        versions: vec![TlsVersion::V1_3],
        clients: Clients::NotAsked,
    };
    let first = HttpAddress { is_tls: true, ..http("127.0.0.1:1") };
    assert_eq!(shared.rest_listen, [first, http("[::1]:1")]);
    assert_eq!((shared.https, shared.registry_https), (Some(wanted.clone()), Some(wanted)));

    let clients = ["--tls-client-authentication=Required", "--tls-truststore=/ca.pem"];
    let asked = config(&[https.as_slice(), keystore, &clients].concat(), &[], "").https.expect("set").clients;
    let authorities = TrustStore { store: Source::File("/ca.pem".into()), password: None };
    assert_eq!(asked, Clients::Required(authorities));
    for (given, refused) in [
        (clients[0], "tls-truststore: nothing found, but tls-client-authentication asks for certificates of clients"),
        (clients[1], "tls-truststore: has no effect while clients are not asked for certificates"),
        ("--registry-tls-keystore=/r.pem", "registry-tls-keystore: has no effect without a listener of https://"),
    ] {
        let found = errors(&[https.as_slice(), keystore, &[given]].concat(), &[], "");
        assert!(found.len() == 1 && found[0].starts_with(refused), "{found:?}");
    }
    let found = errors(&["--tls-keystore=/c.pem"], &[], "");
    assert!(found[0].starts_with("tls-keystore: has no effect without a listener of https://"), "{found:?}");
}

#[test]
fn a_listener_may_have_several_addresses_or_none() {
    let several = config(&["--rest-listen", "127.0.0.1:1, [::1]:1", "--registry-listen=off"], &[], "");
    assert_eq!(several.rest_listen, [http("127.0.0.1:1"), http("[::1]:1")]);
    assert!(several.registry_listen.is_empty());
    let list = config(&["--config", "postern.toml"], &[], "rest-listen = ['127.0.0.1:1', '[::1]:1']");
    assert_eq!(list.rest_listen, several.rest_listen);
    let found = errors(&["--rest-listen=off", "--registry-listen=off"], &[], "");
    assert_eq!(found, ["rest-listen: nothing would listen for HTTP: expected an address here or in registry-listen"]);
    let found = errors(&["--rest-listen=off", "--schema-registry-url=http://a:1"], &[], "");
    assert!(found[0].starts_with("rest-listen: nothing would listen"), "{found:?}");
}

#[test]
fn times_and_sizes_have_units_and_limits() {
    for (text, ms) in [("1ms", 1), ("2s", 2000), ("3m", 180_000), ("1h", 3_600_000)] {
        let found = config(&["--kafka-call-timeout", text], &[], "").client.call_timeout;
        assert_eq!(found, Duration::from_millis(ms), "{text}");
    }
    for wrong in ["0s", "1", "s", "1.5s", "-1s", "99999999999h", "1d"] {
        let found = errors(&[&format!("--kafka-call-timeout={wrong}")], &[], "");
        assert!(found.len() == 1 && found[0].ends_with("such as 200ms, 5s, 2m or 1h"), "{found:?}");
    }
    for (text, bytes) in [("7", 7), ("1KiB", 1024), ("2MiB", 2 << 20), ("1GiB", 1 << 30)] {
        assert_eq!(config(&["--http-max-body", text], &[], "").http.body, bytes, "{text}");
    }
    for wrong in ["0", "1MB", "MiB", "-1", "99999999999GiB"] {
        let found = errors(&[&format!("--http-max-body={wrong}")], &[], "");
        assert!(found.len() == 1 && found[0].ends_with("such as 1048576, 1MiB or 2GiB"), "{found:?}");
    }
    assert!(errors(&["--http-connections", "0"], &[], "")[0].ends_with("a whole number from 1 to 65535"));
}

#[test]
fn a_name_far_from_all_others_gets_no_suggestion() {
    assert_eq!(errors(&["--frobnicate"], &[], ""), ["--frobnicate: unknown argument"]);
}

fn topic(name: &str) -> TopicName {
    TopicName::parse(name).expect("a legal name")
}

#[test]
fn another_registry_takes_the_place_of_ours() {
    let urls = ["http://a:8081", "http://u:p@b:8081/x"].map(|url| RegistryUrl::parse(url).expect("a URL")).to_vec();
    let timeout = Duration::from_secs(10);
    let basic = Credentials::Basic { user: "me".to_owned(), password: "it:is".to_owned() };
    let arguments = ["--schema-registry-url", "http://a:8081, http://u:p@b:8081/x"];
    let variables = [("POSTERN_SCHEMA_REGISTRY_CREDENTIALS", "me:it:is")];
    let wanted = SchemasChoice::Remote { urls: urls.clone(), credentials: Some(basic), authorities: None, timeout };
    assert_eq!(config(&arguments, &variables, "").schemas, wanted);
    let token = Some(Credentials::Bearer("abc".to_owned()));
    let file = "schema-registry-token = 'abc'";
    let config = config(&[arguments[0], arguments[1], "--config", "postern.toml"], &[], file);
    assert_eq!(config.schemas, SchemasChoice::Remote { urls, credentials: token, authorities: None, timeout });
}

#[test]
fn settings_of_two_registries_do_not_mix_and_secrets_are_not_told() {
    assert_eq!(
        errors(&["--schema-registry-url", "http://me:secret@a", "--registry-follower"], &[], ""),
        [
            "registry-follower: has no effect with schema-registry-url, with which no registry is started in this process: expected only one of the argument --registry-follower and the argument --schema-registry-url"
        ]
    );
    let found = errors(
        &["--schema-registry-url", "me:secret@a", "--schema-registry-token", "two words"],
        &[("POSTERN_SCHEMA_REGISTRY_CREDENTIALS", "secret")],
        "",
    );
    assert!(found.iter().all(|error| !error.contains("secret\"") && !error.contains("secret@")), "{found:?}");
    assert!(found[0].contains("found \"…@a\""), "{found:?}");
    let found = errors(&["--schema-registry-token", "t"], &[], "");
    assert_eq!(found, ["schema-registry-token: has no effect without schema-registry-url"]);
    let with_ca = |file| errors(&["--schema-registry-url", "https://a", "--schema-registry-ca", file], &[], "not PEM");
    assert!(
        with_ca("postern.toml")[0]
            .ends_with("is something else: expected one certificate or more in PEM (-----BEGIN CERTIFICATE-----)")
    );
    assert!(with_ca("none.pem")[0].contains("cannot be read"));
    assert_eq!(
        errors(&["--schema-registry-ca", "none.pem"], &[], "").first().map(String::as_str),
        Some("schema-registry-ca: has no effect without schema-registry-url")
    );
    assert!(errors(&["--registry-topic", "a b"], &[], "")[0].contains("the name of a topic"));
    assert!(errors(&["--registry-compatibility", "SIDEWAYS"], &[], "")[0].contains("FULL_TRANSITIVE"));
}
