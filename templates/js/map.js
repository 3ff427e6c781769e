// @ts-check
// The map: the drawing that the page brings, with lines, places and shades of what the filter chooses. It zooms, places that would
// lie on each other become one, and a circle drawn on it asks for what is inside.

import { byId, download, html, replace, svg } from "./dom.js";
import { countryText } from "./facts.js";
import { bytesText, count, grouped } from "./format.js";
import { circlePath, greatCircle, kilometres, MAP_WIDTH, project, unproject } from "./geo.js";
import { sums } from "./groups.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./groups.js").Sum} Sum */
/** @typedef {{at: [number, number], name: string, country: string, city: string | null, x: number, y: number, connections: number, inbound: number, failed: number, tx: number, rx: number, peers: number}} Place */
/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */
/** @typedef {{x: number, y: number, places: Place[], connections: number, inbound: number, tx: number, rx: number, peers: number}} Cluster */

const MOST_LINES = 2000;
const MOST_ZOOM = 40;
/** Places nearer than this on the screen become one. */
const NEAR = 15;
const SHADES = 6;
/** Where lines rise from if the host's place is not known: below the map. */
const DOCK = { x: 500, y: 452 };

export class WorldMap {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const found = byId("map").querySelector("svg.cm-map");
    if (!(found instanceof SVGSVGElement)) throw new Error("the page has no map");
    this.picture = found;
    this.root = byId("map");
    this.zoom = 1;
    this.corner = { x: 0, y: 0 };
    this.mode = "lines";
    this.circling = false;
    this.moved = false;
    this.waiting = false;
    /** @type {number | undefined} */
    this.resting = undefined;
    /** @type {Place[]} */
    this.places = [];
    const drawing = found.querySelector(":scope > g");
    this.lands = /** @type {NodeListOf<SVGPathElement>} */ (found.querySelectorAll(".lands path"));
    for (const name of [".lines", ".rings", ".labels"]) found.querySelectorAll(name).forEach((part) => part.remove());
    this.world = svg("g", { class: "world" });
    this.lines = svg("g", { class: "lines" });
    this.spots = svg("g", { class: "rings" });
    this.names = svg("g", { class: "labels" });
    this.circle = svg("path", { class: "circle" });
    const lands = found.querySelector(".lands");
    const sheet = lands?.previousElementSibling;
    drawing?.insertBefore(this.world, drawing.firstChild);
    this.world.append(...[sheet, lands].filter((part) => part instanceof Element), this.lines, this.circle, this.spots, this.names);
    const host = found.querySelector(".host");
    if (host && app.model.home) this.world.append(host);
    this.host = app.model.home ? host : null;
    const box = found.viewBox.baseVal;
    this.height = box.height;
    found.setAttribute("tabindex", "0");
    found.removeAttribute("role");
    found.setAttribute("role", "application");
    found.setAttribute("aria-roledescription", "zoomable map");
    found.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    found.addEventListener("pointerdown", (event) => this.drag(event));
    found.addEventListener("keydown", (event) => this.key(event));
    found.addEventListener("dblclick", (event) => this.zoomAt(this.point(event), 2));
    this.lands.forEach((land) => land.addEventListener("click", (event) => this.land(land, event)));
    found.parentElement?.prepend(this.controls());
    new ResizeObserver(() => this.later()).observe(found);
  }

  controls() {
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ click) => html("button", { type: "button", title, "aria-label": title, click }, text);
    const modes = [["lines", "Lines", "Lines from this host"], ["lands", "Countries", "Only shades of countries"], ["counts", "Counts", "Circles by the number of connections"]].map(([mode, text, title]) =>
      html("button", { type: "button", title, "aria-pressed": String(mode === this.mode), "data-mode": mode, click: () => this.setMode(mode) }, text));
    this.modes = modes;
    this.pen = html("button", { type: "button", "aria-pressed": "false", title: "Draw a circle on the map to filter by area", click: () => this.setCircling(!this.circling), keydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.setCircling(false); } }, "◯ Radius");
    return html("div", { class: "map-tools" }, html("div", { role: "group", "aria-label": "What the map shows" }, ...modes), this.pen,
      html("div", { role: "group", "aria-label": "Zoom" }, button("+", "Nearer", () => this.zoomAt(this.middle(), 1.6)), button("−", "Farther", () => this.zoomAt(this.middle(), 1 / 1.6)), button("⤢", "The whole world", () => this.reset())),
      button("SVG", "SVG: save this map", () => this.save()));
  }

  /** @param {string} mode */
  setMode(mode) {
    this.mode = mode;
    this.modes?.forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.mode === mode)));
    this.draw();
  }

  /** @param {boolean} on */
  setCircling(on) {
    this.circling = on;
    this.pen?.setAttribute("aria-pressed", String(on));
    this.picture.classList.toggle("circling", on);
  }

  draw() {
    const { app } = this;
    const { model, rows } = app;
    const found = sums(model, rows, (row) => model.remote[row], model.endpoints.length);
    this.shade(found);
    replace(byId("shaded-by"), { bytes: "bytes", connections: "connections", peers: "addresses" }[app.question.measure]);
    this.places = this.gather(found);
    this.mark();
  }

  /** The places of these addresses: a city where one is known, else the country. @param {Sum[]} found */
  gather(found) {
    const { model } = this.app;
    /** @type {Map<string, Place>} */
    const places = new Map();
    for (const sum of found) {
      const { country, city, at } = model.endpoints[sum.key];
      const where = whereOf(model, model.endpoints[sum.key]);
      if (!where) continue;
      const key = city !== null && at ? `${country}/${city}/${at[0].toFixed(2)},${at[1].toFixed(2)}` : String(country);
      let place = places.get(key);
      if (!place) {
        const [x, y] = project(where);
        const name = city !== null && at ? city : countryText(model, country);
        place = { at: where, name, country: country ?? "", city: city !== null && at ? city : null, x, y, connections: 0, inbound: 0, failed: 0, tx: 0, rx: 0, peers: 0 };
        places.set(key, place);
      }
      place.connections += sum.connections;
      place.inbound += sum.inbound;
      place.failed += sum.failed;
      place.tx += sum.tx;
      place.rx += sum.rx;
      place.peers += 1;
    }
    return [...places.values()].sort((a, b) => this.of(b) - this.of(a));
  }

  /** What is measured. @param {{tx: number, rx: number, connections: number, peers: number}} sum */
  of(sum) {
    const { measure } = this.app.question;
    return measure === "bytes" ? sum.tx + sum.rx : measure === "connections" ? sum.connections : sum.peers;
  }

  /** @param {{tx: number, rx: number, connections: number, peers: number}} sum */
  figure(sum) {
    return this.app.question.measure === "bytes" ? bytesText(this.of(sum)) : grouped(this.of(sum));
  }

  /** @param {Sum[]} found */
  shade(found) {
    const { model } = this.app;
    /** @type {Map<string, {tx: number, rx: number, connections: number, peers: number}>} */
    const countries = new Map();
    for (const sum of found) {
      const { country, public: known } = model.endpoints[sum.key];
      if (!known || country === null) continue;
      const all = countries.get(country) ?? { tx: 0, rx: 0, connections: 0, peers: 0 };
      countries.set(country, { tx: all.tx + sum.tx, rx: all.rx + sum.rx, connections: all.connections + sum.connections, peers: all.peers + 1 });
    }
    const figures = [...countries.values()].map((sum) => this.of(sum)).filter((n) => n > 0);
    const share = scale(Math.min(...figures), Math.max(...figures));
    const range = this.picture.querySelector(".legend text");
    const words = this.app.question.measure === "bytes" ? bytesText : grouped;
    if (range) replace(range, figures.length ? `${words(Math.min(...figures))} to ${words(Math.max(...figures))}` : "nothing");
    for (const land of this.lands) {
      const code = land.dataset.c ?? "";
      const sum = countries.get(code);
      const shade = `s${sum && this.of(sum) > 0 ? 1 + Math.round(share(this.of(sum)) * (SHADES - 1)) : sum ? 1 : 0}`;
      if (land.getAttribute("class") !== shade) land.setAttribute("class", shade);
      const title = sum ? `${countryText(model, code)}: ${bytesText(sum.tx)} sent, ${bytesText(sum.rx)} received, ${count(sum.connections, "connection", "connections")}, ${count(sum.peers, "address", "addresses")}` : "";
      if (title !== (land.querySelector("title")?.textContent ?? "")) replace(land, title && svg("title", {}, title));
    }
  }

  /** Lines, places and names, as large as the zoom asks. */
  mark() {
    const { app, zoom } = this;
    const { places } = this;
    const size = this.scale() / zoom;
    const share = scale(Math.min(...places.map((place) => this.of(place)).filter((n) => n > 0)), Math.max(...places.map((place) => this.of(place))));
    const clusters = gatherNear(places, NEAR * size).sort((a, b) => this.of(b) - this.of(a));
    const home = app.model.home;
    const from = home ? /** @type {[number, number]} */ ([home.longitude, home.latitude]) : null;
    const lines = this.mode === "lines" ? places.slice(0, MOST_LINES).reverse() : [];
    replace(this.lines, ...lines.flatMap((place) => {
      const path = from ? greatCircle(from, place.at) : rising(place);
      const width = (0.5 + 2.6 * share(this.of(place))) * Math.sqrt(size);
      const drawn = [];
      if (place.inbound < place.connections) drawn.push(svg("path", { class: "wire", d: path, "stroke-width": width.toFixed(3) }));
      if (place.inbound > 0) drawn.push(svg("path", { class: "in", d: path, "stroke-width": Math.sqrt(size).toFixed(3), transform: drawn.length ? `translate(0 ${(2.6 * size).toFixed(2)})` : null }));
      return drawn;
    }));
    const most = Math.max(1, ...clusters.map((cluster) => cluster.connections));
    replace(this.spots, ...clusters.slice().reverse().map((cluster) => this.spot(cluster, size, share, most)));
    const view = this.view();
    const labelled = this.mode === "lands" ? [] : clusters.filter(({ x, y }) => x > view.left && x < view.right && y > view.top && y < view.bottom).slice(0, 24);
    replace(this.names, ...labels(labelled, size, (cluster) => this.figure(cluster), view, this.hostBox(size)));
    this.host?.setAttribute("transform", home ? about(project([home.longitude, home.latitude]), 1 / zoom) : "");
    this.lines.classList.toggle("dim", this.mode !== "lines");
    const { near } = app.question;
    this.circle.setAttribute("d", near ? circlePath([near[0], near[1]], near[2]) : "");
    this.circle.style.strokeWidth = String(1.4 * size);
  }

  /** What the host's own mark and label take, as far as they are on the world. @param {number} size */
  hostBox(size) {
    const { home } = this.app.model;
    if (!home) return [];
    const [x, y] = project([home.longitude, home.latitude]);
    const half = (textWidth(home.label, true) / 2 + 2) * size;
    return [{ left: x - half, right: x + half, top: y - 24 * size, bottom: y - 8 * size }, { left: x - 9 * size, right: x + 9 * size, top: y - 9 * size, bottom: y + 9 * size }];
  }

  /** @param {Cluster} cluster @param {number} size @param {(n: number) => number} share @param {number} most */
  spot(cluster, size, share, most) {
    const one = cluster.places.length === 1 ? cluster.places[0] : null;
    const radius = (this.mode === "counts" ? 3 + (14 * Math.log(1 + cluster.connections)) / Math.log(1 + most) : one ? 2.4 + 3.6 * share(this.of(cluster)) : 7) * size;
    const words = one ? `${one.name}${one.city === null ? " (only the country is known)" : ""}` : `${grouped(cluster.places.length)} places: ${cluster.places.slice(0, 6).map((place) => place.name).join(", ")}`;
    const title = `${words}: ${bytesText(cluster.tx)} sent, ${bytesText(cluster.rx)} received, ${count(cluster.connections, "connection", "connections")}`;
    const act = (/** @type {MouseEvent | KeyboardEvent} */ event) => {
      event.stopPropagation();
      if (event instanceof MouseEvent && (this.moved || this.circling)) return;
      if (!one) this.show(cluster.places);
      else if (one.city !== null) this.app.toggle("city", one.city, event.altKey);
      else this.app.toggle("country", one.country, event.altKey);
    };
    const kind = one ? (one.city === null ? "country" : "spot") : "cluster";
    const group = svg("g", {
      class: `place ${kind}`, tabindex: 0, "data-key": `place ${cluster.places[0].name}`, role: "button", "aria-label": title, click: act,
      keydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") act(event); },
    }, svg("title", {}, title), svg("circle", { class: kind === "spot" ? "spot" : "", cx: cluster.x, cy: cluster.y, r: radius.toFixed(3), "stroke-width": (1.1 * size).toFixed(3) }));
    if (!one && this.mode !== "counts") group.append(svg("text", { class: "number", x: cluster.x, y: cluster.y + 2.9 * size, "font-size": `${8 * size}px`, "text-anchor": "middle" }, cluster.places.length));
    return group;
  }

  /** @param {SVGPathElement} land @param {MouseEvent} event */
  land(land, event) {
    if (this.moved || this.circling) return;
    const code = land.dataset.c;
    if (code && land.querySelector("title")) this.app.toggle("country", code, event.altKey);
  }

  /** How much larger marks are drawn, so that they can be read on a small screen. */
  scale() {
    const width = this.picture.getBoundingClientRect().width;
    return width > 0 ? Math.max(1, Math.min(2.4, (MAP_WIDTH / width) * 0.85)) : 1;
  }

  /** What can be seen, in the map's units. */
  view() {
    return { left: this.corner.x, top: this.corner.y, right: this.corner.x + MAP_WIDTH / this.zoom, bottom: this.corner.y + this.height / this.zoom };
  }

  middle() {
    const { left, right, top, bottom } = this.view();
    return { x: (left + right) / 2, y: (top + bottom) / 2 };
  }

  /** Where an event is on the world. @param {MouseEvent} event */
  point(event) {
    const rect = this.picture.getBoundingClientRect();
    const unit = MAP_WIDTH / rect.width;
    return { x: this.corner.x + ((event.clientX - rect.left) * unit) / this.zoom, y: this.corner.y + ((event.clientY - rect.top) * unit) / this.zoom };
  }

  /** @param {{x: number, y: number}} point @param {number} factor */
  zoomAt(point, factor) {
    const zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    const scaled = this.zoom / zoom;
    this.moveTo(point.x - (point.x - this.corner.x) * scaled, point.y - (point.y - this.corner.y) * scaled, zoom);
  }

  /** @param {number} x @param {number} y @param {number} zoom */
  moveTo(x, y, zoom) {
    const changed = zoom !== this.zoom;
    this.zoom = zoom;
    this.corner = { x: Math.max(0, Math.min(MAP_WIDTH - MAP_WIDTH / zoom, x)), y: Math.max(0, Math.min(this.height - this.height / zoom, y)) };
    this.world.setAttribute("transform", `scale(${zoom}) translate(${-this.corner.x} ${-this.corner.y})`);
    clearTimeout(this.resting);
    if (changed) this.later();
    else this.resting = window.setTimeout(() => this.later(), 150); // names are put where there is room now
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.mark();
    });
  }

  reset() {
    this.moveTo(0, 0, 1);
  }

  /** Zooms to these places. @param {Place[]} places */
  show(places) {
    const [xs, ys] = [places.map((place) => place.x), places.map((place) => place.y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const zoom = Math.max(1, Math.min(MOST_ZOOM, 0.6 * Math.min(MAP_WIDTH / Math.max(1, right - left), this.height / Math.max(1, bottom - top)), this.zoom * 6));
    this.moveTo((left + right) / 2 - MAP_WIDTH / zoom / 2, (top + bottom) / 2 - this.height / zoom / 2, zoom);
  }

  /** The wheel zooms with Ctrl, or once the map has been zoomed; otherwise the page scrolls. @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey && this.zoom === 1) return;
    event.preventDefault();
    this.zoomAt(this.point(event), Math.exp(-event.deltaY / 400));
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (event.button !== 0) return;
    const start = this.point(event);
    const centre = unproject([start.x, start.y]);
    const [x, y, corner] = [event.clientX, event.clientY, { ...this.corner }];
    const unit = MAP_WIDTH / this.picture.getBoundingClientRect().width / this.zoom;
    this.moved = false;
    const radius = (/** @type {PointerEvent} */ e) => { const to = this.point(e); return kilometres(centre, unproject([to.x, to.y])); };
    const move = (/** @type {PointerEvent} */ e) => {
      if (Math.hypot(e.clientX - x, e.clientY - y) > 4) this.moved = true;
      if (!this.moved) return;
      if (this.circling) this.circle.setAttribute("d", circlePath(centre, radius(e)));
      else this.moveTo(corner.x - (e.clientX - x) * unit, corner.y - (e.clientY - y) * unit, this.zoom);
    };
    const up = (/** @type {PointerEvent} */ e) => {
      window.removeEventListener("pointermove", move);
      if (!this.circling || !this.moved) return;
      this.setCircling(false);
      this.app.ask({ near: [centre[0], centre[1], Math.max(1, Math.round(radius(e)))] });
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up, { once: true });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Escape") this.setCircling(false);
    const step = 60 / this.zoom;
    /** @type {Record<string, () => void>} */
    const keys = {
      "+": () => this.zoomAt(this.middle(), 1.6), "=": () => this.zoomAt(this.middle(), 1.6), "-": () => this.zoomAt(this.middle(), 1 / 1.6), 0: () => this.reset(),
      ArrowLeft: () => this.moveTo(this.corner.x - step, this.corner.y, this.zoom), ArrowRight: () => this.moveTo(this.corner.x + step, this.corner.y, this.zoom),
      ArrowUp: () => this.moveTo(this.corner.x, this.corner.y - step, this.zoom), ArrowDown: () => this.moveTo(this.corner.x, this.corner.y + step, this.zoom),
    };
    const act = keys[event.key];
    if (!act || (this.zoom === 1 && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    act();
  }

  /** The picture with the page's style, as a file of its own. */
  save() {
    const copy = /** @type {SVGSVGElement} */ (this.picture.cloneNode(true));
    const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText).filter((text) => text.includes(".cm-map"));
    copy.prepend(svg("style", {}, rules.join("\n")));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    download("map.svg", "image/svg+xml", [new XMLSerializer().serializeToString(copy)]);
  }
}

/** Where an address is drawn: its city where one is known, else its country. @param {import("./model.js").Model} model @param {import("./model.js").Endpoint} endpoint */
export function whereOf({ countries }, { country, city, at, public: known }) {
  if (!known) return null;
  return city !== null && at ? at : country === null ? null : (countries.get(country)?.at ?? null);
}

/** A number's share between two others, by logarithm. @param {number} least @param {number} most */
function scale(least, most) {
  const span = Math.log(Math.max(1, most)) - Math.log(Math.max(1, least));
  return (/** @type {number} */ n) => (span > 0 ? Math.max(0, Math.min(1, (Math.log(Math.max(1, n)) - Math.log(Math.max(1, least))) / span)) : 1);
}

/** From below the map to a place. @param {Place} place */
function rising({ x, y }) {
  const foot = DOCK.x + (x - DOCK.x) * 0.3;
  return `M${foot.toFixed(1)} ${DOCK.y}Q${foot.toFixed(1)} ${((y + DOCK.y) / 2).toFixed(1)} ${x.toFixed(1)} ${y.toFixed(1)}`;
}

/** A transform that keeps a thing's size on the screen. @param {[number, number]} point @param {number} size */
const about = ([x, y], size) => `translate(${x} ${y}) scale(${size}) translate(${-x} ${-y})`;

/** Places that lie on each other as one, the largest first. @param {Place[]} places @param {number} distance @returns {Cluster[]} */
function gatherNear(places, distance) {
  /** @type {Cluster[]} */
  const found = [];
  /** @type {Map<string, Cluster[]>} */
  const cells = new Map();
  for (const place of places) {
    const [i, j] = [Math.floor(place.x / distance), Math.floor(place.y / distance)];
    const around = [-1, 0, 1].flatMap((a) => [-1, 0, 1].flatMap((b) => cells.get(`${i + a},${j + b}`) ?? []));
    const near = around.find((one) => Math.hypot(one.x - place.x, one.y - place.y) < distance);
    if (near) {
      near.places.push(place);
      near.connections += place.connections;
      near.inbound += place.inbound;
      near.tx += place.tx;
      near.rx += place.rx;
      near.peers += place.peers;
      continue;
    }
    const { x, y, connections, inbound, tx, rx, peers } = place;
    const cluster = { x, y, places: [place], connections, inbound, tx, rx, peers };
    found.push(cluster);
    cells.set(`${i},${j}`, [...(cells.get(`${i},${j}`) ?? []), cluster]);
  }
  return found;
}

/** Places whose names may cover the marks of lesser ones. */
const MOST_NAMED = 8;

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;

/** How wide a word of a label is, for labels of 10 px. @param {string} text @param {boolean} bold */
function textWidth(text, bold) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * 7;
  ruler.font = `${bold ? 600 : 400} 10px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

/**
 * Names beside places, where there is room.
 * @param {Cluster[]} clusters
 * @param {number} size
 * @param {(cluster: Cluster) => string} figure
 * @param {Box} view
 * @param {Box[]} before what is taken already
 */
function labels(clusters, size, figure, view, before) {
  /** @type {Box[]} */
  const taken = [...before];
  const dots = clusters.map(({ x, y }) => ({ left: x - 6 * size, right: x + 6 * size, top: y - 6 * size, bottom: y + 6 * size }));
  const drawn = [];
  for (const [nth, cluster] of clusters.entries()) {
    const name = cluster.places[0].name + (cluster.places.length > 1 ? ` +${cluster.places.length - 1}` : "");
    const words = figure(cluster);
    const width = (textWidth(name, true) + textWidth(words, false) + 6) * size;
    const start = { left: cluster.x + 9 * size, right: cluster.x + 9 * size + width, top: cluster.y - 6.5 * size, bottom: cluster.y + 6.5 * size };
    const end = { ...start, left: cluster.x - 9 * size - width, right: cluster.x - 9 * size };
    const free = (/** @type {typeof start} */ one) => one.left > view.left && one.right < view.right && one.top > view.top && one.bottom < view.bottom
      && [...taken, ...dots.slice(0, nth < MOST_NAMED ? nth : dots.length)].every((other) => other.right < one.left || one.right < other.left || other.bottom < one.top || one.bottom < other.top);
    // By rank: a name gives way to names before it, those of the foremost only to places before them, and the first one is always there.
    const inside = Math.max(view.left + 2 * size, Math.min(start.left, view.right - width - 2 * size));
    const shifted = { left: inside, right: inside + width, top: cluster.y - 20 * size, bottom: cluster.y - 8 * size };
    const below = { ...shifted, top: cluster.y + 8 * size, bottom: cluster.y + 20 * size };
    const box = [start, end, shifted, below].find(free) ?? (nth === 0 ? shifted : null);
    if (!box) continue;
    taken.push(box);
    drawn.push(svg("text", { x: box === end ? box.right : box.left, y: box.bottom - 2.6 * size, "font-size": `${10 * size}px`, "text-anchor": box === end ? "end" : "start", "stroke-width": 2.4 * size },
      svg("tspan", { class: "name" }, name), svg("tspan", { dx: 3 * size }, words)));
  }
  return drawn;
}
