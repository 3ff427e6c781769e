// @ts-check
// The query language against its contract, the same file that connmon's own implementation is held to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Fault } from "../query/fault.js";
import { FIELDS } from "../query/fields.js";
import { compile } from "../query/meaning.js";
import { modelOf } from "./rows.js";

const contract = new URL("../../../connmon/src/filter/golden/cases.json", import.meta.url);
// A number of nanoseconds since 1970 is more than a JavaScript number holds.
const golden = JSON.parse(readFileSync(contract, "utf8").replace(/: (\d{19})\b/g, ': "$1"'));
const now = Date.parse(golden.now);
const names = Object.keys(golden.rows);
const model = modelOf(Object.values(golden.rows), Date.parse("2026-06-16T00:00:00Z"));

/** @param {string} text */
function fault(text) {
  try {
    compile(text, model, now);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error(`${text} is accepted`);
}

test("expressions choose the rows of the contract", () => {
  for (const { filter, fit } of golden.cases) {
    const fits = compile(filter, model, now);
    const found = names.filter((_, row) => fits === null || fits(row));
    assert.deepEqual(found.sort(), [...fit].sort(), filter);
  }
});

test("errors point at the place and say what to write", () => {
  for (const { filter, column, says } of golden.errors) {
    const error = fault(filter);
    assert.equal(error.at + 1, column, `${filter}: ${error.sentence()}`);
    assert.ok(error.sentence().includes(says), `${filter}: ${error.sentence()}`);
  }
  assert.equal(fault("ünï prot:tcp").sentence(), "column 5: unknown field `prot`; did you mean `proto:`?");
});

test("every field has a case", () => {
  for (const { name } of FIELDS) {
    const used = new RegExp(`(^|[^a-z])${name}[:=<>!]`);
    assert.ok(golden.cases.some((/** @type {any} */ one) => used.test(one.filter)), name);
  }
});

test("hostile expressions have limits", () => {
  for (const [text, says] of [
    ["(".repeat(100_000), "nested"],
    ["-".repeat(100_000), "nested"],
    ["a ".repeat(10_000), "more than"],
    [`port:${Array(10_000).fill("1").join(",")}`, "more than"],
  ]) {
    assert.ok(fault(text).sentence().includes(says));
  }
});
