import { createPublicKey, verify } from "node:crypto";
import { expect, test } from "vitest";
import { SeededKey } from "../../../mock-server/scenarios/seeded-key.ts";

test("a seed decides a key, whose signatures the server's way of checking takes", async () => {
  const key = new SeededKey("fleet/1");
  const data = Buffer.from("who I am");
  const signature = Buffer.from(await key.sign(data), "base64");
  expect(verify(null, data, createPublicKey(key.publicPem), signature)).toBe(true);
  expect(createPublicKey(key.privatePem).export({ type: "spki", format: "pem" })).toBe(key.publicPem);
  expect(new SeededKey("fleet/1").publicPem).toBe(key.publicPem);
  expect(new SeededKey("fleet/2").publicPem).not.toBe(key.publicPem);
});
