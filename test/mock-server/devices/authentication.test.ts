import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { domainRefusal } from "../../../mock-server/api/domain-refusals.ts";
import type { Device, Domain } from "../../../mock-server/domain.ts";
import { DomainError } from "../../../mock-server/errors.ts";
import { openTestDomain, TestDevice, type TestDomain } from "../domain-fixture.ts";

const open: TestDomain[] = [];
afterEach(async () => {
  for (const { domain } of open.splice(0)) await domain.close();
});

async function start(options: Parameters<typeof openTestDomain>[0] = {}): Promise<TestDomain> {
  const opened = await openTestDomain(options);
  open.push(opened);
  return opened;
}

async function only(domain: Domain): Promise<Device> {
  const { items } = await domain.devices.list({}, { page: 1, perPage: 20 });
  const [device, ...more] = items;
  if (device === undefined || more.length > 0) throw new Error(`there are ${items.length} devices`);
  return device;
}

async function setStatus(domain: Domain, index: number, status: "accepted" | "rejected" | "pending"): Promise<void> {
  const { id, authSets } = await only(domain);
  await domain.devices.setAuthSetStatus(id, authSets[index]?.id ?? "", status);
}

const UNAUTHORIZED = { kind: "unauthorized", code: "device-unauthorized" };

describe.each(["rsa", "ecdsa", "ed25519"] as const)("A device with a key of kind %s", (kind) => {
  test("is pending when it first asks, gets a token once it is accepted, and is who the token says", async () => {
    const { domain, system } = await start();
    const device = new TestDevice('{"mac":"02:00:00:00:00:01","sn":7}', kind);
    await expect(domain.authentication.authorize(device.request())).rejects.toMatchObject(UNAUTHORIZED);
    await expect(domain.authentication.authorize(device.request())).rejects.toMatchObject(UNAUTHORIZED);
    expect(await only(domain)).toMatchObject({
      status: "pending",
      identityData: { mac: "02:00:00:00:00:01", sn: 7 },
      authSets: [{ status: "pending", publicKey: device.publicKey }],
    });
    await setStatus(domain, 0, "accepted");
    system.nowMs += 1000;
    const token = await domain.authentication.authorize(device.request());
    const { id, authSets, status, checkInMs } = await only(domain);
    expect({ status, checkInMs }).toEqual({ status: "accepted", checkInMs: system.nowMs });
    expect(await domain.authentication.verify(token)).toEqual({
      deviceId: id,
      authSetId: authSets[0]?.id,
      mayHaveWork: false,
    });
  });
});

describe("An authorisation request", () => {
  const device = new TestDevice('{"mac":"1"}');
  const key = device.publicKey;

  async function answerTo(body: string | Uint8Array, signature?: string | undefined): Promise<unknown> {
    const { domain } = await start({ autoAccept: true });
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    try {
      await domain.authentication.authorize({ body: bytes, signature });
    } catch (error) {
      expect(await domain.devices.count()).toBe(0);
      return error instanceof DomainError ? domainRefusal(error) : error;
    }
    return undefined;
  }

  test.each([
    ["{", "failed to decode auth request: "],
    ["[]", "failed to decode auth request: "],
    ["null", "failed to decode auth request: "],
    [Buffer.from([0x7b, 0xff, 0x7d]), "failed to decode auth request: "],
    ["{}", "invalid auth request: id_data must be provided"],
    [JSON.stringify({ id_data: "", pubkey: key }), "invalid auth request: id_data must be provided"],
    [JSON.stringify({ id_data: "{}" }), "invalid auth request: pubkey must be provided"],
    [JSON.stringify({ id_data: { mac: 1 }, pubkey: key }), "failed to decode auth request: id_data: "],
    [JSON.stringify({ id_data: "[]", pubkey: "junk" }), "cannot decode public key"],
    [JSON.stringify({ id_data: "[]", pubkey: key }), "invalid auth request: id_data must be a JSON object"],
    [JSON.stringify({ id_data: "{}", pubkey: key }), "missing request signature header"],
  ])("that is malformed is refused for its first fault, and nothing is written down: %s", async (body, message) => {
    expect(await answerTo(body)).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  });

  test.each(["AAAA", "!", device.sign(Buffer.from("{}"))])(
    "with the wrong signature %s is refused",
    async (signature) => {
      expect(await answerTo(device.body(), signature)).toMatchObject({
        status: 401,
        message: "signature verification failed",
      });
    },
  );

  test("is checked over its exact bytes: the same in another notation is refused", async () => {
    const body = device.body();
    const spaced = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(body).toString()), null, 1));
    expect(await answerTo(spaced, device.sign(body))).toMatchObject({ status: 401 });
    expect(await answerTo(spaced, device.sign(spaced))).toBeUndefined();
  });

  test("may say more than we know", async () => {
    const body = device.body({ tenant_token: "", tier: "standard", later: "x" });
    expect(await answerTo(body, device.sign(body))).toBeUndefined();
  });
});

describe("A device", () => {
  test("is the same whatever the order of its identity and the form of its key", async () => {
    const { domain } = await start();
    const device = new TestDevice('{"a":1,"b":2}');
    await expect(domain.authentication.authorize(device.request())).rejects.toMatchObject(UNAUTHORIZED);
    const body = Buffer.from(JSON.stringify({ id_data: '{"b":2, "a":1}', pubkey: device.publicKey.trimEnd() }));
    await expect(domain.authentication.authorize({ body, signature: device.sign(body) })).rejects.toMatchObject(
      UNAUTHORIZED,
    );
    expect((await only(domain)).authSets).toHaveLength(1);
  });

  test("is written down once, however many of its first requests come at the same time", async () => {
    const { domain } = await start();
    const device = new TestDevice('{"mac":"1"}');
    await Promise.allSettled(Array.from({ length: 5 }, () => domain.authentication.authorize(device.request())));
    expect((await only(domain)).authSets).toHaveLength(1);
  });

  test("in another tier asks with another key: accepting that one rejects the first and changes the device's tier", async () => {
    const { domain, system } = await start();
    const device = new TestDevice('{"mac":"1"}');
    const asking = (tier: string) => {
      const body = device.body({ tier });
      return domain.authentication.authorize({ body, signature: device.sign(body) });
    };
    for (const tier of ["standard", "micro", "standard"]) {
      await expect(asking(tier)).rejects.toMatchObject(UNAUTHORIZED);
      system.nowMs += 1;
    }
    const { id, tier, authSets } = await only(domain);
    expect([tier, authSets.map((set) => set.tier)]).toEqual(["micro", ["standard", "micro"]]);
    for (const [index, wanted] of ["standard", "micro"].entries()) {
      await domain.devices.setAuthSetStatus(id, authSets[index]?.id ?? "", "accepted");
      expect((await only(domain)).tier).toBe(wanted);
    }
    const token = await asking("micro");
    expect(await domain.authentication.verify(token)).toMatchObject({ deviceId: id });
    await expect(asking("standard")).rejects.toMatchObject(UNAUTHORIZED);
    expect((await only(domain)).authSets.map(({ status }) => status)).toEqual(["rejected", "accepted"]);
  });

  test("with a second key has one accepted: accepting another rejects the first, whose token is worthless at once", async () => {
    const { domain, system } = await start();
    const first = new TestDevice('{"mac":"1"}');
    const second = new TestDevice('{"mac":"1"}');
    for (const device of [first, second]) {
      await expect(domain.authentication.authorize(device.request())).rejects.toMatchObject(UNAUTHORIZED);
      system.nowMs += 1;
    }
    await setStatus(domain, 0, "accepted");
    const token = await domain.authentication.authorize(first.request());
    await setStatus(domain, 1, "accepted");
    expect((await only(domain)).authSets.map(({ status }) => status)).toEqual(["rejected", "accepted"]);
    await expect(domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(domain.authentication.authorize(first.request())).rejects.toMatchObject(UNAUTHORIZED);
    await domain.authentication.authorize(second.request());
  });

  test("is accepted at its first request with --auto-accept, and stays out once it was rejected", async () => {
    const { domain } = await start({ autoAccept: true });
    const device = new TestDevice('{"mac":"1"}');
    const token = await domain.authentication.authorize(device.request());
    await domain.authentication.verify(token);
    await setStatus(domain, 0, "rejected");
    await expect(domain.authentication.authorize(device.request())).rejects.toMatchObject(UNAUTHORIZED);
  });

  test("that was announced is accepted at its first request, with the announced key only", async () => {
    const { domain } = await start();
    const device = new TestDevice('{"mac":"1","sn":2}');
    const id = await domain.devices.preauthorize({ sn: 2, mac: "1" }, device.publicKey);
    expect(await only(domain)).toMatchObject({ id, status: "preauthorized" });
    const other = new TestDevice('{"mac":"1","sn":2}');
    await expect(domain.authentication.authorize(other.request())).rejects.toMatchObject(UNAUTHORIZED);
    const token = await domain.authentication.authorize(device.request());
    expect((await domain.authentication.verify(token)).deviceId).toBe(id);
    expect((await only(domain)).status).toBe("accepted");
  });
});

describe("A token", () => {
  async function accepted(): Promise<TestDomain & { readonly device: TestDevice; readonly token: string }> {
    const opened = await start({ autoAccept: true, deviceTokenLifeMs: 60_000 });
    const device = new TestDevice('{"mac":"1"}');
    return { ...opened, device, token: await opened.domain.authentication.authorize(device.request()) };
  }

  test("has the claims of the reference", async () => {
    const { domain, system, token } = await accepted();
    const { id, authSets } = await only(domain);
    const [header = "", payload = ""] = token.split(".");
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({ alg: "EdDSA", typ: "JWT" });
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toEqual({
      jti: authSets[0]?.id,
      sub: id,
      iss: "Mender",
      iat: system.nowMs / 1000,
      exp: system.nowMs / 1000 + 60,
      "mender.device": true,
      "mender.plan": "enterprise",
      "mender.trial": false,
      "mender.addons": [],
      "upkeep.generation": 2,
    });
  });

  test("is worthless when its time is over, also one that was seen before", async () => {
    const { domain, system, token } = await accepted();
    system.nowMs += 59_999;
    await domain.authentication.verify(token);
    system.nowMs += 1;
    await expect(domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
  });

  test("of before does not come back to life when a rejected device is accepted again", async () => {
    const { domain, device, token } = await accepted();
    await domain.authentication.verify(token);
    await setStatus(domain, 0, "rejected");
    await expect(domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
    await setStatus(domain, 0, "accepted");
    await expect(domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
    await domain.authentication.verify(await domain.authentication.authorize(device.request()));
  });

  test.each<[string, (domain: Domain, device: Device) => Promise<void>]>([
    [
      "its key is dismissed",
      (domain, { id, authSets }) => domain.devices.setAuthSetStatus(id, authSets[0]?.id ?? "", "pending"),
    ],
    ["its key is deleted", (domain, { id, authSets }) => domain.devices.deleteAuthSet(id, authSets[0]?.id ?? "")],
    ["it is revoked", (domain, { authSets }) => domain.devices.revokeTokens(authSets[0]?.id ?? "")],
    ["the device is decommissioned", (domain, { id }) => domain.devices.decommission(id)],
  ])("is worthless at once when %s", async (_, act) => {
    const { domain, token } = await accepted();
    await domain.authentication.verify(token);
    await act(domain, await only(domain));
    await expect(domain.authentication.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
  });

  test("stays good beside a newer one of the same key", async () => {
    const { domain, device, token } = await accepted();
    await domain.authentication.authorize(device.request());
    await domain.authentication.verify(token);
  });

  test("that we did not sign, or that chooses how it is checked, is worthless", async () => {
    const { domain, token } = await accepted();
    const [header = "", payload = "", signature = ""] = token.split(".");
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const none = encode({ alg: "none", typ: "JWT" });
    const { privateKey } = generateKeyPairSync("ed25519");
    const forged = sign(null, Buffer.from(`${header}.${payload}`), privateKey).toString("base64url");
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    const longer = encode({ ...(claims as object), exp: 9e9 });
    for (const bad of [
      "",
      "x",
      "..",
      `${none}.${payload}.`,
      `${none}.${payload}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${forged}`,
      `${header}.${longer}.${signature}`,
      `${token}.${signature}`,
      ` ${token}`,
      "a".repeat(1_000_000),
    ]) {
      await expect(domain.authentication.verify(bad)).rejects.toMatchObject({ kind: "unauthorized" });
    }
  });

  test("of a user is worthless on the device's side, and the other way round", async () => {
    const { domain, token } = await accepted();
    const admin = await domain.users.ensureAdministrator("admin@example.com");
    const user = await domain.users.login("admin@example.com", admin?.password ?? "");
    await expect(domain.authentication.verify(user)).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(domain.users.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
  });

  test("is still good after the server was started again", async () => {
    const directory = await mkdtemp(join(tmpdir(), "upkeep-server-"));
    try {
      const before = await openTestDomain({ autoAccept: true }, { directory });
      const token = await before.domain.authentication.authorize(new TestDevice('{"mac":"1"}').request());
      const { linkSecret } = before.domain;
      await before.domain.close();
      const after = await openTestDomain({}, { directory });
      expect((await after.domain.authentication.verify(token)).deviceId).toBe((await only(after.domain)).id);
      expect(after.domain.linkSecret).toEqual(linkSecret);
      await after.domain.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
