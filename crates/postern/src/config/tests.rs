use std::{collections::BTreeMap, io, num::NonZeroU32, time::Duration};

use postern_http::front::{OperationCosts, OperationNames, OperationSettings};
use postern_http::{ProduceBounds, TlsVersion};
use postern_kafka::{Compression, IsolationLevel, KeyStore, OffsetReset, Source, TrustStore};
use postern_proxy::ConsumerLimits;

use super::*;

mod access;
mod confluent;
mod deployments;
mod every_setting;
mod help;
mod sources;

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

/// What is printed instead of a start.
fn printed(arguments: &[&str]) -> String {
    match with(arguments, &[("POSTERN_X", "")], "") {
        Ok(Command::Print(text)) => text,
        other => panic!("{other:?}"),
    }
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
fn limits_and_lists_of_operations_are_those_that_were_written() {
    let arguments = [
        "--rate-limit",
        "--rate-limit-costs=createTopic=5",
        "--byte-rate-limit",
        "--byte-rate-limit-bytes=1KiB",
        "--produce-rate-limit",
        "--blocked-operations=api.v3.acls.*",
        "--api-v2=false",
    ];
    let config = super::tests::config(&arguments, &[], "");
    let limits = config.front.limits;
    let given = [limits.requests, limits.client_requests, limits.bytes].map(|limit| limit.map(NonZeroU32::get));
    assert_eq!(given, [Some(50), None, Some(1024)]);
    let produce = [config.records.produce.records_per_second, config.records.produce.bytes_per_second];
    assert_eq!(produce.map(|limit| limit.map(NonZeroU32::get)), [Some(10_000), Some(10_000_000)]);
    let operations = config.front.operations;
    assert!(operations.is_v2_off && !operations.is_v3_off);
    assert_eq!(Ok(operations.blocked), OperationNames::parse("api.v3.acls.*"));
    let costs = OperationCosts::parse("createTopic=5").expect("costs").with_free_produce();
    assert_eq!(operations.costs, costs);
    assert_eq!(config.registry_front.operations, OperationSettings::default());
    for wrong in
        ["--blocked-operations=api.v3.acl.*", "--allowed-operations=api.v3.*", "--rate-limit-costs=create_topic=1"]
    {
        let found = errors(&[wrong], &[], "");
        assert!(found.len() == 1 && found[0].contains("such as createTopic"), "{found:?}");
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
            "rest-listen: found \"8082\" in the argument --rest-listen: expected IP:PORT, https://IP:PORT or unix:/PATH, such as 127.0.0.1:8082, https://0.0.0.0:8082, [::1]:8082 or unix:/run/postern/rest.sock, several with commas between, or off",
            "log: found \"loud\" in the variable POSTERN_LOG: expected a level (off, error, warn, info, debug, trace) or levels by part, such as info,postern_http=debug; parts are audit, postern, postern_http, postern_proxy, postern_registry, postern_registry_client, postern_schema, postern_kafka, postern_broker and postern_log",
            "broker-listen: found \"somewhere\" in the variable POSTERN_BROKER_LISTEN: expected IP:PORT, such as 127.0.0.1:8082, 0.0.0.0:8082 or [::1]:8082",
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
