// @ts-check
// Figures are written as by `crates/analysis/src/format.rs`, which is held to the same cases.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { axisText, bytesText, durationText, grouped } from "../format.js";

const CASES = JSON.parse(readFileSync(new URL("../../../crates/analysis/src/format-cases.json", import.meta.url), "utf8"));

test("figures are those of the reports", () => {
  for (const [name, write] of Object.entries({ bytes: bytesText, grouped, duration: durationText })) {
    for (const [figure, text] of CASES[name]) assert.equal(write(figure).replace(/[\u00a0\u202f]/g, " "), text, `${name} ${figure}`);
  }
});

test("an axis over several days has their dates", () => {
  const at = (/** @type {string} */ text) => Date.parse(text);
  const hour = [at("2026-11-12T10:00:00Z"), at("2026-11-12T11:00:00Z")];
  assert.equal(axisText(hour[0], hour[0], hour[1]), "10:00:00");
  const night = [at("2026-11-12T23:59:30Z"), at("2026-11-13T00:01:00Z")];
  assert.equal(axisText(night[1], night[0], night[1]), "2026-11-13 00:01:00", "it begins on another day");
  const month = [at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z")];
  assert.equal(axisText(at("2026-11-20T12:30:00Z"), month[0], month[1]), "2026-11-20 12:30");
});
