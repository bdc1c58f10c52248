import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../agent/system/directory.ts";
import { describePeer } from "../interop/peers.ts";

const directory = temporaryDirectory();
const UNITS = ["upkeep.service", "upkeep-check.service", "upkeep.timer"] as const;
type Unit = (typeof UNITS)[number];
const textOf = (unit: Unit): string => readFileSync(join(import.meta.dirname, "../../systemd", unit), "utf8");

/** The units with a program that is there, as on a device on which they are installed. */
function verify(changed: Partial<Record<Unit, string>> = {}): { code: number | null; output: string } {
  const program = join(directory, "upkeep");
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  const units = join(directory, "units");
  mkdirSync(units, { recursive: true });
  const paths = UNITS.map((unit) => {
    const path = join(units, unit);
    writeFileSync(path, (changed[unit] ?? textOf(unit)).replace("/usr/bin/upkeep", program));
    return path;
  });
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", ...paths], { encoding: "utf8" });
  // Units of the machine that runs the test are no concern of ours.
  const lines = (stdout + stderr).split("\n").filter((line) => line.includes("upkeep"));
  return { code: status, output: lines.join("\n") };
}

describePeer(["systemd-analyze"], "the agent's units under systemd-analyze", () => {
  it("are found without fault, and a fault would be found", () => {
    expect(verify()).toEqual({ code: 0, output: "" });
    for (const [unit, from, to] of [
      ["upkeep.service", "KillMode=mixed", "KillMode=gently"],
      ["upkeep-check.service", "KillMode=mixed", "KillMode=gently"],
      ["upkeep.timer", "OnCalendar=*:0/30", "OnCalendar=gently"],
    ] as const) {
      expect(verify({ [unit]: textOf(unit).replace(from, to) }).output).toContain("gently");
    }
  });
});

describe("upkeep.service", () => {
  const unit = textOf("upkeep.service");

  it("does not wake an idle device more often than once in five minutes", () => {
    expect(unit).toMatch(/^WatchdogSec=30min$/m);
  });

  it("starts what the package installs, and lets the notifying program speak for it", () => {
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/upkeep daemon$/m);
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^NotifyAccess=all$/m);
  });
});

describe("upkeep.timer", () => {
  it("runs a check, also at boot, and never beside the daemon", () => {
    expect(textOf("upkeep.timer")).toMatch(/^Unit=upkeep-check\.service$/m);
    expect(textOf("upkeep.timer")).toMatch(/^Conflicts=upkeep\.service$/m);
    expect(textOf("upkeep.timer")).toMatch(/^Also=upkeep-check\.service$/m);
    expect(textOf("upkeep-check.service")).toMatch(/^ExecStart=\/usr\/bin\/upkeep check$/m);
  });

  it("runs update modules with the same restrictions as the daemon", () => {
    const restrictions = (unit: Unit): string | undefined =>
      /^# Update modules inherit all of this.*?(?=^\[Install\])/ms.exec(textOf(unit))?.[0];
    expect(restrictions("upkeep-check.service")).toBe(restrictions("upkeep.service"));
    expect(restrictions("upkeep.service")).toContain("OOMScoreAdjust");
  });
});
