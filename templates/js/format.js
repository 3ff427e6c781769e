// @ts-check
// Figures as people read them, the same as `analysis/src/format.rs` writes them. Times are in UTC.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Digits in groups of three, with a narrow space that does not break. @param {number} n */
export function grouped(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A connection as it is named everywhere: its recording, and its number there. @param {number} id */
export const idText = (id) => `${Math.floor(id / 2 ** 40)}.${id % 2 ** 40}`;

/** Bytes in IEC units with three significant digits. @param {number} n */
export function bytesText(n) {
  let [value, unit] = [n, 0];
  for (; value >= 999.5 && unit + 1 < UNITS.length; unit += 1) value /= 1024;
  const decimals = unit === 0 || value >= 99.95 ? 0 : value < 9.995 ? 2 : 1;
  return `${value.toFixed(decimals)}\u00a0${UNITS[unit]}`;
}

/** Bytes for reading, and all digits. @param {number} n */
export const amountText = (n) => (n < 1000 ? count(n, "byte", "bytes") : `${grouped(n)} bytes (${bytesText(n)})`);

/** @param {number} n @param {string} one @param {string} many */
export function count(n, one, many) {
  return `${grouped(n)} ${n === 1 ? one : many}`;
}

/** A length of time with the two units that matter. @param {number} ns */
export function durationText(ns) {
  const s = Math.floor(ns / 1e9);
  /** @param {number} a @param {string} first @param {number} b @param {string} second */
  const two = (a, first, b, second) => `${Math.floor(a)}\u00a0${first} ${String(Math.floor(b)).padStart(2, "0")}\u00a0${second}`;
  if (ns < 1e6) return `${Math.floor(ns / 1e3)}\u00a0µs`;
  if (s < 1) return `${Math.floor(ns / 1e6)}\u00a0ms`;
  if (s < 60) return `${(Math.floor(ns / 1e7) / 100).toFixed(s < 10 ? 2 : 1)}\u00a0s`;
  if (s < 3600) return two(s / 60, "min", s % 60, "s");
  if (s < 86_400) return two(s / 3600, "h", (s % 3600) / 60, "min");
  return two(s / 86_400, "d", (s % 86_400) / 3600, "h");
}

/** `2026-01-31` @param {number} ms */
export const dateText = (ms) => new Date(ms).toISOString().slice(0, 10);

/** `14:02:07` @param {number} ms */
export const clockText = (ms) => new Date(ms).toISOString().slice(11, 19);

/**
 * A time on an axis: with its day where the axis has several, to the second where it is shorter than a day.
 * @param {number} ms @param {number} from @param {number} to
 */
export const axisText = (ms, from, to) => {
  const clock = to - from > 86_400_000 ? clockText(ms).slice(0, 5) : clockText(ms);
  return dateText(from) === dateText(to) ? clock : `${dateText(ms)} ${clock}`;
};

/** RFC 3339 with microseconds. @param {number} base milliseconds since 1970 @param {number} ns since then */
export function stamp(base, ns) {
  const micros = Math.floor(ns / 1000);
  const ms = base + Math.floor(micros / 1000);
  return `${new Date(ms).toISOString().slice(0, 23)}${String(((micros % 1000) + 1000) % 1000).padStart(3, "0")}Z`;
}

/** Milliseconds since 1970, as a value of `since:` and `until:`. @param {number} ms */
export const timeWord = (ms) => new Date(Math.round(ms)).toISOString();
