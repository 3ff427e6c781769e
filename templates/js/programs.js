// @ts-check
// The processes: who they are, what they moved, and when.

import { byId, html, replace, svg } from "./dom.js";
import { bytesText, count, grouped } from "./format.js";
import { peersOf, processName, sums } from "./groups.js";
import { termOf } from "./state.js";
import { eachStep, widened } from "./steps.js";

/** @typedef {import("./app.js").App} App */

const POINTS = 48;
const STEP = 25;

export class Programs {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.root = byId("programs");
    this.most = STEP;
    this.body = html("tbody");
    const heads = ["Process", "PID", "User", "Where it runs", "Connections", "Sent", "Received", "Peers", "Over time"];
    this.more = html("button", { type: "button", class: "more-bars", click: () => { this.most *= 2; this.draw(); } });
    this.root.append(html("div", { class: "scroll card", tabindex: 0, role: "region", "aria-labelledby": "programs-head" },
      html("table", { class: "programs" }, html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col", class: ["PID", "Connections", "Sent", "Received", "Peers"].includes(head) ? "n" : "" }, head)))), this.body)), this.more);
    this.root.hidden = false;
  }

  draw() {
    const { model, rows, question } = this.app;
    const found = sums(model, rows, (_, process) => process, model.processes.length);
    const peers = peersOf(model, rows, (_, process) => process, model.processes.length);
    /** @type {(sum: import("./groups.js").Sum) => number} */
    const of = { bytes: (/** @type {any} */ s) => s.tx + s.rx, connections: (/** @type {any} */ s) => s.connections, peers: (/** @type {any} */ s) => peers[s.key] }[question.measure];
    found.sort((a, b) => of(b) - of(a));
    const shown = found.slice(0, this.most);
    const lines = this.lines(new Set(shown.map((sum) => sum.key)));
    replace(this.body, ...shown.map((sum) => {
      const p = model.processes[sum.key];
      const name = processName(p);
      const where = p.containerShown || p.unit || "";
      const ask = (/** @type {string} */ field, /** @type {string} */ value, /** @type {string} */ text) =>
        html("button", { type: "button", class: "link", "data-key": `${sum.key} ${field}`, title: `Show only ${termOf(field, value)}; Alt-click excludes it`, click: (/** @type {MouseEvent} */ event) => this.app.toggle(field, value, event.altKey) }, text);
      return html("tr", {}, html("th", { scope: "row" }, html("b", {}, ask("proc", name, name)), p.state ? html("span", { class: "tag bad" }, p.state) : null, p.kernel ? html("span", { class: "tag" }, "kernel") : null,
        html("span", { class: "exe" }, p.exe), html("span", { class: "cmd" }, p.cmdline)),
      html("td", { class: "n" }, ask("pid", String(p.pid), String(p.pid))), html("td", {}, p.user ?? `uid ${p.uid}`), html("td", {}, where),
      html("td", { class: "n" }, grouped(sum.connections), sum.failed ? html("small", { class: "bad" }, `${grouped(sum.failed)} failed`) : null),
      html("td", { class: "n", title: `${grouped(sum.tx)} bytes` }, bytesText(sum.tx)), html("td", { class: "n", title: `${grouped(sum.rx)} bytes` }, bytesText(sum.rx)),
      html("td", { class: "n" }, grouped(peers[sum.key])), html("td", { class: "spark" }, spark(lines.get(sum.key) ?? new Float64Array(1))));
    }));
    if (shown.length === 0) replace(this.body, html("tr", {}, html("td", { colspan: 9, class: "none" }, "No connections match.")));
    const rest = found.length - shown.length;
    this.more.hidden = rest <= 0;
    replace(this.more, `${count(rest, "more process", "more processes")}`);
  }

  /** Bytes over the time chosen, in points of whole steps. @param {Set<number>} wanted */
  lines(wanted) {
    const { model, whole, rows, time } = this.app;
    const [start, to] = widened(whole, time ?? model.window);
    const length = Math.max(1, Math.ceil((to - start) / whole.step / POINTS)) * whole.step;
    const count = Math.max(1, Math.ceil((to - start) / length));
    /** @type {Map<number, Float64Array>} */
    const found = new Map([...wanted].map((process) => [process, new Float64Array(count)]));
    for (const row of rows) {
      const shares = whole.shares.get(row);
      if (!shares && !found.has(model.owner[row])) continue;
      eachStep(whole, row, (at, tx, rx, share) => {
        const points = found.get(shares ? shares[share].process : model.owner[row]);
        const point = Math.floor((at - start) / length);
        if (points && point >= 0 && point < count && at < to) points[point] += tx + rx;
      });
    }
    return found;
  }
}

/** A bar for each point. @param {Float64Array} points */
function spark(points) {
  const most = Math.max(1, ...points);
  const line = Array.from(points, (n, at) => `${at === 0 ? "M0 " : "V"}${(15 - (14 * n) / most).toFixed(1)}H${at + 1}`).join("");
  return svg("svg", { viewBox: `0 0 ${points.length} 16`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "area", d: `${line}V16H0z` }), svg("path", { class: "line", d: line }));
}
