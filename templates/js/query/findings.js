// @ts-check
// `finding:beacon` and `severity>low`: the connections of findings, as far as the page lists these. Each stands for the filters of its
// findings.

import { Fault } from "./fault.js";
import { pattern } from "./pattern.js";

/** @typedef {import("./syntax.js").Term} Term */
/** @typedef {{names: string[], severity: string, evidence: string}} Finding */

/** The least first. */
const SEVERITIES = ["info", "low", "medium", "high"];

/** @type {Record<string, ((found: number, value: number) => boolean) | undefined>} */
const RANKED = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** Whether a field is of findings. @param {string} name */
export const isOfFindings = (name) => ["finding", "severity"].includes(name.toLowerCase());

/** The filters of the findings that a test asks for. @param {Term} term @returns {string[]} */
export function evidenceOf(term) {
  const isWanted = term.name.toLowerCase() === "severity" ? bySeverity(term) : byName(term);
  return listed().filter(isWanted).map((finding) => finding.evidence);
}

/** What the page lists. @returns {Finding[]} */
function listed() {
  const entries = [...globalThis.document?.querySelectorAll("#findings [data-finding]") ?? []];
  return entries.map((entry) => ({
    names: (entry.getAttribute("data-finding") ?? "").split(" "),
    severity: entry.getAttribute("data-severity") ?? "",
    evidence: entry.getAttribute("data-evidence") ?? "",
  }));
}

/** @param {Term} term @returns {(finding: Finding) => boolean} */
function byName(term) {
  if (![":", "=", "!="].includes(term.operator)) {
    throw new Fault(term.at, term.name.length, "a finding cannot be compared", "write `finding:`");
  }
  const fits = pattern(term.values, "whole");
  return ({ names }) => names.some(fits);
}

/** @param {Term} term @returns {(finding: Finding) => boolean} */
function bySeverity(term) {
  const ranks = term.values.map((value) => {
    const rank = SEVERITIES.indexOf(value.text.toLowerCase());
    if (rank < 0) throw new Fault(value.at, value.length, `\`${value.text}\` is no severity`, `it is one of ${SEVERITIES.join(", ")}`);
    return rank;
  });
  const test = RANKED[term.operator] ?? ((/** @type {number} */ a, /** @type {number} */ b) => a === b);
  return ({ severity }) => ranks.some((rank) => test(SEVERITIES.indexOf(severity), rank));
}
