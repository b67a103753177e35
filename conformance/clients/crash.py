"""kill -9 during a produce load through HTTP, again and again: every acknowledged record is there, once.

Several threads post numbered records and note which are acknowledged; others write a stream of API v3 and note its receipts as they come. At a random moment the process is killed, started again
on the same data, and the topic is read whole. A record whose answer was lost may be there or not, never twice; an acknowledged
one stands at the offset its answer named.
"""
import argparse
import http.client
import json
import os
import queue
import random
import socket
import subprocess
import threading
import time

from confluent_kafka import Consumer, TopicPartition

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--postern", required=True, help="the program")
parser.add_argument("--folder", required=True, help="an empty folder for its data and its log")
parser.add_argument("--seconds", type=float, default=25, help="no round begins after this time")
parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the moments of killing")
args = parser.parse_args()
moments = random.Random(args.seed)

THREADS, STREAMS, PARTITIONS, TOPIC = 6, 2, 2, "crash"
SCHEMA = json.dumps({"type": "record", "name": "Numbered", "fields": [{"name": "n", "type": "long"}]})
HEADERS = {"Content-Type": "application/vnd.kafka.avro.v2+json", "Accept": "application/vnd.kafka.v2+json"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


REST, REGISTRY, BROKER = free_port(), free_port(), free_port()


def start():
    """The process, as soon as it answers."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    log = open(os.path.join(args.folder, "postern.log"), "ab")
    process = subprocess.Popen(
        [args.postern, "--rest-listen", f"127.0.0.1:{REST}", "--registry-listen", f"127.0.0.1:{REGISTRY}",
         "--broker-listen", f"127.0.0.1:{BROKER}", "--data-dir", os.path.join(args.folder, "data")],
        stdout=log, stderr=log, env=environment)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"postern ended by itself with {process.returncode}; see {log.name}")
        try:
            if request("GET", "/v3/clusters")[0] == 200:
                return process
        except OSError:
            time.sleep(0.01)
    process.kill()
    raise SystemExit(f"postern does not answer within 20 s of its start; see {log.name}")


def request(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", REST, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")
    finally:
        connection.close()


class Load:
    """What was asked for and what was acknowledged, over all rounds."""

    def __init__(self):
        self.lock, self.next, self.stop = threading.Lock(), 0, threading.Event()
        self.acknowledged, self.attempted, self.refused, self.streamed = {}, set(), [], 0

    def number(self, many):
        with self.lock:
            first, self.next = self.next, self.next + many
            numbers = range(first, first + many)
            self.attempted.update(numbers)
            return numbers

    def run(self, many):
        """Posts until the process is gone, over one kept connection."""
        connection = http.client.HTTPConnection("127.0.0.1", REST, timeout=20)
        while not self.stop.is_set():
            numbers = self.number(many)
            records = [{"partition": n % PARTITIONS, "value": {"n": n}} for n in numbers]
            try:
                connection.request("POST", f"/topics/{TOPIC}", json.dumps({"value_schema": SCHEMA, "records": records}), HEADERS)
                reply = connection.getresponse()
                status, body = reply.status, json.loads(reply.read())
            except (OSError, http.client.HTTPException, ValueError):
                break
            with self.lock:
                if status != 200:
                    self.refused.append((status, body))
                    continue
                for n, offset in zip(numbers, body["offsets"]):
                    if offset["error_code"] is None:
                        self.acknowledged[n] = (offset["partition"], offset["offset"])
        connection.close()

    def stream(self):
        """Writes a stream until the process is gone. Receipts come in the order of records."""
        sent = queue.SimpleQueue()
        try:
            with socket.create_connection(("127.0.0.1", REST), timeout=20) as connection:
                writer = threading.Thread(target=self.write, args=(connection, sent))
                writer.start()
                try:
                    reply = http.client.HTTPResponse(connection)
                    reply.begin()
                    while line := reply.readline():
                        n, receipt = sent.get(timeout=20), json.loads(line)
                        with self.lock:
                            if receipt["error_code"] != 200:
                                self.refused.append((reply.status, receipt))
                            else:
                                self.acknowledged[n] = (receipt["partition_id"], receipt["offset"])
                                self.streamed += 1
                finally:
                    connection.shutdown(socket.SHUT_RDWR)
                    writer.join()
        except (OSError, http.client.HTTPException, ValueError):
            pass

    def write(self, connection, sent):
        head = f"POST /v3/clusters/{cluster}/topics/{TOPIC}/records HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n"
        try:
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            while not self.stop.is_set():
                numbers = self.number(10)
                records = [{"partition_id": n % PARTITIONS, "value": {"type": "AVRO", "schema": SCHEMA, "data": {"n": n}}} for n in numbers]
                body = "".join(map(json.dumps, records))
                for n in numbers:
                    sent.put(n)
                connection.sendall(f"{len(body):x}\r\n{body}\r\n".encode())
        except OSError:
            pass


def stored():
    """{number: [(partition, offset), ...]} of all records, read by librdkafka and taken apart by hand."""
    consumer = Consumer({"bootstrap.servers": f"127.0.0.1:{BROKER}", "group.id": "crash", "enable.auto.commit": False})
    found = {}
    try:
        for partition in range(PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=10)
            consumer.assign([TopicPartition(TOPIC, partition, low)])
            at, deadline = low, time.monotonic() + 30
            while at < high:
                if time.monotonic() > deadline:
                    raise SystemExit(f"partition {partition}: read up to {at} of {high} within 30 s")
                for message in consumer.consume(1000, timeout=1):
                    if message.error():
                        continue
                    if message.offset() != at:
                        raise SystemExit(f"partition {partition}: expected offset {at}, found {message.offset()}")
                    at += 1
                    found.setdefault(long(message.value()[5:]), []).append((partition, message.offset()))
        return found
    finally:
        consumer.close()


def long(data):
    """Avro's long: zigzag, seven bits a byte."""
    value = 0
    for shift, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * shift)
    return (value >> 1) ^ -(value & 1)


load = Load()
process = start()
rounds, began = 0, time.monotonic()
try:
    cluster = request("GET", "/v3/clusters")[1]["data"][0]["cluster_id"]
    status, body = request("POST", f"/v3/clusters/{cluster}/topics", json.dumps({"topic_name": TOPIC, "partitions_count": PARTITIONS}),
                           {"Content-Type": "application/json"})
    if status != 201:
        raise SystemExit(f"cannot create the topic: {status} {body}")
    while time.monotonic() - began < args.seconds:
        rounds += 1
        before = len(load.acknowledged)
        threads = [threading.Thread(target=load.run, args=(1 if n < THREADS // 2 else 20,)) for n in range(THREADS)]
        threads += [threading.Thread(target=load.stream) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        time.sleep(moments.uniform(0.05, 1.0))
        process.kill()
        process.wait()
        load.stop.set()
        for thread in threads:
            thread.join()
        load.stop.clear()
        process = start()

        found = stored()
        where = f"round {rounds} of seed {args.seed}"
        if load.refused:
            raise SystemExit(f"{where}: a request was refused: {load.refused[0]}")
        for n, place in load.acknowledged.items():
            if found.get(n) != [place]:
                raise SystemExit(f"{where}: record {n} was acknowledged at {place}, is at {found.get(n, 'no offset')}")
        twice = {n: places for n, places in found.items() if len(places) > 1}
        if twice:
            raise SystemExit(f"{where}: records that are there twice: {twice}")
        if not found.keys() <= load.attempted:
            raise SystemExit(f"{where}: records that nobody wrote: {sorted(found.keys() - load.attempted)[:10]}")
        if len(load.acknowledged) == before and rounds > 3:
            raise SystemExit(f"{where}: nothing was acknowledged, so nothing was tested")
finally:
    process.kill()
    process.wait()
if not load.acknowledged or not load.streamed:
    raise SystemExit("nothing was acknowledged, so nothing was tested")
lost = len(found) - len(load.acknowledged)
print(f"crash.py: {rounds} kills, {len(load.acknowledged)} acknowledged records each there once, {load.streamed} of them of streams, {lost} more whose answer was lost (seed {args.seed})")
