// `upkeepctl deploy --file`: a release of one file, made, uploaded and deployed by one command.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runUpkeep, startAgent } from "../../support/agent.ts";
import type { Program } from "../../support/program.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { Operator } from "./operator.ts";

let folder: string;
let server: RunningServer;
let operator: Operator;
let agent: Program;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeepctl-file-"));
  server = await startServer(join(folder, "server"), ["--auto-accept"]);
  operator = new Operator({ UPKEEP_PASSWORD: server.password });
  await operator.output("login", "--server", server.url, "--user", server.email);
  // As the README has it: the update module is the one of the agent's package.
  const setup = ["--demo", "--server-url", server.url, "--device-type", "my-board", "--identity", "serial=1"];
  runUpkeep(join(folder, "board"), ["setup", ...setup]);
  agent = startAgent(join(folder, "board"));
  await server.management.device("serial", "1", agent.output);
});

afterAll(async () => {
  await agent.stop();
  await server.stop();
  operator.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("puts the file on the devices, byte by byte, and waits for it", async () => {
  const file = join(folder, "app-1.conf");
  const content = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
  writeFileSync(file, content);
  const destination = join(folder, "board/srv");
  const made = ["--file", file, "--dest", destination, "--device-type", "other,my-board"];
  const { code, stdout, stderr } = await operator.run([
    "deploy",
    "release-1",
    ...made,
    "--to",
    "all",
    "--yes",
    "--wait",
  ]);
  expect(code, stdout + stderr).toBe(0);
  expect(stderr).toContain(`Release release-1 is made of app-1.conf, for ${destination} on devices.`);
  expect(readFileSync(join(destination, "app-1.conf")).equals(content)).toBe(true);
});

test.each([
  [["--dest", "/srv"], "--dest and --device-type need --file"],
  [["--file", "a.conf", "--dest", "/srv"], "--file needs --dest and --device-type"],
  [["--file", "a.conf", "--dest", "srv", "--device-type", "t"], '--dest "srv": must be an absolute directory'],
  [["--file", "a.conf", "--dest", "/srv", "--device-type", "t", "--dry-run"], "--dry-run cannot make the release"],
])("is not understood with %j, and uploads nothing", async (flags, message) => {
  const { code, stderr } = await operator.run(["deploy", "release-2", "--to", "all", "--yes", ...flags]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
  expect(await operator.output("releases", "list")).not.toContain("release-2");
});
