// @ts-check
// Wakes the page up: reads its data, and puts the views in place of the tables that need no script.

import { App } from "./app.js";
import { Bar } from "./bar.js";
import { Breakdown } from "./breakdown.js";
import { bringUp, byId, replace } from "./dom.js";
import { Drawer } from "./drawer.js";
import { WorldMap } from "./map.js";
import { Nested } from "./nested.js";
import { readPayload } from "./payload.js";
import { Programs } from "./programs.js";
import { Space } from "./space.js";
import { Table } from "./table.js";
import { Timeline } from "./timeline.js";
import { Trays } from "./trays.js";

async function wake() {
  const element = byId("data");
  const model = await readPayload(element.textContent ?? "");
  replace(element);
  const app = new App(model);
  const open = (/** @type {number} */ row) => app.ask({ open: app.model.id[row] });
  const table = new Table(app, open);
  const bar = new Bar(app);
  const map = new WorldMap(app);
  const drawer = new Drawer(app, (row, step) => table.neighbour(row, step));
  const views = [bar, map, new Trays(app), new Breakdown(app), new Nested(app), new Programs(app), new Timeline(app, open), new Space(app), table, drawer];
  views.forEach((view) => app.add(view));
  window.addEventListener("beforeprint", () => {
    app.drawAll();
    replace(byId("paper"), table.paper());
  });
  window.addEventListener("afterprint", () => replace(byId("paper")));
  // A page that goes on gets new ones.
  document.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button[data-ask]") : null;
    if (!(button instanceof HTMLElement)) return;
    app.ask({ filter: button.dataset.ask ?? "", time: null, near: null });
    bringUp(byId("explorer"));
  });
  app.start();
  performance.mark("connmon-ready");
  return { app, bar, map, table, drawer };
}

/** The page, once it is awake. */
export const page = wake();

page.catch((error) => {
  // The page is complete without its script; what went wrong is for whoever looks.
  document.documentElement.classList.remove("live");
  console.error(error);
});
