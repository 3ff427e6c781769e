// @ts-check
// Figures are written as by `crates/analysis/src/format.rs`, which is held to the same cases.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { bytesText, durationText, grouped } from "../format.js";

const CASES = JSON.parse(readFileSync(new URL("../../../crates/analysis/src/format-cases.json", import.meta.url), "utf8"));

test("figures are those of the reports", () => {
  for (const [name, write] of Object.entries({ bytes: bytesText, grouped, duration: durationText })) {
    for (const [figure, text] of CASES[name]) assert.equal(write(figure).replace(/[\u00a0\u202f]/g, " "), text, `${name} ${figure}`);
  }
});
