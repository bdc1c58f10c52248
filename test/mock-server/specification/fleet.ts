import type { ReportedStatus } from "@upkeep/shared/protocol";
import { afterEach } from "vitest";
import type { DeviceDeployment, Domain, NewDeployment, UncheckedTerm } from "../../../mock-server/domain.ts";
import { acceptedDevices, artifact, openTestDomain, PROVIDES, TestDevice, type TestDomain } from "../domain-fixture.ts";

export const ALL = { page: 1, perPage: 500 };
export const HOUR_MS = 3_600_000;

const open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open.splice(0)) await domain.close();
});

/** A server with accepted devices and the releases `release-1` to `release-3`, one artifact each. */
export class Fleet {
  readonly domain: Domain;
  readonly system: TestDomain["system"];
  readonly devices: readonly string[];

  private constructor({ domain, system }: TestDomain, devices: readonly string[]) {
    this.domain = domain;
    this.system = system;
    this.devices = devices;
  }

  static async of(count: number): Promise<Fleet> {
    const opened = await openTestDomain({ autoAccept: true });
    open.push(opened);
    const devices = await acceptedDevices(opened.domain, count);
    for (const number of [1, 2, 3]) {
      await opened.domain.artifacts.insert(artifact({ id: `a${number}`, name: `release-${number}` }));
    }
    return new Fleet(opened, devices);
  }

  /** The id of a device. */
  at(index: number): string {
    const id = this.devices[index];
    if (id === undefined) throw new Error(`there is no device ${index}`);
    return id;
  }

  /** One more device, accepted. */
  async join(mac: string): Promise<string> {
    const token = await this.domain.authentication.authorize(new TestDevice(JSON.stringify({ mac })).request());
    return (await this.domain.authentication.verify(token)).deviceId;
  }

  deploy(release: number, options: Partial<NewDeployment> = {}): Promise<string> {
    const targets = options.filterId ?? options.group ?? options.devices ?? options.allDevices;
    return this.domain.deployments.create({
      name: `to-${release}`,
      artifactName: `release-${release}`,
      ...(targets === undefined ? { devices: this.devices } : {}),
      ...options,
    });
  }

  filter(name: string, ...terms: readonly UncheckedTerm[]): Promise<string> {
    return this.domain.filters.create(name, terms);
  }

  /** A filter of devices that tell `channel`. */
  channel(value: string): Promise<string> {
    return this.filter(value, { scope: "inventory", attribute: "channel", type: "$eq", value });
  }

  /** The device tells these attributes, and no others. */
  async tell(device: string, attributes: Readonly<Record<string, string | number>>): Promise<void> {
    await this.domain.inventory.replace(
      device,
      Object.entries(attributes).map(([name, value]) => ({ name, value })),
    );
  }

  /** The device asks. @returns The deployment that it gets. */
  async poll(device: string, runs: string = PROVIDES.artifact_name): Promise<string | undefined> {
    return (await this.domain.deviceSide.next(device, { ...PROVIDES, artifact_name: runs }))?.deploymentId;
  }

  async report(device: string, deployment: string, ...statuses: readonly ReportedStatus[]): Promise<void> {
    for (const status of statuses) await this.domain.deviceSide.report(device, deployment, status);
  }

  /** The device asks, gets this deployment, and ends it. */
  async go(device: string, deployment: string, end: ReportedStatus = "success"): Promise<void> {
    const got = await this.poll(device);
    if (got !== deployment) throw new Error(`the device gets ${got}, not ${deployment}`);
    await this.report(device, deployment, "downloading", "installing", end);
  }

  async of(deployment: string, device: string): Promise<DeviceDeployment | undefined> {
    const { items } = await this.domain.deployments.devices(deployment, undefined);
    return items.find(({ deviceId }) => deviceId === device);
  }

  async status(deployment: string): Promise<string> {
    return (await this.domain.deployments.get(deployment)).status;
  }
}
