"""What Confluent's provider for Terraform does with a topic and its ACL, a hundred times: made, read, changed, destroyed. Nothing is left behind."""
import time

from outside import Outside

TIMES = 100

out = Outside(__doc__)
cluster = f"{out.rest}/v3/clusters/{out.cluster_id()}"


def call(method, path, expected, **arguments):
    """The answer, which has the expected status."""
    reply = out.session.request(method, f"{cluster}/{path}", timeout=30, **arguments)
    out.same(f"{method} {path}: {reply.text[:300]}", reply.status_code, expected)
    return reply


def world():
    """What the cluster has."""
    names = [topic["topic_name"] for topic in call("GET", "topics", 200).json()["data"]]
    groups = [group["consumer_group_id"] for group in call("GET", "consumer-groups", 200).json()["data"]]
    # Without an authorizer there are no ACLs.
    acls = call("GET", "acls", 400 if out.embedded else 200).json()
    return sorted(names), sorted(groups), None if out.embedded else acls["data"]


def becomes(what, find, expected):
    """A broker shows what the controller has done a moment later."""
    end = time.monotonic() + 10
    while (found := find()) != expected and time.monotonic() < end:
        time.sleep(0.05)
    out.same(what, found, expected)


before = world()
for n in range(TIMES):
    topic = out.name(f"terraform-{n % 10}")
    created = {"topic_name": topic, "partitions_count": 2, "replication_factor": 1, "configs": [{"name": "retention.ms", "value": "60000"}]}
    call("POST", "topics", 201, json=created)
    out.same("what was made", call("GET", f"topics/{topic}", 200).json()["partitions_count"], 2)
    call("POST", f"topics/{topic}/configs:alter", 204, json={"data": [{"name": "retention.ms", "value": str(70000 + n)}]})
    becomes("what was changed", lambda: call("GET", f"topics/{topic}/configs/retention.ms", 200).json()["value"], str(70000 + n))
    acl = {"resource_type": "TOPIC", "resource_name": topic, "pattern_type": "LITERAL", "principal": "User:terraform", "host": "*", "operation": "READ", "permission": "ALLOW"}  # fmt: skip
    if not out.embedded:
        call("POST", "acls", 201, json=acl)
        becomes("the ACL", lambda: len(call("GET", "acls", 200, params=acl).json()["data"]), 1)
        out.same("the ACL that is deleted", len(call("DELETE", "acls", 200, params=acl).json()["data"]), 1)
    call("DELETE", f"topics/{topic}", 204)
    call("GET", f"topics/{topic}", 404)
becomes("what is left", world, before)

out.done()
