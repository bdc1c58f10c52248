import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { requirePeer } from "../../interop/peers.ts";

/** Nothing but the page: no updates, no look-ups of names of Google's. */
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
/** Where pictures of the pages are kept, to be looked at. */
export const PICTURES = join(import.meta.dirname, "../../../coverage/console");

/** Debian's Chromium. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: requirePeer("chromium"), args: FLAGS });
}

/** What a page has said that it should not say: errors of its scripts, and what its policy blocked. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => {
    // Asking whether there is a session is answered with 401 where there is none.
    if (message.type() === "error" && !/status of 401/.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** Faults that axe finds serious or critical, each with the first element that has it. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  // Evaluated by the browser's debugger: the page's policy forbids foreign scripts.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<{ readonly violations: readonly Violation[] }>("axe.run()");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

const SIZES = { wide: { width: 1280, height: 860 }, telephone: { width: 390, height: 844 } };
const THEMES = ["light", "dark"] as const;

/** Keeps a picture of the page in both themes and on a telephone. */
export async function takePictures(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  // What has the focus may have been scrolled into view.
  await page.evaluate("scrollTo(0, 0)");
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}.png`) });
  }
  await page.setViewportSize(SIZES.telephone);
  await page.screenshot({ path: join(PICTURES, `${name}-telephone.png`) });
  await page.setViewportSize(SIZES.wide);
  await page.emulateMedia({ colorScheme: "light" });
}
