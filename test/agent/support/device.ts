import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifact } from "@upkeep/shared/artifact";
import { type Logger, noopLogger } from "@upkeep/shared/logging";
import type { System } from "@upkeep/shared/system";
import { linuxSystem } from "../../../agent/system/index.ts";
import { DeviceStore } from "../../../agent/update/store.ts";
import { type EngineOptions, UpdateEngine } from "../../../agent/update/update-engine.ts";
import { DEFAULT_UPDATE_SETTINGS } from "../../../agent/update/update-settings.ts";

/** A device of its own in a temporary directory: real files, FIFOs and processes. */
export class TestDevice {
  readonly root: string;
  readonly system: System = linuxSystem();
  readonly logged: string[] = [];

  private constructor(root: string) {
    this.root = root;
  }

  static async create(): Promise<TestDevice> {
    const device = new TestDevice(await mkdtemp(join(tmpdir(), "upkeep-device-")));
    for (const name of ["data", "modules", "scripts"]) await mkdir(device.path(name));
    return device;
  }

  /** Let the device go, with everything on it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.root, name);
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), "utf8");
  }

  /** Install an update module: a shell script that first notes its call in the file `calls`. */
  async installModule(type: string, body: string, mode = 0o755): Promise<void> {
    const script = `#!/bin/sh\necho "$1" >> ${this.path("calls")}\n${body}\n`;
    await writeFile(this.path(`modules/${type}`), script, { mode });
  }

  async calls(): Promise<string[]> {
    return (await this.text("calls")).trim().split("\n");
  }

  get logger(): Logger {
    const log = (level: string) => (message: string) => {
      this.logged.push(`${level}: ${message}`);
    };
    const logger: Logger = {
      ...noopLogger,
      error: log("error"),
      warning: log("warning"),
      info: log("info"),
      with: () => logger,
    };
    return logger;
  }

  async engine(changes: Partial<EngineOptions> = {}): Promise<UpdateEngine> {
    return new UpdateEngine({
      system: this.system,
      logger: this.logger,
      store: await DeviceStore.open(this.system.files, this.path("data"), this.logger),
      paths: {
        datastore: this.path("data"),
        logs: this.path("data"),
        modules: this.path("modules"),
        rootfsScripts: this.path("scripts"),
      },
      settings: DEFAULT_UPDATE_SETTINGS,
      openArtifact,
      deviceType: async () => "board",
      retryDelays: () => undefined,
      ...changes,
    });
  }

  async provides(): Promise<Readonly<Record<string, string>>> {
    return JSON.parse(await this.text("data/upkeep-store.json")).provides ?? {};
  }
}
