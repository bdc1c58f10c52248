import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../../support/waiting.ts";
import { artifact, openTestDomain, PROVIDES, TestDevice, type TestDomain } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

/** What a device does, or what is done to one device alone. */
interface Write {
  readonly what: string;
  readonly run: (domain: TestDomain["domain"], device: string, login: TestDevice) => Promise<unknown>;
}

const WRITES: readonly Write[] = [
  {
    what: "a new login of a device that is known",
    run: ({ authentication }, _, login) => authentication.authorize(login.request()),
  },
  {
    what: "an inventory in place of the last",
    run: ({ inventory }, device) => inventory.replace(device, [{ name: "a", value: 1 }]),
  },
  {
    what: "an inventory beside the last",
    run: ({ inventory }, device) => inventory.merge(device, [{ name: "b", value: "x" }]),
  },
  { what: "the end of the inventory", run: ({ inventory }, device) => inventory.clear(device) },
  { what: "a note of the server", run: ({ inventory }, device) => inventory.note(device, "n", "v") },
  { what: "the end of a note", run: ({ inventory }, device) => inventory.removeNote(device, "n") },
  { what: "tags", run: ({ tags }, device) => tags.put(device, [{ name: "t", value: "v" }], { replace: true }) },
  { what: "a configuration", run: ({ configurations }, device) => configurations.configure(device, { k: "v" }) },
  { what: "a poll", run: ({ deviceSide }, device) => deviceSide.next(device, PROVIDES) },
  { what: "a sign of life", run: ({ deviceSide }, device) => deviceSide.touch(device) },
];

describePostgres("While another device writes", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  let schema: Awaited<ReturnType<typeof makeSchema>>;
  let tested: TestDomain;
  let device: string;
  const login = new TestDevice('{"mac":"1"}');
  let other: Client;
  beforeEach(async () => {
    schema = await makeSchema(postgres.url);
    tested = await openTestDomain({ autoAccept: true }, schema);
    const { domain } = tested;
    const token = await domain.authentication.authorize(login.request());
    device = (await domain.authentication.verify(token)).deviceId;
    await domain.artifacts.insert(artifact({ id: "a1" }));
    await domain.deployments.create({ name: "n", artifactName: "release-1", devices: [device] });
    other = new Client({ connectionString: schema.url });
    await other.connect();
    // As the transaction of a device begins.
    await other.query("begin; select pg_advisory_xact_lock_shared(1431325509, hashtext(current_schema()))");
  });
  afterEach(async () => {
    await other.end();
    await tested.domain.close();
    await schema.remove();
  });

  test.each(WRITES)("$what does not wait", async ({ run }) => {
    await run(tested.domain, device, login);
  });

  test("what concerns several devices waits", async () => {
    const created = tested.domain.deployments.create({ name: "2", artifactName: "release-1", devices: [device] });
    const waiting = await until("the creation waits", async () => {
      const { rows } = await other.query<{ mode: string }>(
        "select mode from pg_locks where locktype = 'advisory' and not granted",
      );
      return rows.length > 0 ? rows.map(({ mode }) => mode) : undefined;
    });
    expect(waiting).toEqual(["ExclusiveLock"]);
    await other.query("commit");
    await expect(created).resolves.toMatch(/^[0-9a-f-]{36}$/);
  });
});
