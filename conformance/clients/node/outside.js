// What the scripts of this folder share: the addresses under test, checks, names of their own. The twin of `outside.py`.
"use strict";
const path = require("node:path");
const { isDeepStrictEqual, inspect, parseArgs } = require("node:util");
const { Kafka, logLevel } = require("kafkajs");

class Outside {
  /** Postern as its clients see it: the addresses come as arguments. */
  constructor() {
    const text = { type: "string" };
    const { values } = parseArgs({ options: { rest: text, registry: text, kafka: text, cluster: text } });
    for (const name of ["rest", "registry", "kafka", "cluster"]) {
      if (!values[name]) throw new Error(`--${name} is missing`);
    }
    Object.assign(this, values);
    this.embedded = values.cluster === "embedded";
    this.checks = 0;
    // Names of their own, so that a run may follow another on the same cluster.
    this.run = Array.from({ length: 6 }, () => String.fromCharCode(97 + Math.floor(Math.random() * 26))).join("");
  }

  /** A topic or subject of this run. */
  name(name) {
    return `${this.run}.${name}`;
  }

  /** A client of the cluster. */
  client() {
    return new Kafka({ clientId: "outside", brokers: [this.kafka], logLevel: logLevel.ERROR });
  }

  /** Both values are equal, members of objects in any order. */
  same(what, found, expected) {
    this.checks += 1;
    if (!isDeepStrictEqual(found, expected)) {
      throw new Error(`${what}\n  expected ${inspect(expected, { depth: 9 })}\n  found    ${inspect(found, { depth: 9 })}`);
    }
  }

  /** Holds at last. */
  async until(what, holds, seconds = 30) {
    this.checks += 1;
    const deadline = Date.now() + seconds * 1000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  }

  /** The call is refused; returns why. */
  async refused(what, call) {
    this.checks += 1;
    let found;
    try {
      found = await call();
    } catch (error) {
      return error;
    }
    throw new Error(`${what} is refused: does not hold\n  found ${inspect(found)}`);
  }

  /** A request with a body of JSON; returns the answer's status and its JSON. */
  async ask(method, url, body, media = "application/json") {
    const headers = body === undefined ? {} : { "Content-Type": media };
    const request = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
    const answer = await fetch(url, request);
    return { status: answer.status, body: await answer.json() };
  }

  /** A topic of one partition, made by the client of the cluster. */
  async createTopic(topic) {
    const admin = this.client().admin();
    await admin.connect();
    try {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true });
    } finally {
      await admin.disconnect();
    }
  }

  /** The first `count` records of a topic of one partition, read by a group of its own. */
  async records(topic, count) {
    const consumer = this.client().consumer({ groupId: `${topic}.reader` });
    const found = [];
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${topic}: ${found.length} of ${count} records within 30 s`)), 30_000);
        const eachMessage = async ({ message }) => {
          found.push(message);
          if (found.length === count) {
            clearTimeout(late);
            resolve();
          }
        };
        consumer.run({ eachMessage }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
    }
    return found;
  }
}

/** Runs a script to its end. One that checked nothing has not passed. */
function outside(script) {
  const out = new Outside();
  script(out)
    .then(() => {
      if (out.checks === 0) throw new Error("nothing was checked");
      console.log(`${path.basename(process.argv[1])}: ${out.checks} checks hold`);
    })
    .catch((error) => {
      console.error(error);
      process.exit(1);
    });
}

module.exports = { outside };
