// @ts-check
// The bytes of a part of the time. They are kept in steps: a connection that moved all of them in the step in which it was opened has
// nothing more, of the others `steps` says when they moved what.

/** @typedef {import("./model.js").Model} Model */

/** Numbers of a step: its start in milliseconds since 1970, bytes sent, bytes received, and whose of the row's shares they are. Those of a share follow one another. */
const PER_STEP = 4;

/** An interval, widened to whole steps. @param {Model} model @param {[number, number]} time milliseconds since 1970 @returns {[number, number]} */
export function widened({ step }, [from, to]) {
  return [Math.floor(from / step) * step, Math.ceil(to / step) * step];
}

/**
 * The time of which bytes are shown: what is typed in the filter counts as what is chosen in the histogram. Null for all of it.
 * @param {Model} model @param {[number, number] | null} chosen @param {[number, number]} typed @returns {[number, number] | null}
 */
export function askedTime(model, chosen, [since, until]) {
  if (!chosen && since === -Infinity && until === Infinity) return null;
  // What moved in the last moment is in it as well.
  const [first, last] = chosen ?? [Math.min(model.window[0], until), Math.max(model.window[1], since) + 1];
  const from = Math.max(first, since);
  return widened(model, [from, Math.max(from, Math.min(last, until))]);
}

/** When the step began in which a row was opened, milliseconds since 1970. @param {Model} model @param {number} row */
const firstStep = ({ base, opened, step }, row) => Math.floor((base + opened[row] / 1e6) / step) * step;

/**
 * Tells each step in which a row moved bytes, of each process that did.
 * @param {Model} model
 * @param {number} row
 * @param {(start: number, tx: number, rx: number, share: number) => void} each with the start in milliseconds since 1970, and the place among the row's shares
 */
export function eachStep(model, row, each) {
  const found = model.steps.get(row);
  if (found !== undefined) {
    for (let at = 0; at < found.length; at += PER_STEP) each(found[at], found[at + 1], found[at + 2], found[at + 3]);
    return;
  }
  const first = firstStep(model, row);
  const shares = model.shares.get(row);
  if (shares === undefined) each(first, model.tx[row], model.rx[row], 0);
  else shares.forEach(({ tx, rx }, share) => each(first, tx, rx, share));
}

/** The model with the bytes of an interval of whole steps only. @param {Model} model @param {Uint32Array} rows that are shown @param {[number, number]} time @returns {Model} */
export function during(model, rows, [from, to]) {
  const [tx, rx] = [new Float64Array(model.rows), new Float64Array(model.rows)];
  /** @type {Model["shares"]} */
  const shares = new Map();
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i];
    const own = model.shares.get(row)?.map((share) => ({ ...share, tx: 0, rx: 0 }));
    if (own) shares.set(row, own);
    eachStep(model, row, (start, sent, received, share) => {
      if (start < from || start >= to) return;
      tx[row] += sent;
      rx[row] += received;
      if (own) {
        own[share].tx += sent;
        own[share].rx += received;
      }
    });
  }
  return { ...model, tx, rx, shares, whole: model };
}

/** Steps as they are read: row, steps after the first, bytes. @param {Model} model @param {Record<string, ArrayLike<number>>} columns @param {number} count */
export function readSteps(model, { row: rows, after, tx, rx, share }, count) {
  for (let at = 0; at < count; ) {
    const row = rows[at];
    let end = at;
    while (end < count && rows[end] === row) end += 1;
    const found = new Float64Array(PER_STEP * (end - at));
    const first = firstStep(model, row);
    for (let n = 0; at < end; at += 1, n += PER_STEP) found.set([first + after[at] * model.step, tx[at], rx[at], share[at]], n);
    model.steps.set(row, found);
  }
}

/** Steps as sums of longer ones, the length of which is a multiple of theirs. @param {Float64Array} steps @param {number} length milliseconds */
export function lengthened(steps, length) {
  /** @type {number[]} */
  const found = [];
  for (let at = 0; at < steps.length; at += PER_STEP) {
    const start = Math.floor(steps[at] / length) * length;
    const last = found.length - PER_STEP;
    if (last >= 0 && found[last] === start && found[last + 3] === steps[at + 3]) {
      found[last + 1] += steps[at + 1];
      found[last + 2] += steps[at + 2];
    } else found.push(start, steps[at + 1], steps[at + 2], steps[at + 3]);
  }
  return Float64Array.from(found);
}
