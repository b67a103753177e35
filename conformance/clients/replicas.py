"""Three replicas on one cluster, one after the other killed or stopped, while consumer instances read through all of them in turn.

Each call goes to the next replica, as behind a load balancer that knows nothing of instances; one that a replica does not take at all goes to
the one after it. Holds: every record arrives in every group; with SIGTERM no record is done twice, where done means that its commit was
answered with 200; a live instance is never "not found"; every call is answered, but those on the connection of a replica that is killed; and
none takes longer than its time-out and the session of its group together.
"""
import argparse
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--postern", required=True, help="the program")
parser.add_argument("--folder", required=True, help="an empty folder for logs")
parser.add_argument("--bootstrap", required=True, help="the Kafka cluster")
parser.add_argument("--signal", choices=["KILL", "TERM"], required=True, help="how a replica ends")
parser.add_argument("--records", type=int, default=10_000, help="each group reads all of them")
parser.add_argument("--groups", type=int, default=10)
parser.add_argument("--instances", type=int, default=5, help="of each group")
parser.add_argument("--rounds", type=int, default=2, help="how often each replica ends, at least")
parser.add_argument("--seconds", type=float, default=600, help="all must be read by then")
args = parser.parse_args()

PARTITIONS, WAIT, SESSION, MARGIN = 10, 1.0, 10.0, 5.0
TOPIC = f"replicas-{args.signal.lower()}-{os.getpid()}"
V2, JSON = "application/vnd.kafka.v2+json", "application/vnd.kafka.json.v2+json"
ENDS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM}[args.signal]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Replica:
    def __init__(self, number):
        self.number, self.rest, self.inner, self.process, self.ended = number, free_port(), free_port(), None, 0.0

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
        log = open(os.path.join(args.folder, f"{args.signal}-{self.number}.log"), "ab")
        self.process = subprocess.Popen(
            [args.postern, "--bootstrap-servers", args.bootstrap, "--rest-listen", f"127.0.0.1:{self.rest}",
             "--registry-listen", "off", "--management-listen", "off", "--replica-listen", f"127.0.0.1:{self.inner}",
             "--replica-secret", SECRET, "--replica-topic", f"_{TOPIC}", "--consumer-session-timeout", f"{SESSION:.0f}s"],
            stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"replica {self.number} ended by itself with {self.process.returncode}; see {log.name}")
            try:
                if once(self, "GET", "/v3/clusters", accept="application/json", timeout=5)[0] == 200:
                    return
                time.sleep(0.05)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        raise SystemExit(f"replica {self.number} does not answer within 60 s of its start; see {log.name}")

    def end(self):
        self.ended = time.monotonic()
        self.process.send_signal(ENDS)
        self.process.wait(timeout=90)


def once(replica, method, path, body=None, accept=V2, kind=V2, timeout=WAIT + SESSION + MARGIN):
    connection = http.client.HTTPConnection("127.0.0.1", replica.rest, timeout=timeout)
    try:
        connection.connect()
    except OSError as error:
        raise NotTaken from error
    try:
        headers = {"Accept": accept, **({} if body is None and method != "POST" else {"Content-Type": kind})}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")
    finally:
        connection.close()


class NotTaken(OSError):
    """Nobody listens there: nothing was sent."""


class Failures:
    """What must not be, and what is counted."""

    def __init__(self):
        self.lock, self.found, self.longest, self.calls, self.broken, self.later = threading.Lock(), [], 0.0, 0, 0, 0

    def add(self, sentence):
        with self.lock:
            self.found.append(sentence)


failures, turn, turn_lock, over = Failures(), itertools.count(), threading.Lock(), threading.Event()


def call(method, path, body=None, accept=V2, kind=V2):
    """Status and body; None: the connection broke because its replica ended."""
    while True:
        for _ in range(len(replicas)):
            with turn_lock:
                replica = replicas[next(turn) % len(replicas)]
            began = time.monotonic()
            try:
                answer = once(replica, method, path, body, accept, kind)
            except NotTaken:
                continue
            except (OSError, http.client.HTTPException, ValueError) as error:
                # A replica that ends takes its connections along; what others say of it has an answer.
                if replica.ended < began - SESSION - MARGIN and replica.process.poll() is None:
                    failures.add(f"{method} {path}: no answer: {type(error).__name__} {error}")
                with failures.lock:
                    failures.broken += 1
                return None
            took = time.monotonic() - began
            with failures.lock:
                failures.calls += 1
                failures.longest = max(failures.longest, took)
            if took > WAIT + SESSION + MARGIN:
                failures.add(f"{method} {path}: took {took:.1f} s")
            status, said = answer
            if status == 404 and said.get("error_code") == 40403:
                failures.add(f"{method} {path}: {said}")
            if status != 503:
                return answer
            with failures.lock:
                failures.later += 1
            break
        time.sleep(0.2)
        if over.is_set():
            return None


class Group:
    def __init__(self, name):
        self.name, self.lock, self.seen, self.done, self.again = name, threading.Lock(), set(), set(), 0
        self.subscribed = 0

    def is_complete(self):
        # Not by what is done: a commit whose answer was lost with its replica may hold, and its records then never come again.
        with self.lock:
            return len(self.seen) >= args.records

    def commit(self, numbers):
        with self.lock:
            twice = self.done.intersection(numbers)
            self.again += len(twice)
            self.done.update(numbers)


def go_back(at):
    """What a read that broke off had may count as read: the instance goes back to what is committed."""
    while not over.is_set():
        assigned = call("GET", f"{at}/assignments")
        if assigned is None or assigned[0] != 200:
            continue
        partitions = assigned[1]["partitions"]
        if not partitions:
            return
        committed = call("GET", f"{at}/offsets", {"partitions": partitions})
        if committed is None or committed[0] != 200:
            continue
        offsets = [{**offset, "offset": max(offset["offset"], 0)} for offset in committed[1]["offsets"]]
        known = {(offset["topic"], offset["partition"]) for offset in offsets}
        offsets += [{**one, "offset": 0} for one in partitions if (one["topic"], one["partition"]) not in known]
        moved = call("POST", f"{at}/positions", {"offsets": offsets})
        if moved is not None and moved[0] == 204:
            return
        if moved is not None:
            failures.add(f"a seek of {at}: {moved}")
            return


def read(group, name):
    """One instance, until its group has all records."""
    at = f"/consumers/{group.name}/instances/{name}"
    settings = {"name": name, "format": "json", "auto.offset.reset": "earliest", "auto.commit.enable": "false",
                "fetch.min.bytes": 1, "consumer.request.timeout.ms": int(WAIT * 1000)}
    while (made := call("POST", f"/consumers/{group.name}", settings, kind=V2)) is None or made[0] not in (200, 409):
        if over.is_set():
            return
    while (told := call("POST", f"{at}/subscription", {"topics": [TOPIC]})) is None or told[0] != 204:
        if over.is_set():
            return
    with group.lock:
        group.subscribed += 1
    while not group.is_complete() and not over.is_set():
        got = call("GET", f"{at}/records?max_bytes=400", accept=JSON)
        if got is None:
            go_back(at)
            continue
        if got[0] != 200:
            failures.add(f"a read of {at}: {got}")
            continue
        numbers = [record["value"] for record in got[1]]
        if not numbers:
            continue
        with group.lock:
            group.seen.update(numbers)
        committed = call("POST", f"{at}/offsets")
        if committed is not None and committed[0] == 200:
            group.commit(numbers)
        elif committed is not None and committed[0] != 409:
            failures.add(f"a commit of {at}: {committed}")


def wait_until_formed(group):
    """While instances join, partitions go from one to another, and what one of them had may be done twice, as in any group."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if group.subscribed < args.instances:
            time.sleep(0.05)
            continue
        answers = [call("GET", f"/consumers/{group.name}/instances/i{n}/assignments") for n in range(args.instances)]
        assigned = [answer[1]["partitions"] for answer in answers if answer is not None and answer[0] == 200]
        named = {(one["topic"], one["partition"]) for partitions in assigned for one in partitions}
        if len(assigned) == args.instances and len(named) == sum(map(len, assigned)) == PARTITIONS and \
                max(map(len, assigned)) - min(map(len, assigned)) <= 1:
            return
        time.sleep(0.2)
    raise SystemExit(f"{group.name} has not formed within 120 s")


SECRET = os.path.join(args.folder, "secret")
with open(SECRET, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
    file.write("s" * 48)
replicas = [Replica(number) for number in range(3)]
ended = while_read = 0
try:
    for replica in replicas:
        replica.start()
    cluster = once(replicas[0], "GET", "/v3/clusters", accept="application/json")[1]["data"][0]["cluster_id"]
    made = once(replicas[0], "POST", f"/v3/clusters/{cluster}/topics", {"topic_name": TOPIC, "partitions_count": PARTITIONS},
                "application/json", "application/json")
    if made[0] != 201:
        raise SystemExit(f"cannot create the topic: {made}")
    groups = [Group(f"{TOPIC}-{n}") for n in range(args.groups)]
    threads = [threading.Thread(target=read, args=(group, f"i{n}"), daemon=True) for group in groups for n in range(args.instances)]
    for thread in threads:
        thread.start()
    for group in groups:
        wait_until_formed(group)
    began = time.monotonic()
    for first in range(0, args.records, 1000):
        numbers = range(first, min(first + 1000, args.records))
        body = {"records": [{"value": n, "partition": n % PARTITIONS} for n in numbers]}
        written = once(replicas[0], "POST", f"/topics/{TOPIC}", body, kind=JSON, timeout=60)
        if written[0] != 200 or any(offset["error_code"] for offset in written[1]["offsets"]):
            raise SystemExit(f"cannot write: {written}")
    while time.monotonic() - began < args.seconds:
        if all(group.is_complete() for group in groups) and ended >= 3 * args.rounds:
            break
        replica = replicas[ended % 3]
        while_read += not all(group.is_complete() for group in groups)
        replica.end()
        ended += 1
        time.sleep(1)
        replica.start()
        time.sleep(3)
    took = time.monotonic() - began
    over.set()
    for thread in threads:
        thread.join(timeout=60)
finally:
    over.set()
    for replica in replicas:
        if replica.process is not None and replica.process.poll() is None:
            replica.process.kill()
            replica.process.wait()

for group in groups:
    if missing := set(range(args.records)) - group.seen:
        failures.add(f"{group.name}: {len(missing)} records were never read, such as {sorted(missing)[:5]}")
    if args.signal == "TERM" and group.again:
        failures.add(f"{group.name}: {group.again} records were done twice")
again = sum(group.again for group in groups)
print(f"replicas.py SIG{args.signal}: {args.groups} groups of {args.instances} instances, {args.records} records each, {ended} ends of a replica "
      f"({while_read} while there was something to read), "
      f"{took:.0f} s, {failures.calls} calls, the longest {failures.longest:.1f} s, {failures.later} asked to come again, {failures.broken} broken off "
      f"by the end of their replica, {again} records done twice")
if failures.found:
    raise SystemExit(f"{len(failures.found)} failures, such as:\n" + "\n".join(failures.found[:10]))
