import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Program, startProgram } from "../../support/program.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { makeArtifact } from "../api/fixture.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { makeSchema } from "../records-fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const STRAY = "0082f4c4-77de-48ec-be72-af837efdca6e";

let folder: string;
let data: string;
let servers: RunningServer[];
let programs: Program[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-directory-"));
  data = join(folder, "data");
  servers = [];
  programs = [];
});
afterEach(async () => {
  await Promise.all([...servers, ...programs].map((one) => one.stop()));
  rmSync(folder, { recursive: true });
});

async function start(...args: readonly string[]): Promise<RunningServer> {
  const server = await startServer(data, args);
  servers.push(server);
  return server;
}

/** A start with an administrator that is there already, or that nobody asks for. */
function startAgain(...args: readonly string[]): { readonly program: Program; readonly ready: Promise<string> } {
  const program = startProgram(process.execPath, [
    ...[UPKEEP_SERVER, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json"],
    ...args,
  ]);
  programs.push(program);
  const ready = until("it is ready", () => program.stdout().match(/^\{.*\}$/m)?.[0], { explain: program.output });
  ready.catch(() => undefined);
  return { program, ready };
}

async function upload(server: RunningServer, name = "release-1"): Promise<string> {
  const file = join(folder, `${name}.mender`);
  writeFileSync(file, await makeArtifact({ name, content: name.repeat(1000) }));
  return await server.management.upload(file);
}

const artifacts = (): string[] => readdirSync(join(data, "artifacts")).sort();

/** A start that fails, with its message: one line. */
async function refused(...args: readonly string[]): Promise<string> {
  const { program, ready } = startAgain(...args);
  expect(await Promise.race([program.ended, ready])).toBe(1);
  expect(program.output().trimEnd().split("\n")).toHaveLength(1);
  return program.output();
}

test("artifacts that new records do not know are not touched: the server does not start", async () => {
  mkdirSync(join(data, "artifacts"), { recursive: true });
  writeFileSync(join(data, "artifacts", STRAY), "bytes of other records");
  expect(await refused()).toMatch(/holds 1 artifact that new records do not know.*--database/);
  expect(artifacts()).toEqual([STRAY]);
  expect(readdirSync(data)).not.toContain("upkeep.sqlite");
});

test("a data directory of a version without claims is claimed at its first start, if its records know its artifacts", async () => {
  const server = await start();
  const id = await upload(server);
  await server.stop();
  rmSync(join(data, "claim.json"));
  writeFileSync(join(data, "artifacts", STRAY), "left over");
  const again = startAgain();
  await again.ready;
  expect(JSON.parse(readFileSync(join(data, "claim.json"), "utf8"))).toMatchObject({ version: 1, engine: "sqlite" });
  expect(artifacts()).toEqual([id]);
  expect(readdirSync(join(data, "trash"))).toEqual([expect.stringContaining(STRAY)]);
  await again.program.stop();
  rmSync(join(data, "claim.json"));
  rmSync(join(data, "artifacts", id));
  writeFileSync(join(data, "artifacts", STRAY), "of other records");
  expect(await refused()).toMatch(/holds 1 artifact that these records do not know/);
  expect(artifacts()).toEqual([STRAY]);
});

test("a claim that cannot be read is told, by its path", async () => {
  mkdirSync(data);
  writeFileSync(join(data, "claim.json"), "{}");
  expect(await refused()).toMatch(/claim\.json: version: /);
});

describePostgres("A data directory whose records are in PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  const database = async (): Promise<string> => (await makeSchema(postgres.url)).url;

  test("is refused to a server without --database, and keeps its artifacts", async () => {
    const server = await start("--database", await database());
    const id = await upload(server);
    expect(await refused()).toMatch(/belongs to records in PostgreSQL: give --database/);
    await server.stop();
    expect(await refused()).toMatch(/belongs to records in PostgreSQL: give --database/);
    expect(artifacts()).toEqual([id]);
    expect(readdirSync(data)).not.toContain("upkeep.sqlite");
  });

  test("is refused to a server with another database, and shared by servers with the same", async () => {
    const url = await database();
    const id = await upload(await start("--database", url));
    expect(await refused("--database", await database())).toMatch(/belongs to other records.*--database/);
    const second = startAgain("--database", url);
    await second.ready;
    expect(artifacts()).toEqual([id]);
  });

  test("is claimed by one of two servers with other databases that use it first at the same time", async () => {
    const starts = [await database(), await database()].map((url) => startAgain("--database", url));
    const ends = await Promise.all(starts.map(({ ready, program }) => Promise.race([ready, program.ended])));
    expect(ends.filter((end) => end === 1)).toHaveLength(1);
    const loser = starts[ends.indexOf(1)];
    expect(loser?.program.output()).toMatch(/belongs to other records/);
  });

  test("is shared by servers with the same database that use it first at the same time", async () => {
    const url = await database();
    const starts = [1, 2, 3].map(() => startAgain("--database", url));
    await Promise.all(starts.map(({ ready }) => ready));
  });

  test("of a version without claims is refused to a database that knows none of its artifacts", async () => {
    const url = await database();
    const server = await start("--database", url);
    const id = await upload(server);
    await server.stop();
    rmSync(join(data, "claim.json"));
    expect(await refused("--database", await database())).toMatch(/holds 1 artifact that these records do not know/);
    expect(await refused()).toMatch(/holds 1 artifact that new records do not know/);
    expect(artifacts()).toEqual([id]);
    await startAgain("--database", url).ready;
    expect(artifacts()).toEqual([id]);
  });

  test("cannot be one that has records in a file", async () => {
    await (await start()).stop();
    expect(await refused("--database", await database())).toMatch(/belongs to the records in its own upkeep\.sqlite/);
    rmSync(join(data, "claim.json"));
    expect(await refused("--database", await database())).toMatch(/has records of its own in upkeep\.sqlite/);
  });
});
