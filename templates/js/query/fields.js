// @ts-check
// Where the data of each field is: the twin of `filter/fields.rs`, whose table is in `entries.js`. Text and numbers are looked up
// once for each entry of a dictionary, so that a filter over a million rows only reads tables.

import { FLAGS } from "../columns.js";
import { DIRECTIONS, ENDS, ENTRIES } from "./entries.js";
import { address } from "./networks.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {import("../model.js").Process} Process */
/** @typedef {import("../model.js").Endpoint} Endpoint */
/** @typedef {import("./pattern.js").Fits} Fits */
/** @typedef {import("./pattern.js").Shape} Shape */
/** @typedef {(row: number) => boolean} Predicate */

/**
 * @typedef {object} Entry
 * @property {string} name what is written before the colon
 * @property {string} about what it is
 * @property {string} kind text, number, network, since or until
 * @property {string} [shape] what a plain word means
 * @property {boolean} [free] whether free text looks here too
 * @property {readonly string[]} [words] the only words that make sense
 * @property {string} [unit] how a number is written: plain, port, asn, bytes or time
 * @property {number} [most] the largest number
 * @property {string} [column] of a fact: its column
 * @property {string} [group] of a fact: the flag of the rows that have it
 */

/**
 * @typedef {object} Access where the data of a field is
 * @property {Text} [text] where text is
 * @property {(model: Model, holds: (found: number) => boolean) => Predicate} [number] which rows fit a test of a number
 * @property {(model: Model, inside: (address: bigint) => boolean) => Predicate} [network] which rows fit a test of addresses
 */

/** @typedef {Entry & Access} Field */

/** @typedef {{source: Source, fits: (entry: any, fits: Fits) => boolean}} Text a text of the entries of a dictionary */

/**
 * Where text is: in the entries of a dictionary, to which each row has a code.
 * @typedef {object} Source
 * @property {(model: Model) => readonly any[]} entries
 * @property {(model: Model, found: readonly boolean[]) => Predicate} rows the rows of the entries found
 */

/** @param {(model: Model) => readonly any[]} entries @param {(model: Model) => ArrayLike<number>} column @returns {Source} */
const coded = (entries, column) => ({
  entries,
  rows: (model, found) => {
    const codes = column(model);
    return (row) => found[codes[row]];
  },
});

/** One process that fits is enough. @type {Source} */
const PROCESSES = {
  entries: (model) => model.processes,
  rows: ({ owner, others }, found) => (row) => found[owner[row]] || (others.size > 0 && (others.get(row)?.some((one) => found[one]) ?? false)),
};
const ENDPOINTS = coded((m) => m.endpoints, (m) => m.remote);
const NAMES = coded((m) => m.nameSets, (m) => m.names);
const SERVICES = coded((m) => m.services, (m) => m.service);
const LABELS = coded((m) => m.labels, (m) => m.label);
const HITS = coded((m) => m.hitSets, (m) => m.hits);
const PROTO_NAMES = coded((m) => m.protos, (m) => m.proto);
const DIRECTION_NAMES = coded(() => DIRECTIONS, (m) => m.direction);
const END_NAMES = coded(() => ENDS, (m) => m.end);

/** The rows that fit. @param {Text} text @param {Model} model @param {Fits} fits @returns {Predicate} */
export const rowsOf = ({ source, fits: of }, model, fits) => source.rows(model, source.entries(model).map((entry) => of(entry, fits)));

/** The rows in which any text fits that people would look for. @param {Model} model @param {Fits} fits @returns {Predicate} */
export function freely(model, fits) {
  /** @type {Map<Source, Text[]>} */
  const sources = new Map();
  for (const text of [...FIELDS.flatMap((one) => (one.free && one.text ? [one.text] : [])), ADDRESS]) {
    sources.set(text.source, [...(sources.get(text.source) ?? []), text]);
  }
  /** @type {Predicate[]} */
  const places = [];
  for (const [source, texts] of sources) {
    const found = source.entries(model).map((entry) => texts.some((text) => text.fits(entry, fits)));
    if (found.includes(true)) places.push(source.rows(model, found));
  }
  return (row) => {
    for (let place = 0; place < places.length; place += 1) if (places[place](row)) return true;
    return false;
  };
}

/** @param {(process: Process, fits: Fits) => boolean} fits @returns {Text} */
const process = (fits) => ({ source: PROCESSES, fits });
/** @param {(endpoint: Endpoint, fits: Fits) => boolean} fits @returns {Text} */
const endpoint = (fits) => ({ source: ENDPOINTS, fits });
/** A text that is the entry itself. @param {Source} source @returns {Text} */
const itself = (source) => ({ source, fits: (entry, fits) => fits(entry) });

/** @param {(model: Model, row: number) => number} of */
const figure = (of) => (/** @type {Model} */ model, /** @type {(found: number) => boolean} */ holds) =>
  (/** @type {number} */ row) => holds(of(model, row));

/** @param {string} path */
export const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

/** The rows whose remote address is inside. @param {Model} model @param {(address: bigint) => boolean} inside @returns {Predicate} */
const remotely = (model, inside) => {
  const found = model.endpoints.map((one) => inside(one.number));
  return (row) => found[model.remote[row]];
};

/** @type {Readonly<Record<string, Access>>} */
const ACCESS = {
  proc: { text: process((p, fits) => fits(p.comm) || fits(baseName(p.exe))) },
  exe: { text: process((p, fits) => fits(p.exe)) },
  cmd: { text: process((p, fits) => fits(p.cmdline)) },
  pid: { number: (model, holds) => PROCESSES.rows(model, model.processes.map((p) => holds(p.pid))) },
  user: { text: process((p, fits) => fits(p.user) || fits(String(p.uid))) },
  unit: { text: process((p, fits) => fits(p.unit)) },
  container: { text: process((p, fits) => p.container.some(fits)) },
  hash: { text: process((p, fits) => fits(p.sha256)) },
  country: { text: endpoint((e, fits) => fits(e.country)) },
  asn: {
    number: (model, holds) => {
      const found = model.endpoints.map((one) => one.asn !== null && holds(one.asn));
      return (row) => found[model.remote[row]];
    },
  },
  org: { text: endpoint((e, fits) => fits(e.org)) },
  city: { text: endpoint((e, fits) => fits(e.city)) },
  host: { text: { source: NAMES, fits: (set, fits) => set.some((/** @type {{name: string}} */ one) => fits(one.name)) } },
  ip: { network: remotely },
  net: { network: remotely },
  port: { number: figure((m, row) => m.port[row]) },
  service: { text: itself(SERVICES) },
  proto: { text: itself(PROTO_NAMES) },
  dir: { text: itself(DIRECTION_NAMES) },
  end: { text: itself(END_NAMES) },
  bytes: { number: figure((m, row) => m.tx[row] + m.rx[row]) },
  tx: { number: figure((m, row) => m.tx[row]) },
  rx: { number: figure((m, row) => m.rx[row]) },
  dur: { number: figure((m, row) => m.lasted[row]) },
  since: {},
  until: {},
  label: { text: { source: LABELS, fits: (label, fits) => fits(label.name) } },
  ioc: {
    text: { source: HITS, fits: (set, fits) => set.some((/** @type {import("../model.js").Hit} */ hit) => fits(hit.indicator) || fits(hit.list)) },
  },
};

/** The data of a field that follows from a fact. @param {Entry} entry @returns {Access} */
function ofFact({ column, group }) {
  const bit = FLAGS[/** @type {keyof typeof FLAGS} */ (group)];
  const values = (/** @type {Model} */ model) => /** @type {ArrayLike<number>} */ (/** @type {any} */ (model)[column ?? ""]);
  return {
    number: (model, holds) => {
      const found = values(model);
      return (row) => (model.flags[row] & bit) !== 0 && holds(found[row]);
    },
    network: (model, inside) => {
      const [found, places] = [model.locals.map((one) => inside(address(one) ?? 0n)), values(model)];
      return (row) => (model.flags[row] & bit) !== 0 && found[places[row]];
    },
  };
}

/** @type {readonly Field[]} */
export const FIELDS = ENTRIES.map((entry) => ({ ...entry, ...(entry.column === undefined ? ACCESS[entry.name] : ofFact(entry)) }));

/** Free text looks here too. */
const ADDRESS = endpoint((e, fits) => fits(e.ip));
