import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../support/waiting.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");

const GOOD = `
scenario: A device asks
why: To see that it does.
fleet: [{ name: d }]
ends: { after: 2h }
expect: [{ device: d, counts: { polls: { at_least: 4 } } }]
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-scenario-cli-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [UPKEEP_SERVER, "scenario", "run", ...args], { cwd: folder }, (failure, out, error) =>
      resolve({ status: failure === null ? 0 : Number(failure.code), out, error }),
    );
  });
}

function put(name: string, text: string): void {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), text);
}

test("a directory and all below it is run, each scenario is told in a line, and the end says how many", async () => {
  put("all/one.yaml", GOOD);
  put("all/below/two.yaml", GOOD.replace("A device asks", "Another one asks"));
  put("all/notes.txt", "no scenario");
  const { status, out } = await run("all", "--repeat", "2", "--seed", "other");
  expect(out).toMatch(
    /^✔ Another one asks \(all\/below\/two\.yaml, seed other, 2h in \d+ ms, 2 runs compared: all the same, trace [0-9a-f]{16}\)$/m,
  );
  expect(out).toMatch(/^✔ A device asks \(all\/one\.yaml,/m);
  expect(out).toContain("2 of 2 scenarios went as expected\n");
  expect(status).toBe(0);
});

test("a scenario that goes another way ends the program with 1, and stands in the reports", async () => {
  put("bad.yaml", GOOD.replace("at_least: 4", "at_most: 1"));
  const { status, out } = await run("bad.yaml", "--json", "--junit", "report.xml");
  expect(status).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ passed: false, scenarios: [{ file: "bad.yaml", passed: false }] });
  expect(readFileSync(join(folder, "report.xml"), "utf8")).toContain('failures="1"');
});

test("a page shows every scenario, also beside one whose deployment the server refuses", async () => {
  put("good.yaml", GOOD);
  put(
    "refused.yaml",
    GOOD.replace(
      "ends:",
      "releases: [{ name: v2 }]\ndeployments: [{ name: first, release: v2, to: [d], phases: [{ batch: 50 }, { start: 1h }] }]\nends:",
    ),
  );
  const { status, out, error } = await run("refused.yaml", "good.yaml", "--html", "report.html");
  expect(status).toBe(1);
  expect(error).toBe("");
  expect(out).toMatch(/^ {4}got {6}deployment first could not be created: .*zero devices/m);
  expect(out).toContain("1 of 2 scenarios went as expected\n");
  const page = readFileSync(join(folder, "report.html"), "utf8");
  expect(page.match(/<svg class="picture"/g)).toHaveLength(2);
  expect(page).toContain('<td class="faint">refused.yaml</td>');
});

test("a file that is no scenario is told with line and column, before anything is run", async () => {
  put("good.yaml", GOOD);
  put("wrong.yaml", GOOD.replace("ends: { after: 2h }", "ends: { after: 2 hours }"));
  const { status, out, error } = await run("good.yaml", "wrong.yaml");
  expect(status).toBe(1);
  expect(out).toBe("");
  expect(error).toMatch(/^wrong\.yaml:5:16: ends\.after: expected a duration such as .*, got "2 hours"$/m);
});

test.each([
  [["none.yaml"], "none.yaml: there is no such file"],
  [["good.yaml", "--repeat", "0"], "--repeat 0: must be a whole number from 1 to 1000"],
  [["good.yaml", "--jobs", "0"], "--jobs 0: must be a whole number from 1 to 16"],
  [["good.yaml", "--jobs", "2"], "--jobs is for --real: in virtual time one scenario takes all of a processor"],
  [["good.yaml", "--shrink", "--json"], "--shrink prints a scenario: not together with --json"],
])("%j is refused", async (args, told) => {
  put("good.yaml", GOOD);
  const { status, error } = await run(...args);
  expect(status).toBe(1);
  expect(error).toContain(told);
});

const REAL = `
scenario: A device asks, really
why: To see how the run ends.
fleet: [{ name: d }]
ends: { after: 2d }
expect: [{ device: d, counts: { polls: { at_least: 400 } } }]
`;
const IMPOSSIBLE = GOOD.replace("ends:", "faults: [{ torn_write: yes }]\nends:");

test("what is not possible with real programs is skipped: exit status 77 if nothing was possible", async () => {
  put("no.yaml", IMPOSSIBLE);
  put("more/no.yaml", IMPOSSIBLE);
  put("more/neither.yaml", IMPOSSIBLE);
  const one = await run("no.yaml", "--real", "--junit", "report.xml");
  expect(one.status).toBe(77);
  expect(one.out).toContain("– A device asks (no.yaml, seed 1)\n    not possible here: torn_write: no process");
  expect(one.out).toContain("0 of 0 scenarios went as expected, 1 not possible here\n");
  expect(readFileSync(join(folder, "report.xml"), "utf8")).toContain('<skipped message="not possible here: torn_write');
  const several = await run("more", "--real");
  expect(several.status).toBe(77);
  expect(several.out).toMatch(
    /^result +seconds +scenario +why not\nnot possible +more\/neither\.yaml +torn_write: no process.*\nnot possible +more\/no\.yaml .*\n0 of 0/,
  );
});

test("scenarios with real programs run two at a time; a table says how each went, and what failed is explained", async () => {
  const once = GOOD.replace("{ at_least: 4 }", "4");
  put("all/bad.yaml", GOOD.replace("at_least: 4", "at_most: 1"));
  put("all/good.yaml", once);
  put("all/no.yaml", IMPOSSIBLE);
  const { status, out, error } = await run("all", "--real", "--jobs", "2", "--junit", "report.xml");
  expect(out).toMatch(/^✘ A device asks \(all\/bad\.yaml.*\n +expected d: polls: at most 1\n +got +4\n/);
  expect(out).toMatch(
    /\nresult .*\nFAIL +\d+\.\d +all\/bad.yaml\npass +\d+\.\d +all\/good.yaml\nnot possible +all\/no.yaml .*\n1 of 2 scenarios went as expected, 1 not possible here\n$/,
  );
  expect(out).not.toContain("✔");
  expect(error).toMatch(/^\[3\/3\] /m);
  expect(status).toBe(1);
  expect(readFileSync(join(folder, "report.xml"), "utf8")).toContain('tests="3" failures="1" errors="0" skipped="1"');
});

test("a real run that is interrupted prints what has happened so far", async () => {
  put("real.yaml", REAL);
  const child = spawn(process.execPath, [UPKEEP_SERVER, "scenario", "run", "real.yaml", "--real", "--junit", "r.xml"], {
    cwd: folder,
    env: { ...process.env, TMPDIR: folder },
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += String(chunk);
  });
  const agentRuns = () =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).some((name) =>
      /devices\/d\/run\/upkeep\/./.test(name),
    ) || undefined;
  await until("the agent of the device starts", agentRuns);
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  expect(out).toContain("SIGINT: the run was stopped");
  expect(out).toContain("boots v1");
  expect(out).toContain("0 of 1 scenarios went as expected, 1 interrupted\n");
  expect(status).toBe(130);
  expect(readFileSync(join(folder, "r.xml"), "utf8")).toContain('<error message="SIGINT: the run was stopped">');
});

test("a repeated run says that the runs were compared", async () => {
  put("good.yaml", GOOD);
  const { out } = await run("good.yaml", "--repeat", "3");
  expect(out).toContain("3 runs compared: all the same");
});
