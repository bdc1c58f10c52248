import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AbDevice, image } from "../agent/modules/rootfs-image/device.ts";
import { systemsFault } from "./support/asked.ts";

const BOOT_CMD = join(import.meta.dirname, "../../systemd/device/boot.cmd");
const U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
const FLASH_BYTES = 64 * 1024 * 1024;
const MIB = 1024 * 1024;
const SLOW_MS = 600_000;

/** Where the environment lies on the disk, before the first partition. */
const ENVIRONMENT = { offset: 0x80000, bytes: 0x4000 };
const VARIABLES = "mender_boot_part mender_boot_part_hex upgrade_available bootcount";
/** What this board has in place of `saveenv`, which Debian's U-Boot cannot do on the flash of its QEMU. */
const BOARD_CMD = `
setenv block 0x${(ENVIRONMENT.offset / 512).toString(16)}
setenv blocks 0x${(ENVIRONMENT.bytes / 512).toString(16)}
setenv size 0x${ENVIRONMENT.bytes.toString(16)}
setenv save_environment 'env export -c -s \${size} \${loadaddr} ${VARIABLES}; virtio write \${loadaddr} \${block} \${blocks}'
virtio read \${loadaddr} \${block} \${blocks}
env import -c \${loadaddr} \${size} ${VARIABLES}
`;

const TOOLS = {
  mkimage: "u-boot-tools",
  fw_setenv: "libubootenv-tool",
  mke2fs: "e2fsprogs",
  sfdisk: "fdisk",
  "qemu-system-aarch64": "qemu-system-arm u-boot-qemu",
};
const fault = systemsFault(TOOLS);
const describeBoard = fault === undefined ? describe : describe.skip;

/** A board in QEMU that boots by the real U-Boot; its environment is the one that the update module works on. */
class Board {
  readonly device = new AbDevice("fw_setenv", {}, false);
  readonly #folder = this.device.root;
  readonly #flash = join(this.#folder, "u-boot.flash");
  readonly #disk = join(this.#folder, "disk.img");

  constructor() {
    writeFileSync(this.#flash, readFileSync(U_BOOT));
    truncateSync(this.#flash, FLASH_BYTES);
    this.#makeDisk();
    const [config, initial] = [join(this.#folder, "fw_env.config"), join(this.#folder, "initial")];
    const { offset, bytes } = ENVIRONMENT;
    writeFileSync(config, `${this.#disk} 0x${offset.toString(16)} 0x${bytes.toString(16)}\n`);
    writeFileSync(initial, "mender_boot_part=2\nmender_boot_part_hex=2\nupgrade_available=0\nbootcount=0\n");
    execFileSync("fw_setenv", ["-c", config, "-f", initial, "-s", initial], { stdio: "pipe" });
  }

  /** As a power cut in the middle of a write leaves it. */
  tearEnvironment(): void {
    const disk = openSync(this.#disk, "r+");
    writeSync(disk, Buffer.alloc(512), 0, 512, ENVIRONMENT.offset);
    closeSync(disk);
  }

  /** Partition 1 has the script; 2 and 3 have no kernel, so that U-Boot comes back as after a kernel that panics. */
  #makeDisk(): void {
    const boot = join(this.#folder, "partition-1");
    mkdirSync(boot);
    const commands = join(this.#folder, "boot.cmd");
    writeFileSync(commands, BOARD_CMD + readFileSync(BOOT_CMD, "utf8"));
    const script = ["-A", "arm64", "-T", "script", "-d", commands, join(boot, "boot.scr")];
    execFileSync("mkimage", script, { stdio: "pipe" });
    const ext4 = ["-q", "-t", "ext4", "-O", "^metadata_csum_seed,^orphan_file", "-d", boot, `${boot}.ext4`, "8M"];
    execFileSync("mke2fs", ext4);
    writeFileSync(this.#disk, Buffer.concat([Buffer.alloc(MIB), readFileSync(`${boot}.ext4`)]));
    truncateSync(this.#disk, 32 * MIB);
    const partitions = ["start=1MiB, size=8MiB, bootable", "start=9MiB, size=8MiB", "start=17MiB, size=8MiB"];
    execFileSync("sfdisk", ["--quiet", "--wipe", "never", this.#disk], {
      stdio: "pipe",
      input: ["label: dos", ...partitions, ""].join("\n"),
    });
  }

  /** Power on, until U-Boot gives up and resets. @returns What it says of its choice. */
  async start(): Promise<readonly string[]> {
    const machine = spawn(
      "qemu-system-aarch64",
      [
        ...["-machine", "virt", "-cpu", "cortex-a57", "-m", "256", "-nographic", "-no-reboot", "-nic", "none"],
        ...["-drive", `if=pflash,format=raw,readonly=on,file=${this.#flash}`],
        ...["-drive", `if=none,format=raw,file=${this.#disk},id=disk`, "-device", "virtio-blk-device,drive=disk"],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let serial = "";
    machine.stdout.setEncoding("latin1").on("data", (text: string) => {
      serial += text;
    });
    await once(machine, "close");
    const said = serial.match(/^U-Boot: .*$/gm)?.map((line) => line.trim());
    if (said === undefined) throw new Error(`boot.cmd was not run:\n${serial}`);
    return said;
  }
}

describeBoard(`a board that boots by U-Boot and boot.cmd (${fault ?? "QEMU, arm64"})`, { timeout: SLOW_MS }, () => {
  const booting = (part: number, upgrade: 0 | 1) =>
    `U-Boot: booting partition ${part} (upgrade_available=${upgrade} bootcount=${upgrade})`;

  async function updated(): Promise<Board> {
    const board = new Board();
    expect(await board.device.download(image(true, 7))).toMatchObject({ exitCode: 0 });
    expect(await board.device.call("ArtifactInstall")).toMatchObject({ exitCode: 0 });
    return board;
  }

  it("boots what was installed, and stays with it after the commit", async () => {
    const board = await updated();
    expect(await board.start()).toContain(booting(3, 1));
    expect(board.device.variables()).toMatchObject({ mender_boot_part: "3", upgrade_available: "1", bootcount: "1" });
    board.device.booted(3);
    expect(await board.device.call("ArtifactCommit")).toMatchObject({ exitCode: 0 });
    expect(await board.start()).toContain("U-Boot: booting partition 3 (upgrade_available=0 bootcount=1)");
  });

  it("goes back at the second start of an update that was not committed, and stays there", async () => {
    const board = await updated();
    expect(await board.start()).toEqual([booting(3, 1), "U-Boot: partition 3 cannot be booted"]);
    const back = "U-Boot: the update was not committed; going back to partition 2";
    expect(await board.start()).toEqual([back, booting(2, 0), "U-Boot: partition 2 cannot be booted"]);
    expect(board.device.variables()).toMatchObject({
      ...{ mender_boot_part: "2", mender_boot_part_hex: "2", upgrade_available: "0", bootcount: "0" },
    });
    expect(await board.start()).toContain(booting(2, 0));
    const { stderr } = await board.device.call("ArtifactVerifyReboot");
    expect(stderr).toContain("the boot loader went back to partition 2");
  });

  it("boots A if its environment is torn", async () => {
    const board = new Board();
    board.tearEnvironment();
    expect((await board.start()).join("\n")).toContain("U-Boot: booting partition 2");
  });
});
