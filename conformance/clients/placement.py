"""Partitions on several brokers: moved, kept where they are amid a move, led by another replica, and how far behind a group is that reads from all."""
import threading
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from outside import BINARY, V2, Outside

RECORD = "A" * 400_000  # of base64: 300,000 bytes
THROTTLE = 50_000  # bytes in a second: a move of some records takes long enough to be seen

out = Outside(__doc__)
cluster_id = out.cluster_id()
v3, admin = f"{out.rest}/v3/clusters/{cluster_id}", f"{out.rest}/admin/v1/clusters/{cluster_id}"


def call(method, url, expected, **arguments):
    """The JSON of the answer, which has the expected status."""
    reply = out.session.request(method, url, timeout=30, **arguments)
    out.same(f"{method} {url}: {reply.text[:300]}", reply.status_code, expected)
    return reply.json() if reply.content else None


def becomes(what, find, expected):
    """Brokers do and show what they are told a moment later."""
    end = time.monotonic() + 30
    while (found := find()) != expected and time.monotonic() < end:
        time.sleep(0.1)
    out.same(what, found, expected)


def replicas(topic):
    """(broker, leads, in sync) of partition 0, in order."""
    found = call("GET", f"{v3}/topics/{topic}/partitions/0/replicas", 200)["data"]
    return [(replica["broker_id"], replica["is_leader"], replica["is_in_sync"]) for replica in found]


def brokers_of(topic):
    return sorted(broker for broker, _, _ in replicas(topic))


def leader(topic):
    """As the partition says; a replica that says the same of itself is asserted where all are looked at."""
    related = call("GET", f"{v3}/topics/{topic}/partitions/0", 200)["leader"]["related"]
    return int(related.rsplit("/", 1)[1])


def moving(topic):
    """(added, removed) of partition 0 while it is being moved."""
    found = call("GET", f"{v3}/topics/{topic}/partitions/-/reassignment", 200)["data"]
    return [(sorted(move["adding_replicas"]), sorted(move["removing_replicas"])) for move in found]


def move(topic, to):
    body = {"reassignments": [{"topic_name": topic, "partition_id": 0, "replicas": to}]}
    call("POST", f"{admin}/reassignments:alter", 200, json=body)


def elect(topic):
    body = {"election": "PREFERRED", "partitions": [{"topic_name": topic, "partition_id": 0}]}
    call("POST", f"{admin}/leaders:elect", 200, json=body)


def throttle(value):
    """The rate at which brokers copy what is being moved; `None`: as fast as they can. By Kafka's own protocol: API v3 knows only what brokers list."""
    operation = AlterConfigOpType.SET if value else AlterConfigOpType.DELETE
    rates = [f"{side}.replication.throttled.rate" for side in ("leader", "follower")]
    entries = [ConfigEntry(rate, str(value) if value else None, incremental_operation=operation) for rate in rates]
    admin_client = AdminClient({"bootstrap.servers": out.kafka})
    for broker in brokers:
        resource = ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=entries)
        for done in admin_client.incremental_alter_configs([resource]).values():
            done.result(30)


brokers = sorted(broker["broker_id"] for broker in call("GET", f"{v3}/brokers", 200)["data"])
out.same("brokers", len(brokers), 3)
first, second, third = brokers

# A partition is moved to a third broker, and the move is called off and done again.
topic = out.name("moved")
configs = [{"name": f"{side}.replication.throttled.replicas", "value": "*"} for side in ("leader", "follower")]
call("POST", f"{v3}/topics", 201, json={"topic_name": topic, "partitions_count": 1, "replication_factor": 2, "configs": configs})
becomes("both replicas are in sync", lambda: [in_sync for _, _, in_sync in replicas(topic)], [True, True])
call("GET", f"{v3}/topics/{topic}/partitions/0/reassignment", 404)
for _ in range(10):
    out.same("produce", out.produce(topic, {"records": [{"value": RECORD}]}, BINARY).status_code, 200)
stay, go = brokers_of(topic)
come = next(broker for broker in brokers if broker not in (stay, go))
throttle(THROTTLE)
move(topic, [come, stay])
becomes("it is being moved", lambda: moving(topic), [([come], [go])])
found = call("GET", f"{v3}/topics/{topic}/partitions/0/reassignment", 200)
out.same("by itself", (found["adding_replicas"], found["removing_replicas"]), ([come], [go]))
every = call("GET", f"{v3}/topics/-/partitions/-/reassignment", 200)["data"]
out.same("among all", [move["topic_name"] for move in every], [topic])
out.same("all of them are replicas meanwhile", brokers_of(topic), brokers)
out.same("the new one is not in sync", [in_sync for broker, _, in_sync in replicas(topic) if broker == come], [False])
move(topic, None)
becomes("it stays", lambda: moving(topic), [])
becomes("where it was", lambda: brokers_of(topic), sorted([stay, go]))
throttle(None)
move(topic, [come, stay])
becomes("it has moved", lambda: (moving(topic), brokers_of(topic)), ([], sorted([come, stay])))
becomes("both replicas are in sync again", lambda: [in_sync for _, _, in_sync in replicas(topic)], [True, True])
out.same("no record is lost", len(out.records(topic)), 10)
wrong = {"reassignments": [{"topic_name": topic, "partition_id": 0, "replicas": [stay, 99]}]}
refused = call("POST", f"{admin}/reassignments:alter", 207, json=wrong)["data"][0]
out.true("there is no such broker, in Kafka's words", "INVALID_REPLICA_ASSIGNMENT" in refused["message"], refused)

# The first of its replicas leads after an election.
for order in ([come, stay], [stay, come]):
    move(topic, order)
    becomes("the order has changed", lambda: moving(topic), [])
    elect(topic)
    becomes("the first one leads", lambda: leader(topic), order[0])
    becomes("and says so", lambda: [broker for broker, leads, _ in replicas(topic) if leads], [order[0]])
out.same("produce under the new leader", out.produce(topic, {"records": [{"value": "AA=="}]}, BINARY).status_code, 200)

# A group whose members read several topics, whose partitions have different leaders.
topics, group = [out.name("read-a"), out.name("read-b")], out.name("readers")
for name in topics:
    out.same("create", out.create_topic(name, partitions=3, replicas=2).status_code, 201)
    for partition in range(3):
        records = {"records": [{"value": "AA=="}] * 10}
        written = out.session.post(f"{out.rest}/topics/{name}/partitions/{partition}", json=records, headers={"Content-Type": BINARY, "Accept": V2}, timeout=30)
        out.same("produce", written.status_code, 200)
commit, stopped, committed = threading.Event(), threading.Event(), threading.Barrier(3)
settings = {"bootstrap.servers": out.kafka, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", "partition.assignment.strategy": "roundrobin"}
members = [Consumer(settings | {"client.id": f"member-{n}"}) for n in range(2)]


def stay_in_group(member):
    member.subscribe(topics)
    while not commit.is_set() and not stopped.is_set():
        member.poll(0.1)
    if commit.is_set():
        member.commit(offsets=[TopicPartition(at.topic, at.partition, at.partition + 1) for at in member.assignment()], asynchronous=False)
        committed.wait(30)
    while not stopped.is_set():
        member.poll(0.1)


threads = [threading.Thread(target=stay_in_group, args=[member]) for member in members]
for thread in threads:
    thread.start()
try:
    listed = f"{v3}/consumer-groups/{group}"

    def shares():
        found = call("GET", f"{listed}/consumers", 200)["data"] if out.session.get(listed, timeout=30).status_code == 200 else []
        assigned = [call("GET", f"{listed}/consumers/{member['consumer_id']}/assignments", 200)["data"] for member in found]
        return sorted(len(partitions) for partitions in assigned)

    becomes("each member has half of the partitions", shares, [3, 3])
    out.same("nothing was committed", out.session.get(f"{listed}/lags", timeout=30).status_code, 404)
    commit.set()
    committed.wait(30)
    lags = call("GET", f"{listed}/lags", 200)["data"]
    expected = sorted((name, partition, partition + 1, 10, 9 - partition) for name in topics for partition in range(3))
    found = sorted((lag["topic_name"], lag["partition_id"], lag["current_offset"], lag["log_end_offset"], lag["lag"]) for lag in lags)
    out.same("how far behind it is", found, expected)
    out.same("who reads them", sorted(lag["client_id"] for lag in lags), ["member-0"] * 3 + ["member-1"] * 3)
    summary = call("GET", f"{listed}/lag-summary", 200)
    out.same("in all", (summary["max_lag"], summary["total_lag"], summary["max_lag_partition_id"]), (9, 48, 0))
finally:
    stopped.set()
    for thread in threads:
        thread.join()
    for member in members:
        member.close()
for name in [topic, *topics]:
    call("DELETE", f"{v3}/topics/{name}", 204)

out.done()
