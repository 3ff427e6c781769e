// @ts-check
// Reads the data of a page: the reader of what `connmon/src/report/payload` writes.

import { address } from "./query/networks.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./model.js").Process} Process */
/** @typedef {import("./model.js").Endpoint} Endpoint */
/** @typedef {Float64Array | Uint32Array | Uint16Array | Uint8Array} Figures */
/** @typedef {{name: string, width: number, coding: "plain" | "delta" | "beside", beside: string | null, first: string | null}} Column */

/**
 * The model of a page's data.
 * @param {string} text base64
 * @returns {Promise<Model>}
 */
export async function readPayload(text) {
  const bytes = await gunzip(fromBase64(text));
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  if (header.format !== "connmon-report-1") throw new Error(`this page cannot read data of the form ${header.format}`);
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
  for (const { name, width, coding, beside, first } of columns) {
    const signed = coding !== "plain";
    const values = width > 4 || signed ? new Float64Array(rows) : width > 2 ? new Uint32Array(rows) : width > 1 ? new Uint16Array(rows) : new Uint8Array(rows);
    let weight = 1;
    for (let plane = 0; plane < width; plane += 1, weight *= 256) {
      if (plane === 0) values.set(bytes.subarray(at, at + rows));
      else for (let i = 0; i < rows; i += 1) values[i] += bytes[at + i] * weight;
      at += rows;
    }
    if (signed) {
      const base = beside === null ? null : found[beside];
      let last = name === "opened" ? 0 : Number(first ?? 0);
      for (let i = 0; i < rows; i += 1) {
        const zigzag = values[i];
        const difference = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
        values[i] = base === null ? (last += difference) : base[i] + difference;
      }
    }
    found[name] = values;
  }
  return found;
}

/** @param {any} header @param {Uint8Array} bytes @returns {Model} */
function modelOf(header, bytes) {
  const rows = header.rows;
  const columns = readColumns(header.columns, rows, bytes);
  // Whole milliseconds, and what is beyond them added to each row.
  const nanos = BigInt(header.base);
  const base = Number(nanos / 1_000_000n);
  const beyond = Number(nanos % 1_000_000n);
  const opened = /** @type {Float64Array} */ (columns.opened).map((since) => since + beyond);
  const others = new Map();
  const shares = new Map();
  const owner = Int32Array.from(columns.owner, (place) => place - 1);
  for (const [row, list] of header.shares) {
    shares.set(row, list.map((/** @type {number[]} */ [process, tx, rx, txCalls, rxCalls]) => ({ process, tx, rx, txCalls, rxCalls })));
    others.set(row, list.map((/** @type {number[]} */ [process]) => process).filter((/** @type {number} */ one) => one !== owner[row]));
  }
  const port = new Uint16Array(rows);
  const { direction, localPort, remotePort } = columns;
  for (let row = 0; row < rows; row += 1) {
    const [local, remote] = [localPort[row], remotePort[row]];
    const lower = local && remote ? Math.min(local, remote) : local || remote;
    port[row] = direction[row] === 0 ? remote : direction[row] === 1 ? local : lower;
  }
  return {
    ...(/** @type {any} */ (columns)),
    rows,
    base,
    opened,
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
    labels: header.labels.map((/** @type {any[]} */ [name, color, text]) => ({ name, color, text })),
    inexactReasons: header.inexact,
    nameSets: header.names.map((/** @type {any[][]} */ set) => set.map(([name, source, process, time]) => ({ name, source, process, time }))),
    hitSets: header.hits.map((/** @type {any[][]} */ set) => set.map(([indicator, list, kind]) => ({ indicator, list, kind }))),
  };
}

/** @param {any} process @returns {Process} */
function processOf(process) {
  return { ...process, container: process.container?.parts ?? [], containerShown: process.container?.shown ?? "" };
}

/** @param {any[]} remote @returns {Endpoint} */
function endpointOf([ip, kind, country, asn, org, city, at]) {
  return { ip, number: address(ip) ?? 0n, public: kind === "public", kind, country, asn, org, city, at };
}
