import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, TestDevice, type TestDomain } from "../domain-fixture.ts";
import { makeSchema } from "../records-fixture.ts";
import { describePostgres } from "./describe.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

const DEVICES = 20;

describePostgres("Two servers on one database", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  let schema: Awaited<ReturnType<typeof makeSchema>>;
  let one: TestDomain;
  let two: TestDomain;
  beforeEach(async () => {
    schema = await makeSchema(postgres.url);
    // Both at once: the tables are made once, and so are the keys.
    [one, two] = await Promise.all([
      openTestDomain({ autoAccept: true }, schema),
      openTestDomain({ autoAccept: true }, schema),
    ]);
    // Their chance is a counter: they must not draw the same identifiers.
    for (let drawn = 0; drawn < 1000; drawn += 1) two.system.random.uuid();
  });
  afterEach(async () => {
    await Promise.all([one.domain.close(), two.domain.close()]);
    await schema.remove();
  });

  async function begun(): Promise<{ readonly id: string; readonly devices: string[] }> {
    const devices = await acceptedDevices(one.domain, DEVICES);
    await one.domain.artifacts.insert(artifact({ id: "a1" }));
    const id = await one.domain.deployments.create({ name: "n", artifactName: "release-1", devices });
    return { id, devices };
  }

  const both = <T>(work: (domain: TestDomain["domain"]) => Promise<T>): Promise<T>[] => [
    work(one.domain),
    work(two.domain),
  ];

  test("take each other's tokens and links", async () => {
    const token = await one.domain.authentication.authorize(new TestDevice('{"mac":"1"}').request());
    const { deviceId, authSetId } = await two.domain.authentication.verify(token);
    expect(two.domain.linkSecret).toEqual(one.domain.linkSecret);
    // The other one has read the token before: that it was revoked here counts there too.
    await one.domain.devices.revokeTokens(authSetId);
    await expect(two.domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
    expect((await two.domain.devices.get(deviceId)).status).toBe("accepted");
  });

  test("write a device down once that asks both at the same time", async () => {
    const device = new TestDevice('{"mac":"1"}');
    await Promise.all(both(({ authentication }) => authentication.authorize(device.request())));
    expect(await one.domain.devices.count()).toBe(1);
  });

  test("make one administrator", async () => {
    const made = await Promise.all(both(({ users }) => users.ensureAdministrator("admin@example.com")));
    expect(made.filter((administrator) => administrator !== undefined)).toHaveLength(1);
  });

  test("answer two first polls of a device with one device deployment", async () => {
    const { id, devices } = await begun();
    const answers = await Promise.all(
      devices.flatMap((device) => both(async ({ deviceSide }) => await deviceSide.next(device, PROVIDES))),
    );
    expect(new Set(answers.map((answer) => answer?.deploymentId))).toEqual(new Set([id]));
    expect(await two.domain.deployments.get(id)).toMatchObject({
      deviceCount: DEVICES,
      totalSizeBytes: DEVICES * 1000,
    });
  });

  test("let one of two different ends hold, and count it once", async () => {
    const { id, devices } = await begun();
    await Promise.all(devices.map((device) => one.domain.deviceSide.next(device, PROVIDES)));
    const answers = await Promise.allSettled(
      devices.flatMap((device) => [
        one.domain.deviceSide.report(device, id, "success"),
        two.domain.deviceSide.report(device, id, "failure"),
      ]),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(DEVICES);
    const { status, statistics } = await one.domain.deployments.get(id);
    expect(status).toBe("finished");
    expect(statistics.success + statistics.failure).toBe(DEVICES);
  });

  test("end every device once when one aborts what the other takes reports of", async () => {
    const { id, devices } = await begun();
    await Promise.all(devices.map((device) => one.domain.deviceSide.next(device, PROVIDES)));
    const answers = await Promise.allSettled([
      ...devices.slice(0, DEVICES / 2).map((device) => one.domain.deviceSide.report(device, id, "success")),
      two.domain.deployments.abort(id),
      ...devices.slice(DEVICES / 2).map((device) => one.domain.deviceSide.report(device, id, "success")),
    ]);
    const reported = answers.filter((_, index) => index !== DEVICES / 2);
    const succeeded = reported.filter(({ status }) => status === "fulfilled").length;
    const aborted = answers[DEVICES / 2]?.status === "fulfilled" ? DEVICES - succeeded : 0;
    expect(await two.domain.deployments.get(id)).toMatchObject({
      status: "finished",
      statistics: { success: succeeded, aborted, pending: 0 },
    });
    expect(succeeded + aborted).toBe(DEVICES);
  });

  test("accept a key or forget its device, whichever comes first", async () => {
    const strict = await openTestDomain({ autoAccept: false }, schema);
    for (let drawn = 0; drawn < 2000; drawn += 1) strict.system.random.uuid();
    for (let index = 0; index < DEVICES; index += 1) {
      const device = new TestDevice(JSON.stringify({ mac: String(index) }));
      await expect(strict.domain.authentication.authorize(device.request())).rejects.toMatchObject({
        kind: "unauthorized",
      });
    }
    await strict.domain.close();
    const { items } = await one.domain.devices.list({}, { page: 1, perPage: 100 });
    await Promise.allSettled(
      items.flatMap(({ id, authSets: [key] }) => [
        one.domain.devices.setAuthSetStatus(id, key?.id ?? "", "accepted"),
        two.domain.devices.decommission(id),
      ]),
    );
    expect(await one.domain.devices.count()).toBe(0);
  });

  test("create one of two equal deployments, and order all of them", async () => {
    const { devices } = await begun();
    const create = (name: string) =>
      both(({ deployments }) => deployments.create({ name, artifactName: "release-1", devices }));
    const answers = await Promise.allSettled(["a", "b", "c", "d"].flatMap(create));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(4);
    expect((await two.domain.deployments.list({}, "asc", { page: 1, perPage: 20 })).total).toBe(5);
  });
});
