// @ts-check
// Halves that are merged say the same as the whole.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ENDS } from "../query/entries.js";
import { FLAGS } from "../columns.js";
import { Merger } from "../live/merge.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {ReturnType<typeof connection>} Connection */

const NOW = Date.parse("2026-06-16T12:00:00Z");
const OPEN = ENDS.indexOf("open");

/** A connection in plain words; the same number gives the same. @param {number} id @param {number} [state] how often it changed */
function connection(id, state = 0) {
  return {
    id, openedMs: NOW + ((id * 7919) % 5000), tx: id * 10 + state * 1e10, rx: id + state, wirePackets: 3 * id + state, end: state > 1 ? 0 : OPEN,
    process: id % 9 === 0 ? null : `tool${id % 13}`, other: id % 5 === 0 ? `helper${id % 3}` : null, ip: `203.0.113.${id % 40}`,
    local: `10.0.0.${id % 3}`, service: ["", "https (443)", "ssh"][id % 3], proto: ["tcp", "udp"][id % 2], label: id % 4 ? "" : `label ${id % 8}`,
    names: id % 3 ? [] : [`host${id % 6}.example`, "second.example"].slice(0, 1 + (id % 2)), hit: id % 11 ? "" : `bad${id % 2}`, inexact: id % 17 ? "" : "lost",
  };
}

/** @param {Connection[]} list in any order @param {string} [unit] of the processes @param {number} [shift] of the base, milliseconds @returns {Model} */
function modelOf(list, unit = "a.service", shift = 0) {
  const rows = list.toSorted((a, b) => a.openedMs - b.openedMs || a.id - b.id);
  const base = (rows[0]?.openedMs ?? NOW) + shift;
  /** @template T @param {T[]} first @param {(entry: T) => string} [key] */
  const dictionary = (first, key = (entry) => JSON.stringify(entry)) => {
    const entries = first.slice();
    const places = new Map(entries.map((entry, place) => [key(entry), place]));
    return { entries, place: (/** @type {T} */ entry) => {
      const word = key(entry);
      if (!places.has(word)) places.set(word, entries.push(entry) - 1);
      return places.get(word) ?? -1;
    } };
  };
  const processes = dictionary(/** @type {any[]} */ ([]));
  const processOf = (/** @type {string | null} */ name) => {
    if (name === null) return -1;
    const parent = processes.place({ pid: 1, started: "boot", comm: "init", exe: "/init", cmdline: "", unit: "init", parent: null });
    return processes.place({ pid: name.length + name.charCodeAt(4), started: name, comm: name, exe: `/${name}`, cmdline: "", unit, parent });
  };
  const [endpoints, locals, protos, services, labels] = [dictionary(/** @type {any[]} */ ([])), dictionary(/** @type {string[]} */ ([])), dictionary(/** @type {string[]} */ ([])), dictionary([""]), dictionary(/** @type {any[]} */ ([{ name: "", color: null, text: true }]))];
  const [names, hits, inexact] = [dictionary(/** @type {any[][]} */ ([[]])), dictionary(/** @type {any[][]} */ ([[]])), dictionary([""])];
  const numbers = (/** @type {(one: Connection) => number} */ of) => Float64Array.from(rows, of);
  const zero = new Float64Array(rows.length);
  const owner = Int32Array.from(rows, (one) => processOf(one.process));
  const shared = rows.flatMap((one, row) => (one.other === null ? [] : [[row, processOf(one.other)]]));
  /** @type {any} */
  const model = {
    rows: rows.length, total: rows.length, base, open: OPEN, order: Uint32Array.from(rows, (_, row) => row), byId: new Map(), home: null,
    window: [NOW, NOW + 60_000], countries: new Map([["DE", { name: "Germany", at: [10, 51] }]]),
    opened: numbers((one) => (one.openedMs - base) * 1e6), lasted: numbers((one) => (one.end === OPEN ? NOW + 60_000 - one.openedMs : 1000) * 1e6),
    id: numbers((one) => one.id), tx: numbers((one) => one.tx), rx: numbers((one) => one.rx), wireTxPackets: Uint16Array.from(rows, (one) => one.wirePackets), owner,
    shares: new Map(shared.map(([row, process]) => [row, [{ process, tx: 1, rx: 2, txCalls: 3, rxCalls: 4 }]])), others: new Map(shared.map(([row, process]) => [row, [process]])),
    // Every fourth row moved its bytes in two steps.
    step: 10_000, steps: new Map(rows.flatMap((one, row) => (one.id % 4 ? [] : [[row, Float64Array.of(NOW, one.tx, 0, 0, NOW + 20_000, 0, one.rx, 0)]]))),
    asked: Uint32Array.from(rows, (one) => (one.names.length > 1 ? locals.place(`10.0.0.${one.id}`) : 0)), askedPort: numbers((one) => one.names.length),
    moreNamed: new Map(rows.flatMap((one, row) => (one.names.length > 1 ? [[row, [one.id]]] : []))),
    txCalls: zero, rxCalls: zero, kernelTx: zero, kernelRx: zero, wireTx: zero, wireRx: zero, wireRxPackets: zero, retransmits: zero, retransmitted: zero, rtt: zero,
    named: numbers((one) => -one.id), run: new Uint8Array(rows.length), flags: Uint8Array.from(rows, (one) => (one.names.length > 1 ? FLAGS.asked : 0)), localPort: new Uint16Array(rows.length),
    remotePort: Uint16Array.from(rows, (one) => one.id), port: Uint16Array.from(rows, (one) => one.id), direction: new Uint8Array(rows.length), end: Uint8Array.from(rows, (one) => one.end),
    local: Uint32Array.from(rows, (one) => locals.place(one.local)),
    remote: Uint32Array.from(rows, (one) => endpoints.place({ ip: one.ip, number: 1n, public: true, kind: "public", country: "DE", asn: null, org: null, city: null, at: null }.ip)),
    proto: Uint8Array.from(rows, (one) => protos.place(one.proto)), service: Uint8Array.from(rows, (one) => services.place(one.service)),
    label: Uint16Array.from(rows, (one) => labels.place({ name: one.label, color: null, text: true })),
    names: Uint32Array.from(rows, (one) => names.place(one.names.map((name) => ({ name, source: "dns", process: one.process === null ? null : processOf(one.process) })))),
    hits: Uint16Array.from(rows, (one) => hits.place(one.hit ? [{ indicator: one.hit, list: "list", kind: "ip" }] : [])),
    inexact: Uint8Array.from(rows, (one) => inexact.place(one.inexact)),
    processes: processes.entries, locals: locals.entries, protos: protos.entries, serviceNames: services.entries, services: services.entries.map((name) => name.split(" (")[0]),
    endpoints: endpoints.entries.map((ip) => ({ ip, number: 1n, public: true, kind: "public", country: "DE", asn: null, org: null, city: null, at: null })),
    labels: labels.entries, nameSets: names.entries, hitSets: hits.entries, inexactReasons: inexact.entries,
  };
  return model;
}

/** What the rows say, in order. @param {Model} m */
function said(m) {
  const process = (/** @type {number} */ place) => (place < 0 ? null : { ...m.processes[place], parent: m.processes[place].parent === null ? null : m.processes[Number(m.processes[place].parent)].comm });
  return Array.from(m.order, (row) => ({
    id: m.id[row], opened: m.base + m.opened[row] / 1e6, lasted: m.lasted[row], tx: m.tx[row], rx: m.rx[row], packets: m.wireTxPackets[row], end: m.end[row], port: m.port[row],
    owner: process(m.owner[row]), others: m.others.get(row)?.map(process), shares: m.shares.get(row)?.map((share) => ({ ...share, process: process(share.process) })),
    ip: m.endpoints[m.remote[row]].ip, local: m.locals[m.local[row]], proto: m.protos[m.proto[row]], service: m.services[m.service[row]], serviceName: m.serviceNames[m.service[row]],
    label: m.labels[m.label[row]].name, names: m.nameSets[m.names[row]].map((name) => ({ ...name, process: name.process === null ? null : process(name.process) })),
    asked: m.flags[row] & FLAGS.asked ? m.locals[m.asked[row]] : null, askedPort: m.askedPort[row], moreNamed: m.moreNamed.get(row), named: m.named[row], hits: m.hitSets[m.hits[row]], inexact: m.inexactReasons[m.inexact[row]],
  }));
}

const some = (/** @type {number} */ from, /** @type {number} */ to, state = 0) => Array.from({ length: to - from }, (_, nth) => connection(from + nth, state));

test("rows that come in pieces make the whole", () => {
  const merger = new Merger(modelOf(some(1, 300)));
  for (let from = 300; from < 9000; from += 435) merger.merge(modelOf(some(from, from + 435), "a.service", -17));
  const whole = modelOf(some(1, 9000));
  assert.deepEqual(said(merger.model), said(whole));
  assert.equal(merger.model.processes.length, whole.processes.length);
  assert.equal(merger.model.nameSets.length, whole.nameSets.length);
});

test("an empty page fills", () => {
  const merger = new Merger(modelOf([]));
  assert.equal(merger.merge(modelOf(some(1, 50))).length, 49);
  assert.deepEqual(said(merger.model), said(modelOf(some(1, 50))));
});

test("rows that changed are replaced, and their processes know more", () => {
  const merger = new Merger(modelOf(some(1, 1000)));
  const fresh = merger.merge(modelOf(some(100, 200, 2), "b.service"));
  assert.equal(fresh.length, 0);
  const found = said(merger.model);
  assert.deepEqual(found.filter(({ id }) => id >= 100 && id < 200), said(modelOf(some(100, 200, 2), "b.service")));
  assert.equal(found.length, 999);
  assert.ok(found.every(({ owner }) => owner === null || owner.unit === "b.service"), "a process is known once");
  assert.equal(merger.model.processes.length, modelOf(some(1, 1000)).processes.length);
});

test("what is gone leaves its place to others", () => {
  const merger = new Merger(modelOf(some(1, 100)));
  const { rows } = merger.model;
  merger.merge(modelOf(some(100, 110)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 4711]);
  assert.deepEqual(said(merger.model), said(modelOf(some(11, 110))));
  assert.equal(merger.model.rows, rows);
  assert.equal(merger.model.byId.get(5), undefined);
});

test("a page that is open for days knows only what it shows", () => {
  const own = (/** @type {number} */ from) => some(from, from + 500).map((one) => {
    const { id } = one;
    return { ...one, names: [`own${id}.example`], process: `tool${id}`, other: id % 5 ? null : `helper${id}`, ip: `203.0.${id >> 8}.${id & 255}`, label: `label ${id}`, local: `10.0.${id >> 8}.${id & 255}` };
  });
  const merger = new Merger(modelOf(own(1)));
  for (let from = 501; from < 10_000; from += 500) {
    merger.merge(modelOf(own(from)), some(from - 500, from).map(({ id }) => id));
    assert.deepEqual(said(merger.model), said(modelOf(own(from))));
    const entries = [merger.model.processes, merger.model.endpoints, merger.model.nameSets, merger.model.labels, merger.model.locals].reduce((sum, one) => sum + one.length, 0);
    assert.ok(entries < 15_000, `${entries} entries for 500 rows`);
  }
});

test("what is open lasts until now", () => {
  const merger = new Merger(modelOf(some(1, 10)));
  const later = modelOf([connection(10, 2)]);
  later.window = [NOW, NOW + 90_000];
  merger.merge(later);
  for (const { opened, lasted, end } of said(merger.model)) assert.equal(lasted, end === OPEN ? (NOW + 90_000 - opened) * 1e6 : 1e9);
});

test("a large page takes many changes quickly", (context) => {
  const merger = new Merger(modelOf(some(1, 100_000)));
  const deltas = Array.from({ length: 20 }, (_, nth) => modelOf([...some(nth * 3000 + 1, nth * 3000 + 1001, 1), ...some(100_000 + nth * 500, 100_500 + nth * 500)]));
  const times = deltas.map((delta) => {
    const before = performance.now();
    merger.merge(delta);
    return performance.now() - before;
  });
  times.sort((a, b) => a - b);
  context.diagnostic(`1500 rows into 100 000: ${times[10].toFixed(1)} ms, ${times[19].toFixed(1)} ms at most`);
  assert.equal(merger.model.order.length, 109_999);
});
