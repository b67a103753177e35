"""Callers as users of Kafka: each sees and does what Kafka's ACLs let it, and nothing else; a password that changes is noticed."""
import json
import re
import time

import requests

from outside import JSON, V2, Outside

CROWD = 200  # callers at the same time
CALLER_MAX = 40 << 10  # bytes that each may cost

out = Outside(__doc__)
out.true("--management and --pid are given", out.management and out.pid)


class Caller:
    """Somebody with user and password."""

    def __init__(self, user, password=None):
        self.session = requests.Session()
        self.session.auth = (user, password or f"{user}-secret")

    def call(self, method, path, body=None, media=V2):
        headers = {"Content-Type": media, "Accept": JSON if path.endswith("/records") else "*/*"}
        return self.session.request(method, out.rest + path, data=None if body is None else json.dumps(body), headers=headers, timeout=60)

    def produce(self, topic, value):
        return self.call("POST", f"/topics/{topic}", {"records": [{"value": value}]}, JSON)


def refusal(reply):
    return reply.status_code, reply.json().get("error_code")


def metric(name):
    text = requests.get(f"http://{out.management}/metrics", timeout=30).text
    return int(re.search(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE).group(1))


def resident():
    with open(f"/proc/{out.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) << 10


admin, ana, ben = Caller("postern"), Caller("ana"), Caller("ben")
cluster = admin.call("GET", "/v3/clusters").json()["data"][0]["cluster_id"]
own, other, group = out.name("own.t"), out.name("other"), out.name("own-group")
def set_password(user, password):
    path = f"/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/SCRAM-SHA-512"
    set_to = admin.call("PUT", path, {"password": password}, "application/json")
    out.same(f"a password of {user}: {set_to.text}", set_to.status_code, 204)


def await_users(users):
    while not set(users) <= {user["user_name"] for user in admin.call("GET", f"/admin/v1/clusters/{cluster}/scram-users").json()["data"]}:
        time.sleep(0.05)


# A login that came before a broker knows them would be refused for a while.
for user in ("ana", "ben"):
    set_password(user, f"{user}-secret")
await_users(("ana", "ben"))
absent = admin.call("DELETE", f"/admin/v1/clusters/{cluster}/scram-users/nobody/credentials/SCRAM-SHA-512")
out.same(f"a password that is not there: {absent.text}", refusal(absent), (404, 404))

for topic in (own, other):
    made = admin.call("POST", f"/v3/clusters/{cluster}/topics", {"topic_name": topic}, "application/json")
    out.same(f"{topic} is made", made.status_code, 201)


def allow(kind, name, operation):
    acl = {"resource_type": kind, "resource_name": name, "pattern_type": "PREFIXED", "principal": "User:ana", "host": "*", "operation": operation,
           "permission": "ALLOW"}
    out.same(f"{operation} on {name}", admin.call("POST", f"/v3/clusters/{cluster}/acls", acl, "application/json").status_code, 201)


for operation in ("READ", "WRITE"):
    allow("TOPIC", out.name("own."), operation)
allow("GROUP", out.name("own-"), "READ")


def seen(caller):
    """The topics of this run that somebody sees."""
    return [topic for topic in caller.call("GET", "/topics").json() if topic.startswith(out.run)]


deadline = time.monotonic() + 30
while seen(ana) != [own]:
    out.true("the ACLs are in force", time.monotonic() < deadline, seen(ana))

# What is seen, and done.
out.same("ben sees nothing", seen(ben), [])
out.same("an administrator sees all", seen(admin), [other, own])
out.same("ana writes to her topic", ana.produce(own, "one").json()["offsets"][0]["offset"], 0)
for who, caller, topic in (("ana", ana, other), ("ben", ben, own), ("ben", ben, other)):
    refused = caller.produce(topic, "canary")
    out.same(f"{who} does not write to {topic}: {refused.text}", refusal(refused), (403, 40301))
    out.true("Kafka's name is told", "TOPIC_AUTHORIZATION_FAILED" in refused.text, refused.text)
ends = {topic: admin.call("GET", f"/topics/{topic}/partitions/0/offsets").json()["end_offset"] for topic in (own, other)}
out.same("only that is written", ends, {own: 1, other: 0})
for caller in (ana, ben):
    refused = caller.call("POST", f"/v3/clusters/{cluster}/topics", {"topic_name": out.name("own.made")}, "application/json")
    out.same(f"nobody else makes topics: {refused.text}", refusal(refused), (403, 40301))
out.same("nor changes ACLs", refusal(ana.call("DELETE", f"/v3/clusters/{cluster}/acls?resource_type=ANY&pattern_type=ANY&operation=ANY&permission=ANY")), (403, 40301))


def instance(caller, name):
    settings = {"name": name, "format": "json", "auto.offset.reset": "earliest"}
    out.same("an instance", caller.call("POST", f"/consumers/{group}", settings).status_code, 200)
    path = f"/consumers/{group}/instances/{name}"
    out.same("subscribed", caller.call("POST", f"{path}/subscription", {"topics": [own]}).status_code, 204)
    return path


def read(caller, path, expected, patience=60):
    """Reads until the expected values are there; what is refused meanwhile is tried again."""
    found, deadline = [], time.monotonic() + patience
    while found != expected:
        reply = caller.call("GET", f"{path}/records")
        out.true(f"{expected} within {patience} s", time.monotonic() < deadline, (found, reply.text))
        if reply.status_code == 200:
            found += [record["value"] for record in reply.json()]


# Groups, and whose instance it is.
reader = instance(ana, "reader")
read(ana, reader, ["one"])
out.same("a foreign instance is not there", refusal(ben.call("GET", f"{reader}/subscription")), (404, 40403))
foreign = instance(ben, "reader")
out.same("ben is not let into her group", refusal(ben.call("GET", f"{foreign}/records")), (403, 40301))
out.same("deleted", ben.call("DELETE", foreign).status_code, 204)

# The password changes while the instance is there: the session of 2 s ends, and with it what the old one is good for.
set_password("ana", "changed")
deadline = time.monotonic() + 60
while refusal(refused := ana.call("GET", "/v3/clusters")) != (401, 40101):
    out.true("the old password is refused at last", time.monotonic() < deadline, refused.text)
    time.sleep(0.2)
out.true("in Kafka's words", "SASL_AUTHENTICATION_FAILED" in refused.text, refused.text)
changed = Caller("ana", "changed")
out.same("the new one is taken", changed.produce(own, "two").status_code, 200)
read(changed, reader, ["two"], patience=120)

# A caller costs little while they do nothing: their connections hold no buffers.
crowd = [f"crowd-{n}" for n in range(CROWD)]
for user in crowd:
    set_password(user, f"{user}-secret")
await_users(crowd)
before = resident()
for user in crowd:
    caller = Caller(user)
    out.same("a caller of the crowd sees nothing", caller.call("GET", "/topics").json(), [])
    out.same("and writes nothing", refusal(caller.produce(own, "canary")), (403, 40301))
    caller.session.close()
each = (resident() - before) // CROWD
print(f"{each >> 10} KiB for each of {CROWD} callers")
out.true(f"at most {CALLER_MAX >> 10} KiB for each", each <= CALLER_MAX, each)

# Wrong logins cost Kafka little and this process nothing that stays.
before, asked, answers = resident(), metric('postern_kafka_logins_total{outcome="refused"}'), set()
for n in range(1000):
    answers.add(refusal(Caller("ana", f"guess {n}").call("GET", "/topics")))
out.same("what is answered", answers, {(401, 40101), (429, 42901)})
out.true("few are shown to Kafka", metric('postern_kafka_logins_total{outcome="refused"}') - asked <= 10)
out.true("memory is bounded", resident() - before < 16 << 20, resident() - before)
out.same("who is known goes on", changed.produce(own, "four").status_code, 200)
out.done()
