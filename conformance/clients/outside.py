"""What the scripts of this folder share: the addresses under test, HTTP, and two independent ways to read a topic back."""
import argparse
import io
import json
import random
import sys
import time

import fastavro
import requests
from confluent_kafka import Consumer, TopicPartition

V2 = "application/vnd.kafka.v2+json"
AVRO = "application/vnd.kafka.avro.v2+json"
JSON = "application/vnd.kafka.json.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"
JSON_SCHEMA = "application/vnd.kafka.jsonschema.v2+json"
PROTOBUF = "application/vnd.kafka.protobuf.v2+json"


class Outside:
    """Postern as its clients see it."""

    def __init__(self, about):
        parser = argparse.ArgumentParser(description=about)
        parser.add_argument("--rest", required=True, help="address of the REST proxy")
        parser.add_argument("--registry", required=True, help="address of the registry")
        parser.add_argument("--kafka", required=True, help="bootstrap address of the cluster behind them")
        parser.add_argument("--cluster", choices=["embedded", "apache"], required=True, help="what kind of cluster that is")
        parser.add_argument("--jars", help="where Apache Kafka's jars are, for the script that runs its tools")
        parser.add_argument("--member", help="the program that is a member of a group with this client, for the script that mixes members")
        parser.add_argument("--identities", help="the file of Kafka identities that the server follows, for the script that writes it")
        parser.add_argument("--management", help="address of the management listener, for scripts that read metrics")
        parser.add_argument("--pid", help="the process, for scripts that look at its memory")
        parser.add_argument("--kafkajs", help="where the libraries for Node are, for the script that mixes members: then some are in Node")
        args = parser.parse_args()
        self.rest, self.registry, self.kafka = args.rest, args.registry, args.kafka
        self.embedded, self.jars, self.member = args.cluster == "embedded", args.jars, args.member
        self.identities, self.management, self.pid, self.kafkajs = args.identities, args.management, args.pid, args.kafkajs
        self.session = requests.Session()
        self.checks = 0
        # Names of their own, so that a run may follow another on the same cluster.
        self.run = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=6))

    def name(self, name):
        """A topic or subject of this run."""
        return f"{self.run}.{name}"

    # --- checks ----------------------------------------------------------------------------------------------------------------

    def same(self, what, found, expected):
        """Both values are equal."""
        self.checks += 1
        if found != expected:
            raise SystemExit(f"{what}\n  expected {expected!r}\n  found    {found!r}")

    def true(self, what, found, shown=None):
        """It holds."""
        self.checks += 1
        if not found:
            raise SystemExit(f"{what}: does not hold" + (f"\n  found {shown!r}" if shown is not None else ""))

    def done(self):
        """The last line of a script. A script that checked nothing has not passed."""
        self.true("something was checked", self.checks > 0)
        print(f"{sys.argv[0].rsplit('/', 1)[-1]}: {self.checks} checks hold")

    # --- HTTP ------------------------------------------------------------------------------------------------------------------

    def create_topic(self, topic, partitions=1, replicas=1):
        """Through v3; returns the answer."""
        url = f"{self.rest}/v3/clusters/{self.cluster_id()}/topics"
        body = {"topic_name": topic, "partitions_count": partitions, "replication_factor": replicas}
        return self.session.post(url, json=body, timeout=30)

    def cluster_id(self):
        return self.session.get(f"{self.rest}/v3/clusters", timeout=30).json()["data"][0]["cluster_id"]

    def produce(self, topic, body, media=AVRO, headers=None):
        """Through v2; `body` is sent as JSON unless it is text already."""
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = headers or {"Content-Type": media, "Accept": V2}
        return self.session.post(f"{self.rest}/topics/{topic}", data=data, headers=headers, timeout=30)

    def versions(self, subject):
        """The versions under a subject; none if there is no such subject."""
        reply = self.session.get(f"{self.registry}/subjects/{subject}/versions", timeout=30)
        return reply.json() if reply.status_code == 200 else []

    # --- the world -------------------------------------------------------------------------------------------------------------

    def end(self, topic, partition=0):
        """The offset of the next record, asked of the cluster itself."""
        consumer = self.consumer()
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
        finally:
            consumer.close()

    def records(self, topic, partition=0):
        """All records of a partition, read by librdkafka."""
        consumer, found = self.consumer(), []
        try:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            consumer.assign([TopicPartition(topic, partition, low)])
            deadline = time.monotonic() + 20
            while low + len(found) < high:
                self.true(f"{topic} is read within 20 s", time.monotonic() < deadline, len(found))
                message = consumer.poll(1)
                if message is not None and not message.error():
                    found.append(message)
            return found
        finally:
            consumer.close()

    def consumer(self):
        settings = {"bootstrap.servers": self.kafka, "group.id": self.name("reader"), "enable.auto.commit": False}
        return Consumer(settings)


def by_hand(framed, schema):
    """The wire format taken apart: (id, value), the value decoded by fastavro. Nothing may be left over."""
    if framed[:1] != b"\0":
        raise SystemExit(f"expected a magic byte of 0, found {framed!r}")
    payload = io.BytesIO(framed[5:])
    value = fastavro.schemaless_reader(payload, fastavro.parse_schema(schema), None)
    if payload.read():
        raise SystemExit(f"bytes left over after the value: {framed!r}")
    return int.from_bytes(framed[1:5], "big"), value
