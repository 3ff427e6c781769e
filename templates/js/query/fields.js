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
 * @property {"plain" | "asn" | "bytes" | "time"} [unit] how a number is written
 * @property {number} [most] the largest plain number
 * @property {(model: Model, fits: Fits) => Predicate} [text] which rows fit a test of text
 * @property {(model: Model, holds: (found: number) => boolean) => Predicate} [number] which rows fit a test of a number
 */

export const PROTOS = ["tcp", "udp", "icmp", "icmp6", "mptcp", "sctp", "udplite", "packet", "raw"];
export const DIRECTIONS = ["out", "in", "unknown"];
export const ENDS = [
  "fin", "rst", "timeout", "abort", "refused", "unreachable", "error", "closed", "recording-ended", "unseen", "open",
];

/** One process that fits is enough. @param {(process: Process, fits: Fits) => boolean} of */
const process = (of) => (/** @type {Model} */ model, /** @type {Fits} */ fits) => users(model, model.processes.map((p) => of(p, fits)));

/** @param {Model} model @param {boolean[]} found @returns {Predicate} */
function users(model, found) {
  const { owner, others } = model;
  return (row) => found[owner[row]] || (others.get(row)?.some((one) => found[one]) ?? false);
}

/** @param {(endpoint: Endpoint, fits: Fits) => boolean} of */
const endpoint = (of) => (/** @type {Model} */ model, /** @type {Fits} */ fits) => {
  const found = model.endpoints.map((one) => of(one, fits));
  return (/** @type {number} */ row) => found[model.remote[row]];
};

/**
 * A column of indices into a dictionary.
 * @template T
 * @param {(model: Model) => ArrayLike<number>} column
 * @param {(model: Model) => readonly T[]} dictionary
 * @param {(entry: T, fits: Fits) => boolean} of
 */
const coded = (column, dictionary, of) => (/** @type {Model} */ model, /** @type {Fits} */ fits) => {
  const [codes, found] = [column(model), dictionary(model).map((entry) => of(entry, fits))];
  return (/** @type {number} */ row) => found[codes[row]];
};

/** @param {(model: Model, row: number) => number} of */
const figure = (of) => (/** @type {Model} */ model, /** @type {(found: number) => boolean} */ holds) =>
  (/** @type {number} */ row) => holds(of(model, row));

/** @param {string} path */
export const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

/** @type {readonly Field[]} */
export const FIELDS = [
  {
    name: "proc", about: "process: its name, or the file name of its executable", kind: "text", shape: "whole", free: true,
    text: process((p, fits) => fits(p.comm) || fits(baseName(p.exe))),
  },
  { name: "exe", about: "path of the executable", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.exe)) },
  { name: "cmd", about: "command line", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.cmdline)) },
  {
    name: "pid", about: "process number", kind: "number", unit: "plain", most: 0xffffffff,
    number: (model, holds) => users(model, model.processes.map((p) => holds(p.pid))),
  },
  {
    name: "user", about: "user: name or number", kind: "text", shape: "whole", free: true,
    text: process((p, fits) => fits(p.user) || fits(String(p.uid))),
  },
  { name: "unit", about: "systemd unit", kind: "text", shape: "part", free: true, text: process((p, fits) => fits(p.unit)) },
  {
    name: "container", about: "container: name, id, image or runtime", kind: "text", shape: "part", free: true,
    text: process((p, fits) => p.container.some(fits)),
  },
  { name: "hash", about: "SHA-256 of the executable", kind: "text", shape: "whole", free: true, text: process((p, fits) => fits(p.sha256)) },
  {
    name: "country", about: "country in which the remote address is registered, two letters", kind: "text", shape: "whole",
    text: endpoint((e, fits) => fits(e.country)),
  },
  {
    name: "asn", about: "number of the remote network, such as AS15169", kind: "number", unit: "asn",
    number: (model, holds) => {
      const found = model.endpoints.map((one) => one.asn !== null && holds(one.asn));
      return (row) => found[model.remote[row]];
    },
  },
  { name: "org", about: "organisation that has the remote network", kind: "text", shape: "part", free: true, text: endpoint((e, fits) => fits(e.org)) },
  {
    name: "city", about: "city of the remote address, as a geo database estimates it", kind: "text", shape: "part", free: true,
    text: endpoint((e, fits) => fits(e.city)),
  },
  {
    name: "host", about: "name of the remote address, or a domain it is in", kind: "text", shape: "domain", free: true,
    text: coded((m) => m.names, (m) => m.nameSets, (set, fits) => set.some((name) => fits(name.name))),
  },
  { name: "ip", about: "remote address", kind: "network" },
  { name: "net", about: "network of the remote address, such as 8.8.8.0/24", kind: "network" },
  {
    name: "port", about: "port of the service: the remote one of outbound connections, the local one of inbound ones",
    kind: "number", unit: "plain", most: 0xffff, number: figure((m, row) => m.port[row]),
  },
  {
    name: "service", about: "what it was seen to speak, else the usual name of that port, such as https", kind: "text", shape: "whole", free: true,
    text: coded((m) => m.service, (m) => m.services, (name, fits) => fits(name)),
  },
  { name: "proto", about: "protocol", kind: "text", shape: "whole", words: PROTOS, text: coded((m) => m.proto, (m) => m.protos, (name, fits) => fits(name)) },
  {
    name: "dir", about: "direction: out, in or unknown", kind: "text", shape: "whole", words: DIRECTIONS,
    text: coded((m) => m.direction, () => DIRECTIONS, (name, fits) => fits(name)),
  },
  {
    name: "end", about: "why it ended, or open", kind: "text", shape: "whole", words: ENDS,
    text: coded((m) => m.end, () => ENDS, (name, fits) => fits(name)),
  },
  { name: "bytes", about: "application bytes sent and received", kind: "number", unit: "bytes", number: figure((m, row) => m.tx[row] + m.rx[row]) },
  { name: "tx", about: "application bytes sent", kind: "number", unit: "bytes", number: figure((m, row) => m.tx[row]) },
  { name: "rx", about: "application bytes received", kind: "number", unit: "bytes", number: figure((m, row) => m.rx[row]) },
  {
    name: "dur", about: "how long it lasted, or was watched so far", kind: "number", unit: "time",
    number: figure((m, row) => m.lasted[row]),
  },
  { name: "since", about: "open at this time or later", kind: "since" },
  { name: "until", about: "opened before this time", kind: "until" },
  {
    name: "label", about: "label of a rule", kind: "text", shape: "whole", free: true,
    text: coded((m) => m.label, (m) => m.labels, (label, fits) => fits(label.name)),
  },
  {
    name: "ioc", about: "an indicator that it matches, or the list that has it", kind: "text", shape: "part",
    text: coded((m) => m.hits, (m) => m.hitSets, (set, fits) => set.some((hit) => fits(hit.indicator) || fits(hit.list))),
  },
];

/** Free text looks here too. */
export const ADDRESS = endpoint((e, fits) => fits(e.ip));
