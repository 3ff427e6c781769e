// @ts-check
// What stands in the address.

import assert from "node:assert/strict";
import { test } from "node:test";

import { everything, fromHash, isSection, toHash } from "../state.js";

test("an address says what was asked", () => {
  const question = { ...everything(), filter: 'proc:"a b" #x=1', time: /** @type {[number, number]} */ ([1000, 2000]), near: /** @type {[number, number, number]} */ ([9.99, 53.55, 300]), measure: /** @type {const} */ ("peers"), open: 7 };
  assert.deepEqual(fromHash(toHash(question)), question);
  assert.equal(toHash(everything()), "");
});

test("a section is no question", () => {
  assert.ok(isSection("#map"));
  for (const hash of ["", "#", "#q=map", toHash({ ...everything(), open: 0 })]) assert.ok(!isSection(hash), hash);
});

test("what an address says wrongly is left out", () => {
  assert.deepEqual(fromHash("#t=2000-1000&near=1,2&by=cats&c=x"), everything());
});
