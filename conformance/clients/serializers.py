"""Confluent's serializers and deserializers in the three languages: they register a schema and what it refers to by themselves, and what
one side writes the other reads. The proxy writes the same bytes."""
import json
from datetime import datetime, timezone

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2

from outside import JSON_SCHEMA, PROTOBUF, Outside

out = Outside(__doc__)


def client():
    """One that has kept nothing."""
    return SchemaRegistryClient({"url": out.registry})


def refused(what, call):
    try:
        call()
    except (SerializationError, SchemaRegistryError):
        out.checks += 1
    else:
        out.true(f"{what} is refused", False)


def in_header(what, serializer, deserializer, context, value):
    """With the guid in a header, not the id before the payload; the reader asks the registry by that."""
    framed = serializer(value, context)
    name, guid = context.headers[0]
    # A magic byte and the guid; in Protobuf the indexes of the message follow.
    out.same(f"{what}: a guid in a header", (name, guid[:1], len(guid[:17])), ("__value_schema_id", b"\1", 17))
    out.same(f"{what}: and read by it", deserializer(framed, context), value)


def context(topic, headers=None):
    return SerializationContext(topic, MessageField.VALUE, headers)


def references(subject, version):
    reply = out.session.get(f"{out.registry}/subjects/{subject}/versions/{version}", timeout=30).json()
    return [(r["name"], r["subject"], r["version"]) for r in reply.get("references", [])]


def through_the_proxy(what, media, topic, schema_id, value):
    """The record that the proxy writes for this value."""
    out.create_topic(topic)
    reply = out.produce(topic, {"value_schema_id": schema_id, "records": [{"value": value}]}, media=media)
    out.same(f"{what}: the proxy takes it: {reply.text}", reply.status_code, 200)
    return out.records(topic)[-1].value()


# --- JSON Schema -----------------------------------------------------------------------------------------------------------------

registry = client()
for draft, definitions in [("http://json-schema.org/draft-07/schema#", "definitions"), ("https://json-schema.org/draft/2020-12/schema", "$defs")]:
    what = f"JSON Schema {draft[-12:]}"
    unit = {"$schema": draft, "$id": "https://lab.example/unit.json", "title": "Unit", "enum": ["C", "K"]}
    place = {
        "$schema": draft, "$id": "https://lab.example/place.json", "title": "Place", "type": "object",
        "properties": {"room": {"$ref": f"#/{definitions}/room"}, "unit": {"$ref": "https://lab.example/unit.json"}},
        "required": ["room"], definitions: {"room": {"type": "integer", "minimum": 1}},
    }
    seen = {
        "$schema": draft, "title": "Seen", "type": "object", "additionalProperties": False,
        "properties": {"at": {"$ref": "https://lab.example/place.json"}, "what": {"type": "string"}, "how": {"type": ["null", "number"]}},
    }
    subjects = {name: out.name(f"{definitions}-{name}").replace("$", "") for name in ("unit", "place", "seen")}
    registry.register_schema(subjects["unit"], Schema(json.dumps(unit), "JSON"))
    refers = [SchemaReference("https://lab.example/unit.json", subjects["unit"], 1)]
    registry.register_schema(subjects["place"], Schema(json.dumps(place), "JSON", refers))
    refers = [SchemaReference("https://lab.example/place.json", subjects["place"], 1)]
    topic = subjects["seen"]
    serializer = JSONSerializer(Schema(json.dumps(seen), "JSON", refers), registry)
    deserializer = JSONDeserializer(None, schema_registry_client=client())
    value = {"at": {"room": 7, "unit": "K"}, "what": "a cat", "how": 0.5}
    framed = serializer(value, context(topic))
    out.same(f"{what}: the serializer registered it", out.versions(f"{topic}-value"), [1])
    out.same(f"{what}: with its reference", references(f"{topic}-value", 1), [("https://lab.example/place.json", subjects["place"], 1)])
    out.same(f"{what}: read with all references", deserializer(framed, context(topic)), value)
    refused(f"{what}: a wrong unit", lambda: serializer({"at": {"room": 7, "unit": "F"}}, context(topic)))
    schema_id = int.from_bytes(framed[1:5], "big")
    written = through_the_proxy(what, JSON_SCHEMA, topic, schema_id, value)
    out.same(f"{what}: the proxy says the same", (written[:5], json.loads(written[5:])), (framed[:5], value))
    out.same(f"{what}: which the deserializer reads", deserializer(written, context(topic)), value)
    reply = out.produce(topic, {"value_schema_id": schema_id, "records": [{"value": {"at": {"room": 0}}}]}, media=JSON_SCHEMA)
    out.true(f"{what}: the proxy refuses, too", 400 <= reply.status_code < 500 and "at.room" in reply.text, reply.text)
    newest = JSONSerializer(None, client(), conf={"auto.register.schemas": False, "use.latest.version": True})
    out.same(f"{what}: the latest version serves, too", newest(value, context(topic)), framed)
    # Normalized, it is another text than the one that is registered: found once it is registered, too.
    normalized = {"normalize.schemas": True}
    looks_up = JSONSerializer(Schema(json.dumps(seen), "JSON", refers), client(), conf={"auto.register.schemas": False} | normalized)
    refused(f"{what}: not found when normalized", lambda: looks_up(value, context(topic)))
    registers = JSONSerializer(Schema(json.dumps(seen), "JSON", refers), client(), conf=normalized)
    framed_normalized = registers(value, context(topic))
    out.same(f"{what}: registered when normalized", out.versions(f"{topic}-value"), [1, 2])
    out.same(f"{what}: and found then", looks_up(value, context(topic)), framed_normalized)
    by_guid = JSONSerializer(Schema(json.dumps(seen), "JSON", refers), client(), conf={"schema.id.serializer": header_schema_id_serializer})
    in_header(what, by_guid, JSONDeserializer(None, schema_registry_client=client()), context(topic, []), value)

# --- Protobuf --------------------------------------------------------------------------------------------------------------------

# Descriptors as `protoc` would make them; every run has a package of its own, because the subject of an import is its path.
pool = descriptor_pool.DescriptorPool()
pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)


def path(name):
    return f"{out.run}/{name}.proto"


def field(number, name, kind, label="LABEL_OPTIONAL", **more):
    kind = {"typeName": f".{out.run}{kind}"} if kind[0] == "." else {"type": f"TYPE_{kind.upper()}"}
    if "typeName" in kind:
        kind["type"] = more.pop("type", "TYPE_MESSAGE")
    return {"number": number, "name": name, "label": label, **kind, **more}


def add(name, **file):
    """One file; returns it."""
    file = {"name": path(name), "package": out.run, "syntax": "proto3", **file}
    pool.Add(json_format.ParseDict(file, descriptor_pb2.FileDescriptorProto()))
    return pool.FindFileByName(path(name))


def message(name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{out.run}.{name}"))


add("unit", enumType=[{"name": "Unit", "value": [{"name": "C", "number": 0}, {"name": "K", "number": 1}]}])
add("room", dependency=[path("unit")], publicDependency=[0], messageType=[{"name": "Room", "field": [field(1, "number", "int32"), field(2, "unit", ".Unit", type="TYPE_ENUM")]}])
add("old", syntax="proto2", messageType=[{
    "name": "Old", "extensionRange": [{"start": 100, "end": 200}],
    "field": [
        field(1, "must", "string", "LABEL_REQUIRED"), field(2, "with_default", "sint64", defaultValue="-7"),
        field(3, "packed", "fixed32", "LABEL_REPEATED", options={"packed": True}), field(4, "group", ".Old.Group", type="TYPE_GROUP"),
    ],
    "nestedType": [{"name": "Group", "field": [field(1, "inside", "bool")]}],
}])
add(
    "seen", dependency=[path("room"), path("old"), "google/protobuf/timestamp.proto"],
    messageType=[
        {
            "name": "Seen",
            "field": [
                field(1, "at", ".Room"), field(2, "what", "string"), field(3, "when", ".Seen", typeName=".google.protobuf.Timestamp"),
                field(4, "times", "int64", "LABEL_REPEATED"), field(5, "marks", ".Seen.MarksEntry", "LABEL_REPEATED"),
                field(6, "weight", "double", oneofIndex=0), field(7, "height", "float", oneofIndex=0),
                field(8, "note", "string", oneofIndex=1, proto3Optional=True), field(9, "old", ".Old"), field(10, "unit", ".Unit", type="TYPE_ENUM"),
                field(11, "raw", "bytes"),
            ],
            "nestedType": [
                {"name": "MarksEntry", "field": [field(1, "key", "string"), field(2, "value", ".Room")], "options": {"mapEntry": True}},
                {"name": "Inner", "field": [field(1, "deep", "string")], "nestedType": [{"name": "Innermost", "field": [field(1, "most", "string")]}]},
            ],
            "oneofDecl": [{"name": "size"}, {"name": "_note"}], "reservedRange": [{"start": 20, "end": 30}], "reservedName": ["gone"],
        },
        {"name": "Second", "field": [field(1, "first", ".Seen")]},
    ],
)
Seen = message("Seen")
value = {
    "at": {"number": 7, "unit": "K"}, "what": "a cat", "when": "2026-08-01T12:00:00.250Z", "times": ["1", "-9007199254740993"],
    "marks": {"paw": {"number": 4}}, "weight": 4.25, "note": "", "old": {"must": "be", "packed": [1, 2], "group": {"inside": True}}, "unit": "K",
    "raw": "AP8=",
}
record = json_format.ParseDict(value, Seen(), descriptor_pool=pool)
topic = out.name("proto")
serializer = ProtobufSerializer(Seen, registry)
deserializer = ProtobufDeserializer(Seen, schema_registry_client=client())
framed = serializer(record, context(topic))
out.same("Protobuf: it registered the imports of imports", [out.versions(path(name).replace("/", "%2F")) for name in ("unit", "room", "old")], [[1]] * 3)
out.same("Protobuf: and the file, which refers to them", references(f"{topic}-value", 1), [(path(name), path(name), 1) for name in ("room", "old")])
out.same("Protobuf: read with its imports", deserializer(framed, context(topic)), record)
schema_id = int.from_bytes(framed[1:5], "big")
text = out.session.get(f"{out.registry}/schemas/ids/{schema_id}", timeout=30).json()["schema"]
for part in ["optional string note = 8;", "option map_entry = true;", "reserved 20 to 29;", "oneof size {"]:
    out.true(f"Protobuf: the text says {part}", part in text, text)
written = through_the_proxy("Protobuf", PROTOBUF, topic, schema_id, value)
out.same("Protobuf: the proxy writes the same bytes", written, framed)
out.same("Protobuf: which the deserializer reads", deserializer(written, context(topic)), record)
out.same("Protobuf: a message with nothing in it", deserializer(serializer(Seen(), context(topic)), context(topic)), Seen())
refused("Protobuf: bytes that are none", lambda: deserializer(framed[:9], context(topic)))

# The text that the registry gives, registered by somebody else, is the same schema.
twin = out.name("twin")
same = Schema(text, "PROTOBUF", [SchemaReference(path(name), path(name), 1) for name in ("room", "old")])
out.same("Protobuf: its text is the same schema", registry.register_schema(twin, same), schema_id)
out.same("Protobuf: and so is its descriptor", registry.register_schema(twin, Schema(client().get_version(twin, 1, fmt="serialized").schema.schema_str, "PROTOBUF", same.references)), schema_id)

# Messages that are not the first of their file: indexes before the payload say which.
for name, indexes in [("Second", b"\x02\x02"), ("Seen.Inner", b"\x04\x00\x02"), ("Seen.Inner.Innermost", b"\x06\x00\x02\x00")]:
    Other = message(name)
    other = json_format.ParseDict({"first": value} if name == "Second" else {"deep" if name == "Seen.Inner" else "most": "x"}, Other(), descriptor_pool=pool)
    bytes_of = ProtobufSerializer(Other, registry)(other, context(topic))
    out.same(f"Protobuf {name}: the same schema, another message", bytes_of[:5 + len(indexes)], framed[:5] + indexes)
    out.same(f"Protobuf {name}: read", ProtobufDeserializer(Other, schema_registry_client=client())(bytes_of, context(topic)), other)

looks_up = ProtobufSerializer(Seen, client(), conf={"auto.register.schemas": False})
out.same("Protobuf: looked up, not registered", looks_up(record, context(topic)), framed)
refused("Protobuf: nothing there to look up", lambda: ProtobufSerializer(Seen, client(), conf={"auto.register.schemas": False})(record, context(out.name("nowhere"))))
newest = ProtobufSerializer(Seen, client(), conf={"auto.register.schemas": False, "use.latest.version": True})
out.same("Protobuf: the latest version serves, too", newest(record, context(topic)), framed)
normal = ProtobufSerializer(Seen, client(), conf={"normalize.schemas": True})
normalized = normal(record, context(topic))
text = out.session.get(f"{out.registry}/schemas/ids/{int.from_bytes(normalized[1:5], 'big')}", timeout=30).json()["schema"]
out.true("Protobuf: normalized a map is a map", f"map<string, .{out.run}.Room> marks = 5;" in text, text)
out.same("Protobuf: of the same bytes", normalized[5:], framed[5:])
by_guid = ProtobufSerializer(Seen, client(), conf={"schema.id.serializer": header_schema_id_serializer})
in_header("Protobuf", by_guid, ProtobufDeserializer(Seen, schema_registry_client=client()), context(topic, []), record)

# --- Avro ------------------------------------------------------------------------------------------------------------------------

topic = out.name("avro")
schema = json.dumps({"type": "record", "name": "Reading", "namespace": out.run, "fields": [
    {"name": "when", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "tag", "type": ["null", "string", {"type": "enum", "name": "Tag", "symbols": ["A"]}]}]})
value = {"when": datetime(2026, 8, 1, 12, tzinfo=timezone.utc), "tag": "a"}
framed = AvroSerializer(registry, schema)(value, context(topic))
out.same("Avro: read", AvroDeserializer(client())(framed, context(topic)), value)
by_guid = AvroSerializer(client(), schema, conf={"schema.id.serializer": header_schema_id_serializer})
in_header("Avro", by_guid, AvroDeserializer(client()), context(topic, []), value)
out.done()
