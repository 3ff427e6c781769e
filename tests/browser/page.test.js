// @ts-check
// The report in a real browser: what it shows is what the store has, it asks nobody for anything, and keys reach everything.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

import { displaySafe } from "../../templates/js/dom.js";
import { browser, connmon, open, shown } from "./pages.js";

after(() => browser.close());

/** The connections that a filter chooses, as connmon itself exports them. @param {string} filter @param {string} [store] @returns {any[]} */
function exported(filter, store) {
  try {
    const lines = connmon("export", "--format", "jsonl", "--filter", filter, ...store ? ["--db", store] : []).trim().split("\n");
    return lines.map((line) => JSON.parse(line)).filter((object) => "id" in object);
  } catch {
    return []; // exit code 1: nothing fits
  }
}

/** Asks a page for what a filter chooses. @param {import("playwright-core").Page} page @param {string} filter */
async function ask(page, filter) {
  await page.fill("#query", filter);
  await page.press("#query", "Enter");
  await page.waitForFunction((text) => new URLSearchParams(location.hash.slice(1)).get("q") === text, filter);
  await page.waitForTimeout(60);
}

test("a filter chooses in the page what it chooses on the command line", async () => {
  const { page, complaints, close } = await open("recorded.html");
  const all = exported("");
  assert.equal(await shown(page), all.length);
  const filters = [
    "proto:tcp", "dir:in", "-dir:in", "end:fin,closed", "bytes>1k", "bytes:0", "dur>=10ms", "port<1024", "local", "public", "net:127.0.0.0/8",
    "proc:*", "exe:/", "user:root", "127", "(dir:in or dir:out) -proto:udp", "rx>0 tx>0", "end:open", "/^(127|::1)/", "since:2026-01-01 until:2040-01-01",
  ];
  let chosen = 0;
  for (const filter of filters) {
    await ask(page, filter);
    const wanted = exported(filter).length;
    assert.equal(await shown(page), wanted, filter);
    chosen += wanted > 0 && wanted < all.length ? 1 : 0;
  }
  assert.ok(chosen >= 5, "the filters tell connections apart");
  assert.deepEqual(complaints, []);
  await close();
});

test("a filter for findings chooses in the page what it chooses on the command line", async () => {
  const { page, complaints, close } = await open("week.html");
  const store = join(String(process.env.PAGES), "week.db");
  const count = (/** @type {string} */ filter) => exported(filter, store).length;
  const [{ id, name, connections }] = JSON.parse(connmon("findings", "--db", store, "--format", "json")).findings
    .filter((/** @type {any} */ finding) => finding.detector === "D1");
  const named = exported("", store).filter(({ findings = [] }) => findings.some((/** @type {any} */ one) => one.id === id));
  assert.equal(named.length, connections, "an export names them");
  for (const filter of [`finding:${id}`, `finding:${name} severity>info`, "severity>low", "severity:high", `severity>=low -finding:${name}`]) {
    await ask(page, filter);
    const wanted = count(filter);
    assert.equal(await shown(page), wanted, filter);
    assert.ok(filter === `finding:${id}` ? wanted === connections : wanted > 0, filter);
  }
  await page.fill("#query", "severity>hihg");
  await page.press("#query", "Enter");
  await page.waitForSelector("#fault:not([hidden])");
  assert.match(await page.locator("#fault").innerText(), /`hihg` is no severity/);
  assert.deepEqual(complaints, []);
  await close();
});

test("bytes, processes and times in the page are those of the export", async () => {
  const { page, close } = await open("recorded.html");
  const connections = exported("");
  const biggest = connections.toSorted((a, b) => b.tx_bytes + b.rx_bytes - a.tx_bytes - a.rx_bytes)[0];
  await page.evaluate((id) => (location.hash = `c=${id}`), biggest.id);
  const drawer = page.locator(".drawer");
  await drawer.waitFor();
  const text = (await drawer.innerText()).replaceAll("\u202f", "");
  for (const words of [`${biggest.tx_bytes} bytes`, `${biggest.rx_bytes} bytes`, biggest.opened.slice(0, 26), biggest.process?.exe ?? "No process", biggest.remote.ip]) {
    assert.ok(text.includes(words), `${words} is not in ${text}`);
  }
  await close();
});

test("a wrong filter is explained and leaves what is shown", async () => {
  const { page, close } = await open("sample.html");
  await page.fill("#query", "prot:tcp");
  await page.press("#query", "Enter");
  await page.waitForSelector("#fault:not([hidden])");
  assert.equal(await page.locator("#fault").innerText(), "column 1: unknown field `prot`; did you mean `proto:`? — still showing everything");
  assert.ok((await shown(page)) > 0);
  await page.press("#query", "Escape");
  await page.waitForSelector("#fault", { state: "hidden" });
  await close();
});

test("bars, chips, the histogram and the map ask, and a link shows the same", async () => {
  const { page, complaints, close } = await open("sample.html");
  const all = await shown(page);
  await page.locator("#breakdowns").scrollIntoViewIfNeeded();
  await page.locator("#breakdowns .rank", { hasText: "Germany" }).first().click();
  await page.waitForFunction(() => location.hash.includes("country"));
  const germany = await shown(page);
  assert.ok(germany > 0 && germany < all);
  await page.locator("#breakdowns .rank", { hasText: "firefox" }).first().click({ modifiers: ["Alt"] });
  await page.waitForFunction(() => location.hash.includes("-proc"));
  assert.equal(await page.locator(".chips li:not(.clear)").count(), 2);
  const both = await shown(page);
  assert.ok(both < germany);
  const box = await page.locator(".brush-box").boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.3, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 10, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes("t="));
  // The address changes before the count is drawn.
  await page.waitForFunction((before) => Number(document.querySelector(".count b")?.textContent?.replace(/\D/g, "")) < before, both);
  const brushed = await shown(page);
  assert.ok(brushed > 0);
  const again = await open("sample.html", { hash: new URL(page.url()).hash });
  assert.equal(await shown(again.page), brushed);
  await again.close();
  await page.locator(".chips .clear button").click();
  await page.waitForFunction(() => location.hash === "");
  assert.equal(await shown(page), all);
  await page.locator(".cm-map .place").first().dispatchEvent("click");
  await page.waitForFunction(() => location.hash !== "" || document.querySelector(".world")?.hasAttribute("transform"));
  assert.deepEqual(complaints, []);
  await close();
});

test("the links of the bar go to what they name, and leave the question as it is", async () => {
  const { page, complaints, close } = await open("sample.html");
  const filter = "proto:tcp";
  await page.fill("#query", filter);
  await page.press("#query", "Enter");
  await page.waitForFunction(() => location.hash.includes("q="));
  const chosen = await shown(page);
  const links = await page.locator("nav.bar .links a:visible").all();
  assert.ok(links.length >= 9);
  for (const link of links) {
    const place = (await link.getAttribute("href") ?? "").slice(1);
    await link.click();
    // The last section may be too short to come to the top.
    await page.waitForFunction((id) => {
      const { top, height } = document.getElementById(id)?.getBoundingClientRect() ?? { top: 0, height: 0 };
      const end = Math.ceil(scrollY + innerHeight) >= document.documentElement.scrollHeight;
      return height > 0 && top < innerHeight && (end || top > 0 && top < 260);
    }, place);
    await page.waitForTimeout(300);
    assert.equal(await shown(page), chosen, place);
  }
  assert.equal(await page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("q")), filter, "the address says it too");
  assert.equal(await page.inputValue("#query"), filter);
  assert.deepEqual(complaints, []);
  await close();
});

test("Back takes back the last step", async () => {
  const { page, complaints, close } = await open("sample.html");
  const all = await shown(page);
  await page.locator("#breakdowns").scrollIntoViewIfNeeded();
  await page.locator("#breakdowns .rank", { hasText: "Germany" }).first().click();
  await page.waitForFunction(() => location.hash.includes("country"));
  const germany = await shown(page);
  await page.locator("#explorer").scrollIntoViewIfNeeded();
  await page.locator(".grid-body .grid-row").nth(3).click();
  const drawer = page.locator(".drawer");
  await drawer.waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.goBack();
  await drawer.waitFor({ state: "visible" });
  await page.goBack();
  await drawer.waitFor({ state: "hidden" });
  assert.equal(await shown(page), germany);
  await page.goBack();
  await page.waitForFunction(() => location.hash === "");
  await page.waitForTimeout(200);
  assert.equal(await shown(page), all);
  assert.deepEqual(complaints, []);
  await close();
});

test("keys act on what has the focus, and the focus stays", async () => {
  const { page, complaints, close } = await open("sample.html");
  await page.locator("#explorer").scrollIntoViewIfNeeded();
  await page.waitForSelector(".grid[aria-rowcount]");
  const head = page.locator(".grid-head button", { hasText: "Process" });
  await head.focus();
  await page.keyboard.press("Enter");
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
  assert.equal(await page.locator(".drawer").isHidden(), true);
  assert.equal(await page.locator(".grid-head [aria-sort]").getAttribute("aria-sort"), "ascending");
  assert.match(await focused(), /^Process/);
  await page.locator("#groups").scrollIntoViewIfNeeded();
  const turn = page.locator("#groups .turn").first();
  await turn.focus();
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "▾");
  // The last chip's place has none: the filter is next to it.
  await page.fill("#query", "proto:udp");
  await page.press("#query", "Enter");
  await page.locator(".chips button").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "query");
  // Nothing is there to be opened, and nothing is written into the address.
  await page.fill("#query", "port:1 bytes>1T");
  await page.press("#query", "Enter");
  await page.locator("#explorer").scrollIntoViewIfNeeded();
  await page.locator("#explorer .none").waitFor();
  await page.locator(".grid").focus();
  await page.keyboard.press("Enter");
  assert.ok(!page.url().includes("undefined"));
  assert.deepEqual(complaints, []);
  await close();
});

test("a marker of the map and a connection of the timeline are reached and opened by keys", async () => {
  const { page, complaints, close } = await open("sample.html");
  const place = page.locator(".cm-map .place").first();
  await place.scrollIntoViewIfNeeded();
  await place.focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash !== "" || document.querySelector(".world")?.hasAttribute("transform"));
  const lanes = page.locator(".lanes");
  await lanes.scrollIntoViewIfNeeded();
  await page.waitForTimeout(300);
  await lanes.focus();
  const told = page.locator(".lanes .tip");
  await page.keyboard.press("ArrowDown");
  const first = await told.innerText();
  assert.match(first, /^\d{4}-\d\d-\d\d .* UTC, .* sent, .* received$/);
  for (let presses = 0; presses < 5 && (await told.innerText()) === first; presses += 1) await page.keyboard.press("ArrowDown");
  assert.notEqual(await told.innerText(), first, "the next lane has another connection");
  await page.keyboard.press("Enter");
  await page.locator(".drawer").waitFor({ timeout: 5000 });
  assert.deepEqual(complaints, []);
  await close();
});

test("the table shows any row of many, sorts, and opens by keys", async () => {
  const { page, close } = await open("sample.html");
  const grid = page.locator(".grid");
  await grid.scrollIntoViewIfNeeded();
  const total = await shown(page);
  await page.waitForSelector(".grid[aria-rowcount]");
  assert.equal(await grid.getAttribute("aria-rowcount"), String(total + 1));
  assert.ok((await page.locator(".grid-body .grid-row").count()) < 120, "only what can be seen is in the page");
  await grid.focus();
  await grid.press("End");
  await page.waitForFunction((last) => document.querySelector(`.grid-body [aria-rowindex="${last}"]`), total + 1);
  await page.locator(".grid-head button", { hasText: "Sent" }).click();
  await grid.press("Home");
  const sent = await page.locator(".grid-body .grid-row span.n span").first().getAttribute("title");
  await grid.focus();
  await grid.press("Enter");
  const drawer = page.locator(".drawer");
  await drawer.waitFor();
  assert.ok((await drawer.innerText()).includes(String(sent)));
  const first = new URL(page.url()).hash;
  await drawer.press("j");
  await page.waitForFunction((before) => location.hash !== before, first);
  await drawer.press("k");
  await page.waitForFunction((before) => location.hash === before, first);
  await drawer.press("Escape");
  await drawer.waitFor({ state: "hidden" });
  assert.equal(new URL(page.url()).hash, "");
  await close();
});

test("hostile names are text everywhere, and nobody is asked for anything", async () => {
  const { page, requests, complaints, close } = await open("hostile.html");
  for (const section of await page.locator("main section:visible").all()) {
    await section.scrollIntoViewIfNeeded();
    await page.waitForTimeout(80);
  }
  await page.waitForSelector(".grid-body .grid-row");
  await page.locator(".grid-body .grid-row").first().click();
  await page.locator(".drawer").waitFor();
  for (let i = 0; i < 12; i += 1) await page.locator(".drawer").press("j");
  for (const tab of await page.locator("[role=tab]").all()) await tab.click();
  for (const turn of await page.locator(".turn").all()) await turn.click();
  const odd = await page.evaluate(() => document.querySelectorAll("img, iframe, object, embed, link, form, body script:not(#data):not(#manifest):not([type=module])").length);
  assert.equal(odd, 0);
  const handlers = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((attribute) => attribute.name.startsWith("on"))).length);
  assert.equal(handlers, 0);
  const visible = (await page.evaluate(() => document.body.innerText)).replace(/[\n\t]/g, " ");
  assert.equal(displaySafe(visible), visible);
  assert.deepEqual(requests(), []);
  assert.deepEqual(complaints, []);
  await close();
});

test("hostile names in a saved table are text, as in the command line's", async () => {
  const { page, requests, complaints, close } = await open("hostile.html");
  const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV", exact: true }).click()]);
  const text = readFileSync(await saved.path(), "utf8");
  const lines = text.trimEnd().split("\r\n");
  assert.equal(lines.length - 1, await shown(page));
  assert.equal(displaySafe(text.replaceAll("\r\n", "")), text.replaceAll("\r\n", ""));
  for (const line of lines) {
    // What a spreadsheet takes for a cell, at commas or at semicolons.
    for (const [cell] of [...line.matchAll(/"(?:[^"]|"")*"|[^,]+/g), ...line.matchAll(/[^;]+/g)]) {
      assert.ok(!/^["\s]*[=+\-@＝＋－＠]/u.test(cell), `${cell} in ${line}`);
    }
  }
  for (const { name, cell } of JSON.parse(readFileSync(new URL("../golden/hostile.json", import.meta.url), "utf8"))) {
    assert.ok(lines.some((line) => line.includes(cell)), `${name} is not in it as ${cell}`);
  }
  assert.deepEqual(requests().filter((url) => !url.startsWith("blob:")), []);
  assert.deepEqual(complaints, []);
  await close();
});

test("without scripts the page is complete", async () => {
  const { page, requests, close } = await open("recorded.html", { scripts: false });
  for (const id of ["summary", "map", "processes", "remotes", "countries", "services", "connections", "method"]) {
    assert.ok(await page.locator(`#${id}`).isVisible(), id);
  }
  assert.equal(await page.locator("#ask").isVisible(), false);
  assert.equal(await page.locator("#explorer").isVisible(), false);
  assert.deepEqual(requests(), []);
  await close();
});

test("the histogram is in proportion and high enough on a phone, and the largest place has its name", async () => {
  for (const width of [360, 1280]) {
    const { page, close } = await open("sample.html", { width });
    const { height, path, legend } = await page.evaluate(() => ({
      height: document.querySelector(".histogram .brush").getBoundingClientRect().height,
      path: document.querySelector(".histogram .opened").getAttribute("d"),
      legend: document.querySelector(".legend-bars .top").textContent,
    }));
    assert.ok(height >= 28, `${height} pixels high at ${width}`);
    const most = Number(/highest bar: ([\d,]+) /.exec(legend)?.[1].replaceAll(",", ""));
    const heights = [...path.matchAll(/v-([\d.]+)h/g)].map((found) => Number(found[1]));
    const highest = Math.max(...heights);
    for (const one of heights.filter((one) => one > 1.5)) {
      const connections = (one / highest) * most;
      assert.ok(Math.abs(connections - Math.round(connections)) <= (0.06 / highest) * most + 1e-6, `${one} of ${highest} is ${connections} of ${most}`);
    }
    const { markers, labels } = await page.evaluate(() => ({
      markers: [...document.querySelectorAll("#map .place")].map((marker) => marker.getAttribute("aria-label") ?? ""),
      labels: [...document.querySelectorAll("#map .labels text")].map((text) => text.textContent ?? ""),
    }));
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    const bytes = (/** @type {string} */ title) => [...title.matchAll(/([\d.\u202f]+)\s(B|[KMGT]iB)\s(?:sent|received)/g)].reduce((sum, [, n, unit]) => sum + Number(n.replaceAll("\u202f", "")) * 1024 ** units.indexOf(unit), 0);
    const largest = markers.reduce((best, one) => (bytes(one) > bytes(best) ? one : best));
    assert.ok(labels.some((text) => text !== "" && largest.includes(text.split(/[ ·,]/)[0])), `${largest} has no label at ${width}: ${labels}`);
    await close();
  }
});

test("nothing is wider than a phone, a notebook or a large screen", async () => {
  for (const [width, dark] of /** @type {[number, boolean][]} */ ([[360, false], [768, true], [1280, false], [2560, true]])) {
    const { page, close } = await open("sample.html", { width, dark });
    for (const section of await page.locator("main section:visible").all()) {
      await section.scrollIntoViewIfNeeded();
      await page.waitForTimeout(40);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} pixels too wide at ${width}`);
    await close();
  }
});

test("the timeline, the address space and the theme answer", async () => {
  const { page, complaints, close } = await open("sample.html");
  const square = page.locator("#space canvas");
  await square.scrollIntoViewIfNeeded();
  await page.waitForSelector("#space .blocks button");
  const block = await page.locator("#space .blocks button").first().innerText();
  await square.click({ position: { x: 200, y: 200 } });
  assert.match(await page.locator("#space .crumbs").innerText(), /\/8$/);
  await square.press("Escape");
  await page.locator("#space .blocks button", { hasText: block }).click();
  await page.waitForFunction(() => location.hash.includes("net"));
  let inBlock = await shown(page);
  // The address is first, the figures follow with the next frame.
  for (let looks = 0; looks < 100 && inBlock === 100_000; looks += 1) {
    await page.waitForTimeout(20);
    inBlock = await shown(page);
  }
  assert.ok(inBlock > 0 && inBlock < 100_000);
  const lanes = page.locator(".lanes");
  await lanes.scrollIntoViewIfNeeded();
  await page.waitForTimeout(300);
  const box = await lanes.boundingBox();
  assert.ok(box);
  for (let x = 0.3; x < 0.98 && (await page.locator(".drawer").isHidden()); x += 0.004) {
    await lanes.click({ position: { x: box.width * x, y: 40 } });
  }
  assert.ok(await page.locator(".drawer").isVisible(), "a bar of the timeline opens its connection");
  await page.locator(".drawer").press("Escape");
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.locator(".tools button[title='Light or dark']").click();
  assert.notEqual(await paper(), light);
  await page.locator(".tools button[title='Light or dark']").click();
  assert.equal(await paper(), light);
  assert.deepEqual(complaints, []);
  await close();
});

test("the map zooms, and a circle on it chooses what is inside", async () => {
  const { page, close } = await open("sample.html");
  const map = page.locator(".cm-map");
  await map.scrollIntoViewIfNeeded();
  await map.press("+");
  assert.match(String(await page.locator(".world").getAttribute("transform")), /scale\(1\.6\)/);
  await map.press("0");
  await page.locator(".map-tools button", { hasText: "Radius" }).click();
  const box = await map.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.53, box.y + box.height * 0.25);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.58, box.y + box.height * 0.25, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes("near"));
  const inside = await shown(page);
  assert.ok(inside > 0 && inside < 100_000);
  assert.match(await page.locator(".chips").innerText(), /within [\d\u202f]+ km/);
  await close();
});

test("the page has no serious barrier", async () => {
  const axe = readFileSync(join(String(process.env.PLAYWRIGHT), "../../axe-core/axe.min.js"), "utf8");
  for (const dark of [false, true]) {
    const { page, close } = await open("sample.html", { dark, hash: "#q=country%3ADE&c=77" });
    await page.waitForTimeout(800);
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const { violations: found } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations"] });
      return found.filter((/** @type {any} */ one) => one.impact === "serious" || one.impact === "critical")
        .map((/** @type {any} */ one) => `${one.id}: ${one.nodes.slice(0, 3).map((/** @type {any} */ node) => node.html).join(" | ")}`);
    });
    assert.deepEqual(violations, []);
    await close();
  }
});

test("the page prints to PDF", async () => {
  const { page, close } = await open("sample.html", { hash: "#q=proc%3Afirefox" });
  const pdf = await page.pdf({ format: "A4" });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
  const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  assert.ok(pages >= 2 && pages <= 12, `${pages} pages`);
  await close();
});

test("paper has the head, the filter and fifty connections", async () => {
  const { page, close } = await open("sample.html", { hash: "#q=proc%3Afirefox" });
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("#paper tbody tr").count(), 50);
  assert.ok(await page.locator("#paper").isVisible());
  assert.ok(await page.locator("h1").isVisible());
  assert.ok((await page.locator("#paper").innerText()).includes("proc:firefox"));
  assert.equal(await page.locator(".grid").isVisible(), false);
  await close();
});

test("the manifest says what the page holds", async () => {
  const text = readFileSync(join(String(process.env.PAGES), "recorded.html"), "utf8");
  const manifest = JSON.parse(text.split('id="manifest">')[1].split("</script>")[0]);
  assert.equal(manifest.rows, exported("").length);
  assert.equal(manifest.connections, manifest.rows);
  assert.ok(manifest.recordings.length > 0 && manifest.page.bytes > 1000);
});
