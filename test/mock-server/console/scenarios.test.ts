import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describePeer } from "../../interop/peers.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { accessibilityFaults, complaintsOf, startBrowser, takePictures } from "./browser.ts";

describePeer(["chromium"], "the console of a server with test controls", () => {
  let folder: string;
  let server: RunningServer;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-console-"));
    server = await startServer(join(folder, "server"), ["--test-controls"]);
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("a fault is switched on and off, the clock is stopped and moved, and a scenario is watched beside its expectations", async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    page.setDefaultTimeout(WAIT_MS);
    const complaints = complaintsOf(page);
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    await page.goto(`${server.url}/scenarios`);
    await page.getByLabel("E-mail").fill(server.email);
    await page.getByLabel("Password").fill(server.password);
    await button("Log in").click();
    await button("Switch a fault on").click();
    await page.getByRole("dialog").getByRole("combobox").selectOption("answer");
    await page.getByLabel(/^Value/).fill('{"status": 503}');
    await button("Switch on").click();
    const fault = page.getByRole("row", { name: /"status":503/ });
    await fault.waitFor();
    const asked = await fetch(`${server.url}/api/devices/v1/authentication/auth_requests`, { method: "POST" });
    expect(asked.status).toBe(503);
    await fault.getByText("1 time", { exact: true }).waitFor();
    await button("Switch off").click();
    await page.getByText("None is on").waitFor();
    await button("Stop it").click();
    await page.getByText("stopped").waitFor();
    await page.getByLabel(/^Let time pass/).fill("365d");
    await button("Advance").click();
    await page.getByText(String(new Date().getFullYear() + 1)).waitFor();
    await button("Show the real time").click();
    await button("Stop it").waitFor();
    await button("Run").click();
    await page.getByText("fault: power_cut during ArtifactInstall").first().waitFor();
    await page.getByRole("row", { name: "d runs v1 at the end" }).getByText("met").waitFor();
    await takePictures(page, "scenarios");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await accessibilityFaults(page), colorScheme).toEqual([]);
    }
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(1280);
    expect(complaints).toEqual([]);
    await page.getByLabel("Scenario", { exact: true }).fill("scenario: x\nfleeet: []\n");
    await button("Run").click();
    await page.getByText("scenario:2:1").waitFor();
  });
});
