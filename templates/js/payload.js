// @ts-check
// Reads the data of a page: the reader of what `crates/render/src/report/payload` writes.

import { HEADERS, SERVICE_PORT } from "./columns.js";
import { address } from "./query/networks.js";
import { readSteps } from "./steps.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Process} Process */
/** @typedef {import("./model.js").Endpoint} Endpoint */
/** @typedef {Float64Array | Uint32Array | Uint16Array | Uint8Array} Figures */
/** @typedef {{name: string, width: number, coding: "plain" | "delta" | "beside", beside: string, packets: string, first: string | null}} Column */

/**
 * The model of a page's data.
 * @param {string} text base64
 * @returns {Promise<Model>}
 */
export async function readPayload(text) {
  const bytes = await gunzip(fromBase64(text));
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (header.format !== "connmon-report-1") throw new Error(`this page cannot read data of version ${header.format}`);
  return modelOf(header, bytes.subarray(4 + length));
}

/** @param {string} text @returns {Uint8Array} */
function fromBase64(text) {
  const whole = Uint8Array;
  if ("fromBase64" in whole) return /** @type {any} */ (whole).fromBase64(text);
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** @param {Uint8Array} bytes */
async function gunzip(bytes) {
  const body = new Blob([/** @type {any} */ (bytes)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/**
 * The columns, by name. Their bytes are sorted by weight: first the lowest of all rows, then the next.
 * @param {Column[]} columns
 * @param {number} rows
 * @param {Uint8Array} bytes
 */
function readColumns(columns, rows, bytes) {
  /** @type {Record<string, Figures>} */
  const found = {};
  let at = 0;
  for (const { name, width, coding, beside, packets, first } of columns) {
    const planes = bytes.subarray(at, at + width * rows);
    at += width * rows;
    let values = unshuffled(planes, width, rows);
    if (coding === "delta") values = summed(values, name === "opened" ? 0 : Number(first ?? 0));
    if (coding === "beside") values = beyond(values, found[beside], packets === "" ? null : found[packets]);
    found[name] = values;
  }
  return found;
}

/** Values from their bytes by weight. A loop for each width: what always sees the same kind of array is fast. @param {Uint8Array} planes @param {number} width @param {number} rows @returns {Figures} */
function unshuffled(planes, width, rows) {
  if (width === 0) return new Uint8Array(rows);
  if (width === 1) return planes;
  if (width === 2) {
    const values = new Uint16Array(rows);
    for (let i = 0; i < rows; i += 1) values[i] = planes[i] | (planes[rows + i] << 8);
    return values;
  }
  const low = new Uint32Array(rows);
  for (let i = 0; i < rows; i += 1) low[i] = planes[i] | (planes[rows + i] << 8) | (planes[2 * rows + i] << 16);
  if (width > 3) for (let i = 0; i < rows; i += 1) low[i] |= planes[3 * rows + i] << 24;
  if (width <= 4) return low;
  const values = new Float64Array(rows);
  for (let i = 0; i < rows; i += 1) values[i] = low[i];
  for (let plane = 4; plane < width; plane += 1) {
    const [from, weight] = [plane * rows, 256 ** plane];
    for (let i = 0; i < rows; i += 1) values[i] += planes[from + i] * weight;
  }
  return values;
}

/** What differences add up to. @param {Figures} differences @param {number} first */
function summed(differences, first) {
  const values = new Float64Array(differences.length);
  for (let i = 0, last = first; i < values.length; i += 1) values[i] = last += unzigzag(differences[i]);
  return values;
}

/** What is so much more than another column, and than the headers of its packets. @param {Figures} differences @param {Figures} other @param {Figures | null} packets */
function beyond(differences, other, packets) {
  const values = new Float64Array(differences.length);
  for (let i = 0; i < values.length; i += 1) values[i] = other[i] + unzigzag(differences[i]);
  if (packets) for (let i = 0; i < values.length; i += 1) values[i] += packets[i] * HEADERS;
  return values;
}

/** 0, 1, 2, 3, 4 … stand for 0, -1, 1, -2, 2 … @param {number} n */
const unzigzag = (n) => (n % 2 === 0 ? n / 2 : -(n + 1) / 2);

/** @param {any} header @param {Uint8Array} bytes @returns {Model} */
function modelOf(header, bytes) {
  const rows = header.rows;
  const columns = readColumns(header.columns, rows, bytes);
  const { steps } = header;
  // Whole milliseconds, and what is beyond them added to each row; the model has nanoseconds.
  const base = Math.floor(header.base / 1000);
  const rest = header.base % 1000;
  const [opened, lasted, owner, named] = [new Float64Array(rows), new Float64Array(rows), new Int32Array(rows), new Float64Array(rows)];
  for (let row = 0; row < rows; row += 1) {
    opened[row] = (columns.opened[row] + rest) * 1000;
    lasted[row] = columns.lasted[row] * 1000;
    owner[row] = columns.owner[row] - 1;
    named[row] = unzigzag(columns.named[row]);
  }
  const others = new Map();
  const shares = new Map();
  for (const [row, list] of header.shares) {
    shares.set(row, list.map((/** @type {number[]} */ [process, tx, rx, txCalls, rxCalls]) => ({ process, tx, rx, txCalls, rxCalls })));
    others.set(row, list.map((/** @type {number[]} */ [process]) => process).filter((/** @type {number} */ one) => one !== owner[row]));
  }
  const port = new Uint16Array(rows);
  const { direction, localPort, remotePort } = columns;
  for (let row = 0; row < rows; row += 1) {
    const [local, remote] = [localPort[row], remotePort[row]];
    const lower = local && remote ? Math.min(local, remote) : local || remote;
    const which = SERVICE_PORT[direction[row]];
    port[row] = which === "remote" ? remote : which === "local" ? local : lower;
  }
  /** @type {Model} */
  const model = {
    ...(/** @type {any} */ (columns)),
    rows,
    step: steps.seconds * 1000,
    steps: new Map(),
    order: Uint32Array.from({ length: rows }, (_, row) => row),
    byId: new Map(),
    base,
    opened,
    lasted,
    owner,
    others,
    shares,
    port,
    total: header.total,
    open: header.open,
    window: header.window ?? [base, base],
    home: header.home,
    countries: new Map(Object.entries(header.countries).map(([code, [name, longitude, latitude]]) => [code, { name, at: [longitude, latitude] }])),
    processes: header.processes.map(processOf),
    endpoints: header.remotes.map(endpointOf),
    locals: header.locals,
    protos: header.protos,
    serviceNames: header.services,
    services: header.services.map((/** @type {string} */ name) => name.split(" (")[0]),
    named,
    moreNamed: new Map(header.named),
    labels: header.labels.map((/** @type {any[]} */ [name, color, text]) => ({ name, color, text })),
    inexactReasons: header.inexact,
    nameSets: header.names.map((/** @type {any[][]} */ set) => set.map(([name, source, process]) => ({ name, source, process }))),
    hitSets: header.hits.map((/** @type {any[][]} */ set) => set.map(([indicator, list, kind]) => ({ indicator, list, kind }))),
  };
  const read = header.columns.reduce((/** @type {number} */ sum, /** @type {Column} */ column) => sum + column.width * rows, 0);
  readSteps(model, readColumns(steps.columns, steps.rows, bytes.subarray(read)), steps.rows);
  return model;
}

/** @param {any} process @returns {Process} */
function processOf(process) {
  return { ...process, container: process.container ? [...process.container.parts, process.container.shown] : [], containerShown: process.container?.shown ?? "" };
}

/** @param {any[]} remote @returns {Endpoint} */
function endpointOf([ip, kind, country, asn, org, city, at]) {
  return { ip, number: address(ip) ?? 0n, public: kind === "public", kind, country, asn, org, city, at };
}
