import { given } from "@upkeep/shared/given";
import { describe, expect, test } from "vitest";
import { Fleet } from "./fleet.ts";

describe("A deployment to a list", () => {
  test("6.1 is pending, also after a device has asked", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    expect(await fleet.status(id)).toBe("pending");
    await fleet.poll(fleet.at(0));
    expect(await fleet.status(id)).toBe("pending");
  });

  test("6.2 is in progress once a device reports that it performs the update", async () => {
    const fleet = await Fleet.of(2);
    const id = await fleet.deploy(1);
    await fleet.poll(fleet.at(0));
    await fleet.report(fleet.at(0), id, "downloading");
    expect(await fleet.status(id)).toBe("inprogress");
  });

  test.each(["success", "failure", "already-installed"] as const)(
    "6.3 is finished when its devices are, also by %s",
    async (end) => {
      const fleet = await Fleet.of(2);
      const id = await fleet.deploy(1);
      for (const device of fleet.devices) {
        expect(await fleet.status(id)).not.toBe("finished");
        await fleet.go(device, id, end);
      }
      expect(await fleet.domain.deployments.get(id)).toMatchObject({
        status: "finished",
        finishedMs: fleet.system.nowMs,
        statistics: { [end]: 2 },
      });
    },
  );
});

describe("A deployment to a filter", () => {
  async function open(maxDevices?: number) {
    const fleet = await Fleet.of(3);
    for (const device of fleet.devices) await fleet.tell(device, { channel: "beta" });
    const filterId = await fleet.channel("beta");
    const id = await fleet.deploy(1, { filterId, ...given({ maxDevices }) });
    return { fleet, id };
  }

  test("6.1 is pending until a device that matches asks", async () => {
    const { fleet, id } = await open();
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ status: "pending", targetCount: 0 });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ status: "pending", targetCount: 1 });
  });

  test("6.4, 6.5 stays pending while devices are active, and after they have finished", async () => {
    const { fleet, id } = await open();
    for (const device of fleet.devices) {
      await fleet.poll(device);
      await fleet.report(device, id, "installing");
      expect(await fleet.domain.deployments.get(id)).toMatchObject({
        status: "pending",
        statistics: { installing: 1 },
      });
      await fleet.report(device, id, "success");
      expect(await fleet.status(id)).toBe("pending");
    }
  });

  test("6.6 is finished when a user marks it as completed; who is in the middle may end it", async () => {
    const { fleet, id } = await open();
    await fleet.poll(fleet.at(0));
    await fleet.domain.deployments.finish(id);
    expect(await fleet.status(id)).toBe("finished");
    await fleet.report(fleet.at(0), id, "downloading", "success");
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ status: "finished", statistics: { success: 1 } });
    await expect(fleet.domain.deployments.finish(id)).rejects.toMatchObject({ kind: "unprocessable" });
    const listed = await fleet.deploy(2);
    await expect(fleet.domain.deployments.finish(listed)).rejects.toMatchObject({ kind: "unprocessable" });
  });

  test("6.7 is finished when as many devices were updated as it may have", async () => {
    const { fleet, id } = await open(2);
    await fleet.go(fleet.at(0), id);
    expect(await fleet.status(id)).toBe("pending");
    await fleet.go(fleet.at(1), id);
    expect(await fleet.status(id)).toBe("finished");
  });

  test.each(["abort", "finish"] as const)("6.8 is used by no other device after the %s", async (end) => {
    const { fleet, id } = await open();
    await fleet.go(fleet.at(0), id);
    await fleet.domain.deployments[end](id);
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
  });

  test("6.8 is used by no other device after its maximum", async () => {
    const { fleet, id } = await open(1);
    await fleet.go(fleet.at(0), id);
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
  });
});
