// KafkaJS, a client in another language: administration, an idempotent producer, a group of two, seeking, lag.
"use strict";

const { AssignerProtocol, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require("kafkajs");
const { outside } = require("./outside");

/** A member of a group that remembers what it read and what it was given. */
async function join(kafka, groupId, topics) {
  const times = { heartbeatInterval: 200, sessionTimeout: 10000, rebalanceTimeout: 10000, maxWaitTimeInMs: 100 };
  const consumer = kafka.consumer({ groupId, ...times });
  const member = { consumer, read: [], owned: [] };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { member.owned = Object.values(payload.memberAssignment).flat(); });
  consumer.on(consumer.events.REBALANCING, () => { member.owned = []; });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  const eachMessage = async ({ partition, message }) => { member.read.push(`${partition}/${message.offset}`); };
  await consumer.run({ autoCommit: false, eachMessage });
  return member;
}

outside(async (out) => {
  const kafka = new Kafka({ clientId: "kafkajs", brokers: [out.kafka], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50 } });
  const admin = kafka.admin();
  await admin.connect();

  // A topic is made with a setting, changed, widened.
  const topic = out.name("kafkajs");
  const configEntries = [{ name: "retention.ms", value: "7200000" }];
  out.same("made", await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1, configEntries }] }), true);
  out.same("it is there", await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] }), false);
  const retention = async () => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["retention.ms"] }];
    return (await admin.describeConfigs({ includeSynonyms: false, resources })).resources[0].configEntries[0].configValue;
  };
  out.same("its setting", await retention(), "7200000");
  const altered = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: "retention.ms", value: "3600000" }] }];
  await admin.alterConfigs({ validateOnly: false, resources: altered });
  out.same("altered", await retention(), "3600000");
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  out.same("widened", (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length, 4);

  // An idempotent producer, with and without a codec; then all four partitions hold 50 records.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const [round, compression] of [CompressionTypes.None, CompressionTypes.GZIP].entries()) {
    const messages = [...Array(100).keys()].map((n) => ({ partition: n % 4, key: `k${n}`, value: `${round} ${n}`, headers: { n: `${n}` } }));
    const receipts = await producer.send({ topic, compression, messages });
    out.same("each partition goes on where it was", receipts.map((r) => r.baseOffset), Array(4).fill(`${round * 25}`));
  }
  await producer.disconnect();
  const ends = async () => (await admin.fetchTopicOffsets(topic)).map((o) => [o.partition, o.low, o.high]).sort();
  out.same("the ends", await ends(), [0, 1, 2, 3].map((p) => [p, "0", "50"]));
  const everything = [0, 1, 2, 3].flatMap((p) => [...Array(50).keys()].map((n) => `${p}/${n}`)).sort();

  // A group of two that finds its topic by a pattern; one leaves, the other gets everything.
  const groupId = out.name("kafkajs-group");
  const pattern = [new RegExp(`^${topic.replaceAll(".", "\\.")}$`)];
  const members = [await join(kafka, groupId, pattern)];
  const owners = () => members.map((m) => m.owned.length);
  const all = () => members.flatMap((m) => m.owned).sort();
  await out.until("one member has all", () => owners().join() === "4");
  members.push(await join(kafka, groupId, pattern));
  await out.until("two share", () => owners().join() === "2,2");
  out.same("each partition has one owner", all(), [0, 1, 2, 3]);
  await out.until("together they read everything", () => new Set(members.flatMap((m) => m.read)).size === everything.length);
  out.same("and nothing else", [...new Set(members.flatMap((m) => m.read))].sort(), everything);
  const described = (await admin.describeGroups([groupId])).groups[0];
  out.same("the group as it is described", [described.state, described.members.length], ["Stable", 2]);
  const said = described.members.map((m) => AssignerProtocol.MemberAssignment.decode(m.memberAssignment).assignment[topic]);
  out.same("and who has what", said.flat().sort(), [0, 1, 2, 3]);
  await members.shift().consumer.disconnect();
  await out.until("the other one has all", () => owners().join() === "4");

  // It seeks, and reads from there.
  const [{ consumer, read }] = members;
  read.length = 0;
  consumer.seek({ topic, partition: 2, offset: "45" });
  await out.until("from an offset on", () => ["2/45", "2/49"].every((place) => read.includes(place)));
  out.same("not from before", read.filter((place) => place.startsWith("2/")).includes("2/44"), false);
  await consumer.commitOffsets([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: "30" })));
  await consumer.disconnect();

  // The lag, and what a successor reads. (Setting offsets back takes this client 15 s; others do that here.)
  const lag = async () => {
    const committed = (await admin.fetchOffsets({ groupId, topics: [topic] }))[0].partitions;
    return committed.sort((a, b) => a.partition - b.partition).map((c) => 50 - Number(c.offset));
  };
  out.same("the lag", await lag(), [20, 20, 20, 20]);
  const again = await join(kafka, groupId, [topic]);
  await out.until("the group goes on from there", () => again.read.length >= 80);
  out.same("with what it had not seen", again.read.sort(), everything.filter((place) => Number(place.slice(2)) >= 30));
  await again.consumer.disconnect();
  out.same("the group is deleted", (await admin.deleteGroups([groupId])).map((g) => g.errorCode), [0]);

  // Records are deleted up to an offset, then the topic.
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "20" }] });
  out.same("records are gone", (await ends())[0], [0, "20", "50"]);
  await admin.deleteTopics({ topics: [topic] });
  await out.until("the topic is gone", async () => !(await admin.listTopics()).includes(topic), 10);
  await admin.disconnect();
});
