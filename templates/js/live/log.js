// @ts-check
// What happened on each connection, as far as it was said while this page was open.

import { html } from "../dom.js";
import { stamp } from "../format.js";

/** @typedef {[id: number, ms: number, text: string]} Happening */

const MOST_HAPPENINGS = 20_000;
const MOST_OF_ONE = 200;

export class Log {
  constructor() {
    /** By connection, the one that was quiet for longest first. @type {Map<number, Happening[]>} */
    this.byConnection = new Map();
    this.count = 0;
  }

  clear() {
    this.byConnection.clear();
    this.count = 0;
  }

  /** @param {readonly Happening[]} happenings */
  add(happenings) {
    for (const one of happenings) {
      const list = this.byConnection.get(one[0]) ?? [];
      this.byConnection.delete(one[0]);
      this.byConnection.set(one[0], list);
      list.push(one);
      this.count += 1;
      if (list.length > MOST_OF_ONE) {
        list.shift();
        this.count -= 1;
      }
    }
    for (const [id, list] of this.byConnection) {
      if (this.count <= MOST_HAPPENINGS) break;
      this.byConnection.delete(id);
      this.count -= list.length;
    }
  }

  /** For the drawer. @param {number} id @returns {Node[]} */
  shown(id) {
    const list = this.byConnection.get(id) ?? [];
    const lines = list.map(([, ms, text]) => html("li", {}, html("time", {}, stamp(Math.floor(ms), (ms % 1) * 1e6).slice(11, 23)), " ", text));
    return [html("h3", {}, "Events"), lines.length ? html("ol", { class: "events" }, ...lines) : html("p", { class: "events" }, "None since the server started.")];
  }
}
