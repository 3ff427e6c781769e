// @ts-check
// The page's state and the rows that it chooses. Data flows one way: a question changes, rows are chosen, and the views that can
// be seen draw themselves.

import { bringUp, keepingFocus } from "./dom.js";
import { kilometres } from "./geo.js";
import { Fault } from "./query/fault.js";
import { compile, intervalOf } from "./query/meaning.js";
import { parts } from "./query/syntax.js";
import { everything, fromHash, isSection, termOf, toHash, toggled } from "./state.js";
import { during, askedTime } from "./steps.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./state.js").Question} Question */
/** @typedef {import("./query/fields.js").Predicate} Predicate */

/**
 * A part of the page.
 * @typedef {object} View
 * @property {Element} root
 * @property {() => void} draw
 * @property {() => void} [renew] forgets what it made of the data, which has changed
 * @property {boolean} [always] draws itself even where it cannot be seen
 */

export class App {
  /** @param {Model} model */
  constructor(model) {
    /** All there is. */
    this.whole = model;
    /** The same; where a time is chosen, with the bytes of that time. */
    this.model = model;
    /** The time chosen, in whole steps. @type {[number, number] | null} */
    this.time = null;
    /** @type {Question} */
    this.question = everything();
    /** The rows chosen, in order. */
    this.rows = model.order;
    /** The rows chosen if the time did not matter: those of the histogram. */
    this.anytime = this.rows;
    /** @type {Fault | null} */
    this.fault = null;
    /** The last filter that could be read, which is the one that is shown. */
    this.valid = "";
    /** Where an endpoint is, as far as a circle on the map asks. */
    this.places = placesOf(model);
    /** @type {View[]} */
    this.views = [];
    /** @type {Set<View>} */
    this.stale = new Set();
    /** @type {Set<View>} */
    this.drawn = new Set();
    /** @type {Set<Element>} */
    this.seen = new Set();
    this.scheduled = false;
    /** Nothing is drawn while a button of the pointer is down: what it points at would be gone. */
    this.held = false;
    /** Whether the last change was one of many that are one step for Back: letters, rows that are gone through. */
    this.going = false;
    /** Milliseconds that drawing has taken since the data changed. */
    this.spent = 0;
    this.observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) this.seen.add(target);
          else this.seen.delete(target);
        }
        this.schedule();
      },
      { rootMargin: "200px" },
    );
  }

  /** @param {View} view */
  add(view) {
    this.views.push(view);
    this.stale.add(view);
    this.observer.observe(view.root);
  }

  start() {
    window.addEventListener("hashchange", () => this.moved());
    this.apply(fromHash(location.hash));
  }

  /** The address changed: it asks something, or it names a section and the question stays. */
  moved() {
    if (!isSection(location.hash)) {
      this.apply(fromHash(location.hash));
      return;
    }
    const section = document.getElementById(location.hash.slice(1));
    const address = toHash(this.question);
    if (address !== "") history.replaceState(null, "", address);
    if (section) bringUp(section);
  }

  /**
   * Changes a part of the question.
   * @param {Partial<Question>} change
   * @param {"step" | "going" | "passing"} [how] a step that Back takes back, one of many that are one step together, or nothing for the address
   */
  ask(change, how = "step") {
    const question = { ...this.question, ...change };
    const address = toHash(question);
    if (how !== "passing" && address !== location.hash) {
      const place = address || location.pathname + location.search;
      if (how === "going" && this.going) history.replaceState(null, "", place);
      else history.pushState(null, "", place);
      this.going = how === "going";
    }
    this.apply(question);
  }

  /** @param {Question} question */
  apply(question) {
    const { filter, time, near, measure } = this.question;
    const same = filter === question.filter && time === question.time && near === question.near && this.views.length === this.stale.size;
    this.question = question;
    if (!same || measure !== question.measure || this.rows.length === 0) this.choose();
    this.views.forEach((view) => this.stale.add(view));
    this.schedule();
  }

  /** Shows data that has changed, with the same question. @param {Model} model */
  refresh(model) {
    const before = performance.now();
    this.whole = model;
    this.places = placesOf(model);
    this.choose();
    for (const view of this.views) {
      view.renew?.();
      this.stale.add(view);
    }
    this.spent = performance.now() - before;
    this.schedule();
  }

  /** Chooses the rows. */
  choose() {
    const { whole: model, question } = this;
    const { near } = question;
    /** @type {Predicate | null} */
    let fits = null;
    this.fault = null;
    try {
      fits = compile(question.filter, model, model.window[1]);
      this.valid = question.filter;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // What is half typed does not empty the page: the last filter that could be read goes on.
      this.fault = error;
      fits = compile(this.valid, model, model.window[1]);
    }
    if (near) {
      const inside = this.places.map((place) => place !== null && kilometres([near[0], near[1]], place) <= near[2]);
      const before = fits;
      fits = (row) => inside[model.remote[row]] && (before === null || before(row));
    }
    this.anytime = filtered(model.order, fits);
    this.time = askedTime(model, question.time, intervalOf(this.valid, model.window[1]));
    if (!this.time) {
      this.rows = this.anytime;
      this.model = model;
      return;
    }
    const [from, to] = this.time.map((ms) => (ms - model.base) * 1e6);
    const { opened, lasted } = model;
    this.rows = this.anytime.filter((row) => opened[row] < to && opened[row] + lasted[row] >= from);
    this.model = during(model, this.rows, this.time);
  }

  /** The parts of the filter that must all fit. */
  terms() {
    const found = parts(this.valid);
    const alternatives = found.length === 1 && /(^|[\s)])or([\s(]|$)/i.test(found[0]) && !found[0].startsWith("(");
    return alternatives ? [`(${found[0]})`] : found;
  }

  /** Adds a value to the filter, or takes it out. @param {string} field @param {string} value @param {boolean} [exclude] */
  toggle(field, value, exclude = false) {
    this.ask({ filter: toggled(this.terms(), `${exclude ? "-" : ""}${termOf(field, value)}`) });
  }

  /** Adds a whole expression. @param {string} expression */
  narrow(expression) {
    this.ask({ filter: toggled(this.terms(), expression) });
  }

  /** Draws what is stale and can be seen, one view a frame; then what was never drawn, so that the page keeps its height. */
  schedule() {
    if (this.scheduled || this.held) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (this.held) return;
      // In the order in which they became stale, so that none waits for ever where data comes fast.
      const stale = [...this.stale];
      const next = stale.find((view) => view.always || this.seen.has(view.root)) ?? stale.find((view) => !this.drawn.has(view));
      if (!next) return;
      this.stale.delete(next);
      this.drawn.add(next);
      const before = performance.now();
      keepingFocus(next.root, () => next.draw());
      this.spent += performance.now() - before;
      this.schedule();
    });
  }

  /** Draws everything at once, for paper. */
  drawAll() {
    for (const view of this.views) view.draw();
    this.stale.clear();
  }
}

/** Where the endpoints are, as far as that is known. @param {Model} model */
const placesOf = ({ endpoints, countries }) =>
  endpoints.map((one) => one.at ?? (one.country === null ? null : (countries.get(one.country)?.at ?? null)));

/** @param {Uint32Array} order @param {Predicate | null} fits */
function filtered(order, fits) {
  const all = new Uint32Array(order.length);
  let found = 0;
  for (let i = 0; i < order.length; i += 1) {
    const row = order[i];
    if (fits === null || fits(row)) {
      all[found] = row;
      found += 1;
    }
  }
  return all.subarray(0, found);
}
