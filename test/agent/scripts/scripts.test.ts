import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { StateScripts, storeScripts } from "../../../agent/scripts/index.ts";
import { TestDevice } from "../support/device.ts";

/** Longer than any test takes. */
const LONG_MS = 30_000;

function scriptsOf(device: TestDevice, { timeoutMs = LONG_MS, retryTimeoutMs = LONG_MS } = {}): StateScripts {
  return new StateScripts({
    system: device.system,
    logger: device.logger,
    rootfsDirectory: device.path("scripts"),
    artifactDirectory: device.path("data/scripts"),
    timeoutMs,
    retryTimeoutMs,
    retryIntervalMs: 20,
    killGraceMs: 100,
    noexec: "fail",
    signal: new AbortController().signal,
  });
}

async function put(device: TestDevice, name: string, body: string, mode = 0o755): Promise<void> {
  const text = `#!/bin/sh\necho ${name} >> ${device.path("calls")}\n${body}\n`;
  await mkdir(device.path("scripts"), { recursive: true });
  await writeFile(device.path(`scripts/${name}`), text, { mode });
}

describe("state scripts", () => {
  it("run in the order of their names, those of the state only, and not what cannot be executed", async () => {
    await using device = await TestDevice.create();
    for (const name of ["Sync_Enter_20", "Sync_Enter_03_first", "Sync_Enter_10_b", "Sync_Enter_10_a"]) {
      await put(device, name, "echo out; echo err >&2");
    }
    for (const name of ["Sync_Leave_01", "Sync_Enter_1", "Sync_Enter_100", "Sync_Enter_05 x", "Sync_Enter_05x"]) {
      await put(device, name, "");
    }
    await put(device, "Sync_Enter_00", "", 0o644);
    await scriptsOf(device).run("Sync_Enter");
    expect(await device.calls()).toEqual([
      ...["Sync_Enter_03_first", "Sync_Enter_10_a", "Sync_Enter_10_b", "Sync_Enter_20"],
    ]);
    expect(device.logged).toContain("info: state script Sync_Enter_20: err");
    expect(device.logged).toContainEqual(expect.stringContaining("Sync_Enter_00 is not executable"));
  });

  it("stop at the first that fails, but not those of an error", async () => {
    await using device = await TestDevice.create();
    for (const set of ["Sync_Enter", "Sync_Error"]) {
      await put(device, `${set}_00`, "exit 3");
      await put(device, `${set}_01`, "");
    }
    const failure = { code: "script-failed", message: "state script Sync_Enter_00 exited with code 3" };
    await expect(scriptsOf(device).run("Sync_Enter")).rejects.toMatchObject(failure);
    await expect(scriptsOf(device).run("Sync_Error")).rejects.toMatchObject({ code: "script-failed" });
    expect(await device.calls()).toEqual(["Sync_Enter_00", "Sync_Error_00", "Sync_Error_01"]);
  });

  it("are run again when they ask for it, until their time is over", async () => {
    await using device = await TestDevice.create();
    await put(device, "Sync_Enter_00", `[ $(wc -l < ${device.path("calls")}) -ge 3 ] || exit 21`);
    await scriptsOf(device).run("Sync_Enter");
    expect(await device.calls()).toHaveLength(3);
    await put(device, "Sync_Leave_00", "exit 21");
    await expect(scriptsOf(device, { retryTimeoutMs: 0 }).run("Sync_Leave")).rejects.toMatchObject({
      message: "state script Sync_Leave_00 still asked to be run again after 0 s",
    });
  });

  it("are killed when they take too long", async () => {
    await using device = await TestDevice.create();
    await put(device, "Sync_Enter_00", "sleep 1000");
    await expect(scriptsOf(device, { timeoutMs: 100 }).run("Sync_Enter")).rejects.toMatchObject({
      message: "state script Sync_Enter_00 did not end within 0.1 s and was killed",
    });
  });

  it("of another generation are refused before one runs", async () => {
    await using device = await TestDevice.create();
    await put(device, "Sync_Enter_00", "");
    await writeFile(device.path("scripts/version"), "4\n");
    await expect(scriptsOf(device).run("Sync_Enter")).rejects.toMatchObject({
      code: "scripts-version-unsupported",
      message: expect.stringContaining('is "4"; supported are 2 and 3'),
    });
    await writeFile(device.path("scripts/version"), "2\n");
    await scriptsOf(device).run("Sync_Enter");
    expect(await device.calls()).toEqual(["Sync_Enter_00"]);
  });

  it("that come with an artifact replace those of the last one", async () => {
    await using device = await TestDevice.create();
    const content = Buffer.from(`#!/bin/sh\necho here >> ${device.path("calls")}\n`);
    const directory = device.path("data/scripts");
    await storeScripts(device.system.files, directory, [{ name: "ArtifactInstall_Enter_00", content }]);
    await storeScripts(device.system.files, directory, [{ name: "ArtifactInstall_Leave_00", content }]);
    expect(await device.text("data/scripts/version")).toBe("3");
    await scriptsOf(device).run("ArtifactInstall_Enter");
    await scriptsOf(device).run("ArtifactInstall_Leave");
    expect(await device.calls()).toEqual(["here"]);
  });
});
