// @ts-check
// Opens pages in a real browser, and notes every request.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

const { BROWSER_BIN, CONNMON_BIN, PAGES, PLAYWRIGHT } = process.env;
if (!BROWSER_BIN || !CONNMON_BIN || !PAGES || !PLAYWRIGHT) throw new Error("run `cargo xtask test --only browser`");
/** @type {typeof import("playwright-core")} */
const { chromium } = await import(PLAYWRIGHT);

/** The store that the recorded page is of. */
const STORE = join(PAGES, "recorded.db");

export const browser = await chromium.launch({
  executablePath: BROWSER_BIN,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/**
 * Opens a page of the test's folder.
 * @param {string} name
 * @param {{hash?: string, width?: number, height?: number, dark?: boolean, scripts?: boolean}} [how]
 */
export async function open(name, { hash = "", width = 1280, height = 900, dark = false, scripts = true } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", javaScriptEnabled: scripts });
  const page = await context.newPage();
  /** @type {string[]} */
  const requests = [];
  /** @type {string[]} */
  const complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const url = `file://${join(String(PAGES), name)}`;
  await page.goto(url + hash);
  if (scripts) await page.waitForFunction(() => performance.getEntriesByName("connmon-ready").length > 0);
  return { page, requests: () => requests.filter((one) => one.split("#")[0] !== url), complaints, close: () => context.close() };
}

/** How many connections the page says that it shows. @param {import("playwright-core").Page} page */
export async function shown(page) {
  // What was just asked stands in the address before it is drawn.
  await page.evaluate(() => new Promise((drawn) => { requestAnimationFrame(() => requestAnimationFrame(drawn)); }));
  const text = await page.locator(".count b").innerText();
  return Number(text.replace(/\D/g, ""));
}

/** What a command prints, of the recorded page's store unless another one is named. @param {...string} args */
export function connmon(...args) {
  const store = args.includes("--db") ? [] : ["--db", STORE];
  return execFileSync(String(CONNMON_BIN), [...args, ...store], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] });
}
