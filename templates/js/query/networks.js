// @ts-check
// Addresses and networks, as 128-bit numbers: IPv4 within IPv6 is IPv4.

/** @typedef {{first: bigint, last: bigint}} Network the first and the last address */

const V4 = 0xffff00000000n;
const ALL = (1n << 128n) - 1n;

/** The number of an address; IPv4 as IPv4-mapped IPv6. @param {string} text @returns {bigint | null} */
export function address(text) {
  return text.includes(":") ? v6(text) : v4(text);
}

/** @param {string} text @returns {bigint | null} */
function v4(text) {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return null;
  return V4 | parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/** @param {string} text @returns {bigint | null} */
function v6(text) {
  let words = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    const low = v4(dotted[2]);
    if (low === null) return null;
    words = `${dotted[1]}${((low >> 16n) & 0xffffn).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const halves = words.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const given = head.length + (tail?.length ?? 0);
  if (tail === undefined ? given !== 8 : given > 7) return null;
  const all = [...head, ...Array(8 - given).fill("0"), ...(tail ?? [])];
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return null;
  return all.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
}

/** An address or a network; bits beyond the prefix do not matter. @param {string} text @returns {Network | null} */
export function network(text) {
  const [ip, prefix, ...rest] = text.split("/");
  const number = address(ip);
  if (number === null || rest.length > 0) return null;
  const bits = ip.includes(":") ? 128 : 32;
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)) return null;
  const length = BigInt(prefix ?? bits) + (bits === 32 ? 96n : 0n);
  const host = ALL >> length;
  return { first: number & (ALL ^ host), last: number | host };
}

/** Whether an address is in one of them; IPv4 is in no network of IPv6. @param {Network[]} networks @param {bigint} ip */
export function contains(networks, ip) {
  const isV4 = ip >> 32n === 0xffffn;
  return networks.some(({ first, last }) => first <= ip && ip <= last && (!isV4 || first >> 32n === 0xffffn));
}
