import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { mirror } from "../system/support/base.ts";
import { systemsFault } from "./support/asked.ts";
import { type GuideStep, guideSteps } from "./support/guide.ts";
import { addShell, HOST_SEEN_FROM_DEVICE } from "./support/image.ts";
import { QemuDevice } from "./support/qemu-device.ts";
import { VolatileDisk } from "./support/volatile-disk.ts";

const TOP = join(import.meta.dirname, "../..");
const GUIDE = "systemd/device/README.md";
const SLOW_MS = 1_200_000;

const TOOLS = {
  debootstrap: "debootstrap",
  mke2fs: "e2fsprogs",
  sfdisk: "fdisk",
  "grub-mkimage": "grub-common",
  mkimage: "u-boot-tools",
  jq: "jq",
  curl: "curl",
  "qemu-system-x86_64": "qemu-system-x86",
};
const fault = systemsFault(TOOLS);
const describeGuide = fault === undefined ? describe : describe.skip;

/** The reader's machine: programs of the tree in place of installed ones, and a mirror that can be reached from here. */
const PRELUDE = `
set -euo pipefail
top=$1; mirror=$2
npm() { command npm --prefix "$top" "$@" -- --out "$PWD/dist"; }
npx() { command "$top/node_modules/.bin/$1" "\${@:2}"; }
curl() { command curl -sSf "$@"; }
debootstrap() { command debootstrap "$@" "$mirror"; }
token=$(curl -u "$login" -X POST "$server/api/management/v1/useradm/auth/login")
`;

describeGuide(`the guide for device makers, word by word (${fault ?? GUIDE})`, { timeout: SLOW_MS }, () => {
  const steps = guideSteps(readFileSync(join(TOP, GUIDE), "utf8"));
  let folder: string;
  let server: RunningServer;
  let device: QemuDevice | undefined;
  let disk: VolatileDisk | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-guide-"));
    symlinkSync(join(TOP, "systemd"), join(folder, "systemd"));
    mkdirSync(join(folder, "dist"));
    server = await startServer(join(folder, "server"));
  });

  afterAll(async () => {
    await device?.close();
    await disk?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, SLOW_MS);

  async function build(those: readonly GuideStep[]): Promise<void> {
    const script = those.map(({ line, commands }) => `: "${GUIDE}:${line}"\n${commands}`).join("");
    const seen = server.url.replace("127.0.0.1", HOST_SEEN_FROM_DEVICE);
    const child = spawn(
      "unshare",
      ["--mount", "bash", "-xc", PRELUDE + script.replace("https://updates.example.com", seen), "bash", TOP, mirror()],
      {
        cwd: folder,
        env: {
          ...process.env,
          PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
          DEBIAN_FRONTEND: "noninteractive",
          server: server.url,
          login: `${server.email}:${server.password}`,
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    const [code] = await once(child, "close");
    expect(code, output.slice(-8000)).toBe(0);
  }

  async function onDevice({ commands }: GuideStep): Promise<string> {
    if (device === undefined) throw new Error("the device was not started");
    return await device.run(commands, SLOW_MS);
  }

  /** The steps between two places in the guide. */
  const between = (from: string, to: string): readonly GuideStep[] => {
    const begin = steps.findIndex(({ commands }) => commands.includes(from));
    const end = steps.findIndex(({ commands }) => commands.includes(to));
    expect([begin, end], `${from} … ${to}`).not.toContain(-1);
    return steps.slice(begin, end);
  };

  it("builds a root file system, and a device that starts and logs in", async () => {
    await build(between("apt-get install", "mke2fs"));
    addShell(join(folder, "root"));
    await build(between("mke2fs", "systemctl is-active"));
    disk = await VolatileDisk.open(join(folder, "disk.img"), join(folder, "disk"), Math.random);
    device = new QemuDevice(disk, folder);
    device.on();
    const accepted = async () => (await server.management.devices()).find(({ status }) => status === "accepted");
    const found = await until("the device has logged in", accepted, {
      limitMs: SLOW_MS,
      explain: () => device?.serial.slice(-4000) ?? "",
    });
    expect(found.identity_data).toEqual({ serial: "0001" });
  });

  it("updates it", async () => {
    const [first, update, second, after] = [
      between("systemctl is-active", "echo 'release 2'"),
      between("echo 'release 2'", "upkeep check-update"),
      between("upkeep check-update", "cat /etc/issue"),
      steps.filter(({ commands }) => commands.includes("cat /etc/issue")),
    ];
    for (const step of first) expect(await onDevice(step)).toContain("active");
    await build(update);
    for (const step of second) await onDevice(step);
    const [deployment] = await server.management.json<readonly { id: string }[]>(
      "/api/management/v1/deployments/deployments",
    );
    const ended = await server.management.finished(
      deployment?.id ?? "",
      () => device?.serial.slice(-8000) ?? "",
      SLOW_MS,
    );
    expect(ended.map(({ status }) => status)).toEqual(["success"]);
    for (const step of after) expect(await onDevice(step)).toBe("release-2\nrelease 2");
  });

  it("makes a script for U-Boot", async () => {
    await build(steps.filter(({ commands }) => commands.includes("mkimage")));
    expect(existsSync(join(folder, "boot.scr"))).toBe(true);
  });
});
