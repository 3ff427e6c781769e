// @ts-check
// The page of a recording that goes on: changes come from the server, and are shown at most four times a second.

import { html, replace } from "../dom.js";
import { count, timeWord } from "../format.js";
import { readPayload } from "../payload.js";
import { page } from "../main.js";
import { Feed } from "./feed.js";
import { showFigures, showForgotten } from "./figures.js";
import { eventsShown } from "./events.js";
import { Merger } from "./merge.js";
import { Pulses } from "./pulse.js";
import { Top } from "./top.js";

/** @typedef {import("./feed.js").Message} Message */
/** @typedef {import("./feed.js").FeedState} FeedState */
/** @typedef {Awaited<typeof page>} Page */

/** Between two drawings. The server says something four times a second at most; this is for what comes late and at once. */
const PACE_MS = 200;
/** A large page is drawn less often, so that it can be used: most of the time is not spent on drawing. */
const REST = 3;
const LONGEST_PACE_MS = 2000;
/** While paused, so much is kept; with more, the page begins anew from a snapshot. */
const MOST_WAITING = 400;
const MOST_WAITING_TEXT = 32_000_000;
const NOTE_MS = 8000;

class Live {
  /** @param {Page} parts */
  constructor({ app, bar, map, table, drawer }) {
    this.app = app;
    this.merger = new Merger(app.model);
    this.pulses = new Pulses(map);
    this.top = new Top();
    this.paused = false;
    /** @type {FeedState} */
    this.state = "reconnecting";
    /** Said instead of the state for a while. */
    this.note = "";
    this.noteTimer = 0;
    /** @type {import("./feed.js").Head | null} */
    this.head = null;
    /** What came and is not shown. @type {Message[]} */
    this.waiting = [];
    this.waitingText = 0;
    this.overflowed = false;
    this.taking = false;
    /** Rows that came since the last drawing. @type {number[]} */
    this.fresh = [];
    this.drawn = 0;
    this.drawTimer = 0;
    /** Milliseconds since 1970 on the server when this page's clock was 0. */
    this.clock = Date.now() - performance.now();
    // Counts change four times a second: nobody wants to hear each.
    bar.count.setAttribute("aria-live", "off");
    drawer.more = eventsShown;
    table.sort = { name: "opened", down: true };
    this.chip = html("span", { class: "state" });
    this.spoken = html("span", { class: "spoken", role: "status", "aria-live": "polite" });
    this.button = html("button", { type: "button", class: "pause", "aria-pressed": "false", title: "Pause the display; recording continues", click: () => this.pause(!this.paused) }, "Pause");
    const since = html("button", { type: "button", class: "since", title: "Only connections that are open now or open later", click: () => this.sinceNow() }, "Since now");
    const save = html("a", { class: "save", href: "/report.html", download: "connmon-report.html", title: "Save a report of everything so far" }, "Save report");
    bar.root.querySelector(".row")?.append(html("div", { class: "live-tools" }, this.chip, this.spoken, this.button, since, save));
    const last = document.querySelector("meta[name=connmon-live]")?.getAttribute("content") ?? "";
    this.feed = new Feed(last, (message) => this.receive(message), (state) => this.tell(state));
  }

  start() {
    this.app.refresh(this.merger.model);
    this.hold();
    this.say();
    this.feed.connect();
    window.addEventListener("pagehide", () => this.feed.close());
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.feed.connect(); });
  }

  /** What a pointer is down on stays until it is up, or a click would meet nothing. */
  hold() {
    let timer = 0;
    const release = () => {
      clearTimeout(timer);
      if (!this.app.held) return;
      this.app.held = false;
      this.app.schedule();
    };
    window.addEventListener("pointerdown", () => {
      this.app.held = true;
      clearTimeout(timer);
      // A scroll bar does not always say that it was let go.
      timer = window.setTimeout(release, 3000);
    }, true);
    for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, () => setTimeout(release), true);
  }

  /** @param {Message} message */
  receive(message) {
    if (message.head) this.clock = message.head.now - performance.now();
    // Everything anew makes what waits before it needless.
    if (message.kind === "snapshot") this.forget();
    this.waiting.push(message);
    this.waitingText += message.payload?.length ?? 0;
    if (this.paused && (this.waiting.length > MOST_WAITING || this.waitingText > MOST_WAITING_TEXT)) {
      this.forget();
      this.overflowed = true;
      this.feed.close();
    }
    if (this.paused) this.say();
    else void this.take();
  }

  forget() {
    this.waiting = [];
    this.waitingText = 0;
  }

  /** Puts what waits into the model, one after the other. */
  async take() {
    if (this.taking) return;
    this.taking = true;
    try {
      for (let message = this.next(); message; message = this.next()) await this.put(message);
    } catch (error) {
      console.error(error);
      this.forget();
      this.feed.again();
    } finally {
      this.taking = false;
    }
  }

  next() {
    if (this.paused) return undefined;
    const message = this.waiting.shift();
    this.waitingText -= message?.payload?.length ?? 0;
    return message;
  }

  /** @param {Message} message */
  async put({ kind, payload, gone, head, dropped }) {
    const model = payload === undefined ? null : await readPayload(payload);
    if (kind === "snapshot" && model) {
      this.merger = new Merger({ ...model, home: this.app.model.home });
      this.fresh = [];
      if (dropped) this.mention(`${count(dropped, "update", "updates")} dropped, shown from a snapshot`);
    } else if (model || gone?.length) {
      const { model: big } = this.merger;
      // Without rows there may still be connections that are gone.
      const change = model ?? { ...big, rows: 0, order: new Uint32Array(0), processes: [], endpoints: [], locals: [], protos: [], serviceNames: [], labels: [], nameSets: [], hitSets: [], inexactReasons: [] };
      this.fresh.push(...this.merger.merge(change, gone));
    }
    if (head && head.recorder !== this.head?.recorder) {
      this.head = head;
      this.say();
    }
    if (head) this.head = head;
    this.redraw();
  }

  /** Shows what came, now or when it is time. */
  redraw() {
    const pace = Math.max(PACE_MS, Math.min(LONGEST_PACE_MS, REST * this.app.spent));
    const wait = this.drawn + pace - performance.now();
    if (wait > 0) {
      if (this.drawTimer === 0) this.drawTimer = window.setTimeout(() => { this.drawTimer = 0; this.redraw(); }, wait);
      return;
    }
    this.drawn = performance.now();
    this.app.refresh(this.merger.model);
    this.pulses.show(this.fresh);
    this.fresh = [];
    showFigures(this.merger.model);
    if (this.head) {
      showForgotten(this.head.forgotten);
      this.top.changed(this.head.complete);
    }
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.button.setAttribute("aria-pressed", String(paused));
    replace(this.button, paused ? "Resume" : "Pause");
    if (!paused && this.overflowed) {
      this.overflowed = false;
      this.feed.again();
    } else if (!paused) void this.take();
    this.say();
  }

  sinceNow() {
    const terms = this.app.terms().filter((term) => !/^since:/i.test(term));
    this.app.ask({ filter: [...terms, `since:${timeWord(this.clock + performance.now())}`].join(" "), time: null });
  }

  /** @param {FeedState} state */
  tell(state) {
    this.state = state;
    this.say();
  }

  /** @param {string} note */
  mention(note) {
    this.note = note;
    clearTimeout(this.noteTimer);
    this.noteTimer = window.setTimeout(() => { this.note = ""; this.say(); }, NOTE_MS);
    this.say();
  }

  /** The state, in a few words. */
  say() {
    const ended = { on: "live", ended: "the recording ended", gone: "the recorder has stopped" }[this.head?.recorder ?? "on"];
    const words = { live: ended, reconnecting: "reconnecting…", refused: "refused; open the URL that connmon printed" }[this.state];
    const waiting = this.overflowed ? "many waiting" : `${this.waiting.length} waiting`;
    const [text, kind] = this.paused ? [`paused · ${waiting}`, "paused"] : this.note ? [this.note, "note"] : [words, this.state];
    this.chip.className = `state ${kind}`;
    if (this.chip.textContent !== text) replace(this.chip, text);
    const spoken = this.paused ? "paused" : text;
    if (this.spoken.textContent !== spoken) replace(this.spoken, spoken);
  }
}

page.then((parts) => {
  new Live(parts).start();
  performance.mark("connmon-live");
}, () => {});
