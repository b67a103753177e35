"""Bad input: each a 4xx with its error code and a sentence that names the place; afterwards the topic is as it was."""
import gzip
import json
import time

from outside import AVRO, BINARY, JSON, V2, Outside, by_hand

out = Outside(__doc__)
topic = out.name("refusals")
out.same("create", out.create_topic(topic).status_code, 201)
# Many schemas that have nothing to do with each other, under one subject.
for side in ("key", "value"):
    level = out.session.put(f"{out.registry}/config/{topic}-{side}", json={"compatibility": "NONE"}, timeout=30)
    out.same(f"compatibility of {side}s", (level.status_code, level.json()), (200, {"compatibility": "NONE"}))


def record(**fields):
    """An Avro record with these fields, as text."""
    return json.dumps({"type": "record", "name": "R", "fields": [{"name": n, "type": t} for n, t in fields.items()]})


def value(schema, value):
    return {"value_schema": schema, "records": [{"value": value}]}


nested = record(n={"type": "record", "name": "N", "fields": [{"name": "i", "type": "int"}]})
listed = record(l={"type": "array", "items": {"type": "record", "name": "P", "fields": [{"name": "x", "type": "double"}]}})

# What is wrong, the body, status, error code, and words that the message must have.
REFUSED = [
    ("a schema with a trailing comma", value(record(i="int")[:-1] + ",}", {"i": 1}), 422, 42205, []),
    ("a schema with an unknown type", value(record(i="integer"), {"i": 1}), 422, 42205, ["integer"]),
    ("a schema that is no JSON", value("{", {}), 422, 42205, []),
    ("a field is missing", value(record(i="int", s="string"), {"i": 1}), 400, 400, ["s", "string"]),
    ("a field with a default is missing", value('{"type":"record","name":"D","fields":[{"name":"i","type":"int","default":1}]}', {}), 400, 400, ["i"]),
    ("a string for an int", value(record(i="int"), {"i": "1"}), 400, 400, ["i", "int", "string"]),
    ("a boolean for a string", value(record(s="string"), {"s": True}), 400, 400, ["s", "string"]),
    ("null for a string", value(record(s="string"), {"s": None}), 400, 400, ["s", "string", "null"]),
    ("an int beyond 32 bits", value(record(i="int"), {"i": 2**31}), 400, 400, ["i", "int"]),
    ("an int beyond 32 bits with a fraction", value(record(i="int"), '{"i":2147483648.0}'), 400, 400, ["i", "int"]),
    ("a long beyond 64 bits", value(record(j="long"), {"j": 2**63}), 400, 400, ["j", "long"]),
    ("a fraction for an int", value(record(i="int"), {"i": 1.5}), 400, 400, ["i", "int"]),
    ("the text NaN for a double", value(record(d="double"), {"d": "NaN"}), 400, 400, ["d", "double"]),
    ("a bare value in a union", value(record(u=["null", "string"]), {"u": "x"}), 400, 400, ["u"]),
    ("an unknown branch of a union", value(record(u=["null", "string"]), {"u": {"int": 1}}), 400, 400, ["u", "int"]),
    ("a wrong field deep inside", value(nested, {"n": {"i": "x"}}), 400, 400, ["n.i", "int", "string"]),
    ("a wrong item of a list", value(listed, {"l": [{"x": 1}, {"x": "1"}]}), 400, 400, ["l[1].x", "double", "string"]),
    ("the second of two records", {"value_schema": record(i="int"), "records": [{"value": {"i": 1}}, {"value": {"i": "b"}}]}, 400, 400, ["records[1]", "i"]),
    ("a value without a schema", {"records": [{"value": {"i": 1}}]}, 422, 42202, []),
    ("a key without a schema", {"value_schema": record(i="int"), "records": [{"key": 1, "value": {"i": 1}}]}, 422, 42201, []),
    ("a schema id that nobody gave", {"value_schema_id": 999999, "records": [{"value": {}}]}, 422, 42207, ["999999"]),
    ("records that are no list", {"value_schema": record(i="int"), "records": {"value": {"i": 1}}}, 400, 400, ["records"]),
    ("no records", {"value_schema": record(i="int"), "records": []}, 422, 422, ["records"]),
    ("records left out", {"value_schema": record(i="int")}, 422, 422, ["records"]),
    ("an unknown member", {"value_schema": record(i="int"), "records": [{"value": {"i": 1}}], "extra": 1}, 422, 422, ["extra"]),
    ("an unknown member of a record", {"value_schema": record(i="int"), "records": [{"value": {"i": 1}, "headers": []}]}, 422, 422, ["headers"]),
    ("a body that is not JSON", "{'records': []}", 400, 400, []),
    ("half a body", '{"records": [', 400, 400, []),
    ("a bare NaN, as Python sends it", value(record(d="double"), {"d": float("nan")}), 400, 400, ["NaN"]),
    ("a bare Infinity", value(record(d="double"), {"d": float("inf")}), 400, 400, ["Infinity"]),
]
for what, body, status, code, words in REFUSED:
    # A value that Python would respell is given as text and put in its place.
    if isinstance(body, dict) and isinstance(body.get("records"), list) and body["records"] and isinstance(body["records"][0].get("value"), str):
        body = json.dumps(body).replace(json.dumps(body["records"][0]["value"]), body["records"][0]["value"])
    reply = out.produce(topic, body)
    out.same(what, (reply.status_code, reply.json()["error_code"]), (status, code))
    message = reply.json()["message"]
    out.true(f"{what}: a sentence", len(message) > 10, message)
    for word in words:
        out.true(f"{what}: names {word}", word in message, message)
    out.same(f"{what}: nothing was written", out.end(topic), 0)

# Media types.
body = value(record(i="int"), {"i": 1})
for media, status in [("text/plain", 415), ("application/json", 415), (V2, 415)]:
    reply = out.produce(topic, body, headers={"Content-Type": media, "Accept": V2})
    out.same(f"Content-Type {media}", (reply.status_code, reply.json()["error_code"]), (status, status))
reply = out.produce(topic, body, headers={"Content-Type": AVRO, "Accept": "text/html"})
out.same("Accept text/html", (reply.status_code, reply.json()["error_code"]), (406, 406))
reply = out.produce(topic, {"records": [{"value": "not base64!"}]}, media=BINARY)
out.same("no base64", (reply.status_code, reply.json()["error_code"]), (400, 400))
reply = out.produce(topic, '{"records":[{"value":nope}]}', media=JSON)
out.same("no JSON in a json request", (reply.status_code, reply.json()["error_code"]), (400, 400))
packed = gzip.compress(b'{"records":[{"value":1}]}')
for coding, body, status in [("br", packed, 415), ("gzip", packed[:-4], 400), ("zstd", packed, 400)]:
    headers = {"Content-Type": JSON, "Accept": V2, "Content-Encoding": coding}
    reply = out.produce(topic, body, headers=headers)
    out.same(f"no body in {coding}", (reply.status_code, reply.json()["error_code"]), (status, status))
out.same("nothing was written", out.end(topic), 0)

# A record that the broker refuses fails alone, in words that a person can read.
compacted = out.name("compacted")
url = f"{out.rest}/v3/clusters/{out.cluster_id()}/topics"
config = [{"name": "cleanup.policy", "value": "compact"}]
out.same("create", out.session.post(url, json={"topic_name": compacted, "configs": config}, timeout=30).status_code, 201)
reply = out.produce(compacted, {"records": [{"value": 1}]}, media=JSON)
failed = reply.json()["offsets"][0]
out.same("no key in a compacted topic", (reply.status_code, failed["offset"], failed["error_code"]), (200, None, 50002))
out.true("says why", "without key" in failed["error"] and "not written" in failed["error"], failed["error"])
reply = out.produce("not%20legal", {"records": [{"value": 1}, {"value": 2}]}, media=JSON)
out.same("an illegal topic", [(o["offset"], o["error_code"]) for o in reply.json()["offsets"]], [(None, 50002)] * 2)
out.true("is named", "not legal" in reply.json()["offsets"][0]["error"], reply.text)

# A topic that does not exist. This kind of Apache Kafka creates it; the embedded broker does not.
absent = out.name("absent")
start = time.monotonic()
reply = out.produce(absent, {"records": [{"value": 1}]}, media=JSON)
took = time.monotonic() - start
if out.embedded:
    out.same("an unknown topic", (reply.status_code, reply.json()["error_code"]), (404, 40401))
    out.true("within a second", took < 1.0, took)
    out.true("is not created", absent not in out.session.get(f"{out.rest}/topics", timeout=30).json())
else:
    out.same("an unknown topic is created", (reply.status_code, reply.json()["offsets"][0]["offset"]), (200, 0))
looked = out.session.get(f"{out.rest}/topics/{out.name('never')}", timeout=30)
out.same("a look-up", (looked.status_code, looked.json()["error_code"]), (404, 40403))
out.true("names it", out.name("never") in looked.json()["message"], looked.text)
out.true("creates nothing", out.name("never") not in out.session.get(f"{out.rest}/topics", timeout=30).json())

# A partition that does not exist fails alone, at once.
start = time.monotonic()
reply = out.produce(topic, {"records": [{"value": 1}, {"partition": 7, "value": 2}]}, media=JSON)
out.same("a partition too many", [(o["offset"], o["error_code"]) for o in reply.json()["offsets"]], [(0, None), (None, 50003)])
out.true("at once", time.monotonic() - start < 2.0, time.monotonic() - start)

# What is accepted although it is not spelt as the schema says.
schema = {"type": "record", "name": "Lenient", "fields": [
    {"name": "i", "type": "int"}, {"name": "j", "type": "long"}, {"name": "f", "type": "float"}, {"name": "d", "type": "double"}]}
accepted = out.name("lenient")
out.create_topic(accepted)
reply = out.produce(accepted, '{"records":[{"value":{"unknown":{"a":[1]},"d":4,"f":2,"j":3.0,"i":1.0,"more":null}}],"value_schema":%s}' % json.dumps(json.dumps(schema)))
out.same("integers for floats, 3.0 for a long, unknown fields", reply.status_code, 200)
found = by_hand(out.records(accepted)[0].value(), schema)[1]
out.same("what is written", found, {"i": 1, "j": 3, "f": 2.0, "d": 4.0})
out.done()
