// @ts-check
// What happened on a connection, in order. All of it is told by its row, so nothing is missing that a message did not bring.

import { html } from "../dom.js";
import { bytesText, stamp } from "../format.js";
import { ENDS } from "../query/entries.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {[time: number, text: string]} Happening nanoseconds since the model's `base`, and what */

/** @param {Model} model @param {number} row @returns {Happening[]} */
export function happened(model, row) {
  const all = model.whole ?? model;
  const [opened, flags] = [model.opened[row], model.flags[row]];
  /** @type {Happening[]} */
  const happenings = [[opened, flags & 1 ? "open when the recording began" : "opened"]];
  model.nameSets[model.names[row]].forEach(({ name, source }, nth) => {
    const after = nth === 0 ? model.named[row] : (model.moreNamed.get(row)?.[nth - 1] ?? 0);
    happenings.push([opened + after * 1000, `named ${name} (${source})`]);
  });
  const end = ENDS[model.end[row]];
  if (model.end[row] !== model.open) {
    const moved = `${bytesText(all.tx[row])} sent, ${bytesText(all.rx[row])} received`;
    const over = opened + model.lasted[row];
    if (end === "recording-ended") happenings.push([over, "open when the recording ended"]);
    else happenings.push([over, flags & 16 ? `failed: ${end}` : `closed (${end}): ${moved}`]);
  }
  // What was named before it was opened comes first; else what is at one time keeps its order.
  return happenings.sort(([one], [other]) => one - other);
}

/** For the drawer. @param {Model} model @param {number} row @returns {Node[]} */
export function eventsShown(model, row) {
  const lines = happened(model, row).map(([time, text]) => html("li", {}, html("time", {}, stamp(model.base, time).slice(11, 23)), " ", text));
  return [html("h3", {}, "Events"), html("ol", { class: "events" }, ...lines)];
}
