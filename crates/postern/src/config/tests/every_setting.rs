//! Each setting is known, and read alike, as an argument, a variable and a key of the file.

use super::*;

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
        unix_sockets: UnixSockets { rest: vec!["/run/p.sock".into()], registry: Vec::new(), mode: 0o600 },
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
        replicas: None,
        management: Some(Management { listen: http("127.0.0.1:4"), is_chosen: true }),
        shutdown_delay: Duration::from_secs(1),
        shutdown_timeout: Duration::from_secs(5),
        security: Security::default(),
        registry_kafka: None,
        access: AccessConfig {
            way: Way::Nobody,
            rules: None,
            own_topics: vec!["schemas".to_owned()],
            identities: None,
        },
        log: "debug".into(),
        log_format: LogFormat::Text,
        request_log: RequestLog::default(),
        collector: None,
        trace_records: false,
        notes: vec![Note {
            is_warning: true,
            text: "whoever reaches this machine may read, write and delete: nobody is asked who they are at rest-listen 0.0.0.0:1"
                .to_owned(),
        }],
    };
    let arguments = [
        "--rest-listen",
        "0.0.0.0:1,unix:/run/p.sock",
        "--unix-socket-mode=600",
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
        ("POSTERN_REST_LISTEN", "0.0.0.0:1,unix:/run/p.sock"),
        ("POSTERN_UNIX_SOCKET_MODE", "600"),
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
        rest-listen = ["0.0.0.0:1", "unix:/run/p.sock"]
        unix-socket-mode = "600"
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
