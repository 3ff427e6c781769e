// @ts-check
// What a row says, in words: the same for the table, the drawer, the CSV file and the tooltips.

import { ARROWS, END_WORDS, FACT_FIGURES, FLAGS, KINDS, NOT_MEASURED } from "./columns.js";
import { processName } from "./groups.js";
import { amountText, clockText, count, dateText, durationText, stamp } from "./format.js";
import { DIRECTIONS, ENDS } from "./query/entries.js";

/** @typedef {import("./model.js").Model} Model */

/** @param {Model} model @param {number} row */
export const ownerOf = (model, row) => (model.owner[row] < 0 ? null : model.processes[model.owner[row]]);

/** The row of a connection, or -1. @param {Model} model @param {number} id */
export function rowOf(model, id) {
  const { byId: rows, order } = model;
  if (rows.size === 0) for (const row of order) rows.set(model.id[row], row);
  return rows.get(id) ?? -1;
}

/** @param {Model} model @param {number} row */
export function processText(model, row) {
  const owner = ownerOf(model, row);
  return owner ? processName(owner) : "unknown";
}

/** The name of the other end. What a proxy is asked for comes last, and names another host. @param {import("./model.js").Name[]} names */
export const hostOf = (names) => (names[0]?.source === "proxied" ? undefined : names[0]?.name);

/** @param {Model} model @param {number} row */
export const hostText = (model, row) => hostOf(model.nameSets[model.names[row]]) ?? "";

/** @param {Model} model @param {number} row */
export const localText = (model, row) => endText(model.locals[model.local[row]], model.localPort[row]);

/** @param {Model} model @param {number} row */
export const remoteText = (model, row) => endText(model.endpoints[model.remote[row]].ip, model.remotePort[row]);

/** The address that the process asked for, where a BPF program led the connection elsewhere. @param {Model} model @param {number} row */
export const askedFor = (model, row) => (model.flags[row] & FLAGS.asked ? endText(model.locals[model.asked[row]], model.askedPort[row]) : null);

/** @param {string} ip @param {number} port */
const endText = (ip, port) => (port === 0 ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

/** A country's name. @param {Model} model @param {string | null} code */
export const countryText = (model, code) => (code === null ? "" : (model.countries.get(code)?.name ?? code));

/** @param {Model} model @param {number} row */
export function placeText(model, row) {
  const { kind, country, city } = model.endpoints[model.remote[row]];
  if (kind !== "public") return KINDS.get(kind) ?? kind;
  return [city, countryText(model, country)].filter(Boolean).join(", ") || "unknown";
}

/** @param {Model} model @param {number} row */
export function networkText(model, row) {
  const { asn, org } = model.endpoints[model.remote[row]];
  return [asn === null ? "" : `AS${asn}`, org ?? ""].filter(Boolean).join(" ");
}

/** @param {Model} model @param {number} row */
export const endWords = (model, row) => END_WORDS[model.end[row]] ?? ENDS[model.end[row]];

/** A figure with what it counts; nothing where the row has none. @param {Model} model @param {number} row @param {import("./columns.js").FactFigure} name */
export function figureText(model, row, name) {
  const { group, unit } = FACT_FIGURES[name];
  const value = model[name][row];
  if (!(model.flags[row] & FLAGS[group])) return null;
  if (unit === "bytes") return amountText(value);
  if (unit === "microseconds") return value === 0 ? NOT_MEASURED : durationText(value * 1000);
  return unit === "port" ? String(value) : count(value, unit.slice(0, -1), unit);
}

/** @param {Model} model @param {number} row */
export const arrow = (model, row) => ARROWS[model.direction[row]];

/** @param {Model} model @param {number} row */
export const directionText = (model, row) => DIRECTIONS[model.direction[row]];

/** @param {Model} model @param {number} row */
export const serviceText = (model, row) => model.serviceNames[model.service[row]] || (model.port[row] === 0 ? "" : String(model.port[row]));

/** Milliseconds since 1970. @param {Model} model @param {number} row */
export const openedMs = (model, row) => model.base + model.opened[row] / 1e6;

/** @param {Model} model @param {number} row */
export const openedText = (model, row) => stamp(model.base, model.opened[row]);

/** @param {Model} model @param {number} row */
export const closedText = (model, row) => (model.end[row] === model.open || ENDS[model.end[row]] === "recording-ended" ? "" : stamp(model.base, model.opened[row] + model.lasted[row]));

/** @param {Model} model @param {number} row */
export function shortTime(model, row) {
  const ms = openedMs(model, row);
  const millis = String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, "0");
  return { date: dateText(ms), clock: `${clockText(ms)}.${millis}` };
}
