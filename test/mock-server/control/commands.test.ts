import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";

let folder: string;
let server: RunningServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-control-"));
  server = await startServer(join(folder, "data"), ["--test-controls"]);
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const control = (...args: readonly string[]): string =>
  runUpkeepServer(["control", ...args, "--server", server.url]).trimEnd();

function refusal(...args: readonly string[]): string {
  try {
    control(...args);
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr);
  }
  return "";
}

test("a running server is told from the command line to misbehave, to move its clock, and to be as it was", async () => {
  expect(control("faults", "add", "answer: {status: 503, retry_after: 30s}", "--to", "poll", "--count", "3")).toBe(
    'id=1 fault={"answer":{"status":503,"retry_after":"30s"},"to":["poll"],"count":3} happened=0',
  );
  expect(control("faults", "add", "link_down", "--device", "02:00:00:00:00:01", "--json")).toBe(
    '{"id":2,"fault":{"link_down":true,"devices":["02:00:00:00:00:01"]},"happened":0}',
  );
  expect(control("faults", "remove", "1")).toBe("");
  expect(control("faults", "list")).toMatch(/^id=2 .*happened=0$/);
  expect(control("clock", "set", "2031-05-01T12:00:00Z")).toMatch(/^now=2031-05-01T12:00:00\.\d+Z frozen=false$/);
  const [, frozen = ""] = /^now=(\S+) frozen=true$/.exec(control("clock", "freeze")) ?? [];
  expect(control("clock", "advance", "2h")).toBe(
    `now=${new Date(Date.parse(frozen) + 7_200_000).toISOString()} frozen=true`,
  );
  expect(control("clock", "show")).toContain("frozen=true");
  expect(control("clock", "run")).toContain("frozen=false");
  expect(control("tokens", "expire")).toBe("devices=0");
  expect(control("accept")).toBe("accepted=0");
  expect(control("snapshot", "take", "one")).toBe("");
  expect(control("snapshot", "list")).toBe("start\none");
  expect(control("snapshot", "restore", "one")).toBe("");
  expect(control("requests", "--kind", "poll")).toBe("");
  expect(control("reset")).toBe("");
  expect(control("faults", "list")).toBe("");
});

test("what cannot be done is said in one line", () => {
  expect(refusal("faults", "add", "answer: {status: 42}")).toMatch(
    /^upkeep-server: http\S+ answers 400: answer\.status: .*\n$/,
  );
  expect(refusal("faults", "add", "answer: {status")).toMatch(/^upkeep-server: FAULT .*\n$/);
  expect(refusal("faults", "add", "[1]")).toContain("must be NAME: VALUE");
  expect(refusal("clock", "advance", "soon")).toContain("by: a duration such as");
  expect(refusal("snapshot", "restore", "none")).toContain("answers 404");
  const elsewhere = (): string => runUpkeepServer(["control", "clock", "show", "--server", "http://127.0.0.1:1"]);
  expect(elsewhere).toThrow(/--server http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
  expect(() => runUpkeepServer(["control", "clock", "show", "--server", "127.0.0.1"])).toThrow(/must be a URL/);
});

test("without the option the commands are told so; with a wide address it must be said twice", async () => {
  const plain = await startServer(join(folder, "plain"));
  try {
    expect(() => runUpkeepServer(["control", "reset", "--server", plain.url])).toThrow(
      /started without --test-controls/,
    );
  } finally {
    await plain.stop();
  }
  const data = ["serve", "--data", join(folder, "wide"), "--listen", "0.0.0.0:0"];
  expect(() => runUpkeepServer([...data, "--test-controls"])).toThrow(/must be a loopback address, not 0\.0\.0\.0/);
  const wide = await startServer(join(folder, "wide"), [
    ...["--listen", "0.0.0.0:0", "--test-controls", "--test-controls"],
  ]);
  try {
    expect(runUpkeepServer(["control", "clock", "show", "--server", wide.url])).toContain("frozen=false");
  } finally {
    await wide.stop();
  }
});
