import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { HeldBodies, PUBLIC_BODY_BYTES_MAX, readBody } from "../../../mock-server/api/bodies.ts";
import type { RawRequest } from "../../../mock-server/api/route.ts";
import { TestServer } from "./fixture.ts";

const MIB = 1024 * 1024;

describe("bodies that come slowly", () => {
  /** A body of which half has come, and whose rest the test sends. */
  function half(held: HeldBodies) {
    const stream = Object.assign(new PassThrough({ highWaterMark: MIB }), {
      headers: { "content-length": String(MIB) },
    });
    const body = readBody(stream as unknown as RawRequest, MIB, 413, held);
    stream.write(Buffer.alloc(MIB / 2, "x"));
    return { body, finish: () => stream.end(Buffer.alloc(MIB / 2, "x")) };
  }

  test("take a bounded part of the memory in all; the others are answered with 503", async () => {
    const held = new HeldBodies(3 * MIB);
    const bodies = Array.from({ length: 6 }, () => half(held));
    await expect(half(held).body).rejects.toMatchObject({ status: 503, headers: { "retry-after": "10" } });
    // Half of them come to their end one after the other, which needs the room that the others let go.
    const [first, ...others] = bodies;
    others.at(-1)?.body.catch(() => undefined);
    first?.finish();
    await expect(first?.body).rejects.toMatchObject({ status: 503 });
    others[0]?.finish();
    expect((await others[0]?.body)?.length).toBe(MIB);
  });
});

test.each([
  ["/api/management/v1/useradm/auth/login", 413],
  ["/api/devices/v1/authentication/auth_requests", 400],
])("who is not known yet sends at most 64 KiB: %s", async (url, status) => {
  const server = await TestServer.open();
  const answer = await server.call(url, {
    method: "POST",
    body: JSON.stringify({ x: "x".repeat(PUBLIC_BODY_BYTES_MAX) }),
    headers: { "content-type": "application/json" },
  });
  expect([answer.statusCode, answer.json().error]).toEqual([status, "the request's body is larger than 65536 bytes"]);
});
