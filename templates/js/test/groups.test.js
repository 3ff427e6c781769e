// @ts-check
// Groups against their contract, the same file that connmon's own engine is held to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { byBytes, coding, sums, total } from "../groups.js";
import { ENDS } from "../query/entries.js";
import { during, eachStep, readSteps } from "../steps.js";
import { modelOf } from "./rows.js";

const golden = JSON.parse(readFileSync(new URL("../../../crates/fixtures/src/groups/cases.json", import.meta.url), "utf8"));
const BASE = Date.parse("2026-06-18T00:00:00Z");
const HOUR = 3_600_000;
const nanos = (/** @type {string} */ time) => `${Date.parse(time)}000000`;

/** A row of the contract as the rows of filters are. @param {any} row */
function plain(row) {
  const shares = row.shares.map((/** @type {any} */ share) => ({
    who: share.process, tx: share.steps.reduce((/** @type {number} */ sum, /** @type {any} */ step) => sum + step[1], 0), rx: share.steps.reduce((/** @type {number} */ sum, /** @type {any} */ step) => sum + step[2], 0),
  }));
  const names = [...new Set([...(row.owner ? [row.owner] : []), ...shares.map((/** @type {any} */ share) => share.who)])];
  const own = shares.length === 0 || (shares.length === 1 && shares[0].who === row.owner);
  const sum = (/** @type {"tx" | "rx"} */ way) => shares.reduce((/** @type {number} */ all, /** @type {any} */ share) => all + share[way], 0);
  return {
    ...row, unowned: !row.owner, processes: names.map((name) => ({ ...golden.processes[name], name, started: "boot" })),
    shares: own ? undefined : shares.map((/** @type {any} */ { who, tx, rx }) => ({ process: names.indexOf(who), tx, rx })),
    opened: nanos(row.opened), watched: nanos(row.opened), public: row.kind === "public", failed: row.end === "refused", tx: sum("tx"), rx: sum("rx"),
  };
}

const rows = Object.values(golden.rows);
const model = modelOf(rows.map(plain), BASE);
const steps = rows.flatMap((/** @type {any} */ row, at) => row.shares.flatMap((/** @type {any} */ one, /** @type {number} */ share) => one.steps.map((/** @type {any} */ [start, tx, rx]) => ({
  row: at, after: Math.floor(Date.parse(start) / 10_000) - Math.floor(Date.parse(row.opened) / 10_000), tx, rx, share,
}))));
readSteps(model, /** @type {any} */ (Object.fromEntries(["row", "after", "tx", "rx", "share"].map((name) => [name, steps.map((step) => /** @type {any} */ (step)[name])]))), steps.length);

/** What a row or a process is grouped by. @type {Record<string, {words: readonly string[], code: import("../groups.js").Code}>} */
const GROUPINGS = {
  process: ofProcess((one) => one.name),
  user: ofProcess((one) => one.user),
  remote: ofRow((row) => model.endpoints[model.remote[row]].ip),
  country: ofRow((row) => { const { kind, country } = model.endpoints[model.remote[row]]; return country ?? `(${kind === "public" ? "unknown" : kind})`; }),
  port: ofRow((row) => String(model.port[row])),
  proto: ofRow((row) => model.protos[model.proto[row]]),
  end: ofRow((row) => ENDS[model.end[row]]),
};

/** @param {(process: any) => string} of */
function ofProcess(of) {
  const { codes, words } = coding(model.processes, of);
  return { words: [...words, "nobody"], code: (/** @type {number} */ _, /** @type {number} */ process) => (process < 0 ? words.length : codes[process]) };
}

/** @param {(row: number) => string} of */
function ofRow(of) {
  const { codes, words } = coding([...model.order], of);
  return { words, code: (/** @type {number} */ row) => codes[row] };
}

test("groups are those of the contract", () => {
  for (const [by, groups] of Object.entries(golden.groups)) {
    const { words, code } = GROUPINGS[by];
    const found = sums(model, model.order, code, words.length).map(({ key, connections, failed, inbound, tx, rx }) => ({ key: words[key], connections, failed, inbound, tx, rx }));
    found.sort((a, b) => byBytes(a, b) || (a.key < b.key ? -1 : 1));
    const expected = groups.map((/** @type {any} */ { key, connections, failed, inbound, tx, rx }) => ({ key: key ?? "nobody", connections, failed, inbound, tx, rx }));
    assert.deepEqual(found, expected, by);
  }
  const { connections, failed, inbound, tx, rx } = total(model, model.order);
  assert.deepEqual({ connections, failed, inbound, tx, rx }, golden.all);
});

test("a time has the bytes that each process moved in it", () => {
  const { words, code } = GROUPINGS.process;
  for (const [hour, expected] of Object.entries(golden.hours)) {
    const from = Date.parse(`${hour.slice(0, 16)}:00Z`);
    const part = during(model, model.order, [from, from + HOUR]);
    const moved = sums(part, model.order, code, words.length).filter(({ tx, rx }) => tx + rx > 0);
    assert.deepEqual(Object.fromEntries(moved.map(({ key, tx, rx }) => [words[key], [tx, rx]])), expected, hour);
  }
});

test("steps that are not told are those of the shares", () => {
  const told = { ...model, steps: new Map() };
  const row = rows.findIndex((/** @type {any} */ one) => one.shares.length === 3);
  /** @type {number[][]} */
  const found = [];
  eachStep(told, row, (_, tx, rx, share) => found.push([share, tx, rx]));
  assert.deepEqual(found, [[0, 10, 0], [1, 5, 53], [2, 5, 10]]);
});
