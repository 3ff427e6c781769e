// @ts-check
// A time has the bytes of its steps, whatever the connections are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DIRECTIONS } from "../query/fields.js";
import { during, eachStep, lengthened, readSteps, widened } from "../steps.js";
import { modelOf } from "./rows.js";

const BASE = Date.parse("2026-06-16T00:00:00Z");
const row = (/** @type {number} */ seconds, /** @type {number} */ tx, /** @type {number} */ rx) => ({ opened: `${BASE + seconds * 1000}000000`, watched: `${BASE + 100_000}000000`, remote: "8.8.8.8", public: true, port: 443, proto: "tcp", direction: DIRECTIONS[0], tx, rx, processes: [] });

test("a time has the bytes of its steps", () => {
  const model = modelOf([row(3, 1, 2), row(8, 30, 40)], BASE + 500);
  // The second moved its bytes in its first step, and two and five steps later.
  readSteps(model, { row: [1, 1, 1], after: [0, 2, 5], tx: [10, 20, 0], rx: [0, 0, 40] }, 3);
  const sums = (/** @type {number} */ from, /** @type {number} */ to) => {
    const time = widened(model, [BASE + from * 1000, BASE + to * 1000]);
    const { tx, rx, whole } = during(model, model.order, time);
    assert.equal(whole, model);
    return [...tx, ...rx];
  };
  assert.deepEqual(sums(0, 100), [1, 30, 2, 40]);
  assert.deepEqual(sums(0, 10), [1, 10, 2, 0]);
  assert.deepEqual(sums(4, 5), [1, 10, 2, 0], "widened to the step");
  assert.deepEqual(sums(10, 20), [0, 0, 0, 0]);
  assert.deepEqual(sums(20, 50), [0, 20, 0, 0]);
  assert.deepEqual(sums(50, 51), [0, 0, 0, 40]);
});

test("longer steps have the same sums", () => {
  const steps = Float64Array.of(BASE, 1, 2, BASE + 10_000, 3, 4, BASE + 60_000, 5, 6);
  assert.deepEqual([...lengthened(steps, 30_000)], [BASE, 4, 6, BASE + 60_000, 5, 6]);
  const model = modelOf([row(3, 1, 2)], BASE);
  /** @type {number[][]} */
  const found = [];
  eachStep(model, 0, (...step) => found.push(step));
  assert.deepEqual(found, [[BASE, 1, 2]]);
});
