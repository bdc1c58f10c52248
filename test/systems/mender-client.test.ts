import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RecordingProxy } from "../support/recording-proxy.ts";
import { containerPlan, debianBase } from "../system/support/base.ts";
import type { SystemDevice } from "../system/support/device.ts";
import { packAgent } from "../system/support/packages.ts";
import { Setting } from "../system/support/setting.ts";
import { systemsFault } from "./support/asked.ts";

const LONG_MS = 1_200_000;
const fault = systemsFault({
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
  unshare: "util-linux",
});
const describeSystem = fault === undefined ? describe : describe.skip;

/** An update module that reboots; the payload names the call that fails, if one does. */
const MODULE = `#!/bin/sh
case $1 in
NeedsArtifactReboot) echo Automatic ;;
SupportsRollback) echo Yes ;;
esac
[ "$(cat "$2/files/plan" 2>/dev/null)" != "fail $1" ]
`;

const PLANS = ["good", "fail ArtifactInstall", "fail ArtifactVerifyReboot", "fail ArtifactCommit"];

/** A device with one of the two clients, and what it says to the server. */
interface Peer {
  readonly client: string;
  readonly mac: string;
  readonly device: SystemDevice;
  readonly proxy: RecordingProxy;
}

interface Row {
  readonly statuses: readonly string[];
  readonly boots: number;
}

/** The mender-client of 3.x reports `downloading` from each of its three states of the download. */
function changes({ statuses, boots }: Row): Row {
  return { statuses: statuses.filter((status, index) => status !== statuses[index - 1]), boots };
}

/** Both in Debian 13, with the same configuration, update module and artifacts. */
describeSystem(`upkeep beside mender-client (${fault ?? "Debian 13"})`, { timeout: LONG_MS }, () => {
  const setting = new Setting();
  const peers: Peer[] = [];
  const lines: string[] = ["| Plan | Client | Statuses | Boots |", "| --- | --- | --- | ---: |"];

  beforeAll(async () => {
    await setting.start(["--auto-accept"]);
    const archive = packAgent(setting.folder, "1.0");
    for (const [client, mac, base] of [
      ["upkeep", "02:00:5e:00:53:21", debianBase()],
      ["mender-client", "02:00:5e:00:53:22", debianBase(containerPlan(["mender-client"]))],
    ] as const) {
      const device = await setting.boot({ base });
      const proxy = await RecordingProxy.start(setting.server.url);
      peers.push({ client, mac, device, proxy });
      device.write("/usr/share/mender/modules/v3/planned", MODULE, 0o755);
      // Without it, mender-client 3 does not poll.
      device.write("/etc/mender/artifact_info", "artifact_name=factory\n");
      if (client === "upkeep") setting.install(device, archive, mac);
      else device.write("/usr/share/mender/identity/mender-device-identity", `#!/bin/sh\necho mac=${mac}\n`, 0o755);
      setting.configure(device, { ServerURL: proxy.url });
      device.output(`systemctl enable ${client}; systemctl restart ${client}`);
    }
  }, LONG_MS);

  afterAll(async () => {
    console.log(lines.join("\n"));
    await setting.stop();
    for (const { proxy } of peers) await proxy.stop();
  }, LONG_MS);

  const explain = () => peers.map(({ client, device }) => `${client}:\n${device.journal(client)}`).join("\n");

  it.each(PLANS)("%s: both report the same statuses and boot as often", async (plan) => {
    const { management } = setting.server;
    const ids = await Promise.all(peers.map(async ({ mac }) => (await management.device("mac", mac, explain)).id));
    const before = peers.map(({ device }) => device.boots);
    const file = { name: "plan", content: Buffer.from(plan) };
    const deployment = await setting.deploy("planned", plan.replaceAll(" ", "-"), file, ...ids);
    await management.finished(deployment, explain, LONG_MS);
    const rows: Row[] = peers.map(({ device, proxy }, index) => ({
      statuses: proxy.reports(deployment).map(({ status }) => status),
      boots: device.boots - (before[index] ?? 0),
    }));
    for (const [index, { statuses, boots }] of rows.entries()) {
      lines.push(`| ${plan} | ${peers[index]?.client} | ${statuses.join(", ")} | ${boots} |`);
    }
    expect(rows.map(changes)[0]).toEqual(rows.map(changes)[1]);
  });
});
