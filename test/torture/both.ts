import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../mock-server/postgres/server.ts";
import { SmallDisk } from "./disk.ts";
import { FAULTS } from "./faults.ts";
import { type Result, type RunOptions, torture } from "./run.ts";

export type Engine = RunOptions["engine"];
export const isEngine = (text: string): text is Engine => text === "sqlite" || text === "postgres";

export type TortureOptions = Pick<
  RunOptions,
  "seed" | "durationMs" | "deploymentsMax" | "plant" | "only" | "withoutFaults"
> & {
  readonly engines: readonly Engine[];
  /** Of logs and data; a new one, removed if nothing was violated, when absent. */
  readonly directory?: string | undefined;
};

/** Why nothing can be tortured here; `undefined` if it can. */
export async function impossible(): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), "upkeep-torture-"));
  try {
    execFileSync("perl", ["-v"], { stdio: "pipe" });
    await SmallDisk.create(join(directory, "image"), join(directory, "disk")).unmount();
    return undefined;
  } catch (error) {
    return `no file system can be mounted through a loop device: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function tortureOn(engine: Engine, directory: string, options: TortureOptions): Promise<Result> {
  const run = { ...options, engine, directory: join(directory, engine) };
  if (engine === "sqlite") return await torture({ ...run, database: undefined });
  const postgres = await startPostgres();
  try {
    return await torture({ ...run, database: postgres.url });
  } finally {
    await postgres.stop();
  }
}

/** Torture on each engine at the same time. Each has a device of its own. */
export async function tortureBoth(options: TortureOptions): Promise<Result[]> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "upkeep-torture-"));
  const outcomes = await Promise.allSettled(options.engines.map((engine) => tortureOn(engine, directory, options)));
  const results = outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
  const good = results.every(({ violations }) => violations.length === 0);
  if (good && options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  return results;
}

/** A table, and what to look at. */
export function report(results: readonly Result[]): string {
  const heads = [
    "engine",
    "deployments",
    "success",
    "failure",
    "inconsistent",
    "reboots",
    ...FAULTS,
    "violations",
    "seed",
  ];
  const rows = results.map((result) => [
    ...[result.engine, result.deployments, result.success, result.failure, result.inconsistent, result.reboots],
    ...FAULTS.map((kind) => result.faults[kind]),
    ...[result.violations.length, result.seed],
  ]);
  const table = [heads, ...rows].map((row) => row.map(String));
  const widths = heads.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const details = results.flatMap(({ engine, seed, directory, violations }) =>
    violations.length === 0
      ? []
      : [
          "",
          ...violations.map((what) => `${engine}: ${what}`),
          `  logs: ${directory}; again: npm run torture -- --engine ${engine} --seed '${seed}'`,
        ],
  );
  return `${[...lines, ...details].join("\n")}\n`;
}
