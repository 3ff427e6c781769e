"""Open Cybersecurity Schema Framework 1.4.0: connections by its class Network Activity, findings by the models of py-ocsf-models.

The attributes, their types and which are required are those of schema.ocsf.io/1.4.0, as far as connmon writes them: an attribute that is not
here is an error.
"""

import ipaddress
import json

from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from formats import same


def is_text(value):
    return isinstance(value, str) and value != ""


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_ip(value):
    return bool(ipaddress.ip_address(value))


def is_number(value):
    return isinstance(value, float)


def one_of(*values):
    return lambda value: value in values


OS = {"name!": is_text, "type_id!": one_of(200), "type": is_text, "kernel_release": is_text}
FINGERPRINT = {"algorithm_id!": one_of(3), "algorithm": one_of("SHA-256"), "value!": is_text}
FILE = {"name!": is_text, "path": is_text, "type_id!": one_of(1), "type": is_text, "hashes": [FINGERPRINT]}
CONTAINER = {"uid": is_text, "name": is_text, "runtime": is_text, "image": {"name": is_text}}
PARENT = {
    "name": is_text,
    "pid": is_whole,
    "uid": is_text,
    "created_time": is_whole,
    "file": FILE,
    "user": {"uid": is_text, "name": is_text},
    "container": CONTAINER,
}
PROCESS = PARENT | {"cmd_line": is_text, "working_directory": is_text, "parent_process": PARENT}
ENDPOINT = {
    "ip": is_ip,
    "port": lambda value: is_whole(value) and value < 2**16,
    "hostname": is_text,
    "location": {"country": is_text, "city": is_text, "region": is_text, "lat": is_number, "long": is_number},
    "autonomous_system": {"number": is_whole, "name": is_text},
}
METADATA = {
    "version!": one_of("1.4.0"),
    "uid": is_text,
    "profiles": lambda value: value == ["host", "container"],
    "product!": {"name": is_text, "vendor_name!": is_text, "version": is_text},
}
CONNECTION_INFO = {
    "uid": is_text,
    "protocol_name": is_text,
    "protocol_num": is_whole,
    "protocol_ver_id": one_of(4, 6, 99),
    "direction_id!": one_of(0, 1, 2),
    "direction": one_of("Unknown", "Inbound", "Outbound"),
    "community_uid": is_text,
}
TRAFFIC = {name: is_whole for name in ("bytes", "bytes_in", "bytes_out", "packets", "packets_in", "packets_out")}
ACTIVITIES = {1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic"}
NETWORK_ACTIVITY = {
    "activity_id!": one_of(*ACTIVITIES),
    "activity_name": one_of(*ACTIVITIES.values()),
    "category_uid!": one_of(4),
    "category_name": one_of("Network Activity"),
    "class_uid!": one_of(4001),
    "class_name": one_of("Network Activity"),
    "type_uid!": is_whole,
    "type_name": is_text,
    "severity_id!": one_of(1),
    "severity": one_of("Informational"),
    "status_id": one_of(0, 1, 2),
    "status": one_of("Unknown", "Success", "Failure"),
    "time!": is_whole,
    "start_time": is_whole,
    "end_time": is_whole,
    "duration": is_whole,
    "message": is_text,
    "metadata!": METADATA,
    "connection_info": CONNECTION_INFO,
    "src_endpoint": ENDPOINT,
    "dst_endpoint": ENDPOINT,
    "traffic": TRAFFIC,
    "app_name": is_text,
    "actor": {"process": PROCESS},
    "device!": {"hostname": is_text, "type_id!": one_of(0), "type": is_text, "os": OS},
    "observables": [{"name": is_text, "type_id!": one_of(1, 2, 8), "type": is_text, "value": is_text}],
    "unmapped": lambda value: isinstance(value, dict),
}


def check_object(value, wanted, at):
    """One object, its parts, and that nothing required is absent."""
    known = {name.rstrip("!"): rule for name, rule in wanted.items()}
    for name, rule in wanted.items():
        assert not name.endswith("!") or name.rstrip("!") in value, f"{at} has no {name}"
    for name, part in value.items():
        assert name in known, f"{at} has no attribute {name}"
        check_part(part, known[name], f"{at}.{name}")


def check_part(part, rule, at):
    if isinstance(rule, dict):
        check_object(part, rule, at)
    elif isinstance(rule, list):
        assert isinstance(part, list), f"{at} is no list"
        for one in part:
            check_part(one, rule[0], at)
    else:
        assert rule(part), f"{at}: {part!r}"


def check(path, truth, trailer):
    """Every connection, with what it is told by in the schema's own words."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    last = events.pop()
    same(last["class_uid"], 0, "the last event")
    same(last["unmapped"]["completeness"], trailer["completeness"], "completeness")
    same(len(events), len(truth), "events")
    for event, line in zip(events, truth):
        check_object(event, NETWORK_ACTIVITY, "event")
        same(event["unmapped"], line, "what the schema has no attribute for")
        activity = event["activity_id"]
        same(event["activity_name"], ACTIVITIES[activity], "activity")
        same(event["type_uid"], 400_100 + activity, "type")
        same(event["connection_info"].get("community_uid"), line["community_id"], "Community ID")
        is_inbound = line["direction"] == "in"
        ends = [("dst" if is_inbound else "src", "local"), ("src" if is_inbound else "dst", "remote")]
        for side, name in ends:
            end = event[f"{side}_endpoint"]
            same(end.get("ip", line[name]["ip"]), line[name]["ip"], f"{name} address")
            same(end.get("port", 0), line[name]["port"], f"{name} port")
            assert line[name]["ip"] in event["message"], f"the message lacks the {name} address"
        if line["wire"]:
            sent, received = ("bytes_in", "bytes_out") if is_inbound else ("bytes_out", "bytes_in")
            same(event["traffic"][sent], line["wire"]["tx_bytes"], "bytes that were sent")
            same(event["traffic"][received], line["wire"]["rx_bytes"], "bytes that were received")
        if line["process"]:
            process = event["actor"]["process"]
            same(process["pid"], line["process"]["pid"], "pid")
            same(process.get("cmd_line", ""), line["process"]["cmdline"] or "", "command line")
    same(len({event["metadata"]["uid"] for event in events}), len(truth), "different uids")
    return f"{len(events)} events of class 4001"


def check_findings(path, truth):
    """Every finding, by models that are not ours."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    same([event["metadata"]["uid"] for event in events], [finding["id"] for finding in truth], "findings")
    for event, finding in zip(events, truth):
        model = DetectionFinding.model_validate(event)
        same(int(model.class_uid), 2004, "class")
        same(model.finding_info.uid, finding["id"], "finding")
        same(event["evidences"][0]["data"]["filter"], finding["filter"], "filter")
    return f"{len(events)} events of class 2004, as py-ocsf-models reads them"
