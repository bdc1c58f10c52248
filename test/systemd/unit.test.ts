import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../agent/system/directory.ts";
import { describePeer } from "../interop/peers.ts";

const directory = temporaryDirectory();
const unit = readFileSync(join(import.meta.dirname, "../../systemd/upkeep.service"), "utf8");

/** The unit with a program that is there, as on a device on which it is installed. */
function verify(text: string): { code: number | null; output: string } {
  const program = join(directory, "upkeep");
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  const path = join(directory, "upkeep.service");
  writeFileSync(path, text.replace("/usr/bin/upkeep", program));
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
  // Units of the machine that runs the test are no concern of ours.
  const lines = (stdout + stderr).split("\n").filter((line) => line.includes("upkeep"));
  return { code: status, output: lines.join("\n") };
}

describePeer(["systemd-analyze"], "upkeep.service under systemd-analyze", () => {
  it("is found without fault, and a fault would be found", () => {
    expect(verify(unit)).toEqual({ code: 0, output: "" });
    expect(verify(unit.replace("KillMode=mixed", "KillMode=gently")).output).toContain("gently");
  });
});

describe("upkeep.service", () => {
  it("does not wake an idle device more often than once in five minutes", () => {
    expect(unit).toMatch(/^WatchdogSec=30min$/m);
  });

  it("starts what the package installs, and lets the notifying program speak for it", () => {
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/upkeep daemon$/m);
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^NotifyAccess=all$/m);
  });
});
