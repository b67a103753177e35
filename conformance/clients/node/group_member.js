// One member of a consumer group, for mixed_groups.py: prints partition, offset and value of each record that it reads. It leaves the
// group when it gets SIGTERM, and vanishes when it is killed.
"use strict";
const { Kafka, PartitionAssigners, logLevel } = require("kafkajs");

const [bootstrap, groupId, topic, assignor] = process.argv.slice(2);
// Its only assigner has a name that no other client has an assignor for.
const assigner = (config) => ({ ...PartitionAssigners.roundRobin(config), name: assignor });
const kafka = new Kafka({ clientId: "kafkajs", brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { initialRetryTime: 50 } });
const consumer = kafka.consumer({
  groupId, partitionAssigners: [assigner], sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 300, maxWaitTimeInMs: 100,
});

async function main() {
  await consumer.connect();
  process.on("SIGTERM", () => consumer.disconnect().then(() => process.exit(0)));
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const eachMessage = async ({ partition, message }) => process.stdout.write(`${partition} ${message.offset} ${message.value}\n`);
  await consumer.run({ autoCommitInterval: 300, eachMessage });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
