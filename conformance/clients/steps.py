"""The main job, step by step, as a user does it with `requests`: every answer is checked, and what it did to the world."""
import json

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from outside import AVRO, BINARY, JSON, Outside, by_hand

out = Outside(__doc__)
topic = out.name("lsst.example.skyFluxMetric")
value_schema = {
    "type": "record",
    "name": "skyFluxMetric",
    "namespace": "lsst.example",
    "fields": [
        {"name": "timestamp", "type": "long"},
        {"name": "band", "type": "string"},
        {"name": "instrument", "type": "string", "default": "HSC"},
        {"name": "meanSky", "type": "float"},
        {"name": "stdevSky", "type": "float"},
    ],
}
key_schema = {"type": "record", "name": "exposure", "namespace": "lsst.example", "fields": [{"name": "id", "type": "int"}]}
# Powers of two: a float keeps them, so what is read back is equal, not nearly equal.
flux = {"timestamp": 1539899245000, "band": "y", "instrument": "HSC", "meanSky": -213.75, "stdevSky": 2328.5}

# 1. The cluster, also through a carelessly joined address.
clusters = out.session.get(f"{out.rest}/v3/clusters", timeout=30)
out.same("GET /v3/clusters", clusters.status_code, 200)
cluster = clusters.json()["data"][0]["cluster_id"]
out.same("the length of a cluster id", len(cluster), 22)
doubled = out.session.get(f"{out.rest}//v3/clusters", timeout=30)
out.same("GET //v3/clusters", (doubled.status_code, doubled.json()["data"][0]["cluster_id"]), (200, cluster))

# 2. A topic, asked for with three replicas; there is one broker.
created = out.create_topic(topic, partitions=1, replicas=3)
if out.embedded:
    out.same("create with three replicas", created.status_code, 201)
    out.same("the answer says what is true", created.json()["replication_factor"], 1)
else:
    out.same("Apache Kafka refuses three replicas", (created.status_code, created.json()["error_code"]), (400, 40002))
    created = out.create_topic(topic)
    out.same("create with one replica", created.status_code, 201)
out.same("its name", created.json()["topic_name"], topic)
out.same("its partitions", created.json()["partitions_count"], 1)
again = out.create_topic(topic)
out.same("create again", (again.status_code, again.json()["error_code"]), (400, 40002))

# 3. It is listed and shown, by both dialects, and the cluster itself agrees.
out.true("v2 lists it", topic in out.session.get(f"{out.rest}/topics", timeout=30).json())
shown = out.session.get(f"{out.rest}/topics/{topic}", timeout=30).json()
out.same("v2 shows it", (shown["name"], len(shown["partitions"])), (topic, 1))
out.same("its replicas", shown["partitions"][0]["replicas"], [{"broker": 1, "leader": True, "in_sync": True}])
listed = out.session.get(f"{out.rest}/v3/clusters/{cluster}/topics", timeout=30).json()["data"]
out.same("v3 lists it", [t["partitions_count"] for t in listed if t["topic_name"] == topic], [1])
one = out.session.get(f"{out.rest}/v3/clusters/{cluster}/topics/{topic}", timeout=30)
out.same("v3 shows it", (one.status_code, one.json()["replication_factor"]), (200, 1))
consumer = out.consumer()
out.same("the cluster has it", len(consumer.list_topics(topic, timeout=10).topics[topic].partitions), 1)
consumer.close()

# 4. Produced with the schema as text, then with its id; then with keys.
text = json.dumps(value_schema)
reply = out.produce(topic, {"value_schema": text, "records": [{"value": flux}]})
out.same("produce with a schema", reply.status_code, 200)
value_id = reply.json()["value_schema_id"]
first = {"partition": 0, "offset": 0, "error_code": None, "error": None}
out.same("its answer", reply.json(), {"offsets": [first], "key_schema_id": None, "value_schema_id": value_id})
reply = out.produce(topic, {"value_schema_id": value_id, "records": [{"value": flux}, {"value": {**flux, "band": "z"}}]})
out.same("produce with its id", [o["offset"] for o in reply.json()["offsets"]], [1, 2])
keyed = {"key_schema": json.dumps(key_schema), "value_schema_id": value_id, "records": [{"key": {"id": 7}, "value": flux}]}
reply = out.produce(topic, keyed)
key_id = reply.json()["key_schema_id"]
out.same("produce with a key schema", (reply.status_code, reply.json()["offsets"][0]["offset"]), (200, 3))
out.true("key and value have schemas of their own", key_id != value_id, key_id)
keyed = {"key_schema_id": key_id, "value_schema_id": value_id, "records": [{"key": {"id": -7}, "value": flux}]}
reply = out.produce(topic, keyed)
out.same("produce with both ids", (reply.status_code, reply.json()["offsets"][0]["offset"]), (200, 4))

records = out.records(topic)
expected = [flux, flux, {**flux, "band": "z"}, flux, flux]
out.same("what fastavro reads", [by_hand(r.value(), value_schema) for r in records], [(value_id, v) for v in expected])
out.same("the keys", [r.key() and by_hand(r.key(), key_schema) for r in records],
         [None, None, None, (key_id, {"id": 7}), (key_id, {"id": -7})])
deserializer = AvroDeserializer(SchemaRegistryClient({"url": out.registry}))
context = SerializationContext(topic, MessageField.VALUE)
out.same("what confluent-kafka reads", [deserializer(r.value(), context) for r in records], expected)

# 5. Both schemas stand under the topic's subjects; a changed one is checked; another spelling is the same.
out.same("subjects", [out.versions(f"{topic}-{side}") for side in ("value", "key")], [[1], [1]])
latest = out.session.get(f"{out.registry}/subjects/{topic}-value/versions/latest", timeout=30).json()
out.same("the registry has it", (latest["id"], json.loads(latest["schema"])["name"]), (value_id, "skyFluxMetric"))
spelt = json.dumps({name: value_schema[name] for name in ("fields", "namespace", "name", "type")}, indent=4)
reply = out.produce(topic, {"value_schema": spelt, "records": [{"value": flux}]})
out.same("another spelling", (reply.status_code, reply.json().get("value_schema_id")), (200, value_id))
out.same("makes no version", out.versions(f"{topic}-value"), [1])
unfit = json.loads(text)
unfit["fields"].append({"name": "seeing", "type": "double"})
reply = out.produce(topic, {"value_schema": json.dumps(unfit), "records": [{"value": {**flux, "seeing": 0.5}}]})
out.same("a field without default is refused", (reply.status_code, reply.json()["error_code"]), (422, 42207))
out.true("and named", "seeing" in reply.json()["message"], reply.json()["message"])
out.same("nothing was registered or written", (out.versions(f"{topic}-value"), out.end(topic)), ([1], 6))
unfit["fields"][-1]["default"] = 0.0
reply = out.produce(topic, {"value_schema": json.dumps(unfit), "records": [{"value": {**flux, "seeing": 0.5}}]})
out.same("with a default it fits", (reply.status_code, out.versions(f"{topic}-value")), (200, [1, 2]))
newer = out.records(topic)[-1]
out.same("and is read with its own schema", by_hand(newer.value(), unfit)[1], {**flux, "seeing": 0.5})

# Formats without a schema.
plain = out.name("plain")
out.create_topic(plain)
reply = out.produce(plain, {"records": [{"key": "k", "value": {"a": [1, 2.5, None, "ä"]}}, {"value": None}]}, media=JSON)
out.same("json", [o["offset"] for o in reply.json()["offsets"]], [0, 1])
reply = out.produce(plain, {"records": [{"key": "AAE=", "value": "/w=="}]}, media=BINARY)
out.same("binary", reply.json()["offsets"][0]["offset"], 2)
out.same("both as bytes", [(r.key(), r.value()) for r in out.records(plain)],
         [(b'"k"', '{"a":[1,2.5,null,"ä"]}'.encode()), (None, None), (b"\0\1", b"\xff")])

# 6. Read back over HTTP: by an instance of a group, and without a group.
v2 = {"Content-Type": "application/vnd.kafka.v2+json"}
group = out.name("readers")
settings = {"format": "avro", "auto.offset.reset": "earliest", "auto.commit.enable": "false", "fetch.min.bytes": 1,
            "consumer.request.timeout.ms": 20000}
made = out.session.post(f"{out.rest}/consumers/{group}", json=settings, headers=v2, timeout=30)
out.same("an instance", made.status_code, 200)
instance = made.json()["base_uri"]
out.same("its subscription", out.session.post(f"{instance}/subscription", json={"topics": [topic]}, headers=v2, timeout=30).status_code, 204)
read = []
while len(read) < 7:
    answer = out.session.get(f"{instance}/records", headers={"Accept": AVRO}, timeout=30)
    out.true("a read", answer.status_code == 200 and answer.json(), answer.text)
    read += answer.json()
out.same("the offsets", [record["offset"] for record in read], list(range(7)))
out.same("a value", read[0], {"topic": topic, "key": None, "value": flux, "partition": 0, "offset": 0})
out.same("keys", [record["key"] for record in read[3:5]], [{"id": 7}, {"id": -7}])
out.same("a commit of what was read", out.session.post(f"{instance}/offsets", headers=v2, timeout=30).text, "[]")
committed = out.session.get(f"{instance}/offsets", json={"partitions": [{"topic": topic, "partition": 0}]}, headers=v2, timeout=30)
out.same("is stored", [offset["offset"] for offset in committed.json()["offsets"]], [7])
out.same("the instance ends", out.session.delete(instance, timeout=30).status_code, 204)
last = out.session.get(f"{out.rest}/topics/{plain}/partitions/0/records?last=1", timeout=30)
out.same("the last record", [(record["key"], record["value"]) for record in last.json()], [("AAE=", "/w==")])
out.done()
