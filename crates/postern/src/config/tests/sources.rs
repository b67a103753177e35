//! Where settings come from: arguments, variables, the file, and which of them counts.

use super::*;

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
fn a_switch_can_be_taken_back_by_a_stronger_source() {
    let config = config(
        &["--config", "postern.toml", "--broker-strict-replication=false"],
        &[],
        "broker-strict-replication = true",
    );
    assert_eq!(config.cluster, embedded());
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
