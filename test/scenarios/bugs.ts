// npm run scenarios:bugs [-- --workers N] [--bug TEXT] [--scenario TEXT] [--json]
// Runs every planted bug against every scenario, and fails unless each bug is found by a scenario and each scenario
// finds a bug.
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { findings, scenarioNames } from "./library.ts";
import { PLANTED_BUGS, type PlantedBug } from "./planted-bugs.ts";

const { values: flags } = parseArgs({
  options: {
    workers: { type: "string", default: String(Math.min(availableParallelism(), 8)) },
    bug: { type: "string", default: "" },
    scenario: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    part: { type: "string" },
  },
});

/** What a scenario found, by the names of the bugs; a scenario that fails by itself is in the way of all. */
interface Row {
  readonly scenario: string;
  readonly found: readonly string[];
  readonly failsByItself?: readonly string[];
}

const bugs: readonly PlantedBug[] = PLANTED_BUGS.filter(({ name }) => name.includes(flags.bug));
const scenarios = scenarioNames().filter((name) => name.includes(flags.scenario));

async function rowOf(scenario: string): Promise<Row> {
  const failsByItself = await findings(scenario);
  if (failsByItself.length > 0) return { scenario, found: [], failsByItself };
  const found: string[] = [];
  for (const bug of bugs) if ((await findings(scenario, bug)).length > 0) found.push(bug.name);
  return { scenario, found };
}

/** One worker's part: every so-manieth scenario, told as soon as it is done. */
async function work(part: number, parts: number): Promise<void> {
  for (const [index, scenario] of scenarios.entries())
    if (index % parts === part) process.send?.(await rowOf(scenario));
  process.disconnect?.();
}

function inParallel(workers: number, onRow: (row: Row) => void): Promise<unknown> {
  return Promise.all(
    Array.from(
      { length: workers },
      (_, part) =>
        new Promise<void>((resolve, reject) => {
          const args = ["--part", `${part}/${workers}`, "--bug", flags.bug, "--scenario", flags.scenario];
          const child = fork(import.meta.filename, args);
          child.on("message", (row) => onRow(row as Row));
          child.once("error", reject);
          child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
        }),
    ),
  );
}

function matrixText(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ scenario }) => scenario.length));
  const numbers = bugs.map((_, index) => String(index + 1));
  const head = (digit: (number: string) => string): string => `${" ".repeat(width)} ${numbers.map(digit).join("")}`;
  return [
    ...bugs.map(({ name }, index) => `${String(index + 1).padStart(3)}  ${name}`),
    "",
    head((number) => (number.length > 1 ? (number[0] ?? " ") : " ")),
    head((number) => number.at(-1) ?? " "),
    ...rows.map(
      ({ scenario, found }) =>
        `${scenario.padEnd(width)} ${bugs.map(({ name }) => (found.includes(name) ? "x" : "·")).join("")}`,
    ),
    "",
  ].join("\n");
}

async function main(): Promise<boolean> {
  if (flags.part !== undefined) {
    const [part = 0, parts = 1] = flags.part.split("/").map(Number);
    await work(part, parts);
    return true;
  }
  const workers = Number(flags.workers);
  if (!Number.isInteger(workers) || workers < 1)
    throw new Error(`--workers must be a whole number from 1, not ${flags.workers}`);
  const rows: Row[] = [];
  await inParallel(workers, (row) => {
    rows.push(row);
    if (process.stderr.isTTY) process.stderr.write(`\r${rows.length} of ${scenarios.length} scenarios`);
  });
  rows.sort((a, b) => (a.scenario < b.scenario ? -1 : 1));
  const failing = rows.filter(({ failsByItself }) => failsByItself !== undefined);
  const unfound = bugs.filter(({ name }) => rows.every(({ found }) => !found.includes(name))).map(({ name }) => name);
  const idle = rows.filter(({ found }) => found.length === 0).map(({ scenario }) => scenario);
  if (flags.json)
    process.stdout.write(`${JSON.stringify({ bugs: bugs.map(({ name }) => name), rows, unfound, idle }, null, 1)}\n`);
  else {
    process.stdout.write(`${matrixText(rows)}\n`);
    for (const { scenario, failsByItself } of failing)
      process.stdout.write(`fails without any bug: ${scenario}: ${failsByItself?.join("; ")}\n`);
    for (const name of unfound) process.stdout.write(`found by no scenario: ${name}\n`);
    for (const name of idle) process.stdout.write(`finds no bug: ${name}\n`);
    process.stdout.write(
      `${bugs.length - unfound.length} of ${bugs.length} bugs are found; ${rows.length - idle.length} of ${rows.length} scenarios find one\n`,
    );
  }
  return failing.length === 0 && unfound.length === 0 && idle.length === 0;
}

process.exitCode = (await main()) ? 0 : 1;
