// @ts-check
// The grammar: text in, a tree of words out. The twin of connmon's own, `filter/syntax.rs`, which explains it; both
// are held to `filter/golden/cases.json`.

import { Fault } from "./fault.js";
import { FIELDS } from "./fields.js";
import { bytes, length } from "./time.js";

/** @typedef {{text: string, form: "plain" | "quoted" | "regex", at: number, length: number}} Value */
/** @typedef {{kind: "field", name: string, operator: string, values: Value[], at: number}} Term */
/** @typedef {{kind: "all", parts: Tree[]} | {kind: "any", parts: Tree[]} | {kind: "not", part: Tree} | {kind: "word", value: Value} | Term} Tree */

const MAX_DEPTH = 64;
const MAX_TESTS = 400;
const MAX_VALUES = 2000;
const SPACE = /^\p{White_Space}$/u;
const LETTER = /^[A-Za-z_]$/;
/** What reads the figures of fields that have a unit. @type {Record<string, ((text: string) => number | null) | undefined>} */
const FIGURES = { bytes, time: length };
const OPERATORS = ["!=", "<=", ">=", ":", "=", "<", ">"];

/**
 * The tree of a text; nothing for an empty one.
 * @param {string} text
 * @returns {Tree | null}
 */
export function parse(text) {
  const parser = new Parser(text);
  parser.spaces();
  if (parser.done()) return null;
  const tree = parser.either(0);
  if (!parser.done()) throw new Fault(parser.at, 1, "this bracket has no opening one");
  if (tests(tree) > MAX_TESTS) {
    const hint = "use lists, such as port:80,443, or a file of addresses";
    throw new Fault(0, 0, `more than ${MAX_TESTS} tests`, hint);
  }
  return tree;
}

/**
 * The parts of an expression that must all fit, as they were written; one that is alternatives is one part.
 * @param {string} text which `parse` accepts
 * @returns {string[]}
 */
export function parts(text) {
  const parser = new Parser(text);
  /** @type {string[]} */
  const found = [];
  for (parser.spaces(); !parser.done(); parser.spaces()) {
    if (parser.keyword("or")) return [text.trim()];
    if (found.length > 0) parser.keyword("and");
    parser.spaces();
    const from = parser.at;
    parser.one(0);
    found.push(parser.chars.slice(from, parser.at).join(""));
  }
  return found;
}

/** @param {Tree} tree @returns {number} */
function tests(tree) {
  if (tree.kind === "all" || tree.kind === "any") return tree.parts.reduce((sum, part) => sum + tests(part), 0);
  return tree.kind === "not" ? tests(tree.part) : 1;
}

class Parser {
  /** @param {string} text */
  constructor(text) {
    this.chars = Array.from(text);
    this.at = 0;
  }

  done() {
    return this.at >= this.chars.length;
  }

  /** @param {number} [ahead] */
  next(ahead = 0) {
    return this.chars[this.at + ahead] ?? "";
  }

  spaces() {
    while (SPACE.test(this.next())) this.at += 1;
  }

  /** Whether a word could end here. @param {number} [at] */
  boundary(at = this.at) {
    const c = this.chars[at] ?? "";
    return c === "" || c === "(" || c === ")" || SPACE.test(c);
  }

  /** @param {string} c */
  take(c) {
    if (this.next() !== c) return false;
    this.at += 1;
    return true;
  }

  /** Whether one of the words of the language comes next. @param {string} word */
  sees(word) {
    const here = this.chars.slice(this.at, this.at + word.length).join("");
    return here.toLowerCase() === word && this.boundary(this.at + word.length);
  }

  /** @param {string} word */
  keyword(word) {
    if (!this.sees(word)) return false;
    this.at += word.length;
    return true;
  }

  /** @param {number} depth @returns {Tree} */
  either(depth) {
    const parts = [this.all(depth)];
    while (this.keyword("or")) parts.push(this.all(depth));
    return parts.length === 1 ? parts[0] : { kind: "any", parts };
  }

  /** @param {number} depth @returns {Tree} */
  all(depth) {
    const parts = [this.one(depth)];
    for (;;) {
      this.spaces();
      if (this.done() || this.next() === ")" || this.sees("or")) break;
      this.keyword("and");
      parts.push(this.one(depth));
    }
    return parts.length === 1 ? parts[0] : { kind: "all", parts };
  }

  /** @param {number} depth @returns {Tree} */
  one(depth) {
    this.spaces();
    if (depth > MAX_DEPTH) {
      throw new Fault(this.at, 0, `more than ${MAX_DEPTH} nested brackets or negations`);
    }
    const start = this.at;
    if (this.keyword("not") || this.take("-") || this.take("!")) return { kind: "not", part: this.one(depth + 1) };
    if (this.take("(")) {
      const inner = this.either(depth + 1);
      if (!this.take(")")) throw new Fault(start, 1, "this bracket is not closed");
      return inner;
    }
    for (const word of ["and", "or"]) {
      if (this.sees(word)) {
        throw new Fault(start, word.length, `there is nothing before this \`${word}\``, "to search for the word, quote it");
      }
    }
    if (this.done() || this.next() === ")") throw new Fault(this.at, 0, "a search term is missing here");
    /** @type {Tree} */
    const tree = this.field() ?? { kind: "word", value: this.free() };
    if (!this.boundary()) {
      throw new Fault(this.at, 1, "a space is missing here", 'quote text that contains quotes, as in "a \\" b"');
    }
    return tree;
  }

  /** @returns {Term | null} */
  field() {
    const at = this.at;
    let end = at;
    while (LETTER.test(this.chars[end] ?? "")) end += 1;
    const name = this.chars.slice(at, end).join("");
    const operator = OPERATORS.find((one) => this.chars.slice(end, end + one.length).join("") === one);
    if (name === "" || operator === undefined) return null;
    this.at = end + operator.length;
    /** @type {Value[]} */
    const values = [];
    do {
      if (this.boundary() || this.next() === ",") {
        const after = values.length === 0 ? `\`${name}${operator}\`` : "the comma";
        throw new Fault(this.at, 0, `a value is missing after ${after}`);
      }
      if (values.length >= MAX_VALUES) {
        throw new Fault(at, name.length, `this list has more than ${MAX_VALUES} values`);
      }
      values.push(this.value(true));
    } while (this.take(","));
    this.units(name, values[values.length - 1]);
    return { kind: "field", name, operator, values, at };
  }

  /** `10 MB`, `1 h 30 min`: what stands apart and still makes one figure belongs to the value before. @param {string} name @param {Value} value */
  units(name, value) {
    const read = FIGURES[FIELDS.find((one) => one.name === name.toLowerCase())?.unit ?? ""];
    while (read && value.form === "plain") {
      const before = this.at;
      let text = value.text;
      let joined = false;
      for (let words = 0; words < 2 && !joined; words += 1) {
        this.spaces();
        const from = this.at;
        while (/[\p{L}\p{N}.]/u.test(this.next())) this.at += 1;
        if (this.at === from || !this.boundary()) break;
        text = `${text} ${this.chars.slice(from, this.at).join("")}`;
        joined = read(text) !== null;
      }
      if (!joined) {
        this.at = before;
        return;
      }
      value.text = text;
      value.length = this.at - value.at;
    }
  }

  /** Free text. An operator that stands apart from its field would be one, and never found. @returns {Value} */
  free() {
    const value = this.value(false);
    const stray = /^(?:[<>=]|:(?!:))[<>=:]*/.exec(value.text);
    if (value.form !== "plain" || !stray) return value;
    throw new Fault(value.at, stray[0].length, `there is no field directly before this \`${stray[0]}\``, "write bytes>10M without a space, or quote it to search for it as text");
  }

  /** A value; in a list, plain words end at commas. @param {boolean} inList @returns {Value} */
  value(inList) {
    if (this.next() === '"') return this.quoted();
    const at = this.at;
    const regex = this.regex();
    if (regex !== null) return { text: regex, form: "regex", at, length: this.at - at };
    const ends = (/** @type {string} */ c) => c === "" || SPACE.test(c) || '()"'.includes(c) || (inList && c === ",");
    while (!ends(this.next())) this.at += 1;
    return { text: this.chars.slice(at, this.at).join(""), form: "plain", at, length: this.at - at };
  }

  /** A regular expression between slashes, which has no space and at whose end a word could end. */
  regex() {
    if (this.next() !== "/") return null;
    let end = this.at + 1;
    for (; end < this.chars.length && this.chars[end] !== "/"; end += 1) {
      if (this.chars[end] === "\\") end += 1;
      if (SPACE.test(this.chars[end] ?? " ")) return null;
    }
    const closed = end > this.at + 1 && this.chars[end] === "/" && (this.boundary(end + 1) || this.chars[end + 1] === ",");
    if (!closed) return null;
    const body = this.chars.slice(this.at + 1, end).join("");
    this.at = end + 1;
    return body;
  }

  /** @returns {Value} */
  quoted() {
    const at = this.at;
    let text = "";
    for (let end = at + 1; end < this.chars.length; end += 1) {
      if (this.chars[end] === '"') {
        this.at = end + 1;
        return { text, form: "quoted", at, length: this.at - at };
      }
      if (this.chars[end] === "\\" && end + 1 < this.chars.length) end += 1;
      text += this.chars[end];
    }
    throw new Fault(at, 1, "this quote is not closed");
  }
}
