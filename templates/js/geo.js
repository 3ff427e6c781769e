// @ts-check
// The map's geometry: the projection that the pictures have (Natural Earth I: see `report/svg/projection.rs`), great circles
// and distances.

const RADIANS = Math.PI / 180;
const EARTH_KM = 6371;
export const MAP_WIDTH = 1000;
const MAP_HEIGHT = 520;
const AT_EQUATOR = 0.8707;
const SCALE = MAP_WIDTH / (2 * Math.PI * AT_EQUATOR);

/** @typedef {[number, number]} Point */

/** @param {number} phi */
function across(phi) {
  const [p2, p4] = [phi ** 2, phi ** 4];
  return AT_EQUATOR - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4));
}

/** @param {number} phi */
function up(phi) {
  const [p2, p4] = [phi ** 2, phi ** 4];
  return phi * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)));
}

/** Where a place is on the map. @param {Point} place longitude and latitude @returns {Point} */
export function project([longitude, latitude]) {
  const phi = Math.max(-58, Math.min(84, latitude)) * RADIANS;
  return [MAP_WIDTH / 2 + SCALE * longitude * RADIANS * across(phi), MAP_HEIGHT / 2 - SCALE * up(phi)];
}

/** The place under a point of the map. @param {Point} point @returns {Point} */
export function unproject([x, y]) {
  const wanted = (MAP_HEIGHT / 2 - y) / SCALE;
  let [low, high] = [-Math.PI / 2, Math.PI / 2];
  for (let i = 0; i < 40; i += 1) {
    const middle = (low + high) / 2;
    if (up(middle) < wanted) low = middle;
    else high = middle;
  }
  const longitude = (x - MAP_WIDTH / 2) / SCALE / across(low) / RADIANS;
  return [Math.max(-180, Math.min(180, longitude)), low / RADIANS];
}

/** @param {Point} place @returns {[number, number, number]} */
function vector([longitude, latitude]) {
  const [lambda, phi] = [longitude * RADIANS, latitude * RADIANS];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

/** The angle between two places. @param {Point} a @param {Point} b */
function angle(a, b) {
  const [u, v] = [vector(a), vector(b)];
  return Math.acos(Math.max(-1, Math.min(1, u[0] * v[0] + u[1] * v[1] + u[2] * v[2])));
}

/** @param {Point} a @param {Point} b */
export const kilometres = (a, b) => angle(a, b) * EARTH_KM;

/** The shortest way between two places on the map, cut where it leaves one edge and enters the other. @param {Point} from @param {Point} to @returns {string} */
export function greatCircle(from, to) {
  const whole = angle(from, to);
  if (whole < 1e-6) return "";
  const [u, v] = [vector(from), vector(to)];
  const steps = Math.max(8, Math.ceil(whole / (3 * RADIANS)));
  let [path, last] = ["", NaN];
  for (let step = 0; step <= steps; step += 1) {
    const [a, b] = [Math.sin((1 - step / steps) * whole), Math.sin((step / steps) * whole)];
    const [x, y, z] = [0, 1, 2].map((i) => (a * u[i] + b * v[i]) / Math.sin(whole));
    const longitude = Math.atan2(y, x) / RADIANS;
    const point = project([longitude, Math.asin(Math.max(-1, Math.min(1, z))) / RADIANS]);
    path += `${Number.isNaN(last) || Math.abs(longitude - last) > 180 ? "M" : "L"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    last = longitude;
  }
  return path;
}

/** The outline of all places so far from one. @param {Point} middle @param {number} km @returns {string} */
export function circlePath([longitude, latitude], km) {
  const [phi, d] = [latitude * RADIANS, km / EARTH_KM];
  let [path, last] = ["", NaN];
  for (let bearing = 0; bearing <= 360; bearing += 5) {
    const theta = bearing * RADIANS;
    const lat = Math.asin(Math.sin(phi) * Math.cos(d) + Math.cos(phi) * Math.sin(d) * Math.cos(theta));
    const east = Math.atan2(Math.sin(theta) * Math.sin(d) * Math.cos(phi), Math.cos(d) - Math.sin(phi) * Math.sin(lat));
    const at = ((longitude + east / RADIANS + 540) % 360) - 180;
    const point = project([at, lat / RADIANS]);
    path += `${Number.isNaN(last) || Math.abs(at - last) > 180 ? "M" : "L"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    last = at;
  }
  return path;
}
