//! The program from env: what it prints, how it ends, what it does with signals.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader, Read, Write, pipe},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

#[path = "process/audit.rs"]
mod audit;
#[path = "process/replicas.rs"]
mod replicas;
#[path = "process/secrets.rs"]
mod secrets;
#[path = "process/takeover.rs"]
mod takeover;
#[path = "process/traces.rs"]
mod traces;

/// The program without settings of whoever runs the tests.
fn postern(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    for (name, _) in std::env::vars_os() {
        if ["POSTERN_", "KAFKA_REST_", "SCHEMA_REGISTRY_", "OTEL_"]
            .iter()
            .any(|begin| name.to_string_lossy().starts_with(begin))
        {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// A running program; killed when dropped.
struct Running {
    /// Dropped with the rest, which ends the watchdog.
    _watchdog: SyncSender<()>,
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it printed when it had started.
    banner: Vec<String>,
    rest: SocketAddr,
    broker: SocketAddr,
}

/// The system chooses the ports, and the banner says which.
const ANY_PORTS: [&str; 3] =
    ["--rest-listen=127.0.0.1:0", "--registry-listen=127.0.0.1:0", "--broker-listen=127.0.0.1:0"];

/// Kills a process that is still there after `timeout`, so that a test that waits for its output fails instead of hanging. Ends
/// when the sender is dropped.
fn kill_after(timeout: Duration, pid: u32) -> SyncSender<()> {
    let (stop, stopped) = sync_channel(0);
    thread::spawn(move || {
        if stopped.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    });
    stop
}

impl Running {
    /// With its data in `data`; returns when it listens.
    fn start(data: &Path) -> Running {
        Running::spawn(postern(&ANY_PORTS).arg("--data-dir").arg(data))
    }

    fn spawn(command: &mut Command) -> Running {
        let mut child = command.spawn().expect("the program starts");
        let watchdog = kill_after(Duration::from_secs(90), child.id());
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut banner = Vec::new();
        while banner.last().is_none_or(|line: &String| !line.starts_with("Try: ")) {
            let mut line = String::new();
            if out.read_line(&mut line).expect("UTF-8") == 0 {
                let end = child.wait_with_output().expect("a child");
                panic!("ended before it listened: {}", String::from_utf8_lossy(&end.stderr));
            }
            banner.push(line.trim_end().to_owned());
        }
        let address = |n: usize| {
            let last = banner[n].split_whitespace().last().expect("a word");
            last.trim_start_matches("http://").parse().expect("an address")
        };
        Running { _watchdog: watchdog, rest: address(1), broker: address(3), child, out, banner }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill starts").success());
    }

    /// Reads its log up to the first line with `text`.
    fn wait_for_log(&mut self, text: &str) {
        let pipe = self.child.stderr.as_mut().expect("piped");
        // Byte by byte: what comes after the line is left for `end`.
        let mut line = Vec::new();
        let mut byte = [0];
        while pipe.read(&mut byte).expect("the log") == 1 {
            line.push(byte[0]);
            if line.ends_with(b"\n") {
                if String::from_utf8_lossy(&line).contains(text) {
                    return;
                }
                line.clear();
            }
        }
        panic!("ended without {text} in its log");
    }

    /// Its end, and all it printed.
    fn end(mut self, timeout: Duration) -> (ExitStatus, String, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(start.elapsed() < timeout, "still running after {timeout:?}");
            thread::sleep(Duration::from_millis(5));
        };
        let (mut stdout, mut stderr) = (self.banner.join("\n") + "\n", String::new());
        self.out.read_to_string(&mut stdout).expect("UTF-8");
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut stderr).expect("UTF-8");
        }
        (status, stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer with status 200.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: postern\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

#[test]
fn help_and_version_are_printed_and_end_well() {
    let (code, out, err) = output(&mut postern(&["--help"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("--broker-strict-replication"), "{out}");
    let (code, out, err) = output(&mut postern(&["--version"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("postern {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_configuration_without_sense_ends_with_2_and_all_faults() {
    let (code, out, err) =
        output(postern(&["--rest-lissen", "x", "--broker-listen=9092"]).env("POSTERN_COLOUR", "red"));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err.lines().next(), Some("postern: 3 settings cannot be used:"));
    for name in ["--rest-lissen", "broker-listen", "POSTERN_COLOUR"] {
        assert!(err.contains(&format!("  {name}: ")), "{err}");
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_names_it() {
    let data = tempfile::tempdir().expect("a directory");
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = held.local_addr().expect("its address").to_string();
    let listeners = [
        ("--rest-listen", "the REST proxy"),
        ("--registry-listen", "the Schema Registry"),
        ("--broker-listen", "the broker"),
    ];
    for (argument, what) in listeners {
        let mut command = postern(&["--data-dir", data.path().to_str().expect("UTF-8")]);
        for (other, _) in listeners {
            command.args([other, if other == argument { &taken } else { "127.0.0.1:0" }]);
        }
        let (code, out, err) = output(&mut command);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        let sentence = format!("postern: {what} cannot listen on {taken}: ");
        let names_argument = |line: &str| line.starts_with(&sentence) && line.ends_with(argument);
        assert!(err.lines().any(names_argument), "{err}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().expect("a directory");
    let first = Running::start(data.path());
    let (code, out, err) = output(postern(&ANY_PORTS).arg("--data-dir").arg(data.path()));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(data.path().to_str().expect("UTF-8")) && err.contains("in use"), "{err}");
    assert!(get(first.rest, "/topics").is_some());
}

#[test]
fn data_that_cannot_be_written_ends_with_1_and_names_the_place() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    let (code, out, err) = output(postern(&ANY_PORTS).arg("--data-dir").arg(&file));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("a-file") && err.contains("--data-dir"), "{err}");
}

#[test]
fn a_start_says_what_listens_where() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let (rest, broker) = (running.rest, running.broker);
    running.signal("-TERM");
    let (_, out, _) = running.end(Duration::from_secs(20));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], format!("Postern {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(lines[1], format!("  REST proxy       http://{rest}"));
    assert_eq!(lines[3], format!("  embedded broker  {broker}"));
    assert_eq!(lines[4], format!("  Data             {}", data.path().display()));
    assert_eq!(lines.last(), Some(&format!("Try:  curl http://{rest}/topics").as_str()));
}

#[test]
fn each_signal_ends_it_well_and_its_data_is_there_at_the_next_start() {
    let data = tempfile::tempdir().expect("a directory");
    let mut known = None;
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(data.path());
        let clusters = get(running.rest, "/v3/clusters").expect("an answer");
        let id = clusters.split("\"cluster_id\":\"").nth(1).expect("an id")[..22].to_owned();
        assert_eq!(*known.get_or_insert(id.clone()), id);
        // A kept connection that asks for nothing does not hold up the end.
        let idle = TcpStream::connect(running.rest).expect("a connection");
        running.signal(signal);
        let (status, _, err) = running.end(Duration::from_secs(20));
        assert_eq!(status.code(), Some(0), "{err}");
        assert!(!err.contains("given up"), "{err}");
        drop(idle);
    }
}

/// The registry, because [`Running`] reads where the REST proxy listens from its line.
#[test]
fn a_unix_socket_is_served_and_taken_over_from_a_process_that_was_killed() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("registry.sock");
    let listen = format!("--registry-listen=unix:{}", path.display());
    let start = |data: &str| {
        let mut command = postern(&["--rest-listen=127.0.0.1:0", &listen, "--broker-listen=127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder.path().join(data));
        command
    };
    for _ in 0..2 {
        let running = Running::spawn(&mut start("one"));
        assert!(running.banner[2].ends_with("/registry.sock"), "{:?}", running.banner);
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o660);
        let mut client = UnixStream::connect(&path).expect("it listens");
        client.write_all(b"GET /subjects HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it is read");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("[]"), "{answer}");

        let (code, _, log) = output(&mut start("two"));
        assert_eq!(code, Some(1));
        assert!(log.contains("another process listens there: choose another path with --registry-listen"), "{log}");
        // Dropped, it is killed, and leaves the file.
    }
    assert!(path.exists());
}

/// Creates a topic over HTTP, which logs a line.
fn create_topic(rest: SocketAddr, name: &str) {
    create_topic_with(rest, name, "");
}

/// The same with configs, as JSON.
fn create_topic_with(rest: SocketAddr, name: &str, configs: &str) {
    let clusters = get(rest, "/v3/clusters").expect("an answer");
    let id = clusters.split("\"cluster_id\":\"").nth(1).expect("an id")[..22].to_owned();
    let mut create = TcpStream::connect(rest).expect("a connection");
    let topic = format!(r#"{{"topic_name":"{name}","configs":[{configs}]}}"#);
    write!(
        create,
        "POST /v3/clusters/{id}/topics HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{topic}",
        topic.len()
    )
    .expect("sent");
    let mut answer = String::new();
    create.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_end_it() {
    let data = tempfile::tempdir().expect("a directory");
    let mut running = Running::start(data.path());
    drop(running.child.stderr.take());
    for name in ["one", "two", "three"] {
        create_topic(running.rest, name);
    }
    assert!(get(running.rest, "/topics").expect("an answer").contains("three"));
    running.signal("-TERM");
    let (status, ..) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn standard_output_that_nobody_reads_does_not_end_it() {
    let data = tempfile::tempdir().expect("a directory");
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let mut child = postern(&ANY_PORTS).arg("--data-dir").arg(data.path()).stdout(writer).spawn().expect("it starts");
    // The banner is lost, the log is not: it says that the topic of schemas was created.
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("_schemas") {
        line.clear();
        assert_ne!(log.read_line(&mut line).expect("UTF-8"), 0, "ended");
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill starts").success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(child.wait().expect("a child").code(), Some(0), "{rest}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_under_its_log_does_not_end_it() {
    let data = tempfile::tempdir().expect("a directory");
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let running = Running::spawn(postern(&ANY_PORTS).arg("--data-dir").arg(data.path()).stderr(full()));
    for name in ["one", "two", "three"] {
        create_topic(running.rest, name);
    }
    running.signal("-TERM");
    let (status, ..) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0));
    // What ends with an error keeps its exit code, too.
    let status = postern(&["--nonsense"]).stderr(full()).stdout(full()).status().expect("it starts");
    assert_eq!(status.code(), Some(2));
    let status = postern(&["--help"]).stderr(full()).stdout(full()).status().expect("it starts");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_log_that_is_not_read_for_a_while_holds_up_nobody() {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    // A pipe without room for a byte: a write to it waits for a reader.
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).expect("a flag");
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).expect("a flag");
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::spawn(postern(&ANY_PORTS).arg("--data-dir").arg(data.path()).stderr(writer));
    for name in ["one", "two", "three"] {
        create_topic(running.rest, name);
    }
    running.signal("-TERM");
    let (status, ..) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0));
    let mut log = String::new();
    reader.read_to_string(&mut log).expect("UTF-8");
    assert!(log.starts_with('.'));
}

#[test]
fn a_service_of_its_name_in_kubernetes_does_not_keep_it_from_starting() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.env("POSTERN_PORT", "tcp://10.0.0.1:8082").env("POSTERN_SERVICE_HOST", "10.0.0.1");
    let running = Running::spawn(command.arg("--data-dir").arg(data.path()));
    assert!(get(running.rest, "/topics").is_some());
    running.signal("-TERM");
    let (_, _, err) = running.end(Duration::from_secs(20));
    assert_eq!(err.lines().filter(|line| line.contains("POSTERN_PORT")).count(), 1, "{err}");
}

#[test]
fn in_place_of_confluents_image_it_uses_the_cluster_that_is_named_and_no_broker_of_its_own() {
    let (data, folder) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let cluster = Running::start(data.path());
    let mut command = postern(&[]);
    command.current_dir(folder.path());
    command.env("KAFKA_REST_LISTENERS", "http://127.0.0.1:0").env("KAFKA_REST_HOST_NAME", "rest");
    let (code, out, err) = output(&mut command);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("KAFKA_REST_BOOTSTRAP_SERVERS"), "{err}");
    command.env("KAFKA_REST_BOOTSTRAP_SERVERS", format!("PLAINTEXT://{}", cluster.broker));
    let rest = Running::spawn(&mut command);
    create_topic(rest.rest, "through-the-image");
    assert!(get(cluster.rest, "/topics").expect("an answer").contains("through-the-image"));
    rest.signal("-TERM");
    let (_, _, err) = rest.end(Duration::from_secs(20));
    assert_eq!(
        err.lines().filter(|line| line.contains("WARN") && line.contains("KAFKA_REST_HOST_NAME")).count(),
        1,
        "{err}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("a directory").count(), 0);
}

/// The status and the body of an answer.
fn status(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, "GET", path)
}

fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    ask_with(address, method, path, "", "")
}

fn ask_with(address: SocketAddr, method: &str, path: &str, media_type: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let media_type = if media_type.is_empty() { String::new() } else { format!("Content-Type: {media_type}\r\n") };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: postern\r\nConnection: close\r\n{media_type}");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head[9..12].parse().expect("a status"), body.to_owned())
}

#[test]
fn check_config_says_what_holds_and_starts_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut command = postern(&["check-config", "--kafka-call-timeout=7s"]);
    command.current_dir(folder.path()).env("KAFKA_REST_BOOTSTRAP_SERVERS", "kafka:9092");
    command
        .env("POSTERN_SCHEMA_REGISTRY_URL", "http://user:canary@a")
        .env("KAFKA_REST_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "u:canary");
    let (code, out, err) = output(command.env("KAFKA_REST_HEAP_OPTS", "canary"));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for line in [
        "  bootstrap-servers = kafka:9092 (the variable KAFKA_REST_BOOTSTRAP_SERVERS)",
        "  kafka-call-timeout = 7s (the argument --kafka-call-timeout)",
        "  kafka-request-timeout = 30s (default)",
        "  rest-listen = 0.0.0.0:8082 (the default beside KAFKA_REST_BOOTSTRAP_SERVERS)",
        "  schema-registry-credentials = … (the variable KAFKA_REST_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO)",
        "  KAFKA_REST_HEAP_OPTS has no effect: there is no Java virtual machine here",
        "The configuration can be used.",
    ] {
        assert!(out.lines().any(|found| found == line), "{line} is not in {out}");
    }
    assert!(!out.contains("canary"), "{out}");
    let (code, out, _) = output(&mut postern(&["--rest-listen=8082", "check-config", "--broker-listn=x"]));
    assert_eq!(code, Some(1));
    assert!(out.contains("rest-listen: found") && out.contains("--broker-listn: unknown argument"), "{out}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a directory").count(), 0);
}

#[test]
fn check_config_connects_only_when_asked_to() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let cluster = format!("--bootstrap-servers={}", running.broker);
    let (code, out, err) = output(&mut postern(&["check-config", "--connect", &cluster]));
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("Kafka answers: cluster ") && out.ends_with("brokers: 1.\n"), "{out}");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").to_string();
    let nowhere = ["check-config", "--bootstrap-servers", &closed, "--kafka-unreachable-timeout=100ms", "--connect"];
    let (code, out, err) = output(&mut postern(&nowhere));
    assert_eq!(code, Some(1), "{out}");
    assert!(err.contains("Kafka: "), "{err}");
    assert_eq!(output(&mut postern(&nowhere[..4])).0, Some(0));
}

#[test]
fn health_is_told_on_a_listener_of_its_own_until_the_end() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--management-listen=127.0.0.1:0", "--shutdown-delay=1h", "--data-dir"]).arg(data.path());
    let mut running = Running::spawn(&mut command);
    let line = running.banner.iter().find_map(|line| line.strip_prefix("  Health           http://"));
    let health: SocketAddr =
        line.and_then(|line| line.strip_suffix("/ready")).expect("a line").parse().expect("an address");
    let start = Instant::now();
    while status(health, "/ready").0 != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", status(health, "/ready").1);
        thread::sleep(Duration::from_millis(10));
    }
    let ask = |address: &str| output(&mut postern(&["healthcheck", "--management-listen", address]));
    let (code, out, _) = ask(&health.to_string());
    assert_eq!(code, Some(0));
    assert!(out.contains(r#""kafka":{"ready":true,"reason":"it answers""#), "{out}");
    assert!(out.contains(r#""schemas":{"ready":true,"reason":"they are read""#), "{out}");
    assert_eq!(status(health, "/live").0, 200);
    assert_eq!(ask("off").0, Some(1));

    running.signal("-TERM");
    running.wait_for_log("not ready any more");
    let (code, out, _) = ask(&health.to_string());
    assert_eq!(code, Some(1));
    assert!(out.contains("it is being stopped"), "{out}");
    assert_eq!((status(health, "/live").0, status(running.rest, "/topics").0), (200, 200));
    running.signal("-TERM");
    let (ended, _, err) = running.end(Duration::from_secs(20));
    assert_eq!(ended.code(), Some(128 + 15), "{err}");
    assert_eq!(ask(&health.to_string()).0, Some(1));
}

/// Everything that a client sends may be a secret or a record; only paths, and ids that it gives its requests, are for the log.
#[test]
fn requests_are_logged_as_json_without_a_word_of_what_they_hold() {
    const SECRET: &str = "CANARY";
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--management-listen=off", "--log=debug", "--log-format=json", "--request-log=all", "--data-dir"]);
    let mut running = Running::spawn(command.arg(data.path()));
    create_topic(running.rest, "logged");
    // The log is read while requests are made, or the pipe would fill.
    let mut pipe = running.child.stderr.take().expect("piped");
    let reader = thread::spawn(move || {
        let mut log = String::new();
        pipe.read_to_string(&mut log).map(|_| log)
    });
    let v2 = |format: &str| format!("application/vnd.kafka.{format}.v2+json");
    let schema = r#""value_schema":"{\\"type\\":\\"record\\",\\"name\\":\\"R\\",\\"fields\\":[{\\"name\\":\\"f\\",\\"type\\":\\"int\\"}]}""#;
    let bodies = [
        (v2("json"), 200, format!(r#"{{"records":[{{"key":"{SECRET}","value":{{"{SECRET}":1}}}}]}}"#)),
        (v2("json"), 422, format!(r#"{{"records":[{{"value":"{SECRET}"#)),
        (v2("binary"), 400, format!(r#"{{"records":[{{"value":"{SECRET}***"}}]}}"#)),
        (v2("avro"), 400, format!(r#"{{{schema},"records":[{{"value":{{"f":"{SECRET}"}}}}]}}"#)),
        (v2("avro"), 422, format!(r#"{{"value_schema":"{SECRET}","records":[{{"value":1}}]}}"#)),
    ];
    for (content_type, expected, body) in bodies {
        let path = format!("/topics/logged?token={SECRET}");
        let headers =
            format!("{content_type}\r\nAuthorization: Bearer {SECRET}\r\nCookie: {SECRET}\r\nX-Request-Id: my-request");
        let found = post(running.rest, &path, &headers, &body);
        assert_eq!(found / 100, expected / 100, "{body}");
    }
    running.signal("-TERM");
    let start = Instant::now();
    while running.child.try_wait().expect("a child").is_none() {
        assert!(start.elapsed() < Duration::from_secs(30), "it ends");
        thread::sleep(Duration::from_millis(10));
    }
    let log = reader.join().expect("no panic").expect("UTF-8");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect();
    let requests: Vec<_> = lines
        .iter()
        .filter(|line| line["target"] == "postern::request" && line["request_id"] == "my-request")
        .filter(|line| line["message"] == "request")
        .collect();
    assert_eq!(requests.len(), 5, "{log}");
    let first = requests[0];
    assert_eq!(
        [&first["method"], &first["route"], &first["path"], &first["client"], &first["caller"]],
        ["POST", "/topics/{topic}", "/topics/logged", "127.0.0.1", "-"]
    );
    assert_eq!((first["status"].as_u64(), first["bytes_in"].as_u64()), (Some(200), Some(51)));
    assert!(first["bytes_out"].as_u64() > Some(10) && first["ms"].is_u64() && first["error_code"].is_null(), "{first}");
    assert!(requests[1]["error_code"].is_u64(), "{}", requests[1]);
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn a_line_of_text_that_belongs_to_a_request_ends_with_its_id() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--management-listen=off", "--request-log=all", "--data-dir"]);
    let running = Running::spawn(command.arg(data.path()));
    let content_type = "application/vnd.kafka.json.v2+json\r\nX-Request-Id: my-request";
    assert_eq!(post(running.rest, "/nowhere", content_type, "{}"), 404);
    running.signal("-TERM");
    let (_, _, log) = running.end(Duration::from_secs(20));
    let ends: Vec<_> = log.lines().filter(|line| line.ends_with(r#" request_id="my-request""#)).collect();
    assert!(matches!(ends[..], [line] if line.contains("status=404")), "{log}");
}

/// Sends a body and returns the answer's status.
fn post(address: SocketAddr, path: &str, content_type: &str, body: &str) -> u16 {
    answer_to(address, path, content_type, body)
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status")
}

/// The same with the whole answer.
fn answer_to(address: SocketAddr, path: &str, content_type: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: postern\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_record_may_be_as_large_as_its_topic_takes() {
    let folder = tempfile::tempdir().expect("a directory");
    let running = Running::start(folder.path());
    create_topic(running.rest, "small");
    create_topic_with(running.rest, "large", r#"{"name":"max.message.bytes","value":"4000000"}"#);
    let body = format!(r#"{{"records":[{{"value":"{}"}}]}}"#, "x".repeat(3 << 20));
    let produce = |path| answer_to(running.rest, path, "application/vnd.kafka.json.v2+json", &body);
    let taken = produce("/topics/large");
    assert!(taken.contains(r#""offset":0,"#), "{taken}");
    let refused = produce("/topics/small");
    assert!(refused.contains("MESSAGE_TOO_LARGE") && refused.contains("The record was not written."), "{refused}");
    let range = get(running.rest, "/topics/small/partitions/0/offsets").expect("an answer");
    assert!(range.contains(r#""end_offset":0"#), "{range}");
}

#[test]
fn metrics_count_what_was_done_under_the_names_of_the_page() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--management-listen=127.0.0.1:0", "--data-dir"]).arg(data.path());
    let running = Running::spawn(&mut command);
    let line = running.banner.iter().find_map(|line| line.strip_prefix("  Health           http://"));
    let management: SocketAddr =
        line.and_then(|line| line.strip_suffix("/ready")).expect("a line").parse().expect("an address");
    let start = Instant::now();
    while status(management, "/ready").0 != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", status(management, "/ready").1);
        thread::sleep(Duration::from_millis(10));
    }
    create_topic(running.rest, "counted");
    let json = "application/vnd.kafka.json.v2+json";
    let records = r#"{"records":[{"value":"a"},{"value":"bc"}]}"#;
    assert_eq!(post(running.rest, "/topics/counted", json, records), 200);
    assert_eq!(post(running.rest, "/topics/missing", json, records), 404);
    let read = "/topics/counted/partitions/0/records?offset=0";
    assert_eq!(status(running.rest, read).0, 200);
    assert_eq!(status(running.rest, "/no/such/path").0, 404);

    let (code, page) = status(management, "/metrics");
    assert_eq!(code, 200);
    for expected in [
        r#"postern_http_requests_total{api="rest",method="POST",route="/topics/{topic}",status="200"} 1"#,
        r#"postern_http_requests_total{api="rest",method="POST",route="/topics/{topic}",status="404"} 1"#,
        r#"postern_http_requests_total{api="rest",method="any",route="none",status="404"} 1"#,
        r#"postern_http_request_duration_seconds_count{api="rest",method="POST",route="/topics/{topic}"} 2"#,
        r#"postern_http_errors_total{api="rest",code="40401"} 1"#,
        r#"postern_produced_records_total{format="json",outcome="accepted"} 2"#,
        r#"postern_produced_records_total{format="json",outcome="refused"} 2"#,
        // Two JSON strings with their quotes.
        r#"postern_produced_bytes_total{format="json"} 7"#,
        r#"postern_kafka_records_total{outcome="written"} 2"#,
        r#"postern_kafka_records_total{outcome="unknown"} 0"#,
        r#"postern_kafka_produce_duration_seconds_count{node="1"} "#,
        "postern_unacknowledged_bytes 0",
        "postern_registry_ready 1",
        "postern_broker_topics ",
    ] {
        assert!(page.contains(expected), "{expected} is missing in:\n{page}");
    }
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(ask(management, "HEAD", path), (200, String::new()), "{path}");
        assert_eq!(ask(management, "POST", path).0, 405, "{path}");
    }
    let documented = include_str!("../../../docs/metrics.md");
    let families: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for family in &families {
        assert!(documented.contains(&format!("| `{family}` |")), "{family} is not documented");
    }
    // What is there where a collector is named, or where callers reach Kafka as themselves.
    let only_with_settings = ["postern_trace_spans_total", "postern_kafka_identities", "postern_kafka_logins_total"];
    let is_always_there = |line: &&str| !only_with_settings.iter().any(|name| line.contains(name));
    let rows = documented.lines().filter(|line| line.starts_with("| `postern_")).filter(is_always_there);
    assert_eq!(families.len(), rows.count(), "everything documented is there");
    let answer = output(&mut postern(&["healthcheck", "--management-listen", &management.to_string()]));
    assert_eq!(answer.0, Some(0));
}

#[test]
fn a_management_address_in_use_stops_the_start_only_if_it_was_chosen() {
    let data = tempfile::tempdir().expect("a directory");
    let held = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = format!("--management-listen={}", held.local_addr().expect("its address"));
    let (code, _, err) = output(postern(&ANY_PORTS).arg(&taken).arg("--data-dir").arg(data.path()));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("--management-listen"), "{err}");
    // Whether the default one is free or not: these two run at the same time.
    let first = Running::start(&data.path().join("first"));
    let second = Running::start(&data.path().join("second"));
    assert!(get(first.rest, "/topics").is_some() && get(second.rest, "/topics").is_some());
}

/// Shells set a soft limit that is lower than what the system allows.
#[test]
#[cfg(target_os = "linux")]
fn more_connections_than_the_soft_limit_of_open_files_leave_files_for_the_broker() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_postern")]).args(ANY_PORTS);
    command.arg("--data-dir").arg(data.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::spawn(&mut command);
    let idle: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(running.rest).expect("a connection")).collect();
    create_topic(running.rest, "after");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.child.id())).expect("its limits");
    let files: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit").split_whitespace().collect();
    assert_eq!(files[3], files[4], "{limits}");
    drop(idle);
}

/// Begins a produce request whose body has `length` bytes, and returns once the server reads the body.
fn begin_produce(rest: SocketAddr, topic: &str, length: usize) -> TcpStream {
    let mut begun = TcpStream::connect(rest).expect("a connection");
    begun.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    write!(
        begun,
        "POST /topics/{topic} HTTP/1.1\r\nHost: p\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n\
         Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
    .expect("sent");
    let mut interim = [0; 25];
    begun.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    begun
}

#[test]
fn what_was_begun_before_the_signal_is_finished_and_kept() {
    let data = tempfile::tempdir().expect("a directory");
    let mut running = Running::start(data.path());
    create_topic(running.rest, "kept");

    let record = r#"{"records":[{"value":1}]}"#;
    let mut begun = begin_produce(running.rest, "kept", record.len());
    begun.write_all(&record.as_bytes()[..10]).expect("sent");
    running.signal("-TERM");
    running.wait_for_log("SIGTERM");
    begun.write_all(&record.as_bytes()[10..]).expect("sent");
    let mut answer = String::new();
    begun.read_to_string(&mut answer).expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"offset\":0"), "{answer}");
    let (status, _, err) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{err}");

    let running = Running::start(data.path());
    let offsets = get(running.rest, "/topics/kept/partitions/0/offsets").expect("an answer");
    assert_eq!(offsets, r#"{"beginning_offset":0,"end_offset":1}"#);
}

#[test]
fn a_second_signal_ends_it_while_a_request_is_in_progress() {
    let data = tempfile::tempdir().expect("a directory");
    let mut running = Running::start(data.path());
    let stuck = begin_produce(running.rest, "t", 2);
    running.signal("-TERM");
    running.wait_for_log("SIGTERM");
    running.signal("-TERM");
    let (status, _, err) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(128 + 15), "{err}");
    drop(stuck);
}

#[test]
fn a_request_that_never_ends_is_given_up_in_bounded_time() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let stuck = begin_produce(running.rest, "t", 2);
    running.signal("-TERM");
    let (status, _, err) = running.end(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(err.contains("given up"), "{err}");
    drop(stuck);
}

/// A proxy that writes other headers than those that are believed hides all clients behind its own address: said once, not for each request.
#[test]
fn a_proxy_that_writes_headers_of_the_other_kind_is_named_once() {
    let data = tempfile::tempdir().expect("a directory");
    let mut command = postern(&ANY_PORTS);
    command.args(["--trusted-proxies=127.0.0.1", "--proxy-headers=forwarded", "--data-dir"]).arg(data.path());
    let running = Running::spawn(&mut command);
    for address in [running.rest; 3] {
        assert_eq!(
            ask_with(address, "GET", "/v3/clusters", "application/json\r\nX-Forwarded-For: 10.1.1.1", "").0,
            200
        );
    }
    running.signal("-TERM");
    let (_, _, log) = running.end(Duration::from_secs(20));
    let told: Vec<&str> = log.lines().filter(|line| line.contains("proxy-headers")).collect();
    let [told] = told[..] else { panic!("{log}") };
    assert!(told.contains("the trusted proxy 127.0.0.1 sends X-Forwarded-…, and proxy-headers is forwarded"), "{told}");
}

/// A link by the name of a script that stops a server must not start one.
#[test]
fn a_name_that_starts_nothing_is_refused() {
    let folder = tempfile::tempdir().expect("a directory");
    for (name, arguments, expected) in [
        ("kafka-rest-stop", &[][..], "expected SIGTERM"),
        ("schema-registry-stop", &[], "expected SIGTERM"),
        ("kafka-rest-start", &["-daemon", "kafka-rest.properties"], "stays in the foreground"),
    ] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_postern"), &link).expect("a link");
        let (code, out, err) = output(Command::new(link).args(arguments).current_dir(folder.path()));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.starts_with(&format!("postern: {name}")) && err.contains(expected), "{err}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a directory").count(), 3, "nothing but the links is there");
}
