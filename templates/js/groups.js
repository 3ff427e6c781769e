// @ts-check
// Sums over rows.

import { FLAGS } from "./columns.js";
import { DIRECTIONS } from "./query/entries.js";
import { baseName } from "./query/fields.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {{key: number, connections: number, failed: number, inbound: number, open: number, tx: number, rx: number}} Sum */
/** @typedef {(row: number, process: number) => number} Code what a part of a row belongs to: a place, or less than 0 for nothing. The process is one that owned or used the row, or -1 where none is known */

const INBOUND = DIRECTIONS.indexOf("in");

/** Whether a connection failed, as connmon counts it. @param {Model} model @param {number} row */
export const hasFailed = ({ flags }, row) => (flags[row] & FLAGS.failed) !== 0;

/**
 * Tells the parts of each row: what each process moved that owned or used it, an owner that moved nothing among them. Parts of a row follow one another.
 * @param {Model} model
 * @param {ArrayLike<number>} rows
 * @param {(row: number, process: number, tx: number, rx: number) => void} each
 */
export function eachPart(model, rows, each) {
  const { tx, rx, owner, shares, processes } = model;
  const isSame = (/** @type {number} */ a, /** @type {number} */ b) => a === b || (processes[a].pid === processes[b].pid && processes[a].started === processes[b].started);
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i];
    const moved = shares.size > 0 ? shares.get(row) : undefined;
    if (moved === undefined) each(row, owner[row], tx[row], rx[row]);
    else {
      if (owner[row] >= 0 && !moved.some((share) => isSame(share.process, owner[row]))) each(row, owner[row], 0, 0);
      for (const share of moved) each(row, share.process, share.tx, share.rx);
    }
  }
}

/**
 * A sum for each code that a part of the rows given can have: a row counts once for each code of its parts, its bytes are those of the parts. The
 * same as `summary/groups` adds up, to whose cases it is held.
 * @param {Model} model
 * @param {ArrayLike<number>} rows
 * @param {Code} code
 * @param {number} codes how many there are
 * @returns {Sum[]} those with a row
 */
export function sums(model, rows, code, codes) {
  const { direction, end, open, flags } = model;
  const [connections, bad, inbound, still] = [new Uint32Array(codes), new Uint32Array(codes), new Uint32Array(codes), new Uint32Array(codes)];
  const [sent, received, last] = [new Float64Array(codes), new Float64Array(codes), new Int32Array(codes).fill(-1)];
  eachPart(model, rows, (row, process, tx, rx) => {
    const at = code(row, process);
    if (at < 0) return;
    sent[at] += tx;
    received[at] += rx;
    if (last[at] === row) return;
    last[at] = row;
    // A subflow is a part of an MPTCP connection that counts itself.
    if (flags[row] & FLAGS.subflow) return;
    connections[at] += 1;
    if (flags[row] & FLAGS.failed) bad[at] += 1;
    if (direction[row] === INBOUND) inbound[at] += 1;
    if (end[row] === open) still[at] += 1;
  });
  /** @type {Sum[]} */
  const found = [];
  for (let key = 0; key < codes; key += 1) {
    if (last[key] < 0) continue;
    found.push({ key, connections: connections[key], failed: bad[key], inbound: inbound[key], open: still[key], tx: sent[key], rx: received[key] });
  }
  return found;
}

/** What all rows given add up to. @param {Model} model @param {ArrayLike<number>} rows @returns {Sum} */
export const total = (model, rows) => sums(model, rows, () => 0, 1)[0] ?? { key: 0, connections: 0, failed: 0, inbound: 0, open: 0, tx: 0, rx: 0 };

/** The order of sums: most bytes first, then most connections. @param {{tx: number, rx: number, connections: number}} a @param {{tx: number, rx: number, connections: number}} b */
export const byBytes = (a, b) => b.tx + b.rx - a.tx - a.rx || b.connections - a.connections;

/**
 * How many remote addresses each code has, of the rows given.
 * @param {Model} model
 * @param {ArrayLike<number>} rows
 * @param {Code} code
 * @param {number} codes how many there are
 */
export function peersOf(model, rows, code, codes) {
  const [seen, found] = [new Set(), new Uint32Array(codes)];
  eachPart(model, rows, (row, process) => {
    const at = code(row, process);
    const pair = at * model.endpoints.length + model.remote[row];
    if (at < 0 || seen.has(pair)) return;
    seen.add(pair);
    found[at] += 1;
  });
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
