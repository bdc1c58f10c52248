import { expect, it } from "vitest";
import { until } from "../../support/waiting.ts";
import type { SystemDevice } from "../support/device.ts";
import { HELD, holdAt, installHeldModule, letGo, MOMENTS, type Moment, untilHeld } from "../support/held-module.ts";
import { packAgent } from "../support/packages.ts";
import type { Setting } from "../support/setting.ts";

/** The device under test, with the agent's package installed, configured and accepted. */
export interface Subject {
  readonly setting: Setting;
  readonly device: SystemDevice;
  readonly id: string;
}

/** What a restart of the agent at each moment leads to. */
const AFTER_A_RESTART: Readonly<Record<Moment, "success" | "failure">> = {
  Download: "success",
  ArtifactInstall: "failure",
  ArtifactReboot: "success",
  Cleanup: "success",
};

let releases = 0;

/** Deploys a release whose installation waits at a moment. @returns The id of its deployment. */
async function begun({ setting, device, id }: Subject, moment: Moment): Promise<string> {
  releases += 1;
  installHeldModule(device);
  holdAt(device, moment);
  const file = { name: "file", content: Buffer.from(`release ${releases}`) };
  const deployment = await setting.deploy(HELD, `held-${releases}`, file, id);
  await untilHeld(device);
  return deployment;
}

/** Waits for the end of a deployment, which must be this one. */
async function expectEnd({ setting, device }: Subject, deployment: string, status: string): Promise<void> {
  const [result] = await setting.server.management.finished(deployment, () => device.journal());
  expect(result?.status, device.journal()).toBe(status);
}

/** Every process of the service but the daemon: update modules, and what they started. */
function leftovers(device: SystemDevice): string {
  return device.output("cat /sys/fs/cgroup/system.slice/upkeep.service/cgroup.procs 2>/dev/null || true");
}

const shown = (device: SystemDevice) => device.output("upkeep show-artifact");

/** What is done to the agent while it is held, and what must be true at once and at the end. */
const INTERRUPTIONS = {
  async stop(subject: Subject, moment: Moment) {
    const { device } = subject;
    const before = shown(device);
    const deployment = await begun(subject, moment);
    device.output("systemctl stop upkeep");
    expect(device.property("Result")).toBe("success");
    expect(leftovers(device)).toBe("");
    device.output("systemctl start upkeep");
    await expectEnd(subject, deployment, AFTER_A_RESTART[moment]);
    expect(shown(device)).toBe(AFTER_A_RESTART[moment] === "success" ? `held-${releases}` : before);
  },

  async restart(subject: Subject, moment: Moment) {
    const { device } = subject;
    const deployment = await begun(subject, moment);
    const before = device.property("MainPID");
    device.output("systemctl restart upkeep");
    expect(device.property("MainPID")).not.toBe(before);
    await expectEnd(subject, deployment, AFTER_A_RESTART[moment]);
  },

  async kill(subject: Subject, moment: Moment) {
    const { device } = subject;
    const deployment = await begun(subject, moment);
    device.output("systemctl kill --signal=KILL upkeep");
    await expectEnd(subject, deployment, AFTER_A_RESTART[moment]);
    expect(device.property("ActiveState")).toBe("active");
  },

  async upgrade(subject: Subject, moment: Moment) {
    const { setting, device } = subject;
    const deployment = await begun(subject, moment);
    const before = device.property("MainPID");
    device.copy(packAgent(setting.folder, `1.1.${releases}`), "/root/newer.deb");
    device.output("dpkg --install /root/newer.deb");
    expect(device.property("MainPID")).toBe(before);
    letGo(device);
    await expectEnd(subject, deployment, "success");
    await until("the new program runs", () => {
      const now = device.property("MainPID");
      return (now !== "0" && now !== before) || undefined;
    });
  },

  /**
   * Installed again, the device asks with a new key. It gets the deployment again if it provides what it did; of one that
   * provides something else now, the server ends the deployment.
   */
  async purge(subject: Subject, moment: Moment) {
    const { setting, device } = subject;
    const expected = shown(device) === "unknown" ? "success" : "failure";
    const deployment = await begun(subject, moment);
    const settings = device.output("cat /etc/mender/mender.conf");
    const keys = await authSets(setting);
    device.output("dpkg --purge upkeep");
    expect(device.run("pgrep --full '[u]pkeep daemon|[m]odules/v3'").output).toBe("");
    expect(device.run("find /var/lib/mender /var/lib/upkeep /etc/mender /usr/bin/upkeep 2>/dev/null").output).toBe("");
    device.output("rm -f /root/go /root/hold");
    device.write("/etc/mender/mender.conf", settings);
    device.write("/var/lib/mender/device_type", "device_type=board\n");
    device.output("dpkg --install /root/upkeep.deb");
    await acceptNewKey(setting, keys);
    await expectEnd(subject, deployment, expected);
  },
} satisfies Record<string, (subject: Subject, moment: Moment) => Promise<void>>;

export type Interruption = keyof typeof INTERRUPTIONS;

type AuthSets = readonly { readonly id: string; readonly device: string }[];

async function authSets({ server }: Setting): Promise<AuthSets> {
  const devices = await server.management.devices();
  return devices.flatMap((device) => device.auth_sets.map(({ id }) => ({ id, device: device.id })));
}

/** Purged, the device has a new key, with which it asks. */
async function acceptNewKey(setting: Setting, before: AuthSets): Promise<void> {
  const isNew = ({ id }: AuthSets[number]) => !before.some((known) => known.id === id);
  const set = await until("the device asks with its new key", async () => (await authSets(setting)).find(isNew));
  const path = `/api/management/v2/devauth/devices/${set.device}/auth/${set.id}/status`;
  await setting.server.management.call("PUT", path, { status: "accepted" });
}

export function itSurvives(interruption: Interruption, moment: Moment, subject: () => Subject): void {
  it(`${interruption} while ${MOMENTS[moment]}`, () => INTERRUPTIONS[interruption](subject(), moment));
}

export const ALL_INTERRUPTIONS: readonly (readonly [Interruption, Moment])[] = (
  Object.keys(INTERRUPTIONS) as Interruption[]
).flatMap((interruption) => (Object.keys(MOMENTS) as Moment[]).map((moment) => [interruption, moment] as const));
