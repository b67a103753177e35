//! Several replicas on one cluster serve the same consumer instances.

use std::cell::Cell;

use super::*;

/// Records of the topic.
const COUNT: u32 = 400;
const V2: &str = "application/vnd.kafka.v2+json";
const JSON: &str = "application/vnd.kafka.json.v2+json";

/// An address that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port")
}

/// A replica on the cluster of `cluster`, which other replicas reach at `inner`.
fn replica(cluster: &Running, secret: &Path, inner: SocketAddr) -> Running {
    let mut command = postern(&["--registry-listen=off", "--management-listen=off", "--rest-listen=127.0.0.1:0"]);
    command.arg(format!("--bootstrap-servers={}", cluster.broker)).arg(format!("--replica-listen={inner}"));
    Running::spawn(command.arg("--replica-secret").arg(secret))
}

/// Sends each call to the next replica; to the one after it where nobody listens.
struct Balancer {
    replicas: Vec<SocketAddr>,
    next: Cell<usize>,
}

impl Balancer {
    fn call(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        for _ in 0..self.replicas.len() {
            let at = self.replicas[self.next.replace(self.next.get() + 1) % self.replicas.len()];
            if let Some(answer) = call(at, method, path, body) {
                return answer;
            }
        }
        panic!("nobody listens");
    }

    /// The same until the answer is no refusal for now.
    fn done(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let start = Instant::now();
        loop {
            let answer = self.call(method, path, body);
            assert!(!answer.1.contains("40403"), "{method} {path}: {}", answer.1);
            if answer.0 != 503 {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{}", answer.1);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Status and body; `None`: nobody listens.
fn call(at: SocketAddr, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let accept = if path.contains("/records") { JSON } else { V2 };
    let content_type = if path.starts_with("/topics") { JSON } else { V2 };
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: one.example\r\nAccept: {accept}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Some((status.unwrap_or_else(|| panic!("{head}")), body.to_owned()))
}

const INSTANCE: &str = "/consumers/g/instances/c";

/// Reads and commits until `count` records are committed in all. `committed` has those whose commit was answered well.
fn read(balancer: &Balancer, committed: &mut Vec<u32>, count: usize) {
    let start = Instant::now();
    while committed.len() < count {
        assert!(start.elapsed() < Duration::from_secs(60), "only {} records", committed.len());
        let (status, body) = balancer.done("GET", &format!("{INSTANCE}/records?max_bytes=60"), "");
        assert_eq!(status, 200, "{body}");
        let values = body.split("\"value\":").skip(1).map(|rest| rest.split(',').next().expect("a number").parse());
        let values: Vec<u32> = values.map(|value| value.expect("a number")).collect();
        match balancer.done("POST", &format!("{INSTANCE}/offsets"), "") {
            (200, _) => committed.extend(values),
            // Its replica has gone since the read: what was read comes again.
            (409, refusal) => assert!(refusal.contains("Nothing was committed"), "{refusal}"),
            (status, refusal) => panic!("{status}: {refusal}"),
        }
    }
}

#[test]
fn any_replica_serves_an_instance_which_survives_the_end_of_its_replica() {
    let (data, secrets) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let secret = secrets.path().join("secret");
    std::fs::write(&secret, "a secret of the replicas").expect("a file");
    let cluster = Running::start(data.path());
    create_topic(cluster.rest, "numbers");
    let inner = [free_address(), free_address(), free_address()];
    let [first, second, third] = inner.map(|inner| replica(&cluster, &secret, inner));
    let balancer = Balancer { replicas: vec![first.rest, second.rest, third.rest], next: Cell::new(0) };
    for begin in (0..COUNT).step_by(100) {
        let records: Vec<String> = (begin..begin + 100).map(|value| format!("{{\"value\":{value}}}")).collect();
        let records = format!("{{\"records\":[{}]}}", records.join(","));
        assert_eq!(balancer.call("POST", "/topics/numbers", &records).0, 200);
    }

    let settings = r#"{"name":"c","format":"json","auto.offset.reset":"earliest","auto.commit.enable":"false","fetch.min.bytes":1}"#;
    let (status, made) = call(first.rest, "POST", "/consumers/g", settings).expect("it listens");
    assert_eq!(
        (status, made.as_str()),
        (200, r#"{"instance_id":"c","base_uri":"http://one.example/consumers/g/instances/c"}"#)
    );
    // The name is in use, whoever is asked.
    for at in [second.rest, third.rest] {
        let (status, refusal) = call(at, "POST", "/consumers/g", settings).expect("it listens");
        assert!(status == 409 && refusal.contains("40902"), "{refusal}");
    }
    let subscribe = format!("{INSTANCE}/subscription");
    assert_eq!(balancer.call("POST", &subscribe, r#"{"topics":["numbers"]}"#).0, 204);
    for at in [first.rest, second.rest, third.rest] {
        assert_eq!(call(at, "GET", &subscribe, ""), Some((200, r#"{"topics":["numbers"]}"#.to_owned())));
    }
    // Only replicas may speak for callers, and only they write their topic.
    let (status, refusal) = call(inner[0], "GET", &subscribe, "").expect("it listens");
    assert!(status == 403 && refusal.contains("replica-secret"), "{refusal}");
    assert_eq!(balancer.call("POST", "/topics/_postern_instances", r#"{"records":[{"value":1}]}"#).0, 403);

    let mut committed = Vec::new();
    let part = usize::try_from(COUNT).expect("small") / 4;
    read(&balancer, &mut committed, part);
    // Killed, it says nothing to anybody: the replica that is asked next has the instance from now on.
    first.signal("-KILL");
    drop(first);
    assert_eq!(call(second.rest, "GET", &subscribe, ""), Some((200, r#"{"topics":["numbers"]}"#.to_owned())));
    read(&balancer, &mut committed, 2 * part);
    // While it ends, and afterwards, calls are answered.
    second.signal("-TERM");
    read(&balancer, &mut committed, 3 * part);
    let (status, _, log) = second.end(Duration::from_secs(20));
    assert!(status.success() && !log.contains("given up"), "{log}");
    read(&balancer, &mut committed, 4 * part);
    committed.sort_unstable();
    assert_eq!(committed, (0..COUNT).collect::<Vec<_>>());

    assert_eq!(balancer.call("DELETE", INSTANCE, "").0, 204);
    // The member of the group is gone with it, although a member that only moves stays.
    let clusters = get(third.rest, "/v3/clusters").expect("an answer");
    let id = clusters.split("\"cluster_id\":\"").nth(1).expect("an id")[..22].to_owned();
    let members = get(third.rest, &format!("/v3/clusters/{id}/consumer-groups/g/consumers")).expect("the group");
    assert!(members.contains("\"data\":[]"), "{members}");
    let (status, refusal) = balancer.call("GET", &subscribe, "");
    assert!(status == 404 && refusal.contains("40403"), "{refusal}");
}
