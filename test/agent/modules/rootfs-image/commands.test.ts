import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { demandCommand, tryCommand } from "../../../../agent/modules/rootfs-image/commands.ts";
import { linuxProcesses } from "../../../../agent/system/processes.ts";
import { until } from "../../../support/waiting.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-commands-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the boot loader's tools", () => {
  it("end when the module is asked to end, as they are in a process group of their own", async () => {
    const started = join(folder, "started");
    let terminate: (() => void) | undefined;
    const system = {
      processes: {
        ...linuxProcesses,
        onSignal: (name: string, action: () => void) => {
          if (name === "SIGTERM") terminate = action;
          return () => {
            terminate = undefined;
          };
        },
      },
    };
    const running = tryCommand(system, "sh", ["-c", `echo $$ >'${started}'; exec sleep 1000`]);
    await until("the tool runs", () => (existsSync(started) && readFileSync(started, "utf8") !== "") || undefined);
    expect(terminate).toBeDefined();
    terminate?.();
    expect(await running).toMatchObject({ exit: { signal: "SIGTERM" } });
    expect(terminate).toBeUndefined();
  });

  it("are named with what they said when they fail, or are not there", async () => {
    const system = { processes: linuxProcesses };
    await expect(demandCommand(system, "sh", ["-c", "echo one >&2; echo two >&2; exit 3"])).rejects.toThrow(
      "sh failed with exit code 3: one; two",
    );
    await expect(demandCommand(system, "upkeep-no-such-tool", [])).rejects.toMatchObject({ code: "tool-missing" });
    expect(await demandCommand(system, "echo", ["a=1"])).toBe("a=1\n");
  });
});
