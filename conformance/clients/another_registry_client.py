"""The registry through `python-schema-registry-client`: register, check, compatibility, get, delete, and its serializers."""
from schema_registry.client import SchemaRegistryClient, schema
from schema_registry.client.errors import ClientError
from schema_registry.serializers import AvroMessageSerializer, JsonMessageSerializer

from outside import AVRO, JSON_SCHEMA, Outside

out = Outside(__doc__)


def client():
    """One that has kept nothing. It sends credentials with every call, empty ones, too."""
    return SchemaRegistryClient(url=out.registry)


def refused(what, call, status, code):
    try:
        call()
    except ClientError as error:
        out.same(what, (error.http_code, error.server_traceback["error_code"]), (status, code))
    else:
        out.true(f"{what} is refused", False)


def avro(*fields):
    return {"type": "record", "name": "Reading", "namespace": "lab", "fields": list(fields)}


K, UNIT, MUST = {"name": "k", "type": "double"}, {"name": "unit", "type": "string", "default": "C"}, {"name": "must", "type": "string"}
JSON = {"type": "object", "title": "Reading", "additionalProperties": False}
CASES = {
    "AVRO": (schema.AvroSchema(avro(K)), schema.AvroSchema(avro(K, UNIT)), schema.AvroSchema(avro(K, MUST)), AvroMessageSerializer, AVRO),
    "JSON": (
        schema.JsonSchema({**JSON, "properties": {"k": {"type": "number"}}}),
        schema.JsonSchema({**JSON, "properties": {"k": {"type": "number"}, "unit": {"type": "string"}}}),
        schema.JsonSchema({**JSON, "properties": {"k": {"type": "string"}}, "required": ["k"]}),
        JsonMessageSerializer, JSON_SCHEMA,
    ),
}
for kind, (first, wider, narrow, Serializer, media) in CASES.items():
    topic = out.name(f"another-{kind.lower()}")
    subject = f"{topic}-value"
    registry = client()
    out.same(f"{kind}: nothing there yet", (registry.get_schema(subject), registry.check_version(subject, first), registry.get_versions(subject)), (None, None, []))
    one = registry.register(subject, first)
    out.same(f"{kind}: registered again it keeps its id", client().register(subject, first), one)
    out.true(f"{kind}: a compatible one may follow", client().test_compatibility(subject, wider))
    out.true(f"{kind}: another may not", client().test_compatibility(subject, narrow) is False)
    told = client().test_compatibility(subject, narrow, verbose=True)
    out.true(f"{kind}: and why", told["is_compatible"] is False and told["messages"], told)
    refused(f"{kind}: an incompatible one", lambda: client().register(subject, narrow), 409, 40901)
    two = registry.register(subject, wider)
    out.same(f"{kind}: both versions", client().get_versions(subject), [1, 2])
    latest = client().get_schema(subject)
    out.same(f"{kind}: the latest", (latest.version, latest.schema_id, latest.schema), (2, two, wider))
    out.same(f"{kind}: the first", client().get_schema(subject, 1).schema_id, one)
    out.same(f"{kind}: by its id", client().get_by_id(one), first)
    out.same(f"{kind}: no such id", client().get_by_id(999_999_999), None)
    out.same(f"{kind}: looked up", client().check_version(subject, first).version, 1)
    out.true(f"{kind}: where the id is", (subject, 1) in [(s.subject, s.version) for s in client().get_schema_subject_versions(one)])
    out.true(f"{kind}: listed", subject in client().get_subjects())
    out.true(f"{kind}: its level is set", client().update_compatibility("NONE", subject))
    out.same(f"{kind}: and read", client().get_compatibility(subject), "NONE")

    value = {"k": 4.25, "unit": "K"}
    framed = Serializer(client()).encode_record_with_schema(subject, wider, value)
    out.same(f"{kind}: the serializer finds the schema", int.from_bytes(framed[1:5], "big"), two)
    out.same(f"{kind}: read by one that knows nothing", Serializer(client()).decode_message(framed), value)
    out.create_topic(topic)
    reply = out.produce(topic, {"value_schema_id": two, "records": [{"value": value}]}, media=media)
    out.same(f"{kind}: the proxy takes it: {reply.text}", reply.status_code, 200)
    written = out.records(topic)[-1].value()
    out.same(f"{kind}: what the proxy writes is read", (written[:5], Serializer(client()).decode_message(written)), (framed[:5], value))

    out.same(f"{kind}: one version is deleted", client().delete_version(subject, 2), 2)
    out.same(f"{kind}: one that is not there", client().delete_version(subject, 7), None)
    out.same(f"{kind}: the rest is deleted", client().delete_subject(subject), [1])
    out.same(f"{kind}: and gone", (client().get_schema(subject), client().delete_subject(subject)), (None, []))
    out.same(f"{kind}: but for its id", client().get_by_id(two), wider)

subject = out.name("no-schema")
refused("what is no schema", lambda: client().register(subject, schema.JsonSchema({"type": "object", "$ref": "https://nobody.example/x"})), 422, 42201)
out.same("and nothing is there", client().get_versions(subject), [])
out.done()
