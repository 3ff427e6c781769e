// @ts-check
// Lanes over time: one for each process and destination. Drawn on a canvas, only the lanes that can be seen; the table below says the
// same in text.

import { byId, displaySafe, draw, html, replace } from "./dom.js";
import { hostOf } from "./facts.js";
import { axisText, bytesText, clockText, count, dateText, durationText, grouped } from "./format.js";
import { hasFailed, processName } from "./groups.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {{process: number, remote: number, rows: number[], bytes: number, first: number}} Lane */

const LANE = 26;
const NAMES_WIDTH = 250;
const AXIS = 26;
const TALLEST_LANES = 4_000_000;

export class Timeline {
  /** @param {App} app @param {(row: number) => void} open */
  constructor(app, open) {
    this.app = app;
    this.open = open;
    this.root = byId("timeline");
    /** @type {Lane[]} */
    this.lanes = [];
    this.waiting = false;
    /** The lane and the place in it that keys have reached. @type {[number, number] | null} */
    this.at = null;
    this.canvas = html("canvas", { "aria-hidden": "true" });
    this.space = html("div", { class: "lanes-space" });
    this.tip = html("p", { class: "tip", hidden: true, role: "status" });
    this.box = html("div", {
      class: "lanes card", tabindex: 0, role: "application", keydown: (/** @type {KeyboardEvent} */ event) => this.key(event), scroll: () => this.later(), pointermove: (/** @type {PointerEvent} */ event) => this.point(event),
      pointerleave: () => (this.tip.hidden = true), click: (/** @type {MouseEvent} */ event) => this.click(event),
    }, this.canvas, this.space, this.tip);
    this.note = html("p", { class: "rest" });
    this.root.append(this.box, this.note);
    this.root.hidden = false;
    new ResizeObserver(() => this.later()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    new MutationObserver(() => this.later()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  draw() {
    const { model, rows } = this.app;
    /** @type {Map<number, Lane>} */
    const lanes = new Map();
    for (const row of rows) {
      const key = (model.owner[row] + 1) * model.endpoints.length + model.remote[row];
      let lane = lanes.get(key);
      if (!lane) lanes.set(key, (lane = { process: model.owner[row], remote: model.remote[row], rows: [], bytes: 0, first: model.opened[row] }));
      lane.rows.push(row);
      lane.bytes += model.tx[row] + model.rx[row];
    }
    this.lanes = [...lanes.values()].sort((a, b) => b.bytes - a.bytes || b.rows.length - a.rows.length || a.first - b.first);
    const height = AXIS + this.lanes.length * LANE;
    this.space.style.height = `${Math.min(TALLEST_LANES, height)}px`;
    this.box.style.height = `${Math.max(120, Math.min(height + 2, Math.min(window.innerHeight * 0.7, 640)))}px`;
    this.box.setAttribute("aria-label", `Timeline, ${count(this.lanes.length, "lane", "lanes")}: up and down choose a lane, left and right a connection, Enter opens it`);
    replace(this.note, height > TALLEST_LANES ? `The first ${grouped((TALLEST_LANES - AXIS) / LANE)} of ${grouped(this.lanes.length)} lanes; a filter makes them fewer.` : rows.length === 0 ? "No connections match." : null);
    this.paint();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  /** The time shown, in nanoseconds since the model's base. @returns {[number, number]} */
  span() {
    const { model, time } = this.app;
    const [from, to] = (time ?? model.window).map((ms) => (ms - model.base) * 1e6);
    return [from, Math.max(to, from + 1)];
  }

  /** The width of the names. */
  left() {
    return Math.min(NAMES_WIDTH, this.box.clientWidth * 0.38);
  }

  paint() {
    const { model } = this.app;
    const [width, height] = [this.box.clientWidth, this.box.clientHeight];
    const ratio = window.devicePixelRatio || 1;
    if (width === 0) return;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    if (!pen) return;
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    const [ink, soft, line, out, inward, bad, wash] = ["ink", "soft", "line", "opened", "in", "failed", "wash"].map(color);
    const left = this.left();
    const [from, to] = this.span();
    const x = (/** @type {number} */ ns) => left + ((ns - from) / (to - from)) * (width - left - 10);
    pen.font = `12px ${style.getPropertyValue("--sans")}`;
    pen.textBaseline = "middle";
    const [begin, end] = [model.base + from / 1e6, model.base + to / 1e6];
    for (const tick of ticks(begin, end, Math.max(2, Math.floor((width - left) / 130)))) {
      const at = x((tick - model.base) * 1e6);
      pen.fillStyle = line;
      pen.fillRect(at, AXIS, 1, height);
      pen.fillStyle = soft;
      const words = to - from > 86_400e9 * 4 ? dateText(tick) : axisText(tick, begin, end);
      draw(pen, words, Math.min(at - 4, width - pen.measureText(words).width - 6), AXIS / 2);
    }
    const first = Math.floor(this.box.scrollTop / LANE);
    const seen = Math.ceil(height / LANE) + 1;
    for (let nth = first; nth < Math.min(this.lanes.length, first + seen); nth += 1) {
      const lane = this.lanes[nth];
      const top = AXIS + nth * LANE - this.box.scrollTop;
      if (top < AXIS - LANE) continue;
      pen.save();
      pen.beginPath();
      pen.rect(0, AXIS, width, height);
      pen.clip();
      pen.fillStyle = line;
      pen.fillRect(0, top + LANE - 1, width, 1);
      pen.fillStyle = wash;
      pen.fillRect(left, top + 4, width - left - 10, LANE - 9);
      pen.fillStyle = ink;
      const name = lane.process < 0 ? "unknown" : processName(model.processes[lane.process]);
      const host = hostOf(model.nameSets[model.names[lane.rows[0]]]) ?? model.endpoints[lane.remote].ip;
      fitted(pen, name, 12, top + LANE / 2, left * 0.36);
      pen.fillStyle = soft;
      fitted(pen, `→ ${host}`, 12 + left * 0.38, top + LANE / 2, left * 0.58);
      this.bars(pen, lane, top, x, { out, inward, bad });
      pen.restore();
    }
  }

  /** @param {CanvasRenderingContext2D} pen @param {Lane} lane @param {number} top @param {(ns: number) => number} x @param {{out: string, inward: string, bad: string}} colors */
  bars(pen, lane, top, x, { out, inward, bad }) {
    const { model } = this.app;
    const left = this.left();
    pen.beginPath();
    pen.rect(left, AXIS, this.box.clientWidth, this.box.clientHeight);
    pen.clip();
    for (const row of lane.rows) {
      const [a, b] = [x(model.opened[row]), x(model.opened[row] + model.lasted[row])];
      if (hasFailed(model, row)) {
        pen.fillStyle = bad;
        pen.fillRect(a - 1, top + 3, 2, LANE - 7);
        continue;
      }
      pen.fillStyle = model.direction[row] === 1 ? inward : out;
      pen.globalAlpha = 0.72;
      pen.fillRect(a, top + 7, Math.max(1.5, b - a), LANE - 15);
      pen.globalAlpha = 1;
    }
  }

  /** The connection under the pointer. @param {MouseEvent} event @returns {number} */
  under(event) {
    const { model } = this.app;
    const rect = this.box.getBoundingClientRect();
    const lane = this.lanes[Math.floor((event.clientY - rect.top - AXIS + this.box.scrollTop) / LANE)];
    const left = this.left();
    const [from, to] = this.span();
    const unit = (to - from) / (this.box.clientWidth - left - 10);
    const at = from + (event.clientX - rect.left - left) * unit;
    if (!lane || event.clientX - rect.left < left) return -1;
    let [best, least] = [-1, 6 * unit];
    for (const row of lane.rows) {
      const [a, b] = [model.opened[row], model.opened[row] + model.lasted[row]];
      const distance = at < a ? a - at : at > b ? at - b : 0;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  /** @param {PointerEvent} event */
  point(event) {
    const row = this.under(event);
    this.box.style.cursor = row < 0 ? "" : "pointer";
    this.tip.hidden = row < 0;
    if (row < 0) return;
    const rect = this.box.getBoundingClientRect();
    this.tell(row, event.clientX - rect.left + 12, event.clientY - rect.top + 16 + this.box.scrollTop);
  }

  /** Arrows go through lanes and connections, Enter opens. @param {KeyboardEvent} event */
  key(event) {
    const { model } = this.app;
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (this.lanes.length === 0 || (!by && event.key !== "Enter")) return;
    event.preventDefault();
    const within = (/** @type {number} */ n, /** @type {number} */ many) => Math.max(0, Math.min(many - 1, n));
    if (by) {
      this.at = this.at ? [within(this.at[0] + by[0], this.lanes.length), by[0] ? 0 : this.at[1] + by[1]] : [0, 0];
      this.at[1] = within(this.at[1], this.lanes[this.at[0]].rows.length);
    }
    const [nth, place] = this.at ?? [0, 0];
    const lane = this.lanes[within(nth, this.lanes.length)];
    const row = lane.rows[within(place, lane.rows.length)];
    if (!by) {
      this.open(row);
      return;
    }
    const top = nth * LANE;
    if (top < this.box.scrollTop || top + LANE + AXIS > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top;
    const [from, to] = this.span();
    const left = this.left();
    const x = left + ((model.opened[row] - from) / (to - from)) * (this.box.clientWidth - left - 10);
    this.tell(row, Math.max(left, x), AXIS + top + LANE);
  }

  /** Says what a connection is, beside it. @param {number} row @param {number} x @param {number} y */
  tell(row, x, y) {
    const { model } = this.app;
    const at = model.base + model.opened[row] / 1e6;
    this.tip.hidden = false;
    replace(this.tip, `${dateText(at)} ${clockText(at)} UTC, ${durationText(model.lasted[row])}, ${bytesText(model.tx[row])} sent, ${bytesText(model.rx[row])} received`);
    this.tip.style.left = `${Math.min(x, this.box.clientWidth - this.tip.offsetWidth - 16)}px`;
    this.tip.style.top = `${y}px`;
  }

  /** @param {MouseEvent} event */
  click(event) {
    const row = this.under(event);
    if (row >= 0) this.open(row);
  }
}

/** Round points in time between two others. @param {number} from milliseconds @param {number} to @param {number} most */
export function ticks(from, to, most) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 2592e6, 7776e6, 31536e6];
  const step = steps.find((one) => (to - from) / one <= most) ?? (to - from) / most;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/** Text that ends where its room does. @param {CanvasRenderingContext2D} pen @param {string} text @param {number} x @param {number} y @param {number} room */
function fitted(pen, text, x, y, room) {
  let shown = displaySafe(text);
  while (shown.length > 1 && pen.measureText(shown).width > room) shown = `${shown.slice(0, Math.max(1, shown.length - 2 - (shown.endsWith("…") ? 1 : 0)))}…`;
  draw(pen, shown, x, y);
}
