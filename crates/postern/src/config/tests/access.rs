//! Who may come in: what the settings ask for, and what is refused.

use postern_access::Roles;
use postern_http::front::ProxyHeaders;
use postern_kafka::Mechanism;

use super::*;

const HASH: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

fn read_with(
    arguments: &[&str],
    variables: &[(&'static str, &'static str)],
    files: &[(&'static str, &'static str)],
) -> Result<Config, String> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let env = Map { variables: variables.iter().copied().collect(), files: files.iter().copied().collect() };
    match read(&arguments, &env) {
        Ok(Command::Run(config)) => Ok(*config),
        Ok(other) => panic!("expected a configuration, found {other:?}"),
        Err(errors) => Err(errors.to_string()),
    }
}

#[test]
fn a_way_needs_its_settings_and_no_others() {
    for (arguments, expected) in [
        (&["--authentication=everybody"][..], "expected nobody, basic"),
        (&["--authentication=basic"], "basic-users: expected it or basic-properties, found neither"),
        (&["--authentication=basic", "--basic-users=absent"], "basic-users: the file \"absent\" cannot be read"),
        (&["--authentication=basic", "--basic-users=weak"], "line 1: user \"ana\""),
        (&["--basic-users=good"], "basic-users: has no effect: expected authentication = basic"),
        (&["--authentication=bearer"], "bearer-audience: not set"),
        (
            &[
                "--authentication=bearer",
                "--bearer-issuer=i",
                "--bearer-audience=a",
                "--bearer-keys=http://issuer/keys",
            ],
            "an https URL",
        ),
        (
            &["--authentication=bearer", "--bearer-issuer=i", "--bearer-audience=a", "--bearer-keys=weak"],
            "bearer-keys: weak: expected a JSON Web Key Set",
        ),
        (&["--authentication=gateway"], "anybody could claim any name"),
        (&["--authentication=gateway", "--gateway-secret=weak"], "at least 16 characters"),
    ] {
        let refused = read_with(arguments, &[], &[("weak", "ana:canary"), ("good", HASH)]);
        let refused = refused.expect_err("should not start");
        assert!(refused.contains(expected), "{arguments:?}: {refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }
}

/// Whoever asks for certificates and has no listener that does would refuse everybody.
#[test]
fn certificates_of_callers_need_a_listener_that_asks_for_them() {
    let way = "--authentication=certificate";
    let https = ["--rest-listen=https://127.0.0.1:1", "--tls-keystore=/c.pem"];
    let asking = ["--tls-client-authentication=requested", "--tls-truststore=/ca.pem"];
    let registry = "--registry-listen=https://127.0.0.1:2";
    for (arguments, expected) in [
        (
            vec![way],
            "authentication: certificate (from the argument --authentication), but at rest-listen http://127.0.0.1:8082",
        ),
        ([&[way, registry], &https[..]].concat(), "but at rest-listen https://127.0.0.1:1 no client is asked"),
        ([&[way], &https[..], &asking].concat(), "but at registry-listen http://127.0.0.1:8081 no client is asked"),
    ] {
        let refused = read_with(&arguments, &[], &[]).expect_err("nobody would be recognized");
        assert!(refused.contains(expected), "{refused}");
    }
    for registry in [registry, "--registry-listen=off"] {
        let arguments = [&[way, registry], &https[..], &asking].concat();
        assert!(read_with(&arguments, &[], &[]).is_ok(), "{registry}");
    }
}

/// A `*` in a rule never means what this program keeps for itself.
#[test]
fn rules_have_to_name_the_topics_of_the_registry_and_of_replicas() {
    let own_topics = |arguments: &[&str]| {
        let files = [("secret", "0123456789abcdef")];
        read_with(arguments, &[], &files).expect("it starts").access.own_topics
    };
    assert_eq!(own_topics(&["--registry-topic=s"]), ["s"]);
    let replicas = ["--replica-listen=127.0.0.1:5", "--replica-secret=secret", "--replica-topic=r"];
    assert_eq!(own_topics(&replicas), ["_schemas", "r"]);
}

#[test]
fn a_network_of_everybody_is_warned_of_and_headers_of_proxies_are_of_one_kind() {
    let found = config(&["--trusted-proxies=10.0.0.0/8,::/0", "--proxy-protocol=0.0.0.0/0"], &[], "");
    let warnings: Vec<&str> = found.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(warnings.iter().any(|text| text.starts_with("trusted-proxies: ::/0 is everybody")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.starts_with("proxy-protocol: 0.0.0.0/0 is everybody")), "{warnings:?}");
    let found = config(&["--trusted-proxies=10.0.0.0/8", "--proxy-headers=forwarded"], &[], "");
    assert_eq!((found.front.proxy_headers, found.notes), (ProxyHeaders::Forwarded, Vec::new()));
    let found = errors(&["--proxy-headers=both"], &[], "");
    assert!(found[0].ends_with("expected x-forwarded or forwarded"), "{found:?}");
}

#[test]
fn rules_are_tried_with_the_configuration() {
    let good = "[[rule]]\nwho = [\"*\"]\ntopics = [\"own.*\"]\nmay = [\"produce\"]";
    let arguments = ["--access=rules", "--authentication=basic", "--basic-users=users"];
    let users = ("users", "ana:$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe");
    let config = read_with(&arguments, &[], &[("rules", good), users]).expect("it starts");
    assert_eq!(config.access.files(), ["users", "rules"]);
    for (rules, expected) in [
        ("", "access: rules: there is no rule"),
        ("[[rule]]\nwho = [\"*\"]\nmay = [\"fly\"]", "found \"fly\""),
        (
            "[[expect]]\nwho = \"a\"\nallowed = { produce = \"t\" }\n[[rule]]\nwho = [\"b\"]\nmay = [\"acls\"]",
            "expect 1",
        ),
    ] {
        let refused = read_with(&arguments, &[], &[("rules", rules), users]).expect_err("should not start");
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn the_realm_of_the_originals_is_followed() {
    let variables = [
        ("KAFKA_REST_BOOTSTRAP_SERVERS", "kafka:9092"),
        ("KAFKA_REST_AUTHENTICATION_METHOD", "BASIC"),
        ("KAFKA_REST_AUTHENTICATION_REALM", "KafkaRest"),
        ("KAFKA_REST_AUTHENTICATION_ROLES", "admin,user"),
        ("KAFKAREST_OPTS", "-Xmx1g -Djava.security.auth.login.config=/etc/jaas.conf"),
    ];
    let jaas = "KafkaRest {\n org.eclipse.jetty.jaas.spi.PropertyFileLoginModule required debug=\"false\" file=\"/etc/users\";\n};";
    let users = "ana: canary-of-ana,admin\n";
    let config = read_with(&[], &variables, &[("/etc/jaas.conf", jaas), ("/etc/users", users)]).expect("it starts");
    let roles = Roles::OneOf(vec!["admin".to_owned(), "user".to_owned()]);
    let users = UsersFile::Properties { path: "/etc/users".to_owned(), roles };
    assert_eq!(config.access.way, Way::Basic { users, realm: "KafkaRest".to_owned() });
    assert_eq!(config.access.files(), ["/etc/users"]);
    let warnings: Vec<_> = config.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(warnings.iter().any(|text| text.contains("in clear")), "{warnings:?}");
    assert!(!format!("{config:?}").contains("canary"));
    assert!(!warnings.iter().any(|text| text.contains("nobody is asked")), "{warnings:?}");
    for (jaas, expected) in [
        ("Other { a.PropertyFileLoginModule required file=\"/etc/users\"; };", "expected a section"),
        ("KafkaRest { com.sun.security.auth.module.LdapLoginModule required; };", "found LdapLoginModule"),
        ("KafkaRest { a.PropertyFileLoginModule required; };", "expected file="),
    ] {
        let refused = read_with(&[], &variables, &[("/etc/jaas.conf", jaas), ("/etc/users", "a: b")]);
        let refused = refused.expect_err("should not start");
        assert!(refused.contains(expected), "{refused}");
    }
    let refused = read_with(&[], &variables[..4], &[]).expect_err("should not start");
    assert!(refused.contains("basic-properties: not set"), "{refused}");
    let bearer = [variables[0], ("KAFKA_REST_AUTHENTICATION_METHOD", "BEARER")];
    assert!(read_with(&[], &bearer, &[]).expect_err("should not start").contains("NONE or BASIC"));
}

#[test]
fn callers_of_kafka_need_a_cluster_that_asks_for_credentials() {
    const WAY: &str = "--authentication=pass-through";
    const SASL: [&str; 5] = [
        "--bootstrap-servers=kafka:9093",
        "--kafka-security-protocol=SASL_SSL",
        "--kafka-sasl-mechanism=SCRAM-SHA-512",
        "--kafka-sasl-username=postern",
        "--kafka-sasl-password=canary",
    ];
    let with =
        |arguments: &[&str]| read_with(arguments, &[], &[("rules", "[[rule]]\nwho=[\"anonymous\"]\nmay=[\"acls\"]")]);
    let sasl = |arguments: &[&str]| with(&[&[WAY], &SASL[..], arguments].concat());
    let Way::PassThrough(chosen) = sasl(&["--pass-through-basic=scram-sha-256"]).expect("it starts").access.way else {
        panic!("another way")
    };
    assert_eq!(chosen.identities.password, Mechanism::parse("SCRAM-SHA-256").ok());
    assert_eq!((chosen.identities.token_name, chosen.bootstrap_servers), (None, None));
    assert_eq!((chosen.identities.identities, chosen.identities.idle), (1000, Duration::from_secs(300)));
    let both = ["--pass-through-basic=PLAIN", "--pass-through-bearer", "--pass-through-name-claim=user"];
    let config = sasl(&[&both[..], &["--pass-through-bootstrap-servers=kafka:9094"]].concat()).expect("it starts");
    let Way::PassThrough(chosen) = config.access.way else { panic!("another way") };
    assert_eq!(chosen.identities.token_name.as_deref(), Some("user"));
    assert_eq!(chosen.bootstrap_servers.as_deref(), Some("kafka:9094"));

    let plain = ["--bootstrap-servers=kafka:9092", "--pass-through-bootstrap-servers=kafka:9094"];
    for (found, expected) in [
        (sasl(&[]), "pass-through-basic: not set: expected it, pass-through-bearer or both"),
        (sasl(&["--pass-through-basic=OAUTHBEARER"]), "tokens are pass-through-bearer"),
        (sasl(&["--pass-through-basic=GSSAPI"]), "expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
        (sasl(&["--pass-through-basic=PLAIN", "--pass-through-name-claim=x"]), "no effect without pass-through-bearer"),
        (sasl(&["--pass-through-basic=PLAIN", "--basic-users=users"]), "basic-users: has no effect"),
        (
            sasl(&["--pass-through-basic=PLAIN", "--replica-listen=127.0.0.1:1", "--replica-secret=rules"]),
            "pass-through excludes replica-listen",
        ),
        (with(&[WAY, "--pass-through-basic=PLAIN"]), "the broker in this process knows no users"),
        (
            with(&[WAY, "--bootstrap-servers=kafka:9092", "--pass-through-basic=SCRAM-SHA-256"]),
            "kafka-security-protocol is PLAINTEXT: expected pass-through-bootstrap-servers",
        ),
        (with(&[&[WAY, "--pass-through-basic=PLAIN"], &plain[..]].concat()), "to Kafka in clear"),
        (with(&[&[WAY, "--pass-through-bearer"], &plain[..]].concat()), "to Kafka in clear"),
        (with(&["--pass-through-insecure"]), "pass-through-insecure: has no effect"),
    ] {
        let refused = found.expect_err(expected);
        assert!(refused.contains(expected) && !refused.contains("canary"), "{expected}: {refused}");
    }
    let in_clear =
        with(&[&[WAY, "--pass-through-basic=PLAIN", "--pass-through-insecure", "--access=rules"], &plain[..]].concat());
    let notes: Vec<_> = in_clear.expect("it starts").notes.into_iter().map(|note| note.text).collect();
    for expected in ["to Kafka in clear", "anonymous is nobody with authentication = pass-through"] {
        assert!(notes.iter().any(|note| note.contains(expected)), "{notes:?}");
    }
}

const IDENTITIES: &str = r#"
[[identity]]
name = "verify"
who = ["claim:lsst-verify"]
sasl-mechanism = "SCRAM-SHA-512"
sasl-username = "v"
sasl-password-file = "password"
[[identity]]
name = "summit"
who = ["bot-summit-*"]
bootstrap-servers = "kafka:9094"
ssl-keystore = "/summit.p12"
ssl-keystore-password-file = "password"
[[identity]]
name = "others"
who = ["*"]
as-server = true
"#;

#[test]
fn callers_may_have_one_of_a_few_logins_at_kafka() {
    const BASE: [&str; 7] = [
        "--kafka-identities=identities",
        "--bootstrap-servers=kafka:9093",
        "--kafka-security-protocol=SASL_SSL",
        "--kafka-sasl-mechanism=PLAIN",
        "--kafka-sasl-username=postern",
        "--kafka-sasl-password=canary",
        "--kafka-ssl-truststore=/trust.p12",
    ];
    let with = |arguments: &[&str], file: &'static str| {
        read_with(arguments, &[], &[("identities", file), ("password", "canary"), ("empty", "\n"), ("good", HASH)])
    };
    let config = with(&BASE, IDENTITIES).expect("it starts");
    let notes: Vec<&str> = config.notes.iter().map(|note| note.text.as_str()).collect();
    for expected in [
        "kafka-identities: identity verify: user v (SCRAM-SHA-512)",
        "kafka-identities: identity summit: the certificate in /summit.p12",
        "kafka-identities: identity others: this server's own login",
    ] {
        assert!(notes.contains(&expected), "{notes:?}");
    }
    assert_eq!(config.access.files(), ["identities"]);
    let text = |path: &str| Ok(if path == "identities" { IDENTITIES.to_owned() } else { "canary".to_owned() });
    let Ok(built) = config.access.build(&text, &postern_http::TokenKeys::default(), None) else { panic!("refused") };
    let logins = built.identities.expect("they are configured").logins;
    let [Some(verify), Some(summit), None] = &logins[..] else { panic!("other logins") };
    assert_eq!((verify.security.protocol(), verify.bootstrap_servers.as_deref()), ("SASL_SSL", None));
    assert_eq!((summit.security.protocol(), summit.bootstrap_servers.as_deref()), ("SSL", Some("kafka:9094")));
    let file = |path: &str| Source::File(path.into());
    let tls = summit.security.tls.as_ref().expect("TLS");
    let key = KeyStore { store: file("/summit.p12"), key: None, password: Some(file("password")), key_password: None };
    assert_eq!(tls.key, Some(key));
    assert_eq!(tls.trust, Some(TrustStore { store: file("/trust.p12"), password: None }), "that of this server");

    let entry = |rest: &str| -> &'static str { format!("[[identity]]\nname = \"a\"\nwho = [\"*\"]\n{rest}\n").leak() };
    let password = |mechanism: &str, file: &str| {
        entry(&format!("sasl-mechanism=\"{mechanism}\"\nsasl-username=\"u\"\nsasl-password-file=\"{file}\""))
    };
    for (arguments, file, expected) in [
        (&BASE[..1], IDENTITIES, "kafka-identities needs bootstrap-servers"),
        (
            &[&BASE[..], &["--authentication=pass-through", "--pass-through-basic=PLAIN"]].concat(),
            IDENTITIES,
            "kafka-identities: has no effect with authentication = pass-through",
        ),
        (&BASE, entry(""), "kafka-identities: identities: identity 1, how it logs in"),
        (&BASE, password("GSSAPI", "password"), "identity a: sasl-mechanism: Kerberos"),
        (&BASE, password("PLAIN", "absent"), "identity a: the file \"absent\" cannot be read"),
        (&BASE, password("PLAIN", "empty"), "identity a: the file \"empty\" is empty"),
        (&BASE, entry("ssl-keystore=\"k\""), "identity a: bootstrap-servers: expected it beside this login"),
        (&BASE[..2], password("PLAIN", "password"), "because this server reaches Kafka by PLAINTEXT"),
        (
            &BASE,
            entry("ssl-keystore=\"k\"\nbootstrap-servers=\"kafka\""),
            "identity a: bootstrap-servers: expected HOST:PORT",
        ),
    ] {
        let refused = with(arguments, file).expect_err(expected);
        assert!(refused.contains(expected) && !refused.contains("canary"), "{expected}: {refused}");
    }
    let plain = format!("{}bootstrap-servers = \"kafka:9095\"\n", password("PLAIN", "password"));
    let in_clear = with(&BASE[..2], plain.leak()).expect("it starts").notes;
    assert!(in_clear.iter().any(
        |note| note.is_warning && note.text.contains("identity a: its password or token is sent to Kafka in clear")
    ));
}
