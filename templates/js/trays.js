// @ts-check
// What has no place on the map, below it: private networks, this host itself, and countries not known.

import { byId, html, replace } from "./dom.js";
import { KINDS } from "./columns.js";
import { bytesText, count } from "./format.js";
import { sums } from "./groups.js";

/** @typedef {import("./app.js").App} App */

export class Trays {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId("map");
    this.list = this.root.querySelector(".trays") ?? html("ul", { class: "trays", "aria-label": "Not on the map" });
    this.root.append(this.list);
  }

  draw() {
    const { model, rows } = this.app;
    /** @type {Map<string, {bytes: number, remotes: number, connections: number}>} */
    const kinds = new Map([...KINDS.keys()].map((kind) => [kind, { bytes: 0, remotes: 0, connections: 0 }]));
    for (const sum of sums(model, rows, (row) => model.remote[row], model.endpoints.length)) {
      const { kind, country } = model.endpoints[sum.key];
      const tray = kinds.get(kind);
      if (!tray || kind === "public" && country !== null) continue;
      tray.bytes += sum.tx + sum.rx;
      tray.remotes += 1;
      tray.connections += sum.connections;
    }
    const found = [...kinds].filter(([, tray]) => tray.connections > 0);
    replace(this.list, ...found.map(([kind, { bytes, remotes, connections }]) =>
      html("li", {}, html("b", {}, kind === "public" ? "Public, country unknown" : KINDS.get(kind)), " ", bytesText(bytes), " ",
        html("span", {}, `${count(remotes, "address", "addresses")}, ${count(connections, "connection", "connections")}`))));
    this.list.toggleAttribute("hidden", found.length === 0);
  }
}
