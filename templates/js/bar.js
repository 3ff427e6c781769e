// @ts-check
// The bar at the top: the question as text and as chips, the time as a histogram to brush, and what it chooses.

import { byId, download, html, replace, svg } from "./dom.js";
import { askedText, intervalText, nearText } from "./asked.js";
import { bytesText, count, durationText, grouped } from "./format.js";
import { csvParts } from "./csv.js";
import { hasFailed, total } from "./groups.js";
import { widened } from "./steps.js";
import { FIELDS } from "./query/fields.js";
import { axisText, timeWord } from "./format.js";

/** @typedef {import("./app.js").App} App */

const BINS = 240;
const HEIGHT = 40;
const FRAMES = 120;
/** The rules that were for dark once. @type {Set<CSSMediaRule>} */
const darkRules = new Set();

export class Bar {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.always = true;
    this.root = byId("ask");
    this.input = html("input", {
      type: "search", id: "query", autocomplete: "off", spellcheck: "false", list: "fields", "aria-describedby": "fault",
      placeholder: "Filter: proc:curl country:DE,HK port:443 bytes>1M -org:google", "aria-label": "Filter connections",
      input: () => this.later(), keydown: (/** @type {KeyboardEvent} */ event) => this.key(event),
    });
    const fields = html("datalist", { id: "fields" }, ...FIELDS.map((field) => html("option", { value: `${field.name}:` }, field.about)));
    this.count = html("output", { class: "count", role: "status", "aria-live": "polite" });
    this.fault = html("p", { id: "fault", class: "fault", hidden: true });
    this.chips = html("ul", { class: "chips", "aria-label": "Filter" });
    this.bars = svg("svg", { class: "brush", viewBox: `0 0 ${BINS} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.shade = svg("rect", { class: "window", y: 0, height: HEIGHT, width: 0 });
    this.play = html("button", { type: "button", class: "play", title: "Play the time", "aria-label": "Play the time", click: () => this.toggleplay() }, "▶");
    this.range = html("p", { class: "range" });
    this.legend = html("p", { class: "legend-bars" });
    this.timer = 0;
    this.typed = "";
    /** @type {number | undefined} */
    this.playing = undefined;
    const brush = html("div", {
      class: "brush-box", tabindex: 0, role: "group", "aria-label": "Time: drag to select an interval, arrow keys move it, Escape clears it",
      keydown: (/** @type {KeyboardEvent} */ event) => this.brushKey(event), pointerdown: (/** @type {PointerEvent} */ event) => this.drag(event),
    }, this.bars);
    this.box = brush;
    /** What is asked, for paper, where the bar is not. */
    this.printed = html("p", { class: "print-note asked" });
    byId("map").before(this.printed);
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {(event: Event) => void} */ click) =>
      html("button", { type: "button", title, click }, text);
    const link = button("Copy link", "Copy a link to this view", () => this.copy(link));
    const tools = html("div", { class: "tools" },
      this.measures(), link,
      button("CSV", "Save the connections shown as CSV", () => download("connections.csv", "text/csv", csvParts(app.model, app.rows))),
      button("◐", "Light or dark", () => theme()));
    replace(this.root, html("div", { class: "wrap" },
      html("div", { class: "row" }, this.input, fields, this.count, tools), this.fault, this.chips,
      html("div", { class: "row time" }, this.play, html("div", { class: "histogram" }, brush, this.legend), this.range)));
    this.root.hidden = false;
    const top = this.root.parentElement;
    // Links go to below the bar, however high it is.
    const reach = () => document.documentElement.style.setProperty("--reach", `${top && getComputedStyle(top).position === "sticky" ? top.offsetHeight : 0}px`);
    if (top) new ResizeObserver(reach).observe(top);
    window.addEventListener("keydown", (event) => {
      if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
        event.preventDefault();
        this.input.focus();
      }
    });
  }

  measures() {
    const select = html("select", {
      "aria-label": "Measure of bars and shades",
      change: () => this.app.ask({ measure: /** @type {any} */ (select.value) }),
    }, html("option", { value: "bytes" }, "by bytes"), html("option", { value: "connections" }, "by connections"), html("option", { value: "peers" }, "by peers"));
    this.measure = select;
    return select;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.read(), 120);
  }

  /** Asks what is typed. */
  read() {
    clearTimeout(this.timer);
    this.typed = this.input.value.trim();
    this.app.ask({ filter: this.typed }, "going");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Enter") this.read();
    if (event.key === "Escape") this.app.ask({ filter: "" });
  }

  /** @param {HTMLButtonElement} button */
  async copy(button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      replace(button, "Copied");
    } catch {
      replace(button, "Copy it from the address bar");
    }
    setTimeout(() => replace(button, before), 1500);
  }

  draw() {
    const { app } = this;
    const { model, rows, question, fault } = app;
    // What is being typed stays, unless the filter was changed elsewhere.
    if (question.filter !== this.typed) {
      this.typed = question.filter;
      this.input.value = question.filter;
    }
    if (this.measure) this.measure.value = question.measure;
    const { tx, rx } = total(model, rows);
    const every = model.order.length;
    const all = rows.length === every;
    replace(this.count, html("b", {}, grouped(rows.length)), all ? ` ${every === 1 ? "connection" : "connections"}` : ` of ${grouped(every)}`, html("span", {}, bytesText(tx + rx)));
    this.fault.hidden = fault === null;
    replace(this.fault, fault === null ? "" : `${fault.sentence()} — still showing ${app.valid === "" ? "everything" : app.valid}`);
    this.input.setAttribute("aria-invalid", String(fault !== null));
    const asked = askedText({ ...question, time: question.time && app.time });
    replace(this.printed, asked === "" ? null : `What follows is ${grouped(rows.length)} of ${count(every, "connection", "connections")}, filtered by: ${asked}`);
    this.drawChips();
    this.drawBars();
  }

  drawChips() {
    const { app } = this;
    const { time, near } = app.question;
    const terms = app.terms();
    const chip = (/** @type {string} */ text, /** @type {() => void} */ remove, kind = "") => html("li", { class: kind },
      html("span", {}, text), html("button", { type: "button", "data-key": text, "aria-label": `Remove ${text}`, click: () => { this.stop(); remove(); } }, "×"));
    const found = terms.map((term, nth) =>
      chip(term, () => app.ask({ filter: terms.filter((_, other) => other !== nth).join(" ") }), term.startsWith("-") ? "not" : ""));
    if (time) found.push(chip(intervalText(app.time ?? time), () => app.ask({ time: null }), "when"));
    if (near) found.push(chip(nearText(near), () => app.ask({ near: null }), "when"));
    if (found.length > 1) found.push(html("li", { class: "clear" }, html("button", { type: "button", click: () => { this.stop(); app.ask({ filter: "", time: null, near: null }); } }, "Clear all")));
    replace(this.chips, ...found);
    this.chips.hidden = found.length === 0;
  }

  drawBars() {
    const { app } = this;
    const { whole: model, anytime } = app;
    const [from, to] = this.span();
    const scale = BINS / Math.max(1, to - from);
    const [opened, bad] = [new Float64Array(BINS), new Float64Array(BINS)];
    for (let i = 0; i < anytime.length; i += 1) {
      const row = anytime[i];
      const bin = Math.max(0, Math.min(BINS - 1, Math.floor((model.base + model.opened[row] / 1e6 - from) * scale)));
      opened[bin] += 1;
      if (hasFailed(model, row)) bad[bin] += 1;
    }
    const most = Math.max(1, ...opened);
    const path = (/** @type {Float64Array} */ bins) => bins.reduce((text, n, bin) => {
      if (n === 0) return text;
      const height = Math.max(1.5, ((n / most) * (HEIGHT - 2)));
      return `${text}M${bin} ${HEIGHT}v-${height.toFixed(1)}h.8v${height.toFixed(1)}z`;
    }, "");
    replace(this.bars, svg("path", { class: "opened", d: path(opened) }), svg("path", { class: "failed", d: path(bad) }), this.shade);
    replace(this.legend, html("span", { class: "top" }, `highest bar: ${count(Math.max(0, ...opened), "connection", "connections")} opened in ${durationText(((to - from) / BINS) * 1e6)}`), html("span", { class: "key" }, html("i", { class: "k-opened" }), "opened"), html("span", { class: "key" }, html("i", { class: "k-failed" }), "of these failed"), html("span", { class: "ends" }, ...[from, (from + to) / 2, to].map((ms) => html("time", {}, axisText(ms, from, to)))));
    this.drawWindow(app.time);
  }

  /** @param {[number, number] | null} time */
  drawWindow(time) {
    const [from, to] = this.span();
    const place = (/** @type {number} */ ms) => ((ms - from) / Math.max(1, to - from)) * BINS;
    this.shade.setAttribute("x", String(time ? place(time[0]) : 0));
    this.shade.setAttribute("width", String(time ? Math.max(0.6, place(time[1]) - place(time[0])) : 0));
    replace(this.range, intervalText(time ?? [from, to]), html("span", {}, time ? `${durationText((time[1] - time[0]) * 1e6)}, in steps of ${durationText(this.app.whole.step * 1e6)}` : "drag over the bars to select a time"));
  }

  /** What the histogram covers. @returns {[number, number]} */
  span() {
    const { window, base, opened, order } = this.app.model;
    if (order.length === 0) return window;
    // Connections from before the recording would squeeze it, so they stand in the first bar.
    return [Math.min(window[0], Math.max(base, window[0])), Math.max(window[1], window[0] + 1, base + opened[order[order.length - 1]] / 1e6)];
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const rect = this.box.getBoundingClientRect();
    const [from, to] = this.span();
    const at = (/** @type {PointerEvent} */ e) => from + Math.max(0, Math.min(1, (e.clientX - rect.left) / rect.width)) * (to - from);
    const start = at(event);
    this.stop();
    this.box.setPointerCapture(event.pointerId);
    const chosen = (/** @type {PointerEvent} */ e) => /** @type {[number, number]} */ ([start, at(e)].sort((a, b) => a - b));
    const move = (/** @type {PointerEvent} */ e) => this.drawWindow(widened(this.app.whole, chosen(e)));
    const up = (/** @type {PointerEvent} */ e) => {
      this.box.removeEventListener("pointermove", move);
      const time = chosen(e);
      this.app.ask({ time: time[1] - time[0] < (to - from) / 400 ? null : time });
    };
    this.box.addEventListener("pointermove", move);
    this.box.addEventListener("pointerup", up, { once: true });
  }

  /** @param {KeyboardEvent} event */
  brushKey(event) {
    const [from, to] = this.span();
    const [start, end] = this.app.question.time ?? [from, from + (to - from) / 10];
    const step = ((event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0) * (to - from)) / 50;
    if (event.key !== "Escape" && step === 0) return;
    this.stop();
    const by = Math.max(from - start, Math.min(to - end, step));
    if (event.key === "Escape") this.app.ask({ time: null });
    else this.app.ask({ time: event.shiftKey ? [start, Math.max(start + 1, Math.min(to, end + step))] : [start + by, end + by] }, "going");
    event.preventDefault();
  }

  /** A window of a tenth, or of the chosen length, moves over the time. */
  toggleplay() {
    if (this.playing) {
      this.stop();
      return;
    }
    const [from, to] = this.span();
    const [start, end] = this.app.question.time ?? [from, from + (to - from) / 10];
    const length = end - start;
    let frame = start >= to - length ? 0 : Math.round(((start - from) / (to - from)) * FRAMES);
    this.naming("❚❚", "Pause the time");
    this.playing = window.setInterval(() => {
      const at = from + ((to - from) * frame) / FRAMES;
      if (at + length / 2 > to) this.stop();
      else this.app.ask({ time: [at, at + length] }, "passing");
      frame += 1;
    }, 100);
  }

  /** What is shown then stands in the address too. */
  stop() {
    if (this.playing === undefined) return;
    clearInterval(this.playing);
    this.playing = undefined;
    this.naming("▶", "Play the time");
    this.app.ask({});
  }

  /** @param {string} sign @param {string} title */
  naming(sign, title) {
    replace(this.play, sign);
    this.play.title = title;
    this.play.setAttribute("aria-label", title);
  }
}

/** Turns to the other theme: the rules for dark are made to hold always, or never. */
function theme() {
  const root = document.documentElement;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  root.style.colorScheme = root.dataset.theme;
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (rule instanceof CSSMediaRule && (rule.conditionText.includes("prefers-color-scheme") || darkRules.has(rule))) {
        darkRules.add(rule);
        rule.media.mediaText = dark ? "not all" : "screen";
      }
    }
  }
}

/** The words for a number of rows. @param {number} n */
export const connectionsText = (n) => count(n, "connection", "connections");

/** A term that chooses an interval. @param {number} from @param {number} to */
export const timeTerms = (from, to) => `since:${timeWord(from)} until:${timeWord(to)}`;
