// @ts-check
// The IPv4 addresses on a Hilbert curve: the whole of them in blocks of 16 bits, or one /8 in blocks of 24.

import { append, byId, draw, html, keepingFocus, replace } from "./dom.js";
import { sums } from "./groups.js";
import { bytesText, count, grouped } from "./format.js";

/** @typedef {import("./app.js").App} App */

const SIDE = 256;
const CELL = 3;
/** What nobody's host has, by first octet: RFC 6890 and the multicast and reserved blocks. */
const RESERVED = new Map([[0, "this network"], [10, "private"], [127, "loopback"], ...Array.from({ length: 16 }, (_, i) => /** @type {[number, string]} */ ([224 + i, "multicast"])), ...Array.from({ length: 16 }, (_, i) => /** @type {[number, string]} */ ([240 + i, "reserved"]))]);

/** The place of a number on a Hilbert curve that fills a square. @param {number} d @param {number} side a power of two @returns {[number, number]} */
export function hilbert(d, side) {
  let [x, y, rest] = [0, 0, d];
  for (let size = 1; size < side; size *= 2) {
    const right = 1 & (rest >> 1);
    const down = 1 & (rest ^ right);
    if (down === 0) {
      if (right === 1) [x, y] = [size - 1 - x, size - 1 - y];
      [x, y] = [y, x];
    }
    x += size * right;
    y += size * down;
    rest >>= 2;
  }
  return [x, y];
}

/** Where on the curve each cell of the square is, row by row. */
function curve() {
  const cells = new Uint32Array(SIDE * SIDE);
  for (let d = 0; d < SIDE * SIDE; d += 1) {
    const [x, y] = hilbert(d, SIDE);
    cells[y * SIDE + x] = d;
  }
  return cells;
}

export class Space {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId("space");
    /** The first octet of the block shown, or nothing for all. @type {number | null} */
    this.block = null;
    this.canvas = html("canvas", { width: SIDE * CELL, height: SIDE * CELL, role: "img", tabindex: 0, pointermove: (/** @type {PointerEvent} */ e) => this.point(e), click: (/** @type {PointerEvent} */ e) => this.click(e), keydown: (/** @type {KeyboardEvent} */ e) => { if (e.key === "Escape") this.show(null); } });
    this.crumbs = html("p", { class: "crumbs" });
    this.about = html("p", { class: "about" }, "Point at a block.");
    this.list = html("ol", { class: "blocks" });
    this.root.append(html("div", { class: "space card" }, html("div", { class: "square" }, this.canvas), html("div", { class: "beside" }, this.crumbs, this.about, this.list)));
    this.root.hidden = false;
    /** The place of each cell on the curve: worked out when it is first drawn. */
    this.cells = new Uint32Array(0);
    /** The cell that was pointed at last. @type {number | null} */
    this.at = null;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  }

  draw() {
    if (this.cells.length === 0) this.cells = curve();
    const { model, rows } = this.app;
    this.bytes = new Float64Array(SIDE * SIDE);
    this.rows = new Uint32Array(SIDE * SIDE);
    const blocks = Int32Array.from(model.endpoints, (one) => this.cellOf(one.number));
    for (const { key, connections, tx, rx } of sums(model, rows, (row) => blocks[model.remote[row]], SIDE * SIDE)) {
      this.bytes[key] = tx + rx;
      this.rows[key] = connections;
    }
    this.paint();
    this.rank();
    this.tell();
    replace(this.crumbs, html("button", { type: "button", class: "link", click: () => this.show(null) }, "0.0.0.0/0"), this.block === null ? null : ` › ${this.block}.0.0.0/8`);
    this.canvas.setAttribute("aria-label", `IPv4 addresses ${this.block === null ? "" : `of ${this.block}.0.0.0/8 `}on a Hilbert curve; the list beside it has the busiest blocks`);
  }

  /** The block of an address in what is shown, or -1. @param {bigint} number */
  cellOf(number) {
    if (number >> 32n !== 0xffffn) return -1;
    const ip = Number(number & 0xffffffffn);
    if (this.block === null) return ip >>> 16;
    return ip >>> 24 === this.block ? (ip >>> 8) & 0xffff : -1;
  }

  /** A block as people write it. @param {number} d */
  name(d) {
    return this.block === null ? `${d >> 8}.${d & 255}.0.0/16` : `${this.block}.${d >> 8}.${d & 255}.0/24`;
  }

  paint() {
    const pen = this.canvas.getContext("2d");
    if (!pen || !this.rows || !this.bytes) return;
    const style = getComputedStyle(document.documentElement);
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    const side = SIDE * CELL;
    pen.fillStyle = color("wash");
    pen.fillRect(0, 0, side, side);
    const eighth = side / 16;
    if (this.block === null) {
      for (let octet = 0; octet < 256; octet += 1) {
        const [x, y] = hilbert(octet, 16);
        if (RESERVED.has(octet)) hatch(pen, x * eighth, y * eighth, eighth, color("line"));
        pen.strokeStyle = color("line");
        pen.strokeRect(x * eighth + 0.5, y * eighth + 0.5, eighth, eighth);
        pen.fillStyle = color("faint");
        pen.font = `10px ${style.getPropertyValue("--sans")}`;
        draw(pen, String(octet), x * eighth + 4, y * eighth + 13);
      }
    }
    const most = Math.log(1 + Math.max(1, ...this.rows));
    const ramp = ["opened", "rx", "failed"].map(color);
    for (let cell = 0; cell < SIDE * SIDE; cell += 1) {
      const n = this.rows[this.cells[cell]];
      if (n === 0) continue;
      const share = Math.log(1 + n) / most;
      pen.fillStyle = ramp[Math.min(2, Math.floor(share * 3))];
      const size = CELL * (1.4 + share * 1.8);
      pen.fillRect((cell % SIDE) * CELL + (CELL - size) / 2, Math.floor(cell / SIDE) * CELL + (CELL - size) / 2, size, size);
    }
  }

  /** The busiest blocks as text. */
  rank() {
    const [rows, bytes] = [this.rows ?? [], this.bytes ?? []];
    const found = Array.from(rows.keys()).filter((d) => rows[d] > 0).sort((a, b) => bytes[b] - bytes[a] || rows[b] - rows[a]);
    replace(this.list, ...found.slice(0, 12).map((d) => html("li", {}, html("button", { type: "button", class: "link", click: (/** @type {MouseEvent} */ e) => this.app.toggle("net", this.name(d), e.altKey) }, this.name(d)), html("span", {}, `${count(rows[d], "connection", "connections")}, ${bytesText(bytes[d])}`))));
    if (found.length > 12) append(this.list, html("li", { class: "rest" }, `${grouped(found.length - 12)} more blocks`));
    if (found.length === 0) append(this.list, html("li", { class: "rest" }, this.block === null ? "No IPv4 address." : `No address in ${this.block}.0.0.0/8.`));
  }

  /** @param {PointerEvent} event */
  cell(event) {
    const rect = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - rect.left, event.clientY - rect.top].map((n) => Math.max(0, Math.min(SIDE - 1, Math.floor((n / rect.width) * SIDE))));
    return this.cells[y * SIDE + x];
  }

  /** @param {PointerEvent} event */
  point(event) {
    this.at = this.cell(event);
    this.tell();
  }

  /** Says what the cell is that was pointed at. */
  tell() {
    const d = this.at;
    if (d === null) return;
    const [rows, bytes] = [this.rows?.[d] ?? 0, this.bytes?.[d] ?? 0];
    const reserved = this.block === null ? RESERVED.get(d >> 8) : undefined;
    replace(this.about, html("b", {}, this.name(d)), ` ${rows ? `${count(rows, "connection", "connections")}, ${bytesText(bytes)}` : (reserved ?? "nothing")}`);
  }

  /** @param {PointerEvent} event */
  click(event) {
    const d = this.cell(event);
    if (this.block === null) this.show(d >> 8);
    else if (this.rows?.[d]) this.app.toggle("net", this.name(d), event.altKey);
  }

  /** @param {number | null} block */
  show(block) {
    if (block !== this.block) {
      this.at = null;
      replace(this.about, "Point at a block.");
    }
    this.block = block;
    keepingFocus(this.root, () => this.draw());
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {number} size @param {string} color */
function hatch(pen, x, y, size, color) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, size, size);
  pen.clip();
  pen.strokeStyle = color;
  pen.beginPath();
  for (let at = -size; at < size; at += 6) {
    pen.moveTo(x + at, y + size);
    pen.lineTo(x + at + size, y);
  }
  pen.stroke();
  pen.restore();
}
