import { createPublicKey, createVerify, verify } from "node:crypto";
import { once } from "node:events";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DEVICE_PATHS } from "@upkeep/shared/protocol";
import { type Clock, SystemError } from "@upkeep/shared/system";
import { generate } from "selfsigned";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadDeviceKey } from "../../../agent/device/keys.ts";
import { DeviceClient } from "../../../agent/server/client.ts";
import { Downloads } from "../../../agent/server/download.ts";
import { Servers } from "../../../agent/server/failover.ts";
import { connectionFault } from "../../../agent/server/faults.ts";
import { HttpClient } from "../../../agent/server/http.ts";
import { Login } from "../../../agent/server/login.ts";
import { linuxSystem } from "../../../agent/system/index.ts";
import { KeptLog } from "../support-server/log.ts";
import {
  type Answer,
  hangUp,
  inTurn,
  json,
  SupportServer,
  silence,
  status,
  unusedUrl,
} from "../support-server/server.ts";
import { httpSettings } from "../support-server/settings.ts";
import { temporaryDirectory } from "../system/directory.ts";

const directory = temporaryDirectory();
const system = linuxSystem();
const provides = { device_type: "board one", artifact_name: "r1", "rootfs-image.version": "v1" };
const STATUS = DEVICE_PATHS.status("d1");
const LOG = DEVICE_PATHS.log("d1");
/** What a portal answers to everything. */
const PAGE = status(200, "<html>Please log in</html>", { "content-type": "text/html; charset=utf-8" });
let server: SupportServer;

beforeEach(async () => {
  server = await SupportServer.start();
});

afterEach(() => server.stop());

async function client(
  servers: readonly string[] = [server.url],
  keyType: "ed25519" | "rsa3072" = "ed25519",
  clock: Pick<Clock, "monotonic"> = system.clock,
) {
  const key = await loadDeviceKey(
    system.files,
    { path: join(directory, `${keyType}.pem`), generate: keyType },
    () => undefined,
  );
  const http = new HttpClient(system, httpSettings({ tls: {}, connectionIdleMs: 200, version: "1.2.3" }));
  const login = new Login(http, {
    tenantToken: "",
    tier: "standard",
    key,
    readIdentity: async () => '{"mac":"00:11:22:33:44:55"}',
  });
  const downloads = new Downloads(system, http, { triesMax: 1, pauseMsMax: 1, bytesPerSecondMax: 0 }, new KeptLog());
  return new DeviceClient(http, login, downloads, new Servers(servers, clock, 60_000));
}

describe("authorising", () => {
  it("signs exactly the bytes it sends, with Ed25519 and with RSA", async () => {
    for (const keyType of ["ed25519", "rsa3072"] as const) {
      await (await client([server.url], keyType)).loginAfresh();
      const request = server.seen(DEVICE_PATHS.authRequests).at(-1);
      const body = request?.body ?? "";
      const { id_data, pubkey, tier, ...others } = JSON.parse(body);
      expect({ id_data, tier, others }).toEqual({
        id_data: '{"mac":"00:11:22:33:44:55"}',
        tier: "standard",
        others: {},
      });
      const signature = Buffer.from(String(request?.headers["x-men-signature"]), "base64");
      const key = createPublicKey(pubkey);
      const good =
        keyType === "ed25519"
          ? verify(null, Buffer.from(body), key, signature)
          : createVerify("sha256").update(body).verify(key, signature);
      expect(good).toBe(true);
      expect(request?.headers).toMatchObject({
        "content-type": "application/json",
        authorization: "API_KEY",
        "user-agent": "Upkeep/1.2.3",
      });
    }
  });

  it("keeps its token, and renews it once when the server no longer takes it", async () => {
    const device = await client();
    await device.poll(provides);
    server.on(STATUS, inTurn(status(401), status(204)));
    expect(await device.report("d1", "downloading")).toBe("accepted");
    expect(server.seen(DEVICE_PATHS.authRequests)).toHaveLength(2);
    expect(server.seen(STATUS).map(({ headers }) => headers.authorization)).toEqual([
      "Bearer token-1",
      "Bearer token-2",
    ]);
  });

  it("does not go on for ever with a server that takes no token", async () => {
    server.on(DEVICE_PATHS.nextV2, status(401));
    await expect((await client()).poll(provides)).rejects.toMatchObject({ code: "unauthorized", retryable: true });
    expect(server.seen(DEVICE_PATHS.nextV2)).toHaveLength(2);
  });

  it("names a device that is not accepted yet", async () => {
    server.on(DEVICE_PATHS.authRequests, status(401, '{"error": "dev auth: unauthorized"}'));
    await expect((await client()).poll(provides)).rejects.toMatchObject({
      code: "unauthorized",
      retryable: true,
      message: expect.stringMatching(/does not accept this device \(yet\).*401: dev auth: unauthorized/),
    });
  });

  it("tries the servers in order and stays with the one that lets it in", async () => {
    const device = await client([await unusedUrl(), server.url]);
    await device.poll(provides);
    await device.poll(provides);
    expect(server.seen(DEVICE_PATHS.nextV2)).toHaveLength(2);
    expect(server.seen(DEVICE_PATHS.authRequests)).toHaveLength(1);
  });

  it("names every server that failed", async () => {
    server.on(DEVICE_PATHS.authRequests, status(503));
    const nobody = await unusedUrl();
    await expect((await client([nobody, server.url])).loginAfresh()).rejects.toThrow(
      /nothing listens there.*; .*answered 503/,
    );
    await expect((await client([])).loginAfresh()).rejects.toMatchObject({ code: "no-server" });
  });

  it("refuses a token that could not go into a header", async () => {
    server.on(DEVICE_PATHS.authRequests, status(200, "<html>Welcome to the hotel</html>\n<p>"));
    await expect((await client()).loginAfresh()).rejects.toMatchObject({ code: "answer-malformed" });
  });

  it("logs in once for all who ask at the same time", async () => {
    const device = await client();
    await Promise.all([device.poll(provides), device.report("d1", "installing"), device.poll(provides)]);
    expect(server.seen(DEVICE_PATHS.authRequests)).toHaveLength(1);
  });

  it("names a certificate that begins later than this device's clock", async () => {
    const notBefore = new Date(Date.now() + 3600_000);
    const pems = await generate([{ name: "commonName", value: "localhost" }], {
      notBeforeDate: notBefore,
      notAfterDate: new Date(notBefore.getTime() + 3600_000),
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
    });
    const tls = createTlsServer({ key: pems.private, cert: pems.cert }).listen(0, "127.0.0.1");
    await once(tls, "listening");
    const http = new HttpClient(
      system,
      httpSettings({ tls: { trusted: pems.cert }, connectionIdleMs: 5000, version: "1" }),
    );
    const url = `https://127.0.0.1:${(tls.address() as AddressInfo).port}/`;
    await expect(http.ask({ what: "authorising", method: "GET", url })).rejects.toMatchObject({
      code: "certificate-not-yet-valid",
      retryable: true,
      message: expect.stringMatching(
        /its certificate is not valid yet by this device's clock, which says \d{4}-.*: is it set\?/,
      ),
    });
    tls.close();
  });
});

describe("polling", () => {
  const instructions = {
    id: "d1",
    artifact: { artifact_name: "r2", source: { uri: "http://a/b", expire: "2030-01-01T00:00:00Z" } },
  };

  it("takes null in instructions for what may be absent", async () => {
    const source = { uri: "http://a/b", expire: null };
    const artifact = { id: null, artifact_name: null, source, device_types_compatible: null };
    server.on(DEVICE_PATHS.nextV2, json({ id: "d1", artifact }));
    expect(await (await client()).poll(provides)).toEqual({ id: "d1", artifact: { source: { uri: "http://a/b" } } });
  });

  it("tells what the device has and takes instructions", async () => {
    server.on(DEVICE_PATHS.nextV2, json(instructions));
    expect(await (await client()).poll(provides)).toMatchObject(instructions);
    const [request] = server.seen(DEVICE_PATHS.nextV2);
    expect(JSON.parse(request?.body ?? "")).toEqual({ device_provides: provides });
    expect(request).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
    });
  });

  it("asks again for a deployment that is under way, and takes no other one for it", async () => {
    const one = await client();
    server.on(DEVICE_PATHS.nextV2, inTurn(json(instructions), json({ ...instructions, id: "d2" }), status(204)));
    expect(await one.instructionsOf("d1", provides)).toMatchObject(instructions);
    expect(await one.instructionsOf("d1", provides)).toBeUndefined();
    expect(await one.instructionsOf("d1", provides)).toBeUndefined();
    expect(JSON.parse(server.seen(DEVICE_PATHS.nextV2)[0]?.body ?? "")).toEqual({ device_provides: provides });
  });

  it("falls back to the first version of the API", async () => {
    server.on(DEVICE_PATHS.nextV2, status(404, '{"error":"not found"}')).on(DEVICE_PATHS.nextV1, json(instructions));
    expect(await (await client()).poll(provides)).toMatchObject({ id: "d1" });
    expect(server.seen(DEVICE_PATHS.nextV1)[0]).toMatchObject({
      method: "GET",
      path: `${DEVICE_PATHS.nextV1}?artifact_name=r1&device_type=board+one`,
    });
  });

  it("knows when there is nothing", async () => {
    expect(await (await client()).poll(provides)).toBeUndefined();
  });

  it.each<[string, Answer, object]>([
    [
      "500",
      status(500, '{"error": "internal error", "request_id": "x"}'),
      {
        code: "server-failed",
        retryable: true,
        message: "asking for a deployment: the server answered 500: internal error",
      },
    ],
    [
      "502 with a page",
      status(502, `<html><style>p{}</style><body><h1>502 Bad Gateway</h1>${"<p>nginx</p>".repeat(500)}</body></html>`),
      {
        code: "server-failed",
        message: expect.stringMatching(
          /^asking for a deployment: the server answered 502: 502 Bad Gateway nginx.{0,200}…$/,
        ),
      },
    ],
    [
      "429 with seconds",
      status(429, "", { "retry-after": "120" }),
      { code: "server-busy", retryable: true, retryAfterMs: 120_000 },
    ],
    [
      "429 with a past date",
      status(429, "slow down", { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }),
      { retryAfterMs: 0 },
    ],
    [
      "503 with nonsense",
      status(503, "", { "retry-after": "soon" }),
      { code: "server-failed", retryAfterMs: undefined },
    ],
    [
      "400",
      status(400, "no"),
      { code: "request-refused", retryable: false, message: "asking for a deployment: the server answered 400: no" },
    ],
    ["409", status(409), { code: "request-refused" }],
    ["413", status(413), { code: "request-refused" }],
    ["a redirect", status(301, "", { location: "/x" }), { code: "redirect-refused" }],
    [
      "no JSON",
      status(200, "<html>login</html>"),
      { code: "answer-malformed", retryable: true, message: expect.stringContaining('not JSON: "<html>login</html>"') },
    ],
    [
      "half an answer",
      json({ id: "d1", artifact: {} }),
      { code: "answer-malformed", message: expect.stringContaining("artifact.source") },
    ],
    [
      "an id that climbs out",
      json({ ...instructions, id: "../../etc" }),
      { code: "answer-malformed", message: expect.stringContaining("id:") },
    ],
    ["an endless answer", (response) => response.end(Buffer.alloc(2 * 1024 * 1024, 32)), { code: "answer-malformed" }],
    ["a page", PAGE, { code: "answer-malformed", retryable: true, message: expect.stringContaining("a portal") }],
    ["silence", silence, { code: "connection-stalled", retryable: true }],
    ["a broken connection", hangUp, { code: "connection-broken", retryable: true }],
  ])("names what is wrong with %s", async (_name, answer, error) => {
    server.on(DEVICE_PATHS.nextV2, answer);
    await expect((await client()).poll(provides)).rejects.toMatchObject({ name: "AgentError", ...error });
  });
});

describe("reporting", () => {
  it.each([
    [204, "accepted"],
    [200, "accepted"],
    [409, "aborted"],
    [404, "gone"],
  ] as const)("makes of a %i: %s", async (code, outcome) => {
    server.on(STATUS, status(code, "some text"));
    expect(await (await client()).report("d1", "success")).toBe(outcome);
    expect(server.seen(STATUS)[0]).toMatchObject({ method: "PUT", body: '{"status":"success"}' });
  });

  it("is not done when somebody in between answers with a page", async () => {
    server.on(STATUS, PAGE).on(LOG, PAGE).on(DEVICE_PATHS.inventory, PAGE);
    const device = await client();
    const messages = [{ timestamp: "2026-01-01T00:00:00Z", level: "info", message: "hello" }];
    for (const told of [
      device.report("d1", "success"),
      device.sendLog("d1", messages),
      device.sendInventory([{ name: "a", value: "1" }]),
    ])
      await expect(told).rejects.toMatchObject({ code: "answer-malformed", retryable: true });
    expect(device.hasInventory).toBe(false);
  });

  it("fails with the status it could not report", async () => {
    server.on(STATUS, status(500));
    await expect((await client()).report("d1", "failure")).rejects.toThrow(
      "reporting failure for deployment d1: the server answered 500",
    );
  });

  it.each([
    [204, "accepted"],
    [404, "accepted"],
    [413, "refused"],
  ] as const)("makes of a %i to the log: %s", async (code, outcome) => {
    server.on(LOG, status(code));
    const messages = [{ timestamp: "2026-01-01T00:00:00Z", level: "info", message: "hello" }];
    expect(await (await client()).sendLog("d1", messages)).toBe(outcome);
    expect(JSON.parse(server.seen(LOG)[0]?.body ?? "")).toEqual({ messages });
  });
});

describe("the inventory", () => {
  const attributes = [{ name: "a", value: "1" }];

  it("is sent again only when it changed or after a new log in", async () => {
    const device = await client();
    expect(device.hasInventory).toBe(false);
    expect(await device.sendInventory(attributes)).toBe(true);
    expect(device.hasInventory).toBe(true);
    expect(await device.sendInventory(attributes)).toBe(false);
    expect(await device.sendInventory([{ name: "a", value: ["1", "2"] }])).toBe(true);
    await device.loginAfresh();
    expect(device.hasInventory).toBe(false);
    expect(await device.sendInventory([{ name: "a", value: ["1", "2"] }])).toBe(true);
    expect(server.seen(DEVICE_PATHS.inventory).map(({ method }) => method)).toEqual(["PUT", "PUT", "PUT"]);
  });

  it("that was refused is sent again", async () => {
    server.on(DEVICE_PATHS.inventory, inTurn(status(500), status(200)));
    const device = await client();
    await expect(device.sendInventory(attributes)).rejects.toThrow("sending the inventory: the server answered 500");
    expect(await device.sendInventory(attributes)).toBe(true);
  });
});

describe("odd answers", () => {
  const offer = (source: object) => json({ id: "d1", artifact: { artifact_name: "r2", source } });

  it("may say null for the time at which a link expires", async () => {
    server.on(DEVICE_PATHS.nextV2, offer({ uri: "http://a/b", expire: null, kind: null }));
    expect(await (await client()).poll(provides)).toMatchObject({ artifact: { source: { uri: "http://a/b" } } });
  });

  it("may have 30 KB of headers; with more than 64 KiB they are told by name", async () => {
    const large = (bytes: number) => status(204, "", { "set-cookie": "x".repeat(bytes) });
    server.on(DEVICE_PATHS.nextV2, inTurn(large(30_000), large(80_000)));
    const device = await client();
    expect(await device.poll(provides)).toBeUndefined();
    await expect(device.poll(provides)).rejects.toMatchObject({
      code: "answer-malformed",
      retryable: true,
      message: expect.stringContaining("the headers of its answer are larger than 64 KiB"),
    });
  });

  it.each([200, 503])("in an encoding that was not asked for are told by name (%i)", async (code) => {
    server.on(DEVICE_PATHS.nextV2, status(code, gzipSync("{}").toString("latin1"), { "content-encoding": "gzip" }));
    await expect((await client()).poll(provides)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/in the content encoding gzip, which was not asked for$/),
    });
  });

  it("that are not HTTP, or refuse the device's own certificate, are told as that", () => {
    const fault = (code: string) => connectionFault(new SystemError(code, "text"), "asking", "https://a/", 0);
    expect(fault("HPE_INVALID_CONSTANT")).toMatchObject({ code: "answer-malformed" });
    for (const code of ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"]) {
      expect(fault(code)).toMatchObject({
        code: "client-certificate-refused",
        message: expect.stringContaining("it does not accept the device's own certificate (HttpsClient)"),
      });
    }
    expect(fault("constructor")).toMatchObject({ code: "server-unreachable" });
  });
});
