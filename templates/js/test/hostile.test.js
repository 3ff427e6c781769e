// @ts-check
// What the page makes of hostile text, against the table that connmon's own sanitiser and its CSV are held to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { cell } from "../csv.js";
import { displaySafe } from "../dom.js";

const table = new URL("../../../connmon/src/export/golden/cells.json", import.meta.url);

test("text is shown, and cells are written, as the command line does", () => {
  for (const { text, shown, cell: expected } of JSON.parse(readFileSync(table, "utf8"))) {
    assert.equal(displaySafe(text), shown);
    assert.equal(cell(text), expected);
  }
});
