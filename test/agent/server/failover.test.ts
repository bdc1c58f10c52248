import { join } from "node:path";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadDeviceKey } from "../../../agent/device/keys.ts";
import { AgentError } from "../../../agent/errors.ts";
import { DeviceClient } from "../../../agent/server/client.ts";
import { Downloads } from "../../../agent/server/download.ts";
import { Servers } from "../../../agent/server/failover.ts";
import { HttpClient } from "../../../agent/server/http.ts";
import { Login } from "../../../agent/server/login.ts";
import { redirectTarget } from "../../../agent/server/redirects.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import { type Answer, hangUp, inTurn, json, SupportServer, silence, status } from "../support-server/server.ts";
import { httpSettings } from "../support-server/settings.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
const provides = { device_type: "board", artifact_name: "r1" };
const AVOID_MS = 60_000;
const STATUS = DEVICE_PATHS.status("d1");
const INSTRUCTIONS = { id: "d1", artifact: { artifact_name: "r2", source: { uri: "http://a/b" } } };

let first: SupportServer;
let second: SupportServer;
let now: number;
let identities: number;

beforeEach(async () => {
  [first, second] = await Promise.all([SupportServer.start(), SupportServer.start()]);
  // Tokens that tell whose they are.
  first.on(DEVICE_PATHS.authRequests, status(200, "first"));
  second.on(DEVICE_PATHS.authRequests, status(200, "second"));
  now = 0;
  identities = 0;
});

afterEach(() => Promise.all([first.stop(), second.stop()]));

async function client(readIdentity = async () => '{"mac":"1"}'): Promise<DeviceClient> {
  const path = join(directory, "key.pem");
  const key = await loadDeviceKey(system.files, { path, generate: "ed25519" }, () => undefined);
  const http = new HttpClient(system, httpSettings({ connectionIdleMs: 200 }));
  const counted = (): Promise<string> => {
    identities++;
    return readIdentity();
  };
  const login = new Login(http, { tenantToken: "", tier: "standard", key, readIdentity: counted });
  const downloads = new Downloads(system, http, { triesMax: 1, pauseMsMax: 1, bytesPerSecondMax: 0 }, new KeptLog());
  const servers = new Servers([first.url, second.url], { monotonic: () => now }, AVOID_MS);
  return new DeviceClient(http, login, downloads, servers);
}

const polls = (server: SupportServer): number => server.seen(DEVICE_PATHS.nextV2).length;

describe("with several servers", () => {
  it.each<[string, Answer]>([
    ["fails", status(500)],
    ["is being restarted", status(503, "", { "retry-after": "3600" })],
    ["hangs up", hangUp],
    ["says nothing", silence],
    [
      "sends half an answer",
      (response) => response.writeHead(200, { "content-length": 99 }).write("{", () => response.destroy()),
    ],
  ])("a request goes to the next one when the first %s, with that one's own token", async (_name, answer) => {
    const device = await client();
    await device.poll(provides);
    first.on(DEVICE_PATHS.nextV2, answer);
    second.on(DEVICE_PATHS.nextV2, json(INSTRUCTIONS));
    expect(await device.poll(provides)).toMatchObject({ id: "d1" });
    expect(second.seen(DEVICE_PATHS.nextV2)[0]?.headers.authorization).toBe("Bearer second");
    expect(first.seen(DEVICE_PATHS.nextV2).at(-1)?.headers.authorization).toBe("Bearer first");
  });

  it("a server that failed is asked last for a while, and then has its place back, and its token", async () => {
    const device = await client();
    first.on(DEVICE_PATHS.nextV2, inTurn(status(500), status(204)));
    for (let count = 0; count < 3; count++) await device.poll(provides);
    expect([polls(first), polls(second)]).toEqual([1, 3]);
    now = AVOID_MS;
    await device.poll(provides);
    expect([polls(first), polls(second)]).toEqual([2, 3]);
    expect(first.seen(DEVICE_PATHS.authRequests)).toHaveLength(1);
  });

  it("all of them are asked when all have failed, and each is named", async () => {
    const device = await client();
    for (const server of [first, second]) server.on(DEVICE_PATHS.nextV2, inTurn(status(500), status(502), status(204)));
    await expect(device.poll(provides)).rejects.toThrow(/answered 500; .*answered 500/);
    await expect(device.poll(provides)).rejects.toThrow(/answered 502; .*answered 502/);
    expect(await device.poll(provides)).toBeUndefined();
    expect([polls(first), polls(second)]).toEqual([3, 2]);
  });

  it("what a server refuses is refused: no other one is asked", async () => {
    const device = await client();
    for (const code of [400, 409, 429]) {
      first.on(DEVICE_PATHS.nextV2, status(code));
      await expect(device.poll(provides)).rejects.toThrow(`answered ${code}`);
    }
    expect(polls(second)).toBe(0);
  });

  it("who the device is is found out once for all of them, and is no server's fault", async () => {
    first.on(DEVICE_PATHS.authRequests, status(401));
    await (await client()).poll(provides);
    expect(identities).toBe(1);
    const broken = await client(async () => {
      throw new AgentError("program-failed", "no identity");
    });
    await expect(broken.poll(provides)).rejects.toMatchObject({ code: "program-failed", message: "no identity" });
    expect(second.seen(DEVICE_PATHS.authRequests)).toHaveLength(1);
  });

  it("the inventory goes to whichever of them is in use", async () => {
    const device = await client();
    const attributes = [{ name: "a", value: "1" }];
    expect(await device.sendInventory(attributes)).toBe(true);
    first.on(DEVICE_PATHS.nextV2, status(500));
    await device.poll(provides);
    expect(device.hasInventory).toBe(false);
    expect(await device.sendInventory(attributes)).toBe(true);
    expect(device.hasInventory).toBe(true);
    now = AVOID_MS;
    first.on(DEVICE_PATHS.nextV2, status(204));
    await device.poll(provides);
    expect(await device.sendInventory(attributes)).toBe(false);
  });

  it("that a deployment is gone is believed only of the server that offered it", async () => {
    const device = await client();
    first.on(DEVICE_PATHS.nextV2, json(INSTRUCTIONS));
    await device.poll(provides);
    first.on(STATUS, inTurn(status(500), status(204), status(404)));
    second.on(STATUS, status(404));
    await expect(device.report("d1", "installing")).rejects.toMatchObject({
      code: "server-unreachable",
      retryable: true,
      message: expect.stringContaining(`${second.url} knows of no such deployment, and ${first.url} cannot be reached`),
    });
    now = AVOID_MS;
    expect(await device.report("d1", "installing")).toBe("accepted");
    expect(await device.report("d1", "installing")).toBe("gone");
  });

  it("a deployment whose server never comes back is gone in the end", async () => {
    const device = await client();
    first.on(STATUS, status(500));
    second.on(STATUS, status(404));
    let doubts = 0;
    const report = () => device.report("d1", "success").catch(() => "doubted");
    while ((await report()) === "doubted") doubts++;
    expect(doubts).toBe(30);
  });
});

describe("a download", () => {
  it("whose link expires asks its server for another one, for the same deployment", async () => {
    const device = await client();
    const link = (path: string) => ({ id: "d1", artifact: { source: { uri: `${first.url}${path}` } } });
    const offers = [link("/old"), link("/new")] as const;
    first.on(DEVICE_PATHS.nextV2, inTurn(json(offers[0]), json(offers[1])));
    first.on("/old", status(403)).on("/new", status(200, "whole"));
    const instructions = await device.poll(provides);
    if (instructions === undefined) throw new Error("nothing was offered");
    const source = await device.download(instructions);
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.content) chunks.push(chunk);
    await source.close();
    expect(Buffer.concat(chunks).toString()).toBe("whole");
    expect(polls(first)).toBe(2);
  });

  it("ends when its server offers something else by then", async () => {
    const device = await client();
    const link = (id: string) => json({ id, artifact: { source: { uri: `${first.url}/old` } } });
    first.on(DEVICE_PATHS.nextV2, inTurn(link("d1"), link("d2"))).on("/old", status(403));
    const instructions = await device.poll(provides);
    if (instructions === undefined) throw new Error("nothing was offered");
    await expect(device.download(instructions)).rejects.toMatchObject({ code: "download-link-expired" });
  });
});

describe("an exchange", () => {
  it("that moves a byte now and then for ever is ended in time", async () => {
    const drips: NodeJS.Timeout[] = [];
    first.on("/slow", (response) => {
      response.writeHead(200);
      drips.push(setInterval(() => response.write("."), 5));
    });
    const http = new HttpClient(system, httpSettings({ answerMsMax: 300, connectionIdleMs: 200 }));
    const question = { what: "asking", method: "GET", url: `${first.url}/slow` } as const;
    const answer = await http.ask(question);
    await expect(http.text(answer, question)).rejects.toMatchObject({
      code: "connection-stalled",
      retryable: true,
      message: expect.stringMatching(/^asking: 127\.0\.0\.1:\d+: the exchange was not over after 0\.3 s$/),
    });
    for (const drip of drips) clearInterval(drip);
  });

  it("whose head comes a byte at a time is ended in time", async () => {
    const drips: NodeJS.Timeout[] = [];
    first.on("/slow", (response) => {
      response.socket?.write("HTTP/1.1 200 OK\r\nx: ");
      drips.push(setInterval(() => response.socket?.write("y"), 5));
    });
    const http = new HttpClient(system, httpSettings({ answerMsMax: 300, connectionIdleMs: 200 }));
    const question = { what: "asking", method: "GET", url: `${first.url}/slow`, streams: true } as const;
    await expect(http.ask(question)).rejects.toMatchObject({ code: "connection-stalled" });
    for (const drip of drips) clearInterval(drip);
  });
});

describe("a redirect", () => {
  const settings = (hosts: readonly string[] = []) => new HttpClient(system, httpSettings({ redirectHosts: hosts }));
  const get = (http: HttpClient, url: string, headers = {}) =>
    http.ask({ what: "asking", method: "GET", url, headers });

  it("is followed to the same host, with the token, and to hosts that are allowed, without it", async () => {
    const elsewhere = second.url.replace("127.0.0.1", "localhost");
    first.on("/a", status(302, "", { location: "/b" })).on("/b", status(307, "", { location: `${elsewhere}/c` }));
    second.on("/c", status(200, "here"));
    const token = { authorization: "Bearer x", "x-other": "kept" };
    const answer = await get(settings(["localhost"]), `${first.url}/a`, token);
    expect(answer.status).toBe(200);
    answer.cancel();
    expect(first.seen("/b")[0]?.headers.authorization).toBe("Bearer x");
    expect(second.seen("/c")[0]?.headers).toMatchObject({ "x-other": "kept" });
    expect(second.seen("/c")[0]?.headers).not.toHaveProperty("authorization");
  });

  it("to another port of the same host is followed by a download, without the token", async () => {
    first.on("/a", status(302, "", { location: `${second.url}/c` }));
    second.on("/c", status(200, "here"));
    (await get(settings(), `${first.url}/a`, { authorization: "Bearer x", "x-men-signature": "y" })).cancel();
    expect(second.seen("/c")).toHaveLength(1);
    expect(second.seen("/c")[0]?.headers).not.toHaveProperty("authorization");
    expect(second.seen("/c")[0]?.headers).not.toHaveProperty("x-men-signature");
  });

  it.each([
    ["another port of the same host", () => second.url],
    ["a host of RedirectHosts", () => second.url.replace("127.0.0.1", "localhost")],
  ])("to %s gets nothing of what the device tells", async (_name, elsewhere) => {
    first.on("/a", status(307, "", { location: `${elsewhere()}/c` }));
    const http = settings(["localhost", "127.0.0.1"]);
    const body = '{"tenant_token":"secret"}';
    const post = http.ask({ what: "asking", method: "POST", url: `${first.url}/a`, body });
    await expect(post).rejects.toMatchObject({
      code: "redirect-refused",
      message: expect.stringContaining(`it sends on to ${elsewhere()}, and what the device says to ${first.url}`),
    });
    expect(second.requests).toEqual([]);
  });

  it("to another configured server is followed with token and body", async () => {
    first.on("/a", status(308, "", { location: `${second.url}/c` }));
    second.on("/c", status(204));
    const http = new HttpClient(system, httpSettings({ servers: [first.url, second.url] }));
    const headers = { authorization: "Bearer x" };
    (await http.ask({ what: "asking", method: "PUT", url: `${first.url}/a`, body: "{}", headers })).cancel();
    expect(second.seen("/c")[0]).toMatchObject({ method: "PUT", body: "{}", headers });
  });

  it.each([
    ["another host", 302, "http://other.example/", /sends on to other\.example, which is neither the same host/],
    ["nowhere", 302, undefined, /does not say where to go/],
    ["no URL", 301, "http://[", /'http:\/\/\[' is no URL/],
    ["another kind of URL", 303, "file:///etc/passwd", /sends on to a file: URL/],
    ["itself, for ever", 308, "/a", /after 5 others had done so/],
  ])("to %s is refused", async (_name, code, location, message) => {
    first.on("/a", status(code, "", location === undefined ? {} : { location }));
    const asked = expect(get(settings(), `${first.url}/a`)).rejects;
    await asked.toMatchObject({ code: "redirect-refused", message: expect.stringMatching(message) });
    expect(first.seen("/a").length).toBeLessThanOrEqual(6);
  });

  it("of what is no GET is followed only if it keeps method and body", async () => {
    first.on("/a", inTurn(status(307, "", { location: "/b" }), status(302, "", { location: "/b" })));
    first.on("/b", status(204));
    const put = () => settings().ask({ what: "asking", method: "PUT", url: `${first.url}/a`, body: "{}" });
    (await put()).cancel();
    expect(first.seen("/b")[0]).toMatchObject({ method: "PUT", body: "{}" });
    await expect(put()).rejects.toThrow("only 307 and 308 may send on what is no GET");
  });

  it("leaves TLS only for artifacts that must be signed, and knows what hosts are allowed", () => {
    const asked = { url: "https://a.example/x", method: "GET", what: "asking" };
    const to = (location: string, allowed: readonly string[] = []) =>
      redirectTarget({ status: 302, headers: { location } }, asked, 0, allowed);
    expect(() => to("http://a.example/")).toThrow("sends on to a.example without TLS");
    const location = { location: "http://a.example/" };
    const signed = { url: "https://a.example/", method: "GET", what: "x", mayLoseTls: true };
    expect(redirectTarget({ status: 302, headers: location }, signed, 0, [])).toBe("http://a.example/");
    expect(to("https://a.example:8443/y")).toBe("https://a.example:8443/y");
    expect(to("y?z=1")).toBe("https://a.example/y?z=1");
    expect(to("https://cdn.b.example/", [".b.example"])).toBe("https://cdn.b.example/");
    expect(to("https://CDN.b.example:444/", ["cdn.b.example"])).toBe("https://cdn.b.example:444/");
    expect(() => to("https://b.example/", [".b.example"])).toThrow("RedirectHosts");
    expect(() => to("https://evilb.example/", [".b.example", "b.example"])).toThrow("RedirectHosts");
    expect(() => to("https://cdn.b.example:444/", ["cdn.b.example:443"])).toThrow("RedirectHosts");
  });
});
