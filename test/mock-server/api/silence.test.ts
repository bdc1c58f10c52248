import { get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { DEPLOYMENTS, DEVICE_API, makeArtifact, TestServer } from "./fixture.ts";

const LIMIT_MS = 20_000_000;
/** More than what the sockets of both ends hold. */
const ARTIFACT_BYTES = 24 * 1024 * 1024;
const PART_BYTES = 12 * 1024 * 1024;

async function deploying(silentAfterSeconds: number) {
  const server = await TestServer.open({ autoAccept: true });
  await server.upload(await makeArtifact());
  const device = await server.device("1");
  const body = { name: "n", artifact_name: "release-1", devices: [device.id], silent_after: silentAfterSeconds };
  const answer = await server.manage(`${DEPLOYMENTS}/deployments`, { method: "POST", body });
  return { server, device, answer };
}

/** Takes `bytes` of a body, and no more. */
async function take(body: AsyncIterator<Buffer>, bytes: number): Promise<void> {
  for (let taken = 0; taken < bytes; ) {
    const { value } = await body.next();
    taken += (value as Buffer).length;
  }
}

test("Bytes of a download that a device takes are a sign of life; a download that broke is none", async () => {
  const { server, device } = await deploying(LIMIT_MS / 1000);
  server.resizeBlobs(ARTIFACT_BYTES);
  const { deployments } = server.domain;
  const next = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
  const { uri } = next.json<{ artifact: { source: { uri: string } } }>().artifact.source;
  const { pathname, search } = new URL(uri);
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = server.app.server.address() as AddressInfo;
  const answer = await new Promise<IncomingMessage>((resolve) => {
    get({ host: "127.0.0.1", port, path: pathname + search }, resolve);
  });
  expect(answer.statusCode).toBe(200);
  const body = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  server.system.nowMs += LIMIT_MS - 1;
  await take(body, PART_BYTES);
  server.system.nowMs += 1;
  expect(await deployments.failSilent()).toBe(0);
  answer.destroy();
  const connections = promisify(server.app.server.getConnections.bind(server.app.server));
  await expect.poll(connections).toBe(0);
  server.system.nowMs += LIMIT_MS;
  expect(await deployments.failSilent()).toBe(1);
});

test("A link names its device only where silence is limited, and nobody can exchange it", async () => {
  const { server, device } = await deploying(LIMIT_MS / 1000);
  const next = await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
  const { uri } = next.json<{ artifact: { source: { uri: string } } }>().artifact.source;
  const url = new URL(uri);
  expect(url.searchParams.get("x-men-device")).toBe(device.id);
  url.searchParams.set("x-men-device", "another");
  expect((await server.call(url.pathname + url.search)).statusCode).toBe(403);
  url.searchParams.delete("x-men-device");
  expect((await server.call(url.pathname + url.search)).statusCode).toBe(403);
});

test("A limit under which no client could keep alive is refused; one under the clients' defaults is warned of, by their names", async () => {
  const { answer: refused } = await deploying(35);
  expect(refused.statusCode).toBe(400);
  expect(refused.json<{ error: string }>().error).toContain("silent_after: must be at least 300 s, not 35 s");

  const { server, answer: warned } = await deploying(600);
  expect(warned.statusCode).toBe(201);
  const warning = String(warned.headers["x-upkeep-warning"]);
  for (const key of ["UpdatePollIntervalSeconds", "StateScriptTimeoutSeconds", "ModuleTimeoutSeconds"]) {
    expect(warning).toContain(key);
  }
  expect(server.logLines.join("")).toContain("ModuleTimeoutSeconds");

  const { answer } = await deploying(14_401);
  expect(answer.statusCode).toBe(201);
  expect(answer.headers).not.toHaveProperty("x-upkeep-warning");
});
