// The console as people use it: a browser, a server and a device, each a process of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describePeer } from "../../interop/peers.ts";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { accessibilityFaults, complaintsOf, startBrowser, takePictures } from "./browser.ts";

const MAC = "02:00:5e:00:53:17";
/** Says why it fails, and fails. */
const FAILING_MODULE = `#!/bin/sh
case "$1" in
  ArtifactInstall) echo "the battery is too low" >&2; exit 1 ;;
  SupportsRollback) echo Yes ;;
esac
exit 0
`;

describePeer(["chromium"], "the console", () => {
  let folder: string;
  let server: RunningServer;
  let device: Program;
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-console-"));
    server = await startServer(join(folder, "server"));
    const root = join(folder, "device");
    createAgentRoot(root, {
      serverUrl: server.url,
      deviceType: "board",
      identity: { mac: MAC },
      modules: { battery: FAILING_MODULE },
    });
    device = startAgent(root);
    browser = await startBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    page.setDefaultTimeout(WAIT_MS);
    complaints = complaintsOf(page);
  });

  // What an earlier test has left open is closed.
  beforeEach(() => page.goto(server.url));

  afterAll(async () => {
    await browser?.close();
    await device?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const link = (name: string) => page.getByRole("link", { name, exact: true });
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const heading = (name: string) => page.getByRole("heading", { name, exact: true });

  /** An artifact on disk. */
  function artifact(name: string, type: string): string {
    const [file, path] = [join(folder, `${name}.txt`), join(folder, `${name}.mender`)];
    writeFileSync(file, name);
    const flags = ["-T", type, "-n", name, "-t", "board", "-f", file, "-o", path];
    runUpkeepServer(["artifact", "write", "module-image", ...flags]);
    return path;
  }

  /** Looks at the page as it is now, in both themes. */
  async function examine(name: string): Promise<void> {
    await expect.poll(() => page.getByText("Loading…").count()).toBe(0);
    await takePictures(page, name);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await accessibilityFaults(page), `${name}, ${colorScheme}`).toEqual([]);
    }
    expect(complaints).toEqual([]);
  }

  test("a wrong password is refused in words; the right one leads to the page that was asked for", async () => {
    await page.goto(`${server.url}/devices`);
    await page.getByLabel("E-mail").fill(server.email);
    await page.getByLabel("Password").fill("not the password");
    await button("Log in").click();
    await page.getByText("E-mail or password is wrong.").waitFor();
    await examine("login");
    await page.getByLabel("Password").fill(server.password);
    await button("Log in").click();
    await heading("Devices").waitFor();
    const cookies = await page.context().cookies();
    expect(cookies.find(({ name }) => name.startsWith("upkeep-session-"))).toMatchObject({
      httpOnly: true,
      sameSite: "Strict",
    });
  });

  test("a device that asks appears by itself, and is accepted", async () => {
    await link("Devices").click();
    await link(MAC).click();
    await heading(MAC).waitFor();
    await page
      .getByRole("row", { name: /pending/ })
      .getByRole("button", { name: "Accept" })
      .click();
    await page.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
    await page
      .getByRole("row", { name: /accepted/ })
      .first()
      .waitFor();
    // What it says of itself arrives by itself.
    await page.getByRole("cell", { name: "device_type" }).waitFor();
    await examine("device");
  });

  test("an artifact is uploaded; the form says what would happen, and the device fails and says why", async () => {
    await link("Releases").click();
    await page.getByText("There is no release yet").waitFor();
    await page.locator("input[type=file]").setInputFiles(artifact("release-1", "battery"));
    await link("release-1").click();
    await examine("release");
    await link("Deploy").click();
    await page.getByText("get release-1").waitFor();
    await examine("new-deployment");
    await button("Deploy").click();
    await heading("release-1").waitFor();
    await button("Log").click();
    await page.getByText("the battery is too low").first().waitFor();
    expect(page.url()).toMatch(/\/deployments\/[0-9a-f-]+\?log=[0-9a-f-]+$/);
    await examine("log");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.locator("main").getByText("1 failure").waitFor();
    await examine("deployment");
  });

  test("a deployment in phases is drawn, paused, resumed and aborted", async () => {
    await server.management.upload(artifact("release-2", "battery"));
    const password = join(folder, "password");
    writeFileSync(password, server.password);
    runUpkeepServer([
      ...["fleet", "--server", server.url, "--devices", "9", "--until", "in", "--start-over", "1s"],
      ...["--accept", "--user", server.email, "--password-file", password],
    ]);
    await page.goto(`${server.url}/deployments/new?release=release-2`);
    await button("Begin with a part of the devices").click();
    await page.getByText("get release-2").waitFor();
    await page.getByLabel(/^Start/).fill("2100-01-01T12:00");
    await page.getByText(/10 % .*1 Jan 2100, 12:00:00/).waitFor();
    await page.getByLabel(/^Start/).fill("");
    // On the axis: a key moves the beginning, the pointer the share. The numbers beneath follow.
    const [begins, share] = [
      page.getByRole("slider", { name: "Phase 2 begins" }),
      page.getByRole("slider", { name: "Devices by phase 1" }),
    ];
    await begins.focus();
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => page.getByLabel("Hours until phase 2").inputValue()).toBe("23");
    const box = (await share.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y - 20, { steps: 4 });
    await page.mouse.up();
    const percent = async () => Number(await page.getByLabel("Per cent of phase 1").inputValue());
    await expect.poll(percent).toBeGreaterThan(15);
    await page.getByLabel("Per cent of phase 1").fill("50");
    await page.getByLabel("Per cent of failures that pause phase 1").fill("50");
    await page.getByText("50 % (").first().waitFor();
    await examine("phase-editor");
    await button("Deploy").click();
    await heading("Phases").waitFor();
    await page.getByText("paused at 50 % failures").waitFor();
    await examine("phases");
    const status = page.locator(".facts .status");
    for (const [action, shown] of [
      ["Pause", /paused/],
      ["Resume", /pending|in progress/],
      ["Abort", /finished/],
    ] as const) {
      await button(action).click();
      await page.getByRole("dialog").getByRole("button", { name: action }).click();
      await status.filter({ hasText: shown }).waitFor();
    }
  });

  test("a filter shows which devices match while it is made", async () => {
    await link("Groups").click();
    await button("New filter").click();
    await page.getByLabel("Name").fill("boards");
    await page.getByLabel("Value").fill("board");
    await page.getByText(/\d+ devices match now/).waitFor();
    await examine("new-filter");
    await button("Save").click();
    await page.getByRole("cell", { name: "boards" }).waitFor();
    await examine("groups");
  });

  test("what is shown is in the address, and the keyboard does it all", async () => {
    await link("Devices").click();
    await heading("Devices").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("53:17");
    await page.waitForURL(/\?q=53%3A17/);
    await page.reload();
    expect(await page.getByLabel("Search devices").inputValue()).toBe("53:17");
    await link(MAC).waitFor();
    await page.getByLabel("Search devices").fill("no such device");
    await page.getByText("No device matches.").waitFor();
    await page.goto(`${server.url}/devices`);
    await link(MAC).waitFor();
    await examine("devices");
    await link("Overview").click();
    await page.getByText("Failures of the last seven days").waitFor();
    await examine("overview");
  });

  test("all devices that wait are accepted at once", async () => {
    const fleet = startProgram(process.execPath, [
      ...[join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs"), "fleet", "--server", server.url],
      ...["--devices", "4", "--seed", "others", "--start-over", "1s", "--retry", "1s"],
    ]);
    try {
      await page.goto(`${server.url}/devices?status=pending`);
      await button("Choose all 4 devices").click();
      await button("Accept").click();
      await page.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
      await page.getByText("No device matches.").waitFor();
    } finally {
      await fleet.stop();
    }
  });

  test("all devices that a search finds go into a group, get a deployment, and are decommissioned; columns are chosen", async () => {
    await page.goto(`${server.url}/devices`);
    await page.getByLabel("Search devices").fill("02:");
    await button("Add a condition").click();
    await page.getByRole("dialog").getByLabel("Attribute").selectOption("identity/status");
    await page.getByRole("dialog").getByLabel("Value").fill("accepted");
    await page.getByRole("dialog").getByRole("button", { name: "Add" }).click();
    await page.getByText(/^status is accepted/).waitFor();
    await button("Columns").click();
    await page.getByRole("dialog").getByLabel("Type").uncheck();
    await page.getByRole("dialog").getByLabel("mac").check();
    await examine("columns");
    await button("Show these").click();
    await page.getByRole("columnheader", { name: "mac" }).waitFor();
    expect(await page.getByRole("columnheader", { name: "Type" }).count()).toBe(0);
    expect(page.url()).toContain("columns=identity%2Fstatus");
    await page.getByRole("button", { name: /^Choose all \d+ devices$/ }).click();
    await page.getByText(/^all \d+ devices chosen$/).waitFor();
    await examine("chosen");
    await button("Change group").click();
    await page.getByRole("dialog").getByLabel("Group").fill("lab");
    await page.getByRole("dialog").getByRole("button", { name: "Change group" }).click();
    await page.getByRole("cell", { name: "lab" }).first().waitFor();
    await page.getByRole("button", { name: /^Choose all \d+ devices$/ }).click();
    await link("Deploy").click();
    await page.getByText("“02:” in any attribute and status is accepted and accepted.").waitFor();
    await page.getByLabel("Release").fill("release-1");
    await page
      .getByText(/have it already|get release-1|wait for an older/)
      .first()
      .waitFor();
    await button("Deploy").click();
    await heading("release-1").waitFor();
    // One of those that do not ask any more.
    await page.goto(`${server.url}/devices?q=02:00:00:00:00:09`);
    await button("Choose all 1 device").click();
    await button("Decommission").click();
    await page.getByRole("dialog").getByRole("button", { name: "Decommission" }).click();
    await page.getByText("No device matches.").waitFor();
  });

  test("a user is added; a token is shown once", async () => {
    await link("Users").click();
    await button("New user").click();
    await page.getByRole("dialog").getByLabel("E-mail").fill("reader@example.com");
    await page.getByRole("dialog").getByLabel("Password").fill("another long password");
    await button("Add").click();
    await page.getByRole("cell", { name: "reader@example.com" }).waitFor();
    await button("New token").click();
    await page.getByRole("dialog").getByLabel("Name").fill("builds");
    await button("Make").click();
    await page.getByText("The token is shown only now").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("cell", { name: "builds" }).waitFor();
    await examine("users");
  });

  test("a reader is offered nothing that changes something; after a logout nothing is shown", async () => {
    await button("Log out").click();
    await page.getByLabel("E-mail").fill("reader@example.com");
    await page.getByLabel("Password").fill("another long password");
    await button("Log in").click();
    await link("Users").click();
    await heading("Users").first().waitFor();
    expect(await button("New user").count()).toBe(0);
    await link("Devices").click();
    await link(MAC).click();
    await heading("Keys").waitFor();
    for (const action of ["Accept", "Reject", "Dismiss", "Decommission"]) expect(await button(action).count()).toBe(0);
    await button("Log out").click();
    await page.getByLabel("Password").waitFor();
    expect(await page.getByText(MAC).count()).toBe(0);
    expect(complaints).toEqual([]);
  });
});
