// @ts-check
// Elements. Text enters the page here and nowhere else, as text: what was captured can be shown and do nothing.

import { UNSAFE } from "./query/entries.js";

const SVG = "http://www.w3.org/2000/svg";
/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes */

/** Captured text with everything escaped visibly that is no plain character. @param {string} text */
export function displaySafe(text) {
  return text.replace(UNSAFE, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * An element; attributes that are functions listen to the event of their name.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(/** @type {SVGElementTagNameMap[T]} */ (document.createElementNS(SVG, tag)), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    // The page's style would win over an attribute.
    if (element instanceof SVGElement && (name === "font-size" || name === "stroke-width")) element.style.setProperty(name, String(value));
    else if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, displaySafe(String(value)));
  }
  append(element, ...children);
  return element;
}

/** @param {Element} element @param {...Child} children */
export function append(element, ...children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : displaySafe(String(child)));
  }
}

/** @param {Element} element @param {...Child} children */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, ...children);
}

/** Text on a canvas. @param {CanvasRenderingContext2D} pen @param {string} text @param {number} x @param {number} y */
export function draw(pen, text, x, y) {
  pen.fillText(displaySafe(text), x, y);
}

/**
 * Does something to a part of the page; what had the focus there, or what took its place, has it afterwards.
 * @param {Element} root
 * @param {() => void} change
 */
export function keepingFocus(root, change) {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement || focused instanceof SVGElement) || focused === root || !root.contains(focused)) {
    change();
    return;
  }
  const { key } = focused.dataset;
  const path = [];
  for (let at = /** @type {Element} */ (focused); at !== root && at.parentElement; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  change();
  if (focused.isConnected) return;
  const same = (key === undefined ? null : root.querySelector(`[data-key="${CSS.escape(key)}"]`)) ?? nearest(root, path);
  if (same instanceof HTMLElement || same instanceof SVGElement) same.focus({ preventScroll: true });
}

/** What can have the focus at a place inside of `root`, or next to it. @param {Element} root @param {number[]} path */
function nearest(root, path) {
  let at = root;
  for (const nth of path) at = at.children[Math.min(nth, at.children.length - 1)] ?? at;
  for (; root.contains(at); at = at.parentElement ?? document.documentElement) {
    const found = [at, ...at.querySelectorAll("*")].find((one) => one.matches("a[href], button, input, select, summary, [tabindex]") && one.getClientRects().length > 0);
    if (found) return found;
  }
  return null;
}

/** Shows a section, and stays with it while what is above it takes its size. @param {Element} section */
export function bringUp(section) {
  section.scrollIntoView();
  const wanted = section.getBoundingClientRect().top;
  let frames = 30;
  const stop = () => { frames = 0; };
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) window.addEventListener(kind, stop, { once: true, passive: true });
  const look = () => {
    if (frames === 0) return;
    frames -= 1;
    if (Math.abs(section.getBoundingClientRect().top - wanted) > 1) section.scrollIntoView();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** The element with this id, which the template has. @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Gives the user a file. @param {string} name @param {string} type @param {BlobPart[]} parts */
export function download(name, type, parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  html("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
