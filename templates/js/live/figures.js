// @ts-check
// The figures at the top of the page, of what it has now.

import { byId, html, replace } from "../dom.js";
import { bytesText, count, grouped } from "../format.js";
import { hasFailed } from "../groups.js";

/** @typedef {import("../model.js").Model} Model */

/** What all rows add up to. @param {Model} model */
export function figuresOf(model) {
  const { order, tx, rx, end, open, owner, others, remote, processes, endpoints } = model;
  let [sent, received, bad, still] = [0, 0, 0, 0];
  const [acting, met] = [new Uint8Array(processes.length), new Uint8Array(endpoints.length)];
  for (let i = 0; i < order.length; i += 1) {
    const row = order[i];
    sent += tx[row];
    received += rx[row];
    if (hasFailed(model, row)) bad += 1;
    if (end[row] === open) still += 1;
    if (owner[row] >= 0) acting[owner[row]] = 1;
    met[remote[row]] = 1;
  }
  for (const list of others.values()) for (const one of list) acting[one] = 1;
  const countries = new Set();
  endpoints.forEach((one, place) => { if (met[place] && one.public && one.country !== null) countries.add(one.country); });
  const ids = new Set();
  processes.forEach((one, place) => { if (acting[place]) ids.add(`${one.pid} ${one.started}`); });
  return { sent, received, connections: order.length, bad, still, processes: ids.size, remotes: met.reduce((sum, one) => sum + one, 0), countries: countries.size };
}

/** The figures whose small print the page can say itself: they come first. */
const TOLD_HERE = 3;

/** Takes the small print of the other figures from a page that the server wrote just now. @param {Document} made */
export function takeSmallPrint(made) {
  const lines = (/** @type {Document} */ of) => [...of.querySelectorAll("#summary .figures .sub")].slice(TOLD_HERE);
  const now = lines(made);
  lines(document).forEach((line, nth) => {
    const text = now[nth]?.textContent;
    if (text && text !== line.textContent) replace(line, text);
  });
}

/** @param {Model} model */
export function showFigures(model) {
  const found = figuresOf(model);
  const ends = `${found.bad ? `${grouped(found.bad)} failed` : "none failed"}, ${grouped(found.still)} still open`;
  /** In the page's order: the figure, and what stands below it where that changes too. @type {[string, string | null][]} */
  const lines = [
    [bytesText(found.sent), count(found.sent, "byte", "bytes")], [bytesText(found.received), count(found.received, "byte", "bytes")], [grouped(found.connections), ends],
    [grouped(found.processes), null], [grouped(found.remotes), null], [grouped(found.countries), null],
  ];
  const cards = document.querySelectorAll("#summary .figures li");
  lines.forEach(([figure, below], nth) => {
    const [value, sub] = [".value", ".sub"].map((part) => cards[nth]?.querySelector(part));
    const [number, unit] = figure.split("\u00a0");
    if (value && value.textContent !== number + (unit ?? "")) replace(value, number, unit && html("span", { class: "unit" }, unit));
    if (sub && below !== null && sub.textContent !== below) replace(sub, below);
  });
}

/** Says that there are connections which only the store has. @param {number} forgotten */
export function showForgotten(forgotten) {
  const text = forgotten === 0 ? "" : `${count(forgotten, "older connection is", "older connections are")} only in the store; connmon report shows them.`;
  const summary = byId("summary");
  let note = summary.querySelector(".forgotten");
  if (text === "") {
    note?.remove();
    return;
  }
  if (!note) {
    note = html("p", { class: "loud forgotten" });
    summary.querySelector("h2")?.after(note);
  }
  if (note.textContent !== text) replace(note, text);
}
