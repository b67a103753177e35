"""Clients that know nothing of the proxy, on the same cluster: admin, producers with each codec, a consumer group, kcat."""
import json
import shutil
import subprocess
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from outside import JSON, Outside

out = Outside(__doc__)
admin = AdminClient({"bootstrap.servers": out.kafka})

# A topic made by a Kafka client is there for the proxy, and the other way round.
topic = out.name("foreign")
admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])[topic].result(timeout=20)
shown = out.session.get(f"{out.rest}/topics/{topic}", timeout=30)
out.same("the proxy sees it", (shown.status_code, len(shown.json()["partitions"])), (200, 2))

# Producers with each codec, idempotent, and the proxy between them.
acknowledged = []
for n, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
    producer = Producer({"bootstrap.servers": out.kafka, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
    for i in range(100):
        producer.produce(topic, f"{codec} {i} ".encode() * 20, partition=n % 2, on_delivery=lambda error, m: acknowledged.append((error, m)))
    out.same(f"{codec}: all is sent", producer.flush(20), 0)
reply = out.produce(topic, {"records": [{"partition": 0, "value": "between"}]}, media=JSON)
out.same("the proxy writes behind them", reply.json()["offsets"][0]["offset"], 300)
out.same("no record failed", [error for error, _ in acknowledged if error], [])
wanted = {(m.partition(), m.offset()): m.value() for _, m in acknowledged}
out.same("every record has an offset of its own", len(wanted), 500)
read = {(p, m.offset()): m.value() for p in (0, 1) for m in out.records(topic, p)}
out.same("and is read back as it was", read, {**wanted, (0, 300): b'"between"'})

# A group of two shares the partitions and goes on where it committed.
group = {"bootstrap.servers": out.kafka, "group.id": out.name("group"), "auto.offset.reset": "earliest", "enable.auto.commit": False}
members, seen = [Consumer(group), Consumer(group)], set()
for member in members:
    member.subscribe([topic])


def shared():
    """Each has one partition and stands at its end. Who came first may have read both; the other then reads its own once more."""
    places = [m.position(m.assignment()) for m in members]
    return sorted(p.offset for place in places for p in place) == [200, 301] and all(len(place) == 1 for place in places)


deadline = time.monotonic() + 30
while not shared() and time.monotonic() < deadline:
    for member in members:
        for message in member.consume(100, timeout=0.2):
            if not message.error():
                seen.add((message.partition(), message.offset()))
out.same("each member has a partition", [len(m.assignment()) for m in members], [1, 1])
out.same("the group sees everything", len(seen), 501)
for member in members:
    member.commit(asynchronous=False)
    member.close()
late = Consumer(group)
late.subscribe([topic])
deadline = time.monotonic() + 20
while len(late.assignment()) != 2 and time.monotonic() < deadline:
    message = late.poll(0.2)
    out.true("nothing is read twice", message is None or message.error(), message)
out.same("what was committed", sorted(p.offset for p in late.committed(late.assignment(), timeout=10)), [200, 301])
late.close()

# Its admin client: a setting, a partition more, the group's offsets set back; the group finds the topic by a pattern, seeks, knows its lag.
def only(futures):
    """The outcome of a call about one thing."""
    return next(iter(futures.values())).result(timeout=20)


change = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
only(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[change])]))
out.same("the setting", only(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))["retention.ms"].value, "3600000")
only(admin.create_partitions([NewPartitions(topic, 3)]))
out.same("widened", len(out.session.get(f"{out.rest}/topics/{topic}", timeout=30).json()["partitions"]), 3)
places = [TopicPartition(topic, 0, 290), TopicPartition(topic, 1, 195)]
only(admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group["group.id"], places)]))
late = Consumer(group)
late.subscribe([f"^{topic}$".replace(".", "[.]")])


def read_on(wanted):
    found, deadline = [], time.monotonic() + 20
    while len(found) < wanted and time.monotonic() < deadline:
        found.extend((m.partition(), m.offset()) for m in late.consume(100, timeout=0.2) if not m.error())
    return sorted(found)


rest = [(0, n) for n in range(290, 301)] + [(1, n) for n in range(195, 200)]
out.same("read on from there", read_on(16), rest)
late.seek(TopicPartition(topic, 1, 150))
out.same("and from where it sought", read_on(50), [(1, n) for n in range(150, 200)])
lag = [late.get_watermark_offsets(p, timeout=10)[1] - p.offset for p in late.committed(places, timeout=10)]
out.same("its lag, for it committed nothing", lag, [11, 5])
late.close()

# The serializer of the other side registers with our registry, and reads what it wrote.
registry = SchemaRegistryClient({"url": out.registry})
schema = json.dumps({"type": "record", "name": "Reading", "fields": [{"name": "k", "type": "double"}, {"name": "tag", "type": ["null", "string"]}]})
context = SerializationContext(topic, MessageField.VALUE)
written = AvroSerializer(registry, schema)({"k": 4.25, "tag": "a"}, context)
out.same("the serializer registered", out.versions(f"{topic}-value"), [1])
out.same("its deserializer reads it", AvroDeserializer(SchemaRegistryClient({"url": out.registry}))(written, context), {"k": 4.25, "tag": "a"})
reply = out.produce(topic, {"value_schema": schema, "records": [{"partition": 1, "value": {"tag": {"string": "a"}, "k": 4.25}}]})
out.same("the proxy uses what it registered", reply.json().get("value_schema_id"), int.from_bytes(written[1:5], "big"))
out.same("and writes the same bytes", out.records(topic, 1)[-1].value(), written)

# kcat, where it is installed: another build of another age of the client library.
if shutil.which("kcat"):
    def kcat(*arguments, text=None):
        done = subprocess.run(["kcat", "-b", out.kafka, *arguments], input=text, capture_output=True, text=True, timeout=30)
        out.same(f"kcat {' '.join(arguments)}: {done.stderr}", done.returncode, 0)
        return done.stdout

    listed = json.loads(kcat("-L", "-J"))
    out.true("kcat lists the topic", topic in [t["topic"] for t in listed["topics"]])
    kcat("-P", "-t", topic, "-p", "1", "-K", ":", text="key:from kcat\n")
    out.same("kcat reads it back", kcat("-C", "-t", topic, "-p", "1", "-o", "-1", "-e", "-q", "-f", "%k=%s"), "key=from kcat")
else:
    print("foreign.py: kcat is not installed, its part is left out")

admin.delete_topics([topic])[topic].result(timeout=20)
deadline = time.monotonic() + 10
while topic in out.session.get(f"{out.rest}/topics", timeout=30).json() and time.monotonic() < deadline:
    time.sleep(0.1)
out.same("a deleted topic is gone for the proxy", out.session.get(f"{out.rest}/topics/{topic}", timeout=30).status_code, 404)
out.done()
