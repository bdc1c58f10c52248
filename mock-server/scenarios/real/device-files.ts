import { createDirectoryDurably, readFile, readTextFile, replaceFile, type System } from "@upkeep/shared/system";
import { readRootImage, rootImage } from "../simulation/index.ts";
import { PAYLOAD_TYPE } from "../world/artifacts.ts";
import { CURRENT, configurationOf, DATASTORE, STORE_FILE } from "../world/factory.ts";
import type { DeviceIdentity } from "../world/fleet.ts";
import { moduleText, type ProgramSettings, rebootText, scriptText } from "./device-programs.ts";
import type { LiveDevice } from "./live-device.ts";

const VERIFY_KEY = "/etc/mender/artifact-verify-key.pem";
const BYTES_MAX = 1024 ** 3;

type Inventory = LiveDevice["inventory"];

export interface DeviceFilesParts {
  readonly identity: DeviceIdentity;
  readonly system: System;
  /** Root directory of the device's files. */
  readonly root: string;
  readonly interpreter: string;
  /** URL of the device's proxy. */
  readonly serverUrl: string;
  /** URL of the {@link ProgramHub}. */
  readonly hub: string;
  readonly verifyKey: string;
}

/** The files of a device, in a directory of this machine. */
export class DeviceFiles {
  readonly #parts: DeviceFilesParts;

  constructor(parts: DeviceFilesParts) {
    this.#parts = parts;
  }

  /** Writes the files of a new device. */
  async make(inventory: Inventory): Promise<void> {
    const { identity, verifyKey } = this.#parts;
    const { row } = identity;
    const provides = { artifact_name: "v1", ...row.provides };
    await this.#put("/etc/mender/mender.conf", JSON.stringify(this.#configuration()));
    await this.#put(VERIFY_KEY, verifyKey);
    await this.#put(`${DATASTORE}/device_type`, `device_type=${row.type}\n`);
    await this.#put(`${DATASTORE}/mender-agent.pem`, identity.key.privatePem, 0o600);
    await this.#put(STORE_FILE, JSON.stringify({ version: 1, provides, update: null }));
    await this.#put(CURRENT, rootImage({ software: provides.artifact_name }));
    const lines = Object.entries(JSON.parse(identity.identity) as Record<string, string>);
    await this.#put(
      "/usr/share/mender/identity/mender-device-identity",
      `#!/bin/sh\n${lines.map(([key, value]) => `echo ${key}=${value}\n`).join("")}`,
      0o755,
    );
    await this.#put(
      "/usr/share/mender/inventory/mender-inventory-scenario",
      `#!/bin/sh\ncat '${this.#path("/inventory")}'\n`,
      0o755,
    );
    await this.writeInventory(inventory);
    const programs = this.#programs();
    await this.#put("/bin/reboot", rebootText(programs), 0o755);
    if (!row.module.missing)
      await this.#put(`/usr/share/mender/modules/v3/${PAYLOAD_TYPE}`, moduleText(programs, row.module), 0o755);
    for (const [name, code] of Object.entries(row.scripts))
      await this.#put(`/etc/mender/scripts/${name}`, scriptText(programs, code), 0o755);
  }

  #programs(): ProgramSettings {
    const { interpreter, hub } = this.#parts;
    return { interpreter, hub, current: this.#path(CURRENT) };
  }

  #configuration(): Record<string, unknown> {
    const { identity, serverUrl } = this.#parts;
    return { ...configurationOf(identity.row), ServerURL: serverUrl };
  }

  #path(path: string): string {
    return `${this.#parts.root}${path}`;
  }

  async #put(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const { files } = this.#parts.system;
    const full = this.#path(path);
    await createDirectoryDurably(files, full.slice(0, full.lastIndexOf("/")));
    await replaceFile(files, full, content, mode);
    await files.setPermissions(full, mode);
  }

  async writeInventory(inventory: Inventory): Promise<void> {
    const lines = Object.entries(inventory).flatMap(([key, value]) => [value].flat().map((one) => `${key}=${one}\n`));
    await this.#put("/inventory", lines.join(""));
  }

  /** Reads the installed software, and the provides in the agent's store. */
  async look(): Promise<{ readonly software: string; readonly provides: Readonly<Record<string, string>> }> {
    const { files } = this.#parts.system;
    const image = await readFile(files, this.#path(CURRENT), BYTES_MAX);
    const software = (image === undefined ? undefined : readRootImage(image)?.software) ?? "nothing that is whole";
    const store = await readTextFile(files, this.#path(STORE_FILE), BYTES_MAX);
    const { provides } = JSON.parse(store ?? "{}") as { provides?: Readonly<Record<string, string>> | null };
    return { software, provides: provides ?? {} };
  }
}
