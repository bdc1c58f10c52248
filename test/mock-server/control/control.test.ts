import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { makeArtifact, multipart } from "../api/fixture.ts";
import { CONTROL, Running, type WireDevice } from "./running.ts";

const DEPLOYMENTS = "/api/management/v1/deployments";

let server: Running;
let device: WireDevice;

beforeEach(async () => {
  server = await Running.start();
  device = server.device("02:00:00:00:00:01");
  await device.logIn();
});

async function upload(name: string, content = "hello\n"): Promise<void> {
  const { body, headers } = multipart([["artifact", await makeArtifact({ name, content })]]);
  const answer = await fetch(`${server.url}${DEPLOYMENTS}/artifacts`, {
    method: "POST",
    headers,
    body: new Uint8Array(body),
  });
  expect(answer.status).toBe(201);
}

async function deploy(name: string): Promise<string> {
  const body = { name: `to ${name}`, artifact_name: name, all_devices: true };
  const answer = await server.call("POST", `${DEPLOYMENTS}/deployments`, body);
  expect(answer.status).toBe(201);
  return answer.headers.get("location")?.split("/").at(-1) ?? "";
}

const names = async (): Promise<unknown> =>
  ((await server.call("GET", `${DEPLOYMENTS}/artifacts`)).json as { name: string }[]).map(({ name }) => name);

describe("faults", () => {
  test("strike requests of a kind and a device, so many times, and can be listed and switched off", async () => {
    const other = server.device("02:00:00:00:00:02");
    await other.logIn();
    await server.control("POST", "/faults", {
      answer: { status: 503, retry_after: "30s" },
      to: "poll",
      devices: [device.mac],
      count: 2,
    });
    const first = await device.poll();
    expect([first.status, first.headers.get("retry-after")]).toEqual([503, "30"]);
    expect((await other.poll()).status).toBe(204);
    expect((await device.logIn()).status).toBe(200);
    expect((await device.poll()).status).toBe(503);
    expect((await device.poll()).status).toBe(204);
    expect(await server.control("GET", "/faults")).toEqual([
      { id: 1, fault: expect.objectContaining({ to: "poll", count: 2 }), happened: 2 },
    ]);
    await server.control("POST", "/faults", { answer: { status: 500 } });
    expect((await device.poll()).status).toBe(500);
    await server.control("DELETE", "/faults/2");
    expect((await device.poll()).status).toBe(204);
    await server.control("POST", "/faults", { answer: { status: 500 } });
    await server.control("DELETE", "/faults");
    expect((await device.poll()).status).toBe(204);
    expect(await server.control("GET", "/faults")).toEqual([]);
  });

  test("of answers: 401 without a body, malformed, empty, truncated, and a connection that breaks", async () => {
    await upload("v2");
    await deploy("v2");
    const once = (fault: object) => server.control("POST", "/faults", { ...fault, to: "poll", count: 1 });
    await once({ answer: { status: 401 } });
    const refused = await device.poll();
    expect([refused.status, refused.text]).toEqual([401, ""]);
    await once({ malformed_answer: true });
    const malformed = await device.poll();
    expect([malformed.status, malformed.json]).toEqual([200, undefined]);
    expect(malformed.text).not.toBe("");
    await once({ empty_answer: true });
    expect((await device.poll()).text).toBe("");
    await once({ truncated_answer: "10 B" });
    await expect(device.poll()).rejects.toThrow();
    await once({ link_down: true });
    await expect(device.poll()).rejects.toThrow();
    await once({ lossy: { lose: "answer", by: "reset" } });
    await expect(device.poll()).rejects.toThrow();
    expect((await device.poll()).status).toBe(200);
  });

  test("during a status of the device's deployment", async () => {
    await upload("v2");
    const deployment = await deploy("v2");
    await server.control("POST", "/faults", { answer: { status: 500 }, to: "status", during: "installing" });
    await device.poll();
    expect((await device.report(deployment, "downloading")).status).toBe(204);
    expect((await device.report(deployment, "installing")).status).toBe(500);
    await server.control("DELETE", "/faults");
    expect((await device.report(deployment, "installing")).status).toBe(204);
  });

  test("of downloads: cut, another object, and a link that has expired", async () => {
    await upload("v2", "x".repeat(100_000));
    await deploy("v2");
    const link = async (): Promise<string> =>
      ((await device.poll()).json as { artifact: { source: { uri: string } } }).artifact.source.uri;
    const uri = await link();
    const whole = Buffer.from(await (await fetch(uri)).arrayBuffer());
    await server.control("POST", "/faults", { cut_download: { at: "50 KB" }, devices: [device.mac], count: 1 });
    const cut = await fetch(uri);
    let received = 0;
    await expect(
      (async () => {
        for await (const chunk of cut.body ?? []) received += (chunk as Uint8Array).length;
      })(),
    ).rejects.toThrow();
    expect([received, cut.headers.get("content-length")]).toEqual([50_000, String(whole.length)]);
    await server.control("POST", "/faults", { changed_object: true, count: 1 });
    const changed = await fetch(uri);
    expect(changed.headers.get("etag")).not.toBe(cut.headers.get("etag"));
    const other = Buffer.from(await changed.arrayBuffer());
    expect([other.length, other.equals(whole)]).toEqual([whole.length, false]);
    await server.control("POST", "/faults", { expired_link: true, count: 1 });
    expect((await fetch(uri)).status).toBe(403);
    expect((await fetch(uri)).status).toBe(200);
    await server.control("POST", "/faults", { bad_artifact: "truncated", count: 1 });
    const truncated = Buffer.from(await (await fetch(uri)).arrayBuffer());
    expect(truncated.length).toBe(Math.ceil(whole.length * 0.8));
  });

  test("a delayed answer waits for the server's clock", async () => {
    await server.control("POST", "/clock/freeze");
    await server.control("POST", "/faults", { delayed_answer: "1h", to: "poll", count: 1 });
    let answered = false;
    const asked = device.poll().then((answer) => {
      answered = true;
      return answer;
    });
    await expect.poll(() => server.control("GET", "/faults")).toEqual([expect.objectContaining({ happened: 1 })]);
    await server.control("POST", "/clock/advance", { by: "59m" });
    expect(answered).toBe(false);
    await server.control("POST", "/clock/advance", { by: "1m" });
    expect((await asked).status).toBe(204);
  });

  test("that make no sense are refused by name", async () => {
    const refusal = async (body: unknown): Promise<unknown> => {
      const answer = await server.call("POST", `${CONTROL}/faults`, body);
      return [answer.status, (answer.json as { error: string }).error];
    };
    expect(await refusal({ answer: { status: 42 } })).toEqual([400, expect.stringContaining("answer.status")]);
    expect(await refusal({ power_cut: { during: "ArtifactInstall" } })).toEqual([
      400,
      "power_cut is not possible here: the power of the device is not in our hands",
    ]);
    expect(await refusal({ dns_failure: true })).toEqual([400, expect.stringContaining("not possible here")]);
    expect(await refusal({ bad_artifact: "unsigned" })).toEqual([400, expect.stringContaining("upload such an")]);
    expect(await refusal({ slow: "1 KB/s", while: "ArtifactInstall" })).toEqual([
      400,
      expect.stringMatching(/^while:/),
    ]);
    expect(await refusal({ rain: true })).toEqual([400, expect.stringContaining("rain")]);
  });
});

describe("the clock", () => {
  test("stands still, is moved and set, and goes on; tokens and links expire by it", async () => {
    await upload("v2");
    await deploy("v2");
    for (const now of ["2031-05-01T12:00", "2031-05-01T12:00Z", "2031-02-30T12:00:00Z"]) {
      await expect(server.control("PUT", "/clock", { now })).rejects.toThrow("RFC 3339");
    }
    await server.control("PUT", "/clock", { now: "2031-05-01T12:00:00Z" });
    const frozen = (await server.control("POST", "/clock/freeze")) as { now: string; frozen: boolean };
    expect([frozen.now.slice(0, 10), frozen.frozen]).toEqual(["2031-05-01", true]);
    await device.logIn();
    const { artifact } = (await device.poll()).json as { artifact: { source: { uri: string; expire: string } } };
    expect(Date.parse(artifact.source.expire)).toBe(Date.parse(frozen.now) + 3_600_000);
    expect((await fetch(artifact.source.uri)).status).toBe(200);
    expect(await server.control("POST", "/clock/advance", { by: "2h" })).toEqual({
      now: new Date(Date.parse(frozen.now) + 7_200_000).toISOString(),
      frozen: true,
    });
    expect((await fetch(artifact.source.uri)).status).toBe(403);
    expect((await device.poll()).status).toBe(200);
    await server.control("POST", "/clock/advance", { by: "1d" });
    expect((await device.poll()).status).toBe(401);
    expect(await server.control("POST", "/clock/run")).toMatchObject({ frozen: false });
    const { now } = (await server.control("POST", "/clock/reset")) as { now: string };
    expect(Math.abs(Date.parse(now) - Date.now())).toBeLessThan(60_000);
  });

  test("opens phases as time is let pass", async () => {
    await upload("v2");
    const { now } = (await server.control("POST", "/clock/freeze")) as { now: string };
    const body = {
      name: "phased",
      artifact_name: "v2",
      all_devices: true,
      phases: [{ batch_size: 50 }, { start_ts: new Date(Date.parse(now) + 3_600_000).toISOString() }],
    };
    const other = server.device("02:00:00:00:00:02");
    await other.logIn();
    expect((await server.call("POST", `${DEPLOYMENTS}/deployments`, body)).status).toBe(201);
    expect((await device.poll()).status).toBe(200);
    expect((await other.poll()).status).toBe(204);
    await server.control("POST", "/clock/advance", { by: "1h" });
    expect((await other.poll()).status).toBe(200);
  });

  test("a time that is none is refused", async () => {
    expect((await server.call("POST", `${CONTROL}/clock/advance`, { by: "soon" })).text).toContain(
      "by: a duration such as",
    );
    expect((await server.call("PUT", `${CONTROL}/clock`, { now: "12:00" })).text).toContain(
      "now: must be a time as RFC 3339 has it",
    );
  });
});

test("tokens of one device end, and of all", async () => {
  const other = server.device("02:00:00:00:00:02");
  await other.logIn();
  expect(await server.control("POST", "/tokens/expire", { device: device.mac })).toEqual({ devices: 1 });
  expect([(await device.poll()).status, (await other.poll()).status]).toEqual([401, 204]);
  await device.logIn();
  expect((await device.poll()).status).toBe(204);
  expect(await server.control("POST", "/tokens/expire")).toEqual({ devices: 2 });
  expect([(await device.poll()).status, (await other.poll()).status]).toEqual([401, 401]);
  expect((await server.call("POST", `${CONTROL}/tokens/expire`, { device: "nobody" })).status).toBe(404);
});

describe("snapshots", () => {
  test("bring back records and the bytes of artifacts, also of those that were deleted", async () => {
    await upload("v1");
    await server.control("PUT", "/snapshots/one");
    await upload("v2");
    const [{ id }] = (await server.call("GET", `${DEPLOYMENTS}/artifacts?name=v1`)).json as [{ id: string }];
    expect((await server.call("DELETE", `${DEPLOYMENTS}/artifacts/${id}`)).status).toBe(204);
    expect(await names()).toEqual(["v2"]);
    await server.control("POST", "/snapshots/one/restore");
    expect(await names()).toEqual(["v1"]);
    await deploy("v1");
    const { artifact } = (await device.poll()).json as { artifact: { source: { uri: string } } };
    expect((await fetch(artifact.source.uri)).status).toBe(200);
    expect(await server.control("GET", "/snapshots")).toEqual(["start", "one"]);
    await server.control("DELETE", "/snapshots/one");
    expect((await server.call("POST", `${CONTROL}/snapshots/one/restore`)).status).toBe(404);
    expect((await server.call("DELETE", `${CONTROL}/snapshots/start`)).status).toBe(409);
    expect((await server.call("PUT", `${CONTROL}/snapshots/a%20b`)).status).toBe(400);
  });

  test("reset makes everything as it was at the start", async () => {
    await upload("v1");
    await deploy("v1");
    await server.control("POST", "/faults", { answer: { status: 500 }, to: "poll" });
    for (const now of ["2031-05-01T12:00", "2031-05-01T12:00Z", "2031-02-30T12:00:00Z"]) {
      await expect(server.control("PUT", "/clock", { now })).rejects.toThrow("RFC 3339");
    }
    await server.control("PUT", "/clock", { now: "2031-05-01T12:00:00Z" });
    expect((await device.poll()).status).toBe(500);
    await server.control("POST", "/reset");
    expect(await names()).toEqual([]);
    expect((await server.call("GET", "/api/management/v2/devauth/devices")).json).toEqual([]);
    expect(await server.control("GET", "/faults")).toEqual([]);
    expect(await server.control("GET", "/requests")).toEqual([]);
    expect((await device.poll()).status).toBe(401);
    expect((await device.logIn()).status).toBe(200);
    await upload("v1");
    await deploy("v1");
    expect((await device.poll()).status).toBe(200);
  });
});

test("what devices asked is remembered, in their order", async () => {
  await upload("v2");
  const deployment = await deploy("v2");
  await device.poll();
  await device.report(deployment, "downloading");
  const seen = (await server.control("GET", `/requests?device=${device.mac}`)) as { kind: string; device: string }[];
  expect(seen).toMatchObject([
    { number: 1, kind: "auth", status: 200 },
    { number: 2, kind: "poll", status: 200, method: "POST" },
    { number: 3, kind: "status", status: 204, reported: "downloading" },
  ]);
  expect(new Set(seen.map(({ device: id }) => id)).size).toBe(1);
  expect(await server.control("GET", "/requests?kind=status")).toHaveLength(1);
  expect(await server.control("GET", "/requests?after=2")).toHaveLength(1);
  await server.control("DELETE", "/requests");
  expect(await server.control("GET", "/requests")).toEqual([]);
});

test("devices that wait are accepted", async () => {
  const closed = await Running.start({ autoAccept: false });
  const waiting = closed.device("02:00:00:00:00:09");
  expect((await waiting.logIn()).status).toBe(401);
  expect(await closed.control("POST", "/devices/accept")).toEqual({ accepted: 1 });
  expect((await waiting.logIn()).status).toBe(200);
});

describe("who may reach the controls", () => {
  test("nobody without --test-controls: 404, and the log says why", async () => {
    const plain = await Running.start({ testControls: undefined as never });
    const answer = await plain.call("GET", `${CONTROL}/clock`);
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining("without --test-controls")]);
    expect(plain.log.join("")).toContain("is refused: this server was started without --test-controls");
    const document = (await plain.call("GET", "/api/openapi.json")).text;
    expect(document).not.toContain(CONTROL);
  });

  test("no page of elsewhere", async () => {
    const foreign = await server.call("POST", `${CONTROL}/reset`, undefined, { origin: "https://evil.example" });
    expect(foreign.status).toBe(403);
  });

  test("the OpenAPI document tells of them where they are", async () => {
    const { paths } = (await server.call("GET", "/api/openapi.json")).json as { paths: object };
    expect(Object.keys(paths).filter((path) => path.startsWith(CONTROL))).toContain(`${CONTROL}/faults/{id}`);
  });
});

describe("what the console asks for", () => {
  test("the catalogue has the faults of a running server, each with a schema; one made of it is taken", async () => {
    const offered = (await server.control("GET", "/faults/catalogue")) as {
      readonly name: string;
      readonly meaning: string;
      readonly schema: { readonly properties?: object };
    }[];
    const faults = new Map(offered.map((one) => [one.name, one]));
    expect(faults.get("answer")?.schema.properties).toHaveProperty("status");
    expect(faults.get("power_cut")).toBeUndefined();
    expect(offered.every(({ meaning }) => meaning !== "")).toBe(true);
    await server.control("POST", "/faults", { answer: { status: 503 } });
  });

  test("a scenario is told as it goes on: what is expected, what happens, and how it ended", async () => {
    const scenario = readFileSync(join(import.meta.dirname, "../../scenarios/power-cut-while-installing.yaml"), "utf8");
    const answer = await server.call("POST", `${CONTROL}/scenarios/runs`, { scenario });
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const [first, last] = [lines[0], lines.at(-1)];
    expect(first).toMatchObject({ kind: "begins", expected: expect.arrayContaining([expect.stringContaining("v1")]) });
    expect(lines).toContainEqual(expect.objectContaining({ kind: "happens", device: "d", text: "first: failure" }));
    expect(last).toMatchObject({ kind: "ends", outcome: "passed" });
    expect(last.verdicts.map(({ expected }: { expected: string }) => expected)).toEqual(first.expected);
  });

  test("a run ends when its client leaves, and another one may begin", async () => {
    const endless = [
      ...["scenario: x", "why: y", "ends: { after: 3000d }", "fleet:", "  - { name: d, count: 40, poll: 1m }"],
      ...["releases:", "  - name: v2", "deployments:", "  - { name: first, release: v2, to: all }"],
      ...["expect:", "  - { deployment: first, state: finished }"],
    ].join("\n");
    const leaves = new AbortController();
    const url = `${server.url}${CONTROL}/scenarios/runs`;
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ scenario: endless });
    const answer = await fetch(url, { method: "POST", headers, body, signal: leaves.signal });
    expect(answer.status).toBe(200);
    const busy = await server.call("POST", `${CONTROL}/scenarios/runs`, { scenario: endless });
    expect(busy.status).toBe(409);
    leaves.abort();
    const refused = { scenario: "scenario: x\nfleeet: []\n" };
    const next = async () => (await server.call("POST", `${CONTROL}/scenarios/runs`, refused)).status;
    await expect.poll(next).toBe(400);
  });

  test("a scenario with faults is refused with their lines, and the next one runs", async () => {
    const bad = await server.call("POST", `${CONTROL}/scenarios/runs`, { scenario: "scenario: x\nfleeet: []\n" });
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining("scenario:2:1")]);
    const next = await server.call("POST", `${CONTROL}/scenarios/runs`, { scenario: "scenario: x\nfleeet: []\n" });
    expect(next.status).toBe(400);
  });
});
