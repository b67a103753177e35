"""Members of one group in several languages, with every assignor: one owner for each partition, and nothing lost when members are killed.

The member that came first leads the group, and when it is killed another one does: each client computes an assignment that the others
must take, and reads what the others say of themselves.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from outside import Outside

PARTITIONS = 6
POSTERN, CONFLUENT, PYTHON, JAVA, KAFKAJS = "postern", "confluent", "kafka-python", "java", "kafkajs"
JAVA_ASSIGNORS = {"range": "Range", "roundrobin": "RoundRobin", "sticky": "Sticky", "cooperative-sticky": "CooperativeSticky"}
# Who comes in which order, and so leads; librdkafka has no eager sticky assignor.
GROUPS = [
    ("range", [CONFLUENT, POSTERN, PYTHON, JAVA]),
    ("roundrobin", [PYTHON, POSTERN, CONFLUENT, JAVA]),
    ("sticky", [JAVA, POSTERN, PYTHON]),
    ("cooperative-sticky", [POSTERN, JAVA, CONFLUENT, PYTHON]),
]
# KafkaJS has one assignor only.
GROUPS_WITH_KAFKAJS = [("roundrobin", [KAFKAJS, POSTERN]), ("roundrobin", [POSTERN, KAFKAJS, CONFLUENT])]

out = Outside(__doc__)
out.true("--member is given", out.member)
admin, producer = AdminClient({"bootstrap.servers": out.kafka}), Producer({"bootstrap.servers": out.kafka})
folder = tempfile.mkdtemp(prefix="mixed-groups-")


class Member:
    """A process, and what it has printed."""

    def __init__(self, kind, group, topic, assignor):
        self.kind, self.path = kind, f"{folder}/{group}-{kind}-{time.monotonic_ns()}"
        command = {
            POSTERN: [out.member, out.kafka, group, topic, assignor],
            JAVA: ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                   "-cp", f"{out.jars}/*", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", out.kafka,
                   "--topic", topic, "--group", group, "--from-beginning"]
            + [word for name, value in [("print.partition", "true"), ("print.offset", "true")] for word in ("--property", f"{name}={value}")]
            + [word for name, value in [
                ("partition.assignment.strategy", f"org.apache.kafka.clients.consumer.{JAVA_ASSIGNORS[assignor]}Assignor"),
                ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "300"), ("auto.commit.interval.ms", "300"),
            ] for word in ("--consumer-property", f"{name}={value}")],
            KAFKAJS: ["node", "node/group_member.js", out.kafka, group, topic, assignor],
        }.get(kind, [sys.executable, "group_member.py", kind, out.kafka, group, topic, assignor])
        here = os.path.dirname(os.path.abspath(__file__))
        with open(self.path, "wb") as printed, open(f"{self.path}.errors", "wb") as errors:
            self.process = subprocess.Popen(command, stdout=printed, stderr=errors, cwd=here, env={**os.environ, "NODE_PATH": out.kafkajs or ""})

    def values(self):
        """What it has read; a last line that is not whole yet is left out."""
        with open(self.path, encoding="utf8") as printed:
            return [line.split()[-1] for line in printed.read().split("\n")[:-1] if line.strip()]

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(timeout=30)

    def errors(self):
        with open(f"{self.path}.errors", encoding="utf8") as errors:
            return errors.read()[-2000:]


def owners(group):
    """How many partitions each member has, if the group is at rest and each partition has one owner; else what it is like."""
    try:
        described = admin.describe_consumer_groups([group])[group].result(timeout=20)
    except KafkaException as error:
        return str(error)  # such as: the first group of a cluster has no coordinator at once
    owned = [[p.partition for p in member.assignment.topic_partitions] for member in described.members]
    all_owned = sorted(p for partitions in owned for p in partitions)
    # Never two owners, not even between two rounds.
    out.true(f"{group}: one owner each", len(set(all_owned)) == len(all_owned), owned)
    return sorted(map(len, owned)) if described.state.name == "STABLE" and all_owned == list(range(PARTITIONS)) else (described.state.name, owned)


def settled(group, members, counts):
    deadline, last = time.monotonic() + 45, None
    while time.monotonic() < deadline:
        produce()
        last = owners(group)
        if last == counts:
            return
        for member in members:
            out.same(f"{member.kind} runs\n{member.errors()}", member.process.poll(), None)
        time.sleep(0.1)
    out.same(f"{group}: partitions of each of {[member.kind for member in members]}", last, counts)


def shares(members):
    return sorted(PARTITIONS // members + (n < PARTITIONS % members) for n in range(members))


for number, (assignor, kinds) in enumerate(GROUPS_WITH_KAFKAJS if out.kafkajs else GROUPS):
    kinds = [kind for kind in kinds if kind != JAVA or out.jars]
    topic, group = out.name(f"mixed-{number}-{assignor}"), out.name(f"mixed-{number}-{assignor}-group")
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(timeout=20)
    sent = []

    def produce():
        for _ in range(PARTITIONS):
            sent.append(str(len(sent)))
            producer.produce(topic, sent[-1].encode(), partition=len(sent) % PARTITIONS)
        out.same("all is sent", producer.flush(20), 0)

    produce()
    members, ended = [], []
    for kind in kinds:
        members.append(Member(kind, group, topic, assignor))
        settled(group, members, shares(len(members)))
    # The leader vanishes: the one that came next leads the others.
    for how in [signal.SIGKILL, signal.SIGTERM]:
        if len(members) > 1:
            ended.append(members.pop(0))
            ended[-1].end(how)
            settled(group, members, shares(len(members)))
    members.append(Member(POSTERN, group, topic, assignor))
    settled(group, members, shares(len(members)))
    deadline = time.monotonic() + 30
    read = set()
    while read != set(sent) and time.monotonic() < deadline:
        time.sleep(0.2)
        read = {value for member in members + ended for value in member.values()}
    out.same(f"{assignor}: read by one or the other", sorted(set(sent) - read), [])
    for member in members:
        member.end(signal.SIGTERM)
    print(f"{assignor}: {', '.join(kinds)}: {len(sent)} records")
out.done()
