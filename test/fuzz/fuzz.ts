// npm run fuzz [-- --minutes N] [--seed SEED] [--only SEED] [--ways reader,upload,validate] [--workers N] [--save DIR]
// Exit status 1: an input broke a rule. `--only` tries the input of one seed again, as a violation names it.

import { parseArgs } from "node:util";
import { given } from "@upkeep/shared/given";
import { fuzz } from "./campaign.ts";
import { PLANTED } from "./planted.ts";
import { WAYS, type WayName } from "./ways.ts";

const MIB = 1024 * 1024;
const SHOWN_MAX = 20;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: "fuzz" },
    only: { type: "string" },
    ways: { type: "string", default: WAYS.join(",") },
    workers: { type: "string", default: "1" },
    save: { type: "string", default: "fuzz-violations" },
    planted: { type: "string", default: "none" },
  },
});

function refuse(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function positive(name: "minutes" | "workers"): number {
  const value = Number(flags[name]);
  if (Number.isFinite(value) && value > 0) return value;
  return refuse(`--${name} must be a number above 0, not ${JSON.stringify(flags[name])}`);
}

const ways = flags.ways.split(",").map((name) => {
  if ((WAYS as readonly string[]).includes(name)) return name as WayName;
  return refuse(`--ways: ${JSON.stringify(name)} is none of ${WAYS.join(", ")}`);
});
if (!Object.hasOwn(PLANTED, flags.planted)) refuse(`--planted must be one of ${Object.keys(PLANTED).join(", ")}`);

const result = await fuzz({
  seed: flags.seed,
  durationMs: positive("minutes") * 60_000,
  ways,
  workers: positive("workers"),
  save: flags.save,
  planted: flags.planted,
  ...given({ only: flags.only }),
});

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const { inputs, accepted, seconds, worst, violations } = result;
say(`seed ${flags.seed}: ${inputs} inputs, ${accepted} accepted, ${(inputs / seconds).toFixed(1)} a second`);
for (const [name, { cpu, memory }] of worst) {
  const time = `longest ${Math.round(cpu.value)} ms of processor time (${cpu.seed})`;
  say(`${name.padEnd(9)} ${time}, peak memory ${(memory.value / MIB).toFixed(1)} MiB (${memory.seed})`);
}
for (const { seed, what, message } of violations.slice(0, SHOWN_MAX)) {
  say(`violation: --only ${seed} (${what}): ${message}`);
}
if (violations.length > SHOWN_MAX) say(`and ${violations.length - SHOWN_MAX} more`);
say(`${violations.length} violations${violations.length === 0 ? "" : `; the inputs are in ${flags.save}/`}`);
process.exitCode = violations.length === 0 ? 0 : 1;
