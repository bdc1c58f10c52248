import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { AccountFilter, UserPrincipal } from "../../../mock-server/domain.ts";
import { mayDo } from "../../../mock-server/domain.ts";
import { openTestDomain, type TestDomain } from "../domain-fixture.ts";

let opened: TestDomain;
let admin: UserPrincipal;
let token: string;
beforeEach(async () => {
  opened = await openTestDomain();
  await opened.domain.users.ensureAdministrator("admin@example.com", "correct horse");
  token = await opened.domain.users.login("admin@example.com", "correct horse");
  admin = await opened.domain.users.verify(token);
});
afterEach(() => opened.domain.close());

describe("A user", () => {
  test("is made with a role, shown without a password, and removed with all sessions", async () => {
    const { users } = opened.domain;
    const id = await users.accounts.create({ email: "CI@example.com", password: "battery staple", role: "ci-upload" });
    expect(await users.accounts.get(id)).toEqual({
      id,
      email: "ci@example.com",
      role: "ci-upload",
      createdMs: opened.system.nowMs,
      updatedMs: opened.system.nowMs,
    });
    expect(await users.accounts.list()).toHaveLength(2);
    const session = await users.login("ci@example.com", "battery staple");
    expect(await users.verify(session)).toMatchObject({ userId: id, role: "ci-upload" });
    await users.accounts.delete(id);
    await users.accounts.delete(id);
    await expect(users.verify(session)).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(users.accounts.get(id)).rejects.toMatchObject({ kind: "not-found" });
  });

  test.each([
    ["admin@example.com", "long enough", "email taken"],
    ["nobody", "long enough", "email"],
    ["new@example.com", "short", "password"],
    ["someone@example.com", "Someone!", "similar"],
    ["new@example.com", "new@example.com", "similar"],
  ])("is refused: %s, %s", async (email, password, message) => {
    await expect(opened.domain.users.accounts.create({ email, password })).rejects.toMatchObject({
      kind: "unprocessable",
      message: expect.stringContaining(message),
    });
  });

  test("changes the own password by telling the old one, which ends the other logins", async () => {
    const { users } = opened.domain;
    const other = await users.login("admin@example.com", "correct horse");
    const pat = await users.tokens.create(admin.userId, "ci", 0);
    const change = { password: "battery staple", currentPassword: "wrong horse" };
    await expect(users.accounts.update(admin, admin.userId, change)).rejects.toMatchObject({ kind: "unprocessable" });
    await users.accounts.update(admin, admin.userId, { ...change, currentPassword: "correct horse" });
    await users.verify(token);
    await users.verify(pat);
    await expect(users.verify(other)).rejects.toMatchObject({ kind: "unauthorized" });
    await expect(users.login("admin@example.com", "correct horse")).rejects.toMatchObject({ kind: "unauthorized" });
    await users.login("admin@example.com", "battery staple");
  });

  test("gets a password of somebody who may write, which ends the logins and, if that is wanted, the tokens", async () => {
    const { users } = opened.domain;
    const id = await users.accounts.create({ email: "other@example.com", password: "battery staple" });
    const login = await users.login("other@example.com", "battery staple");
    const pat = await users.tokens.create(id, "ci", 0);
    await users.tokens.create(id, "short", 1);
    opened.system.nowMs += 1000;
    expect(await users.accounts.update(admin, id, { password: "something else" })).toBe(1);
    await expect(users.verify(login)).rejects.toMatchObject({ kind: "unauthorized" });
    await users.verify(pat);
    await users.verify(await users.login("other@example.com", "something else"));
    expect(await users.accounts.update(admin, id, { revokeTokens: true })).toBe(0);
    await expect(users.verify(pat)).rejects.toMatchObject({ kind: "unauthorized" });
    await users.accounts.update(admin, id, { email: "renamed@example.com", role: "ci-upload" });
    expect(await users.accounts.get(id)).toMatchObject({ email: "renamed@example.com", role: "ci-upload" });
  });

  test("without a role is an admin if it is the first, and read-only otherwise", async () => {
    const { accounts } = opened.domain.users;
    const id = await accounts.create({ email: "other@example.com", password: "battery staple" });
    expect(await accounts.get(id)).toMatchObject({ role: "read-only" });
    const empty = await openTestDomain();
    onTestFinished(() => empty.domain.close());
    const first = await empty.domain.users.accounts.create({ email: "a@example.com", password: "battery staple" });
    expect(await empty.domain.users.accounts.get(first)).toMatchObject({ role: "admin" });
  });

  test("is found by what a filter says", async () => {
    const { accounts } = opened.domain.users;
    const startMs = opened.system.nowMs;
    opened.system.nowMs += 1000;
    const id = await accounts.create({ email: "other@example.com", password: "battery staple" });
    const found = async (filter: AccountFilter) => (await accounts.list(filter)).map(({ email }) => email);
    expect(await found({ emails: ["nobody@example.com"] })).toEqual([]);
    expect(await found({ emails: ["Other@example.com"], ids: [id] })).toEqual(["other@example.com"]);
    expect(await found({ ids: [admin.userId], createdAfterMs: startMs })).toEqual([]);
    expect(await found({ createdAfterMs: startMs, updatedBeforeMs: startMs + 1001 })).toEqual(["other@example.com"]);
    expect(await found({ createdBeforeMs: startMs + 1000 })).toEqual(["admin@example.com"]);
  });

  test("who is the last admin stays one", async () => {
    const { accounts } = opened.domain.users;
    await expect(accounts.delete(admin.userId)).rejects.toMatchObject({ kind: "unprocessable" });
    await expect(accounts.update(admin, admin.userId, { role: "read-only" })).rejects.toMatchObject({
      kind: "unprocessable",
    });
    const id = await accounts.create({ email: "other@example.com", password: "battery staple", role: "admin" });
    await accounts.delete(admin.userId);
    await expect(accounts.delete(id)).rejects.toMatchObject({ kind: "unprocessable" });
  });

  test("may do what the role allows", () => {
    const allowed = (["admin", "read-only", "ci-upload"] as const).map((role) =>
      (["read", "upload", "self", "write"] as const).filter((permission) => mayDo(role, permission)),
    );
    expect(allowed).toEqual([
      ["read", "upload", "self", "write"],
      ["read", "self"],
      ["upload", "self"],
    ]);
  });
});

describe("A personal access token", () => {
  test("is a session with a name, until it expires or is deleted; its last use is noted", async () => {
    const { users } = opened.domain;
    const pat = await users.tokens.create(admin.userId, "ci", 60);
    await expect(users.tokens.create(admin.userId, "ci", 60)).rejects.toMatchObject({ kind: "conflict" });
    expect((await users.verify(pat)).userId).toBe(admin.userId);
    const [listed] = await users.tokens.list(admin.userId);
    const now = opened.system.nowMs;
    expect(listed).toMatchObject({ name: "ci", createdMs: now, expiresMs: now + 60_000, lastUsedMs: now });
    opened.system.nowMs += 60_000;
    await expect(users.verify(pat)).rejects.toMatchObject({ kind: "unauthorized" });
    const second = await users.tokens.create(admin.userId, "ci", 0);
    const [kept] = await users.tokens.list(admin.userId);
    expect(kept?.expiresMs).toBeUndefined();
    await users.tokens.delete(admin.userId, admin.sessionId);
    await users.verify(token);
    await users.tokens.delete(admin.userId, kept?.id ?? "");
    await expect(users.verify(second)).rejects.toMatchObject({ kind: "unauthorized" });
  });

  test("is one of ten at most, and is not ended by new logins", async () => {
    const { users } = opened.domain;
    for (let number = 0; number < 10; number += 1) await users.tokens.create(admin.userId, `t${number}`, 0);
    await expect(users.tokens.create(admin.userId, "more", 0)).rejects.toMatchObject({ kind: "unprocessable" });
    await expect(users.tokens.create(admin.userId, "", 0)).rejects.toMatchObject({ kind: "invalid" });
    await expect(users.tokens.create(admin.userId, "x", 31_536_001)).rejects.toMatchObject({ kind: "invalid" });
    for (let number = 0; number < 11; number += 1) {
      opened.system.nowMs += 1;
      await users.login("admin@example.com", "correct horse");
    }
    expect(await users.tokens.list(admin.userId)).toHaveLength(10);
    await expect(users.verify(token)).rejects.toMatchObject({ kind: "unauthorized" });
  });
});

test("Settings are kept for each user and for all, and changed only if nobody else did in between", async () => {
  const { settings } = opened.domain.users;
  const { value, etag } = await settings.get();
  expect(value).toEqual({});
  const next = await settings.put({ a: [1] }, undefined, etag);
  await expect(settings.put({}, undefined, etag)).rejects.toMatchObject({ kind: "precondition-failed" });
  expect(await settings.get()).toEqual({ value: { a: [1] }, etag: next });
  await settings.put({ b: 1 }, admin.userId);
  expect((await settings.get(admin.userId)).value).toEqual({ b: 1 });
  const many = Object.fromEntries(Array.from({ length: 1025 }, (_, index) => [`k${index}`, 0]));
  await expect(settings.put(many)).rejects.toMatchObject({ kind: "invalid" });
});
