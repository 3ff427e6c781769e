// @ts-check
// Ranked bars: where, who, what. A click asks for one, with Alt it leaves one out.

import { DIRECTION_WORDS, KINDS } from "./columns.js";
import { byId, html, keepingFocus, replace, svg } from "./dom.js";
import { countryText } from "./facts.js";
import { bytesText, count, grouped } from "./format.js";
import { coding, peersOf, processName, sums } from "./groups.js";
import { DIRECTIONS, ENDS } from "./query/entries.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {{title: string, name: string, field: string, codes: import("./groups.js").Code, words: readonly string[], shown: (word: string) => string, value: (word: string) => string | null}} Kind */

const BARS = 8;

export class Breakdown {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId("breakdowns");
    /** Made when they are first drawn. @type {Kind[] | null} */
    this.kinds = null;
    /** @type {Set<string>} */
    this.whole = new Set();
    this.body = html("div", { class: "breakdowns" });
    this.root.append(this.body);
    this.root.hidden = false;
  }

  renew() {
    this.kinds = null;
  }

  draw() {
    this.kinds ??= kinds(this.app.model);
    replace(this.body, ...this.kinds.map((kind) => this.card(kind)));
  }

  /** @param {Kind} kind */
  card(kind) {
    const { app } = this;
    const { measure } = app.question;
    const peers = measure === "peers" ? peersOf(app.model, app.rows, kind.codes, kind.words.length) : null;
    const of = (/** @type {import("./groups.js").Sum} */ sum) =>
      peers ? peers[sum.key] : measure === "bytes" ? sum.tx + sum.rx : sum.connections;
    const found = sums(app.model, app.rows, kind.codes, kind.words.length).sort((a, b) => of(b) - of(a) || b.connections - a.connections);
    const most = Math.max(1, ...found.map(of));
    const all = this.whole.has(kind.name);
    const shown = all ? found.slice(0, 200) : found.slice(0, BARS);
    const terms = new Set(app.terms());
    const lines = shown.map((sum) => {
      const word = kind.words[sum.key];
      const value = kind.value(word);
      const figure = measure === "bytes" ? bytesText(of(sum)) : grouped(of(sum));
      const bar = svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { class: "ground", width: 100, height: 6 }), ...pieces(sum, measure, (of(sum) / most) * 100));
      const title = `${kind.shown(word)}: ${count(sum.connections, "connection", "connections")}${sum.failed ? `, ${grouped(sum.failed)} failed` : ""}, ${bytesText(sum.tx)} sent, ${bytesText(sum.rx)} received`;
      const inside = [html("span", { class: "word" }, kind.shown(word)), html("span", { class: "figure" }, figure), bar];
      if (value === null) return html("li", { title }, html("div", { class: "rank" }, ...inside));
      const term = `${kind.field}:${value}`;
      return html("li", { title }, html("button", {
        type: "button", class: "rank", "data-key": term, "aria-pressed": String(terms.has(term)),
        click: (/** @type {MouseEvent} */ event) => app.toggle(kind.field, value, event.altKey),
      }, ...inside));
    });
    const rest = found.length - shown.length;
    const more = rest > 0 || all
      ? html("button", { type: "button", class: "more-bars", "data-key": `more ${kind.name}`, click: () => { if (all) this.whole.delete(kind.name); else this.whole.add(kind.name); keepingFocus(this.root, () => this.draw()); } }, all ? "Fewer" : `${grouped(rest)} more`)
      : null;
    return html("section", { class: "card breakdown", "aria-label": kind.title },
      html("h3", {}, kind.title, html("span", {}, grouped(found.length))),
      found.length ? html("ol", {}, ...lines) : html("p", { class: "none" }, "No connections match."), more);
  }
}

/** @param {import("./groups.js").Sum} sum @param {string} measure @param {number} width */
function pieces(sum, measure, width) {
  const whole = sum.tx + sum.rx;
  if (measure === "bytes") {
    const tx = whole > 0 ? (sum.tx / whole) * width : 0;
    return [svg("rect", { class: "tx", width: tx.toFixed(2), height: 6 }), svg("rect", { class: "rx", x: tx.toFixed(2), width: (width - tx).toFixed(2), height: 6 })];
  }
  if (measure === "connections" && sum.failed > 0) {
    const bad = (sum.failed / sum.connections) * width;
    return [svg("rect", { class: "rx", width: (width - bad).toFixed(2), height: 6 }), svg("rect", { class: "failed", x: (width - bad).toFixed(2), width: bad.toFixed(2), height: 6 })];
  }
  return [svg("rect", { class: "rx", width: width.toFixed(2), height: 6 })];
}

/** @param {Model} model @returns {Kind[]} */
function kinds(model) {
  const same = (/** @type {string} */ word) => word;
  const country = coding(model.endpoints, (one) => (one.kind === "public" ? (one.country ?? "") : `-${one.kind}`));
  const process = coding(model.processes, processName);
  const port = ports(model);
  return [
    {
      title: "Countries", name: "country", field: "country", words: country.words, codes: (row) => country.codes[model.remote[row]],
      shown: (word) => (word === "" ? "unknown" : word.startsWith("-") ? (KINDS.get(word.slice(1)) ?? word) : countryText(model, word)),
      value: (word) => (word === "" || word.startsWith("-") ? null : word),
    },
    {
      title: "Processes", name: "proc", field: "proc", words: process.words, codes: (_, one) => (one < 0 ? -1 : process.codes[one]),
      shown: same, value: same,
    },
    {
      title: "Ports", name: "port", field: "port", words: port.words, codes: (row) => port.codes[model.port[row]],
      shown: (word) => (word === "0" ? "no port" : `${word} ${port.usual.get(word) ?? ""}`.trim()), value: same,
    },
    {
      title: "Services", name: "service", field: "service", words: model.services, codes: (row) => model.service[row],
      shown: (word) => word || "unknown", value: (word) => word || null,
    },
    { title: "How they ended", name: "end", field: "end", words: ENDS, codes: (row) => model.end[row], shown: same, value: same },
    { title: "Protocols", name: "proto", field: "proto", words: model.protos, codes: (row) => model.proto[row], shown: same, value: same },
    {
      title: "Directions", name: "dir", field: "dir", words: DIRECTIONS, codes: (row) => model.direction[row],
      shown: (word) => DIRECTION_WORDS[DIRECTIONS.indexOf(word)] ?? word, value: same,
    },
    {
      title: "Users", name: "user", field: "user", ...userCodes(model), shown: same, value: same,
    },
  ];
}

/** The ports of a page, and the service of the first row of each. @param {Model} model */
function ports(model) {
  const codes = new Int32Array(65_536).fill(-1);
  /** @type {Map<string, string>} */
  const usual = new Map();
  for (const row of model.order) {
    const port = model.port[row];
    if (codes[port] >= 0) continue;
    codes[port] = usual.size;
    usual.set(String(port), model.services[model.service[row]]);
  }
  return { codes, words: [...usual.keys()], usual };
}

/** @param {Model} model */
function userCodes(model) {
  const { codes, words } = coding(model.processes, (process) => process.user ?? String(process.uid));
  return { words, codes: (/** @type {number} */ _, /** @type {number} */ one) => (one < 0 ? -1 : codes[one]) };
}
