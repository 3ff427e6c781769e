// @ts-check
// The connections shown as CSV.

import { FORMULA, QUOTED } from "./cells.js";
import { displaySafe } from "./dom.js";
import { closedText, directionText, hostText, openedText, ownerOf } from "./facts.js";
import { processName } from "./groups.js";
import { ENDS } from "./query/entries.js";

/** @typedef {import("./model.js").Model} Model */

/** Named as in an export, but for what the page says in its own way. @type {[import("./cells.js").CsvColumn | "process" | "host", (model: Model, row: number) => string | number | null | undefined][]} */
const CSV_COLUMNS = [
  ["id", (m, row) => m.id[row]],
  ["opened", openedText],
  ["closed", closedText],
  ["proto", (m, row) => m.protos[m.proto[row]]],
  ["direction", directionText],
  ["process", (m, row) => { const owner = ownerOf(m, row); return owner && processName(owner); }],
  ["pid", (m, row) => ownerOf(m, row)?.pid],
  ["exe", (m, row) => ownerOf(m, row)?.exe],
  ["user", (m, row) => ownerOf(m, row)?.user],
  ["local_ip", (m, row) => m.locals[m.local[row]]],
  ["local_port", (m, row) => m.localPort[row]],
  ["remote_ip", (m, row) => m.endpoints[m.remote[row]].ip],
  ["remote_port", (m, row) => m.remotePort[row]],
  ["host", hostText],
  ["country", (m, row) => m.endpoints[m.remote[row]].country],
  ["asn", (m, row) => m.endpoints[m.remote[row]].asn],
  ["org", (m, row) => m.endpoints[m.remote[row]].org],
  ["service", (m, row) => m.serviceNames[m.service[row]]],
  ["tx_bytes", (m, row) => (m.whole ?? m).tx[row]],
  ["rx_bytes", (m, row) => (m.whole ?? m).rx[row]],
  ["end", (m, row) => (m.end[row] === m.open ? "" : ENDS[m.end[row]])],
  // Of the time chosen, if one is.
  ["within_tx_bytes", (m, row) => (m.whole ? m.tx[row] : "")],
  ["within_rx_bytes", (m, row) => (m.whole ? m.rx[row] : "")],
];
const CHUNK = 2000;

/** A file in pieces. @param {Model} model @param {Uint32Array} rows @returns {string[]} */
export function csvParts(model, rows) {
  const pieces = [`${CSV_COLUMNS.map(([name]) => name).join(",")}\r\n`];
  for (let from = 0; from < rows.length; from += CHUNK) {
    let text = "";
    for (const row of rows.subarray(from, from + CHUNK)) {
      text += `${CSV_COLUMNS.map(([, of]) => cell(of(model, row))).join(",")}\r\n`;
    }
    pieces.push(text);
  }
  return pieces;
}

/** As `export/csv.rs` writes it: what a spreadsheet would take for a formula gets an apostrophe, also behind blanks and where it splits a line at a semicolon; what it could split or trim is quoted. @param {string | number | null | undefined} value */
export function cell(value) {
  if (value === null || value === undefined) return "";
  const safe = displaySafe(String(value));
  const text = typeof value === "string" ? safe.replace(FORMULA, "$1$2'") : safe;
  return QUOTED.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
