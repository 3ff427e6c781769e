// @ts-check
// Nested groups: rows in groups, groups in groups, opened level by level.

import { KINDS } from "./columns.js";
import { byId, html, keepingFocus, replace, svg } from "./dom.js";
import { hostOf } from "./facts.js";
import { bytesText, grouped } from "./format.js";
import { byBytes, eachPart, processName, sums } from "./groups.js";
import { termOf } from "./state.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {{name: string, of: (model: Model, row: number, process: number) => string, term?: (word: string) => [string, string] | null}} Level */

/** The part of a name that somebody registered, as well as that can be told without a list: its last two labels. @param {string} name */
export function domain(name) {
  const labels = name.replace(/\.$/, "").split(".");
  const short = labels.length > 2 && (labels.at(-2) ?? "").length <= 3 && (labels.at(-1) ?? "").length === 2;
  return labels.slice(short ? -3 : -2).join(".");
}

/** The network around an address: 24 bits of IPv4, 48 of IPv6. @param {string} ip @param {bigint} number */
export function around(ip, number) {
  if (!ip.includes(":")) return `${ip.split(".").slice(0, 3).join(".")}.0/24`;
  const words = [112n, 96n, 80n].map((shift) => ((number >> shift) & 0xffffn).toString(16));
  return `${words.join(":")}::/48`;
}

/** @type {(of: (model: Model, process: import("./model.js").Process) => string) => Level["of"]} */
const byProcess = (of) => (model, _, process) => (process < 0 ? "unknown" : of(model, model.processes[process]));
/** @type {Level} */
const PROCESS = { name: "process", of: byProcess((_, p) => processName(p)), term: (word) => ["proc", word] };
/** @type {Level} */
const ADDRESS_LEVEL = { name: "address", of: (m, row) => m.endpoints[m.remote[row]].ip, term: (word) => ["ip", word] };
/** @type {Level} */
const HOST = { name: "name", of: (m, row) => hostOf(m.nameSets[m.names[row]]) ?? "unnamed", term: (word) => (word === "unnamed" ? null : ["host", word]) };

/** @type {Record<string, {title: string, levels: Level[]}>} */
const TREES = {
  domain: { title: "Domain", levels: [{ name: "domain", of: (m, row) => { const name = hostOf(m.nameSets[m.names[row]]); return name ? domain(name) : "unnamed"; }, term: (word) => (word === "unnamed" ? null : ["host", word]) }, HOST, PROCESS] },
  organisation: { title: "Organisation", levels: [{ name: "organisation", of: (m, row) => { const e = m.endpoints[m.remote[row]]; return e.kind !== "public" ? (KINDS.get(e.kind) ?? e.kind) : [e.asn === null ? "" : `AS${e.asn}`, e.org ?? ""].filter(Boolean).join(" ") || "unknown"; }, term: (word) => { const asn = /^AS(\d+)/.exec(word); return asn ? ["asn", asn[1]] : null; } }, ADDRESS_LEVEL, PROCESS] },
  network: { title: "Network", levels: [{ name: "network", of: (m, row) => { const e = m.endpoints[m.remote[row]]; return around(e.ip, e.number); }, term: (word) => ["net", word] }, ADDRESS_LEVEL, PROCESS] },
  process: { title: "Process tree", levels: [{ name: "started by", of: byProcess((m, p) => (p.parent === null || p.parent === undefined ? `${p.ppid || "nobody"}` : `${processName(m.processes[p.parent])} ${m.processes[p.parent].pid}`)) }, { name: "process", of: byProcess((_, p) => `${processName(p)} ${p.pid}`), term: (word) => ["pid", word.split(" ").at(-1) ?? ""] }, HOST, ADDRESS_LEVEL] },
  user: { title: "User", levels: [{ name: "user", of: byProcess((_, p) => p.user ?? String(p.uid)), term: (word) => (word === "unknown" ? null : ["user", word]) }, PROCESS, ADDRESS_LEVEL] },
  container: { title: "Container", levels: [{ name: "container", of: byProcess((_, p) => p.containerShown || "no container") }, PROCESS, ADDRESS_LEVEL] },
  unit: { title: "Unit", levels: [{ name: "unit", of: byProcess((_, p) => p.unit ?? "no unit"), term: (word) => (word === "no unit" || word === "unknown" ? null : ["unit", word]) }, PROCESS, ADDRESS_LEVEL] },
};
const MOST = 40;

export class Nested {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId("groups");
    this.tree = "domain";
    /** Paths that are open. @type {Set<string>} */
    this.opened = new Set();
    /** Groups of which all members are shown. @type {Set<string>} */
    this.whole = new Set();
    this.tabs = Object.entries(TREES).map(([name, { title }]) => html("button", { type: "button", role: "tab", "aria-selected": String(name === this.tree), "data-tree": name, click: () => this.turn(name) }, title));
    this.body = html("tbody");
    this.first = html("th", { scope: "col" });
    this.root.append(html("div", { class: "tabs", role: "tablist", "aria-label": "Group by" }, ...this.tabs),
      html("div", { class: "scroll card" }, html("table", { class: "nested", role: "treegrid", "aria-labelledby": "groups-head" },
        html("thead", {}, html("tr", {}, this.first, html("th", { scope: "col", class: "n" }, "Connections"), html("th", { scope: "col", class: "n" }, "Sent"), html("th", { scope: "col", class: "n" }, "Received"), html("th", { scope: "col" }, html("span", { class: "k-tx" }, "sent"), " ", html("span", { class: "k-rx" }, "received")))), this.body)));
    this.root.hidden = false;
  }

  /** @param {string} name */
  turn(name) {
    this.tree = name;
    this.opened.clear();
    this.whole.clear();
    this.tabs.forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset.tree === name)));
    this.draw();
  }

  draw() {
    const { levels } = TREES[this.tree];
    replace(this.first, levels.map((level) => level.name).join(" › "));
    this.longest = 0;
    replace(this.body, ...this.members(this.app.rows, () => true, 0, ""));
    if (this.app.rows.length === 0) replace(this.body, html("tr", {}, html("td", { colspan: 5, class: "none" }, "No connections match.")));
  }

  /** @param {ArrayLike<number>} rows @param {(row: number, process: number) => boolean} isIn which parts of them are meant @param {number} depth @param {string} path @returns {Node[]} */
  members(rows, isIn, depth, path) {
    const { levels } = TREES[this.tree];
    const level = levels[depth];
    const { model } = this.app;
    // A code for each word, as they are met, and that of each part.
    /** @type {Map<string, number>} */
    const codes = new Map();
    /** @type {{word: string, rows: number[]}[]} */
    const words = [];
    /** @type {number[]} */
    const parts = [];
    eachPart(model, rows, (row, process) => {
      if (!isIn(row, process)) {
        parts.push(-1);
        return;
      }
      const word = level.of(model, row, process);
      const code = codes.get(word) ?? words.push({ word, rows: [] }) - 1;
      codes.set(word, code);
      parts.push(code);
      if (words[code].rows.at(-1) !== row) words[code].rows.push(row);
    });
    let part = 0;
    const sorted = sums(model, rows, () => parts[part++], words.length).map((sum) => ({ ...sum, ...words[sum.key] })).sort(byBytes);
    if (depth === 0) this.longest = sorted.length ? sorted[0].tx + sorted[0].rx : 0;
    const shown = this.whole.has(path) ? sorted : sorted.slice(0, depth === 0 ? MOST : 12);
    const found = shown.flatMap((group) => {
      const own = `${path}\u0000${group.word}`;
      const leaf = depth + 1 >= levels.length;
      const isOpen = !leaf && this.opened.has(own);
      return [this.line(group, level, depth, own, leaf, isOpen), ...(isOpen ? this.members(group.rows, (row, process) => isIn(row, process) && level.of(model, row, process) === group.word, depth + 1, own) : [])];
    });
    if (shown.length < sorted.length) {
      found.push(html("tr", { class: `depth-${depth}` }, html("td", { colspan: 5 }, html("button", { type: "button", class: "more-bars", click: () => { this.whole.add(path); keepingFocus(this.root, () => this.draw()); } }, `${grouped(sorted.length - shown.length)} more`))));
    }
    return found;
  }

  /** @param {{word: string, connections: number, tx: number, rx: number, failed: number}} group @param {Level} level @param {number} depth @param {string} path @param {boolean} leaf @param {boolean} isOpen */
  line(group, level, depth, path, leaf, isOpen) {
    const term = level.term?.(group.word);
    const turn = () => {
      if (isOpen) this.opened.delete(path);
      else this.opened.add(path);
      keepingFocus(this.root, () => this.draw());
    };
    const width = (/** @type {number} */ bytes) => ((bytes / Math.max(1, this.longest ?? 0)) * 100).toFixed(2);
    return html("tr", { class: `depth-${depth}`, "aria-level": depth + 1, "aria-expanded": leaf ? null : String(isOpen) },
      html("th", { scope: "row" }, html("div", {}, leaf ? html("span", { class: "leaf" }) : html("button", { type: "button", class: "turn", "data-key": path, "aria-label": isOpen ? `Close ${group.word}` : `Open ${group.word}`, click: turn }, isOpen ? "▾" : "▸"),
        term ? html("button", { type: "button", class: "link", "data-key": `${path}\u0000`, title: `Show only ${termOf(...term)}; Alt-click excludes it`, click: (/** @type {MouseEvent} */ event) => this.app.toggle(term[0], term[1], event.altKey) }, group.word) : html("span", {}, group.word))),
      html("td", { class: "n" }, grouped(group.connections), group.failed ? html("small", { class: "bad" }, `${grouped(group.failed)} failed`) : null),
      html("td", { class: "n" }, bytesText(group.tx)), html("td", { class: "n" }, bytesText(group.rx)),
      html("td", { class: "flow" }, svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "ground", width: 100, height: 8 }), svg("rect", { class: "tx", width: width(group.tx), height: 8 }), svg("rect", { class: "rx", x: width(group.tx), width: width(group.rx), height: 8 }))));
  }
}
