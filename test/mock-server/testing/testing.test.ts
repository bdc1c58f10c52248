import { setupServer } from "msw/node";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { StartOptions, TestServer } from "../../../mock-server/testing/face.ts";
import { startServer } from "../../../mock-server/testing/index.ts";
import { handlers } from "../../../mock-server/testing/msw.ts";
import { TestDevice } from "../domain-fixture.ts";

const LOGIN = "/api/devices/v1/authentication/auth_requests";
const POLL = "/api/devices/v2/deployments/device/deployments/next";

type Fetch = (request: Request) => Promise<Response>;

async function started(options?: StartOptions): Promise<TestServer> {
  const server = await startServer(options);
  onTestFinished(() => server.close());
  return server;
}

async function logIn(server: TestServer, ask: Fetch, mac = "02:00:00:00:00:01"): Promise<string | undefined> {
  const { body, signature } = new TestDevice(JSON.stringify({ mac })).request();
  const answer = await ask(
    new Request(server.url + LOGIN, {
      method: "POST",
      headers: { "content-type": "application/json", "x-men-signature": signature },
      body: Buffer.from(body).toString("utf8"),
    }),
  );
  return answer.ok ? await answer.text() : undefined;
}

function poll(server: TestServer, ask: Fetch, token = ""): Promise<Response> {
  return ask(
    new Request(server.url + POLL, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ device_provides: { device_type: "board", artifact_name: "factory" } }),
    }),
  );
}

async function updates(server: TestServer, ask: Fetch): Promise<void> {
  expect(await logIn(server, ask)).toBeUndefined();
  expect(await server.acceptAll()).toBe(1);
  const [device] = await server.devices();
  expect(device).toMatchObject({ status: "accepted", identity: { mac: "02:00:00:00:00:01" } });
}

describe("a server inside a test", () => {
  let server: TestServer;
  const ask: Fetch = (request) => fetch(request);

  beforeEach(async () => {
    server = await startServer({ autoAccept: true });
  });

  afterEach(() => server.close());

  test("listens, deploys what was uploaded, and hands it out", async () => {
    const token = await logIn(server, ask);
    const bytes = await server.makeArtifact({ name: "v2", deviceTypes: ["board"] });
    await server.uploadArtifact(bytes);
    const deployment = await server.createDeployment({ release: "v2" });
    const answer = await poll(server, ask, token);
    const { id, artifact } = (await answer.json()) as { id: string; artifact: { source: { uri: string } } };
    expect(id).toBe(deployment);
    expect(Buffer.from(await (await fetch(artifact.source.uri)).arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    const [device] = await server.devices();
    expect(await server.deploymentDevices(deployment)).toMatchObject([{ id: device?.id, status: "pending" }]);
    expect(server.requests.list().map(({ kind, status }) => `${kind} ${status}`)).toEqual([
      "auth 200",
      "poll 200",
      "download 200",
    ]);
    expect(await server.management("GET", "/api/management/v1/deployments/artifacts")).toHaveLength(1);
    await expect(server.management("GET", "/api/management/v1/nothing")).rejects.toThrow("answered 404");
  });

  test("misbehaves, goes by a clock of the test's, and becomes as it was", async () => {
    const token = await logIn(server, ask);
    const fault = server.faults.add({ answer: { status: 503 }, to: "poll", count: 1 });
    expect((await poll(server, ask, token)).status).toBe(503);
    expect((await poll(server, ask, token)).status).toBe(204);
    expect(server.faults.list()).toEqual([{ ...fault, happened: 1 }]);
    expect(() => server.faults.add({ rain: true })).toThrow(/rain/);
    server.clock.freeze();
    const before = server.clock.now();
    await server.clock.advance("1h30m");
    await server.clock.advance(1000);
    expect(server.clock.now() - before).toBe(5_401_000);
    await server.clock.advance("7d");
    expect((await poll(server, ask, token)).status).toBe(401);
    server.clock.set("2031-05-01T12:00:00Z");
    expect(new Date(server.clock.now()).toISOString()).toBe("2031-05-01T12:00:00.000Z");
    expect(() => server.clock.set("noon")).toThrow(/must be a time as RFC 3339 has it/);
    await expect(async () => server.clock.advance("soon")).rejects.toThrow(/no duration/);
    await server.snapshots.take("one");
    await server.uploadArtifact({ name: "v2", deviceTypes: ["board"] });
    await server.snapshots.restore("one");
    expect(await server.management("GET", "/api/management/v1/deployments/artifacts")).toEqual([]);
    await server.reset();
    expect(await server.devices()).toEqual([]);
    expect([server.faults.list(), server.clock.frozen]).toEqual([[], false]);
  });

  test("tells when a request comes, and which came when it does not", async () => {
    const waiting = server.requests.waitFor(({ kind }) => kind === "poll");
    await logIn(server, ask);
    await poll(server, ask);
    expect(await waiting).toMatchObject({ kind: "poll", status: 401 });
    expect(await server.requests.waitFor(({ kind }) => kind === "auth")).toMatchObject({ status: 200 });
    await expect(server.requests.waitFor(({ kind }) => kind === "log", 10)).rejects.toThrow(
      "no such request came within 10 ms; the last were auth 200, poll 401",
    );
  });

  test("lets one accept devices, and their tokens end", async () => {
    const closed = await started();
    await updates(closed, ask);
    const token = await logIn(server, ask, "02:00:00:00:00:02");
    expect(await server.expireTokens("02:00:00:00:00:02")).toBe(1);
    expect((await poll(server, ask, token)).status).toBe(401);
  });

  test("is gone when it is closed, also while a device waits for an answer", async () => {
    const token = await logIn(server, ask);
    server.faults.add({ delayed_answer: "1h", to: "poll" });
    const waiting = poll(server, ask, token);
    waiting.catch(() => undefined);
    await expect.poll(() => server.faults.list()[0]?.happened).toBe(1);
    await server.close();
    await server.close();
    await expect(waiting).rejects.toThrow("fetch failed");
    await expect(fetch(server.url)).rejects.toThrow("fetch failed");
  });
});

describe("without a socket", () => {
  test("requests are answered as over one, streams and broken connections as well", async () => {
    const server = await started({ listen: false, autoAccept: true });
    expect(server.url).toBe("http://upkeep.test");
    const ask: Fetch = (request) => server.handle(request);
    const token = await logIn(server, ask);
    await server.uploadArtifact({ name: "v2", deviceTypes: ["board"], files: { large: Buffer.alloc(2_000_000) } });
    await server.createDeployment({ release: "v2" });
    const { artifact } = (await (await poll(server, ask, token)).json()) as { artifact: { source: { uri: string } } };
    expect(artifact.source.uri.startsWith("http://upkeep.test/")).toBe(true);
    const whole = await ask(new Request(artifact.source.uri));
    expect((await whole.arrayBuffer()).byteLength).toBeGreaterThan(2_000_000);
    server.faults.add({ cut_download: { at: "1 MB" } });
    const cut = await ask(new Request(artifact.source.uri));
    await expect(cut.arrayBuffer()).rejects.toThrow();
    server.faults.add({ link_down: true });
    await expect(poll(server, ask, token)).rejects.toThrow(TypeError);
  });

  test("msw hands everything to it that is sent to its URL", async () => {
    const server = await started({ listen: false, url: "https://updates.example.com/", autoAccept: true });
    const network = setupServer(...handlers(server));
    network.listen({ onUnhandledRequest: "error" });
    onTestFinished(() => network.close());
    const ask: Fetch = (request) => fetch(request);
    const token = await logIn(server, ask);
    await server.uploadArtifact({ name: "v2", deviceTypes: ["board"] });
    await server.createDeployment({ release: "v2" });
    const { artifact } = (await (await poll(server, ask, token)).json()) as { artifact: { source: { uri: string } } };
    expect(artifact.source.uri).toMatch(/^https:\/\/updates\.example\.com\//);
    expect((await fetch(artifact.source.uri)).status).toBe(200);
    server.faults.add({ link_down: true, count: 1 });
    await expect(poll(server, ask, token)).rejects.toThrow("Failed to fetch");
    await expect(fetch("https://elsewhere.example.com/")).rejects.toThrow();
  });
});
