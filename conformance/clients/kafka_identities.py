"""A few identities at Kafka: each caller sees and does what the ACLs of its identity let it; who is who changes while the server runs."""
import json
import os
import signal
import time

import requests

from outside import JSON, V2, Outside

out = Outside(__doc__)
out.true("--identities, --management and --pid are given", out.identities and out.management and out.pid)
FOLDER = os.path.dirname(out.identities)


class Caller:
    """Somebody whom a gateway names."""

    def __init__(self, name, *groups):
        self.session = requests.Session()
        self.session.headers = {"X-Auth-Request-User": name} | ({"X-Auth-Request-Groups": ",".join(groups)} if groups else {})

    def call(self, method, path, body=None, media=V2):
        headers = {"Content-Type": media, "Accept": JSON if path.endswith("/records") else "*/*"}
        return self.session.request(method, out.rest + path, data=None if body is None else json.dumps(body), headers=headers, timeout=60)

    def produce(self, topic, value):
        return self.call("POST", f"/topics/{topic}", {"records": [{"value": value}]}, JSON)

    def seen(self):
        """The topics of this run that it sees; None: it is refused."""
        reply = self.call("GET", "/topics")
        return [topic for topic in reply.json() if topic.startswith(out.run)] if reply.status_code == 200 else None


def refusal(reply):
    return reply.status_code, reply.json().get("error_code")


def write(name, text):
    """Replaces a file as a whole."""
    with open(f"{FOLDER}/{name}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{FOLDER}/{name}.new", f"{FOLDER}/{name}")


def until(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        out.true(f"{what} within {seconds} s", time.monotonic() < deadline)
        time.sleep(0.1)
    return found


def whose(**identities):
    """From now on there are these identities; each is (who, login)."""
    entries = [f'[[identity]]\nname = "{name}"\nwho = {json.dumps(who)}\n{login}\n' for name, (who, login) in identities.items()]
    write(os.path.basename(out.identities), "\n".join(entries))
    os.kill(int(out.pid), signal.SIGHUP)


def password(user):
    return f'sasl-mechanism = "SCRAM-SHA-512"\nsasl-username = "{user}"\nsasl-password-file = "{FOLDER}/{user}.password"'


SERVER = (["admin"], "as-server = true")
admin, bot, eve, summit, nobody = Caller("admin"), Caller("bot-one"), Caller("eve", "lsst", "team-two"), Caller("summit"), Caller("nobody")
cluster = admin.call("GET", "/v3/clusters").json()["data"][0]["cluster_id"]
one, two = f"{out.run}-one", f"{out.run}-two"


def set_password(user, text):
    path = f"/admin/v1/clusters/{cluster}/scram-users/{user}/credentials/SCRAM-SHA-512"
    out.same(f"a password of {user}", admin.call("PUT", path, {"password": text}, "application/json").status_code, 204)


for user in (one, two):
    set_password(user, f"{user}-secret")
    write(f"{user}.password", f"{user}-secret\n")
known = f"/admin/v1/clusters/{cluster}/scram-users"
until("the broker knows them", lambda: {one, two} <= {user["user_name"] for user in admin.call("GET", known).json()["data"]})

own, other, group = out.name("own.t"), out.name("other"), out.name("own-group")
for topic in (own, other):
    made = admin.call("POST", f"/v3/clusters/{cluster}/topics", {"topic_name": topic}, "application/json")
    out.same(f"{topic} is made", made.status_code, 201)
for user, kind, name, operation in ((one, "TOPIC", "own.", "READ"), (one, "TOPIC", "own.", "WRITE"), (one, "GROUP", "own-", "READ"), (two, "TOPIC", "other", "READ")):
    acl = {"resource_type": kind, "resource_name": out.name(name), "pattern_type": "PREFIXED", "principal": f"User:{user}", "host": "*", "operation": operation,
           "permission": "ALLOW"}
    out.same(f"{operation} on {name}", admin.call("POST", f"/v3/clusters/{cluster}/acls", acl, "application/json").status_code, 201)

# Before they are configured, nobody but the administrator is anybody for Kafka.
for caller in (bot, eve, nobody):
    refused = caller.call("GET", "/topics")
    out.same("nobody for Kafka", refusal(refused), (403, 40301))
    out.true("and told so", "has no identity at Kafka" in refused.text, refused.text)
certificate = f'bootstrap-servers = "{os.environ["MUTUAL_TLS"]}"\nssl-keystore = "{os.environ["KEYSTORE"]}"\nssl-keystore-password-file = "{FOLDER}/store.password"'
write("store.password", "changeit\n")
everybody = {"one": (["bot-one"], password(one)), "two": (["claim:team-two"], password(two)), "summit": (["summit"], certificate), "server": SERVER}
whose(**everybody)
until("the ACLs are in force", lambda: bot.seen() == [own])
until("for a group as well", lambda: eve.seen() == [other])
out.same("a certificate is somebody, too", summit.seen(), [other, own])
out.same("this server's own", admin.seen(), [other, own])
out.same("and nobody is nobody", refusal(nobody.call("GET", "/topics")), (403, 40301))
out.same("the registry asks as itself", requests.get(out.registry + "/subjects", headers=nobody.session.headers, timeout=30).status_code, 200)

# What is done.
out.same("bot writes to its topic", bot.produce(own, "one").json()["offsets"][0]["offset"], 0)
for caller, topic in ((bot, other), (eve, own)):
    refused = caller.produce(topic, "canary")
    out.same(f"not to {topic}: {refused.text}", refusal(refused), (403, 40301))
    out.true("Kafka's name is told", "TOPIC_AUTHORIZATION_FAILED" in refused.text, refused.text)
# What may be seen is refused record by record.
out.same("nor where it may read", eve.produce(other, "canary").status_code, 403)
out.same("a certificate writes", summit.produce(other, "by certificate").status_code, 200)
ends = {topic: admin.call("GET", f"/topics/{topic}/partitions/0/offsets").json()["end_offset"] for topic in (own, other)}
out.same("only that is written", ends, {own: 1, other: 1})


def instance(caller):
    settings = {"name": "reader", "format": "json", "auto.offset.reset": "earliest"}
    out.same("an instance", caller.call("POST", f"/consumers/{group}", settings).status_code, 200)
    path = f"/consumers/{group}/instances/reader"
    out.same("subscribed", caller.call("POST", f"{path}/subscription", {"topics": [own]}).status_code, 204)
    return path


def read(caller, path, expected):
    """Reads until the expected values are there; what is refused meanwhile is tried again."""
    found = []

    def more():
        reply = caller.call("GET", f"{path}/records")
        found.extend(record["value"] for record in reply.json()) if reply.status_code == 200 else None
        return found == expected

    until(f"{expected}", more)


reader = instance(bot)
read(bot, reader, ["one"])

# A password is changed in its file; sessions of 2 s end, and everything goes on.
set_password(one, "changed")
write(f"{one}.password", "changed\n")
since = time.monotonic()
good = 0


def goes_on():
    """Whether it was written for longer than a session lasts, the failures of the moment of the change left behind."""
    global since, good
    if bot.produce(own, "on").status_code != 200:
        since, good = time.monotonic(), 0
        return False
    good += 1
    return time.monotonic() - since > 5


until("it goes on with the new password", goes_on, seconds=120)
out.true("it was written again and again", good > 10, good)

# What cannot be used changes nobody; the table after that does.
whose(one=(["nobody"], password("absent")), server=SERVER)
out.same("bot goes on", bot.seen(), [own])
whose(one=(["nobody"], password(one)), two=(["bot-one"], password(two)), server=SERVER)
until("bot is somebody else", lambda: bot.seen() == [other])
out.same("nobody is somebody", nobody.seen(), [own])
out.same("eve is nobody", eve.seen(), None)
out.same("the instance has ended with bot's identity", refusal(bot.call("GET", f"{reader}/records")), (404, 40403))
out.done()
