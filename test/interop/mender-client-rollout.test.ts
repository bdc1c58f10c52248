import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Program } from "../support/program.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const DEVICE_TYPE = "interop-board";
const DEPLOYMENTS = "/api/management/v1/deployments/deployments";

interface Device {
  readonly mac: string;
  readonly folder: string;
  readonly client: Program;
  readonly id: string;
}

interface RollOut {
  readonly status: string;
  readonly dynamic: boolean;
  readonly phases: readonly { readonly batch_size: number; readonly device_count: number }[];
  readonly statistics: { readonly status: Readonly<Record<string, number>> };
}

/** The module fails until the file is there; each try leaves a line. */
const module = (folder: string): string => `#!/bin/sh
case "$1" in
  ArtifactInstall)
    echo try >> ${folder}/tries
    test -e ${folder}/charged || { echo "battery too low" >&2; exit 1; } ;;
  SupportsRollback) echo Yes ;;
esac
exit 0
`;

describePeer(
  ["mender", "mender-artifact"],
  "real mender-clients in a phased deployment to a dynamic group, with a retry",
  () => {
    let folder: string;
    let server: RunningServer;
    const devices: Device[] = [];

    const output = (): string =>
      [...devices.map(({ mac, client }) => `--- ${mac} ---\n${client.output()}`), server.program.output()].join("\n");

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "upkeep-rollout-"));
      server = await startServer(join(folder, "server"), ["--auto-accept"]);
    });

    afterEach(async () => {
      await Promise.all(devices.splice(0).map(({ client }) => client.stop()));
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function newDevice(number: number): Promise<Device> {
      const mac = `02:00:5e:00:53:3${number}`;
      const own = join(folder, `device-${number}`);
      mkdirSync(own);
      const client = startMenderClient({
        ...{ folder: own, serverUrl: server.url, deviceType: DEVICE_TYPE, mac },
        modules: { battery: module(own) },
      });
      const { id } = await server.management.device("mac", mac, client.output);
      const device = { mac, folder: own, client, id };
      devices.push(device);
      return device;
    }

    const deployment = (id: string) => server.management.json<RollOut>(`${DEPLOYMENTS}/${id}`);
    const of = async (id: string, device: Device) =>
      (
        await server.management.json<{ id: string; status: string; attempts: number }[]>(`${DEPLOYMENTS}/${id}/devices`)
      ).find((one) => one.id === device.id);

    test("the first phase's device fails, tries again and succeeds; that opens the second; a newcomer joins; a user finishes it", async () => {
      const { management } = server;
      const known = [await newDevice(1), await newDevice(2)];
      // The group is known by what the real client says of itself.
      const terms = [{ scope: "inventory", attribute: "device_type", type: "$eq", value: DEVICE_TYPE }];
      await until(
        "the inventory of both has come",
        async () => {
          const found = await management.call("POST", "/api/management/v2/inventory/filters/search", {
            filters: terms,
          });
          return ((await found.json()) as unknown[]).length === known.length || undefined;
        },
        { explain: output },
      );
      const filter = await management.call("POST", "/api/management/v2/inventory/filters", { name: "boards", terms });
      await management.upload(
        makeSingleFileArtifact({
          ...{ folder, deviceType: DEVICE_TYPE, destination: folder, fileName: "a", content: "b" },
          ...{ artifactName: "release-1", type: "battery" },
        }),
      );
      const created = await management.call("POST", "/api/management/v2/deployments/deployments", {
        name: "boards",
        artifact_name: "release-1",
        filter_id: filter.headers.get("location")?.split("/").at(-1),
        retries: 20,
        phases: [{ batch_size: 50, success_threshold: 100 }, { start_ts: new Date(0).toISOString() }],
      });
      const id = created.headers.get("location")?.split("/").at(-1) ?? "";

      // One of the two gets the only place of the first phase, and fails at first.
      const first = await until(
        "one has tried twice",
        async () => {
          for (const device of known) if (((await of(id, device))?.attempts ?? 0) >= 2) return device;
          return undefined;
        },
        { explain: output },
      );
      const second = known.find((device) => device !== first);
      if (second === undefined) throw new Error("there are two devices");
      expect(await deployment(id)).toMatchObject({
        status: "pending",
        dynamic: true,
        phases: [{ batch_size: 50, device_count: 1 }, { device_count: 0 }],
        statistics: { status: { failure: 0, success: 0 } },
      });
      // A device that failed says why, and the other has not been given anything.
      expect(await management.log(id, first.id, output)).toContain("battery too low");
      expect(existsSync(join(second.folder, "tries"))).toBe(false);
      expect((await of(id, second))?.status ?? "pending").toBe("pending");

      for (const device of known) charge(device);
      await until(
        "both have succeeded",
        async () => ((await deployment(id)).statistics.status.success === 2 ? true : undefined),
        { explain: output },
      );
      expect(await of(id, first)).toMatchObject({ status: "success" });
      expect((await of(id, first))?.attempts).toBe(
        readFileSync(join(first.folder, "tries"), "utf8").trim().split("\n").length,
      );
      expect(await of(id, second)).toMatchObject({ status: "success", attempts: 1 });
      expect(await deployment(id)).toMatchObject({
        status: "pending",
        phases: [{ device_count: 1 }, { device_count: 1 }],
      });

      const newcomer = await newDevice(3);
      charge(newcomer);
      await until(
        "the newcomer has succeeded",
        async () => ((await of(id, newcomer))?.status === "success" ? true : undefined),
        { explain: output },
      );
      await management.call("PUT", `${DEPLOYMENTS}/${id}/status`, { status: "finished" });
      expect(await deployment(id)).toMatchObject({
        status: "finished",
        phases: [{ device_count: 1 }, { device_count: 2 }],
        statistics: { status: { success: 3, failure: 0, pending: 0 } },
      });
    });
  },
);

function charge({ folder }: Pick<Device, "folder">): void {
  mkdirSync(join(folder, "charged"));
}
