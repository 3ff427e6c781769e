// @ts-check
// What is asked: the filter, the time, the circle on the map. It stands in the address, so that a copied link shows the same.

import { FIELDS } from "./query/fields.js";

/**
 * @typedef {object} Question
 * @property {string} filter
 * @property {[number, number] | null} time milliseconds since 1970
 * @property {[number, number, number] | null} near longitude, latitude and kilometres
 * @property {"bytes" | "connections" | "peers"} measure
 * @property {number | null} open the id of the connection in the drawer
 */

/** @returns {Question} */
export const everything = () => ({ filter: "", time: null, near: null, measure: "bytes", open: null });

/** @param {Question} question */
export function toHash(question) {
  const parts = new URLSearchParams();
  if (question.filter !== "") parts.set("q", question.filter);
  if (question.time) parts.set("t", question.time.map(Math.round).join("-"));
  if (question.near) parts.set("near", question.near.map((n) => Number(n.toFixed(2))).join(","));
  if (question.measure !== "bytes") parts.set("by", question.measure);
  if (question.open !== null) parts.set("c", String(question.open));
  const text = parts.toString();
  return text === "" ? "" : `#${text}`;
}

/** Whether an address only names a place in the page. @param {string} hash */
export const isSection = (hash) => /^#[^=]+$/.test(hash);

/** What an address asks; what it says wrongly is left out. @param {string} hash @returns {Question} */
export function fromHash(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""));
  const question = everything();
  question.filter = parts.get("q") ?? "";
  const time = /^(\d+)-(\d+)$/.exec(parts.get("t") ?? "");
  if (time && Number(time[1]) < Number(time[2])) question.time = [Number(time[1]), Number(time[2])];
  const near = (parts.get("near") ?? "").split(",").map(Number);
  if (near.length === 3 && near.every(Number.isFinite) && near[2] > 0) question.near = [near[0], near[1], near[2]];
  const measure = parts.get("by");
  if (measure === "connections" || measure === "peers") question.measure = measure;
  const open = Number(parts.get("c") ?? "");
  if (parts.has("c") && Number.isInteger(open)) question.open = open;
  return question;
}

/**
 * A value as the query language takes it: quoted unless it is a plain word.
 * @param {string} value
 */
export function quoted(value) {
  const plain = /^[\p{L}\p{N}_.:@%+~-]+$/u.test(value) || /^[0-9a-f:.]+\/\d+$/i.test(value);
  return plain ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/**
 * The term that a value of the page stands for: it is that value and no other.
 * @param {string} field
 * @param {string} value
 */
export function termOf(field, value) {
  const isPart = FIELDS.find((one) => one.name === field)?.shape === "part";
  return `${field}${isPart ? "=" : ":"}${quoted(value)}`;
}

/**
 * A filter with one more term, or without it if it has it.
 * @param {string[]} terms the parts of the filter
 * @param {string} term
 */
export function toggled(terms, term) {
  const opposite = term.startsWith("-") ? term.slice(1) : `-${term}`;
  const others = terms.filter((one) => one !== term && one !== opposite);
  return (terms.includes(term) ? others : [...others, term]).join(" ");
}
