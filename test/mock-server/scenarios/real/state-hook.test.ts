import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StateHook } from "../../../../mock-server/scenarios/real/state-hook.ts";
import { openSystem } from "../../../../mock-server/system/index.ts";

let root: string;
let program: ChildProcess | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "upkeep-state-hook-"));
});
afterEach(() => {
  program?.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

test("a process that logs a state goes no further until it is told to, and a new one waits anew", async () => {
  const hook = new StateHook(openSystem().files, root);
  await hook.install();
  for (let times = 1; times <= 2; times++) {
    const text = 'for (const what of ["state A: works", "within A", "state B: works", "within B"]) console.log(what)';
    const child = spawn(process.execPath, [...hook.nodeOptions, "-e", text], {
      env: { ...process.env, ...hook.begin() },
      stdio: ["ignore", "pipe", "inherit"],
    });
    program = child;
    const lines = createInterface(child.stdout);
    const seen: string[] = [];
    lines.on("line", (line) => seen.push(line));
    const ended = once(child, "close");
    for (const expected of [["state A: works"], ["state A: works", "within A", "state B: works"]]) {
      while (seen.length < expected.length) await once(lines, "line");
      expect(seen).toEqual(expected);
      await hook.goOn();
    }
    await ended;
    expect(seen).toEqual(["state A: works", "within A", "state B: works", "within B"]);
  }
});
