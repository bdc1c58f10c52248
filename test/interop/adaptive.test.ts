import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesOf } from "../shared/artifact/adaptive/support.ts";
import type { Program } from "../support/program.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer, requirePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const run = promisify(execFile);
const DEVICE_TYPE = "adaptive-board";
const MAC = "02:00:5e:00:53:21";
const ARTIFACTS = "/api/management/v1/deployments/artifacts";
/** Base64, so that it is text; it does not compress to less than the bytes it is made of. */
const CONTENT = bytesOf(300_000, 1).toString("base64");

interface ShownArtifact {
  readonly id: string;
  readonly adaptive?: { readonly state: string };
}

/** Asks for adaptive downloads in the client's name, and remembers what the server instructs. */
async function startAsking(
  target: string,
): Promise<{ readonly server: Server; readonly url: string; readonly answers: string[] }> {
  const answers: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, "x-upkeep-adaptive": "1", "accept-encoding": "identity" };
    const forwarded = request(
      new URL(incoming.url ?? "", target),
      { method: incoming.method ?? "", headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        const isPoll = incoming.url?.includes("/deployments/next") === true;
        if (isPoll) answer.on("data", (chunk: Buffer) => answers.push(chunk.toString()));
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers };
}

describePeer(
  ["mender", "mender-artifact", "mender-cli"],
  "adaptive downloads and the peers' programs, unmodified",
  () => {
    let folder: string;
    let server: RunningServer;
    let client: Program | undefined;
    let asking: Awaited<ReturnType<typeof startAsking>> | undefined;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "upkeep-adaptive-peers-"));
      server = await startServer(join(folder, "server"));
    });

    afterEach(async () => {
      await client?.stop();
      asking?.server.closeAllConnections();
      asking?.server.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function cli(...args: string[]): Promise<string> {
      const environment = { env: { ...process.env, HOME: folder } };
      return (await run(requirePeer("mender-cli"), ["--server", server.url, ...args], environment)).stdout;
    }

    /** Uploads as people do, and waits until the server has indexed it. */
    async function uploaded(destination: string): Promise<{ readonly path: string; readonly id: string }> {
      const file = { folder, deviceType: DEVICE_TYPE, destination, fileName: "app.bin", content: CONTENT };
      const path = makeSingleFileArtifact({ ...file, artifactName: "release-1" });
      await cli("login", "--username", server.email, "--password", server.password);
      await cli("artifacts", "upload", path);
      const id = await until("the artifact is indexed", async () => {
        const [shown] = await server.management.json<ShownArtifact[]>(ARTIFACTS);
        return shown?.adaptive?.state === "ready" ? shown.id : undefined;
      });
      return { path, id };
    }

    test("what mender-cli uploads is indexed, and mender-artifact reads it as before", async () => {
      const { path, id } = await uploaded("/tmp");
      expect(readdirSync(join(folder, "server/artifacts"))).toHaveLength(3);
      expect(await cli("artifacts", "list", "-d", "3")).toContain("Name: release-1");

      const { uri } = await server.management.json<{ readonly uri: string }>(`${ARTIFACTS}/${id}/download`);
      const stored = join(folder, "stored.mender");
      writeFileSync(stored, Buffer.from(await (await fetch(uri)).arrayBuffer()));
      expect(readFileSync(stored).equals(readFileSync(path))).toBe(true);
      expect(execFileSync("mender-artifact", ["validate", stored], { encoding: "utf8" })).toContain("validated");

      expect(await cli("artifacts", "delete", id)).toContain("delete successful");
      expect(readdirSync(join(folder, "server/artifacts"))).toEqual([]);
    });

    test("a mender-client that is offered one does not look at it: it installs the artifact", async () => {
      const destination = join(folder, "installed");
      mkdirSync(destination);
      await uploaded(destination);
      asking = await startAsking(server.url);
      const started = startMenderClient({ folder, serverUrl: asking.url, deviceType: DEVICE_TYPE, mac: MAC });
      client = started;
      const output = (): string => `${started.output()}\n--- server ---\n${server.program.output()}`;
      const device = await server.management.device("mac", MAC, output);
      await server.management.setStatus(device, "accepted");
      const deployment = await server.management.deploy("release-1", [device.id]);
      expect(await server.management.finished(deployment, output)).toMatchObject([
        { id: device.id, status: "success" },
      ]);
      expect(asking.answers.join("")).toContain('"adaptive":{"artifact_size"');
      const digest = (content: string | Buffer): string => createHash("sha256").update(content).digest("hex");
      expect(digest(readFileSync(join(destination, "app.bin")))).toBe(digest(CONTENT));
    });
  },
);
