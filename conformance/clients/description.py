"""The description at /openapi.json: the server is held to it by schemathesis, and a client that is generated from it does a day's work."""
import base64
import hashlib
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile

from outside import Outside

# The same requests in each run. The phase "coverage", which sends each thing that can be wrong with a request (6,400 to the REST proxy alone), takes
# minutes: after changing types of bodies put it into PHASES for one run.
SEED = "20"
PHASES = "examples,fuzzing"
EXAMPLES = "4"
SECONDS = 300
# 501 is what they are for.
LEFT_OUT = "^changeAssociations"

out = Outside(__doc__)
programs = pathlib.Path(sys.executable).parent
folder = pathlib.Path(tempfile.mkdtemp(prefix="postern-description-"))
cluster = out.session.get(f"{out.rest}/v3/clusters", timeout=30).json()["data"][0]["cluster_id"]


def start(*command):
    """A program of this environment."""
    return subprocess.Popen([str(programs / command[0]), *command[1:]], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(what, program):
    """It has ended well; what it said where it has not."""
    try:
        said, _ = program.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        said, _ = program.communicate()
    out.true(f"{what} ends well", program.returncode == 0, said[-8000:])


# What examples name, so that they are answered with more than refusals.
lab = f"{out.rest}/v3/clusters/{cluster}/topics"
out.same("the topic of examples", out.session.post(lab, json={"topic_name": "lab", "partitions_count": 3}, timeout=30).status_code, 201)
entries = {"entries": [{"id": "a", "partition_id": 0, "value": {"type": "JSON", "data": {"lumens": 4}}}]}
out.same("a record in it", out.session.post(f"{lab}/lab/records:batch", json=entries, timeout=30).status_code, 207)

# 1. No answer is outside of the description, and none is a 5xx.
settings = f'[parameters]\n"path.cluster" = {json.dumps(cluster)}\n'
(folder / "schemathesis.toml").write_text(settings, encoding="utf-8")
# One after the other: what is sent to the registry at random changes what the proxy does.
for address in (out.rest, out.registry):
    program = start(
        "schemathesis", "run", f"{address}/openapi.json",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--phases", PHASES, "--max-examples", EXAMPLES, "--seed", SEED, "--no-shrink",
        "--exclude-operation-id-regex", LEFT_OUT, "--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off",
    )  # fmt: skip
    end(f"schemathesis at {address}", program)

# 2. The page permits the style that it has, and nothing else.
page = out.session.get(f"{out.rest}/docs", timeout=30)
style = page.text.partition("<style>")[2].partition("</style>")[0]
digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
out.true("the style of /docs is permitted", f"style-src 'sha256-{digest}';" in page.headers["Content-Security-Policy"], digest)

# 3. A generated client creates, alters, produces and lists.
described = out.session.get(f"{out.rest}/openapi.json", timeout=30).text
(folder / "openapi.json").write_text(described, encoding="utf-8")
end("openapi-python-client", start("openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none", "--output-path", "generated"))
sys.path.insert(0, str(folder))
models = importlib.import_module("generated.models")
client = importlib.import_module("generated").Client(base_url=out.rest)


def call(api, operation, **arguments):
    """The answer of an operation: its status, and what the client made of it."""
    answer = importlib.import_module(f"generated.api.{api}.{operation}").sync_detailed(client=client, **arguments)
    return int(answer.status_code), answer.parsed


topic = out.name("generated")
status, created = call("v3", "create_topic", cluster=cluster, body=models.CreateTopicRequest(topic_name=topic, partitions_count=2))
out.same("create", (status, created.topic_name, created.partitions_count), (201, topic, 2))
body = models.SetConfigRequest(value="86400000")
out.same("alter", call("v3", "set_config_of_topic", cluster=cluster, topic=topic, config="retention.ms", body=body)[0], 204)
status, config = call("v3", "get_config_of_topic", cluster=cluster, topic=topic, config="retention.ms")
out.same("what was altered", (status, config.value), (200, "86400000"))
entry = {"id": "a", "partition_id": 1, "value": {"type": "JSON", "data": {"lumens": 4}}}
batch = models.ProduceBatchRequest.from_dict({"entries": [entry]})
status, produced = call("v3", "produce_records_batch", cluster=cluster, topic=topic, body=batch)
out.same("produce", (status, [one.offset for one in produced.successes], produced.failures), (207, [0], []))
out.same("what the topic holds", [json.loads(record.value()) for record in out.records(topic, 1)], [{"lumens": 4}])
status, listed = call("v3", "list_topics", cluster=cluster)
out.true("it is listed", status == 200 and topic in [one.topic_name for one in listed.data])
out.same("delete", call("v3", "delete_topic", cluster=cluster, topic=topic)[0], 204)

out.done()
