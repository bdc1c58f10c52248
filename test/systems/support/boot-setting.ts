import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningServer, runUpkeepServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { packAgent } from "../../system/support/packages.ts";
import { DEVICE_TYPE, HOST_SEEN_FROM_DEVICE, ImageMaker, type RootFiles } from "./image.ts";
import { MAC, QemuDevice } from "./qemu-device.ts";
import { VolatileDisk } from "./volatile-disk.ts";

const ROOT_MIB = 244;
const DATA_MIB = 96;
/** An emulated device on a busy machine is slow: a boot takes a minute or two. */
export const SLOW_MS = 1_200_000;

export interface Update {
  readonly name: string;
  /** What is different in its root. */
  readonly files?: RootFiles;
  /** State scripts of the artifact: name and content. */
  readonly scripts?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly status: string | undefined;
  /** The log that the server got, if it failed. */
  readonly log: string;
}

/** A server on this machine, and a device in QEMU that boots by GRUB from two root file systems. */
export class BootSetting {
  readonly folder: string;
  readonly device: QemuDevice;
  readonly server: RunningServer;
  readonly #images: ImageMaker;
  readonly #disk: VolatileDisk;
  #id = "";

  private constructor(folder: string, server: RunningServer, images: ImageMaker, disk: VolatileDisk) {
    this.folder = folder;
    this.server = server;
    this.#images = images;
    this.#disk = disk;
    this.device = new QemuDevice(disk, folder);
  }

  /** @param random Decides what power cuts lose. */
  static async start(random: () => number): Promise<BootSetting> {
    const folder = mkdtempSync(join(tmpdir(), "upkeep-boot-"));
    const server = await startServer(join(folder, "server"), ["--auto-accept"]);
    const images = new ImageMaker(folder, packAgent(folder, "1.0"), {
      ServerURL: server.url.replace("127.0.0.1", HOST_SEEN_FROM_DEVICE),
      UpdatePollIntervalSeconds: 5,
      RetryPollIntervalSeconds: 5,
      FirstPollDelaySeconds: 0,
      CommitTimeoutSeconds: 120,
    });
    const disk = images.disk(images.image("first", {}, ROOT_MIB), DATA_MIB);
    const setting = new BootSetting(
      folder,
      server,
      images,
      await VolatileDisk.open(disk, join(folder, "disk"), random),
    );
    try {
      await setting.#firstBoot();
      return setting;
    } catch (error) {
      await setting.stop();
      throw error;
    }
  }

  async #firstBoot(): Promise<void> {
    this.device.on();
    const { management } = this.server;
    const found = async () => (await management.devices()).find(({ identity_data }) => identity_data.mac === MAC);
    const limits = { limitMs: SLOW_MS, explain: () => this.device.serial.slice(-4000) };
    this.#id = (await until("the device logs in", found, limits)).id;
  }

  /** Makes the update and deploys it. @returns The id of its deployment. */
  async deploy({ name, files = {}, scripts = {} }: Update): Promise<string> {
    const image = this.#images.image(name, files, ROOT_MIB);
    const artifact = join(this.folder, `${name}.mender`);
    const scriptFolder = join(this.folder, `${name}.scripts`);
    mkdirSync(scriptFolder);
    const options = Object.entries(scripts).flatMap(([script, content]) => {
      const path = join(scriptFolder, script);
      writeFileSync(path, content, { mode: 0o755 });
      return ["--script", path];
    });
    const about = ["--artifact-name", name, "--device-type", DEVICE_TYPE, "--compression", "none"];
    runUpkeepServer([
      ...["artifact", "write", "rootfs-image", ...about, "--file", image, "--output-path", artifact],
      ...options,
    ]);
    await this.server.management.upload(artifact);
    for (const path of [image, artifact]) rmSync(path);
    return await this.server.management.deploy(name, [this.#id]);
  }

  /** Waits for the end of a deployment. */
  async ended(deployment: string): Promise<Ended> {
    const explain = () => this.device.serial.slice(-8000);
    const { management } = this.server;
    const [result] = await management.finished(deployment, explain, SLOW_MS);
    const log = result?.status === "failure" ? await management.log(deployment, this.#id, explain) : "";
    return { status: result?.status, log };
  }

  /** The name of the root file system that runs. */
  async running(): Promise<string> {
    return await this.device.run("cat /etc/system-name", SLOW_MS);
  }

  /** The variables of GRUB's environment, as `name=value` lines. */
  async environment(): Promise<string> {
    return await this.device.run("grub-editenv /boot/grub/grubenv list", SLOW_MS);
  }

  async stop(): Promise<void> {
    await this.device.close();
    await this.#disk.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
