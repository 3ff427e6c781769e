// @ts-check
// What is asked, in words: for chips, and for paper.

import { clockText, dateText, grouped } from "./format.js";

/** @param {[number, number]} time */
export function intervalText([from, to]) {
  const day = dateText(from) === dateText(to) ? "" : `${dateText(to)} `;
  return `${dateText(from)} ${clockText(from)} – ${day}${clockText(to)} UTC`;
}

/** @param {[number, number, number]} near */
export const nearText = ([longitude, latitude, kilometres]) => `within ${grouped(kilometres)} km of ${latitude.toFixed(1)}°, ${longitude.toFixed(1)}°`;

/** A whole question; empty where everything is asked. @param {import("./state.js").Question} question */
export function askedText({ filter, time, near }) {
  return [filter, time && intervalText(time), near && nearText(near)].filter(Boolean).join("; ");
}
