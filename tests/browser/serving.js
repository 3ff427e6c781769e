// @ts-check
// A recording that goes on, its page, and connections of which the test knows.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { browser } from "./pages.js";

const { CONNMON_BIN, PAGES } = process.env;
const folder = String(PAGES);
const environment = { ...process.env, CONNMON_GEO_DIR: folder };
export const LIVE_STORE = join(folder, "live.db");

/** @param {string[]} args @param {"inherit" | "pipe"} [errors] */
function start(args, errors = "inherit") {
  const child = spawn(String(CONNMON_BIN), args, { env: environment, stdio: ["ignore", "pipe", errors] });
  process.on("exit", () => child.kill("SIGKILL"));
  return child;
}

/** @param {import("node:child_process").ChildProcess} child @param {NodeJS.Signals} [signal] */
export async function stop(child, signal = "SIGINT") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

/** A recorder that has begun, which it says; its socket is there before that. */
export async function record() {
  const child = start(["record", "--db", LIVE_STORE], "pipe");
  let said = "";
  child.stderr?.on("data", (/** @type {Buffer} */ data) => {
    said += data;
    process.stderr.write(data);
  });
  for (let n = 0; !said.includes("recording into"); n += 1) {
    if (n > 600 || child.exitCode !== null) throw new Error("the recorder does not begin");
    await sleep(100);
  }
  return child;
}

/** A server, and the address that it prints. @param {number} [port] */
export async function serve(port = 0) {
  const child = start(["serve", "--db", LIVE_STORE, "--listen", `127.0.0.1:${port}`, "--token", join(folder, "token")]);
  const [text] = await once(child.stdout, "data");
  return { child, url: String(text).trim() };
}

/** A server of the test's own: connections to it have its port. */
export async function target() {
  const server = createServer((socket) => socket.on("error", () => {}).on("data", (data) => socket.write(data)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  /** A connection over which something was said. @param {boolean} [ends] at once */
  const visit = async (ends = true) => {
    const socket = connect(port, "127.0.0.1");
    const at = Date.now();
    socket.write("x".repeat(1000));
    await once(socket, "data");
    if (ends) socket.destroy();
    return { at, socket };
  };
  return { port, visit, close: () => server.close() };
}

/** A connection to a public address, within a network of its own from which nothing leaves. @param {string} ip */
export function visitPublic(ip) {
  const script = `ip link set lo up && ip addr add ${ip}/32 dev lo && exec "$0" -e 'const n=require("net"),s=n.createServer(c=>c.end("hello")).listen(4433,"${ip}",()=>{console.log(Date.now());n.connect(4433,"${ip}").on("data",()=>{}).on("close",()=>s.close())})'`;
  const { status, stdout } = spawnSync("unshare", ["--net", "sh", "-c", script, process.execPath], { encoding: "utf8" });
  return status === 0 ? Number(stdout) : null;
}

/** Opens a page that goes on. @param {string} url @param {import("playwright-core").BrowserContext} [known] a browser that has been there */
export async function openLive(url, known) {
  const context = known ?? (await browser.newContext({ viewport: { width: 1280, height: 900 } }));
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  /** @type {string[]} */
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => complaints.push(message.text()));
  await page.goto(url);
  await page.waitForFunction(() => performance.getEntriesByName("connmon-live").length > 0);
  await page.waitForFunction(() => document.querySelector(".live-tools .state")?.textContent === "live");
  return { context, page, complaints };
}
