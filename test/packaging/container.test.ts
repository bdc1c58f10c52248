// The image of mock-server/Containerfile, built by buildah and run. Its base is made here, of Debian and of the Node
// that runs this test: no registry of images is needed.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { describePeer } from "../interop/peers.ts";
import { type Program, startProgram } from "../support/program.ts";
import { until } from "../support/waiting.ts";

const ROOT = join(import.meta.dirname, "../..");
const CONTAINERFILE = join(ROOT, "mock-server/Containerfile");
const BASE = "localhost/upkeep-test-base";
const IMAGE = "localhost/upkeep-server";
const LONG_MS = 1_500_000;
const BUILD = ["--isolation", "chroot", "--network", "host", "--pull-never", "--quiet"] as const;

let folder: string;
/** A process that keeps a network of its own, where nothing else listens. */
let network: ChildProcess;

/** @returns Standard output. @throws Error with all that the command has said, if it fails. */
async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
  return stdout.trim();
}

/** Images and containers of this test alone. */
const place = (): readonly string[] => ["--root", join(folder, "storage"), "--runroot", join(folder, "running")];
const buildah = (...args: readonly string[]): Promise<string> => run("buildah", ...place(), ...args);
const entering = (): readonly string[] => ["--net", "--target", String(network.pid)];

/** The files of this machine with which a build finds the same packages as this machine does. */
async function settings(): Promise<readonly string[]> {
  const npm = (key: string): Promise<string> => run("npm", "config", "get", key);
  const [everyones, certificates] = [await npm("globalconfig"), await npm("cafile")];
  const paths = [
    ["/etc/apt", "/etc/apt"],
    [await npm("userconfig"), "/root/.npmrc"],
    [everyones, everyones],
    [certificates, certificates],
  ] as const;
  // Without a value, npm says `null`.
  return paths.flatMap(([here, there]) => (existsSync(here) ? ["--volume", `${here}:${there}:ro`] : []));
}

/** A Debian with Node and npm where this machine has them: settings of npm that name places hold in it too. */
async function makeBase(): Promise<void> {
  const root = join(folder, "base");
  const [, suite = ""] = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
  await run("debootstrap", "--variant=minbase", "--include=ca-certificates,python3,make,g++", suite, root);
  await run("chroot", root, "apt-get", "clean");
  cpSync(process.execPath, join(root, process.execPath));
  const prefix = dirname(dirname(process.execPath));
  const npm = join(prefix, "lib/node_modules/npm");
  for (const path of [npm, join(prefix, "include/node")]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    cpSync(path, join(root, path), { recursive: true });
  }
  symlinkSync(join(npm, "bin/npm-cli.js"), join(root, prefix, "bin/npm"));
  const container = await buildah("from", "scratch");
  await buildah("add", "--quiet", container, root, "/");
  await buildah("commit", "--quiet", "--rm", container, BASE);
  rmSync(root, { recursive: true });
}

/** The program that a process has started, by way of others. */
function lastDescendant(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim());
  const [child] = children.join(" ").trim().split(" ");
  return child === undefined || child === "" ? pid : lastDescendant(Number(child));
}

const Image = z.object({
  OCIv1: z.object({
    config: z.object({
      User: z.string(),
      ExposedPorts: z.record(z.string(), z.unknown()),
      Entrypoint: z.array(z.string()),
      Cmd: z.array(z.string()),
      Volumes: z.record(z.string(), z.unknown()),
      StopSignal: z.literal("SIGTERM"),
    }),
  }),
  Docker: z.object({ config: z.object({ Healthcheck: z.object({ Test: z.array(z.string()) }) }) }),
});

/** It makes a Debian, compiles there and takes five minutes: `UPKEEP_CONTAINER=1 npx vitest run test/packaging/container`. */
const describeWanted = process.env.UPKEEP_CONTAINER
  ? (title: string, body: () => void) => describePeer(["buildah", "debootstrap"], title, body)
  : describe.skip;

describeWanted("the container of the server (UPKEEP_CONTAINER=1 runs it)", () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "upkeep-container-"));
    network = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (network.stdout !== null) await once(network.stdout, "data");
    await makeBase();
    const args = ["--format", "docker", "--build-arg", `NODE=${BASE}`, ...(await settings()), "--file", CONTAINERFILE];
    await buildah("build", ...BUILD, ...args, "--tag", IMAGE, ROOT);
  }, LONG_MS);

  afterAll(async () => {
    network.kill("SIGKILL");
    await buildah("rm", "--all");
    rmSync(folder, { recursive: true, force: true });
  });

  test("is built of the sources, without what was installed or built beside them", async () => {
    const everything = join(folder, "Containerfile");
    writeFileSync(everything, "FROM scratch\nCOPY . /\n");
    await buildah("build", ...BUILD, "--file", everything, "--tag", "localhost/sources", ROOT);
    const sources = await buildah("mount", await buildah("from", "--pull-never", "localhost/sources"));
    const paths = readdirSync(sources, { recursive: true, encoding: "utf8" });
    expect(paths).toEqual(
      expect.arrayContaining(["package-lock.json", "mock-server/cli/main.ts", "systemd/server/stage.mjs"]),
    );
    expect(paths.filter((path) => /(^|\/)(node_modules|dist|\.git|test)(\/|$)/.test(path))).toEqual([]);
  });

  test("runs without rights, is healthy, and keeps its data in a volume", async () => {
    const { OCIv1, Docker } = Image.parse(JSON.parse(await buildah("inspect", "--type", "image", IMAGE)));
    const { User, Entrypoint, Cmd, Volumes, ExposedPorts, StopSignal } = OCIv1.config;
    expect([User, Object.keys(Volumes), Object.keys(ExposedPorts)]).toEqual([
      ...["10001", ["/var/lib/upkeep-server"], ["8080/tcp"]],
    ]);
    const [kind, ...health] = Docker.config.Healthcheck.Test;
    expect(kind).toBe("CMD");
    const data = join(folder, "data");
    await run("install", "-d", "-m", "0700", "-o", "10001", data);
    /** What runs a command in a new container of the image, with the same volume. */
    const container = async (): Promise<readonly string[]> => [
      ...[...entering(), "buildah", ...place(), "run", "--isolation", "chroot"],
      ...["--volume", `${data}:/var/lib/upkeep-server`, await buildah("from", "--pull-never", IMAGE), "--"],
    ];
    const inside = async (...command: readonly string[]) => run("nsenter", ...(await container()), ...command);
    const serve = async (): Promise<Program> => {
      const server = startProgram("nsenter", [...(await container()), ...Entrypoint, ...Cmd]);
      const explain = server.output;
      await until("it listens", () => server.output().includes('"listening"') || undefined, { explain });
      return server;
    };
    /** As an engine does; buildah itself kills what it runs when it is told to end. */
    const stop = async (server: Program): Promise<void> => {
      process.kill(lastDescendant(server.child.pid ?? 0), StopSignal);
      expect(await server.ended, server.output()).toBe(0);
    };
    const users = [...Entrypoint, "user", "list", "--data", "/var/lib/upkeep-server"];

    const first = await serve();
    expect(first.output()).toContain("password:");
    await inside(...health);
    const before = await inside(...users);
    expect(before).toContain("admin@example.com");
    await stop(first);
    await expect(inside(...health)).rejects.toMatchObject({ code: 1 });

    const again = await serve();
    expect(again.output()).not.toContain("password:");
    expect(await inside(...users)).toBe(before);
    expect(await inside("id", "-u")).toBe("10001");
    expect(await run("stat", "--format=%u", join(data, "upkeep.sqlite"))).toBe("10001");
    await stop(again);
  });
});
