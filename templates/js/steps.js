// @ts-check
// The bytes of a part of the time. They are kept in steps: a connection that moved all of them in the step in which it was opened has
// nothing more, of the others `steps` says when they moved what.

/** @typedef {import("./model.js").Model} Model */

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
 * Tells each step in which a row moved bytes.
 * @param {Model} model
 * @param {number} row
 * @param {(start: number, tx: number, rx: number) => void} each with the start in milliseconds since 1970
 */
export function eachStep(model, row, each) {
  const found = model.steps.get(row);
  if (found === undefined) {
    each(firstStep(model, row), model.tx[row], model.rx[row]);
    return;
  }
  for (let at = 0; at < found.length; at += 3) each(found[at], found[at + 1], found[at + 2]);
}

/** The model with the bytes of an interval of whole steps only. @param {Model} model @param {Uint32Array} rows that are shown @param {[number, number]} time @returns {Model} */
export function during(model, rows, [from, to]) {
  const [tx, rx] = [new Float64Array(model.rows), new Float64Array(model.rows)];
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i];
    eachStep(model, row, (start, sent, received) => {
      if (start < from || start >= to) return;
      tx[row] += sent;
      rx[row] += received;
    });
  }
  return { ...model, tx, rx, whole: model };
}

/** Steps as they are read: row, steps after the first, bytes. @param {Model} model @param {Record<string, ArrayLike<number>>} columns @param {number} count */
export function readSteps(model, { row: rows, after, tx, rx }, count) {
  for (let at = 0; at < count; ) {
    const row = rows[at];
    let end = at;
    while (end < count && rows[end] === row) end += 1;
    const found = new Float64Array(3 * (end - at));
    const first = firstStep(model, row);
    for (let n = 0; at < end; at += 1, n += 3) found.set([first + after[at] * model.step, tx[at], rx[at]], n);
    model.steps.set(row, found);
  }
}

/** Steps as sums of longer ones, the length of which is a multiple of theirs. @param {Float64Array} steps @param {number} length milliseconds */
export function lengthened(steps, length) {
  /** @type {number[]} */
  const found = [];
  for (let at = 0; at < steps.length; at += 3) {
    const start = Math.floor(steps[at] / length) * length;
    if (found.length > 0 && found[found.length - 3] === start) {
      found[found.length - 2] += steps[at + 1];
      found[found.length - 1] += steps[at + 2];
    } else found.push(start, steps[at + 1], steps[at + 2]);
  }
  return Float64Array.from(found);
}
