import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { debianBase, type RootPlan } from "../../system/support/base.ts";

const DEVICE_FILES = join(import.meta.dirname, "../../../systemd/device");

/** A file of a root: its content, and its mode if that is not 0644. */
export type RootFiles = Readonly<Record<string, string | readonly [content: string, mode: number]>>;

export const DEVICE_TYPE = "pc";
/** The address under which QEMU's network shows this machine to the device. */
export const HOST_SEEN_FROM_DEVICE = "10.0.2.2";

const PACKAGES = [
  ...[
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "init-system-helpers",
    "ca-certificates",
    "iproute2",
    "procps",
  ],
  ...["nodejs", "linux-image-cloud-amd64", "initramfs-tools", "grub-common", "e2fsprogs"],
];

/** The kernel modules that a PC needs which QEMU emulates, as paths below `kernel`. */
const MODULES = [
  ...[
    "drivers/block/virtio_blk.ko",
    "drivers/net/virtio_net.ko",
    "drivers/net/net_failover.ko",
    "net/core/failover.ko",
  ],
  ...["drivers/watchdog/watchdog.ko", "drivers/watchdog/i6300esb.ko", "fs/autofs/autofs4.ko", "lib/", "crypto/crc"],
];

/** Units that have no part in a device's work here, and that an emulated processor takes long for. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"],
  ...["e2scrub_reap.service", "getty@tty1.service", "serial-getty@ttyS0.service", "systemd-logind.service"],
  ...["systemd-networkd-wait-online.service", "systemd-networkd-persistent-storage.service", "ldconfig.service"],
  ...["systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "systemd-journal-flush.service"],
  ...["systemd-random-seed.service", "tmp.mount"],
  ...["dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"],
  ...["sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "run-lock.mount", "kmod-static-nodes.service"],
  ...["modprobe@configfs.service", "modprobe@efi_pstore.service", "modprobe@fuse.service", "modprobe@drm.service"],
  ...["systemd-modules-load.service", "systemd-sysctl.service", "systemd-udev-load-credentials.service"],
  ...[
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-user-sessions.service",
  ],
  ...["systemd-pcrextend.socket", "systemd-pcrlock.socket", "systemd-sysext.socket", "systemd-creds.socket"],
  ...["systemd-hostnamed.socket", "systemd-tmpfiles-clean.timer", "systemd-pstore.service"],
  ...["proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service", "systemd-update-done.service"],
];

/** A small root with its own kernel. What is removed has no part in a device's work, and makes images large. */
const BOOTABLE: RootPlan = {
  packages: PACKAGES,
  finish: `
cd "$1"
echo MODULES=list >etc/initramfs-tools/conf.d/upkeep
echo virtio_blk >>etc/initramfs-tools/modules
chroot . update-initramfs -u >/dev/null 2>&1
kernel=$(ls usr/lib/modules)
(cd "usr/lib/modules/$kernel/kernel" && find . -name '*.ko*' ${MODULES.map((path) => `! -path './${path}*'`).join(" ")} -delete)
chroot . depmod "$kernel"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/grub var/lib/apt/lists var/cache/* \\
  var/log/* boot/System.map* boot/config*
rm -rf usr/lib/udev/hwdb.* usr/lib/x86_64-linux-gnu/gconv usr/sbin/grub-* usr/bin/sqv usr/lib/apt
find usr/bin -name 'grub-*' ! -name grub-editenv -delete
for unit in ${MASKED.join(" ")}; do ln -s /dev/null "etc/systemd/system/$unit"; done
ln -s /usr/lib/systemd/system/systemd-networkd.service etc/systemd/system/multi-user.target.wants/
`,
};

/** The shell on the second line of the test, which is how tests look inside. */
const SHELL_UNIT = `[Unit]
Description=A shell for tests
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'exec /bin/sh <>/dev/virtio-ports/shell >&0 2>&0'
Restart=always
RestartSec=1s
[Install]
WantedBy=multi-user.target
`;

const NETWORK = "[Match]\nName=e*\n[Network]\nDHCP=ipv4\n";

/** The log of the agent and of systemd, on the serial line with what GRUB and the kernel say. */
const JOURNAL = "[Journal]\nStorage=volatile\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\nMaxLevelConsole=info\n";

/** A shell and a log that tests can read. */
const TEST_FILES: RootFiles = {
  "etc/systemd/journald.conf.d/console.conf": JOURNAL,
  "etc/systemd/system/shell.service": SHELL_UNIT,
};

/** The configuration of the device, and its network. */
function deviceFiles(config: object): RootFiles {
  return {
    "etc/mender/mender.conf": JSON.stringify({
      RootfsPartA: "/dev/vda2",
      RootfsPartB: "/dev/vda3",
      DeviceTypeFile: "/etc/mender/device_type",
      ...config,
    }),
    "etc/mender/device_type": `device_type=${DEVICE_TYPE}\n`,
    "etc/hostname": "device\n",
    "etc/systemd/network/wired.network": NETWORK,
    ...TEST_FILES,
  };
}

/** Run after the files are there, in a mount namespace. */
const SET_UP = `
"$6/make-root" "$1" "$2"
cd "$1"
ln -s ../shell.service etc/systemd/system/multi-user.target.wants/
echo 0123456789abcdef0123456789abcdef >etc/machine-id
touch etc/.updated var/.updated
`;

function write(directory: string, files: RootFiles): void {
  for (const [name, file] of Object.entries(files)) {
    const [content, mode] = typeof file === "string" ? [file, 0o644] : file;
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    chmodSync(path, mode);
  }
}

/** Gives a root the shell and the log that tests read. */
export function addShell(root: string): void {
  write(root, TEST_FILES);
  const wants = join(root, "etc/systemd/system/multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync("../shell.service", join(wants, "shell.service"));
}

function inNamespace(script: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync("unshare", ["--mount", "sh", "-ec", script, "sh", ...args], {
    encoding: "utf8",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
  });
  if (status !== 0) throw new Error(`a root could not be made:\n${script}\n${stdout}${stderr}`);
}

/** Makes images of root file systems for one kind of device. */
export class ImageMaker {
  readonly #folder: string;
  readonly #layers: string;

  /**
   * @param folder Where it works.
   * @param archive The agent's package.
   * @param config The agent's configuration.
   */
  constructor(folder: string, archive: string, config: object) {
    this.#folder = folder;
    const base = debianBase(BOOTABLE);
    // An overlay file system has no overlay as its upper layer.
    const device = join(folder, "device");
    const [upper, work, root] = ["upper", "work", "root"].map((name) => join(device, name));
    if (upper === undefined || work === undefined || root === undefined) throw new Error("no folders");
    for (const path of [upper, work, root]) mkdirSync(path, { recursive: true });
    write(upper, deviceFiles(config));
    const overlay = `mount -t overlay overlay -o "lowerdir=$3,upperdir=$4,workdir=$5" "$1"`;
    inNamespace(`${overlay}\n${SET_UP}`, [root, archive, base, upper, work, DEVICE_FILES]);
    this.#layers = `${upper}:${base}`;
  }

  /** An ext4 image of the root with these files. @returns Its path. */
  image(name: string, files: RootFiles, sizeMib: number): string {
    const layer = join(this.#folder, `${name}.layer`);
    const root = join(this.#folder, `${name}.root`);
    const image = join(this.#folder, `${name}.ext4`);
    mkdirSync(root);
    write(layer, { "etc/system-name": `${name}\n`, ...files });
    inNamespace(
      `mount -t overlay overlay -o "lowerdir=$1" "$2"
truncate -s "$4"M "$3"
mke2fs -q -t ext4 -b 4096 -O ^metadata_csum_seed,^orphan_file -m 0 -N 8192 -J size=4 -d "$2" "$3"`,
      [`${layer}:${this.#layers}`, root, image, String(sizeMib)],
    );
    return image;
  }

  /** A disk with an image in A, made as systemd/device/README.md says it. @returns Its path. */
  disk(image: string, dataMib: number): string {
    const disk = join(this.#folder, "disk.img");
    execFileSync(join(DEVICE_FILES, "make-disk"), [disk, image, String(dataMib)], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    });
    return disk;
  }
}
