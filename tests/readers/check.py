"""Reads exports of one store with programs that are not connmon's.

usage: check.py FOLDER SCHEMA

FOLDER has `export.FORMAT` for each format, and `findings.FORMAT`; SCHEMA is the Elastic Common Schema (`EcsFlat` of @elastic/ecs) as JSON.
Everything is compared with the JSON Lines. Then each file is damaged in several ways, and every damage has to be noticed.
"""

import json
import sys
import tempfile
from pathlib import Path

import ecs
import formats
import ocsf
import stix

CHECKS = {
    "csv": formats.csv_file,
    "zeek": formats.zeek,
    "zeek-json": formats.zeek_json,
    "timesketch": formats.timesketch,
    "parquet": formats.parquet,
    "ecs": ecs.check,
    "ocsf": ocsf.check,
}


def damaged(data: bytes, name: str):
    """The file with one thing wrong, several times over; each with words for it."""
    yield "empty", b""
    yield "cut off in the middle", data[: len(data) // 2]
    if name == "parquet":
        return
    yield "an address that is none", data.replace(b"127.0.0.1", b"127.0.0.x", 1)
    yield "another Community ID", swapped(data)
    yield "a line twice", twice(data)


def swapped(data: bytes) -> bytes:
    """The first base64 digest with another first letter."""
    at = next(i for i in range(len(data)) if data[i : i + 2] == b"1:" and data[i + 29 : i + 30] == b"=")
    letter = b"A" if data[at + 2 : at + 3] != b"A" else b"B"
    return data[: at + 2] + letter + data[at + 3 :]


def twice(data: bytes) -> bytes:
    """The line in the middle a second time."""
    lines = data.splitlines(keepends=True)
    middle = len(lines) // 2
    return b"".join(lines[: middle + 1] + lines[middle:])


def main() -> None:
    folder, schema = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    lines = [json.loads(line) for line in (folder / "export.jsonl").read_text().splitlines()]
    truth, trailer = lines[:-1], lines[-1]["trailer"]
    assert len(truth) == trailer["connections"] > 10, "too few connections to say anything"
    formats.community_ids(truth)
    print(f"community_id: {len(truth)} connections, as the reference computes them")
    ecs.load(schema)
    for name, check in CHECKS.items():
        path = folder / f"export.{name}"
        told = check(path, truth, trailer)
        noticed = 0
        for what, data in damaged(path.read_bytes(), name):
            with tempfile.NamedTemporaryFile(suffix=f".{name}") as file:
                file.write(data)
                file.flush()
                try:
                    check(Path(file.name), truth, trailer)
                except Exception:  # Whatever it says, it was noticed.
                    noticed += 1
                else:
                    sys.exit(f"{name}: {what} was not noticed")
        print(f"{name}: {told}; {noticed} damaged files were noticed")
    findings = json.loads((folder / "findings.json").read_text())["findings"]
    print(f"findings: {ocsf.check_findings(folder / 'findings.ocsf', findings)}")
    print(f"findings: {stix.check_findings(folder / 'findings.stix', findings)}")


if __name__ == "__main__":
    main()
