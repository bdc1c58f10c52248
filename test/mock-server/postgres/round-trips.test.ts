import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, TestDevice } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

interface Counted {
  readonly url: string;
  turns: number;
}

/** Stands before a database, and counts how often somebody asks after an answer. */
async function countTurns(url: string): Promise<Counted> {
  const [address = "", folder = "", port = ""] = /@([^:]+):(\d+)/.exec(url) ?? [];
  const here = mkdtempSync(join(tmpdir(), "upkeep-postgres-"));
  const counted: Counted = { url: url.replace(address, `@${encodeURIComponent(here)}:${port}`), turns: 0 };
  const server = createServer((client) => {
    const database = connect(join(decodeURIComponent(folder), `.s.PGSQL.${port}`));
    let answered = true;
    client.on("data", (chunk) => {
      if (answered) counted.turns += 1;
      answered = false;
      database.write(chunk);
    });
    database.on("data", (chunk) => {
      answered = true;
      client.write(chunk);
    });
    client.on("error", () => database.destroy()).on("close", () => database.destroy());
    database.on("error", () => client.destroy()).on("close", () => client.destroy());
  });
  server.listen(join(here, `.s.PGSQL.${port}`));
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    rmSync(here, { recursive: true });
  });
  return counted;
}

describePostgres("A status on PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  test("is three round trips to the database: what there is, behind the lock; what it changes; the disk", async () => {
    const { url, remove } = await makeSchema(postgres.url);
    onTestFinished(remove);
    const counted = await countTurns(url);
    const { domain } = await openTestDomain({ autoAccept: true }, { url: counted.url });
    onTestFinished(() => domain.close());
    const [device = ""] = await acceptedDevices(domain, 1);
    await domain.artifacts.insert(artifact({ id: "a1" }));
    const id = await domain.deployments.create({ name: "n", artifactName: "release-1", devices: [device] });
    await domain.deviceSide.next(device, PROVIDES);
    await domain.deviceSide.report(device, id, "downloading");
    counted.turns = 0;
    await domain.deviceSide.report(device, id, "installing");
    expect(counted.turns).toBeLessThanOrEqual(3);
    await expect(domain.deviceSide.report(device, id, "success")).resolves.toBeUndefined();
    expect(await domain.deployments.get(id)).toMatchObject({ status: "finished", statistics: { success: 1 } });
    // What was refused leaves nothing, and those behind it are kept.
    const answers = await Promise.allSettled([
      domain.deviceSide.report(device, id, "failure"),
      domain.deployments.create({ name: "next", artifactName: "release-1", devices: [device] }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect((await domain.deployments.statistics(id)).success).toBe(1);
  });

  test("and a poll of a device for which there is nothing is one round trip", async () => {
    const { url, remove } = await makeSchema(postgres.url);
    onTestFinished(remove);
    const counted = await countTurns(url);
    const { domain } = await openTestDomain({ autoAccept: true }, { url: counted.url });
    onTestFinished(() => domain.close());
    const token = await domain.authentication.authorize(new TestDevice('{"mac":"1"}').request());
    await domain.authentication.verify(token);
    counted.turns = 0;
    const { deviceId, mayHaveWork } = await domain.authentication.verify(token);
    await expect(domain.deviceSide.next(deviceId, PROVIDES, { mayHaveWork })).resolves.toBeUndefined();
    expect(counted.turns).toBe(1);
  });
});
