// @ts-check
// Regular expressions that take a time in proportion to the text, as Rust's do: a pattern in a link must not stop the page.
// The browser's own engine says what a single character is and what is no regular expression; what goes beyond one character
// runs here, all ways at once.

/** @typedef {(text: string) => boolean} Matches */
/** @typedef {{kind: "char", test: (c: string) => boolean} | {kind: "split", to: number[]} | {kind: "edge", text: string} | {kind: "end"}} Op */

/** Steps of a program at most: repetitions are written out. */
const MOST_OPS = 5000;
const ATOM = /^(?:\\p\{[^}]*\}|\\P\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\c[a-z]|\\.|\[(?:\\.|[^\]\\])*\]|[^\\[])/isu;
const COUNT = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/;

/** What can be told of an expression that this does not match. */
export class Unsupported extends Error {}

/**
 * A test of texts. The source is one that `new RegExp(source, "isu")` accepts.
 * @param {string} source
 * @returns {Matches}
 * @throws {Unsupported}
 */
export function linear(source) {
  /** @type {Op[]} */
  const ops = [];
  const add = (/** @type {Op} */ op) => {
    if (ops.push(op) > MOST_OPS) throw new Unsupported("it is too large");
    return ops.length - 1;
  };
  let rest = source;
  const take = (/** @type {string} */ text) => {
    const found = rest.startsWith(text);
    if (found) rest = rest.slice(text.length);
    return found;
  };
  // Each part is a function that writes its steps at the end of the program, so that it can be written several times.
  /** @returns {() => void} */
  const either = () => {
    const parts = [sequence()];
    while (take("|")) parts.push(sequence());
    if (parts.length === 1) return parts[0];
    return () => {
      const split = add({ kind: "split", to: [] });
      /** @type {number[]} */
      const ends = [];
      const starts = parts.map((part) => {
        const start = ops.length;
        part();
        ends.push(add({ kind: "split", to: [] }));
        return start;
      });
      jump(split, ...starts);
      for (const end of ends) jump(end, ops.length);
    };
  };
  const jump = (/** @type {number} */ at, /** @type {number[]} */ ...to) => { ops[at] = { kind: "split", to }; };
  /** @returns {() => void} */
  const sequence = () => {
    /** @type {(() => void)[]} */
    const parts = [];
    while (rest !== "" && rest[0] !== "|" && rest[0] !== ")") parts.push(repeated(one()));
    return () => parts.forEach((part) => part());
  };
  /** @returns {() => void} */
  const one = () => {
    if (take("(")) {
      if (rest.startsWith("?") && !/^\?(?::|<[A-Za-z_]\w*>)/.test(rest)) throw new Unsupported("look-around is not supported");
      rest = rest.replace(/^\?(?::|<[A-Za-z_]\w*>)/, "");
      const inner = either();
      take(")");
      return inner;
    }
    for (const text of ["^", "$", "\\b", "\\B"]) if (take(text)) return () => void add({ kind: "edge", text });
    if (/^\\(?:[1-9]|k<)/.test(rest)) throw new Unsupported("back references are not supported");
    const atom = ATOM.exec(rest)?.[0] ?? rest[0];
    rest = rest.slice(atom.length);
    const test = single(atom);
    return () => void add({ kind: "char", test });
  };
  /** @param {() => void} part @returns {() => void} */
  const repeated = (part) => {
    const found = COUNT.exec(rest);
    if (!found) return part;
    rest = rest.slice(found[0].length);
    const sign = found[0][0];
    const least = sign === "+" ? 1 : sign === "{" ? Number(found[1]) : 0;
    const most = sign === "?" ? 1 : sign !== "{" ? Infinity : found[2] === undefined ? least : found[3] ? Number(found[3]) : Infinity;
    if (Math.max(least, most === Infinity ? 0 : most) > MOST_OPS) throw new Unsupported("it is too large");
    return repeated(() => {
      for (let n = 0; n < least; n += 1) part();
      if (most === Infinity) {
        const split = add({ kind: "split", to: [] });
        part();
        jump(add({ kind: "split", to: [] }), split);
        jump(split, split + 1, ops.length);
        return;
      }
      /** @type {number[]} */
      const splits = [];
      for (let n = least; n < most; n += 1) {
        splits.push(add({ kind: "split", to: [] }));
        part();
      }
      for (const split of splits) jump(split, split + 1, ops.length);
    });
  };
  either()();
  add({ kind: "end" });
  return (text) => run(ops, Array.from(text));
}

/** Whether a character is what stands for one in an expression. @param {string} atom @returns {(c: string) => boolean} */
function single(atom) {
  const regex = new RegExp(`^(?:${atom})$`, "isu");
  /** @type {Map<string, boolean>} */
  const known = new Map();
  return (c) => {
    let fits = known.get(c);
    if (fits === undefined) known.set(c, (fits = regex.test(c)));
    return fits;
  };
}

const WORD = /^\w$/iu;

/** Whether an edge is before the character at a place. @param {string} edge @param {string[]} chars @param {number} at */
function holds(edge, chars, at) {
  if (edge === "^") return at === 0;
  if (edge === "$") return at === chars.length;
  const [before, after] = [chars[at - 1] ?? "", chars[at] ?? ""].map((c) => WORD.test(c));
  return (before !== after) === (edge === "\\b");
}

/** All ways through a program at once. @param {Op[]} ops @param {string[]} chars */
function run(ops, chars) {
  const seen = new Int32Array(ops.length).fill(-1);
  /** @type {number[]} */
  let now = [];
  for (let at = 0; at <= chars.length; at += 1) {
    const steps = [...now, 0];
    /** @type {number[]} */
    const next = [];
    while (steps.length > 0) {
      const place = /** @type {number} */ (steps.pop());
      if (seen[place] === at) continue;
      seen[place] = at;
      const op = ops[place];
      if (op.kind === "end") return true;
      if (op.kind === "split") steps.push(...op.to);
      else if (op.kind === "edge") {
        if (holds(op.text, chars, at)) steps.push(place + 1);
      } else if (at < chars.length && op.test(chars[at])) next.push(place + 1);
    }
    now = next;
  }
  return false;
}
