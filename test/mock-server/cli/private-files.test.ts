import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");

let folder: string;
let data: string;
let programs: Program[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-private-"));
  data = join(folder, "data");
  // A directory that others can read, made before the first start.
  mkdirSync(data);
  chmodSync(data, 0o755);
  programs = [];
});
afterEach(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  rmSync(folder, { recursive: true });
});

/** Run the server's program with a umask that takes nothing away. */
function run(...args: readonly string[]): Program {
  const program = startProgram("sh", ["-c", 'umask 0; exec "$@"', "sh", process.execPath, UPKEEP_SERVER, ...args]);
  programs.push(program);
  return program;
}

async function serve(...args: readonly string[]): Promise<Program> {
  const program = run("serve", "--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json", ...args);
  await until("it is ready", () => program.stdout().includes("\n") || undefined, { explain: program.output });
  return program;
}

/** Files below a directory that others than their owner can read, apart from the certificate that devices are given. */
function exposed(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => (statSync(path).mode & 0o077) !== 0 && !path.endsWith("certificate.pem"));
}

test("in a data directory that others can read no file is theirs to read, and the directory is told at the start", async () => {
  const server = await serve("--tls-self-signed", "--record", join(data, "session.jsonl"));
  expect(readdirSync(data)).toEqual(
    expect.arrayContaining(["upkeep.sqlite", "upkeep.sqlite-wal", "upkeep.sqlite-shm"]),
  );
  expect(exposed(data)).toEqual([]);
  expect(server.output()).toMatch(new RegExp(`others can read the data directory ${data}.*chmod 700`));
  const backup = run("backup", "--data", data, "--to", join(folder, "backup"));
  expect(await backup.ended, backup.output()).toBe(0);
  expect(exposed(join(folder, "backup"))).toEqual([]);
  const restored = run("restore", "--from", join(folder, "backup"), "--data", join(folder, "restored"));
  expect(await restored.ended, restored.output()).toBe(0);
  expect(exposed(join(folder, "restored"))).toEqual([]);
});

test("files of an earlier version that others can read are theirs no more, and each is told", async () => {
  await (await serve("--tls-self-signed")).stop();
  const wide = ["upkeep.sqlite", "lock", "claim.json", "tls/key.pem"].map((name) => join(data, name));
  const recording = join(folder, "session.jsonl");
  writeFileSync(recording, "");
  for (const path of [...wide, recording]) chmodSync(path, 0o644);
  chmodSync(data, 0o700);
  const server = await serve("--tls-self-signed", "--record", recording);
  expect(exposed(data)).toEqual([]);
  expect(exposed(folder)).toEqual([]);
  expect(server.output()).not.toContain("others can read the data directory");
  for (const name of ["upkeep.sqlite", "tls/key.pem"]) {
    expect(server.output()).toMatch(new RegExp(`others could read ${join(data, name)}.*mode 644`));
  }
});
