import { describe, expect, test } from "vitest";
import { ALL, Fleet } from "./fleet.ts";

describe("A static group", () => {
  test("2.1 is a list of ids of devices", async () => {
    const fleet = await Fleet.of(3);
    await fleet.domain.groups.assignAll([fleet.at(0), fleet.at(2)], "lab");
    expect(await fleet.domain.groups.names()).toEqual(["lab"]);
    expect((await fleet.domain.groups.members("lab", ALL)).items).toEqual([fleet.at(0), fleet.at(2)].sort());
  });

  test("2.2 gets and loses devices one by one or several at once, and ends with its last", async () => {
    const fleet = await Fleet.of(3);
    const { groups } = fleet.domain;
    await groups.assign(fleet.at(0), "lab");
    expect(await groups.assignAll(fleet.devices, "lab")).toEqual({ matched: 3, updated: 2 });
    await groups.remove(fleet.at(0), "lab");
    expect(await groups.removeAll(fleet.devices, "lab")).toEqual({ matched: 2, updated: 2 });
    expect(await groups.names()).toEqual([]);
    await expect(groups.members("lab", ALL)).rejects.toMatchObject({ kind: "not-found" });
  });

  test("2.3 takes and gives back only devices that exist", async () => {
    const fleet = await Fleet.of(1);
    const { groups } = fleet.domain;
    await expect(groups.assign("nobody", "lab")).rejects.toMatchObject({ kind: "not-found" });
    expect(await groups.assignAll(["nobody"], "lab")).toEqual({ matched: 0, updated: 0 });
    await expect(groups.remove("nobody", "lab")).rejects.toMatchObject({ kind: "not-found" });
    expect(await groups.names()).toEqual([]);
  });

  test.each(["", "two words", "a/b", "x".repeat(257)])("2.2 has a plain name, not %j", async (name) => {
    const fleet = await Fleet.of(1);
    await expect(fleet.domain.groups.assign(fleet.at(0), name)).rejects.toMatchObject({ kind: "invalid" });
  });
});

describe("A deployment to a list of devices", () => {
  test("3.1 is for these devices and no others", async () => {
    const fleet = await Fleet.of(3);
    const id = await fleet.deploy(1, { devices: [fleet.at(0), fleet.at(1)] });
    expect(await fleet.poll(fleet.at(0))).toBe(id);
    expect(await fleet.poll(fleet.at(2))).toBeUndefined();
  });

  test("3.2 can be for a static group: its members that are accepted", async () => {
    const fleet = await Fleet.of(3);
    await fleet.domain.groups.assignAll([fleet.at(0), fleet.at(1)], "lab");
    const [authSet] = (await fleet.domain.devices.get(fleet.at(1))).authSets;
    await fleet.domain.devices.setAuthSetStatus(fleet.at(1), authSet?.id ?? "", "rejected");
    const id = await fleet.deploy(1, { group: "lab" });
    expect(await fleet.domain.deployments.get(id)).toMatchObject({ group: "lab", targetCount: 1 });
    expect(await fleet.domain.deployments.targets(id)).toEqual([fleet.at(0)]);
    await expect(fleet.deploy(1, { group: "empty" })).rejects.toMatchObject({
      kind: "invalid",
      code: "no-target-devices",
    });
    await expect(fleet.deploy(1, { group: "lab", devices: [fleet.at(0)] })).rejects.toMatchObject({ kind: "invalid" });
  });

  test("3.3 is finished once all of its devices have finished, well or not", async () => {
    const fleet = await Fleet.of(3);
    const id = await fleet.deploy(1);
    await fleet.go(fleet.at(0), id, "success");
    await fleet.go(fleet.at(1), id, "failure");
    expect(await fleet.status(id)).toBe("inprogress");
    await fleet.poll(fleet.at(2), "release-1");
    expect(await fleet.status(id)).toBe("finished");
  });

  test("3.4 does not include a device that joins the group later, and keeps one that leaves it", async () => {
    const fleet = await Fleet.of(2);
    await fleet.domain.groups.assign(fleet.at(0), "lab");
    const id = await fleet.deploy(1, { group: "lab" });
    await fleet.domain.groups.assign(fleet.at(1), "lab");
    await fleet.domain.groups.remove(fleet.at(0), "lab");
    expect(await fleet.poll(fleet.at(1))).toBeUndefined();
    expect(await fleet.poll(fleet.at(0))).toBe(id);
  });
});
