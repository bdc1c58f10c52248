import { describe, expect, test } from "vitest";
import type { UpdateControlMap } from "../../../mock-server/domain.ts";
import { PROVIDES } from "../domain-fixture.ts";
import { Fleet } from "../specification/fleet.ts";

const MAP: UpdateControlMap = {
  priority: 1,
  states: {
    ArtifactInstall_Enter: { action: "pause", on_map_expire: "fail" },
    ArtifactCommit_Enter: { action: "continue" },
  },
};

describe("An update control map", () => {
  test("is handed to clients that ask for it, with the id of the deployment, and to no others", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1, { updateControlMap: MAP });
    const { deviceSide } = fleet.domain;
    expect((await deviceSide.next(fleet.at(0), PROVIDES))?.updateControlMap).toBeUndefined();
    expect((await deviceSide.next(fleet.at(0), PROVIDES, { controlMap: true }))?.updateControlMap).toEqual({
      ...MAP,
      id,
    });
    expect(await deviceSide.controlMap(fleet.at(0), id)).toEqual({ ...MAP, id });
    await expect(deviceSide.controlMap(fleet.at(0), "none")).rejects.toMatchObject({ kind: "not-found" });
  });

  test("can be changed and removed while the deployment is open; to continue releases its pauses", async () => {
    const fleet = await Fleet.of(1);
    const id = await fleet.deploy(1);
    const { deployments, deviceSide } = fleet.domain;
    await expect(deployments.continueUpdate(id)).rejects.toMatchObject({ kind: "unprocessable" });
    await deployments.setControlMap(id, MAP);
    await fleet.poll(fleet.at(0));
    await fleet.report(fleet.at(0), id, "pause_before_installing");
    await deployments.continueUpdate(id, ["ArtifactReboot_Enter"]);
    expect(await deviceSide.controlMap(fleet.at(0), id)).toEqual({ ...MAP, id });
    await deployments.continueUpdate(id);
    expect((await deviceSide.controlMap(fleet.at(0), id))?.states?.ArtifactInstall_Enter?.action).toBe(
      "force_continue",
    );
    await deployments.setControlMap(id, null);
    expect(await deviceSide.controlMap(fleet.at(0), id)).toBeUndefined();
    await deployments.abort(id);
    await expect(deviceSide.controlMap(fleet.at(0), id)).rejects.toMatchObject({ kind: "conflict" });
    await expect(deployments.setControlMap(id, MAP)).rejects.toMatchObject({ kind: "unprocessable" });
  });

  test.each([
    [{ priority: 11 }, "update_control_map.priority"],
    [{ states: { ArtifactDownload_Enter: {} } }, "update_control_map.states.ArtifactDownload_Enter: there is no such"],
    [{ states: { ArtifactInstall_Enter: { action: "stop" } } }, "ArtifactInstall_Enter.action: must be one of"],
    [{ states: { ArtifactInstall_Enter: { on_map_expire: "pause" } } }, "on_map_expire: must be one of"],
  ])("is refused: %j", async (map, message) => {
    const fleet = await Fleet.of(1);
    await expect(fleet.deploy(1, { updateControlMap: map as UpdateControlMap })).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(message),
    });
  });
});
