"""One function a format: reads it with a reader that is not connmon's and compares it with the JSON Lines."""

import csv
import datetime
import ipaddress
import json
import logging

import communityid
import parsezeeklogs
import pyarrow as pa
import pyarrow.parquet
from timesketch.lib import utils as timesketch_server
from zat.zeek_log_reader import ZeekLogReader

# What it logs is an error here anyway: see `zeek_rows`.
logging.getLogger("parsezeeklogs").addHandler(logging.NullHandler())
logging.getLogger("parsezeeklogs").propagate = False

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "mptcp": 6, "icmp6": 58, "sctp": 132, "udplite": 136}


def same(found, expected, what):
    """Fails unless both are equal."""
    assert found == expected, f"{what}: {found!r} is not {expected!r}"


def seconds(text):
    """A time as seconds since 1970, in microseconds' precision."""
    return datetime.datetime.fromisoformat(text[:26] + "+00:00").timestamp()


def nanoseconds(text):
    """A time as nanoseconds since 1970, exactly."""
    whole, fraction = text.removesuffix("Z").split(".")
    return int(datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(fraction)


def community_ids(truth):
    """Every ID is what the reference implementation computes, and is there wherever it can be computed."""
    reference = communityid.CommunityID()
    with_id = 0
    for row in truth:
        ends = [row["local"], row["remote"]]
        ports = [end["port"] for end in ends]
        number = NUMBERS.get(row["proto"])
        known = number in (6, 17, 132) and all(ports)
        known = known and not any(ipaddress.ip_address(end["ip"]).is_unspecified for end in ends)
        expected = None
        if known:
            flow = communityid.FlowTuple(number, ends[0]["ip"], ends[1]["ip"], *ports)
            expected = reference.calc(flow)
            with_id += 1
        same(row["community_id"], expected, f"community_id of {row['id']}")
    assert with_id > 10, "too few Community IDs to say anything"


def flat(row):
    """A line of the JSON Lines under the names of the columns."""
    process, kernel, wire = row["process"] or {}, row["kernel"] or {}, row["wire"] or {}
    columns = {name: row[name] for name in ("id", "proto", "direction", "opened", "closed", "end", "preexisting")}
    columns |= {f"{side}_{key}": row[side][key] for side in ("local", "remote") for key in ("ip", "port")}
    columns |= {name: process.get(name) for name in ("pid", "start", "comm", "exe", "cmdline", "uid", "user", "ppid")}
    columns |= {f"kernel_{name}": kernel.get(name) for name in ("tx_bytes", "rx_bytes")}
    columns |= {f"wire_{way}_{what}": wire.get(f"{way}_{what}") for way in ("tx", "rx") for what in ("bytes", "packets")}
    columns |= {"service": row["service"]["name"], "observed": row["service"]["observed"]}
    columns["names"] = " ".join(dict.fromkeys(name["name"] for name in row["names"])) or None
    columns["findings"] = "; ".join(f"{finding['name']} {finding['id']}" for finding in row.get("findings", [])) or None
    columns |= {name: row[name] for name in ("exact", "tx_bytes", "rx_bytes", "community_id")}
    return columns


def csv_file(path, truth, _):
    """Python's own CSV reader; and no cell that a spreadsheet would take for a formula."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    same(len(rows), len(truth), "rows")
    for row, line in zip(rows, truth):
        assert None not in row and None not in row.values(), "a row with too few or too many cells"
        for name, value in flat(line).items():
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            shown = f"'{text}" if text[:1] in "=+-@" and text else text
            same(row[name], shown, f"{name} of {line['id']}")
        for name, cell in row.items():
            risky = cell[:1] in "=+-@\t\r\n" and cell and name not in ("latitude", "longitude")
            assert not risky, f"{name} {cell!r} would be a formula"
    return f"{len(rows)} rows"


def zeek_rows(path):
    """All rows, none of which may be passed over."""

    def failed(number, line, error):
        raise AssertionError(f"line {number} {line!r}: {error}")

    with parsezeeklogs.ZeekLog(path, on_error=failed) as log:
        return log.types, list(log)


def compare_zeek(rows, truth):
    """What Zeek calls a connection is what connmon recorded."""
    same(len(rows), len(truth), "rows")
    same(len({row["uid"] for row in rows}), len(rows), "different uids")
    for row, line in zip(rows, truth):
        called = line["direction"] == "in"
        orig, resp = (("remote", "local") if called else ("local", "remote"))
        sent, received = (("rx", "tx") if called else ("tx", "rx"))
        for name, end in (("id.orig", line[orig]), ("id.resp", line[resp])):
            if row.get(f"{name}_h") is not None:
                same(row[f"{name}_h"], str(ipaddress.ip_address(end["ip"])), f"{name}_h")
            else:
                assert ipaddress.ip_address(end["ip"]).is_unspecified, f"{name}_h is missing"
            same(row.get(f"{name}_p"), end["port"] or None, f"{name}_p")
        assert abs(row["ts"] - seconds(line["opened"])) < 2e-6, "ts"
        same(row.get("community_id"), line["community_id"], "community_id")
        same((row["orig_bytes"], row["resp_bytes"]), (line[f"{sent}_bytes"], line[f"{received}_bytes"]), "bytes")
        wire = line["wire"] or {}
        for side, way in (("orig", sent), ("resp", received)):
            same(row.get(f"{side}_pkts"), wire.get(f"{way}_packets"), f"{side}_pkts")
            same(row.get(f"{side}_ip_bytes"), wire.get(f"{way}_bytes"), f"{side}_ip_bytes")
        observed = line["service"]["observed"]
        same(row.get("service"), {"tls": "ssl"}.get(observed, observed), "service")
        same(row["local_resp" if called else "local_orig"], True, "this host's side")
        if line["proto"] == "tcp" and line["end"] == "fin" and not line["preexisting"]:
            same(row["conn_state"], "SF", "conn_state")
        if line["closed"] and line["end"] != "unseen" and not line["preexisting"]:
            length = seconds(line["closed"]) - seconds(line["opened"])
            assert abs(row["duration"] - length) < 3e-6, "duration"


def zeek(path, truth, trailer):
    """Two readers of Zeek's own format."""
    types, rows = zeek_rows(path)
    same((types["ts"], types["id.orig_h"], types["orig_bytes"]), ("time", "addr", "count"), "types")
    compare_zeek(rows, truth)
    others = list(ZeekLogReader(str(path), strict=True).readrows())
    same([row["uid"] for row in others], [row["uid"] for row in rows], "uids by another reader")
    last = path.read_text().splitlines()[-2:]
    assert last[0].startswith("#close\t"), "no #close"
    same(json.loads(last[1].removeprefix("#connmon\t")), trailer["completeness"], "completeness")
    return f"{len(rows)} rows by two readers"


def zeek_json(path, truth, _):
    """JSON says the same as the table."""
    _, rows = zeek_rows(path)
    compare_zeek(rows, truth)
    table = path.with_name("export.zeek")
    if table.exists():
        known = [{key: value for key, value in row.items() if value is not None} for row in zeek_rows(table)[1]]
        same(rows, known, "the table")
    return f"{len(rows)} rows, as in the table"


class Strict(logging.Handler):
    """What the server only logs is an error here."""

    def emit(self, record):
        raise AssertionError(record.getMessage())


def timesketch(path, truth, trailer):
    """The reader of Timesketch's server, with which it validates an upload."""
    timesketch_server.logger.addHandler(Strict())
    with path.open(encoding="utf-8") as file:
        events = list(timesketch_server.read_and_validate_jsonl(file))
    expected = []
    for line in truth:
        expected.append((line["id"], line["opened"]))
        if line["closed"] and line["end"]:
            expected.append((line["id"], line["closed"]))
    last = events.pop()
    same([(event["id"], event["datetime"]) for event in events], expected, "events")
    same(json.loads(last["completeness"]), trailer["completeness"], "completeness")
    known = {line["id"]: flat(line) for line in truth}
    for event in [*events, last]:
        time = datetime.datetime.fromisoformat(event["datetime"][:26] + "+00:00")
        same(event["timestamp"], round(time.timestamp() * 1e6), "timestamp")
        assert event["message"] and event["timestamp_desc"] and event["data_type"], "an empty field"
        flat_values = all(isinstance(value, (str, int, float, bool)) for value in event.values())
        assert flat_values, "a field with parts"
    same(len({event["connection_uid"] for event in events}), len(truth), "different connection_uids")
    for event in events:
        for name, value in known[event["id"]].items():
            same(event.get(name), value, f"{name} of {event['id']}")
    return f"{len(events)} events and the completeness"


def parquet(path, truth, trailer):
    """Arrow's own C++ reader: types, values, and the metadata."""
    file = pa.parquet.ParquetFile(path)
    schema = file.schema_arrow
    kinds = {"opened": pa.timestamp("ns", tz="UTC"), "tx_bytes": pa.uint64(), "exe": pa.string()}
    kinds |= {"latitude": pa.float64(), "exact": pa.bool_(), "local_port": pa.uint64()}
    for name, kind in kinds.items():
        same(schema.field(name).type, kind, f"type of {name}")
    table = file.read()
    table.validate(full=True)
    same(table.num_rows, len(truth), "rows")
    for name in table.column_names:
        column = table.column(name)
        is_time = pa.types.is_timestamp(column.type)
        values = (column.cast(pa.int64()) if is_time else column).to_pylist()
        for value, line in zip(values, truth):
            expected = flat(line).get(name, value)
            same(value, nanoseconds(expected) if is_time and expected else expected, f"{name} of {line['id']}")
    metadata = file.metadata.metadata
    same(json.loads(metadata[b"connmon.completeness"]), trailer["completeness"], "completeness")
    return f"{table.num_rows} rows, {table.num_columns} columns, {file.num_row_groups} row group"
