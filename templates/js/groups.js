// @ts-check
// Sums over rows.

import { FLAGS } from "./columns.js";
import { baseName } from "./query/fields.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {{key: number, connections: number, failed: number, inbound: number, tx: number, rx: number, first: number, last: number}} Sum */

/** Whether a connection failed, as connmon counts it. @param {Model} model @param {number} row */
export const hasFailed = ({ flags }, row) => (flags[row] & FLAGS.failed) !== 0;

/**
 * A sum for each code that a row can have, of the rows given.
 * @param {Model} model
 * @param {Uint32Array} rows
 * @param {(row: number) => number} code a place, or less than 0 for none
 * @param {number} codes how many there are
 * @returns {Sum[]} those with a row
 */
export function sums(model, rows, code, codes) {
  const { tx, rx, direction, opened, lasted } = model;
  const [connections, bad, inbound] = [new Uint32Array(codes), new Uint32Array(codes), new Uint32Array(codes)];
  const [sent, received] = [new Float64Array(codes), new Float64Array(codes)];
  const [first, last] = [new Float64Array(codes).fill(Infinity), new Float64Array(codes).fill(-Infinity)];
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i];
    const at = code(row);
    if (at < 0) continue;
    connections[at] += 1;
    sent[at] += tx[row];
    received[at] += rx[row];
    if (hasFailed(model, row)) bad[at] += 1;
    if (direction[row] === 1) inbound[at] += 1;
    if (opened[row] < first[at]) first[at] = opened[row];
    const until = opened[row] + lasted[row];
    if (until > last[at]) last[at] = until;
  }
  /** @type {Sum[]} */
  const found = [];
  for (let key = 0; key < codes; key += 1) {
    if (connections[key] === 0) continue;
    found.push({
      key, connections: connections[key], failed: bad[key], inbound: inbound[key], tx: sent[key], rx: received[key],
      first: first[key], last: last[key],
    });
  }
  return found;
}

/**
 * How many remote addresses each code has, of the rows given.
 * @param {Model} model
 * @param {Uint32Array} rows
 * @param {(row: number) => number} code a place, or less than 0 for none
 * @param {number} codes how many there are
 */
export function peersOf(model, rows, code, codes) {
  const [seen, found] = [new Set(), new Uint32Array(codes)];
  for (const row of rows) {
    const at = code(row);
    const pair = at * model.endpoints.length + model.remote[row];
    if (at < 0 || seen.has(pair)) continue;
    seen.add(pair);
    found[at] += 1;
  }
  return found;
}

/**
 * Codes for what a function says of each entry of a dictionary.
 * @template T
 * @param {readonly T[]} entries
 * @param {(entry: T) => string} of
 */
export function coding(entries, of) {
  /** @type {Map<string, number>} */
  const places = new Map();
  const codes = Int32Array.from(entries, (entry) => {
    const word = of(entry);
    const place = places.get(word) ?? places.size;
    places.set(word, place);
    return place;
  });
  return { codes, words: [...places.keys()] };
}

/** How a process is called. @param {{comm: string, exe: string}} process */
export const processName = (process) => process.comm || baseName(process.exe) || "unnamed";
