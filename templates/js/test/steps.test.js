// @ts-check
// A time has the bytes of its steps, whatever the connections are.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DIRECTIONS } from "../query/entries.js";
import { intervalOf } from "../query/meaning.js";
import { during, eachStep, lengthened, readSteps, askedTime, widened } from "../steps.js";
import { modelOf } from "./rows.js";

const BASE = Date.parse("2026-06-16T00:00:00Z");
const row = (/** @type {number} */ seconds, /** @type {number} */ tx, /** @type {number} */ rx) => ({ opened: `${BASE + seconds * 1000}000000`, watched: `${BASE + 100_000}000000`, remote: "8.8.8.8", public: true, port: 443, proto: "tcp", direction: DIRECTIONS[0], tx, rx, processes: [] });

test("a time has the bytes of its steps", () => {
  const model = modelOf([row(3, 1, 2), row(8, 30, 40)], BASE + 500);
  // The second moved its bytes in its first step, and two and five steps later.
  readSteps(model, { row: [1, 1, 1], after: [0, 2, 5], tx: [10, 20, 0], rx: [0, 0, 40], share: [0, 0, 0] }, 3);
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
  const steps = Float64Array.of(BASE, 1, 2, 0, BASE + 10_000, 3, 4, 0, BASE + 60_000, 5, 6, 0, BASE, 7, 8, 1);
  assert.deepEqual([...lengthened(steps, 30_000)], [BASE, 4, 6, 0, BASE + 60_000, 5, 6, 0, BASE, 7, 8, 1]);
  const model = modelOf([row(3, 1, 2)], BASE);
  /** @type {number[][]} */
  const found = [];
  eachStep(model, 0, (...step) => found.push(step));
  assert.deepEqual(found, [[BASE, 1, 2, 0]]);
});

test("a time that is typed has the bytes of that time, as one that is chosen has", () => {
  const model = modelOf([row(3, 1, 2), row(8, 30, 40)], BASE + 500);
  model.window = [BASE, BASE + 100_000];
  const asked = (/** @type {string} */ text, /** @type {[number, number] | null} */ chosen = null) => {
    const time = askedTime(model, chosen, intervalOf(text, model.window[1]));
    return time && time.map((ms) => (ms - BASE) / 1000);
  };
  assert.equal(asked(""), null);
  assert.equal(asked("tcp or since:20s"), null, "it need not fit");
  assert.equal(asked("-since:20s"), null);
  assert.deepEqual(asked("since:85s port:443"), [10, 110], "to whole steps");
  assert.deepEqual(asked("(until:2026-06-16T00:00:40Z tcp) since:80s"), [20, 40]);
  assert.deepEqual(asked("since:80s", [BASE, BASE + 50_000]), [20, 50], "what is chosen counts too");
  assert.deepEqual(asked("since:10s until:50s"), [90, 90], "no time at all");
  assert.deepEqual(asked("since:2026-06-16T01:00:00Z"), [3600, 3610]);
});
