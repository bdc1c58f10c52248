import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What one run of a whole process took. */
export interface Measurement {
  readonly wallSeconds: number;
  /** User and system time of the process and of the children it waited for. */
  readonly cpuSeconds: number;
  /** Largest resident set of the process or of one of its children. */
  readonly peakKiB: number;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

const GNU_TIME = "/usr/bin/time";

/** Run `command` under GNU time. Throws with the command's output if it fails. */
export function measure(command: Command): Measurement {
  const folder = mkdtempSync(join(tmpdir(), "upkeep-bench-"));
  try {
    const report = join(folder, "time");
    const args = ["--format=%e %U %S %M", `--output=${report}`, command.program, ...command.args];
    const run = spawnSync(GNU_TIME, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
    if (run.error) throw new Error(`${GNU_TIME}: ${run.error.message} (Debian's package time has it)`);
    if (run.status !== 0) throw new Error(`${command.program} failed (${run.status}): ${run.stdout}${run.stderr}`);
    const [wall, user, system, peak] = readFileSync(report, "utf8").trim().split(/\s+/).map(Number);
    return { wallSeconds: wall ?? 0, cpuSeconds: (user ?? 0) + (system ?? 0), peakKiB: peak ?? 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The best of several runs: the one that the rest of the machine disturbed least. */
export function best(runs: readonly Measurement[]): Measurement {
  return {
    wallSeconds: Math.min(...runs.map((run) => run.wallSeconds)),
    cpuSeconds: Math.min(...runs.map((run) => run.cpuSeconds)),
    peakKiB: Math.max(...runs.map((run) => run.peakKiB)),
  };
}
