//! The program from env: what it prints, how it ends, what it does with signals.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The program without settings of whoever runs the tests.
fn postern(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POSTERN_") {
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

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A running program; killed when dropped.
struct Running {
    child: Child,
    rest: SocketAddr,
    broker: SocketAddr,
}

impl Running {
    /// On free ports, with its data in `data`; returns when it answers.
    fn start(data: &Path) -> Running {
        let [rest, registry, broker] = [free_port(), free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let data = data.to_str().expect("UTF-8");
        let arguments =
            ["--rest-listen", &rest, "--registry-listen", &registry, "--broker-listen", &broker, "--data-dir", data];
        let child = postern(&arguments).spawn().expect("the program starts");
        let address = |text: &str| text.parse().expect("an address");
        let mut running = Running { child, rest: address(&rest), broker: address(&broker) };
        let start = Instant::now();
        while get(running.rest, "/topics").is_none() {
            assert!(running.child.try_wait().expect("a child").is_none(), "ended before it answered");
            assert!(start.elapsed() < Duration::from_secs(20), "does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        running
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill starts").success());
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
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().expect("piped").read_to_string(&mut stdout).expect("UTF-8");
        self.child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
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
        assert!(err.lines().any(|line| line.starts_with(&sentence)), "{err}");
    }
}

#[test]
fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().expect("a directory");
    let first = Running::start(data.path());
    let any =
        ["--rest-listen=127.0.0.1:0", "--registry-listen=127.0.0.1:0", "--broker-listen=127.0.0.1:0", "--data-dir"];
    let (code, out, err) = output(postern(&any).arg(data.path()));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(data.path().to_str().expect("UTF-8")) && err.contains("in use"), "{err}");
    assert!(get(first.rest, "/topics").is_some());
}

#[test]
fn data_that_cannot_be_written_ends_with_1_and_names_the_place() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    let any =
        ["--rest-listen=127.0.0.1:0", "--registry-listen=127.0.0.1:0", "--broker-listen=127.0.0.1:0", "--data-dir"];
    let (code, out, err) = output(postern(&any).arg(&file));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("a-file"), "{err}");
}

#[test]
fn a_start_says_what_listens_where() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let (rest, broker) = (running.rest, running.broker);
    running.signal("-TERM");
    let (_, out, _) = running.end(Duration::from_secs(6));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], format!("Postern {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(lines[1], format!("  REST proxy       http://{rest}"));
    assert_eq!(lines[3], format!("  embedded broker  {broker}"));
    assert_eq!(lines[4], format!("  Data             {}", data.path().display()));
    assert_eq!(lines[5], format!("Try:  curl http://{rest}/topics"));
}

#[test]
fn either_signal_ends_it_well_and_its_data_is_there_at_the_next_start() {
    let data = tempfile::tempdir().expect("a directory");
    let mut known = None;
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(data.path());
        let clusters = get(running.rest, "/v3/clusters").expect("an answer");
        let id = clusters.split("\"cluster_id\":\"").nth(1).expect("an id")[..22].to_owned();
        assert_eq!(*known.get_or_insert(id.clone()), id);
        // A kept connection that asks for nothing does not hold up the end.
        let idle = TcpStream::connect(running.rest).expect("a connection");
        let told = Instant::now();
        running.signal(signal);
        let (status, _, err) = running.end(Duration::from_secs(6));
        assert_eq!(status.code(), Some(0), "{err}");
        assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
        drop(idle);
    }
}

#[test]
fn what_was_begun_before_the_signal_is_finished_and_kept() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let clusters = get(running.rest, "/v3/clusters").expect("an answer");
    let id = clusters.split("\"cluster_id\":\"").nth(1).expect("an id")[..22].to_owned();
    let mut create = TcpStream::connect(running.rest).expect("a connection");
    let topic = r#"{"topic_name":"kept"}"#;
    write!(
        create,
        "POST /v3/clusters/{id}/topics HTTP/1.1\r\nHost: p\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{topic}",
        topic.len()
    )
    .expect("sent");
    let mut answer = String::new();
    create.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

    let record = r#"{"records":[{"value":1}]}"#;
    let (first, second) = record.split_at(10);
    let mut begun = TcpStream::connect(running.rest).expect("a connection");
    write!(
        begun,
        "POST /topics/kept HTTP/1.1\r\nHost: p\r\nContent-Type: application/vnd.kafka.json.v2+json\r\nContent-Length: {}\r\n\r\n{first}",
        record.len()
    )
    .expect("sent");
    thread::sleep(Duration::from_millis(200));
    running.signal("-TERM");
    thread::sleep(Duration::from_millis(200));
    begun.write_all(second.as_bytes()).expect("sent");
    answer.clear();
    begun.read_to_string(&mut answer).expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"offset\":0"), "{answer}");
    let (status, _, err) = running.end(Duration::from_secs(8));
    assert_eq!(status.code(), Some(0), "{err}");

    let running = Running::start(data.path());
    let offsets = get(running.rest, "/topics/kept/partitions/0/offsets").expect("an answer");
    assert_eq!(offsets, r#"{"beginning_offset":0,"end_offset":1}"#);
}

#[test]
fn a_request_under_way_is_given_its_time_and_a_second_signal_takes_it() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    // A body of which one byte never comes.
    let mut stuck = TcpStream::connect(running.rest).expect("a connection");
    write!(stuck, "POST /topics/t HTTP/1.1\r\nHost: postern\r\nContent-Length: 2\r\n\r\n{{").expect("sent");
    thread::sleep(Duration::from_millis(200));
    let told = Instant::now();
    running.signal("-TERM");
    thread::sleep(Duration::from_millis(1000));
    running.signal("-TERM");
    let (status, _, err) = running.end(Duration::from_secs(6));
    assert_eq!(status.code(), Some(128 + 15), "{err}");
    assert!(
        told.elapsed() >= Duration::from_millis(1000) && told.elapsed() < Duration::from_millis(3000),
        "{:?}",
        told.elapsed()
    );
}

#[test]
fn a_request_that_never_ends_is_given_up_in_bounded_time() {
    let data = tempfile::tempdir().expect("a directory");
    let running = Running::start(data.path());
    let mut stuck = TcpStream::connect(running.rest).expect("a connection");
    write!(stuck, "POST /topics/t HTTP/1.1\r\nHost: postern\r\nContent-Length: 2\r\n\r\n{{").expect("sent");
    thread::sleep(Duration::from_millis(200));
    let told = Instant::now();
    running.signal("-TERM");
    let (status, _, err) = running.end(Duration::from_secs(8));
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(err.contains("given up"), "{err}");
    assert!(told.elapsed() < Duration::from_millis(6500), "{:?}", told.elapsed());
}
