//! `cargo xtask test`: everything that must hold before a change lands, fastest first.
//!
//! Everything runs on the embedded broker; what speaks to a cluster runs once more on Apache Kafka. Steps that need Java or Node
//! are skipped, and reported as skipped, where those are missing; never in CI.

use std::{
    fs,
    process::Command,
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    Outcome,
    cluster::{Kafka, KafkaProfile, Kind, Postern, ThreeNodes},
    conformance, node, packages, process, python,
    steps::Steps,
    suite, tidy,
    workspace::{self, Profile},
};

/// Every step, in order: the quickest first, so that a failure shows early.
const STEPS: [&str; 21] = [
    "format",
    "tidy",
    "deploy",
    "clippy",
    "build",
    "tests",
    "fuzz",
    "python",
    "embedded: clients",
    "embedded: description",
    "embedded: clients in Node",
    "embedded: scenarios",
    "embedded: kill -9",
    "embedded: java tools",
    APACHE_TESTS,
    APACHE_SECURED,
    APACHE_THREE_NODES,
    APACHE_CLIENTS,
    APACHE_NODE,
    APACHE_TOOLS,
    APACHE_SCENARIOS,
];

const APACHE_TESTS: &str = "apache: tests";
const APACHE_SECURED: &str = "apache: secured tests";
const APACHE_THREE_NODES: &str = "apache: three nodes";
const APACHE_CLIENTS: &str = "apache: clients";
const APACHE_NODE: &str = "apache: clients in Node";
const APACHE_TOOLS: &str = "apache: java tools";
const APACHE_SCENARIOS: &str = "apache: scenarios";

/// `cargo xtask test`: all steps, or those whose names begin with one of the arguments; with `--list` their names.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    if arguments == ["--list"] {
        println!("{}", STEPS.join("\n"));
        return Ok(());
    }
    run(Steps::new(&STEPS, arguments)?, arguments.is_empty())
}

fn run(mut steps: Steps, all: bool) -> Outcome {
    let no_node = node::missing().filter(|_| !workspace::in_ci());
    let no_java = Kafka::missing().filter(|_| !workspace::in_ci());
    let downloads = all.then(|| download(no_node.is_none(), no_java.is_none()));
    steps.step("format", || process::run(process::cargo().args(["fmt", "--all", "--check"])));
    steps.step("tidy", tidy::run);
    steps.step("deploy", packages::check_files);
    steps.step("clippy", clippy);
    steps.required("build", || process::build(PROFILE));
    // Without documentation tests: there are none, and to find that out takes a minute.
    steps.step("tests", || process::run_within(TESTS_TIMEOUT, suite().arg("--tests")));
    steps.step("fuzz", fuzz);
    steps.required("python", || {
        if let Some(downloads) = downloads {
            let _ = downloads.join();
        }
        python::interpreter().map(drop)
    });
    steps.step("embedded: clients", || {
        let postern = Postern::embedded(PROFILE, "clients-embedded", &[])?;
        clients(Kind::Embedded, &postern)?;
        postern.stop()
    });
    // By itself: what it sends at random changes settings of the registry, for instance.
    steps.step("embedded: description", || {
        let postern = Postern::embedded(PROFILE, "description-embedded", &[])?;
        client(python::script("clients/description.py")?, Kind::Embedded, &postern)?;
        postern.stop()
    });
    steps.step_unless(no_node, "embedded: clients in Node", || {
        let postern = Postern::embedded(PROFILE, "node-embedded", &[])?;
        clients_in_node(Kind::Embedded, &postern)?;
        postern.stop()
    });
    steps.step("embedded: scenarios", || {
        let postern = Postern::embedded(PROFILE, "conformance-embedded", &conformance::PROFILE)?;
        conformance::run(Kind::Embedded, &postern, &conformance::Options::default())
    });
    steps.step("embedded: kill -9", crash);
    steps.step_unless(no_java, "embedded: java tools", || {
        let postern = Postern::embedded(PROFILE, "java-tools-embedded", &[])?;
        java_tools(Kind::Embedded, &postern)?;
        postern.stop()
    });
    on_apache(&mut steps, no_java, no_node);
    steps.summary()
}

/// Fetches what third-party clients and Apache Kafka need, while the compiler leaves the network idle. What fails here is fetched
/// again by the step that needs it, which then says why it cannot be had.
fn download(node: bool, java: bool) -> JoinHandle<()> {
    thread::spawn(move || {
        let _ = python::interpreter();
        if node {
            let _ = node::modules();
        }
        if java {
            let _ = Kafka::jars();
        }
    })
}

fn on_apache(steps: &mut Steps, no_java: Option<&str>, no_node: Option<&str>) {
    let all = STEPS.into_iter().filter(|name| name.starts_with("apache"));
    if !all.clone().any(|name| steps.wants(name)) {
        return;
    }
    if let Some(reason) = no_java {
        for name in all {
            steps.skip(name, reason);
        }
        return;
    }
    // The suite that runs on the embedded broker, once more; it also checks the recorded answers that broker is compared with.
    steps.step(APACHE_TESTS, || {
        let kafka = Kafka::start("apache-kafka-suite", KafkaProfile::LikeEmbedded)?;
        for tests in [&["cluster"][..], &["it", "--", "answers::", "instances::"]] {
            let mut suite = suite();
            suite.arg("--test").args(tests).env("POSTERN_TEST_BOOTSTRAP", &kafka.bootstrap);
            process::run_within(TESTS_TIMEOUT, &mut suite)?;
        }
        Ok(())
    });
    // The client's half of it by password over TLS, and by certificate.
    steps.step(APACHE_SECURED, || {
        let kafka = Kafka::start("apache-kafka-secured", KafkaProfile::Secured)?;
        let mutual_tls = kafka.mutual_tls.as_ref().ok_or("no listener for client certificates")?;
        // By certificate a part of it says enough: only how connections are opened differs.
        for (security, bootstrap, filter) in [("scram", &kafka.bootstrap, ""), ("mtls", mutual_tls, "records")] {
            let mut suite = suite();
            suite.args(["--test", "cluster", "--", filter]);
            suite.env("POSTERN_TEST_BOOTSTRAP", bootstrap).env("POSTERN_TEST_SECURITY", security);
            process::run_within(TESTS_TIMEOUT, &mut suite)?;
        }
        pass_through(&kafka)?;
        kafka_identities(&kafka, mutual_tls)
    });
    // Where leaders and coordinators are apart, and a topic is known to one broker before the others.
    steps.step(APACHE_THREE_NODES, || {
        suite::on_three_nodes(&THREE_NODES_TESTS.map(str::to_owned), placement, CHAOS_SECONDS)
    });
    if ![APACHE_CLIENTS, APACHE_NODE, APACHE_TOOLS, APACHE_SCENARIOS].iter().any(|name| steps.wants(name)) {
        return;
    }
    // One cluster for all of them. If it does not start, each of them fails with the reason.
    let kafka = Kafka::start("apache-kafka", KafkaProfile::LikeRecorded);
    let kafka = || kafka.as_ref().map_err(Clone::clone);
    steps.step(APACHE_CLIENTS, || clients(Kind::Apache, &Postern::over("clients-apache", kafka()?)?));
    steps.step_unless(no_node, APACHE_NODE, || clients_in_node(Kind::Apache, &Postern::over("node-apache", kafka()?)?));
    steps.step(APACHE_TOOLS, || java_tools(Kind::Apache, &Postern::over("java-tools-apache", kafka()?)?));
    steps.step(APACHE_SCENARIOS, || {
        let postern = Postern::over("conformance-apache", kafka()?)?;
        conformance::run(Kind::Apache, &postern, &conformance::Options::default())
    });
}

/// For how long brokers are killed, frozen and moved: one of each.
const CHAOS_SECONDS: &str = "20";
/// What three nodes may do otherwise than one.
const THREE_NODES_TESTS: [&str; 3] = ["records::", "topics::", "groups::"];

fn clippy() -> Outcome {
    let mut clippy = process::cargo();
    clippy.args(["clippy", "--profile", PROFILE.name(), "--workspace", "--all-targets", "--locked"]);
    process::run(clippy.args(["--", "-D", "warnings"]))
}

/// What every step compiles with. What users get is another profile of the same code: one of them is enough to compile.
const PROFILE: Profile = Profile::Checked;

/// Tests, always of the whole workspace: with the features of one package only, its dependencies would be built again.
pub(crate) fn suite() -> Command {
    let mut cargo = process::cargo();
    cargo.args(["test", "--profile", PROFILE.name(), "--workspace", "--locked"]);
    cargo
}

/// Beyond it a test hangs: all of them are compiled and run in less than half of it.
const TESTS_TIMEOUT: Duration = Duration::from_secs(45 * 60);

/// Seconds for each target: enough to see that it works. After changing a parser, run it for longer.
const FUZZ_SECONDS: &str = "2";

fn fuzz() -> Outcome {
    let mut all = Command::new(workspace::program(PROFILE, "postern-fuzz"));
    process::run(all.current_dir(workspace::scratch("fuzz")?).args(["all", FUZZ_SECONDS]))
}

/// `conformance/clients/*.py`; described in `conformance/README.md`.
const PYTHON_CLIENTS: [&str; 9] = [
    "steps",
    "refusals",
    "foreign",
    "kafka_python",
    "registry",
    "serializers",
    "another_registry_client",
    "anything",
    "sequence",
];

/// What a user does, with third-party clients.
fn clients(kind: Kind, postern: &Postern) -> Outcome {
    for script in PYTHON_CLIENTS {
        client(python::script(&format!("clients/{script}.py"))?, kind, postern)?;
    }
    mixed_groups(kind, postern)
}

/// Our consumer in groups with those of others; Java's where there are jars already.
fn mixed_groups(kind: Kind, postern: &Postern) -> Outcome {
    let mut script = python::script("clients/mixed_groups.py")?;
    script.arg("--member").arg(workspace::example(PROFILE, "group_member"));
    if kind == Kind::Apache {
        script.arg("--jars").arg(Kafka::jars()?);
    }
    client(script, kind, postern)
}

/// The same in JavaScript.
fn clients_in_node(kind: Kind, postern: &Postern) -> Outcome {
    for script in ["kafkajs.js", "registry.js", "events.js"] {
        client(node::script(script)?, kind, postern)?;
    }
    if kind == Kind::Apache {
        return Ok(()); // which member owns what is decided by members
    }
    let mut script = python::script("clients/mixed_groups.py")?;
    script.arg("--member").arg(workspace::example(PROFILE, "group_member")).arg("--kafkajs").arg(node::modules()?);
    client(script, kind, postern)
}

/// Callers who reach a secured Kafka as themselves.
fn pass_through(kafka: &Kafka) -> Outcome {
    let mut arguments = kafka.secured_arguments();
    arguments.extend(["--authentication=pass-through", "--pass-through-basic=SCRAM-SHA-512"].map(str::to_owned));
    arguments.push("--management-listen=127.0.0.1:0".to_owned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let postern = Postern::with_variables(PROFILE, "pass-through-apache", &arguments, &[])?;
    let mut script = python::script("clients/pass_through.py")?;
    observed(&mut script, &postern)?;
    client(script, Kind::Apache, &postern)?;
    postern.stop()
}

/// Callers who have one of a few identities there.
fn kafka_identities(kafka: &Kafka, mutual_tls: &str) -> Outcome {
    let file = workspace::scratch("kafka-identities-files")?.join("identities.toml");
    let only_server = "[[identity]]\nname = \"server\"\nwho = [\"admin\"]\nas-server = true\n";
    fs::write(&file, only_server).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut arguments = kafka.secured_arguments();
    let gateway = ["--authentication=gateway", "--gateway-from=127.0.0.1/32", "--gateway-groups=X-Auth-Request-Groups"];
    arguments.extend(gateway.map(str::to_owned));
    arguments.push("--management-listen=127.0.0.1:0".to_owned());
    arguments.push(format!("--kafka-identities={}", file.display()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let postern = Postern::with_variables(PROFILE, "kafka-identities-apache", &arguments, &[])?;
    let mut script = python::script("clients/kafka_identities.py")?;
    observed(&mut script, &postern)?;
    script.arg("--identities").arg(&file).env("MUTUAL_TLS", mutual_tls);
    script.env("KEYSTORE", workspace::root().join("crates/kafka/tests/stores/client.p12"));
    client(script, Kind::Apache, &postern)?;
    postern.stop()
}

/// Partitions that are moved between brokers over HTTP.
fn placement(nodes: &ThreeNodes) -> Outcome {
    let arguments = ["--bootstrap-servers", &nodes.bootstrap];
    let postern = Postern::with_variables(PROFILE, "placement-three-nodes", &arguments, &[])?;
    client(python::script("clients/placement.py")?, Kind::Apache, &postern)?;
    postern.stop()
}

/// For a script that looks at the process.
fn observed(script: &mut Command, postern: &Postern) -> Outcome {
    script.arg("--pid").arg(postern.pid().to_string());
    script.arg("--management").arg(postern.management.as_deref().ok_or("no management listener")?);
    Ok(())
}

/// Apache Kafka's own.
fn java_tools(kind: Kind, postern: &Postern) -> Outcome {
    let mut script = python::script("clients/java_tools.py")?;
    script.arg("--jars").arg(Kafka::jars()?);
    client(script, kind, postern)
}

fn client(mut script: Command, kind: Kind, postern: &Postern) -> Outcome {
    script.args(postern.addresses()).args(["--cluster", kind.name()]);
    process::run(&mut script)
        .map_err(|error| format!("{error}\nthe end of the log of postern:\n{}", postern.log_tail()))
}

/// How long the crash test runs.
const CRASH_TEST_DURATION: Duration = Duration::from_secs(25);

fn crash() -> Outcome {
    let mut command = python::script("clients/crash.py")?;
    command.arg("--postern").arg(workspace::program(PROFILE, "postern"));
    command.arg("--folder").arg(workspace::scratch("crash")?);
    process::run(command.args(["--seconds", &CRASH_TEST_DURATION.as_secs().to_string()]))
}
