/**
 * `npm run test:times`: runs all tests and writes how long each folder took into test/README.md.
 * `npm run test:times -- FILE` takes the times of a run that had UPKEEP_TEST_TIMES=FILE.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(import.meta.dirname, "../..");
const README = join(ROOT, "test/README.md");
const BEGIN = "<!-- times:begin -->";
const END = "<!-- times:end -->";

/** What vitest's JSON reporter says of a file; a file that runs on several engines is there once for each. */
export interface TimedFile {
  readonly name: string;
  readonly startTime: number;
  readonly endTime: number;
  readonly assertionResults: readonly unknown[];
}

/** `test/mock-server/api/x.test.ts` counts for `mock-server/api`, `test/pains.test.ts` for `.`. */
function folderOf(path: string): string {
  const [, ...parts] = path.split("/");
  return parts.slice(0, -1).slice(0, 2).join("/") || ".";
}

/** Rows of a Markdown table: folder, files, tests, seconds; the longest first, the sum last. */
export function timesTable(files: readonly TimedFile[], root: string): string {
  const folders = new Map<string, { files: number; tests: number; seconds: number }>();
  const total = { files: 0, tests: 0, seconds: 0 };
  for (const { name, startTime, endTime, assertionResults } of files) {
    const folder = folderOf(relative(root, name));
    const sum = folders.get(folder) ?? { files: 0, tests: 0, seconds: 0 };
    folders.set(folder, sum);
    for (const one of [sum, total]) {
      one.files += 1;
      one.tests += assertionResults.length;
      one.seconds += (endTime - startTime) / 1000;
    }
  }
  const rows = [...folders].sort(([, a], [, b]) => b.seconds - a.seconds);
  const line = (name: string, { files, tests, seconds }: typeof total): string =>
    `| ${name} | ${files} | ${tests} | ${Math.round(seconds)} |`;
  return [
    "| Folder | Files | Tests | Seconds |",
    "| --- | ---: | ---: | ---: |",
    ...rows.map(([name, sum]) => line(name, sum)),
    line("**all**", total),
  ].join("\n");
}

function runAll(): string {
  const file = join(mkdtempSync(join(tmpdir(), "upkeep-times-")), "times.json");
  const { status } = spawnSync("npm", ["test"], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, UPKEEP_TEST_TIMES: file },
  });
  if (status !== 0) throw new Error("the tests failed: no times are written");
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { testResults } = JSON.parse(readFileSync(process.argv[2] ?? runAll(), "utf8")) as {
    testResults: readonly TimedFile[];
  };
  const text = readFileSync(README, "utf8");
  const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`test/README.md has no part between ${BEGIN} and ${END}`);
  const table = timesTable(testResults, ROOT);
  writeFileSync(README, `${text.slice(0, before + BEGIN.length)}\n\n${table}\n\n${text.slice(after)}`);
}
