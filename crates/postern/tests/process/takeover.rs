//! One process ends, another takes over: under load, on a shared port, on a socket that was handed over.

use std::{
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use super::*;

const RECORD: &str = r#"{"records":[{"value":1}]}"#;

/// Sends one record on `stream`, which is closed afterwards if `close` says so.
fn send_record(stream: &mut TcpStream, close: bool) -> std::io::Result<()> {
    let connection = if close { "close" } else { "keep-alive" };
    write!(
        stream,
        "POST /topics/load HTTP/1.1\r\nHost: p\r\nConnection: {connection}\r\nContent-Type: application/vnd.kafka.json.v2+json\r\n\
         Content-Length: {}\r\n\r\n{RECORD}",
        RECORD.len()
    )
}

/// Reads one answer. `None`: the connection ended before its first byte.
fn read_answer(from: &mut impl BufRead) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        match from.read_line(&mut head) {
            Ok(0) | Err(_) if head.is_empty() => return None,
            Ok(0) => panic!("the answer broke off: {head}"),
            Ok(_) => {}
            Err(error) => panic!("the answer broke off ({error}): {head}"),
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or_else(|| panic!("no length: {head}"))];
    from.read_exact(&mut body).expect("the body of the answer");
    Some((head, String::from_utf8(body).expect("UTF-8")))
}

/// Clients that write until they are told to stop; each returns how many of its records were acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<u64>>,
}

impl Load {
    fn start(clients: usize, client: impl Fn(&AtomicBool) -> u64 + Clone + Send + 'static) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let spawn = |_| {
            let (stop, client) = (Arc::clone(&stop), client.clone());
            thread::spawn(move || client(&stop))
        };
        Load { clients: (0..clients).map(spawn).collect(), stop }
    }

    /// With a new connection for each record. None may be refused, and none may go unanswered.
    fn on_new_connections(rest: SocketAddr) -> Load {
        Load::start(8, move |stop| {
            let mut acknowledged = 0;
            while !stop.load(Relaxed) {
                let mut stream = TcpStream::connect(rest).expect("a connection");
                stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
                send_record(&mut stream, true).expect("sent");
                let (head, body) = read_answer(&mut BufReader::new(stream)).expect("an answer");
                assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"error_code\":null"), "{head}{body}");
                acknowledged += 1;
            }
            acknowledged
        })
    }

    /// The sum of what the clients return; they end by themselves if `stop` is false.
    fn end(self, stop: bool) -> u64 {
        self.stop.store(stop, Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("no panic")).sum()
    }
}

fn end_offset(rest: SocketAddr) -> u64 {
    let offsets = get(rest, "/topics/load/partitions/0/offsets").expect("an answer");
    let end = offsets.split("\"end_offset\":").nth(1).and_then(|rest| rest.trim_end_matches('}').parse().ok());
    end.unwrap_or_else(|| panic!("{offsets}"))
}

/// Waits until the load has written some records.
fn wait_for_records(rest: SocketAddr, more_than: u64) -> u64 {
    let start = Instant::now();
    loop {
        let end = end_offset(rest);
        if end > more_than {
            return end;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "only {end} records");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What was written was acknowledged, and the other way round.
#[test]
fn a_signal_under_load_loses_no_answer_that_is_owed() {
    let data = tempfile::tempdir().expect("a directory");
    let mut running = Running::start(data.path());
    create_topic(running.rest, "load");
    let rest = running.rest;
    let load = Load::start(16, move |_| {
        let mut acknowledged = 0;
        let mut stream = TcpStream::connect(rest).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let mut answers = BufReader::new(stream.try_clone().expect("a handle"));
        while send_record(&mut stream, false).is_ok() {
            let Some((head, body)) = read_answer(&mut answers) else { break };
            assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"error_code\":null"), "{head}{body}");
            acknowledged += 1;
            if head.to_lowercase().contains("connection: close") {
                break;
            }
        }
        acknowledged
    });
    wait_for_records(rest, 100);
    running.signal("-TERM");
    running.wait_for_log("SIGTERM");
    let acknowledged = load.end(false);
    let (status, _, err) = running.end(Duration::from_secs(20));
    assert!(status.success() && !err.contains("given up"), "{err}");
    let running = Running::start(data.path());
    assert_eq!(end_offset(running.rest), acknowledged);
}

/// A process on the cluster of `cluster`, which it shares with others.
fn sharing(cluster: &Running, rest: SocketAddr) -> Command {
    let mut command = postern(&["--registry-listen=off", "--management-listen=off", "--listen-reuse-port"]);
    command.arg(format!("--rest-listen={rest}")).arg(format!("--bootstrap-servers={}", cluster.broker));
    command
}

#[test]
fn the_next_process_takes_a_shared_port_over_without_a_refused_connection() {
    let data = tempfile::tempdir().expect("a directory");
    let cluster = Running::start(data.path());
    create_topic(cluster.rest, "load");
    let first = Running::spawn(&mut sharing(&cluster, "127.0.0.1:0".parse().expect("an address")));
    let load = Load::on_new_connections(first.rest);
    let written = wait_for_records(cluster.rest, 50);
    let second = Running::spawn(&mut sharing(&cluster, first.rest));
    assert_eq!(second.rest, first.rest);
    wait_for_records(cluster.rest, written + 50);
    first.signal("-TERM");
    let (status, _, err) = first.end(Duration::from_secs(20));
    assert!(status.success() && !err.contains("given up"), "{err}");
    let written = end_offset(cluster.rest);
    wait_for_records(cluster.rest, written + 50);
    assert_eq!(load.end(true), end_offset(cluster.rest));
}

/// With a socket of this name, as `systemd` hands one over.
fn with_socket(name: &str, socket: &TcpListener, data: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_postern")]).args(ANY_PORTS).arg("--data-dir").arg(data);
    command.stdin(OwnedFd::from(socket.try_clone().expect("a handle")));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn on_a_socket_that_was_handed_over_clients_wait_for_the_next_process() {
    let data = tempfile::tempdir().expect("a directory");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let first = Running::spawn(&mut with_socket("rest", &socket, data.path()));
    assert_eq!(first.rest, socket.local_addr().expect("its address"));
    create_topic(first.rest, "load");
    let load = Load::on_new_connections(first.rest);
    let written = wait_for_records(first.rest, 50);
    first.signal("-TERM");
    let (status, _, err) = first.end(Duration::from_secs(20));
    assert!(status.success() && !err.contains("given up"), "{err}");
    let second = Running::spawn(&mut with_socket("rest", &socket, data.path()));
    wait_for_records(second.rest, written + 50);
    assert_eq!(load.end(true), end_offset(second.rest));
}

#[test]
fn a_socket_with_an_unknown_name_stops_the_start() {
    let data = tempfile::tempdir().expect("a directory");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (code, _, err) = output(&mut with_socket("kafka", &socket, data.path()));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("\"kafka\"") && err.contains("rest, registry, management"), "{err}");
}

/// As under `Type=notify`.
#[test]
fn the_service_manager_is_told_and_levels_of_the_log_are_read_again() {
    let data = tempfile::tempdir().expect("a directory");
    let manager = UnixDatagram::bind(data.path().join("notify")).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let told = || {
        let mut state = [0; 200];
        let length = manager.recv(&mut state).expect("a state");
        String::from_utf8(state[..length].to_vec()).expect("UTF-8")
    };
    let file = data.path().join("postern.toml");
    std::fs::write(&file, "log = \"off\"").expect("a file");
    let mut command = postern(&ANY_PORTS);
    command.arg("--config").arg(&file).arg("--data-dir").arg(data.path().join("data"));
    let mut running = Running::spawn(command.env("NOTIFY_SOCKET", data.path().join("notify")));
    assert_eq!(told(), "READY=1");

    std::fs::write(&file, "log = \"info\"").expect("a file");
    running.signal("-HUP");
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told(), "READY=1");
    running.wait_for_log("levels of the log: read again");
    // What cannot be used changes nothing.
    std::fs::write(&file, "log = \"loud\"").expect("a file");
    running.signal("-HUP");
    assert!(told().starts_with("RELOADING=1"));
    assert_eq!(told(), "READY=1");
    running.wait_for_log("nothing is read again");
    create_topic(running.rest, "after");

    running.signal("-TERM");
    assert_eq!(told(), "STOPPING=1");
    let (status, _, err) = running.end(Duration::from_secs(20));
    assert!(status.success() && err.contains("SIGTERM"), "{err}");
}
