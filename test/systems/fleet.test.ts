import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/waiting.ts";
import { containerPlan, debianBase } from "../system/support/base.ts";
import { tabulateCases } from "../system/support/case-table.ts";
import type { SystemDevice } from "../system/support/device.ts";
import { packAgent } from "../system/support/packages.ts";
import { Setting } from "../system/support/setting.ts";
import { systemsFault } from "./support/asked.ts";
import { DeviceNetwork, Relay } from "./support/network.ts";

const LONG_MS = 1_200_000;
const DEPLOYMENTS = "/api/management/v2/deployments/deployments";
const FILTERS = "/api/management/v2/inventory/filters";
/** A script of 1 MiB, most of which is a comment. */
const PAYLOAD = Buffer.concat([Buffer.from("#!/bin/sh\nexit 0\n"), Buffer.alloc(1024 * 1024, "#")]);

const fault = systemsFault({
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
  unshare: "util-linux",
});
const describeSystem = fault === undefined ? describe : describe.skip;

/** What is wrong with a device, if anything. */
const FLEET = ["well", "cut link", "well", "wrong clock", "well", "full disk", "well", "well"] as const;

interface Member {
  readonly trouble: (typeof FLEET)[number];
  readonly mac: string;
  readonly device: SystemDevice;
  readonly network: DeviceNetwork;
}

/** The clock of the agent's processes, three years behind. */
const WRONG_CLOCK = `[Service]
Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=-1095d FAKETIME_DONT_FAKE_MONOTONIC=1
`;

/** A data directory in which no payload has room. */
const FULL_DISK = `systemctl stop upkeep
mount -t tmpfs -o size=512k,mode=0700 tmpfs /var/lib/mender`;

describeSystem(`eight devices in networks of their own (${fault ?? "Debian 13"})`, { timeout: LONG_MS }, () => {
  const setting = new Setting();
  tabulateCases(() => setting.boots);
  const networks: DeviceNetwork[] = [];
  let members: readonly Member[] = [];
  let relay: Relay | undefined;

  beforeAll(async () => {
    await setting.start(["--auto-accept"]);
    const archive = packAgent(setting.folder, "1.0");
    const base = debianBase(containerPlan(["libfaketime"]));
    relay = await Relay.start(setting.server.url);
    const { port } = relay;
    members = await Promise.all(
      FLEET.map(async (trouble, index) => {
        const network = new DeviceNetwork(index + 1);
        networks.push(network);
        const device = await setting.boot({ base, network: network.path });
        const mac = `02:00:5e:00:54:0${index}`;
        setting.install(device, archive, mac);
        if (trouble === "wrong clock") device.write("/etc/systemd/system/upkeep.service.d/clock.conf", WRONG_CLOCK);
        if (trouble === "full disk") device.output(FULL_DISK);
        setting.configure(device, { ServerURL: `http://${network.host}:${port}` });
        device.output("systemctl daemon-reload; systemctl restart upkeep");
        return { trouble, mac, device, network };
      }),
    );
  }, LONG_MS);

  afterAll(async () => {
    await setting.stop();
    relay?.stop();
    for (const network of networks) network.remove();
  }, LONG_MS);

  const explain = () => members.map(({ trouble, device }) => `${trouble}:\n${device.journal()}`).join("\n");

  it("get a phased deployment to a dynamic group; server and devices agree in the end", async () => {
    const { management } = setting.server;
    const terms = [{ scope: "inventory", attribute: "device_type", type: "$eq", value: "board" }];
    const known = async () => {
      const found = await management.call("POST", `${FILTERS}/search`, { filters: terms });
      return ((await found.json()) as unknown[]).length === FLEET.length || undefined;
    };
    await until("the inventory of all has come", known, { limitMs: LONG_MS, explain });
    const cut = members.find(({ trouble }) => trouble === "cut link");
    cut?.network.cut();

    await setting.upload("script", "release-1", { name: "release.sh", content: PAYLOAD });
    const filter = await management.call("POST", FILTERS, { name: "boards", terms });
    const created = await management.call("POST", DEPLOYMENTS, {
      name: "boards",
      artifact_name: "release-1",
      filter_id: filter.headers.get("location")?.split("/").at(-1),
      phases: [{ batch_size: 50, success_threshold: 50 }, { start_ts: new Date(0).toISOString() }],
    });
    const id = created.headers.get("location")?.split("/").at(-1) ?? "";
    const ended = async (count: number) => {
      const { success, failure } = await management.statistics(id);
      return success + failure >= count || undefined;
    };
    await until("the devices that are reached have ended", () => ended(FLEET.length - 1), {
      limitMs: LONG_MS,
      explain,
    });
    cut?.network.restore();
    await until("all have ended", () => ended(FLEET.length), { limitMs: LONG_MS, explain });

    expect(await management.statistics(id)).toMatchObject({ success: FLEET.length - 1, failure: 1 });
    for (const { trouble, mac, device } of members) {
      const { id: own } = await management.device("mac", mac);
      const status = (await management.deviceDeployments(id)).find((one) => one.id === own)?.status;
      const installed = device.output("upkeep show-artifact");
      console.log(`${trouble}: ${status}, ${installed}`);
      expect([status, installed], trouble).toEqual(
        trouble === "full disk" ? ["failure", "unknown"] : ["success", "release-1"],
      );
      if (trouble === "full disk")
        expect(await management.log(id, own, explain)).toMatch(/no room to store payload file/);
      if (trouble === "wrong clock") expect(device.journal()).not.toMatch(/rolled back/);
    }
  });
});
