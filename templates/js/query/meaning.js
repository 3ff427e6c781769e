// @ts-check
// From words to tests: what a value means for its field, and what to write instead where it means nothing.

import { Fault } from "./fault.js";
import { FIELDS, freely, rowsOf } from "./fields.js";
import { evidenceOf, isOfFindings } from "./findings.js";
import { COUNTRIES_BY_NAME, PORTS_BY_NAME } from "./names.js";
import { contains, network } from "./networks.js";
import { isGlob, pattern } from "./pattern.js";
import { parse } from "./syntax.js";
import { bytes, length, time } from "./time.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {import("./fields.js").Field} Field */
/** @typedef {import("./fields.js").Predicate} Predicate */
/** @typedef {import("./syntax.js").Term} Term */
/** @typedef {import("./syntax.js").Tree} Tree */
/** @typedef {import("./syntax.js").Value} Value */
/** @typedef {{model: Model, now: number}} Context */

/**
 * The rows that an expression chooses; nothing for an empty one, which chooses all.
 * @param {string} text
 * @param {Model} model
 * @param {number} now milliseconds since 1970, to which times of the day and lengths of time refer
 * @returns {Predicate | null}
 * @throws {Fault}
 */
export function compile(text, model, now) {
  const tree = parse(text);
  return tree === null ? null : predicate(tree, { model, now });
}

/**
 * The latest `since` and the earliest `until` that everything must fit, milliseconds since 1970; infinite where there is none.
 * @param {string} text an expression that can be read
 * @param {number} now
 * @returns {[number, number]}
 */
export function intervalOf(text, now) {
  const tree = parse(text);
  return tree === null ? ALWAYS : within(tree, now);
}

/** @type {[number, number]} */
const ALWAYS = [-Infinity, Infinity];

/** @param {Tree} tree @param {number} now @returns {[number, number]} */
function within(tree, now) {
  if (tree.kind === "all") {
    return tree.parts.map((part) => within(part, now)).reduce((all, part) => [Math.max(all[0], part[0]), Math.min(all[1], part[1])], ALWAYS);
  }
  const name = tree.kind === "field" ? tree.name.toLowerCase() : "";
  if (tree.kind === "field" && name === "since") return [timeOf(tree, now), Infinity];
  if (tree.kind === "field" && name === "until") return [-Infinity, timeOf(tree, now)];
  return ALWAYS;
}

/** @param {Tree} tree @param {Context} context @returns {Predicate} */
function predicate(tree, context) {
  switch (tree.kind) {
    case "all":
      return tree.parts.map((part) => predicate(part, context)).reduce((first, second) => (row) => first(row) && second(row));
    case "any":
      return tree.parts.map((part) => predicate(part, context)).reduce((first, second) => (row) => first(row) || second(row));
    case "not": {
      const part = predicate(tree.part, context);
      return (row) => !part(row);
    }
    case "word":
      return word(tree.value, context);
    case "field": {
      const test = field(tree, context);
      return tree.operator === "!=" ? (row) => !test(row) : test;
    }
  }
}

/** @param {Value} value @param {Context} context @returns {Predicate} */
function word(value, { model }) {
  const plain = value.form === "plain" ? value.text.toLowerCase() : "";
  if (plain === "local" || plain === "public") {
    const wanted = plain === "public";
    return (row) => model.endpoints[model.remote[row]].public === wanted;
  }
  somethingIn(value);
  return freely(model, pattern([value], "part"));
}

/** @param {Value} value */
function somethingIn(value) {
  if (value.text === "") throw new Fault(value.at, value.length, "these quotes are empty");
}

/** @param {Term} term @param {Context} context @returns {Predicate} */
function field(term, { model, now }) {
  if (isOfFindings(term.name)) {
    const each = evidenceOf(term).map((text) => compile(text, model, now));
    return (row) => each.some((fits) => fits?.(row) ?? false);
  }
  const found = FIELDS.find((one) => one.name === term.name.toLowerCase());
  if (!found) throw noField(term);
  term.values.forEach(somethingIn);
  if (found.text) return rowsOf(found.text, model, texts(found, term));
  if (found.kind === "number" && found.number) return found.number(model, numbers(found, term));
  if (found.network) {
    onlyEqual(term, "an address");
    const networks = term.values.map(networkOf);
    return found.network(model, (one) => contains(networks, one));
  }
  const at = (timeOf(term, now) - model.base) * 1e6;
  if (found.kind === "until") return (row) => model.opened[row] < at;
  return (row) => model.end[row] === model.open || model.opened[row] + model.lasted[row] >= at;
}

/** @param {Term} term */
function noField(term) {
  const name = term.name.toLowerCase();
  const known = alike(name, FIELDS.map((one) => one.name));
  let hint = `the fields are ${FIELDS.map((one) => one.name).join(", ")}; quote it to search for it as text`;
  if (known) hint = `did you mean \`${known}:\`?`;
  else if (name === "local" || name === "public") hint = `did you mean \`${name}\` alone?`;
  return new Fault(term.at, term.name.length, `unknown field \`${term.name}\``, hint);
}

/**
 * The word that is most like another: the beginning of it, or at most two typing errors away.
 * @param {string} word
 * @param {readonly string[]} known
 */
function alike(word, known) {
  const ranked = known.map((one) => {
    const begins = one.length > 1 && (word.startsWith(one) || one.startsWith(word));
    return { one, errors: begins ? 0 : typingErrors(word, one) };
  });
  const near = ranked.filter(({ one, errors }) => errors <= 2 && errors < Math.max(one.length, 2));
  return near.sort((a, b) => a.errors - b.errors)[0]?.one;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words. @param {string} a @param {string} b */
function typingErrors(a, b) {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(replaced, rows[i - 1][j] + 1, rows[i][j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.length][b.length];
}

/** Only equality makes sense: the field is no number. @param {Term} term @param {string} what */
function onlyEqual(term, what) {
  if ([":", "=", "!="].includes(term.operator)) return;
  const message = `${what} cannot be compared with \`${term.operator}\``;
  throw new Fault(term.at + term.name.length, term.operator.length, message, `write \`${term.name}:\``);
}

/** What a plain word means for a field. @param {Field} found */
const shapeOf = (found) => /** @type {import("./pattern.js").Shape} */ (found.shape);

/** @param {Field} found @param {Term} term */
function texts(found, term) {
  onlyEqual(term, "text");
  if (found.name === "country") return pattern(term.values.map(country), shapeOf(found));
  for (const value of term.values.filter((one) => one.form !== "regex" && !isGlob(one))) {
    const wrong = (/** @type {string} */ hint) => noValue(value, found.name, hint);
    const given = value.text.toLowerCase();
    const numbered = found.name === "proto" && given.startsWith("ip-");
    if (found.words && !numbered && !found.words.includes(given)) {
      const known = alike(given, found.words);
      throw wrong(known ? `did you mean \`${known}\`?` : `it is one of ${found.words.join(", ")}`);
    }
  }
  return pattern(term.values, term.operator === ":" ? shapeOf(found) : "whole");
}

/** @param {Value} value @param {string} name @param {string} hint */
const noValue = (value, name, hint) => new Fault(value.at, value.length, `\`${value.text}\` is not a value of \`${name}:\``, hint);

/** A country by its code: names are understood too. @param {Value} value @returns {Value} */
function country(value) {
  if (value.form === "regex" || isGlob(value) || /^[a-z]{2}$/i.test(value.text)) return value;
  const name = value.text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replace(/’/g, "'");
  const code = COUNTRIES_BY_NAME.get(name);
  if (code) return { ...value, text: code };
  const names = [...COUNTRIES_BY_NAME.keys()];
  // The first word of a name that ended at its blank.
  const longer = names.filter((one) => one.startsWith(`${name} `)).map((one) => `\`"${one}"\``).sort();
  if (longer.length > 0) throw noValue(value, "country", `a name of several words is written in quotes: ${longer.join(", ")}`);
  const known = alike(name, names);
  throw noValue(value, "country", known ? `did you mean \`${known}\`?` : "a country is a two-letter code, such as DE, or a name, such as Germany");
}

/** @type {Record<string, ((found: number, value: number) => boolean) | undefined>} */
const COMPARE = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** @param {Field} found @param {Term} term @returns {(found: number) => boolean} */
function numbers(found, term) {
  const compare = COMPARE[term.operator];
  const second = term.values[1];
  if (compare && second) {
    throw new Fault(second.at, second.length, `\`${term.operator}\` compares with a single value`);
  }
  const values = term.values.flatMap((value) => {
    const ports = found.unit === "port" ? PORTS_BY_NAME.get(value.text.toLowerCase()) : undefined;
    if (compare && ports && ports.length > 1) throw new Fault(value.at, value.length, `\`${value.text}\` has several ports`, "compare with a number");
    return ports ?? [number(value, found)];
  });
  return compare ? (figure) => compare(figure, values[0]) : (figure) => values.includes(figure);
}

/** @param {Value} value @param {Field} found */
function number(value, found) {
  const { most = 0 } = found;
  const text = value.text;
  const digits = (/** @type {string} */ written, /** @type {number} */ most) =>
    /^\d+$/.test(written) && Number(written) <= most ? Number(written) : null;
  /** @returns {[number | null, string]} */
  const read = () => {
    switch (found.unit) {
      case "asn":
        return [digits(text.replace(/^as/i, ""), most), "write it as 15169 or AS15169"];
      case "port": {
        const known = /^\d/.test(text) ? undefined : alike(text.toLowerCase(), [...PORTS_BY_NAME.keys()]);
        return [digits(text, most), known ? `did you mean \`${known}\`?` : "write a number up to 65535, or the name of a service, such as https"];
      }
      case "bytes":
        return [bytes(text), "write bytes as 1500, 10k, 1.5M or 4Gi"];
      case "time": {
        const lasts = length(text);
        return [lasts === null ? null : Math.round(lasts * 1e6), "write a duration as 250ms, 30s, 10m, 1h30m or 2d"];
      }
      default:
        return [digits(text, most), `write a number up to ${most}`];
    }
  };
  const [result, hint] = read();
  if (result === null) throw new Fault(value.at, value.length, `\`${text}\` is not valid here`, hint);
  return result;
}

/** @param {Value} value */
function networkOf(value) {
  const found = network(value.text);
  if (found) return found;
  const hint = "write 8.8.8.8, 10.0.0.0/8 or 2001:db8::/32";
  throw new Fault(value.at, value.length, `\`${value.text}\` is not an address or network`, hint);
}

/** @param {Term} term @param {number} now */
function timeOf(term, now) {
  if (term.operator !== ":") {
    throw new Fault(term.at + term.name.length, term.operator.length, "a time follows a colon", `write \`${term.name}:\``);
  }
  const [value, second] = term.values;
  if (second) throw new Fault(second.at, second.length, `\`${term.name}:\` takes a single time`);
  const found = time(value.text, now);
  if (found !== null) return found;
  const hint = "write 2026-01-31T14:02:00Z, 2026-01-31, 14:02, yesterday or 2h (ago)";
  throw new Fault(value.at, value.length, `\`${value.text}\` is not a valid time`, hint);
}
