// @ts-check
// The log forgets what it must, the oldest first.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Log } from "../live/log.js";

test("the log has limits", () => {
  const log = new Log();
  for (let n = 0; n < 1000; n += 1) log.add([[7, n, `event ${n}`]]);
  assert.equal(log.byConnection.get(7)?.length, 200);
  assert.equal(log.byConnection.get(7)?.[0][2], "event 800");
  for (let n = 0; n < 30_000; n += 1) log.add([[100 + n, n, "opened"]]);
  assert.equal(log.count, 20_000);
  assert.equal(log.byConnection.has(7), false);
  assert.ok(log.byConnection.has(30_099));
});
