import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentRoot, startAgent } from "../../support/agent.ts";
import { canMount } from "../../support/mounted.ts";
import { type Program, startProgram } from "../../support/program.ts";
import { until } from "../../support/waiting.ts";
import { copyArtifact, createDevice, softwareOf, UPKEEP, upkeep } from "../cli/device.ts";
import { type Answer, artifact, inTurn, json, SupportServer, silence, status } from "../support-server/server.ts";
import { temporaryDirectory } from "../system/directory.ts";

const ONE_FILE = join(import.meta.dirname, "../../../agent/dist/upkeep.cjs");
const directory = temporaryDirectory();
const programs: Program[] = [];
let server: SupportServer;
let root: string;
let count = 0;

beforeEach(async () => {
  server = await SupportServer.start();
  root = join(directory, String(++count));
  device();
});

afterEach(async () => {
  for (const program of programs.splice(0)) await program.stop("SIGKILL");
  await server.stop();
});

function device(config: AgentRoot["config"] = {}): void {
  createDevice(root, server.url, config);
  writeFileSync(join(root, "software"), "before");
}

function start(environment: Record<string, string> = {}): Program {
  const program = startAgent(root, { environment });
  programs.push(program);
  return program;
}

/** The server offers `content` as deployment d1, so often. */
function offer(content: Answer, times = 1): void {
  server.on("/r2.mender", content);
  const instructions = { id: "d1", artifact: { artifact_name: "r2", source: { uri: `${server.url}/r2.mender` } } };
  server.on(DEVICE_PATHS.nextV2, inTurn(...Array.from({ length: times }, () => json(instructions)), status(204)));
}

const reported = (): string[] =>
  server.seen(DEVICE_PATHS.status("d1")).map(({ body }) => (JSON.parse(body) as { status: string }).status);

const logged = (): string =>
  server
    .seen(DEVICE_PATHS.log("d1"))
    .map(({ body }) => body)
    .join("\n");

const finished = () => server.until(() => /success|failure/.test(reported().at(-1) ?? ""));

describe("the daemon as a process", () => {
  it("installs what the server offers, over a connection that breaks again and again", async () => {
    const content = randomBytes(400_000);
    const bytes = await copyArtifact("r2", content);
    offer(artifact(bytes, 150_000));
    start();
    await finished();
    expect(reported()).toEqual(["downloading", "installing", "installing", "success"]);
    expect(server.seen("/r2.mender").map(({ headers }) => headers.range)).toEqual([
      undefined,
      `bytes=150000-${bytes.length - 1}`,
      `bytes=300000-${bytes.length - 1}`,
    ]);
    expect(readFileSync(join(root, "software")).equals(content)).toBe(true);
    // Before the commit the new software has proved that it can log in.
    expect(server.seen(DEVICE_PATHS.authRequests)).toHaveLength(2);
    await server.until(() => server.seen(DEVICE_PATHS.inventory).length === 2);
    expect(server.seen(DEVICE_PATHS.inventory)[1]?.body).toContain('{"name":"artifact_name","value":"r2"}');
    expect(server.seen(DEVICE_PATHS.log("d1"))).toEqual([]);
  });

  it("ends after SIGHUP if another program lies in its place, even one of the same size and time", async () => {
    const program = join(root, "upkeep.cjs");
    const install = (path: string): void => {
      copyFileSync(ONE_FILE, path);
      utimesSync(path, 0, 0);
    };
    install(program);
    const agent = startProgram(process.execPath, [program, "--root", root, "daemon"]);
    programs.push(agent);
    await until("it runs", () => (agent.output().includes("the daemon has started") ? true : undefined));
    install(`${program}.new`);
    renameSync(`${program}.new`, program);
    agent.child.kill("SIGHUP");
    expect(await agent.ended).toBe(0);
    expect(agent.output()).toContain("another version of its program was installed");
  });

  it("goes on with its work when tokens are revoked in the middle of it", async () => {
    offer(artifact(await copyArtifact("r2", "after")));
    server.on(DEVICE_PATHS.status("d1"), inTurn(status(401), status(204), status(401), status(204)));
    start();
    await finished();
    expect(reported()).toEqual(["downloading", "downloading", "installing", "installing", "installing", "success"]);
    expect(softwareOf(root)).toBe("after");
  });

  it.each<[string, () => Promise<Answer>, RegExp]>([
    [
      "a server that sends another object when the download goes on",
      async () => {
        const bytes = await copyArtifact("r2", randomBytes(100_000));
        return inTurn(artifact(bytes, 50_000), artifact(await copyArtifact("r2", randomBytes(100_000))));
      },
      /after 50000 bytes the server has another object under the same link: etag was/,
    ],
    [
      "a link that has expired",
      async () => status(403),
      /the server answered 403 \(the link has expired or is refused\)/,
    ],
    [
      "a server that goes on failing",
      async () =>
        inTurn(artifact(await copyArtifact("r2", randomBytes(100_000)), 50_000), status(502, "<h1>Bad Gateway</h1>")),
      /given up after 2 tries in a row that brought nothing, at byte 50000 of \d+: .*502: Bad Gateway/,
    ],
    [
      "a server that hangs",
      async () => inTurn(artifact(await copyArtifact("r2", randomBytes(100_000)), 50_000), silence),
      /given up after 2 tries in a row .*sent and took nothing for 1 s/,
    ],
    [
      "an artifact that ends too early",
      async () => artifact((await copyArtifact("r2", randomBytes(100_000))).subarray(0, 60_000)),
      /./,
    ],
    [
      "an artifact for another device",
      async () => artifact(await copyArtifact("r2", "x", "other")),
      /is not for this device/,
    ],
  ])(
    "reports %s as a failure, with its reason, and the device runs what it ran before",
    async (_name, answer, reason) => {
      device({ RetryDownloadCount: 2, RetryPollIntervalSeconds: 1, ConnectionIdleSeconds: 1 });
      offer(await answer());
      start();
      await finished();
      expect(reported()).toEqual(["downloading", "failure"]);
      await server.until(() => logged() !== "");
      const { messages } = JSON.parse(logged()) as { messages: { level: string; message: string }[] };
      expect(
        messages
          .filter(({ level }) => level === "error")
          .map(({ message }) => message)
          .join("\n"),
      ).toMatch(reason);
      expect(softwareOf(root)).toBe("before");
      expect(upkeep(root, "show-artifact").stdout).toBe("unknown\n");
    },
  );

  it.each([
    ["downloads it again after its restart", 2, ["installing", "installing", "success"]],
    ["reports one failure after its restart, if it is not offered any more", 1, ["failure"]],
  ])("killed in the middle of a download, %s", async (_name, offered, reports) => {
    const bytes = await copyArtifact("r2", randomBytes(100_000));
    const half: Answer = (response) => {
      response.writeHead(200, { "content-length": bytes.length, etag: '"x"' }).write(bytes.subarray(0, 50_000));
    };
    offer(inTurn(half, artifact(bytes)), offered);
    const first = start();
    await server.until(() => server.seen("/r2.mender").length === 1);
    expect(await first.stop("SIGKILL")).toBe("SIGKILL");
    start();
    await finished();
    expect(reported()).toEqual(["downloading", "downloading", ...reports]);
    expect(softwareOf(root) === "before").toBe(offered === 1);
  });

  it("polls and sends the inventory when it is told to, and stops when it is told to", async () => {
    const program = start();
    const polls = () => server.seen(DEVICE_PATHS.nextV2).length;
    await server.until(() => polls() === 1);
    expect(upkeep(root, "check-update")).toMatchObject({
      code: 0,
      stdout: `The daemon (process ${program.child.pid}) asks for an update now.\n`,
    });
    await server.until(() => polls() === 2);
    // Something new to tell, or there would be nothing to send.
    const script = join(root, "usr/share/mender/inventory/mender-inventory-new");
    mkdirSync(join(script, ".."), { recursive: true });
    writeFileSync(script, "#!/bin/sh\necho colour=blue\n", { mode: 0o755 });
    expect(upkeep(root, "send-inventory").code).toBe(0);
    await server.until(() => server.seen(DEVICE_PATHS.inventory).length === 2);
    expect(server.seen(DEVICE_PATHS.inventory)[1]?.body).toContain('{"name":"colour","value":"blue"}');
    const second = upkeep(root, "daemon");
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`process ${program.child.pid}) is at work with`),
    });
    expect(await program.stop("SIGTERM")).toBe(0);
    const [lock = "", ...others] = readdirSync(join(root, "run/upkeep"));
    expect([readdirSync(join(root, "run/upkeep", lock)), others]).toEqual([[], []]);
    expect(upkeep(root, "check-update").code).toBe(1);
  });

  it("goes on polling while the device is not accepted, and says so", async () => {
    device({ UpdatePollIntervalSeconds: 1, RetryPollIntervalSeconds: 1 });
    server.on(DEVICE_PATHS.authRequests, inTurn(status(401), status(401), status(200, "token")));
    const program = start();
    await server.until(() => server.seen(DEVICE_PATHS.nextV2).length > 0);
    expect(program.output()).toContain("does not accept this device (yet)");
  });
});

/** What the daemon was asked to end in the middle of, and which would last longer than systemd waits. */
describe("SIGTERM ends the daemon at once", () => {
  const silent: Server[] = [];

  afterEach(() => {
    for (const server of silent.splice(0)) server.close();
  });

  it("while a proxy does not answer", async () => {
    const proxy = createServer((socket) => socket.resume());
    silent.push(proxy);
    const connected = once(proxy, "connection");
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    device({ ServerURL: "https://updates.example" });
    const program = start({ https_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
    await connected;
    expect(await program.stop("SIGTERM")).toBe(0);
  });

  it("while inventory programs run that do not end", async () => {
    const directory = join(root, "usr/share/mender/inventory");
    mkdirSync(directory, { recursive: true });
    const fifo = join(root, "started");
    execFileSync("mkfifo", [fifo]);
    for (let count = 0; count < 9; count++) {
      const program = join(directory, `mender-inventory-${count}`);
      writeFileSync(program, `#!/bin/sh\necho > ${fifo}; sleep 600\n`, { mode: 0o755 });
    }
    const program = start();
    await readFile(fifo);
    expect(await program.stop("SIGTERM")).toBe(0);
  });

  it.skipIf(!process.env.CI && !canMount())("while a name server does not answer", async () => {
    const nameServer = createSocket("udp4").bind(53, "127.53.53.53");
    const asked = once(nameServer, "message");
    await once(nameServer, "listening");
    const file = join(root, "resolv.conf");
    writeFileSync(file, "nameserver 127.53.53.53\noptions timeout:30 attempts:5\n");
    device({ ServerURL: "http://updates.example" });
    const own = ["--mount", "--", "sh", "-c", `mount --bind "${file}" /etc/resolv.conf && exec "$@"`, "sh"];
    const program = startProgram("unshare", [...own, process.execPath, UPKEEP, "--root", root, "daemon"]);
    programs.push(program);
    await asked;
    // The look-up holds a thread of Node's, which only a signal ends.
    expect(await program.stop("SIGTERM")).toBe("SIGTERM");
    nameServer.close();
  });
});
