import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { BUCKET, S3_KEYS, startS3 } from "../../support/s3.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { makeArtifact } from "../api/fixture.ts";
import { describePostgres } from "../postgres/describe.ts";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";
import { makeSchema } from "../records-fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");
const ARTIFACTS = "/api/management/v1/deployments/artifacts";

let folder: string;
let data: string;
let server: RunningServer;
let artifact: string;
let programs: Program[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-move-"));
  data = join(folder, "data");
  programs = [];
  server = await startServer(data);
  const file = join(folder, "release-1.mender");
  writeFileSync(file, await makeArtifact({ name: "release-1", content: Buffer.alloc(300_000, "x") }));
  artifact = await server.management.upload(file);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([server, ...programs].map((one) => one.stop()));
  rmSync(folder, { recursive: true });
});

async function run(...args: readonly string[]): Promise<{ readonly status: unknown; readonly output: string }> {
  const program = startProgram(process.execPath, [UPKEEP_SERVER, ...args]);
  programs.push(program);
  return { status: await program.ended, output: program.output() };
}

const move = (...args: readonly string[]) => run("move", "--data", data, ...args);

/** Start the server again, log in as before, and read the artifact. */
async function expectAtWork(...args: readonly string[]): Promise<void> {
  const place = ["--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json"];
  const program = startProgram(process.execPath, [UPKEEP_SERVER, "serve", ...place, ...args]);
  programs.push(program);
  const line = await until("it is ready", () => program.stdout().match(/^\{.*\}$/m)?.[0], { explain: program.output });
  const { url } = JSON.parse(line) as { url: string };
  const management = await ManagementClient.logIn(url, server.email, server.password);
  const { uri } = await management.json<{ uri: string }>(`${ARTIFACTS}/${artifact}/download`);
  expect(Buffer.from(await (await fetch(uri)).arrayBuffer())).toEqual(readFileSync(join(folder, "release-1.mender")));
  await program.stop();
}

test("while a server runs, nothing is moved; and where to must be said", async () => {
  expect(await move("--to-database", "postgres://upkeep@127.0.0.1:9/none")).toMatchObject({
    status: 1,
    output: `upkeep-server: a server is using the data directory ${data}: stop it first\n`,
  });
  expect((await move()).output).toContain("say where to: --to-database, --to-blobs, or both");
  expect((await move("--to-database", "sqlite")).output).toContain("--to-database sqlite: the records are there");
  await server.stop();
  expect((await move("--to-database", "postgres://upkeep@127.0.0.1:9/none")).output).toMatch(
    /^upkeep-server: --to-database: cannot be used: .*\n$/,
  );
  await expectAtWork();
});

test("artifacts go into a bucket and back, and are compared", async () => {
  const s3 = await startS3();
  try {
    vi.stubEnv("AWS_ACCESS_KEY_ID", S3_KEYS.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", S3_KEYS.secretAccessKey);
    const place = `s3://${BUCKET}/fleet`;
    const store = ["--s3-endpoint", s3.endpoint, "--s3-path-style"];
    await server.stop();
    const there = await move("--to-blobs", place, ...store);
    expect(there, there.output).toMatchObject({ status: 0, output: expect.stringContaining("Artifacts: 1, ") });
    // Once more: what is there is only compared.
    const puts = s3.requests.filter(({ method }) => method === "PUT").length;
    expect(await move("--to-blobs", place, ...store)).toMatchObject({ status: 0 });
    expect(s3.requests.filter(({ method }) => method === "PUT")).toHaveLength(puts);
    await expectAtWork("--blobs", place, ...store);
    rmSync(join(data, "artifacts"), { recursive: true });
    expect(await move("--blobs", place, "--to-blobs", "files", ...store)).toMatchObject({ status: 0 });
    await expectAtWork();
    // Damaged bytes are not moved.
    writeFileSync(join(data, "artifacts", artifact), "damaged");
    expect((await move("--to-blobs", `s3://${BUCKET}/other`, ...store)).output).toMatch(
      new RegExp(`artifact ${artifact}: its bytes are not what was uploaded`),
    );
  } finally {
    await s3.stop();
  }
});

describePostgres("records that are moved to PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("are served from there, no server finds them where they were, and they come back", async () => {
    const { url } = await makeSchema(postgres.url);
    await server.stop();
    const moved = await move("--to-database", url);
    expect(moved, moved.output).toMatchObject({ status: 0, output: expect.stringContaining("  artifacts: 1\n") });
    expect(moved.output).toContain(`Start the server with --data ${data} --database …`);
    expect(readdirSync(data).sort()).toEqual(["artifacts", "claim.json", "lock", "upkeep.sqlite.moved"]);
    expect((await run("serve", "--data", data, "--listen", "127.0.0.1:0")).output).toMatch(
      /belongs to records in PostgreSQL/,
    );
    await expectAtWork("--database", url);
    const back = await move("--database", url, "--to-database", "sqlite");
    expect(back, back.output).toMatchObject({ status: 0 });
    await expectAtWork();
    expect((await move("--to-database", url)).output).toContain("--to-database: the target is not empty");
  });

  test("start over if the move was interrupted, and never over other records", async () => {
    const { url } = await makeSchema(postgres.url);
    await server.stop();
    expect(await move("--to-database", url)).toMatchObject({ status: 0 });
    // As if the command had been killed between the copy and its end.
    const claim = JSON.parse(readFileSync(join(data, "claim.json"), "utf8")) as { records: string };
    const undo = (): void => {
      writeFileSync(join(data, "upkeep.sqlite"), readFileSync(join(data, "upkeep.sqlite.moved")));
      writeFileSync(join(data, "claim.json"), JSON.stringify({ ...claim, engine: "sqlite" }));
      writeFileSync(join(data, "moving.json"), JSON.stringify({ to: "postgres", records: claim.records }));
    };
    undo();
    await expectAtWork();
    const again = await move("--to-database", url);
    expect(again, again.output).toMatchObject({ status: 0 });
    expect(existsSync(join(data, "moving.json"))).toBe(false);
    await expectAtWork("--database", url);
    undo();
    const other = await makeSchema(postgres.url);
    const foreign = await startServer(join(folder, "foreign"), ["--database", other.url]);
    await foreign.stop();
    expect((await move("--to-database", other.url)).output).toContain("the target is not empty; nothing was moved");
  });
});
