import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { given } from "@upkeep/shared/given";
import { describe, expect, it, vi } from "vitest";
import { linuxPower } from "../../../agent/system/power.ts";
import { linuxProcesses as processes } from "../../../agent/system/processes.ts";
import { WAIT_MS } from "../../support/patience.ts";
import { temporaryDirectory } from "./directory.ts";

const directory = temporaryDirectory();

/** Runs a shell script; its output in one text. */
async function run(script: string, environment?: Record<string, string>) {
  let output = "";
  const running = await processes.start({
    command: "sh",
    args: ["-c", script],
    directory,
    ...given({ environment }),
    onStdout: (data) => {
      output += Buffer.from(data).toString();
    },
    onStderr: (data) => {
      output += Buffer.from(data).toString();
    },
  });
  return { exit: await running.exit, output };
}

const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

describe("processes of the real door", () => {
  it("delivers all output before it tells how the program ended", async () => {
    const { exit, output } = await run("head -c 300000 /dev/zero | tr '\\0' x; echo oops >&2; exit 7");
    expect(exit).toEqual({ code: 7 });
    expect(output.replaceAll("x", "")).toBe("oops\n");
    expect(output.length).toBe(300_005);
  });

  it("gives an empty standard input, the directory and the environment asked for", async () => {
    const { output } = await run("cat; pwd; echo $GREETING $HOME", { GREETING: "hello" });
    expect(output).toBe(`${directory}\nhello ${process.env.HOME}\n`);
  });

  it("tells which signal ended a program", async () => {
    expect((await run("kill -TERM $$")).exit).toEqual({ signal: "SIGTERM" });
  });

  it.each([
    ["no-such-program-at-all", "ENOENT"],
    ["/etc/passwd", "EACCES"],
  ])("refuses to start %s with %s", async (command, code) => {
    await expect(processes.start({ command, args: [] })).rejects.toMatchObject({ code });
    await expect(processes.start({ command, args: [] })).rejects.toThrow(`cannot start ${command}`);
  });

  it("signals the whole group, also when its leader has ended", async () => {
    let output = "";
    const running = await processes.start({
      command: "sh",
      args: ["-c", "sleep 600 & echo $!; wait"],
      onStdout: (data) => {
        output += Buffer.from(data).toString();
      },
    });
    await vi.waitFor(() => expect(output).toMatch(/\d+\n/), { timeout: WAIT_MS });
    const child = Number(output);
    expect(alive(child)).toBe(true);
    running.signal("SIGKILL");
    expect(await running.exit).toEqual({ signal: "SIGKILL" });
    await vi.waitFor(() => expect(alive(child)).toBe(false), { timeout: WAIT_MS });
    running.signal("SIGTERM");
  });

  it("does not wait for what a program leaves behind with its output open", async () => {
    const { exit, output } = await run("sleep 600 & echo $!");
    expect(exit).toEqual({ code: 0 });
    process.kill(Number(output), "SIGKILL");
  });

  it("hears signals until it is told to stop", async () => {
    let heard = 0;
    const stop = processes.onSignal("SIGUSR2", () => heard++);
    const delivered = once(process, "SIGUSR2");
    process.kill(process.pid, "SIGUSR2");
    await delivered;
    expect(heard).toBe(1);
    stop();
    expect(process.listenerCount("SIGUSR2")).toBe(0);
  });
});

describe("power of the real door", () => {
  async function withReboot<T>(script: string, action: () => Promise<T>): Promise<T> {
    const programs = mkdtempSync(join(directory, "bin-"));
    writeFileSync(join(programs, "reboot"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    vi.stubEnv("PATH", `${programs}:${process.env.PATH}`);
    try {
      return await action();
    } finally {
      vi.unstubAllEnvs();
    }
  }

  it("runs the reboot that is first in PATH", async () => {
    await withReboot(`echo yes > ${directory}/rebooted`, () => linuxPower.reboot());
    expect(readFileSync(join(directory, "rebooted"), "utf8")).toBe("yes\n");
  });

  it("tells why a reboot was refused", async () => {
    await expect(withReboot("echo in use >&2; exit 1", () => linuxPower.reboot())).rejects.toThrow(
      "reboot exited with code 1: in use",
    );
  });
});
