import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { makeSchema } from "../records-fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const ADMINISTRATOR = "admin@example.com";

let folder: string;
let data: string;
let programs: Program[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-user-"));
  data = join(folder, "data");
  programs = [];
});
afterEach(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  rmSync(folder, { recursive: true });
});

interface Ready {
  readonly url: string;
  readonly administrator?: { readonly email: string; readonly password?: string };
}

function run(...args: readonly string[]): Program {
  const program = startProgram(process.execPath, [UPKEEP_SERVER, ...args]);
  programs.push(program);
  return program;
}

async function serve(...args: readonly string[]): Promise<Ready & { readonly program: Program }> {
  const program = run("serve", "--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json", ...args);
  const line = await until("it is ready", () => program.stdout().match(/^\{.*\}$/m)?.[0], { explain: program.output });
  return { program, ...(JSON.parse(line) as Ready) };
}

function passwordFile(password: string): string {
  const path = join(folder, `password-${programs.length}`);
  writeFileSync(path, `${password}\n`, { mode: 0o600 });
  return path;
}

/** @returns What the command has printed. */
async function user(status: number, ...args: readonly string[]): Promise<string> {
  const program = run("user", ...args);
  expect(await program.ended, program.output()).toBe(status);
  return program.output();
}

test("a first start that finds its port taken makes no administrator; the next one does, and prints the password", async () => {
  const other = await serve();
  data = join(folder, "other");
  const failed = run("serve", "--data", data, "--listen", other.url.replace("http://", ""));
  expect(await failed.ended).toBe(1);
  expect(failed.output()).toContain("another program has this port");
  const { url, administrator } = await serve();
  expect(administrator?.email).toBe(ADMINISTRATOR);
  await ManagementClient.logIn(url, ADMINISTRATOR, administrator?.password ?? "");
});

test("the first administrator may be given, with a password from a file that is shown nowhere", async () => {
  const flags = ["--admin-email", "Ops@example.com", "--admin-password-file", passwordFile("correct horse battery")];
  const { url, administrator, program } = await serve(...flags);
  expect(administrator).toEqual({ email: "ops@example.com" });
  await ManagementClient.logIn(url, "ops@example.com", "correct horse battery");
  expect(program.output()).not.toContain("battery");
  await program.stop();
  const again = await serve(...flags);
  expect(again.administrator).toBeUndefined();
  await until(
    "it is said that they come too late",
    () =>
      again.program.output().includes("--admin-email and --admin-password-file are for the first start only") ||
      undefined,
  );
  await again.program.stop();
  data = join(folder, "other");
  const short = run("serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-password-file", passwordFile("short"));
  expect(await short.ended).toBe(1);
  expect(short.output()).toMatch(
    /^upkeep-server: --admin-password-file .*: password: must have 8 to 256 characters\n$/,
  );
});

/** What `user` does, beside a server that runs. */
async function manageUsers(place: readonly string[], { url, administrator }: Ready): Promise<void> {
  const old = await ManagementClient.logIn(url, ADMINISTRATOR, administrator?.password ?? "");
  const settings = "/api/management/v1/useradm/users";
  const added = await user(
    0,
    "add",
    "ci@example.com",
    "--role",
    "ci-upload",
    ...place,
    "--password-file",
    passwordFile("for builds only"),
  );
  expect(added).toBe("Added ci@example.com as ci-upload\n");
  await ManagementClient.logIn(url, "ci@example.com", "for builds only");
  expect(await user(0, "list", ...place)).toMatch(
    /^admin@example\.com {2}admin {2}since \d{4}-\d\d-\d\d\nci@example\.com {2}ci-upload {2}since .*\n$/,
  );
  const listed = JSON.parse(await user(0, "list", "--json", ...place)) as readonly unknown[];
  expect(listed[0]).toMatchObject({ email: ADMINISTRATOR, role: "admin", created: expect.stringMatching(/Z$/) });
  await old.json(settings);
  const wrong = (): Promise<unknown> => ManagementClient.logIn(url, ADMINISTRATOR, "a wrong password");
  for (let tried = 0; tried < 5; tried += 1) await expect(wrong()).rejects.toThrow(": 401");
  await expect(wrong()).rejects.toThrow(": 429");
  // Logins are limited now; a token from the server's machine is none.
  const token = (await user(0, "token", "Admin@example.com", ...place)).trim();
  const withToken = await fetch(url + settings, { headers: { authorization: `Bearer ${token}` } });
  expect([withToken.status, withToken.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  await user(0, "passwd", "Admin@example.com", ...place, "--password-file", passwordFile("a new password"));
  // The running server notices: what was good until now is not any more.
  await expect(old.json(settings)).rejects.toThrow(": 401");
  // Nor do wrong tries for the old password count.
  const fresh = await ManagementClient.logIn(url, ADMINISTRATOR, "a new password");
  expect(await user(0, "remove", "ci@example.com", ...place)).toBe("Removed ci@example.com\n");
  expect(await fresh.json<unknown[]>(settings)).toHaveLength(1);
  expect(await user(1, "remove", ADMINISTRATOR, ...place)).toBe("upkeep-server: the last admin cannot go\n");
  expect(await user(1, "passwd", "nobody@example.com", ...place)).toBe(
    "upkeep-server: there is no user nobody@example.com; there are: admin@example.com\n",
  );
}

test("users are managed on the server's machine while it runs, and it notices; and while it does not", async () => {
  const server = await serve();
  await manageUsers(["--data", data], server);
  await server.program.stop();
  await user(0, "passwd", ADMINISTRATOR, "--data", data, "--password-file", passwordFile("changed meanwhile"));
  await ManagementClient.logIn((await serve()).url, ADMINISTRATOR, "changed meanwhile");
});

test("a password comes from a file or standard input, and never from the command line", async () => {
  await (await serve()).program.stop();
  const place = ["--data", data];
  expect(await user(1, "passwd", ADMINISTRATOR, ...place)).toMatch(/--password-file -: the first line.*is empty/);
  const none = join(folder, "none");
  expect(await user(1, "passwd", ADMINISTRATOR, ...place, "--password-file", none)).toContain("there is no such file");
  expect(await user(1, "passwd", ADMINISTRATOR, "--password", "a new password", ...place)).toContain(
    "Unknown argument",
  );
  expect(await user(1, "add", "a@example.com", ...place, "--password-file", passwordFile("long enough"))).toContain(
    "role",
  );
  expect(await user(1, "list", "--data", none)).toContain("there is no upkeep.sqlite");
});

test("at a terminal the password is asked for twice, and is not shown", async () => {
  const server = await serve();
  const command = [process.execPath, UPKEEP_SERVER, "user", "passwd", ADMINISTRATOR, "--data", data].join(" ");
  const terminal = startProgram("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
    input: true,
  });
  programs.push(terminal);
  await until("it asks", () => terminal.output().includes("New password for admin@example.com: ") || undefined);
  terminal.child.stdin?.write("typed at a teeminak\u007f\u007f\u007f\u007f\u007f\u007frminal\r");
  await until("it asks again", () => terminal.output().includes("Once more: ") || undefined);
  terminal.child.stdin?.write("typed at a terminal\r");
  expect(await terminal.ended, terminal.output()).toBe(0);
  expect(terminal.output()).not.toContain("typed");
  await ManagementClient.logIn(server.url, ADMINISTRATOR, "typed at a terminal");
});

describePostgres("Users in PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("are managed beside a server that runs; the data directory alone says that they are not in it", async () => {
    const { url } = await makeSchema(postgres.url);
    await manageUsers(["--database", url], await serve("--database", url));
    expect(await user(1, "list", "--data", data)).toContain("belongs to records in PostgreSQL: give --database");
  });
});
