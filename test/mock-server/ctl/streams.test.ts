// What goes on until it is interrupted, and what is written for other programs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { Operator, withoutColours } from "./operator.ts";

const UPKEEPCTL = join(import.meta.dirname, "../../../mock-server/bin/upkeepctl.mjs");
const MAC = "02:00:5e:00:53:2c";

let folder: string;
let server: RunningServer;
let operator: Operator;
let agent: Program;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-streams-"));
  server = await startServer(join(folder, "server"));
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
  await operator.output("login", "--server", server.url, "--user", server.email);
  const root = join(folder, "device");
  createAgentRoot(root, { serverUrl: server.url, deviceType: "board", identity: { mac: MAC } });
  agent = startAgent(root);
  await server.management.device("mac", MAC);
});

afterAll(async () => {
  await agent.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
  operator.remove();
});

const running: Program[] = [];

/** Starts a command that goes on; it ends with the test. */
function started(home: string, ...args: readonly string[]): Program {
  const environment = { HOME: home, XDG_CONFIG_HOME: "" };
  const program = startProgram(process.execPath, [UPKEEPCTL, ...args], { environment });
  running.push(program);
  return program;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program.stop("SIGKILL")));
});

describe("events", () => {
  test("are lines for people, and JSON lines for programs, from where one likes", async () => {
    const people = started(operator.home, "events", "--kind", "filter");
    const programs = started(operator.home, "events", "--json", "--after", "0");
    const create = async (): Promise<true | undefined> => {
      await operator.run(["filters", "create", `filter ${performance.now()}`, "a=1"]);
      return people.stdout().includes("\n") || undefined;
    };
    await until("a line for people", create, { explain: people.output });
    expect(people.stdout()).toMatch(/^\d+ {2}filter [\w-]{8}, filter [\d.]+: created\n/);
    await until("the first event for programs", () => programs.stdout().includes("\n") || undefined);
    const [first = ""] = programs.stdout().split("\n");
    expect(JSON.parse(first)).toMatchObject({ number: 1, kind: expect.any(String), action: expect.any(String) });
  });

  test("end with exit code 4 when the session has ended", async () => {
    const other = new Operator({ UPKEEP_PASSWORD: server.password });
    await other.output("login", "--server", server.url, "--user", server.email);
    const events = started(other.home, "events");
    await until("the stream has begun", async () => {
      await operator.run(["devices", "tag", MAC, `note=${performance.now()}`]);
      return events.stdout() !== "" || undefined;
    });
    await other.output("logout");
    expect(await events.ended, events.output()).toBe(4);
    other.remove();
  });
});

test("watch shows devices by status and what happens, and follows it", async () => {
  let accepted = false;
  const seen = await operator.terminal(70, ["watch"], {
    answer: (text) => {
      const shown = withoutColours(text);
      if (!accepted && shown.includes("0 accepted  1 pending")) {
        accepted = true;
        void operator.run(["devices", "accept", MAC]);
      }
      return shown.includes("1 accepted  0 pending") ? "\u0003" : undefined;
    },
  });
  expect(withoutColours(seen.text)).toContain("No deployment is running");
});

describe("an export", () => {
  test("is CSV with a column for each attribute, guarded against formulas", async () => {
    await operator.output("devices", "tag", MAC, "note=-1+1");
    const [head = "", row = ""] = (await operator.output("export", "devices")).split("\n");
    const cells = row.split(",");
    const of = (column: string): string | undefined => cells[head.split(",").indexOf(column)];
    expect(of("identity/mac")).toBe(MAC);
    expect(of("tags/note")).toBe("'-1+1");
  });

  test("is JSON lines, also into a file", async () => {
    const file = join(folder, "devices.jsonl");
    const written = await operator.run(["export", "devices", "--format", "jsonl", "-o", file]);
    expect(written).toMatchObject({ code: 0, stdout: "", stderr: "1 device exported.\n" });
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toHaveLength(1);
  });
});

describe("users and tokens", () => {
  test("are made, changed and removed; a token is shown once, and works", async () => {
    const password = join(folder, "password");
    writeFileSync(password, "seventeen blue bicycles");
    const email = "colleague@example.com";
    await operator.output("users", "add", email, "--password-file", password);
    expect(await operator.output("users", "list")).toMatch(/^colleague@example\.com +read-only /m);
    await operator.output("users", "role", email, "ci-upload");
    await operator.output("users", "password", email, "--password-file", password);
    await operator.output("users", "remove", email, "--yes");
    expect(await operator.output("users", "list")).not.toContain(email);

    const token = (await operator.output("tokens", "create", "ci", "--expires-in", "1d")).trim();
    expect(await operator.output("tokens", "list")).toMatch(/^ci +\w{8} +never +\d{4}-/m);
    const environment = { UPKEEP_SERVER: server.url, UPKEEP_TOKEN: token };
    const pipeline = new Operator(environment);
    expect(await pipeline.run(["releases", "list"])).toMatchObject({ code: 0 });
    await operator.output("tokens", "revoke", "ci");
    expect(await pipeline.run(["releases", "list"])).toMatchObject({ code: 4 });
    pipeline.remove();
  });
});
