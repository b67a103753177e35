//! The settings of Confluent's servers: each row of the table, and what is promised beyond it.

use postern_kafka::{KeyStore, Sasl, ScramHash, Source as Content, Tls, TokenSource, TrustStore};

use super::*;
use crate::config::{
    confluent::{Fate, Row, Scope, TABLE},
    foreign::{Family, variable},
};

/// For each setting that is honoured: a value, and what it is as the value of a setting of ours.
const HONOURED: [(&str, &str, &str); 96] = [
    ("network.traffic.rate.limit.enable", "true", "true"),
    ("network.traffic.rate.limit.bytes.per.sec", "7", "7"),
    ("api.endpoints.allowlist", "api.v3.topics.*, api.v2.topics.list", "api.v3.topics.*, api.v2.topics.list"),
    ("api.endpoints.blocklist", "api.v3.topics.delete", "api.v3.topics.delete"),
    ("api.v2.enable", "false", "false"),
    ("api.v3.enable", "false", "false"),
    ("rate.limit.default.cost", "2", "2"),
    ("rate.limit.costs", "api.v3.clusters.*=0", "api.v3.clusters.*=0"),
    ("api.v3.produce.rate.limit.enabled", "true", "true"),
    ("api.v3.produce.rate.limit.max.requests.global.per.sec", "100000", "100000"),
    ("api.v3.produce.rate.limit.max.bytes.global.per.sec", "7", "7"),
    ("compression.enable", "false", "false"),
    ("authentication.method", "BASIC", "basic"),
    ("authentication.realm", "KafkaRest", "KafkaRest"),
    ("authentication.roles", "admin, user", "admin,user"),
    ("bootstrap.servers", "PLAINTEXT://a:1, b:2", "a:1,b:2"),
    ("kafkastore.bootstrap.servers", "PLAINTEXT://a:1,b:2", "a:1,b:2"),
    ("listeners", "http://127.0.0.1:7, HTTPS://[::1]:7", "127.0.0.1:7,https://[::1]:7"),
    ("port", "7", "0.0.0.0:7"),
    ("idle.timeout.ms", "7000", "7000ms"),
    ("server.connection.limit", "7", "7"),
    ("connector.connection.limit", "70000", "65535"),
    ("shutdown.graceful.ms", "0", "1ms"),
    ("ssl.keystore.location", "/k.jks", "/k.jks"),
    ("ssl.keystore.password", "secret ", "secret "),
    ("ssl.key.password", "secret", "secret"),
    ("ssl.truststore.location", "/t.jks", "/t.jks"),
    ("ssl.truststore.password", "secret", "secret"),
    ("ssl.client.authentication", "REQUESTED", "REQUESTED"),
    ("ssl.client.auth", "true", "required"),
    ("ssl.enabled.protocols", "TLSv1.1, TLSv1.2,TLSv1.3", "1.2,1.3"),
    ("sni.check.enabled", "true", "true"),
    ("advertised.listeners", "http://a:1, https://b:2", "https://b:2"),
    ("access.control.allow.origin", "https://a/b, c.example", "https://a/b"),
    ("access.control.allow.methods", "GET,PUT", "GET,PUT"),
    ("access.control.allow.headers", "*", "*"),
    ("access.control.expose.headers", "X-A", "X-A"),
    ("response.http.headers.config", "set X-Frame-Options: DENY", "set X-Frame-Options: DENY"),
    ("nosniff.prevention.enable", "true", "true"),
    ("hsts.header.enable", "true", "true"),
    ("rate.limit.enable", "true", "true"),
    ("rate.limit.permits.per.sec", "7", "7"),
    ("dos.filter.enabled", "true", "true"),
    ("dos.filter.max.requests.per.connection.per.sec", "7", "7"),
    ("schema.registry.url", "http://a:1,http://b:2", "http://a:1,http://b:2"),
    ("schema.registry.basic.auth.user.info", "u:p", "u:p"),
    ("client.schema.registry.basic.auth.user.info", "u:p", "u:p"),
    ("kafkastore.schema.registry.basic.auth.user.info", "u:p", "u:p"),
    ("schema.registry.bearer.auth.token", "abc", "abc"),
    ("schema.registry.ssl.truststore.location", "ca.pem", "ca.pem"),
    ("kafkastore.topic", "schemas", "schemas"),
    ("kafkastore.topic.replication.factor", "1", "1"),
    ("schema.registry.group.id", "g", "g"),
    ("kafkastore.timeout.ms", "20000", "20000ms"),
    ("master.eligibility", "false", "true"),
    ("leader.eligibility", "true", "false"),
    ("avro.compatibility.level", "full", "full"),
    ("schema.compatibility.level", "NONE", "NONE"),
    ("client.delivery.timeout.ms", "7000", "7000ms"),
    ("producer.delivery.timeout.ms", "7000", "7000ms"),
    ("kafkastore.delivery.timeout.ms", "7000", "7000ms"),
    ("client.request.timeout.ms", "7000", "7000ms"),
    ("kafkastore.request.timeout.ms", "7000", "7000ms"),
    ("admin.default.api.timeout.ms", "7000", "7000ms"),
    ("client.default.api.timeout.ms", "7000", "7000ms"),
    ("kafkastore.default.api.timeout.ms", "7000", "7000ms"),
    ("client.max.request.size", "2000000", "2000000"),
    ("kafkastore.max.request.size", "2000000", "2000000"),
    ("producer.max.request.size", "2000000", "2000000"),
    ("client.buffer.memory", "33554432", "33554432"),
    ("kafkastore.buffer.memory", "33554432", "33554432"),
    ("consumer.request.timeout.ms", "7000", "7000ms"),
    ("consumer.request.max.bytes", "9223372036854775807", "1099511627776"),
    ("consumer.instance.timeout.ms", "7000", "7000ms"),
    ("fetch.min.bytes", "0", "1"),
    ("api.v3.produce.batch.maximum.entries", "50", "50"),
    ("api.v3.produce.request.size.limit.max.bytes", "7", "7"),
    ("streaming.connection.max.duration.ms", "7000", "7000ms"),
    ("streaming.connection.max.duration.grace.period.ms", "7", "7ms"),
    ("client.compression.type", "ZSTD", "zstd"),
    ("kafkastore.compression.type", "ZSTD", "zstd"),
    ("client.isolation.level", "READ_COMMITTED", "read_committed"),
    ("kafkastore.isolation.level", "READ_COMMITTED", "read_committed"),
    ("client.auto.offset.reset", "earliest", "earliest"),
    ("kafkastore.auto.offset.reset", "earliest", "earliest"),
    ("client.enable.auto.commit", "false", "off"),
    ("kafkastore.enable.auto.commit", "false", "off"),
    ("client.auto.commit.interval.ms", "7", "7ms"),
    ("kafkastore.auto.commit.interval.ms", "7", "7ms"),
    ("client.session.timeout.ms", "7", "7ms"),
    ("kafkastore.session.timeout.ms", "7", "7ms"),
    ("client.max.poll.interval.ms", "7", "7ms"),
    ("kafkastore.max.poll.interval.ms", "7", "7ms"),
    ("client.fetch.max.bytes", "7", "7"),
    ("kafkastore.fetch.max.bytes", "7", "7"),
    ("log4j.root.loglevel", "FATAL", "error"),
];

/// The settings that a row is about, one for each server and prefix; `*` becomes a word.
fn names(row: &Row) -> Vec<(Family, String)> {
    let name = row.name.replace('*', "x");
    match row.scope {
        Scope::Rest => vec![(Family::Rest, name)],
        Scope::Registry => vec![(Family::Registry, name)],
        Scope::Both => vec![(Family::Rest, name.clone()), (Family::Registry, name)],
        Scope::Client => {
            let names =
                vec![(Family::Rest, format!("client.{name}")), (Family::Registry, format!("kafkastore.{name}"))];
            // The registry has settings of its own behind this prefix.
            let is_of_client = |(family, name): &(Family, String)| {
                family.row(name).is_some_and(|(_, _, found)| found.scope == Scope::Client)
            };
            names.into_iter().filter(is_of_client).collect()
        }
    }
}

/// What was collected of one setting of theirs beside a cluster: raw texts, errors.
fn collected(family: Family, name: &str, value: &str) -> (RawConfig, ConfigErrors) {
    let cluster = match family {
        Family::Rest => "KAFKA_REST_BOOTSTRAP_SERVERS",
        Family::Registry => "SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS",
    };
    let variables = BTreeMap::from([(cluster, "a:1,b:2"), (variable(family, name).leak(), value.to_owned().leak())]);
    let (mut raw, mut errors) = (RawConfig::default(), ConfigErrors::default());
    foreign::read(&Map { variables, files: BTreeMap::new() }, &mut raw, &mut errors);
    (raw, errors)
}

#[test]
fn every_row_of_the_table_has_its_fate() {
    assert!(TABLE.iter().all(|row| !names(row).is_empty()));
    for (row, (family, name)) in TABLE.iter().flat_map(|row| names(row).into_iter().map(move |name| (row, name))) {
        let is_earlier = family.row(&name).is_some_and(|(_, _, found)| !std::ptr::eq(found, row));
        assert!(!is_earlier, "{name}: an earlier row hides that of {}", row.name);
        let written = variable(family, &name);
        let warned = |raw: RawConfig| {
            raw.notes().iter().filter(|note| note.is_warning && note.text.starts_with(&written)).count()
        };
        match &row.fate {
            Fate::Honoured(setting, _) => {
                let example = HONOURED.iter().find(|(known, ..)| *known == name);
                let (_, value, ours) = example.unwrap_or_else(|| panic!("{name} has no example"));
                let (raw, errors) = collected(family, &name, value);
                assert_eq!(errors, ConfigErrors::default(), "{name}");
                let (text, source) = raw.text(*setting).unwrap_or_else(|| panic!("{name} is not taken"));
                assert_eq!((text.as_str(), source.to_string()), (*ours, format!("the variable {written}")), "{name}");
            }
            Fate::NoEffect(_) => {
                let (raw, errors) = collected(family, &name, "canary");
                assert_eq!(errors, ConfigErrors::default(), "{name}");
                let shown = raw.notes().iter().any(|note| note.text.contains("canary"));
                assert!(!shown, "the value of {name} may be a secret");
                assert_eq!(warned(collected(family, &name, "canary").0), 1, "{name}");
            }
            Fate::Refused(_) => {
                let errors = collected(family, &name, "canary").1.to_string();
                assert!(errors.contains(&format!("  {written}: ")) && !errors.contains("canary"), "{name}: {errors}");
            }
            Fate::Only(allowed, _) => {
                for value in *allowed {
                    let (raw, errors) = collected(family, &name, &value.to_uppercase());
                    assert_eq!((errors, warned(raw)), (ConfigErrors::default(), 0), "{name}");
                }
                let errors = collected(family, &name, "another").1.to_string();
                assert!(errors.contains(&format!("  {written}: found \"another\" in the variable")), "{errors}");
            }
            Fate::Security => {
                // Each is looked at: without SASL or TLS it has no effect, and the protocol itself is checked.
                let (raw, errors) = collected(family, &name, "canary");
                let is_looked_at = warned(raw) == 1 || errors.to_string().contains(&format!("  {written}: found"));
                assert!(is_looked_at && !errors.to_string().contains("canary") || name.ends_with("protocol"), "{name}");
            }
        }
    }
    for (name, ..) in HONOURED {
        let is_known = |family: Family| matches!(family.row(name), Some((_, _, Row { fate: Fate::Honoured(..), .. })));
        assert!(is_known(Family::Rest) || is_known(Family::Registry), "{name}");
    }
}

#[test]
fn a_cluster_that_their_variables_name_is_followed_or_nothing_starts() {
    let remote = ClusterChoice::Remote { bootstrap_servers: "kafka:9092".to_owned() };
    for name in ["KAFKA_REST_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS"] {
        assert_eq!(config(&[], &[(name, "PLAINTEXT://kafka:9092")], "").cluster, remote);
        // Not even settings of ours about the broker inside bring it back.
        let found = errors(&["--broker-listen=127.0.0.1:1"], &[(name, "kafka:9092")], "");
        assert!(found[0].starts_with("broker-listen: has no effect with bootstrap-servers"), "{found:?}");
        for wrong in ["kafka", "PLAIN://kafka:9092", "SASL_SSL://kafka:9093", "SSL://kafka:9092,PLAINTEXT://kafka:9093"]
        {
            assert_ne!(errors(&[], &[(name, wrong)], ""), Vec::<String>::new(), "{wrong}");
        }
    }
    for (name, value) in [
        ("KAFKA_REST_LISTENERS", "http://0.0.0.0:8082"),
        ("KAFKA_REST_BOOTSTRAP_SERVER", "kafka:9092"),
        ("KAFKA_REST_PROXY_BOOTSTRAP_SERVERS", "kafka:9092"),
        ("KAFKA_REST_ZOOKEEPER_CONNECT", "zookeeper:2181"),
        ("KAFKA_REST_SCHEMA_REGISTRY_URL", "http://registry:8081"),
        ("KAFKA_REST_HOST_NAME", "rest"),
        ("KAFKA_REST_CLIENT_SASL_JAAS_CONFIG", "x"),
        ("SCHEMA_REGISTRY_KAFKASTORE_CONNECTION_URL", "zookeeper:2181"),
        ("SCHEMA_REGISTRY_HOST_NAME", "registry"),
    ] {
        let found = errors(&[], &[(name, value)], "");
        let says = |error: &String| error.starts_with(&format!("{name}: asks for Confluent's"));
        assert!(found.iter().any(says), "{name}: {found:?}");
        // A cluster named in our own way is a cluster.
        let own = with(&["--bootstrap-servers=kafka:9092"], &[(name, value)], "");
        assert!(matches!(own, Ok(Command::Run(config)) if config.cluster == remote), "{name}");
    }
    let found = errors(&["--kafka-rest-properties", "postern.toml"], &[], "# nothing\n");
    assert!(
        found[0].starts_with("kafka-rest-properties: asks for Confluent's REST Proxy, but no cluster"),
        "{found:?}"
    );
}

#[test]
fn names_that_only_stand_around_do_not_ask_for_their_servers() {
    for (name, value) in [
        ("SCHEMA_REGISTRY_URL", "http://registry:8081"),
        ("KAFKA_REST_URL", "http://rest:8082"),
        ("SCHEMA_REGISTRY_PORT", "tcp://10.0.0.1:8081"),
        ("SCHEMA_REGISTRY_SERVICE_HOST", "10.0.0.1"),
        ("KAFKA_REST_PORT_8082_TCP_ADDR", "10.0.0.1"),
        ("SCHEMA_REGISTRY_REMOTE_SERVICE_PORT_HTTP", "80"),
        ("KAFKA_REST_HEAP_OPTS", "-Xmx1G"),
        ("KAFKA_REST_BOOTSTRAP_SERVERS", ""),
        ("SCHEMA_REGISTRY_SOMETHING_ELSE_ENTIRELY", "canary"),
    ] {
        let config = config(&[], &[(name, value)], "");
        assert_eq!((config.cluster, config.rest_listen), (embedded(), vec![http("127.0.0.1:8082")]), "{name}");
        assert!(config.notes.iter().all(|note| !note.text.contains("canary")), "{:?}", config.notes);
    }
}

#[test]
fn their_servers_listen_as_they_did_and_alone() {
    let rest = config(&[], &[("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1")], "");
    assert_eq!((rest.rest_listen, rest.registry_listen), (vec![http("0.0.0.0:8082")], Vec::new()));
    let registry = config(&[], &[("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "a:1")], "");
    assert_eq!((registry.rest_listen, registry.registry_listen), (Vec::new(), vec![http("0.0.0.0:8081")]));
    let names = [("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1"), ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "a:1")];
    let both = config(&[], &names, "");
    assert_eq!((both.rest_listen[0].address.port(), both.registry_listen[0].address.port()), (8082, 8081));
    let own = config(&["--registry-listen=127.0.0.1:5"], &names[..1], "");
    assert_eq!(own.registry_listen, [http("127.0.0.1:5")]);
    let url = [names[0], ("KAFKA_REST_SCHEMA_REGISTRY_URL", "http://a:1"), ("KAFKA_REST_LISTENERS", "http://[::]:5")];
    let remote = config(&[], &url, "");
    assert!(matches!(remote.schemas, SchemasChoice::Remote { .. }));
    assert_eq!(remote.rest_listen, [http("[::]:5")]);
    let two = [names[0], ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "b:1")];
    let two = config(&[], &two, "");
    assert_eq!(two.cluster, ClusterChoice::Remote { bootstrap_servers: "a:1".to_owned() });
    let registry = RegistryKafka { bootstrap_servers: "b:1".to_owned(), security: Security::default() };
    assert_eq!(two.registry_kafka, Some(registry));
}

#[test]
fn listeners_that_would_be_less_protected_or_cannot_be_are_refused() {
    for wrong in ["INTERNAL://0.0.0.0:8082", "http://localhost", "0.0.0.0:8082", "http://a.invalid:1"] {
        let found = errors(
            &[],
            &[("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1"), ("KAFKA_REST_LISTENERS", wrong.to_owned().leak())],
            "",
        );
        assert!(found[0].starts_with("KAFKA_REST_LISTENERS: found "), "{found:?}");
    }
}

#[test]
fn their_https_is_ours() {
    let cluster = ("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1");
    let listeners = ("KAFKA_REST_LISTENERS", "https://127.0.0.1:7,http://127.0.0.1:8");
    let found = errors(&[], &[cluster, listeners], "");
    assert!(found[0].starts_with("tls-keystore: nothing found, but rest-listen is https://127.0.0.1:7"), "{found:?}");
    let variables = [
        cluster,
        listeners,
        ("KAFKA_REST_SSL_KEYSTORE_LOCATION", "/k.jks"),
        ("KAFKA_REST_SSL_KEYSTORE_PASSWORD", "canary "),
        ("KAFKA_REST_SSL_KEY_PASSWORD", "canary"),
        ("KAFKA_REST_SSL_CLIENT_AUTHENTICATION", "REQUIRED"),
        ("KAFKA_REST_SSL_TRUSTSTORE_LOCATION", "/t.jks"),
        ("KAFKA_REST_SSL_TRUSTSTORE_PASSWORD", "canary"),
        ("KAFKA_REST_SSL_ENABLED_PROTOCOLS", "TLSv1,TLSv1.2"),
        // The registry's own are not the REST proxy's.
        ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "a:1"),
        ("SCHEMA_REGISTRY_LISTENERS", "https://127.0.0.1:9"),
        ("SCHEMA_REGISTRY_SSL_KEYSTORE_LOCATION", "/r.p12"),
        ("SCHEMA_REGISTRY_SSL_CLIENT_AUTH", "false"),
    ];
    let found = config(&[], &variables, "");
    let https = found.https.expect("set");
    assert_eq!((https.key.store, https.key.password), (content("/k.jks"), Some(Content::inline("canary "))));
    assert_eq!(https.versions, [TlsVersion::V1_2]);
    let password = Some(Content::inline("canary"));
    assert_eq!(https.clients, Clients::Required(TrustStore { store: content("/t.jks"), password }));
    let registry = found.registry_https.expect("set");
    assert_eq!((registry.key.store, registry.clients), (content("/r.p12"), Clients::NotAsked));
    assert!(found.notes.iter().all(|note| !note.text.contains("canary")), "{:?}", found.notes);

    // What had no effect there has none here, and is told.
    let plain = config(&[], &[cluster, ("KAFKA_REST_SSL_TRUSTSTORE_LOCATION", "/t.jks")], "");
    let told = "the variable KAFKA_REST_SSL_TRUSTSTORE_LOCATION has no effect without a listener of https://";
    assert!(plain.https.is_none() && plain.notes.iter().any(|note| note.is_warning && note.text == told));
}

fn content(path: &str) -> Content {
    Content::File(path.into())
}

#[test]
fn a_properties_file_means_what_it_meant() {
    let file = "# of the image\nbootstrap.servers = PLAINTEXT://a:1,\\\n   b:2\nlisteners=http://127.0.0.1:7\n\
                schema.registry.url=\nproducer.delivery.timeout.ms=5000\nclient.delivery.timeout.ms=9000\n";
    let arguments = |program: &str, arguments: &[&str]| {
        as_called(program, arguments.iter().map(|argument| (*argument).to_owned()).collect()).expect("they start it")
    };
    for arguments in [
        arguments("/usr/bin/kafka-rest-start", &["postern.toml"]),
        arguments("postern", &["kafka-rest-start", "postern.toml"]),
        arguments("postern", &["--kafka-rest-properties=postern.toml"]),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let config = config(&arguments, &[], file);
        assert_eq!(config.cluster, ClusterChoice::Remote { bootstrap_servers: "a:1,b:2".to_owned() });
        assert_eq!(config.rest_listen, [http("127.0.0.1:7")]);
        assert!(matches!(config.schemas, SchemasChoice::Own { .. }));
        // The setting of the producer wins over that of all clients.
        assert_eq!(config.client.delivery_timeout, Duration::from_secs(5));
        // Variables win over the file, as they are written over it in the images.
        let variables = [("KAFKA_REST_LISTENERS", "http://127.0.0.1:8")];
        let config = super::config(&arguments, &variables, file);
        assert_eq!(config.rest_listen, [http("127.0.0.1:8")]);
    }
    assert_eq!(arguments("/usr/bin/postern", &["/etc/confluent/docker/run"]), Vec::<String>::new());
    let registry = arguments("schema-registry-start", &["postern.toml"]);
    let registry: Vec<&str> = registry.iter().map(String::as_str).collect();
    let config =
        config(&registry, &[], "kafkastore.bootstrap.servers=a:1\nkafkastore.topic=t\nschema.compatibility.level=full");
    assert!(
        matches!(config.schemas, SchemasChoice::Own { topic: t, level: CompatibilityLevel::Full, .. } if t == topic("t"))
    );
    assert!(errors(&["--kafka-rest-properties=postern.toml"], &[], "a=\\u12")[0].contains("line 1"));
    assert!(errors(&["--kafka-rest-properties=gone"], &[], "")[0].contains("cannot be read"));
    assert!(
        printed(&["--help"])
            == super::printed(
                &arguments("kafka-rest-start", &["--help"]).iter().map(String::as_str).collect::<Vec<_>>()
            )
    );
}

#[test]
fn values_of_variables_are_read_as_the_images_read_them() {
    let cluster = ("KAFKA_REST_BOOTSTRAP_SERVERS", " a:1\nlisteners=http://127.0.0.1:7");
    let config = config(&[], &[cluster], "");
    assert_eq!(config.cluster, ClusterChoice::Remote { bootstrap_servers: "a:1".to_owned() });
    assert_eq!(config.rest_listen, [http("127.0.0.1:7")]);
    let found = errors(&[], &[("KAFKA_REST_A____B", "x"), ("KAFKA_REST_HOST_NAME", "\\user")], "");
    assert!(found[0].starts_with("KAFKA_REST_A____B: four underscores"), "{found:?}");
    assert!(found[1].starts_with("KAFKA_REST_HOST_NAME: \\u without"), "{found:?}");
    assert_eq!(variable(Family::Rest, "a.b_c-d"), "KAFKA_REST_A_B__C___D");
}

#[test]
fn names_without_effect_are_told_once_with_what_was_meant() {
    let variables = [("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1"), ("KAFKA_REST_CLIENT_SECURITY_PROTOCL", "canary")];
    let config = config(&["--rest-listen=127.0.0.1:1"], &variables, "");
    let warnings: Vec<&str> =
        config.notes.iter().filter(|note| note.is_warning).map(|note| note.text.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "KAFKA_REST_CLIENT_SECURITY_PROTOCL has no effect: it is not known; perhaps KAFKA_REST_CLIENT_SECURITY_PROTOCOL was meant"
        ]
    );
}

#[test]
fn secrets_of_theirs_are_not_told() {
    let names = [
        ("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1"),
        ("KAFKA_REST_SCHEMA_REGISTRY_URL", "canary:canary@"),
        ("KAFKA_REST_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "canary"),
        ("KAFKA_REST_CLIENT_SASL_JAAS_CONFIG", "canary"),
        ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_REST_CLIENT_SSL_TRUSTSTORE_PASSWORD", "canary"),
        ("SCHEMA_REGISTRY_METADATA_ENCODER_SECRET", "canary"),
    ];
    let found = errors(&[], &names, "");
    assert!(found.len() >= 3 && found.iter().all(|error| !error.contains("canary")), "{found:?}");
}

/// What the REST Proxy's client settings ask for; `rest` comes after `KAFKA_REST_CLIENT_`.
fn secured(settings: &[(&str, &'static str)]) -> Result<(Security, Vec<Note>), Vec<String>> {
    let mut variables = vec![("KAFKA_REST_BOOTSTRAP_SERVERS", "a:1"), ("POSTERN_REST_LISTEN", "127.0.0.1:1")];
    variables.extend(settings.iter().map(|(name, value)| (&*format!("KAFKA_REST_{name}").leak(), *value)));
    match with(&[], &variables, "") {
        Ok(Command::Run(config)) => Ok((config.security, config.notes)),
        Ok(other) => panic!("{other:?}"),
        Err(_) => Err(errors(&[], &variables, "")),
    }
}

const SCRAM: &str =
    "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"canary\";";

#[test]
fn connections_to_kafka_are_secured_as_they_were() {
    let (security, notes) = secured(&[
        ("CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
        ("CLIENT_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("CLIENT_SASL_JAAS_CONFIG", SCRAM),
        ("CLIENT_SSL_TRUSTSTORE_LOCATION", "/trust.jks"),
        ("CLIENT_SSL_TRUSTSTORE_PASSWORD", "canary"),
        ("CLIENT_SSL_KEYSTORE_LOCATION", "/key.p12"),
        ("CLIENT_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", ""),
    ])
    .expect("it can be used");
    let password = || Content::inline("canary");
    let trust = TrustStore { store: Content::File("/trust.jks".into()), password: Some(password()) };
    let key = KeyStore { store: Content::File("/key.p12".into()), key: None, password: None, key_password: None };
    let sasl = Sasl::Scram { hash: ScramHash::Sha512, user: "u".to_owned(), password: password() };
    let tls = Tls { trust: Some(trust), key: Some(key), verify_host_name: false };
    assert_eq!(security, Security { tls: Some(tls), sasl: Some(sasl) });
    assert!(notes.iter().any(|note| note.text == "the settings of the REST proxy ask for SASL_SSL with SCRAM-SHA-512 towards Kafka"));
    assert!(notes.iter().any(|note| note.is_warning && note.text.contains("ALGORITHM is empty")), "{notes:?}");

    let plain = "PlainLoginModule required username=u password=p;";
    let plain = [
        ("CLIENT_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("CLIENT_SASL_MECHANISM", "PLAIN"),
        ("CLIENT_SASL_JAAS_CONFIG", plain),
    ];
    let (security, notes) = secured(&plain).expect("it can be used");
    assert_eq!((security.protocol(), security.sasl.map(|sasl| sasl.mechanism())), ("SASL_PLAINTEXT", Some("PLAIN")));
    assert!(notes.iter().any(|note| note.is_warning && note.text.contains("in clear")), "{notes:?}");

    let (security, _) = secured(&[
        ("CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
        ("CLIENT_SASL_MECHANISM", "OAUTHBEARER"),
        ("CLIENT_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", "https://a/token"),
        ("CLIENT_SASL_JAAS_CONFIG", "OAuthBearerLoginModule required clientId=c clientSecret=s scope=x extension_a=b;"),
    ])
    .expect("it can be used");
    let Some(Sasl::OAuthBearer { token: TokenSource::ClientCredentials(client), extensions }) = security.sasl else {
        panic!("another mechanism")
    };
    assert_eq!((client.client_id.as_str(), client.scope.as_deref()), ("c", Some("x")));
    assert_eq!(extensions, [("a".to_owned(), "b".to_owned())]);

    // The protocol may stand in front of the servers only.
    let prefix =
        config(&[], &[("KAFKA_REST_BOOTSTRAP_SERVERS", "SSL://a:1"), ("POSTERN_REST_LISTEN", "127.0.0.1:1")], "");
    assert_eq!(prefix.security.protocol(), "SSL");
    assert!(prefix.notes.iter().any(|note| note.is_warning && note.text.contains("SSL is used")), "{:?}", prefix.notes);
}

#[test]
fn what_cannot_be_secured_as_asked_is_not_done_with_less() {
    let sasl = [("CLIENT_SECURITY_PROTOCOL", "SASL_SSL"), ("CLIENT_SASL_MECHANISM", "SCRAM-SHA-256")];
    let with_sasl = |more: &[(&'static str, &'static str)]| [&sasl[..], more].concat();
    for (settings, says) in [
        (vec![("CLIENT_SECURITY_PROTOCOL", "SASL_SLL")], "expected PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        (vec![sasl[0], ("CLIENT_SASL_JAAS_CONFIG", SCRAM)], "GSSAPI"),
        (with_sasl(&[]), "sasl.jaas.config: is not set"),
        (with_sasl(&[("CLIENT_SASL_JAAS_CONFIG", "ScramLoginModule required password=can/ary;")]), "quotes around"),
        (
            with_sasl(&[("CLIENT_SASL_JAAS_CONFIG", "PlainLoginModule required username=u password=canary;")]),
            "expected ScramLoginModule",
        ),
        (
            with_sasl(&[("CLIENT_SASL_JAAS_CONFIG", "ScramLoginModule required username=u;")]),
            "expected the option password",
        ),
        (
            with_sasl(&[(
                "CLIENT_SASL_JAAS_CONFIG",
                "ScramLoginModule required tokenauth=true username=u password=canary;",
            )]),
            "delegation tokens",
        ),
        (with_sasl(&[("CLIENT_SASL_JAAS_CONFIG", SCRAM), ("PRODUCER_SASL_JAAS_CONFIG", "canary")]), "differs from"),
        (
            vec![("CLIENT_SECURITY_PROTOCOL", "SSL"), ("CLIENT_SSL_ENABLED_PROTOCOLS", "TLSv1,TLSv1.1")],
            "expected TLSv1.2",
        ),
        (
            vec![("CLIENT_SECURITY_PROTOCOL", "SSL"), ("CLIENT_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "http")],
            "expected https",
        ),
    ] {
        let found = secured(&settings).expect_err(says);
        assert!(found.iter().any(|error| error.contains(says)), "{says}: {found:?}");
        assert!(found.iter().all(|error| !error.contains("canary") && !error.contains("can/ary")), "{found:?}");
    }
}

#[test]
fn the_two_servers_may_reach_kafka_in_two_ways() {
    let both = config(
        &["--rest-listen=127.0.0.1:1", "--registry-listen=127.0.0.1:2"],
        &[
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "SASL_PLAINTEXT://a:1"),
            ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_REST_CLIENT_SASL_MECHANISM", "SCRAM-SHA-512"),
            ("KAFKA_REST_CLIENT_SASL_JAAS_CONFIG", SCRAM),
            ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "SSL://a:2"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SECURITY_PROTOCOL", "SSL"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SSL_KEYSTORE_LOCATION", "/key.jks"),
        ],
        "",
    );
    assert_eq!(both.security.protocol(), "SASL_PLAINTEXT");
    let registry = both.registry_kafka.expect("a connection of its own");
    assert_eq!((registry.bootstrap_servers.as_str(), registry.security.protocol()), ("a:2", "SSL"));
}

/// Who the server is for Kafka may stand in a JAAS file that an option of the virtual machine names, as Kafka's clients read it.
#[test]
fn the_login_at_kafka_may_stand_in_a_jaas_file() {
    const JAAS: &str = "KafkaRest { org.eclipse.jetty.jaas.spi.PropertyFileLoginModule required file=\"/u\"; };\n\
                        KafkaClient {\n  org.apache.kafka.common.security.scram.ScramLoginModule required\n  username=\"ana\" password=\"canary\";\n};\n";
    let with = |variables: &[(&'static str, &'static str)], jaas: Option<&'static str>| {
        let files = jaas.map(|jaas| ("/jaas.conf", jaas)).into_iter().collect();
        match read(&[], &Map { variables: variables.iter().copied().collect(), files }) {
            Ok(Command::Run(config)) => Ok(config),
            Ok(other) => panic!("{other:?}"),
            Err(errors) => Err(errors.to_string()),
        }
    };
    const OPTION: &str = "-Xmx1g -Djava.security.auth.login.config=/jaas.conf";
    let rest = [
        ("KAFKA_REST_BOOTSTRAP_SERVERS", "SASL_SSL://kafka:9092"),
        ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_REST_CLIENT_SASL_MECHANISM", "SCRAM-SHA-256"),
        ("KAFKAREST_OPTS", OPTION),
    ];
    let registry = [
        ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "SASL_SSL://kafka:9092"),
        ("SCHEMA_REGISTRY_KAFKASTORE_SASL_MECHANISM", "SCRAM-SHA-256"),
        ("KAFKA_OPTS", OPTION),
    ];
    for variables in [&rest[..], &registry] {
        let config = with(variables, Some(JAAS)).expect("it starts");
        let Some(postern_kafka::Sasl::Scram { user, password, .. }) = config.security.sasl else {
            panic!("another login")
        };
        assert_eq!((user.as_str(), password), ("ana", Content::inline("canary")));
    }
    for (jaas, expected) in [
        (None, "KAFKAREST_OPTS: the JAAS file /jaas.conf cannot be read"),
        (Some("KafkaRest { a.B required; };"), "sasl.jaas.config: is not set, and SCRAM-SHA-256 needs it"),
        (
            Some("KafkaClient { com.sun.security.auth.module.Krb5LoginModule required keyTab=\"canary\"; };"),
            "KAFKAREST_OPTS, /jaas.conf, KafkaClient: its login module is Krb5LoginModule: expected ScramLoginModule",
        ),
    ] {
        let refused = with(&rest, jaas).expect_err(expected);
        assert!(refused.contains(expected) && !refused.contains("canary"), "{refused}");
    }
}
