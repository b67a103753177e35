//! Three nodes that `xtask/src/cluster/three_nodes.rs` has started: killed, frozen, started again; their topics moved and changed.

use std::{
    cell::Cell,
    env, fmt, fs, io,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        AlterPartitionReassignmentsRequest, ApiKey, BrokerId, ElectLeadersRequest, RequestHeader, ResponseHeader,
        alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic},
        elect_leaders_request::TopicPartitions,
    },
    protocol::{Decodable, Encodable, Request, StrBytes},
};
use postern_kafka::{Cluster, ErrorKind, PartitionDescription, TopicName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::target::new_topic;

/// The folder that has one of each node: `start` becomes the node, `pid` tells its process.
const FOLDER: &str = "POSTERN_TEST_NODES";
/// A node that is killed stays away for so long: longer than its session.
const DOWN: Duration = Duration::from_secs(4);
const FROZEN: Duration = Duration::from_secs(15);
/// A node that was started again leads and follows within this.
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// The nodes, called 1 to 3.
pub(crate) struct Nodes {
    folder: PathBuf,
    pub(crate) bootstrap: String,
}

/// The topics that are disturbed.
#[derive(Clone, Copy)]
pub(crate) struct Disturbed<'a> {
    /// Its leaders and replicas move.
    pub(crate) steady: &'a TopicName,
    /// It is given more partitions.
    pub(crate) growing: &'a TopicName,
    /// It is deleted and made again.
    pub(crate) mortal: &'a TopicName,
}

/// What was done.
pub(crate) struct Events {
    killed: usize,
    frozen: usize,
    moved: usize,
    reassigned: usize,
    widened: usize,
    reborn: usize,
    /// When the mortal topic was made the last time.
    pub(crate) born: Instant,
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Events { killed, frozen, moved, reassigned, widened, reborn, .. } = self;
        write!(
            f,
            "{killed} brokers killed, {frozen} frozen, {moved} leaders moved, {reassigned} partitions reassigned, \
             {widened} added, {reborn} topics made again"
        )
    }
}

impl Nodes {
    pub(crate) fn find() -> Option<Nodes> {
        let folder = PathBuf::from(env::var_os(FOLDER)?);
        let bootstrap = env::var("POSTERN_TEST_BOOTSTRAP").expect("the addresses of the nodes");
        Some(Nodes { folder, bootstrap })
    }

    pub(crate) fn signal(&self, node: usize, signal: &str) {
        let pid = fs::read_to_string(self.folder.join(format!("node-{node}/pid"))).expect("the node was started");
        let status = Command::new("kill").args([signal, pid.trim()]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} {pid}");
    }

    pub(crate) fn start(&self, node: usize) {
        let folder = self.folder.join(format!("node-{node}"));
        let log = fs::OpenOptions::new().append(true).open(folder.join("kafka.log")).expect("its log");
        let mut command = Command::new(folder.join("start"));
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a file")).stdout(log);
        let mut node = command.spawn().expect("it starts");
        std::thread::spawn(move || node.wait());
    }

    /// Does what the seed says for `time`, and leaves the cluster whole.
    pub(crate) async fn disturb(&self, cluster: &Cluster, topics: Disturbed<'_>, seed: u64, time: Duration) -> Events {
        let end = Instant::now() + time;
        let mut events =
            Events { killed: 0, frozen: 0, moved: 0, reassigned: 0, widened: 0, reborn: 0, born: Instant::now() };
        let over = Cell::new(false);
        let nodes = async {
            let mut random = fastrand::Rng::with_seed(seed ^ 1);
            let (mut killed, mut frozen) = (0, 0);
            while Instant::now() < end || frozen == 0 {
                sleep(Duration::from_secs(1)).await;
                let node = random.usize(1..=3);
                if killed <= frozen {
                    self.signal(node, "-KILL");
                    sleep(DOWN).await;
                    self.start(node);
                    killed += 1;
                } else {
                    self.signal(node, "-STOP");
                    sleep(FROZEN).await;
                    self.signal(node, "-CONT");
                    frozen += 1;
                }
                self.wait_until_whole(cluster, topics.steady).await;
            }
            over.set(true);
            (killed, frozen)
        };
        // No change is cut off in the middle: the mortal topic must be there in the end.
        let changes = async {
            let mut random = fastrand::Rng::with_seed(seed ^ 2);
            while !over.get() {
                self.change(cluster, topics, &mut random, &mut events).await;
                sleep(Duration::from_millis(random.u64(50..300))).await;
            }
        };
        let ((killed, frozen), ()) = tokio::join!(nodes, changes);
        self.make(cluster, topics.mortal).await;
        (events.killed, events.frozen) = (killed, frozen);
        events.born = Instant::now();
        events
    }

    /// Every replica of every partition is in sync.
    async fn wait_until_whole(&self, cluster: &Cluster, topic: &TopicName) {
        let end = Instant::now() + BACK_WITHIN;
        loop {
            let whole = |partition: &PartitionDescription| partition.in_sync.len() == partition.replicas.len();
            match cluster.topic(topic, false).await {
                Ok(described) if described.partitions.iter().all(whole) => {
                    let brokers = cluster.describe_cluster().await.map_or(0, |cluster| cluster.brokers.len());
                    if brokers == 3 {
                        return;
                    }
                }
                _ => {}
            }
            assert!(Instant::now() < end, "the cluster is not whole again");
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// One change of a topic. What the cluster refuses now, with a node away, is left out.
    async fn change(&self, cluster: &Cluster, topics: Disturbed<'_>, random: &mut fastrand::Rng, events: &mut Events) {
        let Disturbed { steady, growing, mortal } = topics;
        match random.u32(..20) {
            0 => {
                if let Ok(described) = cluster.topic(growing, false).await
                    && described.partitions.len() < 8
                    && cluster.add_partitions(growing, described.partitions.len() as i32 + 1).await.is_ok()
                {
                    events.widened += 1;
                }
            }
            1 | 2 => {
                if cluster.delete_topic(mortal).await.is_ok() {
                    self.make(cluster, mortal).await;
                    events.reborn += 1;
                }
            }
            3..=6 => {
                if let Some((partition, mut replicas)) = partition(cluster, steady, random).await {
                    if replicas.len() == 3 {
                        replicas.remove(random.usize(..3));
                    } else {
                        replicas.extend((1..=3).filter(|node| !replicas.contains(node)).collect::<Vec<_>>());
                    }
                    events.reassigned += usize::from(self.reassign(steady, partition, &replicas).await.is_ok());
                }
            }
            _ => {
                if let Some((partition, mut replicas)) = partition(cluster, steady, random).await {
                    replicas.rotate_left(1);
                    if self.reassign(steady, partition, &replicas).await.is_ok() {
                        let elected = self.elect(steady, partition).await;
                        events.moved += usize::from(elected.is_ok());
                    }
                }
            }
        }
    }

    /// Makes the topic, if it is not there.
    async fn make(&self, cluster: &Cluster, topic: &TopicName) {
        let end = Instant::now() + BACK_WITHIN;
        loop {
            match cluster.create_topic(&new_topic(topic, 2)).await {
                Ok(_) => return,
                // By an attempt whose answer was lost, or it is still being deleted.
                Err(error) if error.kind == ErrorKind::TopicExists && cluster.topic(topic, false).await.is_ok() => {
                    return;
                }
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn reassign(&self, topic: &TopicName, partition: i32, replicas: &[i32]) -> io::Result<()> {
        let replicas = replicas.iter().map(|node| BrokerId(*node)).collect();
        let partition = ReassignablePartition::default().with_partition_index(partition).with_replicas(Some(replicas));
        let topic = ReassignableTopic::default().with_name(wire_name(topic)).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default().with_timeout_ms(5_000).with_topics(vec![topic]);
        let answer = self.ask(&request, 0).await?;
        let codes = answer.responses.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        refused(codes.chain([answer.error_code]))
    }

    async fn elect(&self, topic: &TopicName, partition: i32) -> io::Result<()> {
        let topic = TopicPartitions::default().with_topic(wire_name(topic)).with_partitions(vec![partition]);
        let request = ElectLeadersRequest::default().with_timeout_ms(5_000).with_topic_partitions(Some(vec![topic]));
        let answer = self.ask(&request, 2).await?;
        let results = answer.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        refused(results.map(|partition| partition.error_code).chain([answer.error_code]))
    }

    /// Asks the first node that answers; they pass it on to the controller.
    async fn ask<R: Request>(&self, request: &R, version: i16) -> io::Result<R::Response> {
        let mut failed = io::Error::other("there is no node");
        for address in self.bootstrap.split(',') {
            match timeout(Duration::from_secs(6), ask(address, request, version)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }
}

/// A partition of the topic, and its replicas.
async fn partition(cluster: &Cluster, topic: &TopicName, random: &mut fastrand::Rng) -> Option<(i32, Vec<i32>)> {
    let mut described = cluster.topic(topic, false).await.ok()?.partitions;
    let partition = described.swap_remove(random.usize(..described.len()));
    Some((partition.id.0, partition.replicas.iter().map(|node| node.0).collect()))
}

fn refused(codes: impl Iterator<Item = i16>) -> io::Result<()> {
    match codes.into_iter().find(|code| *code != 0) {
        Some(code) => Err(io::Error::other(format!("error {code}"))),
        None => Ok(()),
    }
}

fn wire_name(topic: &TopicName) -> kafka_protocol::messages::TopicName {
    kafka_protocol::messages::TopicName(StrBytes::from_string(topic.as_str().to_owned()))
}

/// One request on a connection of its own.
async fn ask<R: Request>(address: &str, request: &R, version: i16) -> io::Result<R::Response> {
    let api = ApiKey::try_from(R::KEY).map_err(|()| io::Error::other("an API without a number"))?;
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    header.encode(&mut bytes, api.request_header_version(version)).map_err(io::Error::other)?;
    request.encode(&mut bytes, version).map_err(io::Error::other)?;
    let mut framed = BytesMut::new();
    framed.put_i32(i32::try_from(bytes.len()).map_err(io::Error::other)?);
    framed.extend_from_slice(&bytes);
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(&framed).await?;
    let length = connection.read_u32().await?;
    let mut answer = vec![0; length as usize];
    connection.read_exact(&mut answer).await?;
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, api.response_header_version(version)).map_err(io::Error::other)?;
    let decoded = R::Response::decode(&mut answer, version).map_err(io::Error::other)?;
    Ok(decoded)
}
