import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ManagementClient } from "../../support/management.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { BUCKET, S3_KEYS, startS3 } from "../../support/s3.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { makeArtifact } from "../api/fixture.ts";

const UPKEEP_SERVER = join(import.meta.dirname, "../../../mock-server/bin/upkeep-server.mjs");

let folder: string;
let server: RunningServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-backup-"));
  server = await startServer(join(folder, "data"));
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** @returns The command's output, and its exit status. */
function run(...args: readonly string[]): { readonly status: number; readonly output: string } {
  try {
    return {
      status: 0,
      output: execFileSync(process.execPath, [UPKEEP_SERVER, ...args], { encoding: "utf8", stdio: "pipe" }),
    };
  } catch (error) {
    if (!(error instanceof Error && "stderr" in error && "status" in error)) throw error;
    return { status: Number(error.status), output: String(error.stderr) };
  }
}

async function upload(name: string): Promise<string> {
  const file = join(folder, `${name}.mender`);
  writeFileSync(file, await makeArtifact({ name, content: name.repeat(1000) }));
  return await server.management.upload(file);
}

/** A server that has its administrator already. */
async function startAgain(
  data: string,
  args: readonly string[] = [],
): Promise<{ readonly url: string; readonly program: Program }> {
  const place = ["--data", data, "--listen", "127.0.0.1:0", "--json", "--log-format", "json", ...args];
  const program = startProgram(process.execPath, [UPKEEP_SERVER, "serve", ...place]);
  const line = await until("the server is ready", () => program.stdout().match(/^\{.*\}$/m)?.[0], {
    explain: program.output,
  });
  return { url: (JSON.parse(line) as { url: string }).url, program };
}

const releases = (management: ManagementClient) =>
  management.json<{ Name: string }[]>("/api/management/v1/deployments/deployments/releases");

test("A backup of a server that is at work has everything, and a restored server goes on from there", async () => {
  const ids = [await upload("release-1"), await upload("release-2")];
  let uploading = true;
  const work = (async () => {
    for (let number = 0; uploading; number += 1) await upload(`busy-${number}`);
  })();
  const place = ["--data", join(folder, "data"), "--to", join(folder, "backup")];
  const backup = startProgram(process.execPath, [UPKEEP_SERVER, "backup", ...place]);
  expect(await backup.ended, backup.output()).toBe(0);
  uploading = false;
  await work;
  expect(statSync(join(folder, "backup")).mode & 0o777).toBe(0o700);
  await upload("later");
  await server.stop();

  expect(run("restore", "--from", join(folder, "backup"), "--data", join(folder, "new"))).toMatchObject({ status: 0 });
  expect(readdirSync(join(folder, "new/artifacts"))).toEqual(expect.arrayContaining(ids));
  for (const id of ids) {
    expect(readFileSync(join(folder, "new/artifacts", id))).toEqual(readFileSync(join(folder, "data/artifacts", id)));
  }
  const { url, program } = await startAgain(join(folder, "new"));
  const names = (await releases(await ManagementClient.logIn(url, server.email, server.password))).map(
    ({ Name }) => Name,
  );
  expect(names).toEqual(expect.arrayContaining(["release-1", "release-2"]));
  expect(names).not.toContain("later");
  expect(program.output()).not.toContain("bytes");
  await program.stop();
});

test("A backup that is not whole is refused, by name, and nothing is written", async () => {
  const id = await upload("release-1");
  const backup = join(folder, "backup");
  const target = ["--data", join(folder, "new")];
  expect(run("backup", "--data", join(folder, "data"), "--to", backup).status).toBe(0);

  const artifact = join(backup, "artifacts", id);
  const bytes = readFileSync(artifact);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(artifact, bytes);
  expect(run("restore", "--from", backup, ...target)).toMatchObject({
    status: 1,
    output: expect.stringContaining(`artifact ${id} is not what was uploaded`),
  });
  truncateSync(artifact, 10);
  expect(run("restore", "--from", backup, ...target).output).toContain("has 10 bytes");
  rmSync(artifact);
  expect(run("restore", "--from", backup, ...target).output).toContain("is missing");
  rmSync(join(backup, "backup.json"));
  expect(run("restore", "--from", backup, ...target).output).toContain("not a complete one");
  expect(readdirSync(folder)).not.toContain("new");
});

test("A server whose artifacts are in a bucket is backed up without them, and finds them again", async () => {
  const s3 = await startS3();
  vi.stubEnv("AWS_ACCESS_KEY_ID", S3_KEYS.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", S3_KEYS.secretAccessKey);
  const bucket = ["--blobs", `s3://${BUCKET}`, "--s3-endpoint", s3.endpoint, "--s3-path-style"];
  const data = join(folder, "remote");
  const backup = join(folder, "backup");
  const other = await startServer(data, bucket);
  try {
    const file = join(folder, "release-1.mender");
    writeFileSync(file, await makeArtifact());
    const id = await other.management.upload(file);
    expect(run("backup", "--data", data, "--to", backup)).toMatchObject({
      status: 1,
      output: expect.stringContaining("there is no directory artifacts: with serve --blobs, say --records-only"),
    });
    expect(run("backup", "--data", data, "--to", backup, "--records-only")).toMatchObject({ status: 0 });
    await other.stop();
    const restored = run("restore", "--from", backup, "--data", join(folder, "new"));
    expect(restored).toMatchObject({ status: 0, output: expect.stringContaining("start the server with the --blobs") });
    const { url, program } = await startAgain(join(folder, "new"), bucket);
    const management = await ManagementClient.logIn(url, other.email, other.password);
    const path = `/api/management/v1/deployments/artifacts/${id}/download`;
    const { uri } = await management.json<{ uri: string }>(path);
    expect(Buffer.from(await (await fetch(uri)).arrayBuffer())).toEqual(readFileSync(file));
    expect(program.output()).not.toContain("bytes");
    await program.stop();
  } finally {
    vi.unstubAllEnvs();
    await other.stop();
    await s3.stop();
  }
});

test("Neither command writes over anything", async () => {
  const backup = join(folder, "backup");
  expect(run("backup", "--data", join(folder, "data"), "--to", backup).status).toBe(0);
  expect(run("backup", "--data", join(folder, "data"), "--to", backup)).toMatchObject({
    status: 1,
    output: expect.stringContaining("is there already"),
  });
  expect(run("restore", "--from", backup, "--data", join(folder, "data"))).toMatchObject({
    status: 1,
    output: expect.stringContaining("is not empty"),
  });
  expect(run("backup", "--data", backup.concat("-none"), "--to", join(folder, "other"))).toMatchObject({
    status: 1,
    output: expect.stringContaining("no server's data directory"),
  });
});
