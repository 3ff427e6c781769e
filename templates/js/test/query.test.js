// @ts-check
// The query language against its contract, the same file that connmon's own implementation is held to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { cell } from "../csv.js";
import { displaySafe } from "../dom.js";
import { Fault } from "../query/fault.js";
import { linear } from "../query/linear.js";
import { FIELDS } from "../query/fields.js";
import { compile } from "../query/meaning.js";
import { modelOf } from "./rows.js";

const hostile = new URL("../../../tests/golden/hostile.json", import.meta.url);
const contract = new URL("../../../crates/filter/src/golden/cases.json", import.meta.url);
// A number of nanoseconds since 1970 is more than a JavaScript number holds.
const golden = JSON.parse(readFileSync(contract, "utf8").replace(/: (\d{19})\b/g, ': "$1"'));
const now = Date.parse(golden.now);
const names = Object.keys(golden.rows);
const model = modelOf(Object.values(golden.rows), Date.parse("2026-06-16T00:00:00Z"));

/** @param {string} text */
function fault(text) {
  try {
    compile(text, model, now);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error(`${text} is accepted`);
}

test("expressions choose the rows of the contract", () => {
  for (const { filter, fit } of golden.cases) {
    const fits = compile(filter, model, now);
    const found = names.filter((_, row) => fits === null || fits(row));
    assert.deepEqual(found.sort(), [...fit].sort(), filter);
  }
});

test("errors point at the place and say what to write", () => {
  for (const { filter, column, says } of golden.errors) {
    const error = fault(filter);
    assert.equal(error.at + 1, column, `${filter}: ${error.sentence()}`);
    assert.ok(error.sentence().includes(says), `${filter}: ${error.sentence()}`);
  }
  assert.equal(fault("ünï prot:tcp").sentence(), "column 5: unknown field `prot`; did you mean `proto:`?");
});

test("every field has a case", () => {
  for (const { name } of FIELDS) {
    const used = new RegExp(`(^|[^a-z])${name}[:=<>!]`);
    assert.ok(golden.cases.some((/** @type {any} */ one) => used.test(one.filter)), name);
  }
});

test("hostile expressions have limits", () => {
  for (const [text, says] of [
    ["(".repeat(100_000), "nested"],
    ["-".repeat(100_000), "nested"],
    ["a ".repeat(10_000), "more than"],
    [`port:${Array(10_000).fill("1").join(",")}`, "more than"],
  ]) {
    assert.ok(fault(text).sentence().includes(says));
  }
});

test("the matcher of regular expressions means what the browser's means", () => {
  const texts = ["", "a", "ab", "aab", "abab", "b", "ba", "xabx", "a1_b", "a b", "ÜNÏ ünï", "1.2.3.4", "a\nb", "]", "\\", "ſ", "K"];
  for (const source of [
    "a", "^a", "a$", "^$", "a|b", "a|", "(a|b)+", "(?:ab)*$", "^(?:ab)+$", "a?b", "a{2}", "a{1,2}b", "a{2,}", "(a*)*b", "[^a]", "[a-c]+", "[\\]]", "\\d+\\.\\d", "\\w\\b",
    "\\Bb", "\\s", "a.b", "\\u{fc}n", "\\x61", "(?<name>a)b", "a+?b", "\\\\", "\\p{L}+", "(^|x)a", "a(b|$)", "s", "k", "^(a|ab)(c|bcd)?$", "((a|b)|c){0,3}$",
  ]) {
    const [own, browser] = [linear(source), new RegExp(source, "isu")];
    for (const text of texts) assert.equal(own(text), browser.test(text), `/${source}/ on ${JSON.stringify(text)}`);
  }
});

test("an expression in a link cannot stop the page", () => {
  const long = "a".repeat(4000);
  for (const source of ["(a+)+$x", "(a|a)*b", "(.*)*x", "a*a*a*a*a*a*b"]) assert.equal(linear(source)(long), false);
  assert.equal(compile(`cmd:${"*a".repeat(40)}*z`, model, now)?.(0), false);
  for (const source of ["(?=a)b", "(a)\\1", "(a{1000}){1000}", "x".repeat(2000)]) assert.ok(fault(`cmd:/${source}/`).sentence().includes("not a valid regular expression"), source);
});

test("hostile text is shown, and cells are, as the command line has them", () => {
  for (const { name, text, shown, cell: expected } of JSON.parse(readFileSync(hostile, "utf8"))) {
    assert.equal(displaySafe(text), shown, name);
    assert.equal(cell(text), expected, name);
  }
});
