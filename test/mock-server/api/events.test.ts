import { describe, expect, onTestFinished, test } from "vitest";
import { DEVICE_API, PASSWORD, TestServer } from "./fixture.ts";

const EVENTS = "/api/management/v1/events";

interface Told {
  readonly id: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, string>>;
}

function parse(block: string): Told {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
  return { id: field("id"), kind: field("event"), data: JSON.parse(field("data")) };
}

/** A listener. */
async function listen(server: TestServer, lastEventId?: string, token = server.userToken, query = "") {
  const answer = await server.app.inject({
    method: "GET",
    url: `${EVENTS}${query}`,
    payloadAsStream: true,
    headers: {
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    },
  });
  expect([answer.statusCode, answer.headers["content-type"]]).toEqual([200, "text/event-stream"]);
  const stream = answer.stream();
  onTestFinished(() => {
    stream.destroy();
  });
  const chunks = stream[Symbol.asyncIterator]();
  let text = "";
  return {
    /** Everything up to and with the first that is meant. */
    async until(meant: (told: Told) => boolean): Promise<Told[]> {
      const told: Told[] = [];
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end < 0) {
          const next = await chunks.next();
          if (next.done === true) throw new Error("the stream ended");
          text += String(next.value);
          continue;
        }
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        if (block.startsWith(":")) continue;
        // A number alone: events happened that the listener did not want.
        if (/^id: \d+$/.test(block)) continue;
        told.push(parse(block));
        const last = told.at(-1);
        if (last !== undefined && meant(last)) return told;
      }
    },
    /** Resolves when the server has ended the stream, with what it sent until then. */
    async end(): Promise<string> {
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) text += String(next.value);
      return text;
    },
  };
}

describe("the event stream", () => {
  test("tells only the kinds that are asked for", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const listener = await listen(server, "0", undefined, "?kind=deployment&kind=artifact");
    const device = await server.device("1");
    await server.uploaded();
    await server.deployed("release-1", [device.id]);
    const told = await listener.until(({ kind }) => kind === "deployment");
    expect(told.map(({ kind }) => kind)).toEqual(["artifact", "deployment"]);
    expect((await server.manage(`${EVENTS}?kind=weather`)).statusCode).toBe(400);
  });

  test("tells everything that changes, in its order, while it changes", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const listener = await listen(server);
    const device = await server.device("1");
    const artifact = await server.uploaded();
    const deployment = await server.deployed("release-1", [device.id]);
    await server.call(`${DEVICE_API}/next?artifact_name=factory&device_type=board`, device);
    await server.call(`${DEVICE_API}/${deployment}/status`, { method: "PUT", body: { status: "success" }, ...device });
    const told = await listener.until(({ kind, data }) => kind === "deployment" && data.status === "finished");
    expect(told.map(({ kind, data }) => [kind, data.action, data.status].join(" ").trim())).toEqual(
      expect.arrayContaining([
        "device created noauth",
        "device changed accepted",
        "artifact created",
        "deployment created pending",
        "device_deployment changed pending",
        "device_deployment changed success",
      ]),
    );
    expect(told).toContainEqual(
      expect.objectContaining({ kind: "artifact", data: expect.objectContaining({ subject: artifact }) }),
    );
    const numbers = told.map(({ id }) => Number(id));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test("goes on behind the last event that a listener has", async () => {
    const server = await TestServer.open({ autoAccept: true });
    const first = await listen(server);
    await server.device("1");
    const [seen] = (await first.until(({ kind, data }) => kind === "device" && data.action === "created")).slice(-1);
    await server.uploaded();
    const again = await listen(server, seen?.id);
    const told = await again.until(({ kind }) => kind === "artifact");
    expect(Number(told[0]?.id)).toBe(Number(seen?.id) + 1);
  });

  test("says so when it cannot go on: from events that are not kept, or that never were", async () => {
    const server = await TestServer.open({ autoAccept: true });
    await server.device("1");
    const listener = await listen(server, "1000000");
    const [told] = await listener.until(() => true);
    expect(told?.kind).toBe("reset");
    await server.uploaded();
    const [next] = await listener.until(() => true);
    expect([next?.kind, Number(next?.id)]).toEqual(["artifact", Number(told?.id) + 1]);
  });

  test("has nothing of what was undone", async () => {
    const server = await TestServer.open({ autoAccept: true });
    await server.uploaded();
    const listener = await listen(server);
    await expect(server.uploaded()).rejects.toThrow("409");
    await server.uploaded({ name: "release-2" });
    const told = await listener.until(({ data }) => data.related === "release-2");
    expect(told).toHaveLength(1);
  });
});

/** Each without a request to the server whose stream it is, as when another server of the same records does it. */
const ENDINGS: Readonly<
  Record<string, (server: TestServer, user: { readonly id: string; readonly token: string }) => Promise<void>>
> = {
  "the user logs out": async ({ domain }, { token }) => await domain.users.logout(await domain.users.verify(token)),
  "the user is deleted": async ({ domain }, { id }) => await domain.users.accounts.delete(id),
  "the user gets another role": async ({ domain, userToken }, { id }) => {
    await domain.users.accounts.update(await domain.users.verify(userToken), id, { role: "ci-upload" });
  },
  "the user changes the password elsewhere": async ({ domain }, { id, token }) => {
    const other = { ...(await domain.users.verify(token)), sessionId: "another" };
    await domain.users.accounts.update(other, id, { password: "a new password", currentPassword: PASSWORD });
  },
  "the token expires": async ({ system }) => {
    system.nowMs += 8 * 24 * 3_600_000;
  },
};

describe("the event stream ends within seconds when", () => {
  test.each(Object.keys(ENDINGS))("%s", async (name) => {
    const server = await TestServer.open();
    const { users } = server.domain;
    const id = await users.accounts.create({ email: "b@example.com", password: PASSWORD, role: "read-only" });
    const token = await users.login("b@example.com", PASSWORD);
    const listener = await listen(server, undefined, token);
    await server.uploaded();
    await listener.until(({ kind }) => kind === "artifact");
    await ENDINGS[name]?.(server, { id, token });
    // It happens after the session has ended, so it is not told.
    await server.uploaded({ name: "release-2" }).catch(() => undefined);
    expect(await listener.end()).not.toContain("release-2");
  });

  test("a personal access token is revoked", async () => {
    const server = await TestServer.open();
    const { users } = server.domain;
    const { userId } = await users.verify(server.userToken);
    const token = await users.tokens.create(userId, "pipeline", 0);
    const listener = await listen(server, undefined, token);
    const [{ id = "" } = {}] = await users.tokens.list(userId);
    await users.tokens.delete(userId, id);
    expect(await listener.end()).not.toContain("event:");
  });
});
