// @ts-check
// Puts changed connections into a model that is on show: rows in place, dictionaries by what their entries are.

import { FACT_ADDRESSES, FACT_FIGURES } from "../columns.js";
import { lengthened } from "../steps.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {import("../model.js").Process} Process */
/** @typedef {import("../model.js").Share} Share */
/** @typedef {Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array} Numbers */

/** Columns whose values mean the same in every model. A page's own may be narrower: they are as wide as its rows need. */
const PLAIN = /** @type {const} */ ({
  id: Float64Array, lasted: Float64Array, tx: Float64Array, rx: Float64Array, txCalls: Float64Array, rxCalls: Float64Array, named: Float64Array,
  run: Uint32Array, flags: Uint8Array, localPort: Uint16Array, remotePort: Uint16Array, port: Uint16Array, direction: Uint8Array, end: Uint8Array,
});
/** Columns that are places in dictionaries, and in which. Only an owner may be none. */
const CODED = /** @type {const} */ ({
  owner: "processes", local: "locals", remote: "endpoints", names: "nameSets", proto: "protos", service: "serviceNames", label: "labels", hits: "hitSets",
  inexact: "inexactReasons", ...Object.fromEntries(FACT_ADDRESSES.map((name) => [name, "locals"])),
});
/** @typedef {{owner: "processes", local: "locals", remote: "endpoints", names: "nameSets", proto: "protos", service: "serviceNames", label: "labels", hits: "hitSets", inexact: "inexactReasons"}} Dictionaries */
/** @typedef {keyof Dictionaries} Coded */
/** @param {readonly string[]} names @param {Float64ArrayConstructor | Uint32ArrayConstructor} Width */
const allOf = (names, Width) => Object.fromEntries(names.map((name) => [name, Width]));
const FACT_NAMES = Object.keys(FACT_FIGURES);
const WIDTHS = { opened: Float64Array, ...PLAIN, ...allOf(Object.keys(CODED), Uint32Array), owner: Int32Array, ...allOf(FACT_NAMES, Float64Array) };
/** Room for so many rows more, at least, and for so many entries that no row has. */
const SPARE = 4096;

/** Entries that came before, by what they are. @template T */
class Known {
  /** @param {readonly T[]} entries @param {(entry: T) => string} key */
  constructor(entries, key) {
    this.entries = [...entries];
    this.key = key;
    /** @type {Map<string, number>} */
    this.places = new Map();
    entries.forEach((entry, place) => this.places.set(key(entry), place));
  }

  /** The place of an entry; what is known of it anew replaces what was. @param {T} entry */
  place(entry) {
    const key = this.key(entry);
    const place = this.places.get(key) ?? this.entries.length;
    this.places.set(key, place);
    this.entries[place] = entry;
    return place;
  }

  /** Only the entries that are used stay; where each is now. @param {Uint8Array} used */
  keep(used) {
    const places = new Uint32Array(this.entries.length);
    let count = 0;
    for (let place = 0; place < places.length; place += 1) if (used[place]) places[place] = count++;
    this.entries = this.entries.filter((_, place) => used[place]);
    this.places = new Map(this.entries.map((entry, place) => [this.key(entry), place]));
    return places;
  }
}

const sameWord = (/** @type {string} */ word) => word;
/** One program that a process was: what is learnt later (its hash, its unit) changes no part of this. @param {Process} p */
const programKey = (p) => [p.pid, p.started, p.comm, p.exe, p.cmdline].join("\u0000");
const setKey = (/** @type {object[]} */ set) => JSON.stringify(set.map((one) => Object.values(one)));

export class Merger {
  /** @param {Model} model to which changes are added */
  constructor(model) {
    this.model = { ...model };
    this.known = {
      processes: new Known(model.processes, programKey),
      endpoints: new Known(model.endpoints, (/** @type {import("../model.js").Endpoint} */ one) => one.ip),
      locals: new Known(model.locals, sameWord),
      protos: new Known(model.protos, sameWord),
      serviceNames: new Known(model.serviceNames, sameWord),
      labels: new Known(model.labels, (/** @type {import("../model.js").Label} */ label) => label.name),
      inexactReasons: new Known(model.inexactReasons, sameWord),
      nameSets: new Known(model.nameSets, setKey),
      hitSets: new Known(model.hitSets, setKey),
    };
    /** @type {Map<number, number>} */
    this.byId = new Map();
    for (const row of model.order) this.byId.set(model.id[row], row);
    this.order = model.order.slice();
    this.count = model.order.length;
    this.room = 0;
    /** When there are so many entries in all dictionaries, those that no row has any more are looked for. */
    this.limit = 2 * this.entries() + SPARE;
    /** Places of rows that are gone. @type {number[]} */
    this.free = [];
    /** @type {Record<string, Numbers>} */
    this.columns = {};
    this.makeRoom(model.rows);
    this.show(model.rows);
  }

  /** Makes columns that hold so many rows, and some more. @param {number} rows */
  makeRoom(rows) {
    if (rows <= this.room) return;
    this.room = rows + Math.max(SPARE, rows >> 2);
    for (const [name, Width] of Object.entries(WIDTHS)) {
      const next = new Width(this.room);
      next.set(/** @type {any} */ (this.model)[name]);
      this.columns[name] = next;
    }
    const order = new Uint32Array(this.room);
    order.set(this.order.subarray(0, this.count));
    this.order = order;
  }

  /** Lets the model have so many rows. @param {number} rows */
  show(rows) {
    const { model, known } = this;
    /** @type {any} */
    const changes = { rows, order: this.order.subarray(0, this.count), byId: this.byId };
    for (const [name, column] of Object.entries(this.columns)) changes[name] = column.subarray(0, rows);
    for (const [name, { entries }] of Object.entries(known)) changes[name] = entries;
    changes.services = known.serviceNames.entries.map((name) => name.split(" (")[0]);
    Object.assign(model, changes);
  }

  /**
   * Rows of `delta` replace those with the same id, or are new; the connections of `gone` are no more. Says which rows are new.
   * @param {Model} delta
   * @param {readonly number[]} [gone]
   */
  merge(delta, gone = []) {
    const { model } = this;
    const codes = this.codes(delta);
    for (const [code, country] of delta.countries) model.countries.set(code, country);
    this.remove(gone);
    const shift = (delta.base - model.base) * 1e6;
    /** @type {number[]} */
    const fresh = [];
    /** The place here of each row of the change. */
    const rows = new Uint32Array(delta.rows);
    let end = model.rows;
    for (const from of delta.order) {
      const id = delta.id[from];
      let row = this.byId.get(id);
      if (row === undefined) {
        row = this.free.pop() ?? end++;
        this.byId.set(id, row);
        fresh.push(row);
      }
      rows[from] = row;
    }
    this.makeRoom(end);
    this.copy(delta, rows, codes, shift);
    this.count += this.insert(fresh);
    if (this.entries() > this.limit) this.forget();
    model.window = [Math.min(model.window[0], delta.window[0]), Math.max(model.window[1], delta.window[1])];
    model.total = Math.max(delta.total, this.count);
    this.show(end);
    this.lastOpen();
    return fresh;
  }

  /** How many entries all dictionaries have. */
  entries() {
    return Object.values(this.known).reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /** Entries that no row has any more leave: a page may be open for days. */
  forget() {
    const { known, columns, model } = this;
    const rows = this.order.subarray(0, this.count);
    // The first entry of some stands for none.
    const used = Object.fromEntries(Object.entries(known).map(([name, { entries }]) => [name, new Uint8Array(entries.length).fill(1, 0, 1)]));
    const coded = Object.entries(CODED);
    for (const [name, dictionary] of coded) for (const row of rows) used[dictionary][columns[name][row]] = 1;
    const useAll = (/** @type {Iterable<number | null>} */ processes) => {
      for (const process of processes) if (process !== null) used.processes[process] = 1;
    };
    for (const others of model.others.values()) useAll(others);
    for (const shares of model.shares.values()) useAll(shares.map((share) => share.process));
    known.nameSets.entries.forEach((set, place) => used.nameSets[place] && useAll(set.map((name) => name.process)));
    known.processes.entries.forEach((process, place) => {
      for (let at = used.processes[place] ? process.parent : null; at !== null && !used.processes[at]; at = known.processes.entries[at].parent) used.processes[at] = 1;
    });
    const processes = known.processes.keep(used.processes);
    const moved = (/** @type {number | null} */ process) => (process === null ? null : processes[process]);
    known.processes.entries = known.processes.entries.map((process) => ({ ...process, parent: moved(process.parent) }));
    // Sets are known by the places of their processes.
    known.nameSets.entries = known.nameSets.entries.map((set, place) => (used.nameSets[place] ? set.map((name) => ({ ...name, process: moved(name.process) })) : set));
    const places = /** @type {Record<string, Uint32Array>} */ (Object.fromEntries(
      Object.entries(known).map(([name, one]) => [name, name === "processes" ? processes : one.keep(used[name])])));
    for (const [name, dictionary] of coded) {
      const column = columns[name];
      for (const row of rows) if (column[row] >= 0) column[row] = places[dictionary][column[row]];
      // A row without a connection has none of the entries.
      for (const row of this.free) column[row] = 0;
    }
    for (const [row, others] of model.others) model.others.set(row, others.map((process) => processes[process]));
    for (const [row, shares] of model.shares) model.shares.set(row, shares.map((share) => ({ ...share, process: processes[share.process] })));
    this.limit = 2 * this.entries() + SPARE;
  }

  /** Where entries of a change are here. @param {Model} delta @returns {Record<Coded, ArrayLike<number>>} */
  codes(delta) {
    const { known } = this;
    /** @type {number[]} */
    const processes = [];
    // A parent stands before its children.
    for (const process of delta.processes) {
      const parent = process.parent === null || process.parent === undefined ? null : (processes[process.parent] ?? null);
      processes.push(known.processes.place({ ...process, parent }));
    }
    const nameSets = delta.nameSets.map((set) =>
      known.nameSets.place(set.map(({ name, source, process }) => ({ name, source, process: process === null ? null : processes[process] }))));
    return {
      owner: processes, local: delta.locals.map((one) => known.locals.place(one)), remote: delta.endpoints.map((one) => known.endpoints.place(one)), names: nameSets,
      proto: delta.protos.map((one) => known.protos.place(one)), service: delta.serviceNames.map((one) => known.serviceNames.place(one)),
      label: delta.labels.map((one) => known.labels.place(one)), hits: delta.hitSets.map((one) => known.hitSets.place(one)),
      inexact: delta.inexactReasons.map((one) => known.inexactReasons.place(one)),
    };
  }

  /** @param {Model} delta @param {Uint32Array} rows @param {Record<Coded, ArrayLike<number>>} codes @param {number} shift nanoseconds from its base to this one's */
  copy(delta, rows, codes, shift) {
    const { columns, model } = this;
    /** @type {any} */
    const told = delta;
    for (const name of [...Object.keys(PLAIN), ...FACT_NAMES]) {
      const [from, to] = [told[name], columns[name]];
      for (const row of delta.order) to[rows[row]] = from[row];
    }
    const coded = /** @type {[string, ArrayLike<number>][]} */ ([...Object.entries(codes), ...FACT_ADDRESSES.map((name) => [name, codes.local])]);
    for (const [name, code] of coded) {
      const [from, to] = [told[name], columns[name]];
      for (const row of delta.order) to[rows[row]] = from[row] < 0 ? -1 : code[from[row]];
    }
    // The longer steps are those of both.
    if (delta.step > model.step) {
      model.step = delta.step;
      for (const [row, steps] of model.steps) model.steps.set(row, lengthened(steps, delta.step));
    }
    for (const row of delta.order) {
      const to = rows[row];
      columns.opened[to] = delta.opened[row] + shift;
      this.set(model.moreNamed, to, delta.moreNamed.get(row));
      const steps = delta.steps.get(row);
      this.set(model.steps, to, steps && lengthened(steps, model.step));
      this.set(model.shares, to, delta.shares.get(row)?.map((share) => ({ ...share, process: codes.owner[share.process] })));
      this.set(model.others, to, delta.others.get(row)?.map((one) => codes.owner[one]));
    }
  }

  /** @template T @param {Map<number, T>} map @param {number} row @param {T | undefined} value */
  set(map, row, value) {
    if (value !== undefined) map.set(row, value);
    else if (map.size > 0) map.delete(row);
  }

  /** Puts rows where they belong by the time at which they were opened: mostly at the end. @param {number[]} fresh */
  insert(fresh) {
    const { order, columns } = this;
    const { opened, id } = columns;
    const later = (/** @type {number} */ a, /** @type {number} */ b) => opened[a] > opened[b] || (opened[a] === opened[b] && id[a] > id[b]);
    const added = fresh.toSorted((a, b) => (later(a, b) ? 1 : -1));
    // From the end: each new row moves what is later out of its way.
    let at = this.count - 1;
    for (let left = added.length; left > 0; ) {
      const to = at + left;
      if (at >= 0 && later(order[at], added[left - 1])) order[to] = order[at--];
      else order[to] = added[--left];
    }
    return added.length;
  }

  /** @param {readonly number[]} gone */
  remove(gone) {
    const rows = new Set();
    for (const id of gone) {
      const row = this.byId.get(id);
      if (row === undefined) continue;
      rows.add(row);
      this.byId.delete(id);
      this.free.push(row);
      for (const map of [this.model.shares, this.model.others, this.model.moreNamed, this.model.steps]) map.delete(row);
    }
    if (rows.size === 0) return;
    const kept = this.order.subarray(0, this.count).filter((row) => !rows.has(row));
    this.order.set(kept);
    this.count = kept.length;
  }

  /** What is open lasts until now. */
  lastOpen() {
    const { opened, lasted, end, open, order, base, window } = this.model;
    const now = (window[1] - base) * 1e6;
    for (let i = 0; i < order.length; i += 1) {
      const row = order[i];
      if (end[row] === open && opened[row] + lasted[row] < now) lasted[row] = now - opened[row];
    }
  }
}
