// Records as server-sent events, read by an `EventSource` that was not written here: it comes back with the id of the last event.
"use strict";
const http = require("node:http");
const { EventSource } = require("eventsource");
const { outside } = require("./outside");

const JSON_V2 = "application/vnd.kafka.json.v2+json";

outside(async (out) => {
  const topic = out.name("events");
  const admin = out.client().admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const produce = async (value) => {
    const body = JSON.stringify({ records: [{ value }] });
    const answer = await fetch(`${out.rest}/topics/${topic}`, { method: "POST", headers: { "Content-Type": JSON_V2 }, body });
    out.same("a record is produced", answer.status, 200);
  };
  // Cuts the first connection once two records have come, as a network does.
  const connections = [];
  const cutter = http.createServer((request, response) => {
    connections.push(request.headers["last-event-id"] ?? "");
    const upstream = http.request(new URL(request.url, out.rest), { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.on("data", (part) => response.write(part));
      answer.on("error", () => {});
      answer.on("end", () => response.end());
    });
    response.on("close", () => upstream.destroy());
    upstream.on("error", () => {});
    upstream.end();
  });
  await new Promise((listening) => cutter.listen(0, "127.0.0.1", listening));

  await produce(0);
  await produce(1);
  const found = [];
  const source = new EventSource(`http://127.0.0.1:${cutter.address().port}/topics/${topic}/records?format=json&offset=earliest`);
  source.onmessage = (event) => {
    found.push([event.lastEventId, JSON.parse(event.data).value]);
    if (found.length === 2 && connections.length === 1) cutter.closeAllConnections();
  };
  await out.until("the connection was cut and made again", () => connections.length >= 2);
  await produce(2);
  await out.until("the third record comes", () => found.length >= 3);
  source.close();
  cutter.closeAllConnections();
  cutter.close();
  out.same("each record came once, in order", found, [["0:1", 0], ["0:2", 1], ["0:3", 2]]);
  out.same("it came back with the last id", connections[1], "0:2");
});
