"""kafka-python, a client that shares no code with librdkafka: administration, codecs, groups, seeking, lag, offsets set back."""
import threading
import time

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from outside import Outside

out = Outside(__doc__)
admin = KafkaAdminClient(bootstrap_servers=out.kafka)


def patience(seconds=30):
    """A countdown to loop over: ends by itself, so that what never comes is a failed check and not a hang."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield


def config(topic, name):
    """A setting of a topic: value, and where it is from."""
    entries = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")["topic"][topic]
    return entries[name]["value"], entries[name]["config_source"]


# A topic is made with a setting, changed, widened.
topic = out.name("kafka-python")
admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": "7200000"}}})
out.true("it is listed", topic in admin.list_topics())
try:
    admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})
    out.true("the same again is refused", False)
except TopicAlreadyExistsError:
    pass
out.same("its setting", config(topic, "retention.ms"), ("7200000", "DYNAMIC_TOPIC_CONFIG"))
resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "3600000", "max.message.bytes": "2000000"})
admin.alter_configs([resource])
out.same("altered", [config(topic, n)[0] for n in ("retention.ms", "max.message.bytes")], ["3600000", "2000000"])
admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, ["max.message.bytes"])])
out.same("one set back", [config(topic, n)[1] for n in ("retention.ms", "max.message.bytes")], ["DYNAMIC_TOPIC_CONFIG", "DEFAULT_CONFIG"])
admin.create_partitions({topic: 4})
described = admin.describe_topics([topic])[0]
out.same("widened", sorted(p["partition_index"] for p in described["partitions"]), [0, 1, 2, 3])

# Each codec, idempotent; partition 3 stays empty.
written = {}
for n, codec in enumerate([None, "gzip", "snappy", "lz4", "zstd"]):
    producer = KafkaProducer(bootstrap_servers=out.kafka, compression_type=codec, enable_idempotence=True, linger_ms=5)
    sent = []
    for i in range(60):
        value = f"{codec} {i} ".encode() * 30
        sent.append((value, producer.send(topic, value, key=b"k%d" % i, headers=[("codec", str(codec).encode())], partition=n % 3)))
    for value, future in sent:
        receipt = future.get(timeout=20)
        written[receipt.partition, receipt.offset] = value
    producer.close()
out.same("every record has an offset of its own", len(written), 300)
parts = [TopicPartition(topic, p) for p in range(4)]


def poll(consumer, wanted):
    """Records until there are as many as wanted."""
    found = []
    for _ in patience():
        for records in consumer.poll(timeout_ms=200).values():
            found.extend(records)
        if len(found) >= wanted:
            break
    return found


alone = KafkaConsumer(bootstrap_servers=out.kafka, auto_offset_reset="earliest", enable_auto_commit=False)
out.same("the ends", [alone.end_offsets(parts)[p] for p in parts], [120, 120, 60, 0])
alone.assign(parts)
found = poll(alone, 300)
out.same("read back as it was", {(r.partition, r.offset): r.value for r in found}, written)
out.same("with keys and headers", {(r.key, r.headers[0][1]) for r in found if r.partition == 2}, {(b"k%d" % i, b"snappy") for i in range(60)})

# Seeking: to an offset, to the ends, to a time.
alone.assign(parts[:1])
alone.seek(parts[0], 100)
out.same("from an offset on", [r.offset for r in poll(alone, 20)], list(range(100, 120)))
alone.seek_to_beginning(parts[0])
out.same("from the beginning", poll(alone, 1)[0].offset, 0)
alone.seek_to_end(parts[0])
out.same("at the end", alone.position(parts[0]), 120)
times = {r.offset: r.timestamp for r in found if r.partition == 0}
first = min(offset for offset, stamp in times.items() if stamp >= times[60])
out.same("by time", alone.offsets_for_times({parts[0]: times[60]})[parts[0]].offset, first)
alone.close()


# A group of two that finds its topic by a pattern, shares it, and hands everything to the one who stays.
group = out.name("kafka-python-group")
settings = {"bootstrap_servers": out.kafka, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False,
            "heartbeat_interval_ms": 200, "metadata_max_age_ms": 1000}
members, seen = [], []


class Member(ConsumerRebalanceListener):
    """One that a thread of its own polls: a rebalance ends when all have come, and this client starts over if it is not let wait."""

    def __init__(self):
        self.partitions, self.leaves, self.lock = set(), False, threading.Lock()
        self.consumer = KafkaConsumer(**settings)
        self.consumer.subscribe(pattern=f"^{topic}$".replace(".", r"\."), listener=self)
        self.thread = threading.Thread(target=self.poll, daemon=True)
        self.thread.start()

    def on_partitions_assigned(self, assigned):
        self.partitions = set(assigned)

    def on_partitions_revoked(self, revoked):
        self.partitions -= set(revoked)

    def poll(self):
        while not self.leaves:
            with self.lock:
                found = self.consumer.poll(timeout_ms=200, max_records=50)
            seen.extend((r.partition, r.offset) for records in found.values() for r in records)
            time.sleep(0.01)

    def commit(self, offsets):
        with self.lock:
            self.consumer.commit(offsets)

    def leave(self):
        self.leaves = True
        self.thread.join()
        self.consumer.close()


def settled(holds):
    """Waits for what the members come to."""
    for _ in patience():
        if holds():
            return
        time.sleep(0.05)


for size in (1, 2):
    members.append(Member())
    settled(lambda: [len(m.partitions) for m in members] == [4 // size] * size)
    out.same(f"{size}: each partition has one owner", sorted(p.partition for m in members for p in m.partitions), [0, 1, 2, 3])
out.same("the load is shared", [len(m.partitions) for m in members], [2, 2])
settled(lambda: len(set(seen)) == 300)
out.same("together they see everything", set(seen), set(written))
later = out.name("kafka-python-other")
admin.create_topics({later: {"num_partitions": 1, "replication_factor": 1}})
out.true("the pattern leaves others alone", all(p.topic == topic for m in members for p in m.partitions))

# They commit, half way; one leaves, the other gets its partitions.
for member in members:
    member.commit({p: OffsetAndMetadata(40, "half", -1) for p in member.partitions if p.partition != 3})
leaving, stays = members
leaving.leave()
settled(lambda: len(stays.partitions) == 4)
out.same("the other one has all", len(stays.partitions), 4)
state = admin.describe_groups([group])[group]
out.same("the group as it is described", (state["group_state"], len(state["members"])), ("Stable", 1))
stays.leave()

# The lag as an operator reckons it, and the offsets set back.
def lag():
    committed = admin.list_group_offsets(group)[group]
    ends = admin.list_partition_offsets({p: OffsetSpec.LATEST for p in committed})
    return {p.partition: ends[p].offset - c.offset for p, c in committed.items()}


out.same("the lag", lag(), {0: 80, 1: 80, 2: 20})
admin.reset_group_offsets(group, {parts[0]: OffsetSpec.EARLIEST, parts[1]: OffsetSpec.LATEST, parts[2]: 55})
out.same("after the reset", lag(), {0: 120, 1: 0, 2: 5})
again = KafkaConsumer(topic, **settings)
out.same("the group goes on from there", sorted((r.partition, r.offset) for r in poll(again, 125)),
         [(0, n) for n in range(120)] + [(2, n) for n in range(55, 60)])
again.close()
out.same("the group is deleted", admin.delete_groups([group]), {group: "OK"})

admin.delete_topics([topic, later])
for _ in patience(10):
    if not {topic, later} & set(admin.list_topics()):
        break
out.true("the topics are gone", not {topic, later} & set(admin.list_topics()))
admin.close()
out.done()
