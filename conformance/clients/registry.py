"""The registry as Confluent's client library uses it: registration, references, look-up, compatibility, deletes, contexts."""
import json

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from outside import Outside

out = Outside(__doc__)


def client():
    """One that has kept nothing."""
    return SchemaRegistryClient({"url": out.registry})


def refused(what, call, status, code):
    """The client tells the number of a refusal as we sent it."""
    try:
        call()
    except SchemaRegistryError as error:
        out.same(what, (error.http_status_code, error.error_code), (status, code))
    else:
        out.true(f"{what} is refused", False)


def record(name, fields):
    return json.dumps({"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields]})


registry = client()

# A subject from its first version to its last.
subject = out.name("reading-value")
first = Schema(record("Reading", [("k", "double")]), "AVRO")
wider = Schema(json.dumps({"type": "record", "name": "Reading", "fields": [{"name": "k", "type": "double"}, {"name": "unit", "type": "string", "default": "C"}]}), "AVRO")
narrow = Schema(record("Reading", [("k", "double"), ("must", "string")]), "AVRO")
one = registry.register_schema(subject, first)
out.same("registered again it keeps its id", client().register_schema(subject, first), one)
out.true("a compatible one may follow", registry.test_compatibility(subject, wider))
out.true("another may not", not registry.test_compatibility(subject, narrow))
refused("an incompatible one", lambda: registry.register_schema(subject, narrow), 409, 40901)
two = registry.register_schema(subject, wider)
out.same("both versions", registry.get_versions(subject), [1, 2])
latest = client().get_latest_version(subject)
out.same("the latest", (latest.version, latest.schema_id), (2, two))
out.same("by its id", json.loads(client().get_schema(one).schema_str), json.loads(first.schema_str))
out.same("looked up", client().lookup_schema(subject, first).version, 1)
out.true("listed", subject in registry.get_subjects())
registry.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
out.same("its level", registry.get_config(subject).compatibility_level, "NONE")
out.same("without a check it is taken", registry.register_schema(subject, narrow) not in (one, two), True)
out.same("deleted softly", sorted(registry.delete_subject(subject)), [1, 2, 3])
refused("what is gone", lambda: client().get_latest_version(subject), 404, 40401)
out.same("and for good", sorted(registry.delete_subject(subject, permanent=True)), [1, 2, 3])
refused("what is no schema", lambda: registry.register_schema(subject, Schema("{", "AVRO")), 422, 42201)

# A schema that uses another one: registered by the serializer, followed by a deserializer that knows nothing.
inner = record("Place", [("room", "int")])
place = out.name("place")
registry.register_schema(place, Schema(inner, "AVRO"))
outer = Schema(record("Seen", [("at", "Place"), ("what", "string")]), "AVRO", [SchemaReference("Place", place, 1)])
topic = out.name("seen")
context = SerializationContext(topic, MessageField.VALUE)
value = {"at": {"room": 7}, "what": "a cat"}
framed = AvroSerializer(registry, outer)(value, context)
out.same("the serializer registered it", out.versions(f"{topic}-value"), [1])
out.same("read with its reference", AvroDeserializer(client())(framed, context), value)
refused("the place is in use", lambda: registry.delete_subject(place), 422, 42206)
reply = out.session.get(f"{out.registry}/subjects/{topic}-value/versions/1?format=resolved", timeout=30).json()
alone = AvroSerializer(registry, reply["schema"], conf={"auto.register.schemas": False})
out.same("the resolved text stands alone, and is the same schema", alone(value, context), framed)

# Serializers that look up instead of registering, and other names of subjects.
never = AvroSerializer(client(), outer, conf={"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy})
refused("nothing there under the name of the record", lambda: never(value, context), 404, 40401)
newest = AvroSerializer(client(), conf={"auto.register.schemas": False, "use.latest.version": True})
out.same("the latest version serves, too", newest(value, context), framed)

# Contexts are worlds of their own.
inside = f":.{out.run}:{subject}"
registry.register_schema(inside, first)
out.true("a subject of a context", inside in client().get_subjects())
out.true("and the context", f".{out.run}" in out.session.get(f"{out.registry}/contexts", timeout=30).json())
out.done()
