// @ts-check
// A model of the rows of `filter/golden/cases.json`.

import { FLAGS } from "../columns.js";
import { DIRECTIONS, ENDS } from "../query/entries.js";
import { address } from "../query/networks.js";

/** @typedef {import("../model.js").Model} Model */

/** Indices of what was seen before. */
class Dictionary {
  constructor() {
    /** @type {any[]} */
    this.entries = [];
    /** @type {Map<string, number>} */
    this.places = new Map();
  }

  /** @param {any} entry @param {string} [key] */
  place(entry, key = JSON.stringify(entry)) {
    let place = this.places.get(key);
    if (place === undefined) {
      place = this.entries.push(entry) - 1;
      this.places.set(key, place);
    }
    return place;
  }
}

/**
 * @param {any[]} rows
 * @param {number} base
 * @returns {Model}
 */
export function modelOf(rows, base) {
  const [processes, endpoints, protos, services, nameSets, labels, hitSets] = Array.from({ length: 7 }, () => new Dictionary());
  const users = rows.map((row) =>
    (row.processes ?? []).map((/** @type {any} */ p) => {
      const process = { pid: 0, comm: "", exe: "", cmdline: "", uid: 0, user: null, unit: null, container: [], sha256: null, ...p };
      return processes.place(process);
    }));
  const since = (/** @type {string} */ ns) => Number(BigInt(ns) - BigInt(base) * 1_000_000n);
  /** @type {any} */
  const model = {
    rows: rows.length,
    order: Uint32Array.from(rows, (_, row) => row),
    byId: new Map(),
    base,
    open: ENDS.indexOf("open"),
    step: 10_000,
    steps: new Map(),
    shares: new Map(rows.flatMap((row, at) => (row.shares ? [[at, row.shares.map((/** @type {any} */ { process, ...share }) => ({ ...share, process: users[at][process], txCalls: 0, rxCalls: 0 }))]] : []))),
    flags: Uint8Array.from(rows, (row) => ((row.failed ? FLAGS.failed : 0) | (row.facts?.asked ? FLAGS.asked : 0) | (row.subflow ? FLAGS.subflow : 0))),
    opened: Float64Array.from(rows, (row) => since(row.opened)),
    lasted: Float64Array.from(rows, (row) => since(row.watched) - since(row.opened)),
    tx: Float64Array.from(rows, (row) => row.tx ?? 0),
    rx: Float64Array.from(rows, (row) => row.rx ?? 0),
    owner: Int32Array.from(users, (list, at) => (rows[at].unowned ? -1 : (list[0] ?? -1))),
    others: new Map(users.flatMap((list, row) => (list.length > 1 ? [[row, list.slice(1)]] : []))),
    local: new Uint32Array(rows.length),
    locals: rows.map((row) => row.facts?.asked?.ip ?? ""),
    asked: Uint32Array.from(rows, (_, row) => row),
    askedPort: Uint16Array.from(rows, (row) => row.facts?.asked?.port ?? 0),
    remote: Uint32Array.from(rows, (row) =>
      endpoints.place(
        {
          ip: row.remote, number: address(row.remote) ?? 0n, public: row.public, kind: row.kind ?? "", country: row.country ?? null,
          asn: row.asn ?? null, org: row.org ?? null, city: row.city ?? null, at: null,
        },
        row.remote,
      )),
    localPort: new Uint16Array(rows.length),
    remotePort: new Uint16Array(rows.length),
    port: Uint16Array.from(rows, (row) => row.port),
    proto: Uint8Array.from(rows, (row) => protos.place(row.proto)),
    direction: Uint8Array.from(rows, (row) => DIRECTIONS.indexOf(row.direction)),
    end: Uint8Array.from(rows, (row) => ENDS.indexOf(row.end ?? "open")),
    service: Uint16Array.from(rows, (row) => services.place(row.service ?? "")),
    names: Uint32Array.from(rows, (row) =>
      nameSets.place((row.hosts ?? []).map((/** @type {string} */ name) => ({ name, source: "dns", process: null })))),
    label: Uint16Array.from(rows, (row) => labels.place({ name: row.label ?? "", color: "", text: true })),
    hits: Uint16Array.from(rows, (row) =>
      hitSets.place((row.ioc ?? []).map((/** @type {string} */ text) => ({ indicator: text, list: "", kind: "" })))),
    processes: processes.entries,
    endpoints: endpoints.entries,
    protos: protos.entries,
    services: services.entries,
    nameSets: nameSets.entries,
    labels: labels.entries,
    hitSets: hitSets.entries,
  };
  return model;
}
