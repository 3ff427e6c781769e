// @ts-check
// How text is compared: every way ends in one regular expression, in which case never matters.

import { Fault } from "./fault.js";
import { linear, Unsupported } from "./linear.js";

/** @typedef {import("./syntax.js").Value} Value */
/** @typedef {"whole" | "part" | "domain"} Shape */
/** @typedef {(text: string | null | undefined) => boolean} Fits */

const LONGEST = 1000;

/**
 * A test for texts that fit one of these values. An empty text stands for what is not known, and fits nothing.
 * @param {Value[]} values
 * @param {Shape} shape
 * @returns {Fits}
 */
export function pattern(values, shape) {
  // What has no repetition cannot take long.
  const quick = values.filter((value) => value.form !== "regex" && !isGlob(value));
  const regex = quick.length > 0 ? new RegExp(quick.map((value) => alternative(value, shape)).join("|"), "isu") : null;
  const slow = values.filter((value) => !quick.includes(value)).map((value) => regular(alternative(value, shape), value));
  return (text) => text !== null && text !== undefined && text !== "" && ((regex?.test(text) ?? false) || slow.some((fits) => fits(text)));
}

/** @param {Value} value @param {Shape} shape */
function alternative(value, shape) {
  if (value.form === "regex") return value.text;
  if (isGlob(value)) return `^${glob(value.text)}$`;
  const text = escape(value.text);
  return { whole: `^${text}$`, part: text, domain: `(?:^|\\.)${text}$` }[shape];
}

/** @param {Value} value */
export function isGlob(value) {
  return value.form === "plain" && /[*?]/.test(value.text);
}

/** `*` stands for any characters, `?` for one. @param {string} text */
function glob(text) {
  return Array.from(text, (c) => (c === "*" ? ".*" : c === "?" ? "." : escape(c))).join("");
}

/** @param {string} text */
function escape(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** @param {string} source @param {Value} value @returns {(text: string) => boolean} */
function regular(source, value) {
  try {
    if (source.length > LONGEST) throw new Unsupported("it is too large");
    void new RegExp(source, "isu");
    return linear(source);
  } catch (error) {
    const words = error instanceof Error ? error.message.replace(/^.*: /s, "") : String(error);
    const hint = "quoted, it is text, not a regular expression";
    throw new Fault(value.at, value.length, `not a valid regular expression: ${words}`, hint);
  }
}
