import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { startServer } from "../../support/server.ts";
import { makeArtifact, multipart } from "../api/fixture.ts";
import { TestDevice } from "../domain-fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const NEXT = "/api/devices/v2/deployments/device/deployments/next";
const AUTH = "/api/devices/v1/authentication/auth_requests";
const INVENTORY = "/api/devices/v1/inventory/device/attributes";

/** Mounting needs a file system of our own. */
const isRoot = process.getuid?.() === 0;

let folder: string;
let disk: string;
let mounted: boolean;
let programs: Program[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-full-"));
  disk = join(folder, "disk");
  mkdirSync(disk);
  mounted = false;
  programs = [];
});
afterEach(async () => {
  await Promise.all(programs.map((program) => program.stop("SIGKILL")));
  if (mounted) execFileSync("umount", ["--lazy", disk]);
  rmSync(folder, { recursive: true });
});

function mount(size: string): void {
  mounted = true;
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk]);
}

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  execFileSync("sh", ["-c", `head -c ${bavail * bsize} /dev/zero > "$1"`, "sh", join(disk, "filler")]);
}

/** @returns What the command has said: one line, and exit status 1. */
async function sentence(...args: readonly string[]): Promise<string> {
  const program = startProgram(process.execPath, [UPKEEP_SERVER, ...args]);
  programs.push(program);
  expect(await program.ended, program.output()).toBe(1);
  expect(program.output().trimEnd().split("\n"), program.output()).toHaveLength(1);
  expect(program.output()).not.toMatch(/^\s+at /m);
  return program.output();
}

describe.runIf(isRoot || process.env.CI)("a disk that is full", () => {
  test("is told by /ready; what must write is answered 503 or 507 with Retry-After, a poll that need not goes on", async () => {
    mount("24m");
    const server = await startServer(join(disk, "data"), ["--auto-accept"]);
    programs.push(server.program);
    const device = new TestDevice('{"mac":"02:00:00:00:00:01"}');
    const authorize = async (who: TestDevice): Promise<Response> => {
      const { body, signature } = who.request();
      const headers = { "content-type": "application/json", "x-men-signature": signature };
      return await fetch(server.url + AUTH, { method: "POST", headers, body: new Uint8Array(body) });
    };
    const token = await (await authorize(device)).text();
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const poll = () =>
      fetch(server.url + NEXT, {
        method: "POST",
        headers,
        body: JSON.stringify({ device_provides: { device_type: "board", artifact_name: "factory" } }),
      });
    const report = (size: number) =>
      fetch(server.url + INVENTORY, {
        method: "PUT",
        headers,
        body: JSON.stringify(
          Array.from({ length: size }, (_, name) => ({ name: `n${name}`, value: "x".repeat(2000) })),
        ),
      });
    const credentials = Buffer.from(`${server.email}:${server.password}`).toString("base64");
    const logIn = () =>
      fetch(`${server.url}/api/management/v1/useradm/auth/login`, {
        method: "POST",
        headers: { authorization: `Basic ${credentials}` },
      });
    const userToken = await (await logIn()).text();
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    fill();
    // What room the write-ahead log still has is used up.
    let answer = await report(50);
    for (let tried = 0; tried < 20 && answer.status === 200; tried += 1) answer = await report(50 + tried);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "60"]);
    expect((await answer.json()) as unknown).toMatchObject({ error: expect.stringContaining("no space left") });
    expect((await poll()).status).toBe(204);
    const ready = await fetch(`${server.url}/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("no space left")]);
    const { body, headers: kind } = multipart([
      ["artifact", await makeArtifact({ content: Buffer.alloc(200_000, "z") })],
    ]);
    const login = await logIn();
    expect([login.status, login.headers.get("retry-after")]).toEqual([507, "60"]);
    const upload = await fetch(`${server.url}/api/management/v1/deployments/artifacts`, {
      method: "POST",
      headers: { ...kind, authorization: `Bearer ${userToken}` },
      body: new Uint8Array(body),
    });
    expect([upload.status, upload.headers.get("retry-after")]).toEqual([507, "60"]);
    rmSync(join(disk, "filler"));
    expect((await report(50)).status).toBe(200);
  });

  test("at the first start, at a backup and for a user is one sentence", async () => {
    mount("1m");
    fill();
    const place = ["--data", join(disk, "data")];
    expect(await sentence("serve", ...place, "--listen", "127.0.0.1:0")).toContain("no space left on the disk");
    const data = join(folder, "data");
    const server = await startServer(data);
    programs.push(server.program);
    expect(await sentence("backup", "--data", data, "--to", join(disk, "backup"))).toContain(
      "no space left on the disk",
    );
    await server.stop();
  });

  test("that is read-only is one sentence", async () => {
    mount("24m");
    const data = join(disk, "data");
    await (await startServer(data)).stop();
    execFileSync("mount", ["-o", "remount,ro", disk]);
    expect(await sentence("serve", "--data", data, "--listen", "127.0.0.1:0")).toMatch(/is read-only/);
    expect(await sentence("user", "list", "--data", data)).toMatch(/is read-only/);
  });
});

describe("what is no server's data", () => {
  test.each([
    ["serve", "--listen", "127.0.0.1:0"],
    ["user", "list"],
    ["backup", "--to", "/nonexistent/backup"],
    ["move", "--to-database", "postgres://127.0.0.1:9/none"],
  ])("is told in one sentence by %s", async (command, ...args) => {
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    writeFileSync(
      join(data, "upkeep.sqlite"),
      "this is a text, and it is longer than the header of a database is\n".repeat(99),
      { mode: 0o600 },
    );
    mkdirSync(join(data, "artifacts"));
    const to = args.map((arg) => (arg === "/nonexistent/backup" ? join(folder, "backup") : arg));
    expect(await sentence(command, ...to, "--data", data)).toMatch(/upkeep\.sqlite.* is not a database|not a database/);
    const file = join(folder, "file");
    writeFileSync(file, "");
    chmodSync(file, 0o600);
    expect(await sentence(command, ...to, "--data", file)).toContain(file);
  });
});
