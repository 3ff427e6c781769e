// @ts-check
// How text is compared: every way ends in one regular expression, in which case never matters.

import { Fault } from "./fault.js";

/** @typedef {import("./syntax.js").Value} Value */
/** @typedef {"whole" | "part" | "domain"} Shape */
/** @typedef {(text: string | null | undefined) => boolean} Fits */

/**
 * A test for texts that fit one of these values. An empty text stands for what is not known, and fits nothing.
 * @param {Value[]} values
 * @param {Shape} shape
 * @returns {Fits}
 */
export function pattern(values, shape) {
  const regex = regular(values.map((value) => alternative(value, shape)).join("|"), values[0]);
  return (text) => text !== null && text !== undefined && text !== "" && regex.test(text);
}

/** @param {Value} value @param {Shape} shape */
function alternative(value, shape) {
  if (value.form === "regex") {
    regular(value.text, value);
    return `(?:${value.text})`;
  }
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

/** @param {string} source @param {Value} value */
function regular(source, value) {
  try {
    return new RegExp(source, "isu");
  } catch (error) {
    const words = error instanceof Error ? error.message.replace(/^.*: /s, "") : String(error);
    const hint = "quoted, it is text, not a regular expression";
    throw new Fault(value.at, value.length, `not a valid regular expression: ${words}`, hint);
  }
}
