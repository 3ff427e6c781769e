// @ts-check
// The top of the page: what only a view of everything tells. The server writes it anew, as it wrote the page.

import { byId, keepingFocus } from "../dom.js";

/** Between two looks, for a view of everything costs the server something; and if something was lost. */
const LOOK_MS = 10_000;
const LOST_MS = 1_000;

export class Top {
  constructor() {
    this.asked = performance.now();
    /** Whether nothing was missing when it was written last. @type {boolean | null} */
    this.complete = null;
    this.asking = false;
    this.timer = 0;
    /** Whether nothing is missing now, and whether something came since it was written. */
    this.now = true;
    this.stale = false;
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Something came: it is to be looked at, in time. @param {boolean} complete */
  changed(complete) {
    this.now = complete;
    this.complete ??= complete;
    this.stale = true;
    this.look();
  }

  /** Looks if it is time, or when it will be: what came last is told of too, even if nothing comes after it. */
  look() {
    clearTimeout(this.timer);
    if (!this.stale || this.asking || document.visibilityState !== "visible") return;
    const complete = this.now;
    const wait = this.asked + (this.complete === complete ? LOOK_MS : LOST_MS) - performance.now();
    if (wait > 0) {
      this.timer = window.setTimeout(() => this.look(), wait);
      return;
    }
    [this.asking, this.stale] = [true, false];
    this.ask().then((shown) => { if (shown) this.complete = complete; }, () => {}).finally(() => {
      this.asking = false;
      this.asked = performance.now();
      this.look();
    });
  }

  async ask() {
    const answer = await fetch("/top");
    if (!answer.ok) return false;
    // What is parsed this way is markup that does nothing: no script of it runs.
    const made = new DOMParser().parseFromString(await answer.text(), "text/html");
    this.show(made);
    return true;
  }

  /** @param {Document} made */
  show(made) {
    renew(document.querySelector("header.cover"), made.querySelector("header.cover"));
    renew(document.querySelector("#summary"), made.querySelector("#summary"), ".strip");
    const [old, now] = [document.querySelector("#findings"), made.querySelector("#findings")];
    if (old && now) renew(old, now);
    else if (now) byId("map").before(document.importNode(now, true));
    else old?.remove();
    document.querySelector("nav a[href='#findings']")?.toggleAttribute("hidden", !now);
  }
}

/**
 * Puts in what differs, part by part, so that what is the same keeps what was selected in it.
 * @param {Element | null} old @param {Element | null} now @param {string} [which] of their parts
 */
function renew(old, now, which = "*") {
  if (!old || !now) return;
  const parts = (/** @type {Element} */ of) => [...of.children].filter((part) => part.matches(which));
  const [had, have] = [parts(old), parts(now)];
  keepingFocus(old, () => {
    have.forEach((part, nth) => {
      keepOpen(had[nth], part);
      if (!had[nth]) old.append(document.importNode(part, true));
      else if (!had[nth].isEqualNode(part)) had[nth].replaceWith(document.importNode(part, true));
    });
    had.slice(have.length).forEach((part) => part.remove());
  });
}

/** What somebody opened stays open. @param {Element | undefined} old @param {Element} now */
function keepOpen(old, now) {
  const opened = [...old?.querySelectorAll("details") ?? []];
  now.querySelectorAll("details").forEach((one, nth) => { one.open = opened[nth]?.open ?? false; });
}
