// The registry through `@kafkajs/confluent-schema-registry`: register, encode and decode in the three languages, with references;
// and what the proxy writes with the same schemas is what this client reads.
"use strict";
const { SchemaRegistry, SchemaType } = require("@kafkajs/confluent-schema-registry");
const { outside } = require("./outside");

outside(async (out) => {
  // One that has kept nothing.
  const client = () => new SchemaRegistry({ host: out.registry, retry: { retries: 0 } });
  const registry = client();

  // Avro: the client also sets the level of a subject when it registers there first.
  const record = (fields) => JSON.stringify({ type: "record", name: "Reading", namespace: "lab", fields });
  const first = { type: SchemaType.AVRO, schema: record([{ name: "k", type: "double" }]) };
  const wider = { type: SchemaType.AVRO, schema: record([{ name: "k", type: "double" }, { name: "unit", type: "string", default: "C" }]) };
  const narrow = { type: SchemaType.AVRO, schema: record([{ name: "must", type: "string" }]) };
  const subject = out.name("reading-value");
  const one = await registry.register(first, { subject });
  out.same("its level is set", (await out.ask("GET", `${out.registry}/config/${subject}`)).body, { compatibilityLevel: "BACKWARD" });
  out.same("registered again it keeps its id", (await client().register(first, { subject })).id, one.id);
  const two = await registry.register(wider, { subject });
  out.same("the latest", await client().getLatestSchemaId(subject), two.id);
  out.same("the first", await client().getRegistryId(subject, 1), one.id);
  out.same("looked up by its text", await client().getRegistryIdBySchema(subject, first), one.id);
  const incompatible = await out.refused("an incompatible one", () => registry.register(narrow, { subject }));
  out.same("with our status", incompatible.status, 409);
  const unknown = await out.refused("an id that nobody has", () => client().getSchema(999_999_999));
  out.same("with the status of absence", unknown.status, 404);
  out.same("read by one that knows nothing", { ...(await client().decode(await registry.encode(two.id, { k: 4.25, unit: "K" }))) }, { k: 4.25, unit: "K" });

  // References, in each language: the client fetches them by subject and version, and theirs in turn.
  const refers = (name, of) => [{ name, subject: out.name(of), version: 1 }];
  const register = async (type, name, schema, references) => registry.register({ type, schema, references }, { subject: out.name(name) });
  const cases = [
    {
      type: SchemaType.AVRO,
      media: "application/vnd.kafka.avro.v2+json",
      parts: [
        ["avro.unit", '{"type":"enum","name":"Unit","namespace":"lab","symbols":["C","K"]}'],
        ["avro.place", '{"type":"record","name":"Place","namespace":"lab","fields":[{"name":"room","type":"int"},{"name":"unit","type":"lab.Unit"}]}', refers("lab.Unit", "avro.unit")],
      ],
      whole: ['{"type":"record","name":"Seen","namespace":"lab","fields":[{"name":"at","type":"lab.Place"},{"name":"what","type":"string"}]}', refers("lab.Place", "avro.place")],
      value: { at: { room: 7, unit: "K" }, what: "a cat" },
      wrong: { at: { room: 7, unit: "F" }, what: "a cat" },
    },
    {
      type: SchemaType.JSON,
      media: "application/vnd.kafka.jsonschema.v2+json",
      parts: [
        ["json.unit", '{"$id":"https://lab.example/unit.json","enum":["C","K"]}'],
        ["json.place", '{"$id":"https://lab.example/place.json","type":"object","properties":{"room":{"type":"integer"},"unit":{"$ref":"https://lab.example/unit.json"}},"required":["room"]}', refers("https://lab.example/unit.json", "json.unit")],
      ],
      whole: ['{"$id":"https://lab.example/seen.json","type":"object","properties":{"at":{"$ref":"https://lab.example/place.json"},"what":{"type":"string"}}}', refers("https://lab.example/place.json", "json.place")],
      value: { at: { room: 7, unit: "K" }, what: "a cat" },
      wrong: { at: { room: 7, unit: "F" }, what: "a cat" },
    },
    {
      type: SchemaType.PROTOBUF,
      media: "application/vnd.kafka.protobuf.v2+json",
      parts: [
        ["proto.unit", 'syntax = "proto3"; package lab; message Unit { string of = 1; }'],
        ["proto.place", 'syntax = "proto3"; package lab; import "unit.proto"; message Place { int32 room = 1; Unit unit = 2; }', refers("unit.proto", "proto.unit")],
      ],
      whole: ['syntax = "proto3"; package lab; import "place.proto"; message Seen { Place at = 1; string what = 2; repeated int64 when = 3; }', refers("place.proto", "proto.place")],
      value: { at: { room: 7, unit: { of: "K" } }, what: "a cat" },
      wrong: { at: { room: "seven" } },
      // This client leaves out which message of the file it is; the first, as the proxy says with one byte.
      message: Buffer.of(0),
    },
  ];
  for (const { type, media, parts, whole, value, wrong, message = Buffer.of() } of cases) {
    for (const [name, schema, references] of parts) await register(type, name, schema, references);
    const topic = out.name(`seen.${type.toLowerCase()}`);
    const { id } = await registry.register({ type, schema: whole[0], references: whole[1] }, { subject: `${topic}-value` });
    const plain = (decoded) => JSON.parse(JSON.stringify(decoded));
    const encoded = await registry.encode(id, value);
    out.same(`${type}: read by one that knows nothing`, plain(await client().decode(encoded)), value);
    await out.refused(`${type}: what does not fit`, () => registry.encode(id, wrong));

    await out.createTopic(topic);
    const made = await out.ask("POST", `${out.rest}/topics/${topic}`, { value_schema_id: id, records: [{ value }] }, media);
    out.same(`${type}: the proxy writes with the same id`, [made.status, made.body.value_schema_id, made.body.offsets?.[0].error_code], [200, id, null]);
    const [written] = await out.records(topic, 1);
    out.same(`${type}: the same bytes`, written.value, Buffer.concat([encoded.subarray(0, 5), message, encoded.subarray(5)]));
    out.same(`${type}: which the client reads`, plain(await client().decode(written.value)), value);
    const refused = await out.ask("POST", `${out.rest}/topics/${topic}`, { value_schema_id: id, records: [{ value: wrong }] }, media);
    out.same(`${type}: the proxy refuses the same`, Math.floor(refused.status / 100), 4);
  }
});
