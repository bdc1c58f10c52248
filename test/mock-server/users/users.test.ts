import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type DomainOptions, openDomain } from "../../../mock-server/domain.ts";
import { openTestDomain, type TestDomain, TestSystem } from "../domain-fixture.ts";
import { makeRecords } from "../records-fixture.ts";

let opened: TestDomain;
beforeEach(async () => {
  opened = await openTestDomain({ userTokenLifeMs: 60_000 });
});
afterEach(() => opened.domain.close());

const EMAIL = "admin@example.com";

async function administrator(): Promise<string> {
  const made = await opened.domain.users.ensureAdministrator(EMAIL);
  if (made === undefined) throw new Error("there is a user already");
  return made.password;
}

describe("The first administrator", () => {
  test("is made once, with a password that is told once", async () => {
    const { users } = opened.domain;
    const [one, two] = await Promise.all([
      users.ensureAdministrator("Admin@Example.com"),
      users.ensureAdministrator(EMAIL),
    ]);
    const made = [one, two].filter((each) => each !== undefined);
    expect(made).toHaveLength(1);
    expect(made[0]?.email).toBe(EMAIL);
    expect(made[0]?.password.length).toBeGreaterThanOrEqual(20);
    expect(await users.ensureAdministrator("other@example.com")).toBeUndefined();
    await users.login(EMAIL, made[0]?.password ?? "");
  });

  test.each([
    ["admin", "long enough", "email: must be an e-mail address"],
    ["a b@example.com", "long enough", "email: must be an e-mail address"],
    [`${"a".repeat(256)}@example.com`, "long enough", "email: must be an e-mail address"],
    [EMAIL, "short", "password: must have 8 to 256 characters"],
  ])("is refused: %s, %s", async (email, password, message) => {
    await expect(opened.domain.users.ensureAdministrator(email, password)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining(message),
    });
  });
});

describe("A password", () => {
  test("is hashed with 64 MiB of work unless less is asked for, and is still good where the work has changed", async () => {
    const system = new TestSystem();
    const { location, remove } = await makeRecords("file");
    onTestFinished(remove);
    const open = (options: DomainOptions) => openDomain({ system, storage: location, options });
    const first = await open({});
    const made = await first.users.ensureAdministrator(EMAIL);
    expect(await first.users.passwordVersion(EMAIL)).toMatch(/^scrypt\$65536\$8\$1\$/);
    await first.close();
    const quick = await open({ passwordWork: 16 });
    onTestFinished(() => quick.close());
    await quick.users.login(EMAIL, made?.password ?? "");
    await quick.users.accounts.create({ email: "quick@example.com", password: "battery staple" });
    expect(await quick.users.passwordVersion("quick@example.com")).toMatch(/^scrypt\$16\$8\$1\$/);
  });
});

describe("A login", () => {
  test("gives a token that tells who it belongs to, whatever the case of the address", async () => {
    const password = await administrator();
    const token = await opened.domain.users.login("ADMIN@example.COM", password);
    expect(await opened.domain.users.verify(token)).toMatchObject({ email: EMAIL });
    const [header = "", payload = ""] = token.split(".");
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({
      alg: "EdDSA",
      kid: "upkeep-users",
    });
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      iss: "mender.useradm",
      scp: "mender.*",
      "mender.user": true,
      exp: opened.system.nowMs / 1000 + 60,
      nbf: opened.system.nowMs / 1000,
    });
  });

  test("is refused for a wrong password and for an unknown address, in the same words", async () => {
    const password = await administrator();
    for (const [email, wrong] of [
      [EMAIL, `${password}x`],
      [EMAIL, ""],
      [EMAIL, "x".repeat(10_000)],
      ["other@example.com", password],
    ] as const) {
      await expect(opened.domain.users.login(email, wrong)).rejects.toMatchObject({
        kind: "unauthorized",
        code: "unauthorized",
      });
    }
  });

  test("ends when its time is over, unless it asked for one without end", async () => {
    const { users } = opened.domain;
    const password = await administrator();
    const limited = await users.login(EMAIL, password);
    const endless = await users.login(EMAIL, password, { noExpiry: true });
    opened.system.nowMs += 60_000;
    await expect(users.verify(limited)).rejects.toMatchObject({ kind: "unauthorized" });
    await users.verify(endless);
  });

  test("ends with the logout, and no other with it", async () => {
    const { users } = opened.domain;
    const password = await administrator();
    const [one, two] = [await users.login(EMAIL, password), await users.login(EMAIL, password)];
    await users.logout(await users.verify(one));
    await expect(users.verify(one)).rejects.toMatchObject({ kind: "unauthorized" });
    await users.verify(two);
  });

  test("makes the oldest of more than ten sessions give way", async () => {
    const { users } = opened.domain;
    const password = await administrator();
    const tokens: string[] = [];
    for (let index = 0; index < 11; index += 1) {
      tokens.push(await users.login(EMAIL, password));
      opened.system.nowMs += 1;
    }
    const [oldest = "", ...others] = tokens;
    await expect(users.verify(oldest)).rejects.toMatchObject({ kind: "unauthorized" });
    for (const token of others) await users.verify(token);
  });
});

describe("A session", () => {
  test("is current until it ends, its time is over, or the role of its user changes", async () => {
    const { users } = opened.domain;
    const password = await administrator();
    const session = async () => await users.verify(await users.login(EMAIL, password));
    const [admin, other, late] = [await session(), await session(), await session()];
    for (const one of [admin, other, late]) expect(await users.isCurrent(one)).toBe(true);
    await users.logout(other);
    expect([await users.isCurrent(admin), await users.isCurrent(other)]).toEqual([true, false]);
    expect(await users.isCurrent({ ...admin, role: "read-only" })).toBe(false);
    opened.system.nowMs += 60_000;
    expect(await users.isCurrent(late)).toBe(false);
  });
});

describe("The proof that a client has logged in before", () => {
  test("is good for its account, for half a year, and lets nobody in", async () => {
    const { users } = opened.domain;
    const { knownClients } = users;
    const proof = knownClients.issue("Admin@Example.com");
    const client = knownClients.find(proof, EMAIL);
    expect(client).toMatch(/^[0-9a-f-]{36}$/);
    expect(knownClients.find(knownClients.issue(EMAIL, client), EMAIL)).toBe(client);
    expect(knownClients.find(proof, "other@example.com")).toBeUndefined();
    expect(knownClients.find(`${proof.slice(0, -2)}AA`, EMAIL)).toBeUndefined();
    await expect(users.verify(proof)).rejects.toMatchObject({ kind: "unauthorized" });
    const token = await users.login(EMAIL, await administrator());
    expect(knownClients.find(token, EMAIL)).toBeUndefined();
    opened.system.nowMs += knownClients.lifeS * 1000;
    expect(knownClients.find(proof, EMAIL)).toBeUndefined();
  });
});
