//! Apache Kafka on three nodes, each broker and controller: replication factor 3, of which two must have a record.
//!
//! A test may kill a node and start it again, so each has a folder with what that needs: `start`, a script that becomes the node, and
//! `pid`, which the script writes.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{Kafka, apache};
use crate::{
    Outcome,
    process::{self, Server},
    workspace,
};

const NODES: [usize; 3] = [1, 2, 3];

/// A running cluster.
pub(crate) struct ThreeNodes {
    _nodes: Vec<Node>,
    /// `127.0.0.1:…` of all nodes, separated by commas.
    pub(crate) bootstrap: String,
    /// Holds a folder for each node: `node-1` to `node-3`.
    pub(crate) folder: PathBuf,
}

impl ThreeNodes {
    /// In an empty folder. A node that is silent for 3 s counts as gone, so that a test of that does not take long.
    pub(crate) fn start(name: &str) -> Outcome<ThreeNodes> {
        let folder = workspace::scratch(name)?;
        let ports = ports(2 * NODES.len())?;
        let (ports, controllers) = ports.split_at(NODES.len());
        let voters: Vec<String> =
            NODES.iter().zip(controllers).map(|(node, port)| format!("{node}@127.0.0.1:{port}")).collect();
        let mut nodes = Vec::new();
        for ((number, port), controller) in NODES.iter().zip(ports).zip(controllers) {
            let folder = folder.join(format!("node-{number}"));
            prepare(&folder, *number, *port, *controller, &voters.join(","))?;
            let mut command = Command::new(folder.join("start"));
            let server =
                Server::start(&format!("node {number} of Apache Kafka"), &mut command, &folder.join("kafka.log"))?;
            nodes.push(Node { server, folder });
        }
        for (node, port) in nodes.iter_mut().zip(ports) {
            node.server.wait_for(*port, Duration::from_secs(120))?;
        }
        let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Ok(ThreeNodes { _nodes: nodes, bootstrap: addresses.join(","), folder })
    }
}

struct Node {
    server: Server,
    folder: PathBuf,
}

impl Drop for Node {
    /// A test may have started it again, as another process than ours.
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.folder.join("pid")).unwrap_or_default();
        let pid = pid.trim();
        if !pid.is_empty() && pid != self.server.pid().to_string() {
            let mut kill = Command::new("kill");
            let _ = kill.args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
    }
}

fn prepare(folder: &Path, number: usize, port: u16, controller: u16, voters: &str) -> Outcome {
    let failed = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let properties = folder.join("server.properties");
    let text = format!(
        "process.roles=broker,controller\n\
         node.id={number}\n\
         broker.rack=r{number}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={data}\n\
         default.replication.factor=3\n\
         min.insync.replicas=2\n\
         offsets.topic.num.partitions=5\n\
         transaction.state.log.num.partitions=5\n\
         group.initial.rebalance.delay.ms=0\n\
         auto.create.topics.enable=false\n\
         auto.leader.rebalance.enable=false\n\
         broker.session.timeout.ms=3000\n\
         broker.heartbeat.interval.ms=500\n\
         num.network.threads=2\n\
         num.io.threads=2\n\
         background.threads=2\n\
         log.cleaner.dedupe.buffer.size=2097152\n",
        data = folder.join("data").display(),
    );
    fs::write(&properties, text).map_err(failed)?;
    let jars = Kafka::jars()?;
    process::output(&mut apache::format(&jars, &properties))?;
    let script = format!(
        "#!/bin/sh\necho $$ > '{pid}'\n\
         exec java -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '{jars}/*' \
         -Dorg.slf4j.simpleLogger.defaultLogLevel=warn kafka.Kafka '{properties}'\n",
        pid = folder.join("pid").display(),
        jars = jars.display(),
        properties = properties.display(),
    );
    let start = folder.join("start");
    fs::write(&start, script).map_err(failed)?;
    fs::set_permissions(&start, fs::Permissions::from_mode(0o755)).map_err(failed)
}

/// Ports that are free now and that the system gives to nobody who asks for any: a node that was killed comes back to its own.
fn ports(count: usize) -> Outcome<Vec<u16>> {
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).unwrap_or(0) * 10;
    let free = (first..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(format!("no {count} free ports from {first} to 32000")) }
}
