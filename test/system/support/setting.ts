import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { artifactBytes, sourceFile } from "../../agent/support/artifacts.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { type BootOptions, SystemDevice } from "./device.ts";
import { BRINGS_NODE } from "./packages.ts";

export const MAC = "02:00:5e:00:53:16";

export interface PayloadFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** A server on this machine, and systems that reach it, in a folder of their own. */
export class Setting {
  readonly folder = mkdtempSync(join(tmpdir(), "upkeep-system-test-"));
  #server: RunningServer | undefined;
  readonly #devices: SystemDevice[] = [];
  #boots = 0;

  /** @param options Of the server's command line. */
  async start(options: readonly string[] = []): Promise<RunningServer> {
    this.#server = await startServer(join(this.folder, "server"), options);
    return this.#server;
  }

  get server(): RunningServer {
    if (this.#server === undefined) throw new Error("the server was not started");
    return this.#server;
  }

  /** How often its systems have booted. */
  get boots(): number {
    return this.#devices.reduce((sum, { boots }) => sum + boots, 0);
  }

  async boot(options: BootOptions = {}): Promise<SystemDevice> {
    this.#boots += 1;
    const device = await SystemDevice.boot(join(this.folder, `system-${this.#boots}`), options);
    this.#devices.push(device);
    return device;
  }

  /** Installs the package, and everything that `upkeep setup` does not write. */
  install(device: SystemDevice, archive: string, mac = MAC): void {
    device.write("/usr/share/mender/identity/mender-device-identity", `#!/bin/sh\necho mac=${mac}\n`, 0o755);
    if (BRINGS_NODE) device.output("dpkg --purge --force-depends nodejs && ! command -v node");
    device.copy(archive, "/root/upkeep.deb");
    device.output("dpkg --install /root/upkeep.deb");
  }

  /** The configuration of a device that is not waited for. */
  configure(device: SystemDevice, more: Readonly<Record<string, unknown>> = {}): void {
    const config = {
      ServerURL: this.server.url,
      UpdatePollIntervalSeconds: 1,
      InventoryPollIntervalSeconds: 2,
      RetryPollIntervalSeconds: 1,
      FirstPollDelaySeconds: 0,
      ...more,
    };
    device.write("/etc/mender/mender.conf", JSON.stringify(config));
    device.write("/var/lib/mender/device_type", "device_type=board\n");
  }

  /** Accepts the device once it asks. @returns Its id. */
  async accept(device: SystemDevice): Promise<string> {
    const { management } = this.server;
    const found = await management.device("mac", MAC, () => device.journal());
    await management.setStatus(found, "accepted");
    return found.id;
  }

  /** An artifact of one file, uploaded and deployed. @returns The id of its deployment to the devices. */
  async deploy(type: string, name: string, file: PayloadFile, ...devices: readonly string[]): Promise<string> {
    await this.upload(type, name, file);
    return await this.server.management.deploy(name, devices);
  }

  /** An artifact of one file, uploaded. */
  async upload(type: string, name: string, file: PayloadFile): Promise<void> {
    const artifact = join(this.folder, `${name}.mender`);
    const about = { kind: "module-image", type, artifactName: name, deviceTypes: ["board"] } as const;
    const files = [sourceFile(basename(file.name), file.content)];
    writeFileSync(artifact, await artifactBytes({ ...about, compression: "none", files }));
    await this.server.management.upload(artifact);
  }

  async stop(): Promise<void> {
    for (const device of this.#devices) await device.stop();
    await this.#server?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
