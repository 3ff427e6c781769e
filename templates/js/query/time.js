// @ts-check
// Points in time and lengths of time, as people write them. What names no zone is in UTC.

const MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1, us: 0.001, "µs": 0.001, ns: 0.000001 };

const PART = /(\d+(\.\d+)?)\s*(ms|us|µs|ns|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])/.source;
const LENGTH = new RegExp(`^(\\s*${PART})+$`, "i");

/** A length of time in milliseconds: `90` (seconds), `250ms`, `1h30m`, `2d`. @param {string} text @returns {number | null} */
export function length(text) {
  if (/^\d+$/.test(text)) return Number(text) <= 0xffffffff ? Number(text) * 1000 : null;
  if (!LENGTH.test(text)) return null;
  let sum = 0;
  for (const [, number, , unit] of text.toLowerCase().matchAll(new RegExp(PART, "g"))) {
    sum += Number(number) * MS[/** @type {keyof typeof MS} */ (unit.replace(/^(d|h|m|s)(?!s$).*/, "$1"))];
  }
  return sum;
}

/**
 * Milliseconds since 1970: RFC 3339, a date with or without a time, a time of the day of `now`, or a length of time
 * before `now`.
 * @param {string} text
 * @param {number} now milliseconds since 1970
 * @returns {number | null}
 */
export function time(text, now) {
  const ago = length(text.replace(/\s*ago$/, "").trim().replace(/^-/, ""));
  if (ago !== null) return now - ago;
  const day = new Date(now).toISOString().slice(0, 10);
  const word = text.toLowerCase();
  if (word === "now") return now;
  if (word === "today" || word === "yesterday") return Date.parse(`${day}T00:00:00Z`) - (word === "today" ? 0 : MS.d);
  const found = /^(?:(\d{4}-\d{2}-\d{2})(?:[T ]|$))?(?:(\d{2}:\d{2})(?::(\d{2})(\.\d{1,9})?)?)?(Z|[+-]\d{2}:\d{2})?$/i.exec(text);
  if (!found || (found[1] === undefined && (found[2] === undefined || found[5] !== undefined))) return null;
  const [, date = day, clock = "00:00", seconds = "00", fraction = "", zone = "Z"] = found;
  const whole = Date.parse(`${date}T${clock}:${seconds}${zone.toUpperCase()}`);
  return Number.isNaN(whole) ? null : whole + Number(`0${fraction || ".0"}`) * 1000;
}

/** Bytes: `1500`, `10k`, `1.5M`, `4Gi`. @param {string} text @returns {number | null} */
export function bytes(text) {
  const found = /^(\d+(?:\.\d+)?)\s*(?:([kmgtpe])(i?)b?|b)?$/i.exec(text);
  if (!found) return null;
  const power = found[2] ? "kmgtpe".indexOf(found[2].toLowerCase()) + 1 : 0;
  return Math.floor(Number(found[1]) * (found[3] ? 1024 : 1000) ** power);
}
