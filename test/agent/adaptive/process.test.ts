import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { ArtifactPlan } from "@upkeep/shared/artifact/write";
import type { AdaptiveTransfer } from "@upkeep/shared/protocol";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createAgentRoot, startAgent } from "../../support/agent.ts";
import type { Program } from "../../support/program.ts";
import { RecordingProxy } from "../../support/recording-proxy.ts";
import { type RunningServer, startServer } from "../../support/server.ts";
import { until } from "../../support/waiting.ts";
import { AbDevice, loopDevicesWork, PARTITION_BYTES } from "../modules/rootfs-image/device.ts";
import { artifactBytes, sourceFile } from "../support/artifacts.ts";
import { noise } from "./support.ts";

const AGENT = join(import.meta.dirname, "../../../agent");
const SHIPPED = join(AGENT, "modules/shipped");
const DEVICE_TYPE = "adaptive-board";
const DEPLOYMENTS = "/api/management/v1/deployments";
const BOOTS = Buffer.from("this root file system boots");

let folder: string;
let server: RunningServer;
let devices = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "upkeep-adaptive-"));
  server = await startServer(join(folder, "server"), ["--auto-accept"]);
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function deviceRoot(root: string, type: string, config: Readonly<Record<string, unknown>>, to = server): string {
  devices += 1;
  const mac = `02:00:5e:19:00:${String(devices).padStart(2, "0")}`;
  createAgentRoot(root, { serverUrl: to.url, deviceType: DEVICE_TYPE, identity: { mac }, config });
  cpSync(join(SHIPPED, type), join(root, "usr/share/mender/modules/v3", type));
  return mac;
}

interface StartOptions {
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function start(root: string, { nodeFlags = [], environment = {} }: StartOptions = {}): Program {
  const agent = startAgent(root, {
    nodeFlags,
    environment: {
      UPKEEP: join(AGENT, "bin/upkeep.cjs"),
      PATH: `${join(root, "bin")}${delimiter}${process.env.PATH}`,
      ...environment,
    },
  });
  onTestFinished(async () => {
    await agent.stop("SIGKILL");
  });
  return agent;
}

/** Uploads an artifact, and waits until devices are offered adaptive downloads of it. */
async function upload(name: string, plan: Partial<ArtifactPlan>, to = server): Promise<void> {
  const path = join(folder, `${name}.mender`);
  const whole = { artifactName: name, deviceTypes: [DEVICE_TYPE], compression: "gzip", ...plan } as ArtifactPlan;
  writeFileSync(path, await artifactBytes(whole));
  const id = await to.management.upload(path);
  await until(
    `${name} is indexed`,
    async () => {
      const { adaptive } = await to.management.json<{ adaptive?: { state: string } }>(`${DEPLOYMENTS}/artifacts/${id}`);
      return adaptive?.state === "ready" || undefined;
    },
    { explain: to.program.output },
  );
}

/** A device with an application of 2 MB, of which the release `name` has 60,000 bytes more in the middle. */
async function outdated(name: string, config: Readonly<Record<string, unknown>> = {}) {
  const root = mkdtempSync(join(folder, "single-"));
  const destination = join(root, "opt");
  const application = join(destination, "application");
  mkdirSync(destination);
  const old = noise("old", 2_000_000);
  writeFileSync(application, old);
  const wanted = Buffer.concat([old.subarray(0, 900_000), noise(name, 60_000), old.subarray(900_000)]);
  const mac = deviceRoot(root, "single-file", config);
  await upload(name, {
    kind: "module-image",
    type: "single-file",
    files: [
      sourceFile("dest_dir", `${destination}\n`),
      sourceFile("filename", "application\n"),
      sourceFile("permissions", "755\n"),
      sourceFile("application", wanted),
    ],
  });
  return { root, mac, application, wanted };
}

interface Outcome {
  readonly status: string;
  readonly download?: AdaptiveTransfer;
}

async function outcome(deployment: string, explain: () => string, from = server): Promise<Outcome> {
  const [device] = await from.management.finished(deployment, explain);
  return device as unknown as Outcome;
}

describe("an agent and a server", () => {
  test("bring a file of which most is there already: only the rest is fetched", async () => {
    const { root, mac, application, wanted } = await outdated("single-2");
    const agent = start(root, { nodeFlags: ["--trace-opt"] });
    const { id } = await server.management.device("mac", mac, agent.output);
    const deployment = await server.management.deploy("single-2", [id]);
    const { status, download } = await outcome(deployment, agent.output);
    // V8 optimizes the loop over every byte of a seed, and nothing else, which would cost memory.
    const optimized = agent.output().matchAll(/completed optimizing \S+ <JSFunction (\S+)/g);
    expect(new Set([...optimized].map(([, name]) => name))).toEqual(new Set(["chunkLength"]));
    expect({ status, plain: download?.plain }, agent.output()).toEqual({ status: "success", plain: undefined });
    expect(readFileSync(application).equals(wanted)).toBe(true);
    expect(download?.needed).toBeGreaterThan(2_000_000);
    expect(download?.fetched).toBeLessThan(300_000);
    expect(download?.reused).toBeGreaterThan(1_700_000);
    expect(existsSync(join(root, "var/lib/mender/modules/v3/payloads/0000"))).toBe(false);
  });

  test("do so through a proxy, with a server that answers behind one that does not", async () => {
    const proxy = await RecordingProxy.start(server.url);
    onTestFinished(() => proxy.stop());
    const gone = { ServerURL: "http://127.0.0.1:9" };
    const servers = { ServerURL: undefined, Servers: [gone, { ServerURL: server.url }] };
    const { root, mac, application, wanted } = await outdated("single-3", servers);
    const agent = start(root, { environment: { http_proxy: proxy.url, no_proxy: "" } });
    const { id } = await server.management.device("mac", mac, agent.output);
    const deployment = await server.management.deploy("single-3", [id]);
    const { status, download } = await outcome(deployment, agent.output);
    expect({ status, plain: download?.plain }, agent.output()).toEqual({ status: "success", plain: undefined });
    expect(readFileSync(application).equals(wanted)).toBe(true);
    expect(download?.fetched).toBeLessThan(300_000);
    expect(proxy.exchanges.map(({ path }) => new URL(path).origin)).toContain(gone.ServerURL);
    const ranges = proxy.exchanges.filter(({ method, status }) => method === "GET" && status === 206);
    expect(ranges.length).toBeGreaterThan(0);
  });

  test("download plainly what is indexed when the server is started again with --no-adaptive", async () => {
    const root = mkdtempSync(join(folder, "plain-"));
    const data = join(root, "server");
    const application = noise("plain", 200_000);
    writeFileSync(join(root, "application"), application);
    const files = { dest_dir: `${root}\n`, filename: "application\n", permissions: "755\n", application };
    const plan: Partial<ArtifactPlan> = {
      kind: "module-image",
      type: "single-file",
      files: Object.entries(files).map(([name, content]) => sourceFile(name, content)),
    };
    const before = await startServer(data, ["--auto-accept"]);
    await upload("plain-2", plan, before).finally(() => before.stop());

    const plain = await startServer(data, ["--auto-accept", "--no-adaptive"], before);
    onTestFinished(() => plain.stop());
    const mac = deviceRoot(root, "single-file", {}, plain);
    const agent = start(root);
    const { id } = await plain.management.device("mac", mac, agent.output);
    const deployment = await plain.management.deploy("plain-2", [id]);
    const { status, download } = await outcome(deployment, agent.output, plain);
    expect({ status, download }, agent.output()).toEqual({ status: "success", download: undefined });
  });

  describe("with two root file systems", () => {
    const OLD = 2;
    const NEW = 3;
    const old = Buffer.concat([BOOTS, noise("old system", PARTITION_BYTES)]).subarray(0, PARTITION_BYTES);

    function abDevice(config: Readonly<Record<string, unknown>> = {}): { one: AbDevice; mac: string } {
      const one = new AbDevice("fw_setenv", {}, loopDevicesWork());
      one.writeFile(`dev/sda${OLD}`, old);
      one.program("reboot", `touch ${join(one.root, "rebooting")}; exec sleep 1000`);
      const partitions = { RootfsPartA: `/dev/sda${OLD}`, RootfsPartB: `/dev/sda${NEW}` };
      return { one, mac: deviceRoot(one.root, "rootfs-image", { ...partitions, ...config }) };
    }

    /** The power goes off and on when the agent has asked for it. */
    async function rebooted(one: AbDevice, agent: Program): Promise<Program> {
      await until("the device reboots", () => existsSync(join(one.root, "rebooting")) || undefined, {
        explain: agent.output,
      });
      await agent.stop("SIGKILL");
      rmSync(join(one.root, "rebooting"));
      one.reboot();
      return start(one.root);
    }

    test("bring a new system, of which the old one has most", async () => {
      const image = Buffer.concat([old.subarray(0, 2_000_000), noise("changed", 100_000), old.subarray(2_100_000)]);
      await upload("system-2", { kind: "rootfs-image", file: sourceFile("root.ext4", image) });
      const { one, mac } = abDevice();
      let agent = start(one.root);
      const { id } = await server.management.device("mac", mac, agent.output);
      const deployment = await server.management.deploy("system-2", [id]);
      agent = await rebooted(one, agent);
      const { status, download } = await outcome(deployment, agent.output);
      expect({ status, plain: download?.plain }, agent.output()).toEqual({ status: "success", plain: undefined });
      expect(one.content(NEW).equals(image)).toBe(true);
      expect(one.running).toBe(NEW);
      expect(download?.fetched).toBeLessThan(400_000);
    });

    test("go on where a download was interrupted, and fetch hardly anything twice", async () => {
      const image = Buffer.concat([old.subarray(0, 1_000_000), noise("more", 2_000_000), old.subarray(3_000_000)]);
      await upload("system-3", { kind: "rootfs-image", file: sourceFile("root.ext4", image) });
      const { one, mac } = abDevice({ DownloadKilobytesPerSecond: 400 });
      let agent = start(one.root);
      const { id } = await server.management.device("mac", mac, agent.output);
      const deployment = await server.management.deploy("system-3", [id]);
      await until(
        "half of it is written",
        () => one.content(NEW).includes(image.subarray(2_000_000, 2_001_000)) || undefined,
        {
          explain: agent.output,
        },
      );
      await agent.stop("SIGKILL");
      agent = await rebooted(one, start(one.root));
      const { status, download } = await outcome(deployment, agent.output);
      expect({ status, plain: download?.plain }, agent.output()).toEqual({ status: "success", plain: undefined });
      expect(one.content(NEW).equals(image)).toBe(true);
      // Of the second attempt: the first one had fetched a megabyte.
      expect(download?.fetched).toBeLessThan(1_300_000);
    });

    test("try again after a rollback, and fetch almost nothing", async () => {
      const image = Buffer.concat([
        Buffer.from("does not boot "),
        old.subarray(0, 2_000_000),
        noise("bad", 500_000),
        old,
      ]).subarray(0, PARTITION_BYTES);
      await upload("system-4", { kind: "rootfs-image", file: sourceFile("root.ext4", image) });
      const { one, mac } = abDevice();
      let agent = start(one.root);
      const { id } = await server.management.device("mac", mac, agent.output);
      for (const most of [900_000, 120_000]) {
        const deployment = await server.management.deploy("system-4", [id], `at most ${most}`);
        agent = await rebooted(one, agent);
        const { status, download } = await outcome(deployment, agent.output);
        expect(status, agent.output()).toBe("failure");
        expect(one.running).toBe(OLD);
        expect(download?.plain).toBeUndefined();
        expect(download?.fetched).toBeLessThan(most);
      }
    });
  });
});
