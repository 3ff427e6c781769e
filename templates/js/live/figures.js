// @ts-check
// The figures at the top of the page, of what it has now.

import { byId, html, replace } from "../dom.js";
import { bytesText, count, grouped } from "../format.js";
import { eachPart, sums, total } from "../groups.js";

/** @typedef {import("../model.js").Model} Model */

/** What all rows add up to. @param {Model} model */
export function figuresOf(model) {
  const { order, remote, processes, endpoints } = model;
  const all = total(model, order);
  const unowned = sums(model, order, (_, process) => (process < 0 ? 0 : -1), 1)[0]?.connections ?? 0;
  let unlocated = 0;
  const [acting, met] = [new Uint8Array(processes.length), new Uint8Array(endpoints.length)];
  eachPart(model, order, (row, process) => {
    if (process >= 0) acting[process] = 1;
    met[remote[row]] = 1;
  });
  const countries = new Set();
  endpoints.forEach((one, place) => {
    if (!met[place] || !one.public) return;
    if (one.country === null) unlocated += 1;
    else countries.add(one.country);
  });
  const ids = new Set();
  processes.forEach((one, place) => { if (acting[place]) ids.add(`${one.pid} ${one.started}`); });
  return { sent: all.tx, received: all.rx, connections: all.connections, bad: all.failed, still: all.open, processes: ids.size, remotes: met.reduce((sum, one) => sum + one, 0), countries: countries.size, unowned, inbound: all.inbound, unlocated };
}

/** What stands below each figure, in the page's order, in the words of the server. @param {ReturnType<typeof figuresOf>} found */
export function smallPrint(found) {
  return [
    count(found.sent, "byte", "bytes"), count(found.received, "byte", "bytes"),
    `${found.bad ? `${grouped(found.bad)} failed` : "none failed"}, ${grouped(found.still)} still open`,
    found.unowned ? `${count(found.unowned, "connection", "connections")} without one` : "all identified",
    found.inbound ? count(found.inbound, "inbound connection", "inbound connections") : "no inbound connections",
    found.unlocated ? `${count(found.unlocated, "address", "addresses")} without one` : "every public address located",
  ];
}

/** @param {Model} model */
export function showFigures(model) {
  const found = figuresOf(model);
  const figures = [bytesText(found.sent), bytesText(found.received), ...[found.connections, found.processes, found.remotes, found.countries].map(grouped)];
  const below = smallPrint(found);
  const cards = document.querySelectorAll("#summary .figures li");
  figures.forEach((figure, nth) => {
    const [value, sub] = [".value", ".sub"].map((part) => cards[nth]?.querySelector(part));
    const [number, unit] = figure.split("\u00a0");
    if (value && value.textContent !== number + (unit ?? "")) replace(value, number, unit && html("span", { class: "unit" }, unit));
    if (sub && sub.textContent !== below[nth]) replace(sub, below[nth]);
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
