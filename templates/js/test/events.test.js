// @ts-check
// What happened on a connection is read from its row.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bytesText } from "../format.js";
import { happened } from "../live/events.js";
import { modelOf } from "./rows.js";

test("events follow from the row", () => {
  const row = (/** @type {any} */ of) => ({ opened: "5000000000", watched: "6500000000", remote: "8.8.8.8", public: true, port: 443, proto: "tcp", direction: "out", tx: 2048, rx: 1, ...of });
  const model = modelOf([row({ hosts: ["a.example", "b.example"] }), row({ end: "fin", hosts: ["late.example"] }), row({ end: "refused", failed: true }), row({ end: "recording-ended" })], 1000);
  model.named = Int32Array.from([-2_000_000, 1_000, 0, 0]);
  model.moreNamed = new Map([[0, [7]]]);
  model.flags = Uint8Array.from([0, 0, 16, 1]);
  const opened = 4e9;
  assert.deepEqual(happened(model, 0), [[opened - 2e9, "named a.example (dns)"], [opened, "opened"], [opened + 7000, "named b.example (dns)"]]);
  assert.deepEqual(happened(model, 1), [[opened, "opened"], [opened + 1e6, "named late.example (dns)"], [opened + 1.5e9, `closed (fin): ${bytesText(2048)} sent, ${bytesText(1)} received`]]);
  assert.deepEqual(happened(model, 2).at(-1), [opened + 1.5e9, "failed: refused"]);
  assert.deepEqual(happened(model, 3), [[opened, "open when the recording began"], [opened + 1.5e9, "open when the recording ended"]]);
});
