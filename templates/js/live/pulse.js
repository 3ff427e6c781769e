// @ts-check
// A short pulse on the map where connections begin.

import { svg } from "../dom.js";
import { greatCircle, project } from "../geo.js";
import { whereOf } from "../map.js";

/** @typedef {import("../map.js").WorldMap} WorldMap */

/** So many pulses at once; more would say no more. */
const MOST_PULSES = 40;
const PULSE_MS = 1100;

export class Pulses {
  /** @param {WorldMap} map */
  constructor(map) {
    this.map = map;
    this.layer = svg("g", { class: "pulses", "aria-hidden": "true" });
    map.world.append(this.layer);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** @param {readonly number[]} rows that are new */
  show(rows) {
    const { map, layer } = this;
    const { model, seen } = map.app;
    if (this.still.matches || document.hidden || !seen.has(map.root)) return;
    const size = map.scale() / map.zoom;
    const { home } = model;
    for (const remote of new Set(rows.map((row) => model.remote[row]))) {
      if (layer.childElementCount >= MOST_PULSES) return;
      const where = whereOf(model, model.endpoints[remote]);
      if (!where) continue;
      const [cx, cy] = project(where);
      const line = home && map.mode === "lines" ? svg("path", { d: greatCircle([home.longitude, home.latitude], where), "stroke-width": (1.6 * size).toFixed(3) }) : null;
      const pulse = svg("g", {}, line, svg("circle", { cx, cy, r: (9 * size).toFixed(3), "stroke-width": (2 * size).toFixed(3) }));
      layer.append(pulse);
      setTimeout(() => pulse.remove(), PULSE_MS);
    }
  }
}
