import { writeArtifact } from "@upkeep/shared/artifact/write";
import { describe, expect, test } from "vitest";
import { PROVIDES } from "../domain-fixture.ts";
import { ALL, Fleet } from "../specification/fleet.ts";

describe("The configuration of a device", () => {
  test("is what it should be, and what the device says it is", async () => {
    const fleet = await Fleet.of(1);
    const { configurations } = fleet.domain;
    expect(await configurations.get(fleet.at(0))).toEqual({ deviceId: fleet.at(0), configured: {}, reported: {} });
    await configurations.configure(fleet.at(0), { timezone: "UTC" });
    await configurations.report(fleet.at(0), { timezone: "CET" });
    expect(await configurations.get(fleet.at(0))).toMatchObject({
      configured: { timezone: "UTC" },
      reported: { timezone: "CET" },
    });
    await expect(configurations.get("nobody")).rejects.toMatchObject({ kind: "not-found" });
  });

  test.each([
    [{ "": "x" }, "a key must have 1 to 4096"],
    [{ key: "x".repeat(4097) }, "key: must have at most 4096"],
    [Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k${index}`, ""])), "at most 100 keys"],
  ])("is refused if it is out of bounds", async (configuration, message) => {
    const fleet = await Fleet.of(1);
    await expect(fleet.domain.configurations.configure(fleet.at(0), configuration)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(message),
    });
  });

  test("is delivered by a deployment, as an artifact that is written for the device", async () => {
    const fleet = await Fleet.of(1);
    const { configurations, deployments, deviceSide } = fleet.domain;
    await configurations.configure(fleet.at(0), { timezone: "UTC" });
    const id = await configurations.deploy(fleet.at(0), { retries: 1 });
    expect((await configurations.get(fleet.at(0))).deploymentId).toBe(id);
    await configurations.configure(fleet.at(0), { timezone: "later" });
    const instructions = await deviceSide.next(fleet.at(0), PROVIDES);
    expect(instructions).toEqual({
      kind: "configuration",
      deploymentId: id,
      limitsSilence: false,
      artifact: { id: `${id}${fleet.at(0)}`, name: `configuration_${id}`, deviceTypes: ["raspberrypi4"] },
    });
    const plan = await deviceSide.configurationPlan(fleet.at(0), id, "raspberrypi4");
    expect(plan).toMatchObject({ type: "mender-configure", metaDataJson: '{"timezone":"UTC"}', files: [] });
    const written: Uint8Array[] = [];
    await writeArtifact(plan, {
      write: async (data, position) => {
        if (position === undefined) written.push(data);
      },
    });
    const text = Buffer.concat(written).toString("latin1");
    expect(text).toContain("data-partition.mender-configure.version");
    expect(text).toContain("data-partition.mender-configure.*");
    await fleet.report(fleet.at(0), id, "failure");
    expect((await deviceSide.next(fleet.at(0), PROVIDES))?.deploymentId).toBe(id);
    await fleet.report(fleet.at(0), id, "success");
    expect(await deployments.get(id)).toMatchObject({
      kind: "configuration",
      status: "finished",
      configuration: { timezone: "UTC" },
    });
    expect((await deployments.list({ kind: "configuration" }, "asc", ALL)).total).toBe(1);
    expect((await deployments.list({ kind: "software" }, "asc", ALL)).total).toBe(0);
  });

  test("is delivered to accepted devices only, and to nobody else", async () => {
    const fleet = await Fleet.of(2);
    const { configurations, deviceSide, devices } = fleet.domain;
    const id = await configurations.deploy(fleet.at(0));
    await expect(deviceSide.configurationPlan(fleet.at(1), id, "x")).rejects.toMatchObject({ kind: "not-found" });
    const [authSet] = (await devices.get(fleet.at(0))).authSets;
    await devices.setAuthSetStatus(fleet.at(0), authSet?.id ?? "", "rejected");
    await expect(configurations.deploy(fleet.at(0))).rejects.toMatchObject({ kind: "unprocessable" });
  });
});
