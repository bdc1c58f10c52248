import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Records, Storage } from "../../../mock-server/storage/index.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, type TestDomain } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

describePostgres("A transaction that PostgreSQL gives up", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  let schema: Awaited<ReturnType<typeof makeSchema>>;
  let tested: TestDomain;
  let storage: Storage;
  /** Refuses locks out of order. */
  let checked: Storage;
  let devices: string[];
  let deployments: string[];
  beforeEach(async () => {
    schema = await makeSchema(postgres.url);
    tested = await openTestDomain({ autoAccept: true }, schema);
    const { domain, system } = tested;
    devices = await acceptedDevices(domain, 2);
    await domain.artifacts.insert(artifact({ id: "a1" }));
    const create = (name: string) => domain.deployments.create({ name, artifactName: "release-1", devices });
    deployments = [await create("1"), await create("2")];
    storage = await Storage.open({ url: schema.url }, system.files);
    checked = await Storage.open({ url: schema.url, checksLocks: true }, system.files);
  });
  afterEach(async () => {
    await checked.close();
    await storage.close();
    await tested.domain.close();
    await schema.remove();
  });

  /** The next `times` statuses that are written fail with a serialisation failure. */
  async function refuse(times: number): Promise<void> {
    const client = new Client({ connectionString: schema.url });
    await client.connect();
    // A sequence keeps its number when its transaction is rolled back.
    await client.query(`
      create sequence refusals;
      create function refuse() returns trigger language plpgsql as $$ begin
        if nextval('refusals') <= ${times} then raise sqlstate '40001'; end if;
        return new;
      end; $$;
      create trigger refuse before insert on device_deployment_states for each row execute function refuse()`);
    await client.end();
  }

  test("because two wait for each other is run again, and counted", async () => {
    const [one = "", two = ""] = deployments;
    let waiting = 0;
    let meet: () => void = () => undefined;
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    let runs = 0;
    const inOrder = (first: string, second: string) => async (records: Records) => {
      runs += 1;
      await records.deployments.setControlMap(first, "{}");
      waiting += 1;
      if (waiting === 2) meet();
      await met;
      await records.deployments.setControlMap(second, "{}");
    };
    await Promise.all([
      storage.deviceTransaction(devices[0] ?? "", inOrder(one, two)),
      storage.deviceTransaction(devices[1] ?? "", inOrder(two, one)),
    ]);
    expect(runs).toBe(3);
    expect(storage.retries).toBe(1);
  });

  test("because it cannot be put into an order with others is run again: its status is counted once", async () => {
    const { domain } = tested;
    const [device = ""] = devices;
    const [id = ""] = deployments;
    await domain.deviceSide.next(device, PROVIDES);
    await refuse(4);
    await domain.deviceSide.report(device, id, "downloading");
    expect(domain.repeatedTransactions()).toBe(4);
    expect(await domain.deployments.statistics(id)).toMatchObject({ pending: 1, downloading: 1 });
  });

  test("for the fifth time fails, and leaves nothing behind", async () => {
    const { domain } = tested;
    const [device = ""] = devices;
    const [id = ""] = deployments;
    await domain.deviceSide.next(device, PROVIDES);
    await refuse(5);
    await expect(domain.deviceSide.report(device, id, "downloading")).rejects.toMatchObject({ code: "40001" });
    expect(await domain.deployments.statistics(id)).toMatchObject({ pending: 2, downloading: 0 });
  });

  test("never comes from our own order of locks: another one is refused", async () => {
    const [device = ""] = devices;
    const [id = ""] = deployments;
    const wrong = checked.deviceTransaction(device, async (records) => {
      await records.deployments.setControlMap(id, "{}");
      await records.places.take(id, true, {});
    });
    await expect(wrong).rejects.toThrow("a row of deployment_places is taken after one of deployments");
    await expect(checked.deviceTransaction(device, ({ users }) => users.delete("u"))).rejects.toThrow(
      "the order of locks has no place for users",
    );
  });
});
