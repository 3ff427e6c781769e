// @ts-check
// The table of connections: only the rows that can be seen are elements, whatever their number. A browser's elements end at some
// 18 million pixels, so the height is scaled where there are more rows than that.

import { append, byId, html, keepingFocus, replace } from "./dom.js";
import { askedText } from "./asked.js";
import { arrow, directionText, endWords, hostOf, hostText, localText, networkText, ownerOf, placeText, processText, remoteText, rowOf, serviceText, shortTime } from "./facts.js";
import { bytesText, durationText, grouped } from "./format.js";
import { hasFailed } from "./groups.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {{name: string, head: string, width: string, narrow?: string, kind?: "n" | "mono", hidden?: boolean, cell: (model: Model, row: number) => import("./dom.js").Child[], order?: (model: Model) => (row: number) => number | string}} Column */

const LINE = 34;
const TALLEST = 8_000_000;
const PAPER_ROWS = 50;

/** @type {(of: (model: Model) => readonly string[], code: (model: Model, row: number) => number) => (model: Model) => (row: number) => number} */
const alphabetical = (of, code) => (model) => {
  const words = of(model);
  const ranks = new Float64Array(words.length);
  [...words.keys()].sort((a, b) => (words[a] < words[b] ? -1 : words[a] > words[b] ? 1 : 0)).forEach((place, rank) => (ranks[place] = rank));
  return (row) => ranks[code(model, row)] ?? -1;
};
const processOrder = alphabetical((m) => m.processes.map((p) => p.comm || p.exe), (m, row) => m.owner[row]);

/** @type {Column[]} */
export const COLUMNS = [
  {
    name: "opened", head: "Opened (UTC)", width: "13.2rem", narrow: "7.2rem", order: (m) => (row) => m.opened[row],
    cell: (m, row) => { const { date, clock } = shortTime(m, row); return [html("span", { class: "soft" }, date), " ", clock]; },
  },
  {
    name: "process", head: "Process", width: "minmax(9rem, 1fr)", order: processOrder,
    cell: (m, row) => {
      const owner = ownerOf(m, row);
      const { name, color, text } = m.labels[m.label[row]];
      const others = m.others.get(row)?.length ?? 0;
      return [html("b", {}, processText(m, row)), " ", html("span", { class: "soft" }, owner ? owner.pid : ""),
        others ? html("span", { class: "tag" }, `+${others}`) : null, name && (text || !color) ? html("span", { class: "tag" }, name) : null];
    },
  },
  { name: "user", head: "User", width: "7rem", hidden: true, cell: (m, row) => { const owner = ownerOf(m, row); return [owner ? (owner.user ?? owner.uid) : ""]; } },
  { name: "way", head: "Direction", width: "4.6rem", order: (m) => (row) => m.proto[row] * 4 + m.direction[row], cell: (m, row) => [html("span", { class: `way ${directionText(m, row)}` }, `${arrow(m, row)} ${m.protos[m.proto[row]]}`)] },
  { name: "local", head: "Local", width: "12rem", kind: "mono", hidden: true, order: (m) => (row) => m.localPort[row], cell: (m, row) => [localText(m, row)] },
  {
    name: "remote", head: "Remote", width: "minmax(11rem, 1.3fr)", kind: "mono", order: alphabetical((m) => m.endpoints.map((one) => one.number.toString(16).padStart(32, "0")), (m, row) => m.remote[row]),
    cell: (m, row) => [remoteText(m, row)],
  },
  { name: "host", head: "Name", width: "minmax(9rem, 1.2fr)", order: alphabetical((m) => m.nameSets.map((set) => hostOf(set) ?? "\uffff"), (m, row) => m.names[row]), cell: (m, row) => [hostText(m, row)] },
  { name: "service", head: "Service", width: "6.5rem", order: (m) => (row) => m.port[row], cell: (m, row) => [serviceText(m, row)] },
  { name: "place", head: "Place", width: "minmax(8rem, 1fr)", order: alphabetical((m) => m.endpoints.map((one) => `${one.country ?? "~"} ${one.city ?? ""}`), (m, row) => m.remote[row]), cell: (m, row) => [placeText(m, row)] },
  { name: "network", head: "Network", width: "minmax(8rem, 1fr)", hidden: true, cell: (m, row) => [networkText(m, row)] },
  { name: "tx", head: "Sent", width: "5.6rem", kind: "n", order: (m) => (row) => m.tx[row], cell: (m, row) => [html("span", { title: `${grouped(m.tx[row])} bytes` }, bytesText(m.tx[row]))] },
  { name: "rx", head: "Received", width: "5.6rem", kind: "n", order: (m) => (row) => m.rx[row], cell: (m, row) => [html("span", { title: `${grouped(m.rx[row])} bytes` }, bytesText(m.rx[row]))] },
  { name: "lasted", head: "Lasted", width: "6.4rem", kind: "n", order: (m) => (row) => m.lasted[row], cell: (m, row) => [durationText(m.lasted[row])] },
  { name: "end", head: "End", width: "minmax(8rem, 1fr)", order: (m) => (row) => m.end[row], cell: (m, row) => [html("span", { class: m.inexact[row] ? "inexact" : "", title: endWords(m, row) }, endWords(m, row), m.inexact[row] ? " ≈" : null)] },
];

export class Table {
  /** @param {App} app @param {(row: number) => void} open */
  constructor(app, open) {
    this.app = app;
    this.open = open;
    this.root = byId("explorer");
    /** Left out where it is too narrow for all of them. */
    const narrow = matchMedia("(max-width: 760px)").matches;
    this.width = (/** @type {Column} */ column) => (narrow ? (column.narrow ?? column.width) : column.width);
    this.shown = new Set(COLUMNS.filter((column) => !column.hidden && !(narrow && ["service", "place", "lasted", "host", "way"].includes(column.name))).map((column) => column.name));
    this.sort = { name: "opened", down: false };
    this.order = app.rows;
    /** @type {Uint32Array | null} */
    this.from = null;
    this.by = "";
    /** The question of what is shown; the data may change under it. */
    this.asked = "";
    this.height = 0;
    this.waiting = false;
    this.at = 0;
    this.model = app.model;
    /** What was at the top and what keys referred to before the data changed, by id. @type {{top: number | null, rest: number, at: number | null} | null} */
    this.before = null;
    this.head = html("div", { class: "grid-row grid-head", role: "row", "aria-rowindex": 1 });
    this.body = html("div", { class: "grid-body", role: "rowgroup" });
    this.space = html("div", { class: "grid-space" }, this.body);
    this.grid = html("div", {
      class: "grid card", role: "grid", tabindex: 0, "aria-label": "Connections",
      scroll: () => this.later(), keydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
    }, html("div", { role: "rowgroup", class: "grid-heads" }, this.head), this.space);
    this.root.append(this.chooser(), this.grid);
    this.root.hidden = false;
    new ResizeObserver(() => this.later()).observe(this.grid);
  }

  chooser() {
    const boxes = COLUMNS.map((column) => html("label", {}, html("input", {
      type: "checkbox", checked: this.shown.has(column.name),
      change: (/** @type {any} */ event) => {
        if (event.target.checked) this.shown.add(column.name);
        else this.shown.delete(column.name);
        this.draw();
      },
    }), column.head));
    return html("details", { class: "chooser" }, html("summary", {}, "Columns"), html("div", {}, ...boxes));
  }

  columns() {
    return COLUMNS.filter((column) => this.shown.has(column.name));
  }

  renew() {
    if (this.before || this.from === null) return;
    const [first, { id }] = [this.first(), this.model];
    const idAt = (/** @type {number} */ place) => (place < this.order.length ? id[this.order[place]] : null);
    const { scrollTop } = this.grid;
    this.before = { top: scrollTop > 0 ? idAt(first) : null, rest: scrollTop - first * LINE, at: idAt(this.at) };
  }

  draw() {
    this.arrange();
    this.model = this.app.model;
    const asked = askedText(this.app.question);
    if (asked !== this.asked) {
      this.at = 0;
      this.grid.scrollTop = 0;
    }
    this.asked = asked;
    const columns = this.columns();
    this.grid.setAttribute("aria-rowcount", String(this.order.length + 1));
    this.grid.setAttribute("aria-colcount", String(columns.length));
    this.grid.style.setProperty("--columns", columns.map(this.width).join(" "));
    const least = columns.reduce((sum, column) => sum + Number.parseFloat(this.width(column).replace("minmax(", "")), 0);
    this.grid.style.setProperty("--least", `${least}rem`);
    replace(this.head, ...columns.map((column) => {
      const sorted = this.sort.name === column.name;
      const attributes = { role: "columnheader", class: column.kind === "n" ? "n" : "", "aria-sort": sorted ? (this.sort.down ? "descending" : "ascending") : null };
      if (!column.order) return html("span", attributes, column.head);
      return html("span", attributes, html("button", { type: "button", "data-key": `sort ${column.name}`, click: () => this.sortBy(column.name) }, column.head, sorted ? (this.sort.down ? " ↓" : " ↑") : null));
    }));
    this.height = Math.min(TALLEST, this.order.length * LINE);
    this.space.style.height = `${Math.max(this.height, LINE)}px`;
    this.settle();
    this.fill();
  }

  /** After the data changed: what was at the top is there again, and keys refer to the same connection. */
  settle() {
    const { before } = this;
    this.before = null;
    if (!before) return;
    const place = (/** @type {number | null} */ id) => (id === null ? -1 : this.order.indexOf(rowOf(this.model, id)));
    const [top, at] = [place(before.top), place(before.at)];
    if (top >= 0 && this.height < TALLEST) this.grid.scrollTop = top * LINE + before.rest;
    if (at >= 0) this.at = at;
  }

  /** The rows in the order asked for. */
  arrange() {
    const { rows, model } = this.app;
    const column = COLUMNS.find((one) => one.name === this.sort.name);
    if (this.from === rows && this.by === `${this.sort.name}${this.sort.down}`) return;
    this.from = rows;
    this.by = `${this.sort.name}${this.sort.down}`;
    if (this.sort.name === "opened" || !column?.order) {
      this.order = this.sort.down ? rows.slice().reverse() : rows;
      return;
    }
    const of = column.order(model);
    const keys = new Float64Array(model.rows);
    for (const row of rows) keys[row] = Number(of(row));
    const sign = this.sort.down ? -1 : 1;
    this.order = Uint32Array.from(this.almost(rows).sort((a, b) => sign * (keys[a] - keys[b]) || a - b));
  }

  /** Rows as they were ordered, and then the new ones: what is almost in order is sorted quickly. @param {Uint32Array} rows */
  almost(rows) {
    const wanted = new Uint8Array(this.app.model.rows);
    for (const row of rows) wanted[row] = 1;
    /** @type {number[]} */
    const found = [];
    for (const list of [this.order, rows]) {
      for (const row of list) {
        if (wanted[row] !== 1) continue;
        wanted[row] = 0;
        found.push(row);
      }
    }
    return found;
  }

  /** @param {string} name */
  sortBy(name) {
    const large = COLUMNS.some((column) => column.name === name && column.kind === "n");
    this.sort = { name, down: this.sort.name === name ? !this.sort.down : large };
    this.grid.scrollTop = 0;
    keepingFocus(this.root, () => this.draw());
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.fill();
    });
  }

  /** How many rows can be seen. */
  visible() {
    return Math.ceil(this.grid.clientHeight / LINE) + 2;
  }

  /** The first row that can be seen. */
  first() {
    const most = Math.max(0, this.order.length - Math.floor((this.grid.clientHeight - LINE) / LINE));
    const room = Math.max(1, this.height + LINE - this.grid.clientHeight);
    if (this.height < TALLEST) return Math.floor(this.grid.scrollTop / LINE);
    return Math.floor((this.grid.scrollTop / room) * most);
  }

  fill() {
    const { model } = this.app;
    if (this.from === null) return;
    const first = Math.max(0, Math.min(this.first(), this.order.length - 1));
    const columns = this.columns();
    const lines = Array.from(this.order.subarray(first, first + this.visible()), (row, nth) => this.line(model, columns, row, first + nth));
    replace(this.body, ...lines);
    if (this.order.length === 0) append(this.body, html("p", { class: "none" }, "No connections match."));
    const whole = this.height < TALLEST;
    this.body.style.transform = `translateY(${whole ? first * LINE : this.grid.scrollTop}px)`;
  }

  /** @param {Model} model @param {Column[]} columns @param {number} row @param {number} place */
  line(model, columns, row, place) {
    const isOpen = this.app.question.open === model.id[row];
    return html("div", {
      role: "row", class: `grid-row${hasFailed(model, row) ? " failed" : ""}${place === this.at ? " at" : ""}${isOpen ? " open" : ""}`,
      "aria-rowindex": place + 2, "aria-selected": String(place === this.at),
      click: () => { this.at = place; this.open(row); this.later(); },
    }, ...columns.map((column) => html("span", { role: "gridcell", class: column.kind ?? "" }, ...column.cell(model, row))));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const page = Math.max(1, this.visible() - 3);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -this.order.length, End: this.order.length };
    if (event.target !== this.grid) return;
    if (event.key === "Enter" && this.at < this.order.length) this.open(this.order[this.at]);
    else if (event.key in steps) this.go(this.at + steps[event.key]);
    else return;
    event.preventDefault();
  }

  /** Makes a row the one that keys refer to, and shows it. @param {number} place */
  go(place) {
    this.at = Math.max(0, Math.min(this.order.length - 1, place));
    const [first, seen] = [this.first(), this.visible() - 4];
    if (this.at < first || this.at > first + seen) {
      const top = this.at < first ? this.at : this.at - seen;
      const most = Math.max(1, this.order.length - seen);
      const room = Math.max(1, this.height + LINE - this.grid.clientHeight);
      this.grid.scrollTop = this.height < TALLEST ? top * LINE : (top / most) * room;
    }
    this.fill();
  }

  /** The row a number of places from another. @param {number} row @param {number} step @returns {number | null} */
  neighbour(row, step) {
    if (this.order[this.at] !== row) this.at = this.order.indexOf(row);
    const place = this.at + step;
    if (place < 0 || place >= this.order.length) return null;
    this.go(place);
    return this.order[place];
  }

  /** The first rows as a plain table, for paper. */
  paper() {
    const { model } = this.app;
    const columns = this.columns();
    const head = html("tr", {}, ...columns.map((column) => html("th", { scope: "col", class: column.kind === "n" ? "n" : "" }, column.head)));
    const rows = Array.from(this.order.subarray(0, PAPER_ROWS), (row) => html("tr", {}, ...columns.map((column) => html("td", { class: column.kind ?? "" }, ...column.cell(model, row)))));
    const rest = this.order.length - rows.length;
    const asked = askedText(this.app.question);
    return html("div", { class: "paper" }, html("h2", {}, "Connections"), html("p", {}, asked === "" ? "All of them." : `Filtered by: ${asked}`), html("table", {}, html("thead", {}, head), html("tbody", {}, ...rows)),
      rest > 0 ? html("p", { class: "rest" }, `${grouped(rest)} more in the file.`) : null);
  }
}
