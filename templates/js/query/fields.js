// @ts-check
// Everything that can be asked about: the twin of `filter/fields.rs`. Text and numbers are looked up once for each entry of
// a dictionary, so that a filter over a million rows only reads tables.

/** @typedef {import("../model.js").Model} Model */
/** @typedef {import("../model.js").Process} Process */
/** @typedef {import("../model.js").Endpoint} Endpoint */
/** @typedef {import("./pattern.js").Fits} Fits */
/** @typedef {import("./pattern.js").Shape} Shape */
/** @typedef {(row: number) => boolean} Predicate */

/**
 * @typedef {object} Field
 * @property {string} name what is written before the colon
 * @property {string} about what it is
 * @property {"text" | "number" | "network" | "since" | "until"} kind
 * @property {Shape} [shape] what a plain word means
 * @property {boolean} [free] whether free text looks here too
 * @property {readonly string[]} [words] the only words that make sense
 * @property {"plain" | "port" | "asn" | "bytes" | "time"} [unit] how a number is written
 * @property {number} [most] the largest plain number
 * @property {Text} [text] where text is
 * @property {(model: Model, holds: (found: number) => boolean) => Predicate} [number] which rows fit a test of a number
 */

/** @typedef {{source: Source, fits: (entry: any, fits: Fits) => boolean}} Text a text of the entries of a dictionary */

export const PROTOS = ["tcp", "udp", "icmp", "icmp6", "mptcp", "sctp", "udplite", "packet", "raw"];
export const DIRECTIONS = ["out", "in", "unknown"];
export const ENDS = [
  "fin", "rst", "timeout", "abort", "refused", "unreachable", "error", "closed", "idle", "recording-ended", "unseen", "open",
];

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

/** @type {readonly Field[]} */
export const FIELDS = [
  {
    name: "proc", about: "process: its name, or the file name of its executable", kind: "text", shape: "part", free: true,
    text: process((p, fits) => fits(p.comm) || fits(baseName(p.exe))),
  },
  { name: "exe", about: "path of the executable", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.exe)) },
  { name: "cmd", about: "command line", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.cmdline)) },
  {
    name: "pid", about: "process number", kind: "number", unit: "plain", most: 0xffffffff,
    number: (model, holds) => PROCESSES.rows(model, model.processes.map((p) => holds(p.pid))),
  },
  {
    name: "user", about: "user: name or number", kind: "text", shape: "whole", free: true,
    text: process((p, fits) => fits(p.user) || fits(String(p.uid))),
  },
  { name: "unit", about: "systemd unit", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.unit)) },
  {
    name: "container", about: "container: name, id, image, runtime, or runtime:name such as docker:web", kind: "text", shape: "part", free: true,
    text: process((p, fits) => p.container.some(fits)),
  },
  { name: "hash", about: "SHA-256 of the executable", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.sha256)) },
  {
    name: "country", about: "country in which the remote address is registered: code or name", kind: "text", shape: "whole",
    text: endpoint((e, fits) => fits(e.country)),
  },
  {
    name: "asn", about: "number of the remote network, such as AS15169", kind: "number", unit: "asn",
    number: (model, holds) => {
      const found = model.endpoints.map((one) => one.asn !== null && holds(one.asn));
      return (row) => found[model.remote[row]];
    },
  },
  { name: "org", about: "organisation that runs the remote network", kind: "text", shape: "part", free: true, text: endpoint((e, fits) => fits(e.org)) },
  {
    name: "city", about: "city of the remote address, as estimated by a geo database", kind: "text", shape: "part", free: true,
    text: endpoint((e, fits) => fits(e.city)),
  },
  {
    name: "host", about: "name of the remote address, or a parent domain", kind: "text", shape: "domain", free: true,
    text: { source: NAMES, fits: (set, fits) => set.some((/** @type {{name: string}} */ one) => fits(one.name)) },
  },
  { name: "ip", about: "remote address", kind: "network" },
  { name: "net", about: "network of the remote address, such as 8.8.8.0/24", kind: "network" },
  {
    name: "port", about: "port of the service: the remote one of outbound connections, the local one of inbound ones",
    kind: "number", unit: "port", most: 0xffff, number: figure((m, row) => m.port[row]),
  },
  {
    name: "service", about: "observed protocol, else the usual name of that port, such as https", kind: "text", shape: "whole", free: true,
    text: itself(SERVICES),
  },
  { name: "proto", about: "protocol", kind: "text", shape: "whole", words: PROTOS, text: itself(PROTO_NAMES) },
  {
    name: "dir", about: "direction: out, in or unknown", kind: "text", shape: "whole", words: DIRECTIONS,
    text: itself(DIRECTION_NAMES),
  },
  {
    name: "end", about: "how it ended, or open", kind: "text", shape: "whole", words: ENDS,
    text: itself(END_NAMES),
  },
  { name: "bytes", about: "application bytes sent and received", kind: "number", unit: "bytes", number: figure((m, row) => m.tx[row] + m.rx[row]) },
  { name: "tx", about: "application bytes sent", kind: "number", unit: "bytes", number: figure((m, row) => m.tx[row]) },
  { name: "rx", about: "application bytes received", kind: "number", unit: "bytes", number: figure((m, row) => m.rx[row]) },
  {
    name: "dur", about: "duration, so far if it is open", kind: "number", unit: "time",
    number: figure((m, row) => m.lasted[row]),
  },
  { name: "since", about: "open at this time or later", kind: "since" },
  { name: "until", about: "opened before this time", kind: "until" },
  {
    name: "label", about: "label of a rule", kind: "text", shape: "part", free: true,
    text: { source: LABELS, fits: (label, fits) => fits(label.name) },
  },
  {
    name: "ioc", about: "a matched indicator, or the list it is on", kind: "text", shape: "part",
    text: { source: HITS, fits: (set, fits) => set.some((/** @type {import("../model.js").Hit} */ hit) => fits(hit.indicator) || fits(hit.list)) },
  },
];

/** Free text looks here too. */
const ADDRESS = endpoint((e, fits) => fits(e.ip));
