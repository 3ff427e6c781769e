"""The Elastic Common Schema: every field, its type and its allowed values, by the schema that its makers publish."""

import ipaddress
import json

from formats import flat, same, seconds

SCHEMA = {}


def load(schema):
    """Takes the schema: fields by their dotted names."""
    assert len(schema) > 1000, "this is not the whole schema"
    SCHEMA.update(schema)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_text(value):
    return isinstance(value, str) and value != ""


def is_time(value):
    return is_text(value) and value.endswith("Z") and seconds(value) > 0


def is_point(value):
    return set(value) == {"lat", "lon"} and abs(value["lat"]) <= 90 and abs(value["lon"]) <= 180


TYPES = {
    "keyword": is_text,
    "constant_keyword": is_text,
    "wildcard": is_text,
    "match_only_text": is_text,
    "text": is_text,
    "long": lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63,
    "float": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": is_time,
    "ip": lambda value: is_text(value) and bool(ipaddress.ip_address(value)),
    "geo_point": is_point,
}


def leaves(value, path=""):
    """Every field with its dotted name."""
    for key, below in value.items():
        name = f"{path}{key}"
        if isinstance(below, dict) and SCHEMA.get(name, {}).get("type") != "geo_point" and key != "completeness":
            yield from leaves(below, f"{name}.")
        else:
            yield name, below


def check_field(name, value):
    """One field against the schema."""
    if name.startswith("connmon."):
        return
    assert name in SCHEMA, f"the schema has no field {name}"
    field = SCHEMA[name]
    is_list = "array" in field["normalize"]
    assert isinstance(value, list) == is_list, f"{name}: {value!r} is {'no' if is_list else 'a'} list"
    allowed = {entry["name"] for entry in field.get("allowed_values", [])}
    for one in value if is_list else [value]:
        assert TYPES[field["type"]](one), f"{name}: {one!r} is no {field['type']}"
        assert not allowed or one in allowed, f"{name}: {one!r} is none of {sorted(allowed)}"
        if field["type"] == "keyword":
            assert len(one) <= field.get("ignore_above", 1024), f"{name} is too long to be found"


def check_types_of_category(event):
    """The schema says which types of events a category has."""
    for entry in SCHEMA["event.category"]["allowed_values"]:
        if entry["name"] in event.get("category", []):
            assert set(event["type"]) <= set(entry["expected_event_types"]), event["type"]


def check(path, truth, trailer):
    """Each event is a valid one, and says what was recorded."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = set()
    for event in events:
        for name, value in leaves(event):
            check_field(name, value)
            names.add(name)
        for name, field in SCHEMA.items():
            assert field.get("required") is not True or name in dict(leaves(event)), f"{name} is required"
        check_types_of_category(event["event"])
    same({event["ecs"]["version"] for event in events}, {"9.4.0"}, "ecs.version")
    last = events.pop()
    same(last["connmon"]["completeness"], trailer["completeness"], "completeness")
    same(len(events), len(truth), "events")
    same(len({event["event"]["id"] for event in events}), len(events), "different event.ids")
    for event, line in zip(events, truth):
        compare(event, line)
    return f"{len(events)} events, {len(names)} different fields"


def compare(event, line):
    """What the event says is what the JSON Lines say."""
    called = line["direction"] == "in"
    columns = flat(line)
    for side, end in (("destination" if called else "source", "local"), ("source" if called else "destination", "remote")):
        ip = line[end]["ip"]
        shown = None if ipaddress.ip_address(ip).is_unspecified else ip
        for key, value in (("ip", shown), ("address", shown), ("port", line[end]["port"] or None)):
            same(event.get(side, {}).get(key), value, f"{side}.{key}")
        way = "tx" if end == "local" else "rx"
        for what in ("bytes", "packets"):
            same(event.get(side, {}).get(what), columns[f"wire_{way}_{what}"], f"{side}.{what}")
    for role, side in (("client", "source"), ("server", "destination")):
        for key in ("ip", "address", "port"):
            known = None if line["direction"] == "unknown" else event.get(side, {}).get(key)
            same(event.get(role, {}).get(key), known, f"{role}.{key}")
    network = event["network"]
    same(network["direction"], {"in": "ingress", "out": "egress"}.get(line["direction"], "unknown"), "direction")
    same(network.get("community_id"), line["community_id"], "community_id")
    same(network.get("protocol"), line["service"]["observed"], "network.protocol")
    for key in ("tx_bytes", "rx_bytes", "id"):
        same(event["connmon"][key], line[key], key)
    same(event["@timestamp"], line["opened"], "@timestamp")
    process = event.get("process", {})
    for name, column in (("pid", "pid"), ("command_line", "cmdline"), ("executable", "exe")):
        same(process.get(name), columns[column] or None, f"process.{name}")
    same(process.get("parent", {}).get("pid"), columns["ppid"], "process.parent.pid")
    same(process.get("hash", {}).get("sha256"), (line["process"] or {}).get("sha256"), "process.hash.sha256")
