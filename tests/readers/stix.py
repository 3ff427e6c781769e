"""STIX 2.1: the bundle of findings, as the reference implementation of OASIS reads it."""

import json

import stix2

from formats import same


def check_findings(path, truth):
    """An indicator, whose pattern is parsed, and a sighting for each finding that has something to look for."""
    bundle = stix2.parse(path.read_text(encoding="utf-8"), version="2.1")
    kinds = {}
    for one in bundle.objects:
        kinds.setdefault(one.type, []).append(one)
    indicators, sightings = kinds.get("indicator", []), kinds.get("sighting", [])
    assert 0 < len(indicators) <= len(truth), "too few or too many indicators"
    same(len(sightings), len(indicators), "sightings")
    same({one.sighting_of_ref for one in sightings}, {one.id for one in indicators}, "what was sighted")
    known = {one["id"] for one in json.loads(path.read_text(encoding="utf-8"))["objects"]}
    same(len(known), len(bundle.objects), "different ids")
    return f"{len(indicators)} indicators and their sightings, as stix2 reads them"
