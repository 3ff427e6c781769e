// @ts-check
// The page of a recording that goes on: what happens on this host is seen soon, and stays to be looked at.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { readPayload } from "../../templates/js/payload.js";
import { ENDS } from "../../templates/js/query/entries.js";
import { browser, connmon, shown } from "./pages.js";
import { LIVE_STORE, openLive, record, serve, stop, target, visitPublic } from "./serving.js";

/** @typedef {import("playwright-core").Page} Page */

const skip = process.getuid?.() !== 0 && "recording needs root";
/** @type {Awaited<ReturnType<typeof target>>} */
let own;
/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {Awaited<ReturnType<typeof record>>} */
let recorder;

before(async () => {
  if (skip) return;
  own = await target();
  recorder = await record();
  server = await serve();
});
after(async () => {
  await browser.close();
  if (skip) return;
  own.close();
  await stop(server.child, "SIGKILL");
  await stop(recorder, "SIGKILL");
});

/** @param {Page} page @param {string} filter */
async function ask(page, filter) {
  await page.fill("#query", filter);
  await page.press("#query", "Enter");
  await page.waitForFunction((text) => (new URLSearchParams(location.hash.slice(1)).get("q") ?? "") === text, filter);
}

/** Until the page says that it shows so many. @param {Page} page @param {number} n */
const until = (page, n) => page.waitForFunction((wanted) => Number(document.querySelector(".count b")?.textContent?.replace(/\D/g, "")) === wanted, n, { timeout: 10_000 });

/** Both ends of a connection of this host are connections: only the one that asked. */
const asked = () => `port:${own.port} dir:out`;

test("rows and markers arrive soon", { skip }, async (context) => {
  const { page, complaints, context: browserContext } = await openLive(server.url);
  assert.equal(new URL(page.url()).search, "", "the token is not left in the address");
  await ask(page, asked());
  await page.locator(".grid").scrollIntoViewIfNeeded();
  const times = [];
  for (let n = 1; n <= 9; n += 1) {
    const { at } = await own.visit();
    const seen = await page.waitForFunction((count) => (document.querySelectorAll(".grid-body .grid-row").length === count ? Date.now() : 0), n, { polling: "raf", timeout: 10_000 });
    times.push(Number(await seen.jsonValue()) - at);
    await page.waitForTimeout(130 * n);
  }
  times.sort((a, b) => a - b);
  context.diagnostic(`from connect to a row that is seen: ${times.join(", ")} ms; median ${times[4]} ms`);
  await ask(page, "");
  const map = page.locator(".cm-map");
  await map.scrollIntoViewIfNeeded();
  const ip = "9.9.9.9";
  const pulses = page.waitForSelector(".pulses circle", { state: "attached", timeout: 5000 }).catch(() => null);
  const places = await page.locator(".world .place").count();
  const at = visitPublic(ip);
  if (at === null) context.diagnostic("no network of its own: no marker");
  else {
    const seen = await page.waitForFunction((count) => (document.querySelectorAll(".world .place").length > count ? Date.now() : 0), places, { polling: "raf", timeout: 10_000 });
    context.diagnostic(`from connect to a marker on the map: ${Number(await seen.jsonValue()) - at} ms`);
    assert.ok(await pulses, "it pulses");
    await page.waitForTimeout(1500);
    assert.equal(await page.locator(".pulses g").count(), 0, "and is still again");
  }
  assert.deepEqual(complaints, []);
  await browserContext.close();
});

test("a filter stays while connections come, and the page does not grow", { skip }, async () => {
  const { page, complaints, context } = await openLive(server.url);
  const other = await target();
  await ask(page, `port:${other.port} dir:out`);
  assert.equal(await shown(page), 0);
  for (let n = 0; n < 3; n += 1) await other.visit();
  await until(page, 3);
  await page.locator(".cm-map").scrollIntoViewIfNeeded();
  await page.locator(".cm-map").press("+");
  const zoom = await page.locator(".world").getAttribute("transform");
  // The top is written anew with all that happened, of which other connections are a part.
  const size = () => page.evaluate(() => document.querySelectorAll("main > :not(#summary, #findings) *").length);
  // What the zoom shows is drawn in the frames after it.
  let elements = await size();
  for (let before = -1; before !== elements; elements = await size()) {
    before = elements;
    await page.waitForTimeout(500);
  }
  for (let n = 0; n < 12; n += 1) {
    await own.visit();
    await page.waitForTimeout(150);
  }
  await page.waitForTimeout(500);
  assert.ok((await size()) - elements <= 5, `${elements} elements became ${await size()}`);
  assert.equal(await page.locator(".world").getAttribute("transform"), zoom);
  assert.equal(await page.inputValue("#query"), `port:${other.port} dir:out`);
  await until(page, 3);
  assert.deepEqual(complaints, []);
  other.close();
  await context.close();
});

test("the top follows the recording", { skip }, async () => {
  const { page, complaints, context } = await openLive(server.url);
  const when = page.locator(".cover .when time").last();
  const [before, verdict] = [await when.innerText(), await page.locator(".verdict h2").innerText()];
  const parts = await page.locator(".cover > *").count();
  const ask = page.locator("#findings button[data-ask]").first();
  await page.waitForFunction((text) => [...document.querySelectorAll(".cover .when time")].at(-1)?.textContent !== text, before, { timeout: 20_000 });
  assert.equal(await page.locator(".verdict h2").innerText(), verdict);
  assert.equal(await page.locator(".cover > *").count(), parts);
  if (await ask.count() > 0) {
    const filter = await ask.getAttribute("data-ask") ?? "";
    await ask.click();
    // Buttons that came later ask too.
    await page.waitForFunction((text) => /** @type {HTMLInputElement | null} */ (document.querySelector("#query"))?.value === text, filter, { timeout: 10_000 });
  }
  assert.deepEqual(complaints, []);
  await context.close();
});

test("what is looked at stays where it is", { skip }, async () => {
  const { page, complaints, context } = await openLive(server.url);
  const other = await target();
  await ask(page, `port:${other.port} dir:out`);
  for (let n = 0; n < 40; n += 1) await other.visit();
  await until(page, 40);
  const grid = page.locator(".grid");
  await grid.scrollIntoViewIfNeeded();
  await page.waitForTimeout(300); // it is drawn once it is seen, from the top
  await grid.evaluate((element) => { element.scrollTop = 500; });
  await page.waitForTimeout(300);
  const top = () => page.evaluate(() => {
    const box = document.querySelector(".grid")?.getBoundingClientRect();
    const rows = [...document.querySelectorAll(".grid-body .grid-row")];
    return rows.find((row) => row.getBoundingClientRect().top > (box?.top ?? 0) + 60)?.querySelector("span")?.textContent;
  });
  const first = await top();
  const row = page.locator(".grid-body .grid-row").nth(8);
  await row.click();
  const drawer = page.locator(".drawer");
  await drawer.waitFor();
  const heading = await drawer.locator(".kicker").innerText();
  for (let n = 0; n < 6; n += 1) {
    await other.visit();
    await page.waitForTimeout(200);
  }
  await until(page, 46);
  await page.waitForTimeout(300);
  assert.equal(await top(), first, "newer rows come above, and this one stays");
  assert.equal(await drawer.locator(".kicker").innerText(), heading);
  assert.deepEqual(complaints, []);
  other.close();
  await context.close();
});

test("the drawer tells what happened on a connection", { skip }, async () => {
  const { page, context } = await openLive(server.url);
  const other = await target();
  await ask(page, `port:${other.port} dir:out`);
  const { socket } = await other.visit(false);
  await until(page, 1);
  await page.locator(".grid").scrollIntoViewIfNeeded();
  await page.locator(".grid-body .grid-row").first().click();
  const events = page.locator(".drawer .events");
  await events.filter({ hasText: "opened" }).waitFor();
  assert.match(await page.locator(".drawer").innerText(), /still open/);
  socket.destroy();
  await events.filter({ hasText: "closed" }).waitFor({ timeout: 10_000 });
  assert.equal(await shown(page), 1, "what is closed stays");
  other.close();
  await context.close();
});

test("pause holds the display, and nothing is lost", { skip }, async () => {
  const { page, complaints, context } = await openLive(server.url);
  const other = await target();
  await ask(page, `port:${other.port} dir:out`);
  await page.locator(".live-tools .pause").click();
  for (let n = 0; n < 5; n += 1) await other.visit();
  await page.waitForFunction(() => /^paused · [1-9]\d* waiting$/.test(document.querySelector(".live-tools .state")?.textContent ?? ""));
  await page.waitForTimeout(700);
  assert.equal(await shown(page), 0);
  await page.locator(".live-tools .pause").click();
  await until(page, 5);
  assert.equal(await page.locator(".live-tools .state").innerText(), "live");
  assert.deepEqual(complaints, []);
  other.close();
  await context.close();
});

test("since now leaves out what was", { skip }, async () => {
  const { page, context } = await openLive(server.url);
  const other = await target();
  await ask(page, `port:${other.port} dir:out`);
  for (let n = 0; n < 4; n += 1) await other.visit();
  await until(page, 4);
  await page.locator(".grid").scrollIntoViewIfNeeded();
  await page.waitForFunction(() => !document.querySelector(".grid-body")?.textContent?.includes("still open"), undefined, { timeout: 10_000 });
  await page.waitForTimeout(1000);
  await page.locator(".live-tools .since").click();
  await until(page, 0);
  assert.match(await page.inputValue("#query"), /since:\d{4}-/);
  await other.visit();
  await until(page, 1);
  other.close();
  await context.close();
});

test("several browsers see the same, and one that lost its server finds it again", { skip }, async () => {
  const [one, two] = [await openLive(server.url), await openLive(server.url)];
  const pages = [one.page, two.page];
  const other = await target();
  for (const page of pages) await ask(page, `port:${other.port} dir:out`);
  await other.visit();
  for (const page of pages) await until(page, 1);
  const port = Number(new URL(server.url).port);
  await stop(server.child, "SIGKILL");
  for (const page of pages) await page.waitForFunction(() => document.querySelector(".live-tools .state")?.textContent === "reconnecting…");
  await other.visit();
  server = await serve(port);
  for (const page of pages) {
    await page.waitForFunction(() => document.querySelector(".live-tools .state")?.textContent === "live", undefined, { timeout: 20_000 });
    await until(page, 2);
  }
  await other.visit();
  for (const page of pages) await until(page, 3);
  other.close();
  await one.context.close();
  await two.context.close();
});

/** What the connections of a page are, in plain words. @param {string} page */
async function connectionsOf(page) {
  const model = await readPayload(page.split('id="data">')[1].split("</script>")[0]);
  return Array.from(model.order, (row) => {
    const { processes, endpoints, locals, nameSets, protos } = model;
    const who = (/** @type {number} */ place) => (place < 0 ? null : { ...processes[place], parent: null });
    return {
      id: model.id[row], opened: model.base + model.opened[row] / 1e6, lasted: model.lasted[row], tx: model.tx[row], rx: model.rx[row], calls: [model.txCalls[row], model.rxCalls[row]],
      kernel: [model.kernelTx[row], model.kernelRx[row]], wire: [model.wireTx[row], model.wireRx[row]], end: ENDS[model.end[row]], proto: protos[model.proto[row]], direction: model.direction[row],
      local: `${locals[model.local[row]]} ${model.localPort[row]}`, remote: `${endpoints[model.remote[row]].ip} ${model.remotePort[row]}`, country: endpoints[model.remote[row]].country,
      owner: who(model.owner[row]), others: model.others.get(row)?.map(who), names: nameSets[model.names[row]].map(({ name, source }) => `${name} ${source}`),
    };
  });
}

test("the report that is saved is the one that connmon writes", { skip }, async (context) => {
  const { page, context: browserContext } = await openLive(server.url);
  await stop(recorder);
  await page.waitForFunction(() => document.querySelector(".live-tools .state")?.textContent === "the recording ended", undefined, { timeout: 10_000 });
  const coming = page.waitForEvent("download");
  await page.locator(".live-tools .save").click();
  const saved = readFileSync(await (await coming).path(), "utf8");
  const path = join(String(process.env.PAGES), "live.html");
  connmon("report", "--db", LIVE_STORE, "--out", path);
  const written = readFileSync(path, "utf8");
  const [ours, theirs] = [await connectionsOf(saved), await connectionsOf(written)];
  assert.ok(ours.length > 100);
  assert.deepEqual(ours, theirs);
  context.diagnostic(saved === written ? "the files are the same to the byte" : "the files differ beside their connections");
  await browserContext.close();
});
