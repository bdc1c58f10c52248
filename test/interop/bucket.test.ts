import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAgentRoot, startAgent } from "../support/agent.ts";
import type { Program } from "../support/program.ts";
import { BUCKET, type RunningS3, S3_KEYS, startS3 } from "../support/s3.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { until } from "../support/waiting.ts";
import { startMenderClient } from "./mender-client.ts";
import { describePeer, requirePeer } from "./peers.ts";
import { makeSingleFileArtifact } from "./single-file.ts";

const run = promisify(execFile);
const DEVICE_TYPE = "interop-board";
const MAC = "02:00:5e:00:53:21";
const PREFIX = "fleets/one";
const MODULES = "/usr/share/mender/modules/v3";

describePeer(
  ["mender", "mender-artifact", "mender-cli"],
  "artifacts in a bucket: the server, the real clients and our agent",
  () => {
    let folder: string;
    let s3: RunningS3;
    let server: RunningServer;
    let device: Program | undefined;

    const output = (): string => `${device?.output()}\n--- server ---\n${server.program.output()}`;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "upkeep-bucket-"));
      mkdirSync(join(folder, "installed"));
      s3 = await startS3();
      vi.stubEnv("AWS_ACCESS_KEY_ID", S3_KEYS.accessKeyId);
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", S3_KEYS.secretAccessKey);
      const bucket = ["--blobs", `s3://${BUCKET}/${PREFIX}`, "--s3-endpoint", s3.endpoint, "--s3-path-style"];
      server = await startServer(join(folder, "server"), bucket);
    });

    afterEach(async () => {
      vi.unstubAllEnvs();
      await device?.stop();
      device = undefined;
      await server.stop();
      await s3.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Nothing that can be compressed, and more than one part. */
    const CONTENT = randomBytes(9 * 1024 * 1024).toString("base64");

    const artifact = (artifactName: string, content = CONTENT): string =>
      makeSingleFileArtifact({
        ...{ folder, artifactName, content, deviceType: DEVICE_TYPE },
        ...{ destination: join(folder, "installed"), fileName: "app.bin" },
      });

    async function uploadWithCli(path: string): Promise<void> {
      const cli = (...args: string[]) =>
        run(requirePeer("mender-cli"), ["--server", server.url, ...args], { env: { ...process.env, HOME: folder } });
      await cli("login", "--username", server.email, "--password", server.password);
      expect((await cli("artifacts", "upload", path)).stdout).toContain("upload successful");
    }

    async function rollOut(release: string): Promise<string> {
      const { management } = server;
      const pending = await management.device("mac", MAC, output);
      if (pending.status === "pending") await management.setStatus(pending, "accepted");
      const deployment = await management.deploy(release, [pending.id]);
      expect((await management.finished(deployment, output)).map(({ status }) => status)).toEqual(["success"]);
      return deployment;
    }

    /** Downloads by signed links, as the store saw them. */
    const downloads = () => s3.requests.filter(({ url }) => /X-Amz-Signature=.*x-id=GetObject/.test(url));

    function expectStraightFromStore(): void {
      expect(downloads().length).toBeGreaterThan(0);
      for (const { headers } of downloads()) expect(headers.authorization).toBeUndefined();
      expect(server.program.output()).not.toContain("download/artifact");
      // The keys stay with the server.
      expect(server.program.output()).not.toContain(S3_KEYS.secretAccessKey);
      expect(existsSync(join(folder, "server/artifacts"))).toBe(false);
    }

    test("mender-cli uploads, mender-client downloads straight from the store and tells it no token", async () => {
      await uploadWithCli(artifact("release-1"));
      const parts = s3.requests.filter(({ method, url }) => method === "PUT" && url.includes("partNumber="));
      expect(parts.length).toBeGreaterThan(1);
      expect(parts[0]?.url).toContain(`/${BUCKET}/${PREFIX}/`);
      device = startMenderClient({ folder, serverUrl: server.url, deviceType: DEVICE_TYPE, mac: MAC });
      await rollOut("release-1");
      expect(readFileSync(join(folder, "installed/app.bin"), "utf8")).toBe(CONTENT);
      expectStraightFromStore();
    });

    test("our agent does, and goes on in the store where a download broke off", async () => {
      await uploadWithCli(artifact("release-1"));
      let broken = 0;
      s3.answerInstead((request, response) => {
        // Not those of the server, which reads the artifact to index it.
        if (broken === 0 && /X-Amz-Signature=.*x-id=GetObject/.test(request.url ?? "") && request.method === "GET") {
          broken += 1;
          breakOffAfter(response, 4 * 1024 * 1024);
        }
        return false;
      });
      const root = join(folder, "device");
      createAgentRoot(root, { serverUrl: server.url, deviceType: DEVICE_TYPE, identity: { mac: MAC } });
      cpSync(join(MODULES, "single-file"), join(root, "usr/share/mender/modules/v3/single-file"));
      device = startAgent(root);
      await rollOut("release-1");
      expect(readFileSync(join(folder, "installed/app.bin"), "utf8")).toBe(CONTENT);
      expectStraightFromStore();
      expect(broken).toBe(1);
      const resumed = downloads().filter(({ headers }) => headers.range !== undefined);
      expect(resumed.length).toBeGreaterThan(0);
      for (const { headers } of resumed)
        expect(Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1])).toBeGreaterThan(0);
    });

    test("our agent fetches straight from the store what it does not have, by ranges", async () => {
      const root = join(folder, "device");
      createAgentRoot(root, { serverUrl: server.url, deviceType: DEVICE_TYPE, identity: { mac: MAC } });
      cpSync(join(MODULES, "single-file"), join(root, "usr/share/mender/modules/v3/single-file"));
      writeFileSync(join(folder, "installed/app.bin"), CONTENT);
      const changed = `${CONTENT.slice(0, 5_000_000)} changed ${CONTENT.slice(5_000_000)}`;
      await uploadWithCli(artifact("release-1", changed));
      await until("the artifact is indexed", async () => {
        const base = "/api/management/v1/deployments/artifacts";
        const [shown] = await server.management.json<{ adaptive?: { state: string } }[]>(base);
        return shown?.adaptive?.state === "ready" ? true : undefined;
      });
      device = startAgent(root);
      const deployment = await rollOut("release-1");
      expect(readFileSync(join(folder, "installed/app.bin"), "utf8")).toBe(changed);
      expectStraightFromStore();
      const [cost] = await server.management.json<{ download?: { needed: number; fetched: number } }[]>(
        `/api/management/v1/deployments/deployments/${deployment}/devices`,
      );
      expect(cost?.download).not.toHaveProperty("plain");
      expect(cost?.download?.fetched).toBeLessThan((cost?.download?.needed ?? 0) / 20);
      expect(downloads().some(({ headers }) => headers.range !== undefined)).toBe(true);
    });

    test("an artifact is uploaded to the store itself, checked, deployed; and deleted from it", async () => {
      const path = artifact("release-1", "colour=green\n");
      const content = readFileSync(path);
      const base = "/api/management/v1/deployments/artifacts";
      const { management } = server;
      const link = await (await management.call("POST", `${base}/directupload`)).json();
      const { id, uri, method } = link as { id: string; uri: string; method: string };
      expect(uri).toMatch(`${s3.endpoint}/${BUCKET}/${PREFIX}/`);
      expect((await fetch(uri, { method, body: content })).status).toBe(200);
      expect((await management.call("POST", `${base}/directupload/${id}/complete`)).status).toBe(202);
      expect(await management.json(`${base}/${id}`)).toMatchObject({ size: statSync(path).size, name: "release-1" });
      // Whoever still has the link changes nothing any more.
      await fetch(uri, { method, body: "nonsense" });
      const { uri: read } = await management.json<{ uri: string }>(`${base}/${id}/download`);
      expect(Buffer.from(await (await fetch(read)).arrayBuffer()).equals(content)).toBe(true);
      device = startMenderClient({ folder, serverUrl: server.url, deviceType: DEVICE_TYPE, mac: MAC });
      await rollOut("release-1");
      expectStraightFromStore();
      await management.call("DELETE", `${base}/${id}`);
      expect((await fetch(read)).status).toBe(404);
    });

    test("a server on other records does not take the same place", async () => {
      const bucket = ["--blobs", `s3://${BUCKET}/${PREFIX}`, "--s3-endpoint", s3.endpoint, "--s3-path-style"];
      await expect(startServer(join(folder, "other"), bucket)).rejects.toThrow(
        /--blobs s3:\/\/artifacts\/fleets\/one\/: other records keep their artifacts there: choose another prefix/,
      );
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "wrong");
      await expect(startServer(join(folder, "other"), bucket)).rejects.toThrow(/cannot be used: SignatureDoesNotMatch/);
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "");
      await expect(startServer(join(folder, "other"), bucket)).rejects.toThrow(
        /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set/,
      );
    });
  },
);

/** Cut an answer's connection after so many bytes of its body. */
function breakOffAfter(response: ServerResponse, bytes: number): void {
  const write = response.write.bind(response);
  let written = 0;
  response.write = ((chunk: Uint8Array, ...rest: []) => {
    written += chunk.length;
    if (written > bytes) {
      response.destroy();
      return false;
    }
    return write(chunk, ...rest);
  }) as typeof response.write;
}
