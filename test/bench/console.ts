/**
 * The console with a large fleet in the records: what its first page costs, how fast its list of devices answers typing,
 * and whether a page that stays open for an hour of changes keeps its memory.
 */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CDPSession, Page } from "playwright-core";
import { openDomain } from "../../mock-server/domain.ts";
import { openSystem } from "../../mock-server/system/index.ts";
import { startBrowser } from "../mock-server/console/browser.ts";
import { startUpkeep } from "./server/processes.ts";

export const CONSOLE_AIMS = { firstPageBytes: 100_000, typingMs: 100, heapGrowth: 0.05 } as const;

export interface ConsoleMeasurement {
  /** Bytes on the wire until the overview shows its numbers, with an empty cache. */
  readonly firstPage: { readonly bytes: number; readonly scriptBytes: number; readonly requests: number };
  /** Milliseconds from the navigation on. */
  readonly paintMs: number;
  /** Until the numbers are there and no long task runs. */
  readonly interactiveMs: number;
  /** Milliseconds from a key to the frame with its rows, sorted. */
  readonly typingMs: readonly number[];
  /** Bytes in use after a collection: first after a tenth of the changes, last at the end. */
  readonly heapBytes: readonly number[];
  readonly changes: number;
}

interface Settings {
  readonly folder: string;
  readonly devices: number;
  /** Changes that the page follows; it follows one per second. */
  readonly changes: number;
}

/** Requests under way while the records are filled. */
const AT_ONCE = 200;
const TYPED = ["board-7", "0a:1b", "v1.4", "site-42"];
const SEARCH = "/filters/search";

/** Devices with some attributes each. @returns The id of one of them. */
async function fill(directory: string, devices: number): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const domain = await openDomain({ system: openSystem(), storage: { directory } });
  const key = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
  const add = async (index: number): Promise<string> => {
    const digits = index.toString(16).padStart(8, "0").match(/../g) ?? [];
    const id = await domain.devices.preauthorize({ mac: ["02:00", ...digits].join(":") }, key);
    await domain.inventory.replace(id, [
      { name: "device_type", value: `board-${index % 12}` },
      { name: "artifact_name", value: `v1.${index % 30}` },
      { name: "site", value: `site-${index % 500}` },
      { name: "memory", value: 256 * (1 + (index % 8)) },
    ]);
    return id;
  };
  let some = "";
  for (let at = 0; at < devices; at += AT_ONCE) {
    const indexes = Array.from({ length: Math.min(AT_ONCE, devices - at) }, (_, offset) => at + offset);
    some = (await Promise.all(indexes.map(add)))[0] ?? some;
  }
  await domain.close();
  return some;
}

/** Counts in the page: frames with rows after a key, and the changes that have arrived. */
const WATCHER = `
  window.bench = { typed: [], changes: 0, longTaskEnd: 0, told: () => undefined };
  // Resolves when the counts are reached. Only one waits at a time.
  window.bench.until = (isReached) => new Promise((resolve) => {
    window.bench.told = () => { if (isReached(window.bench)) resolve(); };
    window.bench.told();
  });
  new BroadcastChannel("upkeep-events").onmessage = ({ data }) => {
    if (data.kind === undefined) return;
    window.bench.changes += 1;
    window.bench.told();
  };
  performance.setResourceTimingBufferSize(10_000);
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.bench.longTaskEnd = startTime + duration;
  }).observe({ type: "longtask", buffered: true });
  document.addEventListener("input", ({ timeStamp, target }) => {
    const { value } = target;
    const look = () => {
      const asked = performance.getEntriesByType("resource").some(({ name, startTime, responseEnd }) =>
        name.endsWith("${SEARCH}") && startTime >= timeStamp && responseEnd > 0);
      const isShown = !document.querySelector("main").textContent.includes("Loading…");
      if (asked && isShown && (new URLSearchParams(location.search).get("q") ?? "") === value)
        requestAnimationFrame((now) => { window.bench.typed.push(now - timeStamp); window.bench.told(); });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { capture: true });
`;

async function logIn(page: Page, url: string, email: string, password: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
}

async function measureFirstPage(page: Page, session: CDPSession, url: string) {
  await session.send("Network.enable");
  await session.send("Network.clearBrowserCache");
  const scripts = new Set<string>();
  const loaded = { bytes: 0, scriptBytes: 0, requests: 0 };
  session.on("Network.responseReceived", ({ requestId, type }) => {
    if (type === "Script" || type === "Stylesheet") scripts.add(requestId);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    loaded.requests += 1;
    loaded.bytes += encodedDataLength;
    if (scripts.has(requestId)) loaded.scriptBytes += encodedDataLength;
  });
  await page.goto(url);
  await page.locator(".tile strong").first().waitFor();
  const firstPage = { ...loaded };
  const shownMs = await page.evaluate<number>("performance.now()");
  const longTaskMs = await page.evaluate<number>("window.bench.longTaskEnd");
  const paintMs = await page.evaluate<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime");
  await session.send("Network.disable");
  return { firstPage, paintMs, interactiveMs: Math.max(shownMs, longTaskMs) };
}

async function measureTyping(page: Page, url: string): Promise<readonly number[]> {
  await page.goto(`${url}/devices`);
  const box = page.getByLabel("Search devices");
  const rows = page.locator("main tbody tr");
  await rows.first().waitFor();
  let keys = 0;
  const press = async (key: string): Promise<void> => {
    await box.press(key);
    keys += 1;
    await page.evaluate(`window.bench.until(({ typed }) => typed.length === ${keys})`);
  };
  for (const text of TYPED) {
    for (const key of text) await press(key);
    await box.press("Control+a");
    await press("Delete");
  }
  const typed = await page.evaluate<number[]>("window.bench.typed");
  return typed.toSorted((a, b) => a - b);
}

/** Follows changes with a page whose timers are driven from here: a second of its time passes for each. */
async function measureHeap(
  page: Page,
  session: CDPSession,
  url: string,
  settings: Settings,
  change: () => Promise<void>,
) {
  await page.clock.install();
  await page.goto(`${url}/devices`);
  await page.locator("main tbody tr").first().waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  const heap = async (): Promise<number> => {
    // The browser keeps an entry for each request, more of them than without the watcher.
    await page.evaluate("performance.clearResourceTimings()");
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  const heapBytes: number[] = [];
  for (let number = 1; number <= settings.changes; number += 1) {
    await change();
    await page.evaluate(`window.bench.until(({ changes }) => changes >= ${number})`);
    const reloaded = page.waitForResponse((answer) => answer.url().endsWith(SEARCH));
    await page.clock.runFor(1000);
    await (await reloaded).finished();
    if (number % Math.ceil(settings.changes / 10) === 0) heapBytes.push(await heap());
  }
  return heapBytes;
}

export async function measureConsole(settings: Settings): Promise<ConsoleMeasurement> {
  const data = join(settings.folder, "console-server");
  const device = await fill(data, settings.devices);
  const server = await startUpkeep(data);
  const browser = await startBrowser();
  try {
    const { email = "", password = "" } = server.administrator ?? {};
    const url = `http://127.0.0.1:${server.port}`;
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    await page.addInitScript(WATCHER);
    const session = await page.context().newCDPSession(page);
    await logIn(page, url, email, password);
    const first = await measureFirstPage(page, session, url);
    const typingMs = await measureTyping(page, url);
    const token = await (
      await page.request.post(`${url}/api/management/v1/useradm/auth/login`, {
        headers: { authorization: `Basic ${Buffer.from(`${email}:${password}`).toString("base64")}` },
      })
    ).text();
    let changes = 0;
    const heapBytes = await measureHeap(page, session, url, settings, async () => {
      changes += 1;
      const answer = await fetch(`${url}/api/management/v1/inventory/devices/${device}/tags`, {
        method: "PUT",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify([{ name: "change", value: String(changes) }]),
      });
      if (!answer.ok) throw new Error(`a change of tags was answered ${answer.status}`);
    });
    return { ...first, typingMs, heapBytes, changes };
  } finally {
    await browser.close();
    await server.stop();
  }
}
