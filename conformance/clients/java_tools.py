"""Apache Kafka's own command line tools, in Java: topics, settings, a producer, a consumer, groups with their lag."""
import re
import subprocess

from outside import Outside

out = Outside(__doc__)
out.true("--jars is given", out.jars)


def tool(name, *arguments):
    """Runs one, and answers what it printed. What a failing one said is the failure of the check."""
    java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"]
    done = subprocess.run([*java, "-cp", f"{out.jars}/*", name, *arguments], capture_output=True, text=True, timeout=120)
    out.same(f"{name} {' '.join(arguments)}\n{done.stdout}{done.stderr}", done.returncode, 0)
    return done.stdout


def topics(*arguments):
    return tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", out.kafka, *arguments)


def configs(*arguments):
    return tool("kafka.admin.ConfigCommand", "--bootstrap-server", out.kafka, "--entity-type", "topics", "--entity-name", topic, *arguments)


def groups(*arguments):
    return tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--bootstrap-server", out.kafka, *arguments)


def table(text, *columns):
    """The rows of a printed table, cut down to these columns."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    head = next(n for n, row in enumerate(rows) if set(columns) <= set(row))
    return sorted(tuple(row[rows[head].index(column)] for column in columns) for row in rows[head + 1:])


# A topic is made, widened, described; its settings are altered and shown.
topic, group = out.name("java-tools"), out.name("java-tools-group")
topics("--create", "--topic", topic, "--partitions", "2", "--replication-factor", "1", "--config", "retention.ms=7200000", "--config", "flush.messages=7")
topics("--alter", "--topic", topic, "--partitions", "3")
shown = topics("--describe", "--topic", topic)
out.same("partitions and setting", re.findall(r"PartitionCount: (\d+).*retention\.ms=(\d+)", shown), [("3", "7200000")])
out.same("each partition has its leader", sorted(re.findall(r"Partition: (\d)\s+Leader: 1\s+Replicas: 1\s+Isr: 1", shown)), ["0", "1", "2"])
configs("--alter", "--add-config", "retention.ms=3600000,segment.bytes=2097152", "--delete-config", "flush.messages")
shown = configs("--describe")
out.same("altered", sorted(re.findall(r"^\s*(\S+?)=(\d+) ", shown, re.MULTILINE)), [("retention.ms", "3600000"), ("segment.bytes", "2097152")])

# The idempotent producer of its benchmark, with a codec; a consumer of a group that finds the topic by a pattern and stops early.
properties = [f"bootstrap.servers={out.kafka}", "acks=all", "enable.idempotence=true", "compression.type=zstd", "batch.size=4096"]
done = tool("org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", "3000", "--record-size", "200",
            "--throughput", "-1", "--producer-props", *properties)
out.true("all are sent", "3000 records sent" in done, done)
out.same("all are there", sum(out.end(topic, p) for p in range(3)), 3000)
read = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", out.kafka, "--include", topic.replace(".", r"\."), "--group", group,
            "--from-beginning", "--max-messages", "1200", "--timeout-ms", "60000")
out.same("what the consumer printed", sorted({len(line) for line in read.splitlines()}), [200])
out.same("and how much", len(read.splitlines()), 1200)

# The group's lag; its offsets set back and forth.
lags = table(groups("--describe", "--group", group), "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")
out.same("it committed what it printed", sum(int(row[1]) for row in lags), 1200)
out.same("the lag is the rest", sum(int(row[3]) for row in lags), 1800)
reset = groups("--group", group, "--topic", f"{topic}:0,1", "--reset-offsets", "--to-earliest", "--execute")
out.same("set to the beginning", table(reset, "PARTITION", "NEW-OFFSET"), [("0", "0"), ("1", "0")])
reset = groups("--group", group, "--topic", f"{topic}:2", "--reset-offsets", "--to-latest", "--execute")
end = str(out.end(topic, 2))
out.same("set to the end", table(reset, "PARTITION", "NEW-OFFSET"), [("2", end)])
lags = table(groups("--describe", "--group", group), "PARTITION", "CURRENT-OFFSET", "LAG")
out.same("and shown so", lags, [("0", "0", str(out.end(topic, 0))), ("1", "0", str(out.end(topic, 1))), ("2", end, "0")])

groups("--delete", "--group", group)
topics("--delete", "--topic", topic)
out.true("both are gone", topic not in out.session.get(f"{out.rest}/topics", timeout=30).json() and group not in groups("--list"))
out.done()
