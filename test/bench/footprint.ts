import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { type Program, startProgram } from "../support/program.ts";
import { until } from "../support/waiting.ts";
import { type ClientName, COMMANDS, DAEMONS, REPOSITORY, UPKEEP, UPKEEP_SERVER } from "./clients.ts";
import { DEVICE_TYPE, makeDevice, makeImage } from "./material.ts";
import { measure } from "./measure.ts";

const MIB = 1024 * 1024;
/** Between two looks at the memory of an installation. */
const LOOK_MS = 20;
const SHIPPED = join(REPOSITORY, "agent/modules/shipped/rootfs-image");

/** What one agent costs a device. `null`: not measured, or it has no such thing. */
export interface Footprint {
  /** Of its package and what runs it, beside Debian's base. */
  readonly diskKiB: number | null;
  /** The same, packed with xz. */
  readonly downloadKiB: number | null;
  readonly idlePssKiB: number | null;
  readonly idlePrivateKiB: number | null;
  /** The most that all of its processes took at once, while it installed an image. */
  readonly updatePssKiB: number | null;
  /** One poll of a daemon, or one `upkeep check`, that finds nothing: processor time, and bytes both ways. */
  readonly checkCpuSeconds: number | null;
  readonly checkSeconds: number | null;
  readonly checkWireBytes: number | null;
}

const NOTHING: Footprint = {
  diskKiB: null,
  downloadKiB: null,
  idlePssKiB: null,
  idlePrivateKiB: null,
  updatePssKiB: null,
  checkCpuSeconds: null,
  checkSeconds: null,
  checkWireBytes: null,
};

export interface FootprintOptions {
  readonly folder: string;
  readonly sizeMiB: number;
  readonly settleSeconds: number;
  /** The agent as a single executable, made by `npm run package -- --sea`. */
  readonly singleExecutable: string | undefined;
}

function kibOf(pid: number, ...fields: readonly string[]): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return fields.reduce((sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]), 0);
}

/** The process and all below it. */
function treeOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

/** Memory of the processes below `pid`, each shared page divided among those who share it; 0 if they have just ended. */
function treePssKiB(pid: number): number {
  try {
    return treeOf(pid).reduce((sum, one) => sum + kibOf(one, "Pss"), 0);
  } catch {
    return 0;
  }
}

/** Processor time of the threads of a process so far. */
function cpuSecondsOf(pid: number): number {
  const times = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]),
  );
  return times.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9;
}

/** A server that has nothing to install, counts the bytes of its connections and hands out one file. */
class QuietServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  polls = 0;
  inventories = 0;

  private constructor(file: string) {
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://host");
      request.resume();
      request.on("end", () => {
        if (pathname === "/artifact") {
          response.writeHead(200, { "content-length": statSync(file).size });
          createReadStream(file).pipe(response);
        } else if (pathname === DEVICE_PATHS.authRequests) response.end("token");
        else if (pathname === DEVICE_PATHS.inventory) {
          this.inventories++;
          response.end();
        } else {
          if (pathname.endsWith("/next")) this.polls++;
          response.writeHead(204).end();
        }
      });
    });
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
  }

  static async start(file: string): Promise<QuietServer> {
    const server = new QuietServer(file);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get bytes(): number {
    return [...this.#sockets].reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** One way in which an agent runs. */
interface Way {
  readonly name: string;
  readonly client: ClientName;
  /** The program and its first arguments, for a way of ours. */
  readonly command: readonly [string, ...string[]];
}

/** A copy: no other process of the machine shares its pages, as on a device. */
function ownCopy(folder: string, name: string, program: string): string {
  const copy = join(folder, `${name}-program`);
  copyFileSync(program, copy);
  chmodSync(copy, 0o755);
  return copy;
}

function debInstalledKiB(deb: string): number {
  return Number(execFileSync("dpkg-deb", ["--field", deb, "Installed-Size"], { encoding: "utf8" }));
}

/** Size of what `xz` makes of a file, quickly: the best that it can takes minutes and saves a tenth. */
function packedKiB(file: string): number {
  const { stdout } = spawnSync("sh", ["-c", 'xz --threads=0 -1 --stdout "$1" | wc -c', "sh", file], {
    encoding: "utf8",
  });
  return Number(stdout) / 1024;
}

/** What a Debian package that is installed takes, and its download if apt knows it. */
function installedPackage(name: string): Pick<Footprint, "diskKiB" | "downloadKiB"> {
  const { stdout: status } = spawnSync("dpkg-query", ["--status", name], { encoding: "utf8" });
  const size = /^Installed-Size: (\d+)$/m.exec(status)?.[1];
  const version = /^Version: (.+)$/m.exec(status)?.[1];
  if (size === undefined || version === undefined) return { diskKiB: null, downloadKiB: null };
  const { stdout } = spawnSync("apt-cache", ["show", `${name}=${version}`], { encoding: "utf8" });
  const bytes = /^Size: (\d+)/m.exec(stdout)?.[1];
  return { diskKiB: Number(size), downloadKiB: bytes === undefined ? null : Number(bytes) / 1024 };
}

/** Our package with Node, or the package with the single executable, which lies beside that. */
function sizesOfOurs(folder: string, single: string | undefined): Pick<Footprint, "diskKiB" | "downloadKiB"> {
  if (single !== undefined) {
    const name = readdirSync(dirname(single)).find((one) => /^upkeep_.*_(?!all)\w+\.deb$/.test(one));
    if (name === undefined) return { diskKiB: statSync(single).size / 1024, downloadKiB: null };
    const deb = join(dirname(single), name);
    return { diskKiB: debInstalledKiB(deb), downloadKiB: statSync(deb).size / 1024 };
  }
  const script = join(REPOSITORY, "systemd/debian/package.mjs");
  const output = execFileSync(process.execPath, [script, "--out", folder], { encoding: "utf8" });
  const deb = output.trim();
  const node = process.execPath;
  return {
    diskKiB: debInstalledKiB(deb) + statSync(node).size / 1024,
    downloadKiB: statSync(deb).size / 1024 + packedKiB(node),
  };
}

/** Memory and one poll of a daemon that has nothing to do. */
async function measureDaemon(
  way: Way,
  { folder, server, settleSeconds }: { folder: string; server: QuietServer; settleSeconds: number },
): Promise<Partial<Footprint>> {
  const { polls, inventories } = server;
  const config = { UpdatePollIntervalSeconds: 1800, InventoryPollIntervalSeconds: 28_800, RetryPollIntervalSeconds: 5 };
  const options = {
    folder: join(folder, `daemon-${way.name}`),
    serverUrl: server.url,
    mac: "02:00:5e:00:53:31",
    config,
  };
  const daemon = DAEMONS[way.client](way.client === "upkeep" ? { ...options, command: way.command } : options);
  try {
    const asked = () => (server.polls > polls && server.inventories > inventories) || undefined;
    await until(`${way.name} has polled and sent its inventory`, asked, { explain: daemon.output });
    await sleep(settleSeconds * 1000);
    const pid = daemon.child.pid ?? 0;
    const idle = {
      idlePssKiB: kibOf(pid, "Pss"),
      idlePrivateKiB: kibOf(pid, "Private_Clean", "Private_Dirty"),
    };
    // What was sent before the daemon was idle does not belong to this poll.
    const before = { polls: server.polls, bytes: server.bytes, cpu: cpuSecondsOf(pid), ms: performance.now() };
    daemon.child.kill("SIGUSR1");
    await until(`${way.name} has polled again`, () => server.polls > before.polls || undefined, {
      explain: daemon.output,
    });
    const checkSeconds = (performance.now() - before.ms) / 1000;
    await sleep(1000);
    return {
      ...idle,
      checkSeconds,
      checkCpuSeconds: cpuSecondsOf(pid) - before.cpu,
      checkWireBytes: server.bytes - before.bytes,
    };
  } finally {
    await daemon.stop("SIGKILL");
  }
}

/** A device with two partitions, as far as rootfs-image looks at it: files stand for them, and for U-Boot's variables. */
function makeAbDevice(folder: string, bytes: number): string {
  const { root } = makeDevice(folder);
  const file = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text, { mode });
  };
  const variables = join(root, "variables");
  writeFileSync(variables, "mender_boot_part=2\nmender_boot_part_hex=2\nupgrade_available=0\nbootcount=0\n");
  file("bin/fw_printenv", `#!/bin/sh\ncat ${variables}\n`, 0o755);
  const set = [`[ "$1" = -s ] || exit 1`, `sed 's/[ =]/=/' "\${2:--}" >${variables}.new`];
  file(
    "bin/fw_setenv",
    `#!/bin/sh\n${set.join("\n")}\nfor name in $(cut -d= -f1 ${variables}.new); do sed -i "/^$name=/d" ${variables}; done\ncat ${variables}.new >>${variables}\n`,
    0o755,
  );
  file("etc/mender/mender.conf", JSON.stringify({ RootfsPartA: "/dev/sda2", RootfsPartB: "/dev/sda3" }));
  file("proc/self/mountinfo", "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n");
  file("proc/cmdline", "console=ttyS0 root=/dev/sda2 rw\n");
  for (const part of [2, 3]) {
    file(`dev/sda${part}`, "");
    truncateSync(join(root, `dev/sda${part}`), bytes);
    file(`sys/class/block/sda${part}/dev`, `8:${part}\n`);
    file(`sys/class/block/sda${part}/size`, `${bytes / 512}\n`);
  }
  copyFileSync(SHIPPED, join(root, "usr/share/mender/modules/v3/rootfs-image"));
  return root;
}

/** The most memory that all processes of a program took at once. */
async function peakOf(program: Program): Promise<number> {
  let peak = 0;
  let ended = false;
  void program.ended.then(() => {
    ended = true;
  });
  while (!ended) {
    peak = Math.max(peak, treePssKiB(program.child.pid ?? 0));
    await sleep(LOOK_MS);
  }
  return peak;
}

/** A rootfs update: our module writes the other partition; of the peer, which has to have disks, a module reads the stream. */
async function measureUpdate(way: Way, folder: string, server: QuietServer, imageBytes: number): Promise<number> {
  const place = join(folder, `update-${way.name}`);
  let program: Program;
  if (way.client === "upkeep") {
    const root = makeAbDevice(place, imageBytes);
    const wrapper = join(root, "bin/upkeep");
    const quoted = way.command.map((word) => `'${word}'`).join(" ");
    writeFileSync(wrapper, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
    const [command, ...args] = way.command;
    const environment = { PATH: `${join(root, "bin")}:${process.env.PATH}`, UPKEEP: wrapper };
    program = startProgram(command, [...args, "--root", root, "install", `${server.url}/artifact`], { environment });
  } else {
    const { program: command, args } = COMMANDS.mender(makeDevice(place), ["install", `${server.url}/artifact`]);
    program = startProgram(command, args);
  }
  const peak = await peakOf(program);
  if ((await program.ended) !== 0) throw new Error(`${way.name}: the installation failed:\n${program.output()}`);
  rmSync(place, { recursive: true, force: true });
  return peak;
}

/** One `upkeep check` that finds nothing, by the best of several. */
async function measureCheck(way: Way, folder: string, server: QuietServer): Promise<Partial<Footprint>> {
  const { root } = makeDevice(join(folder, `check-${way.name}`));
  writeFileSync(join(root, "etc/mender/mender.conf"), JSON.stringify({ ServerURL: server.url }));
  const identity = join(root, "usr/share/mender/identity/mender-device-identity");
  writeFileSync(identity, "#!/bin/sh\necho mac=02:00:5e:00:53:32\n", { mode: 0o755 });
  const [program, ...args] = way.command;
  const runs: { cpu: number; wall: number; bytes: number }[] = [];
  for (let run = 0; run < 6; run++) {
    const before = server.bytes;
    const report = join(root, "time");
    const timed = ["--format=%e %U %S", `--output=${report}`, program, ...args, "--root", root, "check"];
    const one = startProgram("/usr/bin/time", timed);
    if ((await one.ended) !== 0) throw new Error(`${way.name}: the check failed:\n${one.output()}`);
    const [wall = 0, user = 0, system = 0] = readFileSync(report, "utf8").trim().split(/\s+/).map(Number);
    runs.push({ cpu: user + system, wall, bytes: server.bytes - before });
  }
  // The first one makes the key, and sends the inventory.
  const empty = runs.slice(1);
  return {
    checkCpuSeconds: Math.min(...empty.map(({ cpu }) => cpu)),
    checkSeconds: Math.min(...empty.map(({ wall }) => wall)),
    checkWireBytes: Math.min(...empty.map(({ bytes }) => bytes)),
  };
}

/** Programs without a line of ours, which wait: what Node takes by itself, and what every daemon that asks a server has. */
const BARE = {
  "bare node": () => "setTimeout(() => {}, 2 ** 30)",
  "node, one GET": (url: string) =>
    `require("node:v8").setFlagsFromString("--no-opt");
     require("node:http").get("${url}/next", (answer) => answer.resume());
     setTimeout(() => {}, 2 ** 30);`,
} as const satisfies Record<string, (url: string) => string>;

async function measureBare(
  name: keyof typeof BARE,
  { folder, server, settleSeconds }: { folder: string; server: QuietServer; settleSeconds: number },
): Promise<Partial<Footprint>> {
  const copy = ownCopy(folder, name.replaceAll(/\W+/g, "-"), process.execPath);
  const program = startProgram(copy, ["-e", BARE[name](server.url)]);
  try {
    await sleep(settleSeconds * 1000);
    const pid = program.child.pid ?? 0;
    return { idlePssKiB: kibOf(pid, "Pss"), idlePrivateKiB: kibOf(pid, "Private_Clean", "Private_Dirty") };
  } finally {
    await program.stop("SIGKILL");
  }
}

/** What each agent costs a device, one after the other, each with a copy of its runtime. */
export async function measureFootprints(
  clients: readonly ClientName[],
  options: FootprintOptions,
): Promise<Readonly<Record<string, Footprint>>> {
  const { folder, sizeMiB, settleSeconds, singleExecutable } = options;
  const image = makeImage(folder, sizeMiB);
  const artifacts = { upkeep: join(folder, "footprint-rootfs.mender"), mender: join(folder, "footprint-drop.mender") };
  for (const [client, type] of [
    ["upkeep", "rootfs-image"],
    ["mender", "drop"],
  ] as const) {
    const flags = ["-T", type, "-n", "r2", "-t", DEVICE_TYPE, "-f", image, "-o", artifacts[client]];
    const args = [UPKEEP_SERVER, "artifact", "write", "module-image", ...flags, "--compression", "gzip"];
    measure({ program: process.execPath, args });
  }
  const ways: Way[] = [];
  if (clients.includes("mender")) ways.push({ name: "mender", client: "mender", command: ["mender"] });
  const node = ownCopy(folder, "node", process.execPath);
  ways.push({ name: "upkeep", client: "upkeep", command: [node, UPKEEP] });
  if (singleExecutable !== undefined && existsSync(singleExecutable)) {
    ways.push({ name: "single-executable", client: "upkeep", command: [ownCopy(folder, "single", singleExecutable)] });
  }
  const all: Record<string, Footprint> = {};
  for (const name of Object.keys(BARE) as (keyof typeof BARE)[]) {
    const server = await QuietServer.start(image);
    all[name] = { ...NOTHING, ...(await measureBare(name, { folder, server, settleSeconds })) };
    server.stop();
  }
  for (const way of ways) {
    const server = await QuietServer.start(artifacts[way.client]);
    try {
      const daemon = await measureDaemon(way, { folder, server, settleSeconds });
      const updatePssKiB = await measureUpdate(way, folder, server, sizeMiB * MIB);
      const sizes =
        way.client === "mender"
          ? installedPackage("mender-client")
          : sizesOfOurs(folder, way.name === "upkeep" ? undefined : singleExecutable);
      all[`${way.name} daemon`] = { ...NOTHING, ...daemon, ...sizes, updatePssKiB };
      if (way.client === "mender") continue;
      all[`${way.name} by timer`] = {
        ...NOTHING,
        idlePssKiB: 0,
        idlePrivateKiB: 0,
        ...sizes,
        updatePssKiB,
        ...(await measureCheck(way, folder, server)),
      };
    } finally {
      server.stop();
    }
  }
  return all;
}
