// @ts-check
// Everything about one connection, and where each name came from.

import { FLAGS, KINDS, REMARKS, SOURCES } from "./columns.js";
import { append, html, replace } from "./dom.js";
import { arrow, askedFor, closedText, countryText, directionText, endWords, figureText, hostOf, localText, openedText, ownerOf, remoteText, rowOf } from "./facts.js";
import { amountText, bytesText, count, durationText, idText, stamp } from "./format.js";
import { termOf } from "./state.js";
import { processName } from "./groups.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./model.js").Process} Process */

export class Drawer {
  /** @param {App} app @param {(row: number, step: number) => number | null} neighbour */
  constructor(app, neighbour) {
    this.app = app;
    this.neighbour = neighbour;
    this.always = true;
    /** The connection that is shown. @type {number | null} */
    this.id = null;
    this.changed = false;
    /** More to say of a row, where there is more. @type {((model: import("./model.js").Model, row: number) => Node[]) | null} */
    this.more = null;
    this.body = html("div", { class: "drawer-body" });
    this.root = html("aside", { class: "drawer", role: "dialog", "aria-label": "A connection", tabindex: -1, hidden: true, keydown: (/** @type {KeyboardEvent} */ event) => this.key(event) }, this.body);
    document.body.append(this.root);
  }

  renew() {
    this.changed = true;
  }

  draw() {
    const { open } = this.app.question;
    if (open === null) {
      this.close();
      return;
    }
    const row = rowOf(this.app.model, open);
    if (row < 0) {
      this.close();
      return;
    }
    if (open !== this.id) this.show(row);
    else if (this.changed) this.again(row);
    this.changed = false;
  }

  /** Shows the same connection with other data, unless nothing differs or somebody marks text in it. @param {number} row */
  again(row) {
    const marked = getSelection();
    if (marked && !marked.isCollapsed && this.root.contains(marked.anchorNode)) return;
    const next = html("div", { class: "drawer-body" }, ...this.sections(row));
    if (next.textContent === this.body.textContent) return;
    const { scrollTop } = this.root;
    this.body.replaceWith(next);
    this.body = next;
    this.root.scrollTop = scrollTop;
  }

  /** @param {number} row */
  show(row) {
    this.id = this.app.model.id[row];
    if (this.root.hidden) this.before = /** @type {HTMLElement | null} */ (document.activeElement);
    this.root.hidden = false;
    replace(this.body, ...this.sections(row));
    this.root.scrollTop = 0;
    this.root.focus({ preventScroll: true });
  }

  close() {
    if (this.root.hidden) return;
    this.root.hidden = true;
    this.id = null;
    this.before?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") this.app.ask({ open: null });
    else if (step) this.step(step);
    else return;
    event.preventDefault();
  }

  /** @param {number} row */
  sections(row) {
    const { app } = this;
    const m = app.model;
    const all = m.whole ?? m;
    const owner = ownerOf(m, row);
    const endpoint = m.endpoints[m.remote[row]];
    const names = m.nameSets[m.names[row]];
    const hits = m.hitSets[m.hits[row]];
    const flags = m.flags[row];
    const asked = askedFor(m, row);
    const figure = (/** @type {import("./columns.js").FactFigure} */ name) => figureText(m, row, name);
    const ask = (/** @type {string} */ field, /** @type {string | number} */ value) => html("button", { type: "button", class: "ask", title: `Show only ${termOf(field, String(value))}`, click: () => app.toggle(field, String(value)) }, "only");
    const head = html("header", {}, html("p", { class: "kicker" }, `Connection ${idText(m.id[row])}`),
      html("h2", {}, owner ? processName(owner) : "unknown", html("span", {}, ` ${arrow(m, row)} `), hostOf(names) ?? endpoint.ip),
      html("p", { class: "drawer-tools" },
        html("button", { type: "button", title: "Earlier (k)", click: () => this.step(-1) }, "↑"), html("button", { type: "button", title: "Later (j)", click: () => this.step(1) }, "↓"),
        html("button", { type: "button", title: "Close (Esc)", "aria-label": "Close", click: () => app.ask({ open: null }) }, "×")));
    const traffic = list([
      ["Sent", callsText(all.tx[row], m.txCalls[row])], ["Received", callsText(all.rx[row], m.rxCalls[row])],
      ["Within the chosen time", m.whole ? `${bytesText(m.tx[row])} sent, ${bytesText(m.rx[row])} received` : null],
      ["Kernel’s totals", flags & FLAGS.kernel ? `${figure("kernelTx")} sent, ${figure("kernelRx")} received` : null],
      ["On the wire", flags & FLAGS.wire ? `${figure("wireTx")} in ${figure("wireTxPackets")} sent, ${figure("wireRx")} in ${figure("wireRxPackets")} received` : null],
      ["Retransmitted", m.retransmits[row] ? `${figure("retransmits")}, ${figure("retransmitted")}` : null],
      ["Round trip", figure("rtt")],
      ["Not exact", m.inexactReasons[m.inexact[row]] || null],
    ]);
    const shares = all.shares.get(row) ?? [];
    return [
      head,
      list([
        ["Asked for", asked ? `${asked}, ${REMARKS.asked}` : null],
        ["Opened", openedText(m, row)], ["Closed", closedText(m, row) || (m.end[row] === m.open ? "still open" : "not seen")], ["Lasted", durationText(m.lasted[row])],
        ["End", endWords(m, row)], ["Protocol", [m.protos[m.proto[row]], ` ${directionText(m, row)}`]], ["Local", localText(m, row)],
        ["Remote", [remoteText(m, row), " ", ask("ip", endpoint.ip)]], ["Service", m.serviceNames[m.service[row]] || null],
        ["Before the recording", flags & FLAGS.preexisting ? `${REMARKS.preexisting}; earlier bytes are not counted` : null], ["Subflow", flags & FLAGS.subflow ? REMARKS.subflow : null],
        ["Label", m.labels[m.label[row]].name || null],
      ]),
      html("h3", {}, "Traffic"), traffic,
      ...(shares.length ? [html("h3", {}, "Processes"), html("ul", { class: "shares" }, ...shares.map((share) =>
        html("li", {}, html("b", {}, processName(m.processes[share.process])), ` ${m.processes[share.process].pid}`, html("span", {}, `${bytesText(share.tx)} sent, ${bytesText(share.rx)} received`))))] : []),
      html("h3", {}, "Where"), list([
        ["Kind", KINDS.get(endpoint.kind) ?? endpoint.kind],
        ["Country", endpoint.country ? [countryText(m, endpoint.country), " ", ask("country", endpoint.country)] : null],
        ["City", endpoint.city], ["Network", endpoint.asn === null && !endpoint.org ? null : [`${endpoint.asn === null ? "" : `AS${endpoint.asn} `}${endpoint.org ?? ""}`, " ", endpoint.asn === null ? null : ask("asn", endpoint.asn)]],
      ]),
      ...(names.length ? [html("h3", {}, "Names"), html("ul", { class: "names" }, ...names.map((name, nth) => html("li", {}, html("b", {}, name.name), " ", ask("host", name.name),
        html("span", {}, `${SOURCES.get(name.source) ?? name.source}${name.process === null ? "" : `, ${processName(m.processes[name.process])} ${m.processes[name.process].pid}`}, ${stamp(m.base, m.opened[row] + 1000 * (nth === 0 ? m.named[row] : (m.moreNamed.get(row)?.[nth - 1] ?? 0)))}`))))] : []),
      ...(hits.length ? [html("h3", {}, "Indicators"), html("ul", { class: "names" }, ...hits.map((hit) => html("li", { class: "bad" }, html("b", {}, hit.indicator), html("span", {}, `${hit.kind} on ${hit.list}`))))] : []),
      html("h3", {}, "Process"), owner ? this.process(owner, ask) : html("p", {}, "Process unknown."),
      ...(this.more?.(m, row) ?? []),
    ];
  }

  /** On to the connection so many places away. What is asked counts, not what is drawn: keys can be faster. @param {number} step */
  step(step) {
    const { open } = this.app.question;
    if (open === null) return;
    const next = this.neighbour(rowOf(this.app.model, open), step);
    if (next !== null) this.app.ask({ open: this.app.model.id[next] }, "going");
  }

  /** @param {Process} p @param {(field: string, value: string | number) => Node} ask */
  process(p, ask) {
    const { processes } = this.app.model;
    const chain = [];
    for (let at = p.parent; at !== null && at !== undefined && chain.length < 40; at = processes[at].parent) chain.push(processes[at]);
    const box = html("div", {}, list([
      ["PID", [p.pid, " ", ask("pid", p.pid)]], ["Started", p.started], ["Executable", [p.exe || "unknown", p.state ? ` (${p.state})` : "", " ", p.exe ? ask("exe", p.exe) : null]],
      ["SHA-256", p.sha256 ?? (p.unhashed ? `not hashed: ${p.unhashed}` : null)], ["Command line", p.cmdline ? [p.cmdline, p.redacted ? html("span", { class: "tag" }, "secrets redacted") : null] : null],
      ["Working folder", p.cwd || null], ["User", [`${p.user ?? p.uid}${p.euid === p.uid ? "" : `, effective ${p.euid}`}`, " ", ask("user", p.user ?? p.uid)]],
      ["Login session", p.session], ["Unit", p.unit ? [p.unit, " ", ask("unit", p.unit)] : null], ["Container", p.containerShown || null], ["Pod", p.pod], ["Control group", p.cgroup || null],
    ]));
    if (chain.length) append(box, html("h3", {}, "Started by"), html("ol", { class: "chain" }, ...chain.map((one) => html("li", {}, html("b", {}, processName(one)), ` ${one.pid} `, html("span", {}, one.exe)))));
    return box;
  }
}

/** @param {number} bytes @param {number} calls */
const callsText = (bytes, calls) => `${amountText(bytes)} in ${count(calls, "call", "calls")}`;

/** A list of what is known. @param {[string, import("./dom.js").Child | import("./dom.js").Child[]][]} facts */
function list(facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html("dl", {}, ...known.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, ...(Array.isArray(value) ? value : [value])))));
}
