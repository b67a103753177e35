"""Avro of any shape: random schemas and values are produced as Avro's JSON and read back with fastavro as the values they were."""
import json
import random
import struct

from outside import Outside, by_hand

out = Outside(__doc__)
seed = random.randrange(1 << 32)
dice = random.Random(seed)


class Shape:
    """One random schema. `names` counts its named types, which all differ."""

    def __init__(self):
        self.names = 0
        self.schema, self.sample = self.record(depth=4)

    def any(self, depth, in_union=False):
        """A type, and what makes a value of it: (as Avro's JSON has it, as fastavro reads it)."""
        makers = [self.null, self.boolean, self.int, self.long, self.float, self.double, self.bytes, self.string, self.fixed, self.enum]
        if depth > 0:
            makers += 2 * [self.array, self.map, self.record] + ([] if in_union else 3 * [self.union])
        return dice.choice(makers)(depth - 1)

    def name(self):
        self.names += 1
        return f"N{self.names}"

    def null(self, _):
        return "null", lambda: (None, None)

    def boolean(self, _):
        return "boolean", lambda: 2 * (dice.random() < 0.5,)

    def int(self, _):
        return "int", lambda: 2 * (dice.choice([0, -1, 63, 64, -65, 2**31 - 1, -(2**31), dice.randrange(-(10**6), 10**6)]),)

    def long(self, _):
        return "long", lambda: 2 * (dice.choice([0, -1, 2**53 + 1, 2**63 - 1, -(2**63), dice.randrange(-(10**15), 10**15)]),)

    def float(self, _):
        # Rounded first: what is read back is then equal, not nearly equal.
        return "float", lambda: 2 * (struct.unpack("f", struct.pack("f", dice.uniform(-1e6, 1e6)))[0],)

    def double(self, _):
        return "double", lambda: 2 * (dice.choice([0.0, 1e300, -5e-324, dice.uniform(-1e6, 1e6)]),)

    def bytes(self, _):
        return "bytes", lambda: self.latin(dice.randrange(9))

    def string(self, _):
        return "string", lambda: 2 * ("".join(dice.choices("aé€😀\"\\\n\0", k=dice.randrange(9))),)

    def fixed(self, _):
        size = dice.randrange(5)
        return {"type": "fixed", "name": self.name(), "size": size}, lambda: self.latin(size)

    def enum(self, _):
        symbols = dice.sample(["A", "B", "C", "_d"], dice.randrange(1, 5))
        return {"type": "enum", "name": self.name(), "symbols": symbols}, lambda: 2 * (dice.choice(symbols),)

    def array(self, depth):
        items, sample = self.any(depth)
        return {"type": "array", "items": items}, lambda: self.both(list, [sample() for _ in range(dice.randrange(4))])

    def map(self, depth):
        values, sample = self.any(depth)
        keys = ["", "a", "ключ", "a.b"]

        def make():
            chosen = dice.sample(keys, dice.randrange(4))
            return self.both(lambda made: dict(zip(chosen, made)), [sample() for _ in chosen])

        return {"type": "map", "values": values}, make

    def record(self, depth):
        name, space = self.name(), dice.choice([None, "", "n.m"])
        fields = [(f"f{at}", *self.any(depth)) for at in range(dice.randrange(5))]
        schema = {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind, _ in fields]}
        if space is not None:
            schema["namespace"] = space

        def make():
            made = [(field, *sample()) for field, _, sample in fields]
            dice.shuffle(made)
            return {field: given for field, given, _ in made}, {field: read for field, _, read in made}

        return schema, make

    def union(self, depth):
        branches = {}
        for _ in range(dice.randrange(1, 4)):
            kind, sample = self.any(depth, in_union=True)
            branches.setdefault(kind if isinstance(kind, str) else kind.get("name", kind["type"]), (kind, sample))

        def make():
            label, (kind, sample) = dice.choice(list(branches.items()))
            given, read = sample()
            if label == "null":
                return None, None
            return {Named(label) if isinstance(kind, dict) and "name" in kind else label: given}, read

        return [kind for kind, _ in branches.values()], make

    @staticmethod
    def latin(length):
        read = bytes(dice.randrange(256) for _ in range(length))
        return read.decode("latin-1"), read

    @staticmethod
    def both(whole, parts):
        return whole([given for given, _ in parts]), whole([read for _, read in parts])


class Named(str):
    """The short name of a branch; its full name is known once the whole schema is."""


def full_names(schema, space, found):
    """The full name of every named type, by its short one: a namespace reaches into what has none of its own."""
    if isinstance(schema, list):
        for branch in schema:
            full_names(branch, space, found)
    elif isinstance(schema, dict):
        if "name" in schema:
            space = schema.get("namespace", space)
            found[schema["name"]] = f"{space}.{schema['name']}" if space else schema["name"]
        for inner in [schema.get("items"), schema.get("values"), *(field["type"] for field in schema.get("fields", []))]:
            full_names(inner, space, found)
    return found


def labelled(value, names):
    """The value with its branches called by their full names."""
    if isinstance(value, dict):
        return {names[key] if isinstance(key, Named) else key: labelled(inner, names) for key, inner in value.items()}
    return [labelled(inner, names) for inner in value] if isinstance(value, list) else value


for number in range(30):
    shape, topic = Shape(), out.name(f"anything-{number}")
    about = f"seed {seed}, schema {number}: {json.dumps(shape.schema)}"
    names = full_names(shape.schema, "", {})
    samples = [shape.sample() for _ in range(8)]
    out.same(f"{about}: a topic", out.create_topic(topic).status_code, 201)
    records = [{"value": labelled(given, names)} for given, _ in samples]
    reply = out.produce(topic, {"value_schema": json.dumps(shape.schema), "records": records})
    out.same(f"{about}: produced", (reply.status_code, reply.json().get("message")), (200, None))
    value_id = reply.json()["value_schema_id"]
    found = [by_hand(record.value(), shape.schema) for record in out.records(topic)]
    out.same(f"{about}: what fastavro reads", found, [(value_id, read) for _, read in samples])
out.done()
