// @ts-check
// The figures of the live page add up what the rows say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { figuresOf, smallPrint } from "../live/figures.js";
import { DIRECTIONS } from "../query/entries.js";
import { modelOf } from "./rows.js";

test("figures are of the rows that count", () => {
  const row = (/** @type {object} */ more) => ({ opened: "1781568000000000000", watched: "1781568000000000000", remote: "8.8.8.8", public: true, country: "US", port: 443, proto: "tcp", direction: DIRECTIONS[0], tx: 10, rx: 20, processes: [{ pid: 1, started: "a" }], ...more });
  const model = modelOf([row({}), row({ end: "rst", failed: true, processes: [{ pid: 1, started: "a" }, { pid: 2, started: "b" }], shares: [{ process: 0, tx: 4, rx: 8 }, { process: 1, tx: 6, rx: 12 }] }), row({ end: "rst", remote: "10.0.0.1", public: false, country: null }), row({ processes: [], country: "DE", remote: "9.9.9.9" })], 1781568000000);
  assert.deepEqual(figuresOf(model), { sent: 40, received: 80, connections: 4, bad: 1, still: 2, processes: 2, remotes: 3, countries: 2, unowned: 1, inbound: 0, unlocated: 0 });
  model.order = model.order.subarray(0, 1);
  model.shares.clear();
  assert.deepEqual(figuresOf(model), { sent: 10, received: 20, connections: 1, bad: 0, still: 1, processes: 1, remotes: 1, countries: 1, unowned: 0, inbound: 0, unlocated: 0 });
  const other = modelOf([row({ direction: DIRECTIONS[1], country: null }), row({ processes: [] })], 1781568000000);
  assert.deepEqual(smallPrint(figuresOf(other)).slice(3), ["1 connection without one", "1 inbound connection", "1 address without one"]);
  assert.deepEqual(smallPrint(figuresOf(model)).slice(3), ["all identified", "no inbound connections", "every public address located"]);
});
