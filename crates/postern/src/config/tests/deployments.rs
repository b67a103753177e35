//! Environments in which containers of cp-kafka-rest and cp-schema-registry are started by charts and compose files, written anew here: with another
//! image they have to start what they started, on the same cluster.

use super::*;
use postern_kafka::Sasl;

/// What an environment starts.
struct Started {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    bootstrap: &'static str,
    /// Where the REST proxy and the registry listen.
    listen: (&'static [&'static str], &'static [&'static str]),
    /// The registry elsewhere that is used.
    registry: Option<&'static str>,
    protocol: &'static str,
    user: Option<&'static str>,
}

const DEPLOYMENTS: [Started; 7] = [
    Started {
        name: "REST proxy of an observatory, by its chart",
        variables: &[
            ("KAFKA_REST_HOST_NAME", "10.1.2.3"),
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "SASL_PLAINTEXT://kafka-bootstrap.sasquatch:9092"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", "http://schema-registry.sasquatch:8081"),
            ("KAFKA_REST_HEAP_OPTS", "-Xms512M -Xmx512M"),
            ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_REST_CLIENT_SASL_MECHANISM", "SCRAM-SHA-512"),
            (
                "KAFKA_REST_CLIENT_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"rest\" password=\"p=w;d\";",
            ),
            ("KAFKA_REST_PORT", "tcp://10.0.0.7:8082"),
            ("KAFKA_REST_PORT_8082_TCP", "tcp://10.0.0.7:8082"),
            ("KAFKA_REST_SERVICE_HOST", "10.0.0.7"),
            ("SCHEMA_REGISTRY_PORT_8081_TCP_ADDR", "10.0.0.8"),
            ("SCHEMA_REGISTRY_SERVICE_PORT", "8081"),
        ],
        bootstrap: "kafka-bootstrap.sasquatch:9092",
        listen: (&["0.0.0.0:8082"], &[]),
        registry: Some("http://schema-registry.sasquatch:8081"),
        protocol: "SASL_PLAINTEXT",
        user: Some("rest"),
    },
    Started {
        name: "its registry, by an operator",
        variables: &[
            ("SCHEMA_REGISTRY_HOST_NAME", "10.1.2.4"),
            ("SCHEMA_REGISTRY_LISTENERS", "http://0.0.0.0:8081"),
            ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "SSL://kafka-bootstrap:9093"),
            ("SCHEMA_REGISTRY_KAFKASTORE_TOPIC", "registry-schemas"),
            ("SCHEMA_REGISTRY_SCHEMA_COMPATIBILITY_LEVEL", "none"),
            ("SCHEMA_REGISTRY_MASTER_ELIGIBILITY", "true"),
            ("SCHEMA_REGISTRY_HEAP_OPTS", "-Xms512M -Xmx512M"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SECURITY_PROTOCOL", "SSL"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SSL_KEYSTORE_LOCATION", "/var/schemaregistry/keystore.jks"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SSL_KEYSTORE_PASSWORD", "one"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SSL_TRUSTSTORE_LOCATION", "/var/schemaregistry/truststore.jks"),
            ("SCHEMA_REGISTRY_KAFKASTORE_SSL_TRUSTSTORE_PASSWORD", "two"),
        ],
        bootstrap: "kafka-bootstrap:9093",
        listen: (&[], &["0.0.0.0:8081"]),
        registry: None,
        protocol: "SSL",
        user: None,
    },
    Started {
        name: "REST proxy of a compose file for trying things out",
        variables: &[
            ("KAFKA_REST_HOST_NAME", "rest-proxy"),
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "broker:29092"),
            ("KAFKA_REST_LISTENERS", "http://0.0.0.0:8082"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", "http://schema-registry:8081"),
        ],
        bootstrap: "broker:29092",
        listen: (&["0.0.0.0:8082"], &[]),
        registry: Some("http://schema-registry:8081"),
        protocol: "PLAINTEXT",
        user: None,
    },
    Started {
        name: "registry of the same",
        variables: &[
            ("SCHEMA_REGISTRY_HOST_NAME", "schema-registry"),
            ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "broker:29092"),
            ("SCHEMA_REGISTRY_LISTENERS", "http://0.0.0.0:8081"),
            ("SCHEMA_REGISTRY_DEBUG", "true"),
        ],
        bootstrap: "broker:29092",
        listen: (&[], &["0.0.0.0:8081"]),
        registry: None,
        protocol: "PLAINTEXT",
        user: None,
    },
    Started {
        name: "REST proxy of a widespread chart, with ZooKeeper and JMX",
        variables: &[
            ("KAFKA_REST_HOST_NAME", "10.1.2.5"),
            ("KAFKA_REST_ZOOKEEPER_CONNECT", "zookeeper:2181"),
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "PLAINTEXT://kafka-headless:9092"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", "http://schema-registry:8081"),
            ("KAFKAREST_HEAP_OPTS", "-Xms512M -Xmx512M"),
            ("KAFKA_REST_JMX_PORT", "5555"),
        ],
        bootstrap: "kafka-headless:9092",
        listen: (&["0.0.0.0:8082"], &[]),
        registry: Some("http://schema-registry:8081"),
        protocol: "PLAINTEXT",
        user: None,
    },
    Started {
        name: "REST proxy before a cluster in a cloud",
        variables: &[
            ("KAFKA_REST_HOST_NAME", "rest-proxy"),
            ("KAFKA_REST_LISTENERS", "http://0.0.0.0:8082"),
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "pkc-1.cloud:9092"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", "https://psrc-1.cloud"),
            ("KAFKA_REST_SCHEMA_REGISTRY_BASIC_AUTH_CREDENTIALS_SOURCE", "USER_INFO"),
            ("KAFKA_REST_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "key:secret"),
            ("KAFKA_REST_CLIENT_BOOTSTRAP_SERVERS", "pkc-1.cloud:9092"),
            ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_REST_CLIENT_SASL_MECHANISM", "PLAIN"),
            ("KAFKA_REST_CLIENT_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "https"),
            (
                "KAFKA_REST_CLIENT_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"key\" password=\"secret\";",
            ),
            ("KAFKA_REST_CLIENT_REQUEST_TIMEOUT_MS", "20000"),
            ("KAFKA_REST_CLIENT_RETRY_BACKOFF_MS", "500"),
        ],
        bootstrap: "pkc-1.cloud:9092",
        listen: (&["0.0.0.0:8082"], &[]),
        registry: Some("https://psrc-1.cloud"),
        protocol: "SASL_SSL",
        user: Some("key"),
    },
    Started {
        name: "REST proxy before a cluster in a cloud, as the compose file of the images has it",
        variables: &[
            ("KAFKA_REST_HOST_NAME", "rest-proxy"),
            ("KAFKA_REST_LISTENERS", "http://0.0.0.0:8082"),
            ("KAFKA_REST_BOOTSTRAP_SERVERS", "pkc-1.cloud:9092"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", "https://psrc-1.cloud"),
            ("KAFKA_REST_CLIENT_BASIC_AUTH_CREDENTIALS_SOURCE", "USER_INFO"),
            ("KAFKA_REST_CLIENT_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "key:secret"),
            ("KAFKA_REST_CLIENT_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_REST_CLIENT_SASL_MECHANISM", "PLAIN"),
            (
                "KAFKA_REST_CLIENT_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.plain.PlainLoginModule required username='key' password='secret';",
            ),
        ],
        bootstrap: "pkc-1.cloud:9092",
        listen: (&["0.0.0.0:8082"], &[]),
        registry: Some("https://psrc-1.cloud"),
        protocol: "SASL_SSL",
        user: Some("key"),
    },
];

#[test]
fn environments_of_the_images_start_what_they_started() {
    for Started { name, variables, bootstrap, listen, registry, protocol, user } in DEPLOYMENTS {
        let config = config(&[], variables, "");
        assert_eq!(config.cluster, ClusterChoice::Remote { bootstrap_servers: bootstrap.to_owned() }, "{name}");
        let plain = |text: &&str| HttpAddress { address: address(text), is_tls: false };
        let addresses = |list: &[&str]| list.iter().map(plain).collect::<Vec<_>>();
        assert_eq!((config.rest_listen, config.registry_listen), (addresses(listen.0), addresses(listen.1)), "{name}");
        let urls = match config.schemas {
            SchemasChoice::Remote { urls, .. } => Some(urls),
            SchemasChoice::Own { .. } => None,
        };
        assert_eq!(urls, registry.map(|url| vec![RegistryUrl::parse(url).expect("a URL")]), "{name}");
        assert_eq!(config.security.protocol(), protocol, "{name}");
        let found = match config.security.sasl {
            Some(Sasl::Plain { user, .. } | Sasl::Scram { user, .. }) => Some(user),
            Some(_) | None => None,
        };
        assert_eq!(found.as_deref(), user, "{name}");
        // Nothing is told of secrets, and service links are not worth a warning of their own each.
        assert!(
            config.notes.iter().all(|note| !note.text.contains("p=w;d") && !note.text.contains("secret\"")),
            "{name}"
        );
    }
}
